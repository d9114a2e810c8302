"""Tables in blocks of rows: columns described one after another, rows made features block by block, in memory or on disk.

What every kind of table shares. At most one column of the whole table is in memory at a time, and one block of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from byhand.errors import DataError, nearest
from byhand.train.data.data import Data
from byhand.train.data.plan import described
from byhand.train.data.reading import Reading
from byhand.train.data.rows import CHUNK, Rows, large, spilled
from byhand.train.data.table import encoded, target_of, width_of

Array = Any


@dataclass(frozen=True)
class How:
    """How a table is read.

    Attributes:
        reading: what the user says, or the saved model.
        stream: whether the features stay on disk; None where they would take a quarter of the free memory.
        training: the places of the training rows, of the targets: what is learnt, is learnt of them; None for all rows.
    """

    reading: Reading
    stream: bool | None = None
    training: Callable[[Array], Array] | None = None


class Blocks:
    """A table of which one column of one block of rows is read at a time.

    Args:
        path: of the file, for messages.
        names: of the columns.
        rows: how many.
        blocks: how many.
        first: what the first row is called in messages.
    """

    def __init__(self, path: Path, names: Sequence[str], rows: int, blocks: int, first: int) -> None:
        self.path, self.names, self.rows, self.blocks, self.first = path, list(names), rows, blocks, first

    def kind(self, name: str) -> str:
        """Of a column: "number", "texts" and "dates" as the file has it; "cells" are texts that show what they are.

        Raises: DataError: neither numbers nor texts.
        """
        raise NotImplementedError

    def column(self, name: str, block: int) -> Any:
        """A column of a block: float64 with NaN for no value, or texts, "" for no value.

        Raises: DataError: the file is damaged.
        """
        raise NotImplementedError

    def parts(self, name: str) -> Iterator[Any]:
        """A column of all blocks, one after another."""
        return (self.column(name, block) for block in range(self.blocks))


def needed_columns(
    path: Path, names: list[str], target: str | None, table: dict[str, Any] | None, reading: Reading
) -> list[str]:
    """The columns that are read: the features and then the target.

    Raises: DataError: a column that is there twice, or not; none.
    """
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice", "give each column a name of its own")
    for name, option in _named(target, reading, table):
        if name not in names:
            words = f"{path} has no column {name}{option}{nearest(name, names)}"
            raise DataError(words, f"it has: {', '.join(names)[:200]}")
    if table is not None:
        found = [c["name"] for c in table["columns"]]
    elif reading.features:
        found = [n for n in names if n in reading.features]
    else:
        found = [n for n in names if n not in reading.drop]
    if table is None and target in reading.features:
        raise DataError(f"the column {target} is to be learned, and cannot be a feature", "leave it out of --features")
    found = [n for n in found if n != target]
    for name in found:
        if name not in names:
            raise DataError(f"{path} has no column {name}, which the model needs")
    if not found:
        raise DataError(f"{path} has no column beside the target {target}" if target else f"{path}: no column is left")
    return found + [target] * (target is not None)


def _named(target: str | None, reading: Reading, table: Any) -> Iterator[tuple[str, str]]:
    """Columns that the user names, and where."""
    if target is not None:
        yield target, ""
    if table is None:
        for option in ("drop", "features", "categories"):
            for name in getattr(reading, option):
                yield name, f", which --{option} names"


def read_table(
    t: Blocks, target: str | None, table: dict[str, Any] | None, how: How, needed: list[str] | None = None
) -> Data:
    """The data of a table; see `read`. Streamed, the features go into a temporary file, block by block.

    Args:
        t: the table.
        target, table, how: see `read`.
        needed: its `needed_columns`, where others are not in t.
    Raises: DataError: what does not fit, and its row and column.
    """
    if not t.rows:
        raise DataError(f"{t.path} has no rows")
    reading = how.reading
    names = needed or needed_columns(t.path, t.names, target, table, reading)
    y = None if target is None else _target(t, target, reading)
    training = None
    if table is None:
        training = None if how.training is None or y is None else np.sort(how.training(y))
        table = planned(t, [n for n in names if n != target], training, reading)
        reading = replace(reading, unknown="other")  # of rows that are not for training; of these all are known
    columns = table["columns"]
    features, unseen = width_of(columns), Counter[str]()
    if how.stream or (how.stream is None and large(t.rows, features)):

        def write(file: IO[bytes]) -> None:
            for part in _features(t, columns, features, reading, unseen):
                file.write(np.ascontiguousarray(part, np.float64).data)

        with spilled(write) as file:
            rows = Rows(file, 0, np.float64, (t.rows, features), str(t.path))
            return Data(rows, y, table, notes=_unseen(unseen, training))
    found, done = np.empty((t.rows, features)), 0
    for part in _features(t, columns, features, reading, unseen):
        found[done : done + len(part)] = part
        done += len(part)
    return Data(found, y, table, notes=_unseen(unseen, training))


def _unseen(unseen: Counter[str], training: Array | None) -> tuple[str, ...]:
    where = "" if training is None else " of the test"
    return tuple(
        f"{count} rows{where} have a value of {name} that training has not: there it is none of the known ones"
        for name, count in unseen.items()
    )


def planned(t: Blocks, names: list[str], training: Array | None, reading: Reading) -> dict[str, Any]:
    """What each column means, learnt on some rows (their places in order; None for all).

    Raises: DataError: a column that cannot be a feature; no column is left.
    """
    found = [described(n, _parts(t, n, training), reading, t.kind(n) == "texts") for n in names]
    columns = [c for c in found if c["kind"] != "left out"]
    left_out = [{"name": c["name"], "note": c["note"]} for c in found if c["kind"] == "left out"]
    if not columns:
        words = f"{t.path}: no column is left that could be learnt from"
        raise DataError(words, *(f"{c['name']}: {c['note']}" for c in left_out[:9]))
    return {"columns": columns, "left_out": left_out, "reading": reading.saved()}


def _parts(t: Blocks, name: str, training: Array | None) -> Iterator[tuple[Array, Any]]:
    """A column block by block: what its rows are called, and its cells; of training rows only."""
    start = 0
    for cells in t.parts(name):
        places = np.arange(start, start + len(cells))
        start += len(cells)
        if training is not None:
            first, end = np.searchsorted(training, (places[0], start))
            places = training[first:end]
            kept = places - (start - len(cells))
            cells = [cells[k] for k in kept.tolist()] if isinstance(cells, list) else cells[kept]
        if len(places):
            yield places + t.first, cells


def _target(t: Blocks, name: str, reading: Reading) -> Array:
    if t.kind(name) != "number":
        return target_of(name, lambda: t.parts(name), t.first, reading.notation)
    cells = np.concatenate(list(t.parts(name)))
    bad = np.flatnonzero(~np.isfinite(cells))
    if len(bad):
        what = "is missing" if np.isnan(cells[bad[0]]) else f"is {cells[bad[0]]}"
        raise DataError(f"the target {name} {what} in row {bad[0] + t.first}", "leave such rows out of the file")
    return cells.astype(np.int64) if (cells == np.round(cells)).all() and (np.abs(cells) < 2**53).all() else cells


def _features(
    t: Blocks, columns: list[dict[str, Any]], features: int, reading: Reading, unseen: Counter[str]
) -> Iterator[Array]:
    """The rows as features, (some rows, features) at a time: a column of texts becomes many, of 8 bytes each."""
    step, first = max(1, CHUNK // (8 * features)), t.first
    for block in range(t.blocks):
        cells = [t.column(c["name"], block) for c in columns]
        rows = len(cells[0])
        for start in range(0, rows, step):
            end = min(start + step, rows)
            yield np.hstack(
                [_encoded(c, v[start:end], first + start, reading, unseen) for c, v in zip(columns, cells, strict=True)]
            )
        first += rows


def _encoded(column: dict[str, Any], cells: Any, first: int, reading: Reading, unseen: Counter[str]) -> Array:
    """Some cells of a column as features."""
    name = column["name"]
    if column["kind"] != "number" or isinstance(cells, list):
        texts = cells if isinstance(cells, list) else ["" if np.isnan(c) else f"{c:.15g}" for c in cells]
        return encoded(column, texts, first, reading, unseen)
    if column["fill"] is not None:
        cells = np.where(np.isnan(cells), column["fill"], cells)
    bad = np.flatnonzero(~np.isfinite(cells))
    if len(bad):
        gap = np.isnan(cells[bad[0]])
        what = "has no value" if gap else f"is {cells[bad[0]]}"
        raise DataError(f"column {name} {what} in row {first + bad[0]}", *["--impute fills it in"] * bool(gap))
    return cells[:, None]


__all__ = ["Blocks", "How", "needed_columns", "planned", "read_table"]

"""Tables in blocks of rows: columns described one after another, rows made features block by block, in memory or on disk.

What every kind of table shares. At most one column of the whole table is in memory at a time, and one block of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from byhand.errors import DataError, nearest
from byhand.train.data.data import Data
from byhand.train.data.rows import CHUNK, Rows, large, spilled
from byhand.train.data.table import MOST_CATEGORIES, category_of, described, encoded, target_of

Array = Any


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
        """Of a column: "number" and "category" as the file has it; "cells" are texts that show what they are.

        Raises: DataError: neither numbers nor texts.
        """
        raise NotImplementedError

    def column(self, name: str, block: int) -> Any:
        """A column of a block: float64 with NaN for no value, or texts, of categories "" for no value.

        Raises: DataError: the file is damaged.
        """
        raise NotImplementedError

    def parts(self, name: str) -> Iterator[Any]:
        """A column of all blocks, one after another."""
        return (self.column(name, block) for block in range(self.blocks))


def needed_columns(path: Path, names: list[str], target: str | None, table: dict[str, Any] | None) -> list[str]:
    """The columns that are read: the features and then the target.

    Raises: DataError: a column that is there twice, or not; none.
    """
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice")
    if target is not None and target not in names:
        raise DataError(f"{path} has no column {target}{nearest(target, names)}", f"it has: {', '.join(names)[:200]}")
    found = [n for n in names if n != target] if table is None else [c["name"] for c in table["columns"]]
    for name in found:
        if name not in names:
            raise DataError(f"{path} has no column {name}, which the model needs")
    if not found:
        raise DataError(f"{path} has no column beside the target {target}")
    return found + [target] * (target is not None)


def read_table(t: Blocks, target: str | None, table: dict[str, Any] | None, impute: bool, stream: bool | None) -> Data:
    """The data of a table; see `read`. Streamed, the features go into a temporary file, block by block.

    Raises: DataError: what does not fit, and its row and column.
    """
    if not t.rows:
        raise DataError(f"{t.path} has no rows")
    names = needed_columns(t.path, t.names, target, table)
    y = None if target is None else _target(t, target)
    if table is None:
        table = {"columns": [_described(t, n, impute) for n in names if n != target]}
    columns = table["columns"]
    features = sum(len(c["values"]) if c["kind"] == "category" else 1 for c in columns)
    if stream or (stream is None and large(t.rows, features)):

        def write(file: IO[bytes]) -> None:
            for part in _features(t, columns, features):
                file.write(np.ascontiguousarray(part, np.float64).data)

        with spilled(write) as file:
            return Data(Rows(file, 0, np.float64, (t.rows, features), str(t.path)), y, table)
    found, done = np.empty((t.rows, features)), 0
    for part in _features(t, columns, features):
        found[done : done + len(part)] = part
        done += len(part)
    return Data(found, y, table)


def _described(t: Blocks, name: str, impute: bool) -> dict[str, Any]:
    match t.kind(name):
        case "cells":
            return described(name, t.parts(name), impute, t.first)
        case "category":
            values: set[str] = set()
            gap, start = None, t.first
            for cells in t.parts(name):
                if gap is None:
                    gap = next((start + k for k, c in enumerate(cells) if not c), None)
                if len(values) <= MOST_CATEGORIES:
                    values |= {c for c in cells if c}
                start += len(cells)
            return category_of(name, sorted(values), gap, impute)
    numbers = np.concatenate(list(t.parts(name)))
    gaps = np.flatnonzero(np.isnan(numbers))
    if len(gaps) and not impute:
        raise DataError(f"column {name} has no value in row {gaps[0] + t.first}", "--impute fills in medians")
    if len(gaps) == len(numbers):
        raise DataError(f"column {name} has no values at all", "leave it out")
    return {"name": name, "kind": "number", "fill": float(np.nanmedian(numbers)) if impute else None}


def _target(t: Blocks, name: str) -> Array:
    if t.kind(name) != "number":
        return target_of(name, lambda: t.parts(name), t.first)
    cells = np.concatenate(list(t.parts(name)))
    bad = np.flatnonzero(~np.isfinite(cells))
    if len(bad):
        what = "is missing" if np.isnan(cells[bad[0]]) else f"is {cells[bad[0]]}"
        raise DataError(f"the target {name} {what} in row {bad[0] + t.first}")
    return cells.astype(np.int64) if (cells == np.round(cells)).all() and (np.abs(cells) < 2**53).all() else cells


def _features(t: Blocks, columns: list[dict[str, Any]], features: int) -> Iterator[Array]:
    """The rows as features, (some rows, features) at a time: a column of texts becomes many, of 8 bytes each."""
    step, first = max(1, CHUNK // (8 * features)), t.first
    for block in range(t.blocks):
        cells = [t.column(c["name"], block) for c in columns]
        rows = len(cells[0])
        for start in range(0, rows, step):
            end = min(start + step, rows)
            yield np.hstack([_encoded(c, v[start:end], first + start) for c, v in zip(columns, cells, strict=True)])
        first += rows


def _encoded(column: dict[str, Any], cells: Any, first: int) -> Array:
    """Some cells of a column as features (rows, 1), or one 0/1 column for each category."""
    name = column["name"]
    if column["kind"] == "category" or isinstance(cells, list):
        texts = cells if isinstance(cells, list) else ["" if np.isnan(c) else f"{c:g}" for c in cells]
        return encoded(column, texts, first)
    if column["fill"] is not None:
        cells = np.where(np.isnan(cells), column["fill"], cells)
    bad = np.flatnonzero(~np.isfinite(cells))
    if len(bad):
        what = "has no value" if np.isnan(cells[bad[0]]) else f"is {cells[bad[0]]}"
        raise DataError(f"column {name} {what} in row {first + bad[0]}")
    return cells[:, None]


__all__ = ["Blocks", "needed_columns", "read_table"]

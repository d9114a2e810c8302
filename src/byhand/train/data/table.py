"""Cells of tables as numbers, by the plan of their columns: alike in training and prediction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.train.data.cells import Notation, date_of, no_other_notation
from byhand.train.data.plan import features_of, parts_of
from byhand.train.data.reading import Reading

Array = Any
MOST_CLASSES = 20  # a target of so many whole numbers at most is taken for classes


def target_of(name: str, parts: Callable[[], Iterable[list[str]]], first: int, notation: Notation) -> Array:
    """Targets, (N,): texts, whole numbers or numbers.

    Args:
        name: of the column.
        parts: its cells, block by block, each time it is called.
        first: what the first row is called.
        notation: of its numbers and gaps.
    Raises: DataError: a value that is missing or not finite, and its row; numbers in another notation.
    """
    found: list[Array] | None = []
    row, wrong = first, ""
    for cells in parts():
        numbers = notation.numbers(cells)
        if numbers is None or np.isnan(numbers).any():
            gap = next((k for k, c in enumerate(cells) if notation.missing(c)), None)
            if gap is not None:
                raise DataError(f"the target {name} is missing in row {row + gap}", "leave such rows out of the file")
        if found is None or numbers is None:
            found = None
        else:
            bad = np.flatnonzero(~np.isfinite(numbers))
            if len(bad) and not wrong:
                wrong = f"the target {name} is {cells[bad[0]]} in row {row + bad[0]}"
            found.append(numbers)
        row += len(cells)
    if found is None:
        texts = np.concatenate([np.array(cells) for cells in parts()])
        no_other_notation(name, map(str, np.unique(texts)), notation)
        return texts
    if wrong:
        raise DataError(wrong)
    y = np.concatenate(found)
    return y.astype(np.int64) if (y == np.round(y)).all() and (np.abs(y) < 2**53).all() else y


def encoded(column: dict[str, Any], cells: list[str], first: int, reading: Reading, unseen: Counter[str]) -> Array:
    """A column as numbers (N, features of the column).

    Args:
        column: of the plan.
        cells: its texts.
        first: what the first row is called.
        reading: the notation, and whether unknown categories are an error or none of those known, all columns 0.
        unseen: the unknown categories are counted there, by column.
    Raises: DataError: a cell that does not fit, and its row.
    """
    name, notation = column["name"], reading.notation
    if column["kind"] == "category":
        index = {v: i for i, v in enumerate(column["values"])}
        found = np.zeros((len(cells), len(index)))
        codes = np.fromiter((index.get(c, -1) for c in cells), np.intp, len(cells))
        for k in np.flatnonzero(codes < 0).tolist():
            if notation.missing(cells[k]):
                if not column["fill"]:
                    raise DataError(f"column {name} has no value in row {k + first}", "--impute fills it in")
            elif reading.unknown == "other":
                unseen[name] += 1
            else:
                known = ", ".join(column["values"])[:120]
                message = f"column {name} has {cells[k][:40]!r} in row {k + first}, which is none of: {known}"
                raise DataError(message, "--unknown other takes it for none of them")
        known_rows = np.flatnonzero(codes >= 0)
        found[known_rows, codes[known_rows]] = 1.0
        return found
    dated = column["kind"] == "date"
    fast = None if dated else notation.numbers(cells)
    if fast is not None and np.isfinite(fast).all():
        return fast[:, None]
    numbers = np.empty(len(cells))
    for k, cell in enumerate(cells):
        gap = notation.missing(cell)
        number = column["fill"] if gap else date_of(cell, column["order"]) if dated else notation.number(cell)
        if number is None and gap:
            raise DataError(f"column {name} has no value in row {k + first}", "--impute fills it in")
        if number is None:
            what = "date in the order of the others" if dated else "number"
            raise DataError(f"column {name} has {cell[:40]!r}, which is no {what}, in row {k + first}")
        if not np.isfinite(number):
            raise DataError(f"column {name} is {cell} in row {k + first}")
        numbers[k] = number
    if dated:
        parts = parts_of(numbers, column["start"])
        return np.column_stack([parts[p] for p in column["parts"]])
    return numbers[:, None]


def width_of(columns: list[dict[str, Any]]) -> int:
    """How many features columns have."""
    return sum(len(features_of(c)) for c in columns)


def is_classification(y: Array) -> bool:
    """Whether targets look like classes: texts, few whole numbers, or several columns of 0 and 1."""
    if y.dtype.kind not in "fiub":
        return True
    if y.ndim == 2:
        return bool(np.isin(y, (0, 1)).all())
    return bool(y.dtype.kind in "iub" and len(np.unique(y)) <= MOST_CLASSES)


__all__ = ["encoded", "is_classification", "target_of", "width_of"]

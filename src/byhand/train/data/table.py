"""Columns of tables as features: described once, and encoded alike in training and prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.errors import DataError

Array = Any
MISSING = frozenset({"", "na", "nan", "null", "none", "?"})
MOST_CLASSES = 20  # a target of so many whole numbers at most is taken for classes
MOST_CATEGORIES = 1000


def number_of(cell: str) -> float | None:
    """The number that a cell shows, if it shows one."""
    try:
        return float(cell)
    except ValueError:
        return None


def _missing(cell: str) -> bool:
    return cell.lower() in MISSING


def target_of(name: str, cells: list[str], first: int = 2) -> Array:
    """Targets, (N,): texts, whole numbers or numbers; `first` is what the first row is called.

    Raises: DataError: a value that is missing or not finite, and its row.
    """
    gaps = [k for k, c in enumerate(cells, first) if _missing(c)]
    if gaps:
        raise DataError(f"the target {name} is missing in row {gaps[0]}")
    numbers = [number_of(c) for c in cells]
    if any(n is None for n in numbers):
        return np.array(cells)
    y = np.array(numbers)
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        raise DataError(f"the target {name} is {cells[bad[0]]} in row {bad[0] + first}")
    return y.astype(np.int64) if (y == np.round(y)).all() and (np.abs(y) < 2**53).all() else y


def described(name: str, cells: list[str], impute: bool) -> dict[str, Any]:
    """A column: numbers, or categories."""
    gaps = [k for k, c in enumerate(cells, 2) if _missing(c)]
    if gaps and not impute:
        raise DataError(f"column {name} has no value in row {gaps[0]}", "--impute fills in medians")
    present = [c for c in cells if not _missing(c)]
    if not present:
        raise DataError(f"column {name} has no values at all", "leave it out")
    numbers = [number_of(c) for c in present]
    if all(n is not None for n in numbers):
        return {"name": name, "kind": "number", "fill": float(np.median(np.array(numbers, float))) if impute else None}
    return category_of(name, sorted(set(present)), None, impute)


def category_of(name: str, values: list[str], gap: int | None, impute: bool) -> dict[str, Any]:
    """A column of texts.

    Args:
        name: of the column.
        values: all that occur, sorted.
        gap: a row without one, None for no such row.
        impute: whether no value is a value of its own, all columns 0.
    Raises: DataError: a gap without `impute`; no values; too many.
    """
    if gap is not None and not impute:
        raise DataError(f"column {name} has no value in row {gap}", "--impute makes that a category of its own")
    if not values:
        raise DataError(f"column {name} has no values at all", "leave it out")
    if len(values) > MOST_CATEGORIES:
        raise DataError(f"column {name} has {len(values)} different texts: more than {MOST_CATEGORIES}", "leave it out")
    return {"name": name, "kind": "category", "values": values, "fill": impute}


def encoded(column: dict[str, Any], cells: list[str], first: int = 2) -> Array:
    """A column as numbers (N, 1), or as 0/1 for each category (N, categories); `first` is what the first row is called.

    Raises: DataError: a cell that does not fit, and its row.
    """
    name = column["name"]
    if column["kind"] == "category":
        index = {v: i for i, v in enumerate(column["values"])}
        found = np.zeros((len(cells), len(index)))
        for k, cell in enumerate(cells):
            if cell in index:
                found[k, index[cell]] = 1.0
            elif not (_missing(cell) and column["fill"]):
                known = ", ".join(column["values"])[:120]
                raise DataError(f"column {name} has {cell[:40]!r} in row {k + first}, which is none of: {known}")
        return found
    numbers = np.empty((len(cells), 1))
    for k, cell in enumerate(cells):
        number = column["fill"] if _missing(cell) else number_of(cell)
        if number is None:
            what = "no value" if _missing(cell) else f"{cell[:40]!r}, which is no number,"
            raise DataError(f"column {name} has {what} in row {k + first}")
        if not np.isfinite(number):
            raise DataError(f"column {name} is {cell} in row {k + first}")
        numbers[k, 0] = number
    return numbers


def is_classification(y: Array) -> bool:
    """Whether targets look like classes: texts, few whole numbers, or several columns of 0 and 1."""
    if y.dtype.kind not in "fiub":
        return True
    if y.ndim == 2:
        return bool(np.isin(y, (0, 1)).all())
    return bool(y.dtype.kind in "iub" and len(np.unique(y)) <= MOST_CLASSES)

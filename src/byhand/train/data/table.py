"""Columns of tables as features: described once, and encoded alike in training and prediction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from byhand.errors import DataError

Array = Any
MISSING = frozenset({"", "na", "nan", "null", "none", "?"})
MOST_CLASSES = 20  # a target of so many whole numbers at most is taken for classes
MOST_CATEGORIES = 1000
_COMMA = re.compile(r"[-+]?\d+(,\d+)?")


def number_of(cell: str) -> float | None:
    """The number that a cell shows, if it shows one."""
    try:
        return float(cell)
    except ValueError:
        return None


def no_decimal_commas(name: str, cells: Iterable[str]) -> None:
    """Texts that are taken for categories or classes are no numbers in another notation.

    Raises: DataError: all of them are numbers, some with a decimal comma.
    """
    found = [_COMMA.fullmatch(c) for c in cells if not _missing(c)]
    if all(found) and any(m[1] for m in found if m):
        shown = next(m[0] for m in found if m and m[1])
        raise DataError(f"column {name} has numbers with a decimal comma, such as {shown!r}", "write 1.5 for 1,5")


def _missing(cell: str) -> bool:
    return cell.lower() in MISSING


def _numbers_of(cells: list[str]) -> Array | None:
    """The numbers that cells show, NaN for no value, (N,); None where one shows neither."""
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:  # no value, or a text
        found = [np.nan if _missing(c) else number_of(c) for c in cells]
        return None if None in found else np.array(found, np.float64)


def _gap(cells: list[str], numbers: Array | None) -> int | None:
    """The place of the first cell without a value."""
    if numbers is not None and not np.isnan(numbers).any():
        return None
    return next((k for k, c in enumerate(cells) if _missing(c)), None)


def target_of(name: str, parts: Callable[[], Iterable[list[str]]], first: int) -> Array:
    """Targets, (N,): texts, whole numbers or numbers.

    Args:
        name: of the column.
        parts: its cells, block by block, each time it is called.
        first: what the first row is called.
    Raises: DataError: a value that is missing or not finite, and its row.
    """
    found: list[Array] | None = []
    row, wrong = first, ""
    for cells in parts():
        numbers = _numbers_of(cells)
        gap = _gap(cells, numbers)
        if gap is not None:
            raise DataError(f"the target {name} is missing in row {row + gap}")
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
        no_decimal_commas(name, map(str, np.unique(texts)))
        return texts
    if wrong:
        raise DataError(wrong)
    y = np.concatenate(found)
    return y.astype(np.int64) if (y == np.round(y)).all() and (np.abs(y) < 2**53).all() else y


def described(name: str, parts: Iterable[list[str]], impute: bool, first: int) -> dict[str, Any]:
    """A column of cells: numbers, or categories.

    Args:
        name: of the column.
        parts: its cells, block by block.
        impute: whether cells without a value are filled in.
        first: what the first row is called.
    Raises: DataError: a cell without a value, and its row; no values; too many different texts.
    """
    values: set[str] = set()
    found: list[Array] = []
    row, text = first, ""
    for cells in parts:
        numbers = _numbers_of(cells)
        gap = _gap(cells, numbers)
        if gap is not None and not impute:
            raise DataError(f"column {name} has no value in row {row + gap}", "--impute fills in medians")
        if numbers is None and not text:
            place = next(k for k, c in enumerate(cells) if not _missing(c) and number_of(c) is None)
            text = f"{cells[place][:40]!r} in row {row + place}, which is no number"
        if impute and numbers is not None and not text:
            found.append(numbers if gap is None else numbers[[not _missing(c) for c in cells]])
        if len(values) <= MOST_CATEGORIES:
            values |= {c for c in set(cells) if not _missing(c)} if gap is not None else set(cells)
        row += len(cells)
    if not values:
        raise DataError(f"column {name} has no values at all", "leave it out")
    if text:
        return category_of(name, sorted(values), None, impute, text)
    return {"name": name, "kind": "number", "fill": float(np.median(np.concatenate(found))) if impute else None}


def category_of(name: str, values: list[str], gap: int | None, impute: bool, text: str = "") -> dict[str, Any]:
    """A column of texts.

    Args:
        name: of the column.
        values: all that occur, sorted; of more than `MOST_CATEGORIES` some more.
        gap: a row without one, None for no such row.
        impute: whether no value is a value of its own, all columns 0.
        text: the first value that is no number, where others may be.
    Raises: DataError: a gap without `impute`; no values; too many; numbers with a decimal comma.
    """
    if gap is not None and not impute:
        raise DataError(f"column {name} has no value in row {gap}", "--impute makes that a category of its own")
    if not values:
        raise DataError(f"column {name} has no values at all", "leave it out")
    no_decimal_commas(name, values)
    if len(values) > MOST_CATEGORIES:
        shown = f"{text}, and " if text else ""
        raise DataError(f"column {name} has {shown}more than {MOST_CATEGORIES} different texts", "leave it out")
    return {"name": name, "kind": "category", "values": values, "fill": impute}


def encoded(column: dict[str, Any], cells: list[str], first: int) -> Array:
    """A column as numbers (N, 1), or as 0/1 for each category (N, categories); `first` is what the first row is called.

    Raises: DataError: a cell that does not fit, and its row.
    """
    name = column["name"]
    if column["kind"] == "category":
        index = {v: i for i, v in enumerate(column["values"])}
        found = np.zeros((len(cells), len(index)))
        codes = np.fromiter((index.get(c, -1) for c in cells), np.intp, len(cells))
        for k in np.flatnonzero(codes < 0).tolist():
            if not (_missing(cells[k]) and column["fill"]):
                known = ", ".join(column["values"])[:120]
                raise DataError(f"column {name} has {cells[k][:40]!r} in row {k + first}, which is none of: {known}")
        known_rows = np.flatnonzero(codes >= 0)
        found[known_rows, codes[known_rows]] = 1.0
        return found
    fast = _numbers_of(cells)
    if fast is not None and np.isfinite(fast).all():
        return fast[:, None]
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

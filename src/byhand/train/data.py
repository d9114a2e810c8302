"""Data from files: CSV, .npz, and scikit-learn's sets; columns become numbers by a saved description."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byhand.errors import ByhandError, DataError, nearest

Array = Any
SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes")
MISSING = frozenset({"", "na", "nan", "null", "none", "?"})
MOST_CLASSES = 20  # a target of so many whole numbers at most is taken for classes
MOST_CATEGORIES = 1000


@dataclass(frozen=True, slots=True)
class Data:
    """Features and targets.

    Attributes:
        X: (N, features).
        y: (N,) or (N, outputs); None where the file has no target.
        table: how the columns of a CSV file became features, as plain data; None otherwise.
    """

    X: Array
    y: Array | None
    table: dict[str, Any] | None = None


def read(source: str, target: str | None, table: dict[str, Any] | None = None, impute: bool = False) -> Data:
    """Data from a file or a set by name.

    Args:
        source: a path that ends in .csv or .npz, or one of `SETS`.
        target: the column or array with the targets; of .npz "y" by default.
        table: the description that a model was trained with: the same columns are made again.
        impute: whether missing cells get the median of the column, or a category of their own.
    Raises: DataError: what is wrong, and in which column and row.
    """
    if source in SETS and not Path(source).exists():
        return _from_sklearn(source)
    path = Path(source)
    if path.suffix.lower() not in (".csv", ".npz"):
        known = f"a file .csv or .npz, or one of {', '.join(SETS)}"
        raise DataError(f"{source[:80]} is no data that can be read{nearest(source, SETS)}", known)
    try:
        return _from_npz(path, target) if path.suffix.lower() == ".npz" else _from_csv(path, target, table, impute)
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8") from None


def _from_sklearn(name: str) -> Data:
    try:
        from sklearn import datasets
    except ImportError:
        raise ByhandError(
            f"{name} comes with scikit-learn, which is not installed", "pip install 'byhand[train]'"
        ) from None
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return Data(X, y)


def _from_npz(path: Path, target: str | None) -> Data:
    name = target or "y"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            held = {n: arrays[n] for n in arrays.files if n in ("X", name)}
            listed = ", ".join(arrays.files) or "nothing"
    except OSError:
        raise
    except Exception:
        raise DataError(f"{path} is not a whole .npz file of plain arrays") from None
    if "X" not in held:
        raise DataError(f"{path} has no array X", f"it has: {listed}")
    if target is not None and target not in held:
        raise DataError(f"{path} has no array {target}", f"it has: {listed}")
    X = held["X"]
    X = X.reshape(len(X), -1) if X.ndim > 2 else X
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        raise DataError(f"X in {path} is {X.dtype} of shape {X.shape}: numbers (N, features) are needed")
    return Data(X.astype(np.float64), held.get(name))


def _from_csv(path: Path, target: str | None, table: dict[str, Any] | None, impute: bool) -> Data:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = [r for r in csv.reader(file, strict=True) if r]
        except csv.Error as error:
            raise DataError(f"{path} is not CSV: {error}") from None
    if len(rows) < 2:
        raise DataError(f"{path} has no rows", "the first line names the columns")
    head, body = [c.strip() for c in rows[0]], rows[1:]
    twice = sorted({c for c in head if head.count(c) > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice")
    for number, row in enumerate(body, 2):
        if len(row) != len(head):
            raise DataError(f"row {number} of {path} has {len(row)} cells, the head {len(head)}")
    if target is not None and target not in head:
        raise DataError(f"{path} has no column {target}{nearest(target, head)}", f"it has: {', '.join(head)[:200]}")
    cells = {c: [row[i].strip() for row in body] for i, c in enumerate(head)}
    y = None
    if target is not None:
        y = _target(target, cells.pop(target))
    if table is None:
        table = {"columns": [_described(c, values, impute) for c, values in cells.items()]}
    for column in table["columns"]:
        if column["name"] not in cells:
            raise DataError(f"{path} has no column {column['name']}, which the model needs")
    if not table["columns"]:
        raise DataError(f"{path} has no column beside the target {target}")
    return Data(np.column_stack([_encoded(c, cells[c["name"]]) for c in table["columns"]]), y, table)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _missing(cell: str) -> bool:
    return cell.lower() in MISSING


def _target(name: str, cells: list[str]) -> Array:
    gaps = [k for k, c in enumerate(cells, 2) if _missing(c)]
    if gaps:
        raise DataError(f"the target {name} is missing in row {gaps[0]}")
    numbers = [_number(c) for c in cells]
    if any(n is None for n in numbers):
        return np.array(cells)
    y = np.array(numbers)
    bad = np.flatnonzero(~np.isfinite(y))
    if len(bad):
        raise DataError(f"the target {name} is {cells[bad[0]]} in row {bad[0] + 2}")
    return y.astype(np.int64) if (y == np.round(y)).all() and (np.abs(y) < 2**53).all() else y


def _described(name: str, cells: list[str], impute: bool) -> dict[str, Any]:
    """A column: numbers, or categories."""
    gaps = [k for k, c in enumerate(cells, 2) if _missing(c)]
    if gaps and not impute:
        raise DataError(f"column {name} has no value in row {gaps[0]}", "--impute fills in medians")
    present = [c for c in cells if not _missing(c)]
    if not present:
        raise DataError(f"column {name} has no values at all", "leave it out")
    numbers = [_number(c) for c in present]
    if all(n is not None for n in numbers):
        return {"name": name, "kind": "number", "fill": float(np.median(np.array(numbers, float))) if impute else None}
    values = sorted(set(present))
    if len(values) > MOST_CATEGORIES:
        raise DataError(f"column {name} has {len(values)} different texts: more than {MOST_CATEGORIES}", "leave it out")
    return {"name": name, "kind": "category", "values": values, "fill": impute}


def _encoded(column: dict[str, Any], cells: list[str]) -> Array:
    """A column as numbers (N, 1), or as 0/1 for each category (N, categories)."""
    name = column["name"]
    if column["kind"] == "category":
        index = {v: i for i, v in enumerate(column["values"])}
        found = np.zeros((len(cells), len(index)))
        for k, cell in enumerate(cells):
            if cell in index:
                found[k, index[cell]] = 1.0
            elif not (_missing(cell) and column["fill"]):
                known = ", ".join(column["values"])[:120]
                raise DataError(f"column {name} has {cell[:40]!r} in row {k + 2}, which is none of: {known}")
        return found
    numbers = np.empty((len(cells), 1))
    for k, cell in enumerate(cells):
        number = column["fill"] if _missing(cell) else _number(cell)
        if number is None:
            what = "no value" if _missing(cell) else f"{cell[:40]!r}, which is no number,"
            raise DataError(f"column {name} has {what} in row {k + 2}")
        if not np.isfinite(number):
            raise DataError(f"column {name} is {cell} in row {k + 2}")
        numbers[k, 0] = number
    return numbers


def is_classification(y: Array) -> bool:
    """Whether targets look like classes: texts, few whole numbers, or several columns of 0 and 1."""
    if y.dtype.kind not in "fiub":
        return True
    if y.ndim == 2:
        return bool(np.isin(y, (0, 1)).all())
    return bool(y.dtype.kind in "iub" and len(np.unique(y)) <= MOST_CLASSES)


__all__ = ["SETS", "Data", "is_classification", "read"]

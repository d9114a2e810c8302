"""A source of data by its name: a file of any kind that is known, or a set of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from byhand.errors import ByhandError, DataError, nearest
from byhand.train.data.arrays import is_idx, read_idx, read_npy, read_npz
from byhand.train.data.blocks import How
from byhand.train.data.csvfile import PACKED, read_csv
from byhand.train.data.data import Data
from byhand.train.data.parquet import read_feather, read_parquet
from byhand.train.data.reading import Reading, restored
from byhand.train.data.rows import Rows

SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud")
TEXTS = (".csv", ".tsv", ".tab", ".txt")
TABLES = (*TEXTS, ".parquet", ".arrow", ".feather")
KINDS = (".csv", ".tsv", ".txt (.gz, .bz2, .xz, .zip)", ".parquet", ".arrow", ".feather", ".npz", ".npy")
Array = Any


def read(
    source: str,
    target: str | None,
    table: dict[str, Any] | None = None,
    impute: bool = False,
    stream: bool | None = None,
    reading: Reading | None = None,
    training: Callable[[Array], Array] | None = None,
) -> Data:
    """Data from a file or a set by name.

    Args:
        source: a path that ends in .csv, .tsv or .txt (packed: .gz, .bz2, .xz, .zip), .parquet, .arrow, .feather,
            .npz or .npy, one of MNIST's IDX files or a folder with them, or one of `SETS`.
        target: the column or array with the targets; of .npz "y" by default; of .npy a path.
        table: the plan that a model was trained with: the same columns are made again.
        impute: whether missing cells get the median of the column, or a category of their own.
        stream: whether the features stay on disk; None where they would take a quarter of the free memory.
        reading: what the user says about a table; of a saved model's table it is what was said in training.
        training: the places of the training rows, of the targets; of a table, what its columns mean, their medians
            and categories are learnt of those rows. None for all rows.
    Raises: DataError: what is wrong, and in which column and row.
    """
    if reading is None:
        reading = Reading(impute=impute) if table is None else restored(table)
    try:
        return _checked(_read(source, target, table, How(reading, stream, training)), source)
    except DataError as error:  # of a column or a cell: whoever reads several files asks of which
        if source not in str(error):
            error.details = (*error.details, f"in {source}")
        raise


def _checked(data: Data, source: str) -> Data:
    """Data whose parts fit each other and are finite; rows on disk are looked at when they are read.

    Raises: DataError: which part, row and value do not.
    """
    for X, y, which in ((data.X, data.y, ""), (data.X_test, data.y_test, " of the test")):
        if X is None:
            continue
        if not isinstance(X, Rows) and X.dtype.kind == "f" and not np.isfinite(X).all():
            row, column = np.argwhere(~np.isfinite(X))[0]
            words = f"row {row}, column {column} (from 0)"
            raise DataError(
                f"X{which} in {source} has {X[row, column]} in {words}", "leave the sample out, or fill it in"
            )
        if y is None:
            continue
        if y.ndim not in (1, 2) or y.dtype.kind not in "fiubUS":
            raise DataError(f"y{which} in {source} is {y.dtype} of shape {y.shape}: (N,) or (N, outputs) is needed")
        if len(X) != len(y):
            raise DataError(f"X{which} in {source} has {len(X)} rows, y has {len(y)}")
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            row = np.argwhere(~np.isfinite(y))[0][0]
            raise DataError(f"y{which} in {source} has {y.reshape(len(y), -1)[row].tolist()} in row {row} (from 0)")
    if not len(data.X):
        raise DataError(f"{source} has no samples")
    return data


def _kind(path: Path) -> str:
    """The ending that says how a file is read, of a packed table that before it."""
    ends = [s.lower() for s in path.suffixes]
    if ends and ends[-1] in (*PACKED, ".zip"):
        return ends[-2] if len(ends) > 1 and ends[-2] in TEXTS else ".csv" if ends[-1] == ".zip" else ""
    return ends[-1] if ends else ""


def _read(source: str, target: str | None, table: dict[str, Any] | None, how: How) -> Data:
    path = Path(source)
    kind = _kind(path)
    if table is None and how.reading.about_tables and kind not in TABLES:
        raise DataError(
            f"{source[:80]} is no table: it has no columns to choose or to describe", "leave those options out"
        )
    if source in SETS and not path.exists():
        if target is not None:
            raise DataError(f"{source} comes with its targets, and has no column {target}", "leave out --target")
        return _from_sklearn(source)
    stream = how.stream
    try:
        match kind:
            case _ if kind in TEXTS:
                return read_csv(path, target, table, how)
            case ".parquet":
                return read_parquet(path, target, table, how)
            case ".arrow" | ".feather":
                return read_feather(path, target, table, how)
            case ".npz":
                return read_npz(path, target, stream)
            case ".npy":
                return read_npy(path, target, stream)
        if is_idx(path):
            return read_idx(path, target, stream)
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    known = f"a file {', '.join(KINDS)}, an IDX file, or one of {', '.join(SETS)}"
    raise DataError(f"{source[:80]} is no data that can be read{nearest(source, SETS)}", known)


def _from_sklearn(name: str) -> Data:
    try:
        from sklearn import datasets
    except ImportError:
        raise ByhandError(
            f"{name} comes with scikit-learn, which is not installed", "pip install 'byhand[train]'"
        ) from None
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return Data(X, y)


__all__ = ["SETS", "read"]

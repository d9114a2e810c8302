"""Tables in memory: data frames of pandas and polars, tables of Arrow, arrays, and dicts of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from byhand.errors import DataError
from byhand.train.data.blocks import Blocks

Array = Any


class Frame(Blocks):
    """Columns in memory, all rows in one block.

    Args:
        columns: (name, values) of each, (N,): arrays, or the columns of pandas, polars or Arrow.
        name: of the table, for messages.
    Raises: DataError: columns of different lengths, or cells that are neither numbers nor texts nor dates.
    """

    def __init__(self, columns: Sequence[tuple[str, Any]], name: str = "X") -> None:
        self.kinds: list[str] = []
        self.cells: list[Any] = []
        names = [str(label) for label, _ in columns]
        for label, (_, values) in zip(names, columns, strict=True):
            kind, cells = _read(label, values)
            self.kinds.append(kind)
            self.cells.append(cells)
        lengths = {len(cells) for cells in self.cells}
        if len(lengths) > 1:
            raise DataError(f"the columns of {name} have {' and '.join(map(str, sorted(lengths)))} rows")
        super().__init__(Path(name), names, lengths.pop() if lengths else 0, 1, first=0)

    @property
    def only_numbers(self) -> bool:
        """Whether no column has texts or dates."""
        return set(self.kinds) <= {"number"}

    def kind(self, name: str) -> str:
        """Number, texts, dates or cells."""
        return self.kinds[self.names.index(name)]

    def column(self, name: str, block: int) -> Any:
        """A column."""
        del block
        return self.cells[self.names.index(name)]


def is_frame(X: Any) -> bool:
    """Whether X has columns with names."""
    return (isinstance(X, Mapping) and not issparse(X)) or (hasattr(X, "columns") and hasattr(X, "shape"))


def frame_of(X: Any) -> Frame:
    """A table in memory.

    Args:
        X: a data frame of pandas or polars, an Arrow table, {name: values}, or an array (N, columns), whose columns are
            called x0, x1, ...
    Raises: DataError: none of these.
    """
    if isinstance(X, Mapping):
        return Frame(list(X.items()))
    if hasattr(X, "column_names"):  # Arrow
        return Frame(list(zip(X.column_names, X.columns, strict=True)))
    if is_frame(X):
        names = list(X.columns)
        return Frame([(name, X.iloc[:, k] if hasattr(X, "iloc") else X[name]) for k, name in enumerate(names)])
    array = np.asarray(X)
    if array.ndim != 2:
        raise DataError(f"a table has rows and columns, and X has shape {array.shape}")
    return Frame([(f"x{k}", array[:, k]) for k in range(array.shape[1])])


def _read(name: str, values: Any) -> tuple[str, Any]:
    """What a column holds, and its cells as `Blocks` has them."""
    if getattr(getattr(values, "dtype", None), "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    texts = type(getattr(values, "dtype", None)).__name__ in ("CategoricalDtype", "Categorical", "Enum", "StringDtype")
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in "iufb" and kind and hasattr(values, "isna"):  # of pandas: with or without a mask of gaps
        return "number", np.asarray(values.to_numpy(np.float64, na_value=np.nan), np.float64)
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.ndim != 1:
        raise DataError(f"column {name} has cells of several values")
    if array.dtype.kind in "iufb":
        return "number", array.astype(np.float64)
    if array.dtype.kind == "M":
        shown = np.datetime_as_string(array.astype("datetime64[s]"))
        return "dates", ["" if cell == "NaT" else cell for cell in shown.tolist()]
    if array.dtype.kind not in "OUST":
        raise DataError(f"column {name} is {array.dtype}: neither number nor text nor date", f"--drop {name}")
    cells = array.tolist()
    return ("texts" if texts else "cells"), [_cell(name, c) for c in cells]


def _cell(name: str, value: Any) -> str:
    """A value as a table shows it, "" for none."""
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case bool() | int() | np.integer() | np.bool_():
            return str(value)
        case float() | np.floating():
            return "" if value != value else f"{value:.15g}"
    if type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if hasattr(value, "isoformat") or type(value).__name__ == "Decimal":
        return str(value)
    raise DataError(f"column {name} has a {type(value).__name__}: neither number nor text nor date", f"--drop {name}")


__all__ = ["Frame", "frame_of", "is_frame"]

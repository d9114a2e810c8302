"""Tables in Parquet files, read one group of rows at a time."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np

from byhand.errors import ByhandError, DataError, nearest
from byhand.train.data.data import Data
from byhand.train.data.rows import Rows, large, spilled
from byhand.train.data.table import category_of, encoded, target_of

Array = Any


class _Table:
    """An open Parquet file: its columns, one group of rows or all of them."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            missing = "Parquet is read with pyarrow, which is not installed"
            raise ByhandError(missing, "pip install 'byhand[train]'") from None
        self.pa, self.path = pa, path
        try:
            self.file = pq.ParquetFile(path, memory_map=False)
        except pa.ArrowInvalid as error:
            raise DataError(f"{path} is not a whole Parquet file: {str(error).splitlines()[0][:100]}") from None
        self.names = list(self.file.schema_arrow.names)
        self.rows, self.groups = self.file.metadata.num_rows, self.file.num_row_groups

    def kind(self, name: str) -> str:
        """Number or category.

        Raises: DataError: neither.
        """
        t, types = self.file.schema_arrow.field(name).type, self.pa.types
        inner = t.value_type if types.is_dictionary(t) else t
        if types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner) or types.is_decimal(inner):
            return "number"
        if types.is_string(inner) or types.is_large_string(inner):
            return "category"
        raise DataError(f"column {name} of {self.path} is {t}: neither number nor text", "leave it out")

    def column(self, name: str, group: int | None = None) -> Any:
        """A column, of one group of rows or of all: numbers with NaN for no value, or texts with "" for it."""
        try:
            read = self.file.read(columns=[name]) if group is None else self.file.read_row_group(group, columns=[name])
        except (self.pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.path} is damaged: {str(error).splitlines()[0][:100]}") from None
        values = read.column(0)
        if self.pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if self.kind(name) == "category":
            return ["" if v is None else v.strip() for v in values.to_pylist()]
        return np.asarray(values.cast(self.pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _described(t: _Table, name: str, impute: bool) -> dict[str, Any]:
    if t.kind(name) == "category":
        values: set[str] = set()
        gap, start = None, 1
        for group in range(t.groups):
            cells = t.column(name, group)
            gap = gap or next((start + k for k, c in enumerate(cells) if not c), None)
            values |= {c for c in cells if c}
            start += len(cells)
        return category_of(name, sorted(values), gap, impute)
    numbers = t.column(name)
    gaps = np.flatnonzero(np.isnan(numbers))
    if len(gaps) and not impute:
        raise DataError(f"column {name} has no value in row {gaps[0] + 1}", "--impute fills in medians")
    if len(gaps) == len(numbers):
        raise DataError(f"column {name} has no values at all", "leave it out")
    return {"name": name, "kind": "number", "fill": float(np.nanmedian(numbers)) if impute else None}


def _encoded(t: _Table, column: dict[str, Any], group: int, first: int) -> Array:
    """A column of a group of rows as features (rows, 1), or one 0/1 column for each category."""
    name, cells = column["name"], t.column(column["name"], group)
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


def _target(t: _Table, name: str) -> Array:
    cells = t.column(name)
    if isinstance(cells, list):
        return target_of(name, cells, 1)
    bad = np.flatnonzero(~np.isfinite(cells))
    if len(bad):
        what = "is missing" if np.isnan(cells[bad[0]]) else f"is {cells[bad[0]]}"
        raise DataError(f"the target {name} {what} in row {bad[0] + 1}")
    return cells.astype(np.int64) if (cells == np.round(cells)).all() and (np.abs(cells) < 2**53).all() else cells


def read_parquet(
    path: Path, target: str | None, table: dict[str, Any] | None, impute: bool, stream: bool | None
) -> Data:
    """A table; see `read`. Streamed, its features go into a temporary file, group by group."""
    t = _Table(path)
    if not t.rows:
        raise DataError(f"{path} has no rows")
    if target is not None and target not in t.names:
        raise DataError(
            f"{path} has no column {target}{nearest(target, t.names)}", f"it has: {', '.join(t.names)[:200]}"
        )
    if table is None:
        table = {"columns": [_described(t, c, impute) for c in t.names if c != target]}
    for column in table["columns"]:
        if column["name"] not in t.names:
            raise DataError(f"{path} has no column {column['name']}, which the model needs")
    if not table["columns"]:
        raise DataError(f"{path} has no column beside the target {target}")
    y = None if target is None else _target(t, target)
    features = sum(len(c["values"]) if c["kind"] == "category" else 1 for c in table["columns"])
    columns = table["columns"]

    def write(file: IO[bytes]) -> None:
        first = 1
        for group in range(t.groups):
            part = np.column_stack([_encoded(t, c, group, first) for c in columns])
            first += len(part)
            file.write(np.ascontiguousarray(part, np.float64).data)

    if stream or (stream is None and large(t.rows, features)):
        with spilled(write) as file:
            return Data(Rows(file, 0, np.float64, (t.rows, features), str(path)), y, table)
    found, first = [], 1
    for group in range(t.groups):
        found.append(np.column_stack([_encoded(t, c, group, first) for c in columns]))
        first += len(found[-1])
    return Data(np.concatenate(found), y, table)


__all__ = ["read_parquet"]

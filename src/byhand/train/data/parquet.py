"""Tables in Parquet files, read one group of rows at a time; and texts in a temporary one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from byhand.errors import ByhandError, DataError
from byhand.train.data.blocks import Blocks, read_table
from byhand.train.data.data import Data, whole
from byhand.train.data.rows import spilled

Array = Any
_PARQUET = "Parquet file"


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        missing = f"{what} is read with pyarrow, which is not installed"
        raise ByhandError(missing, "pip install 'byhand[train]'") from None
    return pyarrow


class ParquetBlocks(Blocks):
    """A Parquet file.

    Args:
        path: for messages.
        file: what is read; None for that at `path`.
    Raises: DataError: not a whole file. ByhandError: pyarrow is missing.
    """

    def __init__(self, path: Path, file: IO[bytes] | None = None) -> None:
        self.pa = _pyarrow("Parquet")
        with whole(path, _PARQUET):
            self.file = self.pa.parquet.ParquetFile(
                file or path, memory_map=False, page_checksum_verification=True
            )  # which a file need not have
            about = self.file.metadata
            names, rows, groups = self.file.schema_arrow.names, about.num_rows, self.file.num_row_groups
            counted = [about.row_group(k).num_rows for k in range(groups)]
            if min(counted, default=0) < 0 or sum(counted) != rows:
                raise DataError(f"{path} is damaged: it says that it has {rows} rows, and {sum(counted)} in its groups")
        super().__init__(path, names, rows, groups, first=1)

    def kind(self, name: str) -> str:
        """Number or category."""
        t, types = self.file.schema_arrow.field(name).type, self.pa.types
        inner = t.value_type if types.is_dictionary(t) else t
        if types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner) or types.is_decimal(inner):
            return "number"
        if types.is_string(inner) or types.is_large_string(inner):
            return "category"
        raise DataError(f"column {name} of {self.path} is {t}: neither number nor text", "leave it out")

    def values(self, name: str, block: int) -> Any:
        """A column of a group of rows, as pyarrow has it.

        Raises: DataError: the file is damaged.
        """
        with whole(self.path, _PARQUET):
            read = self.file.read_row_group(block, columns=[name])
            if read.num_rows != self.file.metadata.row_group(block).num_rows:
                raise ValueError("other rows than announced")
            return read.column(name)  # a column a brings a.b with it

    def column(self, name: str, block: int) -> Any:
        """A column of a group of rows."""
        values, kind = self.values(name, block), self.kind(name)
        with whole(self.path, _PARQUET):
            return self._converted(values, kind)

    def _converted(self, values: Any, kind: str) -> Any:
        if self.pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if kind == "category":
            return ["" if v is None else v.strip() for v in values.to_pylist()]
        return np.asarray(values.cast(self.pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def read_parquet(
    path: Path, target: str | None, table: dict[str, Any] | None, impute: bool, stream: bool | None
) -> Data:
    """A table; see `read`."""
    return read_table(ParquetBlocks(path), target, table, impute, stream)


@contextmanager
def cells_on_disk(path: Path, names: Sequence[str], blocks: Iterable[list[list[str]]], first: int) -> Iterator[Blocks]:
    """Columns of cells in a temporary Parquet file, which ends with the context.

    Args:
        path: of the file that they come from.
        names: of the columns.
        blocks: the columns of each block.
        first: what the first row is called.
    Raises: DataError: no space for the file. ByhandError: pyarrow is missing.
    """
    pa = _pyarrow("a CSV file that is large")
    schema = pa.schema([(str(k), pa.string()) for k in range(len(names))])

    def write(file: IO[bytes]) -> None:
        with pa.parquet.ParquetWriter(file, schema, compression="none", use_dictionary=False) as out:
            for columns in blocks:
                out.write_table(pa.table(columns, schema=schema), row_group_size=len(columns[0]))

    with spilled(write) as file:
        yield _Cells(path, names, ParquetBlocks(path, file), first)


class _Cells(Blocks):
    """Columns of cells, in a Parquet file by their numbers."""

    def __init__(self, path: Path, names: Sequence[str], kept: ParquetBlocks, first: int) -> None:
        self.kept, self.places = kept, {name: str(k) for k, name in enumerate(names)}
        super().__init__(path, names, kept.rows, kept.blocks, first)

    def kind(self, name: str) -> str:
        """Cells."""
        del name
        return "cells"

    def column(self, name: str, block: int) -> list[str]:
        """A column of a block."""
        found: list[str] = self.kept.values(self.places[name], block).to_pylist()
        return found


__all__ = ["cells_on_disk", "read_parquet"]

"""Tables in Parquet and Arrow files, read one group of rows at a time; and texts in a temporary one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from byhand.errors import ByhandError, DataError
from byhand.train.data.blocks import Blocks, How, read_table
from byhand.train.data.data import Data, whole
from byhand.train.data.rows import spilled

Array = Any
_PARQUET, _ARROW = "Parquet file", "Arrow file"


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        missing = f"{what} is read with pyarrow, which is not installed"
        raise ByhandError(missing, "pip install 'byhand[train]'") from None
    return pyarrow


class ArrowBlocks(Blocks):
    """A table of which pyarrow knows the types of the columns."""

    pa: Any
    schema: Any
    format = _PARQUET

    def kind(self, name: str) -> str:
        """Number, texts or dates."""
        t, types = self.schema.field(name).type, self.pa.types
        inner = t.value_type if types.is_dictionary(t) else t
        if types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner) or types.is_decimal(inner):
            return "number"
        if types.is_string(inner) or types.is_large_string(inner):
            return "texts"
        if types.is_date(inner) or types.is_timestamp(inner):
            return "dates"
        raise DataError(f"column {name} of {self.path} is {t}: neither number nor text nor date", f"--drop {name}")

    def values(self, name: str, block: int) -> Any:
        """A column of a block, as pyarrow has it.

        Raises: DataError: the file is damaged.
        """
        raise NotImplementedError

    def column(self, name: str, block: int) -> Any:
        """A column of a block."""
        values, kind = self.values(name, block), self.kind(name)
        with whole(self.path, self.format):
            return self._converted(values, kind)

    def _converted(self, values: Any, kind: str) -> Any:
        types = self.pa.types
        if types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if kind != "number":
            if types.is_timestamp(values.type):
                values = values.cast(self.pa.timestamp("us"), safe=False)  # in UTC where it has a zone
            return ["" if v is None else v.strip() for v in values.cast(self.pa.string()).to_pylist()]
        return np.asarray(values.cast(self.pa.float64()).to_numpy(zero_copy_only=False), np.float64)


class ParquetBlocks(ArrowBlocks):
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
            self.schema, rows, groups = self.file.schema_arrow, about.num_rows, self.file.num_row_groups
            names = self.schema.names
            counted = [about.row_group(k).num_rows for k in range(groups)]
            if min(counted, default=0) < 0 or sum(counted) != rows:
                raise DataError(f"{path} is damaged: it says that it has {rows} rows, and {sum(counted)} in its groups")
        super().__init__(path, names, rows, groups, first=1)

    def values(self, name: str, block: int) -> Any:
        """A column of a group of rows."""
        with whole(self.path, _PARQUET):
            read = self.file.read_row_group(block, columns=[name])
            if read.num_rows != self.file.metadata.row_group(block).num_rows:
                raise ValueError("other rows than announced")
            return read.column(name)  # a column a brings a.b with it


class FeatherBlocks(ArrowBlocks):
    """An Arrow (Feather) file, batch by batch, mapped into memory: columns that are not asked for are not read.

    Raises: DataError: not a whole file. ByhandError: pyarrow is missing.
    """

    format = _ARROW

    def __init__(self, path: Path) -> None:
        self.pa = _pyarrow("Arrow")
        with whole(path, _ARROW):
            self.file = self.pa.ipc.open_file(self.pa.memory_map(str(path)))
            counted = [self.file.get_batch(k).num_rows for k in range(self.file.num_record_batches)]
            self.schema = self.file.schema
        super().__init__(path, self.schema.names, sum(counted), len(counted), first=1)

    def values(self, name: str, block: int) -> Any:
        """A column of a batch."""
        with whole(self.path, _ARROW):
            return self.file.get_batch(block).column(self.schema.get_field_index(name))


def read_parquet(path: Path, target: str | None, table: dict[str, Any] | None, how: How) -> Data:
    """A table; see `read`."""
    return read_table(ParquetBlocks(path), target, table, how)


def read_feather(path: Path, target: str | None, table: dict[str, Any] | None, how: How) -> Data:
    """A table; see `read`."""
    if not path.is_file():
        path.open().close()  # the error of the system
    return read_table(FeatherBlocks(path), target, table, how)


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


__all__ = ["cells_on_disk", "read_feather", "read_parquet"]

"""Tables in CSV files: the first line names the columns. Small ones are read whole, others in blocks of rows."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from byhand.errors import DataError
from byhand.train.data.blocks import Blocks, needed_columns, read_table
from byhand.train.data.data import Data

WHOLE = 1 << 24  # bytes: the cells of a greater file, which are ten times as large in memory, are not kept there
BLOCK = 1 << 22  # bytes of the file that are read at once
CELLS = 1 << 19  # cells that are read at once: short ones are many
FIRST = 2  # what the first row is called: the head is row 1
SEPARATORS = (",", ";", "\t", "|")  # that of a file is the first of them that divides its first line


class _Cells(Blocks):
    """Columns of cells in memory."""

    def __init__(self, path: Path, names: list[str], blocks: Iterator[list[list[str]]]) -> None:
        self.cells = list(blocks)
        self.places = {name: k for k, name in enumerate(names)}
        super().__init__(path, names, sum(len(b[0]) for b in self.cells), len(self.cells), FIRST)

    def kind(self, name: str) -> str:
        """Cells."""
        del name
        return "cells"

    def column(self, name: str, block: int) -> list[str]:
        """A column of a block."""
        return self.cells[block][self.places[name]]


def read_csv(path: Path, target: str | None, table: dict[str, Any] | None, impute: bool, stream: bool | None) -> Data:
    """A table; see `read`."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _rows(path, file)
        head = [c.strip() for c in next(rows, [])]
        if not head:
            raise DataError(f"{path} has no rows", "the first line names the columns")
        names = needed_columns(path, head, target, table)
        seekable = file.seekable()  # a pipe has no position

        def position() -> int:
            return os.lseek(file.fileno(), 0, os.SEEK_CUR) if seekable else 0

        blocks = _blocks(path, rows, position, head, names)
        if os.fstat(file.fileno()).st_size <= WHOLE:
            t = _Cells(path, names, blocks)
            if not t.rows:
                raise DataError(f"{path} has no rows", "the first line names the columns")
            return read_table(t, target, table, impute, stream)
        from byhand.train.data.parquet import cells_on_disk

        with cells_on_disk(path, names, blocks, FIRST) as spilled:
            return read_table(spilled, target, table, impute, stream)


def _rows(path: Path, file: TextIO) -> Iterator[list[str]]:
    """The rows that are not empty, with the head.

    Raises: DataError: not CSV, or not text in UTF-8, and in which line.
    """
    reader = csv.reader(())
    try:
        first = file.readline()
        reader = csv.reader(chain([first], file) if first else file, strict=True, delimiter=_separator(first))
        yield from (r for r in reader if r)
    except csv.Error as error:
        raise DataError(f"{path} is not CSV: {error}, line {max(1, reader.line_num)}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8{_where(path)}") from None


def _separator(head: str) -> str:
    return next((s for s in SEPARATORS if len(next(csv.reader([head], delimiter=s), [])) > 1), SEPARATORS[0])


def _where(path: Path) -> str:
    """The first line that is not text, in words: text is decoded some lines at a time."""
    if path.is_file():
        with path.open("rb") as binary:
            for number, line in enumerate(binary, 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    return f": line {number}"
    return ""


def _blocks(
    path: Path, rows: Iterator[list[str]], position: Callable[[], int], head: list[str], names: list[str]
) -> Iterator[list[list[str]]]:
    """The columns of some names, some rows at a time; `position` is how far the file was read.

    Raises: DataError: a row that has more or fewer cells than the head.
    """
    width, most = len(head), max(1, CELLS // len(head))
    places = [head.index(n) for n in names]
    block: list[list[str]] = []
    end = BLOCK
    for number, row in enumerate(rows, FIRST):
        if len(row) != width:
            raise DataError(f"row {number} of {path} has {len(row)} cells, the head {width}")
        block.append(row)
        if len(block) == most or (len(block) % 64 == 0 and position() >= end):
            yield [[row[k].strip() for row in block] for k in places]
            block, end = [], position() + BLOCK
    if block:
        yield [[row[k].strip() for row in block] for k in places]


__all__ = ["read_csv"]

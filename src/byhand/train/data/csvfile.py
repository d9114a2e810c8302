"""Tables as text, packed or not: the first line names the columns. Small ones are read whole, others in blocks of rows."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import IO, Any, TextIO

from byhand.errors import DataError
from byhand.train.data.blocks import Blocks, How, needed_columns, read_table
from byhand.train.data.data import Data

WHOLE = 1 << 24  # bytes of text, unpacked: the cells of more, which are ten times as large in memory, go to disk
BLOCK = 1 << 22  # bytes of the file that are read at once
CELLS = 1 << 19  # cells that are read at once: short ones are many
FIRST = 2  # what the first row is called: the head is row 1
SEPARATORS = (",", ";", "\t", "|")  # that of a file is the first of them that divides its first line
PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


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


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where its name says that it is packed.

    Raises: DataError: the archive has no single table, or is damaged.
    """
    kind = path.suffix.lower()
    if kind == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")]
            if len(names) != 1:
                raise DataError(f"{path} has {len(names)} files: {', '.join(names)[:100]}", "one table in an archive")
            with archive.open(names[0]) as member:
                yield member
        return
    with PACKED.get(kind, Path.open)(path, "rb") as file:
        yield file


def read_csv(path: Path, target: str | None, table: dict[str, Any] | None, how: How) -> Data:
    """A table; see `read`."""
    try:
        with _opened(path) as binary:
            return _read(path, binary, target, table, how)
    except _DAMAGED:
        raise DataError(
            f"{path} is not a whole packed table: it is damaged, cut off, or another kind of file"
        ) from None


def _read(path: Path, binary: IO[bytes], target: str | None, table: dict[str, Any] | None, how: How) -> Data:
    encoding = how.reading.encoding
    with TextIOWrapper(binary, _with_mark(encoding), newline="") as file:
        rows = _rows(path, file, encoding)
        head = [c.strip() for c in next(rows, [])]
        if not head:
            raise DataError(f"{path} has no rows", "the first line names the columns")
        names = needed_columns(path, head, target, table, how.reading)
        seekable = binary.seekable()  # a pipe has no position

        def position() -> int:
            return binary.tell() if seekable else 0

        blocks = _blocks(path, rows, position, head, names)
        held: list[list[list[str]]] = []
        size = path.stat().st_size
        while position() <= WHOLE and size <= WHOLE:  # what a packed file holds is known when it was read
            block = next(blocks, None)
            if block is None:
                break
            held.append(block)
        else:
            from byhand.train.data.parquet import cells_on_disk

            held.reverse()
            first = (held.pop() for _ in range(len(held)))
            with cells_on_disk(path, names, chain(first, blocks), FIRST) as spilled:
                return read_table(spilled, target, table, how, names)
        if not held:
            raise DataError(f"{path} has no rows", "the first line names the columns")
        return read_table(_Cells(path, names, iter(held)), target, table, how, names)


def _with_mark(encoding: str) -> str:
    """The encoding that reads past a mark at the begin of the file."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _rows(path: Path, file: TextIO, encoding: str) -> Iterator[list[str]]:
    """The rows that are not empty, with the head.

    Raises: DataError: not CSV, or not text in its encoding, and in which line.
    """
    reader = csv.reader(())
    try:
        first = file.readline()
        reader = csv.reader(chain([first], file) if first else file, strict=True, delimiter=_separator(path, first))
        yield from (r for r in reader if r)
    except csv.Error as error:
        raise DataError(f"{path} is not CSV: {error}, line {max(1, reader.line_num)}") from None
    except UnicodeError:
        name = "UTF-8" if codecs.lookup(encoding).name == "utf-8" else encoding
        raise DataError(f"{path} is not text in {name}{_where(path, encoding)}", _other_encoding(path)) from None


def _separator(path: Path, head: str) -> str:
    """The first separator that divides the head; of a file of tabs that is a tab."""
    tabs = any(s.lower() in (".tsv", ".tab") for s in path.suffixes)
    order = ("\t", *SEPARATORS) if tabs else SEPARATORS
    return next((s for s in order if len(next(csv.reader([head], delimiter=s), [])) > 1), order[0])


def _other_encoding(path: Path) -> str:
    with _opened(path) as binary:
        head = binary.read(4)
    return "--encoding utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "--encoding latin-1, or cp1252 of Windows"


def _where(path: Path, encoding: str) -> str:
    """The first line that is not text, in words: text is decoded some lines at a time."""
    if path.is_file() and codecs.lookup(encoding).name == "utf-8":
        with _opened(path) as binary:
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

"""Rows of numbers that stay on disk: read when they are asked for, so that memory does not grow with the file."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

from byhand.errors import DataError

Array = Any
CHUNK = 1 << 22  # bytes read at once where all rows are wanted
SHARE = 0.25  # of the free memory: features that would take more stay on disk


class _Handle:
    """A file descriptor of one's own, closed when nobody uses it any more."""

    def __init__(self, file: IO[bytes]) -> None:
        self.number = os.dup(file.fileno())

    def __del__(self) -> None:
        os.close(self.number)


class Rows:
    """A matrix in a file, row after row.

    Args:
        file: open for reading in binary; it may be closed afterwards.
        offset: where the first row begins.
        dtype: of the numbers in the file.
        shape: (N, features).
        name: for messages.
        index: which rows of the file these are, (N,); None for all.
    Raises: DataError: the file ends before the last row.
    """

    def __init__(
        self,
        file: IO[bytes] | _Handle,
        offset: int,
        dtype: Any,
        shape: tuple[int, int],
        name: str,
        index: Array | None = None,
    ) -> None:
        self.handle = file if isinstance(file, _Handle) else _Handle(file)
        self.offset, self.dtype, self.name = offset, np.dtype(dtype), name
        self.shape, self.index = (int(shape[0]), int(shape[1])), index
        self.width = self.dtype.itemsize * self.shape[1]
        if index is None:
            there, needed = os.fstat(self.handle.number).st_size, offset + self.width * self.shape[0]
            if there < needed:
                raise DataError(f"{name} is truncated: it has {there} bytes, {needed} are announced")

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Two."""
        return 2

    def read(self, rows: Array) -> Array:
        """Some rows, (len(rows), features), float64."""
        return self._read(rows, np.dtype(np.float64))

    def raw(self, rows: Array) -> Array:
        """Some rows, (len(rows), features), in the type of the file."""
        return self._read(rows, self.dtype.newbyteorder("="))

    def _read(self, rows: Array, dtype: np.dtype[Any]) -> Array:
        places = np.asarray(rows) if self.index is None else self.index[rows]
        if not len(places):
            return np.empty((0, self.shape[1]), dtype)
        raw = bytearray(len(places) * self.width)
        view, handle = memoryview(raw), self.handle.number
        order = np.argsort(places, kind="stable")  # forward through the file; neighbours in one call
        sorted_places = places[order]
        found = np.empty((len(places), self.shape[1]), dtype)
        starts = np.flatnonzero(np.diff(sorted_places, prepend=-2) != 1)
        for first, end in zip(starts, [*starts[1:], len(places)], strict=True):
            part = view[first * self.width : end * self.width]
            done = 0
            while done < len(part):
                got = os.preadv(handle, [part[done:]], self.offset + int(sorted_places[first]) * self.width + done)
                if not got:
                    raise DataError(f"{self.name} became shorter while it was read")
                done += got
        found[order] = np.frombuffer(raw, self.dtype).reshape(found.shape)
        return found

    def __getitem__(self, rows: slice) -> Array:
        return self.read(np.arange(*rows.indices(len(self))))

    def chunks(self) -> Iterator[tuple[int, Array]]:
        """All rows in order: (place of the first, rows as float64)."""
        step = max(1, CHUNK // max(1, 8 * self.shape[1]))
        for first in range(0, len(self), step):
            yield first, self.read(np.arange(first, min(first + step, len(self))))

    def whole(self) -> Array:
        """All rows in memory, in the type of the file."""
        found = np.empty(self.shape, self.dtype.newbyteorder("="))
        for first, part in self.chunks():
            found[first : first + len(part)] = part
        return found

    def subset(self, rows: Array) -> Rows:
        """Some of the rows, on disk like these."""
        places = np.asarray(rows) if self.index is None else self.index[rows]
        return Rows(self.handle, self.offset, self.dtype, (len(places), self.shape[1]), self.name, places)

    def digest(self) -> int:
        """A number that tells these rows from others: of their places, and of some of the bytes."""
        found = zlib.crc32(b"" if self.index is None else np.ascontiguousarray(self.index).data.cast("B"))
        size = os.fstat(self.handle.number).st_size
        for place in (self.offset, size // 2, max(0, size - 65536)):
            found = zlib.crc32(os.pread(self.handle.number, 65536, place), found)
        return zlib.crc32(str((size, self.shape)).encode(), found)


def spilled(fill: Callable[[IO[bytes]], Any]) -> IO[bytes]:
    """A temporary file, gone when it is closed, with what `fill` writes into it.

    Raises: DataError: no space for it.
    """
    file = tempfile.TemporaryFile(prefix="byhand-")  # noqa: SIM115  # the rows keep it open
    try:
        fill(file)
        file.flush()
    except BaseException as error:
        file.close()
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, EOFError):
            words = (error.strerror or str(error)).lower()
            raise DataError(f"cannot write a temporary file: {words}", "TMPDIR names another folder") from None
        raise
    return file


def large(samples: int, features: int) -> bool:
    """Whether so many numbers had better stay on disk."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 8 * samples * features > SHARE * free


__all__ = ["Rows", "large", "spilled"]

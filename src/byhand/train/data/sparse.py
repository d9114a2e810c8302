"""Sparse matrices: made dense some rows at a time, or whole where there is room."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from byhand.train.data.rows import Rows

Array = Any


class SparseRows(Rows):
    """The rows of a sparse matrix in memory, read like rows that stay on disk.

    Args:
        matrix: (N, features), of SciPy, by rows ("csr").
        name: for messages.
    """

    def __init__(self, matrix: Any, name: str = "X") -> None:
        self.matrix, self.name, self.shape = matrix, name, (int(matrix.shape[0]), int(matrix.shape[1]))
        self.dtype = np.dtype(np.float64)

    def read(self, rows: Array) -> Array:
        """Some rows, (len(rows), features), float64."""
        return np.asarray(self.matrix[np.asarray(rows)].toarray(), np.float64)

    def subset(self, rows: Array) -> SparseRows:
        """Some of the rows."""
        return SparseRows(self.matrix[np.asarray(rows)], self.name)

    def digest(self) -> int:
        """A number that tells these rows from others."""
        found = zlib.crc32(str(self.shape).encode())
        for part in (self.matrix.data, self.matrix.indices, self.matrix.indptr):
            found = zlib.crc32(np.ascontiguousarray(part).data.cast("B"), found)
        return found


__all__ = ["SparseRows"]

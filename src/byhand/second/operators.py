"""Matrices that know their structure: dense, diagonal, low rank, Kronecker, blocks, and sums of these.

An operator maps arrays of shape `columns` to arrays of shape `rows`; as a matrix it has their entries in
row-major order. Nothing of the dense size is formed unless `to_dense` (or a `solve` that has no better
way) asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.second.memory import need_memory
from byhand.second.terms import Blocks, Dense, Diagonal, Term

Array = Any


@dataclass(frozen=True, eq=False)
class Operator:
    """A sum of structured terms.

    Attributes:
        terms: what is added.
        rows, columns: the shapes of the output and of the input.
        kind: the structure in words: "diagonal", "diagonal + low rank", "XᵀDX", "Kronecker", "dense", ...
        symmetric: whether it equals its transpose.
    """

    terms: tuple[Term, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    kind: str
    symmetric: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Entries of the output × entries of the input."""
        return prod(self.rows), prod(self.columns)

    @property
    def bytes(self) -> int:
        """What it holds."""
        return sum(a.nbytes for a in {id(a): a for t in self.terms for a in t.arrays}.values())

    @property
    def dense_bytes(self) -> int:
        """What the dense matrix would hold."""
        return 8 * prod(self.shape)

    def __matmul__(self, v: Array) -> Array:
        """The product with an array of shape `columns`, with a vector of all its entries, or with a matrix of these."""
        v = np.asarray(v)
        n = self.shape[1]
        if v.shape == self.columns:
            return self._apply(v)
        if v.shape == (n,):
            return self._apply(v.reshape(self.columns)).reshape(self.shape[0])
        if v.ndim == 2 and v.shape[0] == n:
            found = [self._apply(c.reshape(self.columns)).reshape(self.shape[0]) for c in v.T]
            return np.stack(found, axis=1) if found else np.zeros((self.shape[0], 0))
        raise DataError(
            f"an operator of shape {self.shape} times an array of shape {v.shape}",
            f"arrays of shape {self.columns}, ({n},) and ({n}, k) fit",
        )

    def _apply(self, v: Array) -> Array:
        total = np.zeros(self.rows) if not self.terms else np.reshape(self.terms[0].apply(v), self.rows)
        for t in self.terms[1:]:
            total = total + np.reshape(t.apply(v), self.rows)
        return total

    def to_dense(self) -> Array:
        """The matrix.

        Raises: DataError: it would not fit in memory; the message says its size and the way out.
        """
        need_memory(self.shape, "the dense matrix")
        if len(self.terms) == 1:
            return self.terms[0].dense(self.rows, self.columns)
        if not self.terms:
            return np.zeros(self.shape)
        sparse = [t for t in self.terms if isinstance(t, (Diagonal, Blocks))]  # these are added in place
        first, *others = [t for t in self.terms if t not in sparse] + sparse
        total = first.dense(self.rows, self.columns)
        for t in others:
            t.add_to(total, self.rows, self.columns)
        return total

    def array(self) -> Array:
        """The dense values with all axes, those of the output first."""
        return self.to_dense().reshape(*self.rows, *self.columns)

    def diagonal(self) -> Array:
        """The diagonal of the matrix, one number per entry of the input.

        Raises: DataError: it is not square.
        """
        self._need_square("a diagonal")
        total = np.zeros(self.shape[0])
        for t in self.terms:
            total += t.diagonal()
        return total

    def solve(self, b: Array) -> Array:
        """x with operator @ x = b, by the structure where it has one; b of shape `rows` or of all its entries.

        Raises: DataError: it is not square, it is singular, or the dense matrix that is needed would not fit in memory.
        """
        from byhand.second.solve import solve

        self._need_square("solve")
        b = np.asarray(b, dtype=float)
        if b.shape not in (self.rows, (self.shape[0],)):
            raise DataError(f"a right-hand side of shape {b.shape} for an operator of shape {self.shape}")
        x = solve(self, b.reshape(self.shape[0]))
        return x.reshape(self.columns if b.shape == self.rows else (self.shape[1],))

    @cached_property
    def T(self) -> Operator:  # noqa: N802
        """The transposed operator."""
        if self.symmetric:
            return self
        return Operator((Dense(self.to_dense().T),), self.columns, self.rows, self.kind)

    def _need_square(self, what: str) -> None:
        if self.shape[0] != self.shape[1]:
            raise DataError(f"{what} needs a square matrix, not one of shape {self.shape}")

    def __repr__(self) -> str:
        return (
            f"<{self.kind} operator, {self.shape[0]} × {self.shape[1]}, {self.bytes} bytes (dense: {self.dense_bytes})>"
        )


def split_sizes(sizes: Sequence[int], rows: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of output and input."""
    return tuple(sizes[:rows]), tuple(sizes[rows:])

"""The terms that operators are made of, each with its product, its dense form and its diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

Array = Any
TILE = 64  # rows and columns that are transposed at a time: two tiles fit the nearest cache


class Term:
    """One structured matrix. Arrays keep their axes; matrices are their entries in row-major order."""

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What it holds."""
        raise NotImplementedError

    def apply(self, v: Array) -> Array:
        """The product with an array of the input's shape: its entries in row-major order, in whatever shape they come."""
        raise NotImplementedError

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        """Add the matrix to `total`, of shape (entries of rows, entries of columns)."""
        total += self.dense(rows, columns)

    def dense(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        """The matrix."""
        total = np.zeros((prod(rows), prod(columns)))
        self.add_to(total, rows, columns)
        return total

    def diagonal(self) -> Array:
        """The diagonal as a vector."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Dense(Term):
    """A matrix; `value` may have more axes."""

    value: Array

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.value,)

    def apply(self, v: Array) -> Array:
        return self.value.reshape(-1, v.size) @ v.reshape(-1)

    def dense(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        return np.array(self.value, dtype=float).reshape(prod(rows), prod(columns))

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        total += self.value.reshape(total.shape)

    def diagonal(self) -> Array:
        n = round(self.value.size**0.5)
        return np.diagonal(self.value.reshape(n, n)).copy()


@dataclass(frozen=True, eq=False)
class Diagonal(Term):
    """diag(vec(d)); a number stands for a multiple of the identity of size `size`."""

    d: Array
    size: int

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.d,)

    def apply(self, v: Array) -> Array:
        return self.d * v if self.d.ndim == 0 else self.d.reshape(v.shape) * v

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        total.reshape(-1)[:: total.shape[1] + 1] += self.d.reshape(-1)

    def diagonal(self) -> Array:
        return np.broadcast_to(self.d.reshape(-1), (self.size,)).astype(float)


@dataclass(frozen=True, eq=False)
class Symmetrised(Term):
    """scale × (M + Mᵀ), M square; nothing is added before the dense matrix is asked for."""

    matrix: Array
    scale: float = 1.0

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.matrix,)

    def apply(self, v: Array) -> Array:
        flat = v.reshape(-1)
        return self.scale * (self.matrix @ flat + flat @ self.matrix)

    def dense(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        m, n = self.matrix, len(self.matrix)
        total = np.empty((n, n))
        for i in range(0, n, TILE):  # tile by tile: a whole Mᵀ is read column by column, past the cache
            for j in range(i, n, TILE):
                tile = m[i : i + TILE, j : j + TILE] + m[j : j + TILE, i : i + TILE].T
                if self.scale != 1.0:
                    tile *= self.scale
                total[i : i + TILE, j : j + TILE] = tile
                total[j : j + TILE, i : i + TILE] = tile.T
        return total

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        total += self.dense(rows, columns)

    def diagonal(self) -> Array:
        return 2 * self.scale * np.diagonal(self.matrix)


@dataclass(frozen=True, eq=False)
class LowRank(Term):
    """Leftᵀ diag(weights) right, left and right of shape (terms, entries); weights may be a number."""

    left: Array
    weights: Array
    right: Array

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.left, self.weights, self.right)

    def apply(self, v: Array) -> Array:
        return (self.weights * (self.right @ v.reshape(-1))) @ self.left

    def dense(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        w = self.weights
        if len(self.left) == 1:
            return np.einsum(
                "i,j->ij", (w if w.ndim == 0 else w[0]) * self.left[0], self.right[0]
            )  # twice as fast as *
        if self.left is self.right and np.all(w >= 0):  # one factor twice: BLAS computes half of it
            root = self.left if w.ndim == 0 else np.sqrt(w)[:, None] * self.left
            gram = root.T @ root
            return gram * w if w.ndim == 0 and w != 1 else gram
        scaled = w * self.right if w.ndim == 0 else w[:, None] * self.right
        return self.left.T @ scaled

    def diagonal(self) -> Array:
        weights = self.weights if self.weights.ndim == 0 else self.weights[:, None]
        return np.sum(weights * self.left * self.right, axis=0)


@dataclass(frozen=True, eq=False)
class Kronecker(Term):
    """scale × (A ⊗ B): vec(X) ↦ vec(A X Bᵀ); None for an identity of the given size. `turned`: (A ⊗ B) K, which is
    vec(A Xᵀ Bᵀ).
    """

    a: Array | None
    b: Array | None
    sizes: tuple[int, int]  # of the identities
    scale: float = 1.0
    turned: bool = False

    @property
    def arrays(self) -> tuple[Array, ...]:
        return tuple(x for x in (self.a, self.b) if x is not None)

    def apply(self, v: Array) -> Array:
        x = v.reshape(self.input_shape)
        x = x.T if self.turned else x
        x = x if self.a is None else self.a @ x
        x = x if self.b is None else x @ self.b.T
        return x * self.scale if self.scale != 1.0 else x

    @property
    def input_shape(self) -> tuple[int, int]:
        """The shape of X."""
        p = self.sizes[0] if self.a is None else self.a.shape[1]
        q = self.sizes[1] if self.b is None else self.b.shape[1]
        return (q, p) if self.turned else (p, q)

    def factors(self) -> tuple[Array, Array]:
        """Both factors as matrices, the scale in the second."""
        a = np.eye(self.sizes[0]) if self.a is None else self.a
        b = np.eye(self.sizes[1]) if self.b is None else self.b
        return a, b * self.scale

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        p, q = self.input_shape
        if self.turned:
            a, b = self.factors()
            total += np.einsum("il,jk->ijkl", a, b).reshape(total.shape)
            return
        m = self.sizes[0] if self.a is None else self.a.shape[0]
        blocks = total.reshape(m, -1, p, q)
        if self.a is None:
            b = self.factors()[1]
            for i in range(m):
                blocks[i, :, i, :] += b
        elif self.b is None:
            a = self.a * self.scale
            for j in range(q):
                blocks[:, j, :, j] += a
        else:
            blocks += (self.a * self.scale)[:, None, :, None] * self.b[None, :, None, :]

    def diagonal(self) -> Array:
        a, b = self.factors()
        if self.turned:  # entry t is A[i, l] B[j, k] with (i, j) and (k, l) the t-th places
            t = np.arange(a.shape[0] * b.shape[0])
            (i, j), (k, m) = divmod(t, b.shape[0]), divmod(t, a.shape[1])
            return a[i, m] * b[j, k]
        return np.multiply.outer(np.diagonal(a), np.diagonal(b)).reshape(-1)


@dataclass(frozen=True, eq=False)
class Blocks(Term):
    """A block diagonal, the blocks stacked along the first axis."""

    blocks: Array

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.blocks,)

    def apply(self, v: Array) -> Array:
        return np.matmul(self.blocks, v.reshape(len(self.blocks), -1)[:, :, None])[:, :, 0]

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        s, p, q = self.blocks.shape
        places = np.arange(s)
        total.reshape(s, p, s, q)[places, :, places, :] += self.blocks

    def diagonal(self) -> Array:
        return np.diagonal(self.blocks, axis1=1, axis2=2).reshape(-1).copy()


@dataclass(frozen=True, eq=False)
class Scaled(Term):
    """diag(vec(left)) · inner · diag(vec(right)); None for none."""

    left: Array | None
    inner: Term
    right: Array | None

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (*(x for x in (self.left, self.right) if x is not None), *self.inner.arrays)

    def apply(self, v: Array) -> Array:
        y = self.inner.apply(v if self.right is None else v * self.right.reshape(v.shape))
        return y if self.left is None else y * self.left.reshape(y.shape)

    def dense(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        m = self.inner.dense(rows, columns)
        m = m if self.left is None else self.left.reshape(-1)[:, None] * m
        return m if self.right is None else m * self.right.reshape(-1)

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        total += self.dense(rows, columns)

    def diagonal(self) -> Array:
        d = self.inner.diagonal()
        for s in (self.left, self.right):
            d = d if s is None else d * s.reshape(-1)
        return d

"""Terms that are sums over samples, Σ_b A_b ⊗ B_b, and how their dense matrices are made of few products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from byhand.second.terms import Term

Array = Any


@dataclass(frozen=True, eq=False)
class KroneckerSum(Term):
    """Σ_b A_b ⊗ B_b, A and B stacks with the summed axis first."""

    a: Array
    b: Array
    scale: float = 1.0

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.a, self.b)

    def apply(self, v: Array) -> Array:
        x = v.reshape(self.a.shape[2], self.b.shape[2])
        return self.scale * np.einsum("sij,sjk->ik", self.a @ x, np.swapaxes(self.b, 1, 2), optimize=True)

    def add_to(self, total: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        (s, i, k), (_, j, m) = self.a.shape, self.b.shape
        product = self.a.reshape(s, i * k).T @ (self.scale * self.b.reshape(s, j * m))
        total.reshape(i, j, k, m)[...] += product.reshape(i, k, j, m).swapaxes(1, 2)

    def diagonal(self) -> Array:
        a, b = (np.diagonal(x, axis1=1, axis2=2) for x in (self.a, self.b))
        return self.scale * (a.T @ b).reshape(-1)


@dataclass(frozen=True, eq=False)
class OuterSum(Term):
    """Σ_b (x_b y_bᵀ) ⊗ B_b, x and y of shape (terms, ·), B a stack."""

    x: Array
    y: Array
    blocks: Array

    @property
    def arrays(self) -> tuple[Array, ...]:
        return (self.x, self.y, self.blocks)

    def apply(self, v: Array) -> Array:
        inner = self.y @ v.reshape(self.y.shape[1], self.blocks.shape[2])
        return self.x.T @ np.matmul(self.blocks, inner[:, :, None])[:, :, 0]

    def dense(self, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        (s, i), k, (_, j, m) = self.x.shape, self.y.shape[1], self.blocks.shape
        if self.x is self.y and j == m and np.array_equal(self.blocks, self.blocks.swapaxes(1, 2)):
            return self._symmetric()
        outer = (self.x[:, :, None] * self.y[:, None, :]).reshape(s, i * k)
        product = outer.T @ self.blocks.reshape(s, j * m)
        return product.reshape(i, k, j, m).swapaxes(1, 2).reshape(i * j, k * m)

    def _symmetric(self) -> Array:
        return self._by_inputs() if self.x.shape[1] < self.blocks.shape[1] else self._by_outputs()

    def _by_outputs(self) -> Array:
        """For each j ≤ l one product xᵀ diag(B[:, j, l]) x, copied to both places."""
        n, m = self.x.shape[1], self.blocks.shape[1]
        whole = np.empty((n, m, n, m))
        turned = np.ascontiguousarray(self.x.T)
        weights = np.ascontiguousarray(self.blocks.reshape(len(self.x), m * m).T).reshape(m, m, -1)
        scaled = np.empty_like(turned)
        for j in range(m):
            for k in range(j, m):
                np.multiply(turned, weights[j, k], out=scaled)
                whole[:, j, :, k] = whole[:, k, :, j] = scaled @ self.x
        return whole.reshape(n * m, n * m)

    def _by_inputs(self) -> Array:
        """Entries (i, k) and (j, l) with i ≤ k and j ≤ l, computed once and copied to their places."""
        n, m = self.x.shape[1], self.blocks.shape[1]
        (i, k), (j, l) = np.triu_indices(n), np.triu_indices(m)
        product = (self.x[:, i] * self.x[:, k]).T @ self.blocks[:, j, l]
        of_outer, of_block = np.zeros((n, n), np.intp), np.zeros((m, m), np.intp)
        of_outer[i, k] = of_outer[k, i] = np.arange(len(i))
        of_block[j, l] = of_block[l, j] = np.arange(len(j))
        whole: Array = product[of_outer[:, None, :, None], of_block[None, :, None, :]]
        return whole.reshape(n * m, n * m)

    def diagonal(self) -> Array:
        return ((self.x * self.y).T @ np.diagonal(self.blocks, axis1=1, axis2=2)).reshape(-1)

"""Solving with an operator by its structure."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from byhand.errors import DataError
from byhand.second.operators import Operator
from byhand.second.terms import Blocks, Diagonal, Kronecker, LowRank

Array = Any
SINGULAR = 1e-14  # a reciprocal condition number below this is a singular matrix


def solve(op: Operator, b: Array) -> Array:
    """x with op @ x = b, b a vector of all entries.

    Raises: DataError: the matrix is singular.
    """
    terms = op.terms
    if terms and all(isinstance(t, Diagonal) for t in terms):
        return b / nonzero(op.diagonal())
    if len(terms) == 1 and isinstance(terms[0], Kronecker):
        return _kronecker(terms[0], b)
    if len(terms) == 1 and isinstance(terms[0], Blocks):
        return _blocks(terms[0], b)
    if len(terms) == 2 and all(isinstance(t, Kronecker) and not t.turned for t in terms):
        found = _sylvester(terms, b)  # type: ignore[arg-type]
        if _solves(op, found, b):
            return found
    diagonal = [t for t in terms if isinstance(t, Diagonal)]
    low = [t for t in terms if isinstance(t, LowRank)]
    if diagonal and low and len(diagonal) + len(low) == len(terms):
        rank = sum(len(t.left) for t in low)
        d = sum(t.diagonal() for t in diagonal)
        if rank < op.shape[0] // 2 and np.all(d != 0):
            found = _woodbury(d, low, b)
            if _solves(op, found, b):
                return found
    return dense_solve(op.to_dense(), b, op.symmetric)


def _solves(op: Operator, x: Array | None, b: Array) -> bool:
    """Whether x is a solution to working precision: a shortcut is kept only where it is."""
    if x is None or not np.all(np.isfinite(x)):
        return False
    return bool(
        np.linalg.norm(op @ x - b) <= 1e-10 * np.linalg.norm(b) and np.linalg.norm(x) < 1e12 * np.linalg.norm(b)
    )


def nonzero(d: Array) -> Array:
    """Raises: DataError: a diagonal with a zero."""
    if np.any(d == 0):
        raise DataError("the matrix is singular: its diagonal has a zero")
    return d


def dense_solve(matrix: Array, b: Array, symmetric: bool) -> Array:
    """By Cholesky where the matrix is symmetric positive definite, else by LU with a look at its condition."""
    if symmetric:
        try:
            factor = scipy.linalg.cho_factor(matrix, lower=True, check_finite=False)
            spread = np.diagonal(factor[0])
            if (spread.min() / spread.max()) ** 2 > SINGULAR:
                return scipy.linalg.cho_solve(factor, b, check_finite=False)
        except scipy.linalg.LinAlgError:
            pass
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(matrix, 1)
        factor, pivots, info = scipy.linalg.lapack.dgetrf(matrix)
        reciprocal = scipy.linalg.lapack.dgecon(factor, norm)[0] if info == 0 else 0.0
    if not reciprocal > SINGULAR:
        raise DataError(
            f"the matrix is singular (reciprocal condition number {reciprocal:.1e}): op @ x = b has no unique solution",
            "add a multiple of the identity (damping), or use numpy.linalg.lstsq on .to_dense()",
        )
    return scipy.linalg.lapack.dgetrs(factor, pivots, b)[0]


def _kronecker(t: Kronecker, b: Array) -> Array:
    """(A ⊗ B) vec(X) = vec(A X Bᵀ) = vec(Y): X = A⁻¹ Y B⁻ᵀ."""
    m = t.sizes[0] if t.a is None else t.a.shape[0]
    x = b.reshape(m, -1) / t.scale
    x = x if t.a is None else dense_solve(t.a, x, bool(np.array_equal(t.a, t.a.T)))
    x = x if t.b is None else dense_solve(t.b, x.T, bool(np.array_equal(t.b, t.b.T))).T
    return (x.T if t.turned else x).reshape(-1)


def _blocks(t: Blocks, b: Array) -> Array:
    s, p, _ = t.blocks.shape
    worst = np.linalg.cond(t.blocks).max()
    if not worst < 1 / SINGULAR:
        raise DataError("the matrix is singular: one of its blocks is")
    return np.linalg.solve(t.blocks, b.reshape(s, p)[:, :, None]).reshape(-1)


def _sylvester(terms: tuple[Kronecker, Kronecker], b: Array) -> Array | None:
    """(A ⊗ I + I ⊗ B) vec(X) = vec(A X + X Bᵀ)."""
    for one, other in (terms, terms[::-1]):
        if one.b is None and other.a is None and one.a is not None and other.b is not None:
            y = b.reshape(one.a.shape[0], -1)
            with np.errstate(all="ignore"):
                x = scipy.linalg.solve_sylvester(one.a * one.scale, other.b.T * other.scale, y)
            return x.reshape(-1) if np.all(np.isfinite(x)) else None
    return None


def _woodbury(d: Array, low: list[LowRank], b: Array) -> Array | None:
    """(D + LᵀWR)⁻¹ b = D⁻¹b − D⁻¹Lᵀ (I + W R D⁻¹ Lᵀ)⁻¹ W R D⁻¹ b."""
    left = np.concatenate([t.left for t in low])
    weighted = np.concatenate(
        [t.weights * t.right if t.weights.ndim == 0 else t.weights[:, None] * t.right for t in low]
    )
    inside = np.eye(len(left)) + (weighted / d) @ left.T
    start = b / d
    smallest = np.linalg.norm(inside, -2)
    if not smallest > 1e-10 * (1.0 + np.linalg.norm(inside - np.eye(len(left)), 2)):
        return None  # singular, or so close to it that the dense matrix has to decide
    return start - (np.linalg.solve(inside, weighted @ start) @ left) / d

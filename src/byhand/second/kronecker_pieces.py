"""The terms of a derivative of a matrix by a matrix: Kronecker products, sums of them over samples, blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from byhand.expr.contraction import P1, LooseFactor, contract
from byhand.expr.dims import ONE
from byhand.expr.nodes import Contraction, Expr
from byhand.rules.kronecker import KroneckerTerm, readings
from byhand.rules.simplify import Simplifier
from byhand.second.sum_terms import KroneckerSum, OuterSum
from byhand.second.terms import Blocks, Dense, Diagonal, Kronecker, LowRank, Scaled, Term

Array = Any
Make = Callable[[list[Array], tuple[int, ...]], Term]


@dataclass(frozen=True)
class Piece:
    """One term: its name, the nodes whose values it needs, and how it is made of them and the sizes of all axes."""

    word: str
    nodes: tuple[Expr, ...]
    make: Make


def connected(c: Contraction, apart: int | None) -> list[tuple[list[LooseFactor], set[int]]]:
    """Factors that hang together by their labels, `apart` not counting, with those labels."""
    groups: list[tuple[list[LooseFactor], set[int]]] = []
    for f in c.factors:
        members: list[LooseFactor] = [f]
        labels = {x for x in f[1] if x != apart}
        for g in [g for g in groups if g[1] & labels]:
            groups.remove(g)
            members, labels = g[0] + members, g[1] | labels
        groups.append((members, labels))
    return groups


def matrix_pieces(node: Expr, rows: int) -> list[Piece] | None:
    """Kronecker products, sums of them over samples, blocks, rank one; a vector beside a matrix is a row or a column."""
    for terms, unit in readings(node, rows):
        return [_padded(_kronecker_piece(t), unit) for t in terms]
    return None


def _padded(piece: Piece, unit: int | None) -> Piece:
    """The piece for the sizes of the axes without the one that was put in."""
    if unit is None:
        return piece
    return replace(piece, make=lambda v, sizes: piece.make(v, (*sizes[:unit], 1, *sizes[unit:])))


def _kronecker_piece(t: KroneckerTerm) -> Piece:
    simplifier = Simplifier(facts=True)
    scalar, right = t.scalar, simplifier.normal(t.right)
    left = None if t.left is None else simplifier.normal(t.left)
    scalings = tuple(x for x in (t.rows, t.columns) if x is not None)
    word = {
        "kronecker": "Kronecker",
        "commuted": "commuted Kronecker",
        "rank one": "rank one",
        "blocks": "block diagonal",
    }[t.kind]
    if t.batch is not None and t.kind == "kronecker":
        word = "Kronecker sum"
    outer = t.kind == "rank one"
    if t.batch is not None and t.kind == "kronecker" and not scalings:
        sides = _rank_one_sides(left)
        if sides is not None:
            return _rank_one_sum(t, sides, right, word="Kronecker sum")
    keep_left, keep_right = outer or not _is_identity(left), outer or not _is_identity(right)
    if not keep_left and not keep_right and t.kind == "kronecker":
        word = "diagonal"
    if t.batch is not None and t.kind not in ("kronecker", "blocks"):
        return Piece("dense", (), lambda v, sizes: Dense(np.zeros(0)))
    nodes = (scalar, *((left,) if left is not None and keep_left else ()), *((right,) if keep_right else ()), *scalings)

    def make(v: list[Array], sizes: tuple[int, ...]) -> Term:
        values = iter(v)
        factor = float(next(values))
        a = next(values) if left is not None and keep_left else None
        b = next(values) if keep_right else None
        inner = _made(t, factor, a, b, sizes)
        if not scalings:
            return inner
        s = next(values) if t.rows is not None else None
        u = next(values) if t.columns is not None else None
        if isinstance(inner, Diagonal):
            d = float(inner.d) * (1.0 if s is None else s) * (1.0 if u is None else u)
            return Diagonal(np.asarray(d), inner.size)
        return Scaled(s, inner, u)

    return Piece(word, nodes, make)


def _rank_one_sides(left: Expr | None) -> tuple[Expr, Expr, Expr] | None:
    """left[b, i, k] = x[b, i] y[b, k] w[b], if it is such a product."""
    if not isinstance(left, Contraction) or len(set(left.out)) < 3:
        return None
    b, i, k = left.out
    sides: dict[int, list[LooseFactor]] = {i: [], k: [], b: []}
    for members, labels in connected(left, b):
        if i in labels and k in labels:
            return None
        sides[i if i in labels else k if k in labels else b].extend(members)
    if not all(any(b in f[1] for f in sides[a]) for a in (i, k)):
        return None
    x, y = (contract(sides[a], (b, a), ONE, {a: left.dims[a]}) for a in (i, k))
    return x, y, contract(sides[b], (b,), left.coefficient, {b: left.dims[b]})


def _rank_one_sum(t: KroneckerTerm, sides: tuple[Expr, Expr, Expr], right: Expr, word: str) -> Piece:
    x, y, w = sides
    factors = [(t.scalar, (), P1), (w, "b", P1), (right, "bjl", P1)]
    blocks = contract(factors, "bjl", dims=dict(zip("bjl", right.shape, strict=True)), merge=True)
    nodes = (x, blocks) if x is y else (x, blocks, y)
    return Piece(word, nodes, lambda v, sizes: OuterSum(v[0], v[0] if x is y else v[2], v[1]))


def _made(t: KroneckerTerm, factor: float, a: Array | None, b: Array | None, sizes: tuple[int, ...]) -> Term:
    if t.kind == "blocks":
        assert b is not None
        return Blocks(factor * b)
    if t.kind == "rank one":
        assert a is not None and b is not None
        return LowRank(a.reshape(1, -1), np.asarray(factor), b.reshape(1, -1))
    if t.batch is not None:
        assert a is not None and b is not None
        return KroneckerSum(a, b, factor)
    if a is None and b is None and t.kind == "kronecker":
        return Diagonal(np.asarray(factor), sizes[0] * sizes[1])
    return Kronecker(a, b, (sizes[0], sizes[1]), factor, t.kind == "commuted")


def _is_identity(node: Expr | None) -> bool:
    return isinstance(node, Contraction) and not node.factors and node.out == (0, 0) and node.coefficient == ONE

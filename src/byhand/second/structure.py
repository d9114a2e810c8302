"""The structure of a Jacobian or Hessian, read from its closed form, and the operator that has it.

The closed form is a sum of products of labelled factors. A label that stands twice among the axes is a diagonal, a
label that is summed over between a left and a right part makes XᵀDX or a low rank, disjoint pairs of axes make a
Kronecker product (`rules/kronecker.py`). What is none of these is dense.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.expr.contraction import LooseFactor, contract, label_dims, scale, transpose
from byhand.expr.dims import ONE
from byhand.expr.expression import Expression
from byhand.expr.nodes import Contraction, Expr, Sum
from byhand.rules.factor import opened
from byhand.rules.score import transposes
from byhand.second.kronecker_pieces import Piece, connected, matrix_pieces
from byhand.second.memory import axis_sizes, need_memory
from byhand.second.operators import Operator
from byhand.second.result import Jacobian
from byhand.second.run import Parts
from byhand.second.terms import Dense, Diagonal, LowRank, Symmetrised, Term

Array = Any
Make = Callable[[list[Array], tuple[int, ...]], Term]
MOST_TERMS = 12

__all__ = ["Operator", "Structure", "structured"]


@dataclass(frozen=True, eq=False)
class Structure:
    """The structure of a derivative, before any numbers.

    Attributes:
        j: the derivative.
        pieces: its terms.
        kind: the structure in words.
    """

    j: Jacobian
    pieces: tuple[Piece, ...]
    kind: str
    run: list[Parts] = field(default_factory=list)

    def __call__(self, **arrays: Any) -> Operator:
        """The operator for the given arrays."""
        if not self.pieces:
            values, sizes = [], axis_sizes(self.j, arrays)
        else:
            if any(p.word == "dense" for p in self.pieces):
                need_memory(axis_sizes(self.j, arrays), "an array without structure")
            if not self.run:
                e = Expression(self.j.node, tuple(dict.fromkeys((*self.j.f.inputs, *self.j.wrt))))
                self.run.append(Parts([n for p in self.pieces for n in p.nodes], e, self.j.node.shape))
            found, sizes = self.run[0](arrays)
            values = [np.asarray(v, dtype=float) for v in found]
        terms, k = [], 0
        for p in self.pieces:
            terms.append(p.make(values[k : k + len(p.nodes)], sizes))
            k += len(p.nodes)
        rows = self.j.rows
        symmetric = len(self.j.wrt) == 2 and self.j.wrt[0] is self.j.wrt[1]
        return Operator(tuple(terms), sizes[:rows], sizes[rows:], self.kind, symmetric)


def structured(j: Jacobian) -> Structure:
    """The structure of a derivative."""
    if j.is_zero:
        return Structure(j, (), "zero")
    if j.rows == 1 and j.node.ndim == 2:
        pieces = _vector_pieces(j.node)
    elif 0 < j.rows < j.node.ndim and j.rows <= 2 and 3 <= j.node.ndim <= j.rows + 2:
        pieces = matrix_pieces(j.node, j.rows)
    else:
        pieces = None
    if pieces is None or any(p.word == "dense" for p in pieces):
        return Structure(j, (_dense(j.node),), "dense")
    return Structure(j, tuple(pieces), _kind([p.word for p in pieces]))


def _kind(words: list[str]) -> str:
    found = set(words)
    if found == {"diagonal", "rank one"} or found == {"diagonal", "low rank"}:
        return "diagonal + low rank"
    if "diagonal" in found and found <= {"diagonal", "rank one", "low rank", "XᵀDX"}:
        return "diagonal" if found == {"diagonal"} else "XᵀDX + diagonal"
    if found <= {"rank one", "low rank"}:
        return "low rank"
    if len(found) == 1:
        word = words[0]
        return word if len(words) == 1 or word in ("blocks", "XᵀDX", "Kronecker sum") else f"sum of {word} products"
    return " + ".join(dict.fromkeys(words))


def _dense(node: Expr) -> Piece:
    return Piece("dense", (node,), lambda v, sizes: Dense(v[0]))


# ---- a vector by a vector


def _vector_pieces(node: Expr) -> list[Piece] | None:
    """Diagonal and low-rank terms of a matrix ∂f_i/∂x_j."""
    pieces: list[Piece] = []
    diagonals: list[Expr] = []
    todo = [node]
    while todo:
        part = todo.pop(0)
        if isinstance(part, Sum):
            todo = [scale(c, t) for c, t in part.terms] + todo
            continue
        if not isinstance(part, Contraction):
            piece = _with_transpose(part, todo)
            if piece is None:
                return None
            pieces.append(piece)
            continue
        if part.out[0] == part.out[1]:
            diagonals.append(contract(part.factors, part.out[:1], part.coefficient, label_dims(part)))
            continue
        piece = _low_rank(part) or _with_transpose(part, todo)
        if piece is None:
            terms = opened(part, part.out)
            if terms is None or len(terms) + len(todo) + len(pieces) > MOST_TERMS:
                return None
            todo = terms + todo
            continue
        pieces.append(piece)
    for d in diagonals:
        uniform = isinstance(d, Contraction) and not any(d.out[0] in ls for _, ls, _ in d.factors)
        if uniform and isinstance(d, Contraction):
            pieces.append(Piece("diagonal", (contract(d.factors, (), d.coefficient),), _uniform))
        else:
            pieces.append(Piece("diagonal", (d,), lambda v, sizes: Diagonal(v[0], sizes[0])))
    return pieces


def _uniform(v: list[Array], sizes: tuple[int, ...]) -> Term:
    return Diagonal(v[0], sizes[0])


def _with_transpose(part: Expr, others: list[Expr]) -> Piece | None:
    """M + Mᵀ, if the transpose of a term is among the others, which it is taken from."""
    twin = transpose(part)
    if part.shape[0] != part.shape[1] or twin not in others:
        return None
    others.remove(twin)
    base = min(part, twin, key=lambda e: (transposes(e), e.digest))
    coefficient = ONE
    if isinstance(base, Contraction):
        coefficient = base.coefficient
        base = contract(base.factors, base.out, ONE, label_dims(base))
    return Piece("M + Mᵀ", (base, contract([], (), coefficient)), lambda v, sizes: Symmetrised(v[0], float(v[1])))


def _low_rank(c: Contraction) -> Piece | None:
    """Σ_b left[b, i] weights[b] right[b, j], or left[i] right[j]; None where no label splits the factors."""
    i, j = c.out
    summed = list(dict.fromkeys(x for _, ls, _ in c.factors for x in ls if x not in c.out))
    for middle in [None, *summed]:
        groups = connected(c, middle)
        sides: dict[int, list[LooseFactor]] = {i: [], j: []}
        middles: list[LooseFactor] = []
        for members, labels in groups:
            if i in labels and j in labels:
                break
            place = sides[i] if i in labels else sides[j] if j in labels else middles
            place.extend(members)
        else:
            if middle is not None and not all(any(middle in f[1] for f in s) for s in sides.values()):
                continue
            return _low_rank_piece(c, middle, sides, middles)
    return None


def _low_rank_piece(
    c: Contraction, middle: int | None, sides: dict[int, list[LooseFactor]], middles: list[LooseFactor]
) -> Piece:
    extra = () if middle is None else (middle,)
    left, right = (contract(fs, (*extra, k), ONE, {k: c.dims[k]}) for k, fs in sides.items())
    weighted = middle is not None and any(middle in f[1] for f in middles)
    weights = contract(middles, extra if weighted else (), c.coefficient)
    same = left is right
    nodes = (left, weights) if same else (left, weights, right)

    def make(v: list[Array], sizes: tuple[int, ...]) -> Term:
        sides_now = [x.reshape(1, -1) if x.ndim == 1 else x for x in (v[0], v[-1] if not same else v[0])]
        return LowRank(sides_now[0], v[1], sides_now[0] if same else sides_now[1])

    word = "rank one" if middle is None else "XᵀDX" if same else "low rank"
    return Piece(word, nodes, make)

"""Arrays of four axes as matrices: which label patterns are Kronecker products, rank one, diagonal, or sums of these.

An array J[i, j, k, l] is the matrix with rows (i, j) and columns (k, l), in row-major order: vec stacks the rows of a
matrix. Then A[i, k] B[j, l] is A ⊗ B, A[i, l] B[j, k] is (A ⊗ B) K with the commutation matrix K vec(X) = vec(Xᵀ),
A[i, j] B[k, l] is vec(A) vec(B)ᵀ, S[i, j] δ_ik δ_jl is diag(vec(S)), and a label that stands among the rows and
among the columns makes a block diagonal. A sum over one more label, Σ_b A_b ⊗ B_b, is found by looking at one b.

Source: Magnus and Neudecker (2019), chapters 2 and 3; row-major vec as in NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from byhand.expr.contraction import P1, add, contract, label_dims, scale
from byhand.expr.dims import ONE, Dim
from byhand.expr.nodes import Contraction, Expr, Sum
from byhand.rules.factor import opened
from byhand.rules.simplify import Simplifier

Kind = Literal["kronecker", "commuted", "rank one", "blocks"]
Factors = list[tuple[Expr, tuple[int, ...], Fraction]]
_KINDS: dict[tuple[tuple[int, ...], ...], Kind] = {
    ((0, 2), (1, 3)): "kronecker",
    ((0, 3), (1, 2)): "commuted",
    ((0, 1), (2, 3)): "rank one",
}
MOST_TERMS = 12


@dataclass(frozen=True, slots=True)
class KroneckerTerm:
    """One term: diag(vec(rows)) · (scalar × left ∘ right) · diag(vec(columns)).

    Attributes:
        kind: how left and right are put together; "blocks" has only `right`, one block per index of `batch`.
        left, right: matrices; with `batch` a stack of them, the batch axis first.
        scalar: a scalar node.
        batch: the size of the label that is summed over (for "blocks": that numbers the blocks); None for none.
        rows, columns: matrices whose entries scale the rows and columns; None for none.
    """

    kind: Kind
    left: Expr | None
    right: Expr
    scalar: Expr
    batch: Dim | None = None
    rows: Expr | None = None
    columns: Expr | None = None


def kronecker_terms(node: Expr) -> list[KroneckerTerm] | None:
    """An array of four axes as a sum of terms, terms that share a side collected; None where it is no such sum.

    Axes of size 1 that are only there to make four are allowed anywhere.
    """
    whole = _recognised(_merged(node))  # terms of a sum stay as they are: merged, they take minutes to simplify
    if whole is not None:
        return _collected([whole])
    found: list[KroneckerTerm] = []
    todo = [node]
    while todo:
        part = todo.pop(0)
        if isinstance(part, Sum):
            todo = [scale(c, t) for c, t in part.terms] + todo
            continue
        term = _recognised(part)
        if term is None:
            terms = opened(part)
            if terms is None or len(terms) + len(todo) + len(found) > MOST_TERMS:
                return None
            todo = terms + todo
            continue
        found.append(term)
    return _collected(found)


def readings(node: Expr, rows: int) -> list[tuple[list[KroneckerTerm], int | None]]:
    """The ways to read a derivative with two to four axes as a sum of terms, those without K first.

    Each comes with the place of an axis of size 1 that was put in where there are three axes; None for none.
    """
    found = [(terms, unit) for padded, unit in _four_axes(node, rows) if (terms := kronecker_terms(padded)) is not None]
    return sorted(found, key=lambda r: any(t.kind == "commuted" for t in r[0]))


def _four_axes(node: Expr, rows: int) -> list[tuple[Expr, int | None]]:
    """The array with an axis of size 1 put in where it has three (a vector is a column or a row), and its place."""
    if node.ndim == 4:
        return [(node, None)]
    if node.ndim != 3:
        return []
    places = (1, 0) if rows == 1 else (3, 2)
    found: list[tuple[Expr, int | None]] = []
    for place in places:
        out: list[object] = list(range(3))
        out.insert(place, "unit")
        dims: dict[object, Dim] = {k: n for k, n in enumerate(node.shape)} | {"unit": 1}
        found.append((contract([(node, range(3), P1)], out, dims=dims, merge=True), place))
    return found


def _as_contraction(node: Expr) -> Contraction | None:
    if isinstance(node, Contraction):
        return node
    return None


def _recognised(node: Expr) -> KroneckerTerm | None:
    c = _as_contraction(node)
    if c is None:
        return None
    factors: Factors = list(c.factors)
    plain = _split(c, factors, None)
    if plain is not None:
        return plain
    for label in _repeated_across(c):
        blocks = _blocks(c, label)
        if blocks is not None:
            return blocks
    rows, columns, rest = _scalings(c)
    if rows is not None or columns is not None:
        inner = _split(c, rest, None)
        if inner is not None and inner.kind != "rank one":
            return replace(inner, rows=rows, columns=columns)
    for label in _summed(c):
        split = _split(c, factors, label)
        if split is not None:
            return split
    return None


def _merged(node: Expr) -> Expr:
    """The products inside a product among its own factors: the chain of a network of relu hides its labels in them."""
    if not isinstance(node, Contraction):
        return node
    return contract(node.factors, node.out, node.coefficient, label_dims(node), merge=True)


def _summed(c: Contraction) -> list[int]:
    """Labels that are summed over and that two or more factors share."""
    labels = dict.fromkeys(x for _, ls, _ in c.factors for x in ls if x not in c.out)
    return [x for x in labels if sum(x in ls for _, ls, _ in c.factors) > 1]


def _repeated_across(c: Contraction) -> list[int]:
    """A label that is the first row axis and the first column axis: blocks along the diagonal."""
    return [c.out[0]] if c.out[0] == c.out[2] and c.out.count(c.out[0]) == 2 and c.out[1] != c.out[3] else []


def _blocks(c: Contraction, label: int) -> KroneckerTerm | None:
    if not any(label in ls for _, ls, _ in c.factors):
        return None
    right = contract(c.factors, (label, c.out[1], c.out[3]), c.coefficient, label_dims(c))
    return KroneckerTerm("blocks", None, right, contract([], ()), c.dims[label])


def _scalings(c: Contraction) -> tuple[Expr | None, Expr | None, Factors]:
    """Factors that meet both row axes and nothing else, and those that meet both column axes."""
    row_labels, column_labels = c.out[:2], c.out[2:]

    def over(f: tuple[Expr, tuple[int, ...], Fraction], labels: Sequence[int]) -> bool:
        return set(f[1]) == set(labels) and len(set(labels)) == 2

    rows = [f for f in c.factors if over(f, row_labels)]
    columns = [f for f in c.factors if over(f, column_labels) and f not in rows]
    rest = [f for f in c.factors if f not in rows and f not in columns]
    made = [
        contract(fs, labels, ONE, {x: c.dims[x] for x in labels}) if fs else None
        for fs, labels in ((rows, row_labels), (columns, column_labels))
    ]
    return made[0], made[1], rest


def _components(factors: Factors, apart: int | None) -> Iterator[tuple[Factors, set[int]]]:
    """Factors that hang together by their labels, `apart` not counting."""
    groups: list[tuple[Factors, set[int]]] = []
    for f in factors:
        members, labels = [f], {x for x in f[1] if x != apart}
        for g in [g for g in groups if g[1] & labels]:
            groups.remove(g)
            members, labels = g[0] + members, g[1] | labels
        groups.append((members, labels))
    yield from groups


def _split(c: Contraction, factors: Factors, batch: int | None) -> KroneckerTerm | None:
    """The contraction as two matrices over disjoint pairs of axes."""
    positions: dict[int, list[int]] = {}
    for axis, label in enumerate(c.out):
        positions.setdefault(label, []).append(axis)
    pieces: dict[tuple[int, ...], Factors] = {}
    scalars: Factors = []
    weights: Factors = []
    seen: set[int] = set()
    for members, labels in _components(factors, batch):
        axes = tuple(sorted(a for x in labels if x in positions for a in positions[x]))
        seen |= labels
        if axes:
            pieces[axes] = members
        elif batch is not None and any(batch in ls for _, ls, _ in members):
            weights += members
        else:
            scalars += members
    for label, label_axes in positions.items():
        if label not in seen:
            pieces[tuple(label_axes)] = []
    pieces = _paired(pieces)
    kind = _KINDS.get(tuple(sorted(pieces)))
    if kind is None:
        return None
    first, second = sorted(pieces)
    target = first if pieces[first] or not pieces[second] else second
    pieces[target] = pieces[target] + weights
    extra = () if batch is None else (batch,)
    if batch is not None and not all(any(batch in ls for _, ls, _ in p) for p in pieces.values()):
        return None
    left, right = (
        contract(pieces[k], (*extra, *(c.out[a] for a in k)), ONE, {c.out[a]: c.dims[c.out[a]] for a in k})
        for k in (first, second)
    )
    size = None if batch is None else c.dims[batch]
    return KroneckerTerm(kind, left, right, contract(scalars, (), c.coefficient), size)


def _paired(pieces: dict[tuple[int, ...], Factors]) -> dict[tuple[int, ...], Factors]:
    """Single axes joined to pairs: a row vector and a column vector are a matrix of rank one."""
    single = [k[0] for k in pieces if len(k) == 1]
    whole = sum(map(len, pieces)) == 4
    if not whole or not single or any(len(k) > 2 for k in pieces):
        return pieces
    for pairs in _KINDS:
        new: dict[tuple[int, ...], Factors] = {k: v for k, v in pieces.items() if len(k) == 2}
        for a, b in pairs:
            if (a,) in pieces and (b,) in pieces:
                new[a, b] = pieces[a,] + pieces[b,]
        if set(new) == set(pairs):
            return new
    return pieces


def _collected(terms: list[KroneckerTerm]) -> list[KroneckerTerm]:
    """A ⊗ B + A ⊗ C = A ⊗ (B + C), likewise on the left; blocks are added."""
    simplifier = Simplifier(facts=True)
    result: list[KroneckerTerm] = []
    if any(t.kind == "blocks" for t in terms):
        terms = [_as_blocks(t) for t in terms]
    for term in terms:
        for k, other in enumerate(result):
            joined = _joined(other, term, simplifier)
            if joined is not None:
                result[k] = joined
                break
        else:
            result.append(term)
    return result


def _as_blocks(t: KroneckerTerm) -> KroneckerTerm:
    """diag(vec(S)) beside blocks is one more block diagonal: diag(S_b) for each b."""
    scaling = t.rows if t.columns is None else t.columns
    if t.kind != "kronecker" or scaling is None or (t.rows is not None and t.columns is not None):
        return t
    if not (_is_identity(t.left) and _is_identity(t.right)):
        return t
    b, j = scaling.shape
    right = contract([(scaling, "bj", P1)], "bjj", dims={"b": b, "j": j})
    return KroneckerTerm("blocks", None, right, t.scalar, b)


def _is_identity(node: Expr | None) -> bool:
    return isinstance(node, Contraction) and not node.factors and node.out == (0, 0) and node.coefficient == ONE


def _joined(a: KroneckerTerm, b: KroneckerTerm, simplifier: Simplifier) -> KroneckerTerm | None:
    if (a.kind, a.batch, a.rows, a.columns) != (b.kind, b.batch, b.rows, b.columns):
        return None
    one = contract([], ())
    if a.left is b.left:
        return replace(
            a, right=simplifier.normal(add(_times(a.scalar, a.right), _times(b.scalar, b.right))), scalar=one
        )
    if a.right is b.right and a.left is not None and b.left is not None:
        return replace(a, left=simplifier.normal(add(_times(a.scalar, a.left), _times(b.scalar, b.left))), scalar=one)
    return None


def _times(scalar: Expr, node: Expr) -> Expr:
    axes = range(node.ndim)
    return contract([(scalar, (), P1), (node, axes, P1)], axes, ONE, dict(enumerate(node.shape)), merge=True)

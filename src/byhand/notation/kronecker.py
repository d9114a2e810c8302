"""Jacobians with up to four axes in matrix notation: A ⊗ B, vec(A) vec(B)ᵀ, diag(vec(S)), the commutation matrix K.

vec stacks the rows of a matrix (row-major, as NumPy's reshape): vec(A X Bᵀ) = (A ⊗ B) vec(X) and K vec(X) = vec(Xᵀ).
"""

from __future__ import annotations

from dataclasses import replace

from byhand.expr.contraction import P1, contract
from byhand.expr.nodes import Contraction, Expr
from byhand.notation import typeset as ts
from byhand.notation.algebra import unsigned
from byhand.notation.index import free_letters
from byhand.notation.matrix import matrix_math
from byhand.notation.names import unused
from byhand.notation.slices import slice_math
from byhand.notation.style import Style, dimension_math
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm
from byhand.rules.kronecker import KroneckerTerm, readings

VEC_WORDS = "vec stacks the rows of a matrix (row-major): vec(A X Bᵀ) = (A ⊗ B) vec(X)."


def jacobian_math(node: Expr, rows: int, style: Style) -> tuple[Math, bool] | None:
    """A Jacobian with `rows` output axes in matrix notation, and whether it is a matrix of vecs (its axes stacked).

    Returns: None where there is no such notation.
    """
    columns = node.ndim - rows
    try:
        if not rows or not columns:
            return matrix_math(node, style), False
        if rows == columns == 1:
            return matrix_math(node, style), False
        if rows > 2 or columns > 2:
            return None
        for terms, unit in readings(node, rows)[:1]:
            if terms:
                shown = [_term_math(t, style, unit) for t in terms]
                signed = sorted((unsigned(m) for m in shown), key=lambda t: (not t[0], repr(t[1])))
                if len(signed) == 1:
                    return (signed[0][1] if signed[0][0] else ts.Negative(signed[0][1])), True
                return ts.Sum(tuple(signed)), True
    except NoMatrixForm:
        pass
    return None


def commutation(style: Style) -> str:
    """What the commutation matrix is called: K, where no input is."""
    return unused("K", style.reserved)


def uses_commutation(node: Expr, rows: int) -> bool:
    """Whether the commutation matrix K stands in the matrix notation."""
    return any(t.kind == "commuted" for terms, _ in readings(node, rows)[:1] for t in terms)


def _term_math(term: KroneckerTerm, style: Style, unit: int | None) -> Math:
    if term.kind == "blocks":
        if unit is not None:
            raise NoMatrixForm
        letter = _letter(style)
        inner = ts.Call("blockdiag", (slice_math(term.right, style, letter),))
        return _scaled(term, ts.Indexed(inner, (letter,)), style)
    assert term.left is not None
    term = _absorbed(term)
    assert term.left is not None
    places = {"kronecker": ((0, 2), (1, 3)), "commuted": ((0, 3), (1, 2)), "rank one": ((0, 1), (2, 3))}[term.kind]
    letter = "" if term.batch is None else _letter(style)
    a, b = (
        _piece(p, [x == unit for x in axes], style, letter)
        for p, axes in zip((term.left, term.right), places, strict=True)
    )
    m: Math
    if term.kind == "rank one":
        m = ts.Product((_vec(a, places[0], unit), ts.Transpose(_vec(b, places[1], unit))))
    elif _is_whole_identity(term):
        assert term.right is not None
        sizes = tuple(dimension_math(side.shape[0]) for side in (term.left, term.right))
        m = ts.Name(commutation(style)) if term.kind == "commuted" else ts.Identity(order=ts.Product(sizes))
    else:
        m = ts.Infix("kronecker", (a, b))
        if term.kind == "commuted":
            m = ts.Product((ts.Bracketed(m), ts.Name(commutation(style))))
    if letter:
        m = ts.BigSum((letter,), m)
    return _scaled(term, m, style)


def _absorbed(term: KroneckerTerm) -> KroneckerTerm:
    """I ⊗ (2 VᵀV), not 2 (I ⊗ VᵀV); a sign stays in front."""
    scalar = term.scalar
    number = isinstance(scalar, Contraction) and not scalar.factors and scalar.coefficient.value > 0
    sides = [isinstance(p, Contraction) and not p.factors and len(set(p.out)) == 1 for p in (term.left, term.right)]
    if not number or sides[0] == sides[1] or term.kind == "rank one" or term.left is None:
        return term
    one, changed = contract([], ()), "right" if sides[0] else "left"
    side = term.right if sides[0] else term.left
    axes = range(side.ndim)
    new = contract([(scalar, (), P1), (side, axes, P1)], axes, dims=dict(enumerate(side.shape)), merge=True)
    return replace(term, right=new, scalar=one) if changed == "right" else replace(term, left=new, scalar=one)


def _vec(m: Math, axes: tuple[int, int], unit: int | None) -> Math:
    """vec of a matrix; a vector is itself, as a column."""
    if unit not in axes:
        return ts.Vec(m)
    return m.base if isinstance(m, ts.Transpose) else m


def _is_whole_identity(term: KroneckerTerm) -> bool:
    return all(isinstance(p, Contraction) and not p.factors and p.out == (0, 0) for p in (term.left, term.right))


def _piece(node: Expr, units: list[bool], style: Style, letter: str) -> Math:
    """One side; a matrix with a unit axis is printed as a column or a row."""
    offset = 1 if letter else 0
    if any(units) and isinstance(node, Contraction):
        keep = [k for k in range(node.ndim) if k < offset or not units[k - offset]]
        node = contract(
            node.factors, [node.out[k] for k in keep], node.coefficient, {node.out[k]: node.shape[k] for k in keep}
        )
    if letter:
        m = slice_math(node, style, letter)
        return ts.Transpose(m) if units == [True, False] else m
    return matrix_math(node, style, turned=units == [True, False])


def _letter(style: Style) -> str:
    return "b" if "b" not in style.reserved else free_letters(style, 1)[0]


def _scaled(term: KroneckerTerm, m: Math, style: Style) -> Math:
    """The scalar in front, and the diagonal scalings at both sides."""
    around: list[Math] = []
    if term.rows is not None:
        around.append(_diagonal(term.rows, style))
    if not (around and isinstance(m, ts.Identity)):
        around.append(
            ts.Bracketed(m) if isinstance(m, ts.Infix) and not (term.rows is None and term.columns is None) else m
        )
    if term.columns is not None:
        around.append(_diagonal(term.columns, style))
    body = around[0] if len(around) == 1 else ts.Product(tuple(around))
    positive, scalar = unsigned(matrix_math(term.scalar, style))
    if not _is_one(scalar):
        items = body.items if isinstance(body, ts.Product) else (body,)
        body = ts.Product((scalar, *items))
    return body if positive else ts.Negative(body)


def _diagonal(matrix: Expr, style: Style) -> Math:
    return ts.Call("diag", (ts.Vec(matrix_math(matrix, style)),))


def _is_one(m: Math) -> bool:
    return isinstance(m, ts.Number) and m.value == 1

"""A stack of matrices written slice by slice: G_b B_bᵀ."""

from __future__ import annotations

from dataclasses import replace

from byhand.expr.contraction import combine, contract, elementwise
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Sum, Symbol, symbol
from byhand.notation import typeset as ts
from byhand.notation.matrix import matrix_math
from byhand.notation.style import Style, name_math
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm


def slice_math(node: Expr, style: Style, letter: str) -> Math:
    """The slice of a stack at index `letter` of its first axis, in matrix notation.

    Raises: NoMatrixForm: it is no stack, or a slice has no matrix form.
    """
    if node.ndim < 3:
        raise NoMatrixForm
    labels: dict[Expr, Math] = dict(style.labels)
    sliced = _at(node, 0, letter, labels, style)
    return matrix_math(sliced, replace(style, labels=labels))


def _at(node: Expr, axis: int, letter: str, labels: dict[Expr, Math], style: Style) -> Expr:
    shape = node.shape[:axis] + node.shape[axis + 1 :]
    match node:
        case Symbol() | Named():
            new = symbol(f"{node.name}_{axis}{letter}", shape)
            labels[new] = ts.Indexed(name_math(node, style), (*[":"] * axis, letter))
            return new
        case Sum(terms):
            return combine((c, _at(t, axis, letter, labels, style)) for c, t in terms)
        case Elementwise(function, arg):
            return elementwise(function, _at(arg, axis, letter, labels, style))
        case Contraction():
            gone = node.out[axis]
            if node.out.count(gone) > 1 or any(ls.count(gone) > 1 for _, ls, _ in node.factors):
                raise NoMatrixForm
            factors = [
                (_at(f, ls.index(gone), letter, labels, style), tuple(x for x in ls if x != gone), p)
                if gone in ls
                else (f, ls, p)
                for f, ls, p in node.factors
            ]
            dims = {k: n for k, n in enumerate(node.dims) if k != gone}
            return contract(factors, node.out[:axis] + node.out[axis + 1 :], node.coefficient, dims)
    raise NoMatrixForm

"""Floating-point operations of a node, as polynomials in the named dimensions.

An addition, subtraction, multiplication, division, comparison, and the value of an elementwise function count as one
each, as they are written in the formula: products of matrices by the schoolbook. An inverse counts as 2 n³, the
solution of a linear system as n³ and 2 n² for each right-hand side, a determinant as n³ (all rounded up).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from byhand.code.writer import squeezes, view_of
from byhand.errors import MissingRuleError
from byhand.expr.dims import MINUS_ONE, ONE, Dim, Dimension, Floor, Shape, add_dims, multiply_dims
from byhand.program.ops import (
    Add,
    Axes,
    Contract,
    Eye,
    Input,
    Kernel,
    Map,
    Mul,
    Number,
    Op,
    Pad,
    Reshape,
    Scatter,
    Slice,
    Take,
)
from byhand.program.rewrite import multiplicity


def size(shape: Shape) -> Dim:
    """The number of entries."""
    total: Dim = 1
    for d in shape:
        total = multiply_dims(total, d)
    return total


def plus(terms: Iterable[Dim]) -> Dim:
    """The sum of polynomials."""
    total: Dim = 0
    for d in terms:
        total = add_dims(total, d)
    return total


def times(k: int, d: Dim) -> Dim:
    """k times a polynomial."""
    return multiply_dims(k, d)


def formula(d: Dim) -> str:
    """A polynomial with its terms of the highest degree first.

    >>> from byhand.expr.dims import parse_dim
    >>> n, k = parse_dim("n"), parse_dim("k")
    >>> formula(plus([times(-1, n), times(2, multiply_dims(n, k))]))
    '2*k*n - n'
    """
    if not isinstance(d, Dimension):
        return str(d)
    text = ""
    for monomial, factor in sorted(d.terms, key=lambda t: (-sum(p for _, p in t[0]), t[1] < 0, t[0])):
        words = [str(abs(factor))] if abs(factor) != 1 or not monomial else []
        bracketed = [(f"({name})" if isinstance(name, Floor) else name, p) for name, p in monomial]
        words += [name if p == 1 else f"{name}**{p}" for name, p in bracketed]
        sign = (" - " if factor < 0 else " + ") if text else ("-" if factor < 0 else "")
        text += sign + "*".join(words)
    return text


def operations(op: Op) -> Dim:
    """The floating-point operations of a node, those of its parts included.

    Raises: MissingRuleError: a structured operation has no row.
    """
    return plus(times(n, own(part)) for part, n in multiplicity([op]).items())


def own(op: Op) -> Dim:
    """The operations of a node alone.

    Raises: MissingRuleError: the structured operation has no row.
    """
    match op:
        case Input() | Number() | Eye() | Slice() | Pad() | Take() | Reshape() | Map(function="real"):
            return 0
        case Map():
            return size(op.shape)
        case Add():
            return _sum(op)
        case Mul():
            return _product(op)
        case Contract():
            return _contraction(op)
        case Scatter(arg=arg):
            return size(arg.shape)
        case Kernel():
            return _kernel(op)
        case _:
            assert_never(op)


def _sum(op: Add) -> Dim:
    """An addition for each entry, a multiplication for each coefficient; what is only put together costs nothing."""
    if all(isinstance(t, Pad) for _, t, _ in op.terms):
        return 0
    scaled = [size(t.shape) for c, t, _ in op.terms if c not in (ONE, MINUS_ONE)]
    return plus([times(len(op.terms) - 1, size(op.shape)), *scaled])


def _product(op: Mul) -> Dim:
    """Numbers are multiplied first, arrays with the same axes next, then each entry once; small whole powers are products."""
    if view_of(op) is not None or not op.factors:
        return 0
    powers = [
        times(int(abs(p)) - 1 if abs(p) in (2, 3, 4) else 1, size(f.shape)) for f, _, p in op.factors if abs(p) != 1
    ]
    scalars = sum(not axes for _, axes, _ in op.factors)
    number = op.coefficient not in (ONE, MINUS_ONE)
    groups: dict[Axes, int] = {}
    for _, axes, _ in op.factors:
        groups[axes] = groups.get(axes, 0) + bool(axes)
    groups.pop((), None)
    if not groups:
        alone = scalars == 1 and op.factors[0][2] == -1
        return plus([max(0, scalars - 1 + (number or alone)), *powers])
    small = [times(n - 1, size(tuple(op.shape[a] for a in axes))) for axes, n in groups.items()]
    inverse = len(op.factors) == 1 and op.factors[0][2] == -1 and not number
    whole = len(groups) - 1 + bool(scalars or number or inverse)
    return plus([max(0, scalars - 1 + (number and scalars > 0)), *powers, *small, times(whole, size(op.shape))])


def _contraction(op: Contract) -> Dim:
    """A multiplication for each combination of labels where there are two operands, and an addition for all but the first."""
    if squeezes(op):
        return 0
    loops = size(op.sizes)
    return plus([times(len(op.operands), loops), times(-1, size(op.shape))])


def _rows(op: Kernel) -> Dim:
    """How many rows a log-sum-exp has."""
    return size(tuple(n for axis, n in enumerate(op.args[0].shape) if axis not in op.attributes[0]))


def _kernel(op: Kernel) -> Dim:
    entries = size(op.args[0].shape) if op.args else 0
    match op.operation:
        case "softmax":  # the largest, the difference, exp, the sum, the quotient
            return plus([times(5, entries), times(-2, _rows(op))])
        case "log_softmax":
            return plus([times(5, entries), times(-1, _rows(op))])
        case "logsumexp":
            return times(4, entries)
        case "inv" | "det" | "logdet" | "adjugate":  # an adjugate takes a singular value decomposition
            n = op.args[0].shape[0]
            cube = multiply_dims(n, multiply_dims(n, n))
            return times({"inv": 2, "adjugate": 22}.get(op.operation, 1), cube)
        case "solve":
            a, b = (arg.shape for arg in op.args)
            return plus([multiply_dims(a[0], multiply_dims(a[0], a[0])), times(2, multiply_dims(a[0], size(b)))])
        case "heaviside" | "kron":
            return size(op.shape)
        case "max" | "winner" | "argmax":
            return entries
        case "one_hot" | "affine" | "triangle" | "arange":
            return 0
    raise MissingRuleError(f"the operations of {op.operation} are not counted", "add a case to byhand/code/counting.py")


__all__ = ["formula", "operations", "own", "plus", "size", "times"]

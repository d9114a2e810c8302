"""What may stand as an operand: nodes, numbers, dimensions; and how operands are named in shape errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from operator import index
from typing import Any

from byhand.errors import ParseError, ShapeError
from byhand.expr.contraction import contract, filled, number, scale, transpose
from byhand.expr.dims import (
    LARGEST_DIMENSION,
    ONE,
    Coefficient,
    Dim,
    Dimension,
    add_dims,
    dim_coefficient,
    multiply_dims,
    show_shape,
)
from byhand.expr.nodes import Constant, Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol

Operand = Expr | Dimension | int | float | Fraction


def misfit(template: str, operands: Sequence[Expr], fits: Sequence[str] = (), culprit: int = -1) -> ShapeError:
    """A shape error about operands; the parser restates it in the user's words."""
    return ShapeError.between(
        template, operands, [sketch(o) for o in operands], [show_shape(o.shape) for o in operands], fits, culprit
    )


def fitting(candidates: Iterable[tuple[str, Expr]], most: int = 3) -> list[str]:
    """What fits instead, built to be sure: '`X @ W` is (32, 256)'."""
    return [f"`{template}` is {show_shape(node.shape)}" for template, node in candidates][:most]


def sketch(node: Expr) -> str:
    """A short name of an operand for an error message."""
    match node:
        case Symbol(name) | Named(name) | Constant(name):
            return name
        case Elementwise(function, arg) | Structured(function, (arg, *_)):
            inner = sketch(arg)
            return f"{function}(...)" if inner == "(...)" else f"{function}({inner})"
        case Contraction() if (
            node.coefficient == ONE and len(node.factors) == 1 and node is transpose(node.factors[0][0])
        ):
            return f"{sketch(node.factors[0][0])}.T"
        case _:
            exact = exact_number(node)
            return "(...)" if exact is None else str(exact)


def as_fraction(x: int | float | Fraction) -> Fraction:
    """A number as the exact decimal that its user wrote."""
    if isinstance(x, bool) or not isinstance(x, (int, float, Fraction)):
        raise ParseError(f"{x!r} is not a number")
    if isinstance(x, float) and not isfinite(x):
        raise ParseError(f"{x} is not a finite number")
    if isinstance(x, int) and x.bit_length() > 1023:
        raise ParseError("a number beyond the range of double precision")
    return Fraction(Decimal(repr(float(x)))) if isinstance(x, float) else Fraction(x)


def lift(x: object) -> Expr:
    """A number or a dimension as a scalar node; nodes stay."""
    if isinstance(x, Expr):
        return x
    if isinstance(x, Dimension):
        return contract([], (), dim_coefficient(x))
    if isinstance(x, (int, float, Fraction)) and not isinstance(x, bool):
        return number(as_fraction(x))
    if isinstance(getattr(x, "shape", None), tuple) and hasattr(x, "item"):
        return _lifted_array(x)
    article = "an" if type(x).__name__[0] in "aeiou" else "a"
    raise ParseError(f"{article} {type(x).__name__} cannot stand in an expression")


def _lifted_array(x: Any) -> Expr:
    """An array that is a number, constant (ones, zeros) or the identity; others belong among the arguments."""
    if x.shape == ():
        return lift(x.item())
    if x.size and getattr(x.dtype, "kind", "") in "iuf":
        first = x.flat[0].item()
        if (x == first).all():
            return filled(x.shape, Coefficient(as_fraction(first)))
        if (
            x.ndim == 2
            and x.shape[0] == x.shape[1]
            and first == 1
            and not (x.diagonal() != 1).any()
            and (x != 0).sum() == len(x)
        ):
            return contract([], "ii", dims={"i": len(x)})
    raise ParseError(
        f"an array of shape {show_shape(x.shape)} cannot stand in an expression",
        "make it an argument, with a shape of its own",
    )


def exact_number(node: Expr) -> Fraction | None:
    """The value of a node that is a plain number."""
    if isinstance(node, Contraction) and not node.factors and not node.out and not node.coefficient.dims:
        return node.coefficient.value
    return None


def as_dim(x: object) -> Dim:
    """A dimension, an integer, or an expression of them (2*n, m + 1) as the size of an axis."""
    size: Dim | None = None
    if isinstance(x, Dimension):
        return x
    if isinstance(x, Expr):
        size = dimension_of(x)
    elif not isinstance(x, bool):
        try:
            size = index(x)  # type: ignore[arg-type]
        except TypeError:
            size = None
    if size is None or (isinstance(size, int) and not 0 < size < LARGEST_DIMENSION):
        shown = x if isinstance(x, (int, float)) else sketch(x) if isinstance(x, Expr) else f"a {type(x).__name__}"
        raise ShapeError(f"{str(shown)[:40]} is not the size of an axis: a dimension's name or a positive integer")
    return size


def dimension_of(node: Expr) -> Dim | None:
    """The dimension that a scalar made of dimensions and integers is, if it is one."""
    if isinstance(node, Sum) and len(node.terms) <= 8:
        total: Dim = 0
        for coefficient, term in node.terms:
            part = dimension_of(scale(coefficient, term))
            if part is None:
                return None
            total = add_dims(total, part)
        return total
    if not isinstance(node, Contraction) or node.factors or node.out or node.coefficient.value.denominator != 1:
        return None
    product: Dim = node.coefficient.value.numerator
    for d, p in node.coefficient.dims:
        if p.denominator != 1 or not 0 < p <= 8:
            return None
        for _ in range(int(p)):
            product = multiply_dims(product, d)
    return product

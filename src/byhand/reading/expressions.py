"""The algebra of expressions: a formula that is read becomes a node of byhand's own, to be differentiated and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction as Rational
from typing import Any

from byhand.expr import contraction, surface
from byhand.expr.contraction import P1, contract
from byhand.expr.dims import Dim, Shape, add_dims, dim_coefficient, multiply_dims
from byhand.expr.indexmaps import joined
from byhand.expr.nodes import Expr
from byhand.expr.operations import apply
from byhand.expr.vocabulary import VOCABULARY
from byhand.reading.algebra import Label
from byhand.reading.tokens import UnreadableError


class Expressions:
    """Nodes of expressions; a dimension is an integer or symbolic."""

    def number(self, value: Rational) -> Expr:
        return contraction.number(value)

    def size(self, dim: Dim) -> Expr:
        return contract([], (), dim_coefficient(dim))

    def shape(self, data: Expr) -> Shape:
        return data.shape

    def einsum(
        self, operands: Sequence[tuple[Expr, Sequence[Label]]], out: Sequence[Label], dims: Mapping[Label, Dim]
    ) -> Expr:
        return contract([(data, labels, P1) for data, labels in operands], out, dims=dims)

    def add(self, terms: Sequence[tuple[int, Expr]]) -> Expr:
        return contraction.add(*(x if sign > 0 else surface.negative(x) for sign, x in terms))

    def function(self, name: str, data: Expr) -> Expr:
        return contraction.elementwise(name, data)

    def power(self, data: Expr, exponent: Any) -> Expr:
        return surface.power(data, exponent)

    def eye(self, dim: Dim) -> Expr:
        return contract([], (0, 0), dims={0: dim})

    def kron(self, left: Expr, right: Expr) -> Expr:
        return self._called("kron", left, right)

    def inverse(self, data: Expr) -> Expr:
        return self._called("inv", data)

    def determinant(self, data: Expr, log: bool) -> Expr:
        return self._called("logdet" if log else "det", data)

    def over(self, operation: str, data: Expr, axes: tuple[int, ...]) -> Expr:
        return apply(operation, data, attributes=(axes,))

    def compare(self, left: Expr, sign: str, right: Expr) -> Expr:
        return surface.compare(left, {"≥": ">=", "≤": "<=", "=": "==", "≠": "!="}.get(sign, sign), right)

    def masked(self, data: Expr, mask: Expr) -> Expr:
        return data

    def stacked(self, data: Expr) -> Expr:
        pairs = joined(*data.shape)
        return contract([(data, (0, 1), P1), (pairs, (2, 0, 1), P1)], (2, 3), dims={3: 1})

    def plus(self, left: Dim, right: Dim) -> Dim:
        return add_dims(left, right)

    def times(self, left: Dim, right: Dim) -> Dim:
        return multiply_dims(left, right)

    def counting(self, first: Dim, dim: Dim) -> Expr:
        raise UnreadableError("an index as a number")

    def picker(self, places: Expr, dim: Dim) -> Expr:
        raise UnreadableError("an index that is calculated")

    def pick(self, data: Expr, axis: int, index: int) -> Expr:
        return data[(*[slice(None)] * axis, index)]

    def where(self, condition: Expr, one: Expr, other: Expr) -> Expr:
        return self._called("where", condition, one, other)

    def extreme(self, name: str, one: Expr, other: Expr) -> Expr:
        return self._called(name, one, other)

    def _called(self, name: str, *arguments: Expr) -> Expr:
        made = VOCABULARY[name](*arguments)
        assert isinstance(made, Expr)
        return made

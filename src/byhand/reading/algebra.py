"""What a formula is calculated with: an algebra of arrays whose axes carry labels. NumPy's is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction as Rational
from typing import Any, Protocol

import numpy as np

from byhand.errors import ByhandError
from byhand.expr import numeric
from byhand.expr.functions import FUNCTIONS
from byhand.reading.tree import Node

Label = Any


class MismatchError(ByhandError):
    """A formula that is read and has no value: the shapes do not fit.

    Attributes:
        node: the part that has none.
    """

    def __init__(self, reason: str, node: Node | None = None) -> None:
        super().__init__(reason)
        self.node = node


class Algebra(Protocol):
    """Arrays of some kind: numbers (`NumPy`), or expressions."""

    def number(self, value: Rational) -> Any:
        """A number, shape ()."""

    def size(self, dim: Any) -> Any:
        """A dimension as a number, shape ()."""

    def shape(self, data: Any) -> tuple[Any, ...]:
        """The dimensions of an array."""

    def einsum(
        self, operands: Sequence[tuple[Any, Sequence[Label]]], out: Sequence[Label], dims: Mapping[Label, Any]
    ) -> Any:
        """Σ over the labels that are not in `out`; `dims` gives the dimension of labels that no operand has."""

    def add(self, terms: Sequence[tuple[int, Any]]) -> Any:
        """A sum of arrays of one shape, with signs."""

    def function(self, name: str, data: Any) -> Any:
        """A function entry by entry, by its name in the table of functions."""

    def power(self, data: Any, exponent: Any) -> Any:
        """Entries to a power: a rational number, or an array of the same shape."""

    def eye(self, dim: Any) -> Any:
        """The identity."""

    def kron(self, left: Any, right: Any) -> Any:
        """The Kronecker product of two matrices."""

    def inverse(self, data: Any) -> Any:
        """The inverse of a matrix, the last two axes."""

    def determinant(self, data: Any, log: bool) -> Any:
        """det, or log|det|, of the last two axes."""

    def over(self, operation: str, data: Any, axes: tuple[int, ...]) -> Any:
        """softmax, log_softmax (same shape) or logsumexp (without the axes), over axes."""

    def compare(self, left: Any, sign: str, right: Any) -> Any:
        """1 where it holds, else 0."""

    def masked(self, data: Any, mask: Any) -> Any:
        """A product, zero where the mask is, whatever else stands there."""

    def stacked(self, data: Any) -> Any:
        """The rows of a matrix, one under the other, as a matrix of one column."""

    def plus(self, left: Any, right: Any) -> Any:
        """The sum of two dimensions."""

    def times(self, left: Any, right: Any) -> Any:
        """The product of two dimensions."""

    def counting(self, first: Any, dim: Any) -> Any:
        """first, first + 1, …: `dim` numbers."""

    def picker(self, places: Any, dim: Any) -> Any:
        """1 at a place of an axis, else 0: the axis after those of `places`, which count from 0."""

    def pick(self, data: Any, axis: int, index: int) -> Any:
        """The array at one place of an axis, counted from 0; a negative one from the end."""

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        """One of two arrays of one shape, entry by entry."""

    def extreme(self, name: str, one: Any, other: Any) -> Any:
        """maximum or minimum, entry by entry."""


class NumPy:
    """Arrays of numbers; a dimension is an integer."""

    def number(self, value: Rational) -> Any:
        return np.asarray(float(value))

    def size(self, dim: int) -> Any:
        return np.asarray(float(dim))

    def shape(self, data: Any) -> tuple[int, ...]:
        return np.shape(data)

    def einsum(
        self, operands: Sequence[tuple[Any, Sequence[Label]]], out: Sequence[Label], dims: Mapping[Label, int]
    ) -> Any:
        sizes = dict(dims)
        for data, labels in operands:
            sizes |= dict(zip(labels, np.shape(data), strict=True))
        index = {label: k for k, label in enumerate(sizes)}
        arrays = [*operands]
        had = {label for _, labels in arrays for label in labels}
        arrays += [(np.ones(sizes[label]), [label]) for label in dict.fromkeys(out) if label not in had]
        if not arrays:
            arrays = [(np.asarray(1.0), [])]
        flat: list[Any] = []
        for data, labels in arrays:
            flat += [np.asarray(data), [index[label] for label in labels]]
        made = np.einsum(*flat, [index[label] for label in out], optimize=len(arrays) > 2)
        for label in dims:
            if label not in had and label not in out:
                made = made * sizes[label]
        return made

    def add(self, terms: Sequence[tuple[int, Any]]) -> Any:
        return sum(sign * data for sign, data in terms)

    def function(self, name: str, data: Any) -> Any:
        return FUNCTIONS[name].numpy(np.asarray(data, dtype=float))

    def power(self, data: Any, exponent: Any) -> Any:
        if isinstance(exponent, Rational):
            if exponent == Rational(1, 2):
                return np.sqrt(data)
            exponent = int(exponent) if exponent.denominator == 1 else float(exponent)
        return np.asarray(data, dtype=float) ** exponent

    def eye(self, dim: int) -> Any:
        return np.eye(dim)

    def kron(self, left: Any, right: Any) -> Any:
        return np.kron(left, right)

    def inverse(self, data: Any) -> Any:
        return np.linalg.inv(data)

    def determinant(self, data: Any, log: bool) -> Any:
        return numeric.logdet(data) if log else np.linalg.det(data)

    def over(self, operation: str, data: Any, axes: tuple[int, ...]) -> Any:
        return {"softmax": numeric.softmax, "log_softmax": numeric.log_softmax, "logsumexp": numeric.logsumexp}[
            operation
        ](data, axes)

    def compare(self, left: Any, sign: str, right: Any) -> Any:
        compared = {
            ">": np.greater, "<": np.less, "≥": np.greater_equal, "≤": np.less_equal, "=": np.equal, "≠": np.not_equal,
        }[sign]  # fmt: skip
        return compared(left, right) * 1.0

    def masked(self, data: Any, mask: Any) -> Any:
        return np.where(mask == 0, 0.0, data)

    def stacked(self, data: Any) -> Any:
        return np.reshape(data, (-1, 1))

    def plus(self, left: int, right: int) -> int:
        return left + right

    def times(self, left: int, right: int) -> int:
        return left * right

    def counting(self, first: int, dim: int) -> Any:
        return first + np.arange(float(dim))

    def picker(self, places: Any, dim: int) -> Any:
        if np.any(places != np.round(places)) or np.any(places < 0) or np.any(places >= dim):
            raise MismatchError(f"an index runs to {np.max(places):g}, beyond an axis of {dim}")
        return (np.asarray(places)[..., None] == np.arange(dim)) * 1.0

    def pick(self, data: Any, axis: int, index: int) -> Any:
        return np.take(data, index, axis=axis)

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        return np.where(condition != 0, one, other)

    def extreme(self, name: str, one: Any, other: Any) -> Any:
        return (np.maximum if name == "maximum" else np.minimum)(one, other)

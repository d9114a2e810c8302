"""Values of formulas: numbers and matrices, one for each value of the letters that they are made of.

A value without letters is a number or a matrix; vectors are matrices of one column or one row. With letters, the first
axes of the array belong to them. `I` has no size until it stands beside a matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

Array = Any


class MisreadError(Exception):
    """What is printed is no formula: shapes that do not fit, a letter without a range, an index beyond its axis."""


class UnsaidError(Exception):
    """The formula does not say a size that its value needs."""


@dataclass(frozen=True, eq=False)
class Value:
    """A value.

    Attributes:
        array: axes of the letters, then two of the matrix where it is one.
        letters: the letters that it depends on.
        matrix: whether it is a matrix (else a number).
        constant: whether it is a number made of numerals and sizes, which stands for all entries in a sum.
        identity: whether it is this number times an identity matrix of unknown size.
        mask: whether its zeros are those of a condition: they stay zero beside what is undefined there.
    """

    array: Array
    letters: tuple[str, ...] = ()
    matrix: bool = False
    constant: bool = False
    identity: bool = False
    mask: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns; () of a number."""
        return tuple(self.array.shape[-2:]) if self.matrix else ()

    def sized(self, shape: tuple[int, ...]) -> Value:
        """The identity with the size of a square matrix beside it."""
        if not self.identity:
            return self
        if len(shape) != 2 or shape[0] != shape[1]:
            raise MisreadError(f"I beside {shape}")
        return Value(self.array[..., None, None] * np.eye(shape[0]), self.letters, True)


def number(x: float, constant: bool = False) -> Value:
    """A number."""
    return Value(np.asarray(x, float), constant=constant)


def matrix(array: Array, letters: tuple[str, ...] = ()) -> Value:
    """A matrix; one of a single entry is a number."""
    if array.shape[-2:] == (1, 1):
        return Value(array[..., 0, 0], letters)
    return Value(array, letters, True)


def aligned(values: Sequence[Value], order: Iterable[str] | None = None) -> tuple[tuple[str, ...], list[Array]]:
    """The letters of all, and the arrays with an axis for each of them (of length 1 where a value does not have it)."""
    letters = tuple(dict.fromkeys(x for v in values for x in v.letters)) if order is None else tuple(order)
    arrays = []
    for v in values:
        own = [v.letters.index(x) for x in letters if x in v.letters]
        a = np.transpose(v.array, [*own, *range(len(v.letters), v.array.ndim)])
        lengths = iter(a.shape)
        arrays.append(a.reshape((*(next(lengths) if x in v.letters else 1 for x in letters), *v.shape)))
    return letters, arrays


def entrywise(operation: Callable[..., Array], *values: Value, numbers: str = "") -> Value:
    """An operation on each entry; shapes are equal, or all are numbers.

    Args:
        operation: on arrays of one shape.
        values: the operands.
        numbers: "constant": numerals and sizes stand for all entries; "all": every number does.
    """
    shapes = {v.shape for v in values if v.matrix}
    if len(shapes) > 1:
        raise MisreadError(f"shapes {' and '.join(map(str, sorted(shapes)))} entry by entry")
    if any(v.identity for v in values):
        if not shapes:
            raise UnsaidError("the size of I")
        values = tuple(v.sized(next(iter(shapes))) for v in values)
    if shapes and any(not v.matrix and not (numbers == "all" or (numbers and v.constant)) for v in values):
        raise MisreadError("a number entry by entry with a matrix")
    letters, arrays = aligned(values)
    if shapes:
        arrays = [a if v.matrix else a[..., None, None] for v, a in zip(values, arrays, strict=True)]
    found = np.asarray(operation(*arrays))
    above = len(values) if operation is np.multiply else int(operation is np.divide)  # how many operands are factors
    masks = [a for v, a in zip(values[:above], arrays, strict=False) if v.mask]
    return Value(masked(found, masks), letters, bool(shapes), all(v.constant for v in values), mask=bool(masks))


def masked(product: Array, masks: Sequence[Array]) -> Array:
    """A product, zero where a condition in it does not hold."""
    for m in masks:
        product = np.where(m == 0, 0.0, product)
    return product


def added(terms: Sequence[tuple[bool, Value]]) -> Value:
    """A sum; multiples of I may stand among the terms."""
    if len(terms) == 1:
        ((plus, v),) = terms
        return v if plus else replace(v, array=-v.array)
    values = [v if plus else replace(v, array=-v.array) for plus, v in terms]
    if all(v.identity for v in values):
        total = added([(True, replace(v, identity=False)) for v in values])
        return replace(total, identity=True)

    def total_of(*arrays: Array) -> Array:
        total = arrays[0]
        for a in arrays[1:]:
            total = total + a
        return total

    return entrywise(total_of, *values, numbers="all")


def multiplied(values: Sequence[Value], summed: Sequence[str] = (), lengths: Sequence[int] = ()) -> Value:
    """Factors side by side: numbers scale, matrices multiply; then the sum over some of the letters."""
    scalars = [v for v in values if not v.matrix and not v.identity]
    result: Value | None = None
    for v in values:
        if v.identity and result is not None:
            scalars.append(replace(v, identity=False))
        elif v.identity or (v.matrix and result is None):
            result = v
        elif v.matrix and result is not None and result.identity:
            scalars.append(replace(result, identity=False))
            result = v
        elif v.matrix and result is not None:
            if result.shape[1] != v.shape[0]:
                raise MisreadError(f"a product of shapes {result.shape} and {v.shape}")
            letters, (a, b) = aligned((result, v))
            result = matrix(a @ b, letters)
            if not result.matrix:  # a row times a column is a number, and what follows begins anew
                scalars.append(result)
                result = None
    constant = result is None and all(v.constant for v in scalars)
    if result is None:
        return replace(_contracted(scalars, summed, lengths), constant=constant)
    if not scalars and not summed:
        return result
    factor = _contracted(scalars, (), ()) if scalars else number(1.0)
    letters, (a, b) = aligned((factor, result))
    a = a[..., None, None] if result.matrix else a
    product = Value(a * b, letters, result.matrix, identity=result.identity, mask=result.mask)
    return summed_over(product, summed, lengths)


def _contracted(scalars: Sequence[Value], summed: Sequence[str], lengths: Sequence[int]) -> Value:
    """The product of numbers, summed over letters; a letter that none has counts its range."""
    letters = tuple(dict.fromkeys(x for v in scalars for x in v.letters))
    kept = tuple(x for x in letters if x not in summed)
    place = {x: k for k, x in enumerate(letters)}
    if len(scalars) == 1 and not summed:
        return scalars[0]
    if any(v.mask for v in scalars):
        _, arrays = aligned(scalars, letters)
        masks = [a for v, a in zip(scalars, arrays, strict=True) if v.mask]
        product = Value(masked(reduce(np.multiply, arrays), masks), letters, mask=True)
        return summed_over(product, summed, lengths)
    operands = [part for v in scalars for part in (v.array, [place[x] for x in v.letters])]
    found = np.einsum(*operands, [place[x] for x in kept], optimize=len(scalars) > 2)
    for x, n in zip(summed, lengths, strict=True):
        if x not in letters:
            found = found * n
    return Value(np.asarray(found), kept)


def summed_over(v: Value, summed: Sequence[str], lengths: Sequence[int]) -> Value:
    """The sum over letters; one that the value does not have counts its range."""
    array, letters = v.array, v.letters
    for x, n in zip(summed, lengths, strict=True):
        if x in letters:
            array = array.sum(axis=letters.index(x))
            letters = tuple(y for y in letters if y != x)
        else:
            array = array * n
    return replace(v, array=array, letters=letters)

"""Sizes that stand for named dimensions while another library traces with integers.

A name is traced as a prime that the program has no reason to contain, and read back by divisibility: 211 is N, 422 is 2 N,
210 is N - 1, 1/211 is 1/N, the root of 211 is √N. What was read is proved by running the program at other sizes (`proof`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from byhand.expr.contraction import contract
from byhand.expr.dims import (
    ONE,
    Coefficient,
    Dim,
    Shape,
    add_dims,
    dim_coefficient,
    dim_names,
    dim_value,
    multiply_dims,
    named_dimension,
    parse_shape,
)
from byhand.expr.nodes import Expr
from byhand.expr.operands import as_fraction, lift

# far from each other, so that what is near one is not near another
TRACED = ((211, 241, 271, 307, 337, 367, 397, 431, 461, 491), (223, 257, 283, 313, 347, 373, 409, 439, 467, 499))
NEAR = 8  # N - 8 ... N + 8
SMALLEST = 64  # numerators and denominators beside a dimension
EXACT = 1e-13  # relative, between a literal and what it stands for


class Sizes:
    """The sizes of one trace.

    Args:
        shapes: of the inputs, as the user wrote them.
        given: sizes of names that are known; the others are primes of the row `which`.
    """

    def __init__(self, shapes: Mapping[str, Shape], given: Mapping[str, int] | None = None, which: int = 0) -> None:
        names = dict.fromkeys(n for shape in shapes.values() for d in shape for n in sorted(dim_names(d)))
        free = iter(TRACED[which])
        self.of: dict[str, int] = {n: (given or {}).get(n) or next(free) for n in names}
        self.traced = {p: n for n, p in self.of.items() if n not in (given or {})}
        self.known: dict[int, Dim] = {}

    def concrete(self, shape: Iterable[Dim]) -> tuple[int, ...]:
        """The sizes to trace with."""
        return tuple(dim_value(d, self.of) for d in shape)

    def learn(self, sizes: Sequence[int], shape: Shape) -> None:
        """A result of these sizes has this shape: what no prime tells is remembered."""
        for size, d in zip(sizes, shape, strict=False):
            if not isinstance(d, int) and self.dim(size) != d and dim_value(d, self.of) == size:
                self.known[size] = d

    def dim(self, size: int) -> Dim:
        """What a size stands for."""
        if size in self.known:
            return self.known[size]
        rest, product = int(size), 1  # type: int, Dim
        for p, name in self.traced.items():
            while rest > 1 and rest % p == 0:
                rest //= p
                product = multiply_dims(product, named_dimension(name))
        if product == 1 and size > NEAR:
            for p, name in self.traced.items():
                if 0 < abs(size - p) <= NEAR:
                    return add_dims(named_dimension(name), int(size) - p)
        return multiply_dims(product, rest)

    def shape(self, sizes: Iterable[int]) -> Shape:
        """What the axes of a result stand for."""
        return tuple(self.dim(int(n)) for n in sizes)

    def number(self, x: float) -> Expr:
        """A literal: a dimension, a small multiple, its inverse or root, or the number as it stands."""
        value = float(x)
        if value == int(value) and abs(value) < 2**53:
            d = self.dim(abs(int(value)))
            return lift(int(value)) if isinstance(d, int) else contract([], (), _signed(dim_coefficient(d), value))
        return contract([], (), self._coefficient(value)) if value else lift(0)

    def _coefficient(self, value: float) -> Coefficient:
        products = [c for k in (1, 2, 3) for c in itertools.combinations_with_replacement(self.traced, k)]
        for exponent in (Fraction(-1), Fraction(1, 2), Fraction(-1, 2)):
            power = abs(value) ** float(1 / exponent)
            for primes in products:
                rest = power / math.prod(primes)
                near = Fraction(rest).limit_denominator(SMALLEST)
                if near.numerator > SMALLEST or not near or abs(rest - near) > EXACT * 8 * rest:
                    continue
                names = ONE
                for p in primes:
                    names = names.times(dim_coefficient(named_dimension(self.traced[p])))
                found = Coefficient(near).power(exponent)
                scaled = names.power(exponent)
                if found is not None and scaled is not None:
                    return _signed(found.times(scaled), value)
        return Coefficient(as_fraction(value))


def _signed(c: Coefficient, value: float) -> Coefficient:
    return c.times(Coefficient(Fraction(-1 if value < 0 else 1)))


def read_shapes(shapes: Mapping[str, object]) -> dict[str, Shape]:
    """Shapes as the user wrote them."""
    return {name: parse_shape(text) for name, text in shapes.items()}


def small_sizes(names: Iterable[str], taken: Iterable[int], start: int = 0) -> dict[str, int]:
    """Small pairwise distinct primes for names, none of them among those taken."""
    primes = [p for p in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43) if p not in {*taken}]
    return dict(zip(names, itertools.islice(itertools.cycle(primes), start, None), strict=False))

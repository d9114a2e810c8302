"""Dimensions (integers, names, and sums and products of names) and the coefficients made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from operator import index
from typing import NamedTuple

from byhand.errors import ParseError, ShapeError

Monomial = tuple[tuple[str, int], ...]


class Dimension(NamedTuple):
    """A symbolic dimension: a polynomial in named dimensions with integer coefficients, e.g. m, 2*n, m*n, m + 1."""

    terms: tuple[tuple[Monomial, int], ...]

    def __str__(self) -> str:
        def product(monomial: Monomial, factor: int) -> str:
            names = [name if power == 1 else f"{name}**{power}" for name, power in monomial]
            return "*".join(([str(factor)] if factor != 1 or not names else []) + names)

        return " + ".join(product(m, c) for m, c in self.terms).replace("+ -", "- ")


Dim = int | Dimension
Shape = tuple[Dim, ...]


@cache
def named_dimension(name: str) -> Dimension:
    """The dimension called `name`."""
    return Dimension(((((name, 1),), 1),))


def _terms(d: Dim) -> dict[Monomial, int]:
    return dict(d.terms) if isinstance(d, Dimension) else ({(): d} if d else {})


def _dimension(terms: Mapping[Monomial, int]) -> Dim:
    kept = {m: c for m, c in terms.items() if c}
    if set(kept) <= {()}:
        return kept.get((), 0)
    return Dimension(tuple(sorted(kept.items(), key=lambda t: (not t[0], t[0]))))


def add_dims(a: Dim, b: Dim) -> Dim:
    """The dimension of a concatenation."""
    total = _terms(a)
    for m, c in _terms(b).items():
        total[m] = total.get(m, 0) + c
    return _dimension(total)


def multiply_dims(a: Dim, b: Dim) -> Dim:
    """The dimension of a Kronecker product's axis."""
    total: dict[Monomial, int] = {}
    for m, c in _terms(a).items():
        for n, e in _terms(b).items():
            powers = dict(m)
            for name, power in n:
                powers[name] = powers.get(name, 0) + power
            key = tuple(sorted(powers.items()))
            total[key] = total.get(key, 0) + c * e
    return _dimension(total)


def dim_names(d: Dim) -> set[str]:
    """The names that a dimension is made of."""
    return {name for monomial, _ in d.terms for name, _ in monomial} if isinstance(d, Dimension) else set()


def dim_value(d: Dim, sizes: Mapping[str, int]) -> int:
    """The integer that a dimension stands for, given the sizes of its names."""
    if not isinstance(d, Dimension):
        return d
    total = 0
    for monomial, factor in d.terms:
        for name, power in monomial:
            if name not in sizes:
                raise ShapeError(f"the size of dimension {name} is unknown: no array given has it")
            factor *= sizes[name] ** power
        total += factor
    return total


LARGEST_DIMENSION = 2**40


def parse_shape(text: object) -> Shape:
    """Read a shape: names or integers separated by spaces or commas, "" for a scalar; or one size, or a sequence."""
    if isinstance(text, str):
        return tuple(map(parse_dim, shape_words(text)))
    if isinstance(text, (tuple, list)) and not isinstance(text, Dimension):
        return tuple(map(parse_dim, text))
    return (parse_dim(text),)


def shape_words(text: str) -> list[str]:
    """The parts of a shape written as text: "m n", "3, 4", "(3, 4)"."""
    inner = text.strip()
    inner = inner[1:-1] if inner[:1] + inner[-1:] in ("()", "[]") else inner
    return [part for part in re.split(r"[\s,]+", inner) if part]


def parse_dim(part: object) -> Dim:
    """Read one dimension: a positive integer or a name."""
    if isinstance(part, Dimension):
        return part
    size: int | None = None
    if isinstance(part, str):
        size = int(part) if part.isascii() and part.isdigit() and len(part) < 16 else None
        if size is None and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,31}", part):
            return named_dimension(part)
    elif not isinstance(part, bool) and hasattr(part, "__index__"):
        size = index(part)
    if size is None:
        raise ParseError(f"{str(part)[:40]!r} is not a dimension: a name such as n, or a positive integer")
    if not 1 <= size < LARGEST_DIMENSION:
        raise ShapeError(
            f"dimension {size}: a dimension is at least 1" if size < 1 else f"dimension {size} is too large"
        )
    return size


def show_shape(shape: Shape) -> str:
    """(m, n), (n,), () — as Python writes shapes."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


LARGEST_BITS = 2200  # numerators and denominators: float64 ends at 2**1024, and work stays bounded


class Coefficient(NamedTuple):
    """A rational number times a monomial in dimensions: 2, -1/2, 1/N, m*n."""

    value: Fraction
    dims: tuple[tuple[Dimension, Fraction], ...] = ()

    def times(self, other: Coefficient) -> Coefficient:
        """The product of two coefficients."""
        value = self.value * other.value
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > LARGEST_BITS:
            raise ParseError("a number beyond the range of double precision")
        if not (self.dims or other.dims):
            return Coefficient(value)
        powers = dict(self.dims)
        for d, p in other.dims:
            powers[d] = powers.get(d, Fraction(0)) + p
        return Coefficient(value, tuple(sorted((d, p) for d, p in powers.items() if p)))

    def power(self, p: Fraction) -> Coefficient | None:
        """The power, if it is a coefficient again (2 to the 1/2 is not)."""
        if self.value == 0 and p < 0:
            return None
        if p.denominator == 1:
            if abs(p) > 64 and self.value not in (0, 1, -1):
                return None
            return Coefficient(self.value ** int(p), tuple((d, q * p) for d, q in self.dims))
        if self.value < 0 or p.denominator > 16:
            return None
        top, bottom = _root(self.value.numerator, p.denominator), _root(self.value.denominator, p.denominator)
        if top is None or bottom is None or (top == 0 and p < 0):
            return None
        return Coefficient(Fraction(top, bottom) ** p.numerator, tuple((d, q * p) for d, q in self.dims))

    def evaluate(self, sizes: Mapping[str, int]) -> float:
        """The coefficient as a float, given the sizes of the named dimensions."""
        result = float(self.value)
        for d, p in self.dims:
            size = dim_value(d, sizes)
            result = result / size if p == -1 else result * float(size) ** float(p)
        return result


ONE = Coefficient(Fraction(1))
ZERO = Coefficient(Fraction(0))
MINUS_ONE = Coefficient(Fraction(-1))


def dim_coefficient(d: Dim) -> Coefficient:
    """A dimension as a coefficient; a product of names splits so that 1/m cancels against m*n."""
    if not isinstance(d, Dimension):
        return Coefficient(Fraction(d))
    if len(d.terms) > 1:
        return Coefficient(Fraction(1), ((d, Fraction(1)),))
    ((monomial, factor),) = d.terms
    return Coefficient(Fraction(factor), tuple(sorted((named_dimension(n), Fraction(p)) for n, p in monomial)))


def _root(value: int, degree: int) -> int | None:
    """The exact integer root, or None."""
    if value.bit_length() > 900:
        return None
    guess = round(value ** (1 / degree))
    return next((g for g in (guess - 1, guess, guess + 1) if g >= 0 and g**degree == value), None)

"""Dimensions (integers, names, their sums, products and whole quotients) and the coefficients made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from functools import cache
from operator import index
from typing import NamedTuple

from byhand.errors import DataError, ParseError, ShapeError

Monomial = tuple[tuple[str, int], ...]


class Dimension(NamedTuple):
    """A symbolic dimension: a polynomial in named dimensions with integer coefficients, e.g. m, 2*n, m*n, m + 1."""

    terms: tuple[tuple[Monomial, int], ...]

    def __str__(self) -> str:
        def product(monomial: Monomial, factor: int) -> str:
            alone = factor == 1 and len(monomial) == 1
            words = [f"({name})" if isinstance(name, Floor) and not alone else name for name, _ in monomial]
            names = [w if power == 1 else f"{w}**{power}" for w, (_, power) in zip(words, monomial, strict=True)]
            return "*".join(([str(factor)] if factor != 1 or not names else []) + names)

        return " + ".join(product(m, c) for m, c in self.terms).replace("+ -", "- ")


Dim = int | Dimension
Shape = tuple[Dim, ...]


class Floor(str):
    """The whole part of a quotient of dimensions, as a name in a monomial: (L + 1)//2.

    Attributes:
        over, by: what is divided by what.
    """

    over: Dim
    by: Dim


@cache
def named_dimension(name: str) -> Dimension:
    """The dimension called `name`."""
    return Dimension(((((name, 1),), 1),))


def terms_of(d: Dim) -> dict[Monomial, int]:
    """The coefficients of a dimension by monomial; of an integer, that of 1."""
    return dict(d.terms) if isinstance(d, Dimension) else ({(): d} if d else {})


def dim_from_terms(terms: Mapping[Monomial, int]) -> Dim:
    """The polynomial with these coefficients; an integer where it has no names."""
    kept = {m: c for m, c in terms.items() if c}
    if set(kept) <= {()}:
        return kept.get((), 0)
    return Dimension(tuple(sorted(kept.items(), key=lambda t: (not t[0], t[0]))))


def add_dims(a: Dim, b: Dim) -> Dim:
    """The dimension of a concatenation."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if b == 0 or a == 0:
        return a if b == 0 else b
    total = terms_of(a)
    for m, c in terms_of(b).items():
        total[m] = total.get(m, 0) + c
    return dim_from_terms(total)


def multiply_dims(a: Dim, b: Dim) -> Dim:
    """The dimension of a Kronecker product's axis."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    if a == 1 or b == 1:
        return b if a == 1 else a
    total: dict[Monomial, int] = {}
    for m, c in terms_of(a).items():
        for n, e in terms_of(b).items():
            powers = dict(m)
            for name, power in n:
                powers[name] = powers.get(name, 0) + power
            key = tuple(sorted(powers.items()))
            total[key] = total.get(key, 0) + c * e
    return dim_from_terms(total)


def floor_divide(a: Dim, b: Dim) -> Dim:
    """The whole part of a/b; what b divides stands outside of it: (2*n + 3)//2 is n + 1."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    exact = divide_dims(a, b)
    if exact is not None:
        return exact
    outside: Dim = 0
    if isinstance(b, int):
        terms = terms_of(a)
        quotients = {m: c // b for m, c in terms.items() if not m or not c % b}
        outside = dim_from_terms(quotients)
        a = add_dims(a, multiply_dims(-b, outside))
        if isinstance(a, int):
            return add_dims(outside, a // b)
        (inner, *_), *others = (*terms_of(a).items(), None)
        if others == [None] and isinstance(inner[0][0], Floor) and inner[0][1] == terms_of(a)[inner] == 1:
            name = inner[0][0]
            return add_dims(floor_divide(name.over, multiply_dims(name.by, b)), outside)
    over, by = (f"({d})" if not str(d).isalnum() else str(d) for d in (a, b))
    name = Floor(f"{over}//{by}")
    name.over, name.by = a, b
    return add_dims(Dimension(((((name, 1),), 1),)), outside)


def divide_dims(a: Dim, b: Dim) -> Dim | None:
    """The dimension whose product with b is a; None where there is none."""
    divisor, left, quotient = terms_of(b), terms_of(a), dict[Monomial, int]()
    if not divisor:
        return None
    lead = _leading(divisor)
    while left:
        top = _leading(left)
        count, rest = divmod(left[top], divisor[lead])
        powers = dict(top)
        for name, power in lead:
            powers[name] = powers.get(name, 0) - power
        if rest or any(p < 0 for p in powers.values()):
            return None
        part = {tuple(sorted((n, p) for n, p in powers.items() if p)): count}
        quotient |= part
        left = terms_of(add_dims(dim_from_terms(left), multiply_dims(-1, multiply_dims(dim_from_terms(part), b))))
    return dim_from_terms(quotient)


def _leading(terms: Mapping[Monomial, int]) -> Monomial:
    """The first monomial in an order that products keep: by degree, then by powers of names in their order."""
    names = sorted({name for m in terms for name, _ in m})
    return max(terms, key=lambda m: (sum(p for _, p in m), [dict(m).get(n, 0) for n in names]))


def never_negative(d: Dim) -> bool:
    """Whether a dimension made of others, each at least 1, is certainly not below 0."""
    if not isinstance(d, Dimension):
        return d >= 0
    for monomial, c in d.terms:  # b*(a//b) is at most a
        if len(monomial) == 1 and isinstance(monomial[0][0], Floor) and monomial[0][1] == 1 and c < 0:
            name = monomial[0][0]
            if isinstance(name.by, int) and not c % name.by:
                rest = dim_from_terms({m: k for m, k in d.terms if m != monomial})
                return never_negative(add_dims(rest, multiply_dims(c // name.by, name.over)))
    return sum(c for _, c in d.terms) >= 0 and all(c > 0 for monomial, c in d.terms if monomial)


def dim_names(d: Dim) -> set[str]:
    """The names that a dimension is made of."""
    if not isinstance(d, Dimension):
        return set()
    found: set[str] = set()
    for monomial, _ in d.terms:
        for name, _ in monomial:
            found |= dim_names(name.over) | dim_names(name.by) if isinstance(name, Floor) else {name}
    return found


def dim_value(d: Dim, sizes: Mapping[str, int]) -> int:
    """The integer that a dimension stands for, given the sizes of its names."""
    if not isinstance(d, Dimension):
        return d
    total = 0
    for monomial, factor in d.terms:
        for name, power in monomial:
            if isinstance(name, Floor):
                factor *= _whole_part(name, sizes) ** power
                continue
            if name not in sizes:
                raise ShapeError(f"the size of dimension {name} is unknown: no array given has it")
            factor *= sizes[name] ** power
        total += factor
    return total


def _whole_part(name: Floor, sizes: Mapping[str, int]) -> int:
    divisor = dim_value(name.by, sizes)
    if not divisor:
        raise ShapeError(f"dimension {name}: a division by zero")
    return dim_value(name.over, sizes) // divisor


LARGEST_DIMENSION = 2**40
LONGEST_DIMENSION, LARGEST_EXPONENT = 24, 8  # tokens of a dimension; m**8


def parse_shape(text: object) -> Shape:
    """Read a shape: names or integers separated by spaces or commas, "" for a scalar; or one size, or a sequence."""
    if isinstance(text, str):
        return tuple(map(parse_dim, shape_words(text)))
    if isinstance(text, (tuple, list)) and not isinstance(text, Dimension):
        return tuple(map(parse_dim, text))
    return (parse_dim(text),)


def shape_words(text: str) -> list[str]:
    """The parts of a shape written as text: "m n", "3, 4", "(3, 4)", "m*n n + 1"."""
    inner = text.strip()
    inner = inner[1:-1] if _enclosed(inner) else inner
    inner = re.sub(r"\s*(\*\*|//|[*+-])\s*", r"\1", inner)
    return [part for part in re.split(r"[\s,]+", inner) if part]


def _enclosed(text: str) -> bool:
    """Whether one pair of brackets holds all of a text."""
    if text[:1] + text[-1:] not in ("()", "[]"):
        return False
    depth = [text[: k + 1].count(text[0]) - text[: k + 1].count(text[-1]) for k in range(len(text))]
    return all(d > 0 for d in depth[:-1])


def parse_dim(part: object) -> Dim:
    """Read one dimension: a positive integer, a name, or what + - * // make of them: m*n, n+1, (L-1)//2, n**2."""
    if isinstance(part, Dimension):
        return part
    size: Dim | None = None
    if isinstance(part, str):
        tokens = re.findall(
            r"\*\*|//|[-+*()]|[A-Za-z][A-Za-z0-9_]{0,31}(?![A-Za-z0-9_])|[0-9]{1,15}(?![A-Za-z0-9_])", part
        )
        if "".join(tokens) == part and 0 < len(tokens) <= LONGEST_DIMENSION:
            size = _sum_of(tokens)
            if tokens:
                size = None
        if isinstance(size, Dimension):
            return size
    elif not isinstance(part, bool) and hasattr(part, "__index__"):
        with suppress(TypeError):  # an array has the method, and is an index only where it is one number
            size = index(part)
    if size is None:
        raise ParseError(
            f"{str(part)[:40]!r} is not a dimension: a name such as n, a positive integer, or m*n, n+1, n-2, n//2, n**2"
        )
    if not 1 <= size < LARGEST_DIMENSION:  # type: ignore[operator]
        raise ShapeError(
            f"dimension {size}: a dimension is at least 1" if size < 1 else f"dimension {size} is too large"  # type: ignore[operator]
        )
    return size


def _sum_of(tokens: list[str]) -> Dim | None:
    """The sum of products that the tokens begin with, which are taken off; None where there is none."""
    total: Dim = 0
    sign = 1
    while True:
        product, operator = _factor_of(tokens), ""
        while product is not None and tokens[:1] in (["*"], ["//"]):
            operator, factor = tokens.pop(0), _factor_of(tokens)
            if factor is None or (operator == "//" and factor == 0):
                return None
            product = multiply_dims(product, factor) if operator == "*" else floor_divide(product, factor)
        product = None if product is None else multiply_dims(sign, product)
        if product is None:
            return None
        total = add_dims(total, product)
        if not tokens or tokens[0] not in "+-":
            return total
        sign = 1 if tokens.pop(0) == "+" else -1


def _factor_of(tokens: list[str]) -> Dim | None:
    """The number, name or bracket that the tokens begin with, raised to a power if one follows."""
    word = tokens.pop(0) if tokens else ")"
    base: Dim | None = int(word) if word.isdigit() else named_dimension(word) if word[0].isalpha() else None
    if word == "(":
        base = _sum_of(tokens)
        if tokens[:1] != [")"]:
            return None
        tokens.pop(0)
    if base is not None and tokens[:1] == ["**"]:
        exponent = tokens[1] if len(tokens) > 1 else ""
        del tokens[:2]
        if not exponent.isdigit() or not 0 < int(exponent) <= LARGEST_EXPONENT:
            return None
        power: Dim = 1
        for _ in range(int(exponent)):
            power = multiply_dims(power, base)
        return power
    return base


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
        if other is ONE or self is ONE:
            return self if other is ONE else other
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
        """The coefficient as a float, given the sizes of the named dimensions.

        Raises: DataError: it is too large for a float, or divides by a size that is 0.
        """
        try:
            result = float(self.value)
        except OverflowError:
            raise DataError("a number beyond the range of double precision") from None
        for d, p in self.dims:
            size = dim_value(d, sizes)
            if size == 0 and p < 0:
                raise DataError(f"a division by {d}, which is 0 for these sizes")
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

"""Writer of Python source: how tightly they hold together, brackets, numbers, dimensions, subscripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple

from byhand.errors import ByhandError
from byhand.expr.dims import Coefficient, Dim, Dimension, Floor, Shape, add_dims


class Level(IntEnum):
    """How tightly a piece of source holds together; a place states the least it takes without brackets."""

    COMPARE = 0
    SUM = 1
    TIMES = 2  # * and /, and what begins with a minus
    MATMUL = 3  # as tight as * for Python; for readers it needs brackets beside one
    UNARY = 4
    POWER = 5
    ATOM = 6


class Code(NamedTuple):
    """A piece of source.

    Attributes:
        text: the source.
        level: how tightly it holds together.
        shape: the shape that its value has in code; what is missing to the shape of the form is left to broadcasting.
        view: whether its value shares memory with a name.
        plain: whether its value is a number of Python's, which takes the precision of the arrays that it meets.
        power_first: whether it begins with a power, which readers and formatters want in brackets after a minus.
    """

    text: str
    level: Level = Level.ATOM
    shape: Shape = ()
    view: bool = False
    plain: bool = False
    power_first: bool = False

    def at(self, least: Level) -> str:
        """The source in a place that takes `least` without brackets."""
        return self.text if self.level >= least else f"({self.text})"


class Span(NamedTuple):
    """`length` indices from `first` of an axis of `size`; `drop` for an integer index."""

    first: Dim
    length: Dim
    size: Dim
    drop: bool = False


LARGEST_INTEGER = 10**6
_SIMPLE = re.compile(r"-?[\w.]+")
_NAME = re.compile(r"[^\W\d][\w.]*")


def is_name(text: str) -> bool:
    """Whether a piece of source is a name or an attribute of one."""
    return _NAME.fullmatch(text) is not None


def call(function: str, *args: str) -> str:
    """function(args)."""
    return f"{function}({', '.join(args)})"


def power(base: Code, exponent: str) -> str:
    """base**exponent, with spaces where the formatters want them."""
    left = base.at(Level.ATOM)
    sign = "**" if _SIMPLE.fullmatch(left) and _SIMPLE.fullmatch(exponent) else " ** "
    return f"{left}{sign}{exponent}"


def product(factors: Sequence[Code]) -> Code:
    """a * b * c."""
    if len(factors) == 1:
        return factors[0]
    first = f"({factors[0].text})" if factors[0].level == Level.MATMUL else factors[0].at(Level.TIMES)
    text = " * ".join([first, *(f.at(Level.UNARY) for f in factors[1:])])
    plain, power_first = all(f.plain for f in factors), factors[0].power_first
    return Code(text, Level.TIMES, plain=plain, power_first=power_first)


def quotient(top: Code, bottom: Sequence[Code]) -> Code:
    """top / bottom, a product of several in brackets."""
    if not bottom:
        return top
    below = product(bottom)
    text = f"{top.at(Level.TIMES)} / {below.at(Level.UNARY)}"
    return Code(text, Level.TIMES, plain=top.plain and below.plain, power_first=top.power_first)


def negative(code: Code) -> Code:
    """-code: of a matrix product the result, not its first factor."""
    if code.level == Level.MATMUL or code.power_first:
        return Code(f"-({code.text})", Level.UNARY, plain=code.plain)
    return Code(f"-{code.at(Level.TIMES)}", min(code.level, Level.UNARY), plain=code.plain)


def fraction(value: Fraction) -> tuple[list[Code], list[Code]]:
    """A positive number as numerators and denominators: 2, 0.01, 2 over 3, 1 over 3."""
    if value.denominator == 1:
        return ([] if value == 1 else [literal(number(value))]), []
    decimal = number(value)
    if (len(decimal) <= 12 and Fraction(decimal) == value) or max(value.numerator, value.denominator) > LARGEST_INTEGER:
        return [literal(decimal)], []
    return ([] if value.numerator == 1 else [literal(str(value.numerator))]), [literal(str(value.denominator))]


def literal(text: str) -> Code:
    """A number of Python's."""
    return Code(text, plain=True)


def number(value: Fraction) -> str:
    """A number as a literal."""
    if value.denominator == 1 and abs(value) < LARGEST_INTEGER:
        return str(value.numerator)
    try:
        return repr(float(value)).replace("e+", "e")
    except OverflowError:
        raise ByhandError("a number beyond the range of double precision") from None


def dim_code(d: Dim, names: Callable[[str], str]) -> Code:
    """A dimension: N, m * p, n - 1."""
    if not isinstance(d, Dimension):
        return literal(str(d))
    text, terms = "", 0
    for monomial, factor in sorted(d.terms, key=lambda t: t[1] < 0):
        items = [literal(str(abs(factor)))] if abs(factor) != 1 or not monomial else []
        items += [raised(_dimension(n, names), Fraction(p)) for n, p in monomial]
        term = product(items)
        sign = (" - " if factor < 0 else " + ") if text else ("-" if factor < 0 else "")
        text, terms, level = f"{text}{sign}{term.text}", terms + 1, term.level
    return Code(text, Level.SUM if terms > 1 or text.startswith("-") else level, plain=True)


def _dimension(name: str, names: Callable[[str], str]) -> Code:
    """A name, or the whole part of a quotient."""
    if not isinstance(name, Floor):
        return literal(names(name))
    over, by = (dim_code(d, names).at(Level.UNARY) for d in (name.over, name.by))
    return literal(f"({over} // {by})")


def coefficient_codes(c: Coefficient, names: Callable[[str], str]) -> tuple[list[Code], list[Code]]:
    """The absolute value of a coefficient as numerators and denominators."""
    top, bottom = fraction(abs(c.value))
    for d, p in c.dims:
        base = dim_code(d, names)
        (top if p > 0 else bottom).append(raised(base, abs(p)))
    if top == [literal("0.5")] and bottom:
        top, bottom = [], [literal("2"), *bottom]
    return top, bottom


def raised(base: Code, p: Fraction, library: str = "np") -> Code:
    """A positive power; the square root of a number of Python's stays one."""
    if p == 1:
        return base
    if p == Fraction(1, 2) and not base.plain:
        return Code(call(f"{library}.sqrt", base.text), shape=base.shape)
    return Code(power(base, exponent_code(p)), Level.POWER, base.shape, plain=base.plain, power_first=True)


def exponent_code(p: Fraction) -> str:
    """An exponent as a literal."""
    if p.denominator == 1:
        return str(p)
    decimal = repr(float(p))
    return decimal if Fraction(decimal) == p else f"({p.numerator} / {p.denominator})"


def span_code(span: Span, names: Callable[[str], str]) -> str:
    """The index of an axis: 3, 2:5, -2:, :n - 1."""
    if span.drop:
        return from_end(span.first, span.size, names)
    stop = add_dims(span.first, span.length)
    first = "" if span.first == 0 else from_end(span.first, span.size, names)
    last = "" if stop == span.size else from_end(stop, span.size, names)
    simple = all(not part or _SIMPLE.fullmatch(part) for part in (first, last))
    return f"{first}:{last}" if simple else f"{first} : {last}".strip()


def from_end(place: Dim, size: Dim, names: Callable[[str], str]) -> str:
    """An index; counted from the end where its distance from there is a number."""
    beyond = add_dims(place, minus(size))
    if isinstance(place, Dimension) and isinstance(beyond, int) and beyond < 0:
        return str(beyond)
    return dim_code(place, names).text


def minus(d: Dim) -> Dim:
    """-d."""
    return Dimension(tuple((m, -c) for m, c in d.terms)) if isinstance(d, Dimension) else -d


def padding(span: Span | None, names: Callable[[str], str]) -> str:
    """How many zeros stand before and behind, as np.pad takes it."""
    if span is None:
        return "(0, 0)"
    behind = add_dims(span.size, minus(add_dims(span.first, span.length)))
    return f"({dim_code(span.first, names).text}, {dim_code(behind, names).text})"

"""Writer of C source: how tightly they hold together, numbers, dimensions, offsets; double precision turned into float."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

import numpy as np

from byhand.errors import ByhandError
from byhand.expr.dims import Coefficient, Dim, Dimension, Floor, Shape

Names = Callable[[str], str]
LARGEST_EXACT = 10**6


class Level(IntEnum):
    """How tightly a piece holds together; a place states the least that it takes without brackets."""

    CHOICE = 0  # ?:
    COMPARE = 1
    SUM = 2
    TIMES = 3
    UNARY = 4
    ATOM = 5


@dataclass(frozen=True, slots=True)
class Piece:
    """Source of an expression.

    Attributes:
        text: the source.
        level: how tightly it holds together.
    """

    text: str
    level: Level = Level.ATOM

    def at(self, least: Level) -> str:
        """The source in a place that takes `least` without brackets."""
        return self.text if self.level >= least else f"({self.text})"


ONE = Piece("1.0")
ZERO = Piece("0.0")
_SIMPLE = re.compile(r"\w+")
_REPEATABLE = re.compile(r"\w+(\[[\w +*]+\])?|\d+\.\d*")


def literal(value: float | Fraction) -> str:
    """A number that is not negative, in double precision.

    >>> literal(2), literal(Fraction(1, 2)), literal(1e-8)
    ('2.0', '0.5', '1e-08')
    """
    try:
        return repr(float(value)).replace("e+", "e")
    except OverflowError:
        raise ByhandError("a number beyond the range of double precision") from None


def fraction(value: Fraction) -> tuple[list[Piece], list[Piece]]:
    """A positive number as numerators and denominators: 2.0, 0.01, 1.0 over 3.0."""
    exact = Fraction(float(value)) == value or Fraction(repr(float(value))) == value
    if exact or max(value.numerator, value.denominator) > LARGEST_EXACT:
        return ([] if value == 1 else [Piece(literal(value))]), []
    return ([] if value.numerator == 1 else [Piece(literal(value.numerator))]), [Piece(literal(value.denominator))]


def product(factors: Sequence[Piece]) -> Piece:
    """a * b * c."""
    if len(factors) == 1:
        return factors[0]
    text = " * ".join([factors[0].at(Level.TIMES), *(f.at(Level.UNARY) for f in factors[1:])])
    return Piece(text, Level.TIMES)


def quotient(over: Sequence[Piece], under: Sequence[Piece]) -> Piece:
    """Factors over divisors; a number of real type stands first, so that integers never divide integers."""
    if not under:
        return product(over) if over else ONE
    top = product(over) if over else ONE
    text = top.at(Level.TIMES) + "".join(f" / {u.at(Level.UNARY)}" for u in under)
    return Piece(text, Level.TIMES)


def negative(piece: Piece) -> Piece:
    """-a."""
    return Piece(f"-{piece.at(Level.TIMES)}", Level.TIMES)


def chosen(test: Piece, yes: Piece, no: Piece) -> Piece:
    """test ? yes : no."""
    return Piece(f"{test.at(Level.COMPARE)} ? {yes.at(Level.COMPARE)} : {no.at(Level.COMPARE)}", Level.CHOICE)


def dim_piece(d: Dim, names: Names) -> Piece:
    """A dimension: N, M * P, N - 1."""
    if not isinstance(d, Dimension):
        return Piece(str(d))
    text, terms, level = "", 0, Level.ATOM
    for monomial, factor in sorted(d.terms, key=lambda t: t[1] < 0):
        words = [str(abs(factor))] if abs(factor) != 1 or not monomial else []
        words += [_dimension(n, names) for n, p in monomial for _ in range(p)]
        sign = (" - " if factor < 0 else " + ") if text else ("-" if factor < 0 else "")
        text += sign + " * ".join(words)
        terms += 1
        level = Level.TIMES if len(words) > 1 or sign == "-" else Level.ATOM
    return Piece(text, Level.SUM if terms > 1 else level)


def _dimension(name: str, names: Names) -> str:
    """A name, or the whole part of a quotient."""
    if not isinstance(name, Floor):
        return names(name)
    return f"({dim_piece(name.over, names).at(Level.UNARY)} / {dim_piece(name.by, names).at(Level.UNARY)})"


def size_piece(shape: Shape, names: Names) -> Piece:
    """How many entries an array has."""
    kept = [d for d in shape if d != 1]
    return product([dim_piece(d, names) for d in kept]) if kept else Piece("1")


def coefficient_pieces(c: Coefficient, names: Names) -> tuple[list[Piece], list[Piece]]:
    """The absolute value of a coefficient as numerators and denominators."""
    top, bottom = fraction(abs(c.value))
    for d, p in c.dims:
        base = dim_piece(d, names)
        whole = p.denominator == 1 and abs(p) <= 4
        powers = [base] * abs(int(p)) if whole else [powered(Piece(f"(double)({base.text})", Level.UNARY), abs(p))]
        (top if p > 0 else bottom).extend(powers)
    return top, bottom


def powered(base: Piece, p: Fraction) -> Piece:
    """A positive power of a piece that may be repeated."""
    if p == 1:
        return base
    if p == Fraction(1, 2):
        return Piece(f"sqrt({base.text})")
    if p == Fraction(3, 2):
        return product([base, Piece(f"sqrt({base.text})")])
    if p.denominator == 1 and p <= 4:
        return product([base] * int(p))
    exponent = literal(p) if Fraction(float(p)) == p else f"{literal(p.numerator)} / {literal(p.denominator)}"
    return Piece(f"pow({base.text}, {exponent})")


def repeatable(piece: Piece) -> bool:
    """Whether a piece may stand twice: a name, a number, an entry of an array."""
    return _REPEATABLE.fullmatch(piece.text) is not None


def bracketed(index: str) -> str:
    """An index as a factor."""
    return index if _SIMPLE.fullmatch(index) else f"({index})"


def index_sum(index: str, first: Dim, names: Names) -> str:
    """index + first."""
    if first == 0:
        return index
    shift = dim_piece(first, names)
    if index == "0":
        return shift.text
    return f"{index} - {shift.text[1:]}" if shift.text.startswith("-") else f"{index} + {shift.text}"


def offset(shape: Shape, index: Sequence[str], names: Names) -> str:
    """Where an entry stands in an array stored row by row."""
    text = "0"
    for d, i in zip(shape, index, strict=True):
        if d != 1 and text != "0":
            text = f"{bracketed(text)} * {dim_piece(d, names).at(Level.UNARY)}"
        if i != "0":
            text = i if text == "0" else f"{text} + {i}"
    return text


MATHEMATICS = (
    "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "erf",
    "erfc", "fabs", "sqrt", "pow", "fmax",
)  # fmt: skip
_TOKEN = re.compile(r"/\*.*?\*/|#[^\n]*|\bdouble\b|\b\d+\.?\d*(?:e-?\d+)?\b\.?|\b[A-Za-z_]\w*", re.DOTALL)


def single_precision(source: str) -> str:
    """Source in double precision as source in float: types, numbers and functions of <math.h>; comments stay.

    >>> single_precision("const double a = 2.0 * exp(x[2]); /* 2.0 */")
    'const float a = 2.0f * expf(x[2]); /* 2.0 */'
    """

    def change(found: re.Match[str]) -> str:
        token = found[0]
        if token == "double":
            return "float"
        if token in MATHEMATICS:
            return f"{token}f"
        if token[0].isdigit() and ("." in token or "e" in token):
            value = np.float32(min(float(token), 1e300)) if float(token) < 3.4e38 else np.float32(np.inf)
            if not np.isfinite(value):
                raise ByhandError(f"the number {token} is beyond the range of float", "dtype='double'")
            text = str(value)
            return (text if "." in text or "e" in text else f"{text}.0") + "f"
        return token

    return _TOKEN.sub(change, source)

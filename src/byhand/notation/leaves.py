"""Small things inside formulas: digits of numbers, indices, and what stands between two factors."""

from __future__ import annotations

from fractions import Fraction

from byhand.notation import typeset as ts


def nodes_of(indices: tuple[ts.Index, ...]) -> tuple[ts.Math, ...]:
    """Indices as nodes; arranged ones are already."""
    return tuple([index if isinstance(index, ts.Math) else _node_of(index) for index in indices])


def _node_of(index: str) -> ts.Math:
    if index.isdecimal():
        return ts.Number(Fraction(index))
    return ts.Name(index) if index.rstrip("'′").isidentifier() else ts.Text(index)


def join_of_indices(indices: tuple[ts.Math, ...]) -> str:
    """Separator of arranged indices: none between single letters (ij), else a comma (i,j+1)."""
    letters = all(isinstance(index, ts.Spelled) and index.parts.is_bare for index in indices)
    return "" if letters else ","


def separator(left: ts.Math, right: ts.Math) -> str:
    """What stands between two arranged factors: "dot" between digits, a "thin" space beside words and differentials."""
    if isinstance(left.base if isinstance(left, ts.Power) else left, ts.Digits) and _starts_with_digit(right):
        return "dot"
    return "thin" if _is_wide(left) or _is_wide(right) else ""


def _starts_with_digit(arranged: ts.Math) -> bool:
    while isinstance(arranged, ts.Power | ts.ElementwisePower | ts.Transpose | ts.Indexed | ts.Slice):
        arranged = arranged.base
    return isinstance(arranged, ts.Digits | ts.Ones | ts.Indicator)


def _is_wide(arranged: ts.Math) -> bool:
    if isinstance(arranged, ts.Spelled):
        return len(arranged.parts.stem) > 1 or bool(arranged.parts.tail)
    return isinstance(arranged, ts.Differential | ts.Text)


def decimal_digits(value: Fraction) -> ts.Digits | None:
    """Digits of a number ≥ 0, or None where a fraction reads better: 1/2, 2/3, 1/1024, but 0.05, 0.0001, 10⁻¹².

    >>> decimal_digits(Fraction(1, 20)), decimal_digits(Fraction(5, 2)), decimal_digits(Fraction(25, 10**8))
    (Digits(digits='0.05', exponent=None), None, Digits(digits='2.5', exponent=-7))
    """
    numerator, denominator = value.as_integer_ratio()
    if denominator == 1:
        digits = str(numerator)
        significant = digits.rstrip("0")
        long = len(digits) > 7 and len(significant) <= 6
        return _scientific(significant, len(digits) - 1) if long else ts.Digits(digits)
    twos = (denominator & -denominator).bit_length() - 1
    odd, fives = denominator >> twos, 0
    while odd % 5 == 0:
        odd, fives = odd // 5, fives + 1
    if odd != 1 or denominator <= 9:
        return None
    places = max(twos, fives)
    digits = str(numerator * 10**places // denominator)
    if value < Fraction(1, 10_000):
        return _scientific(digits, len(digits) - 1 - places) if len(digits) <= 8 else None
    padded = digits.zfill(places + 1)
    decimal = f"{padded[:-places]}.{padded[-places:]}"
    shorter = len(f"{numerator}/{denominator}") < len(decimal)
    return None if shorter and len(decimal) > 8 else ts.Digits(decimal)


def _scientific(significant: str, exponent: int) -> ts.Digits:
    if significant == "1":
        return ts.Digits("", exponent)
    return ts.Digits(significant if len(significant) == 1 else f"{significant[0]}.{significant[1:]}", exponent)

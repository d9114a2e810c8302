"""Identifiers of C: ASCII, none that the language, <math.h> or the file itself uses."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from byhand.code.c.functions import KERNELS
from byhand.code.c.pieces import MATHEMATICS
from byhand.code.names import Identifiers

_KEYWORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool
_Complex _Imaginary asm typeof true false bool NULL main"""
_LIBRARY = """acosh atanh cbrt ceil copysign exp2 fdim floor fma fmin fmod frexp hypot ilogb isfinite isgreater isinf isnan
isnormal ldexp lgamma llrint llround log10 log2 logb lrint lround modf nan nearbyint nextafter remainder remquo rint round
scalbn signbit tgamma trunc atan2 abs j0 j1 jn y0 y1 yn gamma HUGE_VAL INFINITY NAN MATH_ERREXCEPT math_errhandling
FP_INFINITE FP_NAN FP_NORMAL FP_SUBNORMAL FP_ZERO OVERFLOW UNDERFLOW DOMAIN unix linux i386 float_t double_t"""
_OWN = """forward backward sgd_step value gradient parameters workspace w p g rate train step state top total share log_total
sum a t u s n k total2"""
_GREEK = {"LAMDA": "lambda", "FINAL SIGMA": "sigma"}


class CIdentifiers(Identifiers):
    """Hands out identifiers of C.

    >>> CIdentifiers().give("λ"), CIdentifiers().give("double"), CIdentifiers().give("y1")
    ('lambda', 'double_', 'y1')
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        super().__init__()
        single = [f"{name}f" for name in (*MATHEMATICS, *_LIBRARY.split())]
        allowed = {
            "y0",
            "y1",
            "yn",
            "j0",
            "j1",
            "jn",
            "gamma",
            "abs",
            "round",
            "trunc",
        }  # no macros: a local may have them
        self.taken = {
            *_KEYWORDS.split(),
            *_LIBRARY.split(),
            *MATHEMATICS,
            *single,
            *KERNELS,
            *_OWN.split(),
            *reserved,
        } - allowed

    def give(self, wish: str) -> str:
        """The wish itself where it is free, else one close to it."""
        return super().give("".join(map(_ascii, unicodedata.normalize("NFKC", wish))))


def _ascii(c: str) -> str:
    if c.isascii():
        return c
    words = unicodedata.name(c, "").split(" LETTER ")
    if len(words) == 2 and words[0] in ("GREEK SMALL", "GREEK CAPITAL"):
        name = _GREEK.get(words[1], words[1].lower())
        return name if words[0] == "GREEK SMALL" else name.capitalize()
    return f"u{ord(c):04x}"


__all__ = ["CIdentifiers"]

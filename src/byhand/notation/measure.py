"""How long a formula is, how many transposes it has, what stands where: of two ways to write it, the better is taken."""

from __future__ import annotations

from functools import total_ordering
from typing import NamedTuple

from byhand.notation import typeset as ts
from byhand.notation.typeset import Math


def parts(m: Math) -> list[Math]:
    """The nodes that a node is made of."""
    return ts.children(m)


class Measures(NamedTuple):
    """What is asked of a formula again and again: kept with it, for formulas are built from below."""

    size: int
    transposes: int


def measures(m: Math) -> Measures:
    """The measures of a formula."""
    known: Measures | None = getattr(m, "measures", None)
    if known is None:
        inside = [measures(p) for p in parts(m)]
        own = isinstance(m, ts.Transpose) and not isinstance(m.base, ts.Ones)
        size = 1 if isinstance(m, (ts.Name, ts.Layered)) else 1 + sum(p.size for p in inside)
        known = Measures(size, own + sum(p.transposes for p in inside))
        object.__setattr__(m, "measures", known)
    return known


def count_transposes(m: Math) -> int:
    """Transposes in a formula; those of ones do not count."""
    return measures(m).transposes


def size(m: Math) -> int:
    """How many symbols."""
    return measures(m).size


@total_ordering
class Spelling:
    """The last key of an order: a formula by its spelling, which is only looked at where all other keys are equal."""

    __slots__ = ("math", "spelled")

    def __init__(self, math: Math) -> None:
        self.math, self.spelled = math, ""

    def __str__(self) -> str:
        if not self.spelled:
            self.spelled = repr(self.math)
        return self.spelled

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spelling) and (self.math is other.math or str(self) == str(other))

    def __lt__(self, other: Spelling) -> bool:
        return str(self) < str(other)

    __hash__ = None  # type: ignore[assignment]


def lateness(m: Math) -> int:
    """Adjoints first, then names, then derivative factors: ∂L/∂H ⊙ H ⊙ (1 - H)."""
    order = {ts.Partial: 0, ts.Name: 1, ts.Product: 2, ts.Sum: 4, ts.Indicator: 5, ts.Differential: 6}
    inner = m.base if isinstance(m, ts.Transpose) else m
    return order.get(type(inner), 3)


def starts_with_differential(m: Math) -> bool:
    """Whether d( ) stands first in a product: inside a trace it is written last."""
    first = m.items[0] if isinstance(m, ts.Product) else m
    return isinstance(first.base if isinstance(first, ts.Transpose) else first, ts.Differential)

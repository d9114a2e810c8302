"""How long a formula is, how many transposes it has, what stands where: of two ways to write it, the better is taken."""

from __future__ import annotations

from functools import reduce

from byhand.notation import typeset as ts
from byhand.notation.typeset import Math


def parts(m: Math) -> list[Math]:
    """The nodes that a node is made of."""
    return ts.children(m)


def count_transposes(m: Math) -> int:
    """Transposes in a formula; those of ones do not count."""
    own = isinstance(m, ts.Transpose) and not isinstance(m.base, ts.Ones)
    return reduce(lambda n, p: n + count_transposes(p), parts(m), int(own))


def size(m: Math) -> int:
    """How many symbols."""
    return 1 + sum(map(size, parts(m))) if not isinstance(m, ts.Name) else 1


def lateness(m: Math) -> int:
    """Adjoints first, then names, then derivative factors: ∂L/∂H ⊙ H ⊙ (1 - H)."""
    order = {ts.Partial: 0, ts.Name: 1, ts.Product: 2, ts.Sum: 4, ts.Indicator: 5, ts.Differential: 6}
    inner = m.base if isinstance(m, ts.Transpose) else m
    return order.get(type(inner), 3)


def starts_with_differential(m: Math) -> bool:
    """Whether d( ) stands first in a product: inside a trace it is written last."""
    first = m.items[0] if isinstance(m, ts.Product) else m
    return isinstance(first.base if isinstance(first, ts.Transpose) else first, ts.Differential)

"""Products, quotients, powers, transposes and signs of typeset mathematics, as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from byhand.notation import typeset as ts
from byhand.notation.typeset import Math, RelationOperator

RELATIONS: dict[str, RelationOperator] = {"step": ">", "nonnegative": "≥"}  # functions printed as 1[Z > 0]


def transposed(m: Math) -> Math:
    """The transposed; of a transposed, what it was."""
    return m.base if isinstance(m, ts.Transpose) else ts.Transpose(m)


def flat(*items: Math) -> list[Math]:
    """The factors of a product, those of products inside it among its own."""
    return [f for item in items for f in (item.items if isinstance(item, ts.Product) else (item,))]


def product(*items: Math) -> Math:
    """A product without products inside it, nor the one vector of length one: it is the number one."""
    factors = tuple(flat(*items))
    kept = tuple(f for f in factors if not _is_one(f))
    if len(kept) == len(factors) or not kept:
        return ts.Product(factors)
    return kept[0] if len(kept) == 1 else ts.Product(kept)


def _is_one(m: Math) -> bool:
    inner = m.base if isinstance(m, ts.Transpose) else m
    return isinstance(inner, ts.Ones) and inner.size == ts.Number(Fraction(1))


def quotient(top: Sequence[Math], bottom: Sequence[Math]) -> Math:
    """The product of the one over the product of the other."""
    m: Math = top[0] if len(top) == 1 else ts.Product(tuple(top)) if top else ts.Number(Fraction(1))
    if not bottom:
        return m
    return ts.Quotient(m, bottom[0] if len(bottom) == 1 else ts.Product(tuple(bottom)))


def raised(base: Math, p: Fraction, elementwise: bool = False) -> Math:
    """A power; a root for 1/2."""
    if p == 1:
        return base
    if p == Fraction(1, 2):
        return ts.Root(base)
    return ts.ElementwisePower(base, p) if elementwise else ts.Power(base, ts.Number(p))


def unsigned(m: Math) -> tuple[bool, Math]:
    """A term's sign, and the term without it."""
    return (False, m.body) if isinstance(m, ts.Negative) else (True, m)

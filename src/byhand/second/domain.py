"""Where a derivative holds: what the function as it was written asks of its inputs, and its normal form says no more."""

from __future__ import annotations

from byhand.derive.prepare import as_prepared, prepare
from byhand.expr.domain import Condition
from byhand.expr.expression import Expression
from byhand.notation.blocks import Words
from byhand.notation.show import condition_parts
from byhand.rules.conditions import dropped


def conditions(f: Expression) -> tuple[Condition, ...]:
    """The conditions that simplifying the function dropped: x > 0 of exp(log(x))."""
    return dropped(f.domain, prepare(f).root, lambda: as_prepared(f)) if f.domain else ()


def holds(f: Expression) -> tuple[Words, ...]:
    """A sentence for each condition."""
    return tuple(("Holds for ", *condition_parts(c), ".") for c in conditions(f))

"""Where what a user wrote has a value: each division, root, logarithm and inverse asks for something of its operand.

Expressions are collected as they are built: x/x is 1 at once. What was asked for on the way is kept beside the root, so that a
condition that nothing in the result asks for any more (x ≠ 0) can be stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from typing import NamedTuple

from byhand.expr.contraction import P1, add, contract, filled
from byhand.expr.nodes import Contraction, Elementwise, Expr, Structured, topological

NONZERO, POSITIVE, NOT_NEGATIVE, UNIT, INVERTIBLE = "≠ 0", "> 0", "≥ 0", "between −1 and 1", "invertible"


class Condition(NamedTuple):
    """What an operation asks of its operand, entry by entry: a relation to zero, or that a matrix has an inverse."""

    node: Expr
    relation: str


_recorded: ContextVar[dict[Condition, None] | None] = ContextVar("recorded", default=None)


@contextmanager
def recording() -> Iterator[dict[Condition, None]]:
    """The conditions of all operations made inside, in order."""
    found: dict[Condition, None] = {}
    token = _recorded.set(found)
    try:
        yield found
    finally:
        _recorded.reset(token)


def record(condition: Condition | None) -> None:
    """Note a condition while an expression is read."""
    found = _recorded.get()
    if found is not None and condition is not None:
        found[condition] = None


def of_power(node: Expr, power: Fraction) -> Condition | None:
    """What a power asks of its base."""
    if power.denominator > 1:
        return Condition(node, POSITIVE if power < 0 else NOT_NEGATIVE)
    return Condition(node, NONZERO) if power < 0 else None


def of_function(name: str, arg: Expr) -> Condition | None:
    """What an elementwise function asks of its argument."""
    match name:
        case "log":
            return Condition(arg, POSITIVE)
        case "log1p":
            return Condition(add(arg, filled(arg.shape)), POSITIVE)
        case "arcsin" | "arccos":
            return Condition(arg, UNIT)
    return None


def of_operation(name: str, args: tuple[Expr, ...]) -> Condition | None:
    """What a structured operation asks of its first argument."""
    if name in ("inv", "logdet"):
        return Condition(args[0], INVERTIBLE)
    return Condition(args[0], NOT_NEGATIVE) if name == "power" else None


def conditions_of(root: Expr) -> dict[Condition, None]:
    """What the operations of an expression ask for."""
    found: dict[Condition, None] = {}
    for node in topological([root]):
        asked: list[Condition | None] = []
        match node:
            case Contraction():
                asked = [of_power(f, p) for f, _, p in node.factors]
            case Elementwise(name, arg):
                asked = [of_function(name, arg)]
            case Structured(name, args) if args:
                asked = [of_operation(name, args)]
        found |= dict.fromkeys(c for c in asked if c is not None)
    return found


def atoms(condition: Condition) -> list[Condition]:
    """The condition in terms of the factors of a product: x y ≠ 0 is x ≠ 0 and y ≠ 0; numbers in front do not matter."""
    node, relation = condition
    if relation == INVERTIBLE:
        while isinstance(node, Structured) and node.operation == "inv":
            (node,) = node.args
        return [Condition(node, relation)]
    if relation not in (NONZERO, POSITIVE, NOT_NEGATIVE) or not isinstance(node, Contraction):
        return [condition]
    summed = any(x not in node.out for _, ls, _ in node.factors for x in ls)
    if summed or len(set(node.out)) < node.ndim or not node.coefficient.value:
        return [condition]
    if relation == NONZERO:
        return [a for f, _, p in node.factors if p > 0 for a in atoms(Condition(f, NONZERO))]
    even = [f for f, _, p in node.factors if p.denominator == 1 and p.numerator % 2 == 0]
    odd = [(f, ls, P1) for f, ls, p in node.factors if p.denominator == 1 and p.numerator % 2]
    strict = [a for f in even for a in atoms(Condition(f, NONZERO))] if relation == POSITIVE else []
    strict += [Condition(f, POSITIVE) for f, _, p in node.factors if p.denominator > 1 and relation == POSITIVE]
    if node.coefficient.value > 0 and not odd:
        return strict
    if node.coefficient.value > 0 and len(odd) == 1:
        return [*strict, *atoms(Condition(odd[0][0], relation))]
    sign = node.coefficient._replace(value=Fraction(1 if node.coefficient.value > 0 else -1), dims=())
    kept = [x for x in dict.fromkeys(node.out) if any(x in ls for _, ls, _ in odd)]
    return [*strict, Condition(contract(odd, kept, sign), relation)]


__all__ = [
    "INVERTIBLE", "NONZERO", "NOT_NEGATIVE", "POSITIVE", "UNIT", "Condition", "atoms", "conditions_of", "of_function",
    "of_operation", "of_power", "record", "recording",
]  # fmt: skip

"""Which chain rule: what uses each intermediate, and how many paths lead from it to the function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from byhand.expr.nodes import Expr, Symbol

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation


@dataclass(frozen=True, slots=True)
class Use:
    """What uses a node.

    Attributes:
        name: of the intermediate or variable.
        users: the intermediates (or the function) whose definitions it stands in, last first.
        paths: the number of ways to walk from it to the function along users.
        variable: whether it is one that was differentiated with respect to.
    """

    name: str
    users: tuple[str, ...]
    paths: int
    variable: bool


def uses(d: Derivation) -> tuple[Use, ...]:
    """The uses of every intermediate and variable, last first."""
    users: dict[Expr, list[Expr]] = {u.node: [] for u in d.units}
    for u in d.units:
        for child in dict.fromkeys(record.term.child for record in u.terms):
            users.setdefault(child, []).append(u.node)
    names = {u.node: u.name for u in d.units}
    root = d.prepared.root
    names[root] = d.f.name
    paths: dict[Expr, int] = {root: 1}
    found = []
    for u in d.units:  # last first, variables at the end: users come before what they use
        if u.node is root:
            continue
        paths[u.node] = sum(paths[user] for user in users[u.node])
        listed = tuple(names[user] for user in users[u.node])
        found.append(Use(u.name, listed, paths[u.node], isinstance(u.node, Symbol)))
    return tuple(found)


def rules_used(d: Derivation) -> dict[str, tuple[str, ...]]:
    """Rule -> the intermediates and variables in whose differential or adjoint it was applied, in order of steps."""
    found: dict[str, dict[str, None]] = {}
    for step in d.steps:
        if step.kind in ("definition", "collect", "read off", "substitute", "zero"):
            continue
        for rule in [r.strip() for r in step.rule.split(", ")] if step.kind == "differential" else [step.rule]:
            found.setdefault(rule, {})[step.unit] = None
    return {rule: tuple(units) for rule, units in found.items()}

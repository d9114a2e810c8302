"""The record of a derivation as a flat sequence of steps, each an equation with its rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from byhand.derive.record import Pairing, Step, Unit
from byhand.expr.contraction import add, zero
from byhand.expr.nodes import Expr, Named, Symbol, differential_of

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation


def steps_of(d: Derivation) -> tuple[Step, ...]:
    """Definitions, then differentials, forwards; then adjoints, moves and read-offs, backwards."""
    steps: list[Step] = []
    forward = [u for u in reversed(d.units) if not isinstance(u.node, Symbol)]
    for node in [*d.prepared.units, *d.helpers]:
        steps.append(Step("definition", node, node.body, "definition", node.name, node.shape))
    if not isinstance(d.prepared.root, Named):
        steps.append(Step("definition", d.prepared.root, d.prepared.root, "definition", d.f.name, ()))
    for u in forward:
        steps += differential_steps(u)
    for u in d.units:
        steps += list(adjoint_steps(u))
        if not isinstance(u.node, Symbol):
            steps += list(move_steps(u))
    return tuple(steps)


def total_differential(u: Unit) -> Expr:
    """d(unit) as the sum of its linear terms."""
    return add(*(r.term.applied() for r in u.terms)) if u.terms else zero(u.body.shape)


def differential_steps(u: Unit) -> list[Step]:
    """d(body) = the sum of linear terms, by the rules that were used."""
    if not u.terms:
        return []
    return [
        Step(", ".join(u.rules), differential_of(u.body), total_differential(u), "differential", u.name, u.body.shape)
    ]


def adjoint_steps(u: Unit) -> Iterator[Step]:
    """The adjoint: contributions collected, then each simplification with its reason."""
    before = u.stages[0]
    kind = "zero" if before.kind == "zero" else "read off" if isinstance(u.node, Symbol) else "collect"
    yield Step(before.rule, before.node, before.node, kind, u.name, u.body.shape)  # type: ignore[arg-type]
    for stage in u.stages[1:]:
        yield Step(stage.rule, before.node, stage.node, stage.kind, u.name, u.body.shape, stage.assumptions)
        before = stage


def move_steps(u: Unit) -> Iterator[Step]:
    """⟨adjoint, term⟩ = ... = ⟨contribution, d(child)⟩, one factor at a time."""
    for record in u.terms:
        child = record.term.child
        name = child.name if isinstance(child, (Named, Symbol)) else ""
        before = Pairing(u.adjoint, record.term.applied())
        if not record.moves:
            yield Step(
                "read off",
                before,
                Pairing(record.contribution, differential_of(child)),
                "pair",
                u.name,
                (),
                (),
                name,
                "micro",
            )
        for move in record.moves:
            after = Pairing(move.left, move.right)
            yield Step(move.rule, before, after, "move", u.name, (), (), name, "micro")
            before = after

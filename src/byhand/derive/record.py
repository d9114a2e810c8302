"""What a derivation records: steps as data, each with its rule, what stood before, and what stands after."""

from __future__ import annotations

from typing import Literal, NamedTuple

from byhand.expr.dims import Shape
from byhand.expr.nodes import Expr
from byhand.rules.linear import LinearTerm

Kind = Literal[
    "definition",
    "differential",
    "pair",
    "move",
    "collect",
    "substitute",
    "simplify",
    "assume",
    "read off",
    "structure",
    "zero",
]


class Pairing(NamedTuple):
    """The inner product ⟨left, right⟩ of an adjoint and an expression linear in a differential."""

    left: Expr
    right: Expr


class Step(NamedTuple):
    """One step: before = after by the rule.

    Attributes:
        rule: the name of the rule, as `byhand rules` lists it.
        before, after: what is equal: two nodes of one shape, or two inner products.
        kind: what sort of step it is.
        unit: the intermediate, input or result that it belongs to.
        shape: the shape of both sides.
        assumptions: sentences on the declared properties that it rests on.
        child: for steps inside an inner product, the node whose adjoint it contributes to.
        level: "steps" or "micro": from which level on it is shown.
    """

    rule: str
    before: Expr | Pairing
    after: Expr | Pairing
    kind: Kind
    unit: str
    shape: Shape
    assumptions: tuple[str, ...] = ()
    child: str = ""
    level: Literal["steps", "micro"] = "steps"


class Move(NamedTuple):
    """A factor moved off d( ): ⟨left, right⟩ after the move."""

    rule: str
    left: Expr
    right: Expr


class TermRecord(NamedTuple):
    """One linear term of a unit's differential, moved factor by factor into the adjoint of its child.

    Attributes:
        term: the linear map and the child it applies to.
        moves: the moves in order; the last one's left side is the contribution.
        contribution: what the term adds to the adjoint of the child.
    """

    term: LinearTerm
    moves: tuple[Move, ...]
    contribution: Expr


class Stage(NamedTuple):
    """A form of an adjoint on the way to its final one."""

    rule: str
    node: Expr
    kind: Kind
    assumptions: tuple[str, ...] = ()


class Unit(NamedTuple):
    """The record of one named node: definition, differential, adjoint, and the moves that carry it to its children.

    Attributes:
        node: the intermediate, the input, or the root.
        name: what it is called.
        body: its definition (an input: itself).
        rules: names of the rules of its differential.
        terms: its differential, one record per linear term.
        adjoint: the node that stands for its adjoint in later formulas.
        stages: the forms of the adjoint, from the sum of contributions to the last.
        assumptions: sentences on the declared properties that its differential rests on.
    """

    node: Expr
    name: str
    body: Expr
    rules: tuple[str, ...]
    terms: tuple[TermRecord, ...]
    adjoint: Expr
    stages: tuple[Stage, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def value(self) -> Expr:
        """The adjoint written out in its last form."""
        return self.stages[-1].node

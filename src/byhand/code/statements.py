"""A program in named statements: what every printer reads.

The right-hand side of a statement is a tree of operations (`program.ops`) whose leaves are arguments and the names of
other statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from byhand.expr.dims import Shape
from byhand.expr.nodes import Symbol
from byhand.program.ops import Input, Op, Pool, topological
from byhand.program.rewrite import multiplicity

if TYPE_CHECKING:
    from byhand.notation.names import Names
    from byhand.notation.typeset import Math

Section = Literal["forward", "value", "backward"]


@dataclass(frozen=True, slots=True)
class Statement:
    """name = operation.

    Attributes:
        leaf: the node that stands for it in other statements; its name is the identifier that is assigned.
        op: the right-hand side.
        section: the block that it belongs to.
        math: the right-hand side as mathematics, where it has a form that can be printed.
        left: what the mathematics calls the left-hand side, where that is not the name: ∂L/∂Z2.
        result: the name under which it is returned; None for intermediates.
        ours: whether the name is byhand's own.
        defined: whether it is an intermediate of the function or of its derivation.
    """

    leaf: Input
    op: Op
    section: Section
    math: Math | None = None
    left: Math | None = None
    result: str | None = None
    ours: bool = False
    defined: bool = False

    @property
    def name(self) -> str:
        """The identifier that is assigned."""
        return self.leaf.name

    @property
    def shape(self) -> Shape:
        """The shape of the value."""
        return self.leaf.shape


@dataclass(frozen=True)
class Listing:
    """Statements in order, from inputs to results.

    Attributes:
        title: what is computed, as words.
        function: the name of the function in code.
        inputs: the arguments, in order.
        statements: in an order in which they can be computed.
        leaves: the node of each argument; its name is the identifier.
        dims: the identifier of each named dimension.
        outputs: the names of the results, in order, the value left out.
        pool: makes the nodes.
        value: the identifier of the function's value, where gradients come with it.
        notes: sentences for the docstring: conventions.
    """

    title: str
    function: str
    inputs: tuple[Symbol, ...]
    statements: tuple[Statement, ...]
    leaves: Mapping[Symbol, Input]
    dims: Mapping[str, str]
    outputs: tuple[str, ...]
    pool: Pool
    value: str | None = None
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def page(self) -> Names:
        """What the names look like in the comments: one map for all of them."""
        from byhand.notation.names import Names  # notation is imported where there is mathematics to print

        shown = [m for s in self.statements for m in (s.math, s.left) if m is not None]
        return Names(shown, (*self.dims, *self.dims.values(), *(s.name for s in self.statements if s.math is None)))

    @cached_property
    def names(self) -> dict[Symbol | Input, str]:
        """The identifier of each argument and each statement."""
        leaves = (*self.leaves.values(), *(s.leaf for s in self.statements))
        return {s: leaf.name for s, leaf in self.leaves.items()} | {leaf: leaf.name for leaf in leaves}

    @property
    def results(self) -> dict[str, str]:
        """What is returned by name -> the identifier that holds it, the value left out."""
        held = {s.result: s.name for s in self.statements if s.result is not None and s.name != self.value}
        return {name: held[name] for name in self.outputs}

    def identifiers(self) -> Iterator[str]:
        """All names that are taken."""
        yield from (leaf.name for leaf in self.leaves.values())
        yield from self.dims.values()
        yield from (s.name for s in self.statements)

    def with_statements(self, statements: Iterable[Statement]) -> Listing:
        """The program with other statements."""
        return replace(self, statements=tuple(statements))


def parts(op: Op) -> list[Op]:
    """The node and all below it, operands first, each once."""
    return list(topological([op]))


def reads(*ops: Op) -> dict[Input, None]:
    """The leaves that nodes read."""
    return {op: None for op in topological(ops) if isinstance(op, Input)}


def uses(ops: Iterable[Op]) -> dict[Input, int]:
    """How often each leaf is read."""
    return {op: n for op, n in multiplicity(ops).items() if isinstance(op, Input)}


def without_dead(statements: list[Statement]) -> list[Statement]:
    """Statements that a result needs."""
    needed: set[Op] = set()
    kept = []
    for s in reversed(statements):
        if s.result is not None or s.leaf in needed:
            kept.append(s)
            needed |= reads(s.op).keys()
    return kept[::-1]


def with_op(statement: Statement, op: Op) -> Statement:
    """The statement with another right-hand side."""
    return statement if op is statement.op else replace(statement, op=op)


__all__ = ["Listing", "Section", "Statement", "parts", "reads", "uses", "with_op", "without_dead"]

"""A program in two functions: forward, which keeps what the backward needs, and backward, which starts from an adjoint.

The backward is derived with an adjoint of the function other than 1 (`Derivation.pulled_back`), so it is the pullback
of the function, whatever is computed from its value later. What is kept is decided here: outputs of activations rather
than their arguments, never both, and nothing that the backward can read off its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from byhand.code.listing import list_derivation
from byhand.code.rewrites import by_outputs, with_slope_at_zero
from byhand.code.statements import Listing, Statement, reads
from byhand.expr.nodes import Symbol, symbol
from byhand.program.ops import Input, Map, Op

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation


@dataclass(frozen=True, slots=True)
class Pullback:
    """A program with the parts that stand in its two functions.

    Attributes:
        program: all statements; its inputs without the upstream adjoint.
        upstream: the symbol of the adjoint of the value; its identifier is in the program's names.
    """

    program: Listing
    upstream: Symbol

    @property
    def forward(self) -> list[Statement]:
        """Statements up to the value."""
        return [s for s in self.program.statements if s.section != "backward"]

    @property
    def backward(self) -> list[Statement]:
        """Statements after it."""
        return [s for s in self.program.statements if s.section == "backward"]

    def saved(self, touched: Iterable[Input] = ()) -> list[Input]:
        """What the backward reads: inputs in order, then intermediates in the order of their computation.

        Args:
            touched: inputs that its source mentions beyond its operations: for a dtype or a size.
        """
        own = {s.leaf for s in self.backward}
        read = {leaf for leaf in reads(*(s.op for s in self.backward)) if leaf not in own} | {*touched}
        inputs = [self.program.leaves[s] for s in self.program.inputs]
        return [leaf for leaf in (*inputs, *(s.leaf for s in self.forward)) if leaf in read]


def lower_pullback(
    d: Derivation, reserved: Iterable[str] = (), relu_at_zero: float = 0, formulas: bool = True
) -> Pullback:
    """The two functions of a derivation.

    Args:
        d: the derivation.
        reserved: names that the target uses itself.
        relu_at_zero: the derivative of relu at 0.
        formulas: whether the statements have their mathematics, which only readers need.
    """
    taken = {*d.f.symbols, *d.f.intermediates, *d.f.dimension_names}
    name = f"d{d.f.name}"
    while name in taken:
        name += "_"
    upstream = symbol(name, ())
    lowered = list_derivation(d.pulled_back(upstream), upstream, reserved, one_softmax=True, formulas=formulas)
    program = with_slope_at_zero(lowered, relu_at_zero)
    statements = _recomputed(_late(by_outputs(program.pool, list(program.statements))))
    inputs = tuple(s for s in program.inputs if s is not upstream)
    return Pullback(replace(program, inputs=inputs, statements=tuple(statements)), upstream)


def _late(statements: list[Statement]) -> list[Statement]:
    """What only the backward needs is computed there, just before it is needed."""
    needed: set[Input] = set()
    early: list[Statement] = []
    late: dict[Input, Statement] = {}
    for s in reversed(statements):
        if s.section == "value" or s.leaf in needed:
            needed |= reads(s.op).keys()
            early.append(s)
        elif s.section == "forward":
            late[s.leaf] = replace(s, section="backward")
    done = early[::-1]
    placed: set[Input] = set()

    def place(s: Statement) -> None:
        for leaf in reads(s.op):
            if leaf in late and leaf not in placed:
                place(late[leaf])
        placed.add(s.leaf)
        done.append(s)

    for s in statements:
        if s.section == "backward":
            place(s)
    return done


def _recomputed(statements: list[Statement]) -> list[Statement]:
    """Where a function's argument is kept, its output is computed again rather than kept too; so are constants."""
    own = {s.leaf for s in statements if s.section == "backward"}
    read = {*reads(*(s.op for s in statements if s.section == "backward"))} - own
    again = {
        s.leaf: replace(s, section="backward")
        for s in statements
        if s.section == "forward" and s.leaf in read and (not reads(s.op) or _is_function_of(s.op, read))
    }
    done: list[Statement] = []

    def recompute(s: Statement) -> None:
        """What a statement uses, before it; a function of a function is computed after that."""
        for leaf in reads(s.op):
            if leaf in again:
                made = again.pop(leaf)
                recompute(made)
                done.append(made)

    for s in statements:
        if s.section == "backward":
            recompute(s)
        done.append(s)
    return done


def _is_function_of(op: Op, leaves: set[Input]) -> bool:
    return isinstance(op, Map) and len(op.args) == 1 and op.function != "real" and op.args[0] in leaves


__all__ = ["Pullback", "lower_pullback"]

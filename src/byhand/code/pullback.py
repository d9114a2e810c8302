"""A program in two functions: forward, which keeps what the backward needs, and backward, which starts from an adjoint.

The backward is derived with an adjoint of the function other than 1 (`Derivation.pulled_back`), so it is the pullback
of the function, whatever is computed from its value later. What is kept is decided here: outputs of activations rather
than their arguments, never both, and nothing that the backward can read off its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from byhand.code.kinks import with_slope_at_zero
from byhand.code.lower import lower_derivation
from byhand.code.outputs import by_outputs
from byhand.code.program import Program, Statement, uses
from byhand.expr.nodes import Expr, Symbol, symbol
from byhand.rules.forms import Form

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation

# f(z) > 0 exactly where z > 0: the output tells what the derivative needs.


@dataclass(frozen=True, slots=True)
class Pullback:
    """A program with the parts that stand in its two functions.

    Attributes:
        program: all statements; its inputs without the upstream adjoint.
        upstream: the symbol of the adjoint of the value; its identifier is in the program's names.
    """

    program: Program
    upstream: Symbol

    @property
    def forward(self) -> list[Statement]:
        """Statements up to the value."""
        return [s for s in self.program.statements if s.section != "backward"]

    @property
    def backward(self) -> list[Statement]:
        """Statements after it."""
        return [s for s in self.program.statements if s.section == "backward"]

    def saved(self, touched: Iterable[Expr] = ()) -> list[Expr]:
        """What the backward reads: inputs in order, then intermediates in the order of their computation.

        Args:
            touched: inputs that its source mentions beyond its forms: for a dtype or a size.
        """
        own = {s.leaf for s in self.backward}
        read = ({*uses(s.form for s in self.backward)} - own) | {*touched}
        return [leaf for leaf in (*self.program.inputs, *(s.leaf for s in self.forward)) if leaf in read]


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
    lowered = lower_derivation(d.pulled_back(upstream), upstream, reserved, one_softmax=True, formulas=formulas)
    program = with_slope_at_zero(lowered, relu_at_zero)
    statements = _recomputed(_late(by_outputs(list(program.statements))))
    inputs = tuple(s for s in program.inputs if s is not upstream)
    return Pullback(replace(program, inputs=inputs, statements=tuple(statements)), upstream)


def _late(statements: list[Statement]) -> list[Statement]:
    """What only the backward needs is computed there, just before it is needed."""
    needed: set[Expr] = set()
    early: list[Statement] = []
    late: dict[Expr, Statement] = {}
    for s in reversed(statements):
        if s.section == "value" or s.leaf in needed:
            needed |= {*uses([s.form])}
            early.append(s)
        elif s.section == "forward":
            late[s.leaf] = replace(s, section="backward")
    done = early[::-1]
    placed: set[Expr] = set()

    def place(s: Statement) -> None:
        for leaf in uses([s.form]):
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
    read = {*uses(s.form for s in statements if s.section == "backward")} - own
    again = {
        s.leaf: replace(s, section="backward")
        for s in statements
        if s.section == "forward" and s.leaf in read and (not uses([s.form]) or _is_function_of(s.form, read))
    }
    done: list[Statement] = []

    def recompute(s: Statement) -> None:
        """What a statement uses, before it; a function of a function is computed after that."""
        for leaf in uses([s.form]):
            if leaf in again:
                made = again.pop(leaf)
                recompute(made)
                done.append(made)

    for s in statements:
        if s.section == "backward":
            recompute(s)
        done.append(s)
    return done


def _is_function_of(form: Form, leaves: set[Expr]) -> bool:
    return form.kind == "function" and form.args[0].kind == "name" and form.args[0].data in leaves


__all__ = ["Pullback", "lower_pullback"]

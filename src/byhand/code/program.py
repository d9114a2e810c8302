"""The lowered program: what every target prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from byhand.code.forms import parts
from byhand.expr.dims import Shape
from byhand.expr.nodes import Expr, Named, Symbol, symbol
from byhand.rules.forms import Form

if TYPE_CHECKING:
    from byhand.notation.names import Names
    from byhand.notation.typeset import Math

Section = Literal["forward", "value", "backward"]


@dataclass(frozen=True, slots=True)
class Statement:
    """name = form.

    Attributes:
        name: the identifier that is assigned.
        leaf: the node that stands for it in later forms.
        form: the right-hand side.
        section: the block that it belongs to.
        math: the right-hand side as mathematics, where it has a form that can be printed.
        left: what the mathematics calls the left-hand side, where that is not the name: ∂L/∂Z2.
        result: the name under which it is returned; None for intermediates.
        ours: whether the name is byhand's own.
    """

    name: str
    leaf: Expr
    form: Form
    section: Section
    math: Math | None = None
    left: Math | None = None
    result: str | None = None
    ours: bool = False

    @property
    def shape(self) -> Shape:
        """The shape of the value."""
        return self.leaf.shape

    @property
    def defined(self) -> bool:
        """Whether it is an intermediate of the function or of its derivation."""
        return isinstance(self.leaf, Named)


@dataclass(frozen=True)
class Program:
    """Statements in order, from inputs to results.

    Attributes:
        title: what is computed, as words.
        function: the name of the function in code.
        inputs: the arguments, in order.
        statements: in an order in which they can be computed.
        names: the identifier of each leaf.
        dims: the identifier of each named dimension.
        outputs: the names of the results, in order, the value left out.
        value: the identifier of the function's value, where gradients come with it.
        notes: sentences for the docstring: conventions.
    """

    title: str
    function: str
    inputs: tuple[Symbol, ...]
    statements: tuple[Statement, ...]
    names: Mapping[Expr, str]
    dims: Mapping[str, str]
    outputs: tuple[str, ...]
    value: str | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def page(self) -> Names:
        """What the names look like in the comments: one map for all of them."""
        from byhand.notation.names import Names  # notation is imported where there is mathematics to print

        shown = [m for s in self.statements for m in (s.math, s.left) if m is not None]
        return Names(shown, (*self.dims, *self.dims.values(), *(s.name for s in self.statements if s.math is None)))

    @property
    def results(self) -> dict[str, str]:
        """What is returned by name -> the identifier that holds it, the value left out."""
        held = {s.result: s.name for s in self.statements if s.result is not None and s.name != self.value}
        return {name: held[name] for name in self.outputs}


def leaf_form(leaf: Expr) -> Form:
    """A use of a name."""
    return Form("name", data=leaf, rank=leaf.ndim)


def temporary(name: str, shape: Shape) -> Symbol:
    """The leaf of an intermediate that code has and the derivation has not."""
    return symbol(name, shape, ("temporary",))


def uses(forms: Iterable[Form]) -> dict[Expr, int]:
    """How often each leaf occurs."""
    found: dict[Expr, int] = {}
    for form in forms:
        for part in parts(form):
            if part.kind == "name":
                found[part.data] = found.get(part.data, 0) + 1
    return found


def without_dead(statements: list[Statement]) -> list[Statement]:
    """Statements that a result needs."""
    needed: set[Expr] = set()
    kept = []
    for s in reversed(statements):
        if s.result is not None or s.leaf in needed:
            kept.append(s)
            needed |= set(uses([s.form]))
    return kept[::-1]


def with_form(statement: Statement, form: Form) -> Statement:
    """The statement with another right-hand side."""
    return statement if form is statement.form else replace(statement, form=form)


__all__ = ["Program", "Section", "Statement", "leaf_form", "temporary", "uses", "with_form", "without_dead"]

"""Hessians: the gradient of a scalar function, differentiated again by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from byhand.derive.derivation import Derivation
from byhand.derive.gradient import Accumulation
from byhand.derive.prepare import prepare
from byhand.expr.contraction import is_zero
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, Symbol, topological
from byhand.second.accumulate import Jacobians
from byhand.second.inputs import function_and_names, kink_notes, need_scalar, set_aside, single, structure_notes
from byhand.second.jacobian import finish, steps_of
from byhand.second.result import Jacobian, Layout, check_layout


class Hessian(Jacobian):
    """∂²f/∂x∂y of a scalar function, of shape x.shape + y.shape."""


def hessian(f: Any, x: str, y: str | None = None, layout: Layout = "numerator") -> Hessian:
    """The Hessian of a scalar function in closed form, or the mixed second derivative ∂²f/∂x∂y.

    Args:
        f: an `Expression` of shape (), or a network.
        x: the name of an input.
        y: the name of a second input; x where none is given.
        layout: "numerator", the axes of x first, or "denominator", those of y first.
    Returns: a Hessian, of shape x.shape + y.shape; zero of that shape, and said so, where it vanishes.
    Raises: ShapeError: f is not scalar. ParseError: an unknown input.
    Source: second identification theorem, Magnus and Neudecker (2019), chapters 6 and 10.
    """
    check_layout(layout)
    expression, names = function_and_names(f, [x] if y is None else [x, y])
    single([names[0]], "a Hessian")
    first, second = names[0], names[-1]
    need_scalar(expression, "a Hessian", "byhand.jacobian(f, x) differentiates every entry once")
    plain, back = set_aside(expression, names)
    gradient, adjoints, used = gradient_program(plain, first)
    prepared = prepare(gradient)
    variable = plain.symbols[second]
    reading = Jacobians(prepared, variable, gradient.name)
    node, notes = finish(reading.read_off(), variable, prepared, back, adjoints_in(prepared.root, adjoints, reading))
    notes = tuple(dict.fromkeys((*(f"Used: {words}." for words in used), *notes)))
    if is_zero(node):
        notes = (f"The Hessian of {plain.name} with respect to {first} and {second} is zero.", *notes)
    variables = (expression.symbols[first], expression.symbols[second])
    notes = (*notes, *structure_notes(variables), *kink_notes(plain), *expression.notes)
    called = {n: (plain.root, adjoints[n.name]) for n in named_in(prepared.root) if n.name in adjoints}
    names_of = (*((n, (m, variable)) for n, m in reading.names.items()), *called.items())
    steps = steps_of(prepared, reading, node, gradient.name)
    return Hessian(expression, variables, node, plain.symbols[first].ndim, layout, notes, names_of, steps)


def gradient_program(f: Expression, x: str) -> tuple[Expression, dict[str, Expr], tuple[str, ...]]:
    """∂f/∂x over named intermediates; the names of adjoints -> what they are the adjoint of; declared properties used."""
    prepared = prepare(f)
    variable = f.symbols[x]
    units = Accumulation(prepared, [variable], f.name, free_entries=True).run()
    d = Derivation(f, prepared, (variable,), tuple(units), free_entries=True)
    adjoints = {
        u.adjoint.name: u.node for u in units if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)
    }
    name = f"d{f.name}_d{x}"
    return Expression(d.gradients[x].root, f.inputs, name), adjoints, d.assumptions


def adjoints_in(root: Expr, adjoints: Mapping[str, Expr], reading: Jacobians) -> set[Named]:
    """The adjoints and named Jacobians that may be written out in the result."""
    return {n for n in named_in(root) if n.name in adjoints} | set(reading.names)


def named_in(root: Expr) -> list[Named]:
    """The named intermediates below a node."""
    return [n for n in topological([root]) if isinstance(n, Named)]

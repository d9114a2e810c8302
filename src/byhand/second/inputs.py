"""What `jacobian`, `hessian` and the products share: names checked, closed properties put aside, conventions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from byhand.derive.derivation import variable_names
from byhand.errors import ParseError, ShapeError
from byhand.expr.dims import show_shape
from byhand.expr.expression import Expression, as_expression, substitute
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Elementwise, Expr, Symbol, symbol, topological

# Properties of a variable that a small step breaks: they hold of its value and may be used after differentiating only.
CLOSED = frozenset({"orthogonal", "simplexrows", "simplexcolumns", "one_hot", "01", "pm1"})


def function_and_names(f: Any, wrt: str | Iterable[str] | None) -> tuple[Expression, list[str]]:
    """The function, and the checked names of the inputs to differentiate with respect to.

    Raises: ParseError: an unknown input, or one that holds labels or was declared constant.
    """
    expression = as_expression(f)
    return expression, variable_names(expression, wrt, getattr(f, "parameters", None), lenient=True)


def single(names: list[str], what: str) -> str:
    """The one name that a Jacobian is taken with respect to."""
    if len(names) != 1:
        raise ParseError(f"{what} is taken with respect to one input: name one of {', '.join(names)}")
    return names[0]


def need_scalar(f: Expression, what: str, remedy: str) -> None:
    """Raises: ShapeError: f is not scalar."""
    if f.shape != ():
        raise ShapeError(f"{what} needs a scalar function: {f.name} has shape {show_shape(f.shape)}", remedy)


def set_aside(f: Expression, names: Iterable[str]) -> tuple[Expression, dict[Expr, Expr]]:
    """The function of variables without their closed properties, and what to put back after differentiating."""
    old = {n: f.symbols[n] for n in names if f.symbols[n].assumptions & CLOSED}
    new = {s: symbol(n, s.shape, _open(s)) for n, s in old.items()}
    if not new:
        return f, {}
    inputs = tuple(new.get(s, s) for s in f.inputs)
    replaced: dict[Expr, Expr] = {s: n for s, n in new.items()}
    return Expression(substitute(f.root, replaced), inputs, f.name, f.notes, f.vectors_as_rows), {
        v: k for k, v in new.items()
    }


def _open(s: Symbol) -> frozenset[str]:
    return s.assumptions - CLOSED


def kink_notes(f: Expression) -> tuple[str, ...]:
    """The convention at points where a function of the expression has no derivative."""
    found = {n.function for n in topological([f.root]) if isinstance(n, Elementwise) and FUNCTIONS[n.function].kinks}
    notes = []
    for name in sorted(found):
        places = " and ".join(f"{k:g}" for k in FUNCTIONS[name].kinks)
        notes.append(
            f"{name} has no derivative at {places}; there the formula {name}' = {FUNCTIONS[name].derivative} is used "
            "(z the argument, y the value; step(0) = sign(0) = 0), and step and sign have derivative 0."
        )
    return tuple(notes)


def structure_notes(variables: Iterable[Symbol]) -> tuple[str, ...]:
    """What varies in a variable with a declared structure."""
    notes = []
    for v in dict.fromkeys(variables):
        if "diagonal" in v.assumptions:
            notes.append(f"{v.name} is diagonal: its diagonal entries vary; derivatives by the others are zero.")
        elif "symmetric" in v.assumptions:
            notes.append(f"{v.name} is symmetric: its free entries vary, each off-diagonal entry counts once.")
    return tuple(notes)

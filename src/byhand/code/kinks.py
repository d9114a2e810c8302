"""The derivative at a kink: 0 as derived, or another of the subgradients that people choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from byhand.arguments import shown
from byhand.code.forms import mapped, parts
from byhand.code.program import Program, Statement, leaf_form, with_form
from byhand.errors import ByhandError
from byhand.rules.forms import Form

# Functions whose derivative asks whether z > 0: relu'(z) = step(z), leaky_relu'(z) = step(z) + 0.01 (1 - step(z)), ...
KINKED = frozenset({"relu", "leaky_relu", "elu", "selu"})
CHOICES = (Fraction(0), Fraction(1, 2), Fraction(1))


def with_slope_at_zero(program: Program, slope: float) -> Program:
    """The program with another derivative of relu and its kin at zero: step(0) in the backward part.

    Args:
        program: of a function and its gradients.
        slope: 0 (as derived), 0.5 or 1: relu'(0).
    Raises: ByhandError: another number; or a function that asks for z > 0 itself, where the two cannot be told apart.
    """
    if not isinstance(slope, (int, float, Fraction)) or slope not in CHOICES:
        raise ByhandError(f"relu'(0) is {shown(slope)}: it can be {', '.join(str(float(c)) for c in CHOICES)}")
    forward = [p for s in program.statements if s.section != "backward" for p in parts(s.form)]
    arguments = {p.args[0] for p in forward if p.kind == "function" and p.data in KINKED}
    program = replace(program, notes=(*program.notes, *_conventions(forward, slope)))
    if slope == 0:
        return program
    if any(_asks(p) and p.args[0] in arguments for p in forward):
        raise ByhandError(
            "relu'(0) cannot be chosen: the function itself asks where the argument of a relu is positive",
            "leave relu'(0) = 0, or write that mask of 2*z, which is positive where z is",
        )

    def change(form: Form) -> Form:
        chosen = _asks(form) and form.args[0] in arguments
        return Form("heaviside", form.args, Fraction(slope), form.rank) if chosen else form

    changed = [with_form(s, mapped(s.form, change)) if s.section == "backward" else s for s in program.statements]
    return replace(program, statements=tuple(changed))


def of_kinked(statements: Iterable[Statement]) -> set[Form]:
    """Arguments and values of relu and its kin. A derivative that asks for their sign may be anything where they are no
    numbers, for so is the value; a comparison that is written down is false there.
    """
    found: set[Form] = set()
    for s in statements:
        kinked = [p for p in parts(s.form) if p.kind == "function" and p.data in KINKED]
        found |= {form for p in kinked for form in (p, p.args[0])}
        if s.form in kinked:
            found.add(leaf_form(s.leaf))
    return found


def _conventions(forward: list[Form], slope: float) -> list[str]:
    """What is taken for the derivative at zero, for each function with a kink there."""
    found = dict.fromkeys(p.data for p in forward if p.kind == "function" and p.data in KINKED)
    side = {0.0: "that from the left", 1.0: "that from the right"}.get(float(slope), "the mean of both sides")
    return [f"relu'(0) = {slope:g}." if name == "relu" else f"{name}'(0) is {side}." for name in found]


def _asks(form: Form) -> bool:
    return form.kind in ("mask", "function") and form.data == "step"


__all__ = ["of_kinked", "with_slope_at_zero"]

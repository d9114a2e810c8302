"""What code adds to the forms of `rules.forms`: indexing, axes, and the pieces of data that these kinds carry.

Beside the kinds of `rules.forms`, a lowered form may be one of

    mask            z > 0, as an array of booleans
    heaviside       1 where z > 0, else 0; `data` where z = 0
    norm            the 2-norm
    sums, means     sum, mean over the axes in `data`
    squeeze         axes of size one dropped (`data`)
    expand          axes added by broadcasting (`data`: Expand)
    permute         axes in the order of `data`
    reshape         `data`: the new shape
    slice, pad      `data`: a Span or None for each axis
    concatenate     `data`: (axis, shape)
    take            rows of the first at the integers of the second, along axis `data`
    pick            the entry of the first along its last axis at the integer of the second
    scatter         rows of the first added up at the integers of the second, along an axis of `data`
    solve           inv(A) B
    einsum          `data`: Einsum
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from byhand.code.python import Span
from byhand.code.shapes import shape_of
from byhand.expr.dims import Shape
from byhand.rules.forms import Form

# Their entries are entries of the operand.
VIEWS = frozenset({"transpose", "permute", "squeeze", "slice", "reshape", "expand"})


class Expand(NamedTuple):
    """Data of `expand`: the shape, and where in it the axes of the operand stand, in order."""

    shape: Shape
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Einsum:
    """Data of `einsum`: labels of each operand, of the result, and the size of each label."""

    labels: tuple[tuple[int, ...], ...]
    out: tuple[int, ...]
    sizes: Shape


def expand(form: Form, shape: Shape, positions: tuple[int, ...]) -> Form:
    """The form with axes added; nothing where there are none to add."""
    if shape_of(form) == shape and positions == tuple(range(len(shape))):
        return form
    return Form("expand", (form,), Expand(shape, positions), len(shape))


def sums(form: Form, axes: tuple[int, ...]) -> Form:
    """Sum over axes."""
    return Form("sums", (form,), axes, form.rank - len(axes)) if axes else form


def permute(form: Form, axes: tuple[int, ...]) -> Form:
    """Axes in another order."""
    if axes == tuple(range(form.rank)):
        return form
    if form.kind == "permute":
        return permute(form.args[0], tuple(form.data[a] for a in axes))
    if form.kind == "transpose":
        return permute(form.args[0], tuple(1 - a for a in axes))
    return Form("transpose", (form,), rank=2) if form.rank == 2 else Form("permute", (form,), axes, form.rank)


def squeeze(form: Form, axes: tuple[int, ...]) -> Form:
    """Axes of size one dropped."""
    return Form("squeeze", (form,), axes, form.rank - len(axes)) if axes else form


def hadamard(factors: tuple[Form, ...], rank: int) -> Form:
    """The elementwise product."""
    return factors[0] if len(factors) == 1 else Form("hadamard", factors, rank=rank)


def is_boolean(form: Form) -> bool:
    """Whether the form is a mask, seen through views."""
    return form.kind == "mask" or (form.kind in VIEWS and is_boolean(form.args[0]))


def rebuilt(form: Form, args: tuple[Form, ...]) -> Form:
    """The form with other operands."""
    if all(a is b for a, b in zip(form.args, args, strict=True)):
        return form
    return Form(form.kind, args, form.data, form.rank)


def mapped(form: Form, change: Callable[[Form], Form]) -> Form:
    """The form with every part changed, operands first."""
    return change(rebuilt(form, tuple(mapped(a, change) for a in form.args)))


def parts(form: Form) -> list[Form]:
    """The form and all its parts, operands first."""
    return [p for a in form.args for p in parts(a)] + [form]


__all__ = [
    "VIEWS", "Einsum", "Expand", "Span", "expand", "hadamard", "is_boolean", "mapped", "parts", "permute", "rebuilt",
    "squeeze", "sums",
]  # fmt: skip

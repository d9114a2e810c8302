"""What a person writes with products, transposes and sums: operations on arrays of at most two axes, as data."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from byhand.expr.dims import Coefficient


class NoMatrixForm(Exception):  # noqa: N818 -- a signal between modules, never shown
    """The node has no two-dimensional form."""


@dataclass(frozen=True, slots=True)
class Form:
    """An operation on arrays of at most two axes, or `einsum` on any.

    Attributes:
        kind: a row of `patterns`, or name, number, differential, function, operation, power, sum, scaled, norm_squared,
            kron, einsum.
        args: the operands.
        data: what the kind needs beside them: a node, a function's name, an exponent, sizes.
        rank: the number of axes.
        unit_axis: of an operation, whether an axis of what it is applied to has a single entry.
    """

    kind: str
    args: tuple[Form, ...] = ()
    data: Any = None
    rank: int = 0
    unit_axis: bool = False


class Scale(NamedTuple):
    """Data of `scaled`: coefficient × ∏ scalar^power × core; args are the scalars, then the core if any."""

    coefficient: Coefficient
    powers: tuple[Fraction, ...]
    has_core: bool


def flipped(form: Form) -> Form:
    """The transposed form."""
    return form.args[0] if form.kind == "transpose" else Form("transpose", (form,), rank=2)


def count_transposes(form: Form) -> int:
    """Transposes in a form."""
    return (form.kind == "transpose") + sum(map(count_transposes, form.args))


def has_differential(form: Form) -> bool:
    """Whether d( ) occurs in a form."""
    return form.kind == "differential" or any(map(has_differential, form.args))


def dot(a: Form, b: Form) -> Form:
    """aᵀ b of two vectors."""
    return Form("norm_squared", (a,)) if a == b else Form("dot", (a, b))


def inner(a: Form, b: Form) -> Form:
    """⟨A, B⟩ of two matrices."""
    return Form("norm_squared", (a,)) if a == b else Form("inner", (a, b))


def hadamard(a: Form, b: Form, rank: int) -> Form:
    """A ⊙ B, flat."""
    parts = [f for x in (a, b) for f in (x.args if x.kind == "hadamard" else (x,))]
    return Form("hadamard", tuple(parts), rank=rank)

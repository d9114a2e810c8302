"""What a person writes with products, transposes and sums: operations on arrays of at most two axes, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
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
        has_differential: whether d( ) occurs in it.
        transposes: how many there are in it.
    """

    kind: str
    args: tuple[Form, ...] = ()
    data: Any = None
    rank: int = 0
    unit_axis: bool = False
    has_differential: bool = field(init=False, compare=False, repr=False)
    transposes: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        differential = self.kind == "differential" or any(a.has_differential for a in self.args)
        object.__setattr__(self, "has_differential", differential)
        object.__setattr__(self, "transposes", (self.kind == "transpose") + sum(a.transposes for a in self.args))


class Scale(NamedTuple):
    """Data of `scaled`: coefficient × ∏ scalar^power × core; args are the scalars, then the core if any."""

    coefficient: Coefficient
    powers: tuple[Fraction, ...]
    has_core: bool


def flipped(form: Form) -> Form:
    """The transposed form."""
    return form.args[0] if form.kind == "transpose" else Form("transpose", (form,), rank=2)


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

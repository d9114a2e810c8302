"""Proofs by numbers: both sides of an equation of the tables, evaluated on random values from its domain.

Of a differential, the left side is the derivative of the operation itself along random directions, by a complex step;
the right side is the rule with those directions put in for d(X). Sizes are pairwise distinct primes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from byhand.expr.assume import PROPERTIES, sample
from byhand.expr.dims import dim_value
from byhand.expr.evaluate import evaluate_node
from byhand.expr.nodes import Differential, Expr, differential_of
from byhand.rules.catalogue import Entry, Equation, Side, entry

PRIMES = (5, 3, 7, 2, 11, 13)
STEP = 1e-30
TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Check:
    """One equation: the sizes drawn, the norms of both sides (a number: itself), and the relative error."""

    equation: Equation
    sizes: dict[str, int]
    left: float
    right: float
    error: float

    @property
    def ok(self) -> bool:
        return bool(self.error <= TOLERANCE)


@dataclass(frozen=True, slots=True)
class Proof:
    """The checks of a rule, one per equation."""

    entry: Entry
    checks: tuple[Check, ...]

    @property
    def error(self) -> float:
        """The largest relative error."""
        return max((c.error for c in self.checks), default=0.0)

    @property
    def ok(self) -> bool:
        """Whether every equation holds."""
        return all(c.ok for c in self.checks)


def explain(name: str, seed: int = 0) -> Proof:
    """The rule called `name`, with its proof by numbers.

    Raises: ParseError: no rule is called so.
    """
    return prove(entry(name), seed)


def prove(rule: Entry, seed: int = 0) -> Proof:
    """Both sides of every equation of a rule, on values drawn with this seed."""
    return Proof(rule, tuple(check(e, seed) for e in rule.equations))


def check(equation: Equation, seed: int = 0) -> Check:
    """Both sides of one equation, on values drawn with this seed."""
    equation, shown = equation.everywhere(), equation
    rng = np.random.default_rng(seed)
    sizes = dict(zip(equation.dimensions, PRIMES, strict=False))
    values, directions = draw(equation, rng, sizes)
    left, right = equation.sides
    a = side_value(left, values, directions, sizes)
    b = side_value(right, values, directions, sizes)
    if equation is not shown and np.ndim(b) == 0:
        b = np.full(np.shape(a), b)  # s**2 = 1, entry by entry
    return Check(shown, sizes, _size(a), _size(b), relative_error(a, b))


Values = dict[Expr, Any]


def draw(equation: Equation, rng: np.random.Generator, sizes: Mapping[str, int]) -> tuple[Values, Values]:
    """Values of the variables, and directions for those that have a differential."""
    values: Values = {}
    directions: Values = {}
    for name, s in equation.symbols.items():
        shape = tuple(dim_value(d, sizes) for d in s.shape)
        domain = equation.domain[name].sampler if name in equation.domain else "real"
        values[s] = draw_one(domain, rng, shape, min(sizes.values(), default=2))
        if domain != "labels":
            directions[s] = rng.standard_normal(shape)
    return values, directions


def draw_one(domain: str, rng: np.random.Generator, shape: tuple[int, ...], classes: int) -> Any:
    """Random values from an interval or with a declared property."""
    if domain in PROPERTIES:
        return sample([domain], rng, shape, classes)
    values = 2 * rng.standard_normal(shape)
    if domain == "unit":
        return np.asarray(np.tanh(values))
    return values


def side_value(side: Side, values: Values, directions: Values, sizes: Mapping[str, int]) -> Any:
    """The value of one side; d( ) of a variable is its direction, d( ) of anything else a complex step."""
    if isinstance(side, tuple):
        a, b = (np.asarray(side_value(part, values, directions, sizes)) for part in side)
        return np.sum(a * b) if a.shape == b.shape else np.nan
    if isinstance(side, Differential) and side.arg not in values:
        moved = {s: v + 1j * STEP * directions[s] if s in directions else v for s, v in values.items()}
        return np.imag(evaluate_node(side.arg, moved, sizes)) / STEP
    return evaluate_node(side, values | {differential_of(s): d for s, d in directions.items()}, sizes)


def relative_error(a: Any, b: Any) -> float:
    """‖a - b‖ over the larger norm; infinite where shapes differ or a number is missing."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        return float("inf")
    difference, scale = float(np.linalg.norm(a - b)), max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return difference / scale if difference else 0.0


def _size(a: Any) -> float:
    return float(a) if np.ndim(a) == 0 else float(np.linalg.norm(a))

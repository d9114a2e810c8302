"""Directional derivatives of a loss that owe nothing to any gradient: at most a few forwards each, at any size.

Ways, the first that the loss allows: complex step, the forward mode of PyTorch or JAX (which no hand-written backward
can fool), central differences with extrapolation and an estimate of their error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from byhand.check.numeric import STEP, Environment, Slope, norm
from byhand.check.subject import Subject, library_of, like, quiet_float64
from byhand.errors import ByhandError, CheckError, DataError
from byhand.expr.evaluate import bind
from byhand.expr.expression import Expression
from byhand.expr.functions import function
from byhand.expr.nodes import Elementwise, Expr, Named, Symbol, topological
from byhand.threads import quiet_warnings

Array = Any
Values = Mapping[str, Array]
EXACT, VALIDATION = 1e-13, 1e-4  # relative error of an exact method; what a validation by differences must reach
RATIO, FIRST_STEP, LEVELS, MORE_LEVELS = 4.0, 4e-3, 4, 6
STILL = 1e-12  # of the largest argument: nearer to a kink, an argument counts as on it


@dataclass(frozen=True, slots=True)
class Derivative:
    """A derivative along a direction, an estimate of its absolute error, and how it was found."""

    value: float
    error: float
    method: str


class Forward(Protocol):
    """A loss that can be evaluated and differentiated along directions."""

    def value(self, values: Values) -> float:
        """The loss."""
        ...

    def along(self, values: Values, direction: Values) -> Derivative:
        """The derivative along a direction of some of the values."""
        ...

    def kinked(self, values: Values, names: Sequence[str]) -> tuple[str, ...]:
        """The units that stand on a kink there and move with the values named, as far as they are known."""
        ...


class ExpressionForward:
    """A loss known as an expression: complex step through byhand's own interpreter."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self.slopes: dict[tuple[str, ...], Slope] = {}
        self.last: tuple[dict[str, Array], Environment] | None = None

    def environment(self, values: Values) -> Environment:
        """The values of all nodes; those at the last point are kept."""
        if self.last is None or any(self.last[0].get(n) is not v for n, v in values.items()):
            bound, sizes = bind(self.expression, values)
            for s, value in bound.items():
                if np.iscomplexobj(value):
                    raise DataError(f"{s}: a real array is needed, not {value.dtype}")
            self.last = dict(values), Environment(bound, sizes)
        return self.last[1]

    def value(self, values: Values) -> float:
        """The loss."""
        with np.errstate(all="ignore"):
            return float(self.environment(values)[self.expression.root])

    def along(self, values: Values, direction: Values) -> Derivative:
        """The derivative along a direction."""
        names = tuple(sorted(direction))
        symbols = self.expression.symbols
        slope = self.slopes.setdefault(names, Slope(self.expression.root, [symbols[n] for n in names]))
        with np.errstate(all="ignore"):
            found = float(slope.along(self.environment(values), {symbols[n]: d for n, d in direction.items()}))
        return Derivative(found, EXACT * abs(found), "complex step")

    def kinked(self, values: Values, names: Sequence[str]) -> tuple[str, ...]:
        """Units whose argument is on a kink of their function, and moves."""
        order = topological([self.expression.root])
        if not any(isinstance(n, Elementwise) and function(n.function).kinks for n in order):
            return ()
        env, found = self.environment(values), []
        called = {n.body: n.name for n in order if isinstance(n, Named)}
        rng = np.random.default_rng(39)
        leaves = [self.expression.symbols[n] for n in names]
        with np.errstate(all="ignore"):
            directions: dict[Expr, Array] = {s: rng.standard_normal(np.shape(env[s])) for s in leaves}
            moved = Slope(self.expression.root, leaves).moved(env, directions)
            for node in order:
                if not isinstance(node, Elementwise) or not function(node.function).kinks or node.arg not in moved:
                    continue
                z = np.asarray(env[node.arg])
                width = STILL * max(float(np.max(np.abs(z), initial=0.0)), 1e-280)
                near = np.any([np.abs(z - k) <= width for k in function(node.function).kinks], axis=0)
                near &= np.imag(moved[node.arg]) != 0
                places = np.argwhere(near).tolist()
                found += [f"{called.get(node, node.function)}[{', '.join(map(str, i))}]" for i in places]
        return tuple(found)


class CallableForward:
    """A loss known as a function only; the way to differentiate it is found at the first call and validated."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.method: str | None = None

    def value(self, values: Values) -> float:
        """The loss.

        Raises: CheckError: it is no real number.
        """
        found = self.subject.scalar(values)
        if np.imag(found):
            raise CheckError(
                f"the loss is {found}: a real number is needed", "return its real part, or its absolute value"
            )
        if isinstance(found, (bool, np.bool_)):
            raise CheckError("the loss is a truth value: a real number is needed")
        return float(np.real(found))

    def kinked(self, values: Values, names: Sequence[str]) -> tuple[str, ...]:
        """Unknown: the units of a function cannot be seen."""
        del values, names
        return ()

    def along(self, values: Values, direction: Values) -> Derivative:
        """The derivative along a direction."""
        if self.method is None:
            self.method, found = self.choose(values, direction)
            if found is not None:
                return Derivative(found, EXACT * abs(found), self.method)
        if self.method == "central differences":
            return central(self.value, values, direction)
        exact = self.by(self.method, values, direction)
        return Derivative(exact, EXACT * abs(exact), self.method)

    def choose(self, values: Values, direction: Values) -> tuple[str, float | None]:
        """The first method that the loss allows and that differences do not contradict, and the derivative it gave."""
        libraries = {library_of(self.subject.given[n]) for n in direction}
        ways = ["complex step"] if libraries == {"numpy"} else ["forward mode", "complex step"]
        differences: Derivative | None = None
        for way in ways:
            try:
                found = self.by(way, values, direction)
            except (
                ByhandError,
                TypeError,
                ValueError,
                RuntimeError,
                NotImplementedError,
                np.exceptions.ComplexWarning,
            ):
                continue
            if not np.isfinite(found):
                continue
            for levels in (1, 2):  # one pair of calls is enough unless it contradicts
                if differences is None or levels == 2:
                    differences = central(self.value, values, direction, quick=levels)
                blur = 20 * differences.error if np.isfinite(differences.error) else 0.0
                allowed = max(VALIDATION * max(abs(found), abs(differences.value)), blur)
                if abs(found - differences.value) <= allowed:
                    return way, found
        return "central differences", None

    def by(self, way: str, values: Values, direction: Values) -> float:
        """The derivative by an exact method.

        Raises: CheckError, or whatever the library raises: the loss does not allow it.
        """
        if way == "complex step":
            top = max(float(np.max(np.abs(d), initial=0.0)) for d in direction.values()) or 1.0
            moved = {n: np.empty(np.shape(values[n]), dtype=complex) for n in direction}
            for n, array in moved.items():
                array.real, array.imag = values[n], direction[n] * (STEP / top)
            return float(np.imag(self.subject.scalar({**values, **moved}, fresh=moved))) / STEP * top
        return forward_mode(self.subject, values, direction)


def forward_mode(subject: Subject, values: Values, direction: Values) -> float:
    """The derivative by the forward mode of the library of the values."""
    given, loss = subject.given, subject.loss
    assert loss is not None
    names = list(direction)
    library = next(library_of(given[n]) for n in names if library_of(given[n]) != "numpy")
    with quiet_float64(given), quiet_warnings():  # torch.func warns of its own parts
        made = {n: like(given[n], v, np.asarray(v).dtype.kind == "f") for n, v in values.items()}
        tangents = tuple(like(given[n], np.asarray(direction[n], dtype=float), True) for n in names)

        def at(*moved: Any) -> Any:
            return loss(**{**made, **dict(zip(names, moved, strict=True))})

        if library == "torch":
            import torch

            _, tangent = torch.func.jvp(at, tuple(made[n] for n in names), tangents)
        else:
            import jax

            _, tangent = jax.jvp(at, tuple(made[n] for n in names), tangents)
        return float(tangent)


def central(value: Any, values: Values, direction: Values, quick: int = 0) -> Derivative:
    """Central differences, extrapolated; the error is what the table itself disagrees by, and the rounding of the loss.

    A kink within the step leaves the table unsettled; one exactly at the point is seen in one-sided slopes that differ
    by as much however small the step. Both show as a large error.

    Source: Ridders (1982); Press et al., Numerical Recipes, section 5.7.
    """
    lengths = [
        (norm(values[n]) / max(1, np.size(values[n])) ** 0.5 or 1.0) / (norm(d) / max(1, np.size(d)) ** 0.5)
        for n, d in direction.items()
        if norm(d)
    ]
    if not lengths:
        return Derivative(0.0, 0.0, "central differences")
    here, unit = 0.0 if quick else value(values), min(lengths)
    table: list[list[float]] = []
    asymmetries: list[float] = []
    best, error = 0.0, float("inf")
    for level in range(quick if quick else LEVELS + MORE_LEVELS):
        step = unit * FIRST_STEP / RATIO**level / (16 if quick else 1)
        up, down = (value({**values, **{n: values[n] + s * step * d for n, d in direction.items()}}) for s in (1, -1))
        rounding = 4 * np.finfo(float).eps * max(abs(here), abs(up), abs(down)) / step
        row = [(up - down) / (2 * step)]
        asymmetries.append(abs(up - 2 * here + down) / step)
        for k, above in enumerate(table[-1] if table else []):
            factor = RATIO ** (2 * (k + 1))
            row.append((factor * row[k] - above) / (factor - 1))
            guess = max(abs(row[k + 1] - row[k]), abs(row[k + 1] - above)) + rounding
            if guess < error:
                best, error = row[k + 1], guess
        if quick == 1:
            best = row[0]
        table.append(row)
        if level >= LEVELS - 1 and error <= 1e-9 * abs(best):
            break
    noise = 16 * np.finfo(float).eps * abs(here) / step
    if not quick and asymmetries[-1] > 0.3 * asymmetries[0] + noise and asymmetries[-1] > 1e-7 * abs(best):
        error = max(error, asymmetries[-1])
    return Derivative(best, error, "central differences")


__all__ = [
    "CallableForward",
    "CheckError",
    "Derivative",
    "ExpressionForward",
    "Forward",
    "Symbol",
    "central",
    "forward_mode",
]

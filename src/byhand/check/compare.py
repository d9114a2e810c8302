"""Gradients against derivatives that owe nothing to the rules: complex steps, generated code, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from byhand.check.draw import Point, direction_for
from byhand.check.numeric import (
    Environment,
    Slope,
    agreement,
    difference,
    norm,
    paired,
    restricted,
    unit_directions,
    worst_entry,
)
from byhand.check.oracles import jax_gradients, torch_gradients
from byhand.check.own_code import OwnCode, Worst, compiled
from byhand.derive.derivation import Derivation
from byhand.expr.nodes import Expr, Symbol, symbols_of

Array = Any
Oracle = Callable[[Expr, tuple[Symbol, ...], Mapping[Expr, Array], Mapping[str, int]], dict[Symbol, Array]]
DERIVATIVE = 1e-8  # against a complex step
SAME = 1e-10  # against another evaluation of a gradient
DIRECTIONS = 3
MOST_ENTRIES = 200  # of a variable, to be tried one at a time
ENTRY_BUDGET = 0.4  # seconds for single entries, in all; by count of operations, not by the clock
SINGLE_BUDGET = 1500  # variables x nodes, up to which each variable has directions of its own


@dataclass(frozen=True, slots=True)
class Finding:
    """What an oracle says of one gradient at one point: the relative error, and where it is largest."""

    error: float
    place: str = ""
    numbers: tuple[float, float] = (0.0, 0.0)
    note: str = ""


@dataclass(eq=False)
class GradientCheck:
    """The gradients of a derivation, to be compared at several points."""

    derivation: Derivation
    entries_left: float = ENTRY_BUDGET
    shakes: dict[tuple[int, int], Environment] = field(default_factory=dict, repr=False)
    codes: dict[str, OwnCode] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> Expr:
        """The function as its user wrote it, not its normal form."""
        return self.derivation.f.root

    @cached_property
    def occurring(self) -> frozenset[Symbol]:
        """The inputs that the function depends on."""
        return frozenset(symbols_of(self.root))

    @cached_property
    def slopes(self) -> dict[tuple[Symbol, ...], Slope]:
        """Derivatives along groups of variables, made when needed."""
        return {}

    def slope(self, *variables: Symbol) -> Slope:
        """The derivative along some variables."""
        if variables not in self.slopes:
            self.slopes[variables] = Slope(self.root, variables)
        return self.slopes[variables]

    def claimed(self, v: Symbol, env: Environment) -> Array:
        """The gradient of the derivation as numbers."""
        return np.asarray(env[self.derivation.gradients[v.name].root], dtype=float)

    # ---- complex step

    def complex_step(self, point: Point) -> dict[Symbol, Finding]:
        """Every variable along random directions; where there are many, all of them along common ones first."""
        variables = self.derivation.variables
        total = len(self.slope(*variables).order)
        if len(variables) > 1 and len(variables) * total > SINGLE_BUDGET:
            return self.together(point, variables)
        return {v: self.alone(point, v) for v in variables}

    def alone(self, point: Point, v: Symbol, entries: bool = True) -> Finding:
        """One variable along directions of its own, and its entries one at a time."""
        shape, env = point.shape(v), point.env
        g = self.claimed(v, env)
        if g.shape != shape:
            return Finding(float("inf"), note=f"the gradient has shape {g.shape}, {v.name} has {shape}")
        if v not in self.occurring:
            return Finding(0.0 if not np.any(g) else float("inf"), "", (norm(g), 0.0))
        slope, rng = self.slope(v), point.randomness(4)
        directions = [direction_for(v, shape, rng) for _ in range(DIRECTIONS)]
        true = np.array([float(slope.along(env, {v: d})) for d in directions])
        found = np.array([paired(v, g, d, self.free_entries) for d in directions])
        scale = norm(true) / np.sqrt(DIRECTIONS)
        outside = norm(g - self.within(v, g))  # entries that a symmetric or diagonal gradient cannot have

        def noise(k: int) -> float:
            shaken = self.shaken(point, k)
            now = np.array([paired(v, self.claimed(v, shaken), d, self.free_entries) for d in directions])
            then = np.array([float(slope.along(shaken, {v: d})) for d in directions])
            return norm(now - found) + norm(then - true)

        amplitude = partial(slope.amplitude, env, {v: directions[0]})
        error = agreement(max(difference(found, true), outside), scale, DERIVATIVE, noise, amplitude)
        k = int(np.argmax(np.abs(found - true)))
        finding = Finding(error, "a random direction", (float(found[k]), float(true[k])))
        count = int(np.prod(shape, dtype=int))
        cost = count * slope.cost(point.sizes)
        wanted = entries and count <= MOST_ENTRIES and self.entries_left >= cost
        if not wanted and not (error > DERIVATIVE and count <= MOST_ENTRIES):
            return finding
        if wanted:
            self.entries_left -= cost
        single = self.entry_by_entry(point, v, g, noise, amplitude)
        worst = single if single.error >= error or error > DERIVATIVE else finding
        return Finding(max(error, single.error), worst.place, worst.numbers, "every entry" if wanted else "")

    def entry_by_entry(
        self, point: Point, v: Symbol, g: Array, noise: Callable[[int], float], amplitude: Callable[[], float]
    ) -> Finding:
        """Each free entry moved by itself."""
        true = np.zeros(g.shape)
        slope = self.slope(v)
        for index, d in unit_directions(v, g.shape):
            true[index] = float(slope.along(point.env, {v: d}))
            if "symmetric" in v.assumptions:  # both entries move: they share what that gives, or each is all of it
                true[index] /= 1 if self.free_entries or index[0] == index[1] else 2
                true[index[::-1]] = true[index]
        return Finding(agreement(difference(g, true), norm(true), DERIVATIVE, noise, amplitude), *_worst(g, true))

    def together(self, point: Point, variables: tuple[Symbol, ...]) -> dict[Symbol, Finding]:
        """Common directions, each variable's part scaled so that all count alike; halved where the sum is wrong."""
        if len(variables) == 1:
            return {variables[0]: self.alone(point, variables[0], entries=False)}
        rng, env = point.randomness(5), point.env
        gradients = {v: self.claimed(v, env) for v in variables}
        sizes = {v: norm(g) for v, g in gradients.items()}
        zeros = tuple(v for v in variables if sizes[v] == 0.0)
        if zeros and len(zeros) < len(variables):
            others = tuple(v for v in variables if sizes[v] != 0.0)
            return self.together(point, zeros) | self.together(point, others)
        slope, worst = self.slope(*variables), 0.0
        outside = max(norm(g - self.within(v, g)) / (sizes[v] or 1.0) for v, g in gradients.items())
        for _ in range(DIRECTIONS):
            directions: dict[Expr, Array] = {
                v: direction_for(v, point.shape(v), rng) / (sizes[v] or 1.0) for v in variables
            }
            found = np.array([paired(v, gradients[v], directions[v], self.free_entries) for v in variables])
            true = float(slope.along(env, directions))
            gap = max(difference(np.sum(found), true), outside)

            def noise(
                k: int, along: Mapping[Expr, Array] = directions, found: Array = found, true: float = true
            ) -> float:
                shaken = self.shaken(point, k)
                now = np.array([paired(v, self.claimed(v, shaken), along[v], self.free_entries) for v in variables])
                return norm(now - found) + abs(float(slope.along(shaken, along)) - true)

            amplitude = partial(slope.amplitude, env, directions)
            worst = max(worst, agreement(gap, 0.0 if zeros else 1.0, DERIVATIVE, noise, amplitude))
        if worst <= DERIVATIVE:
            return {v: Finding(worst, note=f"together with {len(variables) - 1} others") for v in variables}
        half = len(variables) // 2
        return self.together(point, variables[:half]) | self.together(point, variables[half:])

    @property
    def free_entries(self) -> bool:
        """Whether gradients of symmetric variables are those of the entries of a triangle."""
        return self.derivation.free_entries

    @staticmethod
    def within(v: Symbol, g: Array) -> Array:
        """The part of a gradient that lies in the space of its variable."""
        if "diagonal" in v.assumptions:
            return np.diag(np.diag(g))
        return (g + g.T) / 2 if "symmetric" in v.assumptions else g

    def shaken(self, point: Point, k: int) -> Environment:
        """The values after every one changed in its last places, in the k-th way."""
        if (point.seed, k) not in self.shakes:
            self.shakes[point.seed, k] = Environment(point.values, point.sizes, noise=point.randomness(100 + k))
        return self.shakes[point.seed, k]

    # ---- other evaluations

    def numpy_code(self, point: Point) -> dict[Symbol, Finding]:
        """The generated function: its value, and its gradients."""
        value, gradients = self.function(**point.arrays)
        exact = np.asarray(point.env[self.root])

        def noise(k: int) -> float:
            return difference(exact, np.asarray(self.shaken(point, k)[self.root]))

        def amplitude() -> float:
            return max([norm(exact), *(norm(point.env[child]) for child in self.root.children)])

        error = agreement(difference(value, exact), norm(exact), SAME, noise, amplitude)
        found = {}
        rim = self.rim(point, "numpy")
        for v in self.derivation.variables:
            g = self.compare(point, v, np.asarray(gradients[v.name]), self.claimed(v, point.env))
            g = g if g.error >= error else Finding(error, "the value", (float(value), float(exact)))
            found[v] = g if rim[v].error <= max(SAME, g.error) else rim[v]
        return found

    def jax_code(self, point: Point) -> dict[Symbol, Finding]:
        """The generated JAX function."""
        return self.rim(point, "jax")

    def torch_code(self, point: Point) -> dict[Symbol, Finding]:
        """The generated PyTorch functions."""
        return self.rim(point, "torch")

    def c_code(self, point: Point) -> dict[Symbol, Finding]:
        """The generated C, compiled."""
        return self.rim(point, "c")

    def rim(self, point: Point, target: str) -> dict[Symbol, Finding]:
        """Value and gradients of a target's own code at the first point that is asked for, and at its rim."""
        done = self.codes.get(target)
        if done is not None:
            return dict.fromkeys(self.derivation.variables, Finding(0.0))
        run = self.function if target == "numpy" else compiled(self.derivation, target)
        code = self.codes[target] = OwnCode(self.derivation, run)
        here = {} if target == "numpy" else code.errors(point)
        rim = code.at_the_rim(point)
        none = Worst(0.0, (0.0, 0.0), "")
        value = max(here.get(None, none), rim.get(None, none), key=lambda e: e.error)
        found = {}
        for v in self.derivation.variables:
            worst = max(here.get(v, none), rim.get(v, none), key=lambda e: e.error)
            found[v] = Finding(worst.error, worst.words, worst.numbers)
            if value.error > max(worst.error, SAME):
                found[v] = Finding(value.error, f"the value, {value.words}".rstrip(", "), value.numbers)
        return found

    @cached_property
    def function(self) -> Callable[..., tuple[Any, Mapping[str, Any]]]:
        """The generated NumPy function."""
        return self.derivation.function("numpy")

    def torch(self, point: Point) -> dict[Symbol, Finding]:
        """torch.autograd."""
        return self.automatic(point, torch_gradients)

    def jax(self, point: Point) -> dict[Symbol, Finding]:
        """jax.grad."""
        return self.automatic(point, jax_gradients)

    def automatic(self, point: Point, oracle: Oracle) -> dict[Symbol, Finding]:
        """Another library's gradients, which take all entries as independent."""

        @cache
        def gradients(k: int | None) -> dict[Symbol, Array]:
            known = point.env.known if k is None else self.shaken(point, k).known
            values = {node: known[node] for node in point.values}
            found = oracle(self.root, self.derivation.variables, values, point.sizes)
            return {v: restricted(v, g, self.free_entries) for v, g in found.items()}

        def noise(k: int, v: Symbol) -> float:
            return difference(gradients(None)[v], gradients(k)[v])

        return {
            v: self.compare(point, v, self.claimed(v, point.env), g, partial(noise, v=v))
            for v, g in gradients(None).items()
        }

    def compare(
        self, point: Point, v: Symbol, found: Array, trusted: Array, noise: Callable[[int], float] = lambda k: 0.0
    ) -> Finding:
        """Two gradients, entry by entry; `noise` is that of the trusted one, where it is not the derivation's own."""

        def both(k: int) -> float:
            return noise(k) + difference(self.claimed(v, point.env), self.claimed(v, self.shaken(point, k)))

        amplitude = partial(self.slope(v).amplitude, point.env, {v: point.direction[v]})
        error = agreement(difference(found, trusted), norm(trusted), SAME, both, amplitude)
        return Finding(error, *_worst(found, trusted))


def _worst(found: Array, trusted: Array) -> tuple[str, tuple[float, float]]:
    place, a, b = worst_entry(found, trusted)
    return place, (a, b)

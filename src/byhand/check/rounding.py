"""What rounding may do to a gradient and to the slopes it is compared with, from numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from byhand.check.numeric import NOISE, ULPS, norm
from byhand.check.trusted import Trusted, shaken
from byhand.errors import ByhandError

Array = Any
Values = Mapping[str, Array]
EPS = NOISE * float(np.finfo(float).eps)
ELSEWHERE = (0.5, 2.0, 2.0)  # of the size of the parameters: so far away loss and gradients have their usual sizes
FAR = 1e6  # an error this many times what rounding could do is none of it
FAILURES = (ByhandError, KeyError, ValueError)  # what functions raise at points that nobody chose


@dataclass(eq=False)
class Rounding:
    """Estimates of rounding at one point.

    Attributes:
        values: the point.
        gradients: what is judged.
        slope: the derivative of the loss along a direction, at the point or elsewhere.
        value: the loss elsewhere; `loss` at the point.
        again: the gradients elsewhere, where they can be asked for.
        trusted: the right gradients, where the loss is an expression.
        seed: of the changes.
        spaces: tensor -> the part of a direction that stays in the space of the variable.
    """

    values: dict[str, Array]
    gradients: dict[str, Array]
    slope: Callable[[Values, Values], float]
    value: Callable[[Values], float]
    loss: float
    again: Callable[[Values], dict[str, Array]] | None
    trusted: Trusted | None
    seed: int
    spaces: Mapping[str, Callable[[Array], Array]]

    @cached_property
    def nearby(self) -> tuple[dict[str, Array], dict[str, Array] | None]:
        """The values changed in their last places, and the gradients there."""
        values = shaken(self.values, ULPS, np.random.default_rng((self.seed, 34)))
        try:
            return values, None if self.again is None else self.again(values)
        except FAILURES:  # a gradient that cannot be had there says nothing of rounding
            return values, None

    def noise(self, name: str, direction: Array, slope: float) -> float:
        """How much both numbers change when the inputs change in the last place; a kink at the point changes them too."""
        values, gradients = self.nearby
        try:
            total = abs(self.slope({name: -direction}, values) + slope)
        except FAILURES:
            return 0.0
        if gradients is not None and np.shape(gradients.get(name, np.nan)) == np.shape(direction):
            total += abs(float(np.sum((gradients[name] - self.gradients[name]) * direction)))
        return total if np.isfinite(total) else 0.0

    @cached_property
    def usual_gradients(self) -> dict[str, Array] | None:
        """The sizes that entries have elsewhere: here terms may cancel, their rounding does not."""
        if self.again is None:
            return None
        seen = {n: [g] for n, g in self.gradients.items()}
        for k, by in enumerate(ELSEWHERE):
            try:
                there = self.again(beside(self.values, self.gradients, self.seed + k, by, self.spaces))
            except FAILURES:
                continue
            for n, g in self.gradients.items():
                if np.shape(there.get(n, np.nan)) == g.shape and np.all(np.isfinite(there[n])):
                    seen[n].append(there[n])
        return {n: usual_sizes(gradients) for n, gradients in seen.items()}

    def lost(self, name: str, direction: Array, slope: float) -> float:
        """What rounding may do to a slope and to what the gradient says of it."""
        total = NOISE * self.noise(name, direction, slope)
        if self.usual_gradients is None:
            return total + self.cancellation(name, direction)
        return total + EPS * norm(self.usual_gradients[name] * direction)

    def cancellation(self, name: str, direction: Array, error: float = 0.0) -> float:
        """What rounding may do to a slope whose terms cancel: P - Y of a confident network, samples against samples.

        An error far beyond what it does to a loss of the size that it has here needs no closer look.
        """
        if self.trusted is not None and name in self.trusted.names:
            return EPS * norm(self.trusted.magnitudes[name] * direction)
        unit = norm(direction) / (norm(self.values[name]) or 1.0)
        here = EPS * abs(self.loss) * unit
        return here if error > FAR * here > 0.0 else EPS * self.natural(name, direction)

    def natural(self, name: str, direction: Array) -> float:
        """What a slope would be if the loss changed by its own size over the size of the tensor."""
        return self.usual_loss * norm(direction) / (norm(self.values[name]) or 1.0)

    @cached_property
    def usual_loss(self) -> float:
        """The size of the loss, also where it is not as small as here: what rounding in it is proportional to."""
        found = [abs(self.loss)]
        for k, by in enumerate(ELSEWHERE[:2]):
            try:
                found.append(abs(self.value(beside(self.values, self.gradients, self.seed + k, by, self.spaces))))
            except FAILURES:
                continue
        return max(filter(np.isfinite, found))


def usual_sizes(gradients: list[Array]) -> Array:
    """How large entries usually are: as large as their row is, times as their column is, over the whole."""
    squares = np.mean([np.asarray(g) ** 2 for g in gradients], axis=0)
    whole = float(np.mean(squares))
    if squares.ndim < 2 or not whole:
        return np.full(squares.shape, whole**0.5)
    product = np.full(squares.shape, whole)
    for axis in range(squares.ndim):
        others = tuple(k for k in range(squares.ndim) if k != axis)
        product = product * (np.mean(squares, axis=others, keepdims=True) / whole)
    return np.sqrt(np.maximum(product, squares))


def beside(
    values: Mapping[str, Array],
    names: Iterable[str],
    seed: int,
    by: float = 1e-3,
    spaces: Mapping[str, Callable[[Array], Array]] | None = None,
) -> dict[str, Array]:
    """Values nearby: each tensor named moved by a part of its size, in general position within its space."""
    rng = np.random.default_rng((seed, 35))
    moved = dict(values)
    for n in names:
        v = np.asarray(values[n], dtype=float)
        way = rng.standard_normal(v.shape, dtype=np.float32)
        way = spaces[n](way) if spaces and n in spaces else way
        moved[n] = v + by * (norm(v) / max(1, v.size) ** 0.5 or 1.0) * way
    return moved

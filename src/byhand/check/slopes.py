"""What a gradient says of the loss along directions, and what the loss itself says there.

How it is decided, and what may be doubted: docs/check.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from byhand.check.directional import Derivative, Forward
from byhand.check.numeric import norm
from byhand.check.rounding import Rounding
from byhand.check.trusted import Trusted

Array = Any
Values = Mapping[str, Array]
TOLERANCE = 1e-8  # normwise
TINY = 1e-11  # of what a gradient would naturally be: it may be rounding only
COARSE = 1e-5  # central differences coarser than this confirm nothing


@dataclass(eq=False)
class Slopes:
    """Gradients beside the derivatives of a loss along directions.

    Attributes:
        forward: the loss.
        values: where.
        gradients: what is judged, float64, of the right shapes and finite.
        again: the gradients at other values, where they can be asked for.
        trusted: the right gradients, where the loss is an expression.
        floors: tensor -> relative rounding floor of its own precision.
        loss: the loss at the values.
        spaces: tensor -> the part of a direction that stays in the space of the variable.
        seed: of the directions.
    """

    forward: Forward
    values: dict[str, Array]
    gradients: dict[str, Array]
    again: Callable[[Values], dict[str, Array]] | None = None
    trusted: Trusted | None = None
    floors: dict[str, float] = field(default_factory=dict)
    loss: float = 0.0
    spaces: Mapping[str, Callable[[Array], Array]] = field(default_factory=dict)
    seed: int = 0
    methods: dict[str, None] = field(default_factory=dict)
    slopes: dict[tuple[str, int], Derivative] = field(default_factory=dict)
    drawn: dict[tuple[str, int], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sizes = {n: norm(g) for n, g in self.gradients.items()}
        self.numbers = {n: k for k, n in enumerate(self.gradients)}

    @cached_property
    def rounding(self) -> Rounding:
        """What rounding may do here."""

        def slope(direction: Values, values: Values) -> float:
            return self.slope(direction, values).value

        return Rounding(
            self.values,
            self.gradients,
            slope,
            self.forward.value,
            self.loss,
            self.again,
            self.trusted,
            self.seed,
            self.spaces,
        )

    @property
    def asked_nearby(self) -> bool:
        """Whether the gradient has been asked for at other values."""
        return "nearby" in self.rounding.__dict__

    # ---- directions and slopes

    def direction(self, name: str, k: int) -> Array:
        """The k-th random direction of a tensor."""
        if (name, k) not in self.drawn:
            rng = np.random.default_rng((self.seed, 33, self.numbers[name], k))
            v = rng.random(self.gradients[name].shape, dtype=np.float32).astype(float)  # cheaper than normal numbers
            v = (v - 0.5) * 12**0.5
            self.drawn[name, k] = self.spaces[name](v) if name in self.spaces else v
        return self.drawn[name, k]

    def slope(self, direction: Values, values: Values | None = None) -> Derivative:
        """The derivative of the loss."""
        found = self.forward.along(self.values if values is None else values, direction)
        self.methods[found.method] = None
        return found

    def single(self, name: str, k: int) -> tuple[Array, float, Derivative]:
        """A direction of one tensor, what the gradient says of it, and what the loss says."""
        v = self.direction(name, k)
        if (name, k) not in self.slopes:
            self.slopes[name, k] = self.slope({name: v})
        return v, float(np.sum(self.gradients[name] * v)), self.slopes[name, k]

    def claimed(self, direction: Values) -> float:
        """What the gradients say of the slope."""
        return sum(float(np.vdot(self.gradients[n], d)) for n, d in direction.items())

    def joint(self, names: list[str], k: int) -> Derivative:
        """What the gradients claim beyond the slope along a common direction, every tensor counting alike."""
        if len(names) == 1:
            _, found, slope = self.single(names[0], k)
            size = self.sizes[names[0]]
            return Derivative((found - slope.value) / size, slope.error / size, slope.method)
        direction = {n: self.direction(n, k) / self.sizes[n] for n in names}
        slope = self.slope(direction)
        return Derivative(self.claimed(direction) - slope.value, slope.error, slope.method)

    def kinks(self, name: str) -> tuple[str, ...]:
        """The units that stand on a kink and move with a tensor, as far as they are known."""
        return self.forward.kinked(self.values, [name])

    # ---- how large, and how far off

    def allowed(self, name: str) -> float:
        """The relative error that counts as equal."""
        return max(TOLERANCE, self.floors.get(name, 0.0))

    def fits(self, names: list[str], gap: Derivative) -> bool:
        """Whether a gap along a common direction is none."""
        return abs(gap.value) <= max(self.allowed(n) for n in names) and 20 * gap.error <= COARSE

    def tiny(self, name: str) -> bool:
        """Whether a tensor is perhaps zero to rounding: divided by its size, it would drown the others."""
        directions = max(1, self.gradients[name].size) ** 0.5
        return bool(self.sizes[name] <= TINY * abs(self.loss) * directions / (norm(self.values[name]) or 1.0))

    def differs(self, name: str) -> bool:
        """Whether the right gradient is known and is another one by its norm."""
        if self.trusted is None or name not in self.trusted.names:
            return False
        right = self.trusted.gradients[name]
        return not norm(self.gradients[name] - right) <= self.allowed(name) * self.sizes[name]

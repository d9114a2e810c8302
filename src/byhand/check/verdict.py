"""Verdicts on the tensors of a gradient: scale-free, proof against kinks, at a cost that does not depend on their size.

Per tensor 3 random directions: two normal ones, which judge normwise, and one scaled entry by entry, which judges each
entry by its own size. All tensors at once first; one by one where that shows a difference.

Source: ../shared/MISTAKES.md, "Verdict rule".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.check.directional import Derivative, Forward
from byhand.check.findings import TensorRow
from byhand.check.numeric import NOISE, ULPS, norm
from byhand.errors import ByhandError

Array = Any
Values = Mapping[str, Array]
TOLERANCE = 1e-8  # normwise
ENTRY, SMALLEST = (
    3e-5,
    1e-6,
)  # an entry off by this much of its size is wrong, down to entries this small beside the others
ZERO = 1e-9  # of what a slope would naturally be: smaller ones, lost in rounding, are zero
LOST = 1e-6  # more rounding than this from cancellation hides mistakes
LOOSEST = 1e-3  # a verdict that allows more than this is none
COARSE = 1e-5  # central differences coarser than this confirm nothing


@dataclass(eq=False)
class Judge:
    """Judges gradients against the derivatives of a loss along directions.

    Attributes:
        forward: the loss.
        values: where.
        gradients: what is judged, float64, of the right shapes and finite.
        again: the gradients at other values, where they can be asked for.
        magnitudes: tensor -> the sum of the absolute values of the terms of each entry, where they are known.
        floors: tensor -> relative rounding floor of its own precision.
        seed: of the directions.
    """

    forward: Forward
    values: dict[str, Array]
    gradients: dict[str, Array]
    again: Callable[[Values], dict[str, Array]] | None = None
    magnitudes: Callable[[], Mapping[str, Array]] | None = None
    floors: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    methods: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng((self.seed, 33))

    def rows(self, names: list[str]) -> list[TensorRow]:
        """A verdict for each tensor."""
        zeros = [n for n in names if not np.any(self.gradients[n])]
        others = [n for n in names if n not in zeros]
        found = {n: self.alone(n) for n in zeros}
        joint = self.together(others) if len(others) > 1 else None
        if joint is None and len(others) > 2:  # set the wrong ones apart, then try the rest together
            suspects = [n for n in others if not self.passes(n)]
            found |= {n: self.alone(n) for n in suspects}
            others = [n for n in others if n not in suspects]
            joint = self.together(others) if len(others) > 1 else None
        for n in others:
            g = self.gradients[n]
            found[n] = TensorRow(n, g.shape, "right", joint, self.allowed(n)) if joint is not None else self.alone(n)
        return [found[n] for n in names]

    def passes(self, name: str) -> bool:
        """Whether one direction shows no difference."""
        g = self.gradients[name]
        v = self.rng.standard_normal(g.shape)
        slope = self.slope({name: v})
        return abs(float(np.sum(g * v)) - slope.value) <= self.allowed(name) * norm(g) + 20 * slope.error

    def allowed(self, name: str) -> float:
        """The relative error that counts as equal."""
        return max(TOLERANCE, self.floors.get(name, 0.0))

    def directions(self, name: str) -> list[Array]:
        """Two normal directions, and one in which each entry counts by its own size."""
        g = self.gradients[name]
        found = [self.rng.standard_normal(g.shape, dtype=np.float32).astype(float) for _ in range(2)]
        size = norm(g) / max(1, g.size) ** 0.5
        if size > 0.0 and self.allowed(name) <= TOLERANCE:
            found.append(np.copysign(size / (np.abs(g) + SMALLEST * size), found[0] * found[1]))
        return found

    def slope(self, direction: Values, values: Values | None = None) -> Derivative:
        """The derivative of the loss."""
        found = self.forward.along(self.values if values is None else values, direction)
        self.methods[found.method] = None
        return found

    def together(self, names: list[str]) -> float | None:
        """The largest relative error along common directions, every tensor counting alike; None where one is wrong."""
        sizes = {n: norm(self.gradients[n]) for n in names}
        chosen = {n: self.directions(n) for n in names}
        worst = 0.0
        for k in range(min(map(len, chosen.values()))):
            direction = {n: chosen[n][k] / sizes[n] for n in names}
            found = sum(float(np.sum(self.gradients[n] * direction[n])) for n in names)
            slope = self.slope(direction)
            error = abs(found - slope.value)
            scale = (
                ENTRY / max(self.gradients[n].size for n in names) ** 0.5
                if k == 2
                else max(self.allowed(n) for n in names)
            )
            if not error <= scale or (k < 2 and 20 * slope.error > COARSE):
                return None
            worst = max(worst, error if k < 2 else 0.0)
        return worst

    def alone(self, name: str) -> TensorRow:
        """One tensor, with the reason where it is not right."""
        g, allowed = self.gradients[name], self.allowed(name)
        size, worst, note = norm(g), 0.0, ""
        coarsest = 0.0
        for k, v in enumerate(self.directions(name)):
            slope = self.slope({name: v})
            found = float(np.sum(g * v))
            error, scale = abs(found - slope.value), max(size, abs(slope.value) if k < 2 else 0.0)
            relative = error / scale if scale else 0.0
            if not np.isfinite(slope.value):
                return TensorRow(
                    name, g.shape, "not checkable", float("inf"), allowed, "the loss is not finite near this point"
                )
            exact = slope.method != "central differences"
            floor = 0.0 if exact else 20 * slope.error / scale if scale else 0.0
            if k < 2:
                worst, coarsest = max(worst, relative), max(coarsest, floor)
                bad = relative > max(allowed, floor)
            else:
                bad = error > ENTRY * scale / max(1, g.size) ** 0.5 + 20 * (0.0 if exact else slope.error)
            if not bad:
                continue
            wrong = TensorRow(name, g.shape, "wrong", max(worst, relative), max(allowed, floor), "")
            beside = self.at_kink(name, v, slope, wrong)
            if beside is not None:
                return beside
            noise = NOISE * self.noise(name, v, found, slope.value) / scale
            cancelled = self.cancellation(name, v) / scale
            if relative > max(noise, cancelled):
                return wrong
            if k == 2:  # normwise it is right, and an entry this small is lost in rounding
                continue
            noise = max(noise, cancelled) if relative > noise else noise
            if noise > LOOSEST or cancelled == noise > LOST:
                lost = max(abs(found), abs(slope.value)) <= noise * scale <= ZERO * self.natural(name, v)
                if not lost:
                    why = f"the noise floor: rounding alone changes it by {noise / NOISE:.0e} of its size"
                    return TensorRow(name, g.shape, "not checkable", relative, noise, why)
                note = "zero to rounding"
            allowed = max(allowed, noise)
        if coarsest > COARSE:
            why = f"central differences are good to {coarsest / 20:.0e} only: kinks or noise within the step"
            return TensorRow(name, g.shape, "not checkable", worst, coarsest, why)
        floor32 = self.floors.get(name, 0.0)
        if floor32 > LOOSEST and size:
            return TensorRow(
                name,
                g.shape,
                "not checkable",
                worst,
                allowed,
                f"the noise floor of its precision is {floor32:.0e} of its size",
            )
        return TensorRow(name, g.shape, "right", worst, allowed, note)

    def noise(self, name: str, direction: Array, found: float, slope: float) -> float:
        """How much both numbers change when the inputs change in the last place."""
        rng = np.random.default_rng((self.seed, 34))
        shaken = {
            n: v * (1 + ULPS * rng.uniform(-1, 1, np.shape(v))) if np.asarray(v).dtype.kind == "f" else v
            for n, v in self.values.items()
        }
        try:
            total = abs(self.slope({name: direction}, shaken).value - slope)
            if self.again is not None:
                total += abs(float(np.sum(self.again(shaken)[name] * direction)) - found)
        except (ByhandError, KeyError, ValueError):
            return 0.0
        return total if np.isfinite(total) else 0.0

    def cancellation(self, name: str, direction: Array) -> float:
        """What rounding may do to a slope whose terms cancel: P - Y of a confident network, samples against samples."""
        eps = NOISE * float(np.finfo(float).eps)
        if self.magnitudes is not None:
            return eps * norm(self.magnitudes()[name] * direction)
        size = norm(self.values[name]) or 1.0
        return eps * abs(self.forward.value(self.values)) * norm(direction) / size

    def natural(self, name: str, direction: Array) -> float:
        """What a slope would be if the loss changed by its own size over the size of the tensor."""
        size = norm(self.values[name]) or 1.0
        return abs(self.forward.value(self.values)) * norm(direction) / size

    def at_kink(self, name: str, direction: Array, slope: Derivative, wrong: TensorRow) -> TensorRow | None:
        """None unless the point is on a kink: then the verdict of a point beside it, if it can be asked for."""
        units = self.forward.kinked(self.values, list(self.gradients))
        back = self.slope({name: -direction})
        sides = abs(slope.value + back.value) > 1e-6 * max(abs(slope.value), abs(back.value)) + 20 * (
            slope.error + back.error
        )
        if slope.method == "central differences":
            sides = slope.error > LOOSEST * max(abs(slope.value), 1e-300)
        if not units and not sides:
            return None
        where = (
            f"kinked units: {', '.join(units[:4])}{' ...' if len(units) > 4 else ''}"
            if units
            else "the loss has a kink at this point"
        )
        if self.again is not None and self.seed < 100:
            beside = beside_kinks(self.values, self.gradients, self.seed)
            try:
                there = as_floats(self.again(beside))
                judge = Judge(self.forward, beside, there, floors=self.floors, seed=self.seed + 100)
                row = judge.alone(name)
            except (ByhandError, KeyError, ValueError):
                row = wrong
            if row.verdict != "not checkable" and not judge.forward.kinked(beside, list(self.gradients)):
                note = f"{where}; judged beside the kink" if row.verdict == "right" else row.note
                return TensorRow(name, wrong.shape, row.verdict, row.error, row.allowed, note)
        return TensorRow(name, wrong.shape, "not checkable", wrong.error, wrong.allowed, where)


def beside_kinks(
    values: Mapping[str, Array], gradients: Mapping[str, Array], seed: int, by: float = 1e-3
) -> dict[str, Array]:
    """Values nearby: each tensor that has a gradient moved by a thousandth of its size, in general position."""
    rng = np.random.default_rng((seed, 35))
    moved = dict(values)
    for n in gradients:
        v = np.asarray(values[n], dtype=float)
        moved[n] = v + by * (norm(v) / max(1, v.size) ** 0.5 or 1.0) * rng.standard_normal(v.shape, dtype=np.float32)
    return moved


def as_floats(gradients: Mapping[str, Array]) -> dict[str, Array]:
    """The gradients in float64."""
    return {n: np.asarray(g, dtype=np.float64) for n, g in gradients.items()}

"""Verdicts on the tensors of a gradient: scale-free, proof against kinks, at a cost that does not depend on their size.

Two random directions per tensor judge it by its norm; then each entry is judged by its own size. All tensors at once
first; halves of them, down to the wrong ones, where that shows a difference.

How it is decided, and what may be doubted: docs/check.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from byhand.check.directional import Derivative
from byhand.check.entries import ENTRY, Band, bands, by_size, lost_in_rounding, worst_beyond
from byhand.check.findings import TensorRow
from byhand.check.kinks import LOOSEST, SETTLED, at_kink
from byhand.check.numeric import NOISE
from byhand.check.rounding import FAILURES, beside
from byhand.check.slopes import COARSE, TOLERANCE, Slopes
from byhand.check.trusted import Trusted

Array = Any
ZERO = 1e-13  # of what a slope would naturally be: smaller ones, lost in rounding, are zero
KNOWN_ZERO = 1e-9  # the same, where the sizes of the terms are known
CLEAN = 1e3  # gaps larger than this, of tensors of size one, hide others in their rounding
LOST = 1e-6  # more rounding than this from cancellation hides mistakes
BESIDE = 100  # seeds from here on are those of points beside another


@dataclass(eq=False)
class Judge(Slopes):
    """Judges gradients by the derivatives of the loss along directions."""

    # ---- all tensors

    def rows(self, names: list[str]) -> list[TensorRow]:
        """A verdict for each tensor."""
        others = [n for n in names if self.sizes[n] > 0.0]
        coarse = {n for n in others if self.floors.get(n, 0.0) > LOOSEST}  # beside others these would excuse them
        suspects = [n for n in names if n not in others or n in coarse or self.tiny(n) or self.differs(n)]
        rest = [n for n in others if n not in suspects]
        suspects += self.search(rest, self.joint(rest, 0)) if rest else []
        rest = [n for n in rest if n not in suspects]
        joint, entries = self.together(rest) if rest else (0.0, True)
        found = {}
        for n in names:
            row = TensorRow(n, self.gradients[n].shape, "right", joint or 0.0, self.allowed(n))
            if n in suspects or joint is None:
                found[n] = self.alone(n)
            else:
                found[n] = row if entries else self.entry_by_entry(row)
        return [found[n] for n in names]

    def search(self, names: list[str], gap: Derivative) -> list[str]:
        """The tensors that are off along the first direction, found by halving; slopes add up, so halves cost one each."""
        if self.fits(names, gap):
            return []
        if len(names) == 1:
            (n,) = names
            if abs(gap.value) <= CLEAN:
                slope = self.claimed({n: self.direction(n, 0)}) - gap.value * self.sizes[n]
                self.slopes.setdefault((n, 0), Derivative(slope, gap.error * self.sizes[n], gap.method))
            return names
        middle = len(names) // 2
        left = self.joint(names[:middle], 0)
        right = Derivative(gap.value - left.value, gap.error + left.error, gap.method)
        if max(abs(gap.value), abs(left.value)) > CLEAN:
            right = self.joint(names[middle:], 0)
        return self.search(names[:middle], left) + self.search(names[middle:], right)

    def together(self, names: list[str]) -> tuple[float | None, bool]:
        """The relative error along a second direction, None where it is too large; whether no entry is off by much."""
        direction = {n: self.direction(n, 1) / self.sizes[n] for n in names}
        layers = [] if self.trusted is not None else self.layers(names)  # comparing entries costs nothing
        if layers and all(self.allowed(n) <= TOLERANCE for n in names):
            both = {n: d + layers[0][n] if n in layers[0] else d for n, d in direction.items()}
            slope = self.slope(both)
            gap = Derivative(self.claimed(both) - slope.value, slope.error, slope.method)
            if self.fits(names, gap):
                return abs(gap.value), self.entries_fit(layers[1:])
        gap = self.joint(names, 1)
        return abs(gap.value) if self.fits(names, gap) else None, bool(layers) and self.entries_fit(layers)

    # ---- entry by entry

    def layers(self, names: list[str]) -> list[dict[str, Array]]:
        """The bands of all tensors, the first of each together, then the second ..."""
        found: list[dict[str, Array]] = []
        for n in filter(self.fine, names):
            for k, band in enumerate(bands(self.gradients[n], self.direction(n, 1))):
                found += [{}] if k == len(found) else []
                found[k][n] = band.direction / band.size
        return found

    def entries_fit(self, layers: list[dict[str, Array]]) -> bool:
        """Whether no entry is off by much of its own size."""
        return all(abs(self.claimed(layer) - self.slope(layer).value) <= ENTRY for layer in layers)

    def fine(self, name: str) -> bool:
        """Whether entries are judged one by one: a tensor of coarse numbers is judged by its norm only."""
        return self.allowed(name) <= TOLERANCE and self.sizes[name] > 0.0

    def entry_by_entry(self, row: TensorRow) -> TensorRow:
        """The verdict on a tensor that is right by its norm."""
        name = row.name
        if not self.fine(name):
            return row
        if self.trusted is not None and name in self.trusted.names:
            return self.compared(row, self.trusted)
        g, hidden = self.gradients[name], 0
        for band in bands(g, self.direction(name, 1)):
            count, wrong = lost_in_rounding(by_size(band, g), lambda part: self.probed(name, part))
            hidden += count
            if wrong is not None:
                found, slope = self.claimed({name: wrong.direction}), self.slope({name: wrong.direction})
                place = [int(i) for i in np.unravel_index(int(wrong.places[-1]), g.shape)]
                few = f"entry {place}" if len(wrong.places) == 1 else f"one of {len(wrong.places)} entries"
                words = f"right by its norm; {few} is off by {abs(found - slope.value) / wrong.size:.0e} of its size"
                bad = TensorRow(name, g.shape, "wrong", row.error, row.allowed, words)
                return at_kink(self, name, wrong.direction, slope, bad) or bad
        return self.with_floor(row, hidden)

    def with_floor(self, row: TensorRow, hidden: int) -> TensorRow:
        """The row, not checkable where entries differ by what rounding may do."""
        if not hidden:
            return row
        size = self.gradients[row.name].size
        why = f"right by its norm; {hidden} of {size} entries cannot be told from rounding: the noise floor"
        return TensorRow(row.name, row.shape, "not checkable", row.error, row.allowed, why)

    def probed(self, name: str, part: Band) -> tuple[float, float, float]:
        """How far the gradient is off along a band, what rounding does to that (where it matters), what it says."""
        slope, claim = self.slope({name: part.direction}), self.claimed({name: part.direction})
        gap = abs(claim - slope.value)
        if gap <= ENTRY * part.size:
            return gap, float("inf"), abs(claim)
        return gap, self.rounding.lost(name, part.direction, slope.value) + 20 * slope.error, abs(claim)

    def compared(self, row: TensorRow, trusted: Trusted) -> TensorRow:
        """The verdict by comparing entries; one that differs is asked of the loss itself."""
        name, g = row.name, self.gradients[row.name]
        right = trusted.gradients[name]
        place = worst_beyond(g, right, lambda: trusted.rounding(name))
        if place is not None:
            only = np.zeros(g.shape)
            only[place] = 1.0
            only = self.spaces[name](only) if name in self.spaces else only
            slope, found = self.slope({name: only}), float(np.sum(g * only))
            if abs(found - slope.value) > ENTRY * abs(slope.value):
                gap = abs(g[place] - right[place]) / abs(right[place]) if right[place] else float("inf")
                words = f"right by its norm; entry {list(place)} is {g[place]:.6g}, right is {right[place]:.6g}"
                bad = TensorRow(name, g.shape, "wrong", min(gap, 1.0), row.allowed, words)
                return at_kink(self, name, only, slope, bad) or bad
        off = np.abs(g - right) > ENTRY * np.abs(right)
        if not np.any(off):
            return row
        largest = np.maximum(np.abs(g), np.abs(right))  # an entry that is all rounding is zero
        return self.with_floor(row, int(np.sum(off & (trusted.rounding(name) < largest))))

    # ---- one tensor

    def alone(self, name: str) -> TensorRow:
        """One tensor, with the reason where it is not right."""
        g, allowed = self.gradients[name], self.allowed(name)
        size, worst, coarsest, note = self.sizes[name], 0.0, 0.0, ""
        for k in range(2):
            v, found, slope = self.single(name, k)
            if not np.isfinite(slope.value):
                why = "the loss is not finite near this point"
                return TensorRow(name, g.shape, "not checkable", float("inf"), allowed, why)
            error, scale = abs(found - slope.value), max(size, abs(slope.value))
            relative = error / scale if scale else 0.0
            floor = 0.0 if slope.method != "central differences" or not scale else 20 * slope.error / scale
            worst, coarsest = max(worst, relative), max(coarsest, floor)
            if relative <= max(allowed, floor):
                continue
            wrong = TensorRow(name, g.shape, "wrong", worst, max(allowed, floor))
            noise = NOISE * self.rounding.noise(name, v, slope.value) / scale
            off = at_kink(self, name, v, slope, wrong) if noise > SETTLED or self.kinks(name) else None
            if off is not None:
                return off
            cancelled = self.rounding.cancellation(name, v, error) / scale
            if relative > max(noise, cancelled):
                return wrong
            seen = noise if self.trusted is None else max(noise, cancelled)  # of a black box the second is a guess
            noise = max(noise, cancelled) if relative > noise else noise
            if noise > LOOSEST or cancelled == noise > LOST:
                least = ZERO if self.trusted is None else KNOWN_ZERO
                lost = max(abs(found), abs(slope.value)) <= seen * scale <= least * self.rounding.natural(name, v)
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
            why = f"the noise floor of its precision is {floor32:.0e} of its size"
            return TensorRow(name, g.shape, "not checkable", worst, allowed, why)
        row = TensorRow(name, g.shape, "right", worst, allowed, note)
        return row if note else self.entry_by_entry(row)

    def beside(self) -> Judge | None:
        """A judge of the gradients at a point beside this one, where they can be asked for."""
        if self.again is None or self.seed >= BESIDE:
            return None
        values = beside(self.values, self.gradients, self.seed, spaces=self.spaces)
        try:
            there = as_floats(self.again(values))
        except FAILURES:
            return None
        seed = self.seed + BESIDE
        return Judge(self.forward, values, there, floors=self.floors, loss=self.loss, spaces=self.spaces, seed=seed)


def as_floats(gradients: Mapping[str, Array]) -> dict[str, Array]:
    """The gradients in float64."""
    return {n: np.asarray(g, dtype=np.float64) for n, g in gradients.items()}

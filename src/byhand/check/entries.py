"""Gradients judged entry by entry, each entry by its own size: a mistake in a small one is a mistake.

Where the right gradient is known the entries are compared; where only the loss is, along directions in which every
entry of a band of sizes counts alike. What differs is told from rounding by numbers, down to a single entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from byhand.check.numeric import norm

Array = Any
ENTRY = 3e-5  # an entry off by more than this of its size is wrong
SMALLEST = 1e-6  # one direction judges entries down to this size beside the others; smaller ones get one of their own
BANDS = 8
MOST_PROBES = 48  # along which a difference is followed to the entries it comes from


@dataclass(frozen=True, slots=True)
class Band:
    """Entries of similar size, and the direction along which they count alike.

    Attributes:
        size: what an entry contributes, at most.
        direction: of the shape of the tensor; zero outside the band.
        places: flat indices of the band's entries, the smallest first.
    """

    size: float
    direction: Array
    places: Array

    def part(self, places: Array) -> Band:
        """The same for some of the entries."""
        only = np.zeros_like(self.direction)
        only.flat[places] = self.direction.flat[places]
        return Band(self.size, only, places)


def bands(g: Array, signs: Array) -> Iterator[Band]:
    """The bands of a gradient, the largest entries first; zeros are in the last, as if they were the smallest."""
    sizes = np.abs(g)
    top = norm(g) / max(1, g.size) ** 0.5
    left = np.ones(g.shape, dtype=bool)
    for _ in range(BANDS):
        small = left & (sizes < SMALLEST * top)
        last = not np.any(sizes[small])
        inside = left if last else left & ~small
        direction = np.where(inside, np.copysign(top / (sizes + SMALLEST * top), signs), 0.0)
        yield Band(top, direction, np.flatnonzero(inside))
        if last:
            return
        left, top = small, float(np.max(sizes[small]))


def by_size(band: Band, g: Array) -> Band:
    """The band with its entries in the order of their sizes."""
    order = np.argsort(np.abs(g.flat[band.places]), kind="stable")
    return Band(band.size, band.direction, band.places[order])


def lost_in_rounding(band: Band, probe: Callable[[Band], tuple[float, float, float]]) -> tuple[int, Band | None]:
    """The entries of a band whose difference is no more than rounding, found by halving.

    Args:
        band: entries in the order of their sizes.
        probe: band -> how far the gradient is off along it, what rounding does to that, what the gradient says.
    Returns: how many entries rounding hides, and the part of the band that is off by more than that, if any.
    """
    hidden = 0
    stack, probes = [band], 0
    while stack:
        part = stack.pop()
        gap, noise, claim = probe(part)
        probes += 1
        if gap <= ENTRY * part.size:
            continue
        if gap > noise:
            return hidden, part
        if len(part.places) == 1 or probes + len(stack) >= MOST_PROBES:
            if len(part.places) > 1 or noise < claim:  # an entry that is all rounding is zero
                hidden += len(part.places)
            continue
        middle = len(part.places) // 2
        stack += [part.part(part.places[:middle]), part.part(part.places[middle:])]
    return hidden, None


def worst_beyond(found: Array, right: Array, rounding: Callable[[], Array]) -> tuple[int, ...] | None:
    """The entry that differs most for its size, if one differs by more than rounding.

    Args:
        found, right: gradients of one shape.
        rounding: what rounding may do to each entry; asked for only where some differ.
    """
    gap, size = np.abs(found - right), np.maximum(np.abs(found), np.abs(right))
    off = gap > ENTRY * size
    if not np.any(off):
        return None
    off &= gap > rounding()
    if not np.any(off):
        return None
    ratios = np.where(off, gap / np.where(size > 0, size, 1.0), 0.0)
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(ratios)), ratios.shape))

"""The search for the mistakes that reproduce a wrong gradient.

The first layer with a wrong tensor, in backward order, localises the mistake. Each candidate that makes one of its
tensors equal to the user's is kept in mind and the search goes on below it, until everything is explained or nothing
fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from byhand.check.candidates import general, special
from byhand.check.layer_mistakes import updated
from byhand.check.numeric import norm
from byhand.check.path_mistakes import factor_of
from byhand.check.replay import Graph, Patch, Replay
from byhand.check.roles import Layer, Roles
from byhand.check.rounding import FAILURES
from byhand.errors import DataError

Array = Any
SAME = 1e-8  # relative, between a replayed gradient and the user's
BETTER = 0.1  # what a mistake leaves unexplained, at most, of what is unexplained without it
AS_GOOD = 1e-2  # gaps smaller than this differ by rounding only
NUMERICAL = (ArithmeticError, np.linalg.LinAlgError, DataError)  # what values that nobody chose can lead to
DEEPEST, WIDEST, MOST_PAIRS = 4, 5, 1500
MOST_WORK = 10**9  # samples × parameters × pairs tried


@dataclass(eq=False)
class Search:
    """The search for mistakes that reproduce a gradient.

    Attributes:
        graph: the right derivation as numbers.
        given: the gradient to explain.
        floors: tensor -> relative rounding floor of its precision.
        elsewhere: another point to tell apart what gives the same numbers here, if the gradient can be asked for there.
        pairs_left: how many pairs of mistakes may still be tried.
        tried: mistakes assumed -> what can be assumed next.
    """

    graph: Graph
    given: dict[str, Array]
    floors: Mapping[str, float] = field(default_factory=dict)
    elsewhere: Callable[[], tuple[Graph, dict[str, Array]]] | None = None
    pairs_left: int = field(default=MOST_PAIRS)
    tried: dict[tuple[int, ...], list[list[Patch]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roles = Roles(self.graph)
        work = self.roles.samples * sum(np.size(self.graph.value(v)) for v in self.graph.variables.values())
        self.pairs_left = min(self.pairs_left, int(MOST_WORK / max(1, work)))
        self.order = [n for n in self.graph.backward_order() if n in self.given]
        self.base = Replay(self.graph)
        self.right = {n: self.base.gradient(n) for n in self.order}

    @cached_property
    def groups(self) -> dict[str, int]:
        """The layer of each tensor, counted from the loss."""
        found: dict[str, int] = {}
        for n in self.order:
            sources = [
                self.graph.position[e.source.node]
                for e in self.graph.into.get(self.graph.variables[n], [])
                if e.source.body.ndim
            ]
            found[n] = min(sources, default=len(self.graph.units))
        return found

    @cached_property
    def special(self) -> list[Patch]:
        """Mistakes of what has a role."""
        return special(self.roles, self.given)

    @cached_property
    def general(self) -> list[Patch]:
        """Mistakes at any edge: tried where none of those explains a tensor, and not in pairs."""
        return general(self.roles)

    def gradient(self, replay: Replay, name: str) -> Array:
        """A replayed gradient; not a number where a mistake cannot be computed at this point: it is none then."""
        try:
            return replay.gradient(name)
        except NUMERICAL:
            return np.full(np.shape(self.right[name]), np.nan)

    def same(self, name: str, made: Array) -> bool:
        """Whether a replayed gradient is the user's."""
        return self.gap(name, made) <= 1.0

    def gap(self, name: str, made: Array) -> float:
        """How far a replayed gradient is from the user's, in units of what counts as equal."""
        g = self.given[name]
        if made.shape != g.shape or not np.all(np.isfinite(made)):
            return float("inf")
        size = max(norm(g), norm(made))
        allowed = max(SAME, self.floors.get(name, 0.0)) * size + 1e-14 * norm(self.right[name])
        distance = norm(g - made)
        return distance / allowed if allowed else float("inf") if distance else 0.0

    def wrong(self, replay: Replay) -> list[str]:
        """The tensors that are not explained yet."""
        return [n for n in self.order if not self.same(n, self.gradient(replay, n))]

    def explained(self, replay: Replay, wrong: list[str]) -> float | None:
        """The largest gap where every tensor is the user's, else None; those most likely to differ are looked at first."""
        largest = 0.0
        for n in (*wrong, *(n for n in self.order if n not in wrong)):
            gap = self.gap(n, self.gradient(replay, n))
            if not gap <= (BETTER * self.gap(n, self.right[n]) if n in wrong else 1.0) or gap > 1.0:
                return None
            largest = max(largest, gap)
        return largest

    # ---- the search

    def explain(self, replay: Replay, wrong: list[str]) -> tuple[list[Patch], list[str], tuple[int, ...]]:
        """Mistakes that reproduce the gradient, what remains unexplained, and rows that would do as well."""
        fits: list[tuple[Patch, float]] = []
        for chosen in (self.special, self.general):
            for p in self.untried(replay, wrong, chosen):
                gap = self.explained(replay.with_patch(p), wrong)
                if gap is not None:
                    fits.append((p, gap))
            if fits and min(g for _, g in fits) <= AS_GOOD:
                break
        if fits:
            best = min(g for _, g in fits)
            kept = self.told_apart([p for p, g in fits if g <= max(AS_GOOD, 10 * best)])
            others = tuple(dict.fromkeys(p.mistake for p in kept[1:] if p.mistake != kept[0].mistake))
            return [kept[0]], [], others
        part: tuple[list[Patch], list[str]] = ([], wrong)
        for depth in range(2, DEEPEST + 1):
            found, rest = self.deeper(replay, wrong, depth)
            if not rest:
                return found, [], ()
            # a part is explained only by what has a role, and where nothing is wrong that was not
            if {*rest} < {*part[1]} and all(p.mistake == 30 or p in self.special for p in found):
                part = found, rest
        factor = next(self.factors(replay, wrong), None)
        return ([factor], [], ()) if factor is not None else (*part, ())

    def deeper(self, replay: Replay, wrong: list[str], depth: int) -> tuple[list[Patch], list[str]]:
        """At most `depth` further mistakes; those that make most tensors right first."""
        if not wrong or not depth:
            return [], wrong
        best: tuple[list[Patch], list[str]] = ([], wrong)
        for patches in self.options(replay, wrong, depth):
            after = replay
            for p in patches:
                after = after.with_patch(p)
            found, rest = self.deeper(after, self.wrong(after), depth - len(patches))
            if not rest:
                return [*patches, *found], []
            if (len(rest), len(patches) + len(found)) < (len(best[1]), len(best[0]) or 99):
                best = [*patches, *found], rest
        return best

    def options(self, replay: Replay, wrong: list[str], depth: int) -> list[list[Patch]]:
        """Mistakes, or pairs of them, that explain a tensor of the first wrong layer and spoil none above it."""
        key = tuple(map(id, replay.patches))
        if key in self.tried:
            return self.tried[key]
        here = [n for n in wrong if self.groups[n] == self.groups[wrong[0]]]
        above = [n for n in self.order if self.groups[n] <= self.groups[wrong[0]] and n not in wrong]
        found: list[tuple[tuple[int, int], list[Patch]]] = []
        for chosen in (self.special, self.general):
            moving = list(self.moving(replay, here, chosen))
            for k, p in enumerate(moving):
                after = replay.with_patch(p)
                hits = [n for n in here if self.same(n, self.gradient(after, n))]
                if hits and all(self.same(n, self.gradient(after, n)) for n in above):
                    found.append(((len(self.wrong(after)), k), [p]))
            if found:
                break
        if not found and depth >= 2:
            layer = [n for n in self.order if self.groups[n] == self.groups[wrong[0]]]
            found = list(self.pairs(replay, list(self.moving(replay, layer, self.special)), here, above))
        found.sort(key=lambda row: row[0])
        best = [patches for _, patches in found[:WIDEST]]
        if best or depth >= 2:
            self.tried[key] = best
        return best

    def pairs(
        self, replay: Replay, moving: list[Patch], here: list[str], above: list[str]
    ) -> Iterator[tuple[tuple[int, int], list[Patch]]]:
        """Two mistakes that hide each other: neither alone makes a tensor right."""
        for k, p in enumerate(moving):
            one = replay.with_patch(p)
            for q in moving[k + 1 :]:
                if q.mistake == p.mistake and q.place == p.place:
                    continue
                self.pairs_left -= 1
                if self.pairs_left < 0:
                    return
                after = one.with_patch(q)
                if any(self.same(n, self.gradient(after, n)) and np.any(self.given[n]) for n in here) and all(
                    self.same(n, self.gradient(after, n)) for n in above
                ):
                    yield (len(self.wrong(after)), k), [p, q]

    def moving(self, replay: Replay, wrong: list[str], chosen: list[Patch]) -> Iterator[Patch]:
        """Candidates that change one of the tensors."""
        before = {n: self.gradient(replay, n) for n in wrong}
        for p in self.untried(replay, wrong, chosen):
            after = replay.with_patch(p)
            if any(moved(before[n], self.gradient(after, n)) for n in wrong):
                yield p

    def untried(self, replay: Replay, wrong: list[str], chosen: list[Patch]) -> Iterator[Patch]:
        """Candidates that have not been assumed yet; after the special ones that with a parameter, fitted."""
        used = {(p.mistake, p.place) for p in replay.patches}
        yield from (p for p in chosen if (p.mistake, p.place) not in used)
        if chosen is self.special and 30 not in {p.mistake for p in replay.patches}:
            yield from self.fitted(replay, wrong)

    def fitted(self, replay: Replay, wrong: list[str]) -> Iterator[Patch]:
        """Mistake 30 with the learning rate that fits the first wrong tensor: Gauss-Newton, slopes by complex step."""
        chosen: list[Layer | None] = (
            [None, *(layer for layer in self.roles.layers if layer.downs)] if len(self.roles.layers) > 2 else [None]
        )
        for only in chosen:
            for target in dict.fromkeys((wrong[0], wrong[-1])):
                if np.size(self.given[target]) < 2:  # a rate fits any number
                    continue
                rate, h = 0.0, 1e-20
                for _ in range(8):
                    patch = updated(self.roles, complex(rate, h), only)
                    if patch is None:
                        break
                    made = self.gradient(replay.with_patch(patch), target)
                    slope = np.imag(made) / h
                    if made.shape != self.given[target].shape or not np.any(slope):
                        break
                    step = float(np.sum((self.given[target] - np.real(made)) * slope) / np.sum(slope * slope))
                    rate += step
                    if abs(step) <= 1e-13 * abs(rate):
                        break
                patch = updated(self.roles, rate, only)
                if patch is not None and np.isfinite(rate) and abs(rate) > 1e-12:
                    yield patch
                    break

    def factors(self, replay: Replay, wrong: list[str]) -> Iterator[Patch]:
        """Mistake 37 with any factor, at any place, that explains all at once: gradients are linear in each adjoint."""
        first = next((n for n in wrong if np.size(self.given[n]) > 1), None)
        if first is None or replay.patches:
            return
        given = self.given[first]
        for site in factor_of(self.roles, wrong):
            without, whole = self.gradient(replay.with_patch(site(0.0)), first), self.gradient(replay, first)
            slope = whole - without
            if given.shape != slope.shape or not np.any(slope):
                continue
            k = float(np.sum((given - without) * slope) / np.sum(slope * slope))
            patch = site(k)
            if np.isfinite(k) and k and self.explained(replay.with_patch(patch), wrong) is not None:
                yield patch

    # ---- telling apart what gives the same numbers here

    def told_apart(self, patches: list[Patch]) -> list[Patch]:
        """Candidates that also explain the gradient at another point, with one sample less, if possible."""
        if len({p.mistake for p in patches}) < 2 or self.elsewhere is None:
            return patches
        try:
            graph, given = self.elsewhere()
        except FAILURES:  # the gradient cannot be had there
            return patches
        if any(n not in given for n in self.order):
            return patches
        other, keys = Search(graph, given, self.floors), {p.key for p in patches}
        wrong = other.wrong(other.base)
        same = [p for p in other.special if p.key in keys]
        if keys - {p.key for p in same}:
            same += [p for p in other.general if p.key in keys]
        explained = {p.key for p in same if wrong and other.explained(other.base.with_patch(p), wrong) is not None}
        return [p for p in patches if p.key in explained] or patches


def moved(before: Array, after: Array) -> bool:
    """Whether a mistake changes a gradient."""
    return before.shape != after.shape or not norm(after - before) <= 1e-10 * max(norm(before), 1e-300)

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

from byhand.check.candidates import candidates, updated
from byhand.check.numeric import norm
from byhand.check.replay import Graph, Patch, Replay
from byhand.check.roles import Layer, Roles
from byhand.errors import ByhandError

Array = Any
SAME = 1e-8  # relative, between a replayed gradient and the user's
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
    def candidates(self) -> list[Patch]:
        """Mistakes that change something."""
        return candidates(self.roles, self.given)

    def same(self, name: str, made: Array) -> bool:
        """Whether a replayed gradient is the user's."""
        g = self.given[name]
        if made.shape != g.shape or not np.all(np.isfinite(made)):
            return False
        size = max(norm(g), norm(made))
        noise = 1e-14 * norm(self.right[name])
        return norm(g - made) <= max(SAME, self.floors.get(name, 0.0)) * size + noise

    def wrong(self, replay: Replay) -> list[str]:
        """The tensors that are not explained yet."""
        return [n for n in self.order if not self.same(n, replay.gradient(n))]

    def explained(self, replay: Replay, first: str) -> bool:
        """Whether every tensor is the user's; the one most likely to differ is looked at first."""
        return self.same(first, replay.gradient(first)) and all(
            self.same(n, replay.gradient(n)) for n in self.order if n != first
        )

    # ---- the search

    def explain(self, replay: Replay, wrong: list[str]) -> tuple[list[Patch], list[str], tuple[int, ...]]:
        """Mistakes that reproduce the gradient, what remains unexplained, and rows that would do as well."""
        unused = (*self.unused(replay), *self.unfitted(replay, wrong))
        singles = [p for p in unused if self.explained(replay.with_patch(p), wrong[0])]
        if singles:
            kept = self.told_apart(singles)
            others = tuple(dict.fromkeys(p.mistake for p in kept[1:] if p.mistake != kept[0].mistake))
            return [kept[0]], [], others
        best: tuple[list[Patch], list[str]] = ([], wrong)
        for depth in range(2, DEEPEST + 1):
            found, rest = self.deeper(replay, wrong, depth)
            if not rest:
                return found, [], ()
            if len(rest) < len(best[1]) or (found and not best[0]):
                best = found, rest
        return best[0], best[1], ()

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
        moving = list(self.moving(replay, here))
        for k, p in enumerate(moving):
            after = replay.with_patch(p)
            hits = [n for n in here if self.same(n, after.gradient(n))]
            if hits and all(self.same(n, after.gradient(n)) for n in above):
                found.append(((len(self.wrong(after)), k), [p]))
        if not found and depth >= 2:
            layer = [n for n in self.order if self.groups[n] == self.groups[wrong[0]]]
            found = list(self.pairs(replay, list(self.moving(replay, layer)), here, above))
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
                if any(self.same(n, after.gradient(n)) and np.any(self.given[n]) for n in here) and all(
                    self.same(n, after.gradient(n)) for n in above
                ):
                    yield (len(self.wrong(after)), k), [p, q]

    def moving(self, replay: Replay, wrong: list[str]) -> Iterator[Patch]:
        """Candidates that change one of the tensors, those not used yet; the one with a parameter fitted."""
        before = {n: replay.gradient(n) for n in wrong}
        for p in self.unused(replay):
            after = replay.with_patch(p)
            if any(
                after.gradient(n).shape != before[n].shape
                or norm(after.gradient(n) - before[n]) > 1e-10 * max(norm(before[n]), 1e-300)
                for n in wrong
            ):
                yield p
        yield from self.unfitted(replay, wrong)

    def unused(self, replay: Replay) -> list[Patch]:
        """Candidates that have not been assumed yet."""
        used = {(p.mistake, p.place) for p in replay.patches}
        return [p for p in self.candidates if (p.mistake, p.place) not in used]

    def unfitted(self, replay: Replay, wrong: list[str]) -> Iterator[Patch]:
        """The mistake with a parameter, unless it has been assumed."""
        if 30 not in {p.mistake for p in replay.patches}:
            yield from self.fitted(replay, wrong)

    def fitted(self, replay: Replay, wrong: list[str]) -> Iterator[Patch]:
        """Mistake 30 with the learning rate that fits the first wrong tensor: Gauss-Newton, slopes by complex step."""
        chosen: list[Layer | None] = (
            [None, *(layer for layer in self.roles.layers if layer.downs)] if len(self.roles.layers) > 2 else [None]
        )
        for only in chosen:
            if not updated(self.roles, 0.0, only).edges:
                continue
            for target in dict.fromkeys((wrong[0], wrong[-1])):
                rate, h = 0.0, 1e-20
                for _ in range(8):
                    made = replay.with_patch(updated(self.roles, complex(rate, h), only)).gradient(target)
                    slope = np.imag(made) / h
                    if made.shape != self.given[target].shape or not np.any(slope):
                        break
                    step = float(np.sum((self.given[target] - np.real(made)) * slope) / np.sum(slope * slope))
                    rate += step
                    if abs(step) <= 1e-13 * abs(rate):
                        break
                if np.isfinite(rate) and abs(rate) > 1e-12:
                    yield updated(self.roles, rate, only)
                    break

    # ---- telling apart what gives the same numbers here

    def told_apart(self, patches: list[Patch]) -> list[Patch]:
        """Candidates that also explain the gradient at another point, with one sample less, if possible."""
        if len({p.mistake for p in patches}) < 2 or self.elsewhere is None:
            return patches
        try:
            graph, given = self.elsewhere()
            other = Search(graph, given, self.floors)
            explained = {(p.mistake, p.place) for p in other.candidates if not other.wrong(other.base.with_patch(p))}
        except (ByhandError, KeyError, ValueError, IndexError):
            return patches
        return [p for p in patches if (p.mistake, p.place) in explained] or patches

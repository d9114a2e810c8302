"""The right gradients of a loss that is known as an expression, and what rounding may do to each entry of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from byhand.check.numeric import NOISE, ULPS, norm, projected
from byhand.check.replay import Graph, Replay
from byhand.derive.derivation import Derivation, derive
from byhand.expr.expression import Expression

Array = Any
SHAKES = 3
SHAKEN = 16.0  # how many times the change that was seen counts as rounding: it was seen a few times only
_FIXED = frozenset({"labels", "constant"})


@lru_cache(maxsize=16)
def derived(expression: Expression, names: tuple[str, ...]) -> Derivation:
    """The derivation; that of an expression which is checked again and again is made once."""
    return derive(expression, names)


class Trusted:
    """The derivation of a loss as numbers at one point.

    Args:
        expression: the loss.
        values: the point.
        names: the inputs to differentiate with respect to; labels and constants among them are left out.
    """

    def __init__(self, expression: Expression, values: Mapping[str, Array], names: Iterable[str]) -> None:
        symbols = expression.symbols
        self.names = tuple(n for n in dict.fromkeys(names) if n in symbols and not symbols[n].assumptions & _FIXED)
        self.expression, self.values = expression, dict(values)

    def at(self, values: Mapping[str, Array]) -> Trusted:
        """The same at another point."""
        return Trusted(self.expression, values, self.names)

    @cached_property
    def graph(self) -> Graph:
        """The edges of the derivation, and the values of its nodes."""
        return Graph(derived(self.expression, self.names), self.values)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """The right gradients."""
        with np.errstate(all="ignore"):
            replay = Replay(self.graph)
            return {n: replay.gradient(n) for n in self.names}

    @cached_property
    def magnitudes(self) -> dict[str, Array]:
        """Tensor -> the sum of the absolute values of the terms of each entry: what rounding is proportional to."""
        graph = self.graph
        total: dict[Any, Array] = {graph.root: np.float64(1.0)}
        with np.errstate(all="ignore"):
            for e in graph.edges:
                upstream = total.get(e.source.node, np.zeros(graph.value(e.source.node).shape))
                known = {c: np.abs(graph.value(c)) for c in e.node.children if c is not e.upstream}
                part = np.abs(graph.pass_on(e, upstream, known))
                total[e.child] = total[e.child] + part if e.child in total else part
        zero = {n: np.zeros(np.shape(self.values[n])) for n in graph.variables}
        return {n: projected(v, total.get(v, zero[n])) for n, v in graph.variables.items()}

    def shaken(self, eps: float, seed: int) -> dict[str, Array]:
        """The right gradients where every input is changed in its last places."""
        rng = np.random.default_rng((seed, 36))
        return self.at(shaken(self.values, eps, rng)).gradients

    @cached_property
    def changes(self) -> dict[str, Array]:
        """Tensor -> how much each entry changes when the inputs change in the last place."""
        others = [self.shaken(ULPS, k) for k in range(SHAKES)]
        return {n: np.max([np.abs(o[n] - g) for o in others], axis=0) for n, g in self.gradients.items()}

    def rounding(self, name: str) -> Array:
        """What rounding may do to each entry."""
        return NOISE * np.finfo(float).eps * self.magnitudes[name] + SHAKEN * self.changes[name]

    def floors(self, found: Mapping[str, Array]) -> dict[str, float]:
        """How many float32 units in the last place of its size a gradient that was found may be off by."""
        eps = float(np.finfo(np.float32).eps)
        moved, floors = self.shaken(eps, 0), {}
        for n, g in self.gradients.items():
            size, change = max(norm(g), norm(found.get(n, g))), norm(moved[n] - g) / eps
            floors[n] = (norm(self.magnitudes[n]) + change) / size if size else 0.0
        return floors


def shaken(values: Mapping[str, Array], eps: float, rng: np.random.Generator) -> dict[str, Array]:
    """Values changed in their last places; labels stay."""
    return {
        n: v * (1 + eps * rng.uniform(-1, 1, np.shape(v))) if np.asarray(v).dtype.kind == "f" else v
        for n, v in values.items()
    }

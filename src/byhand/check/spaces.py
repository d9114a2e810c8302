"""Variables declared symmetric or diagonal: their directions stay in their space, and so do their gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from byhand.check.directional import Forward
from byhand.check.numeric import norm, projected
from byhand.expr.expression import Expression
from byhand.expr.nodes import Symbol

Array = Any
SAME = 1e-8  # a matrix that differs from its transpose by less is symmetric


class Spaces:
    """The variables that are no matrices of free entries.

    Attributes:
        symbols: these variables by name.
        free: those whose gradient was given as that of the free entries, each counted once.
        projections: tensor -> the part of a direction that stays in its space.

    Args:
        expression: the loss, where it is known.
        names: the tensors that are checked.
        values: where.
    """

    def __init__(self, expression: Expression | None, names: Iterable[str], values: Mapping[str, Array]) -> None:
        known = {} if expression is None else expression.symbols
        self.symbols: dict[str, Symbol] = {
            n: known[n] for n in names if n in known and known[n].assumptions & {"symmetric", "diagonal"}
        }
        self.projections: dict[str, Callable[[Array], Array]] = {
            n: partial(projected, s) for n, s in self.symbols.items()
        }
        self.values = values
        self.free: set[str] = set()

    def canonical(self, gradients: Mapping[str, Array], forward: Forward, notes: list[str]) -> dict[str, Array]:
        """Gradients with respect to symmetric variables as symmetric matrices, whichever of two conventions they have.

        G with df = ⟨G, dS⟩, or the derivatives with respect to the free entries, G + Gᵀ − I ⊙ G: the loss decides.
        """
        for n, s in self.symbols.items():
            g = gradients.get(n)
            if g is None or "diagonal" in s.assumptions or not norm(g - g.T) <= SAME * norm(g):
                continue
            way = projected(s, np.random.default_rng(32).standard_normal(g.shape))
            slope = forward.along(self.values, {n: way}).value
            if abs(float(np.sum(halved(g) * way)) - slope) < abs(float(np.sum(g * way)) - slope):
                self.free.add(n)
                notes.append(f"{n} is symmetric: your gradient is that of its free entries, each counted once")
        return {n: self.of(n, g) for n, g in gradients.items()}

    def of(self, name: str, g: Array) -> Array:
        """The gradient as a matrix of the space of the variable."""
        if name not in self.symbols or g.shape != np.shape(self.values[name]):
            return g
        return np.asarray(projected(self.symbols[name], halved(g) if name in self.free else g))


def halved(g: Array) -> Array:
    """The gradient of the free entries as a matrix: what counts for two entries is shared by them."""
    return (g + np.diag(np.diag(g))) / 2

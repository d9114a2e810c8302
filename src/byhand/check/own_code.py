"""Each target's own generated code, value and gradients, against the interpreter: at a drawn point, and at the rim.

The rim are points where conventions and kernels decide: negative, zero, tied, tiny and huge values. What the interpreter
finds finite there, generated code must find too. Where it finds no finite number, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from byhand.check.draw import Point
from byhand.check.numeric import Environment
from byhand.derive.derivation import Derivation
from byhand.errors import DataError
from byhand.expr.nodes import Expr, Symbol

Array = Any
Compiled = Callable[..., tuple[Any, Mapping[str, Any]]]
RIM: dict[str, Callable[[Array], Array]] = {
    "negative values": lambda x: -np.abs(x),
    "zeros": np.zeros_like,
    "tied values": np.ones_like,
    "tiny values": lambda x: 1e-20 * x,
    "huge values": lambda x: 1e3 * x,
}
SAME = 1e-10
LEAST = 1.0  # of a scale: a small number may be what is left of ones, as in √x + 1 − 1
SHAKES = 4
NOISE = 1e3  # how many times the rounding noise that was seen counts as agreement
_FREE = frozenset({"constant"})


def rim_points(point: Point) -> Iterable[tuple[str, Point]]:
    """The point moved to the rim: inputs without declared properties take special values."""
    symbols = point.derivation.f.symbols
    free = {n for n in point.arrays if not symbols[n].assumptions - _FREE}
    if free:
        for words, moved in RIM.items():
            arrays = {n: moved(np.asarray(a, float)) if n in free else a for n, a in point.arrays.items()}
            yield words, replace(point, arrays=arrays, note=words)


def compiled(d: Derivation, target: str) -> Compiled:
    """callable(**arrays) -> (value, {name: gradient}) in double precision, by the generated code of a target.

    Raises: MissingRuleError: the target cannot write an operation.
    """
    if target == "torch":
        return _in_torch(d)
    if target == "jax":
        return _in_jax(d)
    function: Compiled = d.function(target)
    return function


def _in_torch(d: Derivation) -> Compiled:
    import torch

    function = d.function("torch")

    def call(**arrays: Array) -> tuple[Any, Mapping[str, Any]]:
        value, gradients = function(**{n: torch.as_tensor(np.asarray(a)) for n, a in arrays.items()})
        return np.asarray(value), {n: np.asarray(g) for n, g in gradients.items()}

    return call


def _in_jax(d: Derivation) -> Compiled:
    from byhand.check.oracles import jax_in_float64

    with jax_in_float64():
        function = d.function("jax")

    def call(**arrays: Array) -> tuple[Any, Mapping[str, Any]]:
        with jax_in_float64():
            value, gradients = function(**arrays)
            return np.asarray(value), {n: np.asarray(g) for n, g in gradients.items()}

    return call


class Worst(NamedTuple):
    """The largest relative error, both numbers there, and at which values."""

    error: float
    numbers: tuple[float, float]
    words: str


class OwnCode:
    """The generated code of one target, compared at a point and its rim.

    Args:
        d: what is checked.
        run: its generated code.
    """

    def __init__(self, d: Derivation, run: Compiled) -> None:
        self.d, self.run = d, run
        self.roots: dict[Symbol | None, Expr] = {None: d.f.root}
        self.roots |= {v: d.gradients[v.name].root for v in d.variables}

    def errors(self, point: Point, words: str = "") -> dict[Symbol | None, Worst]:
        """Of the value (None) and of each gradient: the relative error of finite entries, and where it was found."""
        try:
            trusted = {v: np.asarray(point.env[root], float) for v, root in self.roots.items()}
        except DataError:  # the function has no value here
            return {}
        unused = {*self.d.f.unused} - {v.name for v in self.d.variables}  # a gradient of zeros has its variable's shape
        arrays = {n: a for n, a in point.arrays.items() if n not in unused}
        value, gradients = self.run(**arrays)
        found: dict[Symbol | None, Array] = {None: np.asarray(value, float)}
        found |= {v: np.asarray(gradients[v.name], float) for v in self.d.variables}
        return {v: Worst(*self._error(v, point, found[v], t), words) for v, t in trusted.items()}

    def at_the_rim(self, point: Point) -> dict[Symbol | None, Worst]:
        """The largest errors over the points of the rim."""
        worst: dict[Symbol | None, Worst] = {}
        for words, moved in rim_points(point):
            for v, error in self.errors(moved, f"at {words}").items():
                worst[v] = max(worst.get(v, error), error, key=lambda e: e.error)
        return worst

    def _error(self, v: Symbol | None, point: Point, found: Array, trusted: Array) -> tuple[float, tuple[float, float]]:
        """The relative error, and both numbers where it is largest."""
        if found.shape != trusted.shape:
            return float("inf"), (0.0, 0.0)
        fine = np.isfinite(trusted)
        if not np.any(fine):
            return 0.0, (0.0, 0.0)
        scale = max(float(np.max(np.abs(trusted[fine]))), LEAST)
        gap = np.abs(np.where(np.isfinite(found), found, np.inf)[fine] - trusted[fine])
        k = int(np.argmax(gap))
        numbers = (float(found[fine][k]), float(trusted[fine][k]))
        error = float(gap[k] / scale)
        if error <= SAME:
            return error, numbers
        noise = 0.0
        for j in range(SHAKES):
            shaken = Environment(point.values, point.sizes, noise=point.randomness(200 + j))
            moved = np.abs(np.asarray(shaken[self.roots[v]], float) - trusted)[fine]
            noise = max(noise, float(np.max(np.where(np.isnan(moved), np.inf, moved))))
        return (0.0 if gap[k] <= NOISE * noise else error), numbers


__all__ = ["RIM", "OwnCode", "compiled", "rim_points"]

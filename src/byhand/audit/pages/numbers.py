"""The numbers behind a page: values of its inputs at several points, and the true values of derivatives and differentials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from byhand.check.draw import PRIMES
from byhand.check.numeric import Environment, Slope
from byhand.derive.derivation import derive
from byhand.expr.assume import sample
from byhand.expr.dims import Dimension, dim_names, dim_value, named_dimension
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Symbol, symbol, topological

Array = Any
SEEDS = 2
LABELS = ("labels from 0", "labels from 1")


class Numbers:
    """Values at `SEEDS` points with pairwise distinct prime sizes; at as many more all inputs are positive.

    Attributes:
        kinds: inputs that are one-hot or sum to one: properties that hold of their values and are not used in derivations.
        marks: symbols that stand for derivatives and differentials, with the function of the point that gives their true value.
    """

    def __init__(self) -> None:
        self.kinds: dict[Symbol, str] = {}
        self.marks: dict[Symbol, Callable[[int], Array]] = {}
        self._sizes: list[dict[str, int]] = [{} for _ in range(2 * SEEDS)]
        self._values: list[dict[Expr, Array]] = [{} for _ in range(2 * SEEDS)]
        self._memo: dict[Any, Array] = {}
        self._gradients: dict[tuple[Expr, Expr], Expr] = {}

    def mark(self, name: str, like: tuple[Any, ...], truth: Callable[[int], Array]) -> Symbol:
        """A symbol with a true value."""
        made = symbol(name, like)
        self.marks.setdefault(made, truth)
        return made

    def order(self, names: list[str]) -> None:
        """Give sizes to names, from small to large."""
        for seed in range(2 * SEEDS):
            self.sizes(seed, [named_dimension(re.sub(r"\W", "", n)) for n in names if re.sub(r"\W", "", n)])

    def sizes(self, seed: int, dims: Iterable[Any] = ()) -> dict[str, int]:
        """The sizes, with those of new dimensions added."""
        known = self._sizes[seed]
        for d in dims:
            for name in sorted(dim_names(d)):
                if name not in known:
                    k = len(known) + seed % SEEDS
                    known[name] = PRIMES[k]
        return known

    def input(self, s: Symbol, seed: int) -> Array:
        """The value of an input."""
        values = self._values[seed]
        if s not in values:
            sizes = self.sizes(seed, s.shape)
            shape = tuple(dim_value(d, sizes) for d in s.shape)
            rng = np.random.default_rng((seed, 47, *s.name.encode()))
            made = _sampled(self.kinds.get(s, ""), s, rng, shape)
            if seed >= SEEDS and self.kinds.get(s, "") not in LABELS:
                made = np.abs(made)
            values[s] = (
                made / np.sqrt(max(shape))
                if len(shape) > 1 and 1 not in shape and not s.assumptions and s not in self.kinds
                else made
            )
        return values[s]

    def environment(self, roots: Iterable[Expr], seed: int) -> Environment:
        """The values of everything below some nodes."""
        known: dict[Expr, Array] = {}
        todo, seen = [*roots], set()  # type: list[Expr], set[Expr]
        while todo:
            for node in topological(todo):
                if isinstance(node, Symbol) and node not in known:
                    known[node] = self.marks[node](seed) if node in self.marks else self.input(node, seed)
                    seen.add(node)
                self.sizes(seed, [d for d in node.shape if isinstance(d, Dimension)])
            todo = []
        return Environment(known, self.sizes(seed))

    def value(self, node: Expr, seed: int) -> Array:
        """The value of a node."""
        key = (node, seed)
        if key not in self._memo:
            with np.errstate(all="ignore"):
                self._memo[key] = np.asarray(self.environment([node], seed)[node])
        return self._memo[key]

    def jacobian(self, over: Expr, under: Expr, seed: int, direct: bool = False) -> Array:
        """∂over/∂under, the axes of `over` first, by complex step; `direct`: other named nodes stay as they are."""
        key = ("jacobian", over, under, seed, direct)
        if direct and isinstance(over, Named):
            over = over.body
        if key not in self._memo:
            with np.errstate(all="ignore"):
                env = self.environment([over, under], seed)
                slope = Slope(over, [under], into_named=not direct)
                shape = np.shape(env[under])
                columns = np.zeros((*np.shape(env[over]), *shape))
                if slope.used:
                    for i in np.ndindex(shape):
                        e = np.zeros(shape)
                        e[i] = 1.0
                        columns[(..., *i)] = slope.along(env, {under: e})
            self._memo[key] = columns
        return self._memo[key]

    def gradient_node(self, over: Expr, under: Expr) -> Expr:
        """The gradient of a scalar as an expression, as byhand derives it."""
        if (over, under) not in self._gradients:
            self._gradients[over, under] = self._gradient(over, under)
        return self._gradients[over, under]

    def _gradient(self, over: Expr, under: Expr) -> Expr:
        root = over.body if isinstance(over, Named) else over
        if isinstance(under, Named):
            variable = symbol(f"variable {under.name}", under.shape)
            derivation = derive(Expression(substitute(root, {under: variable}), (), "f"), variable.name)
            return substitute(derivation.gradient.root, {variable: under})
        assert isinstance(under, Symbol)
        return derive(Expression(root, (), "f"), under.name).gradient.root

    def tangent(self, node: Expr, moving: frozenset[Symbol], seed: int) -> Array:
        """d(node) along random differentials of the inputs that move."""
        key = ("tangent", node, moving, seed)
        if key not in self._memo:
            with np.errstate(all="ignore"):
                env = self.environment([node, *moving], seed)
                directions: dict[Expr, Array] = {s: self.direction(s, seed) for s in moving}
                self._memo[key] = np.asarray(Slope(node, [*moving]).along(env, directions))
        return self._memo[key]

    def direction(self, s: Symbol, seed: int) -> Array:
        """The random differential of an input."""
        rng = np.random.default_rng((seed, 53, *s.name.encode()))
        made = rng.standard_normal(np.shape(self.input(s, seed)))
        return made + made.T if "symmetric" in s.assumptions or "spd" in s.assumptions else made


def _sampled(kind: str, s: Symbol, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A value with the properties of an input; one-hot and summing to one are along the rows, of a column along it."""
    if kind == "one_hot" and shape[1] == 1:  # a label, called ℓ or y, is the first class
        return np.eye(shape[0])[:, :1]
    if kind in LABELS:
        return rng.integers(0, 2, shape) + (kind == "labels from 1") * 1.0  # there are two classes at least
    if kind:
        return sample({kind}, rng, shape[::-1], 3).T if shape[1] == 1 else sample({kind}, rng, shape, 3)
    return sample(s.assumptions, rng, shape, 3)

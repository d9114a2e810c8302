"""Numbers that no input decides: 1/(n - 1) and log(n), which the sizes decide, and 1/0, which nothing does.

Arithmetic of Python's own numbers raises where arrays have inf or nan. So a number that is not finite for the sizes at
hand is refused by a sentence, and one that never is, is written as what it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.expr.contraction import P1, contract, number
from byhand.expr.dims import Dimension, dim_names
from byhand.expr.evaluate import evaluate_nodes
from byhand.expr.expression import rebuild
from byhand.expr.nodes import (
    Constant,
    Contraction,
    Differential,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    constant,
    topological,
)


def numbers(roots: Iterable[Expr]) -> list[tuple[Expr, Fraction]]:
    """The scalars below the roots that only sizes decide, each with the powers that it is raised to."""
    sized = {n: dims for n, dims in _by_dimensions(roots).items() if dims and not n.shape}
    found = dict.fromkeys((n, P1) for n in sized)
    factors = [f for n in topological(roots) if isinstance(n, Contraction) for f in n.factors]
    found.update(dict.fromkeys((f, p) for f, _, p in factors if f in sized and p != 1))
    return list(found)


def check_numbers(found: Iterable[tuple[Expr, Fraction]], sizes: Mapping[str, int]) -> None:
    """Raises: DataError: a number is not finite for these sizes."""
    for node, power in found:
        with np.errstate(all="ignore"):
            value = float(np.float64(evaluate_nodes([node], {}, sizes)[node]) ** float(power))
        if not math.isfinite(value):
            names = sorted(_by_dimensions([node])[node] or ())
            said = " and ".join(f"{n} = {sizes[n]}" for n in names if n in sizes)
            raise DataError(
                f"a number that sizes decide is {value} for {said}: a division by zero, a logarithm of zero"
            )


def with_values(root: Expr) -> Expr:
    """The node with a value in place of each number that needs what is not finite: 1/0 is inf."""
    return PlainValues().of(root)


class PlainValues:
    """Such values for the nodes of one program; what is found of a named node is kept, so deep programs cost no more."""

    def __init__(self) -> None:
        self._known: dict[Expr, frozenset[str] | None] = {}
        self._wild: set[Expr] = set()

    def of(self, root: Expr) -> Expr:
        """The node with a value in place of each number that needs what is not finite."""
        order = topological([root], into_named=False)
        for node in order:
            if isinstance(node, Named) and node.body not in self._known:
                self.of(node.body)
        for node in order:
            if node not in self._known:
                self._known[node] = _decided_by(node, self._known)
        plain = [n for n in order if self._known[n] == frozenset() and not n.shape]
        if not plain:
            return root
        with np.errstate(all="ignore"):
            values = evaluate_nodes(plain, {}, {})
        for node in plain:
            if not np.isfinite(values[node]) or any(c in self._wild for c in node.children):
                self._wild.add(node)
        done: dict[Expr, Expr] = {}
        for node in order:
            new = node
            if node in self._wild and not isinstance(node, Constant):
                new = _value(float(values[node]))
            elif node.children and not isinstance(node, Named):
                new = rebuild(node, done) if any(done[c] is not c for c in node.children) else node
            done[node] = _with_powers(new, values) if isinstance(new, Contraction) else new
        return done[root]


def _with_powers(node: Contraction, values: Mapping[Expr, Any]) -> Expr:
    """A product with 0 ** -1 or (-1) ** (1/2) of such a number as the value that the power has."""
    factors = []
    for factor, labels, power in node.factors:
        with np.errstate(all="ignore"):
            value = float(np.float64(values[factor]) ** float(power)) if factor in values and power != 1 else 0.0
        factors.append((factor, labels, power) if math.isfinite(value) else (_value(value), labels, P1))
    if all(new[0] is old[0] for new, old in zip(factors, node.factors, strict=True)):
        return node
    return contract(factors, node.out, node.coefficient, {x: node.dims[x] for x in node.out})


def _value(value: float) -> Expr:
    if math.isfinite(value):
        return number(Fraction(value))
    return constant(str(value), math.nan if math.isnan(value) else value)


def _by_dimensions(roots: Iterable[Expr]) -> dict[Expr, frozenset[str] | None]:
    """The named dimensions that decide each node; None where an input does."""
    found: dict[Expr, frozenset[str] | None] = {}
    for node in topological(roots):
        found[node] = _decided_by(node, found)
    return found


def _decided_by(node: Expr, found: Mapping[Expr, frozenset[str] | None]) -> frozenset[str] | None:
    """The named dimensions that decide a node, from those of its children."""
    own = None if isinstance(node, (Symbol, Differential)) else _own_dimensions(node)
    for child in node.children:
        below = found[child]
        own = None if own is None or below is None else own | below
    return own


def _own_dimensions(node: Expr) -> frozenset[str]:
    match node:
        case Contraction():
            own = [*node.dims, *(d for d, _ in node.coefficient.dims)]
        case Sum(terms):
            own = [d for c, _ in terms for d, _ in c.dims]
        case Structured(_, _, attributes):
            own = [*node.shape, *(a for a in attributes if isinstance(a, Dimension))]
        case _:
            own = [*node.shape]
    return frozenset(name for d in own for name in dim_names(d))


__all__ = ["PlainValues", "check_numbers", "numbers", "with_values"]

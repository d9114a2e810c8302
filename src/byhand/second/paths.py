"""Which chain rule? The paths from a variable to a function, one product of local derivatives for each, and their sum.

One path: the single-variable rule (for arrays: one product of Jacobians). Several: the total derivative, the sum over
all paths. The vector chain rule is the same sum written as matrix products.

Source: Parr and Howard (2018), The matrix calculus you need for deep learning.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from byhand.derive.prepare import Prepared, prepare
from byhand.errors import ParseError
from byhand.expr.contraction import Label, add, zero
from byhand.expr.dims import Dim
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, Symbol
from byhand.notation.jacobian import local_jacobian
from byhand.rules.linear import LinearTerm
from byhand.rules.reuse import Fold
from byhand.rules.simplify import Simplifier
from byhand.second.accumulate import Jacobians, identity
from byhand.second.inputs import function_and_names, single

MOST_PATHS = 200
MOST_ENTRY_PATHS = 100_000


@dataclass(frozen=True, slots=True)
class Path:
    """One way from the variable to the function: the names passed, and the product of local derivatives along it."""

    names: tuple[str, ...]
    contribution: Expression

    def __str__(self) -> str:
        return " → ".join(self.names)


@dataclass(frozen=True, eq=False)
class ChainRule:
    """The paths from one variable to a function.

    Attributes:
        f: the function.
        x: the variable.
        paths: all ways to walk from x to f along definitions.
        edges: (user, what it uses) -> the linear terms of the user's differential in it.
    """

    f: Expression
    x: Symbol
    prepared: Prepared
    paths: tuple[Path, ...]
    edges: dict[tuple[Expr, Expr], list[LinearTerm]]

    @property
    def rule(self) -> str:
        """The name of the rule that is needed."""
        scalars = all(u.ndim == v.ndim == 0 for u, v in self.edges)
        if not self.paths:
            return f"none: {self.f.name} does not depend on {self.x.name}"
        if len(self.paths) == 1:
            steps = len(self.paths[0].names) - 1
            if steps == 1:
                return "none: differentiated directly"
            return "single-variable chain rule" if scalars else "vector chain rule along one path"
        return (
            "single-variable total-derivative chain rule"
            if scalars
            else "vector chain rule: total derivative over several paths"
        )

    @cached_property
    def total(self) -> Expression:
        """The derivative: the sum over all paths, of shape f.shape + x.shape."""
        shape = (*self.f.shape, *self.x.shape)
        roots = [p.contribution.root for p in self.paths]
        node = Simplifier(facts=True, fold=self.prepared.fold).normal(add(*roots)) if roots else zero(shape)
        return Expression(node, self.f.inputs, f"d{self.f.name}_d{self.x.name}")

    def wrong_single_paths(self, **arrays: Any) -> list[tuple[Path, float]]:
        """Each path whose contribution alone is not the derivative, and how far off it is (relative, largest entry)."""
        total = np.asarray(self.total(**_needed(self.total, arrays)))
        found = []
        for p in self.paths:
            alone = np.asarray(p.contribution(**_needed(p.contribution, arrays)))
            error = float(np.max(np.abs(alone - total)) / max(float(np.max(np.abs(total))), 1e-300))
            if error > 1e-12:
                found.append((p, error))
        return found

    def entry_paths(self, index: tuple[int, ...], **arrays: Any) -> list[tuple[tuple[str, ...], float]]:
        """For one entry of the variable: every path through entries of intermediates, and its product of partials.

        Their sum is the entry of the gradient. Entries are numbered from one in the names.

        Raises: ParseError: there are too many.
        """
        values = {pair: self._local(pair, arrays) for pair in self.edges}
        users: dict[Expr, list[Expr]] = {}
        for user, child in self.edges:
            users.setdefault(child, []).append(user)
        found: list[tuple[tuple[str, ...], float]] = []
        todo: list[tuple[Expr, tuple[int, ...], tuple[str, ...], float]] = [
            (self.x, index, (_entry_name(self.x.name, index),), 1.0)
        ]
        while todo:
            node, at, names, value = todo.pop()
            if node is self.prepared.root:
                found.append((names, value))
                if len(found) > MOST_ENTRY_PATHS:
                    raise ParseError(f"more than {MOST_ENTRY_PATHS} paths: choose smaller sizes")
                continue
            for user in users.get(node, []):
                local = values[user, node]
                column = local[(..., *at)]
                for where in zip(*np.nonzero(np.atleast_1d(column)), strict=True):
                    place = tuple(int(w) for w in where) if user.ndim else ()
                    own = user.name if isinstance(user, Named) else self.f.name
                    todo.append(
                        (user, place, (*names, _entry_name(own, place)), value * float(np.atleast_1d(column)[where]))
                    )
        return found

    def _local(self, pair: tuple[Expr, Expr], arrays: Mapping[str, Any]) -> Any:
        e = Expression(local_jacobian(self.edges[pair]), self.f.inputs)
        return np.asarray(e(**_needed(e, arrays)))

    def text(self) -> str:
        """The paths, the rule, the contributions and their sum."""
        from byhand.second.show_paths import chain_rule_text

        return chain_rule_text(self)

    def __str__(self) -> str:
        return self.text()


def _entry_name(name: str, index: tuple[int, ...]) -> str:
    return name + (f"[{','.join(str(i + 1) for i in index)}]" if index else "")


def _needed(e: Expression, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {n: a for n, a in arrays.items() if n in e.symbols}


def chain_rule(f: Any, x: str, taken: Prepared | None = None) -> ChainRule:
    """The paths from an input to a function, and which chain rule they need.

    Args:
        f: an `Expression`; its named intermediates are the stations of the paths.
        x: the name of an input.
        taken: the function as a derivation has it; its intermediates are then the stations.
    Raises: ParseError: more than 200 paths.

    >>> import byhand
    >>> f = byhand.parse("u = x**2\\nx + u", shapes={"x": ""})
    >>> print(chain_rule(f, "x"))
    x → f        ∂f/∂x directly = 1
    x → u → f    ∂f/∂u·∂u/∂x = 2 x
    2 paths: single-variable total-derivative chain rule
    df/dx = 2 x + 1
    One path alone is not the derivative.
    """
    expression, names = function_and_names(f, x)
    variable = expression.symbols[single(names, "a chain of derivatives")]
    prepared = taken or (prepare(expression) if not expression.intermediates else _as_written(expression))
    reading = Jacobians(prepared, variable, expression.name)
    edges: dict[tuple[Expr, Expr], list[LinearTerm]] = {}
    for unit in reading.order:
        for t in reading.accumulation.expand(unit.body if isinstance(unit, Named) else unit)[0]:
            edges.setdefault((unit, t.child), []).append(t)
    simplifier = Simplifier(fold=prepared.fold)
    paths = []
    for stations in _walks(prepared.root, variable, edges):
        node = _along(stations, edges, simplifier)
        own = tuple(s.name if isinstance(s, (Named, Symbol)) else expression.name for s in reversed(stations))
        paths.append(Path(own, Expression(node, expression.inputs, "contribution")))
        if len(paths) > MOST_PATHS:
            raise ParseError(f"more than {MOST_PATHS} paths from {x} to {expression.name}")
    return ChainRule(expression, variable, prepared, tuple(sorted(paths, key=lambda p: (len(p.names), p.names))), edges)


def _as_written(f: Expression) -> Prepared:
    """The function with only the user's intermediates as stations."""
    from byhand.expr.nodes import topological

    units = [n for n in topological([f.root]) if isinstance(n, Named)]
    return Prepared(f.root, units, Fold({u.body: u for u in units if not isinstance(u.body, (Symbol, Named))}))


def _walks(root: Expr, x: Symbol, edges: Mapping[tuple[Expr, Expr], object]) -> Iterator[tuple[Expr, ...]]:
    uses: dict[Expr, list[Expr]] = {}
    for user, child in edges:
        uses.setdefault(user, []).append(child)
    todo: list[tuple[Expr, ...]] = [(root,)]
    while todo:
        walk = todo.pop()
        if walk[-1] is x:
            yield walk
        else:
            todo += [(*walk, child) for child in uses.get(walk[-1], [])]


def _along(
    stations: tuple[Expr, ...], edges: Mapping[tuple[Expr, Expr], list[LinearTerm]], simplifier: Simplifier
) -> Expr:
    """The product of local Jacobians along one path, from the function down."""
    root = stations[0]
    leading: tuple[Label, ...] = tuple(("f", k) for k in range(root.ndim))
    sizes: dict[Label, Dim] = dict(zip(leading, root.shape, strict=True))
    total = identity(root.shape)
    for user, child in itertools.pairwise(stations):
        total = simplifier.normal(add(*(t.adjoint(total, leading, sizes) for t in edges[user, child])))
    return total


__all__ = ["ChainRule", "Path", "chain_rule"]

"""A derivation run as numbers, so that single steps can be done wrongly on purpose and everything below them follows.

The record of the derivation is the program: its terms are the edges of the graph. No formula is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.check.numeric import Environment, projected
from byhand.derive.derivation import Derivation
from byhand.derive.record import Unit
from byhand.expr.evaluate import bind, node_value
from byhand.expr.nodes import Expr, Symbol, symbol, topological
from byhand.rules.linear import LinearTerm

Array = Any
Contribution = Callable[["Replay", "Edge", Array, Callable[[], Array]], Array]
Adjoint = Callable[["Replay", Array], Array]


@dataclass(frozen=True, eq=False)
class Edge:
    """One linear term of a unit's differential: from the adjoint of its source to that of its child."""

    number: int
    source: Unit
    term: LinearTerm
    upstream: Symbol
    node: Expr

    @property
    def child(self) -> Expr:
        """The node it contributes to."""
        return self.term.child


@dataclass(frozen=True, eq=False)
class Patch:
    """A mistake made on purpose.

    Attributes:
        mistake: its number.
        place: the unit or tensor it is made at.
        words: what its name in the catalogue leaves open.
        edges: what edges contribute instead.
        adjoints: what becomes of the adjoint of a node.
        results: what becomes of the gradient of a variable.
        note: evidence that the patch itself knows.
    """

    mistake: int
    place: str
    words: Mapping[str, Any] = field(default_factory=dict)
    edges: Mapping[Edge, Contribution] = field(default_factory=dict)
    adjoints: Mapping[Expr, Adjoint] = field(default_factory=dict)
    results: Mapping[str, Adjoint] = field(default_factory=dict)
    note: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What it is, at a point with any number of samples."""
        return (str(self.mistake), self.place, *(str(w) for name, w in self.words.items() if name != "N"))


class Graph:
    """The edges of a derivation, and the values of its nodes at one point.

    Attributes:
        root: the function; its adjoint is 1.
        units: what the function is made of and depends on the variables, last first.
        records: each unit and each variable -> its record.
        edges: the linear terms of the units' differentials.
        into: node -> the edges that contribute to its adjoint.
        variables: the variables by name.
    """

    def __init__(self, derivation: Derivation, values: Mapping[str, Array]) -> None:
        self.derivation = derivation
        self.root = derivation.prepared.root
        bound, self.sizes = bind(derivation.f, values)
        self.values: dict[Expr, Array] = {derivation.f.symbols[n]: bound[derivation.f.symbols[n]] for n in values}
        self.env = Environment(self.values, self.sizes)
        self.units = [u for u in derivation.units if not isinstance(u.node, Symbol)]
        self.position = {u.node: k for k, u in enumerate(self.units)}
        self.records = {u.node: u for u in derivation.units}
        self.edges: list[Edge] = []
        for u in self.units:
            upstream = symbol(f"upstream of {u.name}", u.body.shape)
            for record in u.terms:
                self.edges.append(Edge(len(self.edges), u, record.term, upstream, record.term.adjoint(upstream)))
        self.into: dict[Expr, list[Edge]] = {}
        self.out_of: dict[Expr, list[Edge]] = {}
        for e in self.edges:
            self.into.setdefault(e.child, []).append(e)
            self.out_of.setdefault(e.source.node, []).append(e)
        self.variables = {v.name: v for v in derivation.variables}

    def value(self, node: Expr) -> Array:
        """The value of a node of the forward pass."""
        return self.env[node]

    def at(self, node: Expr, known: Mapping[Expr, Array]) -> Array:
        """The value of a node where some nodes below it have values of their own."""
        seen: dict[Expr, Array] = dict(known)
        moved = set(known)
        for n in topological([node]):
            if n not in seen and any(c in moved for c in n.children):
                moved.add(n)
                seen[n] = node_value(n, {c: seen[c] if c in seen else self.env[c] for c in n.children}, self.sizes)
        return seen[node] if node in seen else self.env[node]

    def pass_on(self, edge: Edge, adjoint: Array, known: Mapping[Expr, Array] | None = None) -> Array:
        """What an edge contributes; `known` replaces factors of its linear map by arrays of the same shape."""
        node, given = edge.node, {edge.upstream: adjoint, **(known or {})}
        views = [f for f in known or () if f not in node.children]  # dissolved where the map was written down
        if views:
            stand_ins = {f: symbol(f"in place of factor {k}", f.shape) for k, f in enumerate(views)}
            factors = tuple((stand_ins.get(f, f), ls, p) for f, ls, p in edge.term.factors)
            node = edge.term._replace(factors=factors).adjoint(edge.upstream)
            given |= {stand_ins[f]: given[f] for f in views}
        if node is edge.upstream:
            return adjoint
        return node_value(node, {c: given[c] if c in given else self.env[c] for c in node.children}, self.sizes)

    def below(self, node: Expr) -> set[Expr]:
        """The nodes whose adjoint rests on that of this one, itself included."""
        found = {node}
        for u in self.units[self.position.get(node, len(self.units)) :]:
            if u.node in found:
                found |= {e.child for e in self.out_of.get(u.node, [])}
        return found

    def last_needed(self, node: Expr) -> int:
        """How many units, last first, the adjoint of a node rests on."""
        if node in self.position:
            return self.position[node]
        return max((self.position[e.source.node] + 1 for e in self.into.get(node, [])), default=0)

    def backward_order(self) -> list[str]:
        """The variables, those nearest to the loss first; of one layer, biases before weights."""

        def rank(name: str) -> tuple[int, int, str]:
            v = self.variables[name]
            places = [self.position[e.source.node] for e in self.into.get(v, []) if e.source.body.ndim] or [
                self.position[e.source.node] for e in self.into.get(v, [])
            ]
            return (min(places, default=len(self.units)), v.ndim, name)

        return sorted(self.variables, key=rank)


class Replay:
    """One run of the backward pass with mistakes in it; runs share what their mistakes do not touch."""

    def __init__(self, graph: Graph, patches: tuple[Patch, ...] = (), parent: Replay | None = None) -> None:
        self.graph, self.patches, self.parent = graph, patches, parent
        self.adjoints: dict[Expr, Array] = {}
        self.contributions: dict[Edge, Array] = {}
        self.results: dict[str, Array] = {}
        added = patches[len(parent.patches) :] if parent is not None else patches
        self.touched: set[Expr] = {n for p in added for n in p.adjoints} | {e.child for p in added for e in p.edges}
        self.edged = {e for p in added for e in p.edges}
        self.named = {n for p in added for n in p.results}
        if parent is not None:
            for u in graph.units:
                if u.node in self.touched:
                    self.touched |= {r.term.child for r in u.terms}

    def with_patch(self, patch: Patch) -> Replay:
        """The same with one mistake more."""
        return Replay(self.graph, (*self.patches, patch), self)

    def shared(self, node: Expr) -> bool:
        """Whether the adjoint of a node is that of the parent."""
        return self.parent is not None and node not in self.touched

    def adjoint(self, node: Expr) -> Array:
        """The adjoint of a unit or variable."""
        if self.shared(node):
            assert self.parent is not None
            return self.parent.adjoint(node)
        if node not in self.adjoints:
            last = self.graph.last_needed(node)
            for u in self.graph.units[:last]:
                if u.node not in self.adjoints and not self.shared(u.node):
                    self.adjoints[u.node] = self.accumulate(u.node)
            self.adjoints[node] = self.accumulate(node)
        return self.adjoints[node]

    def accumulate(self, node: Expr) -> Array:
        graph = self.graph
        parts = [self.contribution(e) for e in graph.into.get(node, [])]
        total: Array = np.float64(1.0) if node is graph.root else np.zeros(np.shape(graph.value(node)))
        for p in parts:
            total = total + p
        for patch in self.patches:
            if node in patch.adjoints:
                total = patch.adjoints[node](self, total)
        return total

    def contribution(self, edge: Edge) -> Array:
        """What an edge adds to its child."""
        if self.shared(edge.source.node) and edge not in self.edged:
            assert self.parent is not None
            return self.parent.contribution(edge)
        if edge not in self.contributions:
            upstream = self.adjoint(edge.source.node)

            def plain() -> Array:
                return self.graph.pass_on(edge, upstream)

            made = plain
            for patch in self.patches:
                if edge in patch.edges:
                    made = _bound(patch.edges[edge], self, edge, upstream, made)
            self.contributions[edge] = made()
        return self.contributions[edge]

    def gradient(self, name: str) -> Array:
        """The gradient of a variable; that of a symmetric or diagonal one is such a matrix."""
        if name not in self.results:
            v = self.graph.variables[name]
            if self.shared(v) and name not in self.named:
                assert self.parent is not None
                return self.parent.gradient(name)
            found = projected(v, self.adjoint(v))
            for patch in self.patches:
                if name in patch.results:
                    found = patch.results[name](self, found)
            self.results[name] = found
        return self.results[name]


def _bound(
    change: Contribution, replay: Replay, edge: Edge, upstream: Array, before: Callable[[], Array]
) -> Callable[[], Array]:
    return lambda: change(replay, edge, upstream, before)


__all__ = ["Adjoint", "Contribution", "Edge", "Graph", "Patch", "Replay"]

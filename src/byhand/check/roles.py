"""What the edges of a derivation are in a network: weights, biases, the way down, activations, loss, penalty."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from byhand.check.replay import Edge, Graph
from byhand.derive.record import Unit
from byhand.expr.nodes import Elementwise, Expr, Named, Structured, Symbol, topological

Array = Any


@dataclass(frozen=True, eq=False)
class Layer:
    """A unit with parameters: weight edges (with what multiplies the upstream gradient), biases, ways down."""

    unit: Unit
    weights: tuple[tuple[Edge, Expr], ...]
    biases: tuple[Edge, ...]
    downs: tuple[tuple[Edge, Expr], ...]


def name_of(node: Expr) -> str:
    """The name of an input or intermediate."""
    return node.name if isinstance(node, (Symbol, Named)) else "..."


class Roles:
    """The roles in a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.variables = set(graph.variables.values())

    def arrays(self, edge: Edge) -> list[Expr]:
        """The factors of an edge that have axes."""
        return [f for f, ls, _ in edge.term.factors if ls]

    @cached_property
    def penalties(self) -> list[Edge]:
        """Edges from a scalar to a variable that only the variable itself multiplies: a regulariser."""
        return [
            e
            for e in self.graph.edges
            if not e.source.body.ndim and e.child in self.variables and self.arrays(e) == [e.child]
        ]

    @cached_property
    def losses(self) -> list[Edge]:
        """Edges from a scalar to an intermediate or to a variable that is not regularised by them: the data part."""
        return [e for e in self.graph.edges if not e.source.body.ndim and e.child.ndim and e not in self.penalties]

    @cached_property
    def layers(self) -> list[Layer]:
        """Units with parameters, last first."""
        found = []
        for u in self.graph.units:
            if not u.body.ndim:
                continue
            weights, biases, downs = [], [], []
            for e in (e for e in self.graph.edges if e.source is u):
                arrays = self.arrays(e)
                if e.child in self.variables and not arrays:
                    biases.append(e)
                elif e.child in self.variables and len(arrays) == 1:
                    weights.append((e, arrays[0]))
                elif len(arrays) == 1 and isinstance(arrays[0], Symbol):
                    downs.append((e, arrays[0]))
            if weights or biases:
                found.append(Layer(u, tuple(weights), tuple(biases), tuple(downs)))
        return found

    @cached_property
    def head(self) -> Layer | None:
        """The layer nearest to the loss."""
        return self.layers[0] if self.layers else None

    @cached_property
    def activations(self) -> list[tuple[Unit, list[Edge]]]:
        """Units that are a function of another unit, entry by entry, and their edges."""
        found = []
        for u in self.graph.units:
            if isinstance(u.body, Elementwise):
                edges = [e for e in self.graph.edges if e.source is u]
                if edges and all(e.child is u.body.arg for e in edges):
                    found.append((u, edges))
        return found

    @cached_property
    def batch_axis(self) -> int | None:
        """The axis of the head that its parameters do not have: the samples."""
        if self.head is None:
            return None
        for e in (*self.head.biases, *(w for w, _ in self.head.weights)):
            axes = [k for k, label in enumerate(e.term.out) if label not in e.term.labels]
            if len(axes) == 1:
                return axes[0]
        return None

    @cached_property
    def samples(self) -> int:
        """N."""
        if self.head is None or self.batch_axis is None:
            return 1
        return int(self.graph.value(self.head.unit.node).shape[self.batch_axis])

    @cached_property
    def probabilities(self) -> Named | None:
        """P = softmax(Z) or sigmoid(Z) of the head."""
        if self.head is None:
            return None
        d = self.graph.derivation
        for n in (*d.prepared.units, *d.prepared.helpers):
            body = n.body
            if isinstance(body, Structured) and body.operation == "softmax" and body.args[0] is self.head.unit.node:
                return n
            if isinstance(body, Elementwise) and body.function == "sigmoid" and body.arg is self.head.unit.node:
                return n
        return None

    @cached_property
    def targets(self) -> list[Expr]:
        """The nodes that stand for the targets: Y, and what it is made of."""
        if self.head is None:
            return []
        order = topological([self.graph.derivation.prepared.root, *self.graph.derivation.prepared.helpers])
        found: list[Expr] = [n for n in order if isinstance(n, Structured) and n.operation == "one_hot"]
        if found:
            return [*found, *(n for n in order if isinstance(n, Named) and n.body in found)]
        return [
            n
            for n in order
            if isinstance(n, Symbol) and n not in self.variables and n.shape == self.head.unit.body.shape
        ]

    @cached_property
    def statistics(self) -> list[Expr]:
        """Units that others broadcast: means and variances of a batch."""
        found: dict[Expr, None] = {}
        for e in self.graph.edges:
            if (
                isinstance(e.child, Named)
                and e.child.ndim
                and set(e.term.out) - set(e.term.labels)
                and not self.arrays_at(e)
            ):
                found[e.child] = None
        return list(found)

    def arrays_at(self, edge: Edge) -> bool:
        """Whether an edge multiplies by a matrix, summing over an axis of it."""
        return any(set(ls) - set(edge.term.out) for _, ls, _ in edge.term.factors)

    def layer_word(self, unit: Unit) -> str:
        """layer 2 (Z2)."""
        order = [layer.unit for layer in reversed(self.layers)]
        return f"layer {order.index(unit) + 1} ({unit.name})" if unit in order else unit.name

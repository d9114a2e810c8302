"""What the edges of a derivation are: weights, biases, the way down, activations, softmaxes, loss, penalty, samples.

A role is a property of the linear maps in the graph (their labels, factors and coefficients), whoever wrote it down and
in whichever layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from byhand.check.replay import Edge, Graph
from byhand.derive.record import Unit
from byhand.expr.contraction import Label
from byhand.expr.dims import MINUS_ONE, Coefficient, Dimension, dim_names, dim_value
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol, topological
from byhand.notation.show import node_text

Array = Any
LONGEST_WORD = 30  # characters of a formula that stands for a name
_LOGARITHMS = frozenset({"log", "log1p", "softplus", "log_softmax", "logsumexp", "logdet"})


@dataclass(frozen=True, eq=False)
class Layer:
    """A unit with parameters: weight edges (with what multiplies the upstream gradient), biases, ways down."""

    unit: Unit
    weights: tuple[tuple[Edge, Expr], ...]
    biases: tuple[Edge, ...]
    downs: tuple[tuple[Edge, Expr], ...]


class Roles:
    """The roles in a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.variables = set(graph.variables.values())
        self.automatic = graph.derivation.prepared.automatic
        self.words: dict[Expr, str] = {}

    # ---- names

    def is_named(self, node: Expr) -> bool:
        """Whether the user gave it a name."""
        return isinstance(node, Symbol) or (isinstance(node, Named) and node.name not in self.automatic)

    def word(self, node: Expr) -> str:
        """What a node is called: by its user, or as byhand prints it."""
        if node not in self.words:
            self.words[node] = self.described(node)
        return self.words[node]

    def described(self, node: Expr) -> str:
        if self.is_named(node):
            return str(getattr(node, "name", ""))
        text = node_text(node.body if isinstance(node, Named) else node)
        if isinstance(node, Named) and (len(text) > LONGEST_WORD or text == "..."):
            return node.name
        return text

    def layer_word(self, unit: Unit) -> str:
        """layer 2 (Z2)."""
        order = [layer.unit for layer in reversed(self.layers)]
        if unit not in order:
            return self.word(unit.node)
        return f"layer {order.index(unit) + 1} ({self.word(unit.node)})"

    # ---- edges

    def arrays(self, edge: Edge) -> list[Expr]:
        """The factors of an edge that have axes."""
        return [f for f, ls, _ in edge.term.factors if ls]

    def axes(self, edge: Edge) -> set[Label]:
        """The labels of the child of an edge, but those of axes of size one."""
        return {x for x in edge.term.labels if dim_value(edge.term.dims[x], self.graph.sizes) != 1}

    def multiplies(self, edge: Edge) -> bool:
        """Whether an edge multiplies by a matrix, summing over an axis of it."""
        return any(set(ls) - set(edge.term.out) for _, ls, _ in edge.term.factors)

    @cached_property
    def penalties(self) -> list[Edge]:
        """Edges from a scalar to a variable that only the variable itself multiplies, beside others: a regulariser."""
        return [
            e
            for e in self.graph.edges
            if not e.source.body.ndim
            and e.child in self.variables
            and self.arrays(e) == [e.child]
            and len(self.graph.into[e.child]) > 1
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
            for e in self.graph.out_of.get(u.node, []):
                arrays = self.arrays(e)
                if e.child in self.variables and not arrays and self.axes(e) < set(e.term.out):
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
            edges = self.graph.out_of.get(u.node, [])
            if isinstance(u.body, Elementwise) and edges and all(e.child is u.body.arg for e in edges):
                found.append((u, edges))
        return found

    @cached_property
    def softmaxes(self) -> list[tuple[Unit, list[Edge]]]:
        """Units that are a softmax of another unit or variable, wherever they stand, and their edges."""
        found = []
        for u in self.graph.units:
            edges = self.graph.out_of.get(u.node, [])
            if isinstance(u.body, Structured) and u.body.operation == "softmax":
                (arg,) = u.body.args
                if edges and all(e.child is arg for e in edges):
                    found.append((u, edges))
        return found

    # ---- the loss

    @cached_property
    def scalars(self) -> list[Expr]:
        """The nodes that the loss and its scalar parts are written with."""
        bodies = [u.body for u in self.graph.units if not u.body.ndim]
        return topological(bodies, into_named=False)

    @cached_property
    def has_logarithm(self) -> bool:
        """Whether the loss is made with a logarithm."""
        return bool(self.graph.root.operations & _LOGARITHMS)

    @cached_property
    def coefficients(self) -> list[Coefficient]:
        """The factors in the loss and its scalar parts: the 2 of a square's derivative, ½, 1/N."""
        found = [e.term.coefficient for e in (*self.losses, *self.penalties)]
        for node in self.scalars:
            match node:
                case Contraction(coefficient):
                    found.append(coefficient)
                case Sum(terms):
                    found += [c for c, _ in terms]
        return found

    @cached_property
    def constants(self) -> set[float]:
        """Their sizes."""
        found = {abs(c.evaluate(self.graph.sizes)) for c in self.coefficients}
        return {c for c in found if c and c != 1.0}

    @cached_property
    def averaged(self) -> bool:
        """Whether the loss is a mean over the samples."""
        n, sizes = self.samples, self.graph.sizes
        counts = [dim_value(d, sizes) for c in self.coefficients for d, p in c.dims if p < 0]
        written = {c.value.denominator for c in self.coefficients} & {n, 2 * n, n * self.classes}
        return bool(written) or any(c % n == 0 for c in counts)

    @cached_property
    def residual(self) -> tuple[Expr, Expr] | None:
        """(prediction, target): of a difference that the loss or its derivative is made of, what moves and what does not."""
        moving: set[Expr] = {*self.variables}
        for n in topological([self.graph.root, *self.graph.derivation.prepared.helpers]):
            if any(c in moving for c in n.children):
                moving.add(n)
        nearest = [self.graph.records[e.child].value for e in self.losses if e.child in self.graph.records]
        for n in topological([*nearest, *(e.child for e in self.losses), *self.scalars], into_named=False):
            body = n.body if isinstance(n, Named) else n
            if isinstance(body, Sum) and len(body.terms) == 2:
                (c, a), (d, b) = body.terms
                if c.times(MINUS_ONE) == d and (a in moving) != (b in moving):
                    return (a, b) if a in moving else (b, a)
        return None

    # ---- samples and classes

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
    def class_axis(self) -> int | None:
        """The axis of a head of two axes that is not that of the samples."""
        two = self.head is not None and self.head.unit.body.ndim == 2 and self.batch_axis is not None
        return 1 - self.batch_axis if two and self.batch_axis is not None else None

    def size(self, axis: int | None) -> int:
        """The size of an axis of the head; 1 where there is none."""
        if self.head is None or axis is None:
            return 1
        return int(self.graph.value(self.head.unit.node).shape[axis])

    @property
    def samples(self) -> int:
        """N."""
        return self.size(self.batch_axis)

    @property
    def classes(self) -> int:
        """C."""
        return self.size(self.class_axis)

    @cached_property
    def sample_dimension(self) -> Dimension | None:
        """The dimension that counts samples, where it is a name that no parameter has."""
        if self.head is None or self.batch_axis is None:
            return None
        d = self.head.unit.body.shape[self.batch_axis]
        taken = {n for v in self.variables for size in v.shape for n in dim_names(size)}
        return d if isinstance(d, Dimension) and str(d) in dim_names(d) and not dim_names(d) & taken else None

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
        order = topological([self.graph.root, *self.graph.derivation.prepared.helpers])
        found: list[Expr] = [n for n in order if isinstance(n, Structured) and n.operation == "one_hot"]
        if found:
            return [*found, *(n for n in order if isinstance(n, Named) and n.body in found)]
        return [
            n
            for n in order
            if isinstance(n, Symbol) and n not in self.variables and n.shape == self.head.unit.body.shape
        ]

    # ---- statistics

    def cut_off(self, node: Expr) -> list[str]:
        """The variables that the loss depends on through this node only, apart from penalties."""
        reached: set[Expr] = {self.graph.root} - {node}
        for u in self.graph.units:
            if u.node in reached:
                reached |= {e.child for e in self.graph.out_of.get(u.node, []) if e not in self.penalties} - {node}
        return [v.name for v in self.variables & self.graph.below(node) - reached]

    @cached_property
    def statistics(self) -> list[Expr]:
        """Units that others broadcast, or that sum up what the loss depends on without them too: means and variances."""
        spread = {
            e.child
            for e in self.graph.edges
            if e.source.body.ndim and self.axes(e) < set(e.term.out) and not self.multiplies(e)
        }
        return [
            u.node
            for u in self.graph.units
            if isinstance(u.node, Named)
            and (u.node in spread or self.summed_up(u.node) is not None)
            and not self.cut_off(u.node)
        ]

    def summed_up(self, statistic: Named) -> Contraction | None:
        """The sum of one thing, or of a power of it, over an axis that a node is made with."""
        for n in topological([statistic.body], into_named=False):
            if isinstance(n, Contraction):
                arrays = {f for f, ls, _ in n.factors if ls}
                if len(arrays) == 1 and {x for _, ls, _ in n.factors for x in ls} - set(n.out):
                    return n
        return None

    @cached_property
    def means(self) -> list[Edge]:
        """Edges that sum over an axis and spread the sum again, beside others: a mean that was subtracted without a name."""
        return [
            e
            for e in self.graph.edges
            if not e.term.factors
            and set(e.term.out) - set(e.term.labels)
            and self.axes(e) - set(e.term.out)
            and any(other is not e and other.child is e.child for other in self.graph.out_of[e.source.node])
        ]

"""The Jacobian of a function by reading it off the differentials of its named intermediates, forwards or backwards.

Both directions use the linear terms that the gradient uses (`Accumulation.expand`): forwards, d(child) in each term is
replaced by the Jacobian of the child, with the axes of the variable appended; backwards, each term's transposed map is
applied to the Jacobian of the output with respect to the intermediate, with the axes of the output in front.
"""

from __future__ import annotations

from collections.abc import Iterable

from byhand.derive.gradient import Accumulation
from byhand.derive.prepare import Prepared
from byhand.expr.contraction import Label, add, contract, zero
from byhand.expr.dims import Dim, Dimension, Shape, dim_names, dim_value
from byhand.expr.nodes import Expr, Named, Symbol, named
from byhand.rules.score import weight
from byhand.rules.simplify import Simplifier

LONG = 12.0  # a Jacobian of an intermediate that prints longer than this gets a name
FACTORED = 40.0  # a longer sum is collected, but no common factors are looked for
TYPICAL = 32  # what a symbolic dimension counts for when the direction is chosen


class Jacobians:
    """One read-off of ∂root/∂x.

    Args:
        prepared: the function.
        x: the input to differentiate with respect to.
        name: what the function is called.

    Attributes:
        forwards: whether the Jacobians of intermediates were taken with respect to x (else: of the root).
        names: the Jacobians of intermediates that got a name -> the intermediate.
    """

    def __init__(self, prepared: Prepared, x: Symbol, name: str) -> None:
        self.prepared, self.x, self.name = prepared, x, name
        self.accumulation = Accumulation(prepared, [x], name)
        self.simplifier = Simplifier(fold=prepared.fold)
        self.forwards = self.cheaper_forwards()
        self.names: dict[Named, Expr] = {}

    @property
    def order(self) -> list[Expr]:
        """The intermediates and the root, in order of computation, as far as they depend on x."""
        units: list[Expr] = [*self.prepared.units]
        if self.prepared.root not in units:
            units.append(self.prepared.root)
        return [u for u in units if u in self.accumulation.active and u is not self.x]

    def cheaper_forwards(self) -> bool:
        """Backwards where the output has fewer entries than the variable."""
        return size(self.prepared.root.shape) >= size(self.x.shape)

    def read_off(self) -> Expr:
        """∂root/∂x, of shape root.shape + x.shape, in the normal form that uses no declared property."""
        root = self.prepared.root
        if root is self.x:
            return identity(self.x.shape)
        if root not in self.accumulation.active:
            return zero((*root.shape, *self.x.shape))
        return self.forward() if self.forwards else self.reverse()

    def forward(self) -> Expr:
        extra: tuple[Label, ...] = tuple(("x", k) for k in range(self.x.ndim))
        sizes: dict[Label, Dim] = dict(zip(extra, self.x.shape, strict=True))
        found: dict[Expr, Expr] = {self.x: identity(self.x.shape)}
        for node in self.order:
            terms, _ = self.accumulation.expand(_body(node))
            parts = [t.with_child(found[t.child], (*t.labels, *extra), (*t.out, *extra), sizes) for t in terms]
            found[node] = self.settled(parts, node, (*node.shape, *self.x.shape))
        return found[self.prepared.root]

    def reverse(self) -> Expr:
        root = self.prepared.root
        extra: tuple[Label, ...] = tuple(("f", k) for k in range(root.ndim))
        sizes: dict[Label, Dim] = dict(zip(extra, root.shape, strict=True))
        parts: dict[Expr, list[Expr]] = {root: [identity(root.shape)]}
        for node in [*reversed(self.order), self.x]:
            total = self.settled(parts.get(node, []), node, (*root.shape, *node.shape))
            if node is self.x:
                return total
            for t in self.accumulation.expand(_body(node))[0]:
                parts.setdefault(t.child, []).append(t.adjoint(total, extra, sizes))
        raise AssertionError("the variable comes last")

    def settled(self, parts: list[Expr], node: Expr, shape: Shape) -> Expr:
        """The sum of the parts in normal form; under a name where it is long and not the result."""
        if not parts:
            return zero(shape)
        total = add(*(self.simplifier.normal(p) for p in parts))
        if weight(total, self.simplifier.scores) <= FACTORED:
            total = self.simplifier.normal(total)
        last = self.prepared.root if self.forwards else self.x
        if node is last or weight(total, self.simplifier.scores) <= LONG:
            return total
        own = node.name if isinstance(node, Named) else self.name
        name = f"d{own}_d{self.x.name}" if self.forwards else f"d{self.name}_d{own}"
        new = named(self.accumulation.fresh(name), total)
        self.names[new] = node
        return new


def _body(node: Expr) -> Expr:
    return node.body if isinstance(node, Named) else node


def identity(shape: Shape) -> Expr:
    """The identity map of arrays of a shape: δ_ik δ_jl, of shape shape + shape."""
    axes = range(len(shape))
    return contract([], [*axes, *axes], dims=dict(enumerate(shape)))


def size(shape: Iterable[Dim]) -> int:
    """How many entries an array has, a symbolic dimension counted as a typical one."""
    total = 1
    for d in shape:
        total *= dim_value(d, {n: TYPICAL for n in dim_names(d)}) if isinstance(d, Dimension) else d
    return total

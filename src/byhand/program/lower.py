"""Expressions to array programs: each node once, contractions along their labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never, cast

from byhand.derive.derivation import Derivation
from byhand.errors import MissingRuleError
from byhand.expr.cofactors import product_with_adjugates
from byhand.expr.contraction import contract
from byhand.expr.define import with_definitions
from byhand.expr.functions import MASKS
from byhand.expr.indexmaps import as_join
from byhand.expr.masks import Selection
from byhand.expr.nodes import (
    Constant,
    Contraction,
    Differential,
    Elementwise,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    topological,
)
from byhand.expr.norms import with_slopes
from byhand.program.association import Association
from byhand.program.ops import P1, Eye, Input, Kernel, Map, Number, Op, Pool, Reshape, Slice, Type
from byhand.program.pickers import FEW, is_sum_of_slices, read_pickers


@dataclass(frozen=True)
class Program:
    """What is computed from what.

    Attributes:
        inputs: name -> argument, in order.
        results: name -> node, in an order in which little has to be kept.
        value: the name of the result that the others are gradients of, if they are.
    """

    inputs: dict[str, Input]
    results: dict[str, Op]
    value: str | None = None


class Lowering:
    """One lowering; nodes that two expressions share are shared."""

    into_named = True  # whether names are seen through; where not, whoever gives them puts their nodes into `done`
    few = FEW  # see `read_pickers`

    def __init__(self) -> None:
        self.pool = Pool()
        self.done: dict[Expr, Op] = {}
        self._selection = Selection()

    def __call__(self, root: Expr) -> Op:
        """The operation that computes an expression."""
        for node in topological([root], self.into_named):
            if node not in self.done:
                self.done[node] = op = self.one(node)
                if self.pool.origins is not None:
                    self.pool.origins[op] = node
        return self.done[root]

    def one(self, node: Expr) -> Op:
        pool, shape, done = self.pool, node.shape, self.done
        match node:
            case Symbol(name):
                return pool(Input(shape, "int" if "labels" in node.assumptions else "real", name))
            case Constant(name):
                return pool(Number(shape, "real", name, node.value))
            case Named(_, body):
                pool.named.add(done[body])
                return done[body]
            case Elementwise() if (open_ := with_definitions(node)) is not node:
                return self(open_)
            case Elementwise(function, arg):
                kind: Type = "bool" if function in MASKS else "real"
                return pool(Map(shape, kind, function, (pool.real(done[arg]),)))
            case Sum(terms):
                axes = tuple(range(len(shape)))
                return pool.add(shape, [(c, done[t], axes) for c, t in terms])
            case Structured("where", (test, *branches), _):
                return pool(Map(shape, "real", "where", (done[test], *(pool.real(done[b]) for b in branches))))
            case Structured("power", args, _):
                return pool(Map(shape, "real", "power", tuple(pool.real(done[a]) for a in args)))
            case Structured("affine", _, (size, first, 1, _)):
                return pool(Slice(shape, "real", pool(Eye((size, size), "real")), 1, first))
            case Structured("affine") if as_join(node):
                return pool(Reshape(shape, "real", pool(Eye((shape[0], shape[0]), "real"))))
            case Structured("arange" | "argmax" as operation, args, attributes):
                return pool(Kernel(shape, "int", operation, tuple(pool.real(done[a]) for a in args), attributes))
            case Structured("one_hot", (labels,), attributes):
                return pool(Kernel(shape, "bool", "one_hot", (done[labels],), attributes))
            case Structured(operation, args, attributes):
                return pool(Kernel(shape, "real", operation, tuple(pool.real(done[a]) for a in args), attributes))
            case Contraction():
                return self._contraction(node)
            case Differential():
                raise MissingRuleError("a differential has no value of its own", "move it out of the expression first")
            case _:
                assert_never(cast(Any, node))

    def _contraction(self, node: Contraction) -> Op:
        chosen = product_with_adjugates(node)  # det(X) inv(X) has a value where inv(X) has none
        chosen = chosen if chosen is not node else self._selection.of(node)  # what masks leave out may have none
        return self(chosen) if chosen is not node else self._product(node)

    def _product(self, node: Contraction) -> Op:
        slices = next((k for k, f in enumerate(node.factors) if f[2] == 1 and is_sum_of_slices(f[0])), None)
        if slices is not None:
            return self._distributed(node, slices)
        picked = read_pickers(self.pool, node, self.done, self.few)
        made = Association(self.pool, picked.sizes, picked.out).result(picked.coefficient, picked.factors)
        for change in reversed(picked.after):
            made = change(made)
        return made

    def _distributed(self, node: Contraction, place: int) -> Op:
        """A product with a sum of slices as the sum of the products: slices of arrays instead of 0/1 matrices."""
        slices, labels, power = node.factors[place]
        assert isinstance(slices, Sum)
        rest = [*node.factors[:place], *node.factors[place + 1 :]]
        dims, axes = dict(enumerate(node.dims)), tuple(range(node.ndim))
        terms = [
            (c, self(contract([*rest, (t, labels, power)], node.out, dims=dims, merge=True)), axes)
            for c, t in slices.terms
        ]
        total = self.pool.add(node.shape, terms)
        return self.pool.mul(node.shape, node.coefficient, [(total, axes, P1)])


def lower(results: Mapping[str, Expr], arguments: Iterable[Symbol] = ()) -> Program:
    """The program of expressions of any shape.

    Args:
        results: name -> what is computed.
        arguments: the inputs, in order; symbols that occur beside them come after.
    Raises: MissingRuleError: something has no value, a differential.
    """
    low = Lowering()
    order = topological(list(results.values()))
    symbols = dict.fromkeys([*arguments, *(n for n in order if isinstance(n, Symbol))])
    inputs = {s.name: op for s in symbols if isinstance(op := low(s), Input)}
    return Program(inputs, {name: low.pool.real(low(node)) for name, node in results.items()})


def lower_derivation(d: Derivation) -> Program:
    """The program of a function and its gradients, last layer first: each gradient as soon as its adjoint is there."""
    adjoints = [u.adjoint for u in d.units if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)]
    place: dict[Expr, int] = {a: k for k, a in enumerate(adjoints, 1)}
    gradients = {name: g.root for name, g in d.gradients.items()}
    if any(
        isinstance(n, Contraction) and any(p < 0 for _, _, p in n.factors) for n in topological([*gradients.values()])
    ):
        gradients = {name: with_slopes(g.root, g.forward or ()) for name, g in d.gradients.items()}

    def stands(name: str) -> int:
        """How many adjoints stand before a gradient."""
        return max((place.get(n, 0) for n in topological([gradients[name]], into_named=False)), default=0)

    results = {d.f.name: d.prepared.root, **{name: gradients[name] for name in sorted(gradients, key=stands)}}
    present = set(topological(list(results.values())))
    arguments = [s for s in d.f.symbols.values() if s in present or s.name not in d.f.unused]
    return replace(lower(results, arguments), value=d.f.name)


__all__ = ["Lowering", "Program", "lower", "lower_derivation"]

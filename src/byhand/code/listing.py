"""Derivations and expressions as programs in named statements: names, order, sharing; the same for every target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from byhand.code.names import Identifiers
from byhand.code.rewrites import with_solves
from byhand.code.statements import Listing, Section, Statement, without_dead
from byhand.code.temporaries import Temporaries
from byhand.expr.dims import Dim, Dimension, dim_names
from byhand.expr.expression import Expression
from byhand.expr.nodes import Contraction, Expr, Named, Structured, Sum, Symbol, topological
from byhand.expr.norms import with_slopes
from byhand.expr.plain import PlainValues
from byhand.expr.sizes import telling
from byhand.program.lower import Lowering
from byhand.program.ops import Input, Op, Type

if TYPE_CHECKING:
    from byhand.code.formulas import Formulas
    from byhand.derive.derivation import Derivation
    from byhand.notation.typeset import Math

LAST = "ℓ"  # what is differentiated where the function is one step of a longer computation


def list_derivation(
    d: Derivation,
    upstream: Symbol | None = None,
    reserved: Iterable[str] = (),
    one_softmax: bool = False,
    formulas: bool = True,
) -> Listing:
    """The program of a function and its gradients.

    Args:
        d: the derivation.
        upstream: the symbol that `d` was pulled back from, where it was; the last of the inputs.
        reserved: names that the target uses itself.
        one_softmax: whether softmax is had from the logarithm of it that the value needs.
        formulas: whether the statements have their mathematics, which only readers need.
    """
    root, gradients = d.prepared.root, {u.node: u.value for u in d.units if isinstance(u.node, Symbol)}
    wanted = {v: gradients[v] for v in d.variables}
    adjoints = {u.adjoint: u.node for u in d.units if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)}
    written = {s for s in d.f.symbols.values() if s.name not in d.f.unused}
    inputs = needed_inputs([d.f.root, *d.variables, *written], d.f.symbols.values())
    names_of: dict[Expr, str] = {a: n.name if isinstance(n, Named) else d.f.name for a, n in adjoints.items()}
    if upstream is not None:
        inputs, names_of[upstream] = (*inputs, upstream), d.f.name
    mathematics = None
    if formulas:
        from byhand.code.formulas import Formulas

        value_name = d.f.name if upstream is None else LAST
        mathematics = Formulas([root], value_name, names_of, d.f.vectors_as_rows)
    making = _Listing(inputs, mathematics, d.prepared.automatic, reserved)
    order = topological([root, *wanted.values()])
    for node in order:
        if isinstance(node, Named) and node not in adjoints and node is not root:
            making.define(node, "forward")
    if isinstance(root, Named) and root.name == d.f.name:  # a value that its gradients are written with
        value = making.define(root, "value", result=d.f.name)
    else:
        if isinstance(root, Named):
            making.define(root, "forward")
        value = making.result(d.f.name, d.f.name, root, "value")
    needed = set(order)
    used = [a for a in adjoints if a in needed]
    place: dict[Expr, int] = {a: k for k, a in enumerate(used, 1)}
    ready: dict[int, list[Symbol]] = {}  # how many adjoints must stand before a gradient
    for v, g in wanted.items():
        last = max((place.get(n, 0) for n in topological([g], into_named=False)), default=0)
        ready.setdefault(last, []).append(v)
    for k, adjoint in enumerate([None, *used]):
        if isinstance(adjoint, Named):
            making.define(adjoint, "backward", names_of[adjoint], adjoints[adjoint])
        for v in ready.get(k, ()):
            making.result(f"d{v.name}", v.name, wanted[v], "backward", v)
    names = [v.name for v in d.variables]
    listed = ", ".join(names[:-1]) + (" and " if names[:-1] else "") + names[-1]
    gradient = "its gradient" if len(names) == 1 else "its gradients"
    title = f"{d.f.name} and {gradient} with respect to {listed}"
    return making.listing(title, "value_and_gradients", names, value, one_softmax)


def list_expressions(
    roots: Mapping[str, Expr],
    inputs: Iterable[Symbol] | None = None,
    reserved: Iterable[str] = (),
    formulas: bool = True,
) -> Listing:
    """The program of expressions on their own: Jacobians, predictions.

    Args:
        roots: name of the result -> node.
        inputs: the arguments; by default the symbols that occur.
        reserved: names that the target uses itself.
        formulas: whether the statements have their mathematics, which only readers need.
    """
    nodes = list(roots.values())
    order = topological(nodes)
    symbols = tuple(inputs) if inputs is not None else tuple(n for n in order if isinstance(n, Symbol))
    mathematics = None
    if formulas:
        from byhand.code.formulas import Formulas

        mathematics = Formulas(nodes)
    making = _Listing(symbols, mathematics, set(), reserved)
    for node in order:
        if isinstance(node, Named):
            making.define(node, "forward")
    for name, node in roots.items():
        making.result(name, name, node, "value")
    return making.listing(", ".join(roots), "values", list(roots))


def list_expression(e: Expression, reserved: Iterable[str] = (), formulas: bool = True) -> Listing:
    """The program of one expression."""
    return list_expressions({e.name: e.root}, needed_inputs([e.root], e.symbols.values()), reserved, formulas)


def needed_inputs(nodes: Iterable[Expr], declared: Iterable[Symbol]) -> tuple[Symbol, ...]:
    """The inputs that nodes need, for their values or for the sizes of dimensions, in the order of declaration."""
    order = topological(nodes)
    found = {n for n in order if isinstance(n, Symbol)}
    sizes = {d for n in order for size in _sizes(n) for d in dim_names(size)}
    declared = list(declared)
    found |= {*telling(sizes, [s.shape for s in found], [(s, s.shape) for s in declared if s not in found])}
    return tuple(s for s in declared if s in found)


def _sizes(node: Expr) -> list[Dim]:
    """The dimensions that a node's value depends on."""
    match node:
        case Contraction():
            return [*node.dims, *(d for d, _ in node.coefficient.dims)]
        case Sum(terms):
            return [*node.shape, *(d for c, _ in terms for d, _ in c.dims)]
        case Structured(_, _, attributes):
            return [*node.shape, *(a for a in attributes if isinstance(a, Dimension))]
        case _:
            return [*node.shape]


class _Leaves(Lowering):
    """A lowering that stops at names: each is a leaf that its statement defines."""

    into_named = False
    few = 0


class _Listing:
    """One program in the making: names handed out, statements in the order of their definition."""

    def __init__(
        self, inputs: tuple[Symbol, ...], formulas: Formulas | None, automatic: set[str], reserved: Iterable[str] = ()
    ) -> None:
        self.inputs, self.formulas, self.automatic = inputs, formulas, automatic
        self.statements: list[Statement] = []
        self.identifiers = Identifiers(reserved)
        self.lower = _Leaves()
        self.values = PlainValues()
        self.pool = self.lower.pool
        if formulas is not None:
            self.pool.origins = {}
        self.leaves: dict[Symbol, Input] = {}
        for s in inputs:
            kind: Type = "int" if "labels" in s.assumptions else "real"
            self.leaves[s] = leaf = self.pool(Input(s.shape, kind, self.identifiers.give(s.name)))
            self.stand(s, leaf)
        dims = dict.fromkeys(n for s in inputs for d in s.shape for n in sorted(dim_names(d)))
        self.dims = {n: self.identifiers.give(n) for n in dims}

    def define(
        self, node: Named, section: Section, name_of: str = "", of: Expr | None = None, result: str | None = None
    ) -> str:
        """An intermediate of the derivation; `of`, called `name_of`, is what it is the adjoint of."""
        leaf = self.leaf(node.name, node)
        op = self.op(node.body, section)
        self.stand(node, leaf)
        left = self.partial(name_of) if of is not None else None
        math, ours = self.math(node.body, node if of is None else of), node.name in self.automatic
        self.statements.append(Statement(leaf, op, section, math, left, result, ours=ours, defined=True))
        return leaf.name

    def result(self, wish: str, result: str, node: Expr, section: Section, of: Symbol | None = None) -> str:
        """A value or gradient that is returned; `of` is what it is the gradient with respect to."""
        leaf = self.leaf(wish, node)
        left = self.partial(of.name) if of is not None else None
        self.statements.append(Statement(leaf, self.op(node, section), section, self.math(node, of), left, result))
        return leaf.name

    def stand(self, node: Expr, leaf: Input) -> None:
        """Let a leaf stand for a node from here on."""
        self.lower.done[node] = leaf
        if self.pool.origins is not None:
            self.pool.origins[leaf] = node

    def leaf(self, wish: str, node: Expr) -> Input:
        """A new name."""
        return self.pool(Input(node.shape, "real", self.identifiers.give(wish)))

    def op(self, node: Expr, section: Section) -> Op:
        """The operation of a node; derivatives do not divide by a norm that is zero."""
        return self.pool.real(
            self.lower(self.values.of(with_slopes(node, into_named=False) if section == "backward" else node))
        )

    def math(self, node: Expr, of: Expr | None) -> Math | None:
        return None if self.formulas is None else self.formulas.of_node(node, of)

    def partial(self, name: str) -> Math | None:
        return None if self.formulas is None else self.formulas.partial(name)

    def of_part(self, op: Op) -> Math | None:
        """The mathematics of a part of a right-hand side, where what it came from is known."""
        origin = (self.pool.origins or {}).get(op)
        return None if self.formulas is None or origin is None else self.formulas.of_part(origin)

    def listing(
        self, title: str, function: str, outputs: Iterable[str], value: str | None = None, one_softmax: bool = False
    ) -> Listing:
        naming = Temporaries(self.pool, self.identifiers, self.of_part)
        needed = without_dead(self.statements)
        if one_softmax:
            needed = naming.one_softmax(needed)
        statements = with_solves(self.pool, naming.shared(needed))
        return Listing(
            title, function, self.inputs, tuple(statements), self.leaves, self.dims, tuple(outputs), self.pool, value
        )


__all__ = ["list_derivation", "list_expression", "list_expressions", "needed_inputs"]

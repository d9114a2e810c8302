"""Derivations and expressions lowered to programs: names, order, sharing; the same program for every target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from byhand.code.forms import parts, rebuilt
from byhand.code.idioms import tidy
from byhand.code.indexing import Indexing
from byhand.code.names import Identifiers
from byhand.code.program import Program, Section, Statement, temporary, without_dead
from byhand.code.sharing import Sharing, with_solves
from byhand.expr.dims import Dim, Dimension, dim_names
from byhand.expr.expression import Expression
from byhand.expr.nodes import Contraction, Expr, Named, Structured, Sum, Symbol, topological
from byhand.notation import typeset as ts
from byhand.notation.matrix import MATRIX_NOTATION, form_math, matrix_math
from byhand.notation.orientation import row_vectors
from byhand.notation.style import Style
from byhand.notation.typeset import Math
from byhand.rules.forms import Form, NoMatrixForm

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation

LAST = "ℓ"  # what is differentiated where the function is one step of a longer computation


def lower_derivation(
    d: Derivation, upstream: Symbol | None = None, reserved: Iterable[str] = (), one_softmax: bool = False
) -> Program:
    """The program of a function and its gradients.

    Args:
        d: the derivation.
        upstream: the symbol that `d` was pulled back from, where it was; the last of the inputs.
        reserved: names that the target uses itself.
        one_softmax: whether softmax is had from the logarithm of it that the value needs.
    """
    root, gradients = d.prepared.root, {u.node: u.value for u in d.units if isinstance(u.node, Symbol)}
    wanted = {v: gradients[v] for v in d.variables}
    adjoints = {u.adjoint: u.node for u in d.units if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)}
    written = {s for s in d.f.symbols.values() if s.name not in d.f.unused}
    inputs = needed_inputs([d.f.root, *d.variables, *written], d.f.symbols.values())
    value_name = ts.Name(d.f.name if upstream is None else LAST)
    labels: dict[Expr, Math] = {
        a: ts.Partial(value_name, ts.Name(n.name if isinstance(n, Named) else d.f.name)) for a, n in adjoints.items()
    }
    if upstream is not None:
        inputs, labels[upstream] = (*inputs, upstream), ts.Partial(value_name, ts.Name(d.f.name))
    lowering = _Lowering(inputs, [root], labels, d.prepared.automatic, d.f.vectors_as_rows, reserved)
    lowering.one_softmax = one_softmax
    order = topological([root, *wanted.values()])
    for node in order:
        if isinstance(node, Named) and node not in adjoints:
            lowering.define(node, "forward")
    value = lowering.result(d.f.name, d.f.name, root, "value")
    needed = set(order)
    used = [a for a in adjoints if a in needed]
    place: dict[Expr, int] = {a: k for k, a in enumerate(used, 1)}
    ready: dict[int, list[Symbol]] = {}  # how many adjoints must stand before a gradient
    for v, g in wanted.items():
        last = max((place.get(n, 0) for n in topological([g], into_named=False)), default=0)
        ready.setdefault(last, []).append(v)
    for k, adjoint in enumerate([None, *used]):
        if isinstance(adjoint, Named):
            lowering.define(adjoint, "backward", labels[adjoint], adjoints[adjoint])
        for v in ready.get(k, ()):
            left = ts.Partial(value_name, ts.Name(v.name))
            lowering.result(f"d{v.name}", v.name, wanted[v], "backward", left, v)
    names = [v.name for v in d.variables]
    listed = ", ".join(names[:-1]) + (" and " if names[:-1] else "") + names[-1]
    gradient = "its gradient" if len(names) == 1 else "its gradients"
    return lowering.program(f"{d.f.name} and {gradient} with respect to {listed}", "value_and_gradients", names, value)


def lower_expressions(
    roots: Mapping[str, Expr], inputs: Iterable[Symbol] | None = None, reserved: Iterable[str] = ()
) -> Program:
    """The program of expressions on their own: Jacobians, predictions.

    Args:
        roots: name of the result -> node.
        inputs: the arguments; by default the symbols that occur.
        reserved: names that the target uses itself.
    """
    nodes = list(roots.values())
    order = topological(nodes)
    symbols = tuple(inputs) if inputs is not None else tuple(n for n in order if isinstance(n, Symbol))
    lowering = _Lowering(symbols, nodes, {}, set(), reserved=reserved)
    for node in order:
        if isinstance(node, Named):
            lowering.define(node, "forward")
    for name, node in roots.items():
        lowering.result(name, name, node, "value")
    return lowering.program(", ".join(roots), "values", list(roots))


def lower_expression(e: Expression, reserved: Iterable[str] = ()) -> Program:
    """The program of one expression."""
    return lower_expressions({e.name: e.root}, needed_inputs([e.root], e.symbols.values()), reserved)


def needed_inputs(nodes: Iterable[Expr], declared: Iterable[Symbol]) -> tuple[Symbol, ...]:
    """The inputs that nodes need, for their values or for the sizes of dimensions, in the order of declaration."""
    order = topological(nodes)
    found = {n for n in order if isinstance(n, Symbol)}
    sizes = {d for n in order for size in _sizes(n) for d in dim_names(size)}
    sizes -= {d for s in found for size in s.shape for d in dim_names(size)}
    declared = list(declared)
    for s in declared:
        own = {d for size in s.shape for d in dim_names(size)}
        if own & sizes:
            found.add(s)
            sizes -= own
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


@dataclass
class _Lowering:
    """One lowering: names handed out, statements in the order of their definition."""

    inputs: tuple[Symbol, ...]
    forward: list[Expr]
    labels: Mapping[Expr, Math]
    automatic: set[str]
    vectors_as_rows: bool = False
    reserved: Iterable[str] = ()
    one_softmax: bool = False
    names: dict[Expr, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    origins: dict[Form, Form] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.identifiers = Identifiers(self.reserved)
        for s in self.inputs:
            self.names[s] = self.identifiers.give(s.name)
        dims = dict.fromkeys(n for s in self.inputs for d in s.shape for n in sorted(dim_names(d)))
        self.dims = {n: self.identifiers.give(n) for n in dims}
        self.indexing = Indexing()
        self.style = Style(row_vectors(self.forward), self.labels, all_rows=self.vectors_as_rows)

    def define(self, node: Named, section: Section, left: Math | None = None, of: Expr | None = None) -> None:
        """An intermediate of the derivation; `of` is what it is the adjoint of."""
        self.names[node] = name = self.identifiers.give(node.name)
        math, ours = self.math(node.body, node if of is None else of), node.name in self.automatic
        self.statements.append(Statement(name, node, self.form(node.body), section, math, left, ours=ours))

    def result(
        self, wish: str, result: str, node: Expr, section: Section, left: Math | None = None, of: Expr | None = None
    ) -> str:
        """A value or gradient that is returned."""
        name = self.identifiers.give(wish)
        leaf = temporary(name, node.shape)
        self.names[leaf] = name
        self.statements.append(Statement(name, leaf, self.form(node), section, self.math(node, of), left, result))
        return name

    def form(self, node: Expr) -> Form:
        return self.refined(self.indexing.form(node))

    def refined(self, form: Form) -> Form:
        """The form as code; where each part came from is kept for its comment."""
        new = tidy(rebuilt(form, tuple(self.refined(a) for a in form.args)))
        self.origins.setdefault(new, form)
        return new

    def math(self, node: Expr, of: Expr | None = None) -> Math | None:
        """A node in matrix notation, where it has one."""
        turned = node.ndim == 1 and (self.vectors_as_rows or of in self.style.rows)
        try:
            return matrix_math(node, self.style, turned)
        except NoMatrixForm:
            return None

    def form_math(self, form: Form) -> Math | None:
        """A part of a formula in matrix notation, where it has one."""
        origin = self.origins.get(form)
        if origin is None or not all(map(_has_notation, parts(origin))):
            return None
        return form_math(origin, self.style)

    def program(self, title: str, function: str, outputs: Iterable[str], value: str | None = None) -> Program:
        sharing = Sharing(self.identifiers, self.form_math)
        needed = without_dead(self.statements)
        if self.one_softmax:
            needed = sharing.one_softmax(needed)
        statements = with_solves(sharing.shared(needed))
        for s in statements:
            self.names.setdefault(s.leaf, s.name)
        return Program(title, function, self.inputs, tuple(statements), self.names, self.dims, tuple(outputs), value)


def _has_notation(form: Form) -> bool:
    if form.kind == "operation":
        return bool(form.data[0] != "pairing")
    return form.kind in MATRIX_NOTATION and form.kind != "einsum"


__all__ = ["lower_derivation", "lower_expression", "lower_expressions"]

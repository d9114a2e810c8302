"""Derivations and expressions lowered to programs: names, order, sharing; the same program for every target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from byhand.code.forms import rebuilt
from byhand.code.idioms import tidy
from byhand.code.indexing import Indexing
from byhand.code.listing import needed_inputs
from byhand.code.names import Identifiers
from byhand.code.program import Program, Section, Statement, temporary, without_dead
from byhand.code.sharing import Sharing, with_solves
from byhand.expr.dims import dim_names
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, Symbol, topological
from byhand.expr.norms import with_slopes
from byhand.rules.forms import Form

if TYPE_CHECKING:
    from byhand.code.formulas import Formulas
    from byhand.derive.derivation import Derivation
    from byhand.notation.typeset import Math

LAST = "ℓ"  # what is differentiated where the function is one step of a longer computation


def lower_derivation(
    d: Derivation,
    upstream: Symbol | None = None,
    reserved: Iterable[str] = (),
    one_softmax: bool = False,
    formulas: bool = True,
) -> Program:
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
    lowering = _Lowering(inputs, mathematics, d.prepared.automatic, reserved)
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
            lowering.define(adjoint, "backward", names_of[adjoint], adjoints[adjoint])
        for v in ready.get(k, ()):
            lowering.result(f"d{v.name}", v.name, wanted[v], "backward", v)
    names = [v.name for v in d.variables]
    listed = ", ".join(names[:-1]) + (" and " if names[:-1] else "") + names[-1]
    gradient = "its gradient" if len(names) == 1 else "its gradients"
    return lowering.program(f"{d.f.name} and {gradient} with respect to {listed}", "value_and_gradients", names, value)


def lower_expressions(
    roots: Mapping[str, Expr],
    inputs: Iterable[Symbol] | None = None,
    reserved: Iterable[str] = (),
    formulas: bool = True,
) -> Program:
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
    lowering = _Lowering(symbols, mathematics, set(), reserved)
    for node in order:
        if isinstance(node, Named):
            lowering.define(node, "forward")
    for name, node in roots.items():
        lowering.result(name, name, node, "value")
    return lowering.program(", ".join(roots), "values", list(roots))


def lower_expression(e: Expression, reserved: Iterable[str] = (), formulas: bool = True) -> Program:
    """The program of one expression."""
    return lower_expressions({e.name: e.root}, needed_inputs([e.root], e.symbols.values()), reserved, formulas)


class _Lowering:
    """One lowering: names handed out, statements in the order of their definition."""

    def __init__(
        self, inputs: tuple[Symbol, ...], formulas: Formulas | None, automatic: set[str], reserved: Iterable[str] = ()
    ) -> None:
        self.inputs, self.formulas, self.automatic = inputs, formulas, automatic
        self.one_softmax = False
        self.statements: list[Statement] = []
        self.identifiers = Identifiers(reserved)
        self.names: dict[Expr, str] = {s: self.identifiers.give(s.name) for s in inputs}
        dims = dict.fromkeys(n for s in inputs for d in s.shape for n in sorted(dim_names(d)))
        self.dims = {n: self.identifiers.give(n) for n in dims}
        self.indexing = Indexing()

    def define(self, node: Named, section: Section, name_of: str = "", of: Expr | None = None) -> None:
        """An intermediate of the derivation; `of`, called `name_of`, is what it is the adjoint of."""
        self.names[node] = name = self.identifiers.give(node.name)
        left = self.partial(name_of) if of is not None else None
        math, ours = self.math(node.body, node if of is None else of), node.name in self.automatic
        self.statements.append(Statement(name, node, self.form(node.body, section), section, math, left, ours=ours))

    def result(self, wish: str, result: str, node: Expr, section: Section, of: Symbol | None = None) -> str:
        """A value or gradient that is returned; `of` is what it is the gradient with respect to."""
        name = self.identifiers.give(wish)
        leaf = temporary(name, node.shape)
        self.names[leaf] = name
        left = self.partial(of.name) if of is not None else None
        self.statements.append(
            Statement(name, leaf, self.form(node, section), section, self.math(node, of), left, result)
        )
        return name

    def form(self, node: Expr, section: Section) -> Form:
        """The form of a node; derivatives do not divide by a norm that is zero."""
        return self.refined(self.indexing.form(with_slopes(node, into_named=False) if section == "backward" else node))

    def refined(self, form: Form) -> Form:
        """The form as code; where each part came from is kept for its comment."""
        new = tidy(rebuilt(form, tuple(self.refined(a) for a in form.args)))
        if self.formulas is not None:
            self.formulas.origins.setdefault(new, form)
        return new

    def math(self, node: Expr, of: Expr | None) -> Math | None:
        return None if self.formulas is None else self.formulas.of_node(node, of)

    def partial(self, name: str) -> Math | None:
        return None if self.formulas is None else self.formulas.partial(name)

    def program(self, title: str, function: str, outputs: Iterable[str], value: str | None = None) -> Program:
        sharing = Sharing(self.identifiers, None if self.formulas is None else self.formulas.of_form)
        needed = without_dead(self.statements)
        if self.one_softmax:
            needed = sharing.one_softmax(needed)
        statements = with_solves(sharing.shared(needed))
        for s in statements:
            self.names.setdefault(s.leaf, s.name)
        return Program(title, function, self.inputs, tuple(statements), self.names, self.dims, tuple(outputs), value)


__all__ = ["lower_derivation", "lower_expression", "lower_expressions"]

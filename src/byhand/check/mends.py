"""The mend of a mistake: formulas of the derivation for what was computed wrongly, replayed before they are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from byhand.check.findings import Diagnosis
from byhand.check.numeric import norm, projected
from byhand.check.replay import Adjoint, Graph, Patch, Replay
from byhand.check.roles import Roles
from byhand.check.spaces import halved
from byhand.expr.expression import Expression, unfold
from byhand.expr.nodes import Expr, Named, Symbol, topological
from byhand.notation import typeset as ts
from byhand.notation.index import free_letters, index_math
from byhand.notation.matrix import matrix_math
from byhand.notation.orientation import row_vectors
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm
from byhand.rules.score import Scores, weight
from byhand.rules.simplify import Simplifier

Array = Any
SAME = 1e-8  # relative, between a mended gradient and the right one
ROUNDING = 1e-12  # of the sizes of what is summed
MOST_INSERTED = 8  # adjoints that nobody named, inserted into one formula
FORMULA = 0  # the number of the patch that puts formulas in place


class Mends:
    """The formulas that put the mistakes of one graph right.

    Args:
        roles: of the graph.
    """

    def __init__(self, roles: Roles) -> None:
        self.roles, self.graph = roles, roles.graph
        self.right = Replay(self.graph)
        self.adjoints = adjoint_nodes(self.graph)
        self.scores: Scores = {}

    # ---- which formulas

    def of(self, patches: list[Patch], k: int) -> dict[Expr, Expr]:
        """What to compute instead of the k-th mistake, node -> formula of its adjoint; nothing where that fails.

        The formulas are replayed beside the other mistakes: whatever the mistake changed then has to be as it is
        without it.
        """
        formulas = {node: self.formula(node) for node in self.aims(patches[k])}
        spoiled, without = self.right, self.right
        for p in patches:
            spoiled = spoiled.with_patch(p)
            without = without if p is patches[k] else without.with_patch(p)
        mended = spoiled.with_patch(self.patch(formulas))
        for n in self.graph.variables:
            made = mended.gradient(n)
            if not (self.agree(n, made, without.gradient(n)) or self.agree(n, made, self.right.gradient(n))):
                return {}
        return formulas

    def of_nodes(self, nodes: Iterable[Expr]) -> dict[Expr, Expr]:
        """The formulas of adjoints and gradients, where every gradient stays right with them."""
        formulas = {n: self.formula(n) for n in nodes}
        made = self.right.with_patch(self.patch(formulas))
        right = all(self.agree(n, made.gradient(n), self.right.gradient(n)) for n in self.graph.variables)
        return formulas if right else {}

    def at_the_loss(self) -> dict[Expr, Expr]:
        """The formulas of what the data part of the loss is made of."""
        return self.of_nodes(self.named_below([e.child for e in self.roles.losses]))

    def of_tensor(self, name: str) -> dict[Expr, Expr]:
        """The formula of one gradient."""
        return self.of_nodes([self.graph.variables[name]])

    def aims(self, patch: Patch) -> list[Expr]:
        """The nodes that a mistake spoils first, as far as the user has names for them; else those below."""
        variables = [self.graph.variables[n] for n in patch.results]
        return self.named_below([*patch.adjoints, *(e.child for e in patch.edges), *variables])

    def named_below(self, nodes: Iterable[Expr]) -> list[Expr]:
        """These nodes, in backward order; in place of the loss and of what has no name the nodes that it passes on to."""
        todo, found, seen = list(nodes), set[Expr](), set[Expr]()
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self.graph.variables.values() or (node is not self.graph.root and self.roles.is_named(node)):
                found.add(node)
            else:
                todo += [e.child for e in self.graph.out_of.get(node, [])]
        order = [*self.graph.position, *(self.graph.variables[n] for n in self.graph.backward_order())]
        return [n for n in order if n in found]

    def formula(self, node: Expr) -> Expr:
        """The adjoint of a node; adjoints of what has no name of the user's are inserted, and definitions where that is shorter."""
        value = self.graph.records[node].value
        hidden = names_in([value], lambda n: n in self.adjoints and not self.roles.is_named(self.adjoints[n]))
        if hidden and len(hidden) <= MOST_INSERTED:
            opened = unfold(value, hidden)
            merged = Simplifier(facts=True, fold=self.graph.derivation.prepared.fold).normal(opened)
            value = merged if self.length(merged) < self.length(opened) else opened
        ours = names_in([value], lambda n: n not in self.adjoints and not self.roles.is_named(n))
        written = unfold(value, ours)
        return written if self.length(written) <= self.length(value) + sum(self.length(n.body) for n in ours) else value

    def length(self, node: Expr) -> float:
        """How long a formula is, in symbols."""
        return weight(node, self.scores)

    # ---- their values

    def agree(self, name: str, a: Array, b: Array) -> bool:
        """Whether two gradients of a variable are equal, up to the rounding of the contributions that they are sums of."""
        if np.shape(a) != np.shape(b) or not np.all(np.isfinite(a)):
            return False
        parts = [norm(self.right.contribution(e)) for e in self.graph.into.get(self.graph.variables[name], [])]
        return norm(a - b) <= SAME * max(norm(a), norm(b)) + ROUNDING * sum(parts)

    def patch(self, formulas: Mapping[Expr, Expr]) -> Patch:
        """The formulas in place of what the replay has."""
        of_units = {n: self.instead(f) for n, f in formulas.items() if not isinstance(n, Symbol)}
        of_variables = {n.name: self.instead(f, n) for n, f in formulas.items() if isinstance(n, Symbol)}
        return Patch(FORMULA, "", adjoints=of_units, results=of_variables)

    def instead(self, formula: Expr, variable: Symbol | None = None) -> Adjoint:
        """The value of a formula; as the gradient of a variable, in the variable's space."""

        def change(replay: Replay, before: Array) -> Array:
            value = self.value(replay, formula)
            if variable is None:
                return value
            return projected(variable, halved(value) if "symmetric" in variable.assumptions else value)

        return change

    def value(self, replay: Replay, formula: Expr) -> Array:
        """A formula, the adjoints in it as the replay has them."""
        used = [n for n in topological([formula], into_named=False) if n in self.adjoints]
        return self.graph.at(formula, {a: replay.adjoint(self.adjoints[a]) for a in used})


def adjoint_nodes(graph: Graph) -> dict[Expr, Expr]:
    """What stands for adjoints in formulas -> the intermediate that each is the adjoint of."""
    return {u.adjoint: u.node for u in graph.units if isinstance(u.adjoint, Named)}


def names_in(nodes: Iterable[Expr], which: Callable[[Named], bool]) -> list[Named]:
    """The names in formulas that are of a kind, and those of that kind in what they stand for, after them."""
    found: dict[Named, None] = {}
    todo = list(nodes)
    while todo:
        for n in topological([todo.pop(0)], into_named=False):
            if isinstance(n, Named) and n not in found and which(n):
                found[n] = None
                todo.append(n.body)
    return list(found)


# ---- in words


def mended(roles: Roles, d: Diagnosis, formulas: Mapping[Expr, Expr]) -> Diagnosis:
    """The diagnosis with its formulas, and with the definitions of what the user has no name for."""
    graph, f = roles.graph, roles.graph.derivation.f
    nodes = adjoint_nodes(graph)
    adjoints = {a: adjoint_of(graph.records[n].name) for a, n in nodes.items()}
    style = Style(row_vectors([graph.root]), adjoints, all_rows=f.vectors_as_rows)
    lines = [line(adjoint_of(graph.records[n].name), formula, n, style) for n, formula in formulas.items()]
    ours = names_in(formulas.values(), lambda n: not roles.is_named(nodes.get(n, n)))
    ours.sort(key=lambda n: (n not in nodes, graph.position.get(nodes.get(n, n), len(graph.units))))
    where = [line(adjoints.get(n, ts.Name(n.name)), n.body, n, style) for n in ours]
    text = "; ".join(lines) + (f", where {', '.join(where)}" if where else "")
    return with_formulas(d, {f"d{graph.records[n].name}": formula for n, formula in formulas.items()}, text, f.inputs)


def adjoint_of(name: str) -> Math:
    """What the adjoint of a node, or the gradient of a variable, is called: dZ2."""
    return ts.Differential(ts.Name(name))


def with_formulas(d: Diagnosis, formulas: Mapping[str, Expr], text: str, inputs: tuple[Symbol, ...] = ()) -> Diagnosis:
    """The diagnosis with formulas that were replayed, name of the adjoint -> formula, and their text."""
    return replace(d, mend=text, formulas=tuple((name, Expression(f, inputs, name)) for name, f in formulas.items()))


def assignments(formulas: Mapping[str, Expr]) -> str:
    """What to return instead of what was returned; what is done in the same way to all is written once."""
    first, *others = formulas
    text = line(ts.Name(first), formulas[first], formulas[first], Style())
    return text + "".join(f"; likewise {to_text(ts.Name(n))}" for n in others)


def line(left: Math, formula: Expr, about: Expr, style: Style) -> str:
    """left = formula; vectors that print as rows have adjoints that do."""
    turned = formula.ndim == 1 and (style.all_rows or about in style.rows)
    try:
        return to_text(ts.Relation("=", left, matrix_math(formula, style, turned)))
    except NoMatrixForm:
        letters = free_letters(style, formula.ndim)
        return to_text(ts.Relation("=", ts.Indexed(left, tuple(letters)), index_math(formula, style, letters)))

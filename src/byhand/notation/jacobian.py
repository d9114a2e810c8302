"""The notation of Jacobians: local Jacobians, and the vector chain rule that multiplies them from the loss down.

A Jacobian has a row per output; the gradient is its transpose, of the shape of the variable. The chain is written for
each intermediate from its users: ∂L/∂h = Σ ∂L/∂z · ∂z/∂h, so δ = ∂L/∂z is computed once and reused below.
"""

from __future__ import annotations

from dataclasses import replace

from byhand.derive.derivation import Derivation, Level
from byhand.derive.record import TermRecord, Unit
from byhand.expr.contraction import P1, add, contract
from byhand.expr.dims import show_shape
from byhand.expr.nodes import Expr, Symbol
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section, Words
from byhand.notation.differential import (
    contribution_rules,
    everything,
    forward,
    free_entries,
    given,
    notes,
    result,
    stage_rule,
    title,
)
from byhand.notation.index import axis_letters, index_math
from byhand.notation.matrix import matrix_math
from byhand.notation.typeset import Math
from byhand.notation.writer import Writer
from byhand.rules.linear import LinearTerm
from byhand.rules.simplify import Simplifier


def build(d: Derivation, level: Level) -> Document:
    """The derivation as a document in the notation of Jacobians."""
    w = Writer(d, jacobian=True)
    sections = [] if level == "result" else [forward(w), local_jacobians(w), chain(w, level)]
    words: tuple[Words, ...] = (
        "A Jacobian has a row per output; vec stacks the rows of a matrix.",
        ("The gradient is the Jacobian of ", w.function_name, " transposed, in the shape of the variable."),
    )
    shown = (*sections, result(w, level))
    return Document(title(w), given(w), (*notes(w)[1:], *words), shown, tuple(d.f.dimension_names))


def local_jacobian(terms: list[LinearTerm]) -> Expr:
    """The Jacobian of a unit with respect to one child: output axes first, then the child's."""
    parts = []
    for t in terms:
        axes = [("axis", k) for k in range(t.child.ndim)]
        sizes = dict(zip(axes, t.child.shape, strict=True))
        identity = contract([], [*axes, *axes], dims=sizes)
        fresh = [("own", k) for k in range(t.child.ndim)]
        dims = t.dims | dict(zip(fresh, t.child.shape, strict=True))
        factors = [(identity, (*t.labels, *fresh), P1), *t.factors]
        parts.append(contract(factors, (*t.out, *fresh), t.coefficient, dims))
    return add(*parts)


def by_child(u: Unit) -> dict[Expr, list[TermRecord]]:
    """The records of a unit by the child that they reach."""
    found: dict[Expr, list[TermRecord]] = {}
    for r in u.terms:
        found.setdefault(r.term.child, []).append(r)
    return found


def local_jacobians(w: Writer) -> Section:
    """∂z/∂h for every arrow of the graph, as a matrix where it is one, with indices otherwise."""
    lines = []
    reached = [child for u in w.d.units for child in by_child(u)]
    simplifier = Simplifier(facts=True, fold=w.d.prepared.fold)
    tied = {u.node for u in w.d.units if u.stages[-1].kind == "structure"}  # whose entries are not free
    for u in reversed(w.d.units):
        if isinstance(u.node, Symbol):
            continue
        for child, records in by_child(u).items():
            jacobian = simplifier.normal(local_jacobian([r.term for r in records]))
            size = f"{_count(u.node)}×{_count(child)}"
            direct = u.node is w.d.prepared.root and (reached.count(child) > 1 or child in tied)
            if w.room.of(jacobian)[1]:
                lines.append(Line(_partial(w, u.node, child, direct), (Part(ts.Ellipsis()),), size))
            elif not w.has_matrix_form(jacobian):
                lines.append(_by_entries(w, u.node, child, jacobian, size, direct))
            elif u.node.ndim <= 1 and child.ndim <= 1:
                m = w.matrix(jacobian, turned=not u.node.ndim)
                assert m is not None
                lines.append(_local(w, u.node, child, _partial(w, u.node, child, direct), m, size))
            elif u.node.ndim == 0:
                stacked = ts.Transpose(ts.Vec(matrix_math(jacobian, replace(w.style, sized_identities=True))))
                lines.append(_local(w, u.node, child, _partial(w, u.node, child, direct), stacked, size))
            else:
                lines.append(_by_entries(w, u.node, child, jacobian, size, direct))
    return Section("Local Jacobians", tuple(lines))


def _by_entries(w: Writer, node: Expr, child: Expr, jacobian: Expr, size: str, direct: bool) -> Line:
    letters = axis_letters(w.style, jacobian.shape)
    left: Math = ts.Partial(w.name(node, letters[: node.ndim]), w.name(child, letters[node.ndim :]))
    left = ts.Underbrace(left, ts.Text("direct")) if direct else left
    return _local(w, node, child, left, index_math(jacobian, w.style, letters), size)


def _local(w: Writer, node: Expr, child: Expr, left: Math, m: Math, size: str) -> Line:
    """A line that says what ∂node/∂child is."""
    return Line(left, (Part(m),), size, kind="differential", unit=w.identifier(node), child=w.identifier(child))


def _count(node: Expr) -> str:
    return "·".join(map(str, node.shape)) or "1"


def _partial(w: Writer, node: Expr, child: Expr, direct: bool) -> Math:
    """∂z/∂h; of the function, said to be direct where other paths lead there too."""
    left = ts.Partial(_vec(w, node), _vec(w, child))
    return ts.Underbrace(left, ts.Text("direct")) if direct else left


def _vec(w: Writer, node: Expr) -> Math:
    return ts.Vec(w.name(node)) if node.ndim > 1 else w.name(node)


def chain(w: Writer, level: Level) -> Section:
    """For every intermediate and variable, last first: the sum over its users of adjoint · local Jacobian."""
    rules = contribution_rules(w.d)
    users: dict[Expr, list[Unit]] = {}
    for u in w.d.units:
        for child in by_child(u):
            users.setdefault(child, []).append(u)
    lines = []
    for u in w.d.units:
        if u.node is w.d.prepared.root:
            continue
        root = w.d.prepared.root
        products = [_link(w, user, u.node) for user in users.get(u.node, [])]
        parts = []
        if users.get(u.node) != [user for user in users.get(u.node, []) if user.node is root]:
            m = products[0] if len(products) == 1 else ts.Sum(tuple((True, p) for p in products))
            name = "vector chain rule" if len(products) == 1 else "total derivative: sum over the paths"
            parts.append(Part(m, name))
            lines.append(Line(_total(w, u), tuple(parts), f"1×{_count(u.node)}", kind="adjoint", unit=u.name))
        collected: list[Part] = []
        letters = w.letters(u.node, *(stage.node for stage in u.stages))
        for stage in u.stages:
            m = w.write_gradient(stage.node, u.node, letters)
            if collected and collected[-1].math == m:
                continue
            collected.append(
                Part(
                    m,
                    stage_rule(w, stage, rules.get(u.node, [])) if level == "micro" or stage.kind == "assume" else "",
                    stage.assumptions,
                )
            )
        line = Line(
            w.gradient_name(u.node, letters),
            tuple(collected),
            show_shape(u.node.shape),
            int(bool(parts)),
            "adjoint",
            u.name,
        )
        lines += free_entries(w, u, line)
    return Section("Chain rule, last to first", tuple(lines))


def _total(w: Writer, u: Unit) -> Math:
    """What the sum over the paths gives: of a symmetric or diagonal variable, as if every entry were free."""
    if u.stages[-1].kind == "structure":
        return ts.Transpose(ts.Vec(everything(w, u)))
    return ts.Partial(w.function_name, _vec(w, u.node))


def _link(w: Writer, user: Unit, child: Expr) -> Math:
    local = _partial(w, user.node, child, user.node is w.d.prepared.root)
    if user.node is w.d.prepared.root:
        return local
    return ts.Infix("dot", (ts.Partial(w.function_name, _vec(w, user.node)), local))

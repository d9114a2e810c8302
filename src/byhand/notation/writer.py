"""Writes the nodes of one derivation: names of adjoints, rows and columns, hover texts, closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from byhand.derive.derivation import Derivation
from byhand.derive.record import Pairing, Unit
from byhand.expr.contraction import number
from byhand.expr.dims import show_shape
from byhand.expr.expression import unfold
from byhand.expr.nodes import Contraction, Expr, Named, Symbol, topological
from byhand.notation import typeset as ts
from byhand.notation.index import free_letters, index_math
from byhand.notation.matrix import matrix_math
from byhand.notation.orientation import row_vectors
from byhand.notation.slices import slice_math
from byhand.notation.style import Style
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm
from byhand.rules.score import Scores, weight
from byhand.rules.simplify import Simplifier

LONGEST_CLOSED_FORM = 34.0  # in symbols; beyond it the gradient is written through the adjoints
MOST_ADJOINTS = 8


class Writer:
    """The names and styles of a derivation."""

    def __init__(self, d: Derivation, indices: bool = False) -> None:
        self.d, self.indices = d, indices
        root = d.prepared.root
        self.rows = row_vectors([root])
        labels: dict[Expr, Math] = {
            u.adjoint: self.partial(u)
            for u in d.units
            if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)
        }
        reserved = {n for n in (*d.f.symbols, *d.f.dimension_names) if len(n) == 1}
        self.style = Style(self.rows, labels, self.tips(), all_rows=d.f.vectors_as_rows, reserved=frozenset(reserved))

    def tips(self) -> dict[Expr, str]:
        """Hover texts: the definition and shape of each name."""
        from byhand.notation.text import to_text

        plain = Style(self.rows, all_rows=self.d.f.vectors_as_rows)
        tips: dict[Expr, str] = {}
        for s in self.d.f.symbols.values():
            properties = f", {', '.join(sorted(s.assumptions))}" if s.assumptions else ""
            tips[s] = f"{s.name}: {show_shape(s.shape)}{properties}"
        for n in (*self.d.prepared.units, *self.d.helpers):
            try:
                body = to_text(matrix_math(n.body, plain, turned=n.ndim == 1 and self.is_row(n)))
            except NoMatrixForm:
                body = to_text(index_math(n.body, plain))
            tips[n] = f"{n.name} = {body}, {show_shape(n.shape)}"
        return tips

    # ---- names

    @property
    def function_name(self) -> Math:
        return ts.Name(self.d.f.name)

    def name(self, node: Expr, letters: Sequence[str] = ()) -> Math:
        """An input, an intermediate or the function by its name."""
        named = node.name if isinstance(node, (Symbol, Named)) else self.d.f.name
        m: Math = ts.Name(named, tip=self.style.tips.get(node, "") if hasattr(self, "style") else "")
        return ts.Indexed(m, tuple(letters)) if letters else m

    def partial(self, u: Unit) -> Math:
        return ts.Partial(self.function_name, self.name(u.node))

    def letters(self, node: Expr) -> list[str]:
        """Index letters of a line about this node; none in matrix notation."""
        return free_letters(self.style, node.ndim) if self.indices or self.needs_indices(node) else []

    def needs_indices(self, node: Expr) -> bool:
        return node.ndim > 2

    def left(self, node: Expr, letters: Sequence[str] = ()) -> Math:
        return self.name(node, letters)

    def gradient_name(self, node: Expr, letters: Sequence[str] = ()) -> Math:
        return ts.Partial(self.function_name, self.name(node, letters))

    # ---- nodes

    def write(self, node: Expr, of: Expr | None = None, letters: Sequence[str] = ()) -> Math:
        """A node; `of` is what the line is about (a vector printed as a row has its gradient printed as a row)."""
        if self.indices or letters:
            return index_math(node, self.style, letters or None)
        try:
            return matrix_math(node, self.style, turned=node.ndim == 1 and self.is_row(of))
        except NoMatrixForm:
            return index_math(node, self.style, free_letters(self.style, node.ndim))

    def is_row(self, node: Expr | None) -> bool:
        """Whether a vector is printed as a row."""
        return self.d.f.vectors_as_rows or node in self.rows

    def has_matrix_form(self, node: Expr) -> bool:
        try:
            matrix_math(node, self.style)
        except NoMatrixForm:
            return False
        return True

    def pairing(self, p: Pairing, of: Expr | None = None) -> Math:
        """⟨left, right⟩; a product of numbers is written as such."""
        if p.left is number(1):  # of the function itself: its differential
            return self.write(p.right)
        if self.indices or not (self.has_matrix_form(p.left) and self.has_matrix_form(p.right)):
            letters = free_letters(self.style, p.left.ndim)
            left = index_math(p.left, self.style, letters)
            right = index_math(p.right, self.style, letters)
            body = ts.Product((left, right))
            return ts.BigSum(tuple(letters), body) if letters else body
        turned = p.left.ndim == 1 and self.is_row(of)
        return ts.Inner(matrix_math(p.left, self.style, turned), matrix_math(p.right, self.style, turned))

    # ---- closed forms

    @cached_property
    def adjoint_nodes(self) -> set[Expr]:
        return {u.adjoint for u in self.d.units if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)}

    def closed_form(self, u: Unit) -> Expr | None:
        """The gradient with adjoints and automatic names written out; None where that gets too long to read.

        An automatic name that would be written out more than once stays: 2 Xᵀ (H ⊙ (1 − H²)) with H = tanh(X W).
        """
        ours = set() if self.d.f.intermediates else self.d.prepared.automatic  # beside the user's names, P stays P
        hidden = self.reachable(u.value, ours)
        if hidden is None:
            return None
        best = self.opened(u.value, hidden)
        kept = repeated(self.opened(u.value, [n for n in hidden if n in self.adjoint_nodes]))
        if kept:
            kept += [n for n in hidden if n not in kept and n in topological([k.body for k in kept], into_named=False)]
            inner = [n for n in hidden if n not in kept]
            named = self.opened(u.value, inner)
            if self.length(named) + sum(self.length(unfold(n.body, inner)) for n in kept) < self.length(best):
                best = named
        return best if weight(best, self.scores) <= LONGEST_CLOSED_FORM else None

    def opened(self, node: Expr, hidden: list[Named]) -> Expr:
        """A node with these names written out, products in the order derived unless another is shorter."""
        opened = unfold(node, hidden)
        merged = Simplifier(facts=True).normal(opened)
        return merged if weight(merged, self.scores) < weight(opened, self.scores) else opened

    def length(self, node: Expr) -> int:
        """How many characters a node takes."""
        from byhand.notation.text import to_text

        return len(to_text(self.write(node)))

    @cached_property
    def scores(self) -> Scores:
        return {}

    def reachable(self, node: Expr, ours: set[str]) -> list[Named] | None:
        """Adjoints and automatic names below a node; None as soon as there are too many."""
        found: list[Named] = []
        todo = [node]
        while todo:
            for n in topological([todo.pop()], into_named=False):
                if isinstance(n, Named) and n not in found and (n in self.adjoint_nodes or n.name in ours):
                    found.append(n)
                    todo.append(n.body)
            if len(found) > MOST_ADJOINTS:
                return None
        return found

    def slices(self, node: Expr) -> tuple[Math, str] | None:
        """A stack of matrices written slice by slice, with the index letter."""
        if node.ndim != 3 or not isinstance(node, Contraction):
            return None
        letter = free_letters(self.style, 1, ())[0] if "b" in self.style.reserved else "b"
        try:
            return slice_math(node, self.style, letter), letter
        except NoMatrixForm:
            return None


def repeated(root: Expr) -> list[Named]:
    """The names that are written more than once in a node."""
    order = topological([root], into_named=False)
    times = dict.fromkeys(order, 0) | {root: 1}
    for node in reversed(order):
        match node:
            case Contraction(_, factors):
                inside = [f for f, _, _ in factors]
            case Named():
                inside = []
            case _:
                inside = list(node.children)
        for child in inside:
            times[child] += times[node]
    return [n for n in order if isinstance(n, Named) and times[n] > 1]

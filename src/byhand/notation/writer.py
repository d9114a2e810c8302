"""Writes the nodes of one derivation: names of adjoints, rows and columns, hover texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from byhand.derive.derivation import Derivation
from byhand.derive.record import Pairing, Unit
from byhand.expr.assume import sentence
from byhand.expr.contraction import P1, contract
from byhand.expr.dims import show_shape
from byhand.expr.nodes import Contraction, Expr, Named, Symbol, topological
from byhand.notation import typeset as ts
from byhand.notation.blocks import Words
from byhand.notation.closed import adjoint_nodes
from byhand.notation.index import axis_letters, free_letters, index_math, inner_math
from byhand.notation.matrix import matrix_math
from byhand.notation.names import Names
from byhand.notation.orientation import row_vectors
from byhand.notation.room import ALL, LONGEST, PER_LINE, Room
from byhand.notation.slices import slice_math
from byhand.notation.style import Style
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm
from byhand.rules.score import weight


class Writer:
    """The names and styles of a derivation.

    Args:
        d: the derivation.
        indices: every line with indices.
        jacobian: the derivative of a number by a vector is a row, also where the vector is a column.
        letters: whether adjoints that stand in results have a letter: Δ2 for ∂L/∂Z2.
        called: nodes that are called something else than their name: Z[l+1].
        adjoints: inputs that stand for adjoints, and print as rows where those do.
    """

    def __init__(
        self,
        d: Derivation,
        indices: bool = False,
        jacobian: bool = False,
        letters: bool = False,
        called: Mapping[Expr, Math] | None = None,
        adjoints: Iterable[Expr] = (),
    ) -> None:
        self.d, self.indices, self.jacobian, self.called = d, indices, jacobian, called or {}
        self.matrices: dict[tuple[Expr, bool], Math | None] = {}
        self.room = Room(2 if indices else 1, ALL + PER_LINE * len(d.units))
        root = d.prepared.root
        rows = row_vectors([root])
        self.rows = rows
        self.rows |= {u.adjoint for u in d.units if isinstance(u.adjoint, Named) and self.is_row_gradient(u.node)}
        self.short = d.closed_forms.letters if letters else {}
        self.rows |= {n for n in adjoints if self.is_row_gradient(n)}
        labels: dict[Expr, Math] = {
            u.adjoint: ts.Name(self.short[u.adjoint]) if u.adjoint in self.short else self.partial(u)
            for u in d.units
            if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)
        }
        labels |= self.called
        named = {n.name for n in (*d.prepared.units, *d.helpers)}
        self.taken = {*d.f.symbols, *d.f.dimension_names, d.f.name, *named, *(u.name for u in d.units)}
        reserved = frozenset(self.taken)
        self.style = Style(
            self.rows,
            labels,
            self.tips(reserved),
            all_rows=d.f.vectors_as_rows,
            reserved=reserved,
            places=places(d),
        )

    def tips(self, reserved: frozenset[str]) -> dict[Expr, tuple[str | Math, ...]]:
        """Hover texts: the definition and shape of each name."""
        plain = Style(self.rows, all_rows=self.d.f.vectors_as_rows, reserved=reserved)
        tips: dict[Expr, tuple[str | Math, ...]] = {}
        for s in self.d.f.symbols.values():
            properties = f", {', '.join(sorted(s.assumptions))}" if s.assumptions else ""
            tips[s] = ts.Name(s.name), f": {show_shape(s.shape)}{properties}"
        for n in (*self.d.prepared.units, *self.d.helpers):
            if self.room.length(n.body) > LONGEST // 8:
                tips[n] = ts.Name(n.name), f": {show_shape(n.shape)}"
                continue
            try:
                body = matrix_math(n.body, plain, turned=n.ndim == 1 and self.is_row(n))
            except NoMatrixForm:
                body = index_math(n.body, plain)
            tips[n] = ts.Name(n.name), " = ", body, f", {show_shape(n.shape)}"
        return tips

    # ---- names

    def identifier(self, node: Expr) -> str:
        """What an input, an intermediate or the function is called, as it was typed."""
        return node.name if isinstance(node, (Symbol, Named)) else self.d.f.name

    @property
    def function_name(self) -> Math:
        return ts.Name(self.d.f.name)

    def name(self, node: Expr, letters: Sequence[str] = ()) -> Math:
        """An input, an intermediate or the function by its name."""
        if node in self.called:
            return ts.Indexed(self.called[node], tuple(letters)) if letters else self.called[node]
        m: Math = ts.Name(self.identifier(node), tip=self.style.tips.get(node, ()) if hasattr(self, "style") else ())
        return ts.Indexed(m, tuple(letters)) if letters else m

    def partial(self, u: Unit) -> Math:
        return ts.Partial(self.function_name, self.name(u.node))

    def letters(self, node: Expr, *forms: Expr) -> list[str]:
        """Index letters of a line about this node; none where all that the line says of it is in matrix notation."""
        if self.indices or node.ndim > 2 or not all(map(self.has_matrix_form, forms)):
            return axis_letters(self.style, node.shape)
        return []

    def left(self, node: Expr, letters: Sequence[str] = ()) -> Math:
        return self.name(node, letters)

    def gradient_name(self, node: Expr, letters: Sequence[str] = ()) -> Math:
        return ts.Partial(self.function_name, self.name(node, letters))

    def letter(self, u: Unit, letters: Sequence[str] = ()) -> Math | None:
        """The letter of an adjoint where it has one, with the indices of its line."""
        if u.adjoint not in self.short or isinstance(u.node, Symbol):
            return None
        short: Math = ts.Name(self.short[u.adjoint])
        return ts.Indexed(short, tuple(letters)) if letters else short

    @cached_property
    def page(self) -> Names:
        """The map of names for formulas that stand alone: as on a page with all inputs and definitions."""
        nodes = [*self.d.prepared.units, *self.d.helpers]
        named = map(ts.Name, {*self.d.f.symbols, self.d.f.name, *(u.name for u in self.d.units)})
        bodies = [self.write(n.body, n, self.letters(n)) for n in nodes]
        return Names([*named, *bodies, self.write(self.d.prepared.root)], self.d.f.dimension_names)

    def adjoint_words(self, u: Unit) -> tuple[str | Math, ...]:
        """∂f/∂x, or its letter, in a sentence."""
        if u.adjoint in self.short:
            return (ts.Name(self.short[u.adjoint]),)
        return "∂", self.function_name, "/∂", ts.Name(u.name)

    def sentence(self, said: str) -> Words:
        """A sentence on a declared property, with the name as it prints."""
        return self._sentences.get(said, said)

    @cached_property
    def _sentences(self) -> dict[str, Words]:
        found: dict[str, Words] = {}
        for s in self.d.f.symbols.values():
            for word in s.assumptions:
                before, _, after = sentence("\0", s.ndim, word).partition("\0")
                found[sentence(s.name, s.ndim, word)] = before, ts.Name(s.name), after
        return found

    # ---- nodes

    def write(self, node: Expr, of: Expr | None = None, letters: Sequence[str] = ()) -> Math:
        """A node; `of` is what the line is about (a vector printed as a row has its gradient printed as a row)."""
        return self.within(node, letters, node.ndim == 1 and self.is_row(of))

    def within(self, node: Expr, letters: Sequence[str], turned: bool) -> Math:
        """A node as far as there is room for it."""
        part, cut = self.room.of(node)
        if part is None:
            return ts.Ellipsis()
        m = None if self.indices or letters else self.matrix(part, turned)
        m = index_math(part, self.style, letters or None) if m is None else m
        if not cut:
            return m
        items = m.terms if isinstance(m, ts.Sum) else ((False, m.body) if isinstance(m, ts.Negative) else (True, m),)
        return ts.Sum((*items, (True, ts.Ellipsis())))

    def write_gradient(self, node: Expr, of: Expr, letters: Sequence[str] = ()) -> Math:
        """The gradient with respect to `of`."""
        if letters or self.indices or not self.is_row_gradient(of):
            return self.write(node, of, letters)
        return self.within(node, letters, node.ndim == 1)

    def matrix(self, node: Expr, turned: bool = False) -> Math | None:
        """A node in matrix notation; None where it has no such form."""
        if (node, turned) not in self.matrices:
            try:
                self.matrices[node, turned] = matrix_math(node, self.style, turned)
            except NoMatrixForm:
                self.matrices[node, turned] = None
        return self.matrices[node, turned]

    def is_row(self, node: Expr | None) -> bool:
        """Whether a vector is printed as a row."""
        return self.d.f.vectors_as_rows or node in self.rows

    def is_row_gradient(self, node: Expr) -> bool:
        """Whether ∂f/∂x of a vector is printed as a row."""
        return node.ndim == 1 and (self.jacobian or self.is_row(node))

    def has_matrix_form(self, node: Expr) -> bool:
        """Whether matrix notation has a form for what is printed of it."""
        part, _ = self.room.of(node)
        return part is None or self.matrix(part) is not None

    def pairing(self, p: Pairing, of: Expr | None = None) -> Math:
        """⟨left, right⟩; a product of numbers is written as such."""
        if not p.left.ndim:  # of the function itself: its differential; of numbers, their product
            return self.write(contract([(p.left, (), P1), (p.right, (), P1)], (), merge=True))
        if any(self.room.of(side)[1] for side in (p.left, p.right)):
            return ts.Ellipsis()
        if self.indices or p.left.ndim > 2 or not (self.has_matrix_form(p.left) and self.has_matrix_form(p.right)):
            return inner_math(p.left, p.right, self.style)
        turned = p.left.ndim == 1 and self.is_row(of)
        return ts.Inner(matrix_math(p.left, self.style, turned), matrix_math(p.right, self.style, turned))

    # ---- closed forms

    @cached_property
    def adjoint_nodes(self) -> set[Expr]:
        return adjoint_nodes(self.d)

    @staticmethod
    def weight(node: Expr) -> float:
        """How long a node is, in symbols."""
        return weight(node, {})

    def slices(self, node: Expr) -> tuple[Math, str] | None:
        """A stack of matrices written slice by slice, with the index letter."""
        if node.ndim != 3 or not isinstance(node, Contraction):
            return None
        letter = free_letters(self.style, 1, ())[0] if "b" in self.style.reserved else "b"
        try:
            return slice_math(node, self.style, letter), letter
        except NoMatrixForm:
            return None


def places(d: Derivation) -> dict[str, int]:
    """Where each name was written first; what byhand named, where it is needed for the first time."""
    found = {name: k for k, name in enumerate(d.f.order)}
    if not found:
        return {}
    for node in d.prepared.units:
        if node.name not in found:
            inside = [n for n in topological([node.body], into_named=False) if isinstance(n, (Named, Symbol))]
            found[node.name] = min((found[n.name] for n in inside if n.name in found), default=len(found))
    return found

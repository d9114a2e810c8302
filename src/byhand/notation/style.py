"""How things are called and shown: names, labels, dimensions, ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from byhand.expr.dims import Dim, Dimension, Floor
from byhand.expr.nodes import Constant, Expr, Named, Symbol
from byhand.notation import typeset as ts
from byhand.notation.typeset import Math
from byhand.rules.forms import Form


@dataclass(frozen=True)
class Style:
    """How things are called and shown.

    Attributes:
        rows: vectors printed as rows (biases beside samples in rows).
        labels: nodes printed as something else than their name: ∂L/∂Z2 for its adjoint.
        tips: node -> hover text, words and formulas.
        sized_ones: whether 1 shows its size, 1_N.
        sized_identities: whether I shows its size: where nothing beside it says it.
        all_rows: every vector is printed as a row.
        reserved: names that index letters must not take.
        places: name -> where its author wrote it first, for the order of terms; adjoints stand before all.
        made: what was written already, by the form, its direction, and whether identities show their size.
    """

    rows: frozenset[Expr] = frozenset()
    labels: Mapping[Expr, Math] = field(default_factory=dict)
    tips: Mapping[Expr, tuple[str | Math, ...]] = field(default_factory=dict)
    sized_ones: bool = True
    sized_identities: bool = False
    all_rows: bool = False
    reserved: frozenset[str] = frozenset()
    places: Mapping[str, int] = field(default_factory=dict)
    made: dict[tuple[int, bool, bool], tuple[Form, Math]] = field(default_factory=dict, repr=False, compare=False)

    def place(self, node: Expr) -> int:
        """Where a name was written first; what nobody wrote stands last."""
        if node in self.labels:
            return -1
        return self.places.get(node.name, len(self.places)) if isinstance(node, (Symbol, Named)) else len(self.places)


def dimension_math(d: Dim) -> Math:
    """A dimension."""
    if not isinstance(d, Dimension):
        return ts.Number(Fraction(d))
    terms = []
    for monomial, factor in d.terms:
        items: list[Math] = [ts.Number(Fraction(abs(factor)))] if abs(factor) != 1 or not monomial else []
        sizes = [(_size_math(n), p) for n, p in monomial]
        items += [name if p == 1 else ts.Power(name, ts.Number(Fraction(p))) for name, p in sizes]
        terms.append((factor > 0, items[0] if len(items) == 1 else ts.Product(tuple(items))))
    return terms[0][1] if len(terms) == 1 and terms[0][0] else ts.Sum(tuple(terms))


def _size_math(name: str) -> Math:
    """A name, or the whole part of a quotient."""
    if not isinstance(name, Floor):
        return ts.Name(name, literal=True)
    return ts.Call("floor", (ts.Quotient(dimension_math(name.over), dimension_math(name.by)),))


def name_math(node: Expr, style: Style) -> Math:
    """A symbol, intermediate or constant by its name."""
    if node in style.labels:
        return style.labels[node]
    assert isinstance(node, (Symbol, Named, Constant))
    return ts.Name(node.name, tip=style.tips.get(node, ()))


def ones_math(size: Dim, style: Style) -> Math:
    """The vector of ones."""
    return ts.Ones(dimension_math(size) if style.sized_ones or size == 1 else None)

"""Per-sample quantities printed: the intermediates, and a section for each parameter."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from byhand.expr.dims import show_shape
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, topological
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section
from byhand.notation.names import unused
from byhand.notation.orientation import row_vectors
from byhand.notation.show import definitions, node_math
from byhand.notation.style import Style, dimension_math
from byhand.notation.typeset import Math

if TYPE_CHECKING:
    from byhand.second.persample import PerSample

_ONE, _TWO = ts.Number(Fraction(1)), ts.Number(Fraction(2))


def document(q: PerSample) -> Document:
    """The formulas: norms, weighted sums and second moments of each parameter, and the Kronecker factors of weights."""
    loss = ts.Name(q.f.name)
    labels: dict[Expr, Math] = {n: ts.Partial(loss, ts.Name(unit)) for n, unit in q.adjoints.items()}
    root = q.prepared.root
    named = (n.name for n in topological([root]) if isinstance(n, Named))
    taken = {*q.f.symbols, *q.f.dimension_names, q.f.name, q.weights.name, *named}
    g, b = ts.Name(unused("g", taken)), unused("b", taken)
    style = Style(row_vectors([root]), labels, sized_ones=False, reserved=frozenset({*taken, g.name}))
    own: Math = ts.Indexed(g, (b,))

    def line(left: Math, e: Expression) -> Line:
        return Line(left, (Part(node_math(e.root, style)),), show_shape(e.shape), kind="result", unit=parameter)

    share = ts.Quotient(_ONE, dimension_math(q.batch), inline=True)
    sections = [Section("Forward", definitions([root], style))]
    for parameter in q.parts:
        lines = [
            line(ts.Power(ts.Norm(own), _TWO), q.squared_norms[parameter]),
            line(ts.BigSum((b,), ts.Product((ts.Indexed(ts.Name(q.weights.name), (b,)), own))), q.weighted[parameter]),
            line(
                ts.Product((share, ts.BigSum((b,), ts.ElementwisePower(own, Fraction(2))))),
                q.second_moments[parameter],
            ),
        ]
        if parameter in q.kronecker_factors:
            factors = zip("AG", q.kronecker_factors[parameter], strict=True)
            lines += [line(ts.Name(unused(f"{letter}_{parameter}", taken)), e) for letter, e in factors]
        sections.append(Section(("Gradients with respect to ", ts.Name(parameter)), tuple(lines)))
    words: list[str | tuple[str | Math, ...]] = [
        (own, " is the gradient of the loss of sample ", ts.Name(b), " alone; ", loss, f" is their {q.reduction}."),
        *q.notes,
    ]
    if q.kronecker_factors:
        words.append("The Fisher matrix of weights is nearly A ⊗ G, its Kronecker factors.")
    given: list[str | Math] = []
    for s in (*q.f.symbols.values(), q.weights):
        given += ["   " if given else "", ts.Name(s.name), f" {show_shape(s.shape)}"]
    title = ("Per-sample quantities of ", loss, ", ", dimension_math(q.batch), " samples")
    shown = tuple(s for s in sections if s.lines)
    return Document(title, tuple(given), tuple(words), shown, tuple(q.f.dimension_names))


__all__ = ["document"]

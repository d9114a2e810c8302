"""An expression on its own, printed: intermediates inserted while that stays readable, by name otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from byhand.expr.dims import show_shape
from byhand.expr.domain import Condition
from byhand.expr.expression import Expression, unfold
from byhand.expr.nodes import Expr, Named, topological
from byhand.notation import typeset as ts
from byhand.notation.blocks import Line, Part
from byhand.notation.index import index_math
from byhand.notation.latex import to_latex
from byhand.notation.mathml import to_mathml
from byhand.notation.matrix import matrix_math
from byhand.notation.names import Names
from byhand.notation.orientation import row_vectors
from byhand.notation.slices import slice_math
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm
from byhand.rules.score import Scores, weight
from byhand.rules.simplify import Simplifier

MOST_NAMES = 16
MOST_NODES = 200
LONGEST = 60.0  # in symbols; longer expressions keep their intermediates as names


def node_text(node: Expr) -> str:
    """A node as it stands, for messages and debuggers; `...` where it is too large to read."""
    if len(topological([node], into_named=False)) > MOST_NODES:
        return "..."
    return to_text(node_math(node, Style()))


def node_math(node: Expr, style: Style, turned: bool = False) -> Math:
    """A node in matrix notation where it has one, with indices otherwise; `turned`: a vector as a row."""
    try:
        return matrix_math(node, style, turned=turned)
    except NoMatrixForm:
        return index_math(node, style)


def definitions(roots: Sequence[Expr], style: Style) -> tuple[Line, ...]:
    """The intermediates that the nodes name, in order of computation."""
    return tuple(
        Line(
            style.labels.get(n) or ts.Name(n.name),
            (Part(node_math(n.body, style, n in style.rows)),),
            show_shape(n.shape),
            kind="definition",
            unit=n.name,
        )
        for n in topological(list(roots))
        if isinstance(n, Named)
    )


def condition_parts(condition: Condition) -> tuple[str | Math, ...]:
    """A condition as it stands in a sentence: x ≠ 0; invertible X."""
    node, relation = condition
    m = node_math(node, Style())
    zero, one = ts.Number(Fraction(0)), ts.Number(Fraction(1))
    match relation:
        case "≠ 0":
            return (ts.Relation("≠", m, zero),)
        case "> 0":
            return (ts.Relation(">", m, zero),)
        case "≥ 0":
            return (ts.Relation("≥", m, zero),)
        case "invertible":
            return ("invertible ", m)
    return (ts.Relation("≤", ts.Negative(one), ts.Relation("≤", m, one)),)


def condition_text(condition: Condition, names: Names | None = None) -> str:
    """The same as text."""
    return "".join(p if isinstance(p, str) else to_text(p, names=names) for p in condition_parts(condition))


def expression_math(e: Expression) -> Math:
    """The expression as mathematics, in its normal form; written out where that stays readable."""
    node = _written_out(e.root)
    style = Style(row_vectors([node]) | row_vectors([e.root]), sized_ones=False)
    try:
        return matrix_math(node, style)
    except NoMatrixForm:
        pass
    try:
        letter = "b"
        m = slice_math(node, style, letter)
        return ts.Relation("↦", ts.Name(letter), m)
    except NoMatrixForm:
        return index_math(node, style)


def _written_out(root: Expr) -> Expr:
    """Intermediates inserted, in whichever of the derived and the merged form is shorter."""
    if sum(isinstance(n, Named) for n in topological([root])) > MOST_NAMES:
        return root
    opened = unfold(root)
    scores: Scores = {}
    if weight(opened, scores) > 4 * LONGEST:
        return root
    merged = Simplifier(facts=True).normal(opened)
    best = merged if weight(merged, scores) < weight(opened, scores) else opened
    return best if weight(best, scores) <= LONGEST else root


def expression_text(e: Expression) -> str:
    """Unicode text."""
    return to_text(expression_math(e))


def expression_mimebundle(e: Expression) -> dict[str, str]:
    """Text, LaTeX and MathML for notebooks."""
    m = expression_math(e)
    return {"text/plain": to_text(m), "text/latex": f"${to_latex(m)}$", "text/html": to_mathml(m, block=True)}

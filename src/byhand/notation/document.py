"""The views of a derivation: notation × level × layout, as text, LaTeX, Markdown, HTML or plain data."""

from __future__ import annotations

from typing import Any

from byhand.arguments import one_of
from byhand.derive.derivation import Derivation
from byhand.derive.induction import Induction
from byhand.notation import differential, induction, jacobian
from byhand.notation.blocks import Document
from byhand.notation.names import Names
from byhand.notation.render import document_dict, document_html, document_latex, document_markdown, document_text
from byhand.notation.show import condition_text, expression_math
from byhand.notation.text import to_text
from byhand.notation.typeset import Name

NOTATIONS = ("differential", "index", "jacobian")
LEVELS = ("result", "steps", "micro")


def document(
    d: Derivation | Induction, notation: str = "differential", level: str = "steps", layout: str = "rows"
) -> Document:
    """The derivation as a document.

    Raises: ParseError: an unknown notation, level or layout.
    """
    for word, known, what in ((notation, NOTATIONS, "notation"), (level, LEVELS, "level")):
        one_of(word, known, what)
    turned = d.in_layout(layout)
    if isinstance(turned, Induction):
        return induction.build(turned, notation, level)  # type: ignore[arg-type]
    if notation == "jacobian":
        return jacobian.build(turned, level)  # type: ignore[arg-type]
    return differential.build(turned, level, indices=notation == "index")  # type: ignore[arg-type]


def as_text(d: Derivation | Induction, notation: str, level: str, layout: str, ascii: bool = False) -> str:
    """Unicode or ASCII text."""
    return document_text(document(d, notation, level, layout), ascii)


def as_latex(d: Derivation | Induction, notation: str, level: str, layout: str) -> str:
    """LaTeX (amsmath, amssymb)."""
    return document_latex(document(d, notation, level, layout))


def as_markdown(d: Derivation | Induction, notation: str, level: str, layout: str) -> str:
    """Markdown with LaTeX formulas."""
    return document_markdown(document(d, notation, level, layout))


def as_html(d: Derivation | Induction, notation: str, level: str, layout: str) -> str:
    """HTML with MathML."""
    return document_html(document(d, notation, level, layout))


def as_dict(d: Derivation, notation: str, level: str, layout: str) -> dict[str, Any]:
    """Plain data: the document, and the gradients as text and LaTeX."""
    shown = {name: expression_math(g) for name, g in d.gradients.items()}
    function = expression_math(d.f)
    names = Names([function, *shown.values(), *map(Name, d.f.symbols)], d.f.dimension_names)
    return {
        "function": to_text(function, names=names),
        "variables": {v.name: [str(n) for n in v.shape] for v in d.variables},
        "gradients": {name: to_text(m, names=names) for name, m in shown.items()},
        "notation": notation,
        "level": level,
        "layout": layout,
        "assumptions": list(d.assumptions),
        "conditions": [condition_text(c, names) for c in d.conditions],
        **document_dict(document(d, notation, level, layout)),
    }

"""The rules as a document: every table of equations typeset, and one rule with its proof by numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from byhand.expr.nodes import Expr
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section
from byhand.notation.index import index_math, inner_math
from byhand.notation.latex import to_latex
from byhand.notation.matrix import matrix_math
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.rules.catalogue import GROUPS, Entry, Equation, Side
from byhand.rules.forms import NoMatrixForm
from byhand.rules.proofs import Proof


def rules_document(entries: Sequence[Entry]) -> Document:
    """All of these rules, a section per group."""
    sections = []
    for group in GROUPS:
        own = [e for e in entries if e.group == group]
        lines = [line for e in own for line in rule_lines(e)]
        words = [f"{e.name}: {e.meaning}." for e in own if not e.equations]
        if own:
            sections.append(Section(group.capitalize(), tuple(lines), tuple(words)))
    return Document((f"{len(entries)} rules",), (), (), tuple(sections))


def rule_lines(e: Entry) -> list[Line]:
    """The equations of a rule, its name and domain beside the first."""
    note = f"{e.name} ({e.domain})" if e.domain else e.name
    return [equation_line(q, note if k == 0 else "") for k, q in enumerate(e.equations)]


def equation_line(q: Equation, note: str = "") -> Line:
    """left = right, typeset; with indices where matrices cannot say it."""
    style = Style()
    left, right = q.sides
    try:
        sides = _side(left, style), _side(right, style)
    except NoMatrixForm:
        sides = _indexed(left, style), _indexed(right, style)
    return Line(sides[0], (Part(sides[1], note),))


def _side(side: Side, style: Style) -> Math:
    if isinstance(side, Expr):
        return matrix_math(side, style)
    left, right = side
    return ts.Inner(matrix_math(left, style), matrix_math(right, style))


def _indexed(side: Side, style: Style) -> Math:
    if isinstance(side, Expr):
        return index_math(side, style)
    return inner_math(*side, style)


def proof_document(proofs: Iterable[Proof]) -> Document:
    """A rule, where it holds, where it comes from, and both sides as numbers at each point."""
    proofs = list(proofs)
    e = proofs[0].entry
    notes = [f"Group: {e.group}."]
    notes += [f"Holds where {e.domain}."] if e.domain else []
    kind = {"moves": "Applies to", "steps": "What is done"}.get(e.group, "Convention")
    notes += [f"{kind}: {e.meaning}."] if e.meaning else []
    notes.append(f"Source: {e.source}.")
    title = "An instance" if e.group == "steps" else "Equation" if len(e.equations) == 1 else "Equations"
    sections = [Section(title, tuple(equation_line(q) for q in e.equations))] if e.equations else []
    for k, q in enumerate(e.equations):
        title = "Proof by numbers" if len(e.equations) == 1 else f"Proof by numbers: {q}"
        words = (_differential_words(q), *(_check_words(p, k, seed) for seed, p in enumerate(proofs)))
        sections.append(Section(title, words=tuple(w for w in words if w)))
    return Document((e.name[:1].upper() + e.name[1:],), (), tuple(notes), tuple(sections))


def _differential_words(q: Equation) -> str:
    if not q.left.startswith("d("):
        return ""
    return "The left side is the derivative along random directions by a complex step; the right side, the rule."


def _check_words(p: Proof, k: int, seed: int) -> str:
    c = p.checks[k]
    sizes = ", ".join(f"{name} = {size}" for name, size in c.sizes.items())
    size = "" if not any(c.equation.shapes.values()) else "norm "
    return (
        f"seed {seed}{f', {sizes}' if sizes else ''}: left {size}{c.left:.12g}, right {size}{c.right:.12g}, "
        f"relative error {c.error:.0e}: {'holds' if c.ok else 'DOES NOT HOLD'}"
    )


def rule_dict(e: Entry, proofs: Iterable[Proof] = ()) -> dict[str, Any]:
    """A rule as plain data, with its proofs where given."""
    lines = [equation_line(q) for q in e.equations]
    data: dict[str, Any] = {
        "name": e.name,
        "group": e.group,
        "equations": [
            {
                "source": str(q),
                "text": _joined(line, to_text),
                "latex": _joined(line, to_latex),
                "shapes": dict(q.shapes),
            }
            for q, line in zip(e.equations, lines, strict=True)
        ],
        "domain": e.domain,
        "source": e.source,
        "meaning": e.meaning,
    }
    proofs = list(proofs)
    if proofs:
        data["ok"] = all(p.ok for p in proofs)
        data["proof"] = [
            {
                "seed": seed,
                "equation": str(c.equation),
                "sizes": c.sizes,
                "left": c.left,
                "right": c.right,
                "error": c.error if c.error < float("inf") else None,
                "ok": c.ok,
            }
            for seed, p in enumerate(proofs)
            for c in p.checks
        ]
    return data


def _joined(line: Line, show: Any) -> str:
    return " = ".join(show(m) for m in (line.left, line.parts[0].math) if m is not None)

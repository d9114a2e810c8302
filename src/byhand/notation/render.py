"""Documents printed: Unicode or ASCII text, LaTeX, Markdown, HTML with MathML, plain data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part
from byhand.notation.latex import to_latex
from byhand.notation.mathml import to_mathml
from byhand.notation.text import to_text
from byhand.notation.typeset import Math

WIDEST = 76  # the column of shapes starts no further right than this
_ASCII = str.maketrans(
    {"∂": "d", "−": "-", "ᵀ": "^T", "⊙": ".*", "⟨": "<", "⟩": ">", "′": "'", "σ": "sigma", "λ": "lambda"}
)


def _inline(parts: Iterable[str | Math], show: Callable[[Math], str], words: Callable[[str], str]) -> str:
    return "".join(words(p) if isinstance(p, str) else show(p) for p in parts)


# ---- text


def document_text(d: Document, ascii: bool = False) -> str:
    """Lines with shape and rule in columns at the right."""

    def show(m: Math) -> str:
        return to_text(m, ascii=ascii)

    def words(s: str) -> str:
        return s.translate(_ASCII).encode("ascii", "replace").decode() if ascii else s

    lines = [_inline(d.title, show, words)]
    if d.given:
        lines += ["", "  " + _inline(d.given, show, words)]
    lines += ["", *(f"  {words(n)}" for n in d.notes)] if d.notes else []
    for section in d.sections:
        lines += ["", words(section.title), *(f"  {words(w)}" for w in section.words)]
        rows = [row for line in section.lines for row in _text_rows(line, show)]
        width = min(WIDEST, max((len(r[0]) for r in rows), default=0))
        has_shapes = max((len(r[1]) for r in rows), default=0)
        for formula, shape, rule in rows:
            right = f"{shape:<{has_shapes}}   {words(rule)}".rstrip()
            lines.append(f"{formula:<{width}}   {right}".rstrip() if right else formula)
    return "\n".join(lines) + "\n"


def _text_rows(line: Line, show: Callable[[Math], str]) -> list[tuple[str, str, str]]:
    """(formula, shape, rule) for each form of a chain; long chains go on below their equals sign."""
    pad = "  " + "    " * line.indent
    left = show(line.left) + " = " if line.left is not None else ""
    rows = []
    seen: set[str] = set()
    for k, part in enumerate(line.parts):
        formula = show(part.math)
        if formula in seen:
            continue
        seen.add(formula)
        lead = left if k == 0 else " " * (len(left) - 2) + "= "
        rows.append((pad + lead + formula, line.shape if k == 0 else "", part.rule))
    return rows


# ---- LaTeX and Markdown


def _latex_words(s: str) -> str:
    special = {c: rf"\{c}" for c in "&%#_{}"}
    special |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    out = "".join(special.get(c, c) for c in s)
    out = re.sub(r"∂(\w+)/∂(\w+)", lambda m: rf"$\partial {_upright(m[1])} / \partial {_upright(m[2])}$", out)
    symbols = {"−": "$-$", "⊙": r"$\odot$", "ᵀ": r"$^\top$", "λ": r"$\lambda$", "⟨": r"$\langle$", "⟩": r"$\rangle$"}
    return "".join(symbols.get(c, c) for c in out)


def _upright(name: str) -> str:
    return to_latex(ts.Name(name.replace(r"\_", "_")))


def _align(lines: Iterable[Line]) -> str:
    rows = []
    for line in lines:
        seen: set[str] = set()
        for k, part in enumerate(line.parts):
            formula = to_latex(part.math)
            if formula in seen:
                continue
            seen.add(formula)
            left = to_latex(line.left) if line.left is not None and k == 0 else ""
            notes = [n for n in (line.shape if k == 0 else "", part.rule) if n]
            note = rf" && \text{{{_latex_words('; '.join(notes))}}}" if notes else ""
            rows.append(rf"{left} &= {formula}{note}")
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def document_latex(d: Document) -> str:
    """A fragment for the body of a LaTeX document; needs amsmath and amssymb."""

    def words(s: str) -> str:
        return _latex_words(s).replace("   ", r"\quad ")

    def show(m: Math) -> str:
        return f"${to_latex(m)}$"

    parts = [rf"\noindent\textbf{{{_inline(d.title, show, words)}}}"]
    if d.given:
        parts.append(rf"\noindent {_inline(d.given, show, words)}")
    parts += [rf"\noindent {words(n)}" for n in d.notes]
    for section in d.sections:
        parts.append(rf"\noindent\textbf{{{words(section.title)}}}")
        parts += [words(w) for w in section.words]
        if section.lines:
            parts.append(_align(section.lines))
    return "\n\n".join(parts) + "\n"


def standalone_latex(body: str) -> str:
    """A complete LaTeX file around a fragment."""
    return (
        "\\documentclass{article}\n\\usepackage[utf8]{inputenc}\n\\usepackage[T1]{fontenc}\n\\usepackage{amsmath,amssymb}\n"
        "\\usepackage[landscape,margin=1.5cm]{geometry}\n\\allowdisplaybreaks\n\\begin{document}\n"
        + body
        + "\\end{document}\n"
    )


def document_markdown(d: Document) -> str:
    """Markdown with formulas between dollar signs, as notebooks and GitHub show them."""

    def show(m: Math) -> str:
        return f"${to_latex(m)}$"

    lines = [f"### {_inline(d.title, show, str)}"]
    if d.given:
        lines += ["", _inline(d.given, show, str)]
    lines += ["", *(f"*{n}*  " for n in d.notes)] if d.notes else []
    for section in d.sections:
        lines += ["", f"**{section.title}**", *section.words, ""]
        for line in section.lines:
            lines += _markdown_lines(line)
    return "\n".join(lines) + "\n"


def _markdown_lines(line: Line) -> list[str]:
    chain: list[str] = [to_latex(line.left)] if line.left is not None else []
    rules: list[str] = []
    for part in line.parts:
        formula = to_latex(part.math)
        if formula not in chain:
            chain.append(formula)
            rules += [part.rule] if part.rule else []
    notes = [n for n in (line.shape, *rules) if n]
    return [f"{'  ' * line.indent}- ${' = '.join(chain)}$" + (f" — {'; '.join(notes)}" if notes else "")]


# ---- HTML

STYLE = """\
.byhand{font-family:Georgia,'Times New Roman',serif;line-height:1.45;color:#1b1b1b;max-width:72rem}
.byhand h3{font-size:1.15rem;margin:1.2rem 0 .3rem}.byhand h4{font-size:1rem;margin:1.1rem 0 .3rem;color:#333}
.byhand table{border-collapse:collapse}.byhand td{padding:.18rem .45rem;vertical-align:baseline}
.byhand td.left{text-align:right;white-space:nowrap;padding-right:0}
.byhand td.shape{color:#555;white-space:nowrap;padding-left:1.6rem}
.byhand td.rule{color:#1d5a8a;font-style:italic;padding-left:1.2rem}.byhand tr.detail td{font-size:.92em;color:#333}
.byhand tr.detail td.left{padding-left:2.2rem}.byhand .note{color:#444;margin:.15rem 0}
.byhand math{font-family:'STIX Two Math','Latin Modern Math','Cambria Math',math;font-size:1.06em}
.byhand .has-tip{cursor:help}
"""


def document_html(d: Document) -> str:
    """An HTML fragment: MathML, no script; names carry their definition and shape as a title."""
    rows = [f'<section class="byhand"><style>{STYLE}</style>', f"<h3>{_inline(d.title, to_mathml, escape)}</h3>"]
    if d.given:
        rows.append(f'<p class="note">{_inline(d.given, to_mathml, lambda s: escape(s).replace("   ", "&emsp;"))}</p>')
    rows += [f'<p class="note">{escape(n)}</p>' for n in d.notes]
    for section in d.sections:
        rows.append(f"<h4>{escape(section.title)}</h4>")
        rows += [f'<p class="note">{escape(w)}</p>' for w in section.words]
        if section.lines:
            rows += ["<table>", *(_html_line(line) for line in section.lines), "</table>"]
    return "\n".join([*rows, "</section>"]) + "\n"


def _html_line(line: Line) -> str:
    rows = []
    seen: set[str] = set()
    for k, part in enumerate(line.parts):
        formula = to_mathml(part.math)
        if formula in seen:
            continue
        seen.add(formula)
        left = to_mathml(line.left) if line.left is not None and k == 0 else ""
        equals = "<td>=</td>" if line.left is not None or k else "<td></td>"
        shape = escape(line.shape) if k == 0 else ""
        cells = f'<td class="left">{left}</td>{equals}<td>{formula}</td>'
        cells += f'<td class="shape">{shape}</td><td class="rule">{escape(part.rule)}</td>'
        rows.append(f'<tr class="detail">{cells}</tr>' if line.indent else f"<tr>{cells}</tr>")
    return "\n".join(rows)


# ---- data


def document_dict(d: Document) -> dict[str, Any]:
    """Everything printed, as plain data: formulas as text and as LaTeX."""
    return {
        "title": _inline(d.title, to_text, str),
        "notes": list(d.notes),
        "sections": [
            {
                "title": s.title,
                "lines": [
                    {
                        "left": None if line.left is None else _formula(line.left),
                        "parts": [_part(p) for p in line.parts],
                        "shape": line.shape,
                    }
                    for line in s.lines
                ],
            }
            for s in d.sections
        ],
    }


def _formula(m: Math) -> dict[str, str]:
    return {"text": to_text(m), "latex": to_latex(m)}


def _part(p: Part) -> dict[str, Any]:
    return {**_formula(p.math), "rule": p.rule, "assumptions": list(p.assumptions)}

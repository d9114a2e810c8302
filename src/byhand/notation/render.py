"""Documents printed: Unicode or ASCII text, LaTeX, Markdown, HTML with MathML, plain data."""

from __future__ import annotations

import io
import re
import tokenize
import unicodedata
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Words
from byhand.notation.columns import Paint, columns, filled, paragraph, unpainted
from byhand.notation.latex import to_latex
from byhand.notation.mathml import to_mathml
from byhand.notation.names import Names
from byhand.notation.text import to_text
from byhand.notation.typeset import Math

_ASCII = str.maketrans(
    {
        "∂": "d", "−": "-", "⊙": ".*", "⊘": "./", "⊗": "(x)", "·": "*", "×": " x ", "⟨": "<", "⟩": ">", "′": "'",
        "‖": "||", "√": "sqrt", "≠": "!=", "Σ": "sum", "δ": "delta", "σ": "sigma", "λ": "lambda", "Φ": "Phi",
        "φ": "phi", "π": "pi",
    }
)  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀ", "0123456789-T")


def ascii_words(s: str) -> str:
    """Prose, formulas in it included, without characters beyond ASCII."""
    s = re.sub("[⁰¹²³⁴-⁹⁻ᵀ]+", lambda m: "^" + m[0].translate(_RAISED), s.replace("^∘", ".^"))
    return s.translate(_ASCII).encode("ascii", "replace").decode()


def ascii_code(source: str) -> str:
    """Python source without characters beyond ASCII: signs in comments as prose has them, Greek names spelled out."""

    def spelled(letter: re.Match[str]) -> str:
        words = unicodedata.name(letter[0], "").split()
        name = {"LAMDA": "lam"}.get(words[-1], words[-1].lower())  # lambda is a keyword
        return name if "SMALL" in words else name.capitalize()

    names = {t.string for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.NAME}
    own: dict[str, str] = {}
    for name in sorted(n for n in names if not n.isascii()):  # beside an input lam, λ is lam_
        found = re.sub("[α-ωΑ-Ω]", spelled, name)
        while found in names or found in own.values():
            found += "_"
        own[name] = found
    source = re.sub(r"[^\W\d]\w*", lambda word: own.get(word[0], word[0]), source)
    return ascii_words(re.sub("[α-ωΑ-Ω]", spelled, source))


def _inline(parts: Words, show: Callable[[Math], str], words: Callable[[str], str]) -> str:
    return "".join(words(p) if isinstance(p, str) else show(p) for p in ([parts] if isinstance(parts, str) else parts))


def names_of(d: Document) -> Names:
    """What each name of a document looks like."""
    return Names(d.formulas(), d.names)


# ---- text


def document_text(d: Document, ascii: bool = False, width: int | None = None, paint: Paint = unpainted) -> str:
    """Lines with shape and rule in columns at the right.

    Args:
        d: the document.
        ascii: without any other character.
        width: of the terminal, to which long lines are broken; None leaves each on one line.
        paint: colours for titles ("title"), shapes ("shape") and rules ("rule").
    """

    names = names_of(d)

    def show(m: Math) -> str:
        return to_text(m, ascii, names)

    def words(s: Words) -> str:
        return _inline(s, show, ascii_words if ascii else str)

    lines = [paint("title", line) for line in paragraph(words(d.title), width, "")]
    if d.given:
        lines += ["", *filled(words(d.given).split("   "), width)]
    lines += ["", *(line for n in d.notes for line in paragraph(words(n), width))] if d.notes else []
    for section in d.sections:
        lines += ["", paint("title", words(section.title))]
        lines += [line for w in section.words for line in paragraph(words(w), width)]
        rows = [(f, words(shape), words(rule)) for line in section.lines for f, shape, rule in _text_rows(line, show)]
        lines += columns(rows, width, paint)
    return "\n".join(lines) + "\n"


def _text_rows(line: Line, show: Callable[[Math], str]) -> list[tuple[str, str, Words]]:
    """(formula, shape, rule) for each form of a chain; long chains go on below their equals sign."""
    pad = "  " + "    " * line.indent
    left = show(line.head) + " = " if line.head is not None else ""
    rows: list[tuple[str, str, Words]] = []
    seen: set[str] = set()
    for k, part in enumerate(line.parts):
        formula = show(part.math)
        if formula in seen:
            continue
        seen.add(formula)
        lead = left if k == 0 else " " * (len(left) - 2) + "= "
        if isinstance(part.math, ts.Matrix) and len(part.math.rows) > 1:
            rows += [
                (pad + row, line.shape if i == k == 0 else "", "")
                for i, row in enumerate(_drawn(part.math, lead, show))
            ]
            continue
        rows.append((pad + lead + formula, line.shape if k == 0 else "", part.rule))
    return rows


def _drawn(m: ts.Matrix, lead: str, show: Callable[[Math], str]) -> list[str]:
    """A matrix as rows of columns of equal width."""
    cells = [[show(e) for e in row] for row in m.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = ["[ " + "  ".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)) + " ]" for row in cells]
    return [(lead if k == 0 else " " * len(lead)) + row for k, row in enumerate(rows)]


# ---- LaTeX and Markdown


def _latex_words(s: str) -> str:
    special = {c: rf"\{c}" for c in "&%#_{}"}
    special |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    out = "".join(special.get(c, c) for c in s)
    symbols = {
        "−": "$-$",
        "→": r"$\to$",
        "∂": r"$\partial$",
        "²": "$^2$",
        "⊗": r"$\otimes$",
        "×": r"$\times$",
        "δ": r"$\delta$",
        "Σ": r"$\sum$",
        "∗": "$*$",
        "⊙": r"$\odot$",
        "ᵀ": r"$^\top$",
        "λ": r"$\lambda$",
        "⟨": r"$\langle$",
        "⟩": r"$\rangle$",
    }
    return "".join(symbols.get(c, c) for c in out)


def _align(lines: Iterable[Line], show: Callable[[Math], str], words: Callable[[Words], str]) -> str:
    rows = []
    for line in lines:
        seen: set[str] = set()
        for k, part in enumerate(line.parts):
            formula = show(part.math)
            if formula in seen:
                continue
            seen.add(formula)
            left = show(line.head) if line.head is not None and k == 0 else ""
            notes: list[Words] = [n for n in (line.shape if k == 0 else "", part.rule) if n]
            note = rf" && \text{{{'; '.join(map(words, notes))}}}" if notes else ""
            rows.append(rf"{left} &= {formula}{note}")
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def document_latex(d: Document) -> str:
    """A fragment for the body of a LaTeX document; needs amsmath and amssymb."""

    names = names_of(d)

    def show(m: Math) -> str:
        return to_latex(m, names)

    def words(s: Words) -> str:
        return _inline(s, lambda m: f"${show(m)}$", _latex_words)

    parts = [rf"\noindent\textbf{{{words(d.title)}}}"]
    if d.given:
        parts.append(rf"\noindent {words(d.given)}".replace("   ", r"\quad "))
    parts += [rf"\noindent {words(n)}" for n in d.notes]
    for section in d.sections:
        parts.append(rf"\noindent\textbf{{{words(section.title)}}}")
        parts += [words(w) for w in section.words]
        if section.lines:
            parts.append(_align(section.lines, show, words))
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

    names = names_of(d)

    def show(m: Math) -> str:
        return to_latex(m, names)

    def words(s: Words) -> str:
        return _inline(s, lambda m: f"${show(m)}$", str)

    lines = [f"### {words(d.title)}"]
    if d.given:
        lines += ["", words(d.given)]
    lines += ["", *(f"*{words(n)}*  " for n in d.notes)] if d.notes else []
    for section in d.sections:
        lines += ["", f"**{words(section.title)}**", "", *(f"{words(w)}  " for w in section.words)]
        for line in section.lines:
            lines += _markdown_lines(line, show, words)
    return "\n".join(lines) + "\n"


def _markdown_lines(line: Line, show: Callable[[Math], str], words: Callable[[Words], str]) -> list[str]:
    chain: list[str] = [show(line.head)] if line.head is not None else []
    rules: list[str] = []
    for part in line.parts:
        formula = show(part.math)
        if formula not in chain:
            chain.append(formula)
            rules += [words(part.rule)] if part.rule else []
    notes = [n for n in (line.shape, *rules) if n]
    return [f"{'  ' * line.indent}- ${' = '.join(chain)}$" + (f" — {'; '.join(notes)}" if notes else "")]


# ---- HTML

STYLE = """\
.byhand{font-family:Georgia,'Times New Roman',serif;line-height:1.45;max-width:72rem}
.byhand h3{font-size:1.15rem;margin:1.2rem 0 .3rem}.byhand h4{font-size:1rem;margin:1.3rem 0 .3rem}
.byhand .note{margin:.15rem 0;opacity:.85}.byhand .item{white-space:nowrap}
.byhand .scroll{overflow:auto hidden;padding-bottom:.3rem}
.byhand table{border-collapse:collapse;border:0;margin:0}.byhand tr{background:none}
.byhand td{padding:.22rem .3rem;vertical-align:baseline;text-align:left;border:0}
.byhand td.left{text-align:right;white-space:nowrap;padding-left:1rem}.byhand td.equals{padding-inline:.1rem}
.byhand td.shape{white-space:nowrap;padding-left:1.8rem;opacity:.75}
.byhand td.rule{font-style:italic;padding-left:1.4rem;min-width:14rem}
.byhand td.chain{white-space:nowrap;padding-left:1rem}.byhand .ghost{visibility:hidden}
.byhand tr.detail td{font-size:.92em}.byhand tr.detail td.left,.byhand tr.detail td.chain{padding-left:2.6rem}
.byhand math{font-family:'STIX Two Math','Cambria Math','DejaVu Math TeX Gyre',math;font-size:1.06em;math-style:normal}
.byhand .has-tip{cursor:help}@media print{.byhand .scroll{overflow:visible}}
"""


def document_html(d: Document) -> str:
    """An HTML fragment: MathML, no script; names carry their definition and shape as a title."""
    names = names_of(d)

    def show(m: Math) -> str:
        return to_mathml(m, names=names)

    def words(s: Words) -> str:
        return _inline(s, show, escape)

    rows = [f'<section class="byhand"><style>{STYLE}</style>', f"<h3>{words(d.title)}</h3>"]
    if d.given:
        items = words(d.given).replace("   ", '</span>&emsp; <span class="item">')
        rows.append(f'<p class="note"><span class="item">{items}</span></p>')
    rows += [f'<p class="note">{words(n)}</p>' for n in d.notes]
    for section in d.sections:
        rows.append(f"<h4>{words(section.title)}</h4>")
        rows += [f'<p class="note">{words(w)}</p>' for w in section.words]
        if section.lines:
            label = escape(_inline(section.title, lambda m: to_text(m, names=names), str))
            head = f'<div class="scroll"><table aria-label="{label}">'
            chained = any(line.indent for line in section.lines)
            cells = [row for line in section.lines for row in _html_rows(line, chained, show, words)]
            rows += [head, *cells, "</table></div>"]
    return "\n".join([*rows, "</section>"]) + "\n"


def _html_rows(line: Line, chained: bool, show: Callable[[Math], str], words: Callable[[Words], str]) -> list[str]:
    """Table rows of a line; `chained` puts both sides into one cell, so that wide left sides do not push all others."""
    rows = []
    seen: set[str] = set()
    left = show(line.head) if line.head is not None else ""
    for k, part in enumerate(line.parts):
        formula = show(part.math)
        if formula in seen:
            continue
        seen.add(formula)
        equals = "=" if left or k else ""
        if chained:
            ghost = f'<span class="ghost" aria-hidden="true">{left}</span>'
            cells = f'<td class="chain">{ghost if k else left} {equals} {formula}</td>'
        else:
            cells = f'<td class="left">{"" if k else left}</td><td class="equals">{equals}</td><td>{formula}</td>'
        shape = escape(line.shape) if k == 0 else ""
        cells += f'<td class="shape">{shape}</td><td class="rule">{words(part.rule)}</td>'
        rows.append(f'<tr class="detail">{cells}</tr>' if line.indent else f"<tr>{cells}</tr>")
    return rows


# ---- data


def document_dict(d: Document) -> dict[str, Any]:
    """Everything printed, as plain data: formulas as text, LaTeX and MathML, sentences as text and HTML."""
    names = names_of(d)

    def words(s: Words) -> str:
        return _inline(s, lambda m: to_text(m, names=names), str)

    def html(s: Words) -> str:
        return _inline(s, lambda m: to_mathml(m, names=names), escape)

    def formula(m: Math) -> dict[str, str]:
        return {"text": to_text(m, names=names), "latex": to_latex(m, names), "mathml": to_mathml(m, names=names)}

    def part(p: Part) -> dict[str, Any]:
        rule = {"rule": words(p.rule), "rule_html": html(p.rule)}
        return {**formula(p.math), **rule, "assumptions": list(p.assumptions)}

    def line(x: Line) -> dict[str, Any]:
        left = None if x.head is None else formula(x.head)
        about: dict[str, Any] = {"kind": x.kind, "unit": x.unit, "child": x.child}
        about |= {} if x.short is None else {"short": formula(x.short)}
        return {"left": left, "parts": list(map(part, x.parts)), "shape": x.shape, "indent": x.indent, **about}

    return {
        "title": words(d.title),
        "title_html": html(d.title),
        "given": words(d.given),
        "given_html": html(d.given),
        "notes": list(map(words, d.notes)),
        "notes_html": list(map(html, d.notes)),
        "sections": [
            {
                "title": words(s.title),
                "title_html": html(s.title),
                "words": list(map(words, s.words)),
                "words_html": list(map(html, s.words)),
                "lines": list(map(line, s.lines)),
            }
            for s in d.sections
        ],
    }

"""Mends of a wrong formula in its author's own words: one edit of the text after which it is right."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from byhand.audit.pages.compare import Verdict
from byhand.audit.pages.judge import Judge
from byhand.audit.pages.rows import Row
from byhand.errors import ByhandError
from byhand.reading.grammar import read
from byhand.reading.macros import Macro

MOST = 240  # edits that are tried for one formula
LONGEST = 1200  # characters of a formula that is mended
_COMMAND = r"\\[A-Za-z]+"
_ATOM = (
    r"(?:\\(?:mathbf|boldsymbol|bm|mathrm|mathsf|vec|hat|bar|tilde|mathcal|widehat|boldsymbol)\s*\{[^{}]*\}|\\[A-Za-z]+|[^\W\d_])"
    r"(?:\{[^{}]*\})?(?:_\{[^{}]*\}|_\w)?(?:\^\{[\[(][^{}]*[\])]\})?"
)
_TRANSPOSE = re.compile(
    r"\s*\^\s*(?:\{\s*(?:\\top|T|\\intercal|\\mathsf\s*\{?T\}?|\\mathrm\s*\{?T\}?|⊤)\s*\}"
    r"|\\top\b|T(?![A-Za-z])|\\intercal\b|⊤)|ᵀ"
)
_KEPT = {
    "frac",
    "partial",
    "left",
    "right",
    "sum",
    "text",
    "mathrm",
    "odot",
    "cdot",
    "top",
    "begin",
    "end",
    "quad",
    "log",
    "exp",
}


def mend(judge: Judge, row: Row, verdict: Verdict, macros: Mapping[str, Macro]) -> str:
    """The formula with one edit, the first after which it is right; "" where there is none.

    Args:
        judge: of its page.
        row: the wrong formula.
        verdict: what was found of it.
        macros: of its page.
    """
    if verdict.status != "wrong" or verdict.span is None or len(row.source) > LONGEST:
        return ""
    start, end = verdict.span
    heads = dict(judge.heads)
    tried: set[str] = set()
    for text in _edits(row, start, end, verdict):
        if text in tried or text == row.source:
            continue
        tried.add(text)
        if len(tried) > MOST or judge.late(0.95):
            break
        try:
            statements = read(text, row.spelling, macros)
        except ByhandError:
            continue
        made = replace(row, source=text, statements=statements, trouble="")
        found = judge.row(made)
        judge.heads.clear()
        judge.heads |= heads
        if found.status == "right":
            return text
    return ""


def _edits(row: Row, start: int, end: int, verdict: Verdict) -> Iterator[str]:
    """The text with one edit of a side, the commonest mistakes first."""
    before, side, after = row.source[:start], row.source[start:end], row.source[end:]
    for edited in (
        *_signs(side),
        *_factors(side, verdict, row),
        *_transposes(side, row),
        *_products(side),
        *_indices(side),
    ):
        yield f"{before}{edited}{after}"


def _signs(side: str) -> Iterator[str]:
    """A plus for a minus, a minus before everything."""
    lead = len(side) - len(side.lstrip())
    body = side[lead:]
    minus = "−" if "−" in side else "-"
    if body[:1] in "-−":
        yield side[:lead] + body[1:].lstrip()
    for m in re.finditer(r"[-+−]", side):
        if not re.match(r"[_^]\{?", side[max(0, m.start() - 2) : m.start()][-1:] or " "):
            yield side[: m.start()] + ("+" if m[0] in "-−" else minus) + side[m.end() :]
    yield f"{side[:lead]}{minus}{body}"


def _factors(side: str, verdict: Verdict, row: Row) -> Iterator[str]:
    """A factor that is missing or too many: 2, ½, the number of samples; a power."""
    latex = row.spelling == "latex"
    for m in re.finditer(r"(?<![\w^_{\\.])2\s*(?=[\\A-Za-z(∂δΔσ])", side):
        yield side[: m.start()] + side[m.end() :]
    for m in re.finditer(r"\\[td]?frac\s*\{?1\}?\s*\{?(?:2|[A-Za-z])\}?|\s*/\s*[A-Za-z2]\b", side):
        yield side[: m.start()] + side[m.end() :]
    for m in re.finditer(r"(?<=\})\{?\s*2\s*([A-Za-z])", side):
        yield side[: m.start(1) - 1] + side[m.start(1) :]
    for m in re.finditer(r"\s*\^\s*(?:\{2\}|2)|²", side):
        yield side[: m.start()] + side[m.end() :]
    lead = len(side) - len(side.lstrip())
    known = re.search(r"the right side is (\S+) × the left one", verdict.message)
    if known is not None:
        word = known[1]
        half = r"\frac{1}{2} " if latex else "½ "
        table = {
            "2": half if latex else "(1/2) ",
            "0.5": "2 ",
            "4": r"\frac{1}{4} " if latex else "(1/4) ",
            "0.25": "4 ",
        }
        if word in table:
            yield f"{side[:lead]}{table[word]}{_bracketed(side[lead:])}"
        elif word.startswith("1/"):
            yield f"{side[:lead]}{word[2:]} {_bracketed(side[lead:])}"
        elif word.isidentifier():
            yield f"{side[:lead]}" + (rf"\frac{{1}}{{{word}}} " if latex else f"(1/{word}) ") + _bracketed(side[lead:])
    for m in re.finditer(_ATOM, side):
        bare = m[0].lstrip("\\")
        if (
            bare not in _KEPT
            and not bare.startswith("math")
            and not side[m.end() :].lstrip().startswith(("^", "_", "{", "("))
        ):
            yield side[: m.end()] + ("^2" if latex else "²") + side[m.end() :]


def _bracketed(side: str) -> str:
    """A sum in brackets."""
    depth = 0
    for k, c in enumerate(side):
        depth += (c in "({[") - (c in ")}]")
        if not depth and k and c in "+-−":
            return f"({side.strip()})" if "\\" not in side else rf"\left( {side.strip()} \right)"
    return side


def _transposes(side: str, row: Row) -> Iterator[str]:
    """A transpose more or less, in the page's own spelling."""
    for m in _TRANSPOSE.finditer(side):
        yield side[: m.start()] + side[m.end() :]
    own = _TRANSPOSE.search(row.source)
    sign = own[0].strip() if own is not None else (r"^\top" if row.spelling == "latex" else "ᵀ")
    for m in re.finditer(_ATOM, side):
        if m[0].lstrip("\\") not in _KEPT and not _TRANSPOSE.match(side[m.end() :]):
            if m[0].endswith("}") and "^{" in m[0]:  # beside a layer, one superscript holds both
                bare = sign.lstrip("^").strip("{}")
                yield side[: m.end() - 1] + bare + side[m.end() - 1 :]
                continue
            yield side[: m.end()] + sign + side[m.end() :]
            for other in _TRANSPOSE.finditer(side):  # the transpose belongs to another factor
                if other.start() >= m.end():
                    yield side[: m.end()] + sign + side[m.end() : other.start()] + side[other.end() :]
                elif other.end() <= m.start():
                    yield side[: other.start()] + side[other.end() : m.end()] + sign + side[m.end() :]
    for m in re.finditer(r"[)\]]", side):
        if not _TRANSPOSE.match(side[m.end() :]):
            yield side[: m.end()] + sign + side[m.end() :]


def _products(side: str) -> Iterator[str]:
    """⊙ for a product side by side and the other way round; two factors in the other order."""
    for m in re.finditer(r"\\odot\b|\\circ\b|⊙|∘", side):
        yield side[: m.start()] + " " + side[m.end() :]
    full = rf"{_ATOM}(?:{_TRANSPOSE.pattern})?"
    spans = [m.span() for m in re.finditer(full, side) if m[0].lstrip("\\") not in _KEPT]
    sign = r" \odot " if "\\" in side else " ⊙ "
    for (a, b), (c, d) in itertools.pairwise(spans):
        if side[b:c].strip() in ("", r"\,", r"\cdot", "·"):
            yield side[:a] + side[c:d] + (side[b:c] or " ") + side[a:b] + side[d:]
            yield side[:b] + sign + side[c:]


def _indices(side: str) -> Iterator[str]:
    """Two indices in the other order, another index, another layer."""
    for m in re.finditer(r"_\{?\s*([a-zℓ])\s*,?\s*([a-zℓ])\s*\}?", side):
        yield side[: m.start(1)] + m[2] + side[m.end(1) : m.start(2)] + m[1] + side[m.end(2) :]
    letters = dict.fromkeys(re.findall(r"_\{?\s*([a-zℓ])", side))
    for m in re.finditer(r"(?<=_)([a-zℓ])|(?<=_\{)\s*([a-zℓ])|(?<=_\{[a-zℓ])([a-zℓ])", side):
        for letter in letters:
            if letter != m[0].strip():
                yield side[: m.start()] + letter + side[m.end() :]
    for m in re.finditer(r"(?<=_)(\d)|(?<=_\{)(\d)(?=\})|(?<=[A-Za-z])(\d)(?![\d.])", side):
        for other in (int(m[0]) - 1, int(m[0]) + 1):
            if other >= 0:
                yield side[: m.start()] + str(other) + side[m.end() :]
    for m in re.finditer(r"([\[({])\s*([lℓt]|\\ell)\s*(?:([-+−])\s*1)?\s*([\])}])", side):
        for shift in ("", "-1", "+1"):
            if shift != f"{m[3] or ''}{'1' if m[3] else ''}".replace("−", "-"):
                yield f"{side[: m.start()]}{m[1]}{m[2]}{shift}{m[4]}{side[m.end() :]}"

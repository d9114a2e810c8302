"""Documents: where the prose of a page stands and where its mathematics, with the place of each in the file.

Markdown, LaTeX, notebooks, HTML and plain text become one list of stretches. Code, comments and scripts are neither. The
delimiters are found by a scanner of our own: parsers of Markdown and of LaTeX keep no columns for formulas within a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from byhand.audit.pages.html import text_of
from byhand.errors import ParseError
from byhand.expr.functions import FUNCTIONS as ELEMENTWISE
from byhand.reading.macros import Macro, closing
from byhand.reading.tokens import FUNCTIONS, UnreadableError

FORMATS = ("markdown", "latex", "notebook", "html", "text")
LONGEST_DISPLAY = 20_000


class Stretch(NamedTuple):
    """A piece of a document.

    Attributes:
        kind: "prose", "inline" or "display".
        text: prose, or a formula without its delimiters.
        line, column: where it begins in the file (in the cell, of a notebook), from 1.
        spelling: of a formula, "latex" or "unicode".
        cell: of a notebook, from 1.
        note: what stands beside a formula of plain text: its shape, a reason.
    """

    kind: str
    text: str
    line: int
    column: int
    spelling: str = "latex"
    cell: int | None = None
    note: str = ""


_ENVIRONMENT = (
    r"(?:align|alignat|aligned|equation|gather|multline|eqnarray|flalign|displaymath|math|IEEEeqnarray|dmath)\*?"
)
_OPEN = re.compile(
    rf"(?P<escaped>\\[$%])|(?P<env>\\begin\{{(?P<name>{_ENVIRONMENT})\}})|(?P<double>\$\$)|(?P<bracket>\\\\?\[(?!\d*(?:pt|em|ex|mm|cm)?\]))"
    r"|(?P<paren>\\\\?\()|(?P<dollar>\$)"
)
_CODE = re.compile(
    r"(?ms)^ {0,3}(?P<fence>```+|~~~+)(?P<info>[^\n]*)\n.*?^ {0,3}(?P=fence)[^\n]*$|<!--.*?-->"
    r"|(?<![`\\])`[^`\n]+`(?!`)|\A---\n.*?^---$"
)
_TEX_CODE = re.compile(
    r"(?s)\\begin\{(verbatim|lstlisting|comment|minted|tikzpicture|figure|table|thebibliography)\*?\}.*?\\end\{\1\*?\}|(?<!\\)%[^\n]*"
)
_MACRO = re.compile(
    r"\\(?:re|provide)?newcommand\*?\s*\{?\s*\\(?P<name>[A-Za-z]+)\s*\}?\s*(?:\[(?P<count>\d)\])?\s*(?:\[(?P<default>[^\]]*)\])?\s*(?=\{)"
    r"|\\def\s*\\(?P<defined>[A-Za-z]+)(?P<parameters>(?:#\d)*)\s*(?=\{)|\\DeclareMathOperator(?P<star>\*?)\s*\{\s*\\(?P<operator>[A-Za-z]+)\s*\}\s*(?=\{)"
)


_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d+[.)])[ \t]+")  # an item of a list that is a formula is set apart
_BESIDE = re.compile(r"[ \t]*(?:[—–-][ \t]*(?P<note>[^\n]*)|[.,;]?[ \t]*)(?=\n|\Z)")


def format_of(text: str) -> str:
    """The format of a text, by what is in it."""
    head = text.lstrip()[:2000]
    if head.startswith("{") and '"cells"' in text:
        return "notebook"
    if re.match(
        r"<!doctype html|<(?:html|head|body|p|div|section|article|main|h[1-6]|table|math|span|style|ul|ol)\b",
        head,
        re.I,
    ):
        return "html"
    if re.search(r"\\documentclass|\\begin\{document\}", text):
        return "latex"
    if re.search(r"\$|\\\[|\\\(|\\begin\{", text):
        return "markdown"
    return "text"


def stretches(text: str, format_: str = "auto") -> tuple[list[Stretch], dict[str, Macro]]:
    """The pieces of a document in order, and the macros that it defines.

    Raises: ParseError: an unknown format, or a notebook that is none.
    """
    if format_ == "auto":
        format_ = format_of(text)
    match format_:
        case "notebook":
            return _notebook(text)
        case "html":
            return [*_scanned(text_of(text), latex=False)], macros_of(text)
        case "text":
            return [*_plain(text)], {}
        case "latex" | "markdown":
            pass
        case _:
            raise ParseError(f"the format {format_} is not known", f"one of auto, {', '.join(FORMATS)}")
    macros = macros_of(text)
    return [*_scanned(text, format_ == "latex")], macros


def macros_of(text: str) -> dict[str, Macro]:
    """The commands that a page defines."""
    found: dict[str, Macro] = {}
    for m in _MACRO.finditer(text):
        try:
            end = closing(text, m.end())
        except UnreadableError:
            continue
        body = text[m.end() + 1 : end]
        if m["operator"]:
            found[m["operator"]] = Macro(0, None, rf"\operatorname{{{body}}}")
        elif m["defined"]:
            found[m["defined"]] = Macro(m["parameters"].count("#"), None, body)
        else:
            found[m["name"]] = Macro(int(m["count"] or 0), m["default"], body)
    return found


def _blanked(text: str, pattern: re.Pattern[str]) -> str:
    """The text with what matches made blank, so that places stay; mathematics in fences (```math) is kept."""

    def blank(m: re.Match[str]) -> str:
        found = m.groupdict()
        if (found.get("info") or "").strip(" {}") in ("math", "latex", "tex", "katex"):
            first, *inner, last = m.group().split("\n")
            return "\n".join(["$$".ljust(len(first)), *inner, "$$".ljust(len(last))])
        return re.sub(r"[^\n]", " ", m.group())

    return pattern.sub(blank, text)


def _scanned(text: str, latex: bool, cell: int | None = None) -> Iterator[Stretch]:
    """Prose and mathematics of Markdown and of LaTeX."""
    text = _blanked(text, _TEX_CODE if latex else _CODE)
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    at, prose = 0, 0

    def stretch(kind: str, start: int, end: int) -> Stretch:
        line = _line_of(starts, start)
        return Stretch(kind, text[start:end], line + 1, start - starts[line] + 1, "latex", cell)

    while (m := _OPEN.search(text, at)) is not None:
        found = _content(text, m, latex) if not m["escaped"] else None
        if found is None:
            at = m.end()
            continue
        start, end, after, kind = found
        if prose < m.start():
            yield stretch("prose", prose, m.start())
        made = stretch(kind, start, end)
        item = None if latex or kind != "inline" else _ITEM.match(text, text.rfind("\n", 0, m.start()) + 1)
        beside = _BESIDE.match(text, after) if item is not None and item.end() == m.start() else None
        if beside is not None and re.search(r"=|\\approx|\\le|\\ge", made.text):
            made = made._replace(kind="display", note=beside["note"] or "")
        elif kind == "display" and not made.note:
            shape = re.compile(r"[ \t]*(\([^()\n]*\))").match(text, after)
            made = made._replace(note=shape[1] if shape else "")
        yield made
        at = prose = after
    if prose < len(text):
        yield stretch("prose", prose, len(text))


def _line_of(starts: list[int], at: int) -> int:
    from bisect import bisect_right

    return bisect_right(starts, at) - 1


def _content(text: str, m: re.Match[str], latex: bool) -> tuple[int, int, int, str] | None:
    """Where a formula's content starts and ends, what comes after it, and whether it is a display."""
    if m["env"]:
        close = f"\\end{{{m['name']}}}"
        end = text.find(close, m.end(), m.end() + LONGEST_DISPLAY)
        return None if end < 0 else (m.end(), end, end + len(close), "display")
    if m["double"]:
        end = text.find("$$", m.end(), m.end() + LONGEST_DISPLAY)
        return None if end < 0 else (m.end(), end, end + 2, "display")
    if m["bracket"] or m["paren"]:
        opened = m.group()
        if len(opened) == 3 and latex:
            return None  # a line break and a bracket
        close = opened[:-1] + ("]" if m["bracket"] else ")")
        end = text.find(close, m.end(), m.end() + LONGEST_DISPLAY)
        return None if end < 0 else (m.end(), end, end + len(close), "display" if m["bracket"] else "inline")
    paragraph = re.compile(r"\n\s*\n").search(text, m.end())
    stop = paragraph.start() if paragraph else len(text)
    end = m.end()
    while True:
        end = text.find("$", end, min(stop, m.end() + 2000))
        if end < 0 or text[end - 1] != "\\":
            break
        end += 1
    inner = text[m.end() : end]
    if end < 0 or not inner.strip() or (not latex and (inner[0] == " " and inner[-1] == " ") and "\\" not in inner):
        return None
    if not latex and re.match(r"[\d,.]+(?:\s|$)", inner) and " " in inner and "\\" not in inner and "=" not in inner:
        return None  # prices
    return m.end(), end, end + 1, "inline"


def _plain(text: str) -> Iterator[Stretch]:
    """Plain text: indented lines, and lines that are equations by themselves, are displays; prose may hold formulas."""
    for number, line in enumerate(text.split("\n"), 1):
        body = line.strip()
        if not body:
            yield Stretch("prose", "\n\n", number, 1, "unicode")
            continue
        indented = line.startswith(("    ", "\t"))
        formula, note = _columns(body)
        if (indented and re.search(r"[=≔←∂]", formula)) or _is_formula(formula):
            yield Stretch("display", formula, number, len(line) - len(line.lstrip()) + 1, "unicode", note=note)
            if note:
                yield Stretch("prose", f" {note}\n", number, line.rindex(note) + 1, "unicode")
        else:
            yield from _within(line, number)


_DECLARED = re.compile(
    r"(?P<said>(?<!\w)[^\W\d_]{1,2}[ᵢⱼₖₗₘₙ₀-₉]*(?:,\s*[^\W\d_]{1,2}[ᵢⱼₖₗₘₙ₀-₉]*)*\s*∈\s*(?:ℝ|\{[^}]*\})(?:\^\{[^}]*\}|\^\w+|[⁰¹²³⁴⁵⁶⁷⁸⁹ᵃ-ᵿˣⁿ×]*)?|(?<!\w)[^\W\d_]{1,2}[ᵢⱼₖₗₘₙ₀-₉]*\s*>\s*0\b)"
    r"|(?:(?<=^)|(?<=[,;:]\s))(?P<equation>[^,;:=]*=[^,;:]*)(?=[,;:.]|$)"
)


def _columns(body: str) -> tuple[str, str]:
    """A formula and what stands beside it in a column of its own: its shape, a reason."""
    m = re.match(r"(?P<formula>.*?[=≔←]\s*\S.*?)\s{2,}(?P<note>[(\w].*)$", body)
    if m is None or re.search(r"[=≔←]", m["note"].split("(")[0]):
        return body, ""
    wide = re.match(r"\s{3}", body[m.end("formula") :])
    return (m["formula"], m["note"]) if wide or re.match(r"\(|[a-z]{3,}", m["note"]) else (body, "")


def _within(line: str, number: int) -> Iterator[Stretch]:
    """The formulas within a line of prose: declarations, and equations between commas."""
    at = 0
    for m in _DECLARED.finditer(line):
        if m["equation"] is not None and not _is_formula(m["equation"]):
            continue
        yield Stretch("prose", line[at : m.start()], number, at + 1, "unicode")
        yield Stretch("inline", m.group().strip(), number, m.start() + 1, "unicode")
        at = m.end()
    yield Stretch("prose", line[at:] + "\n", number, at + 1, "unicode")


def _is_formula(body: str) -> bool:
    """Whether a line of plain text is an equation: a relation, and no word of prose."""
    if not re.search(r"[=≔←]", body):
        return False
    words = {w for w in re.findall(r"(?<![\w∂])[A-Za-z][A-Za-z_]{1,}(?![\w(])", body) if w not in _CALLED}
    if any(w.lower() in _PROSE for w in words):
        return False
    long = [w for w in words if len(w) > 2 and "_" not in w and not w.startswith("d")]
    return len(long) <= 1 and not re.search(r"[A-Za-z]{3,} [A-Za-z]{3,}", body)


_CALLED = {*FUNCTIONS, *ELEMENTWISE}
_PROSE = {
    *(
        "the",
        "and",
        "where",
        "with",
        "for",
        "that",
        "this",
        "these",
        "are",
        "has",
        "have",
        "let",
        "if",
        "then",
        "is",
        "of",
    ),
    *(
        "to",
        "we",
        "get",
        "so",
        "hence",
        "thus",
        "which",
        "from",
        "since",
        "because",
        "by",
        "as",
        "in",
        "on",
        "an",
        "or",
        "be",
    ),
    *(
        "it",
        "not",
        "all",
        "each",
        "no",
        "can",
        "will",
        "its",
        "was",
        "but",
        "than",
        "when",
        "also",
        "only",
        "here",
        "there",
    ),
    *("note", "see", "eq", "equation"),
}


def _notebook(text: str) -> tuple[list[Stretch], dict[str, Macro]]:
    try:
        content = json.loads(text)
        cells = content.get("cells") or [c for w in content.get("worksheets", []) for c in w["cells"]]
        sources = [("".join(c["source"]), c["cell_type"]) for c in cells]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ParseError("this is no notebook: its JSON has no cells with a source") from error
    made: list[Stretch] = []
    macros: dict[str, Macro] = {}
    for number, (source, kind) in enumerate(sources, 1):
        if kind not in ("markdown", "raw"):
            continue
        macros |= macros_of(source)
        made += _scanned(source, latex=False, cell=number)
    return made, macros

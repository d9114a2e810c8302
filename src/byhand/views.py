"""Results that show themselves: as text where they are printed, as HTML and more in notebooks; tables and code for both."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_FORMATS = {"text/plain": "text", "text/html": "html", "text/latex": "latex", "text/markdown": "markdown"}

# Colours that can be read on white and on black (4.5 : 1 and 3.9 : 1): a notebook does not say which of them it is on.
STYLE = """\
.byhand-view{overflow-x:auto;line-height:1.45}.byhand-view summary{cursor:pointer;font-weight:bold}
.byhand-view h4{margin:.6rem 0 .3rem}.byhand-view p{margin:.3rem 0;max-width:46rem}
.byhand-view table{border-collapse:collapse;border:0;margin:.3rem 0;font-size:.92em;font-variant-numeric:tabular-nums}
.byhand-view tr{background:none}
.byhand-view td,.byhand-view th{text-align:left;vertical-align:baseline;padding:.15rem 1rem .15rem 0;border:0;white-space:nowrap}
.byhand-view th{font-weight:normal;color:var(--faint,#6b7878);border-bottom:1px solid var(--line,#8886)}
.byhand-view td.words{white-space:normal;min-width:14rem}.byhand-view td.number{text-align:right}
.byhand-view tr.total td{border-top:1px solid var(--line,#8886)}
.byhand-view tr.wrong,.byhand-view tr.not-checkable{background:#fdd;color:#700}
.byhand-view .warning{border-left:3px solid #c94f0b;padding-left:.6rem}
.byhand-code{line-height:1.4;overflow-x:auto;white-space:pre;tab-size:4}
.byhand-code .k{color:var(--code-keyword,#9754db)}.byhand-code .s{color:var(--code-string,#248822)}
.byhand-code .c{color:var(--code-comment,#6b7878);font-style:italic}.byhand-code .m{color:var(--code-number,#c94f0b)}
.byhand-code .nf,.byhand-code .nc{color:var(--code-function,#2378c7)}
@media print{.byhand-view,.byhand-code{overflow:visible}.byhand-code{white-space:pre-wrap}}
"""


class View:
    """What has `html()`, perhaps `text()`, `latex()` and `markdown()`: notebooks use them."""

    __slots__ = ()

    def html(self) -> str:
        """As HTML."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        views = {kind: getattr(self, view, None) for kind, view in _FORMATS.items()}
        shown = {kind: view() for kind, view in views.items() if callable(view)}
        return shown if "text/plain" in shown else {"text/plain": repr(self), **shown}


class Shown(View):
    """A view whose text is what printing shows."""

    __slots__ = ()

    def text(self) -> str:
        """As text."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:  # at a prompt the result itself, not the fields of its class
        return self.text()


class Code(str):
    """Source text: a string that shows itself with its lines, in colours where there are any.

    Attributes:
        language: "python", "c" or "text", as Pygments calls it.
    """

    language: str

    def __new__(cls, source: str, language: str = "python") -> Code:
        """The text, and its language."""
        made = super().__new__(cls, source)
        made.language = language
        return made

    def __repr__(self) -> str:
        return str(self)

    def html(self) -> str:
        """With colours; copied, it is the text."""
        return f"<style>{STYLE}</style>{code_html(self, self.language)}"

    def _repr_html_(self) -> str:
        return self.html()


def code_html(source: str, language: str = "python") -> str:
    """Source text as HTML, its keywords, strings, comments, numbers and definitions in classes of `STYLE`."""
    from pygments.lexers import get_lexer_by_name  # which takes longer than most derivations
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    coloured = {
        Comment: "c", String: "s", Number: "m", Name.Function: "nf", Name.Class: "nc", Keyword: "k", Operator.Word: "k"
    }  # fmt: skip
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    spans = []
    for token, text in lexer.get_tokens(source):
        name = next((c for kind, c in coloured.items() if token in kind), None)
        shown = escape(text, quote=False)
        spans.append(shown if name is None else f'<span class="{name}">{shown}</span>')
    return f'<pre class="byhand-code"><code>{"".join(spans)}</code></pre>\n'


def view_html(*parts: str) -> str:
    """Parts of HTML as one view, with the style that it needs."""
    return f'<div class="byhand-view"><style>{STYLE}</style>{"".join(parts)}</div>\n'


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines, its columns aligned; a column whose cells are all empty is left out."""
    table = [heads, *rows]
    kept = [k for k in range(len(heads)) if any(cells[k] for cells in rows)]
    width = {k: max(len(cells[k]) for cells in table) for k in kept}
    return ["  ".join(f"{cells[k]:<{width[k]}}" for k in kept).rstrip() for cells in table]


def table_html(heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table of HTML: heads as text, rows as HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def row_html(cells: Sequence[str], kind: str = "") -> str:
    """A row of such a table, cells as text; its kind is a class of `STYLE`."""
    inside = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{kind}">{inside}</tr>' if kind else f"<tr>{inside}</tr>"


def paragraphs(notes: Sequence[str], kind: str = "") -> str:
    """Sentences as HTML."""
    start = f'<p class="{kind}">' if kind else "<p>"
    return "".join(f"{start}{escape(note)}</p>" for note in notes)


__all__ = [
    "STYLE",
    "Code",
    "Shown",
    "View",
    "code_html",
    "columns",
    "paragraphs",
    "row_html",
    "table_html",
    "view_html",
]

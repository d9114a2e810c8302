"""A standalone HTML page: no script, nothing loaded from elsewhere; light or dark as the system is; printable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from byhand import views
from byhand.views import Code, code_html

if TYPE_CHECKING:
    from byhand.check.report import Report
    from byhand.derive.derivation import Derivation

STYLE = """\
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1b1b;--faint:#5c5c5c;--line:#d9d9d9;--block:#f6f6f4;
--accent:#1d5a8a;--curve-1:#1d5a8a;--curve-2:#b3541e;
--code-keyword:#7a35c2;--code-string:#1c6e1a;--code-comment:#5c6666;--code-number:#a8400a;--code-function:#1a62a6}
@media (prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e4e2de;--faint:#a3a19c;--line:#3a3d42;--block:#1f2226;
--accent:#8ab8e0;--curve-1:#8ab8e0;--curve-2:#e8a06f;
--code-keyword:#c39bf0;--code-string:#84c982;--code-comment:#9aa3a3;--code-number:#eba075;--code-function:#83bdf0}}
html{background:var(--paper);color:var(--ink)}
body{margin:0 auto;padding:1.5rem clamp(.8rem,4vw,3rem) 4rem;max-width:78rem;line-height:1.5;
font-family:Georgia,'Times New Roman',serif}
h1{font-size:1.6rem;line-height:1.25;margin:.6rem 0 .4rem}
h2{font-size:1.25rem;margin:2.4rem 0 .5rem;padding-top:.6rem;border-top:1px solid var(--line)}
p{max-width:46rem}a{color:var(--accent)}
nav{color:var(--faint);font-size:.95rem;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
pre{background:var(--block);border:1px solid var(--line);border-radius:4px;padding:.8rem 1rem;overflow-x:auto;
line-height:1.4;font-size:.85rem}
pre,code{font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace}p code{font-size:.88em}
dl{display:grid;grid-template-columns:fit-content(45%) 1fr;overflow-wrap:anywhere;gap:.15rem 1.4rem;margin:.6rem 0}
dt{color:var(--faint)}dd{margin:0}
figure{margin:1rem 0;max-width:46rem;overflow-x:auto}figure svg,figure img{max-width:100%;height:auto}
figcaption{color:var(--faint);font-size:.92rem}
.byhand td.rule{color:var(--accent)}.byhand>h3{display:none}
.byhand-check p{color:var(--faint);font-size:.92rem}
@media print{:root{--paper:#fff;--ink:#000;--faint:#444;--line:#bbb;--block:#fff;--accent:#000;--curve-1:#000;
--curve-2:#b3541e;--code-keyword:#7a35c2;--code-string:#1c6e1a;--code-comment:#5c6666;--code-number:#a8400a;
--code-function:#1a62a6}
body{padding:0;max-width:none;font-size:10pt}nav{display:none}h2,h4{break-after:avoid}tr,figure{break-inside:avoid}
pre{white-space:pre-wrap;overflow:visible}}
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a page: its heading and its HTML."""

    title: str
    html: str

    @property
    def anchor(self) -> str:
        """The fragment that leads to it."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def page(title: str, parts: Sequence[Part], lead: str = "") -> str:
    """A complete HTML document.

    Args:
        title: plain text.
        parts: its sections, each reachable from the line at the top.
        lead: a sentence or two below the title, plain text.
    """
    links = "".join(f'<a href="#{p.anchor}">{escape(p.title)}</a>' for p in parts)
    body = "\n".join(f'<h2 id="{p.anchor}">{escape(p.title)}</h2>\n{p.html}' for p in parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="byhand">\n'
        f"<title>{escape(title)}</title>\n<style>\n{views.STYLE}{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        + (f"<p>{escape(lead)}</p>\n" if lead else "")
        + (f'<nav aria-label="Sections">{links}</nav>\n' if len(parts) > 1 else "")
        + f"{body}\n</main>\n</body>\n</html>\n"
    )


def derivation_page(d: Derivation, html: str, report: Report | None = None, code: str | None = None) -> str:
    """The page of one derivation: its HTML fragment, its check, its code."""
    names = ", ".join(v.name for v in d.variables)
    parts = [Part("Derivation", html)]
    parts += [check_part(report)] if report is not None else []
    parts += [Part("Code", code_block(code))] if code is not None else []
    lead = "Derived by byhand. Hover over a symbol to see its definition and shape."
    return page(f"Gradient of {d.f.name} with respect to {names}", parts, lead)


def check_part(report: Report) -> Part:
    """The check with its table opened."""
    return Part("Check", report.html(opened=True))


def code_block(code: str) -> str:
    """Source text as HTML, in colours where its language is known."""
    return code_html(code, code.language if isinstance(code, Code) else "text")


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values as HTML, plain text both."""
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows) + "</dl>"

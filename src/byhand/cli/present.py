"""A derivation, checked and printed in the format that was asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.output import Failure, deliver_text, note, painter, terminal_width, writes_unicode

if TYPE_CHECKING:
    from byhand.check.report import Report
    from byhand.derive.derivation import Derivation
    from byhand.notation.blocks import Document, Section
    from byhand.views import Code

FORMATS = ("text", "latex", "md", "html", "json")
_ENDINGS = {"": "text", ".txt": "text", ".tex": "latex", ".md": "md", ".html": "html", ".htm": "html", ".json": "json"}


def format_of(form: str | None, output: Path | None) -> str:
    """The format asked for, or the one that the ending of the file names; text for a file without an ending.

    Raises: click.UsageError: an ending of something else.
    """
    if form or output is None or str(output) == "-":
        return form or "text"
    ending = output.suffix.lower()
    if ending not in _ENDINGS:
        known = ", ".join(filter(None, _ENDINGS))
        raise click.UsageError(f"{output}: {ending} is not written; endings: {known}, or --format {'|'.join(FORMATS)}")
    return _ENDINGS[ending]


@dataclass(frozen=True)
class View:
    """What to show, and where.

    Attributes:
        notation, level, layout: of the derivation.
        form: one of FORMATS; None goes by the ending of the output file.
        ascii: no character beyond ASCII.
        output: the file, or None for standard output.
        check: whether to check by numbers first.
        code: whether to add the generated code.
    """

    notation: str
    level: str
    layout: str
    form: str | None
    ascii: bool
    output: Path | None
    check: bool
    code: bool

    @property
    def format(self) -> str:
        """The format, with its default."""
        return format_of(self.form, self.output)

    @property
    def to_file(self) -> bool:
        """Whether the output goes to a file."""
        return self.output is not None and str(self.output) != "-"


@dataclass(frozen=True)
class Shown:
    """All that a format may print."""

    derivation: Derivation
    document: Document
    report: Report | None
    code: Code | None
    view: View


def deliver(
    d: Derivation,
    view: View,
    extra: Callable[[Derivation], tuple[Section, ...]] | None = None,
    alone: bool = False,
) -> None:
    """Check a derivation, then print it or write it to a file.

    Args:
        d: the derivation, in the layout `rows`.
        view: what to show, and where.
        extra: further sections.
        alone: whether they stand in place of those of the derivation, but for its result.
    Raises: Failure: the check failed; what was derived is then not printed.
    """
    from dataclasses import replace

    from byhand.notation.document import document

    if view.ascii and view.format != "text":
        raise click.UsageError(f"--ascii goes with --format text, not {view.format}")
    turned = d.in_layout(view.layout)
    shown = document(turned, view.notation, view.level)
    if extra is not None:
        own = shown.sections[-1:] if alone else shown.sections
        shown = replace(shown, sections=(*extra(turned), *own) if alone else (*own, *extra(turned)))
    report = examine(turned, view.notation, view.level) if view.check else None
    code = turned.code("numpy") if view.code else None
    text = _PRINTERS[view.format](Shown(turned, shown, report, code, view))
    deliver_text(text, view.output)
    incomplete(report)


def examine(d: Derivation, notation: str = "differential", level: str = "steps") -> Report:
    """Check every step, gradient and printed line with the quick oracles, and say so in one line.

    Raises: Failure: something is wrong.
    """
    from byhand.check.check import check

    return said(check(d, oracles="quick", notation=notation, level=level))


def said(report: Report) -> Report:
    """Say in one line what a check found, or what is wrong in some.

    Raises: Failure: something is wrong.
    """
    paint = painter(sys.stderr)
    if not report.failed:
        note(paint("good" if report.ok else "bad", report.summary))
    else:
        note(report.text(failed_only=True))
        raise Failure("the check failed, so the derivation is withheld; --no-check shows it", 1)
    return report


def incomplete(report: Report | None) -> None:
    """Raises: Failure: a check could not be carried out to the end."""
    if report is not None and not report.ok:
        raise Failure("the check is incomplete (see above)", 1)


def _text(s: Shown) -> str:
    from byhand.notation.render import ascii_code, document_text

    plain = s.view.to_file
    ascii = s.view.ascii or not (plain or writes_unicode())
    width, paint = (None, painter_of_files) if plain else (terminal_width(), painter(sys.stdout))
    text = document_text(s.document, ascii, width, paint)
    if s.code:
        text += f"\n{paint('title', 'Code (NumPy)')}\n\n{ascii_code(s.code) if ascii else s.code}"
    return text


def painter_of_files(kind: str, text: str) -> str:
    """Files have no colours."""
    del kind
    return text


def _latex(s: Shown) -> str:
    from byhand.notation.render import ascii_code, document_latex, standalone_latex

    text = document_latex(s.document)
    if s.code:
        text += "\n\\noindent\\textbf{Code (NumPy)}\n\n\\begin{verbatim}\n" + ascii_code(s.code) + "\\end{verbatim}\n"
    return standalone_latex(text) if s.view.to_file else text


def _markdown(s: Shown) -> str:
    from byhand.notation.render import document_markdown

    return document_markdown(s.document) + (f"\n**Code (NumPy)**\n\n```python\n{s.code}```\n" if s.code else "")


def _html(s: Shown) -> str:
    from byhand.notation.render import document_html
    from byhand.report.report import derivation_page

    body = document_html(s.document)
    if s.view.to_file:
        return derivation_page(s.derivation, body, s.report, s.code)
    return body + (s.code.html() if s.code else "")


def _json(s: Shown) -> str:
    from byhand.notation.render import document_dict

    data: dict[str, Any] = s.derivation.to_dict(s.view.notation, s.view.level) | {"layout": s.view.layout}  # type: ignore[arg-type]
    data |= document_dict(s.document)
    if s.report is not None:
        data["check"] = s.report.to_dict()
    if s.code is not None:
        data["code"] = {"numpy": s.code}
    return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


_PRINTERS: dict[str, Callable[[Shown], str]] = {
    "text": _text,
    "latex": _latex,
    "md": _markdown,
    "html": _html,
    "json": _json,
}

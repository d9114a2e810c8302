"""`byhand jacobian` and `byhand hessian`: derivatives of any shape, with their structure, written out where asked."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.inputs import read_assumptions, read_expression, read_shapes
from byhand.cli.options import FORMAT, OUTPUT, ExpressionCommand, expression_options
from byhand.cli.output import deliver_text, painter, terminal_width, writes_unicode
from byhand.cli.present import FORMATS, format_of, incomplete, painter_of_files, said

if TYPE_CHECKING:
    from byhand.notation.blocks import Document
    from byhand.second.result import Jacobian
    from byhand.views import Code

LAYOUTS = ("numerator", "denominator")
LAYOUT = "Axes of the output first, or those of the input."
TABLE = "Write out every entry, dimensions being of these sizes; with no symbolic dimension, --table '' will do."
EXAMPLES = """\b
Examples
  byhand jacobian "tanh(A @ x)" --wrt x --shape "A:m,n x:n"
  byhand jacobian "W @ a" --wrt W --shape "W:3,5 a:5" --table ""
  byhand hessian "sum(log(1 + exp(X @ w)))" --wrt w --shape "X:m,n w:n"
"""
VIEW = ("layout", "level", "form", "ascii", "output", "table", "check", "code")


@dataclass(frozen=True)
class DerivativeView:
    """What to show of a derivative, and where.

    Attributes:
        layout: "numerator" or "denominator".
        level: "result", or "steps" with the differentials.
        form: one of FORMATS; None goes by the ending of the output file.
        table: dimension=size, separated by commas; None for no table.
        check: whether to check by numbers first.
    """

    layout: str
    level: str
    form: str | None
    ascii: bool
    output: Path | None
    table: str | None
    check: bool
    code: bool


def derivative_options(command: Callable[..., None]) -> Callable[..., None]:
    """EXPR with its options, and those of the view, gathered."""
    layouts, levels = click.Choice(LAYOUTS), click.Choice(("result", "steps"))
    decorators = (
        click.option("--layout", type=layouts, default="numerator", show_default=True, help=LAYOUT),
        click.option("--level", type=levels, default="result", show_default=True, help="steps: with the differentials."),
        click.option("--format", "form", type=click.Choice(FORMATS), help=FORMAT),
        click.option("--ascii", "ascii", is_flag=True, help="Text without characters beyond ASCII."),
        click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=OUTPUT),
        click.option("--table", metavar="m=2,n=3", help=TABLE),
        click.option("--check/--no-check", default=True, show_default=True, help="Check the derivative by numbers."),
        click.option("--code", is_flag=True, help="Add the generated NumPy code."),
    )  # fmt: skip

    @functools.wraps(command)
    def gathered(**given: Any) -> None:
        command(DerivativeView(**{name: given.pop(name) for name in VIEW}), **given)

    decorated: Callable[..., None] = gathered
    for decorate in reversed(decorators):
        decorated = decorate(decorated)
    return expression_options(decorated)


@click.command(cls=ExpressionCommand, epilog=EXAMPLES)
@derivative_options
def jacobian(view: DerivativeView, **given: Any) -> None:
    """Derive the Jacobian of EXPR, of any shape, with respect to one input.

    In matrix notation where there is one, with indices always.
    """
    import byhand

    f, names = _function(given)
    if len(names) != 1:
        raise click.BadParameter("name one input", param_hint="'--wrt'")
    _deliver(byhand.jacobian(f, names[0], view.layout), view)  # type: ignore[arg-type]


@click.command(cls=ExpressionCommand, epilog=EXAMPLES)
@derivative_options
def hessian(view: DerivativeView, **given: Any) -> None:
    """Derive the Hessian of EXPR, a scalar, with respect to one input; --wrt X,Y is the mixed second derivative.

    Its structure (diagonal, XᵀDX, Kronecker, ...) is named.
    """
    import byhand

    f, names = _function(given)
    if len(names) not in (1, 2):
        raise click.BadParameter("name one input, or two for a mixed derivative", param_hint="'--wrt'")
    _deliver(byhand.hessian(f, names[0], names[-1], view.layout), view)  # type: ignore[arg-type]


def _function(given: dict[str, Any]) -> tuple[Any, list[str]]:
    declared, properties = read_shapes(given["shapes"]), read_assumptions(given["assumptions"])
    text = read_expression(given["expression"], given["file"])
    import byhand

    return byhand.parse(text, declared, properties), [w.strip() for value in given["wrt"] for w in value.split(",")]


def _sizes(text: str) -> dict[str, int]:
    sizes = {}
    for pair in filter(None, (p.strip() for p in text.replace(" ", ",").split(","))):
        name, equals, size = pair.partition("=")
        if not (equals and size.strip().isdecimal() and int(size) > 0):
            raise click.BadParameter(f"{pair[:40]!r} is no size: write m=2,n=3", param_hint="'--table'")
        sizes[name.strip()] = int(size)
    return sizes


def _deliver(j: Jacobian, view: DerivativeView) -> None:
    from dataclasses import replace

    from byhand.notation import render
    from byhand.second.expand import table_of

    kind, document = format_of(view.form, view.output), j.document(level=view.level)
    if view.ascii and kind != "text":
        raise click.UsageError(f"--ascii goes with --format text, not {kind}")
    report = None
    if view.check:
        from byhand.second.verify import verified

        report = said(verified(j))
    table = None if view.table is None else table_of(j, _sizes(view.table))
    if table is not None:
        document = replace(document, sections=(*document.sections, table.section()))
    code = j.code() if view.code else None
    whole = view.output is not None and str(view.output) != "-"
    match kind:
        case "text":
            text = _text(document, code, view, whole)
        case "latex":
            text = render.document_latex(document)
            text += f"\n\\begin{{verbatim}}\n{render.ascii_code(code)}\\end{{verbatim}}\n" if code else ""
            text = render.standalone_latex(text) if whole else text
        case "md":
            text = render.document_markdown(document) + (f"\n```python\n{code}```\n" if code else "")
        case "html":
            text = _html(document, code, whole)
        case _:
            data = j.to_dict(level=view.level) | render.document_dict(document)
            data |= {"code": {"numpy": code}} if code else {}
            text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    deliver_text(text, view.output)
    incomplete(report)


def _text(document: Document, code: str | None, view: DerivativeView, whole: bool) -> str:
    import sys

    from byhand.notation.render import ascii_code, document_text

    ascii = view.ascii or not (whole or writes_unicode())
    width, paint = (None, painter_of_files) if whole else (terminal_width(), painter(sys.stdout))
    text = document_text(document, ascii, width, paint)
    if code:
        text += f"\n{paint('title', 'Code (NumPy)')}\n\n{ascii_code(code) if ascii else code}"
    return text


def _html(document: Document, code: Code | None, whole: bool) -> str:
    from byhand.notation.render import document_html
    from byhand.report.report import Part, code_block, page

    body = document_html(document)
    if not whole:
        return body + (code.html() if code else "")
    block = code_block(code) if code else ""
    title = "".join(p if isinstance(p, str) else "" for p in document.title).strip()
    return page(title, [Part("Derivative", body), *([Part("Code", block)] if block else [])])

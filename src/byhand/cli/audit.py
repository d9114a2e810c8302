"""`byhand audit`: a derivation, formula by formula."""

from __future__ import annotations

import json
from pathlib import Path

import click

from byhand.cli.inputs import read_expression
from byhand.cli.output import Failure, show, write

EXAMPLES = """\b
Example: a file with
  X: (N, D)
  W: (D, C)
  Y: (N, C) one_hot
  P = softmax(X @ W)
  L = -trace(Y.T @ log(P))/N
  dW = X.T @ (P - Y)/N
"""


@click.command(epilog=EXAMPLES)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--format",
    "format_",
    default="auto",
    metavar="NAME",
    help="auto, lines, markdown, latex, notebook, html or text; the default is auto.",
)
@click.option(
    "--read-at-least",
    default=0.5,
    metavar="SHARE",
    help="Of the formulas of a page; less is exit code 3. The default is 0.5.",
)
def audit(file: Path, as_json: bool, format_: str, read_at_least: float) -> None:
    """Check a derivation: a page (Markdown, LaTeX, a notebook, HTML, plain text), or lines; - reads standard input.

    Exit codes: 0 nothing is wrong, 1 something is, 2 usage, 3 less of a page was read than asked.
    """
    text = read_expression("-", None) if str(file) == "-" else read_expression(None, file)
    from byhand.audit.audit import audit as run

    report = run(text, format_)
    if as_json:
        write(json.dumps(report.to_dict(), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        show(report)
    if report.page and not report.wrong:
        if report.read < read_at_least:
            raise Failure(f"{report.read:.0%} of the formulas were read, {read_at_least:.0%} were asked for", 3)
    elif not report.ok:
        raise Failure("the derivation is not right (see above)" if report.wrong else report.summary, 1)

"""`byhand audit`: a derivation, line by line."""

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
def audit(file: Path, as_json: bool) -> None:
    """Check a derivation line by line; - reads standard input.

    Exit codes: 0 right, 1 a line is wrong, 2 usage.
    """
    text = read_expression("-", None) if str(file) == "-" else read_expression(None, file)
    from byhand.audit.audit import audit as run

    report = run(text)
    if as_json:
        write(json.dumps(report.to_dict(), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        show(report)
    if not report.ok:
        raise Failure("the derivation is not right (see above)" if report.wrong else report.summary, 1)

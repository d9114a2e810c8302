"""`byhand audit`: a derivation, formula by formula."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from byhand.cli.inputs import read_expression
from byhand.cli.output import Failure, show, write
from byhand.files import write_atomically

if TYPE_CHECKING:
    from byhand.audit.report import AuditReport

EXAMPLES = """\b
Example: a file with
  X: (N, D)
  W: (D, C)
  Y: (N, C) one_hot
  P = softmax(X @ W)
  L = -trace(Y.T @ log(P))/N
  dW = X.T @ (P - Y)/N
"""


FORMS = ("text", "json", "html", "sarif", "github")


@click.command(epilog=EXAMPLES)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON: --as json.")
@click.option(
    "--as",
    "form",
    default="text",
    type=click.Choice(FORMS),
    help="What is printed: text, json, html (the page with marks in its margin), sarif, github (annotations).",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a file instead.")
@click.option("--fix", is_flag=True, help="Write a corrected copy beside each file, and show the difference.")
@click.option("--steps", is_flag=True, help="Name the rule by which each line follows, and fill in the steps between.")
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
def audit(
    files: tuple[Path, ...],
    as_json: bool,
    form: str,
    output: Path | None,
    fix: bool,
    steps: bool,
    format_: str,
    read_at_least: float,
) -> None:
    """Check a derivation: a page (Markdown, LaTeX, a notebook, HTML, plain text), or lines; - reads standard input.

    Exit codes: 0 nothing is wrong, 1 something is, 2 usage, 3 less of a page was read than asked.
    """
    if fix and any(str(file) == "-" for file in files):
        raise click.UsageError("--fix writes beside a file: standard input has no place")
    from byhand.audit.audit import audit as run

    form = "json" if as_json else form
    reports: list[tuple[Path, AuditReport]] = []
    for file in files:
        text = read_expression("-", None) if str(file) == "-" else read_expression(None, file)
        reports.append((file, run(text, format_, steps)))
    if form == "text" and output is None:
        for file, report in reports:
            if len(reports) > 1:
                write(f"{file}:")
            show(report)
    else:
        words = _as(form, reports)
        if output is None:
            write(words)
        else:
            write_atomically(output, (words + "\n").encode())
    if fix:
        for file, report in reports:
            _fix(file, report)
    failures = [f for f in (_failure(report, read_at_least) for _, report in reports) if f is not None]
    if failures:
        raise min(failures, key=lambda f: f.exit_code)


def _as(form: str, reports: list[tuple[Path, AuditReport]]) -> str:
    """All reports in one form."""
    match form:
        case "sarif":
            logs = [report.sarif(_shown(file)) for file, report in reports]
            log = {**logs[0], "runs": [run for one in logs for run in one["runs"]]}
            return json.dumps(log, ensure_ascii=False, indent=2, allow_nan=False)
        case "github":
            return "\n".join(found for file, report in reports if (found := report.github(_shown(file))))
        case "html":
            return "\n".join(report.marked(file.name) for file, report in reports)
        case "json":
            made = [report.to_dict() for _, report in reports]
            return json.dumps(made[0] if len(made) == 1 else made, ensure_ascii=False, indent=2, allow_nan=False)
    return "\n".join(report.text() for _, report in reports)


def _shown(file: Path) -> str:
    """A path as it stands in a log: forward slashes, relative where it can be."""
    with suppress(ValueError):
        file = file.resolve().relative_to(Path.cwd())
    return file.as_posix()


def _fix(file: Path, report: AuditReport) -> None:
    """A corrected copy beside a file, and the difference."""
    from byhand.audit.patch import difference

    found = report.fixed()
    if not found.mended:
        write(f"{file}: no mend is known" if report.wrong else f"{file}: nothing to mend")
        return
    copy = file.with_name(f"{file.stem}.fixed{file.suffix}")
    write_atomically(copy, found.text.encode())
    write(difference(report.source, found.text, str(file), str(copy)))
    for line in found.left:
        write(f"line {line.number}: the mend {line.mend} was not put in: its formula is not found as it was read")


def _failure(report: AuditReport, read_at_least: float) -> Failure | None:
    """What a report ends with: 1 where something is wrong, 3 where too little was read."""
    if report.page and not report.wrong:
        if report.read < read_at_least:
            return Failure(f"{report.read:.0%} of the formulas were read, {read_at_least:.0%} were asked for", 3)
        return None
    if report.ok:
        return None
    return Failure("the derivation is not right (see above)" if report.wrong else report.summary, 1)

"""`byhand rules`: every rule, or one with its proof by numbers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.present import FORMATS, format_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from byhand.notation.blocks import Document

SEEDS = (0, 1, 2)


def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of rules that begin so."""
    from click.shell_completion import CompletionItem

    from byhand.rules.catalogue import GROUPS, catalogue

    names = [*GROUPS, *(e.name for e in catalogue())]
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]


@click.command()
@click.argument("name", nargs=-1, shell_complete=complete)
@click.option("--format", "form", type=click.Choice(FORMATS), help="[default: by the ending of FILE, else text]")
@click.option("--ascii", "ascii", is_flag=True, help="Text without characters beyond ASCII.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file.")
def rules(name: tuple[str, ...], form: str | None, ascii: bool, output: Path | None) -> None:
    """List every rule, those of a group, or explain one with its proof by numbers.

    NAME is a rule as derivations show it, a function or operation (tanh, inv), or a group. Exit code 1 if the proof
    fails.
    """
    from byhand.notation.rulebook import proof_document, rule_dict, rules_document
    from byhand.rules.catalogue import GROUPS, catalogue
    from byhand.rules.proofs import explain

    wanted = " ".join(name)
    ok = True
    if not wanted or wanted in GROUPS:
        entries = [e for e in catalogue() if not wanted or e.group == wanted]
        document, data = rules_document(entries), {"rules": [rule_dict(e) for e in entries]}
    else:
        proofs = [explain(wanted, seed) for seed in SEEDS]
        document, data = proof_document(proofs), rule_dict(proofs[0].entry, proofs)
        ok = all(p.ok for p in proofs)
    _deliver(document, data, format_of(form, output), ascii, output)
    if not ok:
        raise click.exceptions.Exit(1)


def _deliver(document: Document, data: dict[str, Any], form: str, ascii: bool, output: Path | None) -> None:
    from byhand.cli.output import deliver_text, painter, terminal_width, writes_unicode
    from byhand.notation.render import document_html, document_latex, document_markdown, document_text, standalone_latex
    from byhand.report.report import Part, page

    if ascii and form != "text":
        raise click.UsageError(f"--ascii goes with --format text, not {form}")
    to_file = output is not None and str(output) != "-"
    match form:
        case "json":
            text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        case "latex":
            text = document_latex(document)
            text = standalone_latex(text) if to_file else text
        case "md":
            text = document_markdown(document)
        case "html":
            text = document_html(document)
            text = page("The rules of byhand", [Part("Rules", text)]) if to_file else text
        case _ if to_file:
            text = document_text(document, ascii)
        case _:
            text = document_text(document, ascii or not writes_unicode(), terminal_width(), painter(sys.stdout))
    deliver_text(text, output)

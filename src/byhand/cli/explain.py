"""`byhand explain`: which rule applies where, and how many paths lead from each intermediate to the function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.derive import derivation
from byhand.cli.options import ExpressionCommand, expression_options, free_entries_option, view_options
from byhand.cli.present import View, deliver
from byhand.cli.programs import beside_source

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation
    from byhand.notation.blocks import Section


@click.command(cls=ExpressionCommand)
@expression_options
@free_entries_option
@view_options(level="micro")
@click.option(
    "--source", is_flag=True, help="With FILE.py:NAME: each line of the source with what was derived from it."
)
@click.option("--tensors", is_flag=True, help="The tensors behind the shortcuts, and what they would cost.")
def explain(view: View, tensors: bool, source: bool, **given: Any) -> None:
    """Derive the gradient of EXPR and explain it.

    EXPR may be FILE.py:NAME, a module of PyTorch or a function of JAX, PyTorch or NumPy, with --shape for its inputs: the
    file is run as Python, and so is the module. With --source, lines of the source and of the derivation stand together.

    Shows every differential and every factor moved, and then, for each intermediate, what uses it (one use: the
    chain rule along one path; several: the total derivative, a sum over the paths), every path from the variables
    to the function with its product of local derivatives, which entries feed which, and where each rule was applied.
    """
    if source:
        from byhand.notation.document import document

        deliver(derivation(**given), view, lambda d: beside_source(d, document(d, view.notation, "steps")), alone=True)
        return
    deliver(derivation(**given), view, partial(sections, tensors=tensors))


def sections(d: Derivation, tensors: bool = False) -> tuple[Section, ...]:
    """The paths, what feeds what, the tensors where asked for, and the rules as sections of the document."""
    from byhand.derive.paths import rules_used, uses
    from byhand.notation import typeset as ts
    from byhand.notation.blocks import Section
    from byhand.second.explain import listed, use_words
    from byhand.second.explain import sections as walked
    from byhand.second.shortcut import shortcut_sections

    paths = [use_words(use, d.f.name) for use in uses(d)]
    rules = [(f"{rule}: ", *listed(map(ts.Name, units))) for rule, units in rules_used(d).items()]
    return (
        Section("Which chain rule", words=tuple(paths)),
        *walked(d),
        *(shortcut_sections(d) if tensors else ()),
        Section("Where each rule was applied", words=tuple(rules)),
    )

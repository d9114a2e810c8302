"""`byhand derive`: the gradient of an expression, with its derivation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.inputs import read_assumptions, read_expression, read_shapes
from byhand.cli.options import ExpressionCommand, expression_options, free_entries_option, view_options
from byhand.cli.present import View, deliver
from byhand.cli.programs import expression_of, is_program

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation
    from byhand.expr.expression import Expression


EXAMPLES = """\b
Examples
  byhand derive "sum((X @ w - y)**2)" --wrt w --shape X:m,n --shape w:n --shape y:m
  byhand derive @loss.txt --shape "X:N,d W:d,k t:N" --assume t:labels -o loss.html
"""


@click.command(cls=ExpressionCommand, epilog=EXAMPLES)
@expression_options
@free_entries_option
@view_options()
def derive(view: View, **given: Any) -> None:
    """Derive the gradient of EXPR, a scalar expression in NumPy's notation.

    EXPR may have several lines, `Z = X @ W + b` naming intermediates and the last line being the function; - reads
    standard input, @FILE a file. FILE.py:NAME takes a module of PyTorch or a function of JAX, PyTorch or NumPy: the file
    is run.
    """
    deliver(derivation(**given), view)


def derivation(
    expression: str | None,
    file: Path | None,
    wrt: tuple[str, ...],
    shapes: Iterable[str],
    assumptions: Iterable[str],
    free_entries: bool = False,
) -> Derivation:
    """The derivation that the options ask for.

    Raises: click.UsageError: options that cannot be read. ByhandError: what the library refuses.
    """
    declared, properties = read_shapes(shapes), read_assumptions(assumptions)
    names = [w.strip() for value in wrt for w in value.split(",")]
    if any(not n for n in names):
        raise click.BadParameter("an empty name: write --wrt X,Y", param_hint="'--wrt'")
    if file is None and is_program(expression):
        assert expression is not None
        f = expression_of(expression.strip(), declared, properties)
    else:
        text = read_expression(expression, file)
        f = _parsed(text, declared, properties)
    from byhand.derive.derivation import derive as derived

    return derived(f, names or None, free_entries)


def _parsed(text: str, shapes: dict[str, str], assume: dict[str, str]) -> Expression:
    from byhand.expr.parse import parse

    return parse(text, shapes, assume)

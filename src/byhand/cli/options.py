"""Options that several commands share, and the command class that explains an expression that starts with a minus."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from byhand.cli.present import FORMATS, View

# The library's lists, written out so that --help needs no library; a test compares them.
NOTATIONS = ("differential", "index", "jacobian")
LEVELS = ("result", "steps", "micro")
LAYOUTS = ("rows", "rows-outputs-first", "columns", "columns-inputs-first")

WRT = "Differentiate with respect to these. [default: every input that is not constant]"
SHAPE = "Shape of an input: names or integers; x: is a scalar. Repeat for each input."
ASSUME = "Declare a property of an input: symmetric, spd, positive, simplexrows, one_hot, labels, constant, ..."
FORMAT = "[default: by the ending of FILE, else text]"
OUTPUT = "Write to a file; LaTeX and HTML are then complete documents."
CHECK = "Check every step and gradient by numbers."
VIEW = ("notation", "level", "layout", "form", "ascii", "output", "check", "code")

Command = Callable[..., None]


class ExpressionCommand(click.Command):
    """A command whose argument may start with a minus: says how to write that."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if any(a.startswith("-") and not a.startswith("--") and len(a) > 2 for a in given):
                remedy = "An expression that begins with a minus goes into brackets, or after -- at the end."
                raise click.UsageError(f"{error.format_message()} {remedy}", ctx) from None
            raise


def expression_options(command: Command) -> Command:
    """EXPR, --file, --wrt, --shape, --assume."""
    file_type = click.Path(path_type=Path, dir_okay=False)
    decorators = (
        click.argument("expression", metavar="EXPR", required=False),
        click.option("--file", type=file_type, help="Read the expression from a file."),
        click.option("--wrt", multiple=True, metavar="X[,Y]", help=WRT),
        click.option("--shape", "shapes", multiple=True, metavar="X:m,n", help=SHAPE),
        click.option("--assume", "assumptions", multiple=True, metavar="X:PROPERTY", help=ASSUME),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def free_entries_option(command: Command) -> Command:
    """--free-entries."""
    words = (
        "Of a symmetric variable the derivatives by the entries of a triangle, not the symmetric G with df = <G, dS>."
    )
    return click.option("--free-entries", is_flag=True, help=words)(command)


def view_options(level: str = "steps") -> Callable[[Command], Command]:
    """--notation, --level, --layout, --format, --ascii, -o, --check, --code, gathered into one `view`."""

    def choice(option: str, known: tuple[str, ...], default: str, words: str) -> Callable[[Command], Command]:
        return click.option(option, type=click.Choice(known), default=default, show_default=True, help=words)

    decorators = (
        choice("--notation", NOTATIONS, "differential", "How the derivation is written."),
        choice("--level", LEVELS, level, "How much of it is shown."),
        choice("--layout", LAYOUTS, "rows", "Samples as rows or columns; weights (in, out) or (out, in)."),
        click.option("--format", "form", type=click.Choice(FORMATS), help=FORMAT),
        click.option("--ascii", "ascii", is_flag=True, help="Text without characters beyond ASCII."),
        click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help=OUTPUT),
        click.option("--check/--no-check", default=True, show_default=True, help=CHECK),
        click.option("--code", is_flag=True, help="Add the generated NumPy code."),
    )

    def decorator(command: Command) -> Command:
        @functools.wraps(command)
        def gathered(**given: Any) -> None:
            view = View(**{name: given.pop(name) for name in VIEW})
            command(view=view, **given)

        decorated: Command = gathered
        for decorate in reversed(decorators):
            decorated = decorate(decorated)
        return decorated

    return decorator

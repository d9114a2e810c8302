"""The options that say how a table is read, and the plan of its columns in words."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.output import note

if TYPE_CHECKING:
    from byhand.train.data.reading import Reading

_OPTIONS = (
    click.option("--drop", multiple=True, metavar="A,B", help="Columns that are left out."),
    click.option("--features", multiple=True, metavar="A,B", help="The only columns that are taken."),
    click.option("--categories", multiple=True, metavar="A,B", help="Columns of names, even where they are numbers."),
    click.option(
        "--unknown",
        type=click.Choice(("error", "other")),
        default="error",
        show_default=True,
        help="What a category that training has not is in prediction; other: none of the known ones.",
    ),
    click.option("--decimal", metavar="SIGN", default=".", show_default=True, help="The sign before a fraction."),
    click.option("--thousands", metavar="SIGN", default="", help="The sign between groups of three digits."),
    click.option("--dates", type=click.Choice(("dmy", "mdy")), help="What 3/4/2020 is: 3 April, or March 4."),
    click.option("--na", multiple=True, metavar="A,B", help="Cells that have no value, beside the usual ones."),
    click.option("--encoding", default="utf-8", show_default=True, help="Of text files: latin-1, cp1252, utf-16, ..."),
    click.option("--impute", is_flag=True, help="Fill missing cells of a table with medians."),
)
_NAMES = ("drop", "features", "categories", "unknown", "decimal", "thousands", "dates", "na", "encoding", "impute")


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of tables, for a command that learns from one."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _listed(given: tuple[str, ...]) -> tuple[str, ...]:
    """Names with commas between them; quoted, a name may have commas itself."""
    return tuple(n.strip() for row in csv.reader(given, skipinitialspace=True) for n in row)


def reading_of(options: dict[str, Any]) -> Reading:
    """What the options say; they are taken out of `options`.

    Raises: DataError: they contradict each other.
    """
    from byhand.errors import DataError
    from byhand.train.data.cells import Notation
    from byhand.train.data.reading import Reading

    o = {n: options.pop(n) for n in _NAMES}
    drop, features, categories, na = (_listed(o[n]) for n in ("drop", "features", "categories", "na"))
    both = sorted(set(drop) & {*features, *categories})
    if both:
        raise DataError(f"the column {both[0]} is to be left out and to be taken", f"--drop without {both[0]}")
    notation = Notation(o["decimal"], o["thousands"], frozenset(n.lower() for n in na))
    return Reading(
        o["impute"], drop, (*features, *(c for c in categories if features and c not in features)), categories,
        o["unknown"], notation, o["dates"] or "", o["encoding"],
    )  # fmt: skip


def say_what_was_decided(table: dict[str, Any] | None, notes: tuple[str, ...]) -> None:
    """Notes of the columns that are left out or could be something else, and of what was changed."""
    if table is not None:
        for column in (*table.get("left_out", ()), *table["columns"]):
            if column.get("note"):
                note(f"Note: column {column['name'] or '(without a name)'}: {column['note']}.")
    for text in notes:
        note(f"Note: {text}.")


__all__ = ["reading_of", "say_what_was_decided", "table_options"]

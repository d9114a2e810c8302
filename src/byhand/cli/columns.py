"""The options that say how a table is read, and the plan of its columns in words."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.output import note

if TYPE_CHECKING:
    from byhand.train.data.reading import Reading

_COLUMNS = (
    click.option("--drop", multiple=True, metavar="A,B", help="Columns that are left out."),
    click.option("--features", multiple=True, metavar="A,B", help="The only columns that are taken."),
    click.option("--categories", multiple=True, metavar="A,B", help="Columns of names, even where they are numbers."),
    click.option("--dates", type=click.Choice(("dmy", "mdy")), help="What 3/4/2020 is: 3 April, or March 4."),
    click.option("--impute", is_flag=True, help="Fill missing cells of a table with medians."),
)


def _of_files(usual: str) -> tuple[Callable[..., Any], ...]:
    """The options of how a file is written, and what is usual: each file may have its own."""

    def default(words: str) -> str:
        return f" [default: {usual or words}]"

    beside = "beside the usual ones and those of the training" if usual else "beside the usual ones"
    unknown = "What a category that training has not is in prediction; other: none of the known ones."
    return (
        click.option("--unknown", type=click.Choice(("error", "other")), help=unknown + default("error")),
        click.option("--decimal", metavar="SIGN", help="The sign before a fraction." + default(".")),
        click.option("--thousands", metavar="SIGN", help="The sign between groups of three digits." + default("none")),
        click.option("--na", multiple=True, metavar="A,B", help=f"Cells that have no value, {beside}."),
        click.option("--encoding", help="Of text files: latin-1, cp1252, utf-16, ..." + default("utf-8")),
    )


_NAMES = ("drop", "features", "categories", "unknown", "decimal", "thousands", "dates", "na", "encoding", "impute")


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of tables, for a command that learns from one."""
    for option in reversed((*_COLUMNS, *_of_files(""))):
        command = option(command)
    return command


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of how a file is written, for a command that uses a saved model."""
    for option in reversed(_of_files("as in training")):
        command = option(command)
    return command


def read_again(table: dict[str, Any] | None, options: dict[str, Any]) -> Reading | None:
    """How a file is read for a saved model: as in training, but for what the options say. None of what is no table.

    Raises: DataError: signs that cannot be told apart; an option of tables, and the model was trained on none.
    """
    from byhand.errors import DataError
    from byhand.train.data.cells import Notation
    from byhand.train.data.reading import Reading, restored

    given = {n: v for n in ("unknown", "decimal", "thousands", "na", "encoding") if (v := options[n]) not in (None, ())}
    if table is None:
        if given:
            name = next(iter(given))
            raise DataError(f"the model was not trained on a table: --{name} says nothing", f"leave out --{name}")
        return None
    old = restored(table)
    na = old.notation.na | {n.lower() for n in _listed(given.get("na", ()))}
    notation = Notation(given.get("decimal", old.notation.decimal), given.get("thousands", old.notation.thousands), na)
    unknown, encoding = given.get("unknown", old.unknown), given.get("encoding", old.encoding)
    return Reading(unknown=unknown, notation=notation, encoding=encoding)


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
    notation = Notation(o["decimal"] or ".", o["thousands"] or "", frozenset(n.lower() for n in na))
    return Reading(
        o["impute"], drop, (*features, *(c for c in categories if features and c not in features)), categories,
        o["unknown"] or "error", notation, o["dates"] or "", o["encoding"] or "utf-8",
    )  # fmt: skip


def say_what_was_decided(table: dict[str, Any] | None, notes: tuple[str, ...]) -> None:
    """Notes of the columns that are left out or could be something else, and of what was changed."""
    if table is not None:
        for column in (*table.get("left_out", ()), *table["columns"]):
            if column.get("note"):
                note(f"Note: column {column['name'] or '(without a name)'}: {column['note']}.")
    for text in notes:
        note(f"Note: {text}.")


__all__ = ["file_options", "read_again", "reading_of", "say_what_was_decided", "table_options"]

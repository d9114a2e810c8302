"""Reports as rich shows them: a table with colours, cut to the width of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

STYLES = {"right": "green", "wrong": "bold red", "not checkable": "yellow"}


def grid(columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], verdict: int) -> RenderableType:
    """A table without its empty columns.

    Args:
        columns: their names.
        rows: (verdict, texts) of each.
        verdict: the column to colour.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    kept = list(rows)
    shown = [k for k in range(len(columns)) if any(cells[k] for _, cells in kept)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k in shown:
        table.add_column(columns[k], overflow="fold", no_wrap=k == verdict)
    for word, cells in kept:
        table.add_row(*(Text(cells[k], style=STYLES[word] if k == verdict else "") for k in shown))
    return table


def page(
    verdict: str, summary: str, notes: Iterable[str], parts: Iterable[Sequence[str]], *tables: RenderableType
) -> Group:
    """A summary, notes, numbered parts whose first line stands out, and tables below."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lines: list[RenderableType] = [
        Text(summary, style=STYLES[verdict]),
        *(Text(f"note: {n}", style="dim") for n in notes),
    ]
    for k, (first, *rest) in enumerate(parts, 1):
        lines += [Text(), Text(f"{k}. {first}", style="bold")]
        for line in rest:
            word, colon, said = line.partition(": ")
            known = word in ("evidence", "mend", "advice", "before", "after", "numbers", "sizes")
            text = Text.assemble((word + colon, "cyan"), said) if known else Text(line)
            lines.append(Padding(text, (0, 0, 0, 3)))
    return Group(*lines, Text(), *tables)

"""What reports of checks have in common: true where all is right, the reasons as an error, tables as text, a box of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from byhand.errors import CheckError
from byhand.views import Shown


class CheckReport(Shown):
    """A report that is true where everything was checked and is right."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether everything was checked and is right."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """One line."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        return self.ok

    def reasons(self) -> str:
        """The summary, and below it why the report is not ok."""
        return self.text()

    def assert_ok(self) -> None:
        """Nothing where all is right.

        Raises: CheckError: the summary and the reasons.
        """
        if not self.ok:
            summary, *rest = self.reasons().splitlines()
            raise CheckError(summary, *rest)

    def box(self, *parts: str) -> str:
        """Parts of HTML below the summary, shut where all is right."""
        opened = "" if self.ok else " open"
        summary = f"<summary>{escape(self.summary)}</summary>"
        return f'<details class="byhand-check"{opened}>{summary}{"".join(parts)}</details>'


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines, its columns aligned; a column whose cells are all empty is left out."""
    table = [heads, *rows]
    kept = [k for k in range(len(heads)) if any(cells[k] for cells in rows)]
    width = {k: max(len(cells[k]) for cells in table) for k in kept}
    return ["  ".join(f"{cells[k]:<{width[k]}}" for k in kept).rstrip() for cells in table]


def table_html(heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table of HTML: heads as text, rows as HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def row_html(verdict: str, cells: Sequence[str]) -> str:
    """A row of such a table; one that is not right is red."""
    style = "" if verdict == "right" else ' style="background: #fdd; color: #700"'
    inside = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{verdict.replace(" ", "-")}"{style}>{inside}</tr>'


def paragraphs(notes: Sequence[str]) -> str:
    """Sentences as HTML."""
    return "".join(f"<p>{escape(note)}</p>" for note in notes)

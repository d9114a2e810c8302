"""Rows: a display cut at its line breaks, each read into statements; formulas within the prose likewise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from byhand.audit.pages.documents import Stretch
from byhand.errors import ByhandError
from byhand.reading.grammar import read
from byhand.reading.macros import Macro
from byhand.reading.macros import rows as split
from byhand.reading.tree import Node, Relation

LONGEST = 4000  # characters of a row that is read
_HOLDERS = re.compile(
    r"\\(?:begin|end)\{(?:align|aligned|alignat|alignedat|eqnarray|gather|gathered|multline|split|flalign|IEEEeqnarray|equation|displaymath|dmath)\*?\}(?:\{[^{}]*\})?(?:\[[^\]]*\])?"
)
_NOISE = re.compile(r"\\(?:label|tag|eqref)\*?\{[^{}]*\}|\\(?:nonumber|notag)\b")


@dataclass
class Row:
    """A row of a display, or a formula in the prose.

    Attributes:
        source: as written, without what holds it.
        number, column, cell: its place in the file.
        inline: whether it stands in the prose.
        statements: what it says; empty where it cannot be read.
        trouble: why it cannot be read.
        continues: the row that it continues: its first side is missing.
        index: its number among the rows of the page.
        note: what stands beside it: its shape, a reason.
    """

    source: str
    number: int
    column: int
    cell: int | None
    inline: bool
    spelling: str
    statements: list[Node] = field(default_factory=list)
    trouble: str = ""
    continues: Row | None = None
    index: int = 0
    note: str = ""

    @property
    def chains(self) -> list[Relation]:
        """The relations."""
        return [s for s in self.statements if isinstance(s, Relation)]

    def words(self, node: Node) -> str:
        """A part of the row as written."""
        return self.source[node.start : node.end]


def rows_of(stretches: list[Stretch], macros: Mapping[str, Macro]) -> Iterator[tuple[Row | None, Stretch]]:
    """The rows of a page in order, each with its stretch; prose comes with no row."""
    before: Row | None = None
    count = 0
    for stretch in stretches:
        if stretch.kind == "prose":
            yield None, stretch
            continue
        for row in _rows(stretch, macros):
            row.index, count = count, count + 1
            first = row.chains[0] if row.chains else None
            if first is not None and first.sides[0] is None and before is not None and not row.inline:
                row.continues = before
            if not row.inline and row.chains:
                before = row
            yield row, stretch


def _rows(stretch: Stretch, macros: Mapping[str, Macro]) -> Iterator[Row]:
    text = _blank(_HOLDERS, stretch.text)
    parts = split(text) if stretch.spelling == "latex" and stretch.kind == "display" else [(0, text)]
    for place, part in parts:
        body = _blank(_NOISE, part)
        lead = len(body) - len(body.lstrip("& \n\t"))
        source = body.strip("& \n\t")
        trimmed = source.rstrip(".,;: ")
        if not re.search(r"[A-Za-z0-9\\∂Σ∇α-ω]", trimmed):
            continue
        at = place + lead
        line = text.count("\n", 0, at)
        column = at - (text.rfind("\n", 0, at) + 1) + (stretch.column if not line else 1)
        row = Row(trimmed, stretch.line + line, column, stretch.cell, stretch.kind == "inline", stretch.spelling)
        row.note = stretch.note or _note(trimmed)
        if len(trimmed) > LONGEST:
            row.trouble = f"longer than {LONGEST} characters"
            yield row
            continue
        try:
            row.statements = read(trimmed, stretch.spelling, dict(macros))
        except ByhandError as error:
            row.trouble = error.message
        except RecursionError:
            row.trouble = "nested too deep"
        yield row


def _note(text: str) -> str:
    """What an author writes behind a formula in a column of words: \\text{(m, n); product rule}."""
    m = re.search(r"&&\s*\\text\{((?:[^{}]|\{[^{}]*\})*)\}\s*$", text)
    return m[1] if m else ""


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)

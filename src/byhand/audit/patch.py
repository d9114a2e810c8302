"""A corrected copy of a file: each mend of a report put in the place of its formula, and the difference shown."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from byhand.audit.report import Line


class Patched(NamedTuple):
    """A corrected text.

    Attributes:
        text: with the mends.
        mended: the lines that were mended.
        left: those with a mend whose formula was not found at its place.
    """

    text: str
    mended: tuple[Line, ...]
    left: tuple[Line, ...]


def patched(text: str, lines: Sequence[Line]) -> Patched:
    """The text with all mends; a notebook keeps its form."""
    asked = [line for line in lines if line.mend and line.status == "wrong"]
    if any(line.cell is not None for line in asked):
        return _notebook(text, asked)
    return _replaced(text, asked)


def _replaced(text: str, asked: Sequence[Line]) -> Patched:
    starts = [0]
    for row in text.split("\n"):
        starts.append(starts[-1] + len(row) + 1)
    places: list[tuple[int, int, Line, str]] = []
    left: list[Line] = []
    for line in asked:
        found = _place(text, starts, line)
        if found is None:
            left.append(line)
        else:
            places.append((*found[:2], line, found[2]))
    made, at, mended = [], 0, []  # type: list[str], int, list[Line]
    for start, end, line, words in sorted(places, key=lambda p: p[0]):
        if start < at:
            left.append(line)
            continue
        made += [text[at:start], words]
        at = end
        mended.append(line)
    return Patched("".join([*made, text[at:]]), tuple(mended), tuple(left))


def _place(text: str, starts: Sequence[int], line: Line) -> tuple[int, int, str] | None:
    """Where a formula stands: at its line and column, else where it stands alone from its line on."""
    begin = starts[min(line.number - 1, len(starts) - 1)]
    for source, mend in ((line.source, line.mend), (escape(line.source, quote=False), escape(line.mend, quote=False))):
        at = begin + (line.column or 1) - 1
        if text.startswith(source, at):
            return at, at + len(source), mend
        end = begin + 200 + 2 * len(source)
        at = text.find(source, begin, end)
        if at >= 0 and text.find(source, at + 1, end) < 0:
            return at, at + len(source), mend
    return None


def _notebook(text: str, asked: Sequence[Line]) -> Patched:
    content = json.loads(text)
    cells = content.get("cells") or [c for w in content.get("worksheets", []) for c in w["cells"]]
    mended: list[Line] = []
    left: list[Line] = []
    for number in dict.fromkeys(line.cell for line in asked):
        cell = cells[(number or 1) - 1]
        found = _replaced("".join(cell["source"]), [line for line in asked if line.cell == number])
        listed = isinstance(cell["source"], list)
        cell["source"] = found.text.splitlines(keepends=True) if listed else found.text
        mended += found.mended
        left += found.left
    indent = len(text.split("\n")[1]) - len(text.split("\n")[1].lstrip()) if text.count("\n") > 1 else None
    made = json.dumps(content, ensure_ascii=False, indent=indent) + ("\n" if text.endswith("\n") else "")
    return Patched(made, tuple(mended), tuple(left))


def difference(before: str, after: str, name: str, other: str) -> str:
    """The difference of two texts, as `diff -u` shows it."""
    rows = difflib.unified_diff(before.splitlines(), after.splitlines(), name, other, lineterm="", n=1)
    return "\n".join(rows)

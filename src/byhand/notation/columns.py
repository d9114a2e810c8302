"""Text in columns: formula, shape, rule; broken to the width of a terminal where one is given."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence

WIDEST = 76  # without a given width, the column of shapes starts no further right than this
NARROWEST_RULE = 26  # a column of rules narrower than this is no longer read at a glance
GAP = "   "

Row = tuple[str, str, str]  # formula, shape, rule
Paint = Callable[[str, str], str]  # (kind of text, text) -> the text with colours


def unpainted(kind: str, text: str) -> str:
    """No colours."""
    return text


def columns(rows: Sequence[Row], width: int | None = None, paint: Paint = unpainted) -> list[str]:
    """Rows as lines.

    Args:
        rows: formula, shape and rule of each.
        width: of the terminal; None leaves every row on one line.
        paint: gives shapes ("shape") and rules ("rule") their colours.
    """
    shapes = max((len(r[1]) for r in rows), default=0)
    rules = max((len(r[2]) for r in rows), default=0)
    reach = len(GAP) + shapes  # a formula without a shape may reach into the column of shapes
    needs = [len(formula) - (0 if shape else reach) for formula, shape, _ in rows]
    longest = max((n for n, (_, shape, rule) in zip(needs, rows, strict=True) if shape or rule), default=0)
    limit = WIDEST
    if width is not None:
        limit = width - reach - (len(GAP) + min(rules, NARROWEST_RULE) if rules else 0)
    first = longest if longest <= limit else max((n for n in needs if n <= limit), default=limit)
    first = max(first, 20 if longest > limit else 0)
    rule_width = None if width is None else max(NARROWEST_RULE, width - first - reach - len(GAP))
    lines = []
    for formula, shape, rule in rows:
        pieces = [formula] if width is None else broken(formula, width)
        notes = [rule] if rule_width is None else textwrap.wrap(rule, rule_width, break_long_words=False) or [""]
        last = pieces.pop()
        if width is not None and (shape or rule) and len(last) > first + (0 if shape else reach):
            pieces, last = [*pieces, last], ""
        lines += [*pieces, _line(last, shape, notes[0], first, shapes, paint)]
        lines += [_line("", "", note, first, shapes, paint) for note in notes[1:]]
    return lines


def _line(formula: str, shape: str, rule: str, first: int, shapes: int, paint: Paint) -> str:
    """One line, padded before it is painted."""
    if not (shape or rule):
        return formula
    if not shape:
        return f"{formula:<{first + len(GAP) + shapes}}{GAP}{paint('rule', rule)}"
    pad = " " * (shapes - len(shape)) + GAP
    return f"{formula:<{first}}{GAP}{paint('shape', shape)}" + (f"{pad}{paint('rule', rule)}" if rule else "")


def broken(formula: str, width: int) -> list[str]:
    """A formula in pieces of at most the width, broken before an operator outside brackets, else inside them."""
    lead = len(formula) - len(formula.lstrip())
    start = formula.find("= ") + 2 if "= " in formula else lead
    indent = min(start, width // 3) + 2
    pieces = []
    while len(formula) > width:
        places = _places(formula, start)
        ends = [(depth, -k) for k, depth in places if k <= width]
        if not ends:
            break
        at = -min(ends)[1]
        pieces.append(formula[:at].rstrip())
        formula = " " * indent + formula[at:].lstrip()
        start = indent + 1
    return [*pieces, formula]


def _places(formula: str, start: int) -> list[tuple[int, int]]:
    """(position, depth of brackets) of the operators after `start` at which a line may be broken."""
    depth, found = 0, []
    for k, c in enumerate(formula):
        depth += (c in "([{⟨") - (c in ")]}⟩")
        if k > start and c == " " and re.match(r" (=|\+|-|−|⊙|\.\*|\*) ", formula[k : k + 4]):
            found.append((k, depth))
    return found


def filled(items: Iterable[str], width: int | None, indent: str = "  ") -> list[str]:
    """Items side by side, going on below where the width ends."""
    lines: list[str] = []
    for item in items:
        if lines and (width is None or len(lines[-1]) + len(GAP) + len(item) <= width):
            lines[-1] += GAP + item
        else:
            lines.append(indent + item)
    return lines


def paragraph(words: str, width: int | None, indent: str = "  ") -> list[str]:
    """A sentence, going on below where the width ends."""
    if width is None:
        return [indent + words]
    return textwrap.wrap(words, width, initial_indent=indent, subsequent_indent=indent + "  ", break_long_words=False)

"""Comments of a C file: at its head what it computes, from what and how; beside each statement its mathematics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from byhand.code.c.loops import INDENT
from byhand.code.c.places import Places
from byhand.code.layout import WIDEST
from byhand.code.statements import Listing, Statement
from byhand.expr.dims import show_shape
from byhand.expr.nodes import Symbol
from byhand.notation import typeset as ts
from byhand.notation.text import to_text
from byhand.program.ops import Input

LONGEST_TITLE = 90


def head_comment(listing: Listing, names: Mapping[Input, str], memory: Iterable[str]) -> str:
    """What the file computes, from what, by which formulas, and what memory it needs.

    Args:
        listing: what is computed.
        names: the identifier of each leaf.
        memory: lines about the memory.
    """
    title = listing.title if len(listing.title) <= LONGEST_TITLE else listing.title.split(" with respect to ")[0]
    lines = [f"{safe(title)}; derived and written by byhand. C99, no other file, no allocation.", ""]
    shown = [
        f"{INDENT}{names[s.leaf]} = {safe(to_text(s.math, names=listing.page))}"
        for s in listing.statements
        if s.math is not None and (s.section == "value" or (s.section == "forward" and s.defined))
    ]
    lines += [line for line in shown if len(line) < WIDEST - 4]
    lines += ["", "Arrays stand row by row, the last index running fastest:"]
    lines += [f"{INDENT}{names[leaf]}: {_described(s)}" for s, leaf in listing.leaves.items()]
    lines += ["", *map(safe, listing.notes), *memory]
    return "/*\n" + "\n".join(f" * {line}".rstrip() for line in lines) + "\n */"


def statement_comment(s: Statement, listing: Listing, names: Mapping[Input, str], places: Places) -> str:
    """The mathematics of a statement, its shape, and whose place it takes; nothing where it has no mathematics."""
    if s.math is None and s.result is None:
        return ""
    shape, name = show_shape(s.shape), names[s.leaf]
    taken = places.storage.in_place.get(s.leaf)
    place = "" if taken is None else f", in the place of {names[taken]}"
    math = ts.Relation("=", s.left if s.left is not None else ts.Name(name), s.math) if s.math is not None else None
    text = "" if math is None else safe(re.sub(r"\s+", " ", to_text(math, names=listing.page)))
    own = f"{name} = " if s.left is not None else ""
    full = f"{own}{text}   {shape}{place}"
    return full if text and len(full) <= WIDEST - 10 else f"{name}   {shape}{place}"


def _described(s: Symbol) -> str:
    kind = "labels from 0 on, " if "labels" in s.assumptions else ""
    return f"{kind}{show_shape(s.shape)}" if s.shape else "a number"


def safe(text: str) -> str:
    """Text that a comment can hold: it neither ends nor nests, and has no trigraphs."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")


__all__ = ["head_comment", "safe", "statement_comment"]

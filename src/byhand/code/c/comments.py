"""Comments of a C file: at its head what it computes, from what and how; beside each statement its mathematics."""

from __future__ import annotations

import re
from collections.abc import Iterable

from byhand.code.c.body import INDENT
from byhand.code.c.storage import Storage
from byhand.code.layout import WIDEST
from byhand.code.program import Program, Statement
from byhand.expr.dims import show_shape
from byhand.expr.nodes import Named, Symbol
from byhand.notation import typeset as ts
from byhand.notation.text import to_text

LONGEST_TITLE = 90


def head_comment(program: Program, memory: Iterable[str]) -> str:
    """What the file computes, from what, by which formulas, and what memory it needs.

    Args:
        program: what is computed.
        memory: lines about the memory.
    """
    title = program.title if len(program.title) <= LONGEST_TITLE else program.title.split(" with respect to ")[0]
    lines = [f"{safe(title)}; derived and written by byhand. C99, no other file, no allocation.", ""]
    shown = [
        s
        for s in program.statements
        if s.math is not None and (s.section == "value" or (s.section == "forward" and isinstance(s.leaf, Named)))
    ]
    shown_text = [
        f"{INDENT}{s.name} = {safe(to_text(s.math, names=program.page))}" for s in shown if s.math is not None
    ]
    lines += [line for line in shown_text if len(line) < WIDEST - 4]
    lines += ["", "Arrays stand row by row, the last index running fastest:"]
    lines += [f"{INDENT}{program.names[s]}: {_described(s)}" for s in program.inputs]
    lines += ["", *map(safe, program.notes), *memory]
    return "/*\n" + "\n".join(f" * {line}".rstrip() for line in lines) + "\n */"


def statement_comment(s: Statement, program: Program, storage: Storage) -> str:
    """The mathematics of a statement, its shape, and whose place it takes."""
    shape = show_shape(s.shape)
    place = f", in the place of {program.names[storage.in_place[s.leaf]]}" if s.leaf in storage.in_place else ""
    math = ts.Relation("=", s.left if s.left is not None else ts.Name(s.name), s.math) if s.math is not None else None
    text = "" if math is None else safe(re.sub(r"\s+", " ", to_text(math, names=program.page)))
    own = f"{s.name} = " if s.left is not None else ""
    full = f"{own}{text}   {shape}{place}"
    return full if text and len(full) <= WIDEST - 10 else f"{s.name}   {shape}{place}"


def _described(s: Symbol) -> str:
    kind = "labels from 0 on, " if "labels" in s.assumptions else ""
    return f"{kind}{show_shape(s.shape)}" if s.shape else "a number"


def safe(text: str) -> str:
    """Text that a comment can hold: it neither ends nor nests, and has no trigraphs."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")


__all__ = ["head_comment", "safe", "statement_comment"]

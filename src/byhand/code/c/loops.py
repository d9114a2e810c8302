"""The body of a C function under construction: nested loops, and lines in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from byhand.code.c.pieces import Piece, dim_piece
from byhand.expr.dims import Dim

LOOP_NAMES = "ijklpqrstuvw"
INDENT = "    "


@dataclass
class Block:
    """What stands in one loop, or in the function itself."""

    variable: str = ""
    bound: str = ""
    items: list[Any] = field(default_factory=list)  # lines, and blocks of loops inside
    locals: set[str] = field(default_factory=set)


class Body:
    """Lines and loops of one function.

    Args:
        dims: the identifier of each named dimension.
        taken: words that must not name anything else.
    """

    def __init__(self, dims: Callable[[str], str], taken: set[str]) -> None:
        self.dims, self.taken = dims, taken
        self.stack = [Block()]

    def line(self, text: str) -> None:
        """A line in the innermost open loop."""
        self.stack[-1].items.append(text)

    def open(self, size: Dim) -> str:
        """Open a loop over an axis; its variable, or 0 for an axis of one."""
        if size == 1:
            self.stack.append(Block())
            return "0"
        busy = self.taken.union(*({b.variable} | b.locals for b in self.stack))
        free = (f"{c}{n or ''}" for n in range(100) for c in LOOP_NAMES)
        variable = next(v for v in free if v not in busy)
        self.stack.append(Block(variable, self.dim(size).text))
        return variable

    def close(self, loops: int = 1) -> None:
        """Close the innermost loops."""
        for _ in range(loops):
            block = self.stack.pop()
            self.stack[-1].items.extend([block] if block.variable else block.items)
            self.stack[-1].locals |= set() if block.variable else block.locals

    @contextmanager
    def at(self, depth: int) -> Iterator[None]:
        """Work in an outer loop, before the loops that are open inside it."""
        inside, self.stack = self.stack[depth + 1 :], self.stack[: depth + 1]
        try:
            yield
        finally:
            self.stack = self.stack[: depth + 1] + inside

    def local(self, wish: str) -> str:
        """A new name for a value."""
        busy = self.taken.union(*({b.variable} | b.locals for b in self.stack))
        name = wish if wish not in busy else next(w for w in (f"{wish}{k}" for k in count(2)) if w not in busy)
        self.stack[-1].locals.add(name)
        return name

    def dim(self, d: Dim) -> Piece:
        """A dimension."""
        return dim_piece(d, self.dims)

    def lines(self, depth: int = 1) -> list[str]:
        """The finished lines, indented so often."""
        assert len(self.stack) == 1
        return [f"{INDENT * depth}{line}" if line else "" for line in _written(self.stack[0])]


def _written(block: Block) -> list[str]:
    lines: list[str] = []
    for item in block.items:
        if isinstance(item, str):
            lines.append(item)
            continue
        inner = _written(item)
        if not inner:
            continue
        head = f"for (int {item.variable} = 0; {item.variable} < {item.bound}; {item.variable}++)"
        single = len(item.items) == 1 and not inner[0].startswith(("const ", "double "))
        lines.append(head if single else f"{head} {{")
        lines += [f"{INDENT}{line}" for line in inner]
        lines += [] if single else ["}"]
    return lines


__all__ = ["INDENT", "Block", "Body"]

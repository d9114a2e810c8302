"""The body of a C function under construction: nested loops, and values computed once in the loop where they can be."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

from byhand.code.c.pieces import Piece, dim_piece, offset
from byhand.errors import MissingRuleError
from byhand.expr.dims import Dim, Shape
from byhand.expr.nodes import Expr
from byhand.rules.forms import Form

_WORD = re.compile(r"[A-Za-z_]\w*")
Index = tuple[str, ...]
LOOP_NAMES = "ijklpqrstuvw"
INDENT = "    "


class NeedsName(Exception):  # noqa: N818 -- a signal between modules, never shown
    """A part of a statement that is best computed before it, into an array of its own."""

    def __init__(self, form: Form) -> None:
        super().__init__(form.kind)
        self.form = form


@dataclass
class Block:
    """What stands in one loop, or in the function itself."""

    variable: str = ""
    bound: str = ""
    items: list[Any] = field(default_factory=list)  # lines, and blocks of loops inside
    known: dict[Hashable, Any] = field(default_factory=dict)  # values that have a name here
    locals: set[str] = field(default_factory=set)


class Body:
    """Lines and loops of one function.

    Attributes:
        rows: what writes an entry of a form, by its kind.
        operations: the same for operations, by their name.

    Args:
        names: the C source of each leaf: an array, or a number.
        dims: the identifier of each named dimension.
        taken: words that must not name anything else.
    """

    rows: ClassVar[Mapping[str, Row]]
    operations: ClassVar[Mapping[str, Row]]

    def __init__(self, names: Mapping[Expr, str], dims: Callable[[str], str], taken: set[str]) -> None:
        self.names, self.dims, self.taken = names, dims, taken
        self.stack = [Block()]
        self.kernels: set[str] = set()
        self.used_dims: set[str] = set()

    # ---- lines and loops

    def line(self, text: str) -> None:
        """A line in the innermost open loop."""
        self.stack[-1].items.append(text)

    def open(self, size: Dim) -> str:
        """Open a loop over an axis; its variable, or 0 for an axis of one."""
        if size == 1:
            self.stack.append(Block())
            return "0"
        busy = self.taken | {b.variable for b in self.stack}
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

    def depth(self, words: Sequence[str]) -> int:
        """How deep the innermost loop stands whose variable occurs."""
        used = self.variables(words)
        return max((d for d, b in enumerate(self.stack) if b.variable in used), default=0)

    def variables(self, words: Sequence[str]) -> set[str]:
        """The identifiers in indices."""
        return {w for text in words for w in _WORD.findall(text)}

    def repeated(self, words: Sequence[str]) -> bool:
        """Whether what has these indices would be computed anew in a loop that it does not depend on."""
        used = self.variables(words)
        return any(b.variable and b.variable not in used for b in self.stack[1 : self.depth(words) + 1])

    def local(self, wish: str) -> str:
        """A new name for a value."""
        busy = self.taken.union(*(b.locals for b in self.stack))
        name = wish if wish not in busy else next(w for w in (f"{wish}{k}" for k in count(2)) if w not in busy)
        self.stack[-1].locals.add(name)
        return name

    def known(self, key: Hashable) -> Any:
        """The value under a key that an open loop has computed already."""
        return next((b.known[key] for b in reversed(self.stack) if key in b.known), None)

    # ---- names

    def dim(self, d: Dim) -> Piece:
        """A dimension."""
        return dim_piece(d, self._dim_name)

    def dim_name(self, name: str) -> str:
        """The identifier of a named dimension."""
        return self._dim_name(name)

    def _dim_name(self, name: str) -> str:
        self.used_dims.add(name)
        return self.dims(name)

    def element(self, leaf: Expr, shape: Shape, index: Sequence[str]) -> Piece:
        """An entry of an array."""
        return Piece(f"{self.names[leaf]}[{offset(shape, index, self._dim_name)}]")

    def entry(self, form: Form, index: Index) -> Piece:
        """The entry of a form's value.

        What has loops of its own is computed in the outermost loop that has all of its indices, into a number that the
        entry then uses; where another loop would repeat it, `NeedsName` asks for an array computed before.
        """
        table, key = (self.operations, form.data[0]) if form.kind == "operation" else (self.rows, form.kind)
        if key not in table:
            raise MissingRuleError(f"the C target has no row for {key}", "add one to byhand/code/c/entries.py")
        return table[key](self, form, index)

    # ---- text

    def lines(self) -> list[str]:
        """The finished lines."""
        assert len(self.stack) == 1
        return [f"{INDENT}{line}" if line else "" for line in _written(self.stack[0])]


Row = Callable[[Body, Form, Index], Piece]


def _written(block: Block) -> list[str]:
    lines: list[str] = []
    for item in block.items:
        if isinstance(item, str):
            lines.append(item)
            continue
        inner = _written(item)
        head = f"for (int {item.variable} = 0; {item.variable} < {item.bound}; {item.variable}++)"
        single = len(item.items) == 1 and not inner[0].startswith(("const ", "double "))
        lines.append(head if single else f"{head} {{")
        lines += [f"{INDENT}{line}" for line in inner]
        lines += [] if single else ["}"]
    return lines

"""Where in the user's source an operation stands, and which variable its statement assigns."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from functools import lru_cache

from byhand.threads import syntax_tree


@dataclass(frozen=True)
class Place:
    """A line of somebody's file; with columns where the framework knows them (lines count from 1, columns from 0)."""

    file: str
    line: int
    end_line: int = 0
    column: int = -1
    end_column: int = -1

    @property
    def text(self) -> str:
        """The line."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Statement:
    """An assignment of one name: where it stands, where its value does, whether a loop repeats it."""

    name: str
    file: str
    first: int
    last: int
    value: tuple[int, int, int, int]
    repeated: bool


@lru_cache(maxsize=64)
def statements(file: str) -> tuple[Statement, ...]:
    """The assignments of a file; none where it is not Python."""
    try:
        tree = syntax_tree("".join(linecache.getlines(file)))
    except SyntaxError:  # a notebook's cell with magics, a file that is no longer what ran
        return ()
    found: list[Statement] = []
    todo: list[tuple[ast.AST, bool]] = [(tree, False)]
    while todo:
        node, repeated = todo.pop()
        match node:
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, value) if value is not None:
                at = (value.lineno, value.end_lineno or value.lineno, value.col_offset, value.end_col_offset or 0)
                found.append(Statement(name, file, node.lineno, node.end_lineno or node.lineno, at, repeated))
            case ast.AugAssign(ast.Name(name)):
                at = (node.lineno, node.end_lineno or node.lineno, node.col_offset, node.end_col_offset or 0)
                found.append(Statement(name, file, node.lineno, node.end_lineno or node.lineno, at, repeated))
            case _:
                pass
        inside = repeated or isinstance(node, (ast.For, ast.While))
        inside = inside and not isinstance(node, (ast.FunctionDef, ast.ClassDef))
        todo += [(child, inside) for child in ast.iter_child_nodes(node)]
    return tuple(found)


def statement_at(place: Place | None) -> Statement | None:
    """The assignment that an operation at this place belongs to: the innermost one that holds its line."""
    if place is None:
        return None
    holding = [s for s in statements(place.file) if s.first <= place.line <= s.last]
    return min(holding, key=lambda s: s.last - s.first, default=None)


def is_whole(place: Place, statement: Statement) -> bool | None:
    """Whether an operation is the whole value of its statement; None where the framework knows lines only."""
    if place.column < 0:
        return None
    return (place.line, place.end_line, place.column, place.end_column) == statement.value

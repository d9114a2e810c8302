"""Definitions in byhand's own language over formal names: "x @ W + b" as a node of given nodes, and as text in given words."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache, partial
from typing import Any

from byhand.expr.contraction import elementwise
from byhand.expr.functions import ABSTRACT
from byhand.expr.nodes import Expr
from byhand.expr.parse import read_node
from byhand.expr.source import Source

_ABSTRACT = {name: partial(elementwise, name) for name in ABSTRACT}


class Definition:
    """One expression in formal names. The node is made of nodes, never by way of the text.

    Args:
        text: in the expression language.

    >>> Definition("x @ W + b").spelled({"x": "H1", "W": "W2", "b": "b2"})
    'H1 @ W2 + b2'
    """

    def __init__(self, text: str) -> None:
        self.source = Source.read(text)

    @cached_property
    def names(self) -> frozenset[str]:
        """What is written in it by name: formal names, functions."""
        return frozenset(node.id for node in ast.walk(self.source.tree) if isinstance(node, ast.Name))

    def of(self, values: Mapping[str, Any]) -> Expr:
        """The node, where each formal name stands for a node or a dimension.

        Raises: ParseError, ShapeError: what is wrong with the definition, with the place in its text.
        """
        return read_node(self.source, {**_ABSTRACT, **values})

    @property
    def body(self) -> ast.expr:
        """The syntax tree of the expression."""
        (statement,) = self.source.tree.body
        assert isinstance(statement, ast.Expr)
        return statement.value

    def spelled(self, words: Mapping[str, str], around: Iterable[tuple[ast.expr, str]] = ()) -> str:
        """The text with formal names replaced; compound words are bracketed.

        Args:
            words: formal name -> what is written instead.
            around: parts of the expression on one line -> a template for each, "s * ({})".
        """
        lines = list(self.source.lines)
        changes = []
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Name) and node.id in words:
                line, column, width = self.source.place(node)
                word = words[node.id]
                simple = word.isidentifier() or word.isdecimal() or width == len(self.source.text)
                changes.append((line, column, 1, width, word if simple else f"({word})"))
        for node, template in around:
            line, column, width = self.source.place(node)
            before, after = template.split("{}")
            changes += [(line, column, 0, 0, before), (line, column + width, -1, 0, after)]
        for line, column, _, width, new in sorted(changes, reverse=True):
            old = lines[line - 1]
            lines[line - 1] = f"{old[: column - 1]}{new}{old[column - 1 + width :]}"
        return "\n".join(lines)


@lru_cache(maxsize=256)
def definition(text: str) -> Definition:
    """The definition of a text, read once."""
    return Definition(text)


__all__ = ["Definition", "definition"]

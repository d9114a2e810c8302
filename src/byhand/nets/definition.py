"""Definitions in byhand's own language over formal names: "x @ W + b" as a node of given nodes, and as text in given words."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from byhand.expr.nodes import Expr
from byhand.expr.parse import read_node
from byhand.expr.source import Source


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
        return read_node(self.source, values)

    def spelled(self, words: Mapping[str, str]) -> str:
        """The text with formal names replaced; compound words are bracketed."""
        lines = list(self.source.lines)
        places = [
            (*self.source.place(node), node.id)
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.Name) and node.id in words
        ]
        for line, column, width, name in sorted(places, reverse=True):
            word, old = words[name], lines[line - 1]
            simple = word.isidentifier() or word.isdecimal() or width == len(self.source.text)
            word = word if simple else f"({word})"
            lines[line - 1] = f"{old[: column - 1]}{word}{old[column - 1 + width :]}"
        return "\n".join(lines)


@lru_cache(maxsize=256)
def definition(text: str) -> Definition:
    """The definition of a text, read once."""
    return Definition(text)


__all__ = ["Definition", "definition"]

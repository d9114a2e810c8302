"""What the names of a formula stand for, as the reader asks for it."""

from __future__ import annotations

from typing import Any

from byhand.reading.tree import Node
from byhand.reading.values import Value


class Scope:
    """What the names of a formula stand for: nothing, until a page says more."""

    def value(self, key: str) -> Value | None:
        """The value of a name, or None."""
        return None

    def array(self, key: str) -> tuple[Any, int] | None:
        """The array of a name as indices see it, and how many axes it has; None where that is the name's value."""
        return None

    def dim(self, key: str) -> Any | None:
        """The size that a name stands for, or None."""
        return None

    def function(self, key: str) -> str | None:
        """The row of the table of functions that a name stands for, or None: σ, φ, a page's own."""
        return None

    def call(self, key: str, arguments: list[Node]) -> Value | None:
        """The value of a name that the page defined as a function: L(w); None where it is none."""
        return None

    def derivative(self, over: Node, under: Node, order: int) -> Value | None:
        """∂y/∂x; None where nothing is known of it."""
        return None

    def differential(self, inner: Node) -> Value | None:
        """d of a name or an expression; None where nothing moves."""
        return None

    def softmax_axes(self, x: Value) -> str:
        """Along what a softmax without a word goes: "all", "rows" or "columns"."""
        return "rows"

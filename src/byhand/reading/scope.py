"""What the names of a formula stand for, as the reader asks for it."""

from __future__ import annotations

from typing import Any, Protocol

from byhand.reading.tree import Node
from byhand.reading.values import Value


class Scope(Protocol):
    """What the names of a formula stand for."""

    def value(self, key: str) -> Value | None:
        """The value of a name, or None."""

    def dim(self, key: str) -> Any | None:
        """The size that a name stands for, or None."""

    def function(self, key: str) -> str | None:
        """The row of the table of functions that a name stands for, or None: σ, φ, a page's own."""

    def call(self, key: str, arguments: list[Node]) -> Value | None:
        """The value of a name that the page defined as a function: L(w); None where it is none."""

    def derivative(self, over: Node, under: Node, order: int) -> Value | None:
        """∂y/∂x; None where nothing is known of it."""

    def differential(self, inner: Node) -> Value | None:
        """d of a name or an expression; None where nothing moves."""

    def softmax_axes(self, x: Value) -> str:
        """Along what a softmax without a word goes: "all", "rows" or "columns"."""

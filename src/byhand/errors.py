"""Errors: each names the expression, the shapes, and a remedy that works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self


class ByhandError(Exception):
    """Base of every error that byhand raises on purpose.

    Attributes:
        message: one line that says what is wrong.
        details: further lines: the operands' shapes, what would fit.
        source, line, column, width: where in the user's text, once known (line and column count from 1).
    """

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details: tuple[str, ...] = details
        self.source: str | None = None
        self.line: int | None = None
        self.column: int | None = None
        self.width = 1

    def at(self, source: str, line: int, column: int, width: int = 1) -> Self:
        """The same error, pointing into the text it came from; the innermost place wins."""
        if self.source is None:
            self.source, self.line, self.column, self.width = source, line, column, max(1, width)
        return self

    def caret(self) -> tuple[str, ...]:
        """The offending line with carets under the operand; empty when the place is unknown."""
        if self.source is None or self.line is None or self.column is None:
            return ()
        lines = self.source.splitlines() or [""]
        text = lines[self.line - 1] if self.line <= len(lines) else ""
        start = max(0, self.column - 61)
        shown = "".join(c if c.isprintable() else "?" for c in text[start : start + 120])
        width = max(1, min(self.width, len(shown) - (self.column - 1 - start)))
        return (f"  {shown}", "  " + " " * (self.column - 1 - start) + "^" * width)

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        return "\n".join((place + self.message, *self.caret(), *(f"  {d}" for d in self.details)))


class ShapeError(ByhandError):
    """Shapes that do not fit, or a shape where another kind of operand is needed."""


class ParseError(ByhandError):
    """Text that is not an expression of byhand: syntax, an unknown name, a wrong number of arguments."""


class MissingRuleError(ByhandError):
    """An operation without a rule: the derivative is unknown, so none is given."""


class CheckError(ByhandError):
    """A numerical check that could not be carried out, or failed where success was demanded."""


class DataError(ByhandError):
    """Arrays that do not match the expression: missing, of the wrong shape or kind, or breaking a declared property."""


def nearest(word: str, known: Sequence[str]) -> str:
    """', did you mean `x`?' for the closest known word, or an empty string."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f", did you mean `{close[0]}`?" if close else ""

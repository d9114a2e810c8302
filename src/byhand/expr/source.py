"""The text of an expression: refused where it cannot be read, parsed by `ast`, and places in it for errors."""

from __future__ import annotations

import ast
import textwrap
from functools import cached_property
from typing import TypeVar

from byhand.errors import ByhandError, ParseError
from byhand.threads import quiet_warnings, syntax_tree

LONGEST_TEXT, LONGEST_LINE, CHARACTERS_A_LINE = 100_000, 5_000, 20  # ast needs a moment for each line
_WRITE_INSTEAD = {
    "−": "-", "–": "-", "·": "*", "×": "*", "⊙": "*", "∘": "*", "ᵀ": ".T", "²": "**2", "³": "**3", "⊗": "kron(...)",
    "√": "sqrt(...)", "∑": "sum(...)", "Σ": "sum(...)", "≥": ">=", "≤": "<=", "≠": "!=", "µ": "μ (the Greek letter)",
}  # fmt: skip
_HINTS = {"invalid decimal literal": "write * for a product: 2*X", "invalid imaginary literal": "numbers are real"}
E = TypeVar("E", bound=ByhandError)


class Source:
    """A text, its syntax tree, and places in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")

    @classmethod
    def read(cls, text: str, longest: int = LONGEST_TEXT) -> Source:
        """A user's text without common indentation.

        Raises: ParseError: too long, or a character that is not read; with the place.
        """
        return cls(tidy(text, longest))

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return parse_tree(self.text)

    def place(self, node: ast.AST) -> tuple[int, int, int]:
        """Line, column and width of a node, counted in characters from 1."""
        line, start = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        end = getattr(node, "end_col_offset", None)
        if end is None or getattr(node, "end_lineno", line) != line:
            end = len(text.encode())
        if not text.isascii():
            start, end = (len(text.encode()[:k].decode(errors="replace")) for k in (start, end))
        return line, start + 1, max(1, end - start)

    def locate(self, error: E, node: ast.AST) -> E:
        """The error, pointing at a node unless it points somewhere already."""
        return error if error.source is not None else error.at(self.text, *self.place(node))

    def words(self, node: ast.AST) -> str:
        """The user's own text for a node, shortened."""
        line, column, width = self.place(node)
        words = self.lines[line - 1][column - 1 : column - 1 + width]
        more = getattr(node, "end_lineno", line) != line
        return words if len(words) <= 40 and not more else f"{words[:37].rstrip()}..."


def tidy(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text without common indentation, refused where it is too long or has characters that are not read."""
    if not isinstance(text, str):
        raise ParseError(f"an expression is a string, not a {type(text).__name__}")
    if len(text) > longest:
        raise ParseError(f"the text is longer than {longest} characters").at(text[:100].split("\n")[0], 1, 1)
    text = text.replace("\r\n", "\n").strip("\n").rstrip()
    if text.count("\n") > longest // CHARACTERS_A_LINE:
        raise ParseError(f"more than {longest // CHARACTERS_A_LINE} lines").at(text, 1, 1)
    first, *rest = text.split("\n")
    text = (
        "\n".join([first.lstrip(), textwrap.dedent("\n".join(rest))])
        if rest and not first[:1].isspace()
        else textwrap.dedent(text)
    )
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_LINE:
            raise ParseError(f"a line longer than {LONGEST_LINE} characters").at(text, number, 1)
        if line.isascii() and line.isprintable():
            continue
        for column, c in enumerate(line, 1):
            if not ((c.isascii() and (c.isprintable() or c == "\t")) or "α" <= c <= "ω" or c in "ΓΔΘΛΞΠΦΨΩ"):
                instead = f"write {_WRITE_INSTEAD[c]}" if c in _WRITE_INSTEAD else "names are ASCII or Greek letters"
                shown = c if c.isprintable() else f"U+{ord(c):04X}"
                raise ParseError(f"the character {shown} cannot stand in an expression: {instead}").at(
                    text, number, column
                )
    return text


def parse_tree(text: str) -> ast.Module:
    """The syntax tree of a tidied text.

    Raises: ParseError: it is not Python syntax; with the place.
    """
    try:
        with quiet_warnings():
            tree: ast.Module = syntax_tree(text)
            return tree
    except SyntaxError as error:
        line, column = max(1, error.lineno or 1), max(1, error.offset or 1)
        message = (error.msg or "invalid syntax").split(". Maybe")[0].split(". Perhaps")[0]
        hints = [hint for start, hint in _HINTS.items() if message.startswith(start)]
        raise ParseError(f"not an expression: {message}", *hints).at(
            text, min(line, text.count("\n") + 1), column
        ) from None
    except (RecursionError, MemoryError):
        remedy = "name an intermediate: Z = ... on a line of its own"
        raise ParseError("the text is nested too deep", remedy).at(text, 1, 1) from None
    except (ValueError, OverflowError) as error:
        raise ParseError(f"not an expression: {error}").at(text, 1, 1) from None

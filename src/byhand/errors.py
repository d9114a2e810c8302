"""Errors: each names the expression, the shapes, and a remedy that works."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Self

# {0}, {1}: an operand; the first form, between brackets or commas, needs no brackets of its own
_OPERAND = re.compile(r"(?:(?<=\()|(?<=\[)|(?<=, )|(?<=: ))\{(\d)\}(?=[)\],]| has)|\{(\d)\}")


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
        """The place, the offending line and carets under the operand; empty when the place is unknown."""
        if self.source is None or self.line is None or self.column is None:
            return ()
        lines = self.source.split("\n")
        text = lines[self.line - 1] if self.line <= len(lines) else ""
        start = max(0, self.column - 61)
        shown = "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in text[start : start + 100])
        width = max(1, min(self.width, len(shown) - (self.column - 1 - start)))
        place = f"line {self.line}, column {self.column}: "
        return place + shown, " " * (len(place) + self.column - 1 - start) + "^" * width

    def __str__(self) -> str:
        return "\n".join((self.message, *(f"  {line}" for line in (*self.caret(), *self.details))))


class ShapeError(ByhandError):
    """Shapes that do not fit, or a shape where another kind of operand is needed.

    Attributes:
        operands: the operands, in the order of the message; where it names none, those of the operation.
        culprit: which of them does not fit: the caret goes under it.
    """

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message, *details)
        self.operands: tuple[object, ...] = ()
        self.culprit = -1
        self._template, self._shapes, self._fits = message, (), ()  # type: tuple[str, tuple[str, ...], tuple[str, ...]]

    @classmethod
    def between(
        cls,
        template: str,
        operands: Sequence[object],
        words: Sequence[str],
        shapes: Sequence[str],
        fits: Sequence[str] = (),
        culprit: int = -1,
    ) -> Self:
        """A message about operands: {0}, {1}, ... in the template and in what would fit stand for their words."""
        error = cls(template)
        error.operands, error.culprit = tuple(operands), culprit
        error._shapes, error._fits = tuple(shapes), tuple(fits)
        error.restate(words)
        return error

    def restate(self, words: Sequence[str], compound: Sequence[bool] | None = None) -> None:
        """Say it again with other words for the operands: those of the user; compound ones in brackets where needed."""
        brackets = compound if compound is not None else [False] * len(words)

        def put(found: re.Match[str]) -> str:
            i = int(found[1] or found[2])
            return f"({words[i]})" if found[2] and brackets[i] else words[i]

        self.message = _OPERAND.sub(put, self._template)
        self.args = (self.message,)
        width = max(map(len, words))
        lines = dict.fromkeys(f"{w:<{width}}: {shape}" for w, shape in zip(words, self._shapes, strict=True))
        fits = list(dict.fromkeys(_OPERAND.sub(put, fit) for fit in self._fits))
        self.details = (*lines, *([f"These fit: {', '.join(fits)}"] if fits else []))


class ParseError(ByhandError):
    """Text that is not an expression of byhand: syntax, an unknown name, a wrong number of arguments."""


class MissingRuleError(ByhandError):
    """An operation without a rule: the derivative is unknown, so none is given."""


class CheckError(ByhandError):
    """A numerical check that could not be carried out, or failed where success was demanded."""


class DataError(ByhandError):
    """Arrays that do not match the expression: missing, of the wrong shape or kind, or breaking a declared property."""


def nearest(word: object, known: Iterable[str]) -> str:
    """', did you mean `x`?' for the known word that was probably meant, or an empty string.

    Meant is what is few slips of a hand away (a letter left out, added, changed, or two exchanged: one in three letters,
    at least one), or begins or ends like the other: `max` is `maximum`, and nothing is near `nosuch`. Of equally near
    words it is the one with the same letters (`tahn` is `tanh`, not `tan`), then the one that begins like it.
    """
    if not isinstance(word, str) or not word or len(word) > _LONGEST_WORD:
        return ""
    found = []
    for other in known:
        slips = _slips(word, other)
        short, long = sorted((word, other), key=len)
        begins = 3 * len(short) >= len(long) and (long.startswith(short) or long.endswith(short))
        if other != word and short and (slips <= max(1, len(word) // 3) or begins):
            letters = sorted(word.lower()) != sorted(other.lower())
            alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
            found.append((slips, letters, abs(len(word) - len(other)), -alike, other))
    return f", did you mean `{min(found)[-1]}`?" if found else ""


_LONGEST_WORD = 64


def _slips(a: str, b: str) -> int:
    """How many letters are left out, added, changed, or exchanged with their neighbour between two words."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before = before, row
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]

"""A document as data: sections of lines, each line an equation (a chain of equal forms) with shape and rules.

The three notations fill it; the renderers print it as text, LaTeX, Markdown, HTML and plain data, so these agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from byhand.notation.typeset import Math, Relation

Kind: TypeAlias = Literal["definition", "differential", "adjoint", "move", "result", "formula"]
Words: TypeAlias = str | tuple[str | Math, ...]  # a sentence; the names in it are mathematics


@dataclass(frozen=True, slots=True)
class Part:
    """One form in a chain of equal ones, the rule that gave it, and the declared properties it rests on."""

    math: Math
    rule: Words = ""
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """left = part = part = ..., of one shape.

    Attributes:
        left: what is equal to the parts; None where the first part stands alone.
        parts: the forms, in order.
        shape: as Python writes it, empty where there is none to show.
        indent: 1 for a line that explains the one above it.
        kind: what it says.
        unit: the input, intermediate or function that it is about; of a move, the one whose differential is moved.
        child: of a move, whose adjoint it leads to.
        short: the letter that the left side gets here, for all lines below: Δ of Δ ≔ ∂f/∂Z.
    """

    left: Math | None
    parts: tuple[Part, ...]
    shape: str = ""
    indent: int = 0
    kind: Kind = "formula"
    unit: str = ""
    child: str = ""
    short: Math | None = None

    @property
    def head(self) -> Math | None:
        """What stands in front of the first equals sign."""
        return self.left if self.short is None or self.left is None else Relation("≔", self.short, self.left)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence or two, and lines."""

    title: Words
    lines: tuple[Line, ...] = ()
    words: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A title, what is given, and sections.

    Attributes:
        names: identifiers that stand in its words and shapes as they are typed.
    """

    title: tuple[str | Math, ...]
    given: tuple[str | Math, ...]
    notes: tuple[Words, ...]
    sections: tuple[Section, ...]
    names: tuple[str, ...] = ()

    def formulas(self) -> list[Math]:
        """All mathematics that stands in it."""
        lines = [line for section in self.sections for line in section.lines]
        words = [self.title, self.given, *self.notes]
        words += [w for section in self.sections for w in (section.title, *section.words)]
        words += [part.rule for line in lines for part in line.parts]
        found = [m for w in words if not isinstance(w, str) for m in w if isinstance(m, Math)]
        for line in lines:
            found += ([] if line.head is None else [line.head]) + [part.math for part in line.parts]
        return found


def joined(items: Iterable[Words], between: str) -> Words:
    """Sentences one after the other."""
    found: list[str | Math] = []
    for item in items:
        found += [between] if found else []
        found += [item] if isinstance(item, str) else item
    return "".join(w for w in found if isinstance(w, str)) if _plain(found) else tuple(found)


def _plain(words: Sequence[str | Math]) -> bool:
    return all(isinstance(w, str) for w in words)

"""A document as data: sections of lines, each line an equation (a chain of equal forms) with shape and rules.

The three notations fill it; the renderers print it as text, LaTeX, Markdown, HTML and plain data, so these agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from byhand.notation.typeset import Math


@dataclass(frozen=True, slots=True)
class Part:
    """One form in a chain of equal ones, the rule that gave it, and the declared properties it rests on."""

    math: Math
    rule: str = ""
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """left = part = part = ..., of one shape.

    Attributes:
        left: what is equal to the parts; None where the first part stands alone.
        parts: the forms, in order.
        shape: as Python writes it, empty where there is none to show.
        indent: 1 for a line that explains the one above it.
    """

    left: Math | None
    parts: tuple[Part, ...]
    shape: str = ""
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence or two, and lines."""

    title: str
    lines: tuple[Line, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A title, what is given, and sections."""

    title: tuple[str | Math, ...]
    given: tuple[str | Math, ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]

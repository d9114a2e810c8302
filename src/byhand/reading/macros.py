"""Text of LaTeX before it becomes tokens: a page's own macros expanded, arguments found, displays split into rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from byhand.reading.tokens import UnreadableError

LONGEST, DEEPEST = 20_000, 16  # characters of one formula once its macros are expanded; macros inside macros
COMMAND = re.compile(r"\\(?:[A-Za-z]+\*?|.)", re.S)


class Macro(NamedTuple):
    """A command that a page defines: how many arguments it takes, what stands for the first where it is left out, its body."""

    arguments: int
    default: str | None
    body: str


@dataclass(slots=True)
class Source:
    """Text with a place for each character: what a macro makes stands where the macro was called."""

    text: str
    places: list[int]

    def cut(self, start: int, end: int) -> Source:
        return Source(self.text[start:end], self.places[start:end])

    def place(self, at: int) -> int:
        if at < len(self.places):
            return self.places[at]
        return self.places[-1] + 1 if self.places else 0


def expanded(source: Source, macros: Mapping[str, Macro], depth: int = 0) -> Source:
    """The text with the page's macros replaced, bounded in depth and length."""
    if not macros or "\\" not in source.text:
        return source
    if depth > DEEPEST:
        raise UnreadableError("macros inside macros without end", source.place(0))
    text, places, at = [], [], 0  # type: list[str], list[int], int
    for found in _commands(source.text):
        name = found.group()[1:]
        if name not in macros or found.start() < at:
            continue
        macro = macros[name]
        text.append(source.text[at : found.start()])
        places += source.places[at : found.start()]
        body, at = _called(macro, source, found)
        made = expanded(Source(body, [source.place(found.start())] * len(body)), macros, depth + 1)
        text.append(made.text)
        places += made.places
        if sum(map(len, text)) > LONGEST:
            raise UnreadableError("the macros of this formula make too long a text", source.place(found.start()))
    text.append(source.text[at:])
    places += source.places[at:]
    return Source("".join(text), places)


def _commands(text: str) -> list[re.Match[str]]:
    return [*COMMAND.finditer(text)]


def _called(macro: Macro, source: Source, found: re.Match[str]) -> tuple[str, int]:
    """The body of a macro with its arguments put in, and where the call ends."""
    at, arguments = found.end(), []  # type: int, list[str]
    if macro.default is not None:
        option = re.compile(r"\s*\[([^\]]*)\]").match(source.text, at)
        arguments.append(option[1] if option else macro.default)
        at = option.end() if option else at
    while len(arguments) < macro.arguments:
        start, end, after = argument(source.text, at)
        arguments.append(source.text[start:end])
        at = after
    body = re.sub(r"#(\d)", lambda m: arguments[int(m[1]) - 1] if 0 < int(m[1]) <= len(arguments) else "", macro.body)
    blank = " " if body and body[-1].isalpha() and source.text[at : at + 1].isalpha() else ""
    return body + blank, at


def argument(text: str, at: int) -> tuple[int, int, int]:
    """The argument of a command at a place: where its content starts and ends, and what comes after it."""
    while at < len(text) and text[at].isspace():
        at += 1
    if at >= len(text):
        raise UnreadableError("a command lacks its argument", at)
    if text[at] == "{":
        end = closing(text, at)
        return at + 1, end, end + 1
    if text[at] == "\\":
        found = COMMAND.match(text, at)
        end = found.end() if found else at + 1
        return at, end, end
    return at, at + 1, at + 1


def closing(text: str, at: int) -> int:
    """The place of the brace that closes the one at `at`.

    Raises: UnreadableError: there is none.
    """
    depth, k = 0, at
    while k < len(text):
        c = text[k]
        if c == "\\":
            k += 2
            continue
        depth += (c == "{") - (c == "}")
        if not depth:
            return k
        k += 1
    raise UnreadableError("a brace is not closed", at)


def split_rows(source: Source) -> list[Source]:
    """The rows of a display, between `\\\\` outside braces and environments."""
    return _split(source, "\\\\")


def cells(source: Source) -> list[Source]:
    return _split(source, "&")


def _split(source: Source, at: str) -> list[Source]:
    text, depth, inside, k, start = source.text, 0, 0, 0, 0
    parts: list[Source] = []
    while k < len(text):
        if text.startswith(("\\begin", "\\end"), k):
            inside += 1 if text.startswith("\\begin", k) else -1
            k += 4
        elif text.startswith(at, k) and not depth and not inside:
            parts.append(source.cut(start, k))
            k += len(at)
            skip = re.compile(r"\*?\s*\[-?[\d.]+\s*[a-z]*\]").match(text, k) if at == "\\\\" else None
            k = start = skip.end() if skip else k
            continue
        elif text[k] == "\\":
            k += 2
            continue
        elif text[k] == "%":
            end = text.find("\n", k)
            k = len(text) if end < 0 else end
            continue
        else:
            depth += (text[k] == "{") - (text[k] == "}")
        k += 1
    return [*parts, source.cut(start, len(text))]


def rows(text: str) -> list[tuple[int, str]]:
    """The rows of a display with the place of each."""
    return [(part.place(0) if part.places else 0, part.text) for part in split_rows(Source(text, [*range(len(text))]))]

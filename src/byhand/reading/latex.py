"""Tokens of formulas in LaTeX, with the page's own macros expanded; every token keeps the place of what was written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from byhand.reading.commands import (
    ACCENTS,
    ARGUMENT_DROPPED,
    BUILT_IN,
    CLOSING,
    DOTS,
    ENVIRONMENTS,
    FONTS,
    GREEK,
    MATRICES,
    NOTHING,
    OPENING,
    RELATIONS,
    SEPARATORS,
    SIGNS,
    SPACES,
    VECTORS,
    WORDS,
)
from byhand.reading.macros import COMMAND, Macro, Source, argument, cells, expanded, split_rows
from byhand.reading.tokens import FUNCTIONS, Token, UnreadableError
from byhand.reading.unicode import tokens as unicode_tokens


def tokens(text: str, macros: Mapping[str, Macro] | None = None) -> list[Token]:
    """The tokens of a formula.

    Args:
        text: what stands between the delimiters, one row of it.
        macros: the page's own commands by name, without the backslash.
    Raises: UnreadableError: an unknown command, or braces that do not fit.
    """
    source = expanded(Source(text, [*range(len(text))]), macros or {})
    return [*_Scanner(source).run(), Token("end", "", len(text), len(text))]


# ---- scanning


class _Scanner:
    """Makes tokens of one source."""

    def __init__(self, source: Source, font: str = "") -> None:
        self.source, self.text, self.at, self.font = source, source.text, 0, font
        self.apart = False
        self.lefts: list[bool] = []  # whether each \left drew a bracket

    def run(self) -> list[Token]:
        """All tokens."""
        made: list[Token] = []
        while self.at < len(self.text):
            before = self.at
            for token in self.next():
                made.append(token._replace(apart=token.apart or self.apart))
                self.apart = False
            assert self.at > before, self.text[before:]
        return made

    def token(self, kind: str, text: str, start: int, font: str = "", content: object = None) -> Token:
        return Token(
            kind,
            text,
            self.source.place(start),
            max(self.source.place(start), self.source.place(self.at - 1)) + 1,
            font or self.font,
            content,
        )

    def next(self) -> Iterator[Token]:
        start, c = self.at, self.text[self.at]
        self.at += 1
        if c.isspace() or c == "~":
            self.apart = True
        elif c == "%":
            end = self.text.find("\n", start)
            self.at = len(self.text) if end < 0 else end + 1
        elif c == "&":
            yield self.token("cell", "&", start)
        elif c in "0123456789" or (c == "." and self.text[self.at : self.at + 1].isdigit()):
            found = re.compile(r"\d*(?:\.\d+)?").match(self.text, start)
            assert found is not None
            self.at = found.end()
            yield self.token("number", found.group(), start)
        elif c == "{":
            yield self.token("group", c, start)
        elif c == "}":
            yield self.token("endgroup", c, start)
        elif c == "^":
            yield self.token("sup", c, start)
        elif c == "_":
            yield self.token("sub", c, start)
        elif c in "'′":
            yield self.token("prime", "'", start)
        elif c == "\\":
            yield from self.command(start)
        elif c == ":" and self.text[self.at : self.at + 1] == "=":
            self.at += 1
            yield self.token("relation", "≔", start)
        elif c == "|":
            double = self.text[self.at : self.at + 1] == "|"
            self.at += double
            yield self.token("norm" if double else "bar", "|", start)
        elif c == ".":
            if self.text[start : start + 3] == "...":
                self.at = start + 3
                yield self.token("dots", "…", start)
            elif self.text[self.at :].strip():
                yield self.token("separator", ",", start)
        elif c in ",;:":
            yield self.token("separator", c, start)
        elif c in "([":
            yield self.token("open", c, start)
        elif c in ")]":
            yield self.token("close", c, start)
        elif c in "!?":
            return
        elif c.isascii() and c.isalpha():
            yield self.token("name", unicodedata.normalize("NFC", c), start)
        else:
            yield from self.unicode(c, start)

    def unicode(self, c: str, start: int) -> Iterator[Token]:
        """A sign outside ASCII within LaTeX means what it means in plain text."""
        for token in unicode_tokens(c)[:-1]:
            yield self.token(token.kind, token.text, start)

    def command(self, start: int) -> Iterator[Token]:
        found = COMMAND.match(self.text, start)
        if found is None:
            return
        self.at, name = found.end(), found.group()[1:]
        if name.endswith("*") and name not in WORDS | ARGUMENT_DROPPED:
            name, self.at = name[:-1], self.at - 1
        if name in ("Sigma", "Pi") and re.compile(r"\s*_\s*\{[^{}]*=").match(self.text, self.at):
            yield self.token("big", "Σ" if name == "Sigma" else "Π", start)  # a capital letter with bounds is a sum
        elif name in GREEK:
            yield self.token("name", GREEK[name], start)
        elif name in SIGNS:
            yield self.token("sign", SIGNS[name], start)
        elif name in RELATIONS:
            yield self.token("relation", RELATIONS[name], start)
        elif name in ("left", "right"):
            yield from self.delimiter(name, start)
        elif name in ("mathrel", "mathbin", "mathord") and self.text[self.at : self.at + 1] == "{":
            yield from self.inside().run()
        elif name in NOTHING:
            return
        elif name in SPACES:
            self.apart = True
        elif name in SEPARATORS:
            yield self.token("separator", "quad", start)
        elif name in DOTS:
            yield self.token("dots", "…", start)
        elif name in OPENING:
            yield self.token("open", OPENING[name], start)
        elif name in CLOSING:
            yield self.token("close", CLOSING[name], start)
        elif name in ("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"):
            yield self.token("fraction", "/", start)
        elif name == "sqrt":
            yield self.token("root", "√", start)
        elif name in ("sum", "prod"):
            yield self.token("big", "Σ" if name == "sum" else "Π", start)
        elif name == "partial":
            yield self.token("partial", "∂", start)
        elif name in ("nabla", "grad"):
            yield self.token("nabla", "∇", start)
        elif name == "prime":
            yield self.token("prime", "'", start)
        elif name in ("mid", "vert", "lvert", "rvert"):
            yield self.token("bar", "|", start)
        elif name in ("|", "Vert", "lVert", "rVert", "parallel"):
            yield self.token("norm", "‖", start)
        elif name == "mathbb" or name in FONTS:
            yield from self.fonted(name, start)
        elif name in WORDS:
            yield from self.words(name, start)
        elif name in ACCENTS or name in VECTORS:
            yield from self.accented(name, start)
        elif name in FUNCTIONS:
            yield self.token("function", FUNCTIONS[name], start)
        elif name in ("argmax", "argmin", "arg"):
            yield self.token("name", name, start, "roman")
        elif name in ("underbrace", "overbrace", "underset", "overset", "stackrel", "overbracket", "underbracket"):
            yield self.token("brace", name, start)
        elif name == "begin":
            yield from self.environment(start)
        elif name == "end" or name in ARGUMENT_DROPPED:
            _, _, self.at = argument(self.text, self.at)
        elif name in ("cr", "\\", "newline"):
            yield self.token("separator", "\\\\", start)
        elif name in ("not",):
            yield self.token("relation", "≠", start)
            self.at += 1
        elif name == "mathbf":
            yield self.token("name", "", start)
        elif name in BUILT_IN:
            yield self.token("name", BUILT_IN[name], start, "double")
        elif name in ("%", "$", "#", "_", "&"):
            return
        else:
            raise UnreadableError(f"\\{name} is not defined on this page", self.source.place(start))

    def delimiter(self, name: str, start: int) -> Iterator[Token]:
        """\\left and \\right: a full stop is the side that is not drawn; what the other side opened is closed by it."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        none = self.text[self.at : self.at + 1] in (".", "")
        self.at += self.text[self.at : self.at + 1] == "."
        if name == "left":
            self.lefts.append(not none)
        elif self.lefts and self.lefts.pop() and none:
            yield self.token("close", ")", start)

    def inside(self, font: str | None = None) -> _Scanner:
        """A scanner of the argument that follows."""
        start, end, self.at = argument(self.text, self.at)
        return _Scanner(self.source.cut(start, end), self.font if font is None else font)

    def fonted(self, name: str, start: int) -> Iterator[Token]:
        """A letter, a word or a whole formula in a font."""
        if name in ("rm", "bf", "it"):
            return
        font = FONTS.get(name, "double")
        inner = self.inside(font)
        word = inner.text.strip()
        if font in ("roman", "sans") and re.fullmatch(r"[A-Za-z][A-Za-z ]*", word) and len(word) > 1:
            yield from self.word(word, start)
        elif word == "d" and font in ("roman", "sans"):
            yield self.token("partial", "d", start)
        elif (font == "bold" and re.fullmatch(r"[01]", word)) or (font == "double" and word == "1"):
            yield self.token("name", word, start, font)
        elif font == "double" and word in ("R", "N", "E", "I", "Z"):
            yield self.token("name", {"R": "ℝ", "N": "ℕ", "E": "𝔼", "I": "I", "Z": "ℤ"}[word], start, font)
        else:
            made = inner.run()
            if len(made) > 1:
                yield self.token("group", "{", start)
            yield from made
            if len(made) > 1:
                yield self.token("endgroup", "}", start)

    def words(self, name: str, start: int) -> Iterator[Token]:
        inner = self.inside()
        word = inner.text.strip()
        if re.fullmatch(r"[A-Za-z][A-Za-z_-]*", word.replace("\\_", "_")) and (
            name.startswith("operatorname") or word in FUNCTIONS
        ):
            yield from self.word(word.replace("\\_", "_"), start)
        elif word == "d":
            yield self.token("partial", "d", start)
        elif re.fullmatch(r"\[[^\[\]]*:[^\[\]]*\]", word):  # a slice, as in code: I_n[:, 1:3]
            for k, c in enumerate(unicode_tokens(word)[:-1]):
                yield self.token(c.kind, c.text, start)._replace(apart=False if k == 0 else c.apart)
        elif word:
            yield self.token("word", word, start)

    def word(self, word: str, start: int) -> Iterator[Token]:
        if word in FUNCTIONS:
            yield self.token("function", FUNCTIONS[word], start)
        else:
            yield self.token("name", word, start, "roman")

    def accented(self, name: str, start: int) -> Iterator[Token]:
        mark = ACCENTS.get(name, "")
        inner = self.inside()
        made = inner.run()
        names = [t for t in made if t.kind == "name"]
        if mark and len(made) == 1 and names:
            yield self.token("name", unicodedata.normalize("NFC", names[0].text + mark), start, names[0].font)
        elif mark and names and made[0].kind == "name":
            first = made[0]
            yield first._replace(text=unicodedata.normalize("NFC", first.text + mark), start=self.source.place(start))
            yield from made[1:]
        else:
            yield from made

    def environment(self, start: int) -> Iterator[Token]:
        first, last, self.at = argument(self.text, self.at)
        name = self.text[first:last].strip()
        if name not in MATRICES:
            if name in ENVIRONMENTS:
                if name.startswith("alignat") or name == "alignedat":
                    _, _, self.at = argument(self.text, self.at)
                return
            raise UnreadableError(f"\\begin{{{name}}} is no environment of formulas", self.source.place(start))
        if name == "array":
            _, _, self.at = argument(self.text, self.at)
        depth, k = 1, self.at
        for found in re.compile(r"\\(begin|end)\s*\{").finditer(self.text, self.at):
            depth += 1 if found[1] == "begin" else -1
            if not depth:
                k = found.start()
                break
        else:
            raise UnreadableError(f"\\begin{{{name}}} is not closed", self.source.place(start))
        rows = split_rows(self.source.cut(self.at, k))
        _, _, self.at = argument(self.text, k + len("\\end"))
        content = [[_Scanner(c, self.font).run() for c in cells(row)] for row in rows if row.text.strip()]
        yield self.token("matrix", "cases" if "cases" in name else "matrix", start, content=content)

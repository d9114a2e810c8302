"""Atoms of formulas: names, brackets, scripts, matrices and cases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction as Rational
from typing import cast

from byhand.reading.tokens import OPENING, Token, UnreadableError
from byhand.reading.tree import (
    Brace,
    Bracket,
    Cases,
    Dots,
    Fraction,
    Inner,
    Matrix,
    Name,
    Node,
    Norm,
    Number,
    Range,
    Relation,
    Root,
    Script,
    Sum,
    Tuple,
    Words,
)

DEEPEST = 60  # brackets inside brackets
ENDS = {"end", "close", "endgroup", "relation", "separator", "word"}


def _separated(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with `&` as a separator where it stands between two things, and dropped beside a relation or a sign."""
    made: list[Token] = []
    for k, token in enumerate(tokens):
        if token.kind != "cell":
            made.append(token)
            continue
        after = tokens[k + 1] if k + 1 < len(tokens) else token
        plain = (
            not made
            or made[-1].kind in ("relation", "sign", "separator")
            or after.kind in ("relation", "sign", "cell", "separator", "end")
        )
        if not plain and any(t.kind == "relation" for t in made):
            made.append(token._replace(kind="separator"))
    return made


class Atoms(ABC):
    """The part of a parser that reads what stands in brackets, scripts, and entries written out."""

    def __init__(self, tokens: Sequence[Token], strict: bool = False) -> None:
        self.tokens, self.strict = _separated(tokens), strict
        self.at, self.depth, self.bars = 0, 0, 0

    # ---- tokens

    @property
    def next(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else Token("end", "", self.last, self.last)

    @property
    def last(self) -> int:
        return self.tokens[self.at - 1].end if self.at else 0

    def take(self, kind: str | None = None, what: str = "") -> Token:
        token = self.next
        if kind is not None and token.kind != kind:
            found = "the formula ends" if token.kind == "end" else f"there is {token.text!r}"
            raise UnreadableError(f"{what or kind} is expected where {found}", token.start)
        self.at += 1
        return token

    def is_(self, kind: str, *texts: str) -> bool:
        return self.next.kind == kind and (not texts or self.next.text in texts)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise UnreadableError("nested too deep", self.next.start)

    @abstractmethod
    def statements(self) -> list[Node]:
        """All statements of the row."""

    @abstractmethod
    def relation(self) -> Node:
        """Sides with relations between them."""

    @abstractmethod
    def sum(self) -> Node:
        """Terms with + and −."""

    @abstractmethod
    def factor(self) -> Node:
        """One factor with its scripts."""

    @abstractmethod
    def begins(self) -> bool:
        """Whether a factor begins here."""

    # ---- atoms and scripts

    def atom(self) -> Node:
        """What may carry scripts."""
        token = self.take()
        start = token.start
        match token.kind:
            case "number":
                return Number(Rational(token.text), start=start, end=token.end)
            case "name":
                return Name(token.text, token.font, start=start, end=token.end)
            case "function":
                return Name(token.text, "function", start=start, end=token.end)
            case "dots":
                return Dots(start=start, end=token.end)
            case "open":
                return self.bracket(token)
            case "group":
                inner = self.list_until("endgroup", "a closing brace")
                return inner
            case "fraction":
                over, under = self.argument(), self.argument()
                return Fraction(over, under, start=start, end=self.last)
            case "root":
                if self.is_("open", "["):
                    raise UnreadableError("a root of another order than two", self.next.start)
                inner = self.atom() if self.is_("open", "(") else self.argument()
                return Root(inner, start=start, end=self.last)
            case "norm" | "bar":
                self.bars += 1
                inner = self.sum()
                self.bars -= 1
                self.take(token.kind, "the other bar")
                return Norm(inner, None, token.kind == "bar", start=start, end=self.last)
            case "matrix":
                return self.matrix(token)
            case "brace":
                return self.brace(token)
            case "big" | "partial" | "nabla":
                self.at -= 1
                return self.factor()
        found = "the formula ends" if token.kind == "end" else f"there is {token.text!r}"
        raise UnreadableError(f"an expression is expected where {found}", start)

    def bracket(self, token: Token) -> Node:
        """( … ), [ … ], ⟨ … ⟩, {…}."""
        bars, self.bars = self.bars, 0
        close = OPENING[token.text]
        inner = self.list_until("close", f"a closing {close}")
        self.bars = bars
        if token.text == "⟨":
            if not isinstance(inner, Tuple) or len(inner.items) != 2:
                raise UnreadableError("an inner product ⟨a, b⟩ has two sides", token.start)
            return Inner(inner.items[0], inner.items[1], start=token.start, end=self.last)
        if (
            isinstance(inner, Relation) and inner.signs == ("=:",) and inner.sides[0] is not None
        ):  # a brace, on one line
            return Brace(inner.sides[0], inner.sides[1], start=token.start, end=self.last)
        return Bracket(inner, token.text, start=token.start, end=self.last)

    def list_until(self, kind: str, what: str) -> Node:
        """What stands within brackets: one thing, or several with commas."""
        self.deeper()
        start = self.next.start
        items: list[Node] = []
        bounded = False  # whether what a colon would bound stands before it
        while not self.is_(kind):
            if self.is_("prime"):
                token = self.take()
                items.append(Name("'", "sign", start=token.start, end=token.end))
                continue
            if self.is_("separator"):
                token = self.take()
                if token.text == ":":
                    items.append(self.range(token, items.pop() if bounded else None))
                bounded = False
                continue
            if self.is_("word"):
                token = self.take()
                items.append(Words(token.text, start=token.start, end=token.end))
                continue
            if self.next.kind == "end":
                raise UnreadableError(f"{what} is expected where the formula ends", self.next.start)
            if (self.is_("sign") and self.next.text not in "+−±") or self.lonely_sign():
                token = self.take()  # a sign alone in a script: W^*, x^+
                items.append(Name(token.text, "sign", start=token.start, end=token.end))
                continue
            items.append(self.relation())
            bounded = True
        self.take(kind, what)
        self.depth -= 1
        if len(items) == 1:
            return items[0]
        return Tuple(tuple(items), start=start, end=self.last)

    def range(self, colon: Token, low: Node | None) -> Node:
        """low:high of a slice; a colon alone is a whole row or column: P_{i,:}."""
        high = None if self.next.kind in ENDS else self.sum()
        if low is None and high is None:
            return Name(":", "sign", start=colon.start, end=colon.end)
        return Range(low, high, start=colon.start if low is None else low.start, end=self.last)

    def lonely_sign(self) -> bool:
        return self.is_("sign", "+", "−") and self.tokens[self.at + 1].kind in ("endgroup", "close", "separator")

    def argument(self) -> Node:
        """The argument of a fraction or a root: a group, or one token."""
        token = self.next
        if token.kind == "group":
            self.take()
            return self.list_until("endgroup", "a closing brace")
        if (
            token.kind == "number"
            and len(token.text) > 1
            and token.text.isdigit()
            and token.content is None
            and token.end - token.start == len(token.text)
            and self._tex_digit()
        ):
            self.tokens[self.at] = token._replace(text=token.text[1:], start=token.start + 1)
            return Number(Rational(token.text[0]), start=token.start, end=token.start + 1)
        return self.factor() if token.kind in ("partial", "open", "function") else self.scripted(self.atom())

    def _tex_digit(self) -> bool:
        """Whether a fraction's arguments are single digits: \\frac12."""
        return self.at > 0 and (
            self.tokens[self.at - 1].kind == "fraction" or (self.at > 1 and self.tokens[self.at - 2].kind == "fraction")
        )

    def scripted(self, base: Node) -> Node:
        """Subscripts, superscripts and primes after an atom."""
        sub: Node | None = None
        sup: Node | None = None
        primes = 0
        start = base.start
        while self.next.kind in ("sub", "sup", "prime"):
            token = self.take()
            if token.kind == "prime":
                primes += 1
                continue
            if token.kind == "sup" and (token.text == "^∘" or self.is_("sign", "*", "⊙", "−", "+")):
                sign = token if token.text == "^∘" else self.take()
                if sign.text in ("⊙", "^∘"):  # X^∘2: a power entry by entry
                    minus = bool(self.is_("sign", "−") and self.take())
                    inner: Node = self.script()
                    if minus:
                        inner = Sum(((-1, inner),), start=inner.start, end=inner.end)
                    inner = Bracket(inner, "∘", start=sign.start, end=self.last)
                elif sign.text in "+−" and self.next.kind in ("number", "name") and sign.end == self.next.start:
                    inner = self.script()
                    inner = Sum(((1 if sign.text == "+" else -1, inner),), start=sign.start, end=self.last)
                else:
                    inner = Name(sign.text, "sign", start=sign.start, end=sign.end)
            else:
                inner = self.script()
            match inner:
                case Tuple((Name("⊙", "sign"), exponent)):  # H^{⊙2}
                    inner = Bracket(exponent, "∘", start=inner.start, end=inner.end)
            if token.kind == "sub":
                if sub is not None:  # x_i_j, or a layer and an index
                    base, sub, sup, primes = Script(base, sub, sup, primes, start=start, end=self.last), None, None, 0
                sub = inner
            elif isinstance(inner, Name) and inner.font == "sign" and inner.text == "'":
                primes += 1
            else:
                if sup is not None:
                    base, sub, sup, primes = Script(base, sub, sup, primes, start=start, end=self.last), None, None, 0
                sup = inner
        if (
            self.is_("bar")
            and self.at + 1 < len(self.tokens)
            and self.tokens[self.at + 1].kind == "sub"
            and not self.bars
        ):  # |_{z}: evaluated there
            self.take()
            self.take()
            self.script()
        if sub is None and sup is None and not primes:
            return base
        if isinstance(base, Norm) and sub is not None:
            base = Norm(base.inner, sub, base.single, start=base.start, end=self.last)
            if sup is None:
                return base
            sub = None
        return Script(base, sub, sup, primes, start=start, end=self.last)

    def script(self) -> Node:
        """What is raised or lowered: a group, or one token."""
        if self.is_("group"):
            self.take()
            return self.list_until("endgroup", "a closing brace")
        if self.next.kind in ("partial", "prime"):
            token = self.take()
            return Name(token.text, "sign" if token.kind == "prime" else "", start=token.start, end=token.end)
        return self.atom()

    # ---- what is written out

    def matrix(self, token: Token) -> Node:
        """Entries, or cases."""
        cells = cast("list[list[list[Token]]]", token.content)
        if token.text == "cases":
            return Cases(tuple(self.case(row) for row in cells), start=token.start, end=token.end)
        rows = tuple(tuple(self.cell(cell) for cell in row) for row in cells)
        return Matrix(rows, start=token.start, end=token.end)

    def cell(self, tokens: list[Token]) -> Node:
        inner = type(self)(tokens)
        inner.depth = self.depth + 1
        made = inner.statements()
        if len(made) != 1:
            return Dots() if not made else Tuple(tuple(made), start=made[0].start, end=made[-1].end)
        return made[0]

    def case(self, row: list[list[Token]]) -> tuple[Node, Node | None]:
        value = self.cell([t for t in row[0] if t.kind != "word"])
        condition = [t for cell in row[1:] for t in cell if t.kind != "word"]
        if isinstance(value, Tuple) and len(value.items) == 2:
            return value.items[0], value.items[1]
        return value, (self.cell(condition) if condition else None)

    def brace(self, token: Token) -> Node:
        """\\underbrace{A}_{note}, \\overset{note}{=}."""
        if token.text in ("underset", "overset", "stackrel"):
            self.argument_or_relation()
            return self.argument_or_relation()
        inner = self.argument()
        note: Node | None = None
        if self.next.kind in ("sub", "sup"):
            self.take()
            note = self.script()
        return Brace(inner, note, start=token.start, end=self.last)

    def argument_or_relation(self) -> Node:
        if self.is_("group") and self.tokens[self.at + 1].kind in ("relation", "sign", "word"):
            self.take()
            token = self.take()
            self.take("endgroup")
            return Words(token.text, start=token.start, end=token.end)
        return self.argument()

"""The grammar of formulas: tokens of either spelling become trees.

Loosest to tightest: statements (separators) · relations · + − · ⊙ ⊘ ⊗ · products side by side, ·, ×, *, / · signs, Σ, functions
without brackets, ∂ and d · scripts and primes.
"""

from __future__ import annotations

from collections.abc import Mapping

from byhand.reading import latex, unicode
from byhand.reading.atoms import ENDS, Atoms
from byhand.reading.macros import Macro
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import (
    Big,
    Bracket,
    Dots,
    Fraction,
    Nabla,
    Name,
    Node,
    Number,
    Partial,
    Product,
    Relation,
    Script,
    Sum,
    Words,
)
from byhand.reading.unicode import Names


def read(
    text: str, spelling: str = "unicode", macros: Mapping[str, Macro] | None = None, names: Names | None = None
) -> list[Node]:
    """The statements of a formula: relations, expressions, words.

    Args:
        text: one row, as written.
        spelling: "unicode" or "latex".
        macros: the page's own commands.
        names: those of the page, where it is known to have no others: then nothing is read that could be read in two ways.
    Returns: a list of Relation, Words or expressions, in order.
    Raises: UnreadableError: with the reason, and the place in the text where that is known.
    """
    made = latex.tokens(text, macros) if spelling == "latex" else unicode.tokens(text, names)
    return Parser(made, strict=names is not None).statements()


class Parser(Atoms):
    """Reads one formula."""

    # ---- statements and relations

    def statements(self) -> list[Node]:
        """All statements of the row."""
        made: list[Node] = []
        while not self.is_("end"):
            if self.is_("separator"):
                self.take()
            elif self.is_("word"):
                token = self.take()
                made.append(Words(token.text, start=token.start, end=token.end))
            elif self.next.kind in ("close", "endgroup"):
                raise UnreadableError(f"the bracket {self.next.text!r} closes nothing", self.next.start)
            else:
                made.append(self.relation())
        return made

    def relation(self) -> Node:
        """Sides with relations between them; a range `k = 1, …, K` is one relation with a Dots side."""
        start = self.next.start
        sides: list[Node | None] = [None if self.is_("relation") else self.sum()]
        signs: list[str] = []
        while self.is_("relation"):
            signs.append(self.take().text)
            if self.next.kind in ENDS - {"relation"}:
                sides.append(None)
                break
            if self.is_("relation"):
                sides.append(None)
                continue
            sides.append(self.sum())
        self.enumerated(sides, signs)
        if not signs:
            assert sides[0] is not None
            return sides[0]
        return Relation(tuple(sides), tuple(signs), start=start, end=self.last)

    def enumerated(self, sides: list[Node | None], signs: list[str]) -> None:
        """`, …, K` after `k = 1`: the dots and the end become sides of the relation."""
        k = self.at
        if not signs or signs[-1] not in ("=", "∈"):
            return
        while k < len(self.tokens) and (
            self.tokens[k].kind == "separator" or (k > self.at and self.tokens[k].kind in ("number", "sign"))
        ):
            k += 1
        if k in (self.at, len(self.tokens)) or self.tokens[k].kind != "dots":
            return
        self.at = k + 1
        place = self.tokens[k]
        while self.is_("separator"):
            self.take()
        sides.append(Dots(start=place.start, end=place.end))
        signs.append("…")
        if self.next.kind not in ENDS:
            sides.append(self.sum())
            signs.append("…")

    # ---- sums and products

    def sum(self) -> Node:
        """Terms with + and −."""
        self.deeper()
        start, terms = self.next.start, []  # type: int, list[tuple[int, Node]]
        sign = self.sign()
        while True:
            terms.append((sign, self.product()))
            if not self.is_("sign", "+", "−", "±"):
                break
            sign = self.sign()
        self.depth -= 1
        if len(terms) == 1 and terms[0][0] == 1:
            return terms[0][1]
        return Sum(tuple(terms), start=start, end=self.last)

    def sign(self) -> int:
        sign = 1
        while self.is_("sign", "+", "−", "±"):
            if self.is_("sign", "±"):
                raise UnreadableError("± has two values", self.next.start)
            sign = -sign if self.take().text == "−" else sign
        return sign

    def product(self) -> Node:
        """Factors of ⊙, ⊘, ⊗: each a product of what stands side by side."""
        start = self.next.start
        factors: list[tuple[str, Node]] = [("", self.juxtaposed())]
        while self.is_("sign", "⊙", "⊘", "⊗"):
            sign = self.take().text
            factors.append((sign, self.juxtaposed()))
        if len(factors) == 1:
            return factors[0][1]
        return Product(tuple(factors), start=start, end=self.last)

    def juxtaposed(self) -> Node:
        """Factors side by side, or with · × * / between them."""
        start = self.next.start
        factors: list[tuple[str, Node]] = [("", self.factor())]
        while True:
            if self.is_("sign", "·", "×", "*", "/"):
                sign = self.take().text
                minus = -1 if self.is_("sign", "−") and self.sign() < 0 else 1
                factor = self.factor()
                if sign == "/" and isinstance(factor, Partial) and isinstance(factors[-1][1], Partial):
                    before, over = factors.pop()  # {∂y}/{∂z}
                    factors.append((before, Fraction(over, factor, start=over.start, end=self.last)))
                    continue
                factors.append(
                    (sign, factor if minus > 0 else Sum(((-1, factor),), start=factor.start, end=factor.end))
                )
            elif self.begins():
                if self.strict and factors[-1][0] == "/" and not (self.is_("open") and not self.next.apart):
                    raise UnreadableError("a factor after a quotient can be read in two ways", self.next.start)
                factors.append(("", self.factor()))
            else:
                break
        if len(factors) == 1:
            return factors[0][1]
        return Product(tuple(factors), start=start, end=self.last)

    def begins(self) -> bool:
        """Whether a factor begins here."""
        kind = self.next.kind
        if kind in ("bar", "norm"):
            return not self.bars
        return kind in (
            "number", "name", "open", "group", "fraction", "root", "big", "partial", "nabla", "function", "matrix", "brace", "dots",
        )  # fmt: skip

    # ---- factors

    def factor(self) -> Node:
        """One factor with its scripts."""
        token = self.next
        match token.kind:
            case "big":
                return self.big()
            case "partial":
                return self.partial()
            case "nabla":
                return self.nabla()
            case "function":
                return self.function()
            case _:
                return self.scripted(self.atom())

    # ---- what takes the product that follows

    def operand(self) -> Node:
        """What a function without brackets, Σ or a differential takes: the factors that follow side by side."""
        self.deeper()
        start = self.next.start
        factors: list[tuple[str, Node]] = [("", self.factor())]
        while self.begins() or self.is_("sign", "·", "×", "*", "/"):
            sign = self.take().text if self.is_("sign") else ""
            factors.append((sign, self.factor()))
        self.depth -= 1
        return factors[0][1] if len(factors) == 1 else Product(tuple(factors), start=start, end=self.last)

    def big(self) -> Node:
        """Σ or Π with bounds; its body is the product that follows, ⊙ included."""
        token = self.take()
        low: Node | None = None
        high: Node | None = None
        while self.next.kind in ("sub", "sup"):
            if self.take().kind == "sub":
                low = self.script()
            else:
                high = self.script()
        if low is None and high is None and (self.next.kind in ENDS or not self.begins()):
            return self.scripted(Name(token.text, "", start=token.start, end=token.end))
        self.deeper()
        sign = self.sign() if self.is_("sign", "−") else 1
        body = self.product()
        self.depth -= 1
        if sign < 0:
            body = Sum(((-1, body),), start=body.start, end=body.end)
        return Big(token.text, low, high, body, start=token.start, end=self.last)

    def partial(self) -> Node:
        """∂ or an upright d, its order, and what it stands before; ∂f/∂x in one line is a quotient of two."""
        over = self.one_partial()
        if self.is_("sign", "/") and self.tokens[self.at + 1].kind == "partial":
            self.take()
            under: Node = self.one_partial()
            return self.scripted(Fraction(over, under, start=over.start, end=self.last))
        return over

    def one_partial(self) -> Node:
        token, order = self.take(), 1
        if self.is_("sup"):
            self.take()
            script = self.script()
            if not isinstance(script, Number):
                raise UnreadableError("the order of a derivative is a number", script.start)
            order = int(script.value)
        if self.next.kind in ENDS or not self.begins() or self.is_("partial"):
            return Partial(None, order, token.text, start=token.start, end=self.last)
        inner = self.function() if self.is_("function") else self.scripted(self.atom())
        if isinstance(inner, Name | Script) and self.is_("open", "(") and not self.next.apart and token.text == "∂":
            inner = Product((("", inner), ("", self.scripted(self.atom()))), start=inner.start, end=self.last)
        return Partial(inner, order, token.text, start=token.start, end=self.last)

    def nabla(self) -> Node:
        """∇_w f, ∇² f."""
        token, order = self.take(), 1
        under: Node | None = None
        while self.next.kind in ("sub", "sup"):
            if self.take().kind == "sub":
                under = self.script()
            else:
                script = self.script()
                if not isinstance(script, Number):
                    raise UnreadableError("the order of ∇ is a number", script.start)
                order = int(script.value)
        inner = self.scripted(self.atom())
        if self.is_("open", "(") and not isinstance(inner, Bracket):
            argument = self.scripted(self.atom())
            inner = Product((("", inner), ("", argument)), start=inner.start, end=self.last)
        return Nabla(inner, under, order, start=token.start, end=self.last)

    def function(self) -> Node:
        """A function name, its scripts and its argument, in brackets or not."""
        token = self.take()
        name: Node = self.scripted(Name(token.text, "function", start=token.start, end=token.end))
        if self.next.kind in ENDS or not (self.begins() or self.is_("sign", "−")):
            return name
        if self.is_("open", "(", "[", "{"):
            argument: Node = self.atom()
            call = Product((("", name), ("", argument)), start=token.start, end=self.last)
            return self.scripted(call) if self.next.kind in ("sub", "sup", "prime") else call
        if self.is_("sign", "−"):
            self.take()
            inner = self.operand()
            argument = Sum(((-1, inner),), start=inner.start, end=inner.end)
        else:
            argument = self.operand()
        return Product(
            (("", name), ("", Bracket(argument, "(", start=argument.start, end=argument.end))),
            start=token.start,
            end=self.last,
        )

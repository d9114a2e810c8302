"""Σ: over what its letters run, and the sum of what stands behind it."""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction as Rational

from byhand.reading.calls import Calls
from byhand.reading.keys import flat
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import Big, Bracket, Fraction, Name, Node, Partial, Product, Relation, Sum, Tuple
from byhand.reading.values import COLUMN, ROW, MismatchError, Value


class Sums(Calls):
    """The part of a reader that knows sums over indices."""

    @abstractmethod
    def factors(self, node: Product) -> list[tuple[str, Value, Node]]:
        """The values of factors with the signs before them."""

    @abstractmethod
    def combined(self, sign: str, a: Value, b: Value, at: Node) -> Value:
        """Two factors with the sign between them."""

    def big(self, node: Big) -> Value:
        """Σ over indices; their range is the whole axis, or is written."""
        if node.sign != "Σ":
            raise UnreadableError("a product over an index is not read", node.start)
        letters, low, high, condition = self.bound(node)
        before, lows = dict(self.ranges), dict(self.lows)
        try:
            for letter in letters:
                self.run(letter, low, high, node)
            body = self.summand(node.body, letters)
            if condition is not None:
                body.append(("", self.indicator(condition), condition))
            return self.summed(body, letters, node)
        finally:
            self.ranges, self.lows = before, lows

    def run(self, letter: str, low: Node | None, high: Node | None, node: Big) -> None:
        """Over what a letter of Σ runs: what is written, or the axes at which it stands."""
        if self.strict and letter in self.ranges:
            raise MismatchError(f"{letter} is in use, and summed over", node)
        self.ranges.pop(letter, None)
        self.lows.pop(letter, None)
        first = self.one if low is None else self.size(low)
        last = None if high is None else self.size(high)
        if first is None:
            raise UnreadableError(f"a sum that begins at {flat(low)}", node.start)
        if last is not None:
            before = self.algebra.plus(1, self.algebra.times(-1, first))
            self.ranges[letter] = self.algebra.plus(last, before)
            if self.strict or first != self.one or isinstance(high, Sum):  # else it ends where the axis does
                self.lows[letter] = first
            return
        sizes = self.axes_of(node.body, letter)
        if len(sizes) == 1:
            self.ranges[letter] = sizes.pop()
        elif self.strict:
            raise MismatchError(f"the range of {letter}: {', '.join(map(str, sorted(sizes))) or 'said nowhere'}", node)
        if first != self.one:
            raise UnreadableError(f"a sum that begins at {flat(low)} and ends nowhere", node.start)

    def summand(self, body: Node, letters: list[str]) -> list[tuple[str, Value, Node]]:
        """The factors of what is summed."""
        while isinstance(body, Bracket) and isinstance(body.inner, Product) and body.opened == "(":
            body = body.inner
        if isinstance(body, Product) and all(sign in ("", "·", "/") for sign, _ in body.factors):
            return self.factors(body)
        if isinstance(body, Fraction) and not isinstance(body.over, Partial):
            return [*self.summand(body.over, letters), ("/", self.value(body.under), body.under)]
        return [("", self.value(body), body)]

    def summed(self, factors: list[tuple[str, Value, Node]], letters: list[str], node: Big) -> Value:
        """The sum over letters of a product."""
        if all(self.do.is_number(x) for _, x, _ in factors):
            values = [
                self.do.power(x, Rational(-1)) if sign == "/" else x
                for sign, x in (
                    (sign, self.do.scalar(x)._replace(mask=x.mask, constant=x.constant)) for sign, x, _ in factors
                )
            ]
            self.known_ranges(letters, values, node)
            return self.do.contracted(values, letters, self.ranges)
        (_, made, _), *rest = factors
        for sign, x, at in rest:
            made = self.combined(sign, made, x, at)
        self.known_ranges(letters, [made], node)
        kept = tuple(one for one in made.letters if one not in letters)
        out = (*kept, ROW, COLUMN) if made.matrix else kept
        missing = {x: self.ranges[x] for x in letters if x not in made.letters}
        data = self.algebra.einsum([(made.data, made.labels)], out, missing)
        return Value(data, kept, made.matrix, identity=made.identity)

    def known_ranges(self, letters: list[str], values: list[Value], node: Big) -> None:
        for letter in letters:
            if letter not in self.ranges and not any(letter in x.letters for x in values):
                raise UnreadableError(f"over what {letter} runs is not known", node.start)

    def bound(self, node: Big) -> tuple[list[str], Node | None, Node | None, Relation | None]:
        """The letters that a Σ binds, its bounds, and a condition: Σ_{j≠i}."""
        match node.low:
            case Relation(sides, signs) if signs and signs[0] in "=∈" and sides[0] is not None:
                return [self._bound_letter(sides[0])], sides[1] if signs[0] == "=" else None, node.high, None
            case Relation(sides, ("≠" | "<" | ">" | "≤" | "≥",)) if sides[0] is not None:
                return [self._bound_letter(sides[0])], None, node.high, node.low
            case Tuple(items):
                return [self._bound_letter(i) for i in items], None, node.high, None
            case Name(text) if len(text) > 1 and text.isalpha():
                return [*text], None, node.high, None
            case Product(factors) if all(not s for s, _ in factors):
                return [self._bound_letter(f) for _, f in factors], None, node.high, None
            case None:
                raise UnreadableError("a sum over what?", node.start)
        assert node.low is not None
        return [self._bound_letter(node.low)], None, node.high, None

    def _bound_letter(self, node: Node) -> str:
        letter, _ = self.letter(node)
        if letter is None:
            raise UnreadableError("a sum binds a letter", node.start)
        return letter

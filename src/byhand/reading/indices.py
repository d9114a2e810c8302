"""Indices: letters and the axes that they run over, entries of arrays, slices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from fractions import Fraction as Rational
from functools import reduce
from typing import Any

from byhand.reading.algebra import Algebra
from byhand.reading.keys import flat, key_of, without_layer
from byhand.reading.operations import Operations
from byhand.reading.scope import Scope
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import Big, Bracket, Name, Node, Number, Product, Relation, Script, Sum, Tuple, children
from byhand.reading.values import MismatchError, Value

TRANSPOSED = {"T", "⊤", "t", "′"}


class Indices(ABC):
    """The part of a reader that knows indices.

    Args:
        algebra: numbers or expressions.
        scope: what the names stand for.
        letters: index letters with known ranges, besides those of the axes they stand at.
        one: the first index, 1 in mathematics.
        strict: as byhand prints: each letter is bound, and nothing is left to a reader's good will.
    """

    def __init__(
        self,
        algebra: Algebra,
        scope: Scope,
        letters: Mapping[str, Any] | None = None,
        one: int = 1,
        strict: bool = False,
    ) -> None:
        self.algebra, self.scope, self.one, self.strict = algebra, scope, one, strict
        self.do = Operations(algebra, strict)
        self.ranges: dict[str, Any] = dict(letters or {})
        self.lows: dict[str, Any] = {}  # where a letter does not begin at the first place

    @abstractmethod
    def value(self, node: Node) -> Value:
        """The value of a tree."""

    @abstractmethod
    def known(self, key: str) -> Value | None:
        """The value of a name, or of a size as a number."""

    # ---- sizes and letters

    def size(self, node: Node) -> Any | None:
        """A dimension: N, 3, N − 1, m p."""
        match node:
            case Number(value) if value.denominator == 1:
                return int(value)
            case Bracket(inner):
                return self.size(inner)
            case Sum(terms):
                sizes = [(sign, self.size(term)) for sign, term in terms]
                total: Any = 0
                for sign, size in sizes:
                    if size is None:
                        return None
                    total = self.algebra.plus(total, self.algebra.times(sign, size))
                return total
            case Product(factors) if all(sign in ("", "·") for sign, _ in factors):
                product: Any = 1
                for _, factor in factors:
                    size = self.size(factor)
                    if size is None:
                        return None
                    product = self.algebra.times(product, size)
                return product
            case Script(base, None, Number(power), 0) if power.denominator == 1 and 0 < power < 9:
                size = self.size(base)
                if size is not None and self.scope.dim(key_of(node)) is None:
                    return reduce(self.algebra.times, [size] * int(power))
        key = key_of(node)
        return self.scope.dim(key) if key else None

    def counted(self, letter: str) -> Value:
        """A letter as the number that it runs through."""
        low = self.lows.get(letter, self.one)
        return Value(self.algebra.counting(low, self.ranges[letter]), (letter,))

    def letter(self, index: Node) -> tuple[str | None, int | None]:
        """An index as a letter, or as a number."""
        match index:
            case Number(value) if value.denominator == 1:
                return None, int(value)
            case Name(text):
                return text, None
            case Script() if key_of(index):
                return key_of(index), None
        raise UnreadableError(f"the index {flat(index)} is no letter and no number", index.start)

    def indices(self, sub: Node, axes: int) -> list[Node]:
        """The indices that a subscript holds, for so many axes."""
        match sub:
            case Tuple(items):
                return [*items]
            case Product(factors) if len(factors) == axes and not self.strict and all(not sign for sign, _ in factors):
                return [f for _, f in factors]
            case Name(text) if axes == 1 and is_numbered(text):
                return [sub]
            case Name(text) if len(text) == axes > 1 or (self.strict and len(text) > 1 and self.known(text) is None):
                return [Name(c, start=sub.start + k, end=sub.start + k + 1) for k, c in enumerate(text)]
            case Number(value) if axes > 1 and len(str(value)) == axes:
                return [Number(Rational(int(c)), start=sub.start, end=sub.end) for c in str(value)]
            case Bracket(inner):
                return self.indices(inner, axes)
        return [sub]

    # ---- over what a letter runs

    def axes_of(self, node: Node, letter: str) -> set[Any]:
        """The sizes of the axes on which a letter stands alone, where nothing inside binds it."""
        found: set[Any] = set()
        todo: list[Node | None] = [node]
        while todo:
            n = todo.pop()
            if n is None or letter in self.binds(n):
                continue
            found |= self.own_axes(n, letter)
            todo += children(n)
        return found

    def binds(self, node: Node) -> set[str]:
        """The letters that a node binds: those below Σ, and those of an array given by its entries, [a_ij]_ij."""
        match node:
            case Big(_, low) if low is not None:
                below = low.sides[0] if isinstance(low, Relation) else low
                return {below.text} if isinstance(below, Name) and is_numbered(below.text) else {*letters_in(below)}
            case Script(Bracket(_, "["), sub) if sub is not None and self.by_entries(node):
                return {x for x in letters_in(sub)}
        return set()

    def by_entries(self, node: Script) -> bool:
        """Whether [a_ij]_ij gives an array by its entries: the letters below it stand inside, too."""
        if not isinstance(node.base, Bracket) or node.base.opened != "[" or node.sub is None:
            return False
        below = {*letters_in(node.sub)}
        todo, inside = [node.base.inner], set()  # type: list[Node | None], set[str]
        while todo:
            n = todo.pop()
            if isinstance(n, Script) and n.sub is not None:
                inside |= {*letters_in(n.sub)}
            todo += children(n) if n is not None else []
        return bool(below) and below <= inside

    def own_axes(self, node: Node, letter: str) -> set[Any]:
        """The sizes of the axes of one array on which a letter stands alone."""
        if not isinstance(node, Script) or node.sub is None or letter not in letters_in(node.sub):
            return set()
        layer, rest = without_layer(node.sup)
        raised = node.sup if isinstance(rest, Name) or (layer is not None and not self.strict) else None
        base = Script(node.base, None, raised, node.primes) if raised is not None or node.primes else node.base
        if self.is_sign(node) or self.known(key_of(node)) is not None:
            return set()
        try:
            found = self.array(base, node.sub)
        except (UnreadableError, MismatchError):
            return set()
        if found is None:
            return set()
        data, lead, indices = found
        shape = self.algebra.shape(data)[len(lead) :]
        return {n for i, n in zip(indices, shape, strict=False) if isinstance(i, Name) and i.text == letter}

    def is_sign(self, node: Script) -> bool:
        """Whether a name with a subscript is δ_ij, 1_N or I_N."""
        base = node.base
        text = "1" if isinstance(base, Number) and base.value == 1 else base.text if isinstance(base, Name) else ""
        return text in ("δ", "1", "I") and self.scope.value(text) is None and self.scope.array(text) is None

    @abstractmethod
    def array(self, base: Node, sub: Node) -> tuple[Any, tuple[str, ...], list[Node]] | None:
        """What a subscript picks from: an array, the letters it depends on, and the indices; None where it is not known."""


def is_numbered(text: str) -> bool:
    """Whether a name is an index letter as byhand writes them when the letters run out: i1, i2, ... i0 is i and 0."""
    return text[0] == "i" and text[1:].isdecimal() and text[1] != "0"


def letters_in(sub: Node | None) -> Iterator[str]:
    """What may be letters of a subscript: i; ij; i, j."""
    match sub:
        case Name(text):
            yield text
            if len(text) > 1:
                yield from text
        case Tuple(items):
            for item in items:
                yield from letters_in(item)
        case Product(factors):
            for _, factor in factors:
                yield from letters_in(factor)
        case Bracket(inner):
            yield from letters_in(inner)

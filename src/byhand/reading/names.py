"""Names with their scripts: what they stand for, entries by index, transposes, inverses and powers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction as Rational
from typing import Any

from byhand.reading.algebra import Algebra
from byhand.reading.keys import flat, key_of, without_layer
from byhand.reading.scope import Scope
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import (
    Bracket,
    Fraction,
    Name,
    Node,
    Number,
    Partial,
    Product,
    Script,
    Sum,
    Tuple,
)
from byhand.reading.values import COLUMN, ROW, MismatchError, Operations, Value

_EXTREMES = {"max": "maximum", "min": "minimum", "maximum": "maximum", "minimum": "minimum"}
_REDUCTIONS = {"softmax", "log_softmax", "logsumexp"}
_TRANSPOSED = {"T", "⊤", "t", "′"}


class Names(ABC):
    """The part of a reader that knows names.

    Args:
        algebra: numbers or expressions.
        scope: what the names stand for.
        letters: index letters with known ranges, besides those of the axes they stand at.
        one: the first index, 1 in mathematics.
    """

    def __init__(self, algebra: Algebra, scope: Scope, letters: Mapping[str, Any] | None = None, one: int = 1) -> None:
        self.algebra, self.scope, self.one = algebra, scope, one
        self.do = Operations(algebra)
        self.ranges: dict[str, Any] = dict(letters or {})

    @abstractmethod
    def value(self, node: Node) -> Value:
        """The value of a tree."""

    # ---- names

    def name(self, node: Name) -> Value:
        """A name of the page, a size, a constant, or names run together."""
        key = key_of(node)
        found = self.known(key)
        if found is not None:
            return found
        if node.text == "I" and self.scope.value("I") is None:
            raise UnreadableError("the size of the identity I is not known", node.start)
        if node.text == "π":
            from math import pi

            return Value(self.algebra.number(Rational(pi)))
        if node.text == "e":
            return Value(self.algebra.function("exp", self.algebra.number(Rational(1))))
        apart = self.run_together(node)
        if apart is not None:
            return self.value(apart)
        raise UnreadableError(f"{node.text} is not known here", node.start)

    def known(self, key: str) -> Value | None:
        """The value of a name, or of a size as a number."""
        found = self.scope.value(key)
        if found is not None:
            return found
        dim = self.scope.dim(key)
        return None if dim is None else Value(self.algebra.size(dim))

    def is_known(self, node: Node) -> bool:
        return self.known(key_of(node)) is not None

    def run_together(self, node: Name) -> Node | None:
        """Xw as X w where both are known, and it is not; dX as d X."""
        text, parts, at = node.text, [], 0  # type: str, list[Node], int
        if len(text) < 2:
            return None
        if text[0] in "dδ" and self.known(text[1:]) is not None:
            inner = Name(text[1:], node.font, start=node.start + 1, end=node.end)
            return Partial(inner, 1, "d", start=node.start, end=node.end)
        while at < len(text):
            for end in range(len(text) if at else len(text) - 1, at, -1):
                piece = text[at:end]
                if piece == "I" or self.known(piece) is not None or self.scope.function(piece) is not None:
                    parts.append(Name(piece, node.font, start=node.start + at, end=node.start + end))
                    at = end
                    break
            else:
                return None
        return Product(tuple(("", p) for p in parts), start=node.start, end=node.end)

    # ---- scripts

    def script(self, node: Script) -> Value:
        """A name with its scripts, entries by index, transposes, powers, inverses."""
        base, sup = node.base, node.sup
        layer, rest = without_layer(sup)
        if (
            isinstance(base, Name)
            and base.text == "e"
            and self.scope.value("e") is None
            and node.sub is None
            and sup is not None
        ):
            return self.do.function("exp", self.value(sup))
        ones = self.ones(node)
        if ones is not None:
            return self.raised(ones, rest, node)
        delta = self.kronecker(node)
        if delta is not None:
            return (
                self.raised(delta, rest if len(self.indices(node.sub, 2)) == 2 else None, node) if node.sub else delta
            )
        named = Script(base, node.sub, layer, node.primes, start=node.start, end=node.end)
        if isinstance(base, Name) and rest is not None and node.sub is None:
            found = self.scope.value(key_of(node))  # σ², where the page defines σ² by itself
            if found is not None:
                return found
        found = self.known(key_of(named)) if isinstance(base, Name) else None
        if found is not None:
            return self.raised(found, rest, node)
        apart = self.run_together(base) if isinstance(base, Name) and self.known(key_of(base)) is None else None
        if isinstance(apart, Product):  # XXᵀ: the scripts are those of the last
            *first, (sign, last) = apart.factors
            tail = Script(last, node.sub, sup, node.primes, start=last.start, end=node.end)
            return self.value(Product((*first, (sign, tail)), start=node.start, end=node.end))
        whole = Script(base, node.sub, sup, node.primes)
        if isinstance(base, Name) and sup is not None and rest is not None:
            found = self.scope.value(key_of(whole))
            if found is not None:
                return found
        if isinstance(base, Name) and node.sub is not None and isinstance(rest, Name):
            marked = self.scope.value(key_of(Script(base, None, sup, node.primes)))  # J^φ_{kj}: entries of J^φ
            if marked is not None:
                return self.entries(marked, node.sub)
        if node.sub is not None:
            inner: Node = (
                Script(base, None, layer, node.primes, start=base.start, end=base.end) if layer or node.primes else base
            )
            indices = self.indices(node.sub, 2)
            whole_line = any(isinstance(i, Name) and i.text == ":" for i in indices)
            if isinstance(rest, Name) and rest.text in _TRANSPOSED and len(indices) == 2 and not whole_line:
                inner, rest = (
                    Script(inner, None, rest, start=base.start, end=base.end),
                    None,
                )  # Aᵀ_ij are the entries of Aᵀ
            of = self.indexed_base(inner, node.sub)
            if of is not None:
                return self.raised(of, rest, node)
            raise UnreadableError(f"{flat(base)} with the subscript {flat(node.sub)} is not known here", node.start)
        if node.primes:
            raise UnreadableError(f"a prime that is no derivative of a function: {flat(base)}'", node.start)
        if layer is not None:
            raise UnreadableError(f"{flat(base)} of layer {flat(layer)} is not known here", node.start)
        return self.raised(self.value(base), rest, node)

    def indexed_base(self, inner: Node, sub: Node) -> Value | None:
        """Entries of a value by letters."""
        try:
            x = self.value(inner)
        except UnreadableError:
            return None
        return self.entries(x, sub)

    def entries(self, x: Value, sub: Node) -> Value:
        """x_ij, x_i of a vector, X_{i,:}: an axis per letter."""
        if not x.matrix:
            raise MismatchError(f"an index of {self.do.shown(x)}", sub)
        rows, columns = self.do.sides(x)
        indices = self.indices(sub, 1 if 1 in (rows, columns) else 2)
        if len(indices) == 1 and (1 in (rows, columns)):
            vector = ROW if columns == 1 else COLUMN
            flat_ = Value(self.algebra.einsum([(x.data, x.labels)], (*x.letters, vector), {}), x.letters)
            return self.at(flat_, indices)
        if len(indices) != 2:
            raise MismatchError(f"{len(indices)} indices of {self.do.shown(x)}", sub)
        if any(isinstance(i, Name) and i.text == ":" for i in indices):
            return self.line(x, indices)
        return self.at(Value(x.data, x.letters), indices)

    def line(self, x: Value, indices: list[Node]) -> Value:
        """A row or a column as a matrix."""
        whole = [isinstance(i, Name) and i.text == ":" for i in indices]
        if all(whole):
            return x
        k, index = (0, indices[0]) if whole[1] else (1, indices[1])
        letter, fixed = self.letter(index)
        kept = COLUMN if k == 0 else ROW
        if letter is None:
            assert fixed is not None
            data = self.algebra.pick(x.data, len(x.letters) + k, fixed - self.one)
            return Value(
                self.algebra.einsum(
                    [(data, (*x.letters, kept))], (*x.letters, ROW, COLUMN), {ROW if k == 0 else COLUMN: 1}
                ),
                x.letters,
                True,
            )
        labels = (*x.letters, letter, COLUMN) if k == 0 else (*x.letters, ROW, letter)
        letters = (*x.letters, letter)
        return Value(
            self.algebra.einsum([(x.data, labels)], (*letters, ROW, COLUMN), {ROW if k == 0 else COLUMN: 1}),
            letters,
            True,
        )

    def at(self, x: Value, indices: list[Node]) -> Value:
        """An array whose axes after its letters are given indices: letters, or numbers."""
        data, labels = x.data, list(x.letters)
        for index in indices:
            letter, fixed = self.letter(index)
            if letter is None:
                assert fixed is not None
                place = fixed - self.one
                size = self.algebra.shape(data)[len(labels)]
                if place < 0 or (isinstance(size, int) and place >= size):
                    raise MismatchError(f"the index {fixed} is outside 1 to {size}", index)
                data = self.algebra.pick(data, len(labels), place)
            else:
                labels.append(letter)
        out = tuple(dict.fromkeys(labels))
        shape = self.algebra.shape(data)
        known: dict[str, Any] = {}
        for letter, dim in zip(labels, shape, strict=True):
            if known.setdefault(letter, dim) != dim:
                raise MismatchError(f"the index {letter} runs over {known[letter]} places here and over {dim} there")
            if letter in self.ranges and self.ranges[letter] != dim:
                raise MismatchError(f"the index {letter} runs to {self.ranges[letter]}, the axis has {dim} places")
        return Value(data if out == tuple(labels) else self.algebra.einsum([(data, labels)], out, {}), out)

    def indices(self, sub: Node, axes: int) -> list[Node]:
        """The indices that a subscript holds."""
        match sub:
            case Tuple(items):
                return [*items]
            case Product(factors) if all(not sign for sign, _ in factors) and len(factors) == axes:
                return [f for _, f in factors]
            case Name(text) if len(text) == axes > 1:
                return [Name(c, start=sub.start + k, end=sub.start + k + 1) for k, c in enumerate(text)]
            case Number(value) if axes > 1 and len(str(value)) == axes:
                return [Number(Rational(int(c)), start=sub.start, end=sub.end) for c in str(value)]
            case Bracket(inner):
                return self.indices(inner, axes)
        return [sub]

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

    def kronecker(self, node: Script) -> Value | None:
        """δ_ij."""
        base = node.base
        if not (isinstance(base, Name) and base.text in ("δ", "𝛿")) or node.sub is None:
            return None
        if self.known(key_of(Script(base, node.sub, None, 0))) is not None:
            return None
        indices = self.indices(node.sub, 2)
        known = self.scope.value("δ")
        if known is not None and known.matrix:
            return None
        if len(indices) == 1 and isinstance(node.sup, Name) and node.sup.text not in _TRANSPOSED:
            indices = [indices[0], node.sup]
        if len(indices) != 2:
            return None
        (i, first), (j, second) = (self.letter(index) for index in indices)
        if (i is None) != (j is None):
            letter, fixed = (i, second) if i is not None else (j, first)
            size = self.ranges.get(letter or "")
            if size is None or fixed is None:
                raise UnreadableError(f"over what the index {letter} of δ runs is not known", node.start)
            return Value(self.algebra.pick(self.algebra.eye(size), 1, fixed - self.one), (letter or "",))
        if i is None or j is None:
            return None
        if i == j:
            return Value(self.algebra.number(Rational(1)))
        dim = self.ranges.get(i) or self.ranges.get(j)
        if dim is None:
            raise UnreadableError(f"over what the indices of δ_{i}{j} run is not known", node.start)
        return Value(self.algebra.eye(dim), (i, j))

    def ones(self, node: Script) -> Value | None:
        """1_N, a column; I_N, the identity."""
        base, sub = node.base, node.sub
        if sub is None or not isinstance(base, Number | Name):
            return None
        if isinstance(base, Number) and base.value != 1:
            return None
        word = "1" if isinstance(base, Number) else base.text
        if word not in ("1", "I") or self.scope.value(key_of(node)) is not None:
            return None
        dim = self.size(sub)
        if dim is None:
            return None
        return self.do.eye(dim) if word == "I" else self.do.ones(dim, 1)

    def size(self, node: Node) -> Any | None:
        """A dimension written as a subscript."""
        match node:
            case Number(value) if value.denominator == 1:
                return int(value)
            case Bracket(inner):
                return self.size(inner)
        return self.scope.dim(key_of(node))

    def raised(self, x: Value, sup: Node | None, node: Script) -> Value:
        """A transpose, an inverse, a power."""
        match sup:
            case None:
                return x
            case Name(text) if text in _TRANSPOSED:
                return self.do.transpose(x)
            case Sum(terms) if len(terms) == 1 and terms[0][0] < 0 and isinstance(terms[0][1], Name):
                if terms[0][1].text in _TRANSPOSED:
                    return self.do.transpose(self.do.matrix_power(x, Rational(-1)))
            case Product(factors) if len(factors) > 1 and all(not sign for sign, _ in factors):
                for _, factor in factors:
                    x = self.raised(x, factor, node)
                return x
            case Bracket(inner, "∘"):
                return self.do.power(x, self.exponent(inner))
            case Bracket(Name()):
                raise UnreadableError(f"a superscript ({flat(sup)}) of an array that is not told by it", node.start)
        exact = self.rational(sup)
        if exact is not None:
            return self.do.matrix_power(x, exact)
        exponent = self.value(sup)
        one, other, letters, matrix = self.do.together("a power", x, exponent)
        return Value(self.algebra.power(one, other), letters, matrix)

    def exponent(self, node: Node) -> Rational:
        exact = self.rational(node)
        if exact is None:
            raise UnreadableError(f"the exponent {flat(node)} is no number", node.start)
        return exact

    def rational(self, node: Node) -> Rational | None:
        """A number written out: 2, −1, 3/2."""
        match node:
            case Number(value):
                return value
            case Bracket(inner):
                return self.rational(inner)
            case Sum(terms) if len(terms) == 1:
                size = self.rational(terms[0][1])
                return None if size is None else terms[0][0] * size
            case Fraction(over, under):
                a, b = self.rational(over), self.rational(under)
                return None if a is None or not b else a / b
            case Product(factors) if len(factors) == 2 and factors[1][0] == "/":
                a, b = self.rational(factors[0][1]), self.rational(factors[1][1])
                return None if a is None or not b else a / b
        return None

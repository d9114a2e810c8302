"""Names with their scripts: what they stand for, entries by index, transposes, inverses and powers."""

from __future__ import annotations

from fractions import Fraction as Rational
from math import pi

from byhand.reading.entries import Entries
from byhand.reading.indices import TRANSPOSED
from byhand.reading.keys import flat, key_of, without_layer
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
)
from byhand.reading.values import MismatchError, Value


class Names(Entries):
    """The part of a reader that knows names."""

    # ---- names

    def name(self, node: Name) -> Value:
        """A name of the page, a size, a constant, or names run together."""
        key = key_of(node)
        found = self.known(key)
        if key in self.ranges:
            if found is not None and self.strict:
                raise MismatchError(f"{key} is a letter and a name", node)
            if found is None:
                return self.counted(key)
        if found is not None:
            return found
        if key == "I":
            return Value(self.algebra.number(Rational(1)), identity=True)
        if self.strict:
            raise MismatchError(f"{key} stands for nothing", node)
        if node.text == "π":
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
        return None if dim is None else Value(self.algebra.size(dim), constant=True)

    def is_known(self, node: Node) -> bool:
        return self.known(key_of(node)) is not None

    def run_together(self, node: Name) -> Node | None:
        """Xw as X w where both are known, and it is not; dX as d X."""
        text, parts, at = node.text, [], 0  # type: str, list[Node], int
        if len(text) < 2:
            return None
        moving = self.known(text[1:]) is not None or self.scope.array(text[1:]) is not None
        if text[0] in "dδ" and moving:
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
        layer, rest = (None, sup) if self.strict else without_layer(sup)
        if (
            isinstance(base, Name)
            and base.text == "e"
            and self.scope.value("e") is None
            and node.sub is None
            and sup is not None
        ):
            return self.do.function("exp", self.value(sup))
        if self.by_entries(node):
            return self.raised(self.whole(node), rest, node)
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
        alone = isinstance(base, Name) and self.known(key_of(base)) is None and self.scope.array(key_of(base)) is None
        apart = self.run_together(base) if isinstance(base, Name) and alone else None
        if isinstance(apart, Product):  # XXᵀ: the scripts are those of the last
            *first, (sign, last) = apart.factors
            tail = Script(last, node.sub, sup, node.primes, start=last.start, end=node.end)
            return self.value(Product((*first, (sign, tail)), start=node.start, end=node.end))
        if isinstance(apart, Partial) and apart.inner is not None and node.sub is not None:  # dA_ij
            moved = Script(apart.inner, node.sub, None, node.primes, start=base.start + 1, end=node.end)
            return self.raised(self.value(Partial(moved, 1, "d", start=node.start, end=node.end)), sup, node)
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
            if isinstance(rest, Name) and rest.text in TRANSPOSED and len(indices) == 2 and not whole_line:
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
            found = self.array(inner, sub)
        except UnreadableError:
            if self.strict:
                raise
            return None
        return None if found is None else self.at(*found, sub)

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
        if len(indices) == 1 and isinstance(node.sup, Name) and node.sup.text not in TRANSPOSED:
            indices = [indices[0], node.sup]
        if len(indices) != 2:
            return None
        i, j = (index.text if isinstance(index, Name) and self.letter(index)[0] else "" for index in indices)
        if i and i == j:
            return Value(self.algebra.number(Rational(1)))
        if i in self.ranges and j in self.ranges and not {i, j} & {*self.lows} and self.ranges[i] == self.ranges[j]:
            return Value(self.algebra.eye(self.ranges[i]), (i, j))
        if not self.strict:  # of one letter it is known how far it runs: the other runs as far
            for one, other in ((i, j), (j, i)):
                if one in self.ranges and other and other not in self.ranges and self.known(other) is None:
                    return Value(self.algebra.eye(self.ranges[one]), (i, j))
        left, right = (self.do.scalar(self.counting(index)) for index in indices)
        a, b, letters, _ = self.do.together("δ", left, right)
        return Value(self.algebra.compare(a, "=", b), letters)

    def counting(self, index: Node) -> Value:
        """An index as a number."""
        if isinstance(index, Name) and index.text not in self.ranges:
            letter, fixed = self.letter(index)
            if fixed is not None:
                return Value(self.algebra.number(Rational(fixed)))
            if self.known(index.text) is None:
                raise UnreadableError(f"over what the index {letter} of δ runs is not known", index.start)
        return self.value(index)

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

    def raised(self, x: Value, sup: Node | None, node: Script) -> Value:
        """A transpose, an inverse, a power."""
        match sup:
            case None:
                return x
            case Name(text) if text in TRANSPOSED:
                return self.do.transpose(x)
            case Sum(terms) if len(terms) == 1 and terms[0][0] < 0 and isinstance(terms[0][1], Name):
                if terms[0][1].text in TRANSPOSED:
                    return self.do.transpose(self.do.matrix_power(x, Rational(-1)))
            case Product(factors) if len(factors) > 1 and all(not sign for sign, _ in factors):
                for _, factor in factors:
                    x = self.raised(x, factor, node)
                return x
            case Bracket(inner, "∘"):
                exact = self.rational(inner)
                if exact is not None:
                    return self.do.power(self.do.definite(x), exact)
                one, other, letters, matrix = self.do.together("a power", x, self.value(inner), "constant")
                return Value(self.algebra.power(one, other), letters, matrix)
            case Bracket(Name()):
                raise UnreadableError(f"a superscript ({flat(sup)}) of an array that is not told by it", node.start)
        exact = self.rational(sup)
        if exact is not None:
            return self.do.matrix_power(x, exact)
        one, other, letters, matrix = self.do.together("a power", x, self.value(sup), "constant")
        return Value(self.algebra.power(one, other), letters, matrix)

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

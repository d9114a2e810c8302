"""What a tree means, given what its names stand for: matrix notation by shapes, index notation by letters."""

from __future__ import annotations

from fractions import Fraction as Rational

from byhand.reading.keys import flat
from byhand.reading.sums import Sums
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import (
    Big,
    Brace,
    Bracket,
    Cases,
    Dots,
    Fraction,
    Inner,
    Matrix,
    Nabla,
    Name,
    Node,
    Norm,
    Number,
    Partial,
    Product,
    Range,
    Relation,
    Root,
    Script,
    Sum,
    Tuple,
    Words,
)
from byhand.reading.values import MismatchError, Value


class Meaning(Sums):
    """Gives trees their values."""

    def value(self, node: Node) -> Value:
        """The value of a tree.

        Raises: UnreadableError: a name is unknown, or a sign has no meaning here. MismatchError: the shapes do not fit.
        """
        try:
            return self._value(node)
        except MismatchError as error:
            error.node = error.node or node
            raise

    def _value(self, node: Node) -> Value:
        match node:
            case Number(value):
                return Value(self.algebra.number(value), constant=True)
            case Name():
                return self.name(node)
            case Script():
                return self.script(node)
            case Bracket(inner, "⟨"):
                return self.value(inner)
            case Bracket(Tuple(items)):
                found = self.bracket(items)
                if found is None:
                    raise UnreadableError("several things in brackets where one is expected", node.start)
                return found
            case Bracket(inner):
                return self.value(inner)
            case Brace(inner):
                return self.value(inner)
            case Sum(terms):
                return self.sum(terms)
            case Product():
                return self.product(node)
            case Fraction(over, under):
                return self.fraction(node, over, under)
            case Root(inner):
                return self.do.power(self.value(inner), Rational(1, 2))
            case Big():
                return self.big(node)
            case Norm():
                return self.norm(node)
            case Range():
                raise UnreadableError("a range where a value is expected", node.start)
            case Inner(left, right):
                return self.do.inner(self.value(left), self.value(right))
            case Partial(inner, order, _):
                return self.differential(node, inner, order)
            case Nabla(inner, under, order):
                return self.nabla(node, inner, under, order)
            case Matrix(rows):
                return self.matrix(node, rows)
            case Cases(rows):
                return self.cases(node, rows)
            case Dots():
                raise UnreadableError("dots stand for what is left out", node.start)
            case Words(text):
                raise UnreadableError(f"words within a formula: {text}", node.start)
            case Tuple():
                raise UnreadableError("several things where one is expected", node.start)
            case Relation():
                raise UnreadableError("a relation where a value is expected", node.start)
        raise UnreadableError("a sign without a meaning here", node.start)

    def sum(self, terms: tuple[tuple[int, Node], ...]) -> Value:
        """Terms with their signs."""
        return self.do.add([(sign, self.value(term)) for sign, term in terms])

    def bracket(self, items: tuple[Node, ...]) -> Value | None:
        """Several things in brackets: a vector written out, where a reader knows what it is."""
        return None

    # ---- products

    def product(self, node: Product) -> Value:
        """Factors from the left; a function takes the bracket after it."""
        (_, made, _), *rest = self.factors(node)
        for sign, x, at in rest:
            try:
                made = self.combined(sign, made, x, at)
            except MismatchError as error:
                error.node = error.node or node
                raise
        return made

    def factors(self, node: Product) -> list[tuple[str, Value, Node]]:
        """The values of factors with the signs before them; what a function or a derivative takes is one with it."""
        items, k = [*node.factors], 0
        made: list[tuple[str, Value, Node]] = []
        while k < len(items):
            sign, at = items[k]
            x, used = self.factor(items, k, node)
            made.append((sign, x, at))
            k += used
        return made

    def combined(self, sign: str, a: Value, b: Value, at: Node) -> Value:
        match sign:
            case "":
                return self.do.multiply(a, b)
            case "·":
                return self.do.dot(a, b)
            case "×" | "*":
                return (
                    self.do.hadamard(a, b)
                    if sign == "*" and a.matrix and b.matrix and not self._fit(a, b)
                    else self.do.multiply(a, b)
                )
            case "⊙":
                return self.do.hadamard(a, b)
            case "⊘":
                return self.do.hadamard(a, b, divide=True)
            case "/":
                return self.do.divided(a, b)
            case "⊗":
                return self.outer(a, b)
        raise UnreadableError(f"the sign {sign} has no meaning here", at.start)

    def _fit(self, a: Value, b: Value) -> bool:
        return bool(self.do.sides(a)[1] == self.do.sides(b)[0]) and self.do.sides(a) != self.do.sides(b)

    def outer(self, a: Value, b: Value) -> Value:
        """a ⊗ b: the Kronecker product, of which the outer product of two columns a bᵀ is not a case: a scope may read it so."""
        return self.do.kron(a, b)

    def factor(self, factors: list[tuple[str, Node]], k: int, node: Product) -> tuple[Value, int]:
        """The value of a factor, with the bracket after it where it is a function; how many factors that took."""
        _, factor = factors[k]
        after = factors[k + 1][1] if k + 1 < len(factors) and not factors[k + 1][0] else None
        argument, power = self.argument(after)
        one = (isinstance(factor, Number) and factor.value == 1) or (isinstance(factor, Name) and factor.text == "1")
        if one and argument is not None and argument.opened in "[{" and isinstance(argument.inner, Relation):
            held = self.indicator(argument.inner)
            return (held if power is None else self.raised(held, power, Script(factor))), 2
        if argument is not None and argument.opened == "[" and _is_slice(argument):
            sliced = self.sliced(self.value(factor), argument)
            return (sliced if power is None else self.raised(sliced, power, Script(factor))), 2
        if argument is not None:
            called = self.called(factor, argument)
            if called is not None:
                return (called if power is None else self.raised(called, power, Script(factor))), 2
        plain_d = isinstance(factor, Name) and factor.text == "d" and self.scope.value("d") is None
        if plain_d and after is not None and (after.start == factor.end or isinstance(after, Bracket)):
            return self.value(Partial(after, 1, "d", start=factor.start, end=after.end)), 2
        if (
            isinstance(factor, Fraction)
            and isinstance(factor.over, Partial)
            and factor.over.inner is None
            and after is not None
        ):
            return self.applied_derivative(factor, factors, k)
        return self.value(factor), 1

    def applied_derivative(self, factor: Fraction, factors: list[tuple[str, Node]], k: int) -> tuple[Value, int]:
        """∂/∂x of the product that follows."""
        rest = factors[k + 1 :]
        inner = (
            rest[0][1]
            if len(rest) == 1
            else Product((("", rest[0][1]), *rest[1:]), start=rest[0][1].start, end=rest[-1][1].end)
        )
        assert isinstance(factor.over, Partial)
        over = Partial(inner, factor.over.order, factor.over.sign, start=factor.start, end=inner.end)
        return self.fraction(Fraction(over, factor.under, start=factor.start, end=inner.end), over, factor.under), len(
            rest
        ) + 1

    # ---- fractions, derivatives, differentials

    def fraction(self, node: Node, over: Node, under: Node) -> Value:
        """A quotient, or a derivative."""
        if isinstance(over, Partial) and (isinstance(under, Partial) or self._partials(under)):
            return self.derivative(node, over, under)
        return self.do.divided(self.value(over), self.value(under))

    def _partials(self, node: Node) -> bool:
        return isinstance(node, Product) and all(isinstance(f, Partial) and not sign for sign, f in node.factors)

    def derivative(self, node: Node, over: Partial, under: Node) -> Value:
        if over.inner is None:
            raise UnreadableError("a derivative of what follows stands alone", node.start)
        if isinstance(under, Product):
            found = self.scope.derivative(over.inner, under, over.order)
        else:
            assert isinstance(under, Partial)
            if under.inner is None:
                raise UnreadableError("a derivative with respect to nothing", node.start)
            found = self.scope.derivative(over.inner, under.inner, over.order)
        if found is None:
            raise UnreadableError(
                f"the derivative of {flat(over.inner)} with respect to {flat(under)} is not known here", node.start
            )
        return found

    def differential(self, node: Node, inner: Node | None, order: int) -> Value:
        if inner is None or order != 1:
            raise UnreadableError("a differential of nothing, or of a higher order", node.start)
        found = self.scope.differential(inner)
        if found is None:
            raise UnreadableError(f"the differential of {flat(inner)} is not known here", node.start)
        return found

    def nabla(self, node: Node, inner: Node, under: Node | None, order: int) -> Value:
        raise UnreadableError("∇ is not read here", node.start)

    # ---- norms, what is written out

    def norm(self, node: Norm) -> Value:
        """‖x‖, of a matrix Frobenius'; |x| entry by entry."""
        x = self.argued(node.inner)
        if node.single:
            return self.do.function("abs", x)
        x = self.do.definite(x)
        if node.sub is not None and flat(node.sub) not in ("2", "F"):
            if flat(node.sub) == "1":
                return self.do.total(self.do.function("abs", x))
            raise UnreadableError(f"the norm with the subscript {flat(node.sub)} is not read", node.start)
        return self.do.power(self.do.inner(x, x), Rational(1, 2))

    def matrix(self, node: Matrix, rows: tuple[tuple[Node, ...], ...]) -> Value:
        """Entries written out."""
        raise UnreadableError("a matrix written out is not read here", node.start)


def _is_slice(bracket: Bracket) -> bool:
    """Whether [0:3, :] cuts an array."""
    items = bracket.inner.items if isinstance(bracket.inner, Tuple) else (bracket.inner,)
    return any(isinstance(i, Range) or (isinstance(i, Name) and i.text == ":") for i in items)

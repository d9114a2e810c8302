"""Functions and their arguments: f(x), softmax_i(z), indicators and cases."""

from __future__ import annotations

import re
from fractions import Fraction as Rational
from typing import Any

from byhand.expr.functions import FUNCTIONS as ELEMENTWISE
from byhand.reading.keys import flat, key_of, without_layer
from byhand.reading.names import Names
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import (
    Bracket,
    Cases,
    Name,
    Node,
    Norm,
    Number,
    Relation,
    Script,
    Tuple,
    Words,
)
from byhand.reading.values import COLUMN, ROW, Value

_EXTREMES = {"max": "maximum", "min": "minimum", "maximum": "maximum", "minimum": "minimum"}
_REDUCTIONS = {"softmax", "log_softmax", "logsumexp"}
_AXES = {("0",): "columns", ("1",): "rows", ("-1",): "rows", ("0", "1"): "all"}


class Calls(Names):
    """The part of a reader that knows functions."""

    def argument(self, node: Node | None) -> tuple[Bracket | None, Node | None]:
        """A bracket that may be an argument, and the power of what it makes: f(x)²."""
        if isinstance(node, Bracket):
            return node, None
        if isinstance(node, Script) and isinstance(node.base, Bracket) and node.sub is None and not node.primes:
            return node.base, node.sup
        return None, None

    def called(self, function: Node, argument: Bracket) -> Value | None:
        """f(x), where f is a function; None where it is a value, and side by side a product."""
        power: Node | None = None
        primes = 0
        sub: Node | None = None
        name = function
        if isinstance(name, Script) and isinstance(name.base, Name):
            if self.known(key_of(name)) is not None:
                items = [*argument.inner.items] if isinstance(argument.inner, Tuple) else [argument.inner]
                return self.scope.call(key_of(name), items)
            primes, sub, power, name = name.primes, name.sub, name.sup, name.base
        if not isinstance(name, Name):
            return None
        items = [*argument.inner.items] if isinstance(argument.inner, Tuple) else [argument.inner]
        if name.font != "function":
            full = key_of(function if power is None else Script(name, sub, None, primes))
            defined = self.scope.call(full, items)
            if defined is not None:
                return defined
            if self.known(key_of(name)) is not None and self.scope.function(key_of(name)) is None:
                return None
        row = self.scope.function(key_of(name))
        word = row or name.text
        if name.font != "function" and row is None and word not in ELEMENTWISE and word not in _EXTREMES:
            plain_d = name.text == "d" and sub is None and not primes
            if (
                self.strict
                and not plain_d
                and argument.start == function.end
                and argument.opened == "("
                and key_of(name) not in self.ranges
            ):
                raise UnreadableError(f"the function {word} is not known", function.start)
            return None
        made = self.function(word, items, primes, sub, argument)
        layer, rest = without_layer(power)
        if layer is not None:
            rest = power
        return self.raised(made, rest, Script(name)) if rest is not None else made

    def function(self, word: str, items: list[Node], primes: int, sub: Node | None, at: Node) -> Value:
        """A function of the language."""
        if word == "1":
            raise UnreadableError("an indicator of no condition", at.start)
        if word in _EXTREMES and len(items) > 1:
            made = self.value(items[0])
            for item in items[1:]:
                one, other, letters, matrix = self.do.together(word, made, self.value(item))
                made = Value(self.algebra.extreme(_EXTREMES[word], one, other), letters, matrix)
            return made
        if word == "kron" and len(items) == 2:
            return self.do.kron(self.value(items[0]), self.value(items[1]))
        if word == "where" and len(items) == 3:
            return self.where(*items)
        if word == "onehot":
            return self.one_hot(items, at)
        axis = _worded(items[1]) if len(items) == 2 else None
        if word in _REDUCTIONS and isinstance(axis, Relation) and flat(axis.sides[0]) == "axis":
            return self.reduced(word, items[0], sub, axis.sides[1])
        if len(items) != 1:
            raise UnreadableError(f"{word} of {len(items)} arguments", at.start)
        if isinstance(items[0], Relation):
            raise UnreadableError(f"{word} of a relation", at.start)
        if word in _REDUCTIONS:
            return self.reduced(word, items[0], sub, None)
        if word == "eye":
            return self.do.eye(self.size(items[0]))
        if word == "log" and isinstance(items[0], Norm) and items[0].single:
            x = self.argued(items[0].inner)
            if x.matrix and not self.do.is_number(x) and (self.strict or len({*self.do.sides(x)}) == 1):
                return self.do.determinant(x, True)
        x = self.argued(items[0])
        if primes:
            return self.prime(word, x, primes, at)
        if word in ELEMENTWISE:
            return self.do.function(word, x)
        match word:
            case "trace":
                return self.do.trace(x)
            case "diag":
                return self.do.diagonal(x)
            case "det" | "logdet":
                return self.do.determinant(x, word == "logdet")
            case "inv":
                return self.do.matrix_power(x, Rational(-1))
            case "sum":
                return self.do.total(x)
            case "mean":
                rows, columns = self.do.sides(x) if x.matrix else (1, 1)
                over = self.algebra.einsum([(self.algebra.size(n), ()) for n in (rows, columns)], (), {})
                return self.do.scaled(self.do.total(x), self.do.power(Value(over), Rational(-1)))
            case "vec":
                return self.do.stacked(x)
            case "norm":
                return self.do.power(self.do.inner(x, x), Rational(1, 2))
        raise UnreadableError(f"the function {word} has no meaning here", at.start)

    def argued(self, node: Node) -> Value:
        """The argument of a function."""
        return self.value(node)

    def one_hot(self, items: list[Node], at: Node) -> Value:
        """onehot(t, K): a row per label, counted as indices are."""
        if len(items) != 2:
            raise UnreadableError("how many classes onehot has is not said", at.start)
        return self.hot(self.value(items[0]), self.size(items[1]), at)

    def hot(self, labels: Value, classes: Any, at: Node) -> Value:
        """A row per label."""
        if classes is None or (labels.matrix and 1 not in self.do.sides(labels)):
            raise UnreadableError("the arguments of onehot", at.start)
        if self.one:
            labels = self.do.add([(1, labels), (-1, Value(self.algebra.number(Rational(self.one))))])
        places = self.do.definite(labels).data
        if labels.matrix:
            kept = ROW if self.do.sides(labels)[1] == 1 else COLUMN
            places = self.algebra.einsum([(places, labels.labels)], (*labels.letters, kept), {})
        hot = self.algebra.picker(places, classes)
        if not labels.matrix:
            hot = self.algebra.einsum([(hot, (*labels.letters, COLUMN))], (*labels.letters, ROW, COLUMN), {ROW: 1})
        return Value(hot, labels.letters, True)

    def reduced(self, word: str, item: Node, sub: Node | None, axis: Node | None) -> Value:
        """softmax(z), softmax(Z, axis=0), with an index softmax_i(z) its entries."""
        x = self.argued(item)
        if axis is None:
            axes = self.scope.softmax_axes(x)
        else:
            axis = axis.inner if isinstance(axis, Bracket) else axis
            said = tuple(flat(a) for a in (axis.items if isinstance(axis, Tuple) else (axis,)))
            if said not in _AXES:
                raise UnreadableError(f"{word} over the axes {', '.join(said)}", item.start)
            axes = _AXES[said]
        made = self.do.over(word, x, axes)
        return self.entries(made, sub) if sub is not None else made

    def prime(self, word: str, x: Value, primes: int, at: Node) -> Value:
        """σ'(z): the slope of a function of the table."""
        if word not in ELEMENTWISE or primes > 1:
            raise UnreadableError(f"the derivative {word}{chr(39) * primes} is not known", at.start)
        return self.slope(word, x)

    def slope(self, word: str, x: Value) -> Value:
        """The derivative of a function of the table, by its row."""
        raise UnreadableError(f"the derivative of {word} is not known here")

    def indicator(self, condition: Relation) -> Value:
        """1[x > 0]: one where it holds."""
        made: Value | None = None
        for left, sign, right in zip(condition.sides[:-1], condition.signs, condition.sides[1:], strict=True):
            if left is None or right is None or sign not in "><≥≤=≠":
                raise UnreadableError(f"a condition with {sign}", condition.start)
            one, other, letters, matrix = self.do.together(
                "a comparison", self.value(left), self.value(right), "constant"
            )
            held = Value(self.algebra.compare(one, sign, other), letters, matrix, mask=True)
            made = held if made is None else self.do.hadamard(made, held)
        assert made is not None
        return made

    def where(self, condition: Node, one: Node, other: Node) -> Value:
        """where(mask, a, b)."""
        mask = self.indicator(condition) if isinstance(condition, Relation) else self.value(condition)
        return self.do.chosen(mask, self.value(one), self.value(other))

    def cases(self, node: Cases, rows: tuple[tuple[Node, Node | None], ...]) -> Value:
        """Values with conditions."""
        made: Value | None = None
        for value, condition in reversed(rows):
            x = self.value(value)
            if made is None:
                made = x
                continue
            if not isinstance(condition, Relation):
                raise UnreadableError("a case without a condition", node.start)
            mask = self.indicator(condition)
            made = self.do.chosen(mask, x, made)
        assert made is not None
        return made


def _worded(node: Node) -> Node:
    """What \\text{axis=0} says."""
    said = re.fullmatch(r"axis\W*=\W*(\d(?:\W+\d)*)\W*", node.text) if isinstance(node, Words) else None
    if said is None:
        return node
    axes = tuple(Number(Rational(int(k))) for k in re.findall(r"\d", said[1]))
    return Relation((Name("axis"), axes[0] if len(axes) == 1 else Tuple(axes)), ("=",), start=node.start, end=node.end)

"""Byhand's own print read back, to the letter: a line's two sides as numbers, given what the names of its page stand for.

Nothing here knows how a formula came about. A letter is free on the left or bound by a Σ; its range is what a Σ says, or
that of the axes on which it stands alone. An index beyond its axis, a letter that nothing binds, shapes that do not fit
are errors of the formula (MismatchError); a sign that is not known, a size that is not said are not (UnreadableError).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from byhand.expr.functions import FUNCTIONS as ELEMENTWISE
from byhand.expr.operations import OPERATIONS, OVER_AXES
from byhand.notation.symbols import function_name
from byhand.reading.algebra import NumPy
from byhand.reading.grammar import read
from byhand.reading.keys import flat, key_of
from byhand.reading.meaning import Meaning
from byhand.reading.scope import Scope
from byhand.reading.stands import Entry, Names, standing
from byhand.reading.tokens import FUNCTIONS, UnreadableError
from byhand.reading.tree import (
    Brace,
    Bracket,
    Fraction,
    Name,
    Node,
    Partial,
    Product,
    Relation,
    Script,
    Tuple,
    children,
)
from byhand.reading.values import MismatchError, Value

Array = Any

# A page that has a name for a sign of its own spells the function out: sigmoid beside an input σ.
_ENTRYWISE = {name: f for f in ELEMENTWISE for name in (f, function_name(f).text)}
_OVER_AXES = {function_name(f).text: f for f in OVER_AXES}


def sides(left: str, right: str, names: Names) -> tuple[Array, Array]:
    """Both sides of a printed equation as arrays of one shape: an axis per free letter, then rows and columns.

    Raises: MismatchError: a side has no value, or the sides have different shapes. UnreadableError: a side is not understood.
    """
    ahead, behind = one_side(left, names), one_side(right, names)
    ranges = free_letters(ahead, Printed(names, {}))
    a = Printed(names, ranges).value(ahead)
    b = Printed(names, ranges, a).value(behind)
    return _same_axes(a, b, ranges)


def one_side(text: str, names: Names) -> Node:
    """The tree of a side. Raises: UnreadableError: it is more than one thing, or none."""
    found = read(text, names=names.words)
    if len(found) != 1 or isinstance(found[0], Relation):
        raise UnreadableError(f"not one side of an equation: {text}")
    return found[0]


def free_letters(left: Node, reader: Printed) -> dict[str, int]:
    """The letters on the left and their ranges, each from the axis on which it stands."""
    letters: dict[str, int] = {}
    for name in dict.fromkeys(reader.letters_below(left)):
        sizes = reader.axes_of(left, name)
        if len(sizes) > 1:
            raise MismatchError(f"{name} stands on axes of different sizes")
        if sizes:
            letters[name] = sizes.pop()
    return letters


def _same_axes(a: Value, b: Value, ranges: dict[str, int]) -> tuple[Array, Array]:
    """Both values over all free letters; a number made of numerals stands for all entries."""
    do = Printed(Names(), {}).do
    a, b = do.sized(a, b), do.sized(b, a)
    a, b = do.collapsed(do.definite(a)), do.collapsed(do.definite(b))
    if a.matrix != b.matrix and not (b.constant and not b.matrix):
        raise MismatchError(f"the left side has shape {do.shown(a)}, the right side {do.shown(b)}")
    if a.matrix and b.matrix and do.sides(a) != do.sides(b):
        raise MismatchError(f"the left side has shape {do.shown(a)}, the right side {do.shown(b)}")
    if any(x not in ranges for v in (a, b) for x in v.letters):
        raise MismatchError("a letter that is not on the left")
    do.dims(a, b)
    letters = tuple(ranges)
    return do.spread(a, letters, a, ranges), do.spread(b, letters, a, ranges)


class Printed(Meaning):
    """Reads what byhand printed.

    Args:
        names: what the names of the page stand for.
        letters: the ranges of the letters that are free.
        like: the other side of the line, where it is known: it may say a size that this one does not.
    """

    def __init__(self, names: Names, letters: Mapping[str, int], like: Value | None = None) -> None:
        super().__init__(NumPy(), _Scope(names, self), letters, one=0, strict=True)
        self.names, self.like, self.depth = names, like, 0

    def value(self, node: Node) -> Value:
        if self.like is not None and self.depth == 0 and self.like.matrix and isinstance(node, Product):
            name, argument = node.factors[0][1], node.factors[-1][1]
            alone = len(node.factors) == 2 and isinstance(name, Name) and name.text == "onehot"
            if alone and isinstance(argument, Bracket):  # a line by itself: its other side says how many classes
                labels = self.value_below(argument)
                if self.one_label(argument):
                    return self.do.transpose(self.hot(labels, max(self.do.sides(self.like)), node))
                return Value(self.algebra.picker(np.ravel(labels.data), self.do.sides(self.like)[1]), (), True)
        if isinstance(node, Brace) and flat(node.note) == "direct":
            parts = self.partials(node.inner)
            if parts is not None:
                return self.derived(*parts, direct=True)
        return self.value_below(node)

    def value_below(self, node: Node) -> Value:
        self.depth += 1
        try:
            return super().value(node)
        finally:
            self.depth -= 1

    def one_hot(self, items: list[Node], at: Node) -> Value:
        """A row per label; of one label a vector, which stands as those of the page do."""
        found = super().one_hot(items, at)
        return self.do.transpose(found) if self.one_label(items[0]) else found

    def one_label(self, node: Node) -> bool:
        """Whether a name is a label by itself, on a page whose vectors are columns."""
        inner = node.inner if isinstance(node, Bracket) else node
        entry = self.names.entry(inner.text) if isinstance(inner, Name) else None
        return entry is not None and np.ndim(entry.array) == 0 and not self.names.in_rows

    # ---- names and derivatives

    def letters_below(self, node: Node) -> Iterator[str]:
        """What may be free letters: indices that nothing binds."""
        bound: set[str] = set()
        todo: list[Node | None] = [node]
        while todo:
            n = todo.pop(0)
            if n is None:
                continue
            bound |= self.binds(n)
            if isinstance(n, Script) and n.sub is not None and not self.by_entries(n):
                yield from (
                    i.text
                    for i in self.indices(n.sub, 0)
                    if isinstance(i, Name) and i.text not in bound and i.text != ":"
                )
            todo += children(n)

    def own_axes(self, node: Node, letter: str) -> set[int]:
        """Those of the parts of a derivative are its own."""
        fraction = self.partials(node)
        if fraction is None:
            return super().own_axes(node, letter)
        (above, own, _), (below, inner, _) = map(self.side, fraction)
        indices = [i.text if isinstance(i, Name) else "" for i in (*own, *inner)]
        if letter not in indices:
            return set()
        shape = np.shape(self.derivative_array(above, below)[0])
        return {n for i, n in zip(indices, shape, strict=False) if i == letter}

    @staticmethod
    def partials(node: Node) -> tuple[Node, Node] | None:
        """What stands above and below in ∂y/∂x."""
        match node:
            case Fraction(Partial(above), Partial(below)) if above is not None and below is not None:
                return above, below
        return None

    def side(self, node: Node) -> tuple[str, list[Node], bool]:
        """A side of a derivative: the name, its indices, and whether its entries are stacked."""
        match node:
            case Name(text):
                return text, [], False
            case Script(Name(text), sub, None, 0) if sub is not None:
                return text, self.indices(sub, 0), False
            case Product(((_, Name("vec")), (_, Bracket(Name(text))))):
                return text, [], True
        raise UnreadableError("the derivative of a formula", node.start)

    def derivative_array(self, above: str, below: str, direct: bool = False) -> tuple[Array, int]:
        """The array ∂z/∂h, the axes of z first, and how many those are."""
        entry = None if direct else self.names.gradients.get((above, below))
        if entry is not None:
            return np.asarray(entry.array), 0
        found = self.names.jacobian(above, below)
        if found is None:
            raise UnreadableError(f"the derivative of {above} with respect to {below} is not known")
        return found, np.ndim(self.names.values[above].array)

    def derived(self, over: Node, under: Node, direct: bool = False) -> Value:
        """∂f/∂X, ∂f/∂X_ij, ∂Z_ij/∂W_kl, ∂vec(Z)/∂vec(W); `direct`: what does not pass through an intermediate."""
        (above, own, stacked), (below, inner, columns) = self.side(over), self.side(under)
        entry = None if direct else self.names.gradients.get((above, below))
        if entry is not None and not stacked and not columns:
            return self.at(np.asarray(entry.array), (), inner, under) if inner else standing(entry)
        array, axes = self.derivative_array(above, below, direct)
        if own or inner:
            return self.at(array, (), [*own, *inner], over)
        if any((n > 1) != vec for n, vec in ((axes, stacked), (np.ndim(array) - axes, columns))):
            raise MismatchError("a Jacobian of matrices that are not stacked", over)
        return self.do.collapsed(Value(array.reshape(int(np.prod(array.shape[:axes])), -1), (), True))

    # ---- arrays of more than two axes, by name

    def name(self, node: Name) -> Value:
        if self.stack(node) is not None:
            raise MismatchError("an array of more than two axes without indices", node)
        return super().name(node)

    def script(self, node: Script) -> Value:
        """Entries of what has a name; else as everywhere."""
        base = node.base.inner if isinstance(node.base, Bracket) else node.base
        base = base if not node.primes else Script(base, None, None, node.primes)
        own = isinstance(node.base, Bracket) or self.names.entry(key_of(Script(base, node.sub))) is None
        if node.sub is not None and own and self.scope.array(key_of(base)) is not None:
            found = self.array(base, node.sub)
            assert found is not None
            return self.raised(self.at(*found, node.sub), node.sup, node)
        return super().script(node)

    def stack(self, node: Node) -> Array | None:
        """The array of more than two axes that a name stands for, if it does."""
        entry = self.names.entry(node.text) if isinstance(node, Name) else None
        return None if entry is None or np.ndim(entry.array) < 3 else np.asarray(entry.array)

    def array(self, base: Node, sub: Node) -> tuple[Any, tuple[str, ...], list[Node]] | None:
        """Entries of softmax of a stack; else as everywhere."""
        if isinstance(base, Bracket) and isinstance(base.inner, Name):
            base = base.inner
        match base:
            case Product(((_, Name(word)), (_, Bracket(inner)))) if word in _OVER_AXES or word in OVER_AXES:
                arg, over = self.axes_said(inner)
                stack = self.stack(arg)
                if stack is not None:
                    kernel = OPERATIONS[_OVER_AXES.get(word, word)].numpy
                    array = np.asarray(kernel([stack], (over or (np.ndim(stack) - 1,),), self.names.sizes))
                    return array, (), self.indices(sub, array.ndim)
            case Product(((_, Name("d")), (_, Bracket(Name(text))))) if text in self.names.differentials:
                array = np.asarray(self.names.differentials[text].array)
                return array, (), self.indices(sub, array.ndim)
        return super().array(base, sub)

    def axes_said(self, inner: Node) -> tuple[Node, tuple[int, ...] | None]:
        """The argument of softmax and its kin, and the axes that are said."""
        match inner:
            case Tuple((arg, Relation((Name("axis"), said), ("=",)))):
                said = said.inner if isinstance(said, Bracket) else said
                assert said is not None
                return arg, tuple(int(flat(a)) for a in (said.items if isinstance(said, Tuple) else (said,)))
        return inner, None

    def argued(self, node: Node) -> Value:
        """An argument; a stack by name is its entries in a column."""
        stack = self.stack(node)
        return self.value(node) if stack is None else Value(stack.reshape(-1, 1), (), True)

    def reduced(self, word: str, item: Node, sub: Node | None, axis: Node | None) -> Value:
        stack = self.stack(item)
        if stack is None:
            return super().reduced(word, item, sub, axis)
        said: Node = item if axis is None else Tuple((item, Relation((Name("axis"), axis), ("=",))))
        _, over = self.axes_said(said)
        return standing(Entry(OPERATIONS[word].numpy([stack], (over or (np.ndim(stack) - 1,),), self.names.sizes)))


class _Scope(Scope):
    """The names of a page as a reader asks for them."""

    def __init__(self, names: Names, reader: Printed) -> None:
        self.names, self.reader = names, reader

    def value(self, key: str) -> Value | None:
        entry = self.names.entry(key)
        return None if entry is None or np.ndim(entry.array) > 2 else standing(entry)

    def array(self, key: str) -> tuple[Any, int] | None:
        entry = self.names.entry(key)
        return None if entry is None else (np.asarray(entry.array, float), np.ndim(entry.array))

    def dim(self, key: str) -> int | None:
        return self.names.sizes.get(key)

    def function(self, key: str) -> str | None:
        if self.names.entry(key) is not None:
            return None
        return _ENTRYWISE.get(key) or _OVER_AXES.get(key) or (FUNCTIONS.get(key) if len(key) > 1 else None)

    def derivative(self, over: Node, under: Node, order: int) -> Value | None:
        return self.reader.derived(over, under)

    def differential(self, inner: Node) -> Value | None:
        known = self.names.differentials
        match inner:
            case Bracket(body):
                return self.differential(body)
            case Name(text) if text in known:
                return standing(known[text])
            case Script(Name(text), sub, None, 0) if sub is not None and text in known:
                array = np.asarray(known[text].array)
                return self.reader.at(array, (), self.reader.indices(sub, array.ndim), sub)
        raise UnreadableError("the differential of a formula", inner.start)

    def softmax_axes(self, x: Value) -> str:
        return "all" if not x.matrix or 1 in self.reader.do.sides(x) else "rows"

"""Entries of arrays by their indices, slices, arrays given by their entries."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction as Rational
from typing import Any

from byhand.reading.indices import Indices
from byhand.reading.keys import flat, key_of
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import Bracket, Name, Node, Number, Range, Script, Tuple
from byhand.reading.values import COLUMN, ROW, MismatchError, Value


class Entries(Indices):
    """The part of a reader that knows entries."""

    def array(self, base: Node, sub: Node) -> tuple[Any, tuple[str, ...], list[Node]] | None:
        """What a subscript picks from: an array, the letters it depends on, and the indices; None where it is not known."""
        key = key_of(base)
        raw = self.scope.array(key) if key else None
        if raw is not None:
            return raw[0], (), self.indices(sub, raw[1])
        return self.axes(self.value(base), sub)

    def axes(self, x: Value, sub: Node) -> tuple[Any, tuple[str, ...], list[Node]]:
        """The array of a value as indices see it: a column and a row have one axis, unless two indices are given."""
        x = self.do.definite(x)
        if not x.matrix:
            indices = self.indices(sub, 1)
            if not all(isinstance(i, Number) and i.value == self.one for i in indices):
                raise MismatchError(f"an index of {self.do.shown(x)}", sub)
            ones = {f"·one {k}": 1 for k in range(len(indices))}  # the only entry of an array of one entry
            return self.algebra.einsum([(x.data, x.letters)], (*x.letters, *ones), ones), x.letters, indices
        vector = 1 in self.do.sides(x)
        indices = self.indices(sub, 1 if vector else 2)
        if vector and len(indices) == 1 and not _is_line(indices[0]):
            kept = ROW if self.do.sides(x)[1] == 1 else COLUMN
            return self.algebra.einsum([(x.data, x.labels)], (*x.letters, kept), {}), x.letters, indices
        return x.data, x.letters, indices

    def entries(self, x: Value, sub: Node) -> Value:
        """x_ij, x_i of a vector, X_{i,:}: an axis per letter."""
        return self.at(*self.axes(x, sub), sub)

    def at(self, data: Any, lead: tuple[str, ...], indices: Sequence[Node], sub: Node) -> Value:
        """An array whose axes after its letters are given indices: letters, numbers, or what is calculated of them."""
        axes = len(self.algebra.shape(data)) - len(lead)
        rest = axes - len(indices)
        if rest < 0 or rest > 2 or (rest and axes < 3 and not self.strict):
            raise MismatchError(f"{len(indices)} indices for {axes} axes", sub)
        labels: list[str] = [*lead]
        factors: list[tuple[Any, tuple[str, ...]]] = []
        lines: list[str] = []
        for k, index in enumerate(indices):
            size = self.algebra.shape(data)[len(labels)]
            if _is_line(index):
                lines.append(f"·line {k}")
                labels.append(lines[-1])
                continue
            place = self.place(index, size)
            if isinstance(place, str):
                labels.append(place)
            elif isinstance(place, int):
                data = self.algebra.pick(data, len(labels), place)
            else:
                labels.append(f"·axis {k}")
                factors.append((self.algebra.picker(place.data, size), (*place.letters, labels[-1])))
        lines += [f"·rest {k}" for k in range(rest)]
        labels += lines[len(lines) - rest :]
        if len(lines) > 2:
            raise MismatchError(f"{len(indices)} indices leave {len(lines)} axes", sub)
        sideways = not self.strict and len(lines) == 1 and lines[0] == "·line 1"  # a row of a matrix is a row
        return self.picked(data, labels, factors, lines, (COLUMN, ROW) if sideways else (ROW, COLUMN))

    def picked(
        self,
        data: Any,
        labels: list[str],
        factors: list[tuple[Any, tuple[str, ...]]],
        lines: list[str],
        sides: tuple[str, str],
    ) -> Value:
        """The entries at letters, and what is left of axes as a matrix; of one axis along the first side."""
        every = dict.fromkeys([*labels, *(x for _, ls in factors for x in ls)])
        letters = tuple(x for x in every if not x.startswith(("·axis", "·line", "·rest")))
        sizes: dict[str, Any] = {}
        for letter, dim in zip(labels, self.algebra.shape(data), strict=True):
            if sizes.setdefault(letter, dim) != dim:
                raise MismatchError(f"the index {letter} runs over {sizes[letter]} places here and over {dim} there")
        names = dict(zip(lines, sides, strict=False))
        operands = [(data, tuple(names.get(x, x) for x in labels)), *factors]
        out = (*letters, ROW, COLUMN) if lines else letters
        if len(operands) == 1 and operands[0][1] == out:
            return Value(data, letters, bool(lines))
        return Value(self.algebra.einsum(operands, out, {sides[1]: 1} if len(lines) == 1 else {}), letters, bool(lines))

    def place(self, index: Node, size: Any) -> str | int | Value:
        """An index: a letter that runs over the whole axis, a number from 0, or numbers that letters make."""
        match index:
            case Number():
                _, fixed = self.letter(index)
                assert fixed is not None
                return self.within(fixed - self.one, size, index)
            case Name(text) if text in self.ranges:
                if self.ranges[text] == size and self.lows.get(text, self.one) == self.one:
                    return text
                if not self.strict and text not in self.lows:
                    raise MismatchError(
                        f"the index {text} runs to {self.ranges[text]}, the axis has {size} places", index
                    )
            case Name() | Script() if not self.strict and (
                isinstance(index, Name) or self.known(key_of(index)) is None
            ):
                letter, fixed = self.letter(index)
                if letter is not None:
                    return letter
                assert fixed is not None
                return self.within(fixed - self.one, size, index)
            case Name(text) if self.known(text) is None:
                raise MismatchError(f"the index {text} stands for nothing", index)
        places = self.value(index)
        if not self.do.is_number(places):
            raise MismatchError("an index that is a matrix", index)
        if self.one:
            places = self.do.add([(1, places), (-1, Value(self.algebra.number(Rational(self.one))))])
        return self.do.scalar(places)

    def within(self, place: int, size: Any, index: Node) -> int:
        """A place, counted from 0. Raises: MismatchError: the axis ends before it."""
        if place < 0 or (isinstance(size, int) and place >= size):
            raise MismatchError(f"the index {flat(index)} is beyond an axis of {size}", index)
        return place

    def sliced(self, x: Value, bracket: Bracket) -> Value:
        """X[1:3, :], counted from 0 as in code."""
        x = self.do.definite(x)
        if not x.matrix:
            x = self.do.scaled(x, self.do.ones(1, 1))
        items = bracket.inner.items if isinstance(bracket.inner, Tuple) else (bracket.inner,)
        if len(items) != 2:
            raise UnreadableError(f"a slice of {len(items)} axes", bracket.start)
        labels, factors = [*x.letters], []  # type: list[str], list[tuple[Any, tuple[str, ...]]]
        for item, label, size in zip(items, (ROW, COLUMN), self.do.sides(x), strict=True):
            if not isinstance(item, Range):
                labels.append(label)
                continue
            low = 0 if item.low is None else self.size(item.low)
            high = size if item.high is None else self.size(item.high)
            if low is None or high is None:
                raise UnreadableError("a slice whose bounds are not known", item.start)
            dim = self.algebra.plus(high, self.algebra.times(-1, low))
            if isinstance(dim, int) and isinstance(size, int) and not 0 <= low <= high <= size:
                raise MismatchError(f"a slice {low}:{high} of an axis of {size}", item)
            labels.append(f"·{label}")
            factors.append((self.algebra.picker(self.algebra.counting(low, dim), size), (label, labels[-1])))
        out = (*x.letters, ROW, COLUMN)
        return Value(self.algebra.einsum([(x.data, labels), *factors], out, {}), x.letters, True)

    def whole(self, node: Script) -> Value:
        """[a_ij]_ij: the matrix of these entries."""
        assert isinstance(node.base, Bracket) and node.sub is not None
        letters = [flat(i) for i in self.indices(node.sub, 2)]
        before = dict(self.ranges)
        try:
            for letter in letters:
                sizes = self.axes_of(node.base.inner, letter)
                if len(sizes) != 1:
                    raise UnreadableError(f"the range of {letter} is not said", node.start)
                self.ranges[letter] = sizes.pop()
            x = self.value(node.base.inner)
            ranges = {letter: self.ranges[letter] for letter in letters if letter not in x.letters}
        finally:
            self.ranges = before
        if x.matrix or len(letters) != 2:
            raise UnreadableError("entries that are matrices", node.start)
        rest = tuple(letter for letter in x.letters if letter not in letters)
        places = dict(zip(letters, (ROW, COLUMN), strict=True))
        data = self.algebra.einsum(
            [(x.data, [places.get(letter, letter) for letter in x.letters])],
            (*rest, ROW, COLUMN),
            {places[letter]: n for letter, n in ranges.items()},
        )
        return Value(data, rest, True)


def _is_line(index: Node) -> bool:
    """Whether an index leaves its axis whole: the colon of P_{i,:}."""
    return isinstance(index, Name) and index.text == ":"

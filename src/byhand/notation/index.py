"""Nodes in index notation: sums over indices, Kronecker deltas. Every node has such a form, whatever its rank.

An index is a term (`places`): x_{i+1} is the entry of x at i + 1, so every letter in it is seen, bound by a Σ or standing
on the left. Slices, index pairs of Kronecker products and one-hot labels are equations between indices: they are solved
for the summed index where that leaves every entry on its axis, and stay as deltas otherwise. A Σ says its range where
the letter does not stand alone on an axis that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count
from typing import NamedTuple

from byhand.expr.contraction import scale
from byhand.expr.dims import Coefficient, Dim, Shape, add_dims
from byhand.expr.nodes import (
    Constant,
    Contraction,
    Differential,
    Elementwise,
    Expr,
    Named,
    Structured,
    Sum,
    Symbol,
    topological,
)
from byhand.expr.operations import PICKERS, SOFTMAXES
from byhand.notation import typeset as ts
from byhand.notation.algebra import RELATIONS, quotient, raised
from byhand.notation.matrix import larger_of, matrix_math
from byhand.notation.measure import parts
from byhand.notation.pickers import Hot, Solution, distributed, picked, solve
from byhand.notation.places import Atom, Place, Range, as_place, index_of, minus, place_of
from byhand.notation.style import Style, dimension_math, name_math
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm

LETTERS = "ijklpqrsuvabcdeghmno"


def free_letters(style: Style, how_many: int, used: Iterable[str] = ()) -> list[str]:
    """Index letters that are not in use and not the name of anything."""
    letters = _letters_of(style, used)
    return [next(letters) for _ in range(how_many)]


def axis_letters(style: Style, shape: Shape, used: Iterable[str] = ()) -> list[str]:
    """Letters for the axes of an array; on an axis of one entry stands its only index, 0."""
    letters = _letters_of(style, used)
    return ["0" if size == 1 else next(letters) for size in shape]


def _letters_of(style: Style, used: Iterable[str]) -> Iterator[str]:
    taken = {*used, *style.reserved}
    yield from (c for c in LETTERS if c not in taken)
    yield from (f"i{k}" for k in count(1) if f"i{k}" not in taken)


def index_math(
    node: Expr, style: Style, indices: Sequence[str | Place] | None = None, used: Sequence[str] = ()
) -> Math:
    """The entry of a node at the given indices, by default i, j, k, ..."""
    found = axis_letters(style, node.shape, used) if indices is None else indices
    places = tuple(map(as_place, found))
    ranges: dict[str, Range] = {}
    for place, size in zip(places, node.shape, strict=True):
        if isinstance(place.alone, str):
            ranges[place.alone] = (0, minus(size, 1))
    return _Entries(style, frozenset(used), ranges).entry(node, places)


def inner_math(left: Expr, right: Expr, style: Style) -> Math:
    """The inner product of two nodes: a Σ over all entries."""
    entries = _Entries(style, frozenset(), {})
    places = entries.fresh(left.shape)
    body = ts.Product((entries.entry(left, places), entries.entry(right, places)))
    return entries.over([p.alone for p in places if isinstance(p.alone, str)], body)


class _OffAxisError(Exception):
    """An index may lie beyond its axis: the equation that led to it stays a delta."""


@dataclass
class _Entries:
    """Writes the entries of one formula.

    Attributes:
        taken: letters that stand for something else.
        ranges: letter -> its first and last value; of letters that are bound already, too, so that one letter does not
            stand for two ranges in one formula.
        bound: the letters that are in use where the next entry is written.
        alone: letter -> the sizes of the axes on which it stood alone.
        shifts: letter -> what was added to it wherever it stood; None beside another letter.
        subtracted: how many of the contractions around have an index found by subtraction.
    """

    style: Style
    taken: frozenset[str]
    ranges: dict[str, Range]
    bound: set[str] = field(default_factory=set)
    alone: dict[str, set[Dim]] = field(default_factory=dict)
    shifts: dict[str, set[Dim | None]] = field(default_factory=dict)
    subtracted: int = 0

    def __post_init__(self) -> None:
        self.bound |= set(self.ranges)

    # ---- nodes

    def entry(self, node: Expr, out: tuple[Place, ...]) -> Math:
        """The entry of a node."""
        if node in self.style.labels:
            return self.label(self.style.labels[node], node, out)
        match node:
            case Symbol() | Named() | Constant():
                return self.at(name_math(node, self.style), node.shape, out)
            case Differential(arg):
                return ts.Differential(self.entry(arg, out))
            case Elementwise(function, arg):
                body = self.entry(arg, out)
                if function in RELATIONS:
                    return ts.Indicator(ts.Relation(RELATIONS[function], body, ts.Number(Fraction(0))))
                return ts.Call(function, (body,))
            case Structured():
                return self.structured(node, out)
            case Sum(terms):
                return self.sum(terms, out)
            case Contraction():
                return self.contraction(node, out)
        raise AssertionError(f"no index notation for {type(node).__name__}")

    def at(self, base: Math, shape: Shape, out: tuple[Place, ...]) -> Math:
        """An array at its indices, each of which lies on its axis."""
        for place, size in zip(out, shape, strict=True):
            if self.subtracted and not place.inside(size, self.ranges):
                raise _OffAxisError
            if isinstance(place.alone, str):
                self.alone.setdefault(place.alone, set()).add(size)
        self.seen(out)
        return ts.Indexed(base, tuple(map(index_of, out))) if out else base

    def seen(self, places: Iterable[Place]) -> None:
        """Note what is added to letters."""
        for place in places:
            for atom in place.atoms:
                if isinstance(atom, str):
                    shifted = place.shifted
                    self.shifts.setdefault(atom, set()).add(shifted[1] if shifted else None)

    def label(self, label: Math, node: Expr, out: tuple[Place, ...]) -> Math:
        """∂L/∂Z at (i, j) is ∂L/∂Z_ij."""
        if isinstance(label, ts.Partial):
            return ts.Partial(label.of, self.at(label.wrt, node.shape, out))
        if isinstance(label, (ts.Prime, ts.Call)) and len(label.args) == 1:  # a function of each entry
            return replace(label, args=(self.at(label.args[0], node.shape, out),))
        return self.at(label, node.shape, out)

    def sum(self, terms: Iterable[tuple[Coefficient, Expr]], out: tuple[Place, ...]) -> Math:
        signed = []
        for c, t in terms:
            m = self.entry(scale(c, t), out)
            negative = isinstance(m, ts.Negative)
            body = m.body if isinstance(m, ts.Negative) else m
            spelled = repr(body)
            key = (negative, isinstance(body, ts.Number), self.first_place(t), -len(spelled), spelled)
            signed.append((key, not negative, body))
        signed.sort(key=lambda p: p[0])
        return ts.Sum(tuple((positive, body) for _, positive, body in signed))

    def first_place(self, node: Expr) -> int:
        """Where the first of the names in a node was written."""
        if not self.style.places:
            return 0
        leaves = [n.arg if isinstance(n, Differential) else n for n in topological([node], into_named=False)]
        return min((self.style.place(n) for n in leaves if isinstance(n, (Named, Symbol))), default=0)

    def structured(self, node: Structured, out: tuple[Place, ...]) -> Math:
        if node.operation == "one_hot":
            return self.delta(out[-1], self.label_at(node, out[:-1]))
        if node.operation in PICKERS:
            return self.delta(out[0], picked(node, out))
        if node.operation == "power":
            base, exponent = (self.entry(a, out) for a in node.args)
            return ts.Power(base, exponent)
        if node.operation == "arange":
            return out[0].math
        if node.operation == "triangle":
            self.seen(out)
            return ts.Indicator(ts.Relation("≤", out[1].math, out[0].math))
        if node.operation == "where":
            args = tuple([self.entry(a, out) for a in node.args])
            return larger_of(args) or ts.Call("where", args)
        try:
            return self.at(matrix_math(node, self.style), node.shape, out)
        except NoMatrixForm:
            if node.operation in SOFTMAXES:
                return self.over_axes(node, out)
        return self.at(ts.Call(node.operation, tuple(map(self.whole, node.args))), node.shape, out)

    def whole(self, node: Expr) -> Math:
        """An array that has no matrix form, as the matrix of its entries: [a_ij]_ij."""
        places = self.fresh(node.shape)
        with_entries = ts.Matrix(((self.entry(node, places),),))
        self.release(places)
        return ts.Indexed(with_entries, tuple(map(index_of, places))) if places else with_entries.rows[0][0]

    def over_axes(self, node: Structured, out: tuple[Place, ...]) -> Math:
        """The softmax family of an array that no matrix holds: exp(T_ij)/Σ_k exp(T_ik)."""
        (arg,), (axes,) = node.args, node.attributes
        summed = dict(zip(sorted(axes), self.fresh([arg.shape[k] for k in sorted(axes)]), strict=True))
        kept = iter(out)
        rest = (
            {k: next(kept) for k in range(arg.ndim) if k not in axes} if node.ndim < arg.ndim else dict(enumerate(out))
        )
        places = tuple(summed.get(k, rest.get(k, Place())) for k in range(arg.ndim))

        def exponential() -> Math:
            return ts.Call("exp", (self.entry(arg, places),))

        total = self.over([p.alone for p in summed.values() if isinstance(p.alone, str)], exponential())
        self.release(summed.values())
        if node.operation == "logsumexp":
            return ts.Call("log", (total,))
        own = self.entry(arg, out)
        if node.operation == "softmax":
            return ts.Quotient(ts.Call("exp", (own,)), total)
        return ts.Sum(((True, own), (False, ts.Call("log", (total,)))))

    # ---- contractions

    def contraction(self, node: Contraction, out: tuple[Place, ...]) -> Math:
        """Σ over labels; a label picked by a slice, a pair or a one-hot row is what it is equal to."""
        terms = distributed(node)
        if terms is not None:
            return self.entry(terms, out)
        ranges, bound, alone, shifts = dict(self.ranges), set(self.bound), self.alone, self.shifts
        subtracted, solution = self.subtracted, solve(node, out, self.ranges, backwards=True)
        self.subtracted += solution.backwards
        try:
            return self.solved(node, solution)
        except _OffAxisError:
            if not solution.backwards:
                raise
            self.ranges, self.bound, self.alone, self.shifts = ranges, bound, alone, shifts
        finally:
            self.subtracted = subtracted
        return self.solved(node, solve(node, out, self.ranges, backwards=False))

    def solved(self, node: Contraction, solution: Solution) -> Math:
        """The sum that is left when the equations between indices are solved."""
        alone, shifts = self.alone, self.shifts
        self.alone, self.shifts = {}, {}
        places = self.fresh([node.dims[x] for x in solution.summed])
        letters = dict(zip(solution.summed, places, strict=True))
        product = self.product(node, solution, letters)
        summed = [p.alone for p in places if isinstance(p.alone, str)]
        shifted = {x: by for x in summed if (by := self.common_shift(x)) != 0}
        if shifted:  # Σ_{j=1}^{2} X_ij, not Σ_{j=0}^{1} X_{i,j+1}
            for letter, by in shifted.items():
                low, high = self.ranges[letter]
                self.ranges[letter] = add_dims(low, by), add_dims(high, by)
            letters = {
                x: p.put({a: place_of(a).plus(Place(by), -1) for a, by in shifted.items()}) for x, p in letters.items()
            }
            self.alone, self.shifts = {}, {}
            product = self.product(node, solution, letters)
        body = self.over(summed, product.body)
        self.release(places)
        for letter in self.bound & set(self.shifts):
            alone[letter] = alone.get(letter, set()) | self.alone.get(letter, set())
            shifts[letter] = shifts.get(letter, set()) | self.shifts[letter]
        self.alone, self.shifts = alone, shifts
        if product.number is not None:
            body = product.number if _is_one(body) else ts.Product((product.number, body))
        return ts.Negative(body) if node.coefficient.value < 0 else body

    def common_shift(self, letter: str) -> Dim:
        """What is added to a letter wherever it stands, if it never stands alone."""
        found = self.shifts.get(letter, set())
        (by,) = found if len(found) == 1 else (None,)
        return 0 if by is None else by

    def product(self, node: Contraction, solution: Solution, letters: Mapping[int, Place]) -> _Product:
        """What is summed over, the number in front apart."""
        places = self.with_letters(node, solution, letters)
        top, bottom = coefficient_parts(node.coefficient)
        tests = [self.within(p.put(places), low, high) for p, low, high in solution.guards]
        tests += [self.delta(a.put(places), b.put(places)) for a, b in solution.equal]
        factors = sorted(
            (f for k, f in enumerate(node.factors) if k not in solution.used),
            key=lambda f: (
                f[0].has_differential,
                bool(f[1]),
                not _is_name(f[0]),
                [repr(index_of(places[x])) for x in f[1]],
            ),
        )
        for factor, labels, power in factors:
            m = self.entry(factor, tuple([places[x] for x in labels]))
            (top if power > 0 else bottom).append(raised(m, abs(power)))
        number = next((m for m in top if isinstance(m, ts.Number)), None)
        rest = [m for m in top if m is not number] + [m for m in tests if not _is_one(m)]
        if any(m == ts.Number(Fraction(0)) for m in rest):
            return _Product(ts.Number(Fraction(0)), None)
        return _Product(quotient(rest, bottom), number)

    def with_letters(self, node: Contraction, solution: Solution, letters: Mapping[int, Place]) -> dict[Atom, Place]:
        """The places of labels and of one-hot labels, made of letters."""
        found = dict[Atom, Place](letters.items())

        def complete(place: Place) -> Place:
            for atom in place.atoms:
                if isinstance(atom, Hot) and atom not in found:
                    hot, labels, _ = node.factors[atom.factor]
                    assert isinstance(hot, Structured)
                    at = tuple([complete(solution.place(x)) for x in labels[:-1]])
                    found[atom] = self.label_at(hot, at)
            return place.put(found)

        for label in range(len(node.dims)):
            if label not in found and label in solution.places:
                found[label] = complete(solution.places[label])
        for pair in solution.equal:
            for place in pair:
                complete(place)
        return found

    def label_at(self, node: Structured, out: tuple[Place, ...]) -> Place:
        """The label that one_hot puts its one at: t_n."""
        return place_of(self.entry(node.args[0], out))

    # ---- equations between indices

    def delta(self, a: Place, b: Place) -> Math:
        """1 where two indices are equal."""
        difference = a.plus(b, -1)
        if not difference.terms and isinstance(difference.constant, int):
            return ts.Number(Fraction(int(difference.constant == 0)))
        self.seen((a, b))
        return ts.Delta(index_of(a), index_of(b))

    def within(self, place: Place, low: Dim, high: Dim) -> Math:
        """1 where an index lies between two values; of a side where it always does nothing is said."""
        if low == high:
            return self.delta(place, Place(low))
        above = place.plus(Place(low), -1).never_negative(self.ranges)
        below = Place(high).plus(place, -1).never_negative(self.ranges)
        if above and below:
            return ts.Number(Fraction(1))
        self.seen((place,))
        least, most = Place(low).math, Place(high).math
        if below:
            return ts.Indicator(ts.Relation("≥", place.math, least))
        upper = ts.Relation("≤", place.math, most)
        return ts.Indicator(upper if above else ts.Relation("≤", least, upper))

    # ---- letters

    def fresh(self, shape: Sequence[Dim]) -> tuple[Place, ...]:
        """Letters for summed indices, each with its range; on an axis of one entry its only index."""
        found = []
        for size in shape:
            if size == 1:
                found.append(Place())
                continue
            whole = (0, minus(size, 1))
            letters = _letters_of(self.style, self.taken | self.bound)
            letter = next(x for x in letters if self.ranges.get(x, whole) == whole)
            self.ranges[letter] = whole
            self.bound.add(letter)
            found.append(place_of(letter))
        return tuple(found)

    def release(self, places: Iterable[Place]) -> None:
        """The letters are free again, outside their sum."""
        self.bound -= {p.alone for p in places if isinstance(p.alone, str)}

    def over(self, letters: Sequence[str], body: Math) -> Math:
        """Σ over letters; of a letter that the body does not have, the range is a factor."""
        present = _letters(body)
        counts = [
            dimension_math(minus(self.ranges[x][1], minus(self.ranges[x][0], 1))) for x in letters if x not in present
        ]
        told = [x for x in letters if x in present and not self.is_whole(x)]
        silent = tuple(x for x in letters if x in present and x not in told)
        for letter in reversed(told):
            low, high = self.ranges[letter]
            body = ts.BigSum((letter,), body, Place(low).math, Place(high).math)
        body = ts.BigSum(silent, body) if silent else body
        if not counts:
            return body
        return quotient([*counts, *([] if _is_one(body) else [body])], [])

    def is_whole(self, letter: str) -> bool:
        """Whether the letter stands alone on axes of its range only: then its range need not be said."""
        low, high = self.ranges[letter]
        return low == 0 and self.alone.get(letter) == {add_dims(high, 1)}


class _Product(NamedTuple):
    body: Math
    number: Math | None


def _letters(m: Math) -> set[str]:
    """The index letters of a formula."""
    match m:
        case ts.Indexed(base, indices):
            return _letters(base).union(*map(_letters_in, indices))
        case ts.Delta(i, j):
            return _letters_in(i) | _letters_in(j)
        case ts.Indicator(condition):
            return _letters(condition) | _letters_in(condition)
        case _:
            return set[str]().union(*map(_letters, parts(m)))


def _letters_in(index: ts.Index) -> set[str]:
    """The letters of an index."""
    if isinstance(index, str):
        return {index}
    if isinstance(index, ts.Name):
        return {index.name}
    return _letters(index).union(*map(_letters_in, parts(index)))


def _is_one(m: Math) -> bool:
    return m == ts.Number(Fraction(1))


def _is_name(node: Expr) -> bool:
    return isinstance(node, (Symbol, Named))


def coefficient_parts(c: Coefficient) -> tuple[list[Math], list[Math]]:
    """Numerator and denominator of the size of a coefficient; the sign is left to the caller."""
    value = abs(c.value)
    top: list[Math] = [ts.Number(value)] if value != 1 else []
    bottom: list[Math] = []
    for d, p in c.dims:
        m = dimension_math(d)
        (top if p > 0 else bottom).append(m if abs(p) == 1 else ts.Power(m, ts.Number(abs(p))))
    return top, bottom

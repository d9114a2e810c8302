"""Index maps and one-hot labels as equations between indices, solved for the indices that are summed over.

affine[l, i, j, ...] = δ_{l, offset + s i + u j + ...}      one_hot(t)[n, v] = δ_{v, t_n}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from byhand.expr.contraction import P1, add, contract
from byhand.expr.dims import Dim, add_dims, multiply_dims
from byhand.expr.indexmaps import as_join, stays_inside, steps_of
from byhand.expr.nodes import Contraction, Expr, Structured, Sum
from byhand.expr.operations import PICKERS
from byhand.notation.places import Atom, Place, Range, minus, place_of


@dataclass(frozen=True, slots=True)
class Hot:
    """The label that the k-th factor, one_hot(t), has at its indices: t_n."""

    factor: int


@dataclass
class Solution:
    """The labels of a contraction as indices.

    Attributes:
        places: label -> index, made of letters, of the labels that are summed over, and of `Hot` labels.
        summed: the labels that get letters of their own.
        guards: indices with the first and last value that they must have.
        equal: pairs of indices that must be equal.
        used: the factors that the places, guards and pairs say already.
        backwards: whether an index was found by subtraction, so that it may lie beyond its axis.
    """

    node: Contraction
    places: dict[int, Place]
    summed: list[int] = field(default_factory=list)
    guards: list[tuple[Place, Dim, Dim]] = field(default_factory=list)
    equal: list[tuple[Place, Place]] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    backwards: bool = False

    def place(self, label: int) -> Place:
        """What a label is, as far as it is known."""
        place = self.places.get(label, place_of(label))
        return place.put({a: self.places[a] for a in place.atoms if isinstance(a, int) and a in self.places})

    def depends(self, place: Place, label: int) -> bool:
        """Whether a place is made of a label."""
        for atom in place.atoms:
            if atom == label:
                return True
            if isinstance(atom, Hot):
                _, labels, _ = self.node.factors[atom.factor]
                if any(self.depends(self.place(x), label) for x in labels[:-1]):
                    return True
        return False

    def assign(self, label: int, place: Place) -> bool:
        """Let a summed label be a place; False where it has one, or the place is made of it."""
        if label in self.places or self.depends(place, label):
            return False
        self.places[label] = place
        for x, p in self.places.items():
            self.places[x] = p.put({label: place})
        self.equal = [(a.put({label: place}), b.put({label: place})) for a, b in self.equal]
        self.guards = [(p.put({label: place}), low, high) for p, low, high in self.guards]
        return True


def solve(node: Contraction, out: tuple[Place, ...], ranges: Mapping[str, Range], backwards: bool) -> Solution:
    """The labels of a contraction as indices at the places `out`.

    Args:
        node: the contraction.
        out: the indices of its axes.
        ranges: the ranges of the letters in them.
        backwards: whether an equation may be solved by subtraction: j = i − 1 for i = j + 1.
    """
    s = Solution(node, {label: Place() for label, size in enumerate(node.dims) if size == 1})
    for label, place in zip(node.out, out, strict=True):
        if node.dims[label] == 1:
            continue
        if label in s.places and s.places[label] != place:
            s.equal.append((s.places[label], place))
        s.places.setdefault(label, place)
    pickers = [k for k, (f, _, power) in enumerate(node.factors) if is_picker(f) and power > 0]
    s.used |= set(pickers)
    rest = [k for k in pickers if not _forwards(s, k)]
    known: dict[Atom, Range] = {
        **dict[Atom, Range](ranges.items()),
        **{x: (0, minus(size, 1)) for x, size in enumerate(node.dims)},
    }
    for k in rest:
        if not (backwards and _subtracted(s, k, known)):
            s.equal.append(_equation(s, k))
    inner = dict.fromkeys(x for _, ls, _ in node.factors for x in ls)
    s.summed = [x for x in inner if x not in s.places]
    return s


def is_picker(node: Expr) -> bool:
    """Whether a node is an equation between indices."""
    return isinstance(node, Structured) and node.operation in PICKERS


def picked(node: Structured, places: tuple[Place, ...]) -> Place:
    """What the first index of a map is equal to, made of the others."""
    found = Place(node.attributes[1])
    for (stride, _), place in zip(steps_of(node.attributes), places[1:], strict=True):
        found = found.plus(place, stride)
    return found


def _equation(s: Solution, k: int) -> tuple[Place, Place]:
    node, labels, _ = s.node.factors[k]
    assert isinstance(node, Structured)
    if node.operation == "one_hot":
        return s.place(labels[-1]), place_of(Hot(k))
    places = tuple(map(s.place, labels))
    return places[0], picked(node, places)


def _forwards(s: Solution, k: int) -> bool:
    """The index that is picked, by what picks it."""
    node, labels, _ = s.node.factors[k]
    assert isinstance(node, Structured)
    label = labels[-1] if node.operation == "one_hot" else labels[0]
    if node.operation == "affine" and not stays_inside(node.attributes):
        return False  # beyond the axis stands no entry, but zero: only the delta says so
    return s.assign(label, _equation(s, k)[1])


def _subtracted(s: Solution, k: int, ranges: Mapping[Atom, Range]) -> bool:
    """The index that picks, by what is picked: it has to lie where there is one."""
    node, labels, _ = s.node.factors[k]
    assert isinstance(node, Structured)
    if node.operation == "one_hot":
        return False
    whole, result = _equation(s, k)
    if len(as_join(node) or ()) == 2 and _unpaired(s, k, whole, ranges):
        return True
    for label in labels[1:]:
        if label in s.places or (label, 1) not in result.terms:
            continue
        rest = result.plus(place_of(label), -1)
        place = whole.plus(rest, -1)
        if not s.assign(label, place):
            continue
        s.backwards = True
        size = s.node.dims[label]
        if not place.inside(size, ranges):
            if rest.terms:  # p i + k = I has a solution for k only where i fits
                s.guards.append((place, 0, minus(size, 1)))
            else:
                s.guards.append((whole, rest.constant, add_dims(rest.constant, minus(size, 1))))
        return True
    return False


def _unpaired(s: Solution, k: int, whole: Place, ranges: Mapping[Atom, Range]) -> bool:
    """Both indices of a pair p i + k that is given as p a + b: i = a and k = b, where a and b lie on their axes."""
    node, labels, _ = s.node.factors[k]
    assert isinstance(node, Structured)
    m, p = node.shape[1:]
    high = Place(0, tuple((atom, 1) for atom, c in whole.terms if c == p))
    low = whole.plus(high, multiply_dims(-1, p))
    if not (high.inside(m, ranges) and low.inside(p, ranges)):
        return False
    for label, place in zip(labels[1:], (high, low), strict=True):
        if not s.assign(label, place):
            s.equal.append((s.place(label), place))
    return True


def distributed(node: Contraction) -> Expr | None:
    """Σ_j x_j (a δ_{j,i} + b δ_{j,i+1}) as a sum of terms, each of which can be solved; None where nothing is picked so."""
    for k, (factor, labels, power) in enumerate(node.factors):
        if power != 1 or not isinstance(factor, Sum):
            continue
        summed = [axis for axis, x in enumerate(labels) if x not in node.out]
        if any(_picks(term, summed) for _, term in factor.terms):
            rest = [f for j, f in enumerate(node.factors) if j != k]
            dims = dict(enumerate(node.dims))
            terms = [
                contract([(t, labels, P1), *rest], node.out, node.coefficient.times(c), dims, merge=True)
                for c, t in factor.terms
            ]
            return add(*terms)
    return None


def _picks(term: Expr, axes: list[int]) -> bool:
    """Whether an index on one of these axes stands in an equation."""
    if is_picker(term):
        return bool(axes)
    if not isinstance(term, Contraction):
        return False
    labels = {term.out[axis] for axis in axes}
    return any(is_picker(f) and power > 0 and labels & set(ls) for f, ls, power in term.factors)

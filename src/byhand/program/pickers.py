"""Factors of a contraction that only pick entries: slices, class labels, index pairs of Kronecker products.

Instead of a product with a matrix of zeros and ones the others are sliced, indexed or reshaped; where the picker's long
axis is one of the result's, the result is padded, scattered or reshaped, which is the transpose of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from byhand.expr.dims import ONE, Coefficient, Dim, dim_coefficient
from byhand.expr.indexmaps import as_join, as_slice
from byhand.expr.nodes import Contraction, Expr, Named, Structured, Sum
from byhand.program.association import Factor, nominal
from byhand.program.ops import P1, Axes, Op, Pad, Pool, Reshape, Scatter, Slice, Take

Change = Callable[[Op], Op]
FEW = 64  # classes, for which a product with rows of zeros and a one is faster than adding row by row


@dataclass
class Picked:
    """A contraction whose pickers were read.

    Attributes:
        factors, out, coefficient: of the contraction that is left.
        sizes: of the labels.
        after: what is done to its result, last first.
    """

    factors: list[Factor]
    out: list[int]
    coefficient: Coefficient
    sizes: dict[int, Dim]
    after: list[Change]


def is_sum_of_slices(node: Expr) -> bool:
    """Whether a node adds up slices of arrays: sums over the long axis of a selection, not arrays with zeros around."""
    return isinstance(node, Sum) and all(isinstance(t, Contraction) and _slices(t) for _, t in node.terms)


def _slices(node: Contraction) -> bool:
    return any(as_slice(f) is not None and ls[0] not in node.out for f, ls, _ in node.factors)


def read_pickers(pool: Pool, node: Contraction, done: Mapping[Expr, Op], few: int = FEW) -> Picked:
    """The contraction without the pickers that can be read; others are left as arrays of zeros and ones.

    Args:
        pool: makes the nodes.
        node: the contraction.
        done: the node of each factor.
        few: the number of classes up to which rows are not added at their places but multiplied.
    """
    factors = [Factor(done[f], ls, p) for f, ls, p in node.factors]
    picked = Picked(factors, list(node.out), node.coefficient, dict(enumerate(node.dims)), [])
    reading = _Reading(pool, picked, few)
    bodies = {done[f]: f.body if isinstance(f, Named) else f for f in node.children}
    read: set[tuple[Op, Axes]] = set()
    while True:  # what one picker does changes the others
        unread = (f for f in reading.picked.factors if f.op in bodies and f[:2] not in read)
        picker = next((f for f in unread if isinstance(bodies[f.op], Structured)), None)
        if picker is None:
            reading.count()
            return reading.picked
        read.add(picker[:2])
        body = bodies[picker.op]
        if isinstance(body, Structured) and picker.power > 0 and _distinct(picker.labels):
            match body.operation:
                case "affine" if body.attributes[2::2] == (1,):
                    reading.selection(picker, body)
                case "one_hot":
                    reading.one_hot(picker, done[body.args[0]])
                case "affine" if as_join(body):
                    reading.joined(picker)


class _Reading:
    """The pickers of one contraction, one after the other."""

    def __init__(self, pool: Pool, picked: Picked, few: int) -> None:
        self.pool, self.picked, self.few = pool, picked, few
        self.counted: set[int] = set()  # labels that only a picker had: a sum over them multiplies by their size

    def _others(self, picker: Factor) -> list[Factor]:
        return [f for f in self.picked.factors if f is not picker]

    def count(self) -> None:
        """Sums over labels that no factor has any more."""
        p = self.picked
        for x in self.counted - {*p.out} - {x for f in p.factors for x in f.labels}:
            p.coefficient = p.coefficient.times(dim_coefficient(p.sizes[x]))

    # ---- slices

    def selection(self, picker: Factor, body: Structured) -> None:
        p, (whole, part) = self.picked, picker.labels
        size, first, _, count = body.attributes
        if (whole in p.out and part in p.out) or p.out.count(whole) > 1:
            return
        p.factors = [self._sliced(f, whole, part, first, count) for f in self._others(picker)]
        if whole in p.out:
            axis = p.out.index(whole)
            p.out[axis] = part

            def padded(r: Op) -> Op:
                return self.pool.along(r, axis, size, lambda x, k, s: Pad(s, x.type, x, k, first))

            p.after.append(padded)
        self.counted = (self.counted - {whole}) | {part}

    def _sliced(self, f: Factor, whole: int, part: int, first: Dim, count: Dim) -> Factor:
        if whole not in f.labels:
            return f
        op = f.op
        for axis in (a for a, x in enumerate(f.labels) if x == whole):
            op = self.pool.along(op, axis, count, lambda x, k, s: Slice(s, x.type, x, k, first))
        return f._replace(op=op, labels=tuple(part if x == whole else x for x in f.labels))

    # ---- class labels

    def one_hot(self, picker: Factor, index: Op) -> None:
        p, (*rows, classes) = self.picked, picker.labels
        users = [f for f in self._others(picker) if classes in f.labels]
        if classes not in p.out and users and all(_indexable(f, picker.labels) for f in users):
            p.factors = [
                self._taken(f, picker.labels, index) if classes in f.labels else f for f in self._others(picker)
            ]
            self.counted = (self.counted - {classes}) | {*rows}
        elif (
            p.out.count(classes) == 1 and not users and rows and not {*rows} & {*p.out}
            and nominal(p.sizes[classes]) > self.few
        ):  # fmt: skip
            axis, size = p.out.index(classes), p.sizes[classes]
            p.factors = self._others(picker)
            p.out = [*rows, *p.out[:axis], *p.out[axis + 1 :]]
            self.counted = (self.counted - {classes}) | {*rows}

            def scattered(r: Op) -> Op:
                shape = (size, *r.shape[len(rows) :])
                return self._moved(self.pool(Scatter(shape, "real", self.pool.real(r), index)), axis)

            p.after.append(scattered)

    def _taken(self, f: Factor, labels: Axes, index: Op) -> Factor:
        *rows, classes = labels
        axis = f.labels.index(classes)
        if f.labels == labels:
            return f._replace(
                op=self.pool(Take(f.op.shape[:-1], f.op.type, f.op, index, axis, len(rows))), labels=tuple(rows)
            )
        shape = (*f.op.shape[:axis], *index.shape, *f.op.shape[axis + 1 :])
        taken = self.pool(Take(shape, f.op.type, f.op, index, axis, 0))
        return f._replace(op=taken, labels=(*f.labels[:axis], *rows, *f.labels[axis + 1 :]))

    def _moved(self, op: Op, axis: int) -> Op:
        """The first axis in another place."""
        order = list(range(1, len(op.shape)))
        order.insert(axis, 0)
        places = tuple(map(order.index, range(len(order))))
        return self.pool.mul(tuple(op.shape[a] for a in order), ONE, [(op, places, P1)])

    # ---- index pairs

    def joined(self, picker: Factor) -> None:
        p, (pair, *both) = self.picked, picker.labels
        if p.out.count(pair) > 1 or (pair in p.out and {*both} & {*p.out}):
            return
        p.factors = self._others(picker)
        for other in [f for f in p.factors if f.op is picker.op and f.labels[0] == pair]:
            self._identified(other, dict(zip(other.labels[1:], both, strict=True)))
        p.factors = [self._unpaired(f, pair, both) for f in p.factors]
        if pair in p.out:
            axis, size = p.out.index(pair), p.sizes[pair]
            p.out[axis : axis + 1] = both

            def rejoined(r: Op) -> Op:
                return self.pool(Reshape((*r.shape[:axis], size, *r.shape[axis + len(both) :]), r.type, r))

            p.after.append(rejoined)
        self.counted = (self.counted - {pair}) | {*both}

    def _identified(self, other: Factor, same: Mapping[int, int]) -> None:
        """Without a second picker of the same index: its labels are those of the first."""
        p = self.picked
        rest = [f for f in p.factors if f is not other]
        p.factors = [f._replace(labels=tuple(same.get(x, x) for x in f.labels)) for f in rest]
        p.out = [same.get(x, x) for x in p.out]
        self.counted = {same.get(x, x) for x in self.counted}

    def _unpaired(self, f: Factor, pair: int, both: list[int]) -> Factor:
        if pair not in f.labels:
            return f
        labels = tuple(y for x in f.labels for y in (both if x == pair else (x,)))
        shape = tuple(self.picked.sizes[x] for x in labels)
        return f._replace(op=self.pool(Reshape(shape, f.op.type, f.op)), labels=labels)


def _distinct(labels: Axes) -> bool:
    return len(set(labels)) == len(labels)


def _indexable(f: Factor, labels: Axes) -> bool:
    """Whether the entries at the class labels can be taken from a factor: row by row, or along one axis."""
    *rows, classes = labels
    return f.labels == labels or (f.labels.count(classes) == 1 and not {*rows} & {*f.labels})


__all__ = ["FEW", "Picked", "is_sum_of_slices", "read_pickers"]

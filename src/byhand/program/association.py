"""A sum of a product along its labels: the cheapest sum first, alone or of two operands; what is left is one product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import prod
from typing import NamedTuple

from byhand.expr.contraction import contract
from byhand.expr.dims import ONE, Coefficient, Dim, dim_value
from byhand.program.ops import P1, Axes, Contract, Eye, Input, Mul, Op, Pool

NOMINAL = 97  # what a named dimension counts as where orders are compared


class _Nominal(dict[str, int]):
    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> int:
        return NOMINAL


_NOMINAL = _Nominal()


def nominal(d: Dim) -> int:
    """A size to compare by: a named one counts as a hundred or so."""
    return dim_value(d, _NOMINAL)


class Factor(NamedTuple):
    """One factor: an array, a label for each of its axes, a power."""

    op: Op
    labels: Axes
    power: Fraction


Item = tuple[Factor, ...]  # what is multiplied entry by entry before it is summed with another


class Association:
    """One sum of a product.

    Args:
        pool: makes the nodes.
        sizes: label -> dimension.
        out: the labels of the result's axes; one that occurs twice is a diagonal.
    """

    def __init__(self, pool: Pool, sizes: dict[int, Dim], out: Sequence[int]) -> None:
        self.pool, self.sizes = pool, dict(sizes)
        self.diagonals: list[Item] = []
        self.out: list[int] = []
        for x in out:
            if x in self.out:
                y = max(self.sizes) + 1
                self.sizes[y] = n = self.sizes[x]
                self.diagonals.append((Factor(pool(Eye((n, n), "real")), (x, y), P1),))
                x = y
            self.out.append(x)

    def result(self, coefficient: Coefficient, factors: Iterable[Factor]) -> Op:
        """The node of coefficient × Σ ∏ factors."""
        scalars: list[Factor] = []
        items: list[Item] = []
        for f in factors:
            inside = tuple(dict.fromkeys(f.labels))
            if len(inside) < len(f.labels):  # its diagonal
                f = Factor(self.summed([(f.op, f.labels)], inside), inside, f.power)
            if f.labels:
                items.append((f,))
            else:
                scalars.append(f)
        items = self._reduced([*items, *self.diagonals])
        shape = tuple(self.sizes[x] for x in self.out)
        flat = [*scalars, *(f for item in items for f in item)]
        return self.pool.mul(shape, coefficient, [(f.op, tuple(map(self.out.index, f.labels)), f.power) for f in flat])

    def _reduced(self, items: list[Item]) -> list[Item]:
        """The items with all labels summed that the result has not."""
        while True:
            summed = sorted(set().union(*map(_labels, items)) - {*self.out})
            if not summed:
                return items
            groups = [[i for i in items if x in _labels(i)] for x in summed]
            group = min(groups, key=lambda g: (len(g) > 2, self._cost(g), len(g), self._turned(g)))
            if len(group) > 2:
                pairs = [(a, b) for k, b in enumerate(group) for a in group[:k]]
                a, b = min(pairs, key=lambda p: (_labels(p[0]) != _labels(p[1]), self._cost(p)))
                items = [(*a, *b), *(i for i in items if i is not a and i is not b)]
                continue
            items = [i for i in items if not any(i is g for g in group)]
            wanted = set().union(*map(_labels, items), self.out)
            left = tuple(x for x in self._order(group, items) if x in wanted)
            kept = sorted(({x for x in _labels(item) if x in wanted} for item in group), key=len)
            ones = all(self.sizes[x] == 1 for x in set().union(*map(_labels, group)) if x not in wanted)
            if ones and kept[0] <= kept[-1]:  # of the others the product is one of matrices
                items += [tuple(self._without_ones(f, left) for f in item) for item in group]
            else:
                items.append((self._contracted(group, left),))

    def _without_ones(self, factor: Factor, left: Axes) -> Factor:
        """A factor without those axes of size one that are summed."""
        op, labels, power = factor
        kept = tuple(x for x in labels if x in left)
        return factor if kept == labels else Factor(self.summed([(op, labels)], kept), kept, power)

    def _cost(self, group: Iterable[Item]) -> int:
        return prod(nominal(self.sizes[x]) for x in set().union(*map(_labels, group)))

    def _turned(self, group: Sequence[Item]) -> int:
        """How many transposes the product of two needs."""
        if len(group) != 2:
            return 0
        a, b = (list(dict.fromkeys(x for f in item for x in f.labels)) for item in group)
        shared = {*a} & {*b} - {*self.out}
        sides = [(a, b), (b, a)] if len(a) == len(b) else [(a, b) if len(a) > len(b) else (b, a)]
        return min((p[-1] not in shared) + (len(q) > 1 and q[-2] not in shared) for p, q in sides)

    def _order(self, group: Sequence[Item], others: Sequence[Item]) -> list[int]:
        """The labels of a contraction: as in the result or in another factor, else with the fewest transposes."""
        sides = [list(dict.fromkeys(x for f in item for x in f.labels)) for item in group]
        every = list(dict.fromkeys(x for side in sides for x in side))
        if len(group) == 1:
            return every
        outside = [f.labels for item in others for f in item]
        left = {x for x in every if x in self.out or any(x in ls for ls in outside)}
        for ls in outside:
            if left == {*ls}:
                return list(ls)
        first, second = sides
        both = [x for x in first if x in second]
        if all(x in self.out for x in every if x not in both):
            return sorted(every, key=lambda x: self.out.index(x) if x in self.out else len(self.out))
        if both:
            k = both[-1]
            ahead = (first[-1] != k) + (second[0] != k)
            if (second[-1] != k) + (first[0] != k) < ahead:
                first, second = second, first
        ends = {self.out[0]: -1, self.out[-1]: 1} if len(self.out) > 1 else {}
        return sorted([*both, *(x for x in (*first, *second) if x not in both)], key=lambda x: ends.get(x, 0))

    def _contracted(self, group: Sequence[Item], left: Axes) -> Factor:
        """The sum over the other labels of one item or the product of two."""
        if len(group) == 1 and len(group[0]) == 1 and group[0][0].power == 2:
            op, labels, _ = group[0][0]
            made = self.summed([(op, labels)] * 2, left)
        else:
            made = self.summed([self._whole(item) for item in group], left)
        self._note(made, [f for item in group for f in item], left)
        return Factor(made, left, P1)

    def _note(self, made: Op, factors: Sequence[Factor], left: Axes) -> None:
        """Where a part of a product came from, if that is wanted and the factors' origins are known."""
        origins = self.pool.origins
        if origins is None or made in origins or not all(f.op in origins for f in factors):
            return
        dims = {x: self.sizes[x] for f in factors for x in f.labels}
        origins[made] = contract([(origins[f.op], f.labels, f.power) for f in factors], left, dims=dims)

    def _whole(self, item: Item) -> tuple[Op, Axes]:
        """An item as one array."""
        if len(item) == 1 and item[0].power == 1:
            return item[0].op, item[0].labels
        every = dict.fromkeys(x for f in item for x in f.labels)
        place = {x: k for k, x in enumerate(self.out)}
        order = next((f.labels for f in item if len(f.labels) == len(every)), None)
        order = order or tuple(sorted(every, key=lambda x: place.get(x, len(place))))
        parts = [(f.op, tuple(map(order.index, f.labels)), f.power) for f in item]
        made = self.pool.mul(tuple(self.sizes[x] for x in order), ONE, parts)
        self._note(made, item, order)
        return made, order

    def summed(self, pair: Sequence[tuple[Op, Axes]], out: Axes) -> Op:
        """The contraction of one operand or two; views among them are read through their labels."""
        seen = []
        for op, labels in pair:
            if isinstance(op, Mul) and len(op.factors) == 1 and op not in self.pool.named and op.coefficient == ONE:
                ((arg, axes, power),) = op.factors
                if power == 1 and len(axes) == len(labels):
                    op, labels = arg, tuple(labels[a] for a in axes)
            if len(pair) == 1 and isinstance(op, Contract) and len(op.operands) == 1 and op not in self.pool.named:
                ((inner, inside),), kept = op.operands, op.out
                if {*inside} <= {*kept}:  # the sum of a diagonal is a trace
                    op, labels = inner, tuple(labels[kept.index(x)] for x in inside)
            seen.append((self.pool.real(op), labels))
        made = self._contract(seen, out)
        if len(seen) == 2 and len(out) == 2 and not self.pool.knows(made):
            others = [(seen[::-1], out), (seen, out[::-1]), (seen[::-1], out[::-1])]
            known = next((o for o in others if self.pool.knows(self._contract(*o))), None)
            if known is not None and known[1] == out:
                made = self._contract(*known)
            elif known is not None or _both_turned(seen, out):  # Bᵀ Aᵀ is (A B)ᵀ
                whole = self.pool(self._contract(*known) if known else self._contract(seen[::-1], out[::-1]))
                return self.pool.mul(made.shape, ONE, [(whole, (1, 0), P1)])
        return self.pool(made)

    def _contract(self, pair: Sequence[tuple[Op, Axes]], out: Axes) -> Contract:
        """A sum with its labels numbered in the order of the result."""
        number = {x: k for k, x in enumerate(dict.fromkeys([*out, *(x for _, ls in pair for x in ls)]))}
        made = tuple((op, tuple(number[x] for x in ls)) for op, ls in pair)
        shape, sizes = tuple(self.sizes[x] for x in out), tuple(self.sizes[x] for x in number)
        return Contract(shape, "real", made, tuple(number[x] for x in out), sizes)


def _both_turned(pair: Sequence[tuple[Op, Axes]], out: Axes) -> bool:
    """Whether both matrices of a product are transposed in it, and not both are arguments."""
    (a, la), (b, lb) = pair if pair[0][1][-1:] == out[:1] else pair[::-1]
    turned = len(la) == len(lb) == 2 and la[1] == out[0] and lb[0] == out[1] and la[0] == lb[1]
    return turned and not (isinstance(a, Input) and isinstance(b, Input))


def _labels(item: Item) -> set[int]:
    return {x for f in item for x in f.labels}


__all__ = ["Association", "Factor", "nominal"]

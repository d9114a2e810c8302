"""Random nodes that pick: slices, single entries, padded rows, index pairs, axes of one entry, labels; mixed with all others.

`PickedNodes(seed).node(shape)` draws one; `values_of` gives arrays for its symbols.
"""

import zlib
from fractions import Fraction

import numpy as np
from rules.random_nodes import SIZES, RandomNodes

from byhand.expr.assume import sample
from byhand.expr.contraction import contract
from byhand.expr.dims import add_dims, dim_value, multiply_dims, named_dimension
from byhand.expr.indexmaps import affine, joined
from byhand.expr.nodes import symbol, symbols_of
from byhand.expr.operations import apply

DIMS = (*map(named_dimension, SIZES), 1, 7)
ONE = Fraction(1)


class PickedNodes(RandomNodes):
    """Random nodes whose axes are picked from others."""

    def shape(self, most=2):
        return tuple(self.rng.choice(DIMS) for _ in range(self.rng.randint(0, most)))

    def name(self, letter, shape):
        spelled = {" ": "", "*": "x", "+": "more", "-": "less"}
        return "".join(spelled.get(c, c) for c in super().name(letter, shape))

    def contraction(self, shape, depth):
        makers = [self.sliced, self.padded, self.entry_of, self.unpaired, self.labelled, self.kept]
        if depth <= 0 or self.rng.random() < 0.5:
            return super().contraction(shape, depth)
        return self.rng.choice(makers)(shape, depth)

    def at_axis(self, shape, depth, size, picker):
        """A node with an axis of another size, and a picker beside it that leads to the wanted shape."""
        axis = self.rng.randrange(len(shape))
        inner = self.node((*shape[:axis], size(shape[axis]), *shape[axis + 1 :]), depth - 1)
        labels = list(range(len(shape)))
        before = [*labels[:axis], "picked", *labels[axis + 1 :]]
        node, order = picker(shape[axis])
        factors = [(inner, before, ONE), (node, ["picked", axis] if order else [axis, "picked"], ONE)]
        return contract(factors, labels, self.coefficient())

    def sliced(self, shape, depth):
        """x[first : first + n]."""
        if not shape:
            return self.leaf(shape)
        first, more = self.rng.choice((0, 1, 2)), self.rng.choice((0, 1))

        def picker(n):
            return affine(add_dims(n, first + more), first, (1, n)), True

        return self.at_axis(shape, depth, lambda n: add_dims(n, first + more), picker)

    def padded(self, shape, depth):
        """The entries at first, first + 1, ..., and zeros elsewhere."""
        if not shape or not all(dim_value(n, SIZES) > 2 for n in shape):
            return self.leaf(shape)
        first = self.rng.choice((0, 1))

        def picker(n):
            return affine(n, first, (1, add_dims(n, -1))), False

        return self.at_axis(shape, depth, lambda n: add_dims(n, -1), picker)

    def entry_of(self, shape, depth):
        """The row at one place."""
        size = self.rng.choice(DIMS[:-2])
        first = self.rng.choice((0, 1))
        inner = self.node((size, *shape), depth - 1)
        labels = list(range(len(shape)))
        picked = affine(size, first, (1, 1))
        return contract([(inner, ["row", *labels], ONE), (picked, ["row", "one"], ONE)], labels, self.coefficient())

    def unpaired(self, shape, depth):
        """v[p i + k] as an array over i and k."""
        if len(shape) != 2:
            return self.leaf(shape)
        inner = self.node((multiply_dims(*shape),), depth - 1)
        pairs = joined(*shape)
        return contract([(inner, ["I"], ONE), (pairs, ["I", 0, 1], ONE)], [0, 1], self.coefficient())

    def labelled(self, shape, depth):
        """Z[i, t_i], or rows that labels choose."""
        if not shape:
            return self.leaf(shape)
        size = self.rng.choice(DIMS[:-2])
        labels = symbol(self.name("t", (shape[0], size)), shape[:1], {"labels", f"below {size}"})
        hot = apply("one_hot", labels, attributes=(size,))
        inner = self.node((size, *shape[1:]), depth - 1)
        rest = list(range(1, len(shape)))
        return contract([(inner, ["class", *rest], ONE), (hot, [0, "class"], ONE)], [0, *rest], self.coefficient())

    def kept(self, shape, depth):
        """A sum over an axis that stays, with one entry."""
        if 1 not in shape:
            return self.leaf(shape)
        axis = shape.index(1)
        size = self.rng.choice(DIMS[:-2])
        inner = self.node((*shape[:axis], size, *shape[axis + 1 :]), depth - 1)
        labels = list(range(len(shape)))
        before = [*labels[:axis], "summed", *labels[axis + 1 :]]
        return contract([(inner, before, ONE)], labels, self.coefficient(), {axis: 1})


def values_of(nodes):
    """Arrays for the symbols below the nodes; the same for a symbol everywhere."""
    found = {}
    for node in nodes:
        for s in symbols_of(node):
            rng = np.random.default_rng(zlib.crc32(s.name.encode()))
            shape = tuple(dim_value(d, SIZES) for d in s.shape)
            below = [a for a in s.assumptions if a.startswith("below ")]
            if below:
                size = below[0].removeprefix("below ")
                found[s] = rng.integers(0, SIZES.get(size) or int(size), shape)
            else:
                found[s] = sample(s.assumptions, rng, shape) * (1.0 if s.assumptions else 0.8)
    return found

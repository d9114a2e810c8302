"""Random nodes, heavy in contractions: products, traces, diagonals, powers, sums of products, broadcasts, inverses.

`RandomNodes(seed).node(shape)` draws one; `value_of` evaluates it. Dimensions have pairwise distinct prime sizes.
"""

import random
import zlib
from fractions import Fraction

import numpy as np

from byhand.expr.assume import read_properties, sample
from byhand.expr.contraction import add, contract, elementwise, is_zero, scale
from byhand.expr.dims import Coefficient, named_dimension
from byhand.expr.evaluate import evaluate_nodes
from byhand.expr.expression import rebuild
from byhand.expr.nodes import Contraction, Sum, Symbol, named, symbol, symbols_of, topological
from byhand.expr.operations import apply

SIZES = {"m": 3, "n": 2, "k": 5}
DIMS = tuple(named_dimension(d) for d in SIZES)
HALF, ONE = Fraction(1, 2), Fraction(1)
SMOOTH = ("tanh", "sin", "sigmoid", "exp", "relu", "abs", "step", "cos", "softplus")
PROPERTIES = {1: ("", "", "", "positive", "pm1", "01"), 2: ("", "", "", "positive", "01", "simplexrows", "one_hot")}
SQUARE = ("symmetric", "spd", "wellcond", "orthogonal", "diagonal")
LETTER = {
    "": "a", "positive": "p", "pm1": "s", "01": "c", "simplexrows": "y", "one_hot": "o",
    "symmetric": "S", "spd": "P", "wellcond": "W", "orthogonal": "Q", "diagonal": "D",
}  # fmt: skip


class RandomNodes:
    """Draws nodes; `most_axes` is what a factor of a product may have."""

    def __init__(self, seed, most_axes=3):
        self.rng = random.Random(seed)
        self.most_axes = most_axes
        self.made = []

    def shape(self, most=2):
        return tuple(self.rng.choice(DIMS) for _ in range(self.rng.randint(0, most)))

    def name(self, letter, shape):
        """A name that tells the shape."""
        return letter + "".join(map(str, shape))

    def leaf(self, shape):
        rng = self.rng
        prop = ""
        if len(shape) in PROPERTIES:
            prop = rng.choice(PROPERTIES[len(shape)])
            if len(shape) == 2 and shape[0] == shape[1] and rng.random() < 0.5:
                prop = rng.choice(SQUARE)
        elif not shape:
            prop = rng.choice(("", "", "positive"))
        name = self.name(LETTER[prop] + rng.choice("12"), shape)
        return symbol(name, shape, read_properties(prop, name, shape))

    def positive(self, shape, depth):
        """A node with positive entries, safe under any power."""
        if depth <= 0 or self.rng.random() < 0.6:
            name = self.name("p" + self.rng.choice("12"), shape)
            return symbol(name, shape, {"positive"})
        if self.rng.random() < 0.5:
            return elementwise("exp", elementwise("tanh", self.node(shape, depth - 1)))
        return elementwise("sigmoid", self.node(shape, depth - 1))

    def node(self, shape, depth=3):
        rng = self.rng
        if depth <= 0 or rng.random() < 0.15:
            return self.leaf(shape)
        known = [n for n in self.made if n.shape == shape]
        if known and rng.random() < 0.2:
            return rng.choice(known)
        kinds = ["contraction"] * 5 + ["sum"] * 3 + ["function", "operation", "named"]
        new = getattr(self, rng.choice(kinds))(shape, depth)
        if is_zero(new):
            return self.leaf(shape)
        self.made.append(new)
        return new

    def coefficient(self):
        rng = self.rng
        value = Fraction(rng.choice((1, 1, 1, -1, 2, -2, 3, 4)), rng.choice((1, 1, 1, 2, 3)))
        dims = ((rng.choice(DIMS), Fraction(rng.choice((-1, -1, 1)))),) if rng.random() < 0.15 else ()
        return Coefficient(value, dims)

    def contraction(self, shape, depth):
        """Random labels: any of them may be summed over, repeated, broadcast."""
        rng = self.rng
        out = list(range(len(shape)))
        dims = dict(enumerate(shape))
        if len(shape) == 2 and shape[0] == shape[1] and rng.random() < 0.25:
            out, dims = [0, 0], {0: shape[0]}
        for _ in range(rng.choice((0, 1, 1, 2))):
            dims[len(dims)] = rng.choice(DIMS)
        labels = list(dims)
        factors = []
        for _ in range(rng.choice((1, 2, 2, 2, 3, 4))):
            count = min(rng.choice((0, 1, 1, 2, 2, 2, 3)), self.most_axes) if labels else 0
            chosen = [rng.choice(labels) for _ in range(count)]
            if len(set(chosen)) < len(chosen) and rng.random() < 0.7:
                chosen = list(dict.fromkeys(chosen))
            inner = tuple(dims[x] for x in chosen)
            power = rng.choice((ONE,) * 7 + (Fraction(2), Fraction(3), -ONE, -ONE * 2, HALF, -HALF))
            safe = power.denominator > 1 or power < 0
            factors.append((self.positive(inner, depth - 1) if safe else self.node(inner, depth - 1), chosen, power))
            if rng.random() < 0.2 and factors[-1][2] == 1:
                factors.append(
                    (factors[-1][0], rng.sample(chosen, len(chosen)) if len(set(inner)) == 1 else chosen, ONE)
                )
        return contract(factors, out, self.coefficient(), dims, merge=rng.random() < 0.3)

    def sum(self, shape, depth):
        rng = self.rng
        terms = [self.node(shape, depth - 1) for _ in range(rng.choice((2, 2, 3, 4)))]
        if rng.random() < 0.4:  # a common factor
            common = self.node(shape, depth - 2)
            labels = list(range(len(shape)))
            terms = [contract([(common, labels, ONE), (t, labels, ONE)], labels) for t in terms[:2]] + terms[2:]
        if len(shape) == 2 and rng.random() < 0.3:  # a common matrix factor
            inner = rng.choice(DIMS)
            common = self.node((shape[0], inner), depth - 2)
            terms += [
                contract([(common, "ik", ONE), (self.node((inner, shape[1]), depth - 2), "kj", ONE)], "ij")
                for _ in "12"
            ]
        if len(shape) == 2 and shape[0] == shape[1] and rng.random() < 0.3:
            terms.append(contract([(terms[0], "ij", ONE)], "ji"))
        return add(*(scale(self.coefficient(), t) for t in terms))

    def function(self, shape, depth):
        function = self.rng.choice(SMOOTH)
        arg = self.node(shape, depth - 1)
        if function == "exp":
            arg = elementwise("tanh", arg)
        if self.rng.random() < 0.15:
            return elementwise("log", self.positive(shape, depth - 1))
        return elementwise(function, arg)

    def invertible(self, d, depth):
        if self.rng.random() < 0.6:
            return symbol(f"W{self.rng.choice('12')}{d}{d}", (d, d), {"wellcond"})
        eye = contract([], "ii", Coefficient(Fraction(4)), {"i": d})
        return add(eye, elementwise("sin", self.node((d, d), depth - 1)))

    def operation(self, shape, depth):
        rng = self.rng
        if not shape:
            name = rng.choice(("logdet", "det", "logsumexp"))
            if name == "logsumexp":
                arg = self.node(self.shape(2) or DIMS[:1], depth - 1)
                return apply(name, arg, attributes=(tuple(range(arg.ndim)),))
            return apply(name, self.invertible(rng.choice(DIMS), depth - 1))
        if len(shape) == 2 and shape[0] == shape[1] and rng.random() < 0.5:
            return apply("inv", self.invertible(shape[0], depth - 1))
        name = rng.choice(("softmax", "log_softmax", "softmax", "where", "logsumexp"))
        if name == "where":
            mask = symbol(self.name("c3", shape), shape, {"01"})
            return apply(name, mask, self.node(shape, depth - 1), self.node(shape, depth - 1))
        axis = rng.randrange(len(shape))
        if name == "logsumexp":
            if len(shape) == 3:
                return self.leaf(shape)
            arg = self.node((*shape[:axis], rng.choice(DIMS), *shape[axis:]), depth - 1)
            return apply(name, arg, attributes=((axis,),))
        return apply(name, self.node(shape, depth - 1), attributes=((axis,),))

    def named(self, shape, depth):
        body = self.node(shape, depth - 1)
        if isinstance(body, Symbol):
            return body
        return named(f"Z{zlib.crc32(body.digest) % 10**6}", body)


def values_of(nodes):
    """Arrays for the symbols below the nodes, each from its declared domain; the same for a symbol everywhere."""
    found = {}
    for node in nodes:
        for s in symbols_of(node):
            rng = np.random.default_rng(zlib.crc32(s.name.encode()))
            shape = tuple(SIZES[str(d)] for d in s.shape)
            found[s] = sample(s.assumptions, rng, shape) * (1.0 if s.assumptions else 0.8)
    return found


def value_of(node, values=None):
    """The value of a node."""
    return evaluate_nodes([node], values_of([node]) if values is None else values, SIZES)[node]


def agree(a, b, scale=1.0, tolerance=1e-9):
    """Whether two values are equal up to rounding, relative to the largest number on the way."""
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= tolerance * (scale + np.abs(a) + np.abs(b))))


def largest_inside(node, values):
    """The largest number met while a node is evaluated."""
    all_values = evaluate_nodes([node], values, SIZES).values()
    return max((float(np.max(np.abs(v))) for v in all_values if np.size(v)), default=1.0)


def shuffled(root, rng):
    """The same expression built again, terms and factors in another order, labels renamed."""
    done = {}
    for node in topological([root]):
        match node:
            case Sum(terms):
                mixed = rng.sample(terms, len(terms))
                done[node] = add(*(scale(c, done[t]) for c, t in mixed))
            case Contraction(coefficient, factors, out):
                mixed = rng.sample(factors, len(factors))
                new = dict(zip(range(len(node.dims)), rng.sample(range(100), len(node.dims)), strict=True))
                done[node] = contract(
                    [(done[f], [new[x] for x in ls], p) for f, ls, p in mixed],
                    [new[x] for x in out],
                    coefficient,
                    {new[i]: d for i, d in enumerate(node.dims)},
                )
            case _:
                done[node] = rebuild(node, done)
    return done[root]

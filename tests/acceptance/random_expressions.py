"""Random well-shaped scalar expressions over all operations of the syntax, with tame values.

`generate(rng)` draws one from a `random.Random`; `cases()` is the same as a hypothesis strategy. Shapes are built from
named dimensions of pairwise distinct prime sizes. What stands under a mask, a sign or a step is compared with an odd
constant: for an expression that is identically zero, rounding would decide.
"""

import ast
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies
from oracles import NUMPY_NAMES, draw

SIZES = {"m": 5, "n": 3, "k": 2, "h": 7, "b": 11}
DIMENSIONS = "mnkh"
BATCH, CLASSES = "b", "k"

# Leaves are symbols named by a letter and their dimensions: s, um, Xmn, Tbmn; these letters have a property.
PLAIN = {0: "sr", 1: "uv", 2: "XY", 3: "TU"}
PROPERTY = {
    "S": "symmetric", "P": "spd", "W": "wellcond", "Q": "orthogonal", "D": "diagonal",
    "L": "simplexrows", "O": "one_hot", "G": "positive",
    "p": "positive", "z": "01", "y": "pm1", "c": "constant", "t": "labels",
}  # fmt: skip
VARIABLE = {None, "symmetric", "spd", "wellcond", "positive"}  # differentiated for; other properties only occur


@dataclass(frozen=True)
class Tree:
    """An expression: a pattern with one {} for each part."""

    pattern: str
    parts: tuple["Tree", ...] = ()

    def render(self, swap: Callable[[], bool]) -> str:
        """The text; the operands of a sum or an elementwise product change places where `swap()` says so."""
        parts = [part.render(swap) for part in self.parts]
        if self.pattern in ("({} + {})", "({} * {})") and swap():
            parts.reverse()
        return self.pattern.format(*parts)

    def inner(self) -> list["Tree"]:
        """The parts at any depth that are no leaves."""
        return [tree for part in self.parts if part.parts for tree in (part, *part.inner())]

    def naming(self, tree: "Tree", name: str) -> "Tree":
        """This expression with a name in the place of `tree`, wherever it occurs."""
        return Tree(name) if self == tree else Tree(self.pattern, tuple(part.naming(tree, name) for part in self.parts))


@dataclass(frozen=True)
class Case:
    """A random function: named intermediates, body, its symbols, and the variable."""

    lines: tuple[tuple[str, Tree], ...]
    body: Tree
    shapes: dict[str, str]
    assume: dict[str, str]
    wrt: str

    def render(self, swap: Callable[[], bool]) -> str:
        return "\n".join([*(f"{name} = {tree.render(swap)}" for name, tree in self.lines), self.body.render(swap)])

    @property
    def text(self) -> str:
        return self.render(lambda: False)

    def swapped(self, rng: random.Random) -> str:
        """The same function with the operands of + and * in another order."""
        return self.render(lambda: rng.random() < 0.5)

    @property
    def symmetric(self) -> bool:
        """Whether the variable, and with it the gradient, is a symmetric matrix."""
        return self.assume.get(self.wrt) in ("symmetric", "spd")

    def values(self) -> dict[str, np.ndarray]:
        """Arrays for the symbols, each from its declared domain; a symbol has the same value in every expression."""

        def value(name, shape):
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            lengths = [SIZES[dim] for dim in shape.split()]
            return draw(self.assume.get(name), lengths, rng, spread=0.8, classes=SIZES[CLASSES])

        return {name: value(name, shape) for name, shape in self.shapes.items()}


@dataclass
class Generator:
    """Draws trees of a wanted shape; now and then the same one again."""

    rng: random.Random
    made: list[tuple[tuple[str, ...], Tree]] = field(default_factory=list)

    def pick(self, options):
        return options[self.rng.randrange(len(options))]

    def leaf(self, dims):
        letters = ""
        if len(dims) == 1:
            letters = "pzyc"
        elif len(dims) == 2:
            letters = "G" + "SPWQD" * (dims[0] == dims[1]) + "LO" * (dims[1] == CLASSES)
        if not letters or self.rng.random() < 0.75:
            letters = PLAIN[len(dims)]
        return Tree(self.pick(letters) + "".join(dims))

    def tree(self, dims, depth):
        """A random expression of shape `dims`, a tuple of dimensions."""
        if depth <= 0 or self.rng.random() < 0.12:
            return self.leaf(dims)
        known = [tree for shape, tree in self.made if shape == dims]
        if known and self.rng.random() < 0.1:
            return self.pick(known)
        table = RARE if self.rng.random() < 0.001 else OPERATIONS
        fitting = [operation for operation in table if operation.fits(dims)]
        tree = self.pick(fitting or OPERATIONS[:1]).build(self, dims, depth - 1)
        self.made.append((dims, tree))
        return tree

    def invertible(self, dim, depth):
        """A matrix of shape (dim, dim) far from singular."""
        match self.rng.randrange(4):
            case 0:
                return Tree(f"W{dim}{dim}")
            case 1:
                return Tree(f"(4 * eye({dim}) + tanh({{}}))", (self.tree((dim, dim), depth - 1),))
            case 2:
                factor = Tree("tanh({})", (self.tree((dim, self.pick(DIMENSIONS)), depth - 1),))
                return Tree(f"({{}} @ {{}}.T + eye({dim}))", (factor, factor))
            case _:
                return Tree(f"(P{dim}{dim} + {{}} * eye({dim}))", (Tree("square({})", (self.leaf(()),)),))


@dataclass(frozen=True)
class Operation:
    """A row of the table: the shapes that it can produce, and how."""

    fits: Callable[[tuple[str, ...]], bool]
    build: Callable[[Generator, tuple[str, ...], int], Tree]


def any_shape(dims):
    return True


def rank(*ranks):
    return lambda dims: len(dims) in ranks


def square(dims):
    return len(dims) == 2 and dims[0] == dims[1]


def row(fits, pattern, *shapes):
    """An operation as a pattern and the shapes of its parts.

    A shape is "*", the wanted one, or letters: i, j, l its dimensions in order, q and r any dimension, B the batch, K
    the classes. The pattern may use them too, as <i>, <q>, ...
    """

    def build(generator, dims, depth):
        letters = {**dict(zip("ijl", dims, strict=False)), "B": BATCH, "K": CLASSES}
        letters |= {free: generator.pick(DIMENSIONS) for free in "qr"}
        wanted = [dims if shape == "*" else tuple(letters[letter] for letter in shape) for shape in shapes]
        filled = pattern
        for letter, dim in letters.items():
            filled = filled.replace(f"<{letter}>", dim)
        return Tree(filled, tuple(generator.tree(shape, depth) for shape in wanted))

    return Operation(fits, build)


def axis_of(generator, dims):
    return generator.rng.randrange(-len(dims), len(dims))


def broadcast(generator, dims, depth):
    """A part of lower rank meets the whole shape."""
    pair = [generator.tree(dims, depth), generator.tree(dims[generator.rng.randrange(1, len(dims) + 1) :], depth)]
    pattern = generator.pick(["({} + {})", "({} * {})", "({} - {})", "({} / (1 + square({})))"])
    return Tree(pattern, tuple(pair if "/" in pattern or generator.rng.random() < 0.7 else pair[::-1]))


def kept(generator, dims, depth):
    """A reduction that keeps its axis, with length one, meets the whole shape."""
    function, axis = generator.pick(["sum", "mean"]), axis_of(generator, dims)
    reduced = Tree(f"{function}({{}}, axis={axis}, keepdims=True)", (generator.tree(dims, depth),))
    pattern = generator.pick(["({} - {})", "({} * {})", "({} + {})", "({} / (1 + square({})))"])
    return Tree(pattern, (generator.tree(dims, depth), reduced))


def normalised(generator, dims, depth):
    function, axis = generator.pick(["softmax", "log_softmax"]), axis_of(generator, dims)
    return Tree(f"{function}({{}}, axis={axis})", (generator.tree(dims, depth),))


def reduced(generator, dims, depth):
    """One more axis, reduced."""
    axis = generator.rng.randrange(len(dims) + 1)
    extra = BATCH if len(dims) == 2 and axis == 0 else generator.pick(DIMENSIONS)
    shown = axis - generator.pick([0, len(dims) + 1])
    function = generator.pick(["sum", "mean", "logsumexp"])
    return Tree(f"{function}({{}}, axis={shown})", (generator.tree((*dims[:axis], extra, *dims[axis:]), depth),))


def masked(generator, dims, depth):
    compare = generator.pick(["<", "<=", ">", ">="])
    pattern = generator.pick([
        f"where({{}} {compare} 0.37, {{}}, {{}})",
        f"(where({{}} {compare} 0.37, {{}}, 0) + {{}})",
        f"(({{}} {compare} 0.37) * {{}} - {{}})",
        "(step({} - 0.37) * {} + 2 * {})",
        "(sign({} + 0.37) * {} - {})",
    ])  # fmt: skip
    return Tree(pattern, tuple(generator.tree(dims, depth) for _ in range(3)))


def inverse(generator, dims, depth):
    return Tree("inv({})", (generator.invertible(dims[0], depth),))


def solution(generator, dims, depth):
    return Tree("solve({}, {})", (generator.invertible(dims[0], depth), generator.tree(dims, depth)))


def determinant(generator, dims, depth):
    pattern = generator.pick(["det(0.3 * {})", "logdet({})", "trace(inv({}))", "tanh(det(0.3 * {}))", "logdet(2 * {})"])
    return Tree(pattern, (generator.invertible(generator.pick(DIMENSIONS), depth),))


def labelled(generator, dims, depth):
    """The entry of each row at its label, or the loss of each row."""
    pattern = generator.pick(["({})[arange(<i>), t<i>]", "cross_entropy({}, t<i>)", "cross_entropy({}, L<i>k)"])
    return Tree(pattern.replace("<i>", dims[0]), (generator.tree((dims[0], CLASSES), depth),))


def total(generator, dims, depth):
    """A scalar from a shape of any rank."""
    shape = tuple(generator.pick(DIMENSIONS) for _ in range(generator.pick([1, 1, 2, 2, 2, 3])))
    shape = (BATCH, *shape[1:]) if len(shape) == 3 else shape
    return Tree(f"{generator.pick(['sum', 'sum', 'mean', 'logsumexp'])}({{}})", (generator.tree(shape, depth),))


UNARY = [
    "(-{})", "(2 * {})", "({} * 0.5)", "({} - 1)", "(1 - {})", "({} + 3)", "({} / 7)",
    "exp(tanh({}))", "exp(-abs({}))", "log(1 + square({}))", "log(1 + exp(sin({})))", "sqrt(1 + square({}))",
    "abs({})", "sin({})", "cos({})", "tanh({})", "sigmoid({})", "softplus({})", "relu({})", "leaky_relu({})",
    "elu({})", "selu({})", "gelu({})", "silu({})", "erf({})", "square({})", "reciprocal(1 + square({}))",
    "(1 / (2 + sin({})))", "(({})**2)", "(({})**3)", "((1 + square({}))**-1)", "((1 + square({}))**0.5)",
    "((2 + cos({}))**1.5)", "((2 + cos({}))**-2)",
]  # fmt: skip
OPERATIONS = [
    *[Operation(any_shape, lambda g, dims, depth: Tree(g.pick(UNARY), (g.tree(dims, depth),)))] * 7,
    *[row(any_shape, "({} + {})", "*", "*")] * 2,
    *[row(any_shape, "({} - {})", "*", "*")] * 2,
    *[row(any_shape, "({} * {})", "*", "*")] * 2,
    row(any_shape, "({} / (1 + square({})))", "*", "*"),
    row(any_shape, "({} / (2 + cos({})))", "*", ""),
    row(any_shape, "({} * {})", "*", ""),
    row(rank(1, 2, 3), "({} / <i>)", "*"),
    row(rank(1, 2, 3), "(<i> * {})", "*"),
    Operation(any_shape, masked),
    *[Operation(rank(1, 2, 3), broadcast)] * 2,
    *[Operation(rank(1, 2, 3), kept)] * 2,
    *[Operation(rank(1, 2, 3), normalised)] * 2,
    *[Operation(rank(1, 2), reduced)] * 2,
    # scalars
    *[Operation(rank(0), total)] * 7,
    Operation(rank(0), determinant),
    Operation(rank(0), determinant),
    row(rank(0), "({} @ {})", "q", "q"),
    row(rank(0), "({} @ {} @ {})", "q", "qr", "r"),
    row(rank(0), "trace({})", "qq"),
    row(rank(0), "trace({} @ {})", "qr", "rq"),
    row(rank(0), "trace({}.T @ {})", "qr", "qr"),
    row(rank(0), "inner({}, {})", "q", "q"),
    row(rank(0), "inner({}, {})", "qr", "qr"),
    row(rank(0), "norm({})", "q"),
    row(rank(0), "norm({})", "qr"),
    row(rank(0), "trace(kron({}, {}))", "qq", "rr"),
    row(rank(0), "sum(tanh(kron({}, {})))", "qr", "rK"),
    row(rank(0), "inner(kron({}, {}), kron({}, {}))", "qr", "Kq", "qr", "Kq"),
    row(rank(0), "einsum('ij,ij->', {}, {})", "qr", "qr"),
    row(rank(0), "einsum('i,ij,j->', {}, {}, {})", "q", "qr", "r"),
    row(rank(0), "einsum('ii->', {})", "qq"),
    row(rank(0), "einsum('bij,bij->', {}, {})", "Bqr", "Bqr"),
    # vectors
    *[row(rank(1), "({} @ {})", "iq", "q")] * 2,
    *[row(rank(1), "({} @ {})", "q", "qi")] * 2,
    row(rank(1), "({}.T @ {})", "qi", "q"),
    row(rank(1), "diag({})", "ii"),
    row(rank(1), "({} + ones(<i>))", "i"),
    row(rank(1), "(ones(<q>) @ {})", "qi"),
    row(rank(1), "({} - zeros(<i>))", "i"),
    row(rank(1), "einsum('ij,j->i', {}, {})", "iq", "q"),
    row(rank(1), "einsum('ij,kj,k->i', {}, {}, {})", "iq", "rq", "r"),
    row(rank(1), "einsum('bij,b,j->i', {}, {}, {})", "Biq", "B", "q"),
    row(rank(1), "einsum('ij->i', {})", "iq"),
    Operation(rank(1), solution),
    Operation(rank(1), labelled),
    Operation(rank(1), labelled),
    # matrices
    *[row(rank(2), "({} @ {})", "iq", "qj")] * 3,
    row(rank(2), "({} @ {}.T)", "iq", "jq"),
    row(rank(2), "({}.T @ {})", "qi", "qj"),
    *[row(rank(2), "({}).T", "ji")] * 2,
    row(rank(2), "outer({}, {})", "i", "j"),
    row(rank(2), "(outer(ones(<i>), {}) + {})", "j", "ij"),
    row(rank(2), "({} - ones((<i>, <j>)))", "ij"),
    row(rank(2), "(diag({}) @ {})", "i", "ij"),
    row(rank(2), "einsum('ij,jk->ik', {}, {})", "iq", "qj"),
    row(rank(2), "einsum('ij->ji', {})", "ji"),
    row(rank(2), "einsum('ij,i->ij', {}, {})", "ij", "i"),
    row(rank(2), "einsum('bij,bkj->ik', {}, {})", "Biq", "Bjq"),
    row(rank(2), "einsum('kij,k->ij', {}, {})", "Bij", "B"),
    row(rank(2), "(one_hot(t<i>, k) @ {})", "Kj"),
    Operation(rank(2), solution),
    row(square, "diag({})", "i"),
    row(square, "({} + {} * eye(<i>))", "ij", ""),
    row(square, "(eye(<i>) - {})", "ij"),
    Operation(square, inverse),
    Operation(square, inverse),
    # batches
    *[row(rank(3), "({} @ {})", "ijq", "iql")] * 2,
    row(rank(3), "({} @ {})", "ijq", "ql"),
    row(rank(3), "({} @ {})", "jq", "iql"),
    row(rank(3), "einsum('bij,bjk->bik', {}, {})", "ijq", "iql"),
    row(rank(3), "einsum('bij,kj->bik', {}, {})", "ijq", "lq"),
    row(rank(3), "einsum('i,jk->ijk', {}, {})", "i", "jl"),
    row(rank(3), "einsum('ijk->kij', {})", "jli"),
]
# Legal, but of the kind that a library may refuse by name: too seldom to matter for the share of refusals.
RARE = [
    row(any_shape, "((1 + square({}))**sin({}))", "*", "*"),
    row(any_shape, "(2**tanh({}))", "*"),
    row(rank(0), "norm(kron({}, {}))", "q", "r"),
    row(rank(0), "sum({}, axis=(0, 1))", "qr"),
    row(rank(1), "sum({}, axis=(0, 2))", "Biq"),
    row(rank(2), "einsum('ij,jk', {}, {})", "iq", "qj"),
    row(rank(2), "einsum('...i,...i->...', {}, {})", "ijq", "ijq"),
    row(rank(2), "({} - logsumexp({}, axis=1, keepdims=True))", "ij", "iq"),
    row(rank(2), "sum(({}).T, axis=2)", "Bji"),
]


def symbols(text):
    """Names of the symbols in a text, each once."""
    names = [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    return [name for name in dict.fromkeys(names) if name not in NUMPY_NAMES and name not in SIZES and name[0] != "Z"]


def generate(rng: random.Random) -> Case:
    """A random scalar function with at least one symbol to differentiate for."""
    while True:
        generator = Generator(rng)
        body = generator.pick([operation for operation in OPERATIONS if operation.fits(())])
        body, lines = body.build(generator, (), generator.pick([1, 2, 3, 3, 4])), []
        for i in range(generator.pick([0, 0, 1, 2])):
            if inner := body.inner():
                lines.append((f"Z{i + 1}", generator.pick(inner)))
                body = body.naming(lines[-1][1], lines[-1][0])
        case = Case(tuple(lines), body, {}, {}, "")
        names = symbols(case.text)
        scalars = PLAIN[0]
        assume = {name: PROPERTY[name[0]] for name in names if name not in scalars and name[0] in PROPERTY}
        variables = [name for name in names if assume.get(name) in VARIABLE]
        if variables:
            shapes = {name: "" if name in scalars else " ".join(name[1:]) for name in names}
            return replace(case, shapes=shapes, assume=assume, wrt=generator.pick(variables))


def cases() -> strategies.SearchStrategy[Case]:
    """The same expressions for hypothesis, which shrinks them."""
    return strategies.randoms(use_true_random=False).map(generate)

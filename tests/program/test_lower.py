"""A program computes what the expression is: random hostile nodes, every picker, the problems, networks; types are right."""

import warnings
import zlib
from fractions import Fraction

import numpy as np
import pytest
from acceptance.test_problems import PROBLEMS, derived, drawn
from rules.random_nodes import DIMS, SIZES, RandomNodes, agree, largest_inside, value_of

import byhand
from byhand.expr.arrays import winner
from byhand.expr.assume import sample
from byhand.expr.contraction import contract, elementwise, transpose
from byhand.expr.dims import dim_value, multiply_dims
from byhand.expr.indexmaps import affine, joined
from byhand.expr.nodes import Named, symbol, symbols_of, topological
from byhand.expr.operations import apply
from byhand.program.arrays import computed, sizes_of
from byhand.program.lower import lower
from byhand.program.ops import Contract, Eye, Kernel, Pad, Reshape, Scatter, Slice, Take
from byhand.program.ops import topological as operations

ONE = Fraction(1)
LABELLED = symbol("t", (DIMS[0],), {"labels"})


class WithPickers(RandomNodes):
    """Random nodes among which slices, class labels and index pairs are factors of products."""

    def contraction(self, shape, depth):
        if self.rng.random() < 0.6:
            return super().contraction(shape, depth)
        kind = self.rng.choice(("selection", "one_hot", "pairing"))
        made = self.picker(kind)
        dims = dict(enumerate(shape))
        labels = []
        for d in made.shape:  # along an axis of the result, or summed over
            fitting = [x for x, n in dims.items() if n == d and (x not in labels or self.rng.random() < 0.1)]
            x = self.rng.choice(fitting) if fitting and self.rng.random() < 0.6 else len(dims)
            dims[x] = d
            labels.append(x)
        factors = [(made, labels, ONE)]
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            chosen = self.rng.sample(list(dims), min(len(dims), self.rng.choice((0, 1, 2, 2, 3))))
            factors.append((self.node(tuple(dims[x] for x in chosen), depth - 1), chosen, ONE))
        self.rng.shuffle(factors)
        return contract(factors, list(range(len(shape))), self.coefficient(), dims, merge=self.rng.random() < 0.3)

    def picker(self, kind):
        m, n, k = DIMS
        if kind == "one_hot":
            return apply("one_hot", LABELLED, attributes=(n,))
        if kind == "pairing":
            return joined(m, n)
        count = self.rng.choice((1, 2, n))
        return affine(k, self.rng.choice((0, 1, 3)), (1, count))

    def shape(self, most=2):
        pair = multiply_dims(DIMS[0], DIMS[1])
        return tuple(self.rng.choice((*DIMS, *DIMS, pair, 1, 2)) for _ in range(self.rng.randint(0, most)))


class WithMasks(WithPickers):
    """Products of a mask, of what has no value everywhere, and of pickers: index maps of any kind, labels, winners."""

    def node(self, shape, depth=3):
        return self.contraction(shape, depth) if depth == 4 else super().node(shape, depth)

    def contraction(self, shape, depth):
        if depth < 4:
            return super().contraction(shape, depth)
        dims = {**dict(enumerate(shape)), **{len(shape) + k: n for k, n in enumerate(DIMS)}}
        factors = []
        made = [self.picker(self.rng.choice(PICKERS)) for _ in range(self.rng.choice((1, 1, 2)))]
        shape = self.rng.choice([made[0].shape, self.rng.sample(made[0].shape, 1), self.shape()])
        for node in (*made, elementwise("step", self.leaf(tuple(shape))), elementwise("exp", self.leaf(self.shape()))):
            labels = []
            for d in node.shape:
                fitting = [x for x, n in dims.items() if n == d and (x not in labels or self.rng.random() < 0.2)]
                labels.append(self.rng.choice(fitting) if fitting else len(dims))
                dims[labels[-1]] = d
            factors.append((node, labels, ONE))
        self.rng.shuffle(factors)
        return contract(factors, list(range(len(shape))), self.coefficient(), dims, merge=self.rng.random() < 0.3)

    def picker(self, kind):
        m, n, k = DIMS
        if kind == "winner":
            made = winner(self.leaf((m, n)), self.rng.choice((0, 1, None)))
            return transpose(made) if self.rng.random() < 0.5 else made
        if kind == "windows":
            steps = [(self.rng.choice((1, 2)), self.rng.choice((n, 2))) for _ in range(self.rng.choice((2, 2, 3)))]
            return affine(k, self.rng.choice((0, 1, -1)), *steps)
        if kind == "steps":
            return affine(k, self.rng.choice((0, 1)), (2, 2))
        if kind == "whole":
            return affine(k, 0, (1, k))
        if kind == "triangle":
            return apply("triangle", attributes=(k,))
        return super().picker(kind)


PICKERS = ("selection", "one_hot", "pairing", "winner", "winner", "windows", "steps", "whole", "triangle")


def run(node, values):
    program = lower({"f": node})
    arrays = {s.name: v for s, v in values.items()}
    return computed(program, arrays, SIZES, np.float64)["f"], program


def same(node, values):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted, (found, _) = value_of(node, values), run(node, values)
    assert np.asarray(found).dtype == np.float64 or isinstance(found, float)
    assert agree(found, wanted, largest_inside(node, values))


def values_for(node):
    """As `values_of`, for sizes that are numbers or products too."""
    found = {}
    for s in symbols_of(node):
        rng = np.random.default_rng(zlib.crc32(s.name.encode()))
        shape = tuple(dim_value(d, SIZES) for d in s.shape)
        found[s] = np.array([1, 0, 1]) if s is LABELLED else sample(s.assumptions, rng, shape)
    return found


@pytest.mark.parametrize("kind", [RandomNodes, WithPickers, WithMasks])
@pytest.mark.parametrize("chunk", range(10))
def test_random_nodes(kind, chunk):
    for seed in range(50 * chunk, 50 * (chunk + 1)):
        made = kind(seed, most_axes=3)
        node = made.node(made.shape(3), 4)
        same(node, values_for(node))


def test_the_pickers_are_met():
    kinds = set()
    for seed in range(300):
        made = WithPickers(seed)
        kinds |= {type(op) for op in operations(lower({"f": made.node(made.shape(3), 4)}).results.values())}
    assert {Slice, Pad, Take, Scatter, Reshape, Contract, Kernel, Eye} <= kinds


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p["id"])
def test_the_gradients_of_the_problems(problem):
    d = derived(problem)
    values = drawn(problem, 0)
    program = lower({"value": d.prepared.root, "gradient": d.gradient.root}, d.f.symbols.values())
    shapes = {n: np.shape(values[n]) for n in program.inputs}
    found = computed(program, values, sizes_of(program, shapes), np.float64)
    np.testing.assert_allclose(found["gradient"], byhand.evaluate(d.gradient, **values), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found["value"], byhand.evaluate(d.f, **values), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("text, shapes", [
    ("(x > 0) + (x > 1)", {"x": "5"}),
    ("-(x > 0)", {"x": "5"}),
    ("sum(x > 0)", {"x": "5"}),
    ("(x > 0) * (x < 1)", {"x": "5"}),
    ("((x > 0) @ (x > 1)) * x", {"x": "5"}),
    ("where(x > 0, x > 1, x)", {"x": "5"}),
    ("exp(x > 0)", {"x": "5"}),
    ("sum(one_hot(t, 3), axis=0)", {"t": "4"}),
    ("one_hot(t, 3) @ one_hot(t, 3).T", {"t": "4"}),
    ("one_hot(t, 3) - one_hot(t, 3)*0.5", {"t": "4"}),
    ("x > 0", {"x": "5"}),
])  # fmt: skip
def test_masks_are_numbers_where_they_are_calculated_with(text, shapes):
    f = byhand.parse(text, shapes)
    values = {"x": np.array([-1.5, 0.0, 0.5, 1.0, 2.5]), "t": np.array([2, 0, 1, 2])}
    arrays = {n: values[n] for n in shapes}
    found = computed(lower({"f": f.root}), arrays, {}, np.float64)["f"]
    assert np.asarray(found).dtype == np.float64
    np.testing.assert_array_equal(found, byhand.evaluate(f, **arrays))


def test_a_sum_of_slices_makes_no_matrices():
    f = byhand.parse("sum((w[0]*x[:6] + w[1]*x[1:7] + w[2]*x[2:])**2)", {"w": "3", "x": "8"})
    d = byhand.derive(f, ["w", "x"])
    program = lower({"f": d.prepared.root} | {n: g.root for n, g in d.gradients.items()})
    assert not any(isinstance(op, Eye) for op in operations(program.results.values()))


def test_what_is_computed_twice_is_one_node():
    net = byhand.MLP("5-7-3", activation="tanh")
    d = byhand.derive(net)
    program = lower({"L": d.prepared.root} | {n: g.root for n, g in d.gradients.items()})
    products = [op for op in operations(program.results.values()) if isinstance(op, Contract) and len(op.operands) == 2]
    assert len({(op.operands, op.out) for op in products}) == len(products)
    assert sum(len(op.sizes) == 3 for op in products) == 5  # two forward, two for the weights, one down


def test_names_are_kept_from_dissolving():
    f = byhand.parse("A = 2*X.T\nA @ X", {"X": "3 3"})
    (named,) = (n for n in topological([f.root]) if isinstance(n, Named))
    program = lower({"f": f.root, "A": named})
    (product,) = (
        op for op in operations(program.results.values()) if isinstance(op, Contract) and len(op.operands) == 2
    )
    assert program.results["A"] in [a for a, _ in product.operands]


def test_rows_of_a_deep_network_take_no_recursion():

    net = byhand.MLP([3] * 301, activation="tanh", loss="mse")
    d = byhand.derive(net)
    program = lower({"L": d.prepared.root} | {n: g.root for n, g in d.gradients.items()})
    assert len(program.results) == 601


def test_what_nobody_needs_any_more_is_let_go():
    import tracemalloc

    f = byhand.parse(
        "\n".join([f"A{k} = tanh({f'A{k - 1}' if k else 'X'} + 1)" for k in range(20)] + ["sum(A19)"]), {"X": "n n"}
    )
    program, X = lower({"f": f.root}), np.zeros((300, 300))
    tracemalloc.start()
    computed(program, {"X": X}, {"n": 300}, np.float64)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * X.nbytes


@pytest.mark.parametrize(
    "text",
    [
        "sum(concatenate([sqrt(1 + A**2), -sqrt(1 + A**2)], axis=1))",
        "sum(concatenate([exp(A), -exp(A)], axis=0)) + sum(A)",
        "sum(concatenate([A**2, -2*A**2, A**2], axis=0))",
    ],
)
def test_a_sum_whose_terms_cancel_as_arrays_is_zero(text):
    """Ones picked from two ends are the same ones in a program, and other nodes in an expression."""
    d = byhand.derive(byhand.parse(text, {"A": "4 3"}))
    a = np.linspace(-1, 2, 12).reshape(4, 3)
    wanted = np.full((4, 3), float("+ sum(A)" in text))
    for target in ("numpy", "jax"):
        assert np.allclose(d.function(target)(A=a)[1]["A"], wanted, atol=1e-12)
    assert np.allclose(byhand.evaluate(d.gradients["A"], A=a), wanted, atol=1e-12)

"""Contractions: one node for equal products whatever the labels and the order, with the value that einsum gives."""

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rules.random_nodes import DIMS, SIZES, RandomNodes, agree, largest_inside, shuffled, value_of, values_of

from byhand.errors import ShapeError
from byhand.expr.contraction import (
    add,
    contract,
    elementwise,
    filled,
    is_zero,
    number,
    scale,
    split_coefficient,
    transpose,
    zero,
)
from byhand.expr.dims import MINUS_ONE, Coefficient, named_dimension
from byhand.expr.nodes import Contraction, Sum, pool_size, symbol
from byhand.expr.parse import parse

N = named_dimension("n")
X, Y = symbol("X", (N, N)), symbol("Y", (N, N))
V = symbol("v", (N,))
T = symbol("T", (N, N, N))


def relabelled(factors, out, rng):
    """The same contraction: factors in another order, labels by other names."""
    labels = sorted({x for _, ls, _ in factors for x in ls} | set(out))
    new = dict(zip(labels, rng.sample(range(1000), len(labels)), strict=True))
    mixed = rng.sample(factors, len(factors))
    return contract(
        [(f, [new[x] for x in ls], p) for f, ls, p in mixed], [new[x] for x in out], dims={new[x]: N for x in out}
    )


def cycles(*lengths):
    """tr(X^a) tr(X^b) ... as labelled factors."""
    factors, first = [], 0
    for length in lengths:
        ring = range(first, first + length)
        factors += [(X, (k, first + (k - first + 1) % length), 1) for k in ring]
        first += length
    return factors


LABELS = st.integers(0, 4)
FACTORS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([X, X, X, Y]), st.tuples(LABELS, LABELS), st.sampled_from([1, 1, 1, 2])),
        st.tuples(st.just(V), st.tuples(LABELS), st.just(1)),
        st.tuples(st.just(T), st.tuples(LABELS, LABELS, LABELS), st.just(1)),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=600)
@given(factors=FACTORS, out=st.lists(LABELS, max_size=3), seed=st.integers(0, 2**20))
@example(factors=cycles(7), out=[], seed=0)
@example(factors=cycles(1, 1, 2, 2, 2), out=[], seed=1)
@example(factors=cycles(1, 1, 1, 2, 3), out=[], seed=2)
@example(factors=cycles(2, 2, 3, 3), out=[], seed=3)
def test_labels_and_order_do_not_matter(factors, out, seed):
    rng = random.Random(seed)
    factors = [(f, ls, Fraction(p)) for f, ls, p in factors]
    nodes = {relabelled(factors, out, rng) for _ in range(4)}
    assert len(nodes) == 1


@pytest.mark.parametrize(
    "lengths",
    [(7,), (8,), (12,), (3, 3, 3), (2, 2, 4), (3, 5), (2, 2, 2, 2), (1, 2, 3), (1, 1, 1, 2, 3), (2, 2, 3, 3), (5, 5)],
)
def test_cycles_are_one_node(lengths):
    rng = random.Random(str(lengths))
    assert len({relabelled(cycles(*lengths), [], rng) for _ in range(20)}) == 1


def test_many_equal_factors():
    rng = random.Random(0)
    star = [(V, (k,), 1) for k in range(8)]
    ladder = [(X, (k, k + 10), 1) for k in range(6)] + [(V, (k,), 1) for k in range(6)]
    complete = [(X, (i, j), 1) for i in range(4) for j in range(4) if i != j]
    for factors in (star, ladder, complete):
        assert len({relabelled(factors, [], rng) for _ in range(10)}) == 1


def test_different_products_are_different_nodes():
    shapes = {"X": "n n", "Y": "n n"}
    different = ["X @ X", "X @ X.T", "X.T @ X", "X.T @ X.T", "X * X", "X * X.T", "X @ Y", "Y @ X", "(X @ X)*X.T"]
    assert len({parse(t, shapes=shapes).root for t in different}) == len(different)
    scalars = ["trace(X @ X)", "trace(X @ X.T)", "trace(X)", "sum(X)", "trace(X @ X @ X)", "trace(X @ X @ X.T)"]
    assert len({parse(t, shapes=shapes).root for t in scalars}) == len(scalars)


def test_random_expressions_in_another_order_are_the_same_node():
    for seed in range(400):
        g = RandomNodes(seed)
        node = g.node(g.shape(), 3)
        assert shuffled(node, random.Random(seed)) is node, f"seed {seed}"


# ---- values


def einsum_value(factors, out, coefficient, dims, values):
    """The definition: coefficient × Σ over all labels not in `out` of the product of the factors."""
    sizes = {x: SIZES[str(d)] for x, d in dims.items()}
    for f, ls, _ in factors:
        sizes |= dict(zip(ls, np.shape(values[f]), strict=True))
    labels = sorted(sizes)
    total = np.ones([sizes[x] for x in labels])
    for f, ls, p in factors:
        order = [ls.index(x) for x in labels if x in ls]
        array = values[f]
        if len(set(ls)) < len(ls):  # a repeated label: the diagonal
            unique = sorted(set(ls))
            array = np.einsum(array, [labels.index(x) for x in ls], [labels.index(x) for x in unique])
            order = [unique.index(x) for x in labels if x in unique]
        array = np.transpose(array, order)
        total = total * np.reshape(array, [sizes[x] if x in ls else 1 for x in labels]) ** float(p)
    summed = np.sum(total, axis=tuple(k for k, x in enumerate(labels) if x not in out))
    kept = [x for x in labels if x in out]
    result = np.zeros([sizes[x] for x in out])
    for place in np.ndindex(*[sizes[x] for x in kept]):
        at = dict(zip(kept, place, strict=True))
        result[tuple(at[x] for x in out)] = summed[place]
    return coefficient.evaluate(SIZES) * result


@pytest.mark.parametrize("merge", [False, True])
def test_values_are_those_of_the_definition(merge):
    """Factors of every kind, nested contractions with sums, powers, diagonals and broadcasts among them."""
    for seed in range(300):
        g, rng = RandomNodes(seed), random.Random(seed)
        labels = {k: rng.choice(DIMS) for k in range(rng.randint(1, 4))}
        factors = []
        for _ in range(rng.randint(1, 3)):
            ls = [rng.choice(list(labels)) for _ in range(rng.randint(0, 2))]
            power = Fraction(rng.choice((1, 1, 1, 2, -1, 3)) if rng.random() < 0.9 else 1, rng.choice((1, 1, 1, 2)))
            shape = tuple(labels[x] for x in ls)
            node = g.positive(shape, 2) if power < 0 or power.denominator > 1 else g.node(shape, 2)
            factors.append((node, ls, power))
            if rng.random() < 0.3:
                factors.append(factors[-1])  # the same again
        out = [rng.choice(list(labels)) for _ in range(rng.randint(0, 3))]
        coefficient = g.coefficient()
        values = values_of([f for f, _, _ in factors])
        arrays = {f: value_of(f, values) for f, _, _ in factors}
        node = contract(factors, out, coefficient, labels, merge=merge)
        wanted = einsum_value(factors, out, coefficient, labels, arrays)
        largest = max([largest_inside(node, values), *(float(np.max(np.abs(a))) for a in arrays.values())])
        assert node.shape == tuple(labels[x] for x in out)
        assert agree(value_of(node, values), wanted, largest), f"seed {seed}"


def test_elementwise_pulls_out_views_only():
    for seed in range(300):
        g = RandomNodes(seed)
        arg = g.contraction(g.shape(), 2)
        node = elementwise("tanh", arg)
        values = values_of([arg])
        assert node.shape == arg.shape
        assert agree(value_of(node, values), np.tanh(value_of(arg, values)), largest_inside(arg, values)), (
            f"seed {seed}"
        )


def test_a_function_of_a_repeated_sum():
    """exp(1_m Σ x) has no factor n: the sum stays inside when the broadcast is pulled out."""
    f = parse("sum(exp(ones(m)*sum(x)))", shapes={"x": "n", "y": "m"})
    x = np.array([0.1, 0.2, 0.3])
    from byhand.expr.evaluate import evaluate_node

    assert evaluate_node(f.root, {f.symbols["x"]: x}, {"n": 3, "m": 2}) == pytest.approx(2 * np.exp(0.6), rel=1e-15)


def test_powers_move_inside_only_where_that_is_true():
    p = symbol("p", (N,), {"positive"})
    squared = contract([(p, "i", 2)], "i")
    assert contract([(squared, "i", Fraction(1, 2))], "i") is not p  # the root of a square is the absolute value
    assert contract([(contract([(p, "i", 3)], "i"), "i", 2)], "i") is contract([(p, "i", 6)], "i")
    total = contract([(p, "i", 1)], "")
    assert contract([(total, "", 2)], "").factors[0][0] is total  # (Σ p)², not Σ p²
    eye = contract([], "ii", dims={"i": N})
    assert contract([(eye, "ij", -1)], "ij") is not eye
    assert contract([(eye, "ij", 2)], "ij") is eye
    assert contract([(scale(Coefficient(Fraction(3)), eye), "ij", 2)], "ij") is scale(Coefficient(Fraction(9)), eye)


def test_equal_factors_make_a_power_that_simplifies():
    """A*A is A**2, also where A is a scaled broadcast."""
    row = contract([(V, "j", 1)], "ij", Coefficient(Fraction(3)), {"i": N})
    assert contract([(row, "ij", 1), (row, "ij", 1)], "ij") is contract([(row, "ij", 2)], "ij")
    assert contract([(V, "i", 1), (V, "i", -1)], "i") is filled((N,))
    assert contract([(V, "i", 1), (V, "i", -1)], "") is contract([], "", Coefficient(Fraction(1), ((N, Fraction(1)),)))


# ---- the constructors on it


def test_sums_collect():
    assert add(X, X) is scale(Coefficient(Fraction(2)), X)
    assert is_zero(add(X, scale(MINUS_ONE, X)))
    assert add(X, zero(X.shape)) is X
    assert add(X, add(Y, X)) is add(add(X, X), Y)
    nested = add(X, scale(Coefficient(Fraction(2)), add(X, Y)))
    assert nested is add(scale(Coefficient(Fraction(3)), X), scale(Coefficient(Fraction(2)), Y))
    assert isinstance(nested, Sum)
    with pytest.raises(ShapeError, match=r"\(n, n\) and \(n,\)"):
        add(X, V)


def test_scaling():
    two = Coefficient(Fraction(2))
    doubled = scale(two, X)
    assert split_coefficient(doubled) == (two, X)
    assert scale(two, doubled) is scale(Coefficient(Fraction(4)), X)
    assert scale(Coefficient(Fraction(1, 2)), doubled) is X
    assert is_zero(scale(Coefficient(Fraction(0)), X))
    product = contract([(X, "ij", 1), (Y, "jk", 1)], "ik")
    assert split_coefficient(scale(two, product)) == (two, product)
    assert number(Fraction(1, 3)) is scale(Coefficient(Fraction(1, 3)), number(1))


def test_transposes():
    assert transpose(transpose(X)) is X
    assert transpose(add(X, Y)) is add(transpose(X), transpose(Y))
    assert transpose(T, (1, 2, 0)).shape == (N, N, N)
    assert transpose(transpose(T, (1, 2, 0)), (2, 0, 1)) is T
    assert transpose(contract([(X, "ij", 1), (X, "kj", 1)], "ik")) is contract([(X, "ij", 1), (X, "kj", 1)], "ik")


def test_bad_labels_are_refused():
    m = named_dimension("m")
    with pytest.raises(ShapeError, match="dimensions differ, n != m"):
        contract([(X, "ij", 1), (symbol("M", (m, m)), "jk", 1)], "ik")
    with pytest.raises(ShapeError, match="1 labels"):
        contract([(X, "i", 1)], "i")


def test_labels_without_a_factor_count_their_range():
    n = contract([], (), dims={"i": N})
    assert n is contract([], (), Coefficient(Fraction(1), ((N, Fraction(1)),)))
    assert isinstance(n, Contraction) and value_of(n) == SIZES["n"]
    broadcast = contract([(V, "i", 1)], "ij", dims={"j": N})
    assert broadcast.shape == (N, N)


def test_nodes_are_interned_and_let_go():
    before = pool_size()
    node = contract([(symbol("Q7", (3, 3)), "ij", 1), (symbol("Q8", (3, 3)), "jk", 1)], "ik")
    assert contract([(symbol("Q8", (3, 3)), "bc", 1), (symbol("Q7", (3, 3)), "ab", 1)], "ac") is node
    assert pool_size() > before
    del node
    assert pool_size() <= before + 3

"""Nodes and contractions: equal things are the same object, whatever way they were written."""

from fractions import Fraction

import numpy as np
import pytest

import byhand
import byhand.expr.protocol  # comparisons of nodes make masks
from byhand.expr.contraction import P1, add, contract, transpose
from byhand.expr.dims import Dimension, add_dims, multiply_dims, named_dimension
from byhand.expr.nodes import Contraction, named, symbol, topological
from byhand.expr.operands import as_dim, dimension_of, lift
from byhand.expr.vocabulary import VOCABULARY as V
from byhand.expr.vocabulary import is_mask

m, n = named_dimension("m"), named_dimension("n")
A, B, S = symbol("A", (m, n)), symbol("B", (n, m)), symbol("S", (n, n))
x, y, s = symbol("x", (n,)), symbol("y", (m,)), symbol("s", ())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: A + A, lambda: 2 * A),
        (lambda: A.T.T, lambda: A),
        (lambda: (A @ B).T, lambda: B.T @ A.T),
        (lambda: A * 2 / 2, lambda: A),
        (lambda: x @ x, lambda: V["inner"](x, x)),
        (lambda: V["trace"](S.T), lambda: V["trace"](S)),
        (lambda: A - A, lambda: V["zeros"](m, n)),
        (lambda: V["sum"](A.T), lambda: V["sum"](A)),
        (lambda: V["tanh"](A).T, lambda: V["tanh"](A.T)),
        (lambda: s * A, lambda: A * s),
        (lambda: V["outer"](y, x), lambda: y[:, None] * x[None, :]),
        (lambda: V["einsum"]("ij,jk->ik", A, B), lambda: A @ B),
        (lambda: V["mean"](A), lambda: V["sum"](A) / (m * n)),
        (lambda: A + 1 - 1, lambda: A),
        (lambda: 1 / (1 / s), lambda: s),
    ],
)
def test_equal_nodes_are_the_same_object(one, other):
    assert one() is other()


def test_shapes_are_known_at_construction():
    assert (A @ B).shape == (m, m)
    assert V["sum"](A, 0).shape == (n,)
    assert V["kron"](A, B).shape == (multiply_dims(m, n),) * 2


def test_a_node_knows_the_functions_and_operations_below_it():
    Z = named("Z", V["inv"](S) @ x)
    assert x.operations == frozenset() and Z.operations == {"inv"}
    assert V["sum"](V["tanh"](Z) + V["exp"](x)).operations == {"inv", "tanh", "exp"}


def test_named_nodes_are_opaque_to_merging():
    Z = named("Z", A.T)
    assert Z.T is not A and A.T.T is A
    assert Z in topological([Z @ y])


def test_sums_dissolve_and_collect():
    total = add(A, add(A, transpose(B)), A)
    assert total is 3 * A + B.T


def test_labels_of_two_dimensions_are_refused():
    with pytest.raises(byhand.ShapeError, match="dimensions differ, n != m"):
        contract([(A, "ij", P1), (A, "jk", P1)], "ik")


def test_a_diagonal_and_a_broadcast():
    assert V["diag"](x).shape == (n, n) and V["diag"](V["diag"](x)) is x
    assert contract([(x, "j", P1)], "ij", dims={"i": m}).shape == (m, n)


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: 5, 5),
        (lambda: np.int64(5), 5),
        (lambda: n, n),
        (lambda: 2 * n, multiply_dims(2, n)),
        (lambda: n + 1, add_dims(n, 1)),
        (lambda: m * n - 1, add_dims(multiply_dims(m, n), -1)),
        (lambda: lift(3) + 4, 7),
        (lambda: (m + n) * 1, add_dims(m, n)),
    ],
)
def test_sizes_of_axes(make, size):
    assert as_dim(make()) == size


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "n", None, s, lift(Fraction(1, 2)), 2**41])
def test_what_is_no_size(bad):
    with pytest.raises(byhand.ShapeError, match="not the size of an axis"):
        as_dim(bad)


def test_a_dimension_is_a_scalar():
    assert (1 / n).shape == () and isinstance(1 / n, Contraction) and isinstance(n, Dimension)
    assert dimension_of(2 * n + 1) == add_dims(multiply_dims(2, n), 1) and dimension_of(1 / n) is None
    assert (-n) + n is lift(0)


@pytest.mark.parametrize(
    ("array", "made"),
    [
        (np.ones((2, 3)), lambda: V["ones"](2, 3)),
        (np.zeros(4), lambda: V["zeros"](4)),
        (np.eye(3), lambda: V["eye"](3)),
        (np.full((2,), 0.5), lambda: V["ones"](2) / 2),
        (np.float64(0.1), lambda: lift(0.1)),
        (np.array(3), lambda: lift(3)),
    ],
)
def test_arrays_that_may_stand_in_an_expression(array, made):
    assert lift(array) is made()


@pytest.mark.parametrize(
    "bad", [np.array([1.0, 2.0]), "a", None, [1], True, 1j, float("nan"), 10**400, np.array([True])]
)
def test_what_may_not_stand_in_an_expression(bad):
    with pytest.raises(byhand.ParseError):
        lift(bad)


MASKS = [
    A > 0,
    A <= 0,
    A != 0,
    (A > 0) * (A < 1),
    1 - (A > 0),
    (A > 0).T,
    V["one_hot"](y, 3),
    symbol("M", (m,), ["01"]),
    1 - (A == 0),
]
NO_MASKS = [
    A,
    2 * (A > 0),
    V["sum"](A > 0, 0),
    (A > 0) + (A > 1),
    (A > 0) - (A > 1),
    1 + (A > 0),
    A * (A > 0),
    2 - (A > 0),
]


@pytest.mark.parametrize("mask", MASKS)
def test_masks(mask):
    assert is_mask(mask)


@pytest.mark.parametrize("node", NO_MASKS)
def test_what_is_no_mask(node):
    assert not is_mask(node)


def test_deep_graphs_do_not_recurse():
    node = x
    for k in range(5000):
        node = named(f"h{k}", V["tanh"](node))
    assert len(topological([node])) == 10_001

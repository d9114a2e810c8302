"""What runs in place computes what the expression is: again and again, in buffers that were used, and in float32."""

import warnings
import zlib

import numpy as np
import pytest
from program.test_lower import WithPickers, values_for
from rules.random_nodes import DIMS, SIZES, RandomNodes, agree, largest_inside, value_of

import byhand
from byhand.expr.expression import substitute
from byhand.expr.nodes import Contraction, Named, symbol, symbols_of
from byhand.program.calls import Graph
from byhand.program.inplace import InPlace
from byhand.program.lower import lower, lower_derivation

EVERY = symbol("every", DIMS)  # has all sizes


def with_plain_names(node):
    """Inputs called as inputs are: the random ones have dimensions in their names."""
    symbols = [s for s in symbols_of(node) if not s.name.isidentifier()]
    return substitute(node, {s: symbol(f"x{zlib.crc32(s.name.encode())}", s.shape, s.assumptions) for s in symbols})


def in_place(nodes, values, dtype=np.float64):
    """The values of several nodes by one function, after two calls of it."""
    arrays = {s.name: v if v.dtype.kind == "i" else v.astype(dtype) for s, v in values.items()}
    program = lower({f"f{k}": node for k, node in enumerate(nodes)}, values)
    graph = Graph(program, arrays)
    wanted = [np.shape(value_of(node, values)) for node in nodes]
    outputs = {name: np.full(shape, np.nan, dtype) for name, shape in zip(graph.results, wanted, strict=True)}
    made = InPlace(graph, arrays, outputs, value=False)
    made.function()
    made.function()
    return list(outputs.values())


@pytest.mark.parametrize("kind", [RandomNodes, WithPickers])
@pytest.mark.parametrize("chunk", range(10))
def test_random_nodes(kind, chunk):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(1000 + 50 * chunk, 1000 + 50 * (chunk + 1)):
            made = kind(seed, most_axes=3)
            node = made.node(made.shape(3), 4)
            nodes = [node, *[n for n in made.made if isinstance(n, (Named, Contraction))][-2:]]
            nodes = [with_plain_names(n) for n in nodes]
            values = {s: v for n in nodes for s, v in values_for(n).items()} | {EVERY: np.zeros([*SIZES.values()])}
            for n, found in zip(nodes, in_place(nodes, values), strict=True):
                assert agree(found, value_of(n, values), largest_inside(n, values)), (seed, n)


TEXTS = [
    ("softmax(X @ W, axis=1)[:, 0] @ v", {"X": "5 3", "W": "3 4", "v": "5"}),
    ("logdet(A @ A.T + A) + det(A)", {"A": "3 3"}),
    ("sum(inv(A) @ B)", {"A": "3 3", "B": "3 2"}),
    ("sum((E.T @ one_hot(t, 3).T) * G.T)", {"E": "3 4", "t": "6", "G": "6 4"}),
    ("sum(einsum('bhqd,bhkd->bhqk', Q, K)**2)", {"Q": "2 3 4 5", "K": "2 3 6 5"}),
    ("sum(kron(A, B) * C)", {"A": "2 3", "B": "4 5", "C": "8 15"}),
    ("sum(relu(X[:, 1:]) * step(X[:, :3]))", {"X": "5 4"}),
]  # fmt: skip


@pytest.mark.parametrize("text, shapes", TEXTS, ids=[t for t, _ in TEXTS])
def test_values_and_gradients(text, shapes):
    f = byhand.parse(text, shapes)
    d = byhand.derive(f)
    rng = np.random.default_rng(3)
    arrays = {n: rng.integers(0, 3, [int(x) for x in s.split()]) if n == "t" else rng.uniform(0.2, 1, [int(x) for x in s.split()])
              for n, s in shapes.items()}  # fmt: skip
    outputs = {v.name: np.full(arrays[v.name].shape, np.nan) for v in d.variables}
    made = InPlace(Graph(lower_derivation(d), arrays), arrays, outputs)
    for _ in "12":
        assert made.function() == pytest.approx(byhand.evaluate(f, **arrays), rel=1e-12)
        for name, found in outputs.items():
            np.testing.assert_allclose(found, byhand.evaluate(d.gradients[name], **arrays), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "gelu", "softmax", "identity", "elu"])
def test_float32_stays_float32(activation):
    d = byhand.derive(byhand.MLP("5-7-3", activation=activation, l2=0.01))
    net = d.source
    values = net.init(0, np.float32) | {"X": np.ones((4, 5), np.float32), "y": np.array([0, 2, 1, 1])}
    graph = Graph(lower_derivation(d), values)
    assert {n.dtype for n in graph.nodes if n.dtype.kind == "f"} == {np.dtype(np.float32)}

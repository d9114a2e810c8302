"""Text to expressions: what is accepted, what it means, and how long it takes."""

import time

import numpy as np
import pytest

import byhand
from byhand.expr.nodes import Named, Symbol, pool_size

RNG = np.random.default_rng(0)
VALUES = {"A": RNG.standard_normal((3, 5)), "B": RNG.standard_normal((5, 2)), "x": RNG.standard_normal(5), "s": 0.7}
SHAPES = {"A": "m n", "B": "n k", "x": "n", "s": ""}

SAME = [  # a text, and what NumPy makes of the arrays
    ("A @ B", lambda A, B, x, s: A @ B),
    ("A.T", lambda A, B, x, s: A.T),
    ("A @ x - 2*s", lambda A, B, x, s: A @ x - 2 * s),
    ("x @ x", lambda A, B, x, s: x @ x),
    ("-A**2 / (1 + s)", lambda A, B, x, s: -(A**2) / (1 + s)),
    ("s - A + x - A", lambda A, B, x, s: s - A + x - A),
    ("1 / (m*n)", lambda A, B, x, s: 1 / 15),
    ("eye(n + 1)", lambda A, B, x, s: np.eye(6)),
    ("ones((2*m, n - 1))", lambda A, B, x, s: np.ones((6, 4))),
    ("zeros(m) + 3", lambda A, B, x, s: np.zeros(3) + 3),
    ("A[1]", lambda A, B, x, s: A[1]),
    ("A[-1, 1:3]", lambda A, B, x, s: A[-1, 1:3]),
    ("A[:, :n-1]", lambda A, B, x, s: A[:, :4]),
    ("A[..., None]", lambda A, B, x, s: A[..., None]),
    ("x[None, :] * x[:, None]", lambda A, B, x, s: x[None, :] * x[:, None]),
    ("A.sum(axis=0)", lambda A, B, x, s: A.sum(axis=0)),
    ("A.mean(axis=1, keepdims=True)", lambda A, B, x, s: A.mean(axis=1, keepdims=True)),
    ("A.T.dot(A @ x)", lambda A, B, x, s: A.T @ A @ x),
    ("sum(A, axis=(0, -1))", lambda A, B, x, s: A.sum()),
    ("np.exp(A) + numpy.tanh(A)", lambda A, B, x, s: np.exp(A) + np.tanh(A)),
    ("np.linalg.norm(A)", lambda A, B, x, s: np.linalg.norm(A)),
    ("np.inner(A, A)", lambda A, B, x, s: np.inner(A, A)),
    ("inner(A, A)", lambda A, B, x, s: np.sum(A * A)),
    ("np.clip(A, -0.5, 0.5)", lambda A, B, x, s: np.clip(A, -0.5, 0.5)),
    ("np.var(A, axis=0)", lambda A, B, x, s: np.var(A, axis=0)),
    ("where(A > 0, A, 0)", lambda A, B, x, s: np.where(A > 0, A, 0)),
    ("where(A != 0, A, 1)", lambda A, B, x, s: A),
    ("where(A == 0, 1, A)", lambda A, B, x, s: A),
    ("where((A > 0) * (A < 1), 1, 0)", lambda A, B, x, s: ((A > 0) & (A < 1)) * 1.0),
    ("where(A <= 0, 1, 0)", lambda A, B, x, s: (A <= 0) * 1.0),
    ("(A >= x) - (A < x)", lambda A, B, x, s: (x <= A) * 1.0 - (x > A)),
    ("maximum(A, x) - minimum(A, 0.5)", lambda A, B, x, s: np.maximum(A, x) - np.minimum(A, 0.5)),
    ("concatenate([A.T, B], axis=1)", lambda A, B, x, s: np.concatenate([A.T, B], axis=1)),
    ("transpose(A, (1, 0)) + swapaxes(A, 0, 1)", lambda A, B, x, s: 2 * A.T),
    ("einsum('ij,jk -> ki', A, B)", lambda A, B, x, s: (A @ B).T),
    ("kron(A, B)", lambda A, B, x, s: np.kron(A, B)),
    ("2**A", lambda A, B, x, s: 2**A),
    ("pi * s", lambda A, B, x, s: np.pi * s),
    ("+A", lambda A, B, x, s: A),
    ("0x10 + 1_000*s", lambda A, B, x, s: 16 + 1000 * s),
]  # fmt: skip


@pytest.mark.parametrize(("text", "numpy_value"), SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_numpy_semantics(text, numpy_value):
    f = byhand.parse(text, SHAPES)
    expected = numpy_value(**VALUES)
    value = byhand.evaluate(f, **VALUES)
    assert np.shape(value) == np.shape(expected)
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    "shape", [3, (3,), [3], "3", "(3,)", "3,", np.int64(3), (np.int32(3),), np.ones(3).shape], ids=repr
)
def test_ways_to_write_a_shape(shape):
    assert byhand.parse("x", {"x": shape}).shape == (3,)


@pytest.mark.parametrize("shape", ["3 n", "3, n", "(3, n)", "[3,n]", " 3\tn ", (3, "n"), [np.int64(3), "n"]], ids=repr)
def test_ways_to_write_a_matrix_shape(shape):
    assert [str(d) for d in byhand.parse("x", {"x": shape}).shape] == ["3", "n"]


def test_lines_name_intermediates():
    f = byhand.parse("Z = A @ B\nH = relu(Z)\nL = sum(H)", SHAPES)
    assert f.name == "L" and list(f.intermediates) == ["Z", "H"] and not isinstance(f.root, Named)
    assert list(f.symbols) == ["A", "B", "x", "s"]


@pytest.mark.parametrize("last", ["L", "L = sum(Z)"])
def test_the_name_of_the_function(last):
    text = "Z = A @ B\nL = sum(Z)\nL" if last == "L" else f"Z = A @ B\n{last}"
    f = byhand.parse(text, SHAPES)
    assert f.name == "L" and list(f.intermediates) == ["Z"]


def test_an_alias_keeps_the_first_name():
    f = byhand.parse("Y = A\nsum(Y)", SHAPES)
    assert not f.intermediates and f.inputs[0].name == "A"


@pytest.mark.parametrize(
    "text",
    [
        "\n    Z = A @ B\n    sum(Z)\n",
        "Z = A @ B\n    sum(Z)",
        "Z = A @ B; sum(Z)",
        "Z = A @ B\r\nsum(Z)\r\n",
        "# a comment\nZ = A @ B  # and another\n\nsum(Z)",
        "Z = (A\n     @ B)\nsum(Z)",
    ],
)
def test_layout_of_the_text(text):
    f = byhand.parse(text, SHAPES)
    assert f.root is byhand.parse("Z = A @ B\nsum(Z)", SHAPES).root


def test_greek_names():
    f = byhand.parse("λ*sum(θ**2)", {"λ": "", "θ": "n"})
    assert byhand.evaluate(f, **{"λ": 2.0, "θ": np.ones(3)}) == 6


def test_labels_are_declared_by_their_use():
    f = byhand.parse("mean(cross_entropy(A, t))", {"A": "m n", "t": "m"})
    assert f.symbols["t"].assumptions == {"labels"}
    g = byhand.parse("-mean(A[arange(m), t])", {"A": "m n", "t": "m"})
    assert g.symbols["t"] is f.symbols["t"]


def test_the_same_text_is_the_same_node():
    assert byhand.parse("A @ B + 1", SHAPES).root is byhand.parse("1 + A @ B", SHAPES).root


def test_a_number_is_what_its_user_wrote():
    f = byhand.parse("0.1 + 0.2 - 0.3 + s - s", {"s": ""})
    assert byhand.evaluate(f, s=1.0) == 0.0


# ---- how long it takes


def network(layers):
    lines, shapes = [], {"H0": "N 13", "y": "N"}
    for k in range(1, layers + 1):
        lines.append(f"Z{k} = H{k - 1} @ W{k} + b{k}")
        lines += [f"H{k} = relu(Z{k})"] if k < layers else []
        shapes |= {f"W{k}": "13 13", f"b{k}": "13"}
    return "\n".join([*lines, f"L = mean(cross_entropy(Z{layers}, y))"]), shapes


def best(task, times=3):
    def once():
        start = time.process_time()
        task()
        return time.process_time() - start

    return min(once() for _ in range(times))


def test_a_thousand_layers_take_time_in_proportion():
    texts = [network(n) for n in (125, 1000)]
    small, large = (best(lambda t=t: byhand.parse(*t)) for t in texts)
    assert large < 24 * small  # 8 when linear
    assert isinstance(byhand.parse(*network(1000)).symbols["W1000"], Symbol)


def test_a_long_sum_takes_time_in_proportion():
    def task(terms):
        text = "(" + "\n + ".join(f"exp({k}*x)" for k in range(terms)) + ")"
        return lambda: byhand.parse(text, {"x": "n"})

    small, large = best(task(100)), best(task(800))
    assert large < 24 * small


def test_nothing_is_kept():
    byhand.parse(*network(20))
    before = pool_size()
    for k in range(20):
        byhand.parse(f"A @ B + {k}*sum(exp({k}*x))", SHAPES)
    assert pool_size() <= before + 20

"""What picks entries is a view, a gather or a scatter in every target: no matrix of zeros and ones is made."""

import re

import numpy as np
import pytest
from code_generation.everywhere import disagreement

import byhand
from byhand.code.cost import cost_of
from byhand.code.listing import list_derivation

SIZES = {"n": 7, "m": 5, "p": 2, "B": 3, "T": 4, "V": 6, "D": 5, "N": 11}
# text, shapes, wrt: all of them pick, and none needs more than it touches
CASES = {
    "rotated halves": ("R = concatenate([-X[:, 4:8], X[:, 0:4]], axis=1)\nsum((X*C + R*S)**2)", {"X": "N 8", "C": "N 8", "S": "N 8"}, "X"),
    "convolution": ("Z = w[0]*x[0:n-2] + w[1]*x[1:n-1] + w[2]*x[2:n]\nsum(Z**2)", {"x": "n", "w": "3"}, None),
    "convolution without a name": ("sum((w[0]*x[0:n-2] + w[1]*x[1:n-1] + w[2]*x[2:n])**3)", {"x": "n", "w": "3"}, None),
    "channels": ("Z = X[:, 0:6] @ A + X[:, 1:7] @ A\nsum(tanh(Z))", {"X": "m 7", "A": "6 p"}, "X"),
    "differences": ("sum((X[1:m] - X[0:m-1])**2) + sum((X[:, 1:n] - X[:, 0:n-1])**2)", {"X": "m n"}, None),
    "second differences": ("sum((x[0:n-2] - 2*x[1:n-1] + x[2:n])**2)", {"x": "n"}, None),
    "two columns": ("sum(maximum(X[:, 0], X[:, 1])*G)", {"X": "N 2", "G": "N"}, "X"),
    "two rows": ("sum(tanh(X[0] + X[1])*u)", {"X": "4 n", "u": "n"}, "X"),
    "a slice beside a matrix": ("sum((A @ x + x[0:2])**2)", {"A": "2 n", "x": "n"}, None),
    "entries": ("u = x[0]*x[1] - x[2]**2\nu**2", {"x": "3"}, None),
    "a block": ("sum(X[1:3, 2:5] @ Y)", {"X": "m n", "Y": "3 p"}, "X"),
    "three axes": ("sum(exp(X[:, 1:, 0]*X[:, :-1, 1]))", {"X": "B T D"}, None),
    "embedding": ("H = one_hot(t, V) @ E\nsum(H*G)", {"t": "N", "E": "V D", "G": "N D"}, "E"),
    "embedding of sequences": ("H = one_hot(t, V) @ E\nsum(tanh(H)*G)", {"t": "B T", "E": "V D", "G": "B T D"}, "E"),
    "two embeddings of one": ("H = one_hot(t, V) @ E + one_hot(u, V) @ E\nsum(H**2)", {"t": "N", "u": "N", "E": "V D"}, "E"),
    "an embedding and its matrix": ("H = one_hot(t, V) @ E\nsum((H @ W)**2)", {"t": "N", "E": "V D", "W": "D p"}, "E"),
    "sums of classes": ("M = one_hot(t, V).T @ X\nsum(M**2)", {"t": "N", "X": "N D"}, "X"),
    "counts": ("c = sum(one_hot(t, V), axis=0)\nsum(c*w**2)", {"t": "N", "w": "V"}, "w"),
    "biases": ("sum((one_hot(t, V) @ b)*g)", {"t": "B T", "b": "V", "g": "B T"}, "b"),
    "picked": ("-sum(one_hot(t, V)*log_softmax(Z))", {"t": "N", "Z": "N V"}, "Z"),
    "labels of samples in columns": ("H = E @ one_hot(t, V).T\nsum(H**3)", {"t": "N", "E": "D V"}, "E"),
}  # fmt: skip
DENSE_RESULT = {"picked"}  # the one-hot matrix has the shape of the gradient itself


def derivation(case):
    text, shapes, wrt = CASES[case]
    shapes = dict(shapes)
    if "V" in text and not any("V" in s.split() for s in shapes.values()):
        text, shapes = text.replace("V", "6"), shapes
    return byhand.derive(byhand.parse(text, shapes, {k: "labels" for k in ("t", "u") if k in shapes and "V" in CASES[case][0]}), wrt)  # fmt: skip


def values_of(d):
    rng = np.random.default_rng(3)
    shapes = {n: [SIZES.get(str(k)) or int(str(k)) for k in s.shape] for n, s in d.f.symbols.items()}
    labels = {n for n, s in d.f.symbols.items() if "labels" in s.assumptions}
    return {n: rng.integers(0, 6, s) if n in labels else rng.standard_normal(s) for n, s in shapes.items()}


@pytest.mark.parametrize("case", CASES)
def test_pickers_are_views_and_scatters(case):
    d = derivation(case)
    if case not in DENSE_RESULT:
        body = d.code("numpy").split('"""')[-1]
        assert not re.search(r"\b(eye|einsum|one_hot)\(", body), body
    assert disagreement(d, values_of(d)) == {}


@pytest.mark.parametrize("case", ["convolution", "rotated halves", "embedding"])
def test_the_cost_is_that_of_what_is_touched(case):
    """Operations grow in proportion to one size."""
    cost = cost_of(list_derivation(derivation(case))).operations()
    name = {"convolution": "n", "rotated halves": "N", "embedding": "N"}[case]
    assert all(dict(monomial).get(name, 0) <= 1 for monomial, _ in cost.terms), cost


def test_rows_with_one_label_are_added():
    t, G = np.array([[2, 0, 2], [2, 5, 0]]), np.arange(24.0).reshape(2, 3, 4)
    f = byhand.parse("sum((one_hot(t, V) @ E)*G)", {"t": "B T", "E": "V D", "G": "B T D"}, {"t": "labels"})
    expected = np.zeros((6, 4))
    np.add.at(expected, t, G)
    assert np.array_equal(byhand.derive(f, "E").function()(t=t, E=np.ones((6, 4)), G=G)[1]["E"], expected)

"""The source of many functions, whole, as it was when somebody last looked at every line of it.

A change of a printer changes lines here: `PYTHONPATH=tests python tests/code_generation/test_sources.py` writes the
files again, and the difference is read line by line. Statements are not to become more.
"""

from pathlib import Path

import pytest
from acceptance.test_problems import PROBLEMS, derived

import byhand

GOLDEN = Path(__file__).parent / "golden"
TARGETS = ("numpy", "jax", "torch")
HEADING = "=" * 20
NETWORKS = {
    "784-300-10": {"activation": "relu", "loss": "softmax_cross_entropy"},
    "D-H-K-C": {"activation": "tanh", "loss": "softmax_cross_entropy", "l2": "lam"},
    "5-7-1": {"activation": "sigmoid", "loss": "mse"},
    "4-6-5-3": {"activation": "gelu", "loss": "mse", "l2": 0.01},
    "6-4-1": {"activation": "leaky_relu", "loss": "binary_cross_entropy"},
}
FUNCTIONS = {
    "layer norm": (
        "mu = mean(X, axis=1, keepdims=True)\nC = X - mu\ns = sqrt(mean(C**2, axis=1, keepdims=True) + 1e-5)\n"
        "H = C / s * g + b\nsum(G * H)",
        {"X": "N D", "g": "D", "b": "D", "G": "N D"}, "X,g,b",
    ),
    "batch norm": (
        "m = mean(X, axis=0)\nC = X - m\nv = mean(C**2, axis=0)\nO = C / sqrt(v + 0.001) * g + b\nsum(G * O)",
        {"X": "N D", "g": "D", "b": "D", "G": "N D"}, "X,g,b",
    ),
    "attention": (
        "P = softmax(Q @ K.T / sqrt(k), axis=1)\nO = P @ V\nsum(G * O)",
        {"Q": "m k", "K": "n k", "V": "n h", "G": "m h"}, "Q,K,V",
    ),
    "attention of heads": (
        'S = einsum("nhk,mhk->hnm", Q, K)\nP = softmax(S, axis=2)\nO = einsum("hnm,mhk->nhk", P, V)\nsum(G * O)',
        {"Q": "n h k", "K": "m h k", "V": "m h k", "G": "n h k"}, "Q,K,V",
    ),
    "embedding": (
        "H = one_hot(t, V) @ E @ W\nmean(cross_entropy(H, y))", {"E": "V D", "t": "N", "W": "D C", "y": "N"}, "E,W",
    ),
    "convolution": (
        "Z = w[0]*x[:-2] + w[1]*x[1:-1] + w[2]*x[2:]\nH = relu(Z)\nsum(v * H)", {"w": "3", "x": "n", "v": "n-2"}, "w,x",
    ),
    "two inverses": ("sum(inv(A + B) @ C * inv(A))", {"A": "n n", "B": "n n", "C": "n n"}, "A,B"),
    "gaussian": (
        "r = x - mu\n0.5*(r @ inv(S) @ r) + 0.5*logdet(S)", {"x": "n", "mu": "n", "S": "n n"}, "mu,S",
    ),
    "where": ("sum(where(X > 0, X**2, exp(X)) @ w)", {"X": "m n", "w": "n"}, "X,w"),
    "norms": ("norm(X @ w - y) + 0.5*norm(w)**2", {"X": "m n", "w": "n", "y": "m"}, "w,X"),
    "kron": ("sum(kron(A, B)**2 * M)", {"A": "m n", "B": "p q", "M": "m*p n*q"}, "A,B"),
    "diagonals": ("trace(diag(a) @ X @ diag(b) @ X.T) + sum(diag(X @ Y))", {"a": "m", "b": "n", "X": "m n", "Y": "n m"}, "a,X,Y"),
    "recurrence": (
        "h1 = tanh(X @ U + b)\nh2 = tanh(h1 @ W + X @ U + b)\nh3 = tanh(h2 @ W + X @ U + b)\nsum(Y * h3)",
        {"X": "N D", "U": "D H", "W": "H H", "b": "H", "Y": "N H"}, "U,W,b",
    ),
}  # fmt: skip


def network(sizes):
    return byhand.derive(byhand.MLP(sizes, **NETWORKS[sizes]))


def function(name):
    text, shapes, wrt = FUNCTIONS[name]
    assume = {n: "labels" for n in ("t", "y") if shapes.get(n) == "N"}
    return byhand.derive(byhand.parse(text, shapes, assume), wrt)


CASES = {
    **{f"problem {p['id']}": (derived, p) for p in PROBLEMS if p["kind"] == "grad"},
    **{f"network {sizes}": (network, sizes) for sizes in NETWORKS},
    **{f"function {name}": (function, name) for name in FUNCTIONS},
}


def read(target):
    """The sources by name."""
    text = (GOLDEN / f"sources_{target}.txt").read_text("utf-8")
    return dict(part.split("\n", 1) for part in text.split(f"{HEADING} ")[1:])


def printed(name, target):
    make, case = CASES[name]
    return make(case).code(target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_source(name, target):
    assert printed(name, target) == read(target)[name]


def test_each_source_has_its_case():
    assert all({*read(target)} == {*CASES} for target in TARGETS)


if __name__ == "__main__":
    for kind in TARGETS:
        sources = "".join(f"{HEADING} {name}\n{printed(name, kind)}" for name in CASES)
        (GOLDEN / f"sources_{kind}.txt").write_text(sources, "utf-8")

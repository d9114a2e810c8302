"""The source is what a person would have written: golden files, idioms line by line, formatters and linters content."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from acceptance.random_expressions import generate

import byhand
from byhand.code import PULLBACKS, generate_expression

GOLDEN = Path(__file__).parent / "golden"
NETWORK = """
Z1 = X @ W1 + b1
H1 = relu(Z1)
Z2 = H1 @ W2 + b2
L = mean(cross_entropy(Z2, y)) + λ*(sum(W1**2) + sum(W2**2))
"""
NETWORK_SHAPES = {"X": "N D", "W1": "D H", "b1": "H", "W2": "H C", "b2": "C", "y": "N", "λ": ""}
BATCH_NORM = """
mu = mean(X, axis=0)
C = X - mu
v = mean(C**2, axis=0)
Xh = C / sqrt(v + 0.001)
O = Xh * g + b
sum(G * O)
"""
SOURCES = {
    "network": (NETWORK, NETWORK_SHAPES, {}, "W1,b1,W2,b2"),
    "least_squares": ("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}, {}, "w"),
    "batch_norm": (BATCH_NORM, {"X": "N D", "g": "D", "b": "D", "G": "N D"}, {}, "X,g,b"),
    "attention": (
        "A = softmax(Q @ K.T, axis=1)\nO = A @ V\nsum(G * O)",
        {"Q": "m k", "K": "n k", "V": "n h", "G": "m h"},
        {},
        "Q,K,V",
    ),
}


def source(name, target="numpy"):
    text, shapes, assume, wrt = SOURCES[name]
    return byhand.derive(byhand.parse(text, shapes, assume), wrt).code(target)


@pytest.mark.parametrize("name", SOURCES)
def test_golden(name):
    assert source(name) == (GOLDEN / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("target", PULLBACKS)
@pytest.mark.parametrize("name", ["network", "least_squares"])
def test_golden_of_other_targets(name, target):
    assert source(name, target) == (GOLDEN / f"{name}_{target}.txt").read_text("utf-8")


def ruff(*arguments, text):
    command = [sys.executable, "-m", "ruff", *arguments, "--line-length", "120", "--isolated", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8", check=False)


def random_sources():
    for seed in range(100, 140):
        case = generate(random.Random(seed))
        target = ("numpy", *PULLBACKS)[seed % (1 + len(PULLBACKS))]
        yield byhand.derive(byhand.parse(case.text, case.shapes, case.assume)).code(target)


@pytest.fixture(scope="module")
def many():
    """Golden and random sources, each in a scope of its own."""
    deep = byhand.derive(byhand.MLP("-".join(["64"] * 9 + ["10"]), l2="lam"))
    others = [source(name, target) for name in SOURCES for target in PULLBACKS]
    return [*map(source, SOURCES), *others, *(deep.code(target) for target in PULLBACKS), *random_sources()]


def test_lines_fit(many):
    assert not [line for s in many for line in s.splitlines() if len(line) > 120 or line != line.rstrip()]


def test_ruff_finds_nothing(many, tmp_path):
    for k, s in enumerate(many):
        (tmp_path / f"generated_{k}.py").write_text(s, "utf-8")
    rules = ["--select", "E,F,W,I,B,PIE,SIM", "--ignore", "E741", "--line-length", "120", "--isolated", "--no-cache"]
    found = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


def test_formatters_change_nothing_but_the_columns_of_comments(many):
    for s in many:
        plain = re.sub(r"(?<=\S) +(?=# )", "  ", s)
        assert ruff("format", text=plain).stdout == plain


# function -> (shapes, properties, lines that its code has)
IDIOMS = {
    "sum((X @ w - y)**2)": ({"X": "m n", "w": "n", "y": "m"}, {}, ["r = X @ w - y", "f = r @ r", "dw = 2 * (X.T @ r)"]),
    "sum((X @ w - y)**2)/m": ({"X": "m n", "w": "n", "y": "m"}, {}, ["f = r @ r / m", "dw = 2 / m * (X.T @ r)"]),
    "0.5*sum((X @ w - y)**2)": ({"X": "m n", "w": "n", "y": "m"}, {}, ["f = 0.5 * (r @ r)", "dw = X.T @ r"]),
    "x @ A @ x": ({"x": "n", "A": "n n"}, {"A": "symmetric"}, ["v1 = A @ x", "f = x @ v1", "dx = 2 * v1"]),
    "a @ X @ b": (
        {"a": "m", "X": "m n", "b": "n"},
        {},
        ["v1 = X @ b", "f = a @ v1", "da = v1", "dX = np.outer(a, b)", "db = X.T @ a"],
    ),
    "sum(X * a)": ({"X": "m n", "a": "n"}, {}, ["dX = np.tile(a, (m, 1))", "v1 = X.sum(axis=0)"]),
    "sum(X * a[:, None])": ({"X": "m n", "a": "m"}, {}, ["dX = np.tile(a[:, None], (1, n))", "v1 = X.sum(axis=1)"]),
    "trace(A @ X)": ({"A": "n m", "X": "m n"}, {}, ["dX = A.T.copy()"]),
    "trace(X)": ({"X": "n n"}, {}, ["f = np.trace(X)", "dX = np.eye(n, dtype=X.dtype)"]),
    "sum(X)": ({"X": "m n"}, {}, ["f = np.sum(X)", "dX = np.ones_like(X)"]),
    "mean(X)": ({"X": "m n"}, {}, ["f = np.mean(X)", "dX = np.full_like(X, 1 / (m * n))"]),
    "b @ inv(A) @ c": ({"b": "n", "A": "n n", "c": "n"}, {"A": "wellcond"}, ["M = np.linalg.inv(A)", "v1 = M @ c"]),
    "sum(W[arange(n), t])": (
        {"W": "n k", "t": "n"},
        {},
        ["f = np.sum(W[np.arange(n), t])", "Y = one_hot(t, k, W.dtype)", "dW = Y"],
    ),
    "sum(relu(X @ w))": ({"X": "m n", "w": "n"}, {}, ["dz = np.heaviside(z, 0.0)", "dw = X.T @ dz"]),
    "sum(G * (A @ B))": (
        {"G": "b m k", "A": "b m n", "B": "b n k"},
        {},
        ["dA = G @ B.swapaxes(1, 2)", "dB = A.swapaxes(1, 2) @ G"],
    ),
    "sum(A * c)": (
        {"A": "b m n", "c": "n"},
        {},
        ["v1 = A.sum(axis=(0, 1))", "f = c @ v1", "dA = np.tile(c, (b, m, 1))", "dc = v1"],
    ),
    "norm(X)": ({"X": "m n"}, {}, ["f = np.linalg.norm(X)", "dX = X / np.where(f > 0, f, 1)"]),
    "sum(concatenate([A, B], axis=1)**2)": (
        {"A": "m n", "B": "m k"},
        {},
        ["T1 = np.concatenate([A, B], axis=1)", "dA = 2 * T1[:, :n]"],
    ),
    "sum(x[2:-1]**2)": ({"x": "n"}, {}, ["f = np.sum(x[2:-1] ** 2)", "dx = np.pad(2 * x[2:-1], (2, 1))"]),
}


@pytest.mark.parametrize("text", IDIOMS)
def test_idiom(text):
    shapes, assume, lines = IDIOMS[text]
    source = byhand.derive(byhand.parse(text, shapes, assume)).code("numpy")
    code = [line.split("  #")[0].strip() for line in source.splitlines()]
    missing = [line for line in lines if line not in code]
    assert not missing, source


def test_kernels_are_quoted_once_and_only_those_used():
    f = byhand.parse("sum(sigmoid(A)) + sum(gelu(A)) + sum(sigmoid(B))", {"A": "n", "B": "n"})
    source = byhand.derive(f, "B").code("numpy")
    assert re.findall(r"^def (\w+)", source, re.M) == ["gelu", "sigmoid", "value_and_gradients"]
    assert ".real" not in source and "Array" not in source


def test_expression_alone():
    source = generate_expression(byhand.parse("H = tanh(A @ x)\nA @ H", {"A": "n n", "x": "n"}))
    assert "def values(A, x):" in source and "return f" in source


def test_nothing_is_computed_that_no_result_needs():
    text, shapes, _, _ = SOURCES["network"]
    source = byhand.derive(byhand.parse(text, shapes), "b2").code("numpy")
    assert "dH1" not in source and "db2 = dZ2.sum(axis=0)" in source


@pytest.mark.parametrize("outputs", [2, 3, 7, "C"])
@pytest.mark.parametrize("target", ["numpy", "torch", "jax"])
def test_a_sum_over_the_samples_is_no_mean_over_samples_and_classes(outputs, target):
    text = "-sum(Y * log_softmax(Z, axis=1)) / N"
    code = byhand.derive(byhand.parse(text, {"Z": ["N", outputs], "Y": ["N", outputs]}), "Z").code(target)
    assert "mean" not in code.split('"""')[-1].replace("reduction", "")


@pytest.mark.parametrize("outputs", [2, 3, "C"])
def test_a_mean_of_all_entries_is_written_as_one(outputs):
    f = byhand.parse("mean(tanh(Z * Y)) / 2", {"Z": ["N", outputs], "Y": ["N", outputs]})
    assert "np.mean" in byhand.derive(f, "Z").code()

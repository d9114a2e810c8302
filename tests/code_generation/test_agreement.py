"""Generated NumPy code computes what the interpreter computes."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from acceptance.random_expressions import generate
from code_generation.agreement import assert_agrees, assert_equal, assert_independent
from oracles import draw

import byhand
from byhand.code import compile_expression
from byhand.code.function import CompiledFunction
from byhand.code.listing import list_expressions
from byhand.code.source import numpy_source

PROBLEMS = json.loads((Path(__file__).parents[1] / "data" / "matrix_calculus.json").read_text("utf-8"))
SIZES = {"m": 5, "n": 7, "k": 3, "h": 11, "b": 2, "N": 13, "D": 5, "H": 7, "C": 3, "p": 2, "q": 11}
ACTIVATIONS = ["relu", "tanh", "sigmoid", "softplus", "leaky_relu", "elu", "selu", "gelu", "silu", "sin", "hard_tanh"]
NETWORK = {"X": "N D", "W1": "D H", "b1": "H", "W2": "H C", "b2": "C"}
DEEP = {"X": "N D", "W1": "D H", "b1": "H", "W2": "H q", "b2": "q", "W3": "q C", "b3": "C"}


def drawn(shapes, assume, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(draw(assume.get(name), [SIZES.get(d) or int(d) for d in dims.split()], rng, classes=classes))
        for name, dims in shapes.items()
    }


def assert_function_agrees(text, shapes, assume=None, wrt=None, seed=0):
    derivation = byhand.derive(byhand.parse(text, shapes, assume or {}), wrt)
    values = drawn(shapes, assume or {}, seed)
    before = {k: v.copy() for k, v in values.items()}
    _, gradients = assert_agrees(derivation, values)
    assert_independent(gradients, values)
    assert all(np.array_equal(before[k], v) for k, v in values.items())
    return derivation


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p["kind"] == "grad"], ids=lambda p: p["id"])
def test_problem(problem):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    for wrt in (problem["wrt"], None):
        assert_function_agrees(problem["expr"], shapes, problem.get("domain", {}), wrt)


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p["kind"] == "jacobian"], ids=lambda p: p["id"])
def test_expression_of_any_shape(problem):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    f = byhand.parse(problem["expr"], shapes, problem.get("domain", {}))
    values = drawn(shapes, problem.get("domain", {}))
    assert_equal(compile_expression(f)(**values), f, values, problem["id"])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("target", ["y", "Y"])
def test_two_layers(activation, target):
    text = f"Z1 = X @ W1 + b1\nH1 = {activation}(Z1)\nZ2 = H1 @ W2 + b2\nL = mean(cross_entropy(Z2, {target}))"
    shapes = {**NETWORK, target: "N" if target == "y" else "N C"}
    assert_function_agrees(text, shapes, {target: "labels" if target == "y" else "simplexrows"}, "W1,b1,W2,b2")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_three_layers(activation):
    text = f"""
    H1 = {activation}(X @ W1 + b1)
    H2 = {activation}(H1 @ W2 + b2)
    E = H2 @ W3 + b3 - Y
    L = sum(E**2)/(2*N) + 0.5*lam*(sum(W1**2) + sum(W2**2) + sum(W3**2))
    """
    assert_function_agrees(text, {**DEEP, "Y": "N C", "lam": ""}, {}, "W1,b1,W2,b2,W3,b3")


BATCH_NORM = """
mu = mean(X, axis=0, keepdims=True)
V = mean((X - mu)**2, axis=0, keepdims=True)
Xh = (X - mu) / sqrt(V + 0.001)
sum(G * (Xh * g + b))
"""
CASES = {
    "batch norm": (BATCH_NORM, {"X": "N D", "G": "N D", "g": "D", "b": "D"}, {}),
    "layer norm": (
        "C = X - mean(X, axis=1, keepdims=True)\nsum(G * C / sqrt(mean(C**2, axis=1, keepdims=True) + 0.1))",
        {"X": "N D", "G": "N D"},
        {},
    ),
    "attention": (
        "A = softmax(Q @ K.T / sqrt(k), axis=1)\nsum(G * (A @ V))",
        {"Q": "m k", "K": "n k", "V": "n h", "G": "m h"},
        {},
    ),
    "stacked attention": (
        "A = softmax(Q @ swapaxes(K, 1, 2), axis=2)\nsum(G * (A @ V))",
        {"Q": "b m k", "K": "b n k", "V": "b n h", "G": "b m h"},
        {},
    ),
    "kron": ("inner(kron(A, B), C) + sum(tanh(kron(B, A)))", {"A": "2 3", "B": "5 7", "C": "10 21"}, {}),
    "kron of products": ("norm(kron(A @ B, C * C))", {"A": "m k", "B": "k n", "C": "p q"}, {}),
    "kron, trace": ("trace(kron(A, B))", {"A": "m m", "B": "n n"}, {}),
    "slices": (
        "sum(A[1:3] @ B) + x[3]**2 + sum(x[2:-1]**2) + A[0, 1]*A[2, -1] + sum(A[:, 1:]**2)",
        {"A": "5 k", "B": "k 3", "x": "n"},
        {},
    ),
    "concatenate": (
        "sum(concatenate([A @ B, C, D[:, :3]], axis=0)**2) + sum(tanh(concatenate([A, D], axis=1)))",
        {"A": "5 k", "B": "k 3", "C": "4 3", "D": "5 7"},
        {},
    ),
    "inverse": (
        "a @ inv(X) @ b + logdet(X) + det(X) + sum(inv(X))",
        {"X": "n n", "a": "n", "b": "n"},
        {"X": "wellcond"},
    ),
    "solve": ("sum(solve(A, b)**2)", {"A": "n n", "b": "n"}, {"A": "wellcond"}),
    "solve from the left": ("x @ inv(A) @ b", {"x": "n", "A": "n n", "b": "n"}, {"A": "spd"}),
    "columns": ("sum((X @ w + c)**2) + sum(c * X)", {"X": "m n", "w": "n 1", "c": "m 1"}, {}),
    "rows and columns": ("sum((r + c) * A) + sum(r @ A.T @ c)", {"r": "1 n", "c": "m 1", "A": "m n"}, {}),
    "square rows and columns": ("sum(A*a + A*b[:, None]) + a @ A @ b", {"A": "n n", "a": "n", "b": "n"}, {}),
    "all one": ("sum(A*B + c) + sum(exp(A @ B))", {"A": "1 1", "B": "1 1", "c": "1"}, {}),
    "scalars": (
        "a*b**2 + exp(-a/b) + sqrt(c) + c**-0.5 + c**(1/3) + 0.01*c**3",
        {"a": "", "b": "", "c": ""},
        dict.fromkeys("abc", "positive"),
    ),
    "numbers": ("sum(ones(n)) * a + exp(2) * a + sin(pi)*n", {"a": "", "x": "n"}, {}),
    "broadcast result": ("sum(exp(a) * X) + sum(X * b) + sum(X)", {"X": "m n", "a": "", "b": "n"}, {}),
    "constant gradient": ("sum(X) + 2*trace(Y) + sum(Y @ ones(n))/n", {"X": "m n", "Y": "n n"}, {}),
    "powers": (
        "sum(A**3 / B**2) + sum(A**-0.5) + sum(A**B) + sum(B**1.5)",
        {"A": "m n", "B": "m n"},
        {"A": "positive", "B": "positive"},
    ),
    "labels": (
        "sum(W[arange(n), t]) + sum(one_hot(t, k) @ E) - mean(cross_entropy(W, t))",
        {"W": "n k", "t": "n", "E": "k h"},
        {"t": "labels"},
    ),
    "masks": (
        "sum(where(A > B, A*B, 1)) + sum((A > 0)*(B < 0)*A) + sum(step(A)) + sum(where(A > 0, 1, 0)*B)",
        {"A": "m n", "B": "m n"},
        {},
    ),
    "masks of one": ("sum(relu(A) * relu(B)) + sum(relu(a) * b)", {"A": "m n", "B": "m n", "a": "n", "b": "n"}, {}),
    "stacks": (
        "sum(tanh(A @ W) * G) + sum(einsum('bij,bkj->ik', A, A)**2)",
        {"A": "b m n", "W": "n k", "G": "b m k"},
        {},
    ),
    "stack of vectors": ("sum(G * einsum('bij,b,j->i', A, u, v))", {"G": "m", "A": "b m n", "u": "b", "v": "n"}, {}),
    "diagonals": (
        "a @ diag(x) @ b + trace(diag(x) @ A) + sum(diag(A)*x)",
        {"a": "n", "b": "n", "x": "n", "A": "n n"},
        {},
    ),
    "diagonal of a stack": ("sum(einsum('bii->bi', A)**2) + sum(einsum('iib->b', A))", {"A": "5 5 5"}, {}),
    "symmetric": ("a @ S @ a + logdet(S) + trace(A @ S)", {"a": "n", "S": "n n", "A": "n n"}, {"S": "spd"}),
    "norms": ("norm(x)*norm(A) + norm(x)**3 + 1/norm(A)", {"x": "n", "A": "m n"}, {}),
    "log-sum-exp": ("logsumexp(Z) + sum(logsumexp(Z, axis=0)) + sum(log_softmax(Z, axis=0) * Z)", {"Z": "m k"}, {}),
    "no dependence": ("sum(A)", {"A": "m n", "B": "m n", "c": ""}, {}),
}

NOT_WRITTEN = {"numbers", "no dependence"}  # cases with inputs that the text does not mention


@pytest.mark.parametrize("case", CASES)
def test_case(case):
    text, shapes, assume = CASES[case]
    every = [name for name in shapes if assume.get(name) != "labels"]
    assert_function_agrees(text, shapes, assume, every if case in NOT_WRITTEN else None)


@pytest.mark.parametrize("block", range(16))
def test_random_expressions(block):
    for seed in range(25 * block, 25 * block + 25):
        case = generate(random.Random(seed))
        derivation = byhand.derive(byhand.parse(case.text, case.shapes, case.assume))
        with np.errstate(all="ignore"):
            _, gradients = assert_agrees(derivation, case.values())
        assert_independent(gradients, case.values())


def test_hundred_layers_are_linear_work():
    lines = ["H0 = X"] + [f"H{k} = tanh(H{k - 1} @ W{k})" for k in range(1, 101)]
    f = byhand.parse("\n".join([*lines, "sum(H100**2)"]), {"X": "N D", **{f"W{k}": "D D" for k in range(1, 101)}})
    source = byhand.derive(f).code("numpy")
    assert source.count("\n    d") <= 301  # dZ, dH, dW for each layer, and dX


def test_a_shared_part_that_needs_a_result_stands_after_it():
    w = byhand.parse("arctan(w)", shapes={"w": "n"})
    total = byhand.parse("1/sum(arctan(w))**2", shapes={"w": "n"})
    share = byhand.parse("arctan(w)/sum(arctan(w))", shapes={"w": "n"})
    roots = {"a": w.root, "b": total.root, "c": share.root}
    program = list_expressions(roots)
    found = CompiledFunction(program, numpy_source(program), list(roots.values()))(w=np.arange(1.0, 4.0))
    expected = np.arctan(np.arange(1.0, 4.0))
    np.testing.assert_allclose(found["b"], 1 / expected.sum() ** 2)
    np.testing.assert_allclose(found["c"], expected / expected.sum())

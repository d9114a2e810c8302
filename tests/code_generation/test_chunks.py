"""Logits in chunks of rows: the same numbers, less memory, and refusals where a step needs all rows."""

import re
import tracemalloc

import numpy as np
import pytest
from code_generation.generated import load, relative
from code_generation.test_agreement import drawn
from code_generation.test_readability import ruff
from oracles import torch

import byhand
from byhand.code import CHUNKED
from byhand.errors import ByhandError

LINEAR = {"X": "N D", "W": "D C", "b": "C"}
CASES = {
    "labels": ("mean(cross_entropy(X @ W + b, y))", {**LINEAR, "y": "N"}, {"y": "labels"}),
    "probabilities": ("mean(cross_entropy(X @ W + b, Y))", {**LINEAR, "Y": "N C"}, {"Y": "simplexrows"}),
    "weights": (
        "sum(s*cross_entropy(X @ W + b, y))/sum(s)",
        {**LINEAR, "y": "N", "s": "N"},
        {"y": "labels", "s": "positive"},
    ),
    "penalty": ("mean(cross_entropy(X @ W + b, y)) + 0.1*sum(W**2)", {**LINEAR, "y": "N"}, {"y": "labels"}),
    "log-sum-exp": ("mean(logsumexp(X @ W + b, axis=1))", LINEAR, {}),
    "layers": (
        "H = tanh(X @ V)\nmean(cross_entropy(H @ W + b, y))",
        {"X": "N k", "V": "k D", "W": "D C", "b": "C", "y": "N"},
        {"y": "labels"},
    ),
    "layers of one width": (
        "H = relu(X @ V)\nmean(cross_entropy(H @ W, y))",
        {"X": "N k", "V": "k C", "W": "C C", "y": "N"},
        {"y": "labels"},
    ),
    "attention": (
        "A = softmax(Q @ K.T, axis=1)\nsum(G * (A @ V))",
        {"Q": "m k", "K": "n k", "V": "n h", "G": "m h"},
        {},
    ),
}
REFUSED = {
    "over the rows": ("sum(softmax(X @ W, axis=0) * Y) + mean(logsumexp(X @ W, axis=1))", "the N rows of the logits"),
    "rows with rows": ("A = softmax(X @ X.T, axis=1)\nsum(A @ X)", "several shapes|the N rows"),
    "no softmax": ("sum((X @ W)**2)", "there is no softmax"),
    "a norm": ("norm(X @ W) + mean(logsumexp(X @ W, axis=1))", "the N rows of the logits"),
}


@pytest.mark.parametrize("target", CHUNKED)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [1, 5, 13, 100])
def test_same_numbers(case, target, size):
    text, shapes, assume = CASES[case]
    derivation, values = byhand.derive(byhand.parse(text, shapes, assume)), drawn(shapes, assume)
    before = {k: v.copy() for k, v in values.items()}
    (value, gradients), (expected, exact) = (
        derivation.function(target, chunk=size)(**values),
        derivation.function()(**values),
    )
    assert relative(value, expected) <= 1e-13
    assert set(gradients) == set(exact)
    assert all(relative(gradients[k], exact[k]) <= 1e-12 for k in exact)
    assert all(np.array_equal(before[k], v) for k, v in values.items())


@pytest.mark.parametrize("target", CHUNKED)
@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, target):
    text, words = REFUSED[case]
    shapes = {n: d for n, d in {"X": "N D", "W": "D C", "Y": "N C"}.items() if n in text}
    with pytest.raises(ByhandError, match=words):
        byhand.derive(byhand.parse(text, shapes)).code(target, chunk=4)


def test_bad_sizes_and_targets():
    net = byhand.MLP("5-3")
    for size in (0, -1, 1.5, True):
        with pytest.raises(ByhandError, match=r"chunk is .*: a whole number from 1 on"):
            net.code("torch", chunk=size)
    with pytest.raises(ByhandError, match="target 'jax' has no chunks"):
        net.code("jax", chunk=4)
    with pytest.raises(ByhandError, match="number of rows of the logits is fixed\n  give the number of rows a name"):
        byhand.MLP("5-3", batch=64).code("torch", chunk=4)


def test_autograd_module_and_second_derivatives():
    net = byhand.MLP("5-7-3", l2="lam")
    chunked, whole = load(net.code("torch", chunk=4)), load(net.code("torch"))
    P = [torch.from_numpy(v).requires_grad_() for v in net.init(0).values()]
    X, y, lam = torch.randn(11, 5, dtype=torch.float64), torch.arange(11) % 3, torch.tensor(0.3, dtype=torch.float64)
    loss = chunked["value"](X, *P, y, lam) ** 2
    found = torch.autograd.grad(loss, P, retain_graph=True)
    expected = torch.autograd.grad(whole["value"](X, *P, y, lam) ** 2, P)
    assert all((a - b).norm() <= 1e-12 * b.norm() for a, b in zip(found, expected, strict=True))
    second = torch.autograd.grad(loss, P, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        sum(g.sum() for g in second).backward()
    with pytest.raises(NotImplementedError, match="with respect to X and lam"):
        chunked["value"](X.requires_grad_(), *P, y, lam)
    module = chunked["Network"](0.3)
    assert module.backward(X.detach().float(), y) == module(X.detach().float(), y)


def test_logits_are_never_held_whole():
    """1024 x 512 logits of 4 MiB; what is allocated, results included, stays below half of one."""
    d = byhand.derive(byhand.MLP("16-512"))
    rng = np.random.default_rng(0)
    values = {"X": rng.standard_normal((1024, 16)), "y": rng.integers(0, 512, 1024)}
    values |= byhand.MLP("16-512").init(0)
    peaks = []
    for compiled in (d.function("numpy"), d.function("numpy", chunk=32)):
        arrays = [values[n] for n in compiled.inputs]
        tracemalloc.start()
        compiled.raw(*arrays)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] > 3 * 2**22 and peaks[1] < 2**21, peaks


@pytest.mark.parametrize("target", CHUNKED)
@pytest.mark.parametrize("case", CASES)
def test_formatters_change_nothing_but_the_columns_of_comments(case, target):
    text, shapes, assume = CASES[case]
    source = byhand.derive(byhand.parse(text, shapes, assume)).code(target, chunk=256)
    plain = re.sub(r"(?<=\S) +(?=# )", "  ", source)
    assert ruff("format", text=plain).stdout == plain
    assert re.search("The logits are computed for 256 of the [Nm] rows at a time and never held whole.", source)

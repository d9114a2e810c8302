"""Gradients with respect to symmetric and diagonal variables: in their space, or by free entries."""

import numpy as np
import pytest
from oracles import directional_derivative, draw

import byhand

N, D = 5, 3
CASES = {
    "log-determinant": ("logdet(S)", {"S": "d d"}, "spd"),
    "normal distribution": ("(N*logdet(S) + trace(R @ inv(S) @ R.T))/2", {"R": "N d", "S": "d d"}, "spd"),
    "bilinear, not symmetric by itself": ("a @ S @ b", {"a": "d", "S": "d d", "b": "d"}, "symmetric"),
    "a product with a matrix": ("sum(A*(S @ S @ B))", {"A": "d d", "S": "d d", "B": "d d"}, "symmetric"),
    "through an intermediate": ("Z = S @ A\nsum(tanh(Z)**2)", {"A": "d N", "S": "d d"}, "symmetric"),
    "entry by entry": ("sum(exp(S)*A)", {"A": "d d", "S": "d d"}, "symmetric"),
    "diagonal": ("sum(A*(S @ B))", {"A": "d d", "S": "d d", "B": "d d"}, "diagonal"),
}


def point(f):
    rng, sizes = np.random.default_rng(3), {"N": N, "d": D}
    return {
        n: draw(
            next((a for a in ("spd", "diagonal", "symmetric") if a in s.assumptions), None),
            [sizes[str(x)] for x in s.shape],
            rng,
        )
        for n, s in f.symbols.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_both_ways(name):
    text, shapes, declared = CASES[name]
    f = byhand.parse(text, shapes, {"S": declared})
    values = point(f)
    units = np.eye(D * D).reshape(D, D, D, D)
    every = np.array([[directional_derivative(text, {**values, "N": N}, {"S": e}) for e in row] for row in units])
    space = np.diag(np.diag(every)) if declared == "diagonal" else (every + every.T) / 2
    free = space if declared == "diagonal" else 2 * space - np.diag(np.diag(space))
    for way, wanted in ((False, space), (True, free)):
        d = byhand.derive(f, "S", free_entries=way)
        assert np.allclose(d.function()(**values)[1]["S"], wanted, rtol=1e-7, atol=1e-7)
        assert byhand.check(d, oracles="quick").ok
        words = d.text()
        assert "S is diagonal" in words if declared == "diagonal" else "the symmetric G with df = ⟨G, dS⟩" in words


def test_a_symmetric_gradient_is_written_once():
    f = byhand.parse("(N*logdet(S) + trace(R @ inv(S) @ R.T))/2", {"R": "N d", "S": "d d"}, {"S": "spd"})
    assert "I ⊙" not in byhand.derive(f, "S").text(level="result").split("Result")[1]
    assert "I ⊙" in byhand.derive(f, "S", free_entries=True).text(level="result").split("Result")[1]


def test_layouts_and_pullbacks_keep_the_way():
    f = byhand.parse("a @ S @ b", {"a": "d", "S": "d d", "b": "d"}, {"S": "symmetric"})
    d = byhand.derive(f, free_entries=True)
    assert d.in_layout("columns").free_entries and "I ⊙" in d.text(layout="columns")

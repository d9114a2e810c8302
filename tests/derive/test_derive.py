"""Derivations: what may be asked for, what is said where nothing depends on a variable, and how the work grows."""

import os
import subprocess
import sys

import numpy as np
import pytest

import byhand
from byhand.expr.contraction import is_zero


def network(depth):
    lines, shapes, h = [], {"X": "N d0", "y": "N"}, "X"
    for k in range(1, depth + 1):
        lines += [f"Z{k} = {h} @ W{k} + b{k}", f"H{k} = tanh(Z{k})"]
        shapes |= {f"W{k}": f"d{k - 1} d{k}", f"b{k}": f"d{k}"}
        h = f"H{k}"
    lines[-1] = f"L = mean(cross_entropy(Z{depth}, y))"
    return byhand.parse("\n".join(lines), shapes), [n for n in shapes if n[0] in "Wb"]


def test_a_variable_that_does_not_occur_has_a_zero_gradient_and_says_so():
    d = byhand.derive(byhand.parse("sum(x)", {"x": "n", "v": "m"}), "v")
    assert is_zero(d.gradient.root)
    assert d.gradient.shape == d.variables[0].shape
    assert "f does not depend on v: its gradient is zero." in d.text()


@pytest.mark.parametrize(
    ("text", "shapes", "wrt", "error", "says"),
    [
        ("x * 2", {"x": "n"}, "x", byhand.ShapeError, "needs a scalar"),
        ("Z = X * 2\nsum(Z)", {"X": "n"}, "Z", byhand.ParseError, "is an intermediate"),
        ("sum(weights)", {"weights": "n"}, "weigths", byhand.ParseError, "did you mean `weights`"),
        ("sum(X)", {"X": "n", "q": "m"}, "X", byhand.ParseError, "q has a shape but does not occur"),
        ("sum(cross_entropy(Z, t))", {"Z": "m k", "t": "m"}, "t", byhand.ParseError, "integer labels"),
    ],
)
def test_refused(text, shapes, wrt, error, says):
    with pytest.raises(error, match=says):
        byhand.derive(byhand.parse(text, shapes), wrt)


def test_constants_and_labels_are_not_differentiated_by_default():
    f = byhand.parse(
        "lam * sum(cross_entropy(X @ W, t))", {"X": "m n", "W": "n k", "t": "m", "lam": ""}, {"lam": "constant"}
    )
    assert list(byhand.derive(f).gradients) == ["X", "W"]


def test_assumptions_are_listed_where_they_are_used_and_only_then():
    shapes = {"Z": "m k", "Y": "m k"}
    with_it = byhand.derive(byhand.parse("mean(cross_entropy(Z, Y))", shapes, {"Y": "simplexrows"}), "Z")
    without = byhand.derive(byhand.parse("mean(cross_entropy(Z, Y))", shapes), "Z")
    unneeded = byhand.derive(byhand.parse("sum(Z * Y)", shapes, {"Y": "simplexrows"}), "Z")
    assert with_it.assumptions == ("the rows of Y sum to one",)
    assert str(with_it.gradient) == "(softmax(Z) − Y)/m"
    assert without.assumptions == unneeded.assumptions == ()
    assert "Y 1" in str(without.gradient)


def test_free_entries_of_symmetric_variables_count_once():
    f = byhand.parse("trace(A @ X)", {"A": "n n", "X": "n n"}, {"X": "symmetric"})
    d = byhand.derive(f, "X", free_entries=True)
    rng = np.random.default_rng(0)
    A, X = rng.standard_normal((5, 5)), rng.standard_normal((5, 5))
    assert np.allclose(byhand.evaluate(d.gradient, A=A, X=X + X.T), A + A.T - A * np.eye(5))
    assert "counts each free entry once" in d.text()


def test_work_grows_linearly_with_depth():
    steps = [len(byhand.derive(*network(depth)).steps) for depth in (10, 20, 40)]
    assert steps[2] - steps[1] == 2 * (steps[1] - steps[0])


@pytest.mark.slow
def test_a_thousand_layers_do_not_hit_the_recursion_limit():
    f, parameters = network(1000)
    d = byhand.derive(f, parameters)
    assert len(d.gradients) == 2000
    assert "∂L/∂W1 = Xᵀ Δ1" in d.text()


SCRIPT = """
import byhand
byhand.parse({before!r}, {{"u": "n", "A": "n n"}})
f = byhand.parse("sum(tanh(X @ W + b)**2) + b @ b", {{"X": "m n", "W": "n k", "b": "k"}})
d = byhand.derive(f)
print(d.text(level="micro"), d.latex(), d.code())
"""


def test_the_same_text_in_every_process():
    outputs = set()
    for seed, before in (("1", "u @ u"), ("2", "sum(inv(A) @ u)")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        script = SCRIPT.format(before=before)
        outputs.add(
            subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True).stdout
        )
    assert len(outputs) == 1


@pytest.mark.parametrize("text", ["sum(W2 @ relu(W1 @ x))", "sum(x @ W2.T @ W1)"])
def test_a_layout_refuses_weights_that_stand_the_other_way(text):
    f = byhand.parse(
        text, {"W2": "k h", "W1": "h d", "x": "d"} if "relu" in text else {"x": "d", "W2": "h d", "W1": "h k"}
    )
    with pytest.raises(byhand.ParseError, match=r"is written as \(outputs, inputs\)"):
        byhand.derive(f).text(layout="columns")


def test_a_layout_says_what_counts_the_samples():
    d = byhand.derive(byhand.parse("sum(relu(X @ W))", {"X": "N d", "W": "d k"}), "W")
    assert "; N counts the samples." in d.text(layout="columns")

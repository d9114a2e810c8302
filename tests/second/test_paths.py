"""Which chain rule, dependencies, tensors written out (SEEDS S0.19, S2.12, S3.21, S4.*)."""

import numpy as np
import pytest
from oracles import relative_error

import byhand
from byhand.second.dependencies import dependencies
from byhand.second.expand import written_out
from byhand.second.paths import chain_rule
from byhand.second.shortcut import shortcut

COUNTEREXAMPLES = [
    ("u = x**2\nx + u", {"x": 1.5}, 2, 1 + 2 * 1.5),
    ("u = sin(x)\nv = x**2\nu*v", {"x": 0.7}, 2, np.cos(0.7) * 0.49 + 2 * 0.7 * np.sin(0.7)),
    ("u = x**2\nv = u*x\nw = u + v\nw*x", {"x": 0.5}, 4, 3 * 0.25 + 4 * 0.125),
]


@pytest.mark.parametrize("text, values, paths, derivative", COUNTEREXAMPLES)
def test_single_path_answer_is_wrong(text, values, paths, derivative):
    c = chain_rule(byhand.parse(text, shapes={"x": ""}), "x")
    assert len(c.paths) == paths
    assert "total-derivative" in c.rule and "One path alone is not the derivative." in c.text()
    assert relative_error(c.total(**values), derivative) < 1e-14
    assert len(c.wrong_single_paths(**values)) == paths


def test_one_path_is_the_single_variable_rule():
    c = chain_rule(byhand.parse("u = x**2\nv = sin(u)\nexp(v)", shapes={"x": ""}), "x")
    assert c.rule == "single-variable chain rule" and len(c.paths) == 1
    assert str(c.paths[0]) == "x → u → v → f"


def test_total_derivative_of_2xy3():
    """S4.1, S4.4: f = 2 x y³ with x and y functions of t."""
    c = chain_rule(byhand.parse("x = 2*t\ny = t**2\n2*x*y**3", shapes={"t": ""}), "t")
    assert relative_error(c.total(t=1.3), 28 * 1.3**6) < 1e-14


def test_no_path():
    c = chain_rule(byhand.parse("sum(A @ y)", shapes={"A": "m n", "y": "n", "x": "k"}), "x")
    assert not c.paths and "no path" in c.text()


def test_sum_over_all_entry_paths_is_the_gradient():
    """S4.17b; hidden weights influence the cost through every output."""
    net = byhand.MLP("4-5-3", activation="tanh", batch=None)
    rng = np.random.default_rng(0)
    values = {n: rng.standard_normal(s) for n, s in {"W1": (4, 5), "b1": 5, "W2": (5, 3), "b2": 3, "x": 4}.items()}
    values["y"] = np.array(1)
    gradient = byhand.derive(net, "W1").function()(**values)[1]["W1"]
    c = chain_rule(net, "W1")
    for i in range(4):
        for j in range(5):
            found = c.entry_paths((i, j), **values)
            assert len(found) == 3  # one per output
            assert abs(sum(p for _, p in found) - gradient[i, j]) < 1e-13
    assert found[0][0][0] == "W1[4,5]"


def test_dependencies():
    weights = dependencies(byhand.parse("X @ W", shapes={"X": "b m", "W": "m n"}), "W")
    assert weights.words() == "W_ij feeds f_kj for every k and no other entry."
    inputs = dependencies(byhand.parse("W @ x", shapes={"W": "m n", "x": "n"}), "x")
    assert inputs.words() == "Every f_j depends on every x_i."
    assert (
        dependencies(byhand.parse("W @ x", shapes={"W": "m n", "x": "n", "y": "n"}), "y")
        .words()
        .endswith("not depend on y.")
    )
    assert weights.figure({"b": 2, "m": 1, "n": 2}).splitlines()[-4:] == [
        "f[1,1] ■ ·",
        "f[1,2] · ■",
        "f[2,1] ■ ·",
        "f[2,2] · ■",
    ]


@pytest.mark.parametrize("text, shapes, x", [
    ("X @ W", {"X": "b m", "W": "m n"}, "W"), ("tanh(X @ W)", {"X": "b m", "W": "m n"}, "X"),
    ("softmax(X, axis=1)", {"X": "b m"}, "X"), ("diag(x) @ A", {"x": "m", "A": "m n"}, "A"),
])  # fmt: skip
def test_declared_dependencies_are_those_of_the_numbers(text, shapes, x):
    f = byhand.parse(text, shapes=shapes)
    d = dependencies(f, x)
    sizes, rng = {"b": 2, "m": 3, "n": 5}, np.random.default_rng(0)
    values = {n: rng.standard_normal([sizes[k] for k in s.split()]) for n, s in shapes.items()}
    J = byhand.jacobian(f, x).function("interpreter")(**values)
    for place in np.ndindex(*J.shape):
        assert (J[place] != 0) == d.may_depend(place[: d.rows], place[d.rows :])


def test_written_out():
    j = byhand.jacobian(byhand.parse("W @ x", shapes={"W": "h d", "x": "d"}), "W")
    assert written_out(j, {"h": 2, "d": 2}).splitlines()[1:] == [
        "      W[1,1]  W[1,2]  W[2,1]  W[2,2]",
        "f[1]     x_1     x_2       0       0",
        "f[2]       0       0     x_1     x_2",
    ]
    softmax = byhand.jacobian(byhand.parse("softmax(z)", shapes={"z": "k"}), "z")
    text = written_out(softmax, {"k": 3})
    assert "p_1 − p_1²" in text and "−p_1 p_2" in text
    assert written_out(softmax, {"k": 2}, style="latex").startswith(r"\begin{bmatrix}")
    assert "0.1966" in written_out(softmax, style="numeric", z=np.array([0.0, 1.0]))
    with pytest.raises(byhand.ParseError, match="at most 2000"):
        written_out(softmax, {"k": 1000})
    with pytest.raises(byhand.ParseError, match="style"):
        written_out(softmax, {"k": 2}, style="html")


def test_entries_of_the_article():
    """S4.25: entry (i, j) of the gradient is ∂C/∂z_i a_j: a table of rank one."""
    net = byhand.MLP("4-5-3", batch=None)
    g = byhand.derive(net, "W2").gradient
    text = written_out(g)
    assert text.count("dz2_") == 15 and text.count("h1_5") == 3


def test_shortcut_and_its_cost():
    """S2.12: ∂z_c/∂W_ij = a_i δ_jc, k·h·k numbers against h + k."""
    text = shortcut(byhand.MLP("d-h-k", batch=None), "W2", {"h": 5, "k": 3})
    assert "h1_j δ_il" in text and "k·h·k numbers; the shortcut holds h + k: 45 against 8" in text
    assert "h1ᵀ ⊗ I" in text

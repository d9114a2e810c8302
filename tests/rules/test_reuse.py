"""What has a name is written by it, what is centred sums to zero, and what is symmetric by its making is known to be."""

import numpy as np
import pytest

import byhand


def lines(text, section):
    found = text.split(f"\n{section}\n")[1].split("\n\n")[0]
    return [line.strip() for line in found.splitlines()]


def derived(text, shapes, wrt=None, assume=None):
    return byhand.derive(byhand.parse(text, shapes, assume or {}), wrt)


@pytest.mark.parametrize(
    ("text", "shapes", "assume", "unwanted"),
    [
        ("s = sqrt(v + 1)\nsum(1/s)", {"v": "n"}, {"v": "positive"}, "√"),
        ("s = sqrt(X @ w + 3)\nsum(A @ (1/s))", {"X": "m n", "w": "n", "A": "k m"}, {}, "√"),
        ("c = (u + v)**(1/3)\nsum(w/c)", {"u": "n", "v": "n", "w": "n"}, {"u": "positive", "v": "positive"}, "(u + v)"),
    ],
)
def test_powers_of_a_named_value_are_powers_of_its_name(text, shapes, assume, unwanted):
    d = derived(text, shapes, None, assume)
    assert not any(unwanted in line for line in lines(d.text(), "Gradients, last to first")), d.text()
    assert byhand.check(d, oracles="quick", seeds=1).ok


@pytest.mark.parametrize(
    ("text", "shapes", "name"),
    [
        ("z = X @ w\nsum(tanh(z)) - y @ (X @ w)", {"X": "m n", "w": "n", "y": "m"}, "X w"),
        (
            "Z = A @ B\nsum(C*Z) + sum(exp(Z)) + u @ A @ B @ v",
            {"A": "m n", "B": "n k", "C": "m k", "u": "m", "v": "k"},
            "A B",
        ),
        ("h = a*b\nsum(sin(h)) + sum(a*b*c)", {"a": "n", "b": "n", "c": "n"}, "a ⊙ b ⊙"),
        ("q = a/b\nsum(sin(q)) + sum(c*a/b**2)", {"a": "n", "b": "n", "c": "n"}, "b^∘2"),
    ],
)
def test_a_product_has_one_name(text, shapes, name):
    d = derived(text, shapes, None, {"b": "nonzero"} if "/b" in text else {})
    shown = [line for line in lines(d.text(), "Forward") if line.startswith("f =")]
    assert not any(name in line for line in shown), d.text()
    assert byhand.check(d, oracles="quick", seeds=1).ok


def test_a_factor_that_hangs_on_others_stays():
    d = derived("z = X @ w\nsum(tanh(z)) + sum(X * (u[:, None] * w))", {"X": "m n", "w": "n", "u": "m"})
    assert byhand.check(d, oracles="quick", seeds=1).ok
    d = derived("z = X @ w\nsum(tanh(z)) + sum((X**2) @ w)", {"X": "m n", "w": "n"})
    assert byhand.check(d, oracles="quick", seeds=1).ok


@pytest.mark.parametrize(
    ("text", "shapes", "wanted"),
    [
        ("c = X - mean(X, axis=0)\nsum(c*c)", {"X": "N D"}, "2 c"),
        ("m = mean(X, axis=1, keepdims=True)\nR = X - m\nsum(R**2)/2", {"X": "N D"}, "R"),
        ("m = mean(x)\nr = x - m\nsum(r**2)", {"x": "n"}, "2 r"),
    ],
)
def test_a_centred_array_sums_to_zero(text, shapes, wanted):
    d = derived(text, shapes)
    assert any(line.startswith(f"∂f/∂{d.variables[0].name} = {wanted} ") for line in lines(d.text(), "Result")), (
        d.text()
    )
    assert byhand.check(d, oracles="quick", seeds=1).ok


def test_an_array_that_is_not_centred_does_not():
    for text in (
        "c = X - mean(X, axis=1, keepdims=True)\nsum(c, axis=0) @ a",
        "c = X - 2*mean(X, axis=0)\nsum(c, axis=0) @ a",
    ):
        d = derived(text, {"X": "N D", "a": "D"}, "X")
        X, a = np.random.default_rng(0).standard_normal((5, 3)), np.arange(3.0)
        assert np.abs(d.function()(X=X, a=a)[1]["X"]).max() > 1e-3


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("logdet(X @ X.T)", {"X": "n m"}),
        ("logdet(X.T @ X)", {"X": "n m"}),
        ("logdet(A + A.T + X @ X.T)", {"X": "n m", "A": "n n"}),
    ],
)
def test_symmetric_by_its_making(text, shapes):
    printed = derived(text, shapes, "X").text(level="result").split("Result")[1]
    assert "⁻ᵀ" not in printed and printed.count("⁻¹") == 1, printed


@pytest.mark.parametrize(("declared", "target"), [("labels", "N"), ("simplexrows", "N C")])
def test_the_differential_of_cross_entropy_is_one_rule(declared, target):
    d = derived(
        "Z = X @ W + b\nmean(cross_entropy(Z, t))",
        {"X": "N D", "W": "D C", "b": "C", "t": target},
        ["W", "b"],
        {"t": declared},
    )
    (line,) = [line for line in lines(d.text(), "Differentials") if line.startswith("df")]
    assert "dZ⟩/N" in line and "cross-entropy of a softmax" in line, line
    if declared == "simplexrows":
        assert d.assumptions == ("the rows of t sum to one",)
    d = derived("mean(cross_entropy(Z, Y))", {"Z": "N C", "Y": "N C"}, "Z")  # any Y: its row sums stay
    assert "Y 1_C" in d.text()


def test_intermediates_and_terms_stand_in_the_authors_order():
    text = "Q = X @ Wq\nK = X @ Wk\nV = X @ Wv\nA = softmax(Q @ K.T, axis=1)\nsum((A @ V - T)**2)"
    d = derived(text, {"X": "m n", "Wq": "n p", "Wk": "n p", "Wv": "n q", "T": "m q"})
    assert [line.split(" = ")[0] for line in lines(d.text(), "Forward")][:3] == ["Q", "K", "V"]
    d = derived("z = b + W @ x\nsum(z**2)", {"W": "m n", "x": "n", "b": "m"})
    assert lines(d.text(), "Forward")[0].startswith("z = b + W x")


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_results_of_deep_networks_are_flat(depth):
    net = byhand.MLP("-".join(map(str, range(9, 9 - depth, -1))), activation="tanh", loss="mse", l2="lam")
    for notation in ("differential", "index"):
        text = byhand.derive(net).text(notation)
        for line in lines(text, "Result"):
            nested = [line[:k].count("(") - line[:k].count(")") for k in range(line.find("  ") + 1)]
            assert max(nested) <= 2, line
    assert "≔ ∂L/∂Z1 = " in byhand.derive(net).text(level="result")


def test_a_letter_gives_way_to_a_name():
    d = derived("Z1 = X @ W1\nH1 = tanh(Z1)\nZ2 = H1 @ W2\nH2 = tanh(Z2)\nR = H2 @ Delta1\nsum(R**2)",
                {"X": "n a", "W1": "a b", "W2": "b c", "Delta1": "c d"})  # fmt: skip
    assert "≔" not in d.text() and byhand.check(d, oracles="quick", seeds=1).ok


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("Q = outer(u, ones(3))*outer(v, ones(3))\nsum(tanh(Q)) + sum(sin(u*v))", {"u": "4", "v": "4"}),
        ("Z = maximum(a[:, None]*ones((4, 3)), K*w)\nsum(Z**2) + sum(a*K[:, 0]*w)", {"a": "4", "K": "4 1", "w": "1"}),
        ("sum((sigmoid(logsumexp(K, axis=0, keepdims=True)) @ v[2:3] - T)**2)", {"K": "4 1", "T": "2 4 3", "v": "3"}),
        ("h = a*b*ones((5, 3))\nsum(sin(h)) + sum((a*b)**2)", {"a": "3", "b": "3"}),
    ],
)
def test_a_product_that_is_repeated_along_an_axis_is_no_part_of_others(text, shapes):
    assert byhand.check(derived(text, shapes), oracles="quick", seeds=1).ok


X, Y = np.array([0.5, -0.7, 1.1]), np.array([0.3, -0.4, 0.8])


@pytest.mark.parametrize(
    ("text", "x", "y"),
    [
        ("z = x*sqrt(y)\nsum(where(y > 0, z, x*y**3))", X, Y),
        ("s = sqrt(1 + y)\nsum(where(1 + y > 0, s, x*(1 + y)**3))", X, Y - 1),
        ("s = 1/sqrt(1 + y)\nsum(where(1 + y > 0, s, x/(1 + y)**2))", X, Y - 1),
        ("sum(where(y > 0, x/sqrt(y), x/y))", X, Y),
        ("sum(where(y > 0, x*y**1.5, x*y**2))", X, Y),
    ],
)
def test_a_power_is_written_by_a_root_only_where_the_root_has_a_value(text, x, y):
    d = derived(text, {"x": "n", "y": "n"}, ["x", "y"])
    with np.errstate(invalid="ignore"):
        assert np.isfinite(byhand.evaluate(d.f, x=x, y=y))
        for name, wanted in slopes(text, x, y).items():
            np.testing.assert_allclose(byhand.evaluate(d.gradients[name], x=x, y=y), wanted, rtol=1e-7, atol=1e-9)


def test_a_power_is_written_by_a_root_of_what_is_positive():
    d = derived("s = sqrt(1 + y**2)\nsum(x*s) + sum(x*(1 + y**2)**2)", {"x": "n", "y": "n"})
    assert any("s^∘4" in line for line in lines(d.text(), "Forward")), d.text()
    assert byhand.check(d, oracles="quick", seeds=1).ok


def slopes(text, x, y, step=1e-4):
    """Gradients by central differences of fourth order, of the text as it was typed."""
    f = byhand.parse(text, {"x": "n", "y": "n"})
    weights = {1: 2 / 3, -1: -2 / 3, 2: -1 / 12, -2: 1 / 12}
    moves = np.eye(x.size) * step

    def along(name, move):
        return sum(
            w * byhand.evaluate(f, **{**{"x": x, "y": y}, name: {"x": x, "y": y}[name] + k * move})
            for k, w in weights.items()
        )

    return {name: np.array([along(name, move) / step for move in moves]) for name in ("x", "y")}

"""Explanations on any graph: they always print, a mend gives the right gradient, a name explains the numbers."""

import json

import numpy as np
import pytest
from random_graphs import close, complaints, diagonal, random_graph, softmax, tamperings

from byhand.check.gradient import check_gradient
from byhand.check.mistakes import MISTAKES
from byhand.expr.evaluate import evaluate
from byhand.expr.parse import parse


def rng(seed=0):
    return np.random.default_rng(seed)


def checked(text, gradient, values, **shapes):
    """The report on a wrong gradient, printed in every way, its mends evaluated."""
    report = check_gradient(parse(text, shapes=shapes), gradient, values)
    assert not report.ok
    printed = report.text() + report.html() + json.dumps(report.to_dict(), allow_nan=False)
    assert all(d.name in report.text() for d in report.diagnoses) and printed
    return report


def mends(report, values):
    """{name: value} of the formulas of all mends."""
    return {name: evaluate(e, **values) for d in report.diagnoses for name, e in d.formulas}


# ---- random graphs; `python tests/random_graphs.py 300` takes more of them


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed):
    """No exception, no wrong verdict, no mend that is not the right gradient: complex step decides."""
    assert list(complaints(check_gradient, parse, evaluate, seed)) == []


@pytest.mark.parametrize("seed", range(100, 106))
def test_slips_of_one_derivative_are_named(seed):
    """One derivative that is cut, scaled, or a softmax's diagonal has a name; one that is wrong entry by entry has none."""
    g = random_graph(seed)
    f, values = parse(g.text, shapes=g.shapes), g.values
    names = [n for n in values if n[0] not in "YyG"]
    right = g.gradient(values, names)
    for what, slip in tamperings(g).items():
        given = g.gradient(values, names, slip)
        if all(close(given[n], right[n]) for n in names) or what.startswith("path"):
            continue
        found = check_gradient(f, lambda s=slip, **v: g.gradient(v, names, s), values).diagnoses
        numbers = {d.mistake for d in found} | {a for d in found for a in d.alternatives}
        kind = what.split()[0]
        assert (None in numbers) == (kind == "uneven"), (what, g.text, numbers)
        assert kind != "diagonal" or numbers == {14}, (what, g.text, numbers)


# ---- every candidate on graphs that are no classifier


def test_softmax_that_is_no_output():
    v = {"X": rng().normal(size=(5, 3)), "W": rng(1).normal(size=(3, 4)), "V": rng(2).normal(size=(4, 2))}
    ones = {"W": np.ones((3, 4))}
    text = "P = softmax(X @ W, axis=1)\n"
    inside = checked(text + "sum((P @ V)**2)", ones, v, X="n d", W="d k", V="k p")
    entropy = checked(text + "sum(P*log(P))", ones, {n: v[n] for n in "XW"}, X="n d", W="d k")
    for report in (inside, entropy):
        assert report.verdicts == {"W": "wrong"} and [d.mistake for d in report.diagnoses] == [None]


@pytest.mark.parametrize("axis", [0, 1])
def test_diagonal_of_a_softmax_anywhere(axis):
    values = {"X": rng().normal(size=(5, 3)), "V": rng(1).normal(size=(5, 3)), "W": rng(2).normal(size=(3, 3))}

    def gradient(X, V, W):
        p = softmax(X @ W, axis)
        return {"W": X.T @ (2 * (p - V) * p * (1 - p))}

    report = checked(f"P = softmax(X @ W, axis={axis})\nsum((P - V)**2)", gradient, values, X="n d", V="n k", W="d k")
    assert [(d.mistake, d.place) for d in report.diagnoses] == [(14, "P")]
    assert np.array_equal(diagonal(np.eye(2)[0], np.array([1j, 2j])), [1, 0])


def test_samples_as_columns():
    """No 1/6, one sample only, one column of the bias: which axis counts samples, the labels decide."""
    values = {"w": rng().normal(size=(1, 3)), "b": rng(1).normal(size=(1, 1)), "X": rng(2).normal(size=(3, 6))}
    values["y"] = (rng(3).normal(size=(1, 6)) > 0) * 1.0

    def backward(n=6, only=slice(None), column=slice(None)):
        def run(w, b, X, y):
            d = (1 / (1 + np.exp(-(w @ X + b))) - y) / n
            d = d * np.isin(np.arange(6), np.arange(6)[only])
            return {"w": d @ X.T, "b": d[:, column].sum(axis=1, keepdims=True)}

        return run

    text = "z = w @ X + b\nsum(softplus(z) - y*z)/6"
    for gradient, mistake in ((backward(n=1), 1), (backward(only=slice(2, 3)), 29), (backward(n=36), 2)):
        report = checked(text, gradient, values, w="1 d", b="1 1", X="d 6", y="1 6")
        assert [d.mistake for d in report.diagnoses] == [mistake], report.text()
        assert report.diagnoses[0].mend == "dz = (1/6) (σ(z) − y)"


def test_a_weight_used_twice():
    text = "h1 = tanh(x @ W)\nh2 = tanh(h1 @ W)\nsum(h2**2)"
    values = {"x": rng().normal(size=3), "W": rng(1).normal(size=(3, 3))}

    def last_step_only(x, W):
        h1 = np.tanh(x @ W)
        h2 = np.tanh(h1 @ W)
        return {"W": np.outer(h1, 2 * h2 * (1 - h2**2))}

    report = checked(text, last_step_only, values, x="d", W="d d")
    (d,) = report.diagnoses
    assert d.mistake == 39 and "a path to W is forgotten" in d.name
    h1 = np.tanh(values["x"] @ values["W"])
    h2 = np.tanh(h1 @ values["W"])
    up = 2 * h2 * (1 - h2**2)
    right = np.outer(h1, up) + np.outer(values["x"], (values["W"] @ up) * (1 - h1**2))
    assert np.allclose(mends(report, values)["dW"], right)


def test_tied_weights_with_one_use_forgotten():
    values = {"X": rng().normal(size=(5, 4)), "W": rng(1).normal(size=(4, 3))}
    g = 2 * np.tanh(values["X"] @ values["W"]) @ values["W"].T - 2 * values["X"]
    decoder_only = {"W": g.T @ np.tanh(values["X"] @ values["W"])}
    report = checked("H = tanh(X @ W)\nsum((H @ W.T - X)**2)", decoder_only, values, X="n d", W="d k")
    assert [d.mistake for d in report.diagnoses] == [39]


def test_intermediates_that_depend_on_each_other():
    W = rng().normal(size=(2, 2)) + 3 * np.eye(2)
    report = checked("H = inv(W)@W.T\nsum(H)", {"W": np.zeros((2, 2))}, {"W": W}, W="b b")
    assert report.verdicts["W"] == "wrong" and report.diagnoses[0].mend


def test_a_constant_loss():
    f, X = parse("trace(X - X) + 3", shapes={"X": "n n"}), rng().normal(size=(3, 3))
    assert check_gradient(f, {"X": np.zeros((3, 3))}, {"X": X}).verdicts["X"] == "right"
    report = check_gradient(f, {"X": np.ones((3, 3))}, {"X": X})
    assert report.verdicts["X"] == "wrong" and report.text() and mends(report, {"X": X})["dX"].shape == (3, 3)


# ---- names that need a role


NORM = {
    "rows": "M = X - mean(X, axis=1, keepdims=True)\nsum(G*M/sqrt(mean(M**2, axis=1, keepdims=True) + 0.00001))",
    "named": "m = mean(X, axis=1)\nv = mean((X - m[:, None])**2, axis=1)\nsum(G*(X - m[:, None])/sqrt(v + 0.00001)[:, None])",
}


@pytest.mark.parametrize("spelled", NORM)
@pytest.mark.parametrize(("mean", "variance"), [(False, True), (True, False), (False, False)])
def test_paths_through_statistics(spelled, mean, variance):
    values = {"X": rng().normal(size=(5, 7)), "G": rng(1).normal(size=(5, 7))}

    def gradient(X, G):
        M = X - X.mean(1, keepdims=True)
        s = 1 / np.sqrt((M**2).mean(1, keepdims=True) + 1e-5)
        d = s * (G - variance * M * s * (G * M * s).mean(1, keepdims=True))
        return {"X": d - mean * d.mean(1, keepdims=True)}

    found = checked(NORM[spelled], gradient, values, X="n k", G="n k").diagnoses
    numbers = {34, *((None, 39) if spelled == "rows" and not variance else ())}  # M, nameless, is used twice there
    assert {d.mistake for d in found} <= numbers, found[0]
    if spelled == "named":
        assert ("mean m" in found[0].name) != mean and ("variance v" in found[0].name) != variance
    assert all("sum(axis" not in d.mend for d in found)


def test_a_sign_outside_the_classifier():
    """½‖σ(XW) − Y‖² with Y − o: the mend is the derivative of that loss, without 1/6."""
    s = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    values = {"X": rng().normal(size=(6, 3)), "W": rng(1).normal(size=(3, 2)), "Y": rng(2).random((6, 2))}
    g = lambda X, W, Y: {"W": X.T @ ((Y - s(X @ W)) * s(X @ W) * (1 - s(X @ W)))}  # noqa: E731
    report = checked("z = X @ W\no = sigmoid(z)\n0.5*sum((o - Y)**2)", g, values, X="n d", W="d k", Y="n k")
    (d,) = report.diagnoses
    assert d.name == "Y − o instead of o − Y" and d.mend == "do = o − Y"


@pytest.mark.parametrize(
    ("loss", "ratio", "missing"),
    [("sum((X@w-y)**2)", 0.5, "2"), ("0.5*sum((X@w-y)**2)", 2.0, "1/2"), ("sum((X@w-y)**2)/3", 3.0, "1/3")],
)
def test_a_constant_factor(loss, ratio, missing):
    values = {"X": rng().normal(size=(6, 3)), "w": rng(1).normal(size=3), "y": rng(2).normal(size=6)}
    f = parse(loss, shapes={"X": "m n", "w": "n", "y": "m"})
    (factor,) = {0.5: [2.0], 2.0: [1.0], 3.0: [2 / 3]}[ratio]
    right = factor * values["X"].T @ (values["X"] @ values["w"] - values["y"])
    report = check_gradient(f, {"w": ratio * right}, values)
    (d,) = report.diagnoses
    assert d.mistake == 37 and d.name == f"a constant factor {missing} is missing"
    assert "no mistake of the catalogue" not in report.text() and np.allclose(mends(report, values)["dw"], right)


def test_any_factor_at_one_place_and_none_of_a_single_number():
    values = {"X": rng().normal(size=(6, 3)), "A": rng(1).normal(size=(3, 4)), "t": np.array(1.3)}
    f = parse("H = tanh(X @ A)\nsum(t*H)", shapes={"X": "n d", "A": "d k", "t": ""})
    H = np.tanh(values["X"] @ values["A"])
    right = {"A": 1.3 * values["X"].T @ (1 - H**2), "t": np.sum(H)}
    (d,) = check_gradient(f, {"A": 1.7 * right["A"], "t": right["t"]}, values).diagnoses
    assert d.mistake == 37 and d.name == "a constant factor 10/17 is missing"
    (d,) = check_gradient(f, {"A": right["A"], "t": 1.7 * right["t"]}, values).diagnoses
    assert d.mistake is None  # any number is a multiple of another


def test_exchanged_and_forgotten_tensors():
    values = {"X": rng().normal(size=(6, 3)), "A": rng(1).normal(size=(3, 4)), "B": rng(2).normal(size=(3, 4))}

    def gradient(X, A, B):
        Q, K = X @ A, X @ B
        return {"A": X.T @ ((1 - np.tanh(Q) ** 2) * K), "B": X.T @ np.tanh(Q)}

    right = gradient(**values)
    text, shapes = "Q = X @ A\nK = X @ B\nsum(tanh(Q)*K)", {"X": "n d", "A": "d k", "B": "d k"}
    report = checked(text, {"A": right["B"], "B": right["A"]}, values, **shapes)
    assert [d.name for d in report.diagnoses] in (
        [["the gradients of A and B are exchanged"], ["the gradients of B and A are exchanged"]]
    )
    assert all(np.allclose(m, right[n[1:]]) for n, m in mends(report, values).items())
    report = checked(text, {"A": 0 * right["A"], "B": right["B"]}, values, **shapes)
    assert {28, 41} <= {report.diagnoses[0].mistake, *report.diagnoses[0].alternatives}


def test_a_forgotten_factor():
    values = {n: rng(k).normal(size=s) for k, (n, s) in enumerate({"x": (7, 5), "g": (5,), "W": (5, 3)}.items())}
    text = "h = tanh(x)\ns = g*h\nsum((s @ W)**2)"

    def gradient(x, g, W):
        ds = 2 * (g * np.tanh(x)) @ W @ W.T
        return {"x": ds * (1 - np.tanh(x) ** 2), "g": (ds * np.tanh(x)).sum(0)}

    (d,) = checked(text, gradient, values, x="n k", g="k", W="k p").diagnoses
    assert d.mistake == 40 and d.name == "the factor g is forgotten on the way to h" and d.mend == "dh = ds diag(g)"


# ---- black boxes


def test_rank_one_anyway():
    """aᵀ X b has a gradient of rank 1: `one sample only` would hold of the right one, too."""
    v = {"a": rng().normal(size=5), "X": rng(1).normal(size=(5, 4)), "b": rng(2).normal(size=4)}
    report = check_gradient(lambda a, X, b: a @ X @ b, lambda a, X, b: {"X": np.outer(a, b**2)}, v, "X")
    assert [d.mistake for d in report.diagnoses] == [None] and report.diagnoses[0].mend == "dX = a bᵀ"


def test_one_sample_of_a_black_box():
    v = {"X": rng().normal(size=(6, 3)), "Y": rng(1).normal(size=(6, 2)), "W": rng(2).normal(size=(3, 2))}
    loss = lambda X, Y, W: ((X @ W - Y) ** 2).sum() / len(X)  # noqa: E731
    one = {"W": 2 * v["X"][4:5].T @ (v["X"] @ v["W"] - v["Y"])[4:5]}
    (d,) = check_gradient(loss, one, v).diagnoses
    assert d.mistake == 29 and "sample 4 alone" in d.evidence


def test_mends_of_a_black_box_are_formulas_in_what_was_returned():
    v = {"X": rng().normal(size=(6, 3)), "A": rng(1).normal(size=(3, 3)), "b": rng(2).normal(size=3)}
    loss = lambda X, A, b: np.sum(np.tanh(X @ A + b)) + 0.1 * (A**2).sum()  # noqa: E731
    s = 1 - np.tanh(v["X"] @ v["A"] + v["b"]) ** 2
    right = {"A": v["X"].T @ s + 0.2 * v["A"], "b": s.sum(0)}
    wrong = {
        "−A": ({"A": -right["A"], "b": -right["b"]}, 6),
        "A.T": ({**right, "A": right["A"].T}, 18),
        "6 b": ({**right, "b": 6 * right["b"]}, 37),
        "b/6": ({**right, "b": right["b"] / 6}, 26),
        "no λ": ({**right, "A": right["A"] - 0.2 * v["A"]}, 8),
    }
    for given, mistake in wrong.values():
        (d,) = check_gradient(loss, given, v).diagnoses
        assert d.mistake == mistake and d.mend
        for name, formula in d.formulas:
            own = {n: given[n[1:]] if n[0] == "d" else v[n] for n in formula.symbols}
            assert np.allclose(evaluate(formula, **own), right[name[1:]]), d.lines()


def test_a_float32_gradient_that_should_be_zero_is_wrong():
    v = {"M": rng().normal(size=(3, 3)), "N": rng(1).normal(size=(3, 3))}
    f = parse("trace(M @ M) + 0*sum(N)", shapes={"M": "d d", "N": "d d"})
    given = {"M": 2 * v["M"].T.astype(np.float32), "N": np.eye(3, dtype=np.float32)}
    assert check_gradient(f, given, v).verdicts == {"M": "right", "N": "wrong"}


def test_names_leave_nothing_open():
    """A row prints without words, too."""
    for row in MISTAKES.values():
        d = row.diagnosis("W", "evidence")
        assert "{" not in d.name and not d.mend

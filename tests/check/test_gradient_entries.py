"""Each entry by its own size; entries lost in rounding; symmetric variables; the cost of a verdict."""

import numpy as np
import pytest
from wrong_gradients import gradient, network

from byhand.check.entries import ENTRY, Band, bands, lost_in_rounding
from byhand.check.gradient import check_gradient
from byhand.derive.derivation import derive
from byhand.expr.evaluate import bind, evaluate_node
from byhand.expr.parse import parse
from byhand.nets.mlp import MLP


def black(net):
    def loss(**values):
        bound, sizes = bind(net.expression, values)
        return evaluate_node(net.expression.root, bound, sizes)

    return loss


def small_inputs(seed=0):
    """A network whose first input is tiny: so is the first row of dW1, and as well known as the others."""
    values, sizes = network(np.random.default_rng(seed))
    values.pop("lam")
    values["X"][:, 0] *= 1e-9
    net = MLP(sizes, "tanh")
    return net, derive(net).function("numpy"), values


@pytest.mark.parametrize("known", [True, False], ids=["network", "black box"])
def test_a_tiny_entry_is_judged_by_its_own_size(known):
    net, function, values = small_inputs()
    loss = net if known else black(net)
    right = function(**values)[1]
    assert abs(right["W1"][0, 1]) < 1e-7 * np.abs(right["W1"]).max()
    assert check_gradient(loss, lambda **v: function(**v)[1], values).ok
    assert check_gradient(loss, right, values).ok
    wrong = {**right, "W1": right["W1"].copy()}
    wrong["W1"][0, 1] *= 1 + 1e-4
    assert check_gradient(loss, wrong, values).verdicts["W1"] == ("wrong" if known else "not checkable")
    report = check_gradient(loss, lambda **v: {**function(**v)[1], "W1": wrong["W1"]}, values)
    assert report.verdicts["W1"] == "wrong" and [n for n, v in report.verdicts.items() if v == "wrong"] == ["W1"]
    assert "right by its norm" in report.rows[0].note and "single entries" in report.diagnoses[0].name
    wrong["W1"][0, 1] = 0.0
    assert check_gradient(loss, wrong, values).verdicts["W1"] != "right"


def test_bands_hold_every_entry_once_and_weigh_it_by_its_size():
    rng = np.random.default_rng(0)
    g = rng.standard_normal((7, 11)) * 10.0 ** rng.integers(-30, 0, (7, 11))
    g[0, :3] = 0.0
    found = list(bands(g, rng.standard_normal(g.shape)))
    places = np.concatenate([b.places for b in found])
    assert sorted(places) == list(range(g.size)) and len(found) > 2
    for b in found:
        part = np.abs(g.flat[b.places] * b.direction.flat[b.places]) / b.size
        assert np.all(part <= 1.0) and np.all(part[g.flat[b.places] != 0] >= 0.49)


def test_what_rounding_hides_is_followed_to_its_entries():
    band = Band(1.0, np.ones(64), np.arange(64))
    gaps, noises = np.zeros(64), np.full(64, 1e-9)
    gaps[5], noises[5] = 1e-3, 1e-2

    def probe(part):
        return abs(gaps[part.places].sum()), noises[part.places].sum(), 1.0

    assert lost_in_rounding(band, probe) == (1, None)
    gaps[40] = 20 * ENTRY
    hidden, wrong = lost_in_rounding(band, probe)
    assert hidden <= 1 and wrong is not None and 40 in wrong.places and 5 not in wrong.places


def test_converged_gradients_never_fail_and_fakes_never_pass():
    """Terms of order one cancel to 1e-8: what is left is partly rounding."""
    rng = np.random.default_rng(3)
    X, w = rng.standard_normal((40, 6)), rng.standard_normal(6)
    y = X @ w + rng.standard_normal(40)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    values = {"X": X, "y": y, "w": best * (1 + 1e-9)}
    f = parse("mean((X @ w - y)**2)", shapes={"X": "N D", "y": "N", "w": "D"})

    def loss(X, y, w):
        return ((X @ w - y) ** 2).mean()

    def other_order(X, y, w):
        return {"w": 2 * (X.T @ X @ w - X.T @ y) / len(y)}

    for target in (f, loss):
        report = check_gradient(target, other_order, values)
        assert report.verdicts["w"] != "wrong", report.text()
        for fake in (-1.0, 0.0, 3.0):
            wrong = check_gradient(target, lambda k=fake, **v: {"w": k * other_order(**v)["w"]}, values)
            assert wrong.verdicts["w"] != "right", wrong.text()


# ---- symmetric variables


@pytest.mark.parametrize("text", ["a @ S @ b", "logdet(S) + a @ inv(S) @ b"])
@pytest.mark.parametrize("given", ["symmetric", "spd"])
def test_both_conventions_for_symmetric_variables_are_right(text, given):
    rng = np.random.default_rng(0)
    s = rng.standard_normal((5, 5))
    values = {"a": rng.standard_normal(5), "b": rng.standard_normal(5), "S": s @ s.T + np.eye(5)}
    shapes = {"a": "n", "S": "n n", "b": "n"}
    f = parse(text, shapes=shapes, assume={"S": given})
    free, plain = (
        derive(f, "S", free_entries=True).function("numpy"),
        derive(parse(text, shapes=shapes), "S").function("numpy"),
    )
    report = check_gradient(f, lambda **v: free(**v)[1], values)
    assert report.ok and "free entries" in report.notes[0], report.text()
    assert check_gradient(f, lambda **v: plain(**v)[1], values).ok
    assert check_gradient(f, lambda **v: {"S": (lambda g: (g + g.T) / 2)(plain(**v)[1]["S"])}, values).ok
    assert check_gradient(f, lambda **v: {"S": 2 * plain(**v)[1]["S"]}, values).verdicts["S"] == "wrong"
    negated = check_gradient(f, {"S": -plain(**values)[1]["S"]}, values)
    assert [d.mistake for d in negated.diagnoses] == [6]


# ---- cost


def test_a_verdict_takes_few_calls_whether_right_or_wrong():
    values, sizes = network(np.random.default_rng(2))
    net = MLP(sizes, "tanh", l2="lam")
    forward, calls = black(net), []

    def loss(**v):
        calls.append("loss")
        return forward(**v)

    def backward(factor):
        def run(**v):
            calls.append("gradient")
            g = gradient(v, "tanh")
            return {**g, "W2": factor * g["W2"]}

        return run

    for factor, losses, gradients in ((1.0, 7, 3), (1.01, 12, 3)):  # the twelfth is read, with symbolic arrays
        calls.clear()
        report = check_gradient(loss, backward(factor), values)
        assert report.verdicts["W2"] == ("right" if factor == 1.0 else "wrong")
        assert calls.count("loss") <= losses and calls.count("gradient") <= gradients, calls
        calls.clear()
        assert bool(report.diagnoses) == (factor != 1.0)
        assert bool(calls) == (factor != 1.0)  # the diagnosis is made when asked for
        calls.clear()
        assert report.diagnoses is report.diagnoses and not calls


def test_a_gradient_that_is_zero_to_rounding_is_right_and_anything_else_is_not():
    """A bias before batch normalisation: its gradient is a sum of terms that cancel."""
    text = "Z = X @ W + b\nmu = mean(Z, 0)\nL = sum(G * tanh(Z - mu))"
    f = parse(text, shapes={"X": "N D", "W": "D K", "b": "K", "G": "N K"})
    rng = np.random.default_rng(0)
    values = {"X": rng.standard_normal((9, 4)), "W": rng.standard_normal((4, 3))}
    values |= {"b": rng.standard_normal(3), "G": rng.standard_normal((9, 3))}

    def loss(X, W, b, G):
        Z = X @ W + b
        return (G * np.tanh(Z - Z.mean(axis=0))).sum()

    def backward(X, W, b, G):
        Z = X @ W + b
        D = G * (1 - np.tanh(Z - Z.mean(axis=0)) ** 2)
        D = D - D.mean(axis=0)
        return {"W": X.T @ D, "b": D.sum(axis=0)}

    for target in (f, loss):
        report = check_gradient(target, backward, values)
        assert report.ok and "zero to rounding" in report.rows[-1].note, report.text()
        wrong = check_gradient(target, lambda **v: {**backward(**v), "b": np.full(3, 1e-6)}, values)
        assert wrong.verdicts == {"W": "right", "b": "wrong"}, wrong.text()

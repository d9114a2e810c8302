"""Every mistake of the catalogue is named with its layer; several at once; never called right; unknown ones never misnamed."""

import numpy as np
import pytest
from wrong_gradients import ACTIVATIONS, SAME_WIDTHS, cases, forward, gradient, network

from byhand.check.gradient import check_gradient
from byhand.check.mistakes import MISTAKES
from byhand.derive.derivation import derive
from byhand.expr.parse import parse
from byhand.nets.mlp import MLP

ROWS = [(a, m, k) for a in ACTIVATIONS for m, k in cases(a)]
rng = np.random.default_rng(0)


def differ(a, b):
    return any(a[k].shape != b[k].shape or not np.allclose(a[k], b[k], rtol=1e-10, atol=1e-15) for k in a)


@pytest.mark.parametrize(("activation", "mistake", "layer"), ROWS, ids=[f"{a}-{m}-{k}" for a, m, k in ROWS])
def test_mistake_is_named(activation, mistake, layer):
    values, sizes = network(np.random.default_rng((1, mistake, layer)), mistake in SAME_WIDTHS)
    if not differ(gradient(values, activation, [(mistake, layer)]), gradient(values, activation)):
        pytest.skip("the same numbers as without the mistake")
    net = MLP(sizes, activation, l2="lam")
    report = check_gradient(net, lambda **v: gradient(v, activation, [(mistake, layer)]), values)
    assert [d.mistake for d in report.diagnoses] == [mistake], report.text()
    d = report.diagnoses[0]
    assert not report.ok and d.evidence and d.mend
    assert report.verdicts[d.tensor] == "wrong"


def test_every_row_of_the_catalogue_is_there():
    assert sorted(MISTAKES) == list(range(1, 45))


PAIRS = [
    ((1, 0), (18, 2)),
    ((8, 0), (20, 3)),
    ((27, 2), (18, 1)),
    ((7, 0), (9, 0)),
    ((26, 3), (1, 0)),
    ((4, 0), (7, 0)),
    ((12, 0), (25, 1)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_two_mistakes_at_once(pair):
    values, sizes = network(np.random.default_rng(4), same=any(m in SAME_WIDTHS for m, _ in pair))
    report = check_gradient(MLP(sizes, "tanh", l2="lam"), lambda **v: gradient(v, "tanh", pair), values)
    assert sorted(d.mistake for d in report.diagnoses) == sorted(m for m, _ in pair), report.text()


@pytest.mark.parametrize("seed", range(5))
def test_unknown_mistake_is_not_misnamed(seed):
    values, sizes = network(np.random.default_rng(seed))

    def wrong(**v):
        g = gradient(v, "tanh")
        return {**g, "W2": g["W2"] * (1 + 0.1 * np.cos(np.arange(g["W2"].size)).reshape(g["W2"].shape))}

    report = check_gradient(MLP(sizes, "tanh", l2="lam"), wrong, values)
    assert [(d.mistake, d.tensor) for d in report.diagnoses] == [(None, "W2")]
    assert "right above it: db3, dW3, db2" in report.diagnoses[0].evidence


def test_ratio_and_batch_size_stand_in_the_evidence():
    values, sizes = network(np.random.default_rng(2), samples=32)
    report = check_gradient(
        MLP(sizes, "tanh", l2="lam"), lambda **v: {n: 32 * g for n, g in gradient(v, "tanh").items()}, values
    )
    (d,) = report.diagnoses
    assert d.mistake == 1 and "your value is 32 × the right one in every tensor, and N = 32" in d.evidence


def test_coinciding_ratios_are_told_apart_at_another_batch_size():
    values, sizes = network(np.random.default_rng(2))
    values["X"], values["y"] = values["X"][: sizes[3]], values["y"][: sizes[3]]  # N = C
    net = MLP(sizes, "tanh", l2="lam")
    for mistake in (2, 3):
        report = check_gradient(net, lambda m=mistake, **v: gradient(v, "tanh", [(m, 0)]), values)
        assert [d.mistake for d in report.diagnoses] == [mistake]
    fixed = check_gradient(net, gradient(values, "tanh", [(3, 0)]), values)
    assert {fixed.diagnoses[0].mistake, *fixed.diagnoses[0].alternatives} == {2, 3}


# ---- rows that need a loss or a program of their own


def test_accumulated_and_stale_buffers():
    values, sizes = network(np.random.default_rng(3))
    net, buffer, cache = MLP(sizes, "tanh", l2="lam"), {}, {}

    def accumulated(**v):
        for n, g in gradient(v, "tanh").items():
            buffer[n] = buffer.get(n, 0) + g
        return {n: g.copy() for n, g in buffer.items()}

    def stale(**v):
        return cache.setdefault("first", gradient(v, "tanh"))

    for function in (accumulated, stale):
        report = check_gradient(net, function, values)
        assert [d.mistake for d in report.diagnoses] == [31] and not report.ok


def test_float32_is_judged_by_its_own_floor():
    values, sizes = network(np.random.default_rng(3))
    net = MLP(sizes, "tanh", l2="lam")
    small = {n: np.float32(v) if n != "y" else v for n, v in values.items()}

    def single(**v):
        return {n: g.astype(np.float32) for n, g in gradient(v, "tanh").items()}

    assert check_gradient(net, single, small).ok
    assert check_gradient(net, single(**small), small).ok
    assert (
        check_gradient(net, lambda **v: {n: 1.001 * g for n, g in single(**v).items()}, small).verdicts["W1"] == "wrong"
    )


def test_upstream_gradient_ignored():
    f = parse("A = tanh(X @ W + b)\nL = sum(G * A)", shapes={"X": "N D", "W": "D K", "b": "K", "G": "N K"})
    values = {
        "X": rng.standard_normal((7, 4)),
        "W": rng.standard_normal((4, 3)),
        "b": rng.standard_normal(3),
        "G": rng.standard_normal((7, 3)),
    }

    def wrong(X, W, b, G):
        d = 1 - np.tanh(X @ W + b) ** 2
        return {"W": X.T @ d, "b": d.sum(axis=0)}

    assert [d.mistake for d in check_gradient(f, wrong, values).diagnoses] == [33]


def test_statistics_as_constants():
    text = "mu = mean(X, 0)\nvar = mean((X - mu)**2, 0)\nXh = (X - mu)/sqrt(var + 0.00001)\nY = g*Xh + c\nL = sum(G*tanh(Y))"
    f = parse(text, shapes={"X": "N D", "g": "D", "c": "D", "G": "N D"})
    values = {
        "X": rng.standard_normal((9, 4)),
        "g": rng.standard_normal(4),
        "c": rng.standard_normal(4),
        "G": rng.standard_normal((9, 4)),
    }

    def backward(constant):
        def run(X, g, c, G):
            s = np.sqrt(X.var(axis=0) + 1e-5)
            xh = (X - X.mean(axis=0)) / s
            d = G * (1 - np.tanh(g * xh + c) ** 2)
            dxh = d * g
            dx = dxh if constant else dxh - dxh.mean(axis=0) - xh * (dxh * xh).mean(axis=0)
            return {"X": dx / s, "g": (d * xh).sum(axis=0), "c": d.sum(axis=0)}

        return run

    assert check_gradient(f, backward(False), values).ok
    assert [d.mistake for d in check_gradient(f, backward(True), values).diagnoses] == [34]


def test_broadcast_to_a_square():
    f = parse("Z = X @ W + b\nL = mean((Z - y)**2)", shapes={"X": "N D", "W": "D 1", "b": "1", "y": "N 1"})
    values = {
        "X": rng.standard_normal((9, 4)),
        "W": rng.standard_normal((4, 1)),
        "b": rng.standard_normal(1),
        "y": rng.standard_normal((9, 1)),
    }

    def summed(X, W, b, y):
        d = 2 * (X @ W + b - y[:, 0]) / len(X) ** 2
        return {"W": X.T @ d.sum(axis=1, keepdims=True), "b": d.sum()[None]}

    def shaped(X, W, b, y):
        d = 2 * (X @ W + b - y[:, 0]) / len(X)
        return {"W": X.T @ d, "b": d.sum(axis=0)}

    for wrong in (summed, shaped):
        assert [d.mistake for d in check_gradient(f, wrong, values).diagnoses] == [35]


def test_overflow():
    values, sizes = network(np.random.default_rng(3))
    values["W3"] = 1e4 * values["W3"]

    def naive(**v):
        h, _ = forward(v, "tanh")
        p = h[3]
        up = -np.eye(p.shape[1])[v["y"]] / p / len(p)
        d = p * (up - (up * p).sum(axis=1, keepdims=True))
        return {**gradient(v, "tanh"), "W3": h[2].T @ d + 2 * v["lam"] * v["W3"], "b3": d.sum(axis=0)}

    report = check_gradient(MLP(sizes, "tanh", l2="lam"), naive, values)
    assert [d.mistake for d in report.diagnoses] == [
        36
    ] and "the smallest entry of softmax(Z3) is 0" in report.diagnoses[0].evidence


# ---- black boxes


def loss_of(activation):
    def loss(X, y, lam, W1, b1, W2, b2, W3, b3):
        weights = {"W1": W1, "b1": b1, "W2": W2, "b2": b2, "W3": W3, "b3": b3}
        h, _ = forward({"X": X, **weights}, activation)
        return -np.log(h[3][np.arange(len(y)), y]).mean() + lam * sum((weights[f"W{k}"] ** 2).sum() for k in (1, 2, 3))

    return loss


@pytest.mark.parametrize(("mistake", "layer"), [(6, 0), (8, 2), (9, 3), (11, 1), (18, 2), (26, 2), (27, 3)])
def test_black_box_tells_ratios_signs_zeros_transposes_and_regularisers(mistake, layer):
    values, _ = network(np.random.default_rng(6))
    g = gradient(values, "tanh", [] if mistake == 18 else [(mistake, layer)])
    if mistake == 18:  # the regulariser's part with it
        g["W2"] = g["W2"].T
    report = check_gradient(loss_of("tanh"), g, values)
    assert [d.mistake for d in report.diagnoses] == [mistake], report.text()


def test_black_box_batch_factor():
    values, sizes = network(np.random.default_rng(6))
    values["lam"] = 0.0
    report = check_gradient(loss_of("relu"), lambda **v: gradient(v, "relu", [(1, 0)]), values)
    assert report.diagnoses[0].mistake == 1 and f"N = {len(values['X'])}" in report.diagnoses[0].evidence
    derived = derive(MLP(sizes, "relu")).function("numpy")
    assert check_gradient(loss_of("relu"), lambda lam, **v: derived(**v)[1], values).ok

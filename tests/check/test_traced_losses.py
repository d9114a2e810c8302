"""Losses that are plain NumPy are read as expressions, so that mistakes in their gradients get names; else it is said why not."""

import numpy as np
import pytest

import byhand


def values():
    rng = np.random.default_rng(0)
    shapes = {"X": (7, 5), "W": (5, 3), "b": (3,)}
    return {n: rng.standard_normal(s) for n, s in shapes.items()} | {"y": rng.integers(0, 3, 7)}


def in_place(X, W, b, y):
    Z = X @ W + b
    Z -= Z.max(axis=1, keepdims=True)
    P = np.exp(Z)
    P /= P.sum(axis=1, keepdims=True)
    return -np.log(P[np.arange(len(X)), y]).sum() / len(X)


def standardised(X, W, b, y):
    H = (X - np.mean(X, axis=0)) / np.sqrt(np.var(X, axis=0) + 1e-5)
    Z = H @ W + b
    return np.mean(np.max(Z, axis=1)) + 0.5 * np.std(Z.reshape(-1))


def penalised(X, W, b, y):
    r = (X @ W + b).sum(axis=1).squeeze() - y.astype(float)
    return np.sum(r**2) / len(r) + 0.1 * np.sum(W**2)


LOSSES = {"in_place": in_place, "standardised": standardised, "penalised": penalised}


def gradient(loss, given, names):
    """By central differences, extrapolated: nothing of byhand."""
    found = {}
    for n in names:
        g = np.zeros_like(given[n])
        for at in np.ndindex(g.shape):
            step = np.zeros_like(g)
            step[at] = 1e-3
            d = [
                (loss(**{**given, n: given[n] + k * step}) - loss(**{**given, n: given[n] - k * step})) / (2e-3 * k)
                for k in (1, 2, 4)
            ]
            g[at] = (64 * d[0] - 20 * d[1] + d[2]) / 45
        found[n] = g
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_in_numpy_is_derived(name):
    given = values()
    f = byhand.trace(
        LOSSES[name],
        {n: " ".join({7: "N", 5: "D", 3: "K"}[k] for k in v.shape) for n, v in given.items()}
        if name != "in_place"
        else {n: " ".join(map(str, v.shape)) for n, v in given.items()},
        {"y": "labels"},
    )
    assert np.isclose(byhand.evaluate(f, **{n: given[n] for n in f.symbols}), LOSSES[name](**given), rtol=1e-12)
    wanted = gradient(LOSSES[name], given, ["W", "b"])
    for n, g in byhand.derive(f, ["W", "b"]).gradients.items():
        got = byhand.evaluate(g, **{k: given[k] for k in g.symbols})
        assert np.allclose(got, wanted[n], rtol=1e-6, atol=1e-8)


def test_a_mistake_in_a_numpy_gradient_gets_its_name():
    given = values()

    def wrong(X, W, b, y):
        Z = X @ W + b
        P = np.exp(Z - Z.max(1, keepdims=True))
        P /= P.sum(1, keepdims=True)
        P[np.arange(7), y] -= 1
        return {"W": X.T @ P, "b": P.sum(0)}  # no 1/N

    report = byhand.check_gradient(in_place, wrong, given)
    assert report.diagnoses[0].mistake == 1 and report.diagnoses[0].mend
    assert "[:, 0:" not in report.diagnoses[0].mend


def test_what_stops_the_reading_is_said_with_its_line():
    def loss(x):
        total = 0.0
        for k in range(len(x)):
            if x[k] > 0:
                total += x[k] ** 2
        return total

    report = byhand.check_gradient(loss, lambda x: {"x": 3 * x * (x > 0)}, {"x": np.array([1.0, -2.0, 0.5])})
    assert not report.ok
    assert any("the loss was not read" in note and "line" in note for note in report.notes)


@pytest.mark.parametrize("function, wanted", [
    (lambda X: np.sum(X.max(axis=0) - X.min(axis=0)), lambda X: np.sum(X.max(0) - X.min(0))),
    (lambda X: np.sum(np.var(X, axis=1, ddof=1)), lambda X: np.sum(np.var(X, axis=1, ddof=1))),
    (lambda X: np.sum(X.std(axis=0)), lambda X: np.sum(X.std(axis=0))),
    (lambda X: np.sum(np.cumsum(X, axis=1) ** 2), lambda X: np.sum(np.cumsum(X, axis=1) ** 2)),
    (lambda X: np.sum(np.stack([X, 2 * X], axis=1) ** 2), lambda X: np.sum(np.stack([X, 2 * X], axis=1) ** 2)),
    (lambda X: np.sum(np.vstack([X, X]) @ X.T) + np.hstack([X, X]).sum(), lambda X: np.sum(np.vstack([X, X]) @ X.T) + np.hstack([X, X]).sum()),
    (lambda X: np.sum(X.clip(-0.5, 0.5)) / len(X), lambda X: np.sum(X.clip(-0.5, 0.5)) / len(X)),
    (lambda X: np.sum(X * (X > 0).astype(float)), lambda X: np.sum(X * (X > 0))),
])  # fmt: skip
def test_numpy_functions_and_methods_of_symbolic_arrays(function, wanted):
    X = np.random.default_rng(0).standard_normal((7, 5))
    assert np.isclose(byhand.evaluate(byhand.trace(function, {"X": "n k"}), X=X), wanted(X), rtol=1e-12)

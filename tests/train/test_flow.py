"""`byhand.flow`: its numbers against PyTorch and counts made here, its warnings, its pictures."""

import numpy as np
import pytest
from oracles import torch

pytest.importorskip("sklearn")
from sklearn.datasets import load_digits

import byhand
from byhand.errors import ByhandError

RNG = np.random.default_rng(0)
DIGITS = load_digits(return_X_y=True)


def test_numbers_against_autograd_and_counts():
    net = byhand.MLP("7-11-5-3", activation=["relu", "tanh"])
    p = net.init(1)
    p["b1"][:4] -= 30  # so that some units die
    X, y = 3 * RNG.standard_normal((13, 7)), RNG.integers(0, 3, 13)
    found = byhand.flow(net, X, y, p)
    t = {n: torch.tensor(v, requires_grad=True) for n, v in p.items()}
    z1 = torch.tensor(X) @ t["W1"] + t["b1"]
    z2 = torch.relu(z1) @ t["W2"] + t["b2"]
    z3 = torch.tanh(z2) @ t["W3"] + t["b3"]
    loss = torch.nn.functional.cross_entropy(z3, torch.tensor(y))
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-12)
    for layer in found.layers:
        assert layer.gradient_norm == pytest.approx(t[layer.name].grad.norm().item(), rel=1e-12)
    slope2 = 1 - torch.tanh(z2) ** 2
    assert found.layers[0].dead == pytest.approx((z1 <= 0).all(0).double().mean().item()) and found.layers[0].dead > 0
    assert found.layers[1].dead is None
    assert found.layers[1].saturated == pytest.approx((slope2 < 0.01).double().mean().item())
    last = slope2.max().item() * np.linalg.norm(p["W3"], 2)
    assert found.layers[2].attenuation == 1
    assert found.layers[1].attenuation == pytest.approx(last, rel=1e-9)
    assert found.layers[0].attenuation == pytest.approx(last * np.linalg.norm(p["W2"], 2), rel=1e-9)
    P = torch.softmax(z3, 1).detach().numpy()
    assert np.allclose(found.residuals, P - np.eye(3)[y], rtol=0, atol=1e-14)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softmax", "softplus", "z*sigmoid(z)", "gelu"])
def test_the_attenuation_bound_holds(activation):
    net = byhand.MLP("5-7-3", activation=activation)
    p = {n: 2 * v for n, v in net.init(2).items()}
    X, y = RNG.standard_normal((11, 5)), RNG.integers(0, 3, 11)
    found = byhand.flow(net, X, y, p)
    tail = byhand.parse(  # the loss as a function of Z1
        f"mean(cross_entropy({byhand.MLP('5-7-3', activation=activation).text.splitlines()[1][5:].replace('Z1', 'Z')} @ W2 + b2, y))",
        shapes={"Z": "11 7", "W2": "7 3", "b2": "3", "y": "11"},
        assume={"y": "labels"},
    )
    Z = X @ p["W1"] + p["b1"]
    G = byhand.derive(tail, "Z").function()(Z=Z, W2=p["W2"], b2=p["b2"], y=y)[1]["Z"]
    assert (
        np.linalg.norm(G, axis=1) <= found.layers[0].attenuation * np.linalg.norm(found.residuals, axis=1) / 11 + 1e-15
    ).all()


def test_confident_mistakes_are_ranked():
    net = byhand.MLP("3-3", bias=False)
    X = np.eye(3)[[0, 1, 2, 0]]
    found = byhand.flow(net, X, np.array([0, 0, 2, 1]), {"W1": np.diag([9.0, 4.0, 1.0])})
    assert [(m.sample, m.target, m.predicted) for m in found.mistakes] == [(3, 1, 0), (1, 0, 1)]
    for m in found.mistakes:
        assert m.pull == pytest.approx(np.abs(found.residuals[m.sample]).sum()) and 1.8 < m.pull <= 2
    assert "confident mistake: sample 3" in found.text()


def test_raw_pixels_into_a_sigmoid_are_named_and_standardised_ones_are_not():
    X, y = DIGITS[0] * 255 / 16, DIGITS[1]
    net = byhand.MLP("64-30-10", activation="sigmoid")
    raw = byhand.flow(net, X, y, net.init(0, method="normal", std=1.0))
    assert raw.layers[0].saturated > 0.95 and raw.input_greatest == 255
    assert len(raw.warnings) == 1 and "inputs are large (up to 255" in raw.warnings[0]
    model = byhand.MLPClassifier((30,), "sigmoid", max_epochs=5, random_state=0).fit(X, y)
    assert byhand.flow(model, X, y).warnings == ()


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda p: {n: v * 0 for n, v in p.items()}, "the weights W1, W2 are all zero"),
        (lambda p: {**p, "b1": p["b1"] - 1e3}, "100% of the relu units in layer 1"),
        (lambda p: {**p, "W2": p["W2"] * 0 + 1e-9}, "the gradient fades"),
        (lambda p: {**p, "W2": p["W2"] * np.inf}, "diverged"),
    ],
)
def test_other_warnings(change, words):
    net = byhand.MLP("5-7-3")
    X, y = RNG.standard_normal((11, 5)), RNG.integers(0, 3, 11)
    assert byhand.flow(net, X, y, net.init(0)).warnings == ()
    assert words in byhand.flow(net, X, y, change(net.init(0))).warnings[0]


def test_regression_and_plain_data_and_pictures(tmp_path):
    X = RNG.standard_normal((40, 3))
    model = byhand.MLPRegressor((8,), max_epochs=5, random_state=0).fit(X, X[:, 0])
    found = byhand.flow(model, X, X[:, 0])
    assert found.residuals is None and found.mistakes == ()
    assert [p.name for p in found.plot(tmp_path / "r")] == ["flow.png"]
    net = byhand.MLP("64-8-10")
    d = byhand.flow(net, *DIGITS)
    assert set(d.to_dict()["layers"][0]) == {*d.layers[0].__slots__} and "‖∂L/∂W‖" in str(d)
    for path in d.plot(tmp_path / "c"):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "X, y, words",
    [
        (np.zeros((0, 5)), np.zeros(0, int), "none"),
        (np.full((3, 5), np.nan), [0, 1, 2], "not finite"),
        (np.zeros((3, 4)), [0, 1, 2], "expected shape"),
        (np.zeros((3, 5)), [0, 1], "y"),
        (np.zeros((3, 5)), [0, 1, 3], "y"),
    ],
)
def test_bad_input(X, y, words):
    with pytest.raises(ByhandError, match=words):
        byhand.flow(byhand.MLP("5-7-3"), X, np.asarray(y))

"""Networks: the text that is generated, its value, gradients and starting values."""

import time

import numpy as np
import pytest

import byhand
from byhand import MLP, ByhandError, DataError, ParseError
from byhand.expr.functions import FUNCTIONS

RNG = np.random.default_rng(0)
N, D, H, C = 7, 5, 3, 2
PLAIN = [n for n in FUNCTIONS if n not in ("log", "log1p", "arcsin", "arccos", "stop_gradient")]


def test_what_is_parsed_is_what_is_shown():
    net = MLP("784-300-10", activation="relu", loss="softmax_cross_entropy", l2=0.001)
    assert net.text.split("\n") == [
        "Z1 = X @ W1 + b1",
        "H1 = relu(Z1)",
        "Z2 = H1 @ W2 + b2",
        "L = mean(cross_entropy(Z2, y)) + 0.001*(sum(W1**2) + sum(W2**2))",
    ]
    shapes = {"X": "N 784", "W1": "784 300", "b1": "300", "W2": "300 10", "b2": "10", "y": "N"}
    assert net.expression.root is byhand.parse(net.text, shapes).root
    assert net.expression.name == "L" and list(net.expression.intermediates) == ["Z1", "H1", "Z2"]
    assert net.parameters == ("W1", "b1", "W2", "b2") and net.sizes == (784, 300, 10)
    assert (net.activations, net.loss, net.l2) == (("relu",), "softmax_cross_entropy", 0.001)


TEXTS = [
    (dict(sizes=[4, 3]), "Z1 = X @ W1 + b1\nL = mean(cross_entropy(Z1, y))"),
    (dict(sizes="4-3", bias=False, l2=0.5), "Z1 = X @ W1\nL = mean(cross_entropy(Z1, y)) + 0.5*sum(W1**2)"),
    (
        dict(sizes="4-5-3", batch=None, activation="sigmoid"),
        "z1 = x @ W1 + b1\nh1 = sigmoid(z1)\nz2 = h1 @ W2 + b2\nL = cross_entropy(z2, y)",
    ),
    (
        dict(sizes="4-6-5-3", activation=["tanh", "linear"], loss="mse"),
        "Z1 = X @ W1 + b1\nH1 = tanh(Z1)\nZ2 = H1 @ W2 + b2\nZ3 = Z2 @ W3 + b3\nL = mean((Z3 - Y)**2)",
    ),
    (
        dict(sizes="4-5-3", activation="z*sigmoid(1.702*z)", output_activation="tanh", targets="probabilities"),
        "Z1 = X @ W1 + b1\nH1 = Z1*sigmoid(1.702*Z1)\nZ2 = H1 @ W2 + b2\nH2 = tanh(Z2)\nL = mean(cross_entropy(H2, Y))",
    ),
    (
        dict(sizes="4-5-3", l2="lam", loss="raw_logit_nll", activation="softmax"),
        "Z1 = X @ W1 + b1\nH1 = softmax(Z1)\nZ2 = H1 @ W2 + b2\n"
        "L = -mean(Z2[arange(N), y]) + lam*(sum(W1**2) + sum(W2**2))",
    ),
    (
        dict(sizes="4-5-3", loss="mean(abs(Z - Y)**3)"),
        "Z1 = X @ W1 + b1\nH1 = relu(Z1)\nZ2 = H1 @ W2 + b2\nL = mean(abs(Z2 - Y)**3)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("options", "text"), TEXTS)
def test_texts(options, text):
    net = MLP(**options)
    assert net.text == text
    assert net.expression.shape == () and byhand.derive(net).gradients.keys() == set(net.parameters)


def values(net, **extra):
    sizes = {"N": N, "D": D, "H": H, "C": C}
    arrays = {}
    for name, symbol in net.expression.symbols.items():
        shape = [sizes.get(str(d), d) for d in symbol.shape]
        if "labels" in symbol.assumptions:
            arrays[name] = RNG.integers(0, C, shape)
        elif "simplexrows" in symbol.assumptions:
            arrays[name] = RNG.dirichlet(np.ones(shape[-1]), shape[:-1])
        else:
            arrays[name] = RNG.uniform(-0.4, 0.6, shape)
    return {**arrays, **extra}


def slope(net, arrays, name, direction):
    """The derivative along a direction by central differences."""
    step = 1e-6
    up, down = (net(**{**arrays, name: arrays[name] + t * step * direction}) for t in (1, -1))
    return (up - down) / (2 * step)


NETS = [
    *(dict(activation=name) for name in PLAIN),
    *(dict(activation=a) for a in ("softmax", "identity", "z*sigmoid(1.702*z)", "where(z > 0.1, z, 0.2*z)")),
    dict(bias=False, l2=0.3),
    dict(output_activation="tanh", l2="lam"),
    dict(batch=None),
    dict(batch=None, loss="mse", activation="tanh"),
    dict(batch=None, loss="raw_logit_nll"),
    dict(batch=None, targets="probabilities"),
    dict(targets="probabilities"),
    *(dict(loss=loss) for loss in ("multilabel_cross_entropy", "mse", "mae", "huber", "log_cosh", "poisson")),
    dict(loss="raw_logit_nll"),
    dict(loss="mean(logcosh(Z - Y))"),
    dict(sizes="D-3-2-2-C", activation=["tanh", "relu", "gelu"]),
]  # fmt: skip


@pytest.mark.parametrize("options", NETS, ids=lambda o: ",".join(map(str, o.values())))
def test_gradients(options):
    net = MLP(**{"sizes": "D-H-C", **options})
    arrays = values(net)
    for name, gradient in byhand.derive(net).gradients.items():
        direction = RNG.standard_normal(arrays[name].shape)
        got = np.sum(byhand.evaluate(gradient, **arrays) * direction)
        assert np.isclose(got, slope(net, arrays, name, direction), rtol=2e-6, atol=1e-8), name


def test_the_value_is_that_of_numpy():
    net = MLP([D, H, C], l2=0.01)
    a = values(net)
    Z = np.maximum(a["X"] @ a["W1"] + a["b1"], 0) @ a["W2"] + a["b2"]
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    loss = -np.log(P[np.arange(N), a["y"]]).mean() + 0.01 * ((a["W1"] ** 2).sum() + (a["W2"] ** 2).sum())
    assert np.isclose(net(**a), loss, rtol=1e-13)
    inputs = {n: v for n, v in a.items() if n != "y"}
    np.testing.assert_allclose(byhand.evaluate(net.logits, **inputs), Z, rtol=1e-13)
    np.testing.assert_allclose(byhand.evaluate(net.probabilities, **inputs), P, rtol=1e-13)
    assert net.prediction is net.probabilities


def test_the_penalty_is_not_halved_and_frees_biases():
    plain, decayed = MLP("D-H-C"), MLP("D-H-C", l2="lam")
    a = values(plain)
    lam = 0.7
    for name in plain.parameters:
        without = byhand.evaluate(byhand.derive(plain, name).gradient, **a)
        with_it = byhand.evaluate(byhand.derive(decayed, name).gradient, lam=lam, **a)
        expected = without + (2 * lam * a[name] if name.startswith("W") else 0)
        np.testing.assert_allclose(with_it, expected, rtol=1e-12, atol=1e-14)
    assert "lam" not in decayed.parameters and decayed.expression.symbols["lam"].assumptions == {"constant"}
    with pytest.raises(ParseError, match="lam was declared constant"):
        byhand.derive(decayed, "lam")


def test_the_golden_network():
    """SEEDS S0.12, its weights transposed: one sample, no biases."""
    W1, W2 = np.array([[0.1, 0.2, 0.3], [0.4, -0.5, -0.1]]).T, np.array([[1.0, -1.0], [0.5, 2.0]]).T
    arrays = {"x": np.array([1.0, 2.0, 3.0]), "W1": W1, "W2": W2, "y": np.array(1)}
    net = MLP("3-2-2", bias=False, batch=None)
    assert abs(net(**arrays) - 1.1031860488854577) < 1e-15
    first = byhand.evaluate(byhand.derive(net, "W1").gradient, **arrays)
    np.testing.assert_allclose(first[:, 0], [0.334093886084083, 0.668187772168166, 1.002281658252249], rtol=1e-14)
    assert not first[:, 1].any()
    raw = MLP("3-2-2", bias=False, batch=None, loss="raw_logit_nll")
    assert abs(raw(**arrays) + 0.7) < 1e-15
    np.testing.assert_allclose(byhand.evaluate(byhand.derive(raw, "W1").gradient, **arrays)[:, 0], [-0.5, -1, -1.5])


def test_the_raw_logit_loss_carries_its_warning():
    assert "not a likelihood" in MLP("4-3", loss="raw_logit_nll").expression.notes[0]
    assert MLP("4-3").expression.notes == ()


def test_targets_are_declared():
    assert MLP("4-3").expression.symbols["y"].assumptions == {"labels"}
    assert MLP("4-3", targets="probabilities").expression.symbols["Y"].assumptions == {"simplexrows"}
    assert MLP("4-3", loss="mse").expression.symbols["Y"].assumptions == frozenset()


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh", "poisson"])
def test_values_are_no_probabilities(loss):
    net = MLP("4-3", loss=loss)
    with pytest.raises(ByhandError, match="no probabilities"):
        _ = net.probabilities
    assert [str(d) for d in net.prediction.shape] == ["N", "3"]


# ---- repr


@pytest.mark.parametrize(
    "net",
    [
        MLP("784-300-10"),
        MLP("D-H-C", activation="tanh", l2=0.1, bias=False),
        MLP([4, 5, 6, 3], activation=["relu", "softmax"], output_activation="tanh", targets="probabilities"),
        MLP("4-3", batch=None, loss="mse"),
        MLP("4-5-3", batch="B", l2="lam"),
        MLP("4-5-3", batch=32, activation="z*sigmoid(z)"),
    ],
    ids=repr,
)
def test_repr_makes_the_same_network(net):
    again = eval(repr(net), {"MLP": MLP})
    assert again.expression.root is net.expression.root and repr(again) == repr(net)


def test_a_deep_network_is_short_in_print():
    assert repr(MLP([3] * 100)).startswith("MLP('3-...-3', ")


# ---- starting values


def test_starting_values():
    net = MLP("400-300-200-100", activation=["relu", "selu"], seed=3)
    w = net.init()
    assert list(w) == list(net.parameters) and all(w[n].shape == net.shapes[n] for n in w)
    assert abs(w["W1"].std() / np.sqrt(2 / 400) - 1) < 0.02  # He
    assert abs(w["W2"].std() / np.sqrt(1 / 300) - 1) < 0.02  # LeCun
    assert abs(w["W3"].std() / np.sqrt(2 / 300) - 1) < 0.02  # Glorot
    assert not any(w[f"b{k}"].any() for k in (1, 2, 3))
    again, other = net.init(3), net.init(4)
    assert all(np.array_equal(w[n], again[n]) for n in w) and not np.array_equal(w["W1"], other["W1"])
    assert all(v.dtype == np.float32 for v in net.init(dtype=np.float32).values())
    assert not any(v.any() for v in net.init(method="zeros").values())
    assert abs(net.init(method="normal", std=1e-4)["W1"].std() / 1e-4 - 1) < 0.02


def test_symbolic_sizes_need_numbers_to_start():
    net = MLP("D-H-3")
    with pytest.raises(DataError, match="the size of D is unknown"):
        net.init()
    assert net.init(sizes={"D": 4, "H": 5})["W1"].shape == (4, 5)
    with pytest.raises(ParseError, match="did you mean `glorot`"):
        MLP("4-3").init(method="glorott")


def test_the_untrained_loss_is_log_of_the_classes():
    """SEEDS S1.39."""
    net = MLP("20-10-6")
    arrays = {**net.init(method="normal", std=1e-4), "X": RNG.standard_normal((50, 20)), "y": RNG.integers(0, 6, 50)}
    assert abs(net(**arrays) - np.log(6)) < 1e-3


# ---- depth


def best(task, times=3):
    def once():
        start = time.perf_counter()
        task()
        return time.perf_counter() - start

    return min(once() for _ in range(times))


def test_a_thousand_layers():
    deep = MLP([3] * 1001, l2=0.1)
    assert len(deep.parameters) == 2000 and max(map(len, deep.text.split("\n"))) <= 110
    small, large = (best(lambda n=n: MLP([3] * (n + 1), l2=0.1).expression) for n in (125, 1000))
    assert large < 24 * small  # 8 when linear

"""Networks as they are trained: weights of samples for every spelling of a loss, dropout behind every activation, roles."""

import numpy as np
import pytest

import byhand
from byhand import MLP, DataError
from byhand.nets.losses import LOSSES
from byhand.nets.trained import TrainedMLP

N, D, H, C = 7, 5, 3, 2
ACTIVATIONS = ["relu", "tanh", "softmax", "identity", "linear", "none", "z*sigmoid(1.702*z)"]
SPELLINGS = [
    "2*mean((Z - Y)**2)",
    "-mean(Y*Z)",
    "mean((Z - Y)**2)/3",
    "mean((Z - Y)**2) + mean(abs(Z - Y))",
    "0.5*(mean((Z - Y)**2) - 2*mean(Y*Z))",
    "sum((Z - Y)**2)/N",
    "sum((Z - Y)**2)",
    "sum(sum((Z - Y)**2, axis=1))/N",
    "mean(sum((Z - Y)**2, axis=1))",
    "mean(sqrt(1 + sum((Z - Y)**2, axis=1)))",
    "mean(sum((Z - Y)**2, axis=1)**2)",
    "trace((Z - Y).T @ (Z - Y))/N",
    "norm(Z - Y)**2/N",
    "mean(huber(Z - Y)) + 0.1*mean(Z**2)",
    "mean(logsumexp(Z, axis=1) - Z[arange(N), y])",
    "sum(cross_entropy(2*Z, y))/N",
    "mean(cross_entropy(Z, Y))",
    "mean(mean((Z - Y)**2, axis=0))",
    "(sum((Z - Y)**2) + sum(abs(Z - Y)))/N",
    "einsum('nc,nc->', Z - Y, Z - Y)/N",
    "mean(where(abs(Z - Y) > 0.2, abs(Z - Y), (Z - Y)**2))",
]  # fmt: skip
NO_SUMS = [
    "sqrt(mean((Z - Y)**2))",
    "log(sum(exp((Z - Y)**2)))",
    "mean((Z - Y)**2)*mean(abs(Z - Y))",
    "mean((Z - mean(Z, axis=0) - Y)**2)",
    "mean((softmax(Z, axis=0) - Y)**2)",
    "sum((Z @ Z.T - Y @ Y.T)**2)/N",
    "norm(Z - Y)",
    "mean((Z - Y)**2)/mean(Y**2)",
    "mean(log(Z - mean(Z, axis=0) - Y - 2))",  # has no value where it is proved by numbers
    "mean(log(softmax(Z, axis=0)*Y - 2))",
    "logdet(Z @ Z.T + Y @ Y.T)",
]


def drawn(net, rng):
    """Arrays for the inputs of a network."""
    found = dict(net.init(1))
    for name, symbol in net.expression.symbols.items():
        shape = [N if str(d) == "N" else d for d in symbol.shape]
        if "labels" in symbol.assumptions:
            found[name] = rng.integers(0, C, shape)
        elif name not in found:
            found[name] = rng.uniform(0.1, 0.9, shape)
        else:
            found[name] = found[name] + 0.1 * rng.standard_normal(shape)
    return found


@pytest.mark.parametrize("loss", [*SPELLINGS, *(n for n in LOSSES if LOSSES[n].outputs is None)])
def test_a_weight_multiplies_the_loss_of_its_sample(loss):
    rng = np.random.default_rng(0)
    net = TrainedMLP([D, H, C], activation="tanh", loss=loss, weighted=True)
    arrays = drawn(net, rng)
    plain = MLP([D, H, C], activation="tanh", loss=loss, batch=str(net.batch))
    rest = {n: a for n, a in arrays.items() if n != "s"}

    def alone(k):
        """What sample k adds: N copies of it, divided by N."""
        copies = {n: np.repeat(rest[n][k : k + 1], N, axis=0) for n in ("X", net.target)}
        return plain(**rest | copies) / N

    each = np.array([alone(k) for k in range(N)])
    assert net(**arrays) == pytest.approx(arrays["s"] @ each, rel=1e-12)
    assert net(**arrays | {"s": np.ones(N)}) == pytest.approx(plain(**rest), rel=1e-12)


@pytest.mark.parametrize("loss", NO_SUMS)
def test_a_loss_that_is_no_sum_over_the_samples_is_refused(loss):
    with pytest.raises(DataError, match="sum or mean of losses of single samples") as error:
        TrainedMLP([D, H, C], loss=loss, weighted=True)
    assert "{" not in str(error.value) and "for example mean((Z - Y)**2)" in str(error.value)
    MLP([D, H, C], loss=loss)  # without weights it is as good as any


@pytest.mark.parametrize("loss", ["mean((Z - Y)**2) + 0.3*sum(abs(W1))", "mean((Z - Y)**2) + 0.1*mean(b2**2)"])
def test_terms_without_samples_are_not_weighted(loss):
    net = TrainedMLP([D, H, C], loss=loss, weighted=True, l2=0.2)
    arrays = drawn(net, np.random.default_rng(1))
    beside = 0.2 * ((arrays["W1"] ** 2).sum() + (arrays["W2"] ** 2).sum())
    beside += 0.3 * np.abs(arrays["W1"]).sum() if "W1" in loss else 0.1 * np.mean(arrays["b2"] ** 2)
    assert net(**arrays | {"s": np.zeros(N)}) == pytest.approx(beside, rel=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_dropout_acts_behind_every_activation(activation, weighted):
    net = TrainedMLP([D, H, 4, C], activation=activation, loss="mse", dropout=True, weighted=weighted)
    assert net.masks == ("D1", "D2") and {"D1", "D2"} <= net.expression.symbols.keys()
    arrays = drawn(net, np.random.default_rng(2))
    masks = {"D1": np.zeros((N, H)), "D2": np.ones((N, 4))} | ({"s": np.ones(N)} if weighted else {})
    values = {"X": np.zeros((N, H)), "W1": arrays["W2"], "b1": arrays["b2"], "W2": arrays["W3"], "b2": arrays["b3"]}
    above = MLP([H, 4, C], activation=[activation], loss="mse")  # of what is below, nothing but zeros comes through
    assert net(**arrays | masks) == pytest.approx(above(**values, Y=arrays["Y"]), rel=1e-12)
    ones = {"D1": np.ones((N, H)), "D2": np.ones((N, 4))} | ({"s": np.ones(N)} if weighted else {})
    rest = {n: a for n, a in arrays.items() if n not in ones and n != "s"}
    assert net(**arrays | ones) == pytest.approx(net.plain(**rest), rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"dropout": True}, {"bias": False, "l2": 0.1}, {"output_activation": "tanh"}])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_text_reads_as_the_expression(activation, options):
    net = TrainedMLP([D, H, 4, C], activation=activation, **options)
    again = byhand.parse(net.text, {n: list(s) for n, s in net.shapes.items()}, net.assume)
    assert again.root is net.expression.root


@pytest.mark.parametrize("loss", [*SPELLINGS, *(n for n in LOSSES if LOSSES[n].outputs is None)])
def test_the_text_shows_the_weights(loss):
    net = TrainedMLP([D, H, C], loss=loss, activation="tanh", weighted=True, l2=0.1)
    if loss.startswith(("trace", "norm", "einsum", "mean(mean")):  # nothing to write a factor into
        assert net.text.endswith("  # the loss of each sample times its weight s")
        return
    again = byhand.parse(net.text, {n: list(s) for n, s in net.shapes.items()}, net.assume)
    arrays = drawn(net, np.random.default_rng(3))
    assert byhand.evaluate(again, **arrays) == pytest.approx(net(**arrays), rel=1e-12)


def test_roles():
    net = MLP("5-3-4-2", activation=["identity", "relu"])
    assert [(p.name, p.role, p.penalised) for p in net.roles.values()] == [
        (f"{kind}{k}", role, role == "weight") for k in (1, 2, 3) for kind, role in (("W", "weight"), ("b", "bias"))
    ]
    assert [(x.weight, x.bias, x.linear, x.output) for x in net.layers] == [
        ("W1", "b1", "Z1", "Z1"), ("W2", "b2", "Z2", "H2"), ("W3", "b3", "Z3", "Z3")
    ]  # fmt: skip
    (only,) = MLP("5-2", bias=False, batch=None).layers
    assert (only.weight, only.bias, only.linear, only.output) == ("W1", None, "z1", "z1")

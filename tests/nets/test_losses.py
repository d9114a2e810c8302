"""The table of losses against its definitions, at ordinary and at extreme logits."""

import numpy as np
import pytest
from scipy import special

import byhand
from byhand import MLP
from byhand.nets.losses import ALIASES, LOSSES, TARGETS, loss_row

RNG = np.random.default_rng(0)
N, C = 7, 3


def cross_entropy(Z, Y):
    logp = Z - special.logsumexp(Z, axis=-1, keepdims=True)
    return -np.mean(logp[np.arange(len(Z)), Y] if Y.ndim < Z.ndim else np.sum(Y * logp, axis=-1))


def binary(Z, Y):
    return np.mean(np.logaddexp(0, Z) - Y * Z)


DEFINITIONS = {
    "softmax_cross_entropy": cross_entropy,
    "binary_cross_entropy": binary,
    "multilabel_cross_entropy": binary,
    "mse": lambda Z, Y: np.mean((Z - Y) ** 2),
    "mae": lambda Z, Y: np.mean(np.abs(Z - Y)),
    "huber": lambda Z, Y: np.mean(special.huber(1.0, Z - Y)),
    "log_cosh": lambda Z, Y: np.mean(np.logaddexp(Z - Y, Y - Z) - np.log(2)),
    "poisson": lambda Z, Y: np.mean(np.exp(Z) - Y * Z),
    "raw_logit_nll": lambda Z, Y: -np.mean(Z[np.arange(len(Z)), Y]),
}


def drawn(loss, targets, outputs, samples=N):
    match targets:
        case "labels":
            return RNG.integers(0, outputs, samples)
        case "probabilities":
            return RNG.dirichlet(np.ones(outputs), samples)
    whole = loss.link.startswith("sigmoid")
    return RNG.integers(0, 2, (samples, outputs)) * 1.0 if whole else RNG.poisson(2.0, (samples, outputs)) * 1.0


KINDS = [(row, targets) for row in LOSSES.values() for targets in row.targets]


@pytest.mark.parametrize(("row", "targets"), KINDS, ids=lambda v: getattr(v, "name", v))
def test_loss(row, targets):
    outputs = row.outputs or C
    net = MLP([outputs, outputs], loss=row.name, targets=targets, bias=False)
    Z, Y = RNG.standard_normal((N, outputs)), drawn(row, targets, outputs)
    arrays = {"X": Z, "W1": np.eye(outputs), net.target: Y}
    assert np.isclose(net(**arrays), DEFINITIONS[row.name](Z, Y), rtol=1e-13)


@pytest.mark.parametrize(("row", "targets"), KINDS, ids=lambda v: getattr(v, "name", v))
def test_one_sample(row, targets):
    outputs = row.outputs or C
    net = MLP([outputs, outputs], loss=row.name, targets=targets, bias=False, batch=None)
    Z, Y = RNG.standard_normal((1, outputs)), drawn(row, targets, outputs, 1)
    arrays = {"x": Z[0], "W1": np.eye(outputs), "y": Y[0]}
    assert np.isclose(net(**arrays), DEFINITIONS[row.name](Z, Y), rtol=1e-13)


@pytest.mark.parametrize("row", [r for r in LOSSES.values() if r.name != "poisson"], ids=lambda r: r.name)
@pytest.mark.parametrize("scale", [1e4, 0.0], ids=["logits of 1e4", "equal logits"])
def test_extreme_logits(row, scale):
    outputs = row.outputs or C
    net = MLP([outputs, outputs], loss=row.name, bias=False)
    Z = scale * np.where(RNG.standard_normal((N, outputs)) > 0, 1.0, -1.0)
    arrays = {"X": Z, "W1": np.eye(outputs), net.target: drawn(row, row.targets[0], outputs)}
    value, gradient = net(**arrays), byhand.evaluate(byhand.derive(net, "X").gradient, **arrays)
    assert np.isfinite(value) and np.all(np.isfinite(gradient))


def test_the_table():
    assert set(DEFINITIONS) == set(LOSSES)
    for row in LOSSES.values():
        assert set(row.targets) <= set(TARGETS) and row.words and row.source
    assert [r.name for r in LOSSES.values() if r.warning] == ["raw_logit_nll"]
    assert all(loss_row(alias) is LOSSES[name] for alias, name in ALIASES.items())


def test_a_loss_of_ones_own():
    row = loss_row("mean((Z - Y)**2) + 0*mean(Zeta)")
    assert row.batch == "mean((Z - Y)**2) + 0*mean(Zeta)" and row.targets[0] == "values"
    assert loss_row("-mean(Z[arange(N), y])").targets == ("labels",)
    net = MLP([C, C], loss="mean((Z - Y)**2)", bias=False)
    assert net.expression.root is MLP([C, C], loss="mse", bias=False).expression.root

"""Engines: the same program and the same seed give the same weights; the choice between them; what is refused."""

import subprocess
import sys

import numpy as np
import pytest

from byhand.errors import ByhandError, ParseError
from byhand.nets.losses import LOSSES
from byhand.nets.trained import TrainedMLP
from byhand.train.engines import ENGINES, Work, chosen, engine_row
from byhand.train.loop import DivergedError, Settings, Trainer
from byhand.train.optimizers import OPTIMIZERS, Optimizer
from byhand.train.program import TrainingProgram

SAMPLES, BATCH = 53, 11  # four whole batches and one of nine samples
OTHERS = [name for name in ENGINES if name != "numpy"]
ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "softplus", "leaky_relu", "softmax", "erf",
               "identity", "z*sigmoid(1.702*z)"]  # fmt: skip


def data_for(net, rng, dtype=np.float64):
    found = {"X": rng.standard_normal((SAMPLES, net.sizes[0])).astype(dtype)}
    outputs = int(net.sizes[-1])
    if net.targets == "labels":
        found["y"] = rng.integers(0, outputs, SAMPLES)
    elif net.targets == "probabilities":
        found["Y"] = rng.dirichlet(np.ones(outputs), SAMPLES).astype(dtype)
    else:
        found["Y"] = rng.uniform(0.1, 0.9, (SAMPLES, outputs)).astype(dtype)
    if net.weighted:
        found["s"] = rng.uniform(0.5, 1.5, SAMPLES).astype(dtype)
    return found


def trained(engine, net, dtype=np.float64, epochs=20, **options):
    """Parameters, losses and the optimizer's state after 20 epochs of five steps."""
    program = TrainingProgram(net)
    settings = Settings(batch_size=BATCH, epochs=epochs, engine=engine, **{"learning_rate": 0.01, **options})
    trainer = Trainer(program, net.init(3), settings, np.random.default_rng(5), dtype)
    history = trainer.fit(data_for(net, np.random.default_rng(7), dtype))
    return trainer, np.array(history.losses)


def same(engine, net, **options):
    a, losses = trained("numpy", net, **options)
    b, found = trained(engine, net, **options)
    assert not np.array_equal(a.parameters, a.program.flat(net.init(3), np.float64))
    np.testing.assert_allclose(b.parameters, a.parameters, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found, losses, rtol=1e-10)
    if a.updater is not None:
        assert a.updater.t == b.updater.t == 100
        for name, vector in a.updater.state.items():
            np.testing.assert_allclose(b.updater.state[name], vector, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_same_weights_for_every_activation(engine, activation):
    same(engine, TrainedMLP("5-7-3", activation=activation), optimizer="sgd")


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("loss", [*LOSSES, "mean(abs(Z - Y)**3)"])
def test_the_same_weights_for_every_loss(engine, loss):
    outputs = 1 if loss == "binary_cross_entropy" else 3
    same(engine, TrainedMLP(f"5-7-{outputs}", loss=loss, activation="tanh", weighted=True, l2=0.01), optimizer="adam")


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("loss", ["2*mean((Z - Y)**2) + mean(abs(Z - Y))", "sum(cross_entropy(Z, y))/N"])
def test_weights_and_dropout_for_other_spellings_and_plain_layers(engine, loss):
    net = TrainedMLP("5-7-4-3", loss=loss, activation=["identity", "z*tanh(z)"], weighted=True, dropout=True)
    same(engine, net, optimizer="momentum", dropout=0.3, clip_norm=1.0)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_same_weights_for_every_optimizer(engine, optimizer):
    net = TrainedMLP("5-7-6-3", activation=["tanh", "silu"], dropout=True, targets="probabilities")
    same(engine, net, optimizer=optimizer, dropout=0.3, clip_norm=0.5, schedule="one_cycle")


LION = Optimizer("lion", ("m",), {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.01}, """
c = beta1*m + (1 - beta1)*g
p = p - lr*(sign(c) + weight_decay*p)
m = beta2*m + (1 - beta2)*g
""", 1e-4, "the sign of a mean", "Chen et al. (2023)")  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_a_new_row_is_an_optimizer_of_every_engine(engine, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "lion", LION)
    net = TrainedMLP("5-7-3", activation="tanh")
    found, _ = trained(engine, net, optimizer="lion", epochs=3)
    program, data, rng = TrainingProgram(net), data_for(net, np.random.default_rng(7)), np.random.default_rng(5)
    p = program.flat(net.init(3), np.float64)
    m = np.zeros_like(p)
    for _ in range(3):
        order = rng.permutation(SAMPLES)
        for k in range(0, SAMPLES, BATCH):
            rows = order[k : k + BATCH]
            g = program.flat(program.gradients({**program.views(p), **{n: a[rows] for n, a in data.items()}})[1], float)
            p = p - 0.01 * (np.sign(0.9 * m + 0.1 * g) + 0.01 * p)
            m = 0.99 * m + 0.01 * g
    np.testing.assert_allclose(found.parameters, p, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.updater.state["m"], m, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("engine", OTHERS)
def test_the_same_minimum_by_lbfgs(engine):
    net = TrainedMLP("5-7-3", activation="tanh", l2=0.01)
    a, _ = trained("numpy", net, optimizer="lbfgs", epochs=15)
    b, _ = trained(engine, net, optimizer="lbfgs", epochs=15)
    np.testing.assert_allclose(b.parameters, a.parameters, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("engine", OTHERS)
def test_float32_stays_float32(engine):
    net = TrainedMLP("5-7-3", activation="gelu", dropout=True, weighted=True)
    a, _ = trained("numpy", net, np.float32, epochs=2, optimizer="adam", dropout=0.2)
    b, _ = trained(engine, net, np.float32, epochs=2, optimizer="adam", dropout=0.2)
    assert b.parameters.dtype == np.float32
    np.testing.assert_allclose(b.parameters, a.parameters, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("engine", OTHERS)
def test_data_that_do_not_stay_on_the_device(engine, monkeypatch):
    if engine == "jax":
        monkeypatch.setattr("byhand.train.jax_engine.LARGEST", 100)
        monkeypatch.setattr("byhand.train.jax_engine.CHUNK", 2 * BATCH * (5 + 3) * 8)
    same(engine, TrainedMLP("5-7-3", dropout=True, targets="probabilities"), dropout=0.2, optimizer="momentum")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pass_goes_on_from_what_it_is_given(engine):
    net = TrainedMLP("5-7-3")
    data = data_for(net, np.random.default_rng(7))
    trainer = Trainer(TrainingProgram(net), net.init(3), Settings(engine=engine), np.random.default_rng(0))
    trainer.epoch(data)
    other = Trainer(trainer.program, trainer.named(), Settings(engine=engine), np.random.default_rng(0))
    other.updater.t = trainer.updater.t
    for name, vector in trainer.updater.state.items():
        other.updater.state[name][:] = vector
    other.rng.permutation(SAMPLES)  # the order that the first pass drew
    trainer.epoch(data, 2), other.epoch(data, 2)
    assert np.array_equal(trainer.parameters, other.parameters)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diverging_run_says_so(engine):
    net = TrainedMLP("5-7-3", loss="mse")
    with pytest.raises(DivergedError, match="epoch"):
        trained(engine, net, optimizer="sgd", learning_rate=1e200)


def test_no_work_is_done_by_a_compiler_that_does_not_pay():
    small = Work(steps=300, sizes=2, operations=25, elements=2000, multiplications=10_000)
    assert chosen(small) == "numpy"
    for row in ENGINES.values():
        if row.available and row.needs[0] == "jax":
            many = Work(steps=10_000_000, sizes=2, operations=25, elements=2000, multiplications=10_000)
            assert chosen(many) != "numpy"


def test_the_work_of_a_fit_is_counted():
    net = TrainedMLP("5-7-3")
    work = Work.of(TrainingProgram(net), SAMPLES, BATCH, 20, np.float64)
    assert (work.steps, work.sizes) == (100, 2)
    assert work.multiplications == BATCH * (2 * 5 * 7 + 3 * 7 * 3)  # X has no gradient
    whole = Work.of(TrainingProgram(net), 2 * BATCH, BATCH, 20, np.float64)
    assert (whole.steps, whole.sizes) == (40, 1)


def test_unknown_engine():
    with pytest.raises(ParseError, match="did you mean `numpy`"):
        engine_row("nunpy")


def test_a_missing_jax_is_an_error_that_says_how_to_install():
    code = (
        "import sys; sys.modules['jax'] = None\n"
        "from byhand import MLPClassifier\n"
        "from sklearn.datasets import load_iris\n"
        "assert MLPClassifier(max_epochs=1).fit(*load_iris(return_X_y=True)).engine_ == 'numpy'\n"
        "MLPClassifier(engine='jax').fit(*load_iris(return_X_y=True))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert "pip install 'byhand[jax]'" in found.stderr and found.returncode == 1


def test_an_unknown_function_is_refused_by_name():
    pytest.importorskip("jax")
    from byhand.train.jax_engine import _counterpart

    with pytest.raises(ByhandError, match="JAX has no"):
        _counterpart(np.busday_count)

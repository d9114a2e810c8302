"""Norms of the gradient at each step: those of the batches' own gradients, whatever the engine; columns; resumed runs."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris

from byhand.nets.trained import TrainedMLP
from byhand.train.data import read
from byhand.train.engines import ENGINES
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.loop import Settings, Trainer
from byhand.train.newton import NewtonTrainer
from byhand.train.norms import GradientNorms
from byhand.train.program import TrainingProgram

SAMPLES, BATCH, EPOCHS, RATE = 53, 11, 3, 0.1  # four whole batches and one of nine samples
IRIS = load_iris(return_X_y=True)


def data_of(dtype=np.float64):
    rng = np.random.default_rng(7)
    return {"X": rng.standard_normal((SAMPLES, 5)).astype(dtype), "y": rng.integers(0, 3, SAMPLES)}


def fitted(engine, net, dtype=np.float64, record=True, **options):
    settings = Settings(engine=engine, **{"batch_size": BATCH, "epochs": EPOCHS, "learning_rate": RATE, **options})
    trainer = Trainer(TrainingProgram(net), net.init(3), settings, np.random.default_rng(5), dtype)
    if record:
        trainer.record(GradientNorms())
    trainer.fit(data_of(dtype))
    return trainer


def by_hand(net, clip):
    """The norms of plain gradient descent on the same batches, one step after the other."""
    program, data, rng = TrainingProgram(net), data_of(), np.random.default_rng(5)
    parameters, found = [net.init(3)[n] for n in program.names], []
    for _ in range(EPOCHS):
        order = rng.permutation(SAMPLES)
        for rows in (order[k : k + BATCH] for k in range(0, SAMPLES, BATCH)):
            given = dict(zip(program.names, parameters, strict=True)) | {n: data[n][rows] for n in program.data}
            gradients = list(program.gradients(given)[1].values())
            found.append([np.sqrt((g**2).sum()) for g in gradients if g.ndim == 2])
            whole = np.sqrt(sum((g**2).sum() for g in gradients))
            share = clip / (whole + 1e-6) if whole > clip else 1.0
            parameters = [p - RATE * share * g for p, g in zip(parameters, gradients, strict=True)]
    return np.array(found)


@pytest.mark.parametrize("clip", [0.2, 1e9])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_norms_are_those_of_each_batch_before_clipping(engine, bias, clip):
    net = TrainedMLP("5-7-2-3", activation=["tanh", "gelu"], l2=0.01, bias=bias)
    norms = fitted(engine, net, optimizer="sgd", clip_norm=clip).norms
    assert (norms.names, norms.unit, norms.first, norms.width) == (("W1", "W2", "W3"), "step", 1, 1)
    assert norms.steps == 5 * EPOCHS
    np.testing.assert_allclose(norms.values, by_hand(net, clip), rtol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_and_single_precision(engine):
    net = TrainedMLP("5-7-3", dropout=True)
    for dtype, near in ((np.float64, 1e-10), (np.float32, 2e-4)):  # each draws masks of its own
        first = fitted("numpy", net, dtype, dropout=0.3).norms.values
        np.testing.assert_allclose(fitted(engine, net, dtype, dropout=0.3).norms.values, first, rtol=near)
    assert (first != fitted("numpy", net, np.float32).norms.values).any()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_weights_are_those_of_a_run_without_it(engine):
    net = TrainedMLP("5-7-3", dropout=True)
    options = {"dropout": 0.2, "optimizer": "adam", "clip_norm": 0.5}
    asked, plain = (fitted(engine, net, record=r, **options) for r in (True, False))
    if engine == "jax":  # XLA fuses what has another output otherwise
        np.testing.assert_allclose(asked.parameters, plain.parameters, rtol=1e-12, atol=1e-14)
    else:
        assert asked.parameters.tobytes() == plain.parameters.tobytes()
    if engine == "c":
        assert "norms" not in plain.engine._source(BATCH) and "norms" in asked.engine._source(BATCH)


def test_small_gradients_do_not_vanish_in_single_precision():
    net = TrainedMLP("5-7-3", loss="sum(Z * Y) * 1e-30")
    for engine in ENGINES:
        settings = Settings(engine=engine, batch_size=SAMPLES, epochs=1, optimizer="sgd")
        trainer = Trainer(TrainingProgram(net), net.init(3), settings, np.random.default_rng(5), np.float32)
        trainer.record(GradientNorms())
        Y = np.eye(3, dtype=np.float32)[data_of()["y"]]
        trainer.fit({"X": data_of(np.float32)["X"], "Y": Y})
        values = trainer.norms.values
        assert (values > 1e-30).all() and (values < 1e-26).all()


@pytest.mark.parametrize("engine, optimizer", [*((e, "lbfgs") for e in ENGINES), ("numpy", "newton")])
def test_iterations_have_the_gradient_they_start_from(engine, optimizer):
    net = TrainedMLP("5-7-3", activation="tanh", l2=0.01)
    program, data = TrainingProgram(net), data_of()
    if optimizer == "newton":
        trainer = NewtonTrainer(program, net.init(3), Settings(epochs=6))
    else:
        settings = Settings(optimizer=optimizer, engine=engine, epochs=6)
        trainer = Trainer(program, net.init(3), settings, np.random.default_rng(5))
    trainer.record(GradientNorms())
    visited = [net.init(3)]
    trainer.fit(data, callbacks=[lambda e, h: visited.append({n: v.copy() for n, v in trainer.named().items()})])
    expected = [
        [np.sqrt((g**2).sum()) for g in program.gradients(p | data)[1].values() if g.ndim == 2] for p in visited[:-1]
    ]
    assert trainer.norms.unit == "iteration" and trainer.norms.steps == 6
    np.testing.assert_allclose(trainer.norms.values, expected, rtol=1e-8)


@pytest.mark.parametrize("steps", [1, 6, 7, 13, 97, 1009])
def test_more_steps_share_columns_and_memory_does_not_grow(steps):
    rng = np.random.default_rng(steps)
    rows = rng.exponential(size=(steps, 3))
    norms = GradientNorms(most=6)
    norms.begin(("W1", "W2", "W3"))
    held, start = norms._held.nbytes, 0
    while start < steps:
        size = int(rng.integers(1, 41))
        norms.add(rows[start : start + size])
        start += size
    assert norms.steps == steps and norms._held.nbytes == held
    assert 6 * norms.width >= steps and (norms.width == 1 or 3 * norms.width < steps)
    expected = [rows[k : k + norms.width].max(axis=0) for k in range(0, steps, norms.width)]
    assert norms.values.tolist() == np.array(expected).tolist()
    other = GradientNorms(most=4)  # what was recorded in more columns goes on in fewer
    other.begin(norms.names)
    other.restore(norms.values, norms.state())
    both = np.vstack([rows, 2 * rows])
    other.add(2 * rows)
    expected = [both[k : k + other.width].max(axis=0) for k in range(0, len(both), other.width)]
    assert other.steps == 2 * steps and other.values.tolist() == np.array(expected).tolist()
    coarse, width = norms.coarser(2)
    assert coarse.tolist() == [rows[k : k + width].max(axis=0).tolist() for k in range(0, steps, width)]


def test_a_row_at_a_time_is_the_same_as_all_at_once():
    rows = np.random.default_rng(0).exponential(size=(31, 2))
    a, b = GradientNorms(most=4), GradientNorms(most=4)
    for n in (a, b):
        n.begin(("W1", "W2"))
    for row in rows.tolist():
        a.add([row])
    b.add(rows)
    assert a.values.tolist() == b.values.tolist() and a.state() == b.state()


@pytest.mark.parametrize("most", [0, 3, -2])
def test_a_number_of_columns_that_is_none(most):
    with pytest.raises(ValueError, match="an even number"):
        GradientNorms(most=most)


def test_a_callback_of_the_estimators():
    norms = GradientNorms()
    model = MLPClassifier((7,), max_epochs=2, random_state=0, callbacks=[norms])
    plain = clone(model).set_params(callbacks=None).fit(*IRIS)
    model.fit(*IRIS)
    assert norms.names == ("W1", "W2") and norms.steps == 2 * 5 and (norms.values > 0).all()
    assert all(v.tobytes() == plain.parameters_[n].tobytes() for n, v in model.parameters_.items())
    first = norms.values
    model.fit(*IRIS)  # each fit is recorded anew
    assert norms.values.tolist() == first.tolist()
    MLPRegressor((7, 3), max_epochs=9, optimizer="lbfgs", callbacks=[norms]).fit(*load_diabetes(return_X_y=True))
    assert (norms.names, norms.unit, norms.steps) == (("W1", "W2", "W3"), "iteration", 9)
    MLPClassifier((7,), solver="newton", callbacks=[norms], max_epochs=3).fit(*IRIS)
    assert norms.unit == "iteration" and norms.steps == 3
    with pytest.raises(ValueError, match="callbacks has 2 GradientNorms"):
        MLPClassifier(callbacks=[norms, GradientNorms()]).fit(*IRIS)


def test_a_minimum_is_recorded_too():
    norms = GradientNorms()
    X, y = np.ones((13, 2)), np.zeros(13)
    MLPRegressor((3,), optimizer="lbfgs", init="zeros", callbacks=[norms]).fit(X, y)
    assert norms.steps == 1 and norms.values.tolist() == [[0.0, 0.0]]


def test_rows_on_disk(tmp_path):
    X, y = IRIS
    np.savez(tmp_path / "d.npz", X=X, y=y)
    norms = GradientNorms()
    settings = {"max_epochs": 2, "random_state": 0, "batch_size": 31, "engine": "numpy", "l2": 0.01}
    rows = read(str(tmp_path / "d.npz"), None, stream=True)
    MLPClassifier((7,), callbacks=[norms], **settings).fit(rows.X, rows.y)
    in_memory = GradientNorms()
    MLPClassifier((7,), callbacks=[in_memory], **settings).fit(X, y)
    assert norms.steps == 10
    np.testing.assert_allclose(norms.values, in_memory.values, rtol=1e-10)


def test_a_resumed_run_has_the_norms_of_the_whole_run(tmp_path):
    options = {"hidden_layer_sizes": (7,), "random_state": 0, "batch_size": 31}
    whole = GradientNorms()
    MLPClassifier(max_epochs=5, callbacks=[whole], **options).fit(*IRIS, checkpoint=tmp_path / "a")
    MLPClassifier(max_epochs=2, callbacks=[GradientNorms()], **options).fit(*IRIS, checkpoint=tmp_path / "b")
    norms = GradientNorms()
    MLPClassifier(max_epochs=5, callbacks=[norms], **options).fit(*IRIS, checkpoint=tmp_path / "b", resume=True)
    assert norms.steps == 25 and norms.first == 1 and norms.values.tobytes() == whole.values.tobytes()
    small = GradientNorms(most=10)
    MLPClassifier(max_epochs=5, callbacks=[small], **options).fit(*IRIS, checkpoint=tmp_path / "b", resume=True)
    assert small.values.tolist() == whole.coarser(10)[0].tolist() and small.width == 4


def test_where_nobody_recorded_before_it_begins_with_the_first_step_after(tmp_path):
    options = {"hidden_layer_sizes": (7,), "random_state": 0, "batch_size": 31}
    whole, norms = GradientNorms(), GradientNorms()
    MLPClassifier(max_epochs=5, callbacks=[whole], **options).fit(*IRIS)
    MLPClassifier(max_epochs=2, **options).fit(*IRIS, checkpoint=tmp_path)
    MLPClassifier(max_epochs=5, callbacks=[norms], **options).fit(*IRIS, checkpoint=tmp_path, resume=True)
    assert norms.first == 11 and norms.steps == 15 and norms.values.tobytes() == whole.values[10:].tobytes()

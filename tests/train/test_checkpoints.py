"""Checkpoints: killed at random moments, resumed to the same bits; a full disk; files of other runs."""

import errno
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import load_iris

from byhand.errors import DataError
from byhand.train.checkpoints import NAME, STRETCH, Checkpoints
from byhand.train.engines import ENGINES
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.loop import DivergedError

X, y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (7,), "random_state": 0, "dropout": 0.2, "engine": "numpy"}


def same(a, b):
    return all(v.tobytes() == b.parameters_[n].tobytes() for n, v in a.parameters_.items())


def needs_a_compiler():
    if not ENGINES["c"].available:
        pytest.skip("no C compiler")


def broken_after(at, model, folder):
    """A fit with a checkpoint that ends in the middle, after so many epochs and some of the next."""

    class StopError(Exception):
        pass

    def stop(trainer, epoch, history):
        if epoch == at + 1:
            raise StopError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byhand.train.checkpoints.OFTEN", 0.0)
        model._watchers = [stop]
        with pytest.raises(StopError):
            model.fit(X, y, checkpoint=folder)


@pytest.mark.parametrize("engine", ["numpy", "c"])
@pytest.mark.parametrize("broken", [2, 5, 9])
def test_resumed_within_an_epoch_to_the_same_bits(tmp_path, monkeypatch, engine, broken):
    """150 samples by 16 are 10 steps an epoch: with a checkpoint every 3 the fifth writing is in the middle of the second."""
    if engine == "c":
        needs_a_compiler()

    class StopError(Exception):
        pass

    write, written = Checkpoints.write, []

    def stopped(self, history):
        write(self, history)
        written.append(len(self.trainer.underway.losses) if self.trainer.underway else 0)
        if len(written) == broken:
            raise StopError

    settings = {**OPTIONS, "max_epochs": 4, "batch_size": 16, "engine": engine, "tol": 0.0}
    whole = MLPClassifier(**settings).fit(X, y)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "write", stopped)
        with pytest.raises(StopError):
            MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, checkpoint_every=3)
    assert any(written)
    again = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True, checkpoint_every=4)
    assert same(whole, again) and again.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("every", [0, -3, True])
def test_a_checkpoint_after_no_steps_is_refused(tmp_path, every):
    with pytest.raises(DataError, match="a whole number from 1 on"):
        MLPClassifier(**OPTIONS).fit(X, y, checkpoint=tmp_path, checkpoint_every=every)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "schedule": "cosine"},
        {"optimizer": "rmsprop", "clip_norm": 0.5, "dtype": "float32"},
        {"early_stopping": True, "patience": 4, "tol": 0.0},
        {"patience": 6, "tol": 0.5},
        {"solver": "newton", "dropout": 0.0, "tol": 0.0},
        {"solver": "newton", "dropout": 0.0, "early_stopping": True, "dtype": "float32"},
        {"solver": "newton", "dropout": 0.0, "hidden_layer_sizes": (), "l2": 1e-4, "max_epochs": 99},  # converges
        {"engine": "c", "clip_norm": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("at", [1, 5])
def test_resumed_to_the_same_bits(tmp_path, options, at):
    settings = {**OPTIONS, "max_epochs": 12, **options}
    if settings["engine"] == "c":
        needs_a_compiler()
    whole = MLPClassifier(**settings).fit(X, y)
    broken_after(at, MLPClassifier(**settings), tmp_path)
    assert (tmp_path / NAME).exists()
    again = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True)
    assert same(whole, again) and again.loss_curve_ == whole.loss_curve_
    assert again.validation_scores_ == whole.validation_scores_ and again.history_.stopped == whole.history_.stopped
    finished = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True)  # nothing is left to do
    assert (
        same(whole, finished)
        and finished.n_iter_ == whole.n_iter_
        and finished.history_.stopped == whole.history_.stopped
    )


def test_lbfgs_that_stopped_early_at_the_end_of_a_stretch_goes_no_further(tmp_path, monkeypatch):
    monkeypatch.setattr("byhand.train.checkpoints.STRETCH", 1)
    settings = {
        **OPTIONS,
        "dropout": 0.0,
        "optimizer": "lbfgs",
        "early_stopping": True,
        "patience": 2,
        "max_epochs": 97,
    }
    whole = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path)
    again = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True)
    assert whole.history_.stopped == again.history_.stopped == "early" and whole.n_iter_ < 97
    assert same(whole, again) and again.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("engine", ["numpy", "jax", "c"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("at", [3, 5, 8, 12])
def test_lbfgs_in_stretches_is_resumed_to_the_same_bits(tmp_path, monkeypatch, engine, dtype, at):
    if engine == "c":
        needs_a_compiler()
    elif engine == "jax":
        pytest.importorskip("jax")
    monkeypatch.setattr("byhand.train.checkpoints.STRETCH", 5)
    settings = {**OPTIONS, "dropout": 0.0, "optimizer": "lbfgs", "engine": engine, "dtype": dtype, "max_epochs": 17}
    whole = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path / "whole")
    broken_after(at, MLPClassifier(**settings), tmp_path)
    assert (tmp_path / NAME).exists() == (at >= 4)
    again = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True)
    finished = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True)
    for other in (again, finished):
        if engine == "jax":
            assert all(np.allclose(v, whole.parameters_[n], rtol=1e-4) for n, v in other.parameters_.items())
        else:
            assert same(whole, other) and other.loss_curve_ == whole.loss_curve_
        assert other.n_iter_ == whole.n_iter_ == 17
    fewer = MLPClassifier(**{**settings, "max_epochs": 12}).fit(X, y, checkpoint=tmp_path / "fewer")
    assert fewer.loss_curve_ == whole.loss_curve_[:12]
    more = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path / "fewer", resume=True)
    assert engine == "jax" or same(whole, more)


def test_lbfgs_converges_alike_with_a_checkpoint(tmp_path):
    settings = {**OPTIONS, "dropout": 0.0, "optimizer": "lbfgs", "hidden_layer_sizes": (), "l2": 1e-3}
    plain = MLPClassifier(**settings).fit(X, y)
    assert plain.history_.stopped == "converged" and plain.n_iter_ < STRETCH
    kept = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path)
    assert same(plain, kept) and kept.history_.stopped == "converged"  # in the first stretch nothing differs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byhand.train.checkpoints.STRETCH", 7)
        short = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path)
        assert short.history_.stopped == "converged" and abs(short.loss_ - plain.loss_) < 1e-5
        again = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True)
        assert same(short, again) and again.history_.stopped == "converged" and again.n_iter_ == short.n_iter_


@pytest.mark.parametrize("options", [{}, {"optimizer": "sgd", "clip_norm": 0.5}], ids=str)
def test_jax_resumes_to_the_same_weights(tmp_path, options):
    pytest.importorskip("jax")
    settings = {**OPTIONS, "engine": "jax", "max_epochs": 9, **options}
    whole = MLPClassifier(**settings).fit(X, y)
    broken_after(4, MLPClassifier(**settings), tmp_path)
    again = MLPClassifier(**settings).fit(X, y, checkpoint=tmp_path, resume=True)
    assert all(np.allclose(v, whole.parameters_[n], rtol=1e-10, atol=1e-12) for n, v in again.parameters_.items())
    assert np.allclose(again.loss_curve_, whole.loss_curve_, rtol=1e-10) and again.n_iter_ == 9


def test_more_epochs_go_on_from_the_end(tmp_path):
    MLPRegressor(max_epochs=3, random_state=0).fit(X, X[:, 0], checkpoint=tmp_path)
    more = MLPRegressor(max_epochs=6, random_state=0).fit(X, X[:, 0], checkpoint=tmp_path, resume=True)
    assert same(more, MLPRegressor(max_epochs=6, random_state=0).fit(X, X[:, 0]))


KILLED = """
import sys, time
from sklearn.datasets import load_digits
from byhand.train.estimators import MLPClassifier
X, y = load_digits(return_X_y=True)
X, y = X[:{samples}], y[:{samples}]
wait = lambda epoch, history: time.sleep({seconds} / {options}["max_epochs"])  # however fast the machine is
model = MLPClassifier(random_state=0, callbacks=[wait], **{options})
model.fit(X, y, checkpoint=sys.argv[1], resume=True)
model.save(sys.argv[2])
"""


STEPS = {"hidden_layer_sizes": (23,), "max_epochs": 100, "dropout": 0.1, "early_stopping": True, "patience": 999}
KILLED_RUNS = {
    "numpy": (1797, {**STEPS, "engine": "numpy"}),
    "c": (300, {**STEPS, "engine": "c"}),
    "lbfgs": (300, {"hidden_layer_sizes": (13,), "optimizer": "lbfgs", "max_epochs": 1000, "l2": 1e-3}),
    "newton": (300, {"hidden_layer_sizes": (5,), "solver": "newton", "max_epochs": 30, "tol": 0.0}),
}


@pytest.mark.slow
@pytest.mark.parametrize("run", KILLED_RUNS)
def test_killed_at_random_moments_resumes_to_the_same_bits(tmp_path, run):
    if run == "c":
        needs_a_compiler()
    script = tmp_path / "run.py"
    samples, options = KILLED_RUNS[run]
    script.write_text(KILLED.format(samples=samples, options=options, seconds=1.0))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(folder, model):
        return subprocess.Popen([sys.executable, script, folder, model], env=environment)

    def written():
        return file.stat().st_mtime_ns if file.exists() else 0

    file, draw, kills, code = tmp_path / "killed" / NAME, random.Random(0), 0, 1
    for model, most in (("a", 0), ("b", 2)):
        while code and kills < most:
            before = written()
            with start(tmp_path / "killed", tmp_path / model) as process:
                while process.poll() is None and written() == before:
                    time.sleep(0.002)
                time.sleep(draw.uniform(0.0, 0.1))  # anywhere: in a step, in the writing of the next one
                process.send_signal(signal.SIGKILL)
            code, kills = process.returncode, kills + (process.returncode == -signal.SIGKILL)
        with start(tmp_path / ("killed" if most else "whole"), tmp_path / model) as process:
            pass
        assert process.returncode == 0
    assert kills >= 2
    from byhand.train.saving import load

    a, b = load(tmp_path / "a"), load(tmp_path / "b")
    assert same(a, b) and a.loss_curve_ == b.loss_curve_


@pytest.mark.parametrize(
    "options", [{}, {"solver": "newton", "dropout": 0.0}, {"optimizer": "lbfgs", "dropout": 0.0}], ids=str
)
def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch, options):
    monkeypatch.setattr("byhand.train.checkpoints.STRETCH", 3)
    options = {**OPTIONS, **options}
    MLPClassifier(**options, max_epochs=3).fit(X, y, checkpoint=tmp_path)
    before = (tmp_path / NAME).read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match="no space left"):
            MLPClassifier(**options, max_epochs=6).fit(X, y, checkpoint=tmp_path, resume=True)
    assert (tmp_path / NAME).read_bytes() == before and os.listdir(tmp_path) == [NAME]
    whole = MLPClassifier(**options, max_epochs=6).fit(X, y, checkpoint=tmp_path / "whole")
    assert same(whole, MLPClassifier(**options, max_epochs=6).fit(X, y, checkpoint=tmp_path, resume=True))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"dropout": 0.3}, "its dropout is 0.2, not 0.3"),
        ({"hidden_layer_sizes": (8,)}, "its network is"),
        ({"optimizer": "sgd"}, "its optimizer is adam, not sgd"),
        ({"dtype": "float32"}, "its dtype"),
        ({"solver": "newton", "dropout": 0.0}, "its solver is gradient, not newton"),
        ({"optimizer": "lbfgs", "dropout": 0.0}, "its optimizer is adam, not lbfgs"),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, words):
    MLPClassifier(**OPTIONS, max_epochs=2).fit(X, y, checkpoint=tmp_path)
    with pytest.raises(DataError, match=words):
        MLPClassifier(**{**OPTIONS, **change}, max_epochs=2).fit(X, y, checkpoint=tmp_path, resume=True)


def test_other_data_damaged_files_and_a_diverging_run(tmp_path):
    MLPClassifier(**OPTIONS, max_epochs=2).fit(X, y, checkpoint=tmp_path)
    with pytest.raises(DataError, match="its data are not these"):
        MLPClassifier(**OPTIONS, max_epochs=2).fit(X + 1, y, checkpoint=tmp_path, resume=True)
    whole = (tmp_path / NAME).read_bytes()
    for content in (whole[:-20], whole[:50], b"", b"\0" * 99):
        (tmp_path / NAME).write_bytes(content)
        with pytest.raises(DataError, match="whole checkpoint"):
            MLPClassifier(**OPTIONS, max_epochs=2).fit(X, y, checkpoint=tmp_path, resume=True)
    with pytest.raises(DataError, match="cannot make the folder"):
        MLPClassifier(max_epochs=1).fit(X, y, checkpoint=tmp_path / NAME / "below")
    wild = {
        **OPTIONS,
        "dropout": 0.0,
        "optimizer": "sgd",
        "activation": "identity",
        "schedule": "warmup",
        "learning_rate": 1e200,
    }
    with pytest.raises(DivergedError):
        MLPClassifier(**wild, max_epochs=3).fit(X * np.float64(1e3), y, checkpoint=tmp_path)
    assert not (tmp_path / NAME).exists()  # a new run: the old checkpoint is gone, and nothing worth keeping came

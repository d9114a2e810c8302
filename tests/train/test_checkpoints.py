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
from byhand.train.checkpoints import NAME
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.loop import DivergedError

X, y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (7,), "random_state": 0, "dropout": 0.2, "engine": "numpy"}
if "engine" not in MLPClassifier().get_params():
    del OPTIONS["engine"]


def same(a, b):
    return all(v.tobytes() == b.parameters_[n].tobytes() for n, v in a.parameters_.items())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "schedule": "cosine"},
        {"optimizer": "rmsprop", "clip_norm": 0.5, "dtype": "float32"},
        {"early_stopping": True, "patience": 4, "tol": 0.0},
        {"patience": 6, "tol": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("at", [1, 5])
def test_resumed_to_the_same_bits(tmp_path, options, at):
    settings = {**OPTIONS, "max_epochs": 12, **options}
    whole = MLPClassifier(**settings).fit(X, y)

    class StopError(Exception):
        pass

    def stop(epoch, history):
        if epoch == at:
            raise StopError

    model = MLPClassifier(**settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byhand.train.checkpoints.OFTEN", 0.0)
        model._watchers = [lambda trainer, epoch, history: stop(epoch - 1, history)]
        with pytest.raises(StopError):
            model.fit(X, y, checkpoint=tmp_path)
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


def test_more_epochs_go_on_from_the_end(tmp_path):
    MLPRegressor(max_epochs=3, random_state=0).fit(X, X[:, 0], checkpoint=tmp_path)
    more = MLPRegressor(max_epochs=6, random_state=0).fit(X, X[:, 0], checkpoint=tmp_path, resume=True)
    assert same(more, MLPRegressor(max_epochs=6, random_state=0).fit(X, X[:, 0]))


KILLED = """
import sys
from sklearn.datasets import load_digits
from byhand.train.estimators import MLPClassifier
X, y = load_digits(return_X_y=True)
model = MLPClassifier((23,), random_state=0, max_epochs=100, dropout=0.1, early_stopping=True, patience=999{engine})
model.fit(X, y, checkpoint=sys.argv[1], resume=True)
model.save(sys.argv[2])
"""


@pytest.mark.slow
def test_killed_at_random_moments_resumes_to_the_same_bits(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(KILLED.format(engine=', engine="numpy"' if "engine" in OPTIONS else ""))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(folder, model):
        return subprocess.Popen([sys.executable, script, folder, model], env=environment)

    def written():
        return file.stat().st_mtime_ns if file.exists() else 0

    file, draw, kills, code = tmp_path / "killed" / NAME, random.Random(0), 0, 1
    for model, most in (("a", 0), ("b", 3)):
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


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    MLPClassifier(**OPTIONS, max_epochs=3).fit(X, y, checkpoint=tmp_path)
    before = (tmp_path / NAME).read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match="no space left"):
            MLPClassifier(**OPTIONS, max_epochs=6).fit(X, y, checkpoint=tmp_path, resume=True)
    assert (tmp_path / NAME).read_bytes() == before and os.listdir(tmp_path) == [NAME]
    whole = MLPClassifier(**OPTIONS, max_epochs=6).fit(X, y)
    assert same(whole, MLPClassifier(**OPTIONS, max_epochs=6).fit(X, y, checkpoint=tmp_path, resume=True))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"dropout": 0.3}, "its dropout is 0.2, not 0.3"),
        ({"hidden_layer_sizes": (8,)}, "its network is"),
        ({"optimizer": "sgd"}, "its optimizer is adam, not sgd"),
        ({"dtype": "float32"}, "its dtype"),
    ],
    ids=str,
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, words):
    MLPClassifier(**OPTIONS, max_epochs=2).fit(X, y, checkpoint=tmp_path)
    with pytest.raises(DataError, match=words):
        MLPClassifier(**{**OPTIONS, **change}, max_epochs=2).fit(X, y, checkpoint=tmp_path, resume=True)


def test_other_data_damaged_files_lbfgs_and_a_diverging_run(tmp_path):
    MLPClassifier(**OPTIONS, max_epochs=2).fit(X, y, checkpoint=tmp_path)
    with pytest.raises(DataError, match="its data are not these"):
        MLPClassifier(**OPTIONS, max_epochs=2).fit(X + 1, y, checkpoint=tmp_path, resume=True)
    whole = (tmp_path / NAME).read_bytes()
    for content in (whole[:-20], whole[:50], b"", b"\0" * 99):
        (tmp_path / NAME).write_bytes(content)
        with pytest.raises(DataError, match="whole checkpoint"):
            MLPClassifier(**OPTIONS, max_epochs=2).fit(X, y, checkpoint=tmp_path, resume=True)
    with pytest.raises(DataError, match="lbfgs has no checkpoints"):
        MLPClassifier(optimizer="lbfgs").fit(X, y, checkpoint=tmp_path)
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

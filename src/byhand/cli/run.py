"""A fit of `byhand train`: the data read and split, the model made of the options, fitted, watched; or one for each fold."""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from byhand.cli.columns import say_what_was_decided
from byhand.cli.output import note

if TYPE_CHECKING:
    from byhand.train.data.reading import Reading
    from byhand.train.data.split import Split


@dataclass
class Run:
    """A fitted model, its data, and what was recorded."""

    model: Any
    X: Any
    y: Any
    X_test: Any
    y_test: Any
    recorder: Any = None


def task_of(data: str, task: str) -> str:
    """What is to be learnt; scikit-learn's diabetes has whole numbers that are no classes."""
    return "regress" if task == "auto" and data == "diabetes" else task


def cross_validated(data: str, target: str | None, reading: Reading, folds: int, o: dict[str, Any]) -> dict[str, Any]:
    """Mean and spread of the scores over folds: in each, all that is learnt is learnt of the other rows.

    Returns: "folds", and the scores of the model and of its baseline as {"mean": ..., "spread": ...}, the standard deviation.
    """
    import numpy as np

    from byhand.train.data.split import Fold
    from byhand.train.metrics import baseline_of, classes_of, metrics_of

    scores: list[dict[str, float]] = []
    guesses: list[dict[str, float]] = []
    predicted: list[tuple[Any, Any]] = []
    words = ""
    quiet = {**o, "plot": None, "report": None, "checkpoint": None, "resume": False}
    for k in range(folds):
        run = fitted(data, target, reading, Fold(task_of(data, o["task"]), folds, k, o["seed"]), quiet, quiet=True)
        predicted.append((run.y_test, run.model.predict(run.X_test)))
        scores.append(metrics_of(run.model, run.X_test, run.y_test))
        if (baseline := baseline_of(run.model, run.y, run.y_test)) is not None:
            words = baseline[0]
            guesses.append(baseline[1])

    def over(found: list[dict[str, float]]) -> dict[str, dict[str, float]]:
        names = [n for n in found[0] if all(n in f for f in found)] if found else []
        values = {n: [f[n] for f in found] for n in names}
        return {n: {"mean": float(np.mean(v)), "spread": float(np.std(v, ddof=1))} for n, v in values.items()}

    found: dict[str, Any] = {"folds": folds, "scores": over(scores), "baseline": {"predicts": words, **over(guesses)}}
    if hasattr(run.model, "classes_") and run.y.ndim == 1:
        true = np.concatenate([t for t, _ in predicted])
        found["classes"] = classes_of(true, np.concatenate([p for _, p in predicted]), np.unique(true))
    return found


def fitted(
    data: str, target: str | None, reading: Reading, split: Split, o: dict[str, Any], quiet: bool = False
) -> Run:
    """A model fitted to the training rows of the split.

    Args:
        data, target, reading: see `byhand.train.data.read`.
        split: which rows are for training.
        o: the options of the command.
        quiet: without notes.
    Raises: DataError: the data cannot be learnt from. DivergedError: the loss is no finite number any more.
    """
    import numpy as np

    from byhand.errors import DataError
    from byhand.nets.losses import LOSSES, LossWarning
    from byhand.train.data import Rows, read

    found = read(data, target, stream=o["stream"] or None, reading=reading, training=split)
    if found.y is None:
        raise DataError("what is to be learned? name the column or array of the targets", "--target NAME")
    classify = split.classify(found.y)
    X, y = found.X, found.y
    X_test, y_test = X[:0], y[:0]
    if found.X_test is not None and found.y_test is not None:
        if o["cv"]:
            raise DataError(f"{data} comes with samples for the test: folds would mix them in", "leave out --cv")
        X_test, y_test = found.X_test, found.y_test
    else:
        if split.training is None:  # not a table
            split(y)
        training, tested = split.training, split.test
        if isinstance(X, Rows):
            training, tested = np.sort(training), np.sort(tested)
            X_test, X = X.subset(tested), X.subset(training)
        else:
            X_test, X = X[tested], X[training]
        y_test, y = y[tested], y[training]
    if not len(X):
        raise DataError("too few samples to keep some for the test", "--test 0")
    if not quiet:
        say_what_was_decided(found.table, found.notes)
        _remarks(X, y, o["batch"])
        if o["loss"] in LOSSES and LOSSES[o["loss"]].warning:
            note(f"Warning: {LOSSES[o['loss']].warning}")
    model = _model(classify, o)
    run = Run(model, X, y, X_test, y_test)
    with ExitStack() as stack:
        model._watchers = []
        if o["plot"] or o["report"]:
            from byhand.report.training import Recorder

            run.recorder = Recorder(model, X, y)
            model._watchers.append(run.recorder)
            model.callbacks = [run.recorder.norms]
        if sys.stderr.isatty():
            from byhand.cli.progress import TrainingProgress

            model._watchers.append(stack.enter_context(TrainingProgress(model, X, y)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LossWarning)  # it was said as a note
            every = o["checkpoint_every"]
            model.fit(X, y, checkpoint=o["checkpoint"], resume=o["resume"], checkpoint_every=every)
        del model._watchers
    if found.table is not None:
        model.table_ = {**found.table, "target": target}
    return run


def _remarks(X: Any, y: Any, batch: int | None) -> None:
    """What is allowed and seldom meant: equal targets, a batch of more than there is."""
    if y.ndim == 1 and (y == y[0]).all():
        note(f"Note: all targets are {y[0]}: the model can predict nothing else.")
    if batch is not None and batch > len(X):
        note(f"Note: --batch {batch} is more than the {len(X)} samples: each step takes all of them.")


def _model(classify: bool, o: dict[str, Any]) -> Any:
    from byhand.errors import DataError
    from byhand.train.estimators import MLPClassifier, MLPRegressor

    activations = o["activations"]
    settings: dict[str, Any] = {
        "net": o["net"], "solver": o["solver"], "optimizer": o["optimizer"], "learning_rate": o["lr"], "schedule": o["schedule"],
        "batch_size": o["batch"] or "auto", "max_epochs": o["epochs"] or "auto",
        "l2": "auto" if o["l2"] is None else o["l2"],
        "dropout": o["dropout"], "early_stopping": o["early_stopping"], "random_state": o["seed"],
        "engine": o["engine"], "mesh": o["mesh"],
        "activation": list(activations) if len(activations) > 1 else (activations or ("relu",))[0],
        "keep_on_interrupt": True, "standardize": o["standardize"],
    }  # fmt: skip
    settings |= {n: o[n] for n in ("loss", "init", "init_std") if o[n] is not None}
    if o["hidden"] is not None:
        try:
            settings["hidden_layer_sizes"] = tuple(int(n) for n in o["hidden"].split(","))
        except ValueError:
            message = f"--hidden {o['hidden'][:40]!r}: numbers with commas between them, such as 64,64"
            raise DataError(message, "--net 4-3 has no hidden layer") from None
    kind = MLPClassifier if classify else MLPRegressor
    settings |= _others(o["others"], kind)
    return kind(**settings)


def _others(given: tuple[str, ...], kind: Any) -> dict[str, Any]:
    """The settings of --set: numbers, true, false, null, lists and texts as JSON has them; other texts as they are."""
    from byhand.errors import DataError, nearest

    known = sorted(set(kind._get_param_names()) - {"callbacks", "keep_on_interrupt", "verbose"})
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign and name in known:
            raise DataError(f"--set {name}: a value is missing", f"write --set {name}=VALUE")
        if not sign or name not in known:
            message = f"--set {text[:60]}: no setting of {kind.__name__}{nearest(name, known)}"
            raise DataError(message, f"NAME=VALUE; names: {', '.join(known)}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


__all__ = ["Run", "cross_validated", "fitted", "task_of"]

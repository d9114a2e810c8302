"""`byhand train`: a network from a data file to a saved model, pictures and a report."""

from __future__ import annotations

import json
import os
import sys
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from byhand.cli.output import Failure, note, save, warnings_as_notes, write
from byhand.cli.predict import metrics_of

MODEL = "byhand-model.safetensors"
MOST_TESTED = 10_000  # test samples of data that stay on disk
STALL_SAMPLES = 2000  # on which it is decided whether learning stalled
LOSS = (
    "mse, mae, huber, log_cosh, ..., or an expression in Z and Y. [default: cross-entropy of classes, mse of numbers]"
)
EXAMPLES = """\b
Examples
  byhand train iris --net 4-16-3
  byhand train iris --net 4-3 --solver newton --l2 0.001
  byhand train wine --set clip_norm=1 --set class_weight='"balanced"'
  byhand train iris --loss "mean((softmax(Z) - Y)**2)"
  byhand train houses.csv --target price --hidden 64,64 -o houses.safetensors
  byhand predict houses.safetensors new.csv -o predicted.csv
"""


@click.command(epilog=EXAMPLES)
@click.argument("data")
@click.option("--target", metavar="NAME", help="The column (CSV) or array (.npz; default y) to learn.")
@click.option("--net", metavar="SIZES", help="The whole network: 64-32-10.")
@click.option("--hidden", metavar="N[,N]", help="Units of the hidden layers instead. [default: 100]")
@click.option("--act", "activations", multiple=True, metavar="NAME", help="Activation, once or per hidden layer.")
@click.option("--loss", metavar="NAME", help=LOSS)
@click.option("--task", type=click.Choice(("auto", "classify", "regress")), default="auto", show_default=True)
@click.option(
    "--solver",
    type=click.Choice(("gradient", "newton")),
    default="gradient",
    show_default=True,
    help="Steps of the optimizer, or second order on all data.",
)
@click.option("--optimizer", default="adam", show_default=True, help="sgd, momentum, nesterov, adam, ..., lbfgs.")
@click.option("--lr", type=float, help="Learning rate. [default: the optimizer's own]")
@click.option("--schedule", default="constant", show_default=True, help="constant, step, cosine, one_cycle, ...")
@click.option("--engine", default="auto", show_default=True, help="numpy, jax, c, or auto: whichever is done first.")
@click.option("--batch", type=click.IntRange(min=1), help="Samples of a step. [default: 32; large data 128]")
@click.option("--epochs", type=click.IntRange(min=1), help="[default: by the size of the data]")
@click.option("--l2", type=click.FloatRange(min=0), help="λ of λ‖W‖². [default: 1/2 divided by the samples]")
@click.option("--init", help="he, glorot, lecun, normal or zeros. [default: glorot]")
@click.option("--init-std", type=float, help="Standard deviation of --init normal. [default: 0.01]")
@click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="[default: 0]")
@click.option("--early-stopping", is_flag=True, help="Hold out a tenth, keep the best epoch.")
@click.option("--test", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Share kept for the test.")
@click.option("--stream", is_flag=True, help="Leave the features on disk. [default: where they are large]")
@click.option("--impute", is_flag=True, help="Fill missing cells of a table with medians.")
@click.option("--standardize/--no-standardize", default=True, help="Scale columns inside the model. [default: yes]")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the state of training there; of lbfgs every 200 iterations, where its memory begins anew.",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint, to the same bits.")
@click.option("--plot", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write pictures there.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write one HTML page: network, derivation, check, curves.",
)
@click.option("--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True)
@click.option(
    "--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other setting of the estimator, as JSON."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=MODEL, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
@warnings_as_notes()
def train(data: str, target: str | None, output: Path, as_json: bool, test: float, **options: Any) -> None:
    """Train a network on DATA and save it.

    DATA is a table, .csv (the first line names the columns) or .parquet; arrays, .npz (X and y) or .npy; MNIST's files
    (train-images-idx3-ubyte, gzipped or not, or their folder); or the name of a set of scikit-learn.
    Columns of text become one 0/1 column for each value; the saved model knows how. Ctrl-C saves what was learned.
    Exit codes: 0 done, 1 training diverged, 2 usage or data, 130 interrupted (and saved).
    """
    from byhand.train.loop import DivergedError

    for place in (output, options["report"]):  # said before the training, not after it
        if place is not None and not place.resolve().parent.is_dir():
            raise Failure(f"cannot write {place}: no such folder", 2)
    for place in (output, options["report"], options["plot"]):
        if place is not None:
            folder = next(p for p in place.resolve().parents if p.exists())
            if not os.access(folder, os.W_OK):
                raise Failure(f"cannot write {place}: {folder} is read-only, or another's", 2)
    if options["resume"] and options["checkpoint"] is None:
        raise click.UsageError("--resume needs --checkpoint DIR: where the state is")
    if options["net"] is not None and options["hidden"] is not None:
        raise click.UsageError("--net gives all layers, --hidden those between: one of the two")
    if options["init_std"] is not None and options["init"] != "normal":
        raise click.UsageError("--init-std is that of --init normal")
    try:
        run = _fitted(data, target, test, options)
    except DivergedError as error:
        raise Failure(str(error), 1) from None
    except ValueError as error:
        raise Failure(str(error), 2) from None
    model = run.model
    model.save(output)
    result = {
        "kind": type(model).__name__,
        "net": "-".join(map(str, model._key[0])),
        "samples": len(run.X),
        "epochs": model.history_.epochs,
        "engine": model.engine_,
        "stopped": model.history_.stopped,
        "loss": model.loss_,
        "seconds": round(model.history_.seconds, 3),
        "train": metrics_of(model, run.X, run.y),
        "test": metrics_of(model, run.X_test, run.y_test) if len(run.X_test) else None,
        "model": str(output),
    }
    warning = _stalled(run)
    result |= {"warning": warning} if warning else {}
    result |= _drawn(run, result, options["plot"], options["report"])
    if as_json:
        write(json.dumps(result, indent=2, allow_nan=False))
    else:
        write(_told(result))
    if warning:
        note(f"Warning: {warning}")
    if model.history_.stopped == "interrupted":
        note(f"Interrupted: what was learned in {_counted(model.history_.epochs, 'epoch')} is saved in {output}.")
        raise click.exceptions.Exit(130)


@dataclass
class Run:
    """A fitted model, its data, and what was recorded."""

    model: Any
    X: Any
    y: Any
    X_test: Any
    y_test: Any
    recorder: Any = None


def _fitted(data: str, target: str | None, test: float, o: dict[str, Any]) -> Run:
    import numpy as np
    from sklearn.model_selection import train_test_split

    from byhand.errors import DataError
    from byhand.nets.losses import LOSSES, LossWarning
    from byhand.train.data import Rows, is_classification, read

    found = read(data, target, impute=o["impute"], stream=o["stream"] or None)
    if found.y is None:
        raise DataError("what is to be learned? name the column or array of the targets", "--target NAME")
    classify = o["task"] == "classify" or (o["task"] == "auto" and data != "diabetes" and is_classification(found.y))
    if not classify and found.y.dtype.kind not in "fiub":
        raise DataError(f"the target holds texts such as {str(found.y[0])[:40]!r}: no numbers", "--task classify")
    X, y = found.X, found.y
    X_test, y_test = X[:0], y[:0]
    if found.X_test is not None and found.y_test is not None:
        X_test, y_test = found.X_test, found.y_test
    elif isinstance(X, Rows) and test > 0:
        order = np.random.default_rng(o["seed"]).permutation(len(X))
        kept = min(MOST_TESTED, int(test * len(X)))
        X_test, y_test = X.subset(order[:kept])[:], y[order[:kept]]
        rest = np.sort(order[kept:])
        X, y = X.subset(rest), y[rest]
    elif test > 0:
        split = {"test_size": test, "random_state": o["seed"]}
        try:
            X, X_test, y, y_test = train_test_split(X, y, stratify=y if classify and y.ndim == 1 else None, **split)
        except ValueError:  # a class with one sample
            if len(X) < 2:
                raise DataError("one sample is too few to keep some for the test", "--test 0") from None
            X, X_test, y, y_test = train_test_split(X, y, **split)
    if not len(X):
        raise DataError("too few samples to keep some for the test", "--test 0")
    _remarks(X, y, found.table, classify, o["batch"])
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
            model.fit(X, y, checkpoint=o["checkpoint"], resume=o["resume"])
        del model._watchers
    if found.table is not None:
        model.table_ = {**found.table, "target": target}
    return run


def _remarks(X: Any, y: Any, table: Any, classify: bool, batch: int | None) -> None:
    """What is allowed and seldom meant: a single class, a constant column, a batch of more than there is."""
    import numpy as np

    if classify and y.ndim == 1 and (y == y[0]).all():
        note(f"Note: all targets are {y[0]}: the model can predict nothing else.")
    if isinstance(X, np.ndarray) and table is not None:
        names = [c["name"] for c in table["columns"] for _ in (c["values"] if c["kind"] == "category" else (0,))]
        flat = np.flatnonzero(X.min(axis=0) == X.max(axis=0))
        numbers = [names[k] for k in flat if names.count(names[k]) == 1]
        if numbers:
            note(f"Note: constant in training, and hence of no use: {', '.join(numbers)[:200]}.")
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
        "engine": o["engine"],
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


def _stalled(run: Run) -> str:
    """Why learning stalled, where it did and the flow of the gradient explains it; else nothing."""
    import numpy as np

    from byhand.train.flow import flow

    X, y = run.X[:STALL_SAMPLES], run.y[:STALL_SAMPLES]
    if y.ndim > 1:
        return ""
    if hasattr(run.model, "classes_"):
        _, counts = np.unique(y, return_counts=True)
        stalled = bool(np.mean(run.model.predict(X) == y) < (1 + counts.max() / len(y)) / 2)
    else:
        stalled = bool(run.model.score(X, y) < 1 / 2)
    found = flow(run.model, X, y).warnings if stalled else ()
    return f"learning stalled: {found[0]}" if found else ""


def _drawn(run: Run, result: dict[str, Any], folder: Path | None, page: Path | None) -> dict[str, Any]:
    """Pictures and report, where they are wanted: what was written."""
    if run.recorder is None:
        return {}
    from byhand.report.training import save_figures, training_figures, training_page

    X, y = (run.X_test, run.y_test) if len(run.X_test) else (run.X, run.y)
    figures = training_figures(run.model, run.recorder, X, y)
    found: dict[str, Any] = {}
    if folder is not None:
        found["pictures"] = [str(p) for p in save_figures(figures, folder)]
    if page is not None:
        from byhand.check.check import check
        from byhand.derive.derivation import derive

        report = check(derive(run.model.net_), oracles="quick")
        shown = {k: v for k, v in result.items() if v and k not in ("train", "test", "pictures")}
        rows = [(k, f"{v:.4g}" if isinstance(v, float) else str(v)) for k, v in shown.items()]
        rows += [(f"{part} {k}", f"{v:.4f}") for part in ("train", "test") for k, v in (result[part] or {}).items()]
        save(page, training_page(run.model, figures, rows, report))
        found |= {"report": str(page), "check": report.summary}
        if not report.ok:
            raise Failure(f"the check of the derivation failed: {page} shows where", 1)
    return found


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _told(r: dict[str, Any]) -> str:
    def words(metrics: dict[str, float] | None) -> str:
        return "   ".join(f"{k} {v:.4f}" for k, v in (metrics or {}).items()) or "none kept"

    return (
        f"{r['net']}, {_counted(r['samples'], 'sample')}, {_counted(r['epochs'], 'epoch')} in {r['seconds']:.2f} s\n"
        f"  training  {words(r['train'])}\n  test      {words(r['test'])}\n  model     {r['model']}"
        + (f"\n  pictures  {len(r['pictures'])} in {Path(r['pictures'][0]).parent}" if r.get("pictures") else "")
        + (f"\n  report    {r['report']}   ({r['check']})" if r.get("report") else "")
    )


__all__ = ["train"]

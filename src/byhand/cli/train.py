"""`byhand train`, `byhand predict`, `byhand evaluate`: networks from data files to saved models and back."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from byhand.cli.output import Failure, deliver_text, note, write

MODEL = "byhand-model.safetensors"
EXAMPLES = """\b
Examples
  byhand train iris --net 4-16-3
  byhand train iris --net 4-3 --solver newton --l2 0.001
  byhand train houses.csv --target price --hidden 64,64 -o houses.safetensors
  byhand predict houses.safetensors new.csv -o predicted.csv
"""
DATA = "a file .csv or .npz, or iris, wine, breast_cancer, digits, diabetes"


@click.command(epilog=EXAMPLES)
@click.argument("data")
@click.option("--target", metavar="NAME", help="The column (CSV) or array (.npz; default y) to learn.")
@click.option("--net", metavar="SIZES", help="The whole network: 64-32-10.")
@click.option("--hidden", metavar="N[,N]", help="Units of the hidden layers instead. [default: 100]")
@click.option("--act", "activations", multiple=True, metavar="NAME", help="Activation, once or per hidden layer.")
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
@click.option("--l2", type=click.FloatRange(min=0), default=0.0, help="λ of λ‖W‖². [default: 0]")
@click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="[default: 0]")
@click.option("--early-stopping", is_flag=True, help="Hold out a tenth, keep the best epoch.")
@click.option("--test", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Share kept for the test.")
@click.option("--impute", is_flag=True, help="Fill missing cells of a CSV file with medians.")
@click.option("--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=MODEL, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def train(data: str, target: str | None, output: Path, as_json: bool, test: float, **options: Any) -> None:
    """Train a network on DATA and save it.

    DATA is a file .csv (the first line names the columns) or .npz (arrays X and y), or the name of a set of
    scikit-learn. Columns of text become one 0/1 column for each value; the saved model knows how. Ctrl-C saves what was
    learned. Exit codes: 0 done, 1 training diverged, 2 usage or data, 130 interrupted (and saved).
    """
    from byhand.train.loop import DivergedError

    try:
        model, X_test, y_test, X = _fitted(data, target, test, options)
    except DivergedError as error:
        raise Failure(str(error), 1) from None
    except ValueError as error:
        raise Failure(str(error), 2) from None
    result = {
        "kind": type(model).__name__,
        "net": "-".join(map(str, model._key[0])),
        "samples": len(X),
        "epochs": model.history_.epochs,
        "engine": model.engine_,
        "stopped": model.history_.stopped,
        "loss": model.loss_,
        "seconds": round(model.history_.seconds, 3),
        "train": _metrics(model, X, model._y_train),
        "test": _metrics(model, X_test, y_test) if len(X_test) else None,
        "model": str(output),
    }
    del model._y_train
    model.save(output)
    if as_json:
        write(json.dumps(result, indent=2, allow_nan=False))
    else:
        write(_told(result))
    if model.history_.stopped == "interrupted":
        note(f"Interrupted: what was learned in {model.history_.epochs} epochs is saved in {output}.")
        raise click.exceptions.Exit(130)


def _fitted(data: str, target: str | None, test: float, o: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """The model, the test data, and the training data; the targets of these are left at the model."""
    from sklearn.model_selection import train_test_split

    from byhand.errors import DataError
    from byhand.train.data import is_classification, read
    from byhand.train.estimators import MLPClassifier, MLPRegressor

    found = read(data, target, impute=o["impute"])
    if found.y is None:
        raise DataError("what is to be learned? name the column or array of the targets", "--target NAME")
    classify = o["task"] == "classify" or (o["task"] == "auto" and data != "diabetes" and is_classification(found.y))
    if not classify and found.y.dtype.kind not in "fiub":
        raise DataError(f"the target holds texts such as {str(found.y[0])[:40]!r}: no numbers", "--task classify")
    X, y = found.X, found.y
    X_test, y_test = X[:0], y[:0]
    if test > 0:
        split = {"test_size": test, "random_state": o["seed"]}
        try:
            X, X_test, y, y_test = train_test_split(X, y, stratify=y if classify and y.ndim == 1 else None, **split)
        except ValueError:  # a class with one sample
            X, X_test, y, y_test = train_test_split(X, y, **split)
    activations = o["activations"]
    settings: dict[str, Any] = {
        "net": o["net"], "solver": o["solver"], "optimizer": o["optimizer"], "learning_rate": o["lr"], "schedule": o["schedule"],
        "batch_size": o["batch"] or "auto", "max_epochs": o["epochs"] or "auto", "l2": o["l2"],
        "dropout": o["dropout"], "early_stopping": o["early_stopping"], "random_state": o["seed"],
        "engine": o["engine"],
        "activation": list(activations) if len(activations) > 1 else (activations or ("relu",))[0],
        "patience": 10 if o["early_stopping"] else None,
        "callbacks": [_progress()] if sys.stderr.isatty() else None, "keep_on_interrupt": True,
    }  # fmt: skip
    if o["hidden"]:
        try:
            settings["hidden_layer_sizes"] = tuple(int(n) for n in o["hidden"].split(","))
        except ValueError:
            raise DataError(f"--hidden {o['hidden'][:40]}: numbers with commas between them, such as 64,64") from None
    model = (MLPClassifier if classify else MLPRegressor)(**settings)
    model.fit(X, y)
    if model.callbacks:
        note("")
    if found.table is not None:
        model.table_ = {**found.table, "target": target}
    model._y_train = y
    return model, X_test, y_test, X


def _progress() -> Callable[[int, Any], None]:
    def show(epoch: int, history: Any) -> None:
        held = f"   validation loss {history.validation_losses[-1]:.4f}" if history.validation_losses else ""
        sys.stderr.write(f"\repoch {epoch}   loss {history.losses[-1]:.4f}{held}\x1b[K")
        sys.stderr.flush()

    return show


def _metrics(model: Any, X: Any, y: Any) -> dict[str, float]:
    import numpy as np

    predicted = model.predict(X)
    if hasattr(model, "classes_"):
        same = predicted == y
        return {"accuracy": float(np.mean(same if same.ndim == 1 else same.all(axis=1)))}
    from sklearn.metrics import r2_score

    error = float(np.sqrt(np.mean((predicted - y) ** 2)))
    return {"rmse": error} | ({"r2": float(r2_score(y, predicted))} if len(y) > 1 else {})


def _told(r: dict[str, Any]) -> str:
    def words(metrics: dict[str, float] | None) -> str:
        return "   ".join(f"{k} {v:.4f}" for k, v in (metrics or {}).items()) or "none kept"

    return (
        f"{r['net']}, {r['samples']} samples, {r['epochs']} epochs in {r['seconds']:.2f} s\n"
        f"  training  {words(r['train'])}\n  test      {words(r['test'])}\n  model     {r['model']}"
    )


def _loaded(model: Path, data: str, with_target: str | None, need: bool) -> tuple[Any, Any]:
    from byhand.errors import DataError
    from byhand.train.data import read
    from byhand.train.saving import load

    m = load(model)
    table = getattr(m, "table_", None)
    target = with_target or (table["target"] if table and need else None)
    found = read(data, target, table)
    if need and found.y is None:
        raise DataError("the true targets are needed to evaluate", "--target NAME")
    return m, found


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--proba", is_flag=True, help="Probabilities of the classes instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file.")
def predict(model: Path, data: str, proba: bool, as_json: bool, output: Path | None) -> None:
    """Predict with a saved MODEL: one line for each sample of DATA, as CSV."""
    m, found = _loaded(model, data, None, need=False)
    if proba and not hasattr(m, "classes_"):
        raise click.UsageError("--proba is for classes: the model predicts numbers")
    try:
        values = m.predict_proba(found.X) if proba else m.predict(found.X)
    except ValueError as error:
        raise Failure(str(error), 2) from None
    if as_json:
        deliver_text(json.dumps({"predictions": values.tolist()}, allow_nan=False) + "\n", output)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = values.shape[1] if values.ndim == 2 else 1
    names = [str(c) for c in m.classes_] if proba else [f"prediction{k + 1}" for k in range(columns)]
    writer.writerow(names if columns > 1 else ["prediction"])
    writer.writerows(values.reshape(len(values), -1).tolist())
    deliver_text(text.getvalue(), output)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--target", metavar="NAME", help="The true targets. [default: as in training]")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def evaluate(model: Path, data: str, target: str | None, as_json: bool) -> None:
    """Measure a saved MODEL on DATA with known targets."""
    m, found = _loaded(model, data, target, need=True)
    try:
        metrics = _metrics(m, found.X, found.y)
    except ValueError as error:
        raise Failure(str(error), 2) from None
    shown = "   ".join(f"{k} {v:.4f}" for k, v in metrics.items())
    write(json.dumps({"samples": len(found.X), **metrics}) if as_json else f"{len(found.X)} samples   {shown}")


__all__ = ["evaluate", "predict", "train"]

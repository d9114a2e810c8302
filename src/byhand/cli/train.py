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

from byhand.cli.columns import reading_of, say_what_was_decided, table_options
from byhand.cli.output import Failure, note, save, warnings_as_notes, write
from byhand.cli.ranks import ranks, spawned

MODEL = "byhand-model.safetensors"
MOST_DRAWN = 10_000  # test samples of data that stay on disk, in pictures
SCORES = ("train", "test", "baseline")
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
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Start N ranks on this machine.")
@click.option("--mesh", metavar="data=D,model=M", help="How devices divide samples and wide layers. [default: samples]")
@click.option("--batch", type=click.IntRange(min=1), help="Samples of a step. [default: 32; large data 128]")
@click.option("--epochs", type=click.IntRange(min=1), help="[default: by the size of the data]")
@click.option("--l2", type=click.FloatRange(min=0), help="λ of λ‖W‖². [default: 1/2 divided by the samples]")
@click.option("--init", help="he, glorot, lecun, normal or zeros. [default: glorot]")
@click.option("--init-std", type=float, help="Standard deviation of --init normal. [default: 0.01]")
@click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="[default: 0]")
@click.option("--early-stopping", is_flag=True, help="Hold out a tenth, keep the best epoch.")
@click.option("--test", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Share kept for the test.")
@click.option("--stream", is_flag=True, help="Leave the features on disk. [default: where they are large]")
@table_options
@click.option("--standardize/--no-standardize", default=True, help="Scale columns inside the model. [default: yes]")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the state of training there; of lbfgs every 200 iterations, where its memory begins anew.",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint, to the same bits.")
@click.option(
    "--checkpoint-every", type=click.IntRange(min=1), metavar="STEPS", help="Within an epoch too, after so many steps."
)
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
    """Train a network on DATA and save it, in one process or in many (torchrun, srun, mpirun; or --processes).

    DATA is a table, .csv, .tsv or .txt (the first line names the columns; packed as .gz, .bz2, .xz or .zip), .parquet,
    .arrow or .feather; arrays, .npz (X and y) or .npy; MNIST's files (train-images-idx3-ubyte, gzipped or not, or their
    folder); or the name of a set of scikit-learn. What the columns of a table mean is learnt on the training rows, printed
    and saved: numbers, categories (one 0/1 column for each), dates; identifiers and constants are left out. Ctrl-C saves
    what was learned; a model that stands there is asked about, or kept.
    Exit codes: 0 done, 1 training diverged, 2 usage or data, 75 another rank was lost, 130 interrupted (and saved).
    """
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
    if options["checkpoint_every"] is not None and options["checkpoint"] is None:
        raise click.UsageError("--checkpoint-every needs --checkpoint DIR")
    spawned(options["processes"], options["engine"])
    with ranks(options["engine"]) as world:
        _train(data, target, output, as_json, test, options, world.first)


def _train(
    data: str, target: str | None, output: Path, as_json: bool, test: float, options: dict[str, Any], first: bool
) -> None:
    """The command, its options looked through; of several ranks the first judges, writes and prints."""
    from byhand.train.loop import DivergedError

    try:
        run = _fitted(data, target, test, options)
    except DivergedError as error:
        raise Failure(str(error), 1) from None
    except ValueError as error:
        raise Failure(str(error), 2) from None
    model = run.model
    interrupted = model.history_.stopped == "interrupted"
    if interrupted and not model.history_.epochs:
        raise Failure("interrupted in the first epoch: nothing was learned yet, and nothing is saved", 130)
    if not first:
        if interrupted:
            raise click.exceptions.Exit(130)
        return
    saved = place_of(model, output) if interrupted else output
    model.save(saved)
    result = {
        "kind": type(model).__name__,
        "net": "-".join(map(str, model._key[0])),
        "samples": len(run.X),
        "epochs": model.history_.epochs,
        "engine": model.engine_,
        "stopped": model.history_.stopped,
        "loss": model.loss_,
        "seconds": round(model.history_.seconds, 3),
        **_judged(run),
        "model": str(saved),
    }
    warning = _stalled(run)
    result |= {"warning": warning} if warning else {}
    result |= _drawn(run, result, options["plot"], options["report"])
    if as_json:
        write(json.dumps(result, indent=2, allow_nan=False))
    else:
        write(_told(result))
    for sentence in (*([warning] if warning else []), *result["verdict"]):
        note(f"Warning: {sentence}")
    if interrupted:
        note(f"Interrupted: what was learned in {_counted(model.history_.epochs, 'epoch')} is saved in {saved}.")
        if saved != output:
            note(f"The model in {output} stays as it was.")
        raise click.exceptions.Exit(130)


def place_of(model: Any, output: Path) -> Path:
    """Where a model that was interrupted is saved: beside one that stands there, unless that is worse or not wanted.

    Of two models with validation scores of the same kind the better one is kept; else a terminal is asked.
    """
    from byhand.errors import ByhandError
    from byhand.train.saving import load

    if not output.exists():
        return output
    try:
        old = load(output)
    except ByhandError:  # no model, or a damaged one: somebody's file nevertheless
        old = None
    new_scores, old_scores = model.validation_scores_, getattr(old, "validation_scores_", None)
    if old is not None and new_scores and old_scores and type(old) is type(model) and old.monitor == model.monitor:
        replaced = max(new_scores) > max(old_scores)
    else:
        replaced = _asks() and click.confirm(f"Interrupted. Replace {output}?", default=False, err=True)
    return output if replaced else output.with_name(f"{output.stem}-interrupted{output.suffix}")


def _asks() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _judged(run: Run) -> dict[str, Any]:
    """Scores on the training and test samples, beside them those of the baseline, and the plan of a table's columns."""
    from byhand.train.data.plan import told
    from byhand.train.metrics import baseline_of, metrics_of, verdict

    model = run.model
    training = metrics_of(model, run.X, run.y)
    tested = len(run.X_test) > 0
    X, y = (run.X_test, run.y_test) if tested else (run.X, run.y)
    scores = metrics_of(model, X, y) if tested else training
    baseline = baseline_of(model, run.y, y)
    table = getattr(model, "table_", None)
    return {
        "columns": told(table) if table else [],
        "train": training,
        "test": scores if tested else None,
        "baseline": {"predicts": baseline[0], **baseline[1]} if baseline else None,
        "verdict": verdict(model, X, y, scores, training, baseline),
    }


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

    from byhand.errors import DataError
    from byhand.nets.losses import LOSSES, LossWarning
    from byhand.train.data import Rows, read
    from byhand.train.data.split import Split

    task = "regress" if o["task"] == "auto" and data == "diabetes" else o["task"]
    split = Split(task, test, o["seed"])
    found = read(data, target, stream=o["stream"] or None, reading=reading_of(o), training=split)
    if found.y is None:
        raise DataError("what is to be learned? name the column or array of the targets", "--target NAME")
    classify = split.classify(found.y)
    X, y = found.X, found.y
    X_test, y_test = X[:0], y[:0]
    if found.X_test is not None and found.y_test is not None:
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

    X, y = (run.X_test[:MOST_DRAWN], run.y_test[:MOST_DRAWN]) if len(run.X_test) else (run.X, run.y)
    figures = training_figures(run.model, run.recorder, X, y)
    drawn: dict[str, Any] = {}
    if folder is not None:
        drawn["pictures"] = [str(p) for p in save_figures(figures, folder)]
    if page is not None:
        from byhand.check.check import check
        from byhand.derive.derivation import derive

        report = check(derive(run.model.net_), oracles="quick")
        shown = {k: v for k, v in result.items() if v and k not in (*SCORES, "columns", "verdict", "pictures")}
        rows = [(k, f"{v:.4g}" if isinstance(v, float) else str(v)) for k, v in shown.items()]
        for part in SCORES:
            rows += [(f"{part} {k.replace('_', ' ')}", _number(v)) for k, v in (result[part] or {}).items()]
        rows += [(k, v) for k, found in (("column", result["columns"]), ("warning", result["verdict"])) for v in found]
        save(page, training_page(run.model, figures, rows, report))
        drawn |= {"report": str(page), "check": report.summary}
        if not report.ok:
            raise Failure(f"the check of the derivation failed: {page} shows where", 1)
    return drawn


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _told(r: dict[str, Any]) -> str:
    def words(metrics: dict[str, Any] | None) -> str:
        return "   ".join(f"{k.replace('_', ' ')} {_number(v)}" for k, v in (metrics or {}).items()) or "none kept"

    columns = "".join(f"\n  {'columns' if not k else ' ' * 7}   {line}" for k, line in enumerate(r["columns"]))
    baseline = dict(r["baseline"] or {})
    always = baseline.pop("predicts", "")
    guess = f"\n  baseline  {words(baseline)}   ({always})" if baseline else ""
    return (
        f"{r['net']}, {_counted(r['samples'], 'sample')}, {_counted(r['epochs'], 'epoch')} in {r['seconds']:.2f} s{columns}\n"
        f"  training  {words(r['train'])}\n  test      {words(r['test'])}{guess}\n  model     {r['model']}"
        + (f"\n  pictures  {len(r['pictures'])} in {Path(r['pictures'][0]).parent}" if r.get("pictures") else "")
        + (f"\n  report    {r['report']}   ({r['check']})" if r.get("report") else "")
    )


__all__ = ["train"]

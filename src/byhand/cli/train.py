"""`byhand train`: a network from a data file to a saved model, pictures and a report."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from byhand.cli.columns import reading_of, table_options
from byhand.cli.outcome import counted, drawn, judged, place_of, stalled, told
from byhand.cli.output import Failure, note, warnings_as_notes, write
from byhand.cli.ranks import ranks, spawned
from byhand.cli.run import cross_validated, fitted, task_of

MODEL = "byhand-model.safetensors"
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
@click.option(
    "--hidden",
    "--hidden-layer-sizes",
    "hidden",
    metavar="N[,N]",
    help="Units of the hidden layers instead. [default: 100]",
)
@click.option(
    "--act", "--activation", "activations", multiple=True, metavar="NAME", help="Activation, once or per hidden layer."
)
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
@click.option("--lr", "--learning-rate", "lr", type=float, help="Learning rate. [default: the optimizer's own]")
@click.option("--schedule", default="constant", show_default=True, help="constant, step, cosine, one_cycle, ...")
@click.option("--engine", default="auto", show_default=True, help="numpy, jax, c, or auto: whichever is done first.")
@click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Start N ranks on this machine.")
@click.option("--mesh", metavar="data=D,model=M", help="How devices divide samples and wide layers. [default: samples]")
@click.option(
    "--batch",
    "--batch-size",
    "batch",
    type=click.IntRange(min=1),
    help="Samples of a step. [default: 32; large data 128]",
)
@click.option(
    "--epochs", "--max-epochs", "epochs", type=click.IntRange(min=1), help="[default: by the size of the data]"
)
@click.option("--l2", type=click.FloatRange(min=0), help="λ of λ‖W‖². [default: 1/2 divided by the samples]")
@click.option("--init", help="he, glorot, lecun, normal or zeros. [default: glorot]")
@click.option("--init-std", type=float, help="Standard deviation of --init normal. [default: 0.01]")
@click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="[default: 0]")
@click.option("--early-stopping", is_flag=True, help="Hold out a tenth, keep the best epoch.")
@click.option("--test", type=click.FloatRange(0, 0.9), help="Share kept for the test. [default: 0.2]")
@click.option(
    "--cv", type=click.IntRange(min=2), metavar="K", help="Scores over K folds; the model learns of all rows."
)
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
@click.option(
    "--seed", "--random-state", "seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True
)
@click.option(
    "--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other setting of the estimator, as JSON."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=MODEL, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
@warnings_as_notes()
def train(data: str, target: str | None, output: Path, as_json: bool, test: float | None, **options: Any) -> None:
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
    if options["cv"] is not None and test is not None:
        raise click.UsageError("--cv tests on every row in turn, --test on a share of them: one of the two")
    if options["cv"] is not None and options["checkpoint"] is not None:
        raise click.UsageError("--checkpoint keeps one training, --cv K makes K more: one of the two")
    if options["checkpoint_every"] is not None and options["checkpoint"] is None:
        raise click.UsageError("--checkpoint-every needs --checkpoint DIR")
    spawned(options["processes"], options["engine"])
    with ranks(options["engine"]) as world:
        _train(data, target, output, as_json, 0.2 if test is None else test, options, world.first)


def _train(
    data: str, target: str | None, output: Path, as_json: bool, test: float, options: dict[str, Any], first: bool
) -> None:
    """The command, its options looked through; of several ranks the first judges, writes and prints."""
    from byhand.train.data.split import Split
    from byhand.train.loop import DivergedError

    folds = None
    try:
        reading = reading_of(options)
        if options["cv"]:
            folds, test = cross_validated(data, target, reading, options["cv"], options), 0.0
        run = fitted(data, target, reading, Split(task_of(data, options["task"]), test, options["seed"]), options)
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
        **judged(run, folds),
        "model": str(saved),
    }
    warning = stalled(run)
    result |= {"warning": warning} if warning else {}
    result |= drawn(run, result, options["plot"], options["report"])
    if as_json:
        write(json.dumps(result, indent=2, allow_nan=False))
    else:
        write(told(result))
    for sentence in (*([warning] if warning else []), *result["verdict"]):
        note(f"Warning: {sentence}")
    if interrupted:
        note(f"Interrupted: what was learned in {counted(model.history_.epochs, 'epoch')} is saved in {saved}.")
        if saved != output:
            note(f"The model in {output} stays as it was.")
        raise click.exceptions.Exit(130)


__all__ = ["train"]

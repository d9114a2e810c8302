"""`byhand predict`, `byhand evaluate`, `byhand export`: what saved models are used for."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click

from byhand.cli.columns import file_options, read_again
from byhand.cli.output import Failure, deliver_text, note, write

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # how a formula begins; the wide forms too


def _loaded(model: Path, data: str, with_target: str | None, need: bool, options: dict[str, Any]) -> tuple[Any, Any]:
    from byhand.errors import DataError
    from byhand.train.data import read
    from byhand.train.saving import load

    m = load(model)
    m = getattr(m, "network_", m)  # the columns become features here
    table = getattr(m, "table_", None)
    target = with_target or (table["target"] if table and need else None)
    try:
        found = read(data, target, table, reading=read_again(table, options))
    except DataError as error:
        if any("--impute" in line for line in error.details):  # that is decided in training
            remedy = "the model was trained without missing values: fill them in, or leave the row out"
            error.details = (remedy, *(line for line in error.details if "--impute" not in line))
        raise
    _need_columns(m, found.X, model, data)
    for text in found.notes:
        note(f"Note: {text}.")
    if need and found.y is None:
        raise DataError("the true targets are needed to evaluate", "--target NAME")
    return m, found


def cell(value: Any) -> Any:
    """A value as a cell of a table that no spreadsheet takes for a formula: text that begins like one gets a ' before it.

    Numbers stay numbers, in text as well: the class "-1" is no formula.
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _need_columns(m: Any, X: Any, model: Path, data: str) -> None:
    """Refuse data with other columns than the model was trained on.

    Raises: DataError: how many there are, and which are wanted.
    """
    from byhand.errors import DataError

    wanted, there = m.n_features_in_, X.shape[1]
    if there != wanted:
        names = ", ".join(map(str, getattr(m, "feature_names_in_", [])))
        raise DataError(
            f"{data} has {there} columns of features, {model} was trained on {wanted}{f': {names}' if names else ''}",
            "data of the kind that it was trained on, or a model trained on these",
        )


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@file_options
@click.option("--proba", is_flag=True, help="Probabilities of the classes instead.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file.")
def predict(model: Path, data: str, proba: bool, as_json: bool, output: Path | None, **options: Any) -> None:
    """Predict with a saved MODEL: one line for each sample of DATA, as CSV."""
    m, found = _loaded(model, data, None, need=False, options=options)
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
    writer.writerow(map(cell, names if columns > 1 else ["prediction"]))
    writer.writerows(map(cell, row) for row in values.reshape(len(values), -1).tolist())
    deliver_text(text.getvalue(), output)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--target", metavar="NAME", help="The true targets. [default: as in training]")
@file_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def evaluate(model: Path, data: str, target: str | None, as_json: bool, **options: Any) -> None:
    """Measure a saved MODEL on DATA with known targets."""
    from byhand.cli.outcome import told_by_class
    from byhand.train.metrics import classes_of, metrics_of

    m, found = _loaded(model, data, target, need=True, options=options)
    if hasattr(m, "classes_") and found.y.ndim == 1:
        unknown = [k for k, v in enumerate(found.y.tolist()) if v not in set(m.classes_.tolist())]
        if unknown:
            classes = ", ".join(map(str, m.classes_[:20]))
            where = f"{found.y[unknown[0]]} in row {unknown[0]} (from 0)"
            raise Failure(f"the target is {where}, which is none of the model's classes {classes}", 2)
    try:
        metrics = metrics_of(m, found.X, found.y)
    except ValueError as error:
        raise Failure(str(error), 2) from None
    shown = "   ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in metrics.items())
    by_class = (
        classes_of(found.y, m.predict(found.X), m.classes_) if hasattr(m, "classes_") and found.y.ndim == 1 else []
    )
    if as_json:
        write(json.dumps({"samples": len(found.X), **metrics, **({"classes": by_class} if by_class else {})}))
    else:
        write(f"{len(found.X)} samples   {shown}{told_by_class(by_class)}")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="[default: the model's name with .onnx]",
)
def export(model: Path, output: Path | None) -> None:
    """Write a saved MODEL as ONNX, its scaling included."""
    from byhand.train.saving import load

    m = load(model)
    where = output or model.with_suffix(".onnx")
    m.to_onnx(where)
    note(f"wrote {where}")
    if getattr(m, "table_", None) and any(c["kind"] == "category" for c in m.table_["columns"]):
        note("It takes numbers: categories as one 0/1 column for each value, in the order of the saved model.")


__all__ = ["evaluate", "export", "predict"]

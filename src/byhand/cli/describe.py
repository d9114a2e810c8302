"""`byhand describe`: what a saved model is, what it was made for, and how it reads its data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from byhand.cli.output import write


def _reading(reading: dict[str, Any]) -> str:
    """How the cells of a table are read, where that is not the usual way."""
    usual = {"decimal": ".", "thousands": "", "na": [], "unknown": "error", "encoding": "utf-8"}
    found = {k: v for k, v in reading.items() if v != usual[k]}
    return "   ".join(f"--{k} {','.join(v) if isinstance(v, list) else repr(v)}" for k, v in found.items())


def described(model: Any) -> dict[str, Any]:
    """A fitted model as plain data."""
    from byhand.train.data.plan import told

    sizes, activations, options = model._key
    table = getattr(model, "table_", None)
    classes = getattr(model, "classes_", None)
    found: dict[str, Any] = {
        "kind": type(model).__name__,
        "net": "-".join(map(str, sizes)),
        "activations": list(activations),
        "loss": dict(options)["loss"],
        "epochs": model.n_iter_,
        "stopped": model.history_.stopped or "after all epochs",
    }
    if classes is not None:
        found["classes"] = classes.tolist()
    if table is not None:
        found |= {"target": table.get("target"), "columns": told(table)}
        found |= {"read with": words} if (words := _reading(table.get("reading", {}))) else {}
    return found


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, the plan of the columns as the model keeps it.")
def describe(model: Path, as_json: bool) -> None:
    """Say what a saved MODEL is: its network, its classes, and the plan of the columns it was trained on."""
    from byhand.train.saving import load

    m = load(model)
    found = described(m)
    if as_json:
        write(json.dumps(found | {"table": getattr(m, "table_", None)}, indent=2, allow_nan=False))
        return
    width = max(map(len, found))
    for name, value in found.items():
        lines = value if name == "columns" else [", ".join(map(str, value)) if isinstance(value, list) else str(value)]
        for k, line in enumerate(lines):
            write(f"{name if not k else '':<{width}}   {line}")


__all__ = ["describe"]

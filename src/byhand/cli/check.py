"""`byhand check`: a gradient in somebody's file against the loss beside it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import click

from byhand.cli.output import Failure, show, write

EXAMPLES = """\b
Example
  byhand check net.py:backward --loss net.py:loss --values net.py:values

backward(**values) returns {name: gradient}; loss(**values) a number, or loss is an expression or a network; values is
a dict {name: array}, a function that returns one, or a .npz file. Your file is run as Python.

FUNCTION may be a torch.autograd.Function or a jax.custom_vjp: the right backward is derived from its forward, and values
holds its arguments in order.
"""


@click.command(epilog=EXAMPLES)
@click.argument("gradient", metavar="FILE.py:FUNCTION")
@click.option(
    "--loss", metavar="FILE.py:NAME", help="The loss: a function, an expression or a network.  [default: loss in FILE]"
)
@click.option(
    "--values", metavar="FILE.py:NAME|FILE.npz", help="The arrays to call both with.  [default: values in FILE]"
)
@click.option("--wrt", multiple=True, metavar="W[,b]", help="Check these only.  [default: all that FUNCTION returns]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(gradient: str, loss: str | None, values: str | None, wrt: tuple[str, ...], as_json: bool) -> None:
    """Check a gradient written by hand; name the mistake in it.

    Exit codes: 0 right, 1 wrong or not checkable, 2 usage.
    """
    file = gradient.rpartition(":")[0]
    if not file:
        raise click.UsageError(f"{gradient}: write FILE.py:FUNCTION")
    function = load(gradient)
    against = None if loss is None and _has_own_forward(function) else load(loss or f"{file}:loss")
    arrays = read_values(values or f"{file}:values")
    from byhand.check.gradient import check_gradient
    from byhand.errors import CheckError

    names = [w.strip() for value in wrt for w in value.split(",") if w.strip()]
    try:
        report = check_gradient(against, function, arrays, names or None)
    except CheckError as error:  # nothing was judged: what was given is no gradient, or does not run
        raise Failure(str(error), 2) from error
    if as_json:
        write(json.dumps(report.to_dict(), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        show(report)
    if not report.ok:
        raise Failure("the gradient is not right (see above)", 1)


def _has_own_forward(function: Any) -> bool:
    from byhand.check.subject import hand_written

    return hand_written(function) is not None


def load(place: str) -> Any:
    """What `FILE.py:NAME` names.

    Raises: click.UsageError: no such file or name, or the file does not run.
    """
    file, _, name = place.rpartition(":")
    path = Path(file)
    if not file or not name:
        raise click.UsageError(f"{place}: write FILE.py:NAME")
    if path.is_dir():
        raise click.UsageError(f"cannot read {path}: it is a folder")
    if not path.is_file():
        raise click.UsageError(f"cannot read {path}: no such file")
    from byhand.check.subject import place_of

    key = f"byhand_checked_{abs(hash(path.resolve()))}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, path)
        if spec is None or spec.loader is None:
            raise click.UsageError(f"{path} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module
        sys.path.insert(0, str(path.resolve().parent))
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[key]
            at = place_of(error)
            raise click.UsageError(
                f"{path} does not run: {type(error).__name__}: {error}{f'  ({at})' if at else ''}"
            ) from error
        finally:
            sys.path.remove(str(path.resolve().parent))
    if not hasattr(sys.modules[key], name):
        from byhand.errors import nearest

        raise click.UsageError(
            f"{path} has no {name}{nearest(name, [n for n in vars(sys.modules[key]) if not n.startswith('_')])}"
        )
    return getattr(sys.modules[key], name)


def read_values(place: str) -> Any:
    """The arrays: a dict, a function that returns one, or a .npz file."""
    if place.endswith(".npz"):
        import numpy as np

        try:
            with np.load(place, allow_pickle=False) as data:
                return dict(data)
        except OSError as error:
            raise click.UsageError(f"cannot read {place}: {(error.strerror or 'it is damaged').lower()}") from None
        except Exception:  # whatever a damaged file makes of itself
            raise click.UsageError(f"{place} is not a whole .npz file of plain arrays") from None
    found = load(place)
    if not callable(found):
        return found
    from byhand.check.subject import errors_of

    with errors_of(place):
        return found()

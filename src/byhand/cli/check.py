"""`byhand check`: a gradient in somebody's file against the loss beside it."""

from __future__ import annotations

import json
from typing import Any

import click

from byhand.cli.output import Failure, show, write
from byhand.cli.programs import load

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

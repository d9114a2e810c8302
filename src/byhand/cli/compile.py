"""`byhand compile`: the gradients of an expression or a network as code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from byhand.cli.derive import derivation
from byhand.cli.net import net_options, network
from byhand.cli.options import CHECK, LAYOUTS, ExpressionCommand, expression_options, free_entries_option
from byhand.cli.output import deliver_text, note
from byhand.cli.present import examine

if TYPE_CHECKING:
    from byhand.derive.derivation import Derivation

# The library's list, written out so that --help needs no library; a test compares them.
TARGETS = ("numpy", "torch", "jax", "c")
SLOPES = ("0", "0.5", "1")
_OF_EXPRESSIONS = ("file", "wrt", "shapes", "assumptions", "free_entries")
_OF_NETWORKS = ("activations", "output_act", "loss", "l2", "targets", "input", "batch", "bias")
_OPTION = {
    "shapes": "--shape",
    "assumptions": "--assume",
    "activations": "--act",
    "output_act": "--output-act",
    "free_entries": "--free-entries",
}
_SIZES = re.compile(r"\s*\w+(\s*-\s*\w+)+\s*")
CHUNK = "Compute the logits of a softmax for so many rows at a time. [default: all]"
EXAMPLES = """\b
Examples
  byhand compile "sum((X @ w - y)**2)" --wrt w --shape X:m,n --shape w:n --shape y:m
  byhand compile 784-300-10 --act relu --to torch -o network.py
  byhand compile 4-16-3 --to c --size N=16 --dtype float -o network.c
  byhand compile D-H-C --cost --size "N=64 D=784 H=300 C=10"
  byhand compile @loss.txt --shape "X:N,d W:d,k t:N" --assume t:labels --to jax
"""


@click.command("compile", cls=ExpressionCommand, epilog=EXAMPLES)
@expression_options
@free_entries_option
@net_options
@click.option(
    "--to", "target", type=click.Choice(TARGETS), default="numpy", show_default=True, help="For which library."
)
@click.option("--relu-at-zero", type=click.Choice(SLOPES), default="0", show_default=True, help="relu'(0).")
@click.option("--chunk", type=click.IntRange(min=1), metavar="ROWS", help=CHUNK)
@click.option("--size", "sizes", multiple=True, metavar="NAME=N", help="The size of a dimension: for C, --cost.")
@click.option("--dtype", type=click.Choice(("float", "double")), help="For C. [default: double]")
@click.option("--cost", is_flag=True, help="Instead of code what it costs: operations, saved entries, peak.")
@click.option("--json", "as_json", is_flag=True, help="The cost as JSON.")
@click.option("--layout", type=click.Choice(LAYOUTS), default="rows", show_default=True, help="As for derive.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file.")
@click.option("--check/--no-check", default=True, show_default=True, help=CHECK)
@click.pass_context
def compile_(
    context: click.Context,
    /,
    target: str,
    relu_at_zero: str,
    chunk: int | None,
    sizes: tuple[str, ...],
    dtype: str | None,
    cost: bool,
    as_json: bool,
    layout: str,
    output: Path | None,
    check: bool,
    **given: Any,
) -> None:
    """Write the gradients of EXPR, or of a network of sizes such as 784-300-10, as code.

    EXPR is what `byhand derive` takes, with --shape for its inputs; a network is what `byhand net` takes. For PyTorch
    the code has a torch.autograd.Function, and for networks a torch.nn.Module; for JAX a jax.custom_vjp function. C is one
    C99 file: forward, backward and sgd_step of a network, value and gradient of an expression.
    """
    options: dict[str, Any] = {"sizes": _numbers(sizes)} if sizes else {}
    if dtype is not None:
        options["dtype"] = dtype
    if options and target != "c" and not (cost and dtype is None):
        raise click.UsageError(f"{'--dtype' if dtype else '--size'} is for --to c{'' if dtype else ' and --cost'}")
    if as_json and not cost:
        raise click.UsageError("--json is for --cost")
    d = _derived(context, given).in_layout(layout)
    if check:
        examine(d)
    if cost:
        found, itemsize = d.cost(), 4 if dtype == "float" else 8
        known = options.get("sizes")
        told = json.dumps(found.to_dict(known, itemsize), indent=2) + "\n" if as_json else found.text(known, itemsize)
        deliver_text(told, output)
        return
    deliver_text(d.code(target, relu_at_zero=float(relu_at_zero), chunk=chunk, **options), output)


def _numbers(sizes: tuple[str, ...]) -> dict[str, int]:
    """N=16 as {"N": 16}; several with spaces or commas between them."""
    found = {}
    for word in re.split(r"[\s,]+", " ".join(sizes).strip()):
        name, sign, number = word.partition("=")
        if not sign or not name or not re.fullmatch(r"[0-9]{1,12}", number):
            raise click.UsageError(f"--size {word[:40]}: a name and a number, such as N=16")
        found[name] = int(number)
    return found


def _derived(context: click.Context, given: dict[str, Any]) -> Derivation:
    """The derivation of the expression or of the network.

    Raises: click.UsageError: options of both. ByhandError: what the library refuses.
    """

    def typed(names: tuple[str, ...]) -> list[str]:
        source = {n: context.get_parameter_source(n) for n in names}
        return [n for n in names if source[n] is ParameterSource.COMMANDLINE]

    of_expression, of_network = typed(_OF_EXPRESSIONS), typed(_OF_NETWORKS)
    text = given["expression"]
    sized = text is not None and (_SIZES.fullmatch(text) is not None or given["input"] is not None)
    is_network = sized and not of_expression
    if text is not None and of_expression and re.fullmatch(r"\s*[0-9]+(\s*-\s*[0-9]+)+\s*", text):
        option = _OPTION.get(of_expression[0], f"--{of_expression[0]}")
        raise click.UsageError(f"{text} is a network, and {option} is for an expression: leave it out")
    if of_expression and of_network:
        first, second = (_OPTION.get(names[0], f"--{names[0]}") for names in (of_expression, of_network))
        raise click.UsageError(f"{first} is for an expression, {second} for a network: give one kind")
    if of_network and not is_network:
        option = _OPTION.get(of_network[0], f"--{of_network[0]}")
        raise click.UsageError(f"{option} is for a network, and {text!r} is none: write its sizes, 784-300-10")
    if not is_network:
        return derivation(text, **{n: given[n] for n in _OF_EXPRESSIONS})
    from byhand.derive.derivation import derive

    if not text[:1].isdigit():
        note(f"{text} is read as the sizes of a network; for an expression give the shapes of its inputs: --shape")
    return derive(network(text, **{n: given[n] for n in _OF_NETWORKS}))

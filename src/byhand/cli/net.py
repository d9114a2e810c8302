"""`byhand net`: the gradients of a network, from its sizes or its layers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from byhand.cli.options import Command, view_options
from byhand.cli.output import note
from byhand.cli.present import View, deliver

if TYPE_CHECKING:
    from byhand.nets.mlp import MLP
    from byhand.nets.network import Network

# The library's lists, written out so that --help needs no library; a test compares them.
LOSSES = (
    "softmax_cross_entropy", "binary_cross_entropy", "multilabel_cross_entropy", "mse", "mae", "huber", "log_cosh",
    "poisson", "raw_logit_nll",
)  # fmt: skip
TARGETS = ("labels", "probabilities", "values")
EXAMPLES = """\b
Examples
  byhand net 784-300-10 --act relu --loss softmax_cross_entropy
  byhand net D-H-C --act tanh --l2 lam --targets probabilities --layout columns
  byhand net d0-...-dL --act sigma
  byhand net 8-16-16-1 --act relu --act silu --loss mse -o net.html
  byhand net "conv 8 3x3 | relu | maxpool 2 | flatten | dense 10" --input "1 28 28"
"""
ACTIVATION = (
    "Of the hidden layers: once for all, or once for each. A function (relu, tanh, gelu, ...) or an expression in z."
)
LOSS = f"{', '.join(LOSSES)}, or an expression in Z and the targets y or Y."
INPUT = 'The shape of one sample, of a network of layers: "1 28 28", "labels 50". [default: names]'
BATCH = "The number of samples, a name or an integer; 1 is a single sample, its data a vector."


def net_options(command: Command) -> Command:
    """--act, --output-act, --loss, --l2, --targets, --batch, --bias: what a network is beside its sizes."""
    decorators = (
        click.option("--act", "activations", multiple=True, metavar="NAME", help=f"{ACTIVATION} [default: relu]"),
        click.option("--output-act", metavar="NAME", help="Applied to the last layer before the loss. [default: none]"),
        click.option("--loss", default=LOSSES[0], show_default=True, metavar="NAME", help=LOSS),
        click.option(
            "--l2", default="0", metavar="NUMBER|NAME", help="λ of the penalty λ‖W‖², or a name for it. [default: 0]"
        ),
        click.option("--targets", type=click.Choice(TARGETS), help="[default: what the loss takes]"),
        click.option("--input", metavar="SHAPE", help=INPUT),
        click.option("--batch", default="N", show_default=True, metavar="N|1", help=BATCH),
        click.option("--bias/--no-bias", default=True, show_default=True, help="Whether the layers have biases."),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@click.command(epilog=EXAMPLES)
@click.argument("sizes")
@net_options
@view_options()
def net(view: View, **given: Any) -> None:
    """Derive the gradients of a network of the given SIZES, inputs first: 784-300-10, D-H-C, or d0-...-dL.

    With d0-...-dL the depth L is a symbol, and the gradients are derived by induction; --act sigma is then any function.

    The parameters are W1 (inputs, outputs), b1, W2, ...; the data X, one sample a row, and labels y or targets Y. In the
    place of SIZES may stand layers, separated by |: conv, dense, maxpool, avgpool, flatten, dropout, batch_norm,
    layer_norm, rms_norm, residual, embedding, attention, rnn, lstm, gru, or the name of a function.
    """
    from byhand.derive.derivation import derive

    deliver(derive(network(**given)), view)


def network(
    sizes: str,
    activations: tuple[str, ...],
    output_act: str | None,
    loss: str,
    l2: str,
    targets: str | None,
    input: str | None,
    batch: str,
    bias: bool,
) -> MLP | Network:
    """The network that the options ask for.

    Raises: ByhandError: what the library refuses.
    """
    from byhand.errors import ParseError
    from byhand.nets.mlp import MLP

    if "|" in sizes or len(sizes.split()) > 1:
        from byhand.nets.network import Network

        if activations or output_act or not bias:
            raise ParseError(
                "--act, --output-act and --no-bias are for networks given by sizes: activations are layers"
            )
        return Network(
            sizes, loss, input=input, l2=l2, targets=targets, batch=int(batch) if batch.isdecimal() else batch
        )
    if input is not None:
        raise ParseError("--input is for a network of layers: of sizes, the first says it")

    # "1" on the command line is one sample, its data vectors; a batch that holds one sample has another notation
    samples = None if batch == "1" else int(batch) if re.fullmatch(r"[0-9]{1,12}", batch) else batch
    made = MLP(
        sizes,
        activation=list(activations) if len(activations) > 1 else activations[0] if activations else "relu",
        loss=loss,
        l2=l2,
        bias=bias,
        output_activation=output_act,
        targets=targets,
        batch=samples,
    )
    if isinstance(made, MLP) and made.loss == "softmax_cross_entropy" and made.sizes[-1] == 1:
        note("Note: the softmax of one output is constantly 1, and this loss constantly 0: one class is no choice.")
    return made

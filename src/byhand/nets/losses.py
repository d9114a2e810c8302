"""The table of losses: one row each, as expressions in the logits Z and the targets. A new loss is a new row.

All are means: cross-entropies over the samples, the others over all entries, samples and outputs alike, as PyTorch's
`MSELoss` (scikit-learn's squared loss is half of that). All are computed from logits, so that none overflows: sigmoid
and logarithm never meet, they are softplus. A user's own loss is such an expression too.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from byhand.errors import ParseError, nearest
from byhand.nets.definition import definition

Targets = Literal["labels", "probabilities", "values"]
TARGETS: tuple[Targets, ...] = ("labels", "probabilities", "values")


class LossWarning(UserWarning):
    """What users of a loss should know."""


class Loss(NamedTuple):
    """A row.

    Attributes:
        name: what users call it.
        batch: the loss in the logits Z (N, C) and Y, the targets: integer labels (N,), or (N, C).
        sample: the same for one sample, Z (C,); Y is one label, or (C,).
        targets: the kinds of targets that it takes, the default first.
        link: what turns logits into the prediction: probabilities, a rate, or the logits themselves.
        words: what it is.
        source: where it is written down.
        warning: what its users should know; it goes into the notes of the expression.
        outputs: how many outputs it is meant for, None for any number.
    """

    name: str
    batch: str
    sample: str
    targets: tuple[Targets, ...]
    link: str
    words: str
    source: str
    warning: str = ""
    outputs: int | None = None


_BCE = "mean(softplus(Z) - Y*Z)"
_PARR = "Parr and Howard (2018), The matrix calculus you need for deep learning"
_GOODFELLOW = "Goodfellow, Bengio and Courville (2016), section 6.2.2"
_TABLE = (
    Loss("softmax_cross_entropy", "mean(cross_entropy(Z, Y))", "cross_entropy(Z, Y)",
         ("labels", "probabilities"), "softmax(Z)",
         "minus the log-probability of the target class, mean over the samples", "Bishop (2006), (4.108)"),
    Loss("binary_cross_entropy", _BCE, _BCE, ("values",), "sigmoid(Z)",
         "minus the log-probability of a 0/1 target, one output", _GOODFELLOW, outputs=1),
    Loss("multilabel_cross_entropy", _BCE, _BCE, ("values",), "sigmoid(Z)",
         "binary cross-entropy of each of several 0/1 targets, mean over samples and targets", _GOODFELLOW),
    Loss("mse", "mean((Z - Y)**2)", "mean((Z - Y)**2)", ("values",), "Z",
         "mean of the squared residuals, over samples and outputs, without 1/2", _PARR),
    Loss("mae", "mean(abs(Z - Y))", "mean(abs(Z - Y))", ("values",), "Z",
         "mean of the absolute residuals, over samples and outputs", "Koenker and Bassett (1978)"),
    Loss("huber", "mean(huber(Z - Y))", "mean(huber(Z - Y))", ("values",), "Z",
         "r**2/2 where |r| < 1, else |r| - 1/2, mean over samples and outputs", "Huber (1964)"),
    Loss("log_cosh", "mean(logcosh(Z - Y))", "mean(logcosh(Z - Y))", ("values",), "Z",
         "log cosh of the residuals, mean over samples and outputs", "Saleh and Saleh (2022)"),
    Loss("poisson", "mean(exp(Z) - Y*Z)", "mean(exp(Z) - Y*Z)", ("values",), "exp(Z)",
         "minus the Poisson log-likelihood of counts, the log-rate being the output, without the constant log Y!",
         "McCullagh and Nelder (1989), chapter 6"),
    Loss("raw_logit_nll", "-mean(Z[arange(N), Y])", "-(one_hot(Y, C) @ Z)", ("labels",), "softmax(Z)",
         "minus the logit of the target class, mean over the samples", "a common mistake, in no book",
         "raw_logit_nll is not a likelihood: it is linear in the logits and unbounded below, and its gradient is not "
         "that of softmax cross-entropy"),
)  # fmt: skip

LOSSES: dict[str, Loss] = {row.name: row for row in _TABLE}
ALIASES = {
    "cross_entropy": "softmax_cross_entropy", "softmax": "softmax_cross_entropy", "bce": "binary_cross_entropy",
    "squared_error": "mse", "mean_squared_error": "mse", "absolute_error": "mae",
    "mean_absolute_error": "mae", "logcosh": "log_cosh",
}  # fmt: skip


def loss_row(text: str) -> Loss:
    """The row of a loss, or a row made of a user's own expression in Z and y (labels) or Y.

    Raises: ParseError: an unknown name.
    """
    if not isinstance(text, str):
        raise ParseError(f"a loss is a name or an expression in Z and Y, not a {type(text).__name__}")
    name = ALIASES.get(text.strip(), text.strip())
    if name in LOSSES:
        return LOSSES[name]
    if re.fullmatch(r"\w*", name):
        near = nearest(name, [*LOSSES, *ALIASES])
        raise ParseError(
            f"unknown loss {name[:40]}{near}", f"losses: {', '.join(LOSSES)}, or an expression in Z and Y"
        ).at(text or " ", 1, 1, len(text))
    used = definition(name).names
    if "Z" not in used or not used & {"y", "Y"}:
        message = "a loss of one's own is an expression in the logits Z and the targets: y (integer labels) or Y"
        raise ParseError(message, "for example mean(abs(Z - Y)**3)").at(text, 1, 1, len(text))
    kinds: tuple[Targets, ...] = ("labels",) if "y" in used else ("values", "probabilities")
    return Loss(name, name, name, kinds, "Z", "the user's own", "the user")

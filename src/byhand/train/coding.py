"""How classes are coded as targets of a loss, and how classes and probabilities are read off its outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np

from byhand.errors import ByhandError
from byhand.nets.losses import LOSSES, Loss, loss_row
from byhand.train.parameters import ParameterError

Array = Any
SMOOTHED = "softmax_cross_entropy"  # the loss whose targets label_smoothing spreads
_HALF = 0.5  # of a probability, or between the targets 0 and 1


class NoProbabilitiesError(ByhandError, AttributeError):
    """The outputs of the loss are no probabilities. An `AttributeError`, so that `hasattr` is False."""


@dataclass(frozen=True, slots=True)
class Coding:
    """The coding of classes for one loss.

    Targets are columns of 0 and 1: one for each class; one alone where the loss has one output, which is 1 for the second
    of two classes; one for each label of multilabel. Losses on labels get the places of the ones.

    Args:
        loss: the name of a row of `byhand.nets.losses`, or an expression in Z and y or Y.
        multilabel: whether a sample has several 0/1 labels, not one class.
    """

    loss: str
    multilabel: bool

    @property
    def row(self) -> Loss:
        """The loss."""
        return loss_row(self.loss)

    @property
    def one_output(self) -> bool:
        """Whether two classes have one output."""
        return self.row.outputs == 1

    @property
    def kind(self) -> str:
        """The kind of targets of the network, see `MLP`; one-hot rows sum to one."""
        kinds = self.row.targets
        if self.multilabel or "probabilities" not in kinds:
            return kinds[0]
        return "probabilities"

    @property
    def has_probabilities(self) -> bool:
        """Whether probabilities are what the loss takes the logits for."""
        return self.row.link.startswith(("softmax", "sigmoid"))

    def check(self, classes: int) -> None:
        """Raises: ParameterError: the loss does not suit so many classes, or labels."""
        if self.multilabel and not is_of_labels(self.row):
            why = "is for two classes" if self.one_output else "is for one class of several"
            why = why if self.loss in LOSSES else "does not say from where on an output means 1"
            known = [n for n, r in LOSSES.items() if is_of_labels(r)]
            raise ParameterError(
                f"the parameter loss: {self.loss[:60]} {why}, and y has {classes} labels for each sample",
                f"of several labels: {', '.join(known)}",
            )
        if self.one_output and classes != 2:
            found = f"{classes} class{'es' if classes != 1 else ''}"
            raise ParameterError(  # the second sentence is the one that scikit-learn asks for
                f"the parameter loss: {self.loss} is for two classes, and y has {found}. "
                "Only binary classification is supported.",
                "loss='softmax_cross_entropy', or 'multilabel_cross_entropy': each class against the rest",
            )

    # ---- classes to targets

    def targets(self, places: Array, classes: int) -> Array:
        """Targets of one class for each sample: places (N,) among so many classes -> (N, outputs)."""
        return places[:, None].astype(np.float64) if self.one_output else np.eye(classes)[places]

    def given(self, targets: Array, dtype: Any, smoothing: float = 0.0) -> Array:
        """Targets (N, outputs) as the network takes them.

        Args:
            targets: of 0 and 1.
            dtype: of the network; labels are integers.
            smoothing: the share of each target that is spread over all classes, of softmax cross-entropy.
        """
        if self.kind == "labels":
            return targets.argmax(axis=1)
        if self.loss == SMOOTHED:
            targets = targets * (1 - smoothing) + smoothing / targets.shape[1]
        return np.ascontiguousarray(targets, dtype)

    # ---- outputs to classes

    def places(self, outputs: Array) -> Array:
        """The class of each sample, its place among the classes, (N,): the greatest output."""
        return (outputs[:, 0] > _HALF).astype(np.intp) if self.one_output else outputs.argmax(axis=1)

    def labels(self, outputs: Array) -> Array:
        """The labels of multilabel, 0 or 1, (N, labels)."""
        return (outputs > _HALF).astype(int)

    def probabilities(self, outputs: Array) -> Array:
        """Probabilities of the classes, rows that sum to one, (N, classes); of the labels, each by itself."""
        if self.multilabel:
            return outputs
        if self.one_output:
            return np.hstack([1 - outputs, outputs])
        if self.row.link.startswith("sigmoid"):  # all may be zero: then none is more probable than another
            outputs = outputs + np.finfo(outputs.dtype).tiny
        return outputs / outputs.sum(axis=1, keepdims=True)


def is_of_classes(row: Loss) -> bool:
    """Whether a loss makes sense for 0/1 targets: all but those of counts."""
    return not row.link.startswith("exp")


def is_of_labels(row: Loss) -> bool:
    """Whether it suits several 0/1 labels of a sample: it is a loss of each output, and known."""
    return is_of_classes(row) and row.targets == ("values",) and row.outputs is None


class with_probabilities:  # noqa: N801 (a decorator)
    """A method that an estimator has where its loss gives probabilities; elsewhere the error says why.

    Args:
        method: of an estimator with `_need_probabilities`.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method, self.__doc__ = method, method.__doc__

    def __get__(self, model: Any, owner: Any = None) -> Any:
        if model is None:
            return self.method
        model._need_probabilities()
        return MethodType(self.method, model)


__all__ = ["Coding", "NoProbabilitiesError", "is_of_classes", "is_of_labels", "with_probabilities"]

"""`MLPRegressor`: scikit-learn's conventions, byhand's derived gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from byhand.errors import ParseError
from byhand.nets.losses import LOSSES, loss_row
from byhand.train.fitting import Estimator
from byhand.train.parameters import arguments_named
from byhand.train.scaling import Scaling

Array = Any
_OF_VALUES = ("mse", "mae", "huber", "log_cosh", "poisson")
_ROBUST = ("mae", "huber", "log_cosh")
_OF_SHARES = ("softmax_cross_entropy", "binary_cross_entropy", "multilabel_cross_entropy")  # targets from 0 to 1


class MLPRegressor(RegressorMixin, Estimator):
    """A network that predicts numbers: y (N,) or (N, outputs).

    Inputs and targets are standardised inside the model: losses are in those units, predictions in the targets' own. The
    targets of "mse" by mean and standard deviation; those of robust losses ("mae", "huber", "log_cosh") and of an
    expression by median and median absolute deviation (as a standard deviation), so that no single target, whatever its
    size, moves what the others are measured in. An expression sees Z and Y in those units: a threshold in it is in
    standard deviations. `standardize_target=False` gives it the targets as they are.
    Counts (loss="poisson") are divided by their mean instead. Soft labels are numbers too: with a cross-entropy y (N,
    outputs) holds probabilities, and so do the predictions.

    Args:
        loss: "mse", "mae", "huber", "log_cosh", "poisson"; "softmax_cross_entropy" (rows of y sum to one),
            "binary_cross_entropy" or "multilabel_cross_entropy" (y from 0 to 1); or an expression in Z and Y.
        standardize_target: whether the targets are scaled, as above; probabilities never are.
        monitor: "loss", "r2", another scorer of scikit-learn, or a function (estimator, X, y) -> number.
        others: those of `MLPClassifier`.
    Attributes: as those of `MLPClassifier`, without classes_.
    """

    @arguments_named
    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        net: str | None = None,
        loss: str = "mse",
        solver: str = "gradient",
        optimizer: str = "adam",
        learning_rate: float | None = None,
        optimizer_settings: Mapping[str, float] | None = None,
        schedule: str = "constant",
        schedule_settings: Mapping[str, float] | None = None,
        batch_size: int | str = "auto",
        max_epochs: int | str = "auto",
        l2: float | str = "auto",
        dropout: float = 0.0,
        bias: bool = True,
        init: str | None = "glorot",
        init_std: float = 0.01,
        standardize: bool = True,
        standardize_target: bool = True,
        shuffle: bool = True,
        clip_norm: float | None = None,
        tol: float = 1e-4,
        patience: int | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        monitor: str | Callable[..., float] = "loss",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
        dtype: Any = "float64",
        engine: str = "auto",
        mesh: Any = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
        keep_on_interrupt: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.net = net
        self.loss = loss
        self.solver = solver
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.optimizer_settings = optimizer_settings
        self.schedule = schedule
        self.schedule_settings = schedule_settings
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.l2 = l2
        self.dropout = dropout
        self.bias = bias
        self.init = init
        self.init_std = init_std
        self.standardize = standardize
        self.standardize_target = standardize_target
        self.shuffle = shuffle
        self.clip_norm = clip_norm
        self.tol = tol
        self.patience = patience
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.monitor = monitor
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.engine = engine
        self.mesh = mesh
        self.callbacks = callbacks
        self.keep_on_interrupt = keep_on_interrupt

    def partial_fit(self, X: Array, y: Array, sample_weight: Any = None) -> MLPRegressor:
        """One pass over the data: X (N, features), y (N,) or (N, outputs), sample_weight (N,)."""
        return self._partial(X, y, sample_weight)  # type: ignore[no-any-return]

    def _numeric(self) -> bool:
        return True

    def _loss(self) -> str:
        row = loss_row(self.loss)
        if row.name in LOSSES and row.name not in (*_OF_VALUES, *_OF_SHARES):
            raise ParseError(
                f"{row.name} takes integer labels: it is a loss of classification",
                f"of values: {', '.join((*_OF_VALUES, *_OF_SHARES))}, or an expression in Z and Y",
            )
        if row.targets == ("labels",):
            raise ParseError(
                "y are the labels of classes in a loss of one's own", "of values: an expression in Z and Y"
            )
        return row.name

    def _targets_kind(self) -> str | None:
        return "probabilities" if self._loss() == "softmax_cross_entropy" else None

    def _encode(self, y: Array, first: bool, classes: Any = None) -> Array:
        """Targets as (N, outputs)."""
        del classes
        y = np.asarray(y, np.float64)
        if first:
            self._one_output = y.ndim == 1
        elif y.ndim == 2 and not self._one_output and y.shape[1] != self._key[0][-1]:
            raise ValueError(f"y has {y.shape[1]} outputs, the model {self._key[0][-1]}")
        if self._loss() == "poisson" and (y < 0).any():
            raise ValueError("y has negative values: the loss poisson is for counts")
        Y = y.reshape(len(y), -1)
        if self._loss() in _OF_SHARES:
            bad = (Y < 0) | (Y > 1)
            if self._targets_kind() == "probabilities":
                bad |= np.abs(Y.sum(axis=1, keepdims=True) - 1) > 1e-6
            if bad.any():
                row = int(np.argwhere(bad)[0, 0])
                words = "from 0 to 1" + ", a row's sum being 1" * (self._targets_kind() is not None)
                raise ValueError(f"y has {Y[row].tolist()} in row {row} (from 0): {self._loss()} takes numbers {words}")
        return Y

    def _target_scaling(self, targets: Array, weights: Array | None) -> Scaling:
        none, loss = Scaling.none(targets.shape[1]), self._loss()
        if not self.standardize_target or loss in _OF_SHARES:
            return none
        if loss == "poisson":  # of rates only the unit is free: Z = 0 is the mean then
            mean = np.average(targets, axis=0, weights=weights)
            return Scaling(none.mean, np.where(mean > 0, mean, 1.0))
        # what is robust, or the user's own, is not to be made otherwise by one target
        robust = loss in _ROBUST or loss not in LOSSES
        return Scaling.robust(targets, weights) if robust else Scaling.of(targets, weights)

    def _score_name(self) -> str:
        return "r2"

    def _score_of(self, prediction: Array, target: Array) -> float:
        from sklearn.metrics import r2_score

        return float(r2_score(target, prediction))

    def predict(self, X: Array) -> Array:
        """The predicted values, (N,) or (N, outputs)."""
        found = self._outputs(X)
        return found[:, 0] if self._one_output else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

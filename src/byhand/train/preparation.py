"""From arrays and the parameters of an estimator to a trainer: samples, scaling, starting values, the program."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight, validate_data

from byhand.distributed.world import current
from byhand.errors import DataError
from byhand.nets.architecture import read_sizes
from byhand.nets.losses import LossWarning
from byhand.nets.mlp import MLP
from byhand.nets.trained import WEIGHTS
from byhand.train.engines import Work, chosen
from byhand.train.loop import Settings, Trainer
from byhand.train.optimizers import optimizer_row, passes
from byhand.train.parameters import ParameterError
from byhand.train.program import TrainingProgram
from byhand.train.programs import network_of, program_of, settings_of
from byhand.train.scaling import Scaling

Array = Any
PENALTY = 0.5  # of l2="auto"


def engine_decided(settings: Settings, alone: Callable[[], str]) -> Settings:
    """The settings with an engine: where it is left open that of `alone`, unless there are several processes or a mesh.

    Raises: DataError: an engine of one process, where there are several.
    """
    size = current().size
    if settings.engine == "auto":
        return replace(settings, engine="jax" if size > 1 or settings.mesh is not None else alone())
    if size > 1 and settings.engine != "jax":
        raise DataError(
            f"engine={settings.engine!r} trains in one process, and {size} were started", "engine='jax', or one process"
        )
    return settings


class Preparation(BaseEstimator):
    """What stands before the training in both estimators."""

    parameters_: dict[str, Array]
    _key: tuple[Any, ...]  # sizes, activations, options: what the network is made from
    _weighted: bool  # whether it was trained with weights of the samples

    # what the two classes add
    def _loss(self) -> str:
        raise NotImplementedError

    def _encode(self, y: Array, first: bool, classes: Any = None) -> Array:
        raise NotImplementedError

    def _weights(self, y: Array, sample_weight: Any) -> Array | None:
        return None if sample_weight is None else np.asarray(sample_weight, np.float64)

    # ---- samples

    def _need_the_same_loss(self) -> None:
        """Raises: ParameterError: training goes on, and the loss is another than before."""
        now, before = self._loss(), dict(self._key[2])["loss"]
        if now != before:
            raise ParameterError(
                f"the parameter loss: it is {now[:60]}, and training goes on from a network with {before[:60]}",
                "a new estimator, or fit without warm_start",
            )

    def _validated(self, X: Array, y: Array, reset: bool) -> tuple[Array, Array]:
        kinds = [np.float64, np.float32]
        X, y = validate_data(
            self, X, y, reset=reset, multi_output=True, dtype=kinds, y_numeric=self._numeric(), accept_sparse="csr"
        )
        return (X.toarray() if issparse(X) else X), y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _numeric(self) -> bool:
        return False

    def _kept(self, X: Array, y: Array, targets: Array, sample_weight: Any) -> tuple[Array, Array, Array, Array | None]:
        """The samples that have a weight, and the weights with mean one; None where all are equal."""
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        weights = self._weights(y, sample_weight)
        if weights is None:
            return X, y, targets, None
        kept = weights > 0
        if not kept.any():
            raise ValueError("no sample has a weight above zero")
        weights = weights[kept]
        return X[kept], y[kept], targets[kept], weights

    def _split(self, X: Array, y: Array, targets: Array, weights: Array | None, rng: Any) -> tuple[Any, ...]:
        from sklearn.model_selection import train_test_split

        classes = self._strata(targets)
        count, least = ceil(self.validation_fraction * len(X)), 1 if classes is None else len(np.unique(classes))
        if not least <= count <= len(X) - least:
            each = "one sample" if classes is None else f"one sample of each of {least} classes"
            raise ParameterError(
                f"the parameter validation_fraction is {self.validation_fraction}, {count} of {len(X)} samples: both "
                f"parts need {each}",
                "another share, or fit(validation_data=(X, y))",
            )
        rows, kept = train_test_split(
            np.arange(len(X)), test_size=self.validation_fraction, random_state=rng, stratify=classes
        )
        return X[rows], targets[rows], None if weights is None else weights[rows], (X[kept], y[kept], targets[kept])

    def _strata(self, targets: Array) -> Array | None:
        """What is to be as frequent in the validation samples as in the others, (N,); None for nothing."""
        return None

    # ---- the network

    def _sizes(self, inputs: int, outputs: int) -> tuple[int, ...]:
        """The sizes of all layers: from `net` where it is given, else from `hidden_layer_sizes`."""
        if self.net is None:
            hidden = self.hidden_layer_sizes
            hidden = (hidden,) if isinstance(hidden, (int, np.integer)) else tuple(hidden)
            return (inputs, *(int(h) for h in hidden), outputs)
        sizes = read_sizes(self.net)
        if sizes[0] != inputs or sizes[-1] != outputs:
            raise ParameterError(
                f"the parameter net is {self.net}, which does not fit: the data have {inputs} columns and {outputs} outputs",
                f"net='{'-'.join(map(str, (inputs, *sizes[1:-1], outputs)))}'",
            )
        return tuple(int(str(s)) for s in sizes)

    def _begin(self, X: Array, targets: Array, weights: Array | None, rng: Any) -> None:
        """Scaling and starting values."""
        self.input_scaling_ = Scaling.of(X, weights) if self.standardize else Scaling.none(X.shape[1])
        self.target_scaling_ = self._target_scaling(targets, weights)
        self._start(X.shape[1], targets.shape[1], len(X) if weights is None else weights.sum(), rng)

    def _start(self, inputs: int, outputs: int, samples: float, rng: Any) -> None:
        """The network and its starting values, for so many samples, or the sum of their weights."""
        net = self._network(inputs, outputs, self._penalty(samples))
        if net.row.warning:
            warnings.warn(net.row.warning, LossWarning, stacklevel=2)
        values = net.init(int(rng.randint(2**31)), self._dtype(), self.init, self.init_std)
        self.parameters_ = values

    def _network(self, inputs: int, outputs: int, penalty: Any) -> MLP:
        """The network that the settings describe, which is that of the model from now on."""
        sizes, given = self._sizes(inputs, outputs), self.activation
        activation = (given,) * (len(sizes) - 2) if isinstance(given, str) else tuple(given)
        options = {"loss": self._loss(), "l2": penalty, "bias": bool(self.bias)}
        net = network_of(sizes, activation, tuple(options.items()))
        self._key = (net.sizes, net.activations, tuple(options.items()))
        return net

    def _go_on(self, penalty: Any) -> None:
        """The settings as they are now, for the parameters that there are: warm_start and partial_fit.

        Raises: ParameterError: the settings describe a network of another shape.
        """
        before = self._key[0]
        net = self._network(int(before[0]), int(before[-1]), penalty)
        if {n: net.shapes[n] for n in net.parameters} != {n: v.shape for n, v in self.parameters_.items()}:
            biases = "with" if len(self.parameters_) > len(before) - 1 else "without"
            raise ParameterError(
                f"the settings describe another network, {net}, than that which was begun: "
                f"{'-'.join(map(str, before))} {biases} biases",
                "warm_start=False, or a new estimator, begins anew",
            )

    def _penalty(self, samples: float) -> Any:
        """λ; "auto" is `PENALTY` divided by the samples (the sum of their weights), to one digit: a prior has it so."""
        if self.l2 != "auto":
            return self.l2
        return 0.0 if self.solver == "newton" else float(f"{PENALTY / samples:.1g}")

    def _target_scaling(self, targets: Array, weights: Array | None) -> Scaling:
        return Scaling.none(targets.shape[1])

    def _dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    def _program_key(self, weighted: bool, targets: str | None = None) -> tuple[Any, ...]:
        sizes, activations, options = self._key
        more: dict[str, Any] = {
            "weighted": weighted,
            "dropout": bool(self.dropout) and len(sizes) > 2 and self.optimizer != "lbfgs",
        }
        if targets is not None:
            more["targets"] = targets
        return (sizes, activations, (*options, *more.items()))

    def _targets_kind(self) -> str | None:
        return None

    # ---- the trainer

    def _trainer(self, rng: Any, weighted: bool, samples: int, targets: Array, plain: bool = False) -> Trainer:
        """What trains; `plain` is NumPy's engine where it is left open, whatever the number of epochs."""
        self._weighted = weighted
        program = program_of(self._program_key(weighted, self._targets_kind()))
        settings = settings_of(self, samples)
        if self.solver == "newton":
            from byhand.train.newton import NewtonTrainer

            if current().size > 1:
                raise DataError("solver='newton' trains in one process", "solver='gradient'")
            self.engine_ = "numpy"
            return NewtonTrainer(program, self.parameters_, settings, self._dtype())
        settings = engine_decided(settings, lambda: "numpy" if plain else self._engine_for(program, settings, samples))
        self.engine_ = settings.engine
        if isinstance(rng, np.random.RandomState):
            rng = np.random.default_rng(rng.randint(2**31))
        return Trainer(program, self.parameters_, settings, rng, self._dtype())

    def _engine_for(self, program: TrainingProgram, settings: Settings, samples: int) -> str:
        if settings.optimizer == "lbfgs":
            return "numpy"
        count = passes(optimizer_row(settings.optimizer))
        return chosen(Work.of(program, samples, settings.batch_size, settings.epochs, self._dtype(), count))

    def _data(self, X: Array, targets: Array, weights: Array | None, trainer: Trainer) -> dict[str, Array]:
        dtype = self._dtype()
        net = trainer.program.net
        data = {"X": self.input_scaling_.apply(X, dtype), net.target: self._trained(targets, dtype)}
        if weights is not None:
            data[WEIGHTS] = (weights / weights.mean()).astype(dtype)
        return data

    def _given(self, targets: Array, dtype: Any) -> Array:
        """Targets as the network takes them."""
        return self.target_scaling_.apply(targets, dtype)

    def _trained(self, targets: Array, dtype: Any) -> Array:
        """Targets as it is trained on them."""
        return self._given(targets, dtype)


__all__ = ["Preparation"]

"""Derived programs by what they are made from, kept for the life of the process: folds and refits derive once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.nets.mlp import MLP
from byhand.train.loop import Settings
from byhand.train.program import TrainedMLP, TrainingProgram, prediction

Array = Any
LEAST_STEPS = 240  # of an "auto" fit, so that small data get enough of them
AUTO_EPOCHS = 60
NEWTON_ITERATIONS = 100


@lru_cache(maxsize=64)
def program_of(key: tuple[Any, ...]) -> TrainingProgram:
    """The derived program of (sizes, activations, options), derived once per process."""
    sizes, activation, options = key
    return TrainingProgram(TrainedMLP(list(sizes), activation=list(activation), **dict(options)))


def plain_net(net: MLP) -> MLP:
    """The network without sample weights and dropout."""
    return net.plain if isinstance(net, TrainedMLP) else net


@lru_cache(maxsize=64)
def predictor_of(key: tuple[Any, ...]) -> Callable[[Mapping[str, Array], Array], Array]:
    """What the network of that key predicts: see `prediction`."""
    return prediction(plain_net(program_of(key).net))


def settings_of(e: Any, samples: int) -> Settings:
    """The settings of an estimator for so many samples; "auto" decided.

    Raises: DataError: a batch size or a number of epochs that is none.
    """
    size = e.batch_size
    auto = 32 if samples < 4096 else 128
    if size != "auto" and (isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1):
        raise DataError(f"batch_size is {size!r}: a number from 1 on, or 'auto'")
    size = min(auto if size == "auto" else int(size), samples)
    epochs = e.max_epochs
    if epochs == "auto":
        epochs = max(AUTO_EPOCHS, -(-LEAST_STEPS * size // samples)) if samples < 4096 else 30
        epochs = 1000 if e.optimizer == "lbfgs" else epochs
        epochs = NEWTON_ITERATIONS if e.solver == "newton" else epochs
    elif isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 1:
        raise DataError(f"max_epochs is {epochs!r}: a number from 1 on, or 'auto'")
    return Settings(
        e.optimizer, e.learning_rate, dict(e.optimizer_settings or {}), e.schedule,
        dict(e.schedule_settings or {}), size, int(epochs), bool(e.shuffle), e.clip_norm,
        e.dropout, e.patience, e.tol, e.engine,
    )  # fmt: skip

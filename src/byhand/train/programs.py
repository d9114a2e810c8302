"""Derived programs by what they are made from, kept for the life of the process: folds and refits derive once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from byhand.nets.mlp import MLP
from byhand.nets.trained import TrainedMLP
from byhand.train.loop import Settings
from byhand.train.mesh import read_mesh
from byhand.train.program import TrainingProgram, prediction

Array = Any
LEAST_STEPS = 240  # of an "auto" fit, so that small data get enough of them
AUTO_EPOCHS = 60
NEWTON_ITERATIONS = 100
PATIENCE = 10  # of early stopping, where none is given


@lru_cache(maxsize=64)
def network_of(sizes: tuple[int, ...], activation: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> MLP:
    """The network of some settings. Reading them says their mistakes, and takes a while: calls of `partial_fit` share it."""
    return MLP(list(sizes), activation=list(activation), **dict(options))


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
    """The settings of an estimator, whose parameters were checked, for so many samples; "auto" decided."""
    size = min((32 if samples < 4096 else 128) if e.batch_size == "auto" else int(e.batch_size), samples)
    epochs = e.max_epochs
    if epochs == "auto":
        epochs = max(AUTO_EPOCHS, -(-LEAST_STEPS * size // samples)) if samples < 4096 else 30
        epochs = 1000 if e.optimizer == "lbfgs" else epochs
        epochs = NEWTON_ITERATIONS if e.solver == "newton" else epochs
    patience = PATIENCE if e.patience is None and e.early_stopping else e.patience
    return Settings(
        e.optimizer, e.learning_rate, dict(e.optimizer_settings or {}), e.schedule,
        dict(e.schedule_settings or {}), size, int(epochs), bool(e.shuffle), e.clip_norm,
        e.dropout, patience, e.tol, e.engine, read_mesh(e.mesh),
    )  # fmt: skip

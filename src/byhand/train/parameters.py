"""What estimators are given, checked before anything else is done: one row per parameter.

scikit-learn's users expect a ValueError that names the parameter; byhand's say what fits, and the nearest known name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import signature
from math import inf, isfinite
from typing import Any

import numpy as np

from byhand.errors import ByhandError, DataError, nearest
from byhand.nets.architecture import read_activation, read_penalty, read_sizes
from byhand.nets.inits import init_row
from byhand.nets.losses import LOSSES
from byhand.nets.mlp import MLP
from byhand.train.engines import engine_row
from byhand.train.mesh import read_mesh
from byhand.train.optimizers import optimizer_row, settings_of_row
from byhand.train.schedules import rates

Check = Callable[[Any, Any], None]  # of the value and the estimator; raises where the value is wrong


class ParameterError(DataError, ValueError):
    """A parameter of an estimator that is none of what it can be."""


class ArgumentError(ParameterError, TypeError):
    """An argument of an estimator's constructor that is not there."""


# what other libraries and `byhand train` call it
_CALLED_HERE = {
    "act": "activation", "alpha": "l2", "batch": "batch_size", "beta_1": "optimizer_settings", "beta_2": "optimizer_settings",
    "epochs": "max_epochs", "epsilon": "optimizer_settings", "eta": "learning_rate", "hidden": "hidden_layer_sizes",
    "layers": "hidden_layer_sizes", "learning_rate_init": "learning_rate", "lr": "learning_rate", "max_fun": "max_epochs",
    "max_iter": "max_epochs", "momentum": "optimizer_settings", "n_epochs": "max_epochs", "n_iter": "max_epochs",
    "n_iter_no_change": "patience", "nesterovs_momentum": "optimizer_settings", "power_t": "schedule_settings",
    "seed": "random_state", "sizes": "hidden_layer_sizes", "smoothing": "label_smoothing", "weight_decay": "l2",
}  # fmt: skip


def arguments_named(constructor: Callable[..., None]) -> Callable[..., None]:
    """A constructor that names the argument that was meant where it is given one that it has not."""
    parameters = list(signature(constructor).parameters)[1:]

    @wraps(constructor)
    def called(self: Any, *arguments: Any, **named: Any) -> None:
        for word in named:
            if word not in parameters:
                meant = _CALLED_HERE.get(word)
                said = f"; here it is {meant}" if meant in parameters else nearest(word, parameters)
                raise ArgumentError(
                    f"{type(self).__name__} has no parameter {word[:60]}{said}", f"parameters: {', '.join(parameters)}"
                )
        constructor(self, *arguments, **named)

    return called


def _number(low: float, high: float = inf, words: str = "", open_low: bool = False, open_high: bool = False) -> Check:
    def check(value: Any, e: Any) -> None:
        good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and isfinite(value)
        if (
            not good
            or not (low < value if open_low else low <= value)
            or not (value < high if open_high else value <= high)
        ):
            raise DataError(f"it is {value!r}: {words}")

    return check


def _whole(value: Any, e: Any, words: str = "a whole number from 1 on") -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise DataError(f"it is {value!r}: {words}")


def _auto(value: Any, e: Any) -> None:
    if value != "auto":
        _whole(value, e, "a whole number from 1 on, or 'auto'")


def _or_none(check: Check) -> Check:
    return lambda value, e: None if value is None else check(value, e)


def _read(reader: Callable[[Any], Any]) -> Check:
    def check(value: Any, e: Any) -> None:
        reader(value)

    return check


def _loss(value: Any, e: Any) -> None:
    name = e._loss()
    if name not in LOSSES:  # the user's own expression: read here, so that a mistake in it is said of the loss
        MLP("m-n", loss=name).expression  # noqa: B018


def _solver(value: Any, e: Any) -> None:
    if value not in ("gradient", "newton"):
        raise DataError(f"it is {value!r}: gradient or newton")


def _penalty(value: Any, e: Any) -> None:
    if value != "auto":
        if isinstance(value, str):
            raise DataError(f"it is {value!r}: a number from 0 on, or 'auto'")
        read_penalty(value)


def _hidden(value: Any, e: Any) -> None:
    sizes = [value] if isinstance(value, (int, np.integer)) else value
    if isinstance(sizes, (str, Mapping)) or not isinstance(sizes, Iterable):
        raise DataError(f"it is {value!r}: the units of each hidden layer, such as (64, 32)")
    for size in sizes:
        _whole(size, e, "whole numbers from 1 on, such as (64, 32)")


def _activation(value: Any, e: Any) -> None:
    for name in [value] if isinstance(value, str) or not isinstance(value, Iterable) else value:
        read_activation(name)


def _optimizer(value: Any, e: Any) -> None:
    if value != "lbfgs":
        optimizer_row(value)


def _optimizer_settings(value: Any, e: Any) -> None:
    if value:
        if e.optimizer == "lbfgs":
            raise DataError("lbfgs has no settings")
        settings_of_row(optimizer_row(e.optimizer), dict(value))


def _schedule(value: Any, e: Any) -> None:
    rates(value, {}, 1.0)


def _schedule_settings(value: Any, e: Any) -> None:
    rates(e.schedule, dict(value or {}), 1.0)


def _engine(value: Any, e: Any) -> None:
    if value != "auto":
        engine_row(value).make()


def _mesh(value: Any, e: Any) -> None:
    if read_mesh(value) is not None and e.engine not in ("auto", "jax"):
        raise DataError(f"the engine {e.engine} has no mesh of devices", "engine='jax', or mesh=None")


def _class_weight(value: Any, e: Any) -> None:
    if value is None or (isinstance(value, str) and value == "balanced"):
        return
    for weights in value if isinstance(value, list) else [value]:  # a list: one for each label of multilabel
        if not isinstance(weights, Mapping):
            raise DataError(f"it is {value!r}: None, 'balanced', or {{class: weight}}")
        for label, weight in weights.items():
            try:
                _WEIGHT(weight, e)
            except DataError as error:
                raise DataError(f"of the class {label!r}, {error.message}") from None


def _whole_data(e: Any) -> None:
    """What has no meaning without steps and batches is refused, not passed over."""
    if e.solver == "gradient" and e.optimizer != "lbfgs":
        return
    word, remedy = ("solver='newton'", "solver='gradient'") if e.solver == "newton" else ("lbfgs", "optimizer='adam'")
    for name, unset in _OF_STEPS.items():
        value = getattr(e, name)
        if value is not None and value != unset:
            raise ParameterError(
                f"the parameter {name} of {type(e).__name__} is {value!r}, which {word} has no use for: it works on "
                "all data at once, with steps of its own",
                f"{remedy}, or {name}={unset!r}",
            )


def _dtype(value: Any, e: Any) -> None:
    try:
        name = np.dtype(value).name
    except TypeError:
        name = ""
    if name not in ("float32", "float64"):
        raise DataError(f"it is {value!r}: 'float32' or 'float64'")


def _monitor(value: Any, e: Any) -> None:
    if callable(value) or value in ("loss", e._score_name()):
        return
    from sklearn.metrics import get_scorer_names

    if value not in get_scorer_names():
        raise DataError(
            f"it is {value!r}: 'loss', {e._score_name()!r}, another scorer of scikit-learn, or a function",
            "sklearn.metrics.get_scorer_names() lists them",
        )


_OF_STEPS = {"learning_rate": None, "schedule": "constant", "batch_size": "auto", "dropout": 0.0, "clip_norm": None}
_WEIGHT = _number(0, words="a number from 0 on")
_RATE = _number(0, words="a number above 0", open_low=True)
_SHARE = _number(0, 1, "a number from 0 on and below 1", open_high=True)
CHECKS: dict[str, Check] = {
    "hidden_layer_sizes": _hidden,
    "net": _or_none(_read(read_sizes)),
    "activation": _activation,
    "init": _or_none(_read(init_row)),
    "init_std": _RATE,
    "l2": _penalty,
    "solver": _solver,
    "optimizer": _optimizer,
    "optimizer_settings": _optimizer_settings,
    "learning_rate": _or_none(_RATE),
    "schedule": _schedule,
    "schedule_settings": _schedule_settings,
    "batch_size": _auto,
    "max_epochs": _auto,
    "dropout": _SHARE,
    "label_smoothing": _SHARE,
    "clip_norm": _or_none(_RATE),
    "tol": _number(0, words="a number from 0 on"),
    "patience": _or_none(_whole),
    "validation_fraction": _number(0, 1, "a number above 0 and below 1", open_low=True, open_high=True),
    "monitor": _monitor,
    "class_weight": _class_weight,
    "engine": _engine,
    "mesh": _mesh,
    "dtype": _dtype,
    "loss": _loss,
}


def check_parameters(e: Any) -> None:
    """Check what an estimator was given.

    Raises: ParameterError: which parameter is wrong, why, and what fits.
    """
    given = e.get_params(deep=False)
    for name, check in CHECKS.items():
        if name in given:
            try:
                check(given[name], e)
            except (ByhandError, TypeError) as error:
                details = getattr(error, "details", ())
                message = getattr(error, "message", str(error))
                raise ParameterError(f"the parameter {name} of {type(e).__name__}: {message}", *details) from None
    _whole_data(e)


__all__ = ["CHECKS", "ParameterError", "check_parameters"]

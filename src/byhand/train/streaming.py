"""Training on rows that stay on disk: scaled as they are read, so that memory does not grow with their width or number.

What is kept for each sample is its target and its place in the order: a few tens of bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from byhand.errors import DataError
from byhand.train.data.rows import Rows
from byhand.train.disk import ScaledRows, TargetRows
from byhand.train.loop import Trainer
from byhand.train.preparation import engine_decided
from byhand.train.programs import program_of, settings_of
from byhand.train.scaling import Scaling

Array = Any
MOST_HELD = 10_000  # validation samples, which are kept in memory


def scaling_of(rows: Rows) -> Scaling:
    """The scaling of the columns, in one pass (Chan, Golub and LeVeque 1979).

    Raises: DataError: a value that is not finite, its row and column.
    """
    count, mean, squares = 0, np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for first, part in rows.chunks():
        bad = np.argwhere(~np.isfinite(part))
        if len(bad):
            row, column = bad[0]
            raise DataError(f"{rows.name} has {part[row, column]} in row {first + row}, column {column} (from 0)")
        here = part.mean(axis=0)
        gap, total = here - mean, count + len(part)
        squares += ((part - here) ** 2).sum(axis=0) + gap**2 * (count * len(part) / total)
        mean += gap * (len(part) / total)
        count = total
    return Scaling.of_moments(mean, np.sqrt(squares / count))


def fit_rows(model: Any, X: Rows, y: Array, validation_data: Any, kept: Any) -> Any:
    """Fit an estimator to rows on disk; see `Estimator.fit`.

    With early stopping the validation samples are kept in memory, 10 000 at most. The engine is NumPy's or JAX's.
    Raises: DataError: shapes that do not fit, class weights, another engine or an optimizer that needs all data at once.
    """
    y = np.asarray(y)
    if y.ndim != 1 or len(y) != len(X):
        raise DataError(f"{X.name} has {len(X)} rows, y has shape {y.shape}: one target for each row is needed")
    if not len(X):
        raise DataError(f"{X.name} has no rows")
    for name, wrong in (
        ("class_weight", getattr(model, "class_weight", None) is not None),
        ("warm_start", bool(model.warm_start)),
        (f"engine={model.engine!r}", model.engine not in ("auto", "numpy", "jax")),
        ("optimizer='lbfgs'", model.optimizer == "lbfgs"),
        ("solver='newton'", getattr(model, "solver", None) == "newton"),
    ):
        if wrong:
            raise DataError(f"{name} needs the data in memory", "data that are smaller, or another setting")
    rng = check_random_state(model.random_state)
    held: tuple[Array, Array, Array] | None = None
    if validation_data is not None:
        X_held = np.asarray(validation_data[0], np.float64)
        y_held = np.asarray(validation_data[1])
    elif model.early_stopping:
        order = rng.permutation(len(X))
        count = min(MOST_HELD, max(1, int(model.validation_fraction * len(X))))
        X_held, y_held = X.subset(order[:count]).read(np.arange(count)), y[order[:count]]
        X, y = X.subset(np.sort(order[count:])), y[np.sort(order[count:])]
    model.n_features_in_ = X.shape[1]
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_
    codes, made, outputs = _targets(model, y)
    if validation_data is not None or model.early_stopping:
        held = X_held, y_held, model._encode(y_held, first=False)
    model.input_scaling_ = scaling_of(X) if model.standardize else Scaling.none(X.shape[1])
    model._start(X.shape[1], outputs, len(X), rng)
    model._weighted = False
    program = program_of(model._program_key(False, model._targets_kind()))
    settings = engine_decided(settings_of(model, len(X)), lambda: "numpy")
    model.engine_ = settings.engine
    generator = np.random.default_rng(rng.randint(2**31))
    trainer = Trainer(program, model.parameters_, settings, generator, model._dtype())
    shape = (len(y), *made(codes[:1]).shape[1:])
    data = {
        "X": ScaledRows(X, model.input_scaling_, model._dtype()),
        program.net.target: TargetRows(codes, made, shape),
    }
    return model._run(trainer, data, held, (X, y), kept)


def _targets(model: Any, y: Array) -> tuple[Array, Callable[[Array], Array], int]:
    """What is kept for each sample, what makes targets of it, and the number of outputs."""
    dtype = model._dtype()
    if is_classifier(model):
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        model._learn(classes, multilabel=False)
        outputs = model._coding.targets(codes[:1], len(classes)).shape[1]
        model.target_scaling_ = Scaling.none(outputs)
        return (
            codes.astype(np.int32),
            lambda c: model._trained(model._coding.targets(c, len(classes)), dtype),
            outputs,
        )
    values = model._encode(y, first=True)
    if not np.isfinite(values).all():
        raise DataError(f"the targets have {values[~np.isfinite(values)][0]}")
    model.target_scaling_ = model._target_scaling(values, None)
    return values, lambda v: model._trained(v, dtype), 1


__all__ = ["fit_rows", "scaling_of"]

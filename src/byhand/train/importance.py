"""What the columns of a table are worth to a model: the score that is lost when one is shuffled.

Source: Breiman (2001), Random Forests, section 10; a column's features are shuffled together, as they belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.train.data.plan import features_of

Array = Any
REPEATS = 5
MOST = 2000  # samples that are looked at


def columns_of(model: Any, features: int) -> list[tuple[str, list[int]]]:
    """The columns as the user has them: the name of each, and the places of its features."""
    table = getattr(model, "table_", None)
    if not table:
        names = getattr(model, "feature_names_in_", None)
        given: Sequence[str] = [f"column {k}" for k in range(features)] if names is None else [str(n) for n in names]
        return [(name, [k]) for k, name in enumerate(given)]
    found, start = [], 0
    for column in table["columns"]:
        width = len(features_of(column))
        found.append((str(column["name"]), list(range(start, start + width))))
        start += width
    return found


def feature_names(model: Any) -> list[str]:
    """The names of the features, where they have any."""
    table = getattr(model, "table_", None)
    if table:
        return [name for column in table["columns"] for name in features_of(column)]
    return [str(n) for n in getattr(model, "feature_names_in_", ())]


def importances(model: Any, X: Array, y: Array, columns: Sequence[tuple[str, list[int]]], seed: int = 0) -> Array:
    """The score lost, (columns, repeats): accuracy, or R².

    Args:
        model: fitted, a classifier or regressor of byhand on numbers.
        X: (N, features); y: (N,) or (N, outputs): the first 2000 are used.
        columns: see `columns_of`.
        seed: of the shuffling.
    """
    X, y = np.array(X[:MOST], np.float64), y[:MOST]
    rng = np.random.default_rng(seed)
    whole = float(model.score(X, y))
    found = np.zeros((len(columns), REPEATS))
    for k, (_, places) in enumerate(columns):
        kept = X[:, places].copy()
        for repeat in range(REPEATS):
            X[:, places] = kept[rng.permutation(len(X))]
            found[k, repeat] = whole - float(model.score(X, y))
        X[:, places] = kept
    return found


__all__ = ["columns_of", "feature_names", "importances"]

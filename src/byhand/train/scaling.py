"""Standardisation as part of the model: columns to mean zero and variance one, or to median zero and MAD one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
NORMAL_MAD = 0.6744897501960817  # the median absolute deviation of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Scaling:
    """Column j becomes (x - mean[j]) / scale[j]; a constant column has scale one and becomes zero.

    Attributes:
        mean, scale: (columns,).
    """

    mean: Array
    scale: Array

    @classmethod
    def of(cls, values: Array, weights: Array | None = None) -> Scaling:
        """The scaling of columns (N, columns), samples weighted (N,)."""
        values = np.asarray(values, np.float64)
        mean = np.average(values, axis=0, weights=weights)
        scale = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
        return cls.of_moments(mean, scale)

    @classmethod
    def robust(cls, values: Array, weights: Array | None = None) -> Scaling:
        """The scaling of columns (N, columns) by the median and the median absolute deviation, which few values cannot move.

        The deviation is given as the standard deviation of a normal distribution with it. Where more than half of a column
        is one value, the deviation is that of the others.
        """
        values = np.asarray(values, np.float64)
        middle = np.array([_median(column, weights) for column in values.T])
        away = np.abs(values - middle)
        scale = np.array([_median(column, weights) for column in away.T])
        for k in np.flatnonzero(scale == 0):
            others = away[:, k] > 0
            if others.any():
                scale[k] = _median(away[others, k], None if weights is None else weights[others])
        return cls.of_moments(middle, scale / NORMAL_MAD)

    @classmethod
    def of_moments(cls, mean: Array, scale: Array) -> Scaling:
        """From means and standard deviations, (columns,) each; a constant column keeps its scale."""
        flat = scale <= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1e-300)
        return cls(mean, np.where(flat | ~np.isfinite(scale), 1.0, scale))

    @classmethod
    def none(cls, columns: int) -> Scaling:
        """No change."""
        return cls(np.zeros(columns), np.ones(columns))

    def apply(self, values: Array, dtype: Any) -> Array:
        """Scaled columns, contiguous."""
        return np.ascontiguousarray((np.asarray(values, np.float64) - self.mean) / self.scale, dtype)

    def undo(self, values: Array) -> Array:
        """Back to the columns' own units."""
        return np.asarray(values, np.float64) * self.scale + self.mean


def _median(values: Array, weights: Array | None) -> float:
    """The median of (N,), samples weighted (N,): a weight of two is the value twice."""
    if weights is None:
        return float(np.median(values))
    order = np.argsort(values, kind="stable")
    below = np.cumsum(np.asarray(weights, np.float64)[order])
    half, edge = below[-1] / 2, 1e-12 * below[-1]
    first, last = (int(np.searchsorted(below, half + e)) for e in (-edge, edge))
    last = min(last, len(values) - 1)
    return float((values[order[first]] + values[order[last]]) / 2)

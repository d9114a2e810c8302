"""Standardisation as part of the model: columns to mean zero and variance one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


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

"""Norms of the gradient at every step of a training, in memory that does not grow with the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

Array = Any
MOST = 2000  # columns that are kept


class GradientNorms:
    """The 2-norm of the gradient of each weight matrix at each step, recorded while an estimator is fitted.

    Give it to an estimator among its `callbacks`. A step's gradient is the derived one of its own batch, penalty
    included, before clipping. Of L-BFGS and Newton's method it is that of all data where each iteration starts.
    Up to 2000 steps each has a column of its own; of more, 2, 4, 8, ... steps share a column, which has the greatest of
    their norms. The weights are those of a fit without it. A fit that is resumed from a checkpoint has the norms of the
    whole run where they were recorded before too, else those from where it was resumed: `first` says so.

    Args:
        most: how many columns are kept, an even number.
    Attributes:
        names: of the weight matrices: W1, W2, ...
        unit: "step" or "iteration", what is counted.
        first: the number of the first step that was recorded; a run's first step is 1.
        steps: how many were recorded.
        width: how many steps share a column, a power of two; the last column may have fewer.

    >>> norms = GradientNorms()
    >>> norms.begin(("W1", "W2"))
    >>> norms.add([[3.0, 4.0], [2.0, 5.0]])
    >>> norms.values.tolist()
    [[3.0, 4.0], [2.0, 5.0]]
    """

    def __init__(self, most: int = MOST) -> None:
        if most < 2 or most % 2:
            raise ValueError(f"most is {most}: an even number from 2 on")
        self.most = most
        self.begin(())

    def begin(self, names: Sequence[str], unit: str = "step", first: int = 1) -> None:
        """Nothing is recorded yet; of these matrices, from this step on."""
        self.names, self.unit, self.first = tuple(names), unit, first
        self.steps, self.width = 0, 1
        self._held = np.zeros((self.most, len(self.names)))

    def add(self, rows: Array) -> None:
        """The norms of the next steps, (steps, matrices)."""
        while len(rows):
            if self.steps == self.most * self.width:
                self._hold(*self.coarser(self.most // 2))
            column, taken = divmod(self.steps, self.width)
            part = rows[: self.width - taken]
            np.maximum(self._held[column], np.max(part, axis=0), out=self._held[column])
            self.steps += len(part)
            rows = rows[len(part) :]

    @property
    def values(self) -> Array:
        """The norms, (columns, matrices)."""
        return self._held[: -(-self.steps // self.width)].copy()

    def coarser(self, most: int) -> tuple[Array, int]:
        """The norms in at most so many columns, and how many steps share one then."""
        return _coarser(self.values, self.width, most)

    def state(self) -> dict[str, int]:
        """What `restore` needs beside the values."""
        return {"first": self.first, "steps": self.steps, "width": self.width}

    def restore(self, values: Array, state: dict[str, int]) -> None:
        """Go on from norms that were recorded before, (columns, matrices)."""
        self.first, self.steps = state["first"], state["steps"]
        self._hold(*_coarser(values, state["width"], self.most))

    def _hold(self, values: Array, width: int) -> None:
        self._held[: len(values)] = values
        self._held[len(values) :] = 0.0
        self.width = width

    def __call__(self, epoch: int, history: Any) -> None:
        """An epoch is over: nothing to do, the norms are there already."""


def _coarser(values: Array, width: int, most: int) -> tuple[Array, int]:
    while len(values) > most:  # the greater of each two columns; the last may be alone
        values, width = np.maximum.reduceat(values, np.arange(0, len(values), 2), axis=0), 2 * width
    return values, width


def measure(gradient: Array, places: Iterable[slice]) -> Callable[[], list[float]]:
    """What gives the 2-norms of parts of a vector (count,) as it stands at each call."""
    from scipy.linalg import get_blas_funcs  # here: most fits record nothing

    norm = get_blas_funcs("nrm2", dtype=gradient.dtype)  # it scales: the squares of small entries do not vanish
    parts = [gradient[place] for place in places]
    return lambda: [float(norm(part)) for part in parts]


__all__ = ["GradientNorms", "measure"]

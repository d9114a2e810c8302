"""The NumPy engine: the derived step and the update in place, nothing allocated for arrays once a step was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from byhand.train.optimizers import Updater, clip_gradient
from byhand.train.program import Step, TrainingProgram

Array = Any


class NumpyEngine:
    """Steps of a program on vectors that the caller owns.

    Args:
        program: the derived step.
        parameters, gradient: vectors (count,), read and written at each step.
        updater: the optimizer at work on them; None where only gradients are wanted.
        rng: draws dropout.
        dropout: the share of hidden units that are left out.
        clip_norm: the greatest 2-norm of a gradient, None for any.
    """

    name = "numpy"

    def __init__(
        self,
        program: TrainingProgram,
        parameters: Array,
        gradient: Array,
        updater: Updater | None,
        rng: np.random.Generator,
        dropout: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        self.program, self.updater, self.rng = program, updater, rng
        self.parameters, self.gradient = parameters, gradient
        self.keep, self.clip_norm = 1.0 - dropout, clip_norm
        self._steps: dict[int, Step] = {}

    def step_for(self, batch: int) -> Step:
        """The step for batches of one size, made once."""
        if batch not in self._steps:
            self._steps[batch] = self.program.step(batch, self.parameters, self.gradient)
        return self._steps[batch]

    def load(self) -> None:
        """Parameters and state are used where they stand: nothing to do."""

    def epoch(self, data: Mapping[str, Array], order: Array, size: int, rates: Sequence[float]) -> Array:
        """One step for each batch; a loss that is no finite number ends the pass before its update.

        Args:
            data: name -> array with the samples first.
            order: the rows to visit, (N,).
            size: of a batch; the last one may be smaller.
            rates: the learning rate of each step.
        Returns: the loss of each step that was taken.
        """
        updater, losses = self.updater, []
        assert updater is not None
        for k, rate in enumerate(rates):
            rows = order[k * size : (k + 1) * size]
            step = self.step_for(len(rows))
            for name, array in data.items():
                array.take(rows, 0, step.data[name], "clip")
            self._drop(step)
            loss = float(step.run())
            losses.append(loss)
            if not isfinite(loss):
                break
            if self.clip_norm is not None:
                clip_gradient(self.gradient, self.clip_norm)
            updater.step(rate)
        return np.array(losses)

    def _drop(self, step: Step) -> None:
        for name in self.program.masks:
            mask = step.data[name]
            self.rng.random(out=mask, dtype=mask.dtype)
            np.less(mask, self.keep, out=mask, casting="unsafe")
            mask /= self.keep

    def function(self, data: Mapping[str, Array]) -> Callable[[Array], tuple[float, Array]]:
        """The loss and its gradient over all data, as a function of the parameters (count,); masks are ones."""
        step = self.step_for(len(data["X"]))
        for name, held in step.data.items():
            held[...] = 1.0 if name in self.program.masks else data[name]

        def run(parameters: Array) -> tuple[float, Array]:
            self.parameters[:] = parameters
            return float(step.run()), self.gradient.astype(np.float64)

        return run


__all__ = ["NumpyEngine"]

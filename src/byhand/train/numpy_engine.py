"""The NumPy engine: the derived step and the update in place, nothing allocated for arrays once a step was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from byhand.train.engine import StepEngine
from byhand.train.norms import measure
from byhand.train.optimizers import clip_gradient
from byhand.train.program import Step

Array = Any


class NumpyEngine(StepEngine):
    """See `StepEngine`: parameters and state are used where they stand."""

    name = "numpy"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._steps: dict[int, Step] = {}

    def step_for(self, batch: int) -> Step:
        """The step for batches of one size, made once."""
        if batch not in self._steps:
            self._steps[batch] = self.program.step(batch, self.parameters, self.gradient)
        return self._steps[batch]

    def epoch(self, data: Mapping[str, Array], order: Array, size: int, rates: Sequence[float]) -> Array:
        updater, losses = self.updater, []
        assert updater is not None
        norms = self.norms
        measured = None if norms is None else measure(self.gradient, self.program.weights.values())
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
            if norms is not None and measured is not None:
                norms.add([measured()])
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
        step = self.step_for(len(data["X"]))
        for name, held in step.data.items():
            held[...] = 1.0 if name in self.program.masks else data[name]

        def run(parameters: Array) -> tuple[float, Array]:
            self.parameters[:] = parameters
            return float(step.run()), self.gradient.astype(np.float64)

        return run


__all__ = ["NumpyEngine"]

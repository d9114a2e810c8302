"""What engines have in common: the program, the vectors, and what is done to a gradient before its step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from byhand.errors import DataError
from byhand.train.norms import GradientNorms
from byhand.train.optimizers import Updater
from byhand.train.program import TrainingProgram

Array = Any


class StepEngine(ABC):
    """Steps of a program on vectors that the caller owns.

    Args:
        program: the derived step.
        parameters, gradient: vectors (count,), read and written at each step.
        updater: the optimizer at work on them; None where only gradients are wanted.
        rng: draws dropout.
        dropout: the share of hidden units that are left out.
        clip_norm: the greatest 2-norm of a gradient, None for any.
        mesh: of devices; the jax engine alone has one.
    Attributes:
        norms: what records the norms of each step's gradient; None for nothing.
    """

    name: ClassVar[str]

    def __init__(
        self,
        program: TrainingProgram,
        parameters: Array,
        gradient: Array,
        updater: Updater | None,
        rng: np.random.Generator,
        dropout: float = 0.0,
        clip_norm: float | None = None,
        mesh: Any = None,
    ) -> None:
        if mesh is not None and self.name != "jax":
            raise DataError(f"the engine {self.name} has no mesh of devices", "engine='jax', or no mesh")
        self.program, self.updater, self.rng = program, updater, rng
        self.parameters, self.gradient = parameters, gradient
        self.keep, self.clip_norm = 1.0 - dropout, clip_norm
        self.norms: GradientNorms | None = None

    def load(self) -> None:
        """Parameters and state were changed: read them anew, where they are not used where they stand."""
        return

    @property
    def divided(self) -> bool:
        """Whether no process holds all parameters."""
        return False

    @abstractmethod
    def epoch(self, data: Mapping[str, Array], order: Array, size: int, rates: Sequence[float]) -> Array:
        """One step for each batch; a loss that is no finite number ends the pass before its update.

        Args:
            data: name -> array with the samples first.
            order: the rows to visit, (N,).
            size: of a batch; the last one may be smaller.
            rates: the learning rate of each step.
        Returns: the loss of each step that was taken.
        """

    @abstractmethod
    def function(self, data: Mapping[str, Array]) -> Callable[[Array], tuple[float, Array]]:
        """The loss and its gradient over all data, as a function of the parameters (count,); masks are ones."""


__all__ = ["StepEngine"]

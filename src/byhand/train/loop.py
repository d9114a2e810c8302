"""The loop: epochs, shuffling, validation, early stopping, callbacks, divergence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

import numpy as np

from byhand.distributed.world import current
from byhand.errors import ByhandError, DataError
from byhand.train.engine import StepEngine
from byhand.train.engines import engine_row
from byhand.train.norms import GradientNorms, measure
from byhand.train.optimizers import Updater, optimizer_row
from byhand.train.program import TrainingProgram
from byhand.train.schedules import rates

Array = Any


class DivergedError(ByhandError):
    """The loss became infinite or not a number."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        optimizer, learning_rate, optimizer_settings: a row of `optimizers`, or "lbfgs"; None is the row's own rate.
        schedule, schedule_settings: a row of `schedules`.
        batch_size, epochs: the last batch of an epoch may be smaller.
        shuffle: a new order for each epoch; with one batch an epoch the order is left alone.
        clip_norm: the greatest 2-norm of a gradient, None for any.
        dropout: the share of hidden units that are left out.
        patience, tol: stop after so many epochs without an improvement of tol; None never stops.
        engine: a row of `engines`.
        mesh: sizes of the axes data and model, see `byhand.train.mesh`; None is all devices there are.
    """

    optimizer: str = "adam"
    learning_rate: float | None = None
    optimizer_settings: Mapping[str, float] = field(default_factory=dict)
    schedule: str = "constant"
    schedule_settings: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 32
    epochs: int = 100
    shuffle: bool = True
    clip_norm: float | None = None
    dropout: float = 0.0
    patience: int | None = None
    tol: float = 1e-4
    engine: str = "numpy"
    mesh: Any = None


@dataclass(slots=True)
class History:
    """What happened, an entry per epoch.

    Attributes:
        losses: mean training loss of each epoch, as met by the steps.
        validation_losses, validation_scores: after each epoch, where there are validation data; greater scores are
            better.
        stopped: "" for all epochs, or "converged", "early", "callback", "interrupted".
        best_epoch: from 1; the one whose parameters were kept.
        seconds: in all.
    """

    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    stopped: str = ""
    best_epoch: int = 0
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """How many epochs were run."""
        return len(self.losses)


@dataclass(slots=True)
class Underway:
    """An epoch that is not over.

    Attributes:
        start: the generator's state before the order was drawn.
        losses: of the steps that were taken.
    """

    start: Mapping[str, Any]
    losses: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Progress:
    """What early stopping remembers.

    Attributes:
        best: the least value watched so far.
        parameters: those that gave it, (count,); None without validation.
        waited: epochs since it improved.
    """

    best: float = inf
    parameters: Array | None = None
    waited: int = 0


Validate = Callable[[], tuple[float, float]]
Callback = Callable[[int, History], Any]


class Trainer:
    """One network in training: parameters, gradient, optimizer and the steps for each batch size.

    Args:
        program: the derived step.
        values: the parameters at the start, by name.
        settings: how.
        rng: shuffles, and draws dropout.
        dtype: np.float32 or np.float64.
    Attributes:
        parameters, gradient: vectors (count,).
        converged: whether another epoch would change nothing; steps of an optimizer never know.
        engine: what takes the steps on them.
        norms: what records the norms of the gradient, see `record`; None for nothing.
        progress: of early stopping.
        stretch: the iterations after which L-BFGS begins its memory anew; None never.
        every, between: the steps after which `between` is called within an epoch; None never.
        underway: the epoch that is not over; set before `fit`, it is gone on with.
    """

    converged = False
    stretch: int | None = None
    every: int | None = None
    between: Callable[[], None] | None = None
    underway: Underway | None = None
    norms: GradientNorms | None = None

    def __init__(
        self,
        program: TrainingProgram,
        values: Mapping[str, Array],
        settings: Settings,
        rng: np.random.Generator,
        dtype: Any = np.float64,
    ) -> None:
        self.program, self.settings, self.rng = program, settings, rng
        self.parameters = program.flat(values, dtype)
        self.gradient = np.zeros_like(self.parameters)
        self.progress = Progress()
        s = settings
        if not 0 <= s.dropout < 1:
            raise DataError(f"dropout is {s.dropout!r}: a number from 0 on and below 1")
        if s.clip_norm is not None and not s.clip_norm > 0:
            raise DataError(f"clip_norm is {s.clip_norm!r}: a number above 0")
        self.updater: Updater | None = None
        if s.optimizer != "lbfgs":
            row = optimizer_row(s.optimizer)
            rate = row.rate if s.learning_rate is None else s.learning_rate
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not (isfinite(rate) and rate > 0):
                raise DataError(f"the learning rate is {rate!r}: a number above 0")
            self.updater = Updater(row, s.optimizer_settings, self.parameters, self.gradient)
            self._rate = rates(s.schedule, s.schedule_settings, float(rate))
        make = engine_row(s.engine).make()
        self.engine: StepEngine = make(
            program, self.parameters, self.gradient, self.updater, rng, s.dropout, s.clip_norm, mesh=s.mesh
        )

    def named(self) -> dict[str, Array]:
        """The parameters by name, as views."""
        return self.program.views(self.parameters)

    # ---- what a checkpoint holds

    def resumable(self, epoch: int) -> bool:
        """Whether `state` is all that the next epoch goes on from: L-BFGS has a memory within a stretch."""
        return self.updater is not None or (self.stretch is not None and epoch % self.stretch == 0)

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What the next epoch goes on from, beside the generator and the progress: vectors (count,), and plain data."""
        if self.updater is None:
            return {"parameters": self.parameters}, {}
        vectors = {f"optimizer.{n}": v for n, v in self.updater.state.items()}
        return {"parameters": self.parameters, **vectors}, {"t": self.updater.t}

    def restore(self, vectors: Mapping[str, Array], plain: Mapping[str, Any]) -> None:
        """Put `state` back."""
        self.parameters[:] = vectors["parameters"]
        if self.updater is not None:
            for name, vector in self.updater.state.items():
                vector[:] = vectors[f"optimizer.{name}"]
            self.updater.t = plain["t"]

    # ---- training

    def record(self, norms: GradientNorms) -> None:
        """Have the norms of the gradient recorded at each step from now on, or at each iteration."""
        if self.updater is None:
            norms.begin(tuple(self.program.weights), "iteration")
        else:
            norms.begin(tuple(self.program.weights), "step", self.updater.t + 1)
        self.norms = self.engine.norms = norms

    def iteration_starts(self, gradient: Array) -> None:
        """From this gradient of all data (count,): its norms are recorded where they are wanted."""
        if self.norms is not None:
            self.norms.add([measure(gradient, self.program.weights.values())()])

    def fit(
        self,
        data: Mapping[str, Array],
        validate: Validate | None = None,
        monitor: str = "loss",
        callbacks: Sequence[Callback] = (),
        keep_on_interrupt: bool = False,
        history: History | None = None,
    ) -> History:
        """Train for the epochs of the settings; with validation the best parameters are put back at the end.

        Args:
            data: name -> array with the samples first; those of the program's data that are no masks.
            validate: gives the validation loss and a score, greater is better.
            monitor: "loss" or "score": what early stopping watches where there is validation.
            callbacks: called after each epoch with its number, from 1, and the history; True stops.
            keep_on_interrupt: whether Ctrl-C ends training with what was learned, instead of raising.
            history: of the epochs that were run before, where training is resumed.
        Raises: DivergedError: the loss is no finite number any more.
        """
        history, start = history or History(), time.perf_counter()
        before = history.seconds
        try:
            with np.errstate(all="ignore"), current().interruptible():
                self._run(data, history, validate, monitor, callbacks)
        except KeyboardInterrupt:
            if not keep_on_interrupt:
                raise
            history.stopped = "interrupted"
        finally:
            if self.progress.parameters is not None:
                self.parameters[:] = self.progress.parameters
            else:
                history.best_epoch = history.epochs
        history.seconds = before + time.perf_counter() - start
        return history

    def _run(
        self,
        data: Mapping[str, Array],
        history: History,
        validate: Validate | None,
        monitor: str,
        callbacks: Sequence[Callback],
    ) -> None:
        if self.updater is None:
            from byhand.train.lbfgs import minimized

            minimized(self, data, history, validate, monitor, callbacks)
        else:
            self._epochs(data, history, validate, monitor, callbacks)

    def _epochs(
        self,
        data: Mapping[str, Array],
        history: History,
        validate: Validate | None,
        monitor: str,
        callbacks: Sequence[Callback],
    ) -> None:
        s, p = self.settings, self.progress
        spent = "converged" if validate is None else "early"
        if self.converged:  # resumed after its end
            history.stopped = "converged"
        elif s.patience is not None and p.waited >= s.patience:
            history.stopped = spent
        self.engine.load()
        for epoch in range(history.epochs + 1, 1 + (history.epochs if history.stopped else s.epochs)):
            current().doing(f"in epoch {epoch}")
            history.losses.append(self._pass(data, epoch))
            self.judge(history, validate, monitor)
            if self.called(callbacks, history):
                history.stopped = "callback"
                break
            if self.converged:
                history.stopped = "converged"
                break
            if s.patience is not None and p.waited >= s.patience:
                history.stopped = spent
                break

    def judge(self, history: History, validate: Validate | None, monitor: str) -> None:
        """What early stopping remembers of the epoch that is over."""
        p, watched = self.progress, history.losses[-1]
        if validate is not None:
            loss, score = current().of_first(validate() if current().first else None)
            history.validation_losses.append(loss)
            history.validation_scores.append(score)
            watched = loss if monitor == "loss" else -score
        p.waited = 0 if watched < p.best - self.settings.tol else p.waited + 1
        if watched < p.best:
            p.best, history.best_epoch = watched, history.epochs
            if validate is not None:
                p.parameters = self.parameters.copy()

    def called(self, callbacks: Sequence[Callback], history: History) -> bool:
        """Call what is called after an epoch; whether to stop, as all ranks agree.

        Raises: KeyboardInterrupt: somebody pressed Ctrl-C, on any of several ranks.
        """
        stop = any([callback(history.epochs, history) is True for callback in callbacks])
        if current().interrupted():
            raise KeyboardInterrupt
        return current().any(stop)

    def epoch(self, data: Mapping[str, Array], number: int = 1) -> float:
        """One pass over the data, from the parameters and the optimizer's state as they stand; returns the mean loss.

        Raises: DivergedError: the loss is no finite number any more.
        """
        self.engine.load()
        return self._pass(data, number)

    def _pass(self, data: Mapping[str, Array], number: int) -> float:
        s = self.settings
        arrays = {n: data[n] for n in self.program.data if n not in self.program.masks}
        samples = len(arrays["X"])
        size = min(s.batch_size, samples)
        steps = -(-samples // size)
        now = self.rng.bit_generator.state
        underway = self.underway or Underway(now)
        if self.underway:
            self.rng.bit_generator.state = underway.start
        order = self.rng.permutation(samples) if s.shuffle and steps > 1 else np.arange(samples)
        if self.underway:
            self.rng.bit_generator.state = now
        self.underway = underway
        rates = self._rates((number - 1) * steps, steps)
        every = self.every or steps
        while (done := len(underway.losses)) < steps:
            last = min(done - done % every + every, steps)
            found = self.engine.epoch(arrays, order[done * size : last * size], size, rates[done:last])
            if not isfinite(found[-1]):
                raise self.diverged(float(found[-1]), number)
            underway.losses += found.tolist()
            if last < steps and self.between is not None:
                self.between()
        self.underway = None
        seen = np.full(steps, size)
        seen[-1] = samples - (steps - 1) * size
        return float(np.array(underway.losses) @ seen) / samples

    def _rates(self, first: int, steps: int) -> list[float]:
        if self.settings.schedule == "constant":
            return [self._rate(0, 1, 1)] * steps
        return [self._rate(first + k, steps, steps * self.settings.epochs) for k in range(steps)]

    def diverged(self, loss: float, epoch: int) -> DivergedError:
        """The error that says so."""
        rate = f"a smaller learning rate than {self.settings.learning_rate or 'the default'}"
        return DivergedError(
            f"training diverged: the loss is {loss} in epoch {epoch}", f"{rate}, standardised inputs, or clip_norm=1.0"
        )


__all__ = ["DivergedError", "History", "Progress", "Settings", "Trainer"]

"""The progress of a training on standard error: a bar with loss, accuracy and samples per second, on terminals only."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from byhand.train.loop import History, Trainer

PROBE = 1000  # training samples of the accuracy that is shown


class TrainingProgress:
    """A bar while it is open: called after each epoch as (trainer, epoch, history).

    Args:
        model: the estimator in its fit.
        X, y: its training data.
    """

    def __init__(self, model: Any, X: Any, y: Any) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.model, self.X, self.y, self.samples = model, X[:PROBE], y[:PROBE], len(X)
        self.bar = Progress(
            TextColumn("epoch {task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}"),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self.task: Any = None
        self.last = time.perf_counter()
        self.shown = 0.0

    def __enter__(self) -> TrainingProgress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def __call__(self, trainer: Trainer, epoch: int, history: History) -> None:
        """An epoch is over."""
        if self.task is None:
            self.task = self.bar.add_task("", total=trainer.settings.epochs)
        now = time.perf_counter()
        rate, self.last = self.samples / max(now - self.last, 1e-9), now
        if now - self.shown < 0.1 and epoch < trainer.settings.epochs:
            return
        words = f"loss {history.losses[-1]:.4f}"
        if history.validation_losses:
            words += f"   validation {history.validation_losses[-1]:.4f}"
        if hasattr(self.model, "classes_"):
            words += f"   accuracy {self._accuracy(trainer):.1%}"
        self.bar.update(self.task, completed=epoch, description=f"{words}   {_short(rate)} samples/s")
        self.shown = self.last = time.perf_counter()

    def _accuracy(self, trainer: Trainer) -> float:
        kept, self.model.parameters_ = self.model.parameters_, trainer.named()
        try:
            return float(self.model.score(self.X, self.y))
        finally:
            self.model.parameters_ = kept


def _short(number: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"

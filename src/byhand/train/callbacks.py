"""scikit-learn's callback protocol (`sklearn.callback`, from scikit-learn 1.9 on): an epoch is a task of a fit.

With an older scikit-learn the estimators have no `set_callbacks`; `callbacks=` of the estimators works with all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from byhand.train.loop import History, Trainer

Array = Any
Watcher = Callable[["Trainer", int, "History"], Any]

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks as _managed
except ImportError:

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def _as_it_is(method: Any) -> Any:
        return method

    _managed = _as_it_is


Fit = TypeVar("Fit", bound=Callable[..., Any])


def with_callbacks(fit: Fit) -> Fit:
    """A fit at whose end, whatever it is, callbacks are torn down."""
    return _managed(fit)  # type: ignore[no-any-return]


class FitTask:
    """A fit as scikit-learn's callbacks see it; without any registered it does nothing.

    Args:
        model: the estimator in its fit.
        trainer: its trainer.
        X, y: what it is trained on.
    """

    def __init__(self, model: Any, trainer: Trainer, X: Array, y: Array) -> None:
        self.model, self.data = model, {"X": X, "y": y}
        self.task: Any = None
        if hasattr(model, "_init_callback_context"):
            task = model._init_callback_context(max_subtasks=trainer.settings.epochs)
            if getattr(model, "_skl_callbacks", None):
                self.task = task
                task.call_on_fit_task_begin(estimator=model, **self.data)

    def __call__(self, trainer: Trainer, epoch: int, history: History) -> bool:
        """An epoch is over; whether to stop."""
        if self.task is None:
            return False
        step = self.task.subcontext(task_name="epoch")
        step.call_on_fit_task_begin(estimator=self.model, **self.data)

        def fitted() -> dict[str, Any]:
            return {"parameters_": {n: v.copy() for n, v in trainer.named().items()}}

        return bool(step.call_on_fit_task_end(estimator=self.model, **self.data, reconstruction_attributes=fitted))

    def end(self) -> None:
        """The fit is over."""
        if self.task is not None:
            self.task.call_on_fit_task_end(estimator=self.model, **self.data, reconstruction_attributes={})


__all__ = ["CallbackSupport", "FitTask", "Watcher", "with_callbacks"]

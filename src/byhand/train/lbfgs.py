"""Training by L-BFGS: SciPy's, on all data at once; an epoch is one iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from byhand.train.loop import Callback, History, Trainer, Validate

Array = Any
EVALUATIONS = 10  # at most, of each iteration on average


def minimized(
    trainer: Trainer,
    data: Mapping[str, Array],
    history: History,
    validate: Validate | None,
    monitor: str,
    callbacks: Sequence[Callback],
) -> None:
    """Train until the loss changes no more, for the epochs of the settings at most; see `Trainer.fit`.

    Where `trainer.stretch` is set SciPy is called anew after so many iterations: all that goes on is the parameters.
    Raises: DivergedError: the loss is no finite number any more.
    """
    from scipy.optimize import minimize

    names = [n for n in trainer.program.data if n not in trainer.program.masks]
    function = trainer.engine.function({n: data[n] for n in names})
    patience = None if validate is None else trainer.settings.patience  # without validation SciPy's own test counts
    accepted = trainer.parameters.copy()
    seen: dict[str, Array] = {}  # the latest point and its gradient, and the gradient where the iteration started

    def gradient(x: Array) -> tuple[float, Array]:
        loss, found = function(x)
        if trainer.norms is not None:
            seen.update(x=x.copy(), latest=found.copy())
            seen.setdefault("origin", seen["latest"])
        return loss, found

    def after(intermediate_result: Any) -> None:
        if trainer.norms is not None:
            trainer.iteration_starts(seen["origin"])
            here = np.array_equal(seen["x"], intermediate_result.x)
            seen["origin"] = seen["latest"] if here else function(intermediate_result.x)[1]
        history.losses.append(float(intermediate_result.fun))
        trainer.parameters[:] = intermediate_result.x
        accepted[:] = intermediate_result.x
        trainer.judge(history, validate, monitor)
        if trainer.called(callbacks, history):
            history.stopped = "callback"
        elif patience is not None and trainer.progress.waited >= patience:
            history.stopped = "early"
        if history.stopped:
            raise StopIteration

    epochs = trainer.settings.epochs
    stretch = trainer.stretch or epochs
    if patience is not None and trainer.progress.waited >= patience:  # resumed after its end
        history.stopped = "early"
    while history.epochs < epochs and not history.stopped:
        most = min(stretch, epochs - history.epochs)
        options = {"maxiter": most, "maxfun": EVALUATIONS * stretch, "ftol": 1e-12, "gtol": 1e-4}
        start = trainer.parameters.astype(np.float64)
        try:
            result = minimize(gradient, start, jac=True, method="L-BFGS-B", options=options, callback=after)
        except KeyboardInterrupt:
            trainer.parameters[:] = accepted  # the engine's are those that the line search tried last
            raise
        if not isfinite(float(result.fun)):
            raise trainer.diverged(float(result.fun), max(1, history.epochs))
        trainer.parameters[:] = result.x
        if not history.losses:  # it started at a minimum
            history.losses.append(float(result.fun))
            trainer.iteration_starts(seen.get("origin", trainer.gradient))
        if result.nit < most or history.stopped:
            history.stopped = history.stopped or ("converged" if result.status == 0 else "")
            break


__all__ = ["minimized"]

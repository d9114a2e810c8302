"""A training run in pictures and as a page: what was recorded while it went, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.derive.derivation import derive
from byhand.report.curve import need_matplotlib
from byhand.report.drawing import figures_html, save_figure
from byhand.report.figures import curves_figure, dead_figure, norms_figure, residual_figure, weights_figure
from byhand.report.report import Part, check_part, code_block, facts, page
from byhand.report.scores import (
    confusion_figure,
    importance_figure,
    reliability_figure,
    residuals_figure,
    roc_figure,
    scatter_figure,
)
from byhand.train.flow import Flow, _of_estimator, flow
from byhand.train.importance import columns_of, feature_names, importances
from byhand.train.norms import GradientNorms

if TYPE_CHECKING:
    from byhand.check.report import Report
    from byhand.train.loop import History, Trainer

Array = Any
PROBE = 512  # samples on which the flow is measured after each epoch


class Recorder:
    """Measures the flow of the gradient and the score on some training samples after each epoch.

    Args:
        model: the estimator in its fit.
        X, y: its training data; the first 512 samples are used.
    Attributes:
        flows: one for each epoch.
        scores: accuracy, or R², on those samples.
        first: the number of the first epoch that was measured; above 1 where training was resumed.
        norms: of the gradient at each step; one of the callbacks of the model.
    """

    def __init__(self, model: Any, X: Array, y: Array) -> None:
        need_matplotlib()  # before the training, not after it
        self.model, self.X, self.y = model, X[:PROBE], y[:PROBE]
        self.flows: list[Flow] = []
        self.scores: list[float] = []
        self.first = 1
        self.norms = GradientNorms()
        self._prepared: Any = None

    def __call__(self, trainer: Trainer, epoch: int, history: History) -> None:
        """An epoch is over."""
        if self._prepared is None:
            net, _, data = _of_estimator(self.model, self.X, self.y)
            self._prepared = net, data[net.data], data[net.target]
            self.first = epoch
        net, X, y = self._prepared
        values = {n: v.copy() for n, v in trainer.named().items()}
        self.flows.append(flow(net, X, y, values, most_mistakes=0))
        self.model.parameters_, before = values, self.model.parameters_
        self.scores.append(float(self.model.score(self.X, self.y)))
        self.model.parameters_ = before


def training_figures(model: Any, recorder: Recorder, X: Array, y: Array) -> dict[str, tuple[Any, str]]:
    """All pictures of a run: name -> (figure, caption).

    Args:
        model: the fitted estimator.
        recorder: what was measured while it was fitted.
        X, y: samples for the confusion matrix and the residuals: those of the test where there are any.
    """
    classifies = hasattr(model, "classes_")
    score = "accuracy" if classifies else "R²"
    losses = [("training", model.loss_curve_)]
    scores = [(f"the first {len(recorder.X)} training samples", recorder.scores)]
    if model.validation_loss_curve_:
        losses.append(("validation", model.validation_loss_curve_))
        scores.append(("validation", model.validation_scores_))
    resumed = (
        f"; on training samples from epoch {recorder.first} on, where it was resumed" if recorder.first > 1 else ""
    )
    found: dict[str, tuple[Any, str]] = {
        "loss": (curves_figure(losses, "loss", log=True, title="Loss of each epoch"), _caption(model)),
        "accuracy" if classifies else "r2": (
            curves_figure(scores, score, last=len(model.loss_curve_), title=f"{score} after each epoch"),
            f"{score} after each epoch{resumed}.",
        ),
    }
    if recorder.norms.steps:  # none where a run that was done is resumed
        found["gradient_norms"] = (norms_figure(recorder.norms), norms_caption(recorder.norms))
    if recorder.flows:
        names = [x.name for x in recorder.flows[0].layers]
        flat = np.array([[x.saturated for x in f.layers] for f in recorder.flows])
        dead = np.array([[np.nan if x.dead is None else x.dead for x in f.layers] for f in recorder.flows])
        flat[~np.isnan(dead)] = np.nan  # a relu is flat where its unit is off, and is counted there
        found["saturated_dead"] = (
            dead_figure(flat, dead, names, recorder.first),
            "Share of values where the activation's slope is below 1 % of its greatest, and of relu units that are "
            "zero on every sample measured. Grey: the other picture counts them.",
        )
    last = flow(model, X, y)
    classes = [str(c) for c in model.classes_] if classifies else []
    if last.residuals is not None:
        found["residuals"] = (
            residual_figure(last.residuals, classes),
            "P - Y of some samples: ∂L/∂Z of the last layer, times their number.",
        )
    found["weights"] = (weights_figure(model.coefs_[0], feature_names(model)), "Weights of the first layer.")
    return found | score_figures(model, X, y)


def score_figures(model: Any, X: Array, y: Array) -> dict[str, tuple[Any, str]]:
    """Pictures of how good a model is on some samples: name -> (figure, caption)."""
    predicted = model.predict(X)
    samples = f"{len(X)} samples"
    found: dict[str, tuple[Any, str]] = {}
    target = str((getattr(model, "table_", None) or {}).get("target") or "")
    if not hasattr(model, "classes_"):
        true, guess = np.ravel(y), np.ravel(predicted)
        found["predictions"] = (scatter_figure(true, guess, target), f"Predicted and true values of {samples}.")
        found["residuals_over_prediction"] = (
            residuals_figure(true, guess, target),
            "What is left of the true values, over the prediction: a bend or a funnel is what the model has not learnt.",
        )
    elif predicted.ndim == 1:
        from sklearn.metrics import confusion_matrix

        classes = [str(c) for c in model.classes_]
        counts = confusion_matrix(y, predicted, labels=model.classes_)
        found["confusion"] = (confusion_figure(counts, classes), f"Which class was taken for which, {samples}.")
        hits = np.asarray(y)[:, None] == model.classes_[None, :]
        if hasattr(model, "predict_proba") and (hits.any(axis=0)).sum() > 1:
            P = model.predict_proba(X)
            found["roc"] = (
                roc_figure(hits, P, classes), f"The share that is found, for every threshold, on {samples}.",
            )  # fmt: skip
            found["reliability"] = (
                reliability_figure(hits, P, classes),
                f"How often a class is there where it is given so much probability, in tenths, on {samples}.",
            )
    columns = columns_of(model, X.shape[1])
    if predicted.ndim == 1 and len(columns) > 1 and len(X) > 1:
        score = "accuracy" if hasattr(model, "classes_") else "R²"
        drops = importances(model, X, y, columns)
        found["importance"] = (
            importance_figure([name for name, _ in columns], drops, score),
            f"What the {score} on {samples} loses when a column is shuffled, five times each. Of columns that say the same "
            "each alone is worth little.",
        )
    return found


def _caption(model: Any) -> str:
    """What the curves of the loss are: that of the training has more in it than that of the validation."""
    text = "Mean loss of each epoch, as met by its steps."
    smoothed = getattr(model, "label_smoothing", 0.0) and model.net_.loss == "softmax_cross_entropy"
    parts = {"label smoothing": smoothed, "dropout": model.dropout, "the samples' weights": model._weighted}
    more = [name for name, there in parts.items() if there]
    if model.validation_loss_curve_ and more:
        text += f" That of the training has {' and '.join(more)} in it, that of the validation has not."
    return text


def norms_caption(norms: GradientNorms) -> str:
    """What the heat map of the norms shows."""
    of = "batch has it, before clipping" if norms.unit == "step" else "start has it on all data"
    text = f"2-norm of the derived gradient of each layer's weights, as each {norms.unit}'s {of}."
    if not ((norms.values > 0) & (norms.values < np.inf)).all():
        text += " Grey: zero, or not finite."
    if norms.first > 1:
        text += f" It begins with {norms.unit} {norms.first}, where training was resumed: nothing was recorded before."
    return text


def save_figures(figures: dict[str, tuple[Any, str]], folder: Path) -> list[Path]:
    """Write the pictures as PNG, each whole or not at all.

    Raises: DataError: the folder cannot be made or written to.
    """
    return [save_figure(figure, folder / f"{name}.png") for name, (figure, _) in figures.items()]


def training_page(model: Any, figures: dict[str, tuple[Any, str]], rows: list[tuple[str, str]], report: Report) -> str:
    """The report of a run: one HTML document that needs nothing else.

    Args:
        model: the fitted estimator.
        figures: of `training_figures`.
        rows: names and values of the run.
        report: the check of the network's derivation.
    """
    net = model.net_
    d = derive(net)
    text = (
        f"<p>The network that was trained; every gradient that was used is derived from it.</p>\n{code_block(net.text)}"
    )
    parts = [
        Part("Run", facts(rows)),
        Part("Curves", figures_html(figures)),
        Part("Network", text),
        Part("Derivation", "<p>Hover over a symbol to see its definition and shape.</p>\n" + d.html()),
        check_part(report),
        Part("Code", code_block(d.code("numpy"))),
    ]
    return page(f"Training of {'-'.join(map(str, net.sizes))}", parts)


__all__ = ["Recorder", "norms_caption", "save_figures", "training_figures", "training_page"]

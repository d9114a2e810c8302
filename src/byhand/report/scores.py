"""Pictures of how good a model is: confusion, ROC and reliability curves, residuals, what the columns are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand.report.drawing import INK, figure_of, named_ticks, short, styled

Array = Any
MOST_NUMBERS = 20  # classes up to which a confusion matrix shows its numbers
MOST_CURVES = 6  # classes that have a curve of their own
MOST_BARS = 25  # columns that are shown
BINS = 10  # of a reliability curve
MANY = 1000  # points from which on they are drawn as an image


@styled
def confusion_figure(counts: Array, names: Sequence[str]) -> Any:
    """How often each class (row) was taken for each class (column), zeros too."""
    n = len(names)
    figure = figure_of(max(4.5, 1.9 + 0.5 * n), max(4.0, 1.4 + 0.5 * n))
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_title("Confusion")
    named_ticks(axes.xaxis, names)
    named_ticks(axes.yaxis, names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if n <= MOST_NUMBERS:
        for (i, j), count in np.ndenumerate(counts):
            on_dark = shares[i, j] > 0.5
            axes.text(j, i, str(int(count)), ha="center", va="center", color="#ffffff" if on_dark else "#000000")
    figure.colorbar(image, ax=axes, label="share of the true class")
    return figure


@styled
def roc_figure(hits: Array, P: Array, names: Sequence[str]) -> Any:
    """The share of each class that is found over the share of the others that is taken for it, for every threshold.

    Args:
        hits: (N, classes), whether a sample is of the class.
        P: (N, classes), probabilities.
        names: of the classes; of two the second is drawn.
    """
    from sklearn.metrics import auc, roc_curve

    figure = figure_of(5.4, 5)
    axes = figure.add_subplot()
    for k in _drawn(hits):
        false, true, _ = roc_curve(hits[:, k], P[:, k])
        axes.plot(false, true, label=f"{short(names[k])} (area {auc(false, true):.3f})", lw=1.6)
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":", label="chance (area 0.5)")
    axes.set_title("ROC: classes against the rest" if len(names) > 2 else f"ROC of {short(names[-1])}")
    axes.set_xlabel("share of the others taken for it")
    axes.set_ylabel("share that is found")
    axes.set_aspect("equal")
    axes.grid(alpha=0.15)
    axes.legend(loc="lower right", fontsize=9)
    return figure


@styled
def reliability_figure(hits: Array, P: Array, names: Sequence[str]) -> Any:
    """How often a class is there where so much probability is given to it: on the diagonal, probabilities are what they say.

    Args:
        hits, P, names: see `roc_figure`.
    """
    figure = figure_of(5.4, 6.2)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    edges = np.linspace(0, 1, BINS + 1)
    for k in _drawn(hits):
        places = np.clip(np.digitize(P[:, k], edges) - 1, 0, BINS - 1)
        number = np.bincount(places, minlength=BINS)
        kept = number > 0
        said = np.bincount(places, P[:, k], BINS)[kept] / number[kept]
        there = np.bincount(places, hits[:, k], BINS)[kept] / number[kept]
        axes.plot(said, there, marker="o", ms=4, label=short(names[k]))
        counts.step([*edges], [*number, number[-1]], where="post", lw=1.2)
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":", label="as they say")
    axes.set_title("Reliability of the probabilities")
    axes.set_ylabel("share that is of the class")
    axes.grid(alpha=0.15)
    axes.legend(loc="upper left", fontsize=9)
    counts.set_xlabel("probability predicted")
    counts.set_ylabel("samples")
    return figure


def _drawn(hits: Array) -> list[int]:
    """The classes that are drawn: of two the second; of many the most frequent; none that is always or never there."""
    counts = hits.sum(axis=0)
    there = [k for k in range(hits.shape[1]) if 0 < counts[k] < len(hits)]
    if hits.shape[1] == 2:
        return there[-1:]
    return sorted(sorted(there, key=lambda k: -counts[k])[:MOST_CURVES])


@styled
def scatter_figure(true: Array, predicted: Array, name: str = "") -> Any:
    """Predicted against true values, (N,) each; on the diagonal they are equal."""
    figure = figure_of(5, 5)
    axes = figure.add_subplot()
    axes.plot(true, predicted, ".", alpha=0.6, rasterized=len(true) > MANY)
    ends = [float(min(np.min(true), np.min(predicted))), float(max(np.max(true), np.max(predicted)))]
    axes.plot(ends, ends, color=INK, lw=0.8)
    axes.set_title("Predictions")
    axes.set_xlabel(f"true {name}".rstrip())
    axes.set_ylabel(f"predicted {name}".rstrip())
    return figure


@styled
def residuals_figure(true: Array, predicted: Array, name: str = "") -> Any:
    """Residuals over the prediction, (N,) each, and how they are distributed: a pattern is what the model has not learnt."""
    figure = figure_of(7, 4)
    axes, side = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    residuals = true - predicted
    axes.plot(predicted, residuals, ".", alpha=0.6, rasterized=len(true) > MANY)
    axes.axhline(0, color=INK, lw=0.8)
    side.hist(residuals, bins=min(40, max(5, len(residuals) // 10)), orientation="horizontal")
    axes.set_title("Residuals over the prediction")
    axes.set_xlabel(f"predicted {name}".rstrip())
    axes.set_ylabel(f"true − predicted {name}".rstrip())
    side.set_xlabel("samples")
    return figure


@styled
def importance_figure(names: Sequence[str], drops: Array, score: str) -> Any:
    """What the score loses when a column is shuffled: mean and spread, the greatest first.

    Args:
        names: of the columns.
        drops: (columns, repeats).
        score: what is lost.
    """
    order = np.argsort(-drops.mean(axis=1), kind="stable")[:MOST_BARS][::-1]
    figure = figure_of(6.5, max(2.0, 1.1 + 0.26 * len(order)))
    axes = figure.add_subplot()
    axes.barh(range(len(order)), drops[order].mean(axis=1), xerr=drops[order].std(axis=1), error_kw={"ecolor": INK})
    axes.set_yticks(range(len(order)), [short(names[k]) for k in order])
    axes.axvline(0, color=INK, lw=0.8)
    more = f", the first {len(order)} of {len(names)}" if len(order) < len(names) else ""
    axes.set_title(f"What each column is worth{more}")
    axes.set_xlabel(f"{score} lost when it is shuffled")
    return figure


__all__ = [
    "confusion_figure", "importance_figure", "reliability_figure", "residuals_figure", "roc_figure", "scatter_figure",
]  # fmt: skip

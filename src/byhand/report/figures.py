"""Pictures of training as matplotlib figures: curves, flow of the gradient, P - Y, weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.report.drawing import figure_of, grey_legend, named_ticks, styled

if TYPE_CHECKING:
    from byhand.train.flow import Flow
    from byhand.train.norms import GradientNorms

Array = Any
MOST_ROWS = 64  # of a heat map of samples
MOST_COLUMNS = 500  # of a heat map of steps: no more than there are pixels, or columns would be left out
MOST_UNITS = 36  # of a grid of weights


@styled
def curves_figure(
    curves: Sequence[tuple[str, Sequence[float]]],
    vertical: str,
    log: bool = False,
    last: int | None = None,
    title: str = "",
) -> Any:
    """Lines by epoch.

    Args:
        curves: (label, values) each, up to the last epoch: those of a resumed run begin where it was resumed.
        vertical: the label of the axis.
        log: whether it is logarithmic; only where all values are positive.
        last: the number of the last epoch; by default as many as there are.
        title: above it; the label of the axis by default.
    """
    from matplotlib.ticker import MaxNLocator

    figure = figure_of(7, 3.6)
    axes = figure.add_subplot()
    epochs = last or max(len(values) for _, values in curves)
    for label, values in curves:
        axes.plot(
            range(epochs - len(values) + 1, epochs + 1), values, label=label, marker="o" if len(values) < 3 else None
        )
    if log and all(v > 0 for _, values in curves for v in values):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axes.set_title(title or vertical)
    axes.set_xlabel("epoch")
    axes.set_ylabel(vertical)
    axes.grid(alpha=0.25)
    if len(curves) > 1:
        axes.legend()
    return figure


@styled
def norms_figure(norms: GradientNorms) -> Any:
    """log10 ‖∂L/∂W‖ as a heat map, layers × steps; grey where the gradient is zero or not finite."""
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    values, width = norms.coarser(MOST_COLUMNS)
    with np.errstate(divide="ignore"):
        shown = np.log10(values).T
    shown = np.where(np.isfinite(shown), shown, np.nan)
    names, start = norms.names, norms.first - 0.5
    figure = figure_of(7, max(2.2, 1.2 + 0.45 * len(names)))
    axes = figure.add_subplot()
    some = np.isfinite(shown)
    low, high = (shown[some].min(), shown[some].max()) if some.any() else (-1.0, 1.0)
    middle, half = (low + high) / 2, max((high - low) / 2, 0.005)  # one colour for one value, not a scale of rounding
    image = axes.imshow(
        shown, aspect="auto", interpolation="nearest", cmap=colormaps["viridis"].with_extremes(bad="0.6"),
        extent=(start, start + width * shown.shape[1], len(names) - 0.5, -0.5),
        vmin=middle - half, vmax=middle + half,
    )  # fmt: skip
    axes.set_xlim(start, start + norms.steps)  # the last column may have fewer steps
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
    axes.set_yticks(range(len(names)), names)
    shared = f" (a column is the greatest norm of {width} {norms.unit}s)" if width > 1 else ""
    axes.set_xlabel(norms.unit + shared)
    axes.set_ylabel("layer")
    axes.set_title("Gradient of each layer", loc="right")
    if not some.all():
        grey_legend(axes, "zero, or not finite")
    figure.colorbar(image, ax=axes, label="log10 ‖∂L/∂W‖")
    return figure


@styled
def flow_figure(flow: Flow) -> Any:
    """Gradient norms, saturated and dead shares, and the attenuation bound by layer."""
    names = [x.name for x in flow.layers]
    places = np.arange(len(names))
    figure = figure_of(max(7.0, 1.5 + 0.45 * len(names)), 7)
    norms, shares, bounds = figure.subplots(3, 1, sharex=True)
    for axes, values, label in (
        (norms, [x.gradient_norm for x in flow.layers], "‖∂L/∂W‖"),
        (bounds, [x.attenuation for x in flow.layers], "attenuation bound"),
    ):
        axes.plot(places, values, marker="o")
        if all(v > 0 and np.isfinite(v) for v in values):
            axes.set_yscale("log")
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
    shares.bar(places - 0.2, [x.saturated for x in flow.layers], 0.4, label="saturated values")
    shares.bar(places + 0.2, [x.dead or 0.0 for x in flow.layers], 0.4, label="dead relu units")
    shares.set_ylim(0, 1)
    shares.set_ylabel("share")
    shares.legend()
    norms.set_title("Flow of the gradient by layer")
    bounds.set_xticks(places, names)
    bounds.set_xlabel("layer")
    return figure


@styled
def dead_figure(saturated: Array, dead: Array, names: Sequence[str], first: int = 1) -> Any:
    """Saturated and dead shares by layer and epoch, two heat maps (epochs, layers) each from 0 to 1.

    Args:
        saturated, dead: (epochs, layers); NaN, drawn grey, where there is nothing of the kind.
        names: of the layers.
        first: the number of the first epoch there.
    """
    from matplotlib import colormaps

    figure = figure_of(9, max(2.4, 1.4 + 0.45 * len(names)))
    for axes, values, title in zip(
        figure.subplots(1, 2), (saturated, dead), ("saturated values", "dead relu units"), strict=True
    ):
        shown = np.asarray(values, float).T
        image = axes.imshow(
            shown, aspect="auto", interpolation="nearest", cmap=colormaps["magma"].with_extremes(bad="0.6"), vmin=0, vmax=1,
            extent=(first - 0.5, first + shown.shape[1] - 0.5, len(names) - 0.5, -0.5),
        )  # fmt: skip
        axes.set_yticks(range(len(names)), names)
        axes.set_title(title, loc="right")
        if np.isnan(shown).any():
            grey_legend(axes, "counted in the other")
        axes.set_xlabel("epoch")
    figure.colorbar(image, ax=figure.axes, label="share")
    return figure


@styled
def residual_figure(residuals: Array, names: Sequence[str] = ()) -> Any:
    """P - Y of the first samples as a heat map, (N, C), classes by name: the target is dark, what draws from it light."""
    shown = np.asarray(residuals)[:MOST_ROWS]
    limit = float(np.abs(shown).max(initial=0.0)) or 1.0
    figure = figure_of(max(4.5, 2 + 0.22 * shown.shape[1]), max(3.0, 1.2 + 0.09 * len(shown)))
    axes = figure.add_subplot()
    image = axes.imshow(shown, cmap="gray", aspect="auto", interpolation="nearest", vmin=-limit, vmax=limit)
    axes.set_title("Probability minus target")
    axes.set_xlabel("class")
    axes.set_ylabel("sample")
    named_ticks(axes.xaxis, names)
    figure.colorbar(image, ax=axes, label="P - Y")
    return figure


@styled
def weights_figure(W: Array, names: Sequence[str] = ()) -> Any:
    """First-layer weights (inputs, units): an image for each unit where the inputs are a square image, else the matrix.

    Args:
        W: the weights.
        names: of the inputs, where they have any: they are no image then.
    """
    side = round(W.shape[0] ** 0.5)
    limit = float(np.abs(W).max()) or 1.0
    if side * side == W.shape[0] and side >= 4 and not len(names):
        units = min(W.shape[1], MOST_UNITS)
        columns = int(np.ceil(units**0.5))
        rows = -(-units // columns)
        figure = figure_of(7, 7 * rows / columns)
        for k, axes in enumerate(np.atleast_1d(figure.subplots(rows, columns)).ravel()):
            axes.axis("off")
            if k < units:
                image = axes.imshow(W[:, k].reshape(side, side), cmap="RdBu_r", vmin=-limit, vmax=limit)
        figure.suptitle("Weights of the first layer, an image for each unit", fontsize=11, fontweight="bold")
        figure.colorbar(image, ax=figure.axes, label="weight", shrink=0.6)
        return figure
    figure = figure_of(7, min(9.0, max(3.0, 1.2 + 0.22 * W.shape[0])))
    axes = figure.add_subplot()
    image = axes.imshow(W, cmap="RdBu_r", aspect="auto", interpolation="nearest", vmin=-limit, vmax=limit)
    axes.set_title("Weights of the first layer")
    axes.set_xlabel("unit")
    axes.set_ylabel("input")
    named_ticks(axes.yaxis, names)
    figure.colorbar(image, ax=axes, label="weight")
    return figure

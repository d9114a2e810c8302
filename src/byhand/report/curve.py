"""A line chart as SVG within a page: drawn by matplotlib, its text real text, its colours those of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from byhand.errors import ByhandError

_METADATA = ("Date", "Creator", "Format", "Type")
_INK, _CURVES = "#010203", ("#040506", "#070809")  # stand for the page's colours


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: what it shows, and its values at 0, 1, 2, ... times `step`."""

    label: str
    values: Sequence[float]
    step: float = 1.0


def need_matplotlib() -> None:
    """Nothing where charts can be drawn.

    Raises: ByhandError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ByhandError("drawing needs matplotlib, which is not installed", "pip install 'byhand[train]'") from None


def line_chart(
    curves: Sequence[Curve], title: str, horizontal: str, vertical: str, description: str = "", log: bool = False
) -> str:
    """One or two curves as an SVG element.

    Args:
        curves: the lines, two at most.
        title, description: read out by screen readers; plain text.
        horizontal, vertical: labels of the axes.
        log: whether the vertical axis is logarithmic.
    Raises: ByhandError: matplotlib is not installed.
    """
    need_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    settings = {"svg.fonttype": "none", "svg.hashsalt": "byhand", "font.family": "sans-serif", "font.size": 10.0}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for curve, colour in zip(curves, _CURVES, strict=False):
            places = [k * curve.step for k in range(len(curve.values))]
            axes.plot(places, list(curve.values), color=colour, lw=0.8 if len(places) > 200 else 1.8, label=curve.label)
        if log:
            axes.set_yscale("log")
        axes.set_xlabel(horizontal, color=_INK)
        axes.set_ylabel(vertical, color=_INK)
        axes.tick_params(colors=_INK, which="both")
        for side, spine in axes.spines.items():
            spine.set_color(_INK)
            spine.set_visible(side in ("left", "bottom"))
        axes.grid(color=_INK, alpha=0.15, lw=0.6)
        if len(curves) > 1:
            axes.legend(frameon=False, labelcolor=_INK)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    return _embedded(buffer.getvalue(), title, description)


def _embedded(svg: str, title: str, description: str) -> str:
    """The svg element alone, with a title, and the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    for stand_in, colour in ((_INK, "currentColor"), *((c, f"var(--curve-{k})") for k, c in enumerate(_CURVES, 1))):
        svg = svg.replace(stand_in, colour)
    svg = svg.replace("<svg", '<svg role="img" aria-labelledby="chart-title chart-description"', 1)
    start = svg.index(">") + 1
    named = f'<title id="chart-title">{escape(title)}</title><desc id="chart-description">{escape(description)}</desc>'
    return svg[:start] + named + svg[start:]

"""How pictures look and how they are kept: ink and colours for light and dark pages, PNG files, SVG within a page."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from byhand.errors import DataError
from byhand.report.curve import need_matplotlib

Draw = TypeVar("Draw", bound=Callable[..., Any])
INK = "#010203"  # stands for the colour of the page's text; in a file it is black
COLOURS = ("#2378c7", "#c94f0b", "#248822", "#9754db", "#6b7878", "#db3636")  # 4.5 : 1 on white, 3.9 : 1 on dark pages
MOST_NAMES = 40  # rows or columns up to which each has its name beside it
_LONGEST_NAME = 18


def styled(draw: Draw) -> Draw:
    """A function that draws with the page's ink, and with colours that can be read on white and on black."""

    @wraps(draw)
    def drawn(*arguments: Any, **named: Any) -> Any:
        need_matplotlib()
        import matplotlib
        from cycler import cycler

        inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
        look: dict[str, Any] = dict.fromkeys(inked, INK) | {
            "axes.prop_cycle": cycler(color=COLOURS), "axes.spines.top": False, "axes.spines.right": False,
            "axes.titlesize": 11, "axes.titleweight": "bold", "legend.frameon": False, "grid.color": INK, "font.size": 10.0,
        }  # fmt: skip
        with matplotlib.rc_context(look):
            return draw(*arguments, **named)

    return drawn  # type: ignore[return-value]


def figure_of(width: float, height: float) -> Any:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def short(name: object) -> str:
    """A name that fits beside an axis."""
    text = str(name)
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def named_ticks(axis: Any, names: Sequence[str]) -> None:
    """The names beside an axis, where there are not too many; upright below it where they are long."""
    if not 0 < len(names) <= MOST_NAMES:
        return
    shown = [short(n) for n in names]
    axis.set_ticks(range(len(shown)), shown)
    if axis.axis_name == "x" and max(map(len, shown)) * len(shown) > 60:
        axis.set_tick_params(rotation=90)


def grey_legend(axes: Any, words: str) -> None:
    """What grey cells are."""
    from matplotlib.patches import Patch

    axes.legend(handles=[Patch(color="0.6", label=words)], loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def png(figure: Any) -> bytes:
    """A figure as PNG on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, facecolor="white")
    return buffer.getvalue()


def svg(figure: Any) -> str:
    """A figure as SVG without background, its text real text, its ink light where the system is dark."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "byhand"}):
        figure.savefig(buffer, format="svg", transparent=True, dpi=120, metadata={"Date": None, "Creator": None})
    text = re.sub(r"<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL).replace(INK, "currentColor")
    start = text.index(">", text.index("<svg")) + 1
    look = "svg{color:#1b1b1b}@media (prefers-color-scheme:dark){svg{color:#e4e2de}}"
    return f"{text[:start]}<style>{look}</style>{text[start:]}"


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all; its folder is made.

    Raises: DataError: the folder cannot be made or written to.
    """
    from byhand.files import write_atomically

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {path.parent}: {(error.strerror or str(error)).lower()}") from None
    write_atomically(path, png(figure))
    return path


def figures_html(figures: Mapping[str, tuple[Any, str]]) -> str:
    """Figures within a page, name -> (figure, caption): pictures are part of the file."""
    found = []
    for name, (figure, caption) in figures.items():
        data = base64.b64encode(svg(figure).encode()).decode("ascii")
        width = round(96 * figure.get_figwidth())
        found.append(
            f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{escape(name)}: {escape(caption)}" width="{width}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return "\n".join(found)


__all__ = [
    "INK", "figure_of", "figures_html", "grey_legend", "named_ticks", "png", "save_figure", "short", "styled", "svg",
]  # fmt: skip

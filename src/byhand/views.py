"""Results that show themselves: as text where they are printed, as HTML and more in notebooks."""

from __future__ import annotations

_FORMATS = {"text/plain": "text", "text/html": "html", "text/latex": "latex", "text/markdown": "markdown"}


class Shown:
    """What has `text()` and `html()`, perhaps `latex()` and `markdown()`: printing and notebooks use them."""

    __slots__ = ()

    def text(self) -> str:
        """As text."""
        raise NotImplementedError

    def html(self) -> str:
        """As HTML."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {kind: getattr(self, view)() for kind, view in _FORMATS.items() if hasattr(self, view)}

"""What reports of checks have in common: true where all is right, the reasons as an error, a box of HTML."""

from __future__ import annotations

from html import escape

from byhand.errors import CheckError
from byhand.views import STYLE, Shown


class CheckReport(Shown):
    """A report that is true where everything was checked and is right."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether everything was checked and is right."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """One line."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        return self.ok

    def reasons(self) -> str:
        """The summary, and below it why the report is not ok."""
        return self.text()

    def assert_ok(self) -> None:
        """Nothing where all is right.

        Raises: CheckError: the summary and the reasons.
        """
        if not self.ok:
            summary, *rest = self.reasons().splitlines()
            raise CheckError(summary, *rest)

    def box(self, *parts: str, opened: bool | None = None) -> str:
        """Parts of HTML below the summary, shut where all is right and nothing else is asked for."""
        is_open = " open" if (not self.ok if opened is None else opened) else ""
        summary = f"<summary>{escape(self.summary)}</summary>"
        inside = "".join(parts)
        return f'<details class="byhand-view byhand-check"{is_open}><style>{STYLE}</style>{summary}{inside}</details>'

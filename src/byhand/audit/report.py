"""What an audit found, line by line, and the views of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

from byhand.check.views import CheckReport

KINDS = {
    "T": "type: the shapes do not fit",
    "N": "numeric: it is not true",
    "I": "invariant: something that must hold does not",
    "D": "dimension table: a declared dimension is wrong",
    "H": "hypothesis: it does not hold here",
    "M": "numerics: floating-point numbers will not do this",
    "syntax": "it cannot be read",
}


@dataclass(frozen=True, slots=True)
class Line:
    """The verdict on one line.

    Attributes:
        number: counted from 1.
        text: as written.
        ok: whether it is right; lines that state nothing (declarations, comments) are.
        kinds: the classes of what is wrong: T, N, I, D, H, M, or "syntax".
        message: what is wrong, in words.
        mend: the line as it should be, where that is known.
        what: "declaration", "definition", "gradient", "differential", "claim", "code" or "comment".
        column: where in the line, if known.
    """

    number: int
    text: str
    ok: bool
    kinds: tuple[str, ...] = ()
    message: str = ""
    mend: str = ""
    what: str = "comment"
    column: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The line as plain data."""
        return {
            "number": self.number, "text": self.text, "ok": self.ok, "kinds": list(self.kinds), "message": self.message,
            "mend": self.mend, "what": self.what, "column": self.column,
        }  # fmt: skip


@dataclass(frozen=True)
class AuditReport(CheckReport):
    """All lines of a derivation with their verdicts.

    Attributes:
        lines: one per line of the text.
        notes: sentences for the reader.
    """

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def checked(self) -> tuple[Line, ...]:
        """The lines that state something."""
        return tuple(line for line in self.lines if line.what not in ("comment", "declaration") or not line.ok)

    @property
    def ok(self) -> bool:
        """Whether something was checked and every line is right."""
        return any(line.what not in ("comment", "declaration") for line in self.lines) and all(
            line.ok for line in self.lines
        )

    @property
    def wrong(self) -> tuple[Line, ...]:
        """The lines that are wrong."""
        return tuple(line for line in self.lines if not line.ok)

    @property
    def summary(self) -> str:
        """One line."""
        if not self.lines or not self.checked:
            return "nothing was checked: there is no line that states something"
        if not self.wrong:
            return f"right: {len(self.checked)} lines"
        first = self.wrong[0]
        more = f" (and {len(self.wrong) - 1} more)" if len(self.wrong) > 1 else ""
        return f"WRONG: line {first.number} [{', '.join(first.kinds)}] {first.message}{more}"

    def text(self) -> str:
        """Every line with its mark; below a wrong one, the class, the reason and the mended line."""
        width = len(str(len(self.lines)))
        shown = [self.summary, *(f"note: {n}" for n in self.notes), ""]
        for line in self.lines:
            mark = "  " if line.what in ("comment", "declaration") and line.ok else "ok" if line.ok else "!!"
            shown.append(f"{line.number:>{width}} {mark}  {line.text}".rstrip())
            if not line.ok:
                pad = " " * (width + 6)
                if line.column is not None:
                    shown.append(f"{pad}{' ' * (line.column - 1)}^")
                shown += [f"{pad}{k}  {KINDS[k]}" for k in line.kinds]
                shown += [f"{pad}{part}" for part in line.message.splitlines()]
                shown += [f"{pad}mend: {line.mend}"] if line.mend else []
        return "\n".join(shown)

    def __rich__(self) -> Any:
        """The same for rich: `rich.print(report)`."""
        from rich.console import Group
        from rich.text import Text

        from byhand.check.terminal import STYLES

        summary, *lines = self.text().split("\n")
        shown = [Text(summary, style=STYLES["right" if self.ok else "wrong"])]
        for line in lines:
            mark = line.lstrip("0123456789 ")[:2]
            style = STYLES["wrong"] if mark == "!!" else "cyan" if line.lstrip().startswith("mend: ") else ""
            shown.append(Text(line, style=style))
        return Group(*shown)

    def html(self) -> str:
        """The same as HTML, without scripts or styles from elsewhere."""
        rows = []
        for line in self.lines:
            style = "" if line.ok else ' style="background: #fdd; color: #700"'
            mark = (
                ""
                if line.what in ("comment", "declaration") and line.ok
                else "ok"
                if line.ok
                else ", ".join(line.kinds)
            )
            rows.append(
                f"<tr{style}><td>{line.number}</td><td>{escape(mark)}</td><td><code>{escape(line.text)}</code></td></tr>"
            )
            if not line.ok:
                mend = f"<br>mend: <code>{escape(line.mend)}</code>" if line.mend else ""
                rows.append(f'<tr><td></td><td colspan="2">{escape(line.message)}{mend}</td></tr>')
        return self.box(f"<table>{''.join(rows)}</table>")

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for JSON."""
        return {
            "ok": self.ok,
            "summary": self.summary,
            "notes": list(self.notes),
            "lines": [line.to_dict() for line in self.lines],
        }

"""What an audit found, line by line, and the views of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from byhand.check.views import CheckReport

if TYPE_CHECKING:
    from byhand.audit.patch import Patched

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
        number: of the line in the file, counted from 1.
        text: as written.
        ok: whether it is not wrong.
        kinds: the classes of what is wrong: T, N, I, D, H, M, or "syntax".
        message: what is wrong, or why it is not read, in words.
        mend: the line as it should be, where that is known.
        what: "declaration", "definition", "gradient", "differential", "claim", "code" or "comment".
        column: where in the line, if known.
        cell: of a notebook, from 1.
        reading: what was chosen where the formula is open: which product ⊗ is, what a letter stands for.
        judged: the status, where it does not follow from the rest.
        inline: whether it stands in the prose of a page.
        rule: of a line that follows from the one above, or from what it is the derivative of: the rule by name.
        between: the steps that lie between, where they were asked for.
    """

    number: int
    text: str
    ok: bool
    kinds: tuple[str, ...] = ()
    message: str = ""
    mend: str = ""
    what: str = "comment"
    column: int | None = None
    cell: int | None = None
    reading: str = ""
    judged: str = ""
    inline: bool = False
    rule: str = ""
    between: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The formula as written."""
        return self.text

    @property
    def status(self) -> str:
        """given, right, wrong or not read."""
        if self.judged:
            return self.judged
        if not self.ok:
            return "not read" if self.kinds == ("syntax",) else "wrong"
        return "given" if self.what in ("comment", "declaration", "definition") else "right"

    def to_dict(self) -> dict[str, Any]:
        """The line as plain data."""
        return {
            "number": self.number, "text": self.text, "ok": self.ok, "status": self.status, "kinds": list(self.kinds),
            "message": self.message, "mend": self.mend, "what": self.what, "column": self.column, "cell": self.cell,
            "reading": self.reading, "rule": self.rule, "between": list(self.between),
        }  # fmt: skip


@dataclass(frozen=True, repr=False)
class AuditReport(CheckReport):
    """All lines of a derivation with their verdicts.

    Attributes:
        lines: one per line of the text; of a page, one per formula: prose has none.
        notes: sentences for the reader.
        page: whether it is a page, with prose between its formulas.
        source: the text that was audited.
    """

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = field(default=())
    page: bool = False
    source: str = field(default="", repr=False)

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
    def read(self) -> float:
        """The share of the formulas that were read: of those set apart, on a page with prose."""
        asked = [line for line in self.lines if not line.inline] if self.page else list(self.checked)
        return sum(line.status != "not read" for line in asked) / max(len(asked), 1)

    @property
    def wrong(self) -> tuple[Line, ...]:
        """The lines that are wrong."""
        return tuple(line for line in self.lines if not line.ok)

    @property
    def summary(self) -> str:
        """One line."""
        if not self.lines or not self.checked:
            return "nothing was checked: there is no line that states something"
        if self.page:
            return self._of_page()
        if not self.wrong:
            return f"right: {len(self.checked)} lines"
        first = self.wrong[0]
        more = f" (and {len(self.wrong) - 1} more)" if len(self.wrong) > 1 else ""
        return f"WRONG: line {first.number} [{', '.join(first.kinds)}] {first.message}{more}"

    def _of_page(self) -> str:
        counts = {
            status: sum(line.status == status for line in self.lines)
            for status in ("right", "given", "wrong", "not read")
        }
        told = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
        return f"{'WRONG' if counts['wrong'] else 'nothing wrong'}: {len(self.lines)} formulas: {told}"

    def text(self) -> str:
        """Every line with its mark; below a wrong one, the class, the reason and the mended line."""
        width = len(str(len(self.lines)))
        shown = [self.summary, *(f"note: {n}" for n in self.notes), ""]
        for line in self.lines:
            shown.append(
                f"{line.number:>{width}} {_mark(line)}  {' '.join(line.text.split()) if self.page else line.text}".rstrip()
            )
            if line.ok and line.message and line.status == "not read":
                shown.append(f"{' ' * (width + 6)}{line.message}")
            if line.ok and line.reading:
                shown.append(f"{' ' * (width + 6)}{line.reading}")
            if line.rule:
                shown.append(f"{' ' * (width + 6)}by: {line.rule}")
            shown += [f"{' ' * (width + 8)}{step}" for step in line.between]
            if not line.ok:
                pad = " " * (width + 6)
                if line.column is not None and not self.page:
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
            kind = "" if line.ok else ' class="wrong"'
            mark = _mark(line).strip().replace("??", "not read") if line.ok else ", ".join(line.kinds)
            rows.append(
                f"<tr{kind}><td>{line.number}</td><td>{escape(mark)}</td><td><code>{escape(line.text)}</code></td></tr>"
            )
            if not line.ok or line.message:
                mend = f"<br>mend: <code>{escape(line.mend)}</code>" if line.mend else ""
                rows.append(f'<tr><td></td><td class="words" colspan="2">{escape(line.message)}{mend}</td></tr>')
        return self.box(f"<table>{''.join(rows)}</table>")

    def marked(self, title: str = "audit") -> str:
        """The page itself as a document of HTML, with marks in its margin."""
        from byhand.audit.forms import marked_page

        return marked_page(self.source, self.lines, title, self.summary)

    def sarif(self, file: str) -> dict[str, Any]:
        """The report as SARIF 2.1.0, for code scanning."""
        from byhand.audit.forms import sarif

        return sarif(self.lines, file)

    def github(self, file: str) -> str:
        """The report as annotations of a GitHub workflow."""
        from byhand.audit.forms import github

        return github(self.lines, file)

    def fixed(self) -> Patched:
        """The text with all mends in the places of their formulas."""
        from byhand.audit.patch import patched

        return patched(self.source, self.lines)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for JSON."""
        return {
            "ok": self.ok,
            "read": self.read,
            "summary": self.summary,
            "notes": list(self.notes),
            "lines": [line.to_dict() for line in self.lines],
        }


def _mark(line: Line) -> str:
    """Two signs before a line."""
    if not line.ok:
        return "!!"
    if line.status == "not read":
        return "??"
    return "ok" if line.status == "right" or line.what not in ("comment", "declaration") else "  "

"""The outcome of a check: rows of evidence as data, as text for terminals, and as HTML for notebooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from byhand.check.views import CheckReport
from byhand.views import columns, paragraphs, row_html, table_html

Verdict = Literal["right", "wrong", "not checkable"]
_MARKS: dict[Verdict, str] = {"right": "ok", "wrong": "WRONG", "not checkable": "not checkable"}
_COLUMNS = ("", "of", "by", "error", "allowed", "verdict", "note")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a row failed: both sides as printed, the sizes, and both numbers.

    Attributes:
        before, after: the two sides that should be equal (found and trusted, for a gradient).
        sizes: the sizes of the named dimensions, and the seed.
        place: the entry where they differ most; empty for scalars.
        numbers: the two numbers there.
    """

    before: str
    after: str
    sizes: str
    place: str
    numbers: tuple[float, float]

    def lines(self) -> tuple[str, ...]:
        """The evidence, line by line."""
        left, right = self.numbers
        at = f" at {self.place}" if self.place else ""
        found = [f"before: {self.before}", f"after:  {self.after}", f"numbers{at}: {left:.12g} and {right:.12g}"]
        return (*found, f"sizes: {self.sizes}") if self.sizes else tuple(found)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was checked.

    Attributes:
        what: a step of the derivation, a gradient, or a printed line.
        unit: the intermediate, input or result that it belongs to; of a line, its left side.
        by: the rule of the step, the oracle of the gradient, or where the line stands.
        error: the largest relative error over the seeds, normwise.
        tolerance: the largest error that counts as equal.
        verdict: right, wrong, or not checkable (the note says why).
        note: what else there is to know.
        evidence: where it failed.
    """

    what: Literal["step", "gradient", "derivative", "line"]
    unit: str
    by: str
    error: float
    tolerance: float
    verdict: Verdict
    note: str = ""
    evidence: Evidence | None = None

    @property
    def ok(self) -> bool:
        """Whether it is right: what could not be checked is not."""
        return self.verdict == "right"

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        error = "-" if self.verdict == "not checkable" else f"{self.error:.1e}"
        return (self.what, self.unit, self.by, error, f"{self.tolerance:.0e}", _MARKS[self.verdict], self.note)

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data; an error that is no number is None."""
        finite = self.error == self.error and abs(self.error) != float("inf")
        row: dict[str, Any] = {
            "what": self.what, "unit": self.unit, "by": self.by, "error": self.error if finite else None,
            "tolerance": self.tolerance, "verdict": self.verdict, "ok": self.ok, "note": self.note,
        }  # fmt: skip
        if self.evidence is not None:
            e = self.evidence
            row["evidence"] = {
                "before": e.before, "after": e.after, "sizes": e.sizes, "place": e.place,
                "numbers": [x if abs(x) < float("inf") else str(x) for x in e.numbers],
            }  # fmt: skip
        return row


@dataclass(frozen=True, slots=True)
class Unread:
    """A printed line that was not read back, and why: nothing is said about whether it is right."""

    line: str
    reason: str

    def __str__(self) -> str:
        return f"{self.line}: {self.reason}"


@dataclass(frozen=True, repr=False)
class Report(CheckReport):
    """What a check found.

    Attributes:
        rows: steps, then gradients, each by every oracle, then printed lines.
        seeds: the seeds of the points.
        sizes: the sizes of the named dimensions at each point.
        oracles: what the gradients were compared with.
        notes: oracles that were left out and why; how undeclared inputs had to be drawn.
        unread: printed lines that were not read back.
    """

    rows: tuple[Row, ...]
    seeds: tuple[int, ...] = ()
    sizes: tuple[dict[str, int], ...] = ()
    oracles: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    unread: tuple[Unread, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every row is right; an empty report is not."""
        return bool(self.rows) and all(row.ok for row in self.rows)

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows that are wrong."""
        return tuple(row for row in self.rows if row.verdict == "wrong")

    @property
    def unchecked(self) -> tuple[Row, ...]:
        """The rows that could not be checked."""
        return tuple(row for row in self.rows if row.verdict == "not checkable")

    @property
    def summary(self) -> str:
        """One line."""
        steps = sum(row.what == "step" for row in self.rows)
        gradients = len({row.unit for row in self.rows if row.what == "gradient"})
        derivatives = dict.fromkeys(row.unit for row in self.rows if row.what == "derivative")
        what = (
            f"{_count(steps, 'step')} and {_count(gradients, 'gradient')}"
            if not derivatives
            else ", ".join(f"the {unit}" for unit in derivatives)
        )
        counted = f"{what}, {_count(len(self.seeds), 'seed')}"
        lines = sum(row.what == "line" for row in self.rows)
        back = f"; {_count(lines, 'line')} read back" if lines else ""
        back += f"; {_count(len(self.unread), 'line')} not read back" if self.unread else ""
        if self.failed:
            first = self.failed[0]
            other = f" (and {len(self.failed) - 1} more)" if len(self.failed) > 1 else ""
            wrong = f"{first.what} of {first.unit}, {first.by}: relative error {first.error:.1e}"
            return f"WRONG: {wrong}{other}; checked {counted}{back}"
        if self.unchecked:
            first = self.unchecked[0]
            return f"not checkable: {first.note or first.by}; {_count(len(self.unchecked), 'row')} of {len(self.rows)}"
        worst = max((row.error for row in self.rows), default=0.0)
        return f"checked: {counted}, worst relative error {worst:.0e} ({', '.join(self.oracles)}){back}"

    def text(self, failed_only: bool = False) -> str:
        """The table, its columns aligned, and the evidence of each failure below it."""
        rows = [row for row in self.rows if not (failed_only and row.ok)]
        lines = [self.summary, *(f"note: {note}" for note in self.notes), *self._not_read]
        if self.sizes and any(self.sizes):
            lines.append(f"sizes: {'; '.join(map(size_words, self.sizes))}")
        if rows:
            lines += ["", *columns(_COLUMNS, [row.cells() for row in rows])]
        for row in rows:
            if row.evidence is not None:
                lines += ["", f"{row.what} of {row.unit}, {row.by}", *(f"  {line}" for line in row.evidence.lines())]
        return "\n".join(lines)

    def __rich__(self) -> Any:
        """The same for rich: `rich.print(report)`."""
        from byhand.check.terminal import grid, page

        verdict = "wrong" if self.failed else "right" if self.ok else "not checkable"
        parts = [(f"{r.what} of {r.unit}, {r.by}", *r.evidence.lines()) for r in self.rows if r.evidence is not None]
        sizes = [f"sizes: {'; '.join(map(size_words, self.sizes))}"] if any(self.sizes) else []
        table = grid(_COLUMNS, ((r.verdict, r.cells()) for r in self.rows), _COLUMNS.index("verdict"))
        return page(verdict, self.summary, [*self.notes, *self._not_read, *sizes], parts, table)

    def html(self, opened: bool | None = None) -> str:
        """The table as HTML, without scripts or styles from elsewhere; opened where something is not right, or as told."""
        body = []
        for row in self.rows:
            body.append(row_html(row.cells(), row.verdict.replace(" ", "-")))
            if row.evidence is not None:
                lines = "<br>".join(map(escape, row.evidence.lines()))
                body.append(
                    f'<tr class="evidence"><td></td><td class="words" colspan="{len(_COLUMNS) - 1}">{lines}</td></tr>'
                )
        extra = [*self.notes, *self._not_read]
        if self.sizes and any(self.sizes):
            extra.append(f"sizes: {'; '.join(map(size_words, self.sizes))}")
        return self.box(paragraphs(extra), table_html(_COLUMNS, body), opened=opened)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for JSON."""
        return {
            "ok": self.ok,
            "summary": self.summary,
            "seeds": list(self.seeds),
            "sizes": [dict(s) for s in self.sizes],
            "oracles": list(self.oracles),
            "notes": list(self.notes),
            "unread": [{"line": u.line, "reason": u.reason} for u in self.unread],
            "rows": [row.to_dict() for row in self.rows],
        }

    @property
    def _not_read(self) -> list[str]:
        return [f"not read back: {u}" for u in self.unread]

    def reasons(self) -> str:
        """The rows that are wrong or could not be checked, with their evidence."""
        return self.text(failed_only=True)


def size_words(sizes: dict[str, int]) -> str:
    """m = 5, n = 7."""
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"

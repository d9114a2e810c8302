"""What a check of somebody's gradient found: verdicts, diagnoses, and the views of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import numpy as np

from byhand.check.numeric import norm
from byhand.check.report import Verdict
from byhand.check.views import CheckReport
from byhand.expr.expression import Expression
from byhand.views import columns, paragraphs, row_html, table_html

_COLUMNS = ("tensor", "shape", "verdict", "exact", "error", "allowed", "max diff", "note")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A mistake, where it was made, how that is known, and how to mend it.

    Attributes:
        mistake: its row in the catalogue (`byhand.check.mistakes`), or None where no row explains the numbers.
        tensor: the first wrong tensor in backward order.
        evidence: the numbers that show it.
        mend: `formulas` as text; empty where no formula mends it.
        name: the mistake in words.
        place: the layer or unit where it was made.
        alternatives: rows that would give the same numbers at this point.
        advice: what no formula can say.
        formulas: what to compute instead: (name of the adjoint, its expression). They were evaluated and replayed, and
            give the right gradient.
    """

    mistake: int | None
    tensor: str
    evidence: str
    mend: str = ""
    name: str = ""
    place: str = ""
    alternatives: tuple[int, ...] = ()
    advice: str = ""
    formulas: tuple[tuple[str, Expression], ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The diagnosis, line by line."""
        number = f" (mistake {self.mistake})" if self.mistake is not None else ""
        at = f" at {self.place}" if self.place and self.place != self.tensor and self.place not in self.name else ""
        return (
            f"{self.tensor}: {self.name}{at}{number}",
            f"evidence: {self.evidence}",
            *([f"mend: {self.mend}"] if self.mend else []),
            *([f"advice: {self.advice}"] if self.advice else []),
        )

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as plain data."""
        return {
            "mistake": self.mistake, "tensor": self.tensor, "name": self.name, "place": self.place,
            "evidence": self.evidence, "mend": self.mend, "advice": self.advice, "alternatives": list(self.alternatives),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorRow:
    """The verdict on one tensor.

    Attributes:
        name, shape: of the tensor.
        verdict: right, wrong, or not checkable (the note says why).
        error, allowed: the largest relative error along the directions, and what counts as equal.
        exact: whether every entry equals the trusted one, where that is known.
        largest: the largest difference of an entry from the trusted one, where that is known.
        note: the reason, or what else there is to know.
    """

    name: str
    shape: tuple[int, ...]
    verdict: Verdict
    error: float = 0.0
    allowed: float = 0.0
    note: str = ""
    exact: bool | None = None
    largest: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        exact = "" if self.exact is None else "yes" if self.exact else "no"
        largest = "" if self.largest is None else f"{self.largest:.1e}"
        marks = {"right": "ok", "wrong": "WRONG", "not checkable": "not checkable"}
        return (
            self.name,
            str(self.shape),
            marks[self.verdict],
            exact,
            f"{self.error:.1e}",
            f"{self.allowed:.0e}",
            largest,
            self.note,
        )

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data; an error that is no number is None."""
        return {
            "name": self.name, "shape": list(self.shape), "verdict": self.verdict, "note": self.note,
            "exact": self.exact,
            "error": self.error if np.isfinite(self.error) else None, "allowed": self.allowed,
            "largest": self.largest if self.largest is not None and np.isfinite(self.largest) else None,
        }  # fmt: skip


@dataclass(frozen=True, repr=False)
class GradientReport(CheckReport):
    """What `check_gradient` found.

    Attributes:
        rows: one per tensor, in backward order where it is known.
        explain: what looks for the mistakes.
        method: how the derivatives of the loss were found.
        notes: sentences for the reader.
    """

    rows: tuple[TensorRow, ...]
    explain: Callable[[], tuple[Diagnosis, ...]] = tuple
    method: str = ""
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """The mistakes found, the first one first; looked for when asked for first: a verdict alone is cheaper."""
        return self.explain()

    @property
    def ok(self) -> bool:
        """Whether every tensor is right: what could not be checked is not."""
        return bool(self.rows) and all(r.verdict == "right" for r in self.rows)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """Tensor -> right, wrong, or not checkable."""
        return {r.name: r.verdict for r in self.rows}

    @property
    def summary(self) -> str:
        """One line."""
        wrong = [r.name for r in self.rows if r.verdict == "wrong"]
        unknown = [r for r in self.rows if r.verdict == "not checkable"]
        if wrong:
            known = (
                f": {self.diagnoses[0].name} ({self.diagnoses[0].tensor})"
                if self.diagnoses and self.diagnoses[0].mistake
                else ""
            )
            return f"WRONG: {', '.join(wrong)}{known}"
        if unknown:
            return f"not checkable: {', '.join(r.name for r in unknown)}: {unknown[0].note}"
        worst = max((r.error for r in self.rows), default=0.0)
        return f"right: {', '.join(r.name for r in self.rows)} (worst relative error {worst:.0e}, {self.method})"

    def text(self) -> str:
        """The summary, the diagnoses, and the table, its columns aligned."""
        lines = [self.summary, *(f"note: {n}" for n in self.notes)]
        for k, d in enumerate(self.diagnoses, 1):
            first, *rest = d.lines()
            lines += ["", f"{k}. {first}", *(f"   {line}" for line in rest)]
        return "\n".join([*lines, "", *columns(_COLUMNS, [r.cells() for r in self.rows])])

    def __rich__(self) -> Any:
        """The same for rich: `rich.print(report)`."""
        from byhand.check.terminal import grid, page

        verdict = "right" if self.ok else "wrong" if "wrong" in self.verdicts.values() else "not checkable"
        table = grid(_COLUMNS, ((r.verdict, r.cells()) for r in self.rows), _COLUMNS.index("verdict"))
        return page(verdict, self.summary, self.notes, (d.lines() for d in self.diagnoses), table)

    def html(self) -> str:
        """The same as HTML, without scripts or styles from elsewhere."""
        found = "".join(f"<li>{'<br>'.join(map(escape, d.lines()))}</li>" for d in self.diagnoses)
        diagnoses = f"<ol>{found}</ol>" if found else ""
        table = table_html(_COLUMNS, [row_html(row.cells(), row.verdict.replace(" ", "-")) for row in self.rows])
        return self.box(paragraphs(self.notes), diagnoses, table)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, ready for JSON."""
        return {
            "ok": self.ok, "summary": self.summary, "verdicts": dict(self.verdicts), "method": self.method,
            "notes": list(self.notes), "diagnoses": [d.to_dict() for d in self.diagnoses],
            "rows": [r.to_dict() for r in self.rows],
        }  # fmt: skip


def compared(row: TensorRow, found: Any, trusted: Mapping[str, Any] | None) -> TensorRow:
    """The row with an entry by entry comparison, strict on shapes, where the trusted gradient is known."""
    from dataclasses import replace

    if trusted is None or row.name not in trusted or np.shape(found) != np.shape(trusted[row.name]):
        return row
    right = trusted[row.name]
    gap = np.abs(np.asarray(found) - right)
    size = max(norm(found), norm(right))
    error = norm(gap) / size if row.verdict == "wrong" and size and np.isfinite(size) else row.error
    return replace(row, exact=bool(np.all(gap == 0)), largest=float(np.max(gap, initial=0.0)), error=error)

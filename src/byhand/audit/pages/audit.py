"""The audit of a page: from its text to a verdict on each of its formulas."""

from __future__ import annotations

from dataclasses import replace

from byhand.audit.pages.compare import Verdict
from byhand.audit.pages.documents import stretches
from byhand.audit.pages.facts import MARK, Facts, from_row
from byhand.audit.pages.judge import Judge
from byhand.audit.pages.mending import mend
from byhand.audit.pages.page import Page
from byhand.audit.pages.prose import from_prose
from byhand.audit.pages.rows import Row, rows_of
from byhand.audit.pages.shapes import blame, guess
from byhand.audit.pages.steps import Steps
from byhand.audit.report import Line


def audit_page(text: str, format_: str = "auto", steps: bool = False) -> list[Line]:
    """A verdict for each formula of a page.

    Args:
        text: Markdown, LaTeX, a notebook, HTML or plain text.
        format_: one of these by name, or "auto".
        steps: name the rule of each line that follows, and fill in what lies between.
    """
    pieces, macros = stretches(text, format_)
    facts, rows = Facts(), []  # type: Facts, list[Row]
    prose: list[str] = []
    formulas: list[Row] = []
    for row, stretch in rows_of(pieces, macros):
        if row is None:
            prose.append(stretch.text)
            continue
        rows.append(row)
        if row.inline:
            prose.append(MARK.format(len(formulas)))
            formulas.append(row)
        else:
            prose.append("\n\n")
        from_row(row, facts)
    from_prose("".join(prose), formulas, facts)
    page = Page(facts, rows)
    judge = Judge(page)
    guess(page, judge)
    blamed = blame(page, judge)
    judge.heads.clear()
    explained = Steps(judge) if steps else None
    lines = []
    for row in rows:
        if row.inline and not _speaks(row):
            continue
        verdict = judge.row(row)
        if row.index in blamed and verdict.status != "wrong":
            verdict = Verdict("wrong", ("D",), blamed[row.index])
        line = _line(row, verdict, mend(judge, row, verdict, macros))
        if explained is not None and verdict.status in ("right", "given") and not row.inline and not judge.late(0.9):
            found = explained.row(row)
            line = replace(line, rule=found.rule, between=found.between)
        lines.append(line)
    return lines


def _speaks(row: Row) -> bool:
    """Whether a formula within the prose says something: a relation."""
    return bool(row.chains)


def _line(row: Row, verdict: Verdict, mended: str) -> Line:
    return Line(
        row.number,
        row.source,
        verdict.status != "wrong",
        verdict.kinds if verdict.status == "wrong" else (),
        verdict.message,
        mended,
        what="claim" if verdict.status in ("right", "wrong") else "definition",
        column=row.column,
        cell=row.cell,
        reading="; ".join(verdict.reading),
        judged=verdict.status,
        inline=row.inline,
    )

"""Somebody's own gradient, as a formula or as lines of NumPy: read, never executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from byhand.check.draw import draw_point
from byhand.check.gradient import check_gradient
from byhand.errors import ByhandError, ParseError
from byhand.explore.request import Subject
from byhand.expr.evaluate import evaluate
from byhand.expr.expression import Expression
from byhand.expr.parse import read
from byhand.threads import syntax_tree

_SPELLINGS = ("d{}", "grad_{}", "{}_grad")


@dataclass(frozen=True, slots=True)
class Stated:
    """A gradient as it was typed: of which variable, and its last line, from 1."""

    variable: str
    gradient: Expression
    line: int


def read_gradients(subject: Subject, mine: str) -> list[Stated]:
    """The gradients in a text: lines that end in `dw = ...`, or one formula for the only variable.

    Raises: ParseError, ShapeError: it cannot be read; its place is one in `mine`.
    """
    try:
        body = syntax_tree(mine).body
    except SyntaxError as error:
        place = max(1, min(error.lineno or 1, mine.count("\n") + 1)), max(1, error.offset or 1)
        raise ParseError(f"this is not a formula: {error.msg}", "such as 2 * X.T @ (X @ w - y)").at(
            mine, *place
        ) from None
    variables = [v.name for v in subject.derivation.variables]
    wanted = {spelling.format(name): name for name in variables for spelling in _SPELLINGS}
    lines = mine.split("\n")
    assigned = [(s, t.id) for s in body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)]
    ends = {wanted[name]: s.end_lineno or s.lineno for s, name in assigned if name in wanted}
    if not ends:
        if len(variables) > 1:
            raise ParseError(
                f"there are {len(variables)} variables, and no line says whose gradient this is",
                f"write d{variables[0]} = ..., for example",
            ).at(mine, 1, 1)
        ends = {variables[0]: len(lines)}
    before = _definitions(subject, {name for _, name in assigned})
    return [Stated(name, _read(subject, before, lines[:end], mine), end) for name, end in ends.items()]


def _definitions(subject: Subject, taken: Iterable[str]) -> list[str]:
    """The lines of the function that name intermediates, where the text does not name them itself."""
    if subject.inferred is None:
        return []
    statements = syntax_tree(subject.text).body[:-1]
    own = set(taken)
    return [ast.unparse(s) for s in statements if isinstance(s, ast.Assign) and not own & {ast.unparse(s.targets[0])}]


def _read(subject: Subject, before: list[str], lines: list[str], mine: str) -> Expression:
    try:
        return read("\n".join([*before, *lines]), subject.f.symbols)
    except ByhandError as error:
        line, column = error.line, error.column
        if line is not None and column is not None and line > len(before):
            error.source, error.line = mine, line - len(before)
        raise


def checked(subject: Subject, mine: str) -> dict[str, Any]:
    """Verdicts on the gradients in a text, and the mistakes in them by name.

    Raises: ParseError, ShapeError: the text cannot be read. CheckError, DataError: there is no point to check at.
    """
    stated = read_gradients(subject, mine)
    shapes = {n: s.shape for n, s in subject.f.symbols.items()}
    misfits = [s for s in stated if s.gradient.shape != shapes[s.variable]]
    if misfits:
        return {"ok": False, "summary": "a gradient has the shape of its variable", "diagnoses": [], "rows": [],
                "misfits": [{"variable": s.variable, "line": s.line, "shape": [str(n) for n in s.gradient.shape],
                             "needed": [str(n) for n in shapes[s.variable]]} for s in misfits]}  # fmt: skip
    point = draw_point(subject.derivation, 0)

    def gradient(**values: Any) -> dict[str, Any]:
        return {s.variable: evaluate(s.gradient, **{n: values[n] for n in s.gradient.symbols}) for s in stated}

    report = check_gradient(subject.f, gradient, point.arrays)
    lines = {s.variable: s.line for s in stated}
    rows = [{**row.to_dict(), "line": lines.get(row.name)} for row in report.rows]
    diagnoses = [{**d.to_dict(), "line": lines.get(d.tensor)} for d in report.diagnoses]
    return {"ok": report.ok, "summary": report.summary, "rows": rows, "diagnoses": diagnoses, "misfits": [],
            "sizes": dict(point.sizes)}  # fmt: skip


__all__ = ["Stated", "checked", "read_gradients"]

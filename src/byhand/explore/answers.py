"""`handle`: one pure function that answers what a page asks, in plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from byhand.arguments import one_of
from byhand.audit.audit import audit
from byhand.code.listing import list_derivation
from byhand.errors import ByhandError, ParseError
from byhand.explore.examples import EXAMPLES
from byhand.explore.mine import checked
from byhand.explore.request import Subject, subject_of, text_of
from byhand.notation.document import as_dict
from byhand.notation.latex import to_latex
from byhand.notation.mathml import to_mathml
from byhand.notation.rulebook import rule_dict
from byhand.notation.text import to_text
from byhand.rules.catalogue import catalogue
from byhand.rules.proofs import explain

Request = Mapping[str, Any]
Answer = dict[str, Any]


def handle(route: str, request: Request) -> Answer:
    """The answer to a request, as data that JSON can hold.

    Args:
        route: a key of ROUTES.
        request: its fields: text, shapes, assume, wrt, notation, level, layout of a derivation, target of code, mine of a
            check, name of a rule.
    Returns: the answer; of what byhand refuses {"error": {kind, message, details, source, line, column, width}}.
    """
    try:
        one_of(route, ROUTES, "route")
        if not isinstance(request, Mapping):
            raise ParseError(f"a request is a table of fields, not {type(request).__name__}")
        return ROUTES[route](request)
    except ByhandError as error:
        return {"error": _error(error)}


def _error(error: ByhandError) -> Answer:
    return {
        "kind": type(error).__name__, "message": error.message, "details": list(error.details), "source": error.source,
        "line": error.line, "column": error.column, "width": error.width,
    }  # fmt: skip


def _derive(request: Request) -> Answer:
    subject = subject_of(request)
    views = {key: text_of(request, key, default) for key, default in _VIEWS.items()}
    return {**as_dict(subject.derivation, **views), "inputs": _inputs(subject), "reasons": _reasons(subject)}


_VIEWS = {"notation": "differential", "level": "steps", "layout": "rows"}


def _inputs(subject: Subject) -> list[Answer]:
    variables = {v.name for v in subject.derivation.variables}
    axes = {} if subject.inferred is None else subject.inferred.axes
    return [
        {"name": n, "shape": [str(x) for x in s.shape], "inferred": n in axes, "why": axes.get(n, ""),
         "assume": sorted(s.assumptions), "variable": n in variables}
        for n, s in subject.f.symbols.items()
    ]  # fmt: skip


def _reasons(subject: Subject) -> list[Answer]:
    """Where dimensions became one."""
    found = () if subject.inferred is None else subject.inferred.reasons
    return [{"words": str(r), "kept": r.kept, "line": r.line, "column": r.column, "width": r.width} for r in found]


def _code(request: Request) -> Answer:
    subject = subject_of(request)
    source = subject.derivation.code(text_of(request, "target", "numpy"))
    return {"source": str(source), "language": source.language, "statements": _statements(subject)}


def _statements(subject: Subject) -> list[Answer]:
    """What the lines of a program compute, before it is fitted to a language: name, section, result, mathematics."""
    listing = list_derivation(subject.derivation)
    found = []
    for s in listing.statements:
        formula = None
        if s.math is not None:
            formula = {"text": to_text(s.math, names=listing.page), "latex": to_latex(s.math, listing.page),
                       "mathml": to_mathml(s.math, names=listing.page)}  # fmt: skip
        shape = [str(n) for n in s.shape]
        found.append({"name": s.name, "section": s.section, "result": s.result, "shape": shape, "formula": formula})
    return found


def _check(request: Request) -> Answer:
    return checked(subject_of(request), text_of(request, "mine"))


def _audit(request: Request) -> Answer:
    report = audit(text_of(request, "mine"), text_of(request, "format", "auto"))
    return {"ok": report.ok, "summary": report.summary, "lines": [line.to_dict() for line in report.lines]}


def _rule(request: Request) -> Answer:
    proof = explain(text_of(request, "name"))
    return rule_dict(proof.entry, [proof])


def _rules(request: Request) -> Answer:
    return {"rules": [rule_dict(entry) for entry in catalogue()]}


def _examples(request: Request) -> Answer:
    return {"examples": [{"name": name, **example} for name, example in EXAMPLES.items()]}


ROUTES: dict[str, Callable[[Request], Answer]] = {
    "derive": _derive,
    "code": _code,
    "check": _check,
    "audit": _audit,
    "rule": _rule,
    "rules": _rules,
    "examples": _examples,
}

__all__ = ["ROUTES", "handle"]

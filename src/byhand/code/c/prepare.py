"""A lowered program made ready for loops: what is cheap is written in place, what needs an array of its own gets one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from byhand.code.c.body import NeedsName
from byhand.code.c.indexing import is_pure
from byhand.code.c.rows import CBody
from byhand.code.c.statements import assign, core_of, is_added
from byhand.code.forms import Expand, expand, mapped, parts
from byhand.code.names import Identifiers
from byhand.code.outputs import by_outputs
from byhand.code.program import Program, Statement, leaf_form, temporary, uses, with_form, without_dead
from byhand.code.shapes import shape_of
from byhand.code.sharing import Sharing
from byhand.errors import MissingRuleError
from byhand.expr.dims import ONE, Coefficient, dim_coefficient
from byhand.expr.nodes import Expr
from byhand.expr.operations import CONSTANTS, PICKERS
from byhand.rules.forms import Form, Scale

_MINUS = Coefficient(Fraction(-1))
_WRITTEN_IN_PLACE = PICKERS | CONSTANTS


@dataclass(frozen=True)
class Prepared:
    """A program that can be written as loops.

    Attributes:
        program: it.
        kept: of a statement that is a softmax, the arrays of its rows' largest entries and of log(sum(exp(.. - top))).
    """

    program: Program
    kept: Mapping[Expr, tuple[Expr, Expr]]


def prepared(program: Program, identifiers: Identifiers) -> Prepared:
    """The program without means and one-hot matrices, and with a name for all that needs an array of its own.

    Args:
        program: what was lowered.
        identifiers: where new names come from.
    Raises: MissingRuleError: an operation that has no row in the C target.
    """
    statements = [with_form(s, _spread(mapped(s.form, rewritten))) for s in program.statements]
    statements = _written_in_place(by_outputs(statements))
    statements, kept = _shared_rows(without_dead(statements), identifiers)
    names = {**program.names, **{leaf: leaf.name for pair in kept.values() for leaf in pair}}  # type: ignore[attr-defined]
    sharing = Sharing(identifiers, lambda _: None)
    k = 0
    while k < len(statements):
        needed = _needed(statements[k], names, program, kept)
        if needed is None:
            k += 1
            continue
        if needed == statements[k].form:
            raise MissingRuleError(f"the C target cannot write {needed.kind} as loops", "code('numpy') can")
        before, statements = len(statements), sharing.extracted(statements, {needed})
        if len(statements) == before:
            raise MissingRuleError(f"the C target cannot write {needed.kind} as loops", "code('numpy') can")
        names |= {s.leaf: s.name for s in statements}
    return Prepared(replace(program, statements=tuple(statements), names=names), kept)


def _needed(s: Statement, names: Mapping[Expr, str], program: Program, kept: Mapping[Expr, object]) -> Form | None:
    """The part of a statement that needs an array of its own, found by writing the statement."""
    body = CBody(names, lambda n: program.dims.get(n, n), set(names.values()))
    try:
        if s.shape:
            assign(body, s.leaf, s.form)
        else:
            body.entry(s.form, ())
    except NeedsName as part:
        return part.form
    return None


# ---- forms that C writes another way


def rewritten(form: Form) -> Form:
    """A mean as a sum times a number; what C has no row for stays."""
    row = REWRITTEN.get(form.kind)
    return form if row is None else row(form)


def _means(form: Form) -> Form:
    (arg,) = form.args
    count = ONE
    for axis in form.data:
        count = count.times(dim_coefficient(shape_of(arg)[axis]))
    coefficient = count.power(Fraction(-1))
    assert coefficient is not None
    total = Form("sums", form.args, form.data, form.rank)
    powers = () if form.rank else (Fraction(1),)
    return Form("scaled", (total,), Scale(coefficient, powers, bool(form.rank)), form.rank)


def _operation(form: Form) -> Form:
    """A log-softmax down the columns, whose sums are wanted before any entry."""
    axes = form.data[1][1] if form.data[0] == "log_softmax" else ()
    if all(axis >= form.rank - len(axes) for axis in axes):
        return form
    rows = Form("operation", form.args, ("logsumexp", form.data[1]), form.rank - len(axes))
    positions = tuple(axis for axis in range(form.rank) if axis not in axes)
    over = Form("expand", (rows,), Expand(shape_of(form), positions), form.rank)
    return Form("sum", (form.args[0], Form("scaled", (over,), Scale(_MINUS, (), True), form.rank)), rank=form.rank)


REWRITTEN = {"means": _means, "operation": _operation}


def _spread(form: Form) -> Form:
    """c (A + B C) as c A + c (B C): the product is added to the rest as it is computed."""
    if form.kind != "scaled" or form.rank == 0 or form.args[-1].kind != "sum":
        return form
    *scalars, total = form.args
    data: Scale = form.data
    if not any(is_added(core_of(t)) for t in total.args):
        return form
    terms = []
    for t in total.args:
        inner = t.data if t.kind == "scaled" else Scale(ONE, (), True)
        if not inner.has_core:
            return form
        coefficient = data.coefficient.times(inner.coefficient)
        powers, args = (*data.powers, *inner.powers), (*scalars, *(t.args[:-1] if t.kind == "scaled" else ()))
        core = core_of(t)
        plain = coefficient == ONE and not powers
        terms.append(core if plain else Form("scaled", (*args, core), Scale(coefficient, powers, True), t.rank))
    return Form("sum", tuple(terms), rank=form.rank)


def _written_in_place(statements: list[Statement]) -> list[Statement]:
    """One-hot matrices and other names for entries that cost nothing: written where they are used."""
    given: dict[Expr, Form] = {}
    done = []
    for s in statements:
        form = mapped(s.form, lambda f: given.get(f.data, f) if f.kind == "name" else f)
        if s.result is None and _is_free(form):
            given[s.leaf] = form
        done.append(with_form(s, form))
    return without_dead(done)


def _is_free(form: Form) -> bool:
    if form.kind == "operation":
        return form.data[0] in _WRITTEN_IN_PLACE and all(map(is_pure, form.args))
    return form.rank > 0 and form.kind in ("identity", "fill")


# ---- the rows of a softmax serve its logarithm too


def _shared_rows(
    statements: list[Statement], identifiers: Identifiers
) -> tuple[list[Statement], dict[Expr, tuple[Expr, Expr]]]:
    """log_softmax(Z) and logsumexp(Z) after P = softmax(Z): from the largest entries and the sums that P has found."""
    kept: dict[Expr, tuple[Expr, Expr]] = {}
    found: dict[tuple[Form, tuple[int, ...]], tuple[Expr, Expr]] = {}
    done: list[Statement] = []
    for s in statements:
        done.append(with_form(s, mapped(s.form, lambda f: _from_rows(f, found))))
        form = s.form
        if form.kind != "operation" or form.data[0] != "softmax" or not is_pure(form.args[0]):
            continue
        arg, axes = form.args[0], form.data[1][1]
        outer = tuple(n for axis, n in enumerate(shape_of(arg)) if axis not in axes)
        if outer:
            top, log = (temporary(identifiers.give(f"{s.name}_{word}"), outer) for word in ("top", "log"))
            found[arg, tuple(axes)] = kept[s.leaf] = (top, log)
    used = uses([s.form for s in done])
    return done, {leaf: pair for leaf, pair in kept.items() if any(p in used for p in pair)}


def _from_rows(f: Form, found: Mapping[tuple[Form, tuple[int, ...]], tuple[Expr, Expr]]) -> Form:
    if f.kind != "operation" or f.data[0] not in ("log_softmax", "logsumexp"):
        return f
    axes = tuple(f.data[1][1])
    pair = found.get((f.args[0], axes))
    if pair is None:
        return f
    top, log = map(leaf_form, pair)
    if f.data[0] == "logsumexp":
        return Form("sum", (top, log), rank=f.rank)
    shape = shape_of(f.args[0])
    positions = tuple(axis for axis in range(len(shape)) if axis not in axes)

    def taken(row: Form) -> Form:
        over = Form("expand", (row,), Expand(shape, positions), f.rank)
        return Form("scaled", (over,), Scale(_MINUS, (), True), f.rank)

    return Form("sum", (f.args[0], taken(top), taken(log)), rank=f.rank)


__all__ = ["REWRITTEN", "Prepared", "expand", "parts", "prepared"]

"""What occurs more than once is computed once, under a name; an inverse that is only multiplied is solved instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from byhand.code.forms import mapped, parts, rebuilt
from byhand.code.names import Identifiers
from byhand.code.program import Program, Statement, leaf_form, temporary, uses, with_form, without_dead
from byhand.code.shapes import shape_of
from byhand.expr.nodes import Expr, Named
from byhand.rules.forms import Form

if TYPE_CHECKING:
    from byhand.notation.typeset import Math

LETTERS = ("s", "v", "T", "T")  # names of scalars, vectors, matrices, stacks

# Views, constants and what is as short as its name: written again rather than named.
_CHEAP = frozenset(
    {"name", "number", "differential", "mask", "fill", "identity"}
    | {"transpose", "permute", "expand", "squeeze", "slice", "reshape", "diagonal"}
)


def costs(form: Form) -> bool:
    """Whether computing the form twice would be waste: not so for views and numbers."""
    if not form.rank and not uses([form]):
        return False
    match form.kind:
        case "scaled":
            return bool(form.data.has_core and form.data.powers)
        case "power":
            return bool(form.data != -1)
        case kind:
            return kind not in _CHEAP


class Sharing:
    """Gives names to forms within a list of statements.

    Args:
        identifiers: where names come from.
        math: the mathematics of a form, for the comment beside a new name; None for none.
    """

    def __init__(self, identifiers: Identifiers, math: Callable[[Form], Math | None] | None = None) -> None:
        self.identifiers, self.math = identifiers, math

    def shared(self, statements: list[Statement]) -> list[Statement]:
        """The statements with what occurs more than once computed once."""
        counts: dict[Form, int] = {}

        def visit(form: Form) -> None:
            if costs(form):
                counts[form] = counts.get(form, 0) + 1
                if counts[form] > 1:
                    return
            for a in form.args:
                visit(a)

        for s in statements:
            visit(s.form)
        wanted = {f for f, n in counts.items() if n > 1}
        if not wanted:
            return statements
        return self.extracted(statements, wanted)

    def one_softmax(self, statements: list[Statement]) -> list[Statement]:
        """softmax(Z) as exp(S) where the value needs S = log_softmax(Z): the maximum and the sum are taken once."""
        found = [(s.section, p) for s in statements for p in parts(s.form) if p.kind == "operation"]
        exponentials = {(p.args, p.data[1]) for _, p in found if p.data[0] == "softmax"}
        logs = {(p.args, p.data[1]): p for section, p in found if p.data[0] == "log_softmax" and section != "backward"}
        wanted = {key: p for key, p in logs.items() if key in exponentials}

        def change(f: Form) -> Form:
            log = wanted.get((f.args, f.data[1])) if f.kind == "operation" and f.data[0] == "softmax" else None
            return f if log is None else Form("function", (log,), "exp", f.rank)

        changed = [with_form(s, mapped(s.form, change)) for s in statements]
        return self.extracted(changed, {*wanted.values()}, "S") if wanted else statements

    def extracted(self, statements: list[Statement], wanted: set[Form], letter: str | None = None) -> list[Statement]:
        """The statements with each wanted form under a name, made just before its first use."""
        given: dict[Form, Form] = {}
        done: list[Statement] = []

        def replaced(form: Form, user: Statement, root: bool = False) -> Form:
            if form in given:
                return given[form]
            new = rebuilt(form, tuple(replaced(a, user) for a in form.args))
            if form not in wanted or root:
                return new
            late = any(s.section == "value" and s.leaf in uses([new]) for s in done)
            made = self.named(new, form, user, late, letter)
            done.append(made)
            given[form] = leaf_form(made.leaf)
            return given[form]

        for s in statements:
            done.append(with_form(s, replaced(s.form, s, root=True)))
            if s.form in wanted:
                given.setdefault(s.form, leaf_form(s.leaf))
        return done

    def named(self, form: Form, original: Form, user: Statement, late: bool, letter: str | None = None) -> Statement:
        """A new intermediate before its first user; `late`: it needs a result, so that it stands among these."""
        shape = shape_of(form)
        given = self.identifiers.give(letter) if letter else None
        name = given or self.identifiers.numbered(LETTERS[min(len(shape), 3)])
        section = "forward" if user.section == "value" and not late else user.section
        math = None if self.math is None else self.math(original)
        return Statement(name, temporary(name, shape), form, section, math, ours=True)


def fitted(program: Program, measure: Callable[[Program], Callable[[Statement], int]], room: int) -> Program:
    """The program with statements wider than a line broken up: their largest part that fits gets a name.

    Args:
        program: the program.
        measure: for a program, the width of each statement as the target prints it.
        room: the width of a line.
    """
    sharing = Sharing(Identifiers([*program.names.values(), *program.dims.values()]))
    statements, width = list(program.statements), measure(program)
    k = 0
    while k < len(statements):
        part = _widest_part(statements[k], width, room) if width(statements[k]) > room else None
        if part is None:
            k += 1
            continue
        statements = sharing.extracted(statements, {part})
        names = {**program.names, **{s.leaf: s.name for s in statements}}
        program = replace(program, statements=tuple(statements), names=names)
        width = measure(program)
    return program


def _widest_part(s: Statement, width: Callable[[Statement], int], room: int) -> Form | None:
    """The part of a statement that is widest of those that fit on a line of their own."""
    inner = [p for p in parts(s.form)[:-1] if costs(p)]
    alone = {p: width(replace(s, leaf=temporary("_", shape_of(p)), form=p, result=None)) for p in inner}
    return max((p for p in inner if alone[p] <= room), key=lambda p: alone[p], default=None)


def with_solves(statements: list[Statement]) -> list[Statement]:
    """inv(A) @ B as the solution of A X = B, where the inverse is needed for nothing else."""
    count = uses(s.form for s in statements)
    single = [s for s in statements if s.ours and s.result is None and count.get(s.leaf) == 1]
    inverses = {s.leaf: s.form.args[0] for s in single if s.form.kind == "operation" and s.form.data[0] == "inv"}
    solved = without_dead([with_form(s, mapped(s.form, lambda f: _solve(f, inverses))) for s in statements])
    kept = {s.leaf for s in solved}
    gone = {
        s.leaf.name: s.math
        for s in single
        if s.leaf in inverses and s.leaf not in kept and s.math is not None and isinstance(s.leaf, Named)
    }
    if not gone:
        return solved
    from byhand.code.formulas import written_out

    return [replace(s, math=written_out(s.math, gone)) if s.math is not None else s for s in solved]


def _solve(form: Form, inverses: Mapping[Expr, Form]) -> Form:
    if form.kind not in ("matvec", "matmul") or form.rank > 2:
        return form
    left, right = form.args
    turned = left.kind == "transpose"
    inner = _inverted(left.args[0] if turned else left, inverses)
    if inner is None:
        return form
    return Form("solve", (Form("transpose", (inner,), rank=2) if turned else inner, right), rank=form.rank)


def _inverted(form: Form, inverses: Mapping[Expr, Form]) -> Form | None:
    if form.kind == "name":
        return inverses.get(form.data)
    return form.args[0] if form.kind == "operation" and form.data[0] == "inv" else None

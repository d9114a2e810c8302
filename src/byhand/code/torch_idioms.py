"""Forms that PyTorch has one call for: b + A B, the pullback of relu, the cross-entropy of labels, P − onehot(y)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from byhand.code.forms import Expand, hadamard, mapped
from byhand.code.kinks import of_kinked
from byhand.code.program import Program, Statement, uses, with_form, without_dead
from byhand.code.shapes import shape_of
from byhand.expr.contraction import P1
from byhand.expr.dims import MINUS_ONE, ONE
from byhand.expr.nodes import Expr
from byhand.rules.forms import Form, Scale

# Functions that PyTorch can apply where their argument stands.
IN_PLACE = frozenset({"relu", "tanh", "sigmoid"})
# What an argument may be the result of: operations whose derivative does not need their result.
_WRITABLE = frozenset({"addmm", "sum", "matmul", "matvec", "hadamard", "scaled"})
# Kinds whose result has memory of its own, as views have not.
_FRESH = frozenset({"addmm", "sum", "matmul", "hadamard", "scaled", "function", "operation", "minus_hot", "gate"})


def with_idioms(program: Program) -> Program:
    """The program with what PyTorch has one call for; statements that are no longer needed are left out."""
    new = changed(list(program.statements))
    kept = without_dead(new) if any(s.result is not None for s in new) else new
    return replace(program, statements=tuple(kept))


def changed(statements: list[Statement]) -> list[Statement]:
    """The statements with what PyTorch has one call for."""
    kinked = of_kinked(statements)
    hot = {s.leaf: s.form for s in statements if s.form.kind == "operation" and s.form.data[0] == "one_hot"}

    def change(f: Form) -> Form:
        match f.kind:
            case "sum":
                return _addmm(f) or _minus_hot(f, hot) or f
            case "hadamard":
                return _gate(f, kinked) or f
            case "means":
                return _nll(f) or f
            case "scaled":
                return _sign_of_nll(f)
            case _:
                return f

    return [with_form(s, mapped(s.form, change)) for s in statements]


def in_place(statements: list[Statement], kept: set[Expr]) -> dict[Expr, Expr]:
    """Results that may take the memory of their argument: nobody reads the argument again.

    Args:
        statements: those of one function, in order.
        kept: what is returned or saved.
    Returns: the leaf of each such statement -> the leaf of its argument.
    """
    made = {s.leaf: s for s in statements}
    readers = uses(s.form for s in statements)
    found: dict[Expr, Expr] = {}
    for s in statements:
        if s.form.kind != "function" or s.form.data not in IN_PLACE or s.form.args[0].kind != "name":
            continue
        source = s.form.args[0].data
        definition = made.get(source)
        alone = readers.get(source) == 1 and source not in kept and definition is not None
        if alone and definition is not None and definition.form.kind in _WRITABLE and definition.result is None:
            found[s.leaf] = source
    return found


def last_reads(statements: list[Statement]) -> dict[Expr, Expr]:
    """Results of operations that one statement reads last, and once: that statement -> what it may write over.

    For code that no graph is recorded of. The statement is a function that PyTorch applies in place, or P − onehot(y).
    """
    own = {s.leaf for s in statements if s.result is None and s.form.kind in _FRESH}
    last = {leaf: s for s in statements for leaf in uses([s.form])}
    found: dict[Expr, Expr] = {}
    for s in statements:
        inner = s.form.args[0] if s.form.kind == "scaled" and len(s.form.args) == 1 and s.form.data.has_core else s.form
        fits = inner.kind == "minus_hot" or (s.form.kind == "function" and s.form.data in {*IN_PLACE, "exp"})
        source = inner.args[0].data if fits and inner.args[0].kind == "name" else None
        if source in own and last[source] is s and uses([s.form])[source] == 1:
            found[s.leaf] = source
    return found


def released(statements: list[Statement], kept: Iterable[Expr] = ()) -> dict[Expr, list[str]]:
    """Arrays that nobody reads after a statement, by that statement: their memory can be given back.

    Two at a time, so that a layer has one such line. What is `kept` is read later.
    """
    later = {*kept}
    own = {s.leaf: s.name for s in statements if len(s.shape) > 1 and s.result is None and s.leaf not in later}
    last: dict[Expr, Statement] = {}
    for s in statements:
        last |= {leaf: s for leaf in uses([s.form]) if leaf in own}
    found: dict[Expr, list[str]] = {}
    dead: list[str] = []
    for s in statements[:-1]:
        dead += [own[leaf] for leaf, reader in last.items() if reader is s]
        if len(dead) > 1:
            found[s.leaf], dead = dead, []
    return found


def _addmm(f: Form) -> Form | None:
    if len(f.args) != 2 or f.rank != 2:
        return None
    product, added = sorted(f.args, key=lambda a: a.kind != "matmul")
    if product.kind != "matmul" or any(a.rank != 2 for a in product.args) or added.kind != "expand":
        return None
    data: Expand = added.data
    if data.positions != (1,) or added.args[0].kind != "name" or shape_of(product) != data.shape:
        return None
    return Form("addmm", (added.args[0], *product.args), rank=2)


def _gate(f: Form, kinked: set[Form]) -> Form | None:
    masks = [a for a in f.args if a.kind == "mask" and a.data == "step" and a.args[0] in kinked]
    rest = tuple(a for a in f.args if a is not masks[0]) if len(masks) == 1 else ()
    if not rest or all(a.kind == "power" and a.data < 0 for a in rest) or any(a.kind == "expand" for a in rest):
        return None
    return Form("gate", (hadamard(rest, f.rank), masks[0].args[0]), rank=f.rank)


def _minus_hot(f: Form, hot: Mapping[Expr, Form]) -> Form | None:
    """P − onehot(y), without an array of ones and zeros."""
    if len(f.args) != 2 or f.rank != 2:
        return None
    for kept, taken in (f.args, f.args[::-1]):
        inner = taken.args[0] if taken.kind == "scaled" and len(taken.args) == 1 else None
        if kept.kind != "name" or inner is None or taken.data.coefficient != MINUS_ONE or taken.data.powers:
            continue
        labels = hot.get(inner.data) if inner.kind == "name" else None
        if labels is not None:
            return Form("minus_hot", (kept, labels.args[0]), rank=2)
    return None


def _nll(f: Form) -> Form | None:
    """The mean of the entries at the labels: minus PyTorch's loss."""
    (picked,) = f.args
    if picked.kind != "pick" or picked.args[0].rank != 2 or tuple(f.data) != (0,):
        return None
    return Form("scaled", (Form("nll", picked.args),), Scale(MINUS_ONE, (P1,), False))


def _sign_of_nll(f: Form) -> Form:
    data: Scale = f.data
    coefficient, args = data.coefficient, list(f.args)
    for k, a in enumerate(args):
        power = data.powers[k] if k < len(data.powers) else P1
        if power == 1 and a.kind == "scaled" and len(a.args) == 1 and a.args[0].kind == "nll":
            coefficient, args[k] = coefficient.times(a.data.coefficient), a.args[0]
    if coefficient == ONE and len(args) == 1 and data.powers in ((), (P1,)):
        return args[0]
    if all(a is b for a, b in zip(f.args, args, strict=True)):
        return f
    return Form("scaled", tuple(args), Scale(coefficient, data.powers, data.has_core), f.rank)


__all__ = ["changed", "in_place", "last_reads", "released", "with_idioms"]

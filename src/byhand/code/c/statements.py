"""Statements as loops: entry by entry, or first what is not a product and then the products added, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from byhand.code.c.body import Body, Index, NeedsName
from byhand.code.c.entries import scale_factors
from byhand.code.c.indexing import is_pure, pure
from byhand.code.c.pieces import Level, Piece, negative, product, quotient
from byhand.code.c.reductions import as_product, is_row_product
from byhand.code.shapes import shape_of
from byhand.expr.dims import Dim, Shape
from byhand.expr.nodes import Expr
from byhand.rules.forms import Form, Scale

LONGEST_ROW = 64


@dataclass(frozen=True)
class Term:
    """A term that is added into the result: scale × (product, or sum over leading axes)."""

    scale: Form | None  # the scaled form without its core
    core: Form


def assign(b: Body, leaf: Expr, form: Form, kept: tuple[Expr, Expr] | None = None) -> None:
    """The lines of leaf = form, of rank one or more.

    Args:
        b: where the lines go.
        leaf: what is assigned; its name is an array of the form's shape.
        form: the right-hand side.
        kept: of a softmax, where its largest entries and the logarithms of its sums are kept.
    """
    if form.kind == "operation" and form.data[0] == "softmax":
        _softmax(b, leaf, form, kept)
        return
    shape = leaf.shape
    here, added = _split(form)
    if not added:
        index = tuple(map(b.open, shape))
        b.line(f"{b.element(leaf, shape, index).text} = {b.entry(form, index).text};")
        b.close(len(shape))
        return
    sums = [t for t in added if t.core.kind in ("sums", "scatter")]
    products = [t for t in added if t.core.kind not in ("sums", "scatter")]
    outer = tuple(map(b.open, shape[:-1])) if not sums else tuple(map(b.open, shape))
    if sums:
        b.line(f"{b.element(leaf, shape, outer).text} = {_initial(b, here, outer)};")
        b.close(len(shape))
        for t in sums:
            _add_sum(b, leaf, t)
        outer = tuple(map(b.open, shape[:-1])) if products else ()
    row = None if sums or not _is_short(shape[-1]) else b.local("row")
    if row is not None:
        b.line(f"double {row}[{shape[-1]}];")
    if not sums:
        last = b.open(shape[-1])
        index = (*outer, last)
        target = b.element(leaf, shape, index).text if row is None else f"{row}[{last}]"
        b.line(f"{target} = {_initial(b, here, index)};")
        b.close()
    for t in products:
        _add_product(b, leaf, t, outer, row)
    if row is not None:
        last = b.open(shape[-1])
        b.line(f"{b.element(leaf, shape, (*outer, last)).text} = {row}[{last}];")
        b.close()
    if products or not sums:
        b.close(len(shape) - 1)


def _is_short(d: Dim) -> bool:
    """Whether a row is added up in a variable of its own, which compilers keep in registers."""
    return isinstance(d, int) and 1 < d <= LONGEST_ROW


def _initial(b: Body, here: Form | None, index: Index) -> str:
    return "0.0" if here is None else b.entry(here, index).text


def _split(form: Form) -> tuple[Form | None, list[Term]]:
    """What is computed entry by entry, and what is added up in loops of its own."""
    terms = form.args if form.kind == "sum" else (form,)
    here: list[Form] = []
    added: list[Term] = []
    for t in terms:
        scaled = t.kind == "scaled" and t.data.has_core
        core = core_of(t)
        if is_added(core):
            data: Scale | None = t.data if scaled else None
            front = None if data is None else Form("scaled", t.args[:-1], data._replace(has_core=False))
            added.append(Term(front, core))
        else:
            here.append(t)
    if not here:
        return None, added
    return (here[0] if len(here) == 1 else Form("sum", tuple(here), rank=form.rank)), added


def core_of(form: Form) -> Form:
    """A term without its coefficient."""
    return form.args[-1] if form.kind == "scaled" and form.data.has_core else form


def is_added(core: Form) -> bool:
    """Whether a term is added up in loops of its own, along memory."""
    if core.rank == 0:
        return False
    if core.kind == "scatter":
        return True
    if core.kind == "sums":  # of leading axes: along memory
        return set(core.data) != set(range(core.rank, core.args[0].rank))
    p = as_product(core)
    return p is not None and not is_row_product(p)


def _factor(b: Body, scale: Form | None) -> Piece | None:
    """The number before a term; None for one."""
    if scale is None:
        return None
    over, under = scale_factors(b, scale)
    piece = quotient(over, under)
    return negative(piece) if scale.data.coefficient.value < 0 else piece


def _add_sum(b: Body, leaf: Expr, t: Term) -> None:
    """Sums over axes, in the order of memory; or rows added at their labels."""
    arg, *labels = t.core.args
    scale = _factor(b, t.scale)
    full = tuple(map(b.open, shape_of(arg)))
    if labels:
        axes = labels[0].rank
        index: Index = (pure(b, labels[0], full[:axes]).text, *full[axes:])
    else:
        index = tuple(i for axis, i in enumerate(full) if axis not in t.core.data)
    value = b.entry(arg, full)
    text = value.text if scale is None else f"{scale.at(Level.TIMES)} * {value.at(Level.UNARY)}"
    b.line(f"{b.element(leaf, leaf.shape, index).text} += {text};")
    b.close(len(full))


def _add_product(b: Body, leaf: Expr, t: Term, outer: Index, row: str | None) -> None:
    """out[i, j] += a[i, k] b[k, j], the loop over j innermost."""
    p = as_product(t.core)
    assert p is not None
    for form, _ in p.operands:
        if not is_pure(form):
            raise NeedsName(form)
    scale = _factor(b, t.scale)
    last = p.out[-1]
    at = dict(zip(p.out[:-1], outer, strict=True))
    for x in p.summed:
        at[x] = b.open(p.sizes[x])
    fixed = [(f, ls) for f, ls in p.operands if last not in ls]
    moving = [(f, ls) for f, ls in p.operands if last in ls]
    front = [b.entry(f, _at(at, ls)) for f, ls in fixed]
    if scale is not None:
        front = [scale, *front]
    if len(front) > 1 or (front and "[" in front[0].text):
        name = b.local("a")
        b.line(f"const double {name} = {product(front).text};")
        front = [Piece(name)]
    at[last] = b.open(p.sizes[last])
    factors = [*front, *(b.entry(f, _at(at, ls)) for f, ls in moving)]
    index = tuple(at[x] for x in p.out)
    target = b.element(leaf, leaf.shape, index).text if row is None else f"{row}[{index[-1]}]"
    b.line(f"{target} += {product(factors).text};")
    b.close(len(p.summed) + 1)


def _at(index: dict[int, str], labels: Sequence[int]) -> Index:
    return tuple(index[x] for x in labels)


def _softmax(b: Body, leaf: Expr, form: Form, kept: tuple[Expr, Expr] | None) -> None:
    """exp(Z - top) / total, each exp once."""
    (arg,) = form.args
    if not is_pure(arg):
        raise NeedsName(arg)
    axes = form.data[1][1]
    shape: Shape = leaf.shape
    rows = [axis for axis in range(len(shape)) if axis not in axes]
    at = {axis: b.open(shape[axis]) for axis in rows}

    def inside() -> Index:
        return tuple(at[axis] if axis in at else b.open(shape[axis]) for axis in range(len(shape)))

    first = tuple(at.get(axis, "0") for axis in range(len(shape)))
    top, total = b.local("top"), b.local("total")
    b.line(f"double {top} = {b.entry(arg, first).text};")
    z = b.entry(arg, inside())
    b.line(f"{top} = {z.text} > {top} ? {z.text} : {top};")
    b.close(len(axes))
    b.line(f"double {total} = 0.0;")
    index = inside()
    p = b.element(leaf, shape, index).text
    b.line(f"{p} = exp({b.entry(arg, index).at(Level.SUM)} - {top});")
    b.line(f"{total} += {p};")
    b.close(len(axes))
    b.line(f"const double {(share := b.local('share'))} = 1.0 / {total};")
    b.line(f"{b.element(leaf, shape, inside()).text} *= {share};")
    b.close(len(axes))
    if kept is not None:
        row = tuple(at.values())
        for target, text in zip(kept, (top, f"isinf({top}) ? 0.0 : log({total})"), strict=True):
            place = b.element(target, target.shape, row) if target.shape else Piece(b.names[target])
            b.line(f"{place.text} = {text};")
    b.close(len(rows))


__all__ = ["assign", "core_of", "is_added"]

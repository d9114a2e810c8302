"""Entries that stand in an array already, or are 0 or 1: views, slices, paddings, picks, diagonals, one-hot matrices."""

from __future__ import annotations

from collections.abc import Iterator

from byhand.code.c.body import Body, Index, NeedsName, Row
from byhand.code.c.pieces import ONE, ZERO, Level, Piece, bracketed, chosen, index_sum, offset
from byhand.code.forms import VIEWS, Expand, Span
from byhand.code.shapes import shape_of
from byhand.expr.dims import Dim, add_dims
from byhand.expr.nodes import Constant
from byhand.rules.forms import Form


def is_view(form: Form) -> bool:
    """Whether the entries of a form are entries of an array."""
    if form.kind == "name":
        return form.rank > 0 and not isinstance(form.data, Constant)
    return form.kind in VIEWS and is_view(form.args[0])


def is_pure(form: Form) -> bool:
    """Whether entries may be asked for without anything being computed before."""
    return is_view(form) or (
        form.kind in ("name", "number", "fill", "identity") or (form.kind in VIEWS and is_pure(form.args[0]))
    )


def pure(b: Body, f: Form, index: Index) -> Piece:
    """The entry of an operand that must be an array: it is asked for under a condition, or in a scattered order."""
    if not is_pure(f):
        raise NeedsName(f)
    return b.entry(f, index)


def source_index(b: Body, f: Form, index: Index) -> Index:
    """The index into the operand of a view."""
    (arg,) = f.args
    match f.kind:
        case "transpose":
            return index[::-1]
        case "permute":
            return tuple(index[f.data.index(axis)] for axis in range(arg.rank))
        case "squeeze":
            kept = iter(index)
            return tuple("0" if axis in f.data else next(kept) for axis in range(arg.rank))
        case "expand":
            data: Expand = f.data
            sizes = shape_of(arg)
            return tuple("0" if n == 1 else index[p] for p, n in zip(data.positions, sizes, strict=True))
        case "slice":
            kept = iter(index)
            return tuple(_sliced(b, span, kept) for span in f.data)
        case _:
            return _reshaped(b, f, index)


def _sliced(b: Body, span: Span | None, index: Iterator[str]) -> str:
    own = "0" if span is not None and span.drop else next(index)
    return own if span is None else index_sum(own, span.first, b.dim_name)


def _reshaped(b: Body, f: Form, index: Index) -> Index:
    flat = offset(f.data, index, b.dim_name)
    found: list[str] = []
    sizes = shape_of(f.args[0])
    for axis, size in enumerate(sizes):
        text = flat
        for inner in sizes[axis + 1 :]:
            text = text if inner == 1 else f"{bracketed(text)} / {b.dim(inner).at(Level.UNARY)}"
        if axis and text != "0":
            text = f"{bracketed(text)} % {b.dim(size).at(Level.UNARY)}"
        found.append("0" if size == 1 else text)
    return tuple(found)


def through(b: Body, f: Form, index: Index, inner: Row) -> Piece:
    if f.kind == "reshape" and f.args[0].kind == "name":
        return Piece(f"{b.names[f.args[0].data]}[{offset(f.data, index, b.dim_name)}]")
    if f.kind == "reshape" and not is_pure(f.args[0]):
        raise NeedsName(f.args[0])
    return inner(b, f.args[0], source_index(b, f, index))


def _view(b: Body, f: Form, index: Index) -> Piece:
    return through(b, f, index, Body.entry)


def _inside(b: Body, index: str, first: Dim, stop: Dim, size: Dim) -> list[str]:
    tests = [f"{index} >= {b.dim(first).text}"] if first != 0 else []
    return tests + ([f"{index} < {b.dim(stop).text}"] if stop != size else [])


def _pad(b: Body, f: Form, index: Index) -> Piece:
    tests: list[str] = []
    inner: list[str] = []
    for span, i in zip(f.data, index, strict=True):
        if span is None:
            inner.append(i)
            continue
        tests += _inside(b, i, span.first, add_dims(span.first, span.length), span.size)
        inner.append("0" if span.length == 1 else index_sum(i, _minus(span.first), b.dim_name))
    value = pure(b, f.args[0], tuple(inner))
    return chosen(Piece(" && ".join(tests), Level.COMPARE), value, ZERO) if tests else value


def _minus(d: Dim) -> Dim:
    return -d if isinstance(d, int) else type(d)(tuple((m, -c) for m, c in d.terms))


def _concatenate(b: Body, f: Form, index: Index) -> Piece:
    axis, _ = f.data
    stop: Dim = 0
    pieces: list[tuple[str, Piece]] = []
    for a in f.args:
        first, stop = stop, add_dims(stop, shape_of(a)[axis])
        place = "0" if shape_of(a)[axis] == 1 else index_sum(index[axis], _minus(first), b.dim_name)
        own = (*index[:axis], place, *index[axis + 1 :])
        pieces.append((f"{index[axis]} < {b.dim(stop).text}", pure(b, a, own)))
    text = pieces[-1][1].at(Level.COMPARE)
    for test, piece in reversed(pieces[:-1]):
        text = f"{test} ? {piece.at(Level.COMPARE)} : {text}"
    return Piece(text, Level.CHOICE)


def _take(b: Body, f: Form, index: Index) -> Piece:
    values, labels = f.args
    stop = f.data + labels.rank
    label = pure(b, labels, index[f.data : stop]).text
    return pure(b, values, (*index[: f.data], label, *index[stop:]))


def _pick(b: Body, f: Form, index: Index) -> Piece:
    """The entry at the label; of logarithms of a softmax, one entry of each row is enough."""
    values, labels = f.args
    label = pure(b, labels, index).text
    if values.kind == "operation" and values.data[0] == "log_softmax" and is_view(values.args[0]):
        return b.entry(values, (*index, label))
    if values.kind == "sum" and all(map(_row_or_view, values.args)):
        return b.entry(values, (*index, label))
    return pure(b, values, (*index, label))


def _row_or_view(form: Form) -> bool:
    """A view, or a vector of rows repeated along the last axis; a coefficient may stand before it."""
    return is_view(form.args[-1] if form.kind == "scaled" and form.data.has_core else form)


def _diagonal(b: Body, f: Form, index: Index) -> Piece:
    return b.entry(f.args[0], index * 2)


def _diagonal_matrix(b: Body, f: Form, index: Index) -> Piece:
    i, j = index
    value = pure(b, f.args[0], (i,))
    return value if i == j else chosen(Piece(f"{i} == {j}", Level.COMPARE), value, ZERO)


def _identity(b: Body, f: Form, index: Index) -> Piece:
    i, j = index
    return ONE if i == j else chosen(Piece(f"{i} == {j}", Level.COMPARE), ONE, ZERO)


def _one_hot(b: Body, f: Form, index: Index) -> Piece:
    label = pure(b, f.args[0], index[:-1]).text
    return chosen(Piece(f"{label} == {index[-1]}", Level.COMPARE), ONE, ZERO)


def _affine(b: Body, f: Form, index: Index) -> Piece:
    _, first, *steps = f.data[1][1:]
    terms = [f"{b.dim(stride).at(Level.UNARY)} * {i}" if stride != 1 else i
             for stride, i in zip(steps[::2], index[1:], strict=True)]  # fmt: skip
    place = " + ".join(terms)
    place = place if first == 0 else f"{b.dim(first).text} + {place}"
    return chosen(Piece(f"{index[0]} == {place}", Level.COMPARE), ONE, ZERO)


def _triangle(b: Body, f: Form, index: Index) -> Piece:
    return chosen(Piece(f"{index[1]} <= {index[0]}", Level.COMPARE), ONE, ZERO)


def _arange(b: Body, f: Form, index: Index) -> Piece:
    return Piece(f"(double) {index[0]}", Level.UNARY)


INDEXING: dict[str, Row] = {
    **dict.fromkeys(sorted(VIEWS), _view),
    "diagonal": _diagonal,
    "diagonal_matrix": _diagonal_matrix,
    "identity": _identity,
    "fill": lambda b, f, index: ONE,
    "pad": _pad,
    "concatenate": _concatenate,
    "take": _take,
    "pick": _pick,
}
SELECTIONS: dict[str, Row] = {"one_hot": _one_hot, "affine": _affine, "triangle": _triangle, "arange": _arange}

__all__ = ["INDEXING", "SELECTIONS", "is_pure", "is_view", "pure", "through"]

"""Rows of the NumPy target: sums over axes, broadcasting, views, indexing, einsum."""

from __future__ import annotations

from collections.abc import Sequence

from byhand.code.forms import Einsum, Expand
from byhand.code.python import Code, Level, call, is_name, padding, span_code
from byhand.code.shapes import shape_of
from byhand.code.writer import Row, Writer, tuple_code
from byhand.rules.forms import Form

LETTERS = "ijklmnpqrstuvwxyzabcdefgho"


def _sum_over(w: Writer, f: Form, keep: bool = False) -> Code:
    (arg,) = f.args
    a = w.full(arg)
    axes, word = f.data, "sum" if f.kind == "sums" else "mean"
    kept = ["keepdims=True"] if keep else []
    shape = tuple(1 if i in axes else n for i, n in enumerate(a.shape) if keep or i not in axes)
    if len(axes) == arg.rank and not keep:
        return Code(call(f"{w.np}.{word}", a.text))
    over = [f"axis={axes[0] if len(axes) == 1 else axes}"]
    if is_name(a.text):
        return Code(call(f"{a.text}.{word}", *over, *kept), shape=shape)
    return Code(call(f"{w.np}.{word}", a.text, *over, *kept), shape=shape)


def _expand(w: Writer, f: Form) -> Code:
    """Axes of length one in the places that broadcasting does not fill by itself."""
    (arg,) = f.args
    data: Expand = f.data
    added = [i for i in range(f.rank) if i not in data.positions]
    start = next((i for i in range(f.rank) if i in data.positions or data.shape[i] == 1), f.rank)
    needed = [i for i in added if i >= start]
    if arg.kind in ("sums", "means", "squeeze") and arg.args[0].rank == f.rank and list(arg.data) == added and needed:
        return w.full(arg.args[0]) if arg.kind == "squeeze" else w.rows[f"{arg.kind} kept"](w, arg)
    if arg.kind == "squeeze" and arg.args[0].rank == f.rank and list(arg.data) == added:
        return w.full(arg.args[0])
    a = w.full(arg)
    if not a.shape or not needed:
        return a
    shape = tuple(data.shape[i] if i in data.positions else 1 for i in range(start, f.rank))
    index = ", ".join(":" if i in data.positions else "None" for i in range(start, f.rank))
    return Code(f"{a.at(Level.ATOM)}[{index}]", shape=shape, view=a.view)


def _transpose(w: Writer, f: Form) -> Code:
    a = w.full(f.args[0])
    return Code(f"{a.at(Level.ATOM)}.T", shape=shape_of(f), view=a.view)


def _permute(w: Writer, f: Form) -> Code:
    a = w.full(f.args[0])
    moved = [i for i, axis in enumerate(f.data) if i != axis]
    method = f"swapaxes({moved[0]}, {moved[1]})" if len(moved) == 2 else f"transpose{f.data}"
    return Code(f"{a.at(Level.ATOM)}.{method}", shape=shape_of(f), view=a.view)


def _index(w: Writer, f: Form, index: Sequence[str], view: bool = True) -> Code:
    a = w.full(f.args[0])
    while len(index) > 1 and index[-1] == ":":
        index = index[:-1]
    return Code(f"{a.at(Level.ATOM)}[{', '.join(index)}]", shape=shape_of(f), view=view and a.view)


def _squeeze(w: Writer, f: Form) -> Code:
    return _index(w, f, ["0" if i in f.data else ":" for i in range(f.args[0].rank)])


def _slice(w: Writer, f: Form) -> Code:
    return _index(w, f, [":" if span is None else span_code(span, w.size) for span in f.data])


def _take(w: Writer, f: Form) -> Code:
    return _index(w, f, [":"] * f.data + [w.full(f.args[1]).text], view=False)


def _scatter(w: Writer, f: Form) -> Code:
    values, labels = map(w.full, f.args)
    return Code(call(w.kernel("scatter_add"), labels.text, values.text, w.dim(f.data).text), shape=shape_of(f))


def _pick(w: Writer, f: Form) -> Code:
    values, labels = f.args
    if values.rank == 2:
        rows = call(f"{w.np}.arange", w.dim(shape_of(values)[0]).text)
        return _index(w, f, [rows, w.full(labels).text], view=False)
    at = f"{w.full(labels).at(Level.ATOM)}[..., None]"
    return Code(f"{call(f'{w.np}.take_along_axis', w.full(values).text, at, 'axis=-1')}[..., 0]", shape=shape_of(f))


def _pad(w: Writer, f: Form) -> Code:
    widths = [padding(span, w.size) for span in f.data]
    around = widths[0] if len(widths) == 1 else tuple_code(widths)
    return Code(call(f"{w.np}.pad", w.full(f.args[0]).text, around), shape=shape_of(f))


def _concatenate(w: Writer, f: Form) -> Code:
    axis, shape = f.data
    parts = f"[{', '.join(w.full(a).text for a in f.args)}]"
    return Code(call(f"{w.np}.concatenate", parts, *([f"axis={axis}"] if axis else [])), shape=shape)


def _reshape(w: Writer, f: Form) -> Code:
    a = w.full(f.args[0])
    return Code(call(f"{a.at(Level.ATOM)}.reshape", *(w.dim(d).text for d in f.data)), shape=shape_of(f), view=a.view)


def _einsum(w: Writer, f: Form) -> Code:
    data: Einsum = f.data
    used = list(dict.fromkeys([*data.out, *(x for ls in data.labels for x in ls)]))
    letter = dict(zip(used, LETTERS, strict=False))
    spec = ",".join("".join(letter[x] for x in ls) for ls in data.labels) + "->" + "".join(letter[x] for x in data.out)
    best = ["optimize=True"] if len(f.args) > 1 else []
    view = len(f.args) == 1 and {*data.out} == {*data.labels[0]}
    return Code(
        call(f"{w.np}.einsum", f'"{spec}"', *(w.full(a).text for a in f.args), *best), shape=shape_of(f), view=view
    )


AXES: dict[str, Row] = {
    "sums": _sum_over,
    "means": _sum_over,
    "sums kept": lambda w, f: _sum_over(w, f, keep=True),
    "means kept": lambda w, f: _sum_over(w, f, keep=True),
    "expand": _expand,
    "transpose": _transpose,
    "permute": _permute,
    "squeeze": _squeeze,
    "reshape": _reshape,
    "slice": _slice,
    "pad": _pad,
    "concatenate": _concatenate,
    "take": _take,
    "pick": _pick,
    "scatter": _scatter,
    "einsum": _einsum,
}

"""Rows of the NumPy target: the structured operations of `expr.operations`."""

from __future__ import annotations

from byhand.code.forms import Span
from byhand.code.python import Code, Level, call, power, span_code
from byhand.code.shapes import shape_of
from byhand.code.writer import Row, Writer, joined
from byhand.expr.dims import Dim
from byhand.rules.forms import Form


def call_row(name: str, view: bool = False) -> Row:
    return lambda w, f: Code(call(f"{w.np}.{name}", *(w.full(a).text for a in f.args)), shape=shape_of(f), view=view)


def over_axes(name: str, last: bool | None) -> Row:
    """A function with its axes, the usual ones left out: the last, or all; None for a library that wants them said.

    A name without a dot is a kernel.
    """

    def row(w: Writer, f: Form) -> Code:
        rank, axes = f.data[1]
        usual = None if last is None else (rank - 1,) if last else tuple(range(rank))
        word = "dim" if last is None else "axis"
        shown = [] if axes == usual else [f"{word}={axes[0] if len(axes) == 1 else axes}"]
        function = name if "." in name else w.kernel(name)
        return Code(call(function, w.full(f.args[0]).text, *shown), shape=shape_of(f))

    return row


def _general_power(w: Writer, f: Form) -> Code:
    base, exponent = map(w.code, f.args)
    plain = base.plain and exponent.plain
    text = power(base, exponent.at(Level.ATOM))
    return Code(text, Level.POWER, joined([base.shape, exponent.shape]), plain=plain, power_first=True)


def _where(w: Writer, f: Form) -> Code:
    codes = [w.code(a) for a in f.args]
    text = call(f"{w.np}.where", *(c.text for c in codes))
    if codes[1].plain and codes[2].plain and w.arrays:  # two numbers would make float64
        text += f".astype({w.mention(w.arrays[0])}.dtype)"
    return Code(text, shape=joined([c.shape for c in codes]))


def _one_hot(w: Writer, f: Form) -> Code:
    dtype = [d.removeprefix("dtype=") for d in w.dtype]
    return Code(call(w.kernel("one_hot"), w.full(f.args[0]).text, w.dim(f.data[1][1]).text, *dtype), shape=shape_of(f))


def eye(w: Writer, size: Dim) -> str:
    return call(f"{w.np}.eye", w.dim(size).text, *w.dtype)


def _affine(w: Writer, f: Form) -> Code:
    """Where an axis is picked from a constant, or a map is not read as an index: an array of zeros and ones."""
    size, first, *steps = f.data[1][1:]
    if steps[::2] == [1]:
        return Code(f"{eye(w, size)}[:, {span_code(Span(first, steps[1], size), w.size)}]", shape=shape_of(f))
    rank = len(steps) // 2
    places = [w.dim(first).text] if first != 0 else []
    for k, (stride, count) in enumerate(zip(steps[::2], steps[1::2], strict=True)):
        counted = f"{w.np}.arange({w.dim(count).text}){_columns(rank - 1 - k)}"
        places.append(counted if stride == 1 else f"{w.dim(stride).at(Level.ATOM)} * {counted}")
    rows = f"{w.np}.arange({w.dim(size).text}){_columns(rank)}"
    return Code(_numbers(w, f"{rows} == {' + '.join(places)}"), shape=shape_of(f))


def _columns(axes: int) -> str:
    """What makes a vector an array with so many axes of one entry behind."""
    return f"[:{', None' * axes}]" if axes else ""


def _numbers(w: Writer, mask: str) -> str:
    """A mask as numbers."""
    if w.np == "torch":
        return f"({mask}).to({w.type_of()})"
    return f"({mask}).astype({(w.dtype or w.usual_dtype)[0].removeprefix('dtype=')})"


def _triangle(w: Writer, f: Form) -> Code:
    n = w.dim(f.data[1][1]).text
    return Code(_numbers(w, f"{w.np}.arange({n})[:, None] >= {w.np}.arange({n})"), shape=shape_of(f))


def _arange(w: Writer, f: Form) -> Code:
    return Code(call(f"{w.np}.arange", w.dim(f.data[1][1]).text, *w.dtype), shape=shape_of(f))


def _argmax(w: Writer, f: Form) -> Code:
    _, axes = f.data[1]
    word = "dim" if w.np == "torch" else "axis"
    return Code(call(f"{w.np}.argmax", w.full(f.args[0]).text, f"{word}={axes[0]}"), shape=shape_of(f))


def _winner(w: Writer, f: Form) -> Code:
    return Code(call(w.kernel("winner"), w.full(f.args[0]).text, str(f.data[1][1])), shape=shape_of(f))


OPERATIONS: dict[str, Row] = {
    "inv": call_row("linalg.inv"),
    "det": call_row("linalg.det"),
    "adjugate": lambda w, f: Code(call(w.kernel("adjugate"), w.full(f.args[0]).text), shape=shape_of(f)),
    "logdet": lambda w, f: Code(f"{call(f'{w.np}.linalg.slogdet', w.full(f.args[0]).text)}[1]"),
    "softmax": over_axes("softmax", last=True),
    "log_softmax": over_axes("log_softmax", last=True),
    "logsumexp": over_axes("logsumexp", last=False),
    "power": _general_power,
    "where": _where,
    "one_hot": _one_hot,
    "affine": _affine,
    "triangle": _triangle,
    "arange": _arange,
    "max": over_axes("np.max", last=False),
    "winner": _winner,
    "argmax": _argmax,
}

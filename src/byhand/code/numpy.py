"""The NumPy target: what its functions call the operations of a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, assert_never

from byhand.code.contractions import Contractions
from byhand.code.names import KERNELS
from byhand.code.python import Code, Level, Span, call, literal, negative, padding, power, span_code
from byhand.code.writer import joined, tuple_code, view_of
from byhand.expr.dims import Dim, add_dims
from byhand.expr.functions import FUNCTIONS as KNOWN
from byhand.expr.functions import MASKS
from byhand.program.ops import (
    P1,
    Add,
    Contract,
    Eye,
    Input,
    Kernel,
    Map,
    Mul,
    Number,
    Op,
    Pad,
    Reshape,
    Scatter,
    Slice,
    Take,
)

Row = Callable[[Any, Kernel], Code]

# `code` of the table of functions; step as a number
FUNCTIONS = {name: row.code for name, row in KNOWN.items()} | {"step": "np.heaviside({z}, 0.0)"}
_CLOSED = re.compile(r"[\w.]*\(.*\)")
_KERNEL = re.compile(r"([a-z]\w*)\(")


class NumpyWriter(Contractions):
    """Source for NumPy."""

    functions = FUNCTIONS

    def code(self, op: Op) -> Code:
        """The source of a node.

        Raises: MissingRuleError: the target has no row for it.
        """
        match op:
            case Input():
                return Code(op.name, shape=op.shape, view=True, plain=op in self.plain)
            case Number():
                return self.constant(op)
            case Map():
                return self.map(op)
            case Add():
                return self.add(op)
            case Mul():
                return self.mul(op)
            case Contract():
                return self.contract(op)
            case Slice():
                return self.indexed(op, [])
            case Pad():
                return self.pad(op)
            case Take():
                return self.take(op)
            case Scatter():
                return self.scatter(op)
            case Reshape():
                return self.reshape(op)
            case Eye():
                return Code(self.eye(op.shape[0]), shape=op.shape)
            case Kernel():
                return self.row(self.operations, op.operation)(self, op)
            case _:
                assert_never(op)

    # ---- entry by entry

    def constant(self, op: Number) -> Code:
        """A named number."""
        name = op.name.removeprefix("-")
        if name in ("pi", "inf", "nan"):
            return literal(f"{self.np}.{name}") if name == op.name else negative(literal(f"{self.np}.{name}"))
        return literal(repr(op.value))

    def map(self, op: Map) -> Code:
        """A function entry by entry."""
        match op.function, op.args:
            case "real", (arg,):
                return self.as_number(arg)
            case "where", (test, first, second):
                return self.where(test, first, second)
            case "power", (base, exponent):
                return self._power(base, exponent)
            case name, (arg,) if name in MASKS:
                code = self.code(arg)
                return Code(f"{code.at(Level.SUM)} {MASKS[name]} 0", Level.COMPARE, code.shape, plain=code.plain)
            case name, (arg,):
                return self.function(name, self.code(arg))
            case _:
                raise AssertionError(op.function)

    def function(self, name: str, arg: Code, template: str | None = None) -> Code:
        """An elementwise function of a piece."""
        template = template or self.function_code(name)
        kernel = _KERNEL.match(template)
        if kernel and kernel[1] in KERNELS:
            self.kernel(kernel[1])
        if arg.plain:
            return self.of_number(name, arg)
        if _CLOSED.fullmatch(template):
            return Code(template.format(z=arg.text), shape=arg.shape)
        return Code(template.format(z=arg.at(Level.ATOM)), Level.COMPARE, arg.shape)

    def as_number(self, op: Op) -> Code:
        """The source of a mask as numbers."""
        view = view_of(op)
        if view is not None:
            arg, axes = view
            return self.turned(self.as_number(arg), axes, len(op.shape))
        if isinstance(op, Map) and op.function in MASKS:
            template = self.function_code(op.function)
            if (
                "heaviside" in template and op.args[0] not in self.kinked
            ):  # what is not a number is not greater than zero
                template = "step({z})"
            return self.function(op.function, self.code(op.args[0]), template)
        code = self.code(op)
        if op.type == "int" or (isinstance(op, Kernel) and op.operation == "one_hot"):
            return code
        return Code(self.converted(code), shape=code.shape)

    def converted(self, code: Code) -> str:
        """A mask as numbers."""
        return f"{code.at(Level.ATOM)}.astype({self.type_of()})"

    def where(self, test: Op, first: Op, second: Op) -> Code:
        """A choice entry by entry."""
        codes = [*map(self.code, (test, first, second))]
        text = call(f"{self.np}.where", *(c.text for c in codes))
        if codes[1].plain and codes[2].plain and self.arrays:  # two numbers would make float64
            text += f".astype({self.mention(self.arrays[0])}.dtype)"
        return Code(text, shape=joined([c.shape for c in codes]))

    def _power(self, base: Op, exponent: Op) -> Code:
        x, p = self.code(base), self.code(exponent)
        text = power(x, p.at(Level.ATOM))
        return Code(text, Level.POWER, joined([x.shape, p.shape]), plain=x.plain and p.plain, power_first=True)

    def heaviside(self, z: Op, slope: float) -> Code:
        """1 where z > 0, 0 where z < 0, the slope where it is 0."""
        return Code(call(f"{self.np}.heaviside", self.code(z).text, str(float(slope))), shape=z.shape)

    # ---- parts of arrays

    def indexed(self, op: Op, dropped: list[int]) -> Code:
        """A slice, and an array with axes of size one dropped: A[2:5, 0]. Slices of slices are one."""
        spans: dict[int, Span] = {}
        shape = tuple(n for k, n in enumerate(op.shape) if k not in dropped)
        while isinstance(op, Slice) and op.axis not in spans:
            spans[op.axis] = Span(op.first, op.shape[op.axis], op.arg.shape[op.axis], op.axis in dropped)
            op = op.arg
        last = max((*spans, *dropped))
        index = [
            span_code(spans[k], self.size) if k in spans else "0" if k in dropped else ":" for k in range(last + 1)
        ]
        a = self.full(op)
        return Code(f"{a.at(Level.ATOM)}[{', '.join(index)}]", shape=shape, view=a.view)

    def spans(self, op: Pad) -> list[Span | None]:
        """What stands between the zeros, for each axis."""
        return [Span(op.first, op.arg.shape[k], n) if k == op.axis else None for k, n in enumerate(op.shape)]

    def pad(self, op: Pad) -> Code:
        """An array with zeros around."""
        inner, spans = op.arg, self.spans(op)
        while isinstance(inner, Pad) and spans[inner.axis] is None:
            spans[inner.axis] = self.spans(inner)[inner.axis]
            inner = inner.arg
        return self.padded(inner, spans, op)

    def padded(self, inner: Op, spans: Sequence[Span | None], op: Pad) -> Code:
        """An array with zeros around, as many as the spans leave out."""
        widths = [padding(span, self.size) for span in spans]
        around = widths[0] if len(widths) == 1 else tuple_code(widths)
        return Code(call(f"{self.np}.pad", self.full(inner).text, around), shape=op.shape)

    def concatenated(self, op: Add) -> Code | None:
        """Arrays padded with zeros so that they fit together, put together; None for other sums."""
        found = []
        for c, term, axes in op.terms:
            pad = term.factors[0][0] if isinstance(term, Mul) and len(term.factors) == 1 else term
            turned = (
                axes if pad is term else tuple(axes[a] for a in term.factors[0][1]) if isinstance(term, Mul) else axes
            )
            if not isinstance(pad, Pad) or turned != tuple(range(len(op.shape))):
                return None
            c = c if pad is term or not isinstance(term, Mul) else c.times(term.coefficient)
            found.append((pad, self.pool.mul(pad.arg.shape, c, [(pad.arg, turned, P1)])))
        (axis, *others) = {pad.axis for pad, _ in found}
        if others:
            return None
        end: Dim = 0
        joined_: list[Op] = []
        while found:
            at = next((k for k, (pad, _) in enumerate(found) if pad.first == end), None)
            if at is None:
                return None
            pad, body = found.pop(at)
            joined_.append(body)
            end = add_dims(end, pad.arg.shape[axis])
        return self.concatenate(joined_, axis, op) if end == op.shape[axis] else None

    def concatenate(self, parts: list[Op], axis: int, op: Op) -> Code:
        """Arrays one after the other along an axis."""
        codes = [*map(self.code, parts)]
        if all(
            part.shape == (1,) and not code.shape and not code.plain for part, code in zip(parts, codes, strict=True)
        ):
            return Code(self.stacked(codes), shape=op.shape)
        listed = f"[{', '.join(self.full(a).text for a in parts)}]"
        return Code(self.joined_up(listed, axis), shape=op.shape)

    def joined_up(self, listed: str, axis: int) -> str:
        """Arrays one after the other along an axis."""
        return call(f"{self.np}.concatenate", listed, *([f"axis={axis}"] if axis else []))

    def stacked(self, codes: list[Code]) -> str:
        """Numbers as a vector."""
        return call(f"{self.np}.array", f"[{', '.join(c.text for c in codes)}]")

    def reshape(self, op: Reshape) -> Code:
        """The same entries in another shape; of an outer product of matrices with pairs of axes, np.kron."""
        inner = op.arg
        while isinstance(inner, Reshape):
            inner = inner.arg
        pairs = sorted((f for f in inner.factors if f[1]), key=lambda f: f[1]) if isinstance(inner, Mul) else []
        if isinstance(inner, Mul) and [f[1:] for f in pairs] == [((0, 2), P1), ((1, 3), P1)] and len(op.shape) == 2:
            kron = self.pool(Kernel(op.shape, "real", "kron", tuple(f for f, _, _ in pairs), ()))
            scalars = [f for f in inner.factors if not f[1]]
            return self.code(self.pool.mul(op.shape, inner.coefficient, [*scalars, (kron, (0, 1), P1)]))
        a = self.full(inner)
        return Code(
            call(f"{a.at(Level.ATOM)}.reshape", *(self.dim(d).text for d in op.shape)), shape=op.shape, view=a.view
        )

    def take(self, op: Take) -> Code:
        """Rows, or entries of the last axis, at integers."""
        a, index = self.full(op.arg).at(Level.ATOM), self.full(op.index)
        if not op.rows:
            return Code(f"{a}[{', '.join([*[':'] * op.axis, index.text])}]", shape=op.shape)
        if op.rows == 1:
            rows = call(f"{self.np}.arange", self.dim(op.shape[0]).text)
            return Code(f"{a}[{rows}, {index.text}]", shape=op.shape)
        at = f"{index.at(Level.ATOM)}[..., None]"
        return Code(
            f"{call(f'{self.np}.take_along_axis', self.full(op.arg).text, at, 'axis=-1')}[..., 0]", shape=op.shape
        )

    def scatter(self, op: Scatter) -> Code:
        """Rows added up at integers."""
        name = self.kernel("scatter_add")
        return Code(
            call(name, self.full(op.index).text, self.full(op.arg).text, self.dim(op.shape[0]).text), shape=op.shape
        )

    def eye(self, size: Dim) -> str:
        """The identity."""
        return call(f"{self.np}.eye", self.dim(size).text, *self.dtype)


# ---- rows of structured operations


def call_row(name: str, view: bool = False) -> Row:
    """A function of the arguments."""
    return lambda w, op: Code(call(f"{w.np}.{name}", *(w.full(a).text for a in op.args)), shape=op.shape, view=view)


def over_axes(name: str, last: bool | None) -> Row:
    """A function with its axes, the usual ones left out: the last, or all; None for a library that wants them said.

    A name without a dot is a kernel.
    """

    def row(w: Any, op: Kernel) -> Code:
        (axes,), rank = op.attributes, len(op.args[0].shape)
        usual = None if last is None else (rank - 1,) if last else tuple(range(rank))
        word = "dim" if last is None else "axis"
        shown = [] if axes == usual else [f"{word}={axes[0] if len(axes) == 1 else axes}"]
        function = name if "." in name else w.kernel(name)
        return Code(call(function, w.full(op.args[0]).text, *shown), shape=op.shape)

    return row


def _one_hot(w: NumpyWriter, op: Kernel) -> Code:
    dtype = [d.removeprefix("dtype=") for d in w.dtype]
    labels = w.full(op.args[0]).text
    return Code(call(w.kernel("one_hot"), labels, w.dim(op.shape[-1]).text, *dtype), shape=op.shape)


def _affine(w: NumpyWriter, op: Kernel) -> Code:
    """Where a map is not read as an index: an array of zeros and ones."""
    size, first, *steps = op.attributes
    rank = len(steps) // 2
    places = [w.dim(first).text] if first != 0 else []
    for k, (stride, count) in enumerate(zip(steps[::2], steps[1::2], strict=True)):
        counted = f"{w.np}.arange({w.dim(count).text}){_columns(rank - 1 - k)}"
        places.append(counted if stride == 1 else f"{w.dim(stride).at(Level.ATOM)} * {counted}")
    rows = f"{w.np}.arange({w.dim(size).text}){_columns(rank)}"
    return Code(_numbers(w, f"{rows} == {' + '.join(places)}"), shape=op.shape)


def _columns(axes: int) -> str:
    """What makes a vector an array with so many axes of one entry behind."""
    return f"[:{', None' * axes}]" if axes else ""


def _numbers(w: NumpyWriter, mask: str) -> str:
    """A mask as numbers."""
    if w.np == "torch":
        return f"({mask}).to({w.type_of()})"
    return f"({mask}).astype({(w.dtype or w.usual_dtype)[0].removeprefix('dtype=')})"


def _triangle(w: NumpyWriter, op: Kernel) -> Code:
    n = w.dim(op.attributes[0]).text
    return Code(_numbers(w, f"{w.np}.arange({n})[:, None] >= {w.np}.arange({n})"), shape=op.shape)


def _arange(w: NumpyWriter, op: Kernel) -> Code:
    return Code(call(f"{w.np}.arange", w.dim(op.attributes[0]).text, *w.dtype), shape=op.shape)


def _argmax(w: NumpyWriter, op: Kernel) -> Code:
    (axes,) = op.attributes
    word = "dim" if w.np == "torch" else "axis"
    return Code(call(f"{w.np}.argmax", w.full(op.args[0]).text, f"{word}={axes[0]}"), shape=op.shape)


OPERATIONS: dict[str, Row] = {
    "inv": call_row("linalg.inv"),
    "det": call_row("linalg.det"),
    "solve": call_row("linalg.solve"),
    "kron": call_row("kron"),
    "adjugate": lambda w, op: Code(call(w.kernel("adjugate"), w.full(op.args[0]).text), shape=op.shape),
    "logdet": lambda w, op: Code(f"{call(f'{w.np}.linalg.slogdet', w.full(op.args[0]).text)}[1]"),
    "softmax": over_axes("softmax", last=True),
    "log_softmax": over_axes("log_softmax", last=True),
    "logsumexp": over_axes("logsumexp", last=False),
    "one_hot": _one_hot,
    "affine": _affine,
    "triangle": _triangle,
    "arange": _arange,
    "max": over_axes("np.max", last=False),
    "winner": lambda w, op: Code(
        call(w.kernel("winner"), w.full(op.args[0]).text, str(op.attributes[0])), shape=op.shape
    ),
    "argmax": _argmax,
    "heaviside": lambda w, op: w.heaviside(op.args[0], op.attributes[0]),
}
NumpyWriter.operations = OPERATIONS

__all__ = ["FUNCTIONS", "OPERATIONS", "NumpyWriter", "Row", "call_row", "over_axes"]

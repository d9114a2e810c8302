"""What needs loops of its own: sums, products of matrices and vectors, norms, log-sum-exp; one row per kind.

As entries they are numbers, computed in the outermost loop that has their indices. As whole statements, products are
added up into the result row by row, so that the innermost loop runs along memory (`statements.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from byhand.code.c.body import Body, Index, NeedsName, Row
from byhand.code.c.indexing import is_pure, is_view
from byhand.code.c.pieces import Level, Piece, product, size_piece
from byhand.code.forms import Einsum
from byhand.code.shapes import shape_of
from byhand.errors import MissingRuleError
from byhand.expr.dims import Dim, Shape
from byhand.rules.forms import Form

Labels = tuple[int, ...]
_REFERENCE = re.compile(r"([\w>-]+)\[(.*)\]")


@dataclass(frozen=True)
class Product:
    """Σ ∏ operand[labels]: what a matrix product, a dot product and an einsum have in common.

    Attributes:
        operands: each with the labels of its axes.
        out: the labels of the result.
        sizes: the size of each label.
    """

    operands: tuple[tuple[Form, Labels], ...]
    out: Labels
    sizes: dict[int, Dim]

    @property
    def summed(self) -> Labels:
        """The labels that are summed over, in order of appearance."""
        return tuple(dict.fromkeys(x for _, labels in self.operands for x in labels if x not in self.out))


def as_product(form: Form) -> Product | None:
    """The form as a labelled product, where it is one."""
    match form.kind:
        case "matmul" | "matvec":
            left, right = form.args
            k = 100
            columns = (99,) if form.kind == "matmul" else ()
            stack = tuple(range(max(left.rank - 2, right.rank - 1 - len(columns), 0)))
            mine = stack[len(stack) - (left.rank - 2) :] if left.rank > 2 else ()
            theirs = stack[len(stack) - (right.rank - 1 - len(columns)) :] if right.rank - 1 - len(columns) > 0 else ()
            rows = (98,) if left.rank > 1 else ()
            return _product([(left, (*mine, *rows, k)), (right, (*theirs, k, *columns))], (*stack, *rows, *columns))
        case "dot":
            return _product([(a, (0,)) for a in form.args], ())
        case "inner":
            return _product([(a, tuple(range(a.rank))) for a in form.args], ())
        case "norm_squared":
            (a,) = form.args
            return _product([(a, tuple(range(a.rank)))] * 2, ())
        case "trace":
            return _product([(form.args[0], (0, 0))], ())
        case "einsum":
            data: Einsum = form.data
            return Product(tuple(zip(form.args, data.labels, strict=True)), data.out, dict(enumerate(data.sizes)))
    return None


def _product(operands: list[tuple[Form, Labels]], out: Labels) -> Product:
    sizes = {x: n for form, labels in operands for x, n in zip(labels, shape_of(form), strict=True)}
    return Product(tuple(operands), out, sizes)


# ---- products


def is_row_product(p: Product) -> bool:
    """Whether each entry is a dot product of two stretches of memory."""
    if len(p.operands) != 2 or len(p.summed) != 1 or any(labels.count(p.summed[0]) != 1 for _, labels in p.operands):
        return False
    return all(unit_axis(form) == labels.index(p.summed[0]) for form, labels in p.operands)


def unit_axis(form: Form) -> int | None:
    """The axis of a view along which neighbours are neighbours in memory."""
    shape = shape_of(form)
    match form.kind:
        case "name":
            return max((i for i, n in enumerate(shape) if n != 1), default=None) if is_view(form) else None
        case "reshape" if form.args[0].kind == "name":
            return max((i for i, n in enumerate(shape) if n != 1), default=None)
        case "transpose":
            inner = unit_axis(form.args[0])
            return None if inner is None else 1 - inner
        case "permute":
            inner = unit_axis(form.args[0])
            return None if inner is None else form.data.index(inner)
        case "squeeze":
            inner = unit_axis(form.args[0])
            return None if inner is None or inner in form.data else inner - sum(a < inner for a in form.data)
        case "expand":
            inner = unit_axis(form.args[0])
            return None if inner is None else form.data.positions[inner]
        case "slice":
            inner = unit_axis(form.args[0])
            dropped = [i for i, span in enumerate(form.data) if span is not None and span.drop]
            return None if inner is None or inner in dropped else inner - sum(d < inner for d in dropped)
    return None


def _pointer(piece: Piece) -> str:
    """Where an entry stands: W + i * H for W[i * H]."""
    found = _REFERENCE.fullmatch(piece.text)
    assert found is not None
    return found[1] if found[2] == "0" else f"{found[1]} + {found[2]}"


def row_product(b: Body, p: Product, index: dict[int, str]) -> Piece:
    """An entry as a dot product of two stretches of memory."""
    (k,) = p.summed
    at = {**index, k: "0"}
    ends = [_pointer(b.entry(form, tuple(at[x] for x in labels))) for form, labels in p.operands]
    b.kernels.add("dot")
    return Piece(f"dot({ends[0]}, {ends[1]}, {b.dim(p.sizes[k]).text})")


def _product_entry(b: Body, f: Form, index: Index) -> Piece:
    p = as_product(f)
    assert p is not None
    at = dict(zip(p.out, index, strict=True))
    flat = _flat_product(b, p)
    if flat is not None:
        return flat
    if is_row_product(p):
        if p.out and b.repeated(index):
            raise NeedsName(f)
        return row_product(b, p, at)
    if p.out:
        raise NeedsName(f)
    key = (f, index)
    known: Piece | None = b.known(key)
    if known is not None:
        return known
    with b.at(0):
        name = b.local("sum")
        b.line(f"double {name} = 0.0;")
        labels = p.summed
        for x in labels:
            at[x] = b.open(p.sizes[x])
        factors = [b.entry(form, tuple(at[x] for x in ls)) for form, ls in dict.fromkeys(p.operands)]
        if f.kind == "norm_squared":
            factors = [factors[0]] * 2
            if not re.fullmatch(r"\w+(\[[^\]]*\])?", factors[0].text):
                square = b.local("t")
                b.line(f"const double {square} = {factors[0].text};")
                factors = [Piece(square)] * 2
        elif len(factors) < len(p.operands):
            factors = [b.entry(form, tuple(at[x] for x in ls)) for form, ls in p.operands]
        b.line(f"{name} += {product(factors).text};")
        b.close(len(labels))
        b.stack[-1].known[key] = Piece(name)
    return Piece(name)


def _flat_product(b: Body, p: Product) -> Piece | None:
    """⟨A, B⟩ of two whole arrays: one dot product over their entries in memory."""
    if p.out or len(p.operands) != 2:
        return None
    (left, one), (right, other) = p.operands
    if left.kind != "name" or right.kind != "name" or one != other or len(set(one)) < len(one) or not one:
        return None
    b.kernels.add("dot")
    size = size_piece(shape_of(left), b.dim_name).text
    return Piece(f"dot({b.names[left.data]}, {b.names[right.data]}, {size})")


def _norm(b: Body, f: Form, index: Index) -> Piece:
    squared = _product_entry(b, Form("norm_squared", f.args), ())
    return Piece(f"sqrt({squared.text})")


# ---- sums


def _sums(b: Body, f: Form, index: Index) -> Piece:
    """A sum over axes; of a product entry by entry of two whole arrays, their dot product."""
    (arg,) = f.args
    if f.rank == 0 and arg.kind == "hadamard" and len(arg.args) == 2:
        inner = Product(tuple((a, tuple(range(a.rank))) for a in arg.args), (), {})
        flat = _flat_product(b, inner)
        if flat is not None:
            return flat
    if b.repeated(index):
        raise NeedsName(f)
    known: Piece | None = b.known((f, index))
    if known is not None:
        return known
    with b.at(b.depth(index)):
        name = b.local("sum")
        b.line(f"double {name} = 0.0;")
        full = open_axes(b, shape_of(arg), f.data, index)
        b.line(f"{name} += {b.entry(arg, full).text};")
        b.close(len(f.data))
        b.stack[-1].known[f, index] = Piece(name)
    return Piece(name)


def _scatter(b: Body, f: Form, index: Index) -> Piece:
    """Rows added at their places fill an array of their own."""
    raise NeedsName(f)


def open_axes(b: Body, shape: Shape, axes: Sequence[int], index: Index) -> Index:
    """Loops over some axes, the index of the others given; the index of all."""
    kept = iter(index)
    return tuple(b.open(n) if axis in axes else next(kept) for axis, n in enumerate(shape))


# ---- log-sum-exp


def largest_and_total(b: Body, f: Form, index: Index) -> tuple[str, str]:
    """The largest entry over the axes, and the sum of exp(entry - largest): two names, in the loop of the index."""
    (arg,), axes = f.args, f.data[1][1]
    if not is_pure(arg):
        raise NeedsName(arg)
    if b.repeated(index):
        raise NeedsName(f)
    known: tuple[str, str] | None = b.known((arg, tuple(axes), index))
    if known is not None:
        return known
    shape = shape_of(arg)
    with b.at(b.depth(index)):
        top, total = b.local("top"), b.local("total")
        kept = iter(index)
        first = tuple("0" if axis in axes else next(kept) for axis in range(len(shape)))
        b.line(f"double {top} = {b.entry(arg, first).text};")
        full = open_axes(b, shape, axes, index)
        z = b.entry(arg, full)
        b.line(f"{top} = {z.text} > {top} ? {z.text} : {top};")
        b.close(len(axes))
        b.line(f"double {total} = 0.0;")
        full = open_axes(b, shape, axes, index)
        b.line(f"{total} += exp({b.entry(arg, full).at(Level.SUM)} - {top});")
        b.close(len(axes))
        b.stack[-1].known[arg, tuple(axes), index] = (top, total)
    return top, total


def _logsumexp(b: Body, f: Form, index: Index) -> Piece:
    top, total = largest_and_total(b, f, index)
    return Piece(f"(isinf({top}) ? {top} : {top} + log({total}))")


def _log_softmax(b: Body, f: Form, index: Index) -> Piece:
    """Z - top - log(total), never the logarithm of a softmax."""
    axes = f.data[1][1]
    outer = tuple(i for axis, i in enumerate(index) if axis not in axes)
    top, total = largest_and_total(b, f, outer)
    key = ("log", total)
    name = b.known(key)
    if name is None:
        with b.at(b.depth(outer)):
            name = b.local("log_total")
            b.line(f"const double {name} = log({total});")
            b.stack[-1].known[key] = name
    return Piece(f"{b.entry(f.args[0], index).text} - {top} - {name}", Level.SUM)


def _softmax(b: Body, f: Form, index: Index) -> Piece:
    raise NeedsName(f)


REFUSED: dict[str, str] = {
    "inv": "the inverse of a matrix",
    "det": "the determinant",
    "logdet": "log|det|",
    "adjugate": "the cofactors of a matrix",
    "solve": "the solution of a linear system",
}


def _refused(b: Body, f: Form, index: Index) -> Piece:
    kind = f.kind if f.kind in REFUSED else f.data[0]
    raise MissingRuleError(
        f"the C target has no linear algebra: {kind} ({REFUSED[kind]}) is not written in C",
        "code('numpy'), code('torch') and code('jax') have it; or give it as an input",
    )


REDUCTIONS: dict[str, Row] = {
    "dot": _product_entry,
    "inner": _product_entry,
    "norm_squared": _product_entry,
    "norm": _norm,
    "matvec": _product_entry,
    "matmul": _product_entry,
    "trace": _product_entry,
    "einsum": _product_entry,
    "sums": _sums,
    "scatter": _scatter,
    "solve": _refused,
}
REDUCED_OPERATIONS: dict[str, Row] = {
    "softmax": _softmax,
    "logsumexp": _logsumexp,
    "log_softmax": _log_softmax,
    **{name: _refused for name in REFUSED if name != "solve"},
}

__all__ = [
    "REDUCED_OPERATIONS", "REDUCTIONS", "REFUSED", "as_product", "is_row_product", "largest_and_total", "row_product",
]  # fmt: skip

"""One entry of a form's value as an expression in C: one row per kind.

A row gets the body under construction, the form and an index for each axis. What has loops of its own (a sum, a row's
log-sum-exp) is computed in the outermost loop that has all of its indices, into a number that the entry then uses;
where another loop would repeat it, `NeedsName` asks for an array computed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from byhand.code.c.body import Body, NeedsName
from byhand.code.c.functions import FUNCTIONS, KERNELS
from byhand.code.c.pieces import (
    ONE,
    ZERO,
    Level,
    Piece,
    bracketed,
    coefficient_pieces,
    index_sum,
    literal,
    negative,
    offset,
    powered,
    product,
    quotient,
    repeatable,
)
from byhand.code.forms import Expand, Span, parts
from byhand.code.shapes import shape_of
from byhand.errors import ByhandError, MissingRuleError
from byhand.expr.dims import Coefficient, Dim, add_dims
from byhand.expr.nodes import Constant
from byhand.rules.forms import Form, Scale

Index = tuple[str, ...]
Row = Callable[[Body, Form, Index], Piece]
VIEWS = frozenset({"transpose", "permute", "squeeze", "slice", "reshape", "expand"})


def entry(b: Body, form: Form, index: Index) -> Piece:
    """The entry of a form's value."""
    from byhand.code.c.reductions import REDUCTIONS

    if form.kind in REDUCTIONS:
        return REDUCTIONS[form.kind](b, form, index)
    if form.kind == "operation" and form.data[0] in REDUCTIONS:
        return REDUCTIONS[form.data[0]](b, form, index)
    if form.kind not in ENTRIES:
        raise MissingRuleError(f"the C target has no row for {form.kind}", "add one to byhand/code/c/entries.py")
    return ENTRIES[form.kind](b, form, index)


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


# ---- rows


def _name(b: Body, f: Form, index: Index) -> Piece:
    node = f.data
    if isinstance(node, Constant):
        return Piece(literal(node.value)) if node.value >= 0 else negative(Piece(literal(-node.value)))
    return b.element(node, node.shape, index) if f.rank else Piece(b.names[node])


def _number(b: Body, f: Form, index: Index) -> Piece:
    return _scaled(b, Form("scaled", (), Scale(f.data, (), False)), ())


def _function(b: Body, f: Form, index: Index) -> Piece:
    if f.data not in FUNCTIONS:
        raise MissingRuleError(f"the C target has no function {f.data}", "add a row to byhand/code/c/functions.py")
    if f.data in KERNELS:
        b.kernels.add(f.data)
    return Piece(FUNCTIONS[f.data].format(z=entry(b, f.args[0], index).text))


def condition(b: Body, f: Form, index: Index) -> Piece:
    """An entry of a mask as a condition."""
    if f.kind in VIEWS:
        return _through(b, f, index, condition)
    if f.kind == "mask":
        return Piece(f"{entry(b, f.args[0], index).at(Level.SUM)} > 0.0", Level.COMPARE)
    return Piece(f"{entry(b, f, index).at(Level.SUM)} != 0.0", Level.COMPARE)


def chosen(test: Piece, yes: Piece, no: Piece) -> Piece:
    """test ? yes : no."""
    return Piece(f"{test.at(Level.COMPARE)} ? {yes.at(Level.COMPARE)} : {no.at(Level.COMPARE)}", Level.CHOICE)


def _mask(b: Body, f: Form, index: Index) -> Piece:
    return chosen(condition(b, f, index), ONE, ZERO)


def _heaviside(b: Body, f: Form, index: Index) -> Piece:
    """1 where z > 0, 0 where z < 0, between them what was chosen."""
    z = entry(b, f.args[0], index)
    if not repeatable(z):
        z = named(b, z)
    return Piece(f"{z.text} > 0.0 ? 1.0 : {z.text} < 0.0 ? 0.0 : {literal(f.data)}", Level.CHOICE)


def _power(b: Body, f: Form, index: Index) -> Piece:
    over, under = _raised(b, entry(b, f.args[0], index), f.data)
    return quotient(over, under)


def _raised(b: Body, base: Piece, p: Fraction) -> tuple[list[Piece], list[Piece]]:
    """A power as factors and divisors; what would be written twice gets a name."""
    if p == 0:
        return [], []
    if not repeatable(base) and (abs(p) != 1 and p.denominator <= 2):
        base = named(b, base)
    piece = powered(base, abs(p))
    return ([piece], []) if p > 0 else ([], [piece])


def named(b: Body, piece: Piece, wish: str = "t") -> Piece:
    """A piece under a name of its own, in the innermost open loop."""
    name = b.local(wish)
    b.line(f"const double {name} = {piece.text};")
    return Piece(name)


def _signed(b: Body, f: Form, index: Index) -> tuple[bool, Piece]:
    """Whether a term is subtracted, and the term without its sign."""
    if f.kind == "number":
        f = Form("scaled", (), Scale(f.data, (), False))
    if f.kind == "scaled" and f.data.coefficient.value < 0:
        data: Scale = f.data
        c = Coefficient(-data.coefficient.value, data.coefficient.dims)
        return True, entry(b, Form("scaled", f.args, Scale(c, data.powers, data.has_core), f.rank), index)
    return False, entry(b, f, index)


def _sum(b: Body, f: Form, index: Index) -> Piece:
    """Subtracted terms last, otherwise in their order."""
    terms = [_signed(b, a, index) for a in f.args]
    terms.sort(key=lambda t: t[0])
    (subtracted, first), *rest = terms
    text = negative(first).text if subtracted else first.at(Level.SUM)
    for subtracted, piece in rest:
        text += f" {'-' if subtracted else '+'} {piece.at(Level.TIMES)}"
    return Piece(text, Level.SUM)


def _scaled(b: Body, f: Form, index: Index) -> Piece:
    data: Scale = f.data
    if data.coefficient.value == 0:
        return ZERO
    over, under = scale_factors(b, f)
    if data.has_core and f.args[-1].kind != "fill":
        more, less = _factors(b, f.args[-1], index)
        if over or under:
            front = quotient(over, under)
            core = quotient([front, *more], less)
        else:
            core = quotient(more, less)
    else:
        core = quotient(over, under)
    return negative(core) if data.coefficient.value < 0 else core


def scale_factors(b: Body, f: Form) -> tuple[list[Piece], list[Piece]]:
    """The coefficient without its sign, and the scalars, of a scaled form."""
    data: Scale = f.data
    counted, under = coefficient_pieces(data.coefficient, b.dim_name)
    over = list(counted)
    for form, p in zip(f.args, data.powers, strict=False):
        with b.at(0):
            top, bottom = _raised(b, entry(b, form, ()), p)
        over, under = over + top, under + bottom
    if counted and "." not in counted[0].text and under:  # sizes are integers, and must not divide one another
        over = [ONE, *over]
    return over, under


def _hadamard(b: Body, f: Form, index: Index) -> Piece:
    return quotient(*_factors(b, f, index))


def _factors(b: Body, f: Form, index: Index) -> tuple[list[Piece], list[Piece]]:
    over: list[Piece] = []
    under: list[Piece] = []
    for a in f.args if f.kind == "hadamard" else (f,):
        if a.kind == "power":
            top, bottom = _raised(b, entry(b, a.args[0], index), a.data)
            over, under = over + top, under + bottom
        else:
            over.append(entry(b, a, index))
    return sorted(over, key=lambda p: p.level == Level.CHOICE), under


def _outer(b: Body, f: Form, index: Index) -> Piece:
    split = f.args[0].rank
    return product([entry(b, f.args[0], index[:split]), entry(b, f.args[1], index[split:])])


def _diagonal(b: Body, f: Form, index: Index) -> Piece:
    return entry(b, f.args[0], index * 2)


def _diagonal_matrix(b: Body, f: Form, index: Index) -> Piece:
    i, j = index
    value = _pure(b, f.args[0], (i,))
    return value if i == j else chosen(Piece(f"{i} == {j}", Level.COMPARE), value, ZERO)


def _identity(b: Body, f: Form, index: Index) -> Piece:
    i, j = index
    return ONE if i == j else chosen(Piece(f"{i} == {j}", Level.COMPARE), ONE, ZERO)


def _kron(b: Body, f: Form, index: Index) -> Piece:
    """Entry (i p + k, j q + l) of A ⊗ B is A[i, j] B[k, l]."""
    sizes = [b.dim(d).at(Level.UNARY) for d in shape_of(f.args[1])]
    outer = tuple(i if n == "1" else f"{bracketed(i)} / {n}" for i, n in zip(index, sizes, strict=True))
    inner = tuple("0" if n == "1" else f"{bracketed(i)} % {n}" for i, n in zip(index, sizes, strict=True))
    return product([_pure(b, f.args[0], outer), _pure(b, f.args[1], inner)])


def _pure(b: Body, f: Form, index: Index) -> Piece:
    """The entry of an operand that must be an array: it is asked for under a condition, or in a scattered order."""
    if not is_pure(f):
        raise NeedsName(f)
    return entry(b, f, index)


# ---- views


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


def _through(b: Body, f: Form, index: Index, inner: Row) -> Piece:
    if f.kind == "reshape" and f.args[0].kind == "name":
        return Piece(f"{b.names[f.args[0].data]}[{offset(f.data, index, b.dim_name)}]")
    if f.kind == "reshape" and not is_pure(f.args[0]):
        raise NeedsName(f.args[0])
    return inner(b, f.args[0], source_index(b, f, index))


def _view(b: Body, f: Form, index: Index) -> Piece:
    return _through(b, f, index, entry)


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
    value = _pure(b, f.args[0], tuple(inner))
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
        pieces.append((f"{index[axis]} < {b.dim(stop).text}", _pure(b, a, own)))
    text = pieces[-1][1].at(Level.COMPARE)
    for test, piece in reversed(pieces[:-1]):
        text = f"{test} ? {piece.at(Level.COMPARE)} : {text}"
    return Piece(text, Level.CHOICE)


def _take(b: Body, f: Form, index: Index) -> Piece:
    values, labels = f.args
    stop = f.data + labels.rank
    label = _pure(b, labels, index[f.data : stop]).text
    return _pure(b, values, (*index[: f.data], label, *index[stop:]))


def _pick(b: Body, f: Form, index: Index) -> Piece:
    """The entry at the label; of logarithms of a softmax, one entry of each row is enough."""
    values, labels = f.args
    label = _pure(b, labels, index).text
    if values.kind == "operation" and values.data[0] == "log_softmax" and is_view(values.args[0]):
        return entry(b, values, (*index, label))
    if values.kind == "sum" and all(map(_row_or_view, values.args)):
        return entry(b, values, (*index, label))
    return _pure(b, values, (*index, label))


def _row_or_view(form: Form) -> bool:
    """A view, or a vector of rows repeated along the last axis; a coefficient may stand before it."""
    return is_view(form.args[-1] if form.kind == "scaled" and form.data.has_core else form)


# ---- operations


def _where(b: Body, f: Form, index: Index) -> Piece:
    test, yes, no = f.args
    return chosen(condition(b, test, index), entry(b, yes, index), entry(b, no, index))


def _general_power(b: Body, f: Form, index: Index) -> Piece:
    base, exponent = (entry(b, a, index).text for a in f.args)
    return Piece(f"pow({base}, {exponent})")


def _one_hot(b: Body, f: Form, index: Index) -> Piece:
    label = _pure(b, f.args[0], index[:-1]).text
    return chosen(Piece(f"{label} == {index[-1]}", Level.COMPARE), ONE, ZERO)


def _selection(b: Body, f: Form, index: Index) -> Piece:
    _, first, _ = f.data[1][1:]
    return chosen(Piece(f"{index[0]} == {index_sum(index[1], first, b.dim_name)}", Level.COMPARE), ONE, ZERO)


def _pairing(b: Body, f: Form, index: Index) -> Piece:
    shape = shape_of(f)
    pair = offset(shape[1:], index[1:], b.dim_name)
    return chosen(Piece(f"{index[0]} == {pair}", Level.COMPARE), ONE, ZERO)


def _differential(b: Body, f: Form, index: Index) -> Piece:
    raise ByhandError("a differential has no value: code is for expressions without d( )")


OPERATIONS: dict[str, Row] = {
    "power": _general_power,
    "where": _where,
    "one_hot": _one_hot,
    "selection": _selection,
    "pairing": _pairing,
}


def _operation(b: Body, f: Form, index: Index) -> Piece:
    if f.data[0] not in OPERATIONS:
        raise MissingRuleError(f"the C target has no row for {f.data[0]}", "add one to byhand/code/c/entries.py")
    return OPERATIONS[f.data[0]](b, f, index)


ENTRIES: dict[str, Row] = {
    "name": _name,
    "number": _number,
    "differential": _differential,
    "function": _function,
    "mask": _mask,
    "heaviside": _heaviside,
    "operation": _operation,
    "power": _power,
    "sum": _sum,
    "scaled": _scaled,
    "hadamard": _hadamard,
    "outer": _outer,
    "diagonal": _diagonal,
    "diagonal_matrix": _diagonal_matrix,
    "identity": _identity,
    "fill": lambda b, f, index: ONE,
    "kron": _kron,
    **dict.fromkeys(sorted(VIEWS), _view),
    "pad": _pad,
    "concatenate": _concatenate,
    "take": _take,
    "pick": _pick,
}


def has_loops(form: Form) -> bool:
    """Whether a part of the form needs loops of its own."""
    from byhand.code.c.reductions import REDUCTIONS

    return any(p.kind in REDUCTIONS or (p.kind == "operation" and p.data[0] in REDUCTIONS) for p in parts(form))


__all__ = ["ENTRIES", "OPERATIONS", "condition", "entry", "has_loops", "is_pure", "is_view"]

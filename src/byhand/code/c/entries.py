"""One entry of a form's value as an expression in C: arithmetic, functions, masks; one row per kind.

A row gets the body under construction, the form and an index for each axis. Rows for what only finds entries are in
`indexing.py`, for what has loops of its own in `reductions.py`; `rows.py` puts them together.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import isfinite, isnan

from byhand.code.c.body import Body, Index, Row
from byhand.code.c.functions import FUNCTIONS, KERNELS
from byhand.code.c.indexing import pure, through
from byhand.code.c.pieces import (
    ONE,
    ZERO,
    Level,
    Piece,
    bracketed,
    chosen,
    coefficient_pieces,
    literal,
    negative,
    powered,
    product,
    quotient,
    repeatable,
)
from byhand.code.forms import VIEWS
from byhand.code.shapes import shape_of
from byhand.errors import ByhandError, MissingRuleError
from byhand.expr.dims import Coefficient
from byhand.expr.functions import MASKS
from byhand.expr.nodes import Constant
from byhand.rules.forms import Form, Scale


def _name(b: Body, f: Form, index: Index) -> Piece:
    node = f.data
    if isinstance(node, Constant) and not isfinite(node.value):
        word = Piece("NAN" if isnan(node.value) else "INFINITY")
        return negative(word) if node.value < 0 else word
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
    return Piece(FUNCTIONS[f.data].format(z=b.entry(f.args[0], index).text))


def condition(b: Body, f: Form, index: Index) -> Piece:
    """An entry of a mask as a condition."""
    if f.kind in VIEWS:
        return through(b, f, index, condition)
    if f.kind == "mask":
        return Piece(f"{b.entry(f.args[0], index).at(Level.SUM)} {MASKS[f.data]} 0.0", Level.COMPARE)
    return Piece(f"{b.entry(f, index).at(Level.SUM)} != 0.0", Level.COMPARE)


def _mask(b: Body, f: Form, index: Index) -> Piece:
    return chosen(condition(b, f, index), ONE, ZERO)


def _heaviside(b: Body, f: Form, index: Index) -> Piece:
    """1 where z > 0, 0 where z < 0, between them what was chosen."""
    z = b.entry(f.args[0], index)
    if not repeatable(z):
        z = named(b, z)
    return Piece(f"{z.text} > 0.0 ? 1.0 : {z.text} < 0.0 ? 0.0 : {literal(f.data)}", Level.CHOICE)


def _power(b: Body, f: Form, index: Index) -> Piece:
    over, under = _raised(b, b.entry(f.args[0], index), f.data)
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
        return True, b.entry(Form("scaled", f.args, Scale(c, data.powers, data.has_core), f.rank), index)
    return False, b.entry(f, index)


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
            top, bottom = _raised(b, b.entry(form, ()), p)
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
            top, bottom = _raised(b, b.entry(a.args[0], index), a.data)
            over, under = over + top, under + bottom
        else:
            over.append(b.entry(a, index))
    return sorted(over, key=lambda p: p.level == Level.CHOICE), under


def _outer(b: Body, f: Form, index: Index) -> Piece:
    split = f.args[0].rank
    return product([b.entry(f.args[0], index[:split]), b.entry(f.args[1], index[split:])])


def _kron(b: Body, f: Form, index: Index) -> Piece:
    """Entry (i p + k, j q + l) of A ⊗ B is A[i, j] B[k, l]."""
    sizes = [b.dim(d).at(Level.UNARY) for d in shape_of(f.args[1])]
    outer = tuple(i if n == "1" else f"{bracketed(i)} / {n}" for i, n in zip(index, sizes, strict=True))
    inner = tuple("0" if n == "1" else f"{bracketed(i)} % {n}" for i, n in zip(index, sizes, strict=True))
    return product([pure(b, f.args[0], outer), pure(b, f.args[1], inner)])


def _where(b: Body, f: Form, index: Index) -> Piece:
    """Both are read before one is chosen: GCC 12 (-O3, AVX2) makes zeros of entries that are read under a condition."""
    test, yes, no = f.args
    pieces = [b.entry(a, index) for a in (yes, no)]
    pieces = [p if _is_plain(p) else named(b, p) for p in pieces]
    return chosen(condition(b, test, index), *pieces)


def _is_plain(piece: Piece) -> bool:
    """A name or a number: nothing is read from memory."""
    return re.fullmatch(r"-?[\w.]+", piece.text) is not None


def _general_power(b: Body, f: Form, index: Index) -> Piece:
    base, exponent = (b.entry(a, index).text for a in f.args)
    return Piece(f"pow({base}, {exponent})")


def _differential(b: Body, f: Form, index: Index) -> Piece:
    raise ByhandError("a differential has no value: code is for expressions without d( )")


ENTRIES: dict[str, Row] = {
    "name": _name,
    "number": _number,
    "differential": _differential,
    "function": _function,
    "mask": _mask,
    "heaviside": _heaviside,
    "power": _power,
    "sum": _sum,
    "scaled": _scaled,
    "hadamard": _hadamard,
    "outer": _outer,
    "kron": _kron,
}
OPERATIONS: dict[str, Row] = {"power": _general_power, "where": _where}

__all__ = ["ENTRIES", "OPERATIONS", "condition", "scale_factors"]

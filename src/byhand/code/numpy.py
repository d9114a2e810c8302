"""The NumPy target: one row per kind of form."""

from __future__ import annotations

import re
from fractions import Fraction

from byhand.code.axes import AXES
from byhand.code.forms import is_boolean, parts
from byhand.code.idioms import as_number
from byhand.code.names import KERNELS
from byhand.code.operations import OPERATIONS, call_row, eye
from byhand.code.python import (
    Code,
    Level,
    call,
    coefficient_codes,
    is_name,
    literal,
    negative,
    power,
    product,
    quotient,
    raised,
)
from byhand.code.shapes import shape_of
from byhand.code.writer import Row, Writer, joined
from byhand.errors import ByhandError
from byhand.expr.dims import Coefficient
from byhand.expr.functions import FUNCTIONS as KNOWN
from byhand.expr.functions import MASKS
from byhand.expr.nodes import Constant, Expr
from byhand.rules.forms import Form, Scale

# `code` of the table of functions; step as a number
FUNCTIONS = {name: row.code for name, row in KNOWN.items()} | {"step": "np.heaviside({z}, 0.0)"}
_CLOSED = re.compile(r"[\w.]*\(.*\)")
_KERNEL = re.compile(r"([a-z]\w*)\(")


def _name(w: Writer, f: Form) -> Code:
    node: Expr = f.data
    if isinstance(node, Constant):
        name = node.name.removeprefix("-")
        if name in ("pi", "inf", "nan"):
            return literal(f"{w.np}.{name}") if name == node.name else negative(literal(f"{w.np}.{name}"))
        return literal(repr(node.value))
    return Code(w.program.names[node], shape=node.shape, view=True, plain=node in w.plain)


def _number(w: Writer, f: Form) -> Code:
    return _scaled(w, Form("scaled", (), Scale(f.data, (), False)))


def _function(w: Writer, f: Form) -> Code:
    template = w.function_code(f.data)
    if "heaviside" in template and f.args[0] not in w.kinked:  # what is not a number is not greater than zero
        template = "step({z})"
    arg = w.code(f.args[0])
    kernel = _KERNEL.match(template)
    if kernel and kernel[1] in KERNELS:
        w.kernel(kernel[1])
    if arg.plain:
        return w.of_number(f.data, arg)
    if _CLOSED.fullmatch(template):
        return Code(template.format(z=arg.text), shape=arg.shape)
    return Code(template.format(z=arg.at(Level.ATOM)), Level.COMPARE, arg.shape)


def _heaviside(w: Writer, f: Form) -> Code:
    return Code(call(f"{w.np}.heaviside", w.code(f.args[0]).text, str(float(f.data))), shape=shape_of(f))


def _mask(w: Writer, f: Form) -> Code:
    arg = w.code(f.args[0])
    return Code(f"{arg.at(Level.SUM)} {MASKS[f.data]} 0", Level.COMPARE, arg.shape, plain=arg.plain)


def _power(w: Writer, f: Form) -> Code:
    base, p = w.code(f.args[0]), f.data
    if p < 0:
        return quotient(literal("1"), [raised(base, -p, w.np)])._replace(shape=base.shape)
    return raised(base, p, w.np)


def _signed(w: Writer, f: Form) -> tuple[bool, Code]:
    """Whether a term is subtracted, and the term without its sign."""
    if f.kind == "number":
        f = Form("scaled", (), Scale(f.data, (), False))
    if f.kind == "scaled" and f.data.coefficient.value < 0:
        data: Scale = f.data
        c = Coefficient(-data.coefficient.value, data.coefficient.dims)
        return True, w.code(Form("scaled", f.args, Scale(c, data.powers, data.has_core), f.rank))
    return False, w.code(f)


def _sum(w: Writer, f: Form) -> Code:
    """Subtracted terms last; full arrays before those that are repeated, numbers after them; large terms first."""
    terms = []
    for a in f.args:
        subtracted, code = _signed(w, a)
        core = a.args[-1] if a.kind == "scaled" and a.data.has_core else a
        late = (len(code.shape) < f.rank) + (f.rank > 0 and not code.shape) + (core.kind == "identity")
        terms.append(((subtracted, late, -len(parts(core)), code.text), subtracted, code))
    terms.sort(key=lambda t: t[0])
    (_, subtracted, first), *rest = terms
    text = negative(first).text if subtracted else first.at(Level.SUM)
    for _, subtracted, code in rest:
        text += f" {'-' if subtracted else '+'} {code.at(Level.TIMES)}"
    codes = [c for _, _, c in terms]
    return Code(text, Level.SUM, joined([c.shape for c in codes]), plain=all(c.plain for c in codes))


def _scaled(w: Writer, f: Form) -> Code:
    """Numbers are multiplied before an array is: 2 / N * A; a lone division comes last: A / N."""
    data: Scale = f.data
    if data.coefficient.value == 0:
        return literal("0")
    top, bottom = coefficient_codes(data.coefficient, w.size)
    for form, p in zip(f.args, data.powers, strict=False):
        (top if p > 0 else bottom).append(raised(w.code(form), abs(p), w.np))
    core = f.args[-1] if data.has_core and f.args[-1].kind != "fill" else None
    over, under = _factors(w, core) if core is not None else ([], [])
    if top or not over:
        front = quotient(product(top) if top else literal("1"), bottom)
        code = quotient(product([front, *over]), under)
    else:
        code = quotient(quotient(product(over), under), bottom)
    if data.coefficient.value < 0:
        code = negative(code)
    return code._replace(shape=joined([c.shape for c in (*over, *under)]))


def _hadamard(w: Writer, f: Form) -> Code:
    over, under = _factors(w, f)
    code = quotient(product(over) if over else literal("1"), under)
    return code._replace(shape=joined([c.shape for c in (*over, *under)]))


def _factors(w: Writer, f: Form) -> tuple[list[Code], list[Code]]:
    """What is multiplied and what it is divided by: adjoints first, then names, then the rest, masks last."""
    parts = f.args if f.kind == "hadamard" else (f,)
    divisors = [_divisor(a) for a in parts]
    multiplied = [a for a, d in zip(parts, divisors, strict=True) if d is None]
    over = sorted(((a, w.code(a)) for a in multiplied), key=lambda p: _place(w, *p))
    under = [raised(w.code(d[0]), d[1], w.np) for d in divisors if d is not None]
    if over and all(c.plain or is_boolean(a) for a, c in over):  # booleans have no minus, and no precision
        over = [(a, w.code(as_number(a)) if is_boolean(a) else c) for a, c in over]
    codes = [c for _, c in over]
    if len(parts) > 1 and codes and codes[0].level == Level.MATMUL:
        codes[0] = codes[0]._replace(text=f"({codes[0].text})", level=Level.ATOM)
    return codes, under


def _place(w: Writer, form: Form, code: Code) -> tuple[bool, bool, bool, str]:
    adjoint = form.kind == "name" and form.data in w.adjoints
    return is_boolean(form), not adjoint, not is_name(code.text), code.text


def _divisor(f: Form) -> tuple[Form, Fraction] | None:
    """What a factor divides by, and to which power; seen through added axes."""
    if f.kind == "power" and f.data < 0:
        return f.args[0], -f.data
    inner = _divisor(f.args[0]) if f.kind == "expand" else None
    return None if inner is None else (Form("expand", (inner[0],), f.data, f.rank), inner[1])


def _matmul(w: Writer, f: Form) -> Code:
    """Chains of matrices print without brackets; a product with a vector keeps its order."""
    left, right = w.full(f.args[0]), w.full(f.args[1])
    flat = f.kind == "matmul" and all(a.rank == 2 for a in f.args)  # stacks and vectors are not associative with @
    chained = flat and f.args[1].kind == "matmul" and all(a.rank == 2 for a in f.args[1].args)
    first = Level.MATMUL if f.args[0].rank <= 2 and f.args[0].kind != "matvec" else Level.POWER
    text = f"{left.at(first)} @ {right.at(Level.MATMUL if chained else Level.POWER)}"
    return Code(text, Level.MATMUL, shape_of(f))


def _dot(w: Writer, f: Form) -> Code:
    """xᵀ y, and with one matrix between them x @ A @ y, which multiplies a vector first."""
    bilinear = sorted(f.args, key=lambda a: a.kind == "matvec")
    if [a.kind == "matvec" for a in bilinear] == [False, True]:
        x, a, y = map(w.full, (bilinear[0], *bilinear[1].args))
        return Code(f"{x.at(Level.POWER)} @ {a.at(Level.POWER)} @ {y.at(Level.POWER)}", Level.MATMUL)
    a, b = sorted(map(w.full, f.args), key=lambda c: (-c.level, len(c.text), c.text))
    return Code(f"{a.at(Level.POWER)} @ {b.at(Level.POWER)}", Level.MATMUL)


def _norm_squared(w: Writer, f: Form) -> Code:
    a = w.full(f.args[0])
    if len(a.shape) == 1 and is_name(a.text):
        return Code(f"{a.text} @ {a.text}", Level.MATMUL)
    return Code(call(f"{w.np}.sum", power(a, "2")))


def _differential(w: Writer, f: Form) -> Code:
    raise ByhandError("a differential has no value: code is for expressions without d( )")


NUMPY: dict[str, Row] = {
    "name": _name,
    "number": _number,
    "differential": _differential,
    "function": _function,
    "mask": _mask,
    "heaviside": _heaviside,
    "operation": lambda w, f: w.operation(f),
    "power": _power,
    "sum": _sum,
    "scaled": _scaled,
    "norm_squared": _norm_squared,
    "norm": call_row("linalg.norm"),
    "dot": _dot,
    "matvec": _matmul,
    "matmul": _matmul,
    "outer": call_row("outer"),
    "hadamard": _hadamard,
    "trace": call_row("trace"),
    "diagonal": call_row("diag", view=True),
    "diagonal_matrix": call_row("diag"),
    "identity": lambda w, f: Code(eye(w, f.data[0]), shape=shape_of(f)),
    "fill": lambda w, f: literal("1"),
    "kron": call_row("kron"),
    "solve": call_row("linalg.solve"),
    **AXES,
}


class NumpyWriter(Writer):
    """Source for NumPy."""

    rows, operations, functions = NUMPY, OPERATIONS, FUNCTIONS


__all__ = ["NUMPY", "OPERATIONS", "NumpyWriter"]

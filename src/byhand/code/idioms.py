"""Forms as code: the kinds of `rules.forms` that arrays do not have are rewritten into those they have.

One row per kind; a row returns the form to take instead, or None where it stays. Kinds in `ELIMINATED` never reach a
printer.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from byhand.code.einsum import contraction_form
from byhand.code.forms import VIEWS, Einsum, Expand, Span, expand, hadamard, mapped, permute, rebuilt, squeeze, sums
from byhand.code.shapes import shape_of
from byhand.expr.contraction import P1
from byhand.expr.dims import ONE, Coefficient, Dim, add_dims, dim_coefficient
from byhand.expr.functions import MASKS
from byhand.rules.forms import Form, Scale, flipped

Row = Callable[[Form], Form | None]


def refined(form: Form) -> Form:
    """The form as code, parts first."""
    return mapped(form, tidy)


def tidy(form: Form) -> Form:
    """One form whose parts are code already."""
    while True:
        row = IDIOMS.get(form.kind)
        new = row(form) if row is not None else None
        if new is None:
            return form
        form = new


def _summed(axes: Callable[[Form], tuple[int, ...]]) -> Row:
    return lambda f: tidy(sums(f.args[0], axes(f.args[0])))


def _sums(f: Form) -> Form | None:
    """Axes of size one are dropped, not summed; a sum of products of two vectors is a dot product."""
    (arg,) = f.args
    shape = shape_of(arg)
    if arg.kind == "hadamard" and len(arg.args) == 2 and arg.rank == 1 and all(map(_is_plain, arg.args)):
        return Form("dot", arg.args)
    single = tuple(a for a in f.data if shape[a] == 1)
    if not single:
        return None
    rest = tuple(a - sum(b < a for b in single) for a in f.data if a not in single)
    return sums(squeeze(f.args[0], single), rest)


def _inner(f: Form) -> Form:
    a = f.args[0]
    return tidy(sums(tidy(Form("hadamard", f.args, rank=a.rank)), tuple(range(a.rank))))


def _dot(f: Form) -> Form | None:
    """Quotients and masks are summed, not made into arrays first; aᵀ (Aᵀ b) is bᵀ (A a)."""
    if not all(map(_is_plain, f.args)):
        return _inner(f)
    a, b = sorted(f.args, key=lambda a: a.kind == "matvec")
    if a.kind == "matvec" or b.kind != "matvec" or b.args[0].kind != "transpose":
        return None
    matrix, vector = b.args
    return Form("dot", (vector, Form("matvec", (matrix.args[0], a), rank=1)))


def _is_plain(form: Form) -> bool:
    """Neither divided by nor a mask."""
    divides = form.kind == "power" and form.data < 0
    return not (divides or form.kind == "mask" or is_step(form))


def _spread(position: int) -> Row:
    return lambda f: tidy(expand(f.args[0], tuple(f.data), (position,)))


def _scaled_axis(position: int) -> Row:
    def row(f: Form) -> Form:
        vector, matrix = f.args
        return tidy(hadamard((tidy(expand(vector, shape_of(matrix), (position,))), matrix), 2))

    return row


def _expand(f: Form) -> Form | None:
    (arg,) = f.args
    if arg.kind != "expand":
        return None
    inner: Expand = arg.data
    positions = tuple(f.data.positions[p] for p in inner.positions)
    return Form("expand", arg.args, Expand(f.data.shape, positions), f.rank)


def _view(f: Form) -> Form | None:
    """Powers stand outside views, so that they print as division."""
    (arg,) = f.args
    if arg.kind != "power":
        return None
    return Form("power", (tidy(Form(f.kind, arg.args, f.data, f.rank)),), arg.data, f.rank)


def _hadamard(f: Form) -> Form | None:
    """Nested products dissolve, equal factors are a power; masks beside another factor stay boolean."""
    powers: dict[Form, Fraction] = {}
    for p in (p for a in f.args for p in (a.args if a.kind == "hadamard" else (a,))):
        base, exponent = (p.args[0], p.data) if p.kind == "power" else (p, P1)
        powers[base] = powers.get(base, Fraction(0)) + exponent
    if 0 in powers.values():  # A * A**-1: left to NumPy
        return None
    flat = tuple(a if p == 1 else Form("power", (a,), p, a.rank) for a, p in powers.items())
    if any(not is_step(a) and not _divides(a) for a in flat):  # -(mask) / T has no number in it
        flat = tuple(as_mask(a) if is_step(a) else a for a in flat)
    return None if flat == f.args else hadamard(flat, f.rank)


def _divides(form: Form) -> bool:
    """Whether the form is a divisor, seen through views and scalings."""
    if form.kind == "power":
        return bool(form.data < 0)
    return bool(form.args) and form.kind in (*VIEWS, "scaled", "hadamard") and all(map(_divides, form.args))


def is_step(form: Form) -> bool:
    """Whether the form is step(Z) or another comparison with zero, seen through views."""
    return (form.kind == "function" and form.data in MASKS) or (form.kind in VIEWS and is_step(form.args[0]))


def as_mask(form: Form) -> Form:
    """step(Z) as an array of booleans."""
    if form.kind in VIEWS:
        return rebuilt(form, (as_mask(form.args[0]),))
    return Form("mask", form.args, form.data, form.rank)


def as_number(form: Form) -> Form:
    """A mask as step(Z) again."""
    if form.kind in VIEWS:
        return rebuilt(form, (as_number(form.args[0]),))
    return Form("function", form.args, form.data, form.rank)


def _operation(f: Form) -> Form | None:
    if f.data[0] == "where" and is_step(f.args[0]):
        return rebuilt(f, (as_mask(f.args[0]), *f.args[1:]))
    return None


def _scaled(f: Form) -> Form | None:
    """Sums over their number of terms are means; odd powers of the root of a sum of squares are powers of the norm."""
    data: Scale = f.data
    coefficient = data.coefficient
    scalars = [_norm(a, p) for a, p in zip(f.args, data.powers, strict=False)]
    core = f.args[len(data.powers) :]
    for k, (a, p) in enumerate(scalars):
        if p == 1:
            coefficient, scalars[k] = _mean(coefficient, a)[0], (_mean(coefficient, a)[1], p)
    if core:
        coefficient, core = _mean(coefficient, core[0])[0], (_mean(coefficient, core[0])[1],)
    args = tuple(a for a, _ in scalars) + core
    if args == f.args:
        return None
    if coefficient == ONE and len(args) == 1 and (core or scalars[0][1] == 1):
        return args[0]
    return Form("scaled", args, Scale(coefficient, tuple(p for _, p in scalars), data.has_core), f.rank)


def _mean(coefficient: Coefficient, form: Form) -> tuple[Coefficient, Form]:
    """1/N Σ as a mean, where the coefficient has 1/N for the whole count, named or a number; seen through added axes."""
    if form.kind == "expand":
        rest, inner = _mean(coefficient, form.args[0])
        return rest, rebuilt(form, (inner,))
    if form.kind != "sums":
        return coefficient, form
    count = ONE
    for axis in form.data:
        count = count.times(dim_coefficient(shape_of(form.args[0])[axis]))
    powers = dict(coefficient.dims)
    if not count.dims or any(powers.get(d, 0) > -p for d, p in count.dims):
        return coefficient, form
    if coefficient.value.denominator % count.value.numerator:  # Σ/N over N × 2 is a mean of samples, not of entries
        return coefficient, form
    return coefficient.times(count), Form("means", form.args, form.data, form.rank)


def _norm(form: Form, power: Fraction) -> tuple[Form, Fraction]:
    if form.kind == "norm_squared" and power.denominator == 2:
        return tidy(Form("norm", form.args)), 2 * power
    return form, power


def _einsum(f: Form) -> Form | None:
    if isinstance(f.data, Einsum):
        return None
    labels, node = f.data
    pairs = list(zip(f.args, labels, strict=True))
    scalars = [(a.args[0], a.data) if a.kind == "power" else (a, P1) for a, ls in pairs if not ls]
    core = contraction_form([(a, ls) for a, ls in pairs if ls], node.out, node.dims)
    if core is None and node.out:
        core = Form("fill", (), node.shape, node.ndim)
    if core is not None:
        core = mapped(core, tidy)
        if node.coefficient == ONE and not scalars:
            return core
    args = tuple(a for a, _ in scalars) + ((core,) if core is not None else ())
    return Form("scaled", args, Scale(node.coefficient, tuple(p for _, p in scalars), core is not None), node.ndim)


def _symmetric(f: Form) -> Form | None:
    """What does not see a transpose."""
    (arg,) = f.args
    return rebuilt(f, arg.args) if arg.kind in ("transpose", "permute") else None


def _concatenate(f: Form) -> Form | None:
    """[Aᵀ; Bᵀ] is [A, B]ᵀ."""
    axis, shape = f.data
    if not all(a.kind == "transpose" for a in f.args):
        return None
    return flipped(Form("concatenate", tuple(a.args[0] for a in f.args), (1 - axis, shape[::-1]), 2))


def _sum(f: Form) -> Form | None:
    """Arrays padded with zeros so that they fit together are concatenated."""
    found = [_padded(a) for a in f.args]
    pads = [p for p in found if p is not None]
    axes = {axis for axis, _, _ in pads}
    if len(pads) < len(found) or len(axes) != 1:
        return None
    end: Dim = 0
    joined = []
    while pads:
        at = next((p for p in pads if p[1].first == end), None)
        if at is None:
            return None
        pads.remove(at)
        joined.append(at[2])
        end = add_dims(end, at[1].length)
        size = at[1].size
    (axis,) = axes
    return tidy(Form("concatenate", tuple(joined), (axis, shape_of(f)), f.rank)) if end == size else None


def _padded(form: Form) -> tuple[int, Span, Form] | None:
    """The axis, the place and the array of a padded form; a coefficient goes inside."""
    if form.kind == "scaled" and form.data.has_core:
        inner = _padded(form.args[-1])
        if inner is None:
            return None
        axis, span, body = inner
        return axis, span, Form("scaled", (*form.args[:-1], body), form.data, form.rank)
    if form.kind != "pad":
        return None
    placed = [(axis, span) for axis, span in enumerate(form.data) if span is not None]
    return (*placed[0], form.args[0]) if len(placed) == 1 else None


def _matmul(f: Form) -> Form | None:
    """(A B)ᵀ Cᵀ is (C A B)ᵀ."""
    a, b = f.args
    if not (a.kind == b.kind == "transpose") or a.args[0].kind == b.args[0].kind == "name":
        return None
    return flipped(tidy(Form("matmul", (b.args[0], a.args[0]), rank=2)))


def _slice(f: Form) -> Form | None:
    """A[:, 1:3][2] is A[2, 1:3]; a slice of a transpose is the transpose of a slice."""
    (arg,) = f.args
    if arg.kind == "transpose" and f.rank == 2:
        return flipped(tidy(Form("slice", arg.args, f.data[::-1], 2)))
    if arg.kind != "slice":
        return _view(f)
    outer = iter(f.data)
    merged = []
    for span in arg.data:
        new = None if span is not None and span.drop else next(outer)
        if span is not None and new is not None:
            return None
        merged.append(span or new)
    return Form("slice", arg.args, tuple(merged), f.rank)


def _transpose(f: Form) -> Form | None:
    return f.args[0].args[0] if f.args[0].kind == "transpose" else _view(f)


def _permute(f: Form) -> Form | None:
    return permute(f.args[0], f.data) if f.args[0].kind in ("permute", "transpose") else _view(f)


def _reshape(f: Form) -> Form | None:
    (arg,) = f.args
    return Form("reshape", arg.args, f.data, f.rank) if arg.kind == "reshape" else _view(f)


IDIOMS: dict[str, Row] = {
    "row_sums": _summed(lambda a: (1,)),
    "column_sums": _summed(lambda a: (0,)),
    "total": _summed(lambda a: tuple(range(a.rank))),
    "sums": _sums,
    "inner": _inner,
    "dot": _dot,
    "spread_columns": _spread(0),
    "spread_rows": _spread(1),
    "scale_rows": _scaled_axis(0),
    "scale_columns": _scaled_axis(1),
    "expand": _expand,
    "hadamard": _hadamard,
    "operation": _operation,
    "scaled": _scaled,
    "einsum": _einsum,
    "sum": _sum,
    "concatenate": _concatenate,
    "norm_squared": _symmetric,
    "norm": _symmetric,
    "matmul": _matmul,
    "slice": _slice,
    "reshape": _reshape,
    "transpose": _transpose,
    "permute": _permute,
    "squeeze": _view,
}
ELIMINATED = frozenset(
    {"row_sums", "column_sums", "total", "inner", "spread_columns", "spread_rows", "scale_rows", "scale_columns"}
)

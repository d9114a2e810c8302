"""Forms as typeset mathematics: matrix notation, with vectors as columns.

One row per kind of form. `turned` asks for the transposed: a product reverses, a transpose disappears, a vector becomes
a row; so transposes end up where a person writes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from byhand.expr.dims import Coefficient, Dim, add_dims, multiply_dims
from byhand.expr.nodes import Expr, Structured
from byhand.notation import typeset as ts
from byhand.notation.algebra import RELATIONS, flat, product, quotient, raised, transposed, unsigned
from byhand.notation.measure import Spelling, count_transposes, lateness, size, starts_with_differential
from byhand.notation.orientation import is_row
from byhand.notation.style import Style, dimension_math, name_math, ones_math
from byhand.notation.typeset import Math
from byhand.rules.elimination import lower
from byhand.rules.forms import Form, NoMatrixForm, Scale


def matrix_math(node: Expr, style: Style, turned: bool = False) -> Math:
    """A node in matrix notation.

    Raises: NoMatrixForm: it has three or more free axes.
    """
    if isinstance(node, Structured) and node.operation == "one_hot":  # of a line by itself the shape says its width
        return ts.Call("onehot", (matrix_math(node.args[0], style),))
    return form_math(lower(node), style, turned)


def form_math(form: Form, style: Style, turned: bool = False) -> Math:
    """A form as mathematics, made once: of a product inside a product both directions are asked for at each level."""
    key = id(form), turned, style.sized_identities
    if key not in style.made:
        style.made[key] = (
            form,
            MATRIX_NOTATION[form.kind](form, style, turned),
        )  # the form is held: its id stays its own
    return style.made[key][1]


def _whole(form: Form, s: Style, turned: bool = False) -> Math:
    """What a function or a sign takes as a whole: an identity in it says its size."""
    return form_math(form, replace(s, sized_identities=True), turned)


def _name(f: Form, s: Style, turned: bool) -> Math:
    m = name_math(f.data, s)
    row = is_row(f, s)
    return transposed(m) if f.rank and turned != row else m


def _differential(f: Form, s: Style, turned: bool) -> Math:
    inner = f.args[0]
    row = is_row(inner, s)
    body = form_math(inner, s, turned=row)
    m = ts.Differential(body)
    return transposed(m) if f.rank and turned != row else m


def _function(f: Form, s: Style, turned: bool) -> Math:
    arg = f.args[0]
    row = is_row(arg, s)
    body = _whole(arg, s, turned=row)
    m: Math = (
        ts.Indicator(ts.Relation(RELATIONS[f.data], body, ts.Number(Fraction(0))))
        if f.data in RELATIONS
        else ts.Call(f.data, (body,))
    )
    return transposed(m) if f.rank and turned != row else m


def _operation(f: Form, s: Style, turned: bool) -> Math:
    operation, (rank, *attributes) = f.data
    row = is_row(f, s)
    args = tuple(_whole(a, s, turned=a.rank == 1 and (row if f.rank == 1 else is_row(a, s))) for a in f.args)
    match operation:
        case "inv":
            m: Math = ts.Power(args[0], ts.Number(Fraction(-1)))
        case "softmax" | "log_softmax" | "logsumexp" | "max" | "winner" | "argmax":
            if f.args[0].rank > 2 and f.args[0].kind != "name":
                raise NoMatrixForm
            axes = attributes[0]  # of a matrix usually each row by itself; over all entries is another thing
            said = f"axis={axes[0]}" if len(axes) == 1 else f"axis={axes}"
            looks_like_a_vector = rank == 2 and f.unit_axis
            extra = () if axes == (rank - 1,) and not looks_like_a_vector else (ts.Text(said),)
            m = ts.Call(operation, args + extra)
        case "one_hot":
            m = ts.Call("onehot", (*args, dimension_math(attributes[0])))
        case "affine" if len(attributes) == 4:
            m = _slice_of_identity(*attributes)
        case "affine" | "triangle" | "arange":
            raise NoMatrixForm
        case "power":
            exponent = f.args[1].args[-1] if f.args[1].kind == "fill" and f.args[1].args else f.args[1]
            m = ts.Power(args[0], form_math(exponent, s))
        case "where" if (larger := larger_of(args)) is not None:
            m = larger
        case _:
            m = ts.Call(operation, args)
    return transposed(m) if f.rank and turned != row else m


def larger_of(args: tuple[Math, ...]) -> Math | None:
    """where(1[a − b > 0], a, b) is max(a, b), and where(1[b − a > 0], a, b) is min(a, b)."""
    match args:
        case (ts.Indicator(ts.Relation(">", difference, ts.Number())), first, second):
            a, b = _number_of(first), _number_of(second)
            over, under = Counter(_signed(a)), Counter(_signed(b))
            given = Counter(_signed(difference))
            turned = [Counter({(not plus, m): k for (plus, m), k in terms.items()}) for terms in (over, under)]
            if given == over + turned[1]:
                return ts.Call("max", (a, b))
            if given == under + turned[0]:
                return ts.Call("min", (a, b))
    return None


def _number_of(m: Math) -> Math:
    """A number for an array whose entries all are that number."""
    match m:
        case ts.Ones():
            return ts.Number(Fraction(1))
        case ts.Negative(body):
            return ts.Negative(_number_of(body))
        case ts.Product((ts.Number() as number, ts.Ones())):
            return number
    return m


def _signed(m: Math) -> list[tuple[bool, Math]]:
    """The terms of a sum with their signs."""
    match m:
        case ts.Sum(terms):
            return list(terms)
        case ts.Negative(body):
            return [(False, body)]
    return [(True, m)]


def _slice_of_identity(whole: Dim, first: Dim, step: Dim, how_many: Dim) -> Math:
    """The columns of the identity that a slice picks."""
    if step == 1:
        shown = f"{first}:{add_dims(first, how_many)}"
    else:
        end = add_dims(first, add_dims(multiply_dims(step, add_dims(how_many, -1)), 1))
        shown = f"{'' if first == 0 else first}:{'' if end == whole or step == -1 else end}:{step}"
    return ts.Slice(ts.Identity(dimension_math(whole)), f"[:, {shown}]")


def _power(f: Form, s: Style, turned: bool) -> Math:
    row = is_row(f.args[0], s)
    base, p = form_math(f.args[0], s, turned=row), f.data
    m = raised(base, abs(p), elementwise=True)
    if p < 0:
        m = ts.Infix("divide_elementwise", (ts.Number(Fraction(1)), m))
    return transposed(m) if turned != row else m


def _sum(f: Form, s: Style, turned: bool) -> Math:
    if f.rank != 2:
        m = _ordered_sum(f, s, is_row(f, s))
        return transposed(m) if f.rank and turned != is_row(f, s) else m
    ways = [_ordered_sum(f, s, turned), transposed(_ordered_sum(f, s, not turned))]
    return min(ways, key=count_transposes)


def _ordered_sum(f: Form, s: Style, turned: bool) -> Math:
    """Subtracted terms last, numbers and multiples of I before them, repeated rows before those; then as written.

    Of terms that begin at one place, products of arrays come before multiples of one, and long ones before short ones.
    """
    terms = []
    ones = [_one(a) for a in f.args]
    keeps_shape = any(a is one for a, one in zip(f.args, ones, strict=True))  # c 1 + d 1 says that it is a vector
    for a in ones if keeps_shape else f.args:
        positive, body = unsigned(form_math(a, s, turned))
        core = a.args[-1] if a.kind == "scaled" and a.data.has_core else a
        late = (
            2
            if core.kind in ("number", "fill", "identity") or (a.kind == "scaled" and not a.args)
            else core.kind.startswith("spread")
        )
        flipped = isinstance(body, ts.Transpose)
        first, arrays = first_place(a, s)
        terms.append(((not positive, late, first, flipped, -arrays, -size(body), Spelling(body)), positive, body))
    terms.sort(key=lambda t: t[0])
    return ts.Sum(tuple((positive, body) for _, positive, body in terms))


def first_place(form: Form, s: Style) -> tuple[int, int]:
    """Where the first of the names in a form was written, and how many arrays there are."""
    found, arrays, todo = len(s.places), 0, [form]
    while todo:
        f = todo.pop()
        todo += f.args
        if f.kind == "name":
            found, arrays = min(found, s.place(f.data)), arrays + (f.rank > 0)
    return found, arrays


def _one(form: Form) -> Form:
    """Ones in a sum print as the number: 1 - tanh(Z)^2, not 1 1' - ..."""
    if form.kind == "fill" and not form.args:
        return Form("number", data=Coefficient(Fraction(1)))
    if form.kind == "scaled" and form.data.has_core and form.args[-1].kind == "fill" and not form.args[-1].args:
        return Form("scaled", form.args[:-1], Scale(form.data.coefficient, form.data.powers, False))
    return form


def _scaled(f: Form, s: Style, turned: bool) -> Math:
    data: Scale = f.data
    if data.coefficient.value == 0:
        return ts.Number(Fraction(0))
    core = f.args[-1] if data.has_core else None
    scalars = list(zip(f.args, data.powers, strict=False))
    c = data.coefficient
    top: list[Math] = []
    bottom: list[Math] = []
    pure = not any(p < 0 for _, p in c.dims) and all(p > 0 for _, p in scalars)
    value = abs(c.value)
    if pure and value.denominator != 1:
        top.append(ts.Number(value))
    else:
        if value.numerator != 1:
            top.append(ts.Number(Fraction(value.numerator)))
        if value.denominator != 1:
            bottom.append(ts.Number(Fraction(value.denominator)))
    for d, p in c.dims:
        (top if p > 0 else bottom).append(raised(dimension_math(d), abs(p)))
    for form, p in scalars:
        (top if p > 0 else bottom).append(_scalar_power(form, abs(p), s))
    if sum(isinstance(t, ts.Product) for t in top) > 1:
        top = [ts.Bracketed(t) if isinstance(t, ts.Product) else t for t in top]  # (1' y) (p' dz)
    body = None if core is None else form_math(core, s, turned)
    if body is not None and any(not isinstance(t, (ts.Number, ts.Name, ts.Root)) for t in top):  # (x' A x / |x|^2) x
        factor = quotient(flat(*top), bottom)
        m = product(ts.Bracketed(factor) if isinstance(factor, (ts.Quotient, ts.Product)) else factor, body)
    else:
        m = quotient(flat(*top, *([body] if body is not None else [])), bottom)
    return ts.Negative(m) if c.value < 0 else m


def _scalar_power(form: Form, p: Fraction, s: Style) -> Math:
    if form.kind == "norm_squared":
        inner = ts.Norm(form_math(form.args[0], s))
        return inner if p == Fraction(1, 2) else ts.Power(inner, ts.Number(2 * p))
    return raised(form_math(form, s), p)


def _number(f: Form, s: Style, turned: bool) -> Math:
    return _scaled(Form("scaled", (), Scale(f.data, (), False)), s, turned)


def _matmul(f: Form, s: Style, turned: bool) -> Math:
    a, b = f.args
    return (
        product(form_math(b, s, True), form_math(a, s, True)) if turned else product(form_math(a, s), form_math(b, s))
    )


def _hadamard(f: Form, s: Style, turned: bool) -> Math:
    ways = [_hadamard_way(f, s, turned)]
    if turned:
        ways.append(transposed(_hadamard_way(f, s, False)))
    return min(ways, key=count_transposes)


def _hadamard_way(f: Form, s: Style, turned: bool) -> Math:
    over = [a for a in f.args if not (a.kind == "power" and a.data < 0)]
    under = [a for a in f.args if a.kind == "power" and a.data < 0]
    tops = sorted((form_math(a, s, turned) for a in over), key=lambda m: (lateness(m), Spelling(m)))
    m: Math = tops[0] if len(tops) == 1 else ts.Infix("hadamard", tuple(tops)) if tops else ts.Number(Fraction(1))
    for a in under:
        m = ts.Infix(
            "divide_elementwise",
            (m, form_math(Form("power", a.args, -a.data, a.rank) if a.data != -1 else a.args[0], s, turned)),
        )
    return m


def _dot(f: Form, s: Style, turned: bool) -> Math:
    a, b = f.args
    if a.has_differential:
        a, b = b, a
    ways = [product(form_math(a, s, True), form_math(b, s))]
    if not b.has_differential:
        ways.append(product(form_math(b, s, True), form_math(a, s)))
    return min(ways, key=lambda m: (count_transposes(m), Spelling(m)))


def _inner(f: Form, s: Style, turned: bool) -> Math:
    a, b = f.args
    if any(x.kind in ("matmul", "transpose", "outer", "scale_rows", "scale_columns", "identity") for x in (a, b)):
        ways = [
            product(form_math(x, s, turned=first), form_math(y, s, turned=not first))
            for first in (True, False)
            for x, y in ((a, b), (b, a))
        ]
        return ts.Call(
            "tr", (min(ways, key=lambda m: (starts_with_differential(m), count_transposes(m), Spelling(m))),)
        )
    left, right = sorted((a, b), key=lambda f: (f.has_differential, size(form_math(f, s)), Spelling(form_math(f, s))))
    return ts.Inner(form_math(left, s), form_math(right, s))


def _outer(f: Form, s: Style, turned: bool) -> Math:
    a, b = f.args[::-1] if turned else f.args
    return product(form_math(a, s), form_math(b, s, True))


def _scale(rows: bool) -> Callable[[Form, Style, bool], Math]:
    def row(f: Form, s: Style, turned: bool) -> Math:
        d = ts.Call("diag", (form_math(f.args[0], s, turned=is_row(f.args[0], s)),))
        m = form_math(f.args[1], s, turned)
        return product(d, m) if rows != turned else product(m, d)

    return row


def _sums(rows: bool) -> Callable[[Form, Style, bool], Math]:
    def row(f: Form, s: Style, turned: bool) -> Math:
        ones = ones_math(f.data[0], s)
        a = form_math(f.args[0], s, turned=rows == turned)
        return product(ts.Transpose(ones), a) if turned else product(a, ones)

    return row


def _total(f: Form, s: Style, turned: bool) -> Math:
    if len(f.data) == 1:
        return product(ts.Transpose(ones_math(f.data[0], s)), form_math(f.args[0], s))
    return product(ts.Transpose(ones_math(f.data[0], s)), form_math(f.args[0], s), ones_math(f.data[1], s))


def _spread(rows: bool) -> Callable[[Form, Style, bool], Math]:
    def row(f: Form, s: Style, turned: bool) -> Math:
        ones = ones_math(f.data[0 if rows else 1], s)
        v = f.args[0]
        if rows != turned:
            return product(ones, form_math(v, s, True))
        return product(form_math(v, s), ts.Transpose(ones))

    return row


def _fill(f: Form, s: Style, turned: bool) -> Math:
    sizes = f.data[::-1] if turned else f.data
    ones = [ones_math(n, s) for n in sizes]
    if len(ones) == 1:
        return ts.Transpose(ones[0]) if turned else ones[0]
    return product(ones[0], ts.Transpose(ones[1]))


def _identity(f: Form, s: Style) -> Math:
    order = dimension_math(f.data[0])
    return ts.Identity(order if s.sized_identities else None, order)


def _diagonal_matrix(f: Form, s: Style, turned: bool) -> Math:
    inner = f.args[0]
    if inner.kind == "diagonal":
        return ts.Infix("hadamard", (_identity(f, s), form_math(inner.args[0], s)))
    return ts.Call("diag", (form_math(inner, s, turned=is_row(inner, s)),))


def _einsum(f: Form, s: Style, turned: bool) -> Math:
    raise AssertionError("einsum forms are for code; notation writes indices")


def _turn(plain: Callable[[Form, Style], Math]) -> Callable[[Form, Style, bool], Math]:
    """A row for a form that does not know how to reverse: the transpose is written outside."""

    def row(f: Form, s: Style, turned: bool) -> Math:
        m = plain(f, s)
        return transposed(m) if turned and f.rank else m

    return row


MATRIX_NOTATION: dict[str, Callable[[Form, Style, bool], Math]] = {
    "name": _name,
    "number": _number,
    "differential": _differential,
    "function": _function,
    "operation": _operation,
    "power": _power,
    "sum": _sum,
    "scaled": _scaled,
    "norm_squared": lambda f, s, t: ts.Power(
        ts.Norm(form_math(f.args[0], s, turned=is_row(f.args[0], s))), ts.Number(Fraction(2))
    ),
    "dot": _dot,
    "inner": _inner,
    "matvec": _matmul,
    "matmul": _matmul,
    "outer": _outer,
    "hadamard": _hadamard,
    "scale_rows": _scale(True),
    "scale_columns": _scale(False),
    "trace": lambda f, s, t: ts.Call(
        "tr", (min((_whole(f.args[0], s, way) for way in (False, True)), key=count_transposes),)
    ),
    "diagonal": _turn(lambda f, s: ts.Call("diag", (_whole(f.args[0], s),))),
    "row_sums": _sums(True),
    "column_sums": _sums(False),
    "total": _total,
    "transpose": lambda f, s, t: form_math(f.args[0], s, not t),
    "diagonal_matrix": _diagonal_matrix,
    "spread_columns": _spread(False),
    "spread_rows": _spread(True),
    "fill": _fill,
    "identity": lambda f, s, t: _identity(f, s),
    "kron": lambda f, s, t: ts.Infix("kronecker", tuple(_whole(a, s, t) for a in f.args)),
    "einsum": _einsum,
}

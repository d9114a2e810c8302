"""Floating-point operations of a form, as polynomials in the named dimensions.

An addition, subtraction, multiplication, division, comparison, and the value of an elementwise function count as one
each, as they are written in the formula: products of matrices by the schoolbook. An inverse counts as 2 n³, the
solution of a linear system as n³ and 2 n² for each right-hand side, a determinant as n³ (all rounded up).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from byhand.code.forms import Einsum
from byhand.code.shapes import shape_of
from byhand.errors import MissingRuleError
from byhand.expr.dims import ONE, Coefficient, Dim, Dimension, Floor, Shape, add_dims, multiply_dims
from byhand.rules.forms import Form, Scale

Row = Callable[[Form], Dim]
_NOTHING = (
    "name", "number", "fill", "identity", "transpose", "permute", "squeeze", "slice", "reshape", "expand", "diagonal",
    "diagonal_matrix", "pad", "concatenate", "take", "pick",
)  # fmt: skip


def size(shape: Shape) -> Dim:
    """The number of entries."""
    total: Dim = 1
    for d in shape:
        total = multiply_dims(total, d)
    return total


def plus(terms: Iterable[Dim]) -> Dim:
    """The sum of polynomials."""
    total: Dim = 0
    for d in terms:
        total = add_dims(total, d)
    return total


def times(k: int, d: Dim) -> Dim:
    """k times a polynomial."""
    return multiply_dims(k, d)


def formula(d: Dim) -> str:
    """A polynomial with its terms of the highest degree first.

    >>> from byhand.expr.dims import parse_dim
    >>> n, k = parse_dim("n"), parse_dim("k")
    >>> formula(plus([times(-1, n), times(2, multiply_dims(n, k))]))
    '2*k*n - n'
    """
    if not isinstance(d, Dimension):
        return str(d)
    text = ""
    for monomial, factor in sorted(d.terms, key=lambda t: (-sum(p for _, p in t[0]), t[1] < 0, t[0])):
        words = [str(abs(factor))] if abs(factor) != 1 or not monomial else []
        bracketed = [(f"({name})" if isinstance(name, Floor) else name, p) for name, p in monomial]
        words += [name if p == 1 else f"{name}**{p}" for name, p in bracketed]
        sign = (" - " if factor < 0 else " + ") if text else ("-" if factor < 0 else "")
        text += sign + "*".join(words)
    return text


def operations(form: Form) -> Dim:
    """The floating-point operations of a form, those of its parts included.

    Raises: MissingRuleError: the kind has no row.
    """
    return plus([own(form), *map(operations, form.args)])


def own(form: Form) -> Dim:
    """The operations of the outermost kind alone."""
    row = ROWS.get(form.kind)
    if row is None:
        raise MissingRuleError(f"the operations of {form.kind} are not counted", "add a row to byhand/code/counting.py")
    return row(form)


def _entries(form: Form) -> Dim:
    return size(shape_of(form))


def _entries_of_first(form: Form) -> Dim:
    return _entries(form.args[0])


def _power(form: Form) -> Dim:
    """Small whole powers as products."""
    whole = form.data.denominator == 1 and 2 <= form.data <= 4
    return times(int(form.data) - 1 if whole else 1, _entries(form))


def _scaled(form: Form) -> Dim:
    """Numbers are multiplied first, then each entry once."""
    data: Scale = form.data
    scalars = len(data.powers) + sum(abs(p) not in (0, 1) for p in data.powers)
    number = data.coefficient != ONE and data.coefficient != Coefficient(Fraction(-1))
    if not data.has_core:
        return max(0, scalars - 1 + number)
    return plus([max(0, scalars - 1 + (number and scalars > 0)), _entries(form) if scalars or number else 0])


def _sum(form: Form) -> Dim:
    return times(len(form.args) - 1, _entries(form))


def _hadamard(form: Form) -> Dim:
    return times(len(form.args) - 1, _entries(form))


def _product(form: Form) -> Dim:
    """k multiplications and k - 1 additions for each entry."""
    (*_, k) = shape_of(form.args[0])
    return plus([times(2, multiply_dims(_entries(form), k)), times(-1, _entries(form))])


def _inner(form: Form) -> Dim:
    return plus([times(2, _entries_of_first(form)), -1])


def _einsum(form: Form) -> Dim:
    data: Einsum = form.data
    used = {x for ls in data.labels for x in ls} | {*data.out}
    loops = size(tuple(data.sizes[x] for x in sorted(used)))
    return plus([times(len(form.args), loops), times(-1, _entries(form))])


def _less(form: Form) -> Dim:
    return plus([_entries_of_first(form), times(-1, _entries(form))])


def _rows(form: Form) -> Dim:
    """How many rows a log-sum-exp has."""
    axes = form.data[1][1]
    return size(tuple(n for axis, n in enumerate(shape_of(form.args[0])) if axis not in axes))


def _operation(form: Form) -> Dim:
    name = form.data[0]
    entries = _entries_of_first(form) if form.args else 0
    match name:
        case "softmax":  # the largest, the difference, exp, the sum, the quotient
            return plus([times(5, entries), times(-2, _rows(form))])
        case "log_softmax":
            return plus([times(5, entries), times(-1, _rows(form))])
        case "logsumexp":
            return times(4, entries)
        case "inv" | "det" | "logdet" | "adjugate":  # an adjugate takes a singular value decomposition
            n = shape_of(form.args[0])[0]
            cube = multiply_dims(n, multiply_dims(n, n))
            return times({"inv": 2, "adjugate": 22}.get(name, 1), cube)
        case "power" | "where":
            return _entries(form)
        case "max" | "winner" | "argmax":
            return times(1, entries)
        case "one_hot" | "affine" | "triangle" | "arange":
            return 0
    raise MissingRuleError(f"the operations of {name} are not counted", "add a case to byhand/code/counting.py")


def _solve(form: Form) -> Dim:
    a, b = map(shape_of, form.args)
    return plus([multiply_dims(a[0], multiply_dims(a[0], a[0])), times(2, multiply_dims(a[0], size(b)))])


ROWS: dict[str, Row] = {
    **dict.fromkeys(_NOTHING, lambda f: 0),
    "function": _entries,
    "mask": _entries,
    "heaviside": _entries,
    "operation": _operation,
    "power": _power,
    "sum": _sum,
    "scaled": _scaled,
    "norm_squared": _inner,
    "norm": lambda f: plus([_inner(f), 1]),
    "dot": _inner,
    "inner": _inner,
    "matvec": _product,
    "matmul": _product,
    "outer": _entries,
    "hadamard": _hadamard,
    "kron": _entries,
    "trace": lambda f: add_dims(shape_of(f.args[0])[0], -1),
    "sums": _less,
    "means": _entries_of_first,
    "einsum": _einsum,
    "scatter": _entries_of_first,
    "solve": _solve,
    "differential": lambda f: 0,
}

__all__ = ["ROWS", "formula", "operations", "own", "plus", "size", "times"]

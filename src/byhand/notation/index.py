"""Nodes in index notation: sums over indices, Kronecker deltas. Every node has such a form, whatever its rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from byhand.expr.contraction import scale
from byhand.expr.dims import Coefficient, Dim
from byhand.expr.nodes import Constant, Contraction, Differential, Elementwise, Expr, Named, Structured, Sum, Symbol
from byhand.expr.operations import OVER_AXES
from byhand.notation import typeset as ts
from byhand.notation.algebra import quotient, raised
from byhand.notation.matrix import matrix_math
from byhand.notation.measure import parts
from byhand.notation.style import Style, dimension_math, name_math
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm

LETTERS = "ijklpqrsuvabcdeghmno"


def free_letters(style: Style, how_many: int, used: Sequence[str] = ()) -> list[str]:
    """Index letters that are not in use and not the name of anything."""
    letters = [c for c in LETTERS if c not in used and c not in style.reserved]
    letters += [f"i{k}" for k in range(1, how_many + 1) if f"i{k}" not in used]
    return letters[:how_many]


def index_math(node: Expr, style: Style, indices: Sequence[str] | None = None, used: Sequence[str] = ()) -> Math:
    """The entry of a node at the given indices, by default i, j, k, ..."""
    out = list(indices) if indices is not None else free_letters(style, node.ndim, used)
    if node in style.labels:
        return _label(style.labels[node], out)
    match node:
        case Symbol() | Named() | Constant():
            return _entry(name_math(node, style), out)
        case Differential(arg):
            return ts.Differential(index_math(arg, style, out, used))
        case Elementwise(function, arg):
            body = index_math(arg, style, out, used)
            if function == "step":
                return ts.Indicator(ts.Relation(">", body, ts.Number(Fraction(0))))
            return ts.Call(function, (body,))
        case Structured():
            return _structured(node, style, out, used)
        case Sum(terms):
            parts = []
            for c, t in terms:
                m = index_math(scale(c, t), style, out, used)
                negative = isinstance(m, ts.Negative)
                parts.append((not negative, m.body if isinstance(m, ts.Negative) else m))
            parts.sort(key=lambda p: (not p[0], isinstance(p[1], ts.Number), -len(repr(p[1])), repr(p[1])))
            return ts.Sum(tuple(parts))
        case Contraction():
            return _contraction(node, style, out, used)
    raise AssertionError(f"no index notation for {type(node).__name__}")


def _entry(base: Math, out: Sequence[str]) -> Math:
    return ts.Indexed(base, tuple(out)) if out else base


def _label(label: Math, out: Sequence[str]) -> Math:
    """∂L/∂Z at (i, j) is ∂L/∂Z_ij."""
    return ts.Partial(label.of, _entry(label.wrt, out)) if isinstance(label, ts.Partial) else _entry(label, out)


def _structured(node: Structured, style: Style, out: Sequence[str], used: Sequence[str]) -> Math:
    match node.operation:
        case "one_hot":
            return ts.Delta(out[-1], index_math(node.args[0], style, out[:-1], used))
        case "selection":
            _, first, _ = node.attributes
            shifted = out[1] if first == 0 else f"{out[1]}+{first}"
            return ts.Delta(out[0], shifted)
        case "pairing":
            _, p = node.attributes
            index = ts.Sum(((True, ts.Product((ts.Name(out[1]), dimension_math(p)))), (True, ts.Name(out[2]))))
            return ts.Delta(out[0], index)
        case "where" | "power":
            parts = tuple(index_math(a, style, out, used) for a in node.args)
            return ts.Power(parts[0], parts[1]) if node.operation == "power" else ts.Call("where", parts)
    try:
        return _entry(matrix_math(node, style), out)
    except NoMatrixForm:
        if node.operation in OVER_AXES:
            return _over_axes(node, style, out, used)
    letters = free_letters(style, max((a.ndim for a in node.args), default=0), [*out, *used])
    return _entry(ts.Call(node.operation, tuple(index_math(a, style, letters[: a.ndim], used) for a in node.args)), out)


def _over_axes(node: Structured, style: Style, out: Sequence[str], used: Sequence[str]) -> Math:
    """The softmax family of an array that no matrix holds: exp(T_ij)/Σ_k exp(T_ik)."""
    (arg,), (axes,) = node.args, node.attributes
    fresh = free_letters(style, len(axes), [*out, *used])
    summed, place = list(fresh), iter(out)
    letters = (
        [summed.pop(0) if k in axes else next(place) for k in range(arg.ndim)]
        if node.ndim < arg.ndim
        else [summed.pop(0) if k in axes else x for k, x in enumerate(out)]
    )
    sizes = {x: arg.shape[k] for x, k in zip(fresh, sorted(axes), strict=True)}
    total = _sum_over(sizes, ts.Call("exp", (index_math(arg, style, letters, [*out, *used]),)))
    if node.operation == "logsumexp":
        return ts.Call("log", (total,))
    own = index_math(arg, style, out, used)
    if node.operation == "softmax":
        return ts.Quotient(ts.Call("exp", (own,)), total)
    return ts.Sum(((True, own), (False, ts.Call("log", (total,)))))


def _contraction(node: Contraction, style: Style, out: Sequence[str], used: Sequence[str]) -> Math:
    names: dict[int, str] = {}
    deltas: list[Math] = []
    for label, letter in zip(node.out, out, strict=True):
        if label in names:
            deltas.append(ts.Delta(names[label], letter))
        names.setdefault(label, letter)
    inner = list(dict.fromkeys(x for _, ls, _ in node.factors for x in ls if x not in names))
    summed = free_letters(style, len(inner), [*out, *used])
    names |= dict(zip(inner, summed, strict=True))
    top, bottom = coefficient_parts(node.coefficient)
    everything = [*names.values(), *out, *used]
    factors = sorted(
        node.factors, key=lambda f: (f[0].has_differential, bool(f[1]), not _is_name(f[0]), [names[x] for x in f[1]])
    )
    for factor, labels, power in factors:
        m = index_math(factor, style, [names[x] for x in labels], everything)
        (top if power > 0 else bottom).append(raised(m, abs(power)))
    numbers = [m for m in top if isinstance(m, ts.Number)]
    rest = [m for m in top if not isinstance(m, ts.Number)]
    body = quotient(rest + deltas, bottom)
    body = _sum_over({x: node.dims[label] for label, x in zip(inner, summed, strict=True)}, body)
    if numbers:
        body = ts.Product((*numbers, body)) if rest or deltas or bottom or summed else numbers[0]
    return ts.Negative(body) if node.coefficient.value < 0 else body


def _sum_over(sizes: Mapping[str, Dim], body: Math) -> Math:
    """Σ over letters; of a letter that the body does not have, the range is a factor."""
    present = _letters(body)
    counts = [dimension_math(size) for x, size in sizes.items() if x not in present]
    letters = tuple(x for x in sizes if x in present)
    summed = ts.BigSum(letters, body) if letters else body
    return ts.Product((*counts, summed)) if counts else summed


def _letters(m: Math) -> set[str]:
    """The index letters of a formula."""
    match m:
        case ts.Indexed(base, indices):
            return _letters(base).union(*({i} if isinstance(i, str) else _letters(i) for i in indices))
        case ts.Delta(i, j):
            return set[str]().union(*({x} if isinstance(x, str) else _letters(x) for x in (i, j)))
        case _:
            return set[str]().union(*map(_letters, parts(m)))


def _is_name(node: Expr) -> bool:
    return isinstance(node, (Symbol, Named))


def coefficient_parts(c: Coefficient) -> tuple[list[Math], list[Math]]:
    """Numerator and denominator of the size of a coefficient; the sign is left to the caller."""
    value = abs(c.value)
    top: list[Math] = [ts.Number(value)] if value != 1 else []
    bottom: list[Math] = []
    for d, p in c.dims:
        m = dimension_math(d)
        (top if p > 0 else bottom).append(m if abs(p) == 1 else ts.Power(m, ts.Number(abs(p))))
    return top, bottom

"""What frameworks write out and mathematics has a name for, recognised by building it again: equal nodes are one node.

No pattern is matched: exp(b) / Σ exp(b) is built from what was read, and if that *is* what was read, it is softmax(b). A shift
that is constant along the axis (the maximum, subtracted against overflow) leaves softmax(b) as it is and is dropped there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from byhand.expr.arrays import sum_
from byhand.expr.contraction import add, contract, is_zero, scale
from byhand.expr.dims import MINUS_ONE, ONE
from byhand.expr.masks import Selection
from byhand.expr.nodes import Contraction, Elementwise, Expr, Structured, Sum, Symbol, topological
from byhand.expr.surface import divide, expand, minus
from byhand.expr.vocabulary import VOCABULARY
from byhand.ingest.builder import plain

MOST_AXES = 5


def quotient(a: Expr, b: Expr) -> Expr:
    """a / b; softmax where a is an exponential and b its sum."""
    top = plain(a)
    if isinstance(top, Elementwise) and top.function == "exp":
        below = plain(b)
        for axes in _axes(top):
            total = sum_(a, axes, True)
            if below is total or below is expand(total, a.shape) or (b.ndim < a.ndim and below is sum_(a, axes)):
                return softmax(top.arg, axes)
    return divide(a, b)


def softmax(b: Expr, axes: tuple[int, ...]) -> Expr:
    """softmax(b), without what is subtracted from b against overflow."""
    kept, _ = _without_shift(b, axes)
    return VOCABULARY["softmax"](kept, axes)  # type: ignore[no-any-return]


def logarithm(x: Expr) -> Expr:
    """log(x); logsumexp where x is a sum of exponentials."""
    body = plain(x)
    if isinstance(body, Contraction):
        for e in dict.fromkeys(f for f, _, _ in body.factors):
            inner = plain(e)
            if isinstance(inner, Elementwise) and inner.function == "exp":
                for axes, keep in itertools.product(_axes(e), (False, True)):
                    if sum_(e, axes, keep) is body:
                        return logsumexp(inner.arg, axes, keep)
    return VOCABULARY["log"](x)  # type: ignore[no-any-return]


def logsumexp(b: Expr, axes: tuple[int, ...], keepdims: bool) -> Expr:
    """logsumexp(b): a shift of b comes out of it."""
    kept, shift = _without_shift(b, axes)
    whole: Expr = VOCABULARY["logsumexp"](kept, axes, keepdims)
    if shift is None:
        return whole
    return add(whole, _taken(shift, axes, keepdims))


def difference(a: Expr, b: Expr) -> Expr:
    """a - b; log_softmax where b is the logsumexp of a, up to shifts of both."""
    result = minus(a, b)
    if not isinstance(result, Sum):
        return result
    for coefficient, term in result.terms:
        found = _lse(term) if coefficient == MINUS_ONE else None
        if found is None or found[0].shape != result.shape:
            continue
        arg, axes = found
        rest = add(result, term)  # what is left beside −logsumexp(arg)
        if is_zero(minus(rest, arg)):
            return VOCABULARY["log_softmax"](arg, axes)  # type: ignore[no-any-return]
    return result


def absolute(x: Expr) -> Expr:
    """|x|, which is x where x is known to be positive."""
    return x if Selection(exact=True).sign(x) >= 1 else VOCABULARY["abs"](x)


def _lse(term: Expr) -> tuple[Expr, tuple[int, ...]] | None:
    """The argument and the axes of a logsumexp, named or not, spread over its axes again."""
    if not isinstance(term, Contraction) or len(term.factors) != 1 or term.coefficient != ONE:
        return None
    ((factor, _, power),) = term.factors
    inner = plain(factor)
    if isinstance(inner, Contraction):  # logsumexp(..., keepdims=True)
        if len(inner.factors) != 1 or inner.coefficient != ONE:
            return None
        ((innermost, _, power),) = inner.factors
        inner = plain(innermost)
    if power != 1 or not isinstance(inner, Structured) or inner.operation != "logsumexp":
        return None
    arg, (axes,) = inner.args[0], inner.attributes
    spread = expand(VOCABULARY["logsumexp"](arg, axes, True), arg.shape)
    return (arg, axes) if spread is _unnamed(term) else None


def _unnamed(term: Contraction) -> Expr:
    return contract(
        ((plain(f), ls, p) for f, ls, p in term.factors), term.out, term.coefficient, dict(enumerate(term.dims))
    )


def _axes(x: Expr) -> Iterator[tuple[int, ...]]:
    """Every choice of axes, the last one alone first."""
    if x.ndim <= MOST_AXES:
        for k in range(1, x.ndim + 1):
            yield from itertools.combinations(reversed(range(x.ndim)), k)


def _without_shift(b: Expr, axes: tuple[int, ...]) -> tuple[Expr, Expr | None]:
    """b without its terms that a maximum or a stopped value makes and that are constant along the axes; and those."""
    body = plain(b)
    if not isinstance(body, Sum):
        return b, None
    shift = [scale(c, t) for c, t in body.terms if _is_constant(t, axes) and _guards(t)]
    if not shift or len(shift) == len(body.terms):
        return b, None
    total = add(*shift)
    return minus(body, total), total


def _is_constant(term: Expr, axes: tuple[int, ...]) -> bool:
    """Whether a term is a broadcast along the axes."""
    if not isinstance(term, Contraction):
        return False
    inside = {x for _, ls, _ in term.factors for x in ls}
    return all(term.out[a] not in inside and term.out.count(term.out[a]) == 1 for a in axes)


def _guards(term: Expr) -> bool:
    return any(
        (isinstance(n, Structured) and n.operation == "max")
        or (isinstance(n, Elementwise) and n.function == "stop_gradient")
        or (isinstance(n, Symbol) and n.name.startswith("?"))
        for n in topological([term])
    )


def _taken(spread: Expr, axes: tuple[int, ...], keepdims: bool) -> Expr:
    """A broadcast without the axes along which it is one."""
    terms = spread.terms if isinstance(spread, Sum) else ((ONE, spread),)
    found = []
    for c, t in terms:
        assert isinstance(t, Contraction)
        kept = [x for k, x in enumerate(t.out) if k not in axes]
        out = [("kept", k) if k in axes else x for k, x in enumerate(t.out)] if keepdims else kept
        dims = {x: d for x, d in zip(t.out, t.shape, strict=True) if x in kept} | {("kept", k): 1 for k in axes}
        found.append(
            scale(
                c,
                contract(
                    t.factors, out, t.coefficient, dims if keepdims else {k: v for k, v in dims.items() if k in kept}
                ),
            )
        )
    return add(*found)


__all__ = ["absolute", "difference", "logarithm", "logsumexp", "quotient", "softmax"]

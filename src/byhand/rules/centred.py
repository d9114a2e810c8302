"""Arrays whose sums along an axis are zero: what is left of one when its mean is taken off, scaled or not."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from byhand.expr.contraction import P1, add, contract, is_zero, scale
from byhand.expr.dims import ONE
from byhand.expr.expression import unfold
from byhand.expr.nodes import Contraction, Expr, Named, Sum

_known: WeakKeyDictionary[Named, dict[int, bool]] = WeakKeyDictionary()
MOST_TERMS = 8


def vanishes(node: Contraction) -> bool:
    """Whether a product has a factor that is summed along an axis along which it is centred, and nothing else has that axis."""
    for factor, labels, power in node.factors:
        if not (isinstance(factor, Named) and power == 1):
            continue
        for axis, label in enumerate(labels):
            alone = label not in node.out and sum(ls.count(label) for _, ls, _ in node.factors) == 1
            if alone and is_centred(factor, axis):
                return True
    return False


def is_centred(node: Named, axis: int) -> bool:
    """Whether the sums of an intermediate along an axis are zero by its definition."""
    known = _known.setdefault(node, {})
    if axis not in known:
        known[axis] = False  # nothing is said of itself
        known[axis] = _centred(node.body, axis)
    return known[axis]


def _centred(body: Expr, axis: int) -> bool:
    match body:
        case Named():
            return is_centred(body, axis)
        case Sum(terms) if len(terms) <= MOST_TERMS and any(c.value < 0 for c, _ in terms):
            means = [f for _, t in terms if isinstance(t, Contraction) for f, _, _ in t.factors if isinstance(f, Named)]
            means += [t for _, t in terms if isinstance(t, Named)]
            opened = unfold(body, [n for n in dict.fromkeys(means) if n.ndim < body.ndim])
            return is_zero(_summed(opened, axis))
        case Contraction():
            return _along(body, axis)
        case _:
            return False


def _along(body: Contraction, axis: int) -> bool:
    """Whether a product of a centred factor and of others without that axis is centred."""
    label = body.out[axis]
    own = [(f, ls, p) for f, ls, p in body.factors if label in ls]
    if len(own) != 1 or body.out.count(label) > 1:
        return False
    factor, labels, power = own[0]
    return (
        power == 1
        and labels.count(label) == 1
        and isinstance(factor, Named)
        and is_centred(factor, labels.index(label))
    )


def _summed(node: Expr, axis: int) -> Expr:
    """The sums along an axis, term by term."""
    axes = tuple(range(node.ndim))
    out = tuple(a for a in axes if a != axis)
    terms = node.terms if isinstance(node, Sum) else ((ONE, node),)
    return add(*(scale(c, contract([(t, axes, P1)], out, dims=dict(enumerate(t.shape)), merge=True)) for c, t in terms))


__all__ = ["is_centred", "vanishes"]

"""The slope of a norm at zero: 0, the subgradient of least norm, and not 0/0.

The gradient of ‖x‖ is written x/‖x‖. Where the code or the interpreter computes a derivative, the root of a sum of squares
that is zero is not divided by: the derivative is 0 there, and units that are dead do not make nan of the rest. A quotient
x/‖x‖ that somebody wrote himself has no value at zero, and keeps none.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from byhand.expr.contraction import contract, elementwise, filled, label_dims
from byhand.expr.expression import rebuild
from byhand.expr.nodes import Contraction, Expr, Factor, Named, Sum, topological
from byhand.expr.operations import apply

HALF = Fraction(1, 2)


def with_slopes(root: Expr, forward: Collection[Expr] = (), into_named: bool = True) -> Expr:
    """A derivative with no division by the root of a sum of squares that is zero.

    Args:
        root: the derivative.
        forward: intermediates of the function itself, which stay as they are.
        into_named: whether the bodies of other intermediates, adjoints, are changed too.
    """
    done: dict[Expr, Expr] = {}
    for node in topological([root], into_named):
        changed = node not in forward and any(done.get(c, c) is not c for c in node.children)
        new = rebuild(node, {c: done.get(c, c) for c in node.children}) if changed else node
        done[node] = _divided(new) if isinstance(new, Contraction) and node not in forward else new
    return done[root]


def _divided(node: Contraction) -> Expr:
    factors = [_slope(f) for f in node.factors]
    if all(a is b for a, b in zip(factors, node.factors, strict=True)):
        return node
    return contract(factors, node.out, node.coefficient, label_dims(node))


def _slope(factor: Factor) -> Factor:
    node, labels, power = factor
    if power >= 0:
        return factor
    if power.denominator == 2 and _is_squares(node):
        root, power = contract([(node, range(node.ndim), HALF)], range(node.ndim)), 2 * power
    elif power.denominator == 1 and isinstance(node, Named) and _is_root(node.body):
        root = node
    else:
        return factor
    return apply("where", elementwise("step", root), root, filled(root.shape)), labels, power


def _is_root(node: Expr) -> bool:
    if not isinstance(node, Contraction) or len(node.factors) != 1 or len(set(node.out)) < node.ndim:
        return False
    inner, _, power = node.factors[0]
    return power == HALF and node.coefficient.value > 0 and _is_squares(inner)


def _is_squares(node: Expr) -> bool:
    """Whether a node is a sum of squares."""
    match node:
        case Named(_, body):
            return _is_squares(body)
        case Sum(terms):
            return all(c.value > 0 and _is_squares(t) for c, t in terms)
        case Contraction():
            squares = all(p > 0 and p.numerator % 2 == 0 and p.denominator == 1 for _, _, p in node.factors)
            return bool(node.factors) and node.coefficient.value > 0 and squares
    return False


__all__ = ["with_slopes"]

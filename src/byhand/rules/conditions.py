"""Conditions that a simplification dropped: what was asked for where the function was written, and is asked for no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from byhand.errors import ParseError
from byhand.expr.contraction import is_zero, split_coefficient
from byhand.expr.dims import ONE
from byhand.expr.domain import INVERTIBLE, NONZERO, NOT_NEGATIVE, POSITIVE, Condition, atoms, conditions_of
from byhand.expr.expression import rebuild
from byhand.expr.masks import Selection
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol, topological
from byhand.rules.factor import common_coefficient
from byhand.rules.simplify import Simplifier

_STRONGER = {NONZERO: (POSITIVE,), NOT_NEGATIVE: (POSITIVE,), POSITIVE: (), INVERTIBLE: ()}
_BELOW_ONE = frozenset({"sigmoid", "normal_cdf", "tanh"})
MOST_NODES = 200  # of a form that is simplified once more to be compared


def dropped(
    written: Iterable[Condition], root: Expr, rewriting: Callable[[], Callable[[Expr], Expr]] | None = None
) -> tuple[Condition, ...]:
    """The conditions that were written, are not implied, and are not asked for by the result.

    Args:
        written: what the operations of the text ask for.
        root: what became of it.
        rewriting: makes the function that takes a node of the text to what it is in the result; asked for where needed.
    Raises: ParseError: a divisor that is zero everywhere.
    """
    todo = [a for c in written for a in atoms(c) if not implied(a)]
    if not todo:
        return ()
    have = {(_scaled(opened(a.node)), a.relation) for c in conditions_of(root) for a in atoms(c)}
    todo = [c for c in todo if not _stated(_scaled(opened(c.node)), c.relation, have)]
    if not todo:
        return ()
    changed = rewriting() if rewriting is not None else lambda node: node
    found: dict[Condition, None] = {}
    for c in todo:
        for a in atoms(Condition(changed(c.node), c.relation)):
            node = _scaled(opened(a.node))
            if is_zero(node) and a.relation in (NONZERO, POSITIVE):
                raise ParseError("division by zero, or the logarithm of zero: an operand is zero everywhere")
            if implied(a) or _asked(node, a.relation, have):
                continue
            found[Condition(node, a.relation)] = None
    return tuple(c for c in found if not any(Condition(c.node, r) in found for r in _STRONGER.get(c.relation, ())))


def _stated(node: Expr, relation: str, have: set[tuple[Expr, str]]) -> bool:
    return any((node, r) in have for r in (relation, *_STRONGER.get(relation, ())))


def _asked(node: Expr, relation: str, have: set[tuple[Expr, str]]) -> bool:
    if _stated(node, relation, have):
        return True
    wanted = (relation, *_STRONGER.get(relation, ()))
    if len(topological([node])) > MOST_NODES:
        return False
    normal = _scaled(Simplifier().normal(node))
    same = [n for n, r in have if r in wanted and n.shape == node.shape and len(topological([n])) <= MOST_NODES]
    return any(_scaled(Simplifier().normal(n)) is normal for n in same)


def opened(node: Expr) -> Expr:
    """The node with all names written out."""
    done: dict[Expr, Expr] = {}
    for n in topological([node]):
        done[n] = done[n.body] if isinstance(n, Named) else rebuild(n, done) if n.children else n
    return done[node]


def _scaled(node: Expr) -> Expr:
    """The node without a positive number in front."""
    if isinstance(node, Sum):
        node = common_coefficient(node)
    if isinstance(node, Contraction) and node.coefficient.value > 0 and node.coefficient != ONE and node.factors:
        return split_coefficient(node)[1]
    return node


def implied(condition: Condition) -> bool:
    """Whether a condition holds by structure or by a declared property."""
    node, relation = condition
    match relation:
        case "invertible":
            invertible = {"spd", "wellcond", "orthogonal"}
            bare = opened(node)
            return isinstance(bare, Symbol) and bool(bare.assumptions & invertible)
        case "≠ 0" | "> 0":
            signs = isinstance(node, Symbol) and relation == NONZERO and "pm1" in node.assumptions
            return signs or Selection(exact=True).sign(node) == 2 or _one_minus(opened(node))
        case "≥ 0":
            return Selection(exact=True).sign(node) >= 1 or _one_minus(opened(node))
    return False


def _one_minus(node: Expr) -> bool:
    """1 - σ(u), 1 - tanh(u)², 1 - softmax(z): positive for all numbers."""
    if not isinstance(node, Sum) or len(node.terms) != 2:
        return False
    one = [c for c, t in node.terms if isinstance(t, Contraction) and not t.factors and c.times(t.coefficient) == ONE]
    others = [(c, t) for c, t in node.terms if not (isinstance(t, Contraction) and not t.factors)]
    if not one or len(others) != 1:
        return False
    c, term = others[0]
    base, power = term, 1
    if isinstance(term, Contraction) and len(term.factors) == 1 and term.coefficient == ONE:
        base, power = term.factors[0][0], int(term.factors[0][2])
    small = isinstance(base, Structured) and base.operation == "softmax"
    small |= (
        isinstance(base, Elementwise) and base.function in _BELOW_ONE and (base.function != "tanh" or power % 2 == 0)
    )
    return small and c.value == -1 and not c.dims and power > 0


__all__ = ["dropped", "implied", "opened"]

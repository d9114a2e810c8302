"""det(A) inv(A) evaluated as the adjugate of A, the transposed matrix of its cofactors: it has a value where A has no inverse.

The derivative of a determinant is written det(X) inv(X).T, as everybody writes it. Where X is singular the inverse has no
value, while the gradient has one. The interpreter and the code targets compute such products by `adjugate`; formulas stay
as they are.
"""

from __future__ import annotations

from fractions import Fraction

from byhand.expr.contraction import P1, add, contract, label_dims
from byhand.expr.expression import rebuild
from byhand.expr.nodes import Contraction, Expr, Factor, Named, Structured, Sum, topological
from byhand.expr.operations import apply


def with_adjugates(root: Expr, into_named: bool = True) -> Expr:
    """The node with each product of a determinant and the inverse of the same matrix as an adjugate."""
    if not {"det", "inv"} <= root.operations:
        return root
    done: dict[Expr, Expr] = {}
    for node in topological([root], into_named):
        new = node
        if node.children and (into_named or not isinstance(node, Named)):
            new = rebuild(node, done) if any(done[c] is not c for c in node.children) else node
        done[node] = product_with_adjugates(new) if isinstance(new, Contraction) else new
    return done[root]


def product_with_adjugates(node: Contraction) -> Expr:
    """One product: det(A) inv(A) as an adjugate, also where the inverse stands in a sum beside the determinant."""
    for i, (factor, _, power) in enumerate(node.factors):
        matrix = _argument(factor, "det")
        if matrix is None or power < 1:
            continue
        for j, (other, labels, q) in enumerate(node.factors):
            rest = [f for k, f in enumerate(node.factors) if k not in (i, j)]
            if power > 1:
                rest.append((factor, (), power - 1))
            if _argument(other, "inv") is matrix and q == 1:
                rest.append((apply("adjugate", matrix), labels, P1))
                return _again(contract(rest, node.out, node.coefficient, label_dims(node)))
            if q == 1 and isinstance(other, Sum) and any(_inverts(t, matrix) for _, t in other.terms):
                return _again(_distributed(node, rest, (factor, other, labels)))
    return node


def _again(node: Expr) -> Expr:
    return product_with_adjugates(node) if isinstance(node, Contraction) else node


def _distributed(node: Contraction, rest: list[Factor], parts: tuple[Expr, Sum, tuple[int, ...]]) -> Expr:
    """det(A) (inv(A) + B) as adjugate(A) + det(A) B."""
    det, total, labels = parts
    terms = []
    for c, t in total.terms:
        inner = contract(
            [(det, (), Fraction(1)), (t, range(t.ndim), P1)], range(t.ndim), c, dict(enumerate(t.shape)), merge=True
        )
        terms.append(_again(inner))
    return contract([*rest, (add(*terms), labels, P1)], node.out, node.coefficient, label_dims(node))


def _inverts(term: Expr, matrix: Expr) -> bool:
    if isinstance(term, Contraction):
        return any(p == 1 and _argument(f, "inv") is matrix for f, _, p in term.factors)
    return _argument(term, "inv") is matrix


def _argument(node: Expr, operation: str) -> Expr | None:
    """The matrix that this is the determinant or the inverse of; seen through names."""
    while isinstance(node, Named):
        node = node.body
    return node.args[0] if isinstance(node, Structured) and node.operation == operation else None


__all__ = ["product_with_adjugates", "with_adjugates"]

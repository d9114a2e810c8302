"""A differential as a sum of linear terms: coefficient × Σ ∏ factors × d(child)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from byhand.errors import MissingRuleError
from byhand.expr.contraction import P1, Label, contract
from byhand.expr.dims import ONE, Coefficient, Dim
from byhand.expr.labels import JoinedLabels
from byhand.expr.nodes import Contraction, Differential, Expr, Sum, differential_of

LinearFactor = tuple[Expr, tuple[Label, ...], Fraction]


class LinearTerm(NamedTuple):
    """coefficient × Σ ∏ factors × d(child)[labels], with the axes `out`: one linear map applied to one differential."""

    coefficient: Coefficient
    child: Expr
    labels: tuple[Label, ...]
    factors: tuple[LinearFactor, ...]
    out: tuple[Label, ...]
    dims: dict[Label, Dim]

    def applied(self) -> Expr:
        """The term as a node, d(child) in it."""
        return self.with_child(differential_of(self.child), self.labels)

    def with_child(
        self,
        node: Expr,
        labels: tuple[Label, ...],
        out: tuple[Label, ...] | None = None,
        dims: dict[Label, Dim] | None = None,
    ) -> Expr:
        """The linear map applied to a node under the given labels."""
        factors = [(node, labels, P1), *self.factors]
        return contract(factors, self.out if out is None else out, self.coefficient, self.dims | (dims or {}))

    def adjoint(self, upstream: Expr, leading: tuple[Label, ...] = (), dims: dict[Label, Dim] | None = None) -> Expr:
        """The transposed map applied to the adjoint of the output: what the term contributes to the adjoint of the child.

        `leading` labels axes that stand before those of the output and are carried along (the Jacobian of several outputs).
        """
        factors = [(upstream, (*leading, *self.out), P1), *self.factors]
        return contract(factors, (*leading, *self.labels), self.coefficient, self.dims | (dims or {}))


def linear_terms(node: Expr) -> Iterator[LinearTerm]:
    """Expand a node linear in its differentials into terms with one factor d(child) each.

    Raises: MissingRuleError: a differential stands inside a nonlinear operation.
    """
    if not node.has_differential:
        return
    match node:
        case Differential(arg):
            labels = tuple(range(node.ndim))
            yield LinearTerm(ONE, arg, labels, (), labels, dict(enumerate(node.shape)))
        case Sum(terms):
            for c, term in terms:
                for t in linear_terms(term):
                    yield LinearTerm(c.times(t.coefficient), t.child, t.labels, t.factors, t.out, t.dims)
        case Contraction():
            yield from _contraction_terms(node)
        case _:
            raise MissingRuleError(
                f"a differential inside {type(node).__name__} is not linear", "the rule of this operation is malformed"
            )


def _contraction_terms(node: Contraction) -> Iterator[LinearTerm]:
    i = next(j for j, (f, _, _) in enumerate(node.factors) if f.has_differential)
    inner, inner_labels, power = node.factors[i]
    if power != 1 or sum(f.has_differential for f, _, _ in node.factors) > 1:
        raise MissingRuleError("a differential occurs twice in a product", "the rule of this operation is malformed")
    rest = tuple(f for j, f in enumerate(node.factors) if j != i)
    for t in linear_terms(inner):
        joined = JoinedLabels({})  # a diagonal of the inner term makes outer labels equal
        up: dict[Label, Label] = {}
        for label, outer in zip(t.out, inner_labels, strict=True):
            joined.unite(up.setdefault(label, outer), outer)
        outer_label = joined.find

        def inner_label(label: Label, up: dict[Label, Label] = up, joined: JoinedLabels = joined) -> Label:
            return joined.find(up[label]) if label in up else ("inner", label)

        dims: dict[Label, Dim] = {outer_label(k): n for k, n in enumerate(node.dims)}
        dims |= {inner_label(k): n for k, n in t.dims.items()}
        factors = tuple((f, tuple(map(outer_label, ls)), p) for f, ls, p in rest)
        factors += tuple((f, tuple(map(inner_label, ls)), p) for f, ls, p in t.factors)
        yield LinearTerm(
            node.coefficient.times(t.coefficient),
            t.child,
            tuple(map(inner_label, t.labels)),
            factors,
            tuple(map(outer_label, node.out)),
            dims,
        )

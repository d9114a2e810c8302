"""How a parameter enters a layer, and what that makes of the gradients of single samples."""

from __future__ import annotations

from dataclasses import dataclass

from byhand.derive.record import Unit
from byhand.errors import MissingRuleError
from byhand.expr.contraction import P1, Label, contract
from byhand.expr.dims import ONE, Coefficient, Dim, dim_coefficient
from byhand.expr.nodes import Contraction, Expr, Named, Sum, Symbol
from byhand.rules.linear import LinearTerm


@dataclass(frozen=True)
class Part:
    """One way in which a parameter enters a layer: the gradient of sample b is delta[b, ...] × factors.

    Attributes:
        term: the linear term of the layer's differential.
        delta: the adjoint of the layer.
        sample: the label of the samples.
    """

    term: LinearTerm
    delta: Expr
    sample: Label

    def gradient(self, scaling: Coefficient, weights: Expr | None = None, power: int = 1, summed: bool = True) -> Expr:
        """Σ_b weights[b] g_b^power, or the stack of g_b^power where it is not to be summed."""
        t, p = self.term, P1 * power
        factors = [(self.delta, t.out, p), *((f, ls, q * p) for f, ls, q in t.factors)]
        if weights is not None:
            factors.append((weights, (self.sample,), P1))
        out = t.labels if summed else (self.sample, *t.labels)
        c = t.coefficient.times(scaling).power(p)
        assert c is not None
        return contract(factors, out, c, t.dims)

    def squared_norm(self, scaling: Coefficient) -> Expr:
        """Σ over all entries of g_b², one number per sample."""
        t = self.term
        factors = [(self.delta, t.out, 2 * P1), *((f, ls, 2 * q) for f, ls, q in t.factors)]
        c = t.coefficient.times(scaling).power(2 * P1)
        assert c is not None
        return contract(factors, (self.sample,), c, {k: n for k, n in t.dims.items() if k in {*t.out, *t.labels}})


def parts_of(u: Unit, v: Symbol, size: Dim, apart: list[str]) -> list[Part]:
    """How a parameter enters one unit: once per linear term with a label for the samples."""
    found = []
    for record in u.terms:
        t = record.term
        if t.child is not v:
            continue
        t = _multiplied(t)
        labels = {
            x for x in (*t.out, *(y for _, ls, _ in t.factors for y in ls)) if t.dims[x] == size and x not in t.labels
        }
        if not labels:
            apart.append(v.name)
        elif len(labels) > 1 or not labels <= set(t.out):
            raise MissingRuleError(f"{v.name} enters {u.name} in a way that has no outer-product structure")
        else:
            found.append(Part(t, u.adjoint, labels.pop()))
    return found


def _multiplied(t: LinearTerm) -> LinearTerm:
    """The term with factors that are summed over among themselves multiplied: X W as one input of the layer."""
    outer = {*t.out, *t.labels}
    inner = {y for _, ls, _ in t.factors for y in ls} - outer
    if not inner:
        return t
    labels = tuple(dict.fromkeys(y for _, ls, _ in t.factors for y in ls if y in outer))
    return t._replace(factors=((contract(t.factors, labels), labels, P1),))


def is_mean(root: Expr, size: Dim) -> bool:
    """Whether the loss divides by the number of samples."""
    parts = [(c, t) for c, t in root.terms] if isinstance(root, Sum) else [(ONE, root)]
    wanted = dim_coefficient(size).power(-P1)
    for c, t in parts:
        whole = c.times(t.coefficient) if isinstance(t, Contraction) else c
        if wanted is not None and (all(d in whole.dims for d in wanted.dims) and wanted.dims):
            return True
        if (
            wanted is not None
            and not wanted.dims
            and whole.value.denominator % wanted.value.denominator == 0
            and wanted.value != 1
        ):
            return True
        if isinstance(t, Named) and is_mean(t.body, size):
            return True
    return False

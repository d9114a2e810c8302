"""Per-sample quantities of a network from the structure of its gradients, without per-sample gradients.

The gradient of sample b's loss with respect to the weights of a layer Z = H W + 1 bᵀ is the outer product h_b δ_bᵀ of
its input and its adjoint. So its squared norm is ‖h_b‖² ‖δ_b‖², weighted sums of gradients are Hᵀ diag(c) Δ, and sums
of squares are (H²)ᵀ (Δ²): the cost of one backward pass.

Source: Goodfellow (2015), Efficient per-example gradient computations; Martens and Grosse (2015), K-FAC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.derive.gradient import Accumulation
from byhand.derive.layout import batch_dimension
from byhand.derive.prepare import Prepared, prepare
from byhand.errors import MissingRuleError, ParseError
from byhand.expr.contraction import P1, Label, add, contract, scale
from byhand.expr.dims import ONE, Coefficient, Dim, dim_coefficient
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, Symbol
from byhand.rules.simplify import Simplifier
from byhand.second.inputs import function_and_names, need_scalar
from byhand.second.layers import Part, is_mean, parts_of
from byhand.second.run import compiled
from byhand.views import Shown

if TYPE_CHECKING:
    from byhand.notation.blocks import Document

Array = Any


@dataclass(frozen=True, eq=False, repr=False)
class PerSample(Shown):
    """Per-sample quantities of a loss that is a sum or a mean over samples.

    Attributes:
        f: the loss.
        batch: the dimension that counts the samples.
        reduction: "mean" or "sum"; a sample's gradient is that of its own loss, without the 1/N of a mean.
        parts: parameter -> how it enters.
        notes: conventions, as sentences.
        adjoints: the nodes that stand for adjoints in the formulas -> the intermediate that each belongs to.
    """

    f: Expression
    batch: Dim
    reduction: str
    parts: dict[str, Part]
    notes: tuple[str, ...]
    prepared: Prepared
    adjoints: Mapping[Expr, str]

    @property
    def scaling(self) -> Coefficient:
        """Contribution to the gradient -> gradient of the sample's own loss."""
        return dim_coefficient(self.batch) if self.reduction == "mean" else ONE

    @property
    def per_sum(self) -> Coefficient:
        """1/N."""
        inverse = dim_coefficient(self.batch).power(-P1)
        assert inverse is not None
        return inverse

    def _expression(self, node: Expr, name: str, extra: tuple[Symbol, ...] = ()) -> Expression:
        return Expression(Simplifier(fold=self.prepared.fold).normal(node), (*self.f.inputs, *extra), name)

    # ---- formulas

    @cached_property
    def squared_norms(self) -> dict[str, Expression]:
        """Parameter -> ‖g_b‖² for every sample b, of shape (N,)."""
        return {n: self._expression(p.squared_norm(self.scaling), f"norms_{n}") for n, p in self.parts.items()}

    @cached_property
    def weighted(self) -> dict[str, Expression]:
        """Parameter -> Σ_b c_b g_b, c an input of shape (N,)."""
        c = self.weights
        return {n: self._expression(p.gradient(self.scaling, c), f"weighted_{n}", (c,)) for n, p in self.parts.items()}

    @cached_property
    def weights(self) -> Symbol:
        """The input that holds one weight per sample."""
        from byhand.second.products import fresh_symbol

        return fresh_symbol("c", contract([], ("b",), dims={"b": self.batch}), self.f)

    @cached_property
    def second_moments(self) -> dict[str, Expression]:
        """Parameter -> (1/N) Σ_b g_b², entry by entry."""
        return {
            n: self._expression(scale(self.per_sum, p.gradient(self.scaling, power=2)), f"moment_{n}")
            for n, p in self.parts.items()
        }

    @cached_property
    def variance(self) -> dict[str, Expression]:
        """Parameter -> (1/N) Σ_b g_b² − ((1/N) Σ_b g_b)², entry by entry."""
        found = {}
        for n, p in self.parts.items():
            mean = scale(self.per_sum, p.gradient(self.scaling))
            axes = range(mean.ndim)
            square = contract([(mean, axes, 2 * P1)], axes)
            moment = scale(self.per_sum, p.gradient(self.scaling, power=2))
            found[n] = self._expression(add(moment, scale(Coefficient(-P1), square)), f"variance_{n}")
        return found

    @cached_property
    def kronecker_factors(self) -> dict[str, tuple[Expression, Expression]]:
        """Weights -> A = (1/N) Σ_b h_b h_bᵀ and G = (1/N) Σ_b δ_b δ_bᵀ; the Fisher matrix is nearly A ⊗ G.

        δ is the gradient of the sample's own loss at the labels in the data (the empirical Fisher matrix).
        """
        found = {}
        for n, p in self.parts.items():
            if len(p.term.factors) == 1 and len(p.term.labels) == 2:
                (h, labels, _), b = p.term.factors[0], p.sample
                other: tuple[Label, ...] = tuple(x if x == b else ("second", x) for x in labels)
                A = contract([(h, labels, P1), (h, other, P1)], [x for x in (*labels, *other) if x != b], self.per_sum)
                out = p.term.out
                twin: tuple[Label, ...] = tuple(x if x == b else ("second", x) for x in out)
                c = (
                    self.scaling.times(self.scaling)
                    .times(self.per_sum)
                    .times(p.term.coefficient)
                    .times(p.term.coefficient)
                )
                G = contract([(p.delta, out, P1), (p.delta, twin, P1)], [x for x in (*out, *twin) if x != b], c)
                found[n] = (self._expression(A, f"A_{n}"), self._expression(G, f"G_{n}"))
        return found

    # ---- functions

    def norms(self, **arrays: Any) -> Array:
        """‖g_b‖ over all parameters together, of shape (N,)."""
        return np.sqrt(self._total_norms(**arrays))

    @cached_property
    def _total_norms(self) -> Callable[..., Array]:
        total = add(*(e.root for e in self.squared_norms.values()))
        return compiled({"squared_norms": total}, next(iter(self.squared_norms.values())))

    @cached_property
    def _weighted_sums(self) -> Callable[..., Any]:
        first = next(iter(self.weighted.values()))
        return compiled({n: e.root for n, e in self.weighted.items()}, first)

    def clipped(self, limit: float, **arrays: Any) -> dict[str, Array]:
        """Σ_b g_b min(1, limit/‖g_b‖) by parameter."""
        norms = self.norms(**arrays)
        c = np.minimum(1.0, limit / np.maximum(norms, np.finfo(float).tiny))
        return self._as_dict(self._weighted_sums(**arrays, **{self.weights.name: c}))

    def variances(self, **arrays: Any) -> dict[str, Array]:
        """The variance of the samples' gradients, entry by entry."""
        e = self.variance
        return self._as_dict(compiled({n: x.root for n, x in e.items()}, next(iter(e.values())))(**arrays))

    def _as_dict(self, found: Any) -> dict[str, Array]:
        return found if isinstance(found, dict) else {next(iter(self.parts)): found}

    def gauss_newton_diagonal(self, **arrays: Any) -> dict[str, Array]:
        """The diagonal of the Gauss–Newton matrix of the loss, in the shape of each parameter."""
        from byhand.second.curvature import gauss_newton_diagonal

        return gauss_newton_diagonal(self)(**arrays)

    def document(self) -> Document:
        """The formulas as a document."""
        from byhand.second.show_per_sample import document

        return document(self)

    def text(self, ascii: bool = False) -> str:
        """The formulas as text."""
        from byhand.notation.render import document_text

        return document_text(self.document(), ascii)

    def latex(self) -> str:
        """The formulas as LaTeX (amsmath)."""
        from byhand.notation.render import document_latex

        return document_latex(self.document())

    def markdown(self) -> str:
        """The formulas as Markdown with LaTeX."""
        from byhand.notation.render import document_markdown

        return document_markdown(self.document())

    def html(self) -> str:
        """The formulas as HTML with MathML; no script."""
        from byhand.notation.render import document_html

        return document_html(self.document())

    def to_dict(self) -> dict[str, Any]:
        """The formulas as plain data."""
        from byhand.notation.render import document_dict

        return document_dict(self.document())


def per_sample(
    f: Any, wrt: str | Iterable[str] | None = None, batch: str | None = None, reduction: str | None = None
) -> PerSample:
    """Per-sample gradient norms, clipped sums, variances, Gauss–Newton diagonal and Kronecker factors.

    Args:
        f: a network, or an `Expression` whose weights enter by layers Z = H W + 1 bᵀ.
        wrt: parameters; all by default.
        batch: the dimension that counts the samples; by default found from the shapes.
        reduction: "mean" or "sum" over samples; by default seen from a factor 1/N in f.
    Raises: MissingRuleError: a parameter enters in a way that has no outer-product structure. ParseError: no dimension
        counts the samples.
    """
    expression, names = function_and_names(f, wrt)
    need_scalar(expression, "a per-sample quantity", "the loss of all samples, a sum or mean, is needed")
    size = _batch(f, expression, batch)
    prepared = prepare(expression)
    variables = tuple(expression.symbols[n] for n in names)
    units = Accumulation(prepared, variables, expression.name).run()
    parts: dict[str, Part] = {}
    apart: list[str] = []
    for v in variables:
        found = [p for u in units for p in parts_of(u, v, size, apart)]
        if len(found) != 1:
            raise MissingRuleError(
                f"{v.name} enters {len(found)} layers: one is needed for the outer-product structure",
                "byhand.jacobian of the vector of losses has the per-sample gradients",
            )
        parts[v.name] = found[0]
    chosen = reduction or ("mean" if is_mean(prepared.root, size) else "sum")
    notes = [f"A penalty on {', '.join(dict.fromkeys(apart))} belongs to no sample and is left out."] if apart else []
    adjoints: dict[Expr, str] = {u.adjoint: u.name for u in units if isinstance(u.adjoint, Named)}
    return PerSample(expression, size, chosen, parts, tuple(notes), prepared, adjoints)


def _batch(f: Any, expression: Expression, batch: str | None) -> Dim:
    from byhand.expr.dims import parse_dim

    if batch is not None:
        return parse_dim(batch)
    size = getattr(f, "batch", None)
    if size is None:
        size = batch_dimension(expression)
    if size is None:
        raise ParseError("no dimension counts the samples", "name it: batch='N'")
    return size


__all__ = ["Part", "PerSample", "per_sample"]

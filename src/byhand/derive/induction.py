"""A network of any depth: one derivation for the last layer, one for a layer between two, and what follows for all.

The depth L is a symbol. The loss is derived with respect to Z[L] (the base case), and ⟨Δ[l+1], Z[l+1]⟩ with respect to
Z[l], W[l+1] and b[l+1] (the inductive step): both by the engine that derives everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from byhand.derive.derivation import Derivation, Level, Notation
from byhand.derive.record import Unit
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, Symbol, topological
from byhand.views import Shown

if TYPE_CHECKING:
    from byhand.check.report import Report


@dataclass(frozen=True, eq=False)
class Induction(Shown):
    """The gradients of a network of any depth.

    Attributes:
        net: the network: its options, and `at(L=3)`, which is the one of that depth.
        head: the loss as a function of Z, the last layer's values.
        layer: ⟨D, Y⟩ with K = σ(Z), Y = K W + b and D = Δ[l+1], derived with respect to Z, W and b.
        base: Δ[L].
        step: Δ[l] in D = Δ[l+1] and in what the layer has.
        weight, offset: the gradients with respect to W[l+1] and b[l+1] without the penalty; no offset without biases.
        rows: in another layout, the same with samples as rows.
    """

    net: Any
    head: Derivation
    layer: Derivation
    base: Expr
    step: Expr
    weight: Expr
    offset: Expr | None
    rows: Induction | None = None

    @classmethod
    def of(cls, net: Any, head: Derivation, layer: Derivation) -> Induction:
        """The induction that two derivations make."""
        values = {v.name: form for v, form in layer.closed_forms.results.items() if isinstance(v, Symbol)}
        (base,) = (u.value for u in head.units if isinstance(u.node, Symbol) and u.node in head.variables)
        return cls(net, head, layer, base, values["Z"], values["W"], values.get("b"))

    @property
    def parts(self) -> dict[str, Expr]:
        """The inputs and intermediates of the layer by name: Z, K, W, b, Y, D and, of an abstract function, S = σ′(Z)."""
        nodes = topological([self.layer.prepared.root])
        return {n.name: n for n in nodes if isinstance(n, (Symbol, Named))}

    @property
    def f(self) -> Expression:
        """The loss in the last layer's values."""
        return self.head.f

    @property
    def variables(self) -> tuple[Symbol, ...]:
        """W and b of a layer."""
        return tuple(v for v in self.layer.variables if v.name != "Z")

    def unit(self, node: Expr) -> Unit:
        """The record of a part of the layer."""
        return next(u for u in self.layer.units if u.node is node)

    def in_layout(self, layout: str) -> Induction:
        """The same derivation in another layout of samples and weights."""
        if isinstance(layout, str) and layout == "rows":
            return self
        turned = Induction.of(self.net, self.head.in_layout(layout), self.layer.in_layout(layout))
        return replace(turned, rows=self)

    # ---- views, code and checks, which later rooms make

    def text(
        self,
        notation: Notation = "differential",
        level: Level = "steps",
        layout: str = "rows",
        ascii: bool = False,
    ) -> str:
        """The derivation as Unicode text (or ASCII)."""
        from byhand.notation.document import as_text

        return as_text(self, notation, level, layout, ascii=ascii)

    def latex(self, notation: Notation = "differential", level: Level = "steps", layout: str = "rows") -> str:
        """The derivation as LaTeX (amsmath)."""
        from byhand.notation.document import as_latex

        return as_latex(self, notation, level, layout)

    def markdown(self, notation: Notation = "differential", level: Level = "steps", layout: str = "rows") -> str:
        """The derivation as Markdown with LaTeX formulas."""
        from byhand.notation.document import as_markdown

        return as_markdown(self, notation, level, layout)

    def html(self, notation: Notation = "differential", level: Level = "steps", layout: str = "rows") -> str:
        """The derivation as HTML with MathML; no script."""
        from byhand.notation.document import as_html

        return as_html(self, notation, level, layout)

    def to_dict(
        self, notation: Notation = "differential", level: Level = "micro", layout: str = "rows"
    ) -> dict[str, Any]:
        """The derivation as plain data."""
        from byhand.notation.document import document
        from byhand.notation.render import document_dict

        found = {"notation": notation, "level": level, "layout": layout}
        return {**found, **document_dict(document(self, notation, level, layout))}

    def code(self, target: str = "numpy") -> str:
        """Source of a function that returns the value and the gradients of all layers: a loop over them."""
        from byhand.code.loop import loop_source

        return loop_source(self, target)

    def function(self, target: str = "numpy") -> Callable[..., Any]:
        """callable(X, y, W, b) -> (value, {"W": [...], "b": [...]}), W and b lists with one array for each layer."""
        from byhand.code.loop import loop_function

        return loop_function(self, target)

    def check(self, depths: int = 5, seeds: int = 1, oracles: str = "installed") -> Report:
        """What `byhand.check` says of it."""
        from byhand.check.induction import check_induction

        return check_induction(self, depths, seeds, oracles)

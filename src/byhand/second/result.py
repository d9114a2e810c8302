"""What `jacobian` and `hessian` return: a closed form with its views, its function, and its layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from byhand.errors import ParseError
from byhand.expr.contraction import is_zero, transpose
from byhand.expr.dims import Shape
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, Symbol
from byhand.second.memory import axis_sizes, need_memory
from byhand.second.run import compiled, source
from byhand.views import Code, Shown

if TYPE_CHECKING:
    from byhand.derive.record import Step
    from byhand.notation.blocks import Document
    from byhand.second.structure import Operator, Structure

Layout = Literal["numerator", "denominator"]
LAYOUTS: dict[str, str] = {
    "numerator": "a row per output, a column per input: axes of the output first",
    "denominator": "a row per input, a column per output: axes of the input first (the numerator layout transposed)",
}


def check_layout(layout: str) -> None:
    """Raises: ParseError: an unknown layout."""
    if layout not in LAYOUTS:
        raise ParseError(f"unknown layout {layout!r}", *(f"{name}: {words}" for name, words in LAYOUTS.items()))


@dataclass(frozen=True, eq=False, repr=False)
class Jacobian(Shown):
    """A derivative of an array with respect to an array, in closed form.

    Attributes:
        f: the function.
        wrt: the input, or for a Hessian the two inputs.
        node: the derivative, axes of the output first.
        rows: how many axes the output has.
        layout: which axes `expression` and `function` give first.
        notes: conventions and declared properties used, as sentences.
        names: intermediates that were introduced on the way -> how they are written: ∂Z1/∂W1.
        steps: how it came about.
    """

    f: Expression
    wrt: tuple[Symbol, ...]
    node: Expr
    rows: int
    layout: Layout = "numerator"
    notes: tuple[str, ...] = ()
    names: tuple[tuple[Named, tuple[Expr, Expr]], ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def kind(self) -> str:
        """Jacobian or Hessian."""
        return "Hessian" if len(self.wrt) == 2 else "Jacobian"

    @property
    def shape(self) -> Shape:
        """The shape of the value, in this layout."""
        return self.expression.shape

    @property
    def is_zero(self) -> bool:
        """Whether it vanishes identically."""
        return is_zero(self.node)

    @cached_property
    def expression(self) -> Expression:
        """The derivative as an expression of shape f.shape + x.shape; in the denominator layout x.shape + f.shape."""
        node = self.node
        if self.layout == "denominator":
            axes = range(node.ndim)
            node = transpose(node, (*axes[self.rows :], *axes[: self.rows]))
        inputs = tuple(dict.fromkeys((*self.f.inputs, *self.wrt)))
        name = f"∂{self.f.name}/∂{self.wrt[0].name}" if len(self.wrt) == 1 else "H"
        return Expression(node, inputs, name)

    def in_layout(self, layout: Layout) -> Jacobian:
        """The same derivative with the axes of the output first ("numerator") or last ("denominator")."""
        check_layout(layout)
        return replace(self, layout=layout)

    def function(self, target: str = "numpy") -> Callable[..., Any]:
        """callable(**arrays) -> array, output axes first (in the denominator layout last).

        The structure is used where there is one (a diagonal is filled in, not multiplied out); `code` prints the
        formula as one program. "interpreter" evaluates the formula without generated code.
        """
        if target == "numpy" and self.layout == "numerator" and self.structure not in ("dense", "zero"):
            structure = self.structure_function()
            return lambda **arrays: structure(**arrays).array()
        run = compiled({self.expression.name: self.expression.root}, self.expression, target)

        def checked(**arrays: Any) -> Any:
            need_memory(axis_sizes(self, arrays), f"the {self.kind}")
            return run(**arrays)

        return checked

    def code(self, target: str = "numpy") -> Code:
        """Source of a function of the inputs that returns the array."""
        return source({self.expression.name: self.expression.root}, self.expression, target)

    def __call__(self, **arrays: Any) -> Any:
        """The value for the given arrays."""
        return self.expression(**arrays)

    def operator(self, **arrays: Any) -> Operator:
        """The matrix (output entries × input entries) as an operator that keeps its structure."""
        return self._structure(**arrays)

    def structure_function(self) -> Callable[..., Operator]:
        """callable(**arrays) -> operator, prepared once for many calls."""
        return self._structure

    @cached_property
    def _structure(self) -> Structure:
        from byhand.second.structure import structured

        return structured(self)

    @property
    def structure(self) -> str:
        """What kind of matrix it is: "diagonal", "diagonal + low rank", "XᵀDX", "Kronecker", "dense", ..."""
        return self._structure.kind

    # ---- views

    def document(self, layout: str | None = None, level: str = "result") -> Document:
        """The formula as a document."""
        from byhand.second.show import document

        check_layout(layout or self.layout)
        return document(self if layout is None else self.in_layout(layout), level)  # type: ignore[arg-type]

    def text(self, layout: str | None = None, level: str = "result", ascii: bool = False) -> str:
        """Unicode text (or ASCII): matrix notation where there is one, index notation always."""
        from byhand.notation.render import document_text

        return document_text(self.document(layout, level), ascii)

    def latex(self, layout: str | None = None, level: str = "result") -> str:
        """LaTeX (amsmath)."""
        from byhand.notation.render import document_latex

        return document_latex(self.document(layout, level))

    def markdown(self, layout: str | None = None, level: str = "result") -> str:
        """Markdown with LaTeX formulas."""
        from byhand.notation.render import document_markdown

        return document_markdown(self.document(layout, level))

    def html(self, layout: str | None = None, level: str = "result") -> str:
        """HTML with MathML; no script."""
        from byhand.notation.render import document_html

        return document_html(self.document(layout, level))

    def to_dict(self, layout: str | None = None, level: str = "result") -> dict[str, Any]:
        """Plain data."""
        from byhand.notation.render import document_dict
        from byhand.second.show import matrix_text

        return {
            "kind": self.kind,
            "variables": {v.name: [str(n) for n in v.shape] for v in self.wrt},
            "shape": [str(n) for n in self.expression.shape],
            "layout": layout or self.layout,
            "matrix": matrix_text(self),
            "structure": self.structure,
            **document_dict(self.document(layout, level)),
        }

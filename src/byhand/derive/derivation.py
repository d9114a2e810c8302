"""`derive` and what it returns: gradients, steps as data, and the views of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from byhand.arguments import names_in
from byhand.derive.gradient import Accumulation
from byhand.derive.prepare import Prepared, as_prepared, prepare
from byhand.derive.record import Step, Unit
from byhand.derive.steps import steps_of
from byhand.errors import ByhandError, ParseError, ShapeError, nearest
from byhand.expr.contraction import is_zero
from byhand.expr.dims import dim_names, show_shape
from byhand.expr.domain import Condition
from byhand.expr.expression import Expression, as_expression
from byhand.expr.nodes import Expr, Named, Symbol
from byhand.rules.conditions import dropped
from byhand.rules.effort import Effort
from byhand.views import Code, Shown

if TYPE_CHECKING:
    from byhand.code.cost import Cost
    from byhand.notation.closed import ClosedForms

Notation = Literal["differential", "index", "jacobian"]
Level = Literal["result", "steps", "micro"]


def derive(f: Any, wrt: str | Iterable[str] | None = None, free_entries: bool = False) -> Derivation:
    """The gradient of a scalar function in closed form, with the derivation that leads to it.

    Args:
        f: an `Expression` of shape (), or a network.
        wrt: the name of an input, or several; by default every parameter of a network, every input of an expression
            that is not declared constant or labels.
        free_entries: of a symmetric variable S the gradient is the symmetric G with df = ⟨G, dS⟩ for all symmetric dS; with
            `free_entries` it is that of the entries of a triangle, G + Gᵀ − I ⊙ G. Of a diagonal one, both are I ⊙ G.
    Returns: a Derivation; each gradient has the shape of its variable.
    Raises: ShapeError: f is not scalar. ParseError: an unknown input, one that has a shape but is not used, or a division by
            what is zero everywhere.
        MissingRuleError: an operation has no differential.
    Source: Magnus and Neudecker (2019), chapter 9.
    """
    if hasattr(f, "induction"):  # of any depth
        return f.induction  # type: ignore[no-any-return]
    expression = as_expression(f)
    if expression.shape != ():
        raise ShapeError(
            f"a gradient needs a scalar function: {expression.name} has shape {show_shape(expression.shape)}",
            "sum(...) or mean(...) makes one; byhand.jacobian differentiates all entries",
        )
    names = variable_names(expression, wrt, getattr(f, "parameters", None))
    effort = Effort()
    prepared = prepare(expression, effort)
    variables = tuple(expression.symbols[n] for n in names)
    units = Accumulation(prepared, variables, expression.name, effort=effort, free_entries=free_entries).run()
    derivation = Derivation(expression, prepared, variables, tuple(units), effort, free_entries, source=f)
    _ = derivation.conditions  # a divisor that is zero everywhere is refused here
    return derivation


def variable_names(
    f: Expression, wrt: str | Iterable[str] | None, parameters: Iterable[str] | None, lenient: bool = False
) -> list[str]:
    """The names to differentiate with respect to, checked; `lenient` allows other inputs that do not occur."""
    symbols = f.symbols
    if wrt is None:
        usual = [n for n, s in symbols.items() if not s.assumptions & {"constant", "labels", "one_hot"}]
        names = list(parameters) if parameters is not None else usual
    else:
        names = names_in(wrt, "wrt")
    if not names:
        raise ParseError("no variable to differentiate with respect to", f"inputs: {', '.join(symbols) or 'none'}")
    for name in names:
        if name not in symbols:
            if name in f.intermediates:
                raise ParseError(f"{name} is an intermediate, not an input", f"inputs: {', '.join(symbols)}")
            raise ParseError(
                f"no input is called {name}{nearest(name, list(symbols))}", f"inputs: {', '.join(symbols) or 'none'}"
            )
        if "labels" in symbols[name].assumptions:
            raise ParseError(f"{name} holds integer labels: there is no derivative with respect to it")
        if "constant" in symbols[name].assumptions:
            raise ParseError(f"{name} was declared constant: there is no derivative with respect to it")
    sizes = [d for n, s in symbols.items() if n not in f.unused for d in s.shape]
    parts = {x for d in sizes for x in dim_names(d) if x != str(d)}  # m and n of an axis m*n
    tells = {n for n in f.unused if any(str(d) in parts for d in symbols[n].shape)}
    unused = [n for n in f.unused if n not in names and n not in tells]
    if unused and parameters is None and not lenient:
        raise ParseError(
            f"{', '.join(unused)} has a shape but does not occur",
            "leave it out, or differentiate with respect to it (the gradient is zero)",
        )
    return list(dict.fromkeys(names))


@dataclass(frozen=True, eq=False, repr=False)
class Derivation(Shown):
    """The gradients of a function and how they came about.

    Attributes:
        f: the function.
        prepared: its definitions in normal form.
        variables: what it was differentiated with respect to.
        units: one record per intermediate and variable, last first.
        effort: what simplifying took; it knows whether a search was broken off.
        free_entries: whether gradients of symmetric variables are those of the entries of a triangle.
    """

    f: Expression
    prepared: Prepared
    variables: tuple[Symbol, ...]
    units: tuple[Unit, ...]
    effort: Effort = field(default_factory=Effort, repr=False)
    free_entries: bool = False
    source: Any = field(default=None, repr=False)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step: definitions, differentials, moves, adjoints."""
        return steps_of(self)

    @cached_property
    def gradients(self) -> dict[str, Expression]:
        """Variable -> gradient, of the variable's shape."""
        values = {u.name: u.value for u in self.units if isinstance(u.node, Symbol)}
        forward = frozenset({*self.prepared.units, *self.prepared.helpers})
        return {
            v.name: Expression(values[v.name], self.f.inputs, f"∂{self.f.name}/∂{v.name}", forward=forward)
            for v in self.variables
        }

    @property
    def gradient(self) -> Expression:
        """The gradient, where there is one variable."""
        if len(self.variables) != 1:
            raise ByhandError(
                f"there are {len(self.variables)} variables: use .gradients[name]",
                f"names: {', '.join(self.gradients)}",
            )
        return self.gradients[self.variables[0].name]

    @property
    def zeros(self) -> tuple[str, ...]:
        """Variables that the function does not depend on."""
        return tuple(u.name for u in self.units if isinstance(u.node, Symbol) and is_zero(u.value))

    @cached_property
    def helpers(self) -> tuple[Named, ...]:
        """Intermediates that only the gradients use, in order: P = softmax(Z)."""
        from byhand.expr.nodes import topological

        used = set(topological([s.node for u in self.units for s in u.stages]))
        return tuple(h for h in self.prepared.helpers if h in used)

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """The declared properties that the result rests on, as sentences."""
        return tuple(
            dict.fromkeys(
                a for u in self.units for said in (u.assumptions, *(s.assumptions for s in u.stages)) for a in said
            )
        )

    @cached_property
    def closed_forms(self) -> ClosedForms:
        """The gradients written out in full, where that is short: made once, whatever prints them."""
        from byhand.notation.closed import ClosedForms

        return ClosedForms(self)

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Where it holds: what the function as it was written asks for, and neither its form here nor what is declared says."""
        return dropped(self.f.domain, self.prepared.root, lambda: as_prepared(self.f))

    def in_layout(self, layout: str) -> Derivation:
        """The same derivation in another layout of samples and weights."""
        from byhand.derive.layout import relayout

        if isinstance(layout, str) and layout == "rows":
            return self
        return derive(relayout(self.f, layout), [v.name for v in self.variables], self.free_entries)

    def pulled_back(self, upstream: Symbol) -> Derivation:
        """The derivation with an adjoint other than 1 of the function: what a further function of its value asks for.

        Args:
            upstream: a scalar symbol, the derivative of that further function with respect to this one.
        """
        effort = Effort()
        units = Accumulation(
            self.prepared, self.variables, self.f.name, upstream, effort, free_entries=self.free_entries
        ).run()
        return replace(self, units=tuple(units), effort=effort)

    # ---- views and code, which later rooms make: imported when asked for, so that deriving loads none of them

    def text(
        self, notation: Notation = "differential", level: Level = "steps", layout: str = "rows", ascii: bool = False
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
        from byhand.notation.document import as_dict

        return as_dict(self, notation, level, layout)

    def code(
        self,
        target: str = "numpy",
        *,
        relu_at_zero: float = 0,
        chunk: int | None = None,
        formulas: bool = True,
        **options: Any,
    ) -> Code:
        """Source for "numpy", "torch", "jax" or "c": a function that returns the value and the gradients.

        For PyTorch and JAX also a function that autograd differentiates by the derived gradients.
        `relu_at_zero` is relu'(0): 0, 0.5 or 1. `chunk`: how many rows of the logits of a softmax are computed at a time.
        Without `formulas` the mathematics beside the statements is left out.
        Options of "c": sizes={"N": 16}, dtype="float" or "double".
        """
        from byhand.code import generate

        return generate(self, target, relu_at_zero, chunk, formulas, **options)

    def cost(self) -> Cost:
        """Operations forward and backward, what is saved between them and the peak, as formulas and as numbers."""
        from byhand.code.cost import cost_of
        from byhand.code.listing import list_derivation

        return cost_of(list_derivation(self))

    def function(
        self, target: str = "numpy", *, relu_at_zero: float = 0, chunk: int | None = None
    ) -> Callable[..., tuple[Any, dict[str, Any]]]:
        """callable(**arrays) -> (value, {name: gradient})."""
        from byhand.code import compile_function

        return compile_function(self, target, relu_at_zero, chunk)


def value_of(node: Expr) -> Expr:
    """The body of an intermediate, or the node."""
    return node.body if isinstance(node, Named) else node

"""Products with derivatives, as derived formulas: J v, Jᵀ u, H v, and Jᵀ H J v of Gauss and Newton.

A directional derivative is the differential with d(x) replaced by the direction: it is taken per named intermediate, so
work and text grow linearly with depth. H v is the directional derivative of the derived gradient program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from byhand.derive.derivation import Derivation
from byhand.derive.gradient import Accumulation
from byhand.derive.prepare import Prepared, prepare
from byhand.errors import ParseError
from byhand.expr.contraction import P1, Label, LooseFactor, add, contract, zero
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Symbol, named, symbol, topological
from byhand.rules.reuse import Fold
from byhand.rules.score import weight
from byhand.rules.simplify import Simplifier
from byhand.second.inputs import function_and_names, kink_notes, need_scalar, set_aside, structure_notes
from byhand.second.run import compiled
from byhand.views import Code, Shown

MANY = 64  # intermediates; with more than these, sums are collected but not factored: nobody reads them
SHORT = 1.5  # a tangent of this weight is written where it is used; longer ones get a name


@dataclass(frozen=True, eq=False, repr=False)
class Product(Shown):
    """A derivative times a vector, in closed form.

    Attributes:
        f: the function.
        kind: hvp, jvp, vjp or gauss_newton_vp.
        expressions: variable (jvp: the function) -> the product.
        directions: variable (vjp: the function) -> the input that holds the vector.
        notes: conventions, as sentences.
    """

    f: Expression
    kind: str
    expressions: dict[str, Expression]
    directions: dict[str, Symbol]
    notes: tuple[str, ...] = ()

    @property
    def expression(self) -> Expression:
        """The product, where there is one."""
        if len(self.expressions) != 1:
            raise ParseError(
                f"there are {len(self.expressions)} products: use .expressions[name]",
                f"names: {', '.join(self.expressions)}",
            )
        return next(iter(self.expressions.values()))

    def function(self, target: str = "numpy") -> Callable[..., Any]:
        """callable(**arrays, directions too) -> array, or {name: array} where there are several variables."""
        return compiled({n: e.root for n, e in self.expressions.items()}, next(iter(self.expressions.values())), target)

    def __call__(self, **arrays: Any) -> Any:
        """The value for the given arrays."""
        return self.function()(**arrays)

    def code(self, target: str = "numpy") -> Code:
        """Source of a function of the inputs and the vectors."""
        from byhand.second.run import source

        return source({n: e.root for n, e in self.expressions.items()}, next(iter(self.expressions.values())), target)

    def text(self, ascii: bool = False) -> str:
        """Unicode text (or ASCII): the intermediates in order, then the products."""
        from byhand.notation.render import document_text
        from byhand.second.show_products import document

        return document_text(document(self), ascii)

    def latex(self) -> str:
        """LaTeX (amsmath)."""
        from byhand.notation.render import document_latex
        from byhand.second.show_products import document

        return document_latex(document(self))

    def html(self) -> str:
        """HTML with MathML; no script."""
        from byhand.notation.render import document_html
        from byhand.second.show_products import document

        return document_html(document(self))


# ---- directional derivatives


def tangents(roots: list[Expr], directions: Mapping[Symbol, Expr], name: str, fold: Mapping[Expr, Named]) -> list[Expr]:
    """The directional derivative of each root: its differential with d(x) replaced by the direction of x."""
    program = packed(roots, Fold(fold))
    accumulation = Accumulation(program, list(directions), name)
    accumulation.active = active = depending(roots, directions)
    simplifier = Simplifier(fold=program.fold)
    found: dict[Expr, Expr] = {s: v for s, v in directions.items()}

    def tangent(node: Expr, body: Expr) -> Expr:
        terms, _ = accumulation.expand(body)
        parts = [t.with_child(found[t.child], t.labels) for t in terms]
        if not parts:
            return zero(node.shape)
        if len(program.units) > MANY:
            return add(*(simplifier.normal(p) for p in parts))
        return simplifier.normal(add(*parts))

    for unit in program.units:
        if unit in active:
            total = tangent(unit, unit.body)
            if weight(total, simplifier.scores) > SHORT:
                total = named(accumulation.fresh(f"{unit.name}_dot"), total)
            found[unit] = total
    return [found[r] if r in found else tangent(r, r) if r in active else zero(r.shape) for r in roots]


def depending(roots: Iterable[Expr], variables: Iterable[Expr]) -> set[Expr]:
    """The nodes below the roots that depend on a variable."""
    found: set[Expr] = set(variables)
    for node in topological(roots):
        if any(c in found for c in node.children):
            found.add(node)
    return found


def packed(roots: list[Expr], fold: Fold) -> Prepared:
    """Several nodes over the same named intermediates as one function, ready to be differentiated."""
    factors: list[LooseFactor] = [(r, [(k, a) for a in range(r.ndim)], P1) for k, r in enumerate(roots)]
    root = roots[0] if len(roots) == 1 else contract(factors, ())
    units = [n for n in topological(roots) if isinstance(n, Named)]
    for u in units:
        if not isinstance(u.body, (Symbol, Named)):
            fold.add(u.body, u)
    return Prepared(root, units, fold)


def fresh_symbol(wish: str, like: Expr, f: Expression) -> Symbol:
    """An input of the shape of `like`, called as wished or, where that is taken, with _ after it."""
    taken = {*f.symbols, *f.intermediates, *f.dimension_names}
    while wish in taken:
        wish += "_"
    return symbol(wish, like.shape)


def direction_symbols(f: Expression, names: list[str], v: str | None, letter: str) -> dict[str, Symbol]:
    """One input per variable: v, or v_W1, v_b1, ... where there are several."""
    if v is not None:
        taken = {*f.symbols, *f.intermediates, *f.dimension_names}
        chosen = [v] if len(names) == 1 else [f"{v}_{n}" for n in names]
        for c in chosen:
            if c in taken:
                raise ParseError(f"{c} has a meaning in {f.name} already: give the direction another name")
        return {n: symbol(c, f.symbols[n].shape) for n, c in zip(names, chosen, strict=True)}
    return {n: fresh_symbol(letter if len(names) == 1 else f"{letter}_{n}", f.symbols[n], f) for n in names}


def jvp(f: Any, x: str | Iterable[str], v: str | None = None) -> Product:
    """The Jacobian of f times a direction v of x: the directional derivative of f, of the shape of f.

    Args:
        f: an `Expression` of any shape.
        x: the name of an input, or several.
        v: what the direction is called in formulas and arguments; "v" (or v_x for several).
    """
    expression, names = function_and_names(f, x)
    plain, back = set_aside(expression, names)
    prepared = prepare(plain)
    vs = direction_symbols(plain, names, v, "v")
    (root,) = tangents([prepared.root], {plain.symbols[n]: s for n, s in vs.items()}, plain.name, prepared.fold)
    inputs = (*expression.inputs, *vs.values())
    made = Expression(substitute(root, back) if back else root, inputs, f"{f_name(plain)}_dot")
    return Product(expression, "jvp", {plain.name: made}, vs, conventions(plain, names))


def f_name(f: Expression) -> str:
    """What the function is called."""
    return f.name


def vjp(f: Any, x: str | Iterable[str], u: str | None = None) -> Product:
    """The transposed Jacobian of f times a vector u of the shape of f: ∂⟨u, f⟩/∂x, of the shape of x.

    Args:
        f: an `Expression` of any shape.
        x: the name of an input, or several.
        u: what the vector is called; "u".
    """
    expression, names = function_and_names(f, x)
    plain, back = set_aside(expression, names)
    upstream = fresh_symbol(u or "u", plain.root, plain)
    axes: list[Label] = list(range(plain.ndim))
    scalar = contract([(upstream, axes, P1), (plain.root, axes, P1)], ())
    gradients = gradients_of(Expression(scalar, (*plain.inputs, upstream), free_name(plain)), names)
    inputs = (*expression.inputs, upstream)
    made = {
        n: Expression(substitute(g.root, back) if back else g.root, inputs, f"vjp_{n}") for n, g in gradients.items()
    }
    return Product(expression, "vjp", made, {plain.name: upstream}, conventions(plain, names))


def hvp(f: Any, x: str | Iterable[str] | None = None, v: str | None = None) -> Product:
    """The Hessian of a scalar function times a direction: the directional derivative of its gradient.

    Args:
        f: an `Expression` of shape (), or a network.
        x: the name of an input, or several (the Hessian is that of all of them together); by default every parameter.
        v: what the direction is called; "v" (or v_x for several).
    Returns: a Product; each expression has the shape of its variable.
    Raises: ShapeError: f is not scalar.
    Source: Pearlmutter (1994), Fast exact multiplication by the Hessian.
    """
    expression, names = function_and_names(f, x)
    need_scalar(expression, "a Hessian", "byhand.jvp and byhand.vjp multiply by the Jacobian of an array")
    plain, back = set_aside(expression, names)
    gradients = gradients_of(plain, names)
    vs = direction_symbols(plain, names, v, "v")
    roots = [gradients[n].root for n in names]
    found = tangents(roots, {plain.symbols[n]: s for n, s in vs.items()}, plain.name, {})
    inputs = (*expression.inputs, *vs.values())
    made = {
        n: Expression(substitute(r, back) if back else r, inputs, f"hvp_{n}") for n, r in zip(names, found, strict=True)
    }
    return Product(expression, "hvp", made, vs, conventions(plain, names))


def gradients_of(f: Expression, names: list[str]) -> dict[str, Expression]:
    """The gradients of a scalar function over shared intermediates."""
    prepared = prepare(f)
    variables = tuple(f.symbols[n] for n in names)
    units = Accumulation(prepared, variables, f.name).run()
    return Derivation(f, prepared, variables, tuple(units)).gradients


def free_name(f: Expression) -> str:
    name = "s"
    while name in f.symbols or name in f.intermediates:
        name += "_"
    return name


def conventions(f: Expression, names: list[str]) -> tuple[str, ...]:
    return (*structure_notes(f.symbols[n] for n in names), *kink_notes(f), *f.notes)


__all__ = ["Product", "hvp", "jvp", "vjp"]

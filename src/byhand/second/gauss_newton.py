"""The Gauss–Newton matrix Jᵀ H J times a direction, as derived formulas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from byhand.derive.prepare import Prepared, prepare
from byhand.errors import ParseError
from byhand.expr.contraction import P1, contract
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Symbol, named, symbol, topological
from byhand.second.inputs import function_and_names, need_scalar, set_aside
from byhand.second.products import Product, conventions, direction_symbols, free_name, gradients_of, tangents

__all__ = ["cut", "gauss_newton_vp"]


def gauss_newton_vp(
    f: Any, x: str | Iterable[str] | None = None, v: str | None = None, through: str | None = None
) -> Product:
    """The Gauss–Newton matrix Jᵀ H J of f = ℓ(z(x)) times a direction: J = ∂z/∂x, H = ∂²ℓ/∂z².

    Args:
        f: an `Expression` of shape (), or a network.
        x: the name of an input, or several; by default every parameter.
        v: what the direction is called; "v" (or v_x for several).
        through: the intermediate z, the output of the model; by default the first intermediate that all the variables
            go through, which the notes name.
    Raises: ParseError: f depends on x not only through z, or there is no such z.
    Source: Schraudolph (2002), Fast curvature matrix-vector products.
    """
    expression, names = function_and_names(f, x)
    need_scalar(expression, "the Gauss–Newton matrix", "it needs a loss, a scalar function of the model's output")
    plain, back = set_aside(expression, names)
    prepared = prepare(plain)
    variables = [plain.symbols[n] for n in names]
    z = cut(prepared, variables, through or getattr(f, "output", None))
    vs = direction_symbols(plain, names, v, "v")
    (z_dot,) = tangents([z], {plain.symbols[n]: s for n, s in vs.items()}, plain.name, prepared.fold)
    output, moved = symbol(f"{z.name}", z.shape), symbol(f"{z.name}_dot", z.shape)
    loss = Expression(substitute(prepared.root, {z: output}), (*plain.inputs, output), plain.name)
    gradient = gradients_of(loss, [output.name])[output.name].root
    (curved,) = tangents([gradient], {output: moved}, plain.name, {})
    upstream = symbol(f"{z.name}_curved", z.shape)
    axes = list(range(z.ndim))
    pulled = gradients_of(
        Expression(
            contract([(upstream, axes, P1), (z.body, axes, P1)], ()), (*plain.inputs, upstream), free_name(plain)
        ),
        names,
    )
    curvature = named(f"{z.name}_curvature", substitute(curved, {output: z, moved: z_dot}))
    inputs = (*expression.inputs, *vs.values())
    made = {}
    for n, g in pulled.items():
        root = substitute(g.root, {upstream: curvature})
        made[n] = Expression(substitute(root, back) if back else root, inputs, f"gnvp_{n}")
    notes = (f"Jᵀ H J with J = ∂{z.name}/∂({', '.join(names)}) and H = ∂²{plain.name}/∂{z.name}².",)
    return Product(expression, "gauss_newton_vp", made, vs, (*notes, *conventions(plain, names)))


def cut(prepared: Prepared, variables: list[Symbol], through: str | None) -> Named:
    """The intermediate that separates the function from the variables."""
    if through is not None:
        found = next((u for u in prepared.units if u.name == through), None)
        if found is None:
            raise ParseError(
                f"no intermediate is called {through}",
                f"intermediates: {', '.join(u.name for u in prepared.units) or 'none'}",
            )
        if not _separates(prepared, found, variables):
            raise ParseError(
                f"the function depends on {', '.join(v.name for v in variables)} not only through {through}"
            )
        return found
    for unit in prepared.units:
        if set(variables) <= set(topological([unit])) and _separates(prepared, unit, variables):
            return unit
    raise ParseError(
        "no intermediate separates the function from the variables, so the model's output is not known",
        "name it: write `Z = ...` on a line of its own and pass through='Z'; leave a penalty on the weights out",
    )


def _separates(prepared: Prepared, unit: Named, variables: list[Symbol]) -> bool:
    """Whether no variable reaches the root without passing the unit."""
    seen: set[Expr] = set()
    stack: list[Expr] = [prepared.root]
    while stack:
        node = stack.pop()
        if node in seen or node is unit:
            continue
        seen.add(node)
        stack.extend(node.children)
    return not any(v in seen for v in variables)

"""The Gauss–Newton matrix Jᵀ H J times a direction, as derived formulas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from byhand.derive.prepare import Prepared, prepare
from byhand.errors import ParseError
from byhand.expr.contraction import P1, add, contract, is_zero, scale
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Contraction, Expr, Named, Sum, Symbol, named, symbol, topological
from byhand.rules.simplify import Simplifier
from byhand.second.inputs import function_and_names, need_scalar, set_aside
from byhand.second.products import Product, conventions, direction_symbols, free_name, gradients_of, tangents

__all__ = ["cut", "gauss_newton_vp", "loss_of_output"]


def gauss_newton_vp(
    f: Any, x: str | Iterable[str] | None = None, v: str | None = None, through: str | None = None
) -> Product:
    """The Gauss–Newton matrix Jᵀ H J of f = ℓ(z(x)) times a direction: J = ∂z/∂x, H = ∂²ℓ/∂z².

    Terms of f that use x beside z, such as a penalty on the weights, contribute their whole Hessian; the notes say so.

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
    z, beside = cut(prepared, variables, through)
    vs = direction_symbols(plain, names, v, "v")
    (z_dot,) = tangents([z], {plain.symbols[n]: s for n, s in vs.items()}, plain.name, prepared.fold)
    loss, output = _of_output(plain, prepared, z, beside)
    moved = symbol(f"{z.name}_dot", z.shape)
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
    penalty = dict.fromkeys(names) if not beside else _whole_hessian(beside, plain, names, vs)
    made = {}
    for n, g in pulled.items():
        root = substitute(g.root, {upstream: curvature})
        extra = penalty[n]
        root = root if extra is None else Simplifier(fold=prepared.fold).normal(add(root, extra))
        made[n] = Expression(substitute(root, back) if back else root, inputs, f"gnvp_{n}")
    notes: tuple[str, ...] = (f"Jᵀ H J with J = ∂{z.name}/∂({', '.join(names)}) and H = ∂²{plain.name}/∂{z.name}².",)
    if beside:
        notes += (f"Terms beside {z.name} contribute their whole Hessian.",)
    return Product(expression, "gauss_newton_vp", made, vs, (*notes, *conventions(plain, names)))


def _whole_hessian(
    beside: tuple[Expr, ...], f: Expression, names: list[str], vs: dict[str, Symbol]
) -> dict[str, Expr | None]:
    """The Hessian of a sum of terms times the direction."""
    gradients = gradients_of(Expression(add(*beside), f.inputs, free_name(f)), names)
    found = tangents([gradients[n].root for n in names], {f.symbols[n]: v for n, v in vs.items()}, f.name, {})
    return {n: None if is_zero(e) else e for n, e in zip(names, found, strict=True)}


def loss_of_output(f: Any, x: str | Iterable[str] | None = None) -> tuple[Expression, Symbol]:
    """ℓ as a function of the model's output z, an input of the same name: f without the terms beside z."""
    expression, names = function_and_names(f, x)
    prepared = prepare(expression)
    z, beside = cut(prepared, [expression.symbols[n] for n in names], None)
    return _of_output(expression, prepared, z, beside)


def _of_output(f: Expression, prepared: Prepared, z: Named, beside: tuple[Expr, ...]) -> tuple[Expression, Symbol]:
    output = symbol(z.name, z.shape)
    return Expression(substitute(without(prepared.root, beside), {z: output}), (*f.inputs, output), f.name), output


def cut(prepared: Prepared, variables: list[Symbol], through: str | None) -> tuple[Named, tuple[Expr, ...]]:
    """The intermediate that separates the function from the variables, and the terms of the function beside it.

    A term stands beside it if it uses the variables and not the intermediate: a penalty on the weights.
    """
    if through is not None:
        found = next((u for u in prepared.units if u.name == through), None)
        if found is None:
            raise ParseError(
                f"no intermediate is called {through}",
                f"intermediates: {', '.join(u.name for u in prepared.units) or 'none'}",
            )
        beside = _beside(prepared.root, found, variables)
        if beside is None:
            raise ParseError(
                f"the function depends on {', '.join(v.name for v in variables)} not only through {through}"
            )
        return found, beside
    ways = [(u, _beside(prepared.root, u, variables)) for u in _using_all(prepared, variables)]
    for unit, beside in [w for w in ways if w[1] == ()] + [w for w in ways if w[1] and w[0].ndim]:
        if beside is not None:
            return unit, beside
    raise ParseError(
        "no intermediate separates the function from the variables, so the model's output is not known",
        "name it: write `Z = ...` on a line of its own and pass through='Z'",
    )


def _using_all(prepared: Prepared, variables: list[Symbol]) -> list[Named]:
    """The intermediates that depend on every variable."""
    used = {v: 1 << k for k, v in enumerate(variables)}  # sets as bits: networks have many parameters
    below: dict[Expr, int] = {}
    for node in topological([prepared.root]):
        below[node] = used.get(node, 0) if isinstance(node, Symbol) else 0
        for child in node.children:
            below[node] |= below[child]
    return [u for u in prepared.units if below.get(u) == (1 << len(variables)) - 1]


def _terms(root: Expr) -> list[Expr]:
    """The terms of a scalar; of a multiple of a sum, the multiples of its terms."""
    match root:
        case Sum(terms):
            return [scale(c, t) for c, t in terms]
        case Contraction(factors=((Sum(terms), (), power),)) if power == 1:
            return [scale(root.coefficient.times(c), t) for c, t in terms]
    return [root]


def without(root: Expr, beside: tuple[Expr, ...]) -> Expr:
    """The function without some of its terms."""
    return add(*(t for t in _terms(root) if t not in beside)) if beside else root


def _beside(root: Expr, unit: Named, variables: list[Symbol]) -> tuple[Expr, ...] | None:
    """The terms of the function that use the variables and not the unit; None where one uses both."""
    beside = []
    for term in _terms(root):
        if _reaches(term, unit, variables):
            if unit in topological([term]):
                return None
            beside.append(term)
    return tuple(beside)


def _reaches(root: Expr, unit: Named, variables: list[Symbol]) -> bool:
    """Whether a variable reaches a node without passing the unit."""
    seen: set[Expr] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in seen or node is unit:
            continue
        seen.add(node)
        stack.extend(node.children)
    return any(v in seen for v in variables)

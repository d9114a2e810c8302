"""The diagonal of the Gauss–Newton matrix of a network: square roots of the loss's curvature, carried back once each.

With the curvature of sample b's loss in the output, M_b = Σ_c s_cb s_cbᵀ, the Gauss–Newton matrix is the sum of
(Jᵀs_cb)(Jᵀs_cb)ᵀ over b and c; each Jᵀs_cb has the outer-product structure of a gradient, so that the
diagonal is a sum of (H²)ᵀ (Δ_c²).

Source: Dangel, Kunstner and Hennig (2020), BackPACK, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.errors import MissingRuleError
from byhand.expr.contraction import P1, Label, add, contract
from byhand.expr.dims import Dim
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Symbol, named, symbol
from byhand.rules.kronecker import kronecker_terms
from byhand.rules.simplify import Simplifier
from byhand.second.accumulate import Jacobians
from byhand.second.gauss_newton import cut, without
from byhand.second.products import fresh_symbol
from byhand.second.run import compiled

if TYPE_CHECKING:
    from byhand.second.persample import PerSample

Array = Any
LEADING: tuple[Label, ...] = ("root",)


def gauss_newton_diagonal(p: PerSample) -> Callable[..., dict[str, Array]]:
    """callable(**arrays) -> {parameter: diagonal in its shape}."""
    variables = [p.f.symbols[n] for n in p.parts]
    z, beside = cut(p.prepared, variables, None)
    blocks = curvature_blocks(p, z, beside)
    k = z.shape[1]
    roots = fresh_symbol("S", contract([], "cbk", dims={"c": k, "b": z.shape[0], "k": k}), p.f)
    deltas = carried(p, z, roots, variables)
    nodes: dict[str, Expr] = {}
    for n, part in p.parts.items():
        t = part.term
        delta = deltas[n]
        factors = [(delta, ("root", *t.out), 2 * P1), *((f, ls, 2 * q) for f, ls, q in t.factors)]
        c = t.coefficient.power(2 * P1)
        assert c is not None
        nodes[n] = contract(factors, t.labels, c, t.dims | {"root": k})
    e = Expression(next(iter(nodes.values())), (*p.f.inputs, roots))
    blocks_of = compiled({"blocks": blocks}, p.f)
    diagonals = compiled(nodes, e)

    def run(**arrays: Any) -> dict[str, Array]:
        found = diagonals(**arrays, **{roots.name: square_roots(blocks_of(**arrays))})
        return found if isinstance(found, dict) else {next(iter(nodes)): found}

    return run


def curvature_blocks(p: PerSample, z: Named, beside: tuple[Expr, ...] = ()) -> Expr:
    """∂²f/∂z_b∂z_b of every sample, of shape (N, k, k); the terms beside z are left out.

    Raises: MissingRuleError: the loss couples the samples.
    """
    from byhand.second.hessian import hessian

    output = symbol(z.name, z.shape)
    loss = Expression(substitute(without(p.prepared.root, beside), {z: output}), (*p.f.inputs, output), p.f.name)
    h = hessian(loss, output.name)
    terms = kronecker_terms(h.node)
    node = None if terms is None else blocks_node(terms, z)
    if node is None:
        raise MissingRuleError("the curvature of the loss is not one block per sample")
    return substitute(node, {output: z})


def blocks_node(terms: list[Any], z: Named) -> Expr | None:
    """The blocks that a sum of Kronecker terms stands for, where each is block diagonal over samples."""
    n, k = z.shape
    parts = []
    for t in terms:
        if t.kind == "blocks":
            block: Expr = contract([(t.scalar, (), P1), (t.right, "bij", P1)], "bij", dims={"b": n, "i": k, "j": k})
        elif t.kind == "kronecker" and t.batch is None and _diagonal(t.left, z.shape[0]):
            left = contract([(t.left, "bb", P1)], "b")
            factors = [(t.scalar, (), P1), (left, "b", P1), (t.right, "ij", P1)]
            factors += [(s, pair, P1) for s, pair in ((t.rows, "bi"), (t.columns, "bj")) if s is not None]
            block = contract(factors, "bij", dims={"b": n, "i": k, "j": k})
        else:
            return None
        parts.append(block)
    return add(*parts)


def _diagonal(left: Expr, n: Dim) -> bool:
    from byhand.expr.nodes import Contraction

    return isinstance(left, Contraction) and left.ndim == 2 and left.out[0] == left.out[1]


def carried(p: PerSample, z: Named, roots: Symbol, variables: list[Symbol]) -> dict[str, Expr]:
    """For each parameter, the adjoints of its layer for every column of the square roots: shape (k, N, units)."""
    reading = Jacobians(p.prepared, variables[0], p.f.name)
    accumulation = reading.accumulation
    from byhand.second.products import depending

    accumulation.wrt = list(variables)
    accumulation.active = depending([p.prepared.root], variables)
    simplifier = Simplifier(fold=p.prepared.fold)
    sizes: dict[Label, Dim] = {"root": roots.shape[0]}
    parts: dict[Expr, list[Expr]] = {z: [roots]}
    found: dict[str, Expr] = {}
    for unit in [u for u in reversed(p.prepared.units) if u in accumulation.active]:
        if unit not in parts:
            continue
        total = simplifier.normal(add(*parts[unit]))
        if total is not roots:
            total = named(accumulation.fresh(f"S_{unit.name}"), total)
        for t in accumulation.expand(unit.body)[0]:
            if isinstance(t.child, Symbol):
                found[t.child.name] = total
            else:
                parts.setdefault(t.child, []).append(t.adjoint(total, LEADING, sizes))
    return found


def square_roots(blocks: Array) -> Array:
    """S of shape (k, N, k) with Σ_c S[c, b, i] S[c, b, j] = blocks[b, i, j]; negative curvature is cut off."""
    values, vectors = np.linalg.eigh(blocks)
    scaled = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return np.ascontiguousarray(np.moveaxis(scaled, 2, 0))

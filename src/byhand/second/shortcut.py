"""The tensor behind a shortcut: the local derivative with all axes, the contraction that collapses it, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from byhand.derive.derivation import derive
from byhand.expr.dims import dim_names, dim_value
from byhand.expr.expression import as_expression
from byhand.expr.nodes import Symbol
from byhand.notation import typeset as ts
from byhand.notation.index import free_letters, index_math
from byhand.notation.jacobian import by_child, local_jacobian
from byhand.notation.kronecker import jacobian_math
from byhand.notation.text import to_text
from byhand.notation.writer import Writer
from byhand.rules.simplify import Simplifier

__all__ = ["shortcut"]


def shortcut(f: Any, x: str, sizes: Mapping[str, int] | None = None) -> str:
    """For each intermediate z that uses x: ∂z/∂x with all its axes, what ∂L/∂z · ∂z/∂x collapses to, and the cost.

    Args:
        f: a scalar `Expression` or a network.
        x: the name of an input.
        sizes: dimension -> size, for the counts.
    """
    d = derive(as_expression(f), x)
    w = Writer(d, indices=True)
    lines = []
    for u in d.units:
        if isinstance(u.node, Symbol) or u.node is d.prepared.root:
            continue
        for child, records in by_child(u).items():
            if not isinstance(child, Symbol):
                continue
            tensor = Simplifier(facts=True, fold=d.prepared.fold).normal(local_jacobian([r.term for r in records]))
            letters = free_letters(w.style, tensor.ndim)
            out, inner = letters[: u.node.ndim], letters[u.node.ndim :]
            left = ts.Partial(w.name(u.node, out), w.name(child, inner))
            lines.append(f"{to_text(left)} = {to_text(index_math(tensor, w.style, letters))}")
            matrix = jacobian_math(tensor, u.node.ndim, w.style)
            if matrix is not None and matrix[1]:
                lines.append(f"  as a matrix (row-major vec): {to_text(matrix[0])}")
            adjoint = ts.Partial(w.function_name, w.name(u.node, out))
            chain = ts.BigSum(tuple(out), ts.Product((adjoint, left))) if out else ts.Product((adjoint, left))
            contribution = index_math(records[0].contribution, w.style, inner) if len(records) == 1 else None
            goal = ts.Partial(w.function_name, w.name(child, inner))
            collapsed = f" = {to_text(contribution)}" if contribution is not None else ""
            lines.append(f"  {to_text(goal)} = {to_text(chain)}{collapsed}")
            kept = [f.shape for r in records for f, _, _ in r.term.factors] + [u.node.shape]
            lines.append(f"  {_cost(tensor.shape, kept, sizes)}")
    return "\n".join(lines) + "\n"


def _cost(tensor: Any, kept: list[Any], sizes: Mapping[str, int] | None) -> str:
    """k·h·k numbers against h + k."""
    whole = "·".join(map(str, tensor))
    parts = " + ".join("·".join(map(str, s)) or "1" for s in kept)
    words = f"the tensor holds {whole} numbers; the shortcut holds {parts}"
    names = {n for s in (tensor, *kept) for size in s for n in dim_names(size)}
    if sizes is not None and names <= set(sizes):
        big = prod(dim_value(n, sizes) for n in tensor)
        small = sum(prod(dim_value(n, sizes) for n in s) for s in kept)
        words += f": {big} against {small}"
    return words + "."

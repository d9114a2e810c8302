"""Paths and dependencies as text."""

from __future__ import annotations

import itertools

from byhand.expr.nodes import Expr
from byhand.notation.index import index_math
from byhand.notation.kronecker import jacobian_math
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.second.paths import ChainRule, Path


def chain_rule_text(c: ChainRule) -> str:
    """One line per path, the rule, the sum, and whether one path would do."""
    reserved = frozenset(n for n in (*c.f.symbols, *c.f.dimension_names) if len(n) == 1)
    style = Style(reserved=reserved, sized_ones=False)
    if not c.paths:
        return f"There is no path from {c.x.name} to {c.f.name}: the derivative is zero."
    walks = [str(p) for p in c.paths]
    width = max(map(len, walks))
    lines = [
        f"{w:<{width}}    {_product(p)} = {_shown(p.contribution.root, c, style)}"
        for w, p in zip(walks, c.paths, strict=True)
    ]
    lines.append(f"{len(c.paths)} path{'s' * (len(c.paths) > 1)}: {c.rule}")
    letter = "d" if c.f.ndim == c.x.ndim == 0 else "∂"
    lines.append(f"{letter}{c.f.name}/{letter}{c.x.name} = {_shown(c.total.root, c, style)}")
    if len(c.paths) > 1:
        lines.append("One path alone is not the derivative.")
    return "\n".join(lines)


def _product(p: Path) -> str:
    """∂f/∂u · ∂u/∂x."""
    names = p.names[::-1]
    if len(names) == 2:
        return f"∂{names[0]}/∂{names[1]} directly"
    return " · ".join(f"∂{a}/∂{b}" for a, b in itertools.pairwise(names))


def _shown(node: Expr, c: ChainRule, style: Style) -> str:
    found = jacobian_math(node, c.f.ndim, style)
    return to_text(found[0] if found is not None else index_math(node, style))

"""Paths and dependencies as text."""

from __future__ import annotations

from byhand.notation import typeset as ts
from byhand.notation.names import Names
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.second.explain import links, path_style, shown, walk
from byhand.second.paths import ChainRule


def chain_rule_text(c: ChainRule) -> str:
    """One line per path, the rule, the sum, and whether one path would do."""
    style = path_style(c)
    x, f = ts.Name(c.x.name), ts.Name(c.f.name)
    equations = [ts.Relation("=", links(p), shown(p.contribution.root, c, style)) for p in c.paths]
    total = shown(c.total.root, c, style)
    names = Names([x, f, total, *equations], c.f.dimension_names)

    def text(m: Math) -> str:
        return to_text(m, names=names)

    if not c.paths:
        return f"There is no path from {text(x)} to {text(f)}: the derivative is zero."
    walks = ["".join(w if isinstance(w, str) else text(w) for w in walk(p)) for p in c.paths]
    width = max(map(len, walks))
    lines = [
        f"{w:<{width}}    " + (text(e) if len(p.names) > 2 else text(e).replace(" = ", " directly = ", 1))
        for w, e, p in zip(walks, equations, c.paths, strict=True)
    ]
    lines.append(f"{len(c.paths)} path{'s' * (len(c.paths) > 1)}: {c.rule}")
    letter = "d" if c.f.ndim == c.x.ndim == 0 else "∂"
    lines.append(f"{letter}{text(f)}/{letter}{text(x)} = {text(total)}")
    if len(c.paths) > 1:
        lines.append("One path alone is not the derivative.")
    return "\n".join(lines)

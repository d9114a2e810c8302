"""The tensor behind a shortcut: the local derivative with all axes, the contraction that collapses it, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from byhand.derive.derivation import Derivation, derive
from byhand.derive.record import TermRecord, Unit
from byhand.expr.dims import dim_names, dim_value
from byhand.expr.expression import as_expression
from byhand.expr.nodes import Symbol
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section
from byhand.notation.index import free_letters, index_math
from byhand.notation.jacobian import by_child, local_jacobian
from byhand.notation.kronecker import jacobian_math
from byhand.notation.render import names_of
from byhand.notation.text import to_text
from byhand.notation.writer import Writer
from byhand.rules.simplify import Simplifier

__all__ = ["shortcut", "shortcut_sections"]


def shortcut(f: Any, x: str, sizes: Mapping[str, int] | None = None) -> str:
    """For each intermediate z that uses x: ∂z/∂x with all its axes, what ∂L/∂z · ∂z/∂x collapses to, and the cost.

    Args:
        f: a scalar `Expression` or a network.
        x: the name of an input.
        sizes: dimension -> size, for the counts.
    """
    lines = []
    d = derive(as_expression(f), x)
    sections = shortcut_sections(d, sizes)
    names = names_of(Document((), (), (), sections, tuple(d.f.dimension_names)))
    for section in sections:
        for k, line in enumerate(section.lines):
            sides = [*([line.left] if line.left else []), *(p.math for p in line.parts)]
            shown = [to_text(m, names=names) for m in sides]
            rule = line.parts[0].rule
            lines.append(("  " if k else "") + (f"{rule}: {shown[-1]}" if rule else " = ".join(shown)))
        lines += [f"  {w}" for w in section.words]
    return "\n".join(lines) + "\n"


def shortcut_sections(d: Derivation, sizes: Mapping[str, int] | None = None) -> tuple[Section, ...]:
    """The same for every variable of a derivation, as sections of a document."""
    w = Writer(d, indices=True)
    found = []
    for u in d.units:
        if isinstance(u.node, Symbol) or u.node is d.prepared.root:
            continue
        for child, records in by_child(u).items():
            if isinstance(child, Symbol) and child in d.variables:
                found.append(_section(d, w, u, child, records, sizes))
    return tuple(found)


def _section(
    d: Derivation, w: Writer, u: Unit, child: Symbol, records: list[TermRecord], sizes: Mapping[str, int] | None
) -> Section:
    tensor = Simplifier(facts=True, fold=d.prepared.fold).normal(local_jacobian([r.term for r in records]))
    letters = free_letters(w.style, tensor.ndim)
    out, inner = letters[: u.node.ndim], letters[u.node.ndim :]
    left = ts.Partial(w.name(u.node, out), w.name(child, inner))
    lines = [Line(left, (Part(index_math(tensor, w.style, letters)),))]
    matrix = jacobian_math(tensor, u.node.ndim, w.style)
    if matrix is not None and matrix[1]:
        stacked = ts.Partial(*(ts.Vec(w.name(n)) if n.ndim > 1 else w.name(n) for n in (u.node, child)))
        lines.append(Line(stacked, (Part(matrix[0], "as a matrix (row-major vec)"),)))
    adjoint = ts.Partial(w.function_name, w.name(u.node, out))
    chain = ts.BigSum(tuple(out), ts.Product((adjoint, left))) if out else ts.Product((adjoint, left))
    parts = [Part(chain)]
    if len(records) == 1:
        parts.append(Part(index_math(records[0].contribution, w.style, inner)))
    lines.append(Line(ts.Partial(w.function_name, w.name(child, inner)), tuple(parts)))
    kept = [f.shape for r in records for f, _, _ in r.term.factors] + [u.node.shape]
    title = ("The tensor behind the shortcut: ", ts.Name(u.name), " by ", ts.Name(child.name))
    return Section(title, tuple(lines), (_cost(tensor.shape, kept, sizes),))


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

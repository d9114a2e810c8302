"""Products with derivatives printed: the intermediates in order of computation, then the products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.expr.dims import show_shape
from byhand.expr.nodes import Named, topological
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section
from byhand.notation.names import unused
from byhand.notation.orientation import row_vectors
from byhand.notation.show import definitions, node_math
from byhand.notation.style import Style
from byhand.notation.typeset import Math
from byhand.second.domain import holds

if TYPE_CHECKING:
    from byhand.second.products import Product

TITLES = {
    "hvp": "Hessian times a direction",
    "jvp": "Jacobian times a direction",
    "vjp": "Transposed Jacobian times a vector",
    "gauss_newton_vp": "Gauss–Newton matrix times a direction",
}


def document(p: Product) -> Document:
    """The product as a document."""
    roots = [e.root for e in p.expressions.values()]
    order = topological(roots)
    symbols = dict.fromkeys((*p.f.symbols.values(), *p.directions.values()))
    named = (n.name for n in order if isinstance(n, Named))
    reserved = frozenset({*(s.name for s in symbols), *p.f.dimension_names, p.f.name, *named})
    style = Style(row_vectors(roots), reserved=reserved, all_rows=p.f.vectors_as_rows)

    lines = definitions(roots, style)
    results = [
        Line(_left(p, n, reserved), (Part(node_math(e.root, style)),), show_shape(e.shape), kind="result", unit=n)
        for n, e in p.expressions.items()
    ]
    sections = ([Section("Where", lines)] if lines else []) + [Section("Result", tuple(results))]
    given: list[str | Math] = []
    for s in symbols:
        given += ["   " if given else "", ts.Name(s.name), f" {show_shape(s.shape)}"]
    title = (f"{TITLES[p.kind]}: ", ts.Name(p.f.name), " with respect to ", *_listed(_variables(p)))
    return Document(title, tuple(given), (*holds(p.f), *p.notes), tuple(sections), tuple(p.f.dimension_names))


def _listed(names: list[str]) -> list[str | Math]:
    found: list[str | Math] = []
    for n in names:
        found += [", ", ts.Name(n)] if found else [ts.Name(n)]
    return found


def _variables(p: Product) -> list[str]:
    return list(p.directions) if p.kind != "vjp" else list(p.expressions)


def _left(p: Product, name: str, taken: frozenset[str]) -> Math:
    matrix = ts.Name(unused({"hvp": "H", "gauss_newton_vp": "G"}.get(p.kind, "J"), taken))
    if p.kind == "vjp":
        return ts.Product((ts.Transpose(matrix), ts.Name(next(iter(p.directions.values())).name)))
    vector = next(iter(p.directions.values())).name if len(p.directions) == 1 else unused("v", taken)
    m: Math = ts.Product((matrix, ts.Name(vector)))
    return m if len(p.expressions) == 1 else ts.Slice(ts.Bracketed(m), f"[{name}]")

"""A network shown: a table of its layers, and what each computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.code.counting import formula, plus, size
from byhand.expr.dims import Dim, Dimension, show_shape
from byhand.notation import typeset as ts
from byhand.notation.blocks import Document, Line, Part, Section
from byhand.notation.orientation import row_vectors
from byhand.notation.render import document_html
from byhand.notation.show import definitions, node_math
from byhand.notation.style import Style
from byhand.notation.typeset import Math
from byhand.views import row_html, table_html, view_html

if TYPE_CHECKING:
    from byhand.nets.mlp import MLP

_HEADS = ("layer", "units", "activation", "parameters", "numbers")


def network_html(net: MLP) -> str:
    """A network as HTML: its layers as a table, its formulas as MathML."""
    rows = []
    total: Dim = 0
    for layer in net.layers:
        count = plus(size(p.shape) for p in layer.parameters)
        total = plus([total, count])
        parameters = ", ".join(f"{p.name} {show_shape(p.shape)}" for p in layer.parameters)
        units = f"{layer.inputs} → {layer.outputs}"
        rows.append(row_html((layer.linear, units, layer.activation, parameters, _counted(count))))
    rows.append(row_html(("", "", "", "", _counted(total)), "total"))
    return view_html(table_html(_HEADS, rows), document_html(network_document(net)))


def network_document(net: MLP) -> Document:
    """The intermediates in order of computation, and the loss."""
    f = net.expression
    style = Style(row_vectors([f.root]), reserved=frozenset({*f.symbols, *f.dimension_names}), sized_ones=False)
    value = Line(
        ts.Name(f.name), (Part(node_math(f.root, style)),), show_shape(f.shape), kind="definition", unit=f.name
    )
    given: list[str | Math] = []
    for s in f.symbols.values():
        given += ["   " if given else "", ts.Name(s.name), f" {show_shape(s.shape)}"]
    lines = (*definitions([f.root], style), value)
    return Document(("Network ", "-".join(map(str, net.sizes))), tuple(given), f.notes, (Section("Forward", lines),))


def _counted(n: Dim) -> str:
    return formula(n) if isinstance(n, Dimension) else f"{n:,}"


__all__ = ["network_document", "network_html"]

"""Which vectors print as rows: those that only ever stand beside rows (a bias added to each sample), and forms of them."""

from __future__ import annotations

from collections.abc import Iterable

from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Sum, Symbol, topological
from byhand.notation.style import Style
from byhand.rules.forms import Form


def row_vectors(roots: Iterable[Expr]) -> frozenset[Expr]:
    """Vectors (inputs and named intermediates) that are used as rows only."""
    order = topological(roots)
    as_row: dict[Expr, set[bool]] = {}
    for node in reversed(order):
        for child, row in _uses(node, as_row.get(node, set())):
            as_row.setdefault(child, set()).add(row)
    return frozenset(
        n for n, uses in as_row.items() if isinstance(n, (Symbol, Named)) and n.ndim == 1 and uses == {True}
    )


def _uses(node: Expr, own: set[bool]) -> list[tuple[Expr, bool]]:
    """Each vector among the children, and whether the node uses it as a row."""
    passed_on = own == {True}
    match node:
        case Contraction():
            uses = []
            for factor, labels, _ in node.factors:
                if factor.ndim != 1:
                    continue
                if node.ndim == 2 and labels[0] == node.out[1] != node.out[0]:
                    if all(node.out[0] not in ls for _, ls, _ in node.factors):  # repeated for each row
                        uses.append((factor, True))  # an outer product or scaled columns tell nothing
                elif node.ndim == 2 and labels[0] == node.out[0]:
                    uses.append((factor, False))
                else:
                    alone = (
                        node.ndim == 1 and labels == node.out and all(ls in ((), labels) for _, ls, _ in node.factors)
                    )
                    uses.append((factor, passed_on and alone))
            return uses
        case Sum() | Elementwise() | Named():
            return [(c, passed_on) for c in node.children if c.ndim == 1]
        case _:
            return [(c, False) for c in node.children if c.ndim == 1]


def is_row(form: Form, s: Style) -> bool:
    """Whether a vector is printed as a row anyway."""
    if form.rank != 1 or s.all_rows:
        return form.rank == 1
    if form.kind == "name":
        return form.data in s.rows
    if form.kind in ("differential", "function", "power", "hadamard", "sum", "operation"):
        return any(is_row(a, s) for a in form.args)
    return form.kind == "scaled" and form.data.has_core and is_row(form.args[-1], s)

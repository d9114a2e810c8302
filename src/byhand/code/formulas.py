"""The mathematics beside the statements of a program: what each computes, in matrix notation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from byhand.expr.indexmaps import as_slice, is_map
from byhand.expr.nodes import Expr, Structured, topological
from byhand.notation import typeset as ts
from byhand.notation.matrix import matrix_math
from byhand.notation.names import Names
from byhand.notation.orientation import row_vectors
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.rules.forms import NoMatrixForm


class Formulas:
    """What the statements of one program compute.

    Args:
        roots: of the function, whose use of vectors decides which are rows.
        value: what is differentiated.
        adjoints: node -> the name of what it is the adjoint of; it prints as ∂value/∂name.
        all_rows: whether every vector prints as a row.
    """

    def __init__(
        self, roots: Iterable[Expr], value: str = "", adjoints: Mapping[Expr, str] | None = None, all_rows: bool = False
    ) -> None:
        self.value = ts.Name(value)
        labels = {a: self.partial(name) for a, name in (adjoints or {}).items()}
        self.style = Style(row_vectors(roots), labels, all_rows=all_rows)

    def partial(self, name: str) -> Math:
        """∂value/∂name."""
        return ts.Partial(self.value, ts.Name(name))

    def of_node(self, node: Expr, of: Expr | None = None) -> Math | None:
        """A node, where it has matrix notation; `of` is what it is the adjoint of."""
        turned = node.ndim == 1 and (self.style.all_rows or of in self.style.rows)
        try:
            return matrix_math(node, self.style, turned)
        except NoMatrixForm:
            return None

    def of_part(self, node: Expr) -> Math | None:
        """What a part of a right-hand side came from, where it has matrix notation."""
        constants = [n for n in topological([node], into_named=False) if isinstance(n, Structured)]
        if any(n.operation == "triangle" or (is_map(n) and as_slice(n) is None) for n in constants):  # a slice has
            return None
        return self.of_node(node)


def written_out(math: Math, meanings: Mapping[str, Math]) -> Math:
    """The mathematics with names replaced by what they stood for."""
    return _replaced(math, {ts.Name(name): meaning for name, meaning in meanings.items()})


def _replaced(math: Math, names: Mapping[Math, Math]) -> Math:
    def change(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(change, value))
        return _replaced(value, names) if isinstance(value, Math) else value

    if math in names:
        return names[math]
    return replace(math, **{f.name: change(getattr(math, f.name)) for f in fields(math)})


def as_text(math: Math, page: Names, left: Math | None = None) -> str:
    """The mathematics as text, after `left =` where there is a left-hand side."""
    return to_text(ts.Relation("=", left, math) if left is not None else math, names=page)


__all__ = ["Formulas", "as_text", "written_out"]

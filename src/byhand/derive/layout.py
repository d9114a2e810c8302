"""Layouts: the four conventions of samples and weights, converted by one change of variables.

A layout says whether samples are rows or columns and whether a weight matrix is (inputs, outputs) or (outputs, inputs).
Converting replaces every matrix that stands the other way by the transpose of a new one, and every intermediate
likewise; the gradient of the new matrix is then the transpose of the old gradient by the ordinary rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from byhand.arguments import shown
from byhand.errors import ParseError, nearest
from byhand.expr.contraction import transpose
from byhand.expr.dims import Dim, show_shape
from byhand.expr.expression import Expression, rebuild
from byhand.expr.nodes import Contraction, Expr, Named, Symbol, named, symbol, topological


@dataclass(frozen=True, slots=True)
class Layout:
    """Whether samples are columns, and whether weights are (outputs, inputs)."""

    name: str
    words: str
    columns: bool
    outputs_first: bool


LAYOUTS: dict[str, Layout] = {
    row.name: row
    for row in (
        Layout("rows", "samples are rows, W is (inputs, outputs): Z = X W + 1 b", False, False),
        Layout("rows-outputs-first", "samples are rows, W is (outputs, inputs): Z = X Wᵀ + 1 b", False, True),
        Layout("columns", "samples are columns, W is (outputs, inputs): Z = W X + b 1ᵀ", True, True),
        Layout("columns-inputs-first", "samples are columns, W is (inputs, outputs): Z = Wᵀ X + b 1ᵀ", True, False),
    )
}


_TURNED = {"simplexrows": "simplexcolumns", "simplexcolumns": "simplexrows", "one_hot": "01"}


def relayout(f: Expression, layout: str) -> Expression:
    """The same function, its matrices standing as the layout says; f stands in the layout `rows`.

    Raises: ParseError: an unknown layout, or a function whose samples cannot be told from its weights, or
        whose weights stand the other way.
    """
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise ParseError(
            f"unknown layout {shown(layout)}{nearest(layout, list(LAYOUTS))}",
            *(f"{x.name}: {x.words}" for x in LAYOUTS.values()),
        )
    wanted = LAYOUTS[layout]
    batch = batch_dimension(f)
    if layout != "rows":
        _need_inputs_first(f, batch)

    def turns(node: Expr) -> bool:
        if node.ndim != 2:
            return False
        return wanted.columns if batch is not None and node.shape[0] == batch else wanted.outputs_first

    done: dict[Expr, Expr] = {}
    inputs: dict[str, Symbol] = {}
    for node in topological([f.root]):
        match node:
            case Symbol(name) if turns(node):
                new = symbol(name, node.shape[::-1], frozenset(_TURNED.get(a, a) for a in node.assumptions))
                inputs[name] = new
                done[node] = transpose(new)
            case Named(name, body) if turns(node):
                done[node] = transpose(named(name, transpose(done[body])))
            case _:
                done[node] = node if all(done[c] is c for c in node.children) else rebuild(node, done)
    order = tuple(inputs.get(s.name, s) for s in f.inputs)
    samples = "" if batch is None else f"; {batch} counts the samples"
    note = f"Layout {wanted.name}: {wanted.words}{samples}."
    return Expression(
        done[f.root],
        order,
        f.name,
        (*f.notes, note),
        vectors_as_rows=batch is None and not wanted.columns,
        order=f.order,
    )


def _need_inputs_first(f: Expression, batch: Dim | None) -> None:
    """No weight may be written (outputs, inputs), as in A @ x or X @ A.T.

    Raises: ParseError: one is.
    """
    for node in topological([f.root]):
        if isinstance(node, Contraction):
            for factor, labels, _ in node.factors:
                if not (isinstance(factor, Symbol) and factor.ndim == 2) or factor.shape[0] == batch:
                    continue
                if labels[0] in node.out and labels[1] not in node.out:
                    a = factor.name
                    raise ParseError(
                        f"{a} {show_shape(factor.shape)} is written as (outputs, inputs); a layout is converted from "
                        f"(inputs, outputs)",
                        f"write x @ {a} for {a} @ x, X @ {a} for X @ {a}.T, with {a} {show_shape(factor.shape[::-1])}",
                    )


def batch_dimension(f: Expression) -> Dim | None:
    """The dimension that counts samples: a first axis that is never a second axis and never multiplied away.

    Returns: None for a function of a single sample.
    Raises: ParseError: several dimensions could be meant.
    """
    matrices = [s for s in f.symbols.values() if s.ndim == 2]
    seconds = {s.shape[1] for s in matrices}
    gone = _multiplied_away(f.root)
    found = list(dict.fromkeys(s.shape[0] for s in matrices if s.shape[0] not in seconds and s.shape[0] not in gone))
    if len(found) > 1:
        raise ParseError(f"which of {', '.join(map(str, found))} counts the samples? A layout needs one such dimension")
    return found[0] if found else None


def _multiplied_away(root: Expr) -> set[Dim]:
    """Dimensions that a matrix product sums over: factors that share the label but not all of their labels."""
    gone: set[Dim] = set()
    for node in topological([root]):
        if isinstance(node, Contraction):
            for label, size in enumerate(node.dims):
                labels = {frozenset(ls) for _, ls, _ in node.factors if label in ls}
                if label not in node.out and len(labels) > 1:
                    gone.add(size)
    return gone

"""Derivatives written out: every entry of a Jacobian or gradient, in symbols or in numbers; and what the tensors cost.

Entries are numbered from one, as in the books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np

from byhand.errors import ParseError
from byhand.expr.dims import Coefficient, Dim, dim_names, dim_value
from byhand.expr.expression import Expression, as_expression
from byhand.expr.nodes import Constant, Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol
from byhand.notation import typeset as ts
from byhand.notation.algebra import RELATIONS, quotient
from byhand.notation.blocks import Line, Part, Section
from byhand.notation.latex import to_latex
from byhand.notation.names import Names
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.second.result import Jacobian

MOST_ENTRIES = 2000
_ZERO, _ONE = ts.Number(Fraction(0)), ts.Number(Fraction(1))


@dataclass(frozen=True)
class Table:
    """An array written out as rows and columns.

    Attributes:
        title: what it is, with its size.
        entries: mathematics, or numbers as text, by row and column.
        rows, columns: what each row and column stands for.
    """

    title: str
    entries: tuple[tuple[Math, ...], ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]

    def text(self) -> str:
        """Columns of equal width with headings."""
        names = Names(m for row in self.entries for m in row)
        shown = [[to_text(m, names=names) for m in row] for row in self.entries]
        cells = [["", *self.columns], *([r, *row] for r, row in zip(self.rows, shown, strict=True))]
        widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
        return "\n".join(
            [self.title, *("  ".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)]
        )

    def section(self) -> Section:
        """A section of a document: the entries as a matrix, what its rows and columns stand for in words."""
        words = [f"Rows: {_listed(self.rows)}."] if any(self.rows) else []
        words += [f"Columns: {_listed(self.columns)}."] if any(self.columns) else []
        return Section(f"Written out: {self.title}", (Line(None, (Part(ts.Matrix(self.entries)),)),), tuple(words))

    def latex(self) -> str:
        """A bmatrix."""
        return to_latex(ts.Matrix(self.entries))

    def __str__(self) -> str:
        return self.text()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 8 else f"{', '.join(names[:3])}, ..., {names[-1]}"


def written_out(
    derivative: Jacobian | Expression | Any, sizes: Mapping[str, int] | None = None, style: str = "text", **arrays: Any
) -> str:
    """Every entry of a derivative: a table with a row per output entry and a column per input entry.

    Args:
        derivative: a Jacobian, a Hessian, or an expression (a gradient) of at most two axes.
        sizes: dimension -> size; taken from the arrays where these are given.
        style: "text" or "latex" for formulas, "numeric" for numbers (arrays needed).
        arrays: the inputs.
    Raises: ParseError: an unknown style, a missing size, or more than 2000 entries.
    """
    table = table_of(derivative, sizes, style == "numeric", **arrays)
    if style not in ("text", "latex", "numeric"):
        raise ParseError(f"unknown style {style!r}", "known: text, latex, numeric")
    return table.latex() if style == "latex" else table.text()


def table_of(derivative: Any, sizes: Mapping[str, int] | None = None, numeric: bool = False, **arrays: Any) -> Table:
    """The table behind `written_out`."""
    if isinstance(derivative, Jacobian):
        e, rows, row_name = derivative.expression, derivative.rows, derivative.f.name
        column_name = derivative.wrt[-1].name
        row_name = derivative.wrt[0].name if derivative.kind == "Hessian" else row_name
        if derivative.layout == "denominator":
            rows, row_name, column_name = e.ndim - rows, column_name, row_name
        title = f"{derivative.kind} {e.name}"
    else:
        e = as_expression(derivative)
        rows, row_name, column_name, title = (1 if e.ndim == 2 else 0), "", "", e.name
    known = dict(sizes or {})
    for name, a in arrays.items():
        for d, n in zip(e.symbols[name].shape if name in e.symbols else (), np.shape(a), strict=False):
            known.setdefault(str(d), n)
    lengths = [_length(d, known) for d in e.shape]
    if prod(lengths) > MOST_ENTRIES:
        raise ParseError(f"{prod(lengths)} entries: at most {MOST_ENTRIES} are written out, choose smaller sizes")
    values = np.asarray(e(**{n: a for n, a in arrays.items() if n in e.symbols})) if numeric else None
    top, bottom = lengths[:rows], lengths[rows:]
    table = []
    for i in product(*map(range, top)):
        row = []
        for j in product(*map(range, bottom)):
            row.append(
                ts.Text(f"{values[(*i, *j)]:.4g}") if values is not None else entry_math(e.root, (*i, *j), known)
            )
        table.append(tuple(row))
    size = f"{'·'.join(map(str, top)) or 1} × {'·'.join(map(str, bottom)) or 1}"
    heads = [
        tuple(_label(n, i) for i in product(*map(range, ls))) for n, ls in ((row_name, top), (column_name, bottom))
    ]
    return Table(f"{title}  ({size})", tuple(table), heads[0], heads[1])


def _length(d: Dim, known: Mapping[str, int]) -> int:
    for name in sorted(dim_names(d) - set(known)):
        raise ParseError(f"the size of the dimension {name} is needed", f"sizes={{'{name}': 3}}, or --table {name}=3")
    return dim_value(d, known)


def _label(name: str, index: Sequence[int]) -> str:
    where = ",".join(str(k + 1) for k in index)
    return f"{name}[{where}]" if where else name


# ---- one entry


def entry_math(node: Expr, index: tuple[int, ...], sizes: Mapping[str, int]) -> Math:
    """The entry of a node at an index (from zero), sums and deltas worked out, intermediates by name."""
    match node:
        case Symbol(name) | Named(name) | Constant(name):
            return ts.Indexed(ts.Name(name), tuple(str(k + 1) for k in index)) if index else ts.Name(name)
        case Elementwise(function, arg):
            return _call(function, entry_math(arg, index, sizes))
        case Sum(terms):
            return _sum([_times(c, entry_math(t, index, sizes), sizes) for c, t in terms])
        case Contraction():
            return _contraction(node, index, sizes)
        case Structured("one_hot", (labels,)):
            return ts.Delta(ts.Number(Fraction(index[-1] + 1)), entry_math(labels, index[:-1], sizes))
        case Structured("affine", _, (_, offset, *steps)):
            at = [dim_value(s, sizes) * i for s, i in zip(steps[::2], index[1:], strict=True)]
            return _ONE if index[0] == dim_value(offset, sizes) + sum(at) else _ZERO
        case Structured("triangle"):
            return _ONE if index[1] <= index[0] else _ZERO
        case Structured("arange"):
            return ts.Number(Fraction(index[0]))
        case Structured(operation, args):
            inner = ts.Call(operation, tuple(_whole(a) for a in args))
            return ts.Indexed(inner, tuple(str(k + 1) for k in index)) if index else inner
    raise ParseError(f"{type(node).__name__} cannot be written out")


def _whole(node: Expr) -> Math:
    from byhand.notation.matrix import matrix_math
    from byhand.notation.style import Style

    return matrix_math(node, Style())


def _call(function: str, arg: Math) -> Math:
    if function in RELATIONS:
        return ts.Indicator(ts.Relation(RELATIONS[function], arg, _ZERO))
    return ts.Call(function, (arg,))


def _contraction(node: Contraction, index: tuple[int, ...], sizes: Mapping[str, int]) -> Math:
    at: dict[int, int] = {}
    for label, k in zip(node.out, index, strict=True):
        if at.setdefault(label, k) != k:
            return _ZERO
    summed = [x for x in dict.fromkeys(x for _, ls, _ in node.factors for x in ls) if x not in at]
    terms = []
    for ks in product(*(range(_length(node.dims[x], sizes)) for x in summed)):
        where = at | dict(zip(summed, ks, strict=True))
        terms.append(_product([(entry_math(f, tuple(where[x] for x in ls), sizes), p) for f, ls, p in node.factors]))
    return _times(node.coefficient, _sum(terms), sizes)


def _product(parts: list[tuple[Math, Fraction]]) -> Math:
    top: list[Math] = []
    bottom: list[Math] = []
    powers: dict[Math, Fraction] = {}
    for m, p in parts:
        if m == _ZERO and p > 0:
            return _ZERO
        if m == _ONE:
            continue
        powers[m] = powers.get(m, Fraction(0)) + p
    for m, p in powers.items():
        if p:
            (top if p > 0 else bottom).append(m if abs(p) == 1 else ts.Power(m, ts.Number(abs(p))))
    return quotient(top, bottom)


def _times(c: Coefficient, m: Math, sizes: Mapping[str, int]) -> Math:
    value = c.value
    for d, p in c.dims:
        if p.denominator != 1:
            raise ParseError("a root of a dimension cannot be written out")
        value *= Fraction(dim_value(d, sizes)) ** int(p)
    if value == 0 or m == _ZERO:
        return _ZERO
    size = abs(value)
    if isinstance(m, ts.Number):
        m = ts.Number(m.value * size)
    elif isinstance(m, ts.Negative):
        return _times(Coefficient(-value), m.body, {})
    elif size != 1:
        m = ts.Product((ts.Number(size), *(m.items if isinstance(m, ts.Product) else (m,))))
    return ts.Negative(m) if value < 0 else m


def _sum(terms: list[Math]) -> Math:
    kept = [m for m in terms if m != _ZERO]
    if not kept:
        return _ZERO
    if len(kept) == 1:
        return kept[0]
    signed: list[tuple[bool, Math]] = []
    for m in kept:
        if isinstance(m, ts.Sum):
            signed += m.terms
        else:
            signed.append((False, m.body) if isinstance(m, ts.Negative) else (True, m))
    return ts.Sum(tuple(sorted(signed, key=lambda t: not t[0])))

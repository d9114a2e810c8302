"""LaTeX of a formula, for math mode, with amsmath and amssymb."""

from __future__ import annotations

import itertools
from functools import lru_cache

from byhand.notation import typeset as ts
from byhand.notation.brackets import arrange, arranged_number
from byhand.notation.leaves import join_of_indices, nodes_of, separator
from byhand.notation.names import Names
from byhand.notation.symbols import (
    FENCED_FUNCTIONS,
    FENCES,
    GREEK_LATEX,
    INFIX_SIGNS,
    RELATION_SIGNS,
    SplitName,
    escape_latex,
    function_name,
)

_SEPARATORS = {"": " ", "thin": r" \, ", "dot": r" \cdot "}
_DOTS = {"horizontal": r"\dots", "vertical": r"\vdots", "diagonal": r"\ddots"}
_TALL = (r"\frac", r"\sum", r"\begin", r"\underbrace")


def to_latex(math: ts.Math, names: Names | None = None) -> str:
    r"""LaTeX without delimiters: put it between `$` signs or into an equation.

    Args:
        math: any typesetting tree.
        names: of the page that it stands on; those of the formula itself where it stands alone.

    >>> to_latex(ts.Quotient(ts.Transpose(ts.Name("W1")), ts.Name("sigma")))
    '\\frac{W_{1}^{\\top}}{\\sigma}'
    """
    return _show(arrange(math, names or Names([math]), "stacked"))


def _layer(layer: str) -> str:
    """The index of a layer, l+1."""
    return layer.replace("−", "-")


def _show(node: ts.Math) -> str:
    """LaTeX of an arranged node."""
    match node:
        case ts.Spelled(_, parts, style):
            return _name(parts, style)
        case ts.Layered(base, layer):
            return f"{_show(base)}^{{({_layer(layer)})}}"
        case ts.Transpose(ts.Layered(base, layer)):  # one superscript, not two
            return rf"{_show(base)}^{{({_layer(layer)})\top}}"
        case ts.Digits(digits, exponent):
            return digits if exponent is None else _scientific(digits, exponent)
        case ts.Product(items):
            return _product(items)
        case ts.Bracketed(body):
            return _fence("round", _show(body))
        case ts.Transpose(ts.Power(base)):
            return rf"{_show(base)}^{{-\top}}"
        case ts.Transpose(base):
            return rf"{_show(base)}^{{\top}}"
        case ts.Infix(op, items):
            return INFIX_SIGNS[op].latex.join([_show(item) for item in items])
        case ts.Sum(terms):
            return _sum(terms)
        case ts.Negative(body):
            return f"-{_show(body)}"
        case ts.Quotient(num, den, inline):
            return f"{_show(num)}/{_show(den)}" if inline else rf"\frac{{{_show(num)}}}{{{_show(den)}}}"
        case ts.Power(base, exponent):
            return f"{_show(base)}^{{{_show(exponent)}}}"
        case ts.ElementwisePower(base, value):
            return rf"{_show(base)}^{{\odot {_show(arranged_number(value))}}}"
        case ts.Root(body):
            return rf"\sqrt{{{_show(body)}}}"
        case ts.Call(function, (argument,), called) if function in FENCED_FUNCTIONS:
            front, pair = FENCED_FUNCTIONS[function]
            return ((called or function_name(front)).latex if front else "") + _fence(pair, _show(argument))
        case ts.Call(function, args, called):
            return (called or function_name(function)).latex + _arguments(args)
        case ts.Prime(function, args, order, called):
            return (called or function_name(function)).latex + "'" * order + _arguments(args)
        case ts.Function(name, args, called):
            return (_letters(name, "plain") if called is None else _show(called)) + _arguments(args)
        case ts.Partial(of, wrt):
            return rf"\frac{{\partial {_show(of)}}}{{\partial {_show(wrt)}}}"
        case ts.Differential(body):
            return rf"\mathrm{{d}}{_show(body)}"
        case ts.Relation(op, left, right):
            return _show(left) + RELATION_SIGNS[op].latex + _show(right)
        case ts.Indexed(base, indices):
            return _show(base) + _subscript(indices)
        case ts.BigSum(indices, body, word=word):
            sign = r"\operatorname*{sum}" if word else r"\sum"
            return f"{sign}{_bounds(node) or _subscript(indices)} {_show(body)}"
        case ts.Delta(i, j):
            return r"\delta" + _subscript((i, j))
        case ts.Slice(base, subscript):
            return rf"{_show(base)}\text{{{escape_latex(subscript)}}}"
        case ts.Norm(body, kind):
            return _fence("norm", _show(body)) + (f"_{{{_letters(kind, 'plain')}}}" if kind else "")
        case ts.Inner(left, right):
            return _fence("angle", f"{_show(left)}, {_show(right)}")
        case ts.Indicator(condition):
            return r"\mathbf{1}" + _fence("square", _show(condition))
        case ts.Ones(size):
            return r"\mathbf{1}" + ("" if size is None else _subscript((size,)))
        case ts.Identity(size):
            return "I" + ("" if size is None else _subscript((size,)))
        case ts.Text(words):
            return rf"\text{{{escape_latex(words)}}}"
        case ts.Ellipsis(direction):
            return _DOTS[direction]
        case ts.Underbrace(body, label):
            return rf"\underbrace{{{_show(body)}}}_{{{_show(label)}}}"
        case ts.Cases(rows):
            return _table("cases", [[_show(value), _condition(condition)] for value, condition in rows])
        case ts.Matrix(rows):
            return _table("bmatrix", [[_show(entry) for entry in row] for row in rows])
    raise TypeError(f"notation/latex.py: no LaTeX for {type(node).__name__}; add a case to _show")


@lru_cache(maxsize=4096)
def _name(parts: SplitName, style: ts.Style) -> str:
    printed = _letters(parts.stem, style)
    if parts.accent:
        printed = rf"\{parts.accent}{{{printed}}}"
    if parts.tail:
        printed = rf"{{{printed}\_}}"
    if parts.subscripts:
        below = ",".join(_letters(part, "plain") for part in parts.subscripts)
        printed += f"_{{({below})}}" if parts.aside else f"_{{{below}}}"
    return printed + "'" * parts.primes


def _letters(part: str, style: ts.Style) -> str:
    """One part of a name: Greek and single letters in italics, words upright."""
    if part in GREEK_LATEX:
        return GREEK_LATEX[part] if style == "plain" else rf"\boldsymbol{{{GREEK_LATEX[part]}}}"
    if not (part.isascii() and part.replace("_", "").isalnum()):
        return rf"\text{{{escape_latex(part)}}}" if style == "plain" else rf"\textbf{{{escape_latex(part)}}}"
    if style == "bold":
        return rf"\mathbf{{{escape_latex(part)}}}"
    return part if len(part) == 1 or part.isdecimal() else rf"\mathrm{{{escape_latex(part)}}}"


def _product(items: tuple[ts.Math, ...]) -> str:
    printed = _show(items[0])
    for left, right in itertools.pairwise(items):
        printed += _SEPARATORS[separator(left, right)] + _show(right)
    return printed


def _sum(terms: tuple[tuple[bool, ts.Math], ...]) -> str:
    (plus, first), *others = terms
    printed = ("" if plus else "-") + _show(first)
    for plus, term in others:
        printed += f" {'+' if plus else '-'} {_show(term)}"
    return printed


def _subscript(indices: tuple[ts.Index, ...]) -> str:
    """Arranged indices; a command needs a space before the letter that follows."""
    nodes = nodes_of(indices)
    parts = [_show(node) for node in nodes]
    join = join_of_indices(nodes) or (" " if any("\\" in part for part in parts) else "")
    return f"_{{{join.join(parts)}}}" if parts else ""


def _bounds(node: ts.BigSum) -> str:
    """The range of a sum, where it is printed."""
    if node.low is None or node.high is None:
        return ""
    (letter,) = nodes_of(node.indices)
    return f"_{{{_show(letter)}={_show(node.low)}}}^{{{_show(node.high)}}}"


def _fence(pair: str, body: str) -> str:
    """Body between a pair of signs, which grow only around tall contents."""
    fence = FENCES[pair]
    if any(command in body for command in _TALL):
        return rf"\left{fence.latex_left} {body} \right{fence.latex_right}"
    space = " " if fence.latex_left.startswith("\\") else ""
    return f"{fence.latex_left}{space}{body}{space}{fence.latex_right}"


def _arguments(args: tuple[ts.Math, ...]) -> str:
    return _fence("round", ", ".join([_show(arg) for arg in args]))


def _scientific(digits: str, exponent: int) -> str:
    return (rf"{digits} \times " if digits else "") + f"10^{{{exponent}}}"


def _condition(condition: ts.Math) -> str:
    return _show(condition) if isinstance(condition, ts.Text) else rf"\text{{if }} {_show(condition)}"


def _table(environment: str, rows: list[list[str]]) -> str:
    body = r" \\ ".join([" & ".join(row) for row in rows])
    return rf"\begin{{{environment}}} {body} \end{{{environment}}}"

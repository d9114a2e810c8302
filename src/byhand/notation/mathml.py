"""MathML of a formula: presentation elements of MathML Core, no script."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from html import escape

from byhand.notation import typeset as ts
from byhand.notation.brackets import arrange
from byhand.notation.leaves import join_of_indices, nodes_of, separator
from byhand.notation.symbols import (
    FENCED_FUNCTIONS,
    FENCES,
    INFIX_SIGNS,
    RELATION_SIGNS,
    function_name,
    split_name,
)

_INVISIBLE_TIMES = "<mo>\u2062</mo>"
_APPLY = "<mo>\u2061</mo>"
_INVISIBLE_COMMA = "<mo>\u2063</mo>"
_THIN = '<mspace width="0.167em"/>'
_SEPARATORS = {"": _INVISIBLE_TIMES, "thin": _INVISIBLE_TIMES + _THIN, "dot": "<mo>⋅</mo>"}
_MINUS = "<mo>−</mo>"
_COMMA = "<mo>,</mo>"
_DOTS = {"horizontal": "…", "vertical": "⋮", "diagonal": "⋱"}
_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~"}
# First code points of the mathematical bold alphabets: MathML Core has no bold variant.
_BOLD = {"A": 0x1D400, "a": 0x1D41A, "Α": 0x1D6A8, "α": 0x1D6C2, "0": 0x1D7CE}
_BOLD_LENGTH = {"A": 26, "a": 26, "Α": 25, "α": 25, "0": 10}
_BOLD_LETTERS = {ord(first) + k: code + k for first, code in _BOLD.items() for k in range(_BOLD_LENGTH[first])}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_mathml(math: ts.Math, block: bool = False) -> str:
    """A `<math>` element, well-formed as XML and as HTML.

    Args:
        math: any typesetting tree. Names with a tip carry it as `title`, in an `<mrow class="has-tip">`.
        block: displayed formula on a line of its own.

    >>> to_mathml(ts.Name("x"))
    '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>x</mi></math>'
    """
    display = ' display="block"' if block else ""
    body = _show(arrange(math, stacked=True))
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML"{display}>{body}</math>'


def _show(node: ts.Math) -> str:
    """One element for an arranged node."""
    match node:
        case ts.Name(name, style, tip):
            return _name(name, style, tip)
        case ts.Digits(digits, exponent):
            return _leaf("mn", digits) if exponent is None else _scientific(digits, exponent)
        case ts.Product(items):
            return _product(items)
        case ts.Bracketed(body):
            return _fence("round", _show(body))
        case ts.Transpose(ts.Power(base)):
            return _element("msup", _show(base), _element("mrow", _MINUS, "<mi>⊤</mi>"))
        case ts.Transpose(base):
            return _element("msup", _show(base), "<mi>⊤</mi>")
        case ts.Infix(op, items):
            return _element("mrow", _leaf("mo", INFIX_SIGNS[op].mathml).join([_show(item) for item in items]))
        case ts.Sum(terms):
            return _sum(terms)
        case ts.Negative(body):
            return _element("mrow", _MINUS, _show(body))
        case ts.Quotient(num, den, inline):
            if inline:
                return _element("mrow", _show(num), "<mo>/</mo>", _show(den))
            return _element("mfrac", _show(num), _show(den))
        case ts.Power(base, exponent):
            return _element("msup", _show(base), _show(exponent))
        case ts.ElementwisePower(base, value):
            exponent = arrange(ts.Number(value), stacked=False)
            return _element("msup", _show(base), _element("mrow", "<mo>⊙</mo>", _show(exponent)))
        case ts.Root(body):
            return _element("msqrt", _show(body))
        case ts.Call(function, (argument,)) if function in FENCED_FUNCTIONS:
            front, pair = FENCED_FUNCTIONS[function]
            fenced = _fence(pair, _show(argument))
            return _element("mrow", _leaf("mi", front), _APPLY, fenced) if front else fenced
        case ts.Call(function, args):
            return _apply(_leaf("mi", function_name(function).mathml), args)
        case ts.Prime(function, args, order):
            name = _leaf("mi", function_name(function).mathml)
            return _apply(_element("msup", name, _leaf("mo", "′" * order)), args)
        case ts.Function(name, args):
            return _apply(_name(name, "plain", ""), args)
        case ts.Vec(body):
            return _apply("<mi>vec</mi>", (body,))
        case ts.Partial(of, wrt):
            above = _element("mrow", "<mi>∂</mi>", _show(of))
            return _element("mfrac", above, _element("mrow", "<mi>∂</mi>", _show(wrt)))
        case ts.Differential(body):
            return _element("mrow", '<mi mathvariant="normal">d</mi>', _show(body))
        case ts.Relation(op, left, right):
            return _element("mrow", _show(left), _leaf("mo", RELATION_SIGNS[op].mathml), _show(right))
        case ts.Indexed(base, indices):
            return _element("msub", _show(base), _indices(indices))
        case ts.BigSum(indices, body, low, high):
            if low is None or high is None:
                return _element("mrow", _element("munder", "<mo>∑</mo>", _indices(indices)), _show(body))
            under = _element("mrow", _indices(indices), "<mo>=</mo>", _show(low))
            return _element("mrow", _element("munderover", "<mo>∑</mo>", under, _show(high)), _show(body))
        case ts.Delta(i, j):
            return _element("msub", "<mi>δ</mi>", _indices((i, j)))
        case ts.Slice(base, subscript):
            return _element("mrow", _show(base), _leaf("mtext", subscript))
        case ts.Norm(body, kind):
            fenced = _fence("norm", _show(body))
            return _element("msub", fenced, _letters(kind, "plain")) if kind else fenced
        case ts.Inner(left, right):
            return _fence("angle", _show(left) + _COMMA + _show(right))
        case ts.Indicator(condition):
            return _element("mrow", _letters("1", "bold"), _fence("square", _show(condition)))
        case ts.Ones(size):
            return _letters("1", "bold") if size is None else _element("msub", _letters("1", "bold"), _show(size))
        case ts.Identity(size):
            return "<mi>I</mi>" if size is None else _element("msub", "<mi>I</mi>", _show(size))
        case ts.Text(words):
            return _leaf("mtext", words)
        case ts.Ellipsis(direction):
            return _leaf("mo", _DOTS[direction])
        case ts.Underbrace(body, label):
            braced = _element("munder", _show(body), '<mo stretchy="true">⏟</mo>')
            return _element("munder", braced, _show(label))
        case ts.Cases(rows):
            table = _table([[_show(value), _condition(condition)] for value, condition in rows])
            return _element("mrow", "<mo>{</mo>", table)
        case ts.Matrix(rows):
            return _fence("square", _table([[_show(entry) for entry in row] for row in rows]))
    raise TypeError(f"notation/mathml.py: no MathML for {type(node).__name__}; add a case to _show")


def _element(tag: str, *children: str) -> str:
    return f"<{tag}>{''.join(children)}</{tag}>"


def _escaped(words: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", words))


def _leaf(tag: str, words: str) -> str:
    return f"<{tag}>{_escaped(words)}</{tag}>"


@lru_cache(maxsize=4096)
def _name(name: str, style: ts.Style, tip: str) -> str:
    parts = split_name(name)
    printed = _letters(parts.stem, style)
    if parts.accent:
        printed = f'<mover accent="true">{printed}<mo stretchy="false">{_ACCENTS[parts.accent]}</mo></mover>'
    below = _COMMA.join(_letters(part, "plain") for part in parts.subscripts)
    below = _element("mrow", below) if len(parts.subscripts) > 1 else below
    above = _leaf("mo", "′" * parts.primes)
    if parts.subscripts and parts.primes:
        printed = _element("msubsup", printed, below, above)
    elif parts.subscripts:
        printed = _element("msub", printed, below)
    elif parts.primes:
        printed = _element("msup", printed, above)
    return f'<mrow class="has-tip" title="{_escaped(tip)}">{printed}</mrow>' if tip else printed


def _letters(part: str, style: ts.Style) -> str:
    """One part of a name; single letters of `<mi>` are in italics by themselves."""
    printed = part.translate(_BOLD_LETTERS) if style == "bold" else part
    return _leaf("mn" if part.isdecimal() else "mi", printed)


def _product(items: tuple[ts.Math, ...]) -> str:
    printed = _show(items[0])
    for left, right in itertools.pairwise(items):
        gap = separator(left, right)
        if not gap and isinstance(right, ts.Call | ts.Prime | ts.Function):
            gap = "thin"
        printed += _SEPARATORS[gap] + _show(right)
    return _element("mrow", printed)


def _sum(terms: tuple[tuple[bool, ts.Math], ...]) -> str:
    (plus, first), *others = terms
    printed = ("" if plus else _MINUS) + _show(first)
    for plus, term in others:
        printed += ("<mo>+</mo>" if plus else _MINUS) + _show(term)
    return _element("mrow", printed)


def _indices(indices: tuple[ts.Index, ...]) -> str:
    nodes = nodes_of(indices)
    join = _COMMA if join_of_indices(nodes) else _INVISIBLE_COMMA
    return _element("mrow", join.join([_show(node) for node in nodes]))


def _fence(pair: str, body: str) -> str:
    fence = FENCES[pair]
    return _element("mrow", _leaf("mo", fence.left), body, _leaf("mo", fence.right))


def _apply(function: str, args: tuple[ts.Math, ...]) -> str:
    return _element("mrow", function, _APPLY, _fence("round", _COMMA.join([_show(arg) for arg in args])))


def _scientific(digits: str, exponent: int) -> str:
    sign = _MINUS if exponent < 0 else ""
    power = _element("msup", "<mn>10</mn>", _element("mrow", sign, _leaf("mn", str(abs(exponent)))))
    return _element("mrow", _leaf("mn", digits), "<mo>×</mo>", power) if digits else power


def _condition(condition: ts.Math) -> str:
    return _show(condition) if isinstance(condition, ts.Text) else "<mtext>if\u00a0</mtext>" + _show(condition)


def _table(rows: list[list[str]]) -> str:
    return _element("mtable", *[_element("mtr", *[_element("mtd", cell) for cell in row]) for row in rows])

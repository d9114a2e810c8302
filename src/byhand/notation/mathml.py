"""MathML of a formula: presentation elements of MathML Core, no script."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from byhand.notation import typeset as ts
from byhand.notation.brackets import arrange, arranged_number
from byhand.notation.leaves import join_of_indices, nodes_of, separator
from byhand.notation.names import Names
from byhand.notation.symbols import (
    FENCED_FUNCTIONS,
    FENCES,
    INFIX_SIGNS,
    RELATION_SIGNS,
    SplitName,
    function_name,
)
from byhand.notation.text import to_text

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


def to_mathml(math: ts.Math, block: bool = False, names: Names | None = None) -> str:
    """A `<math>` element, well-formed as XML and as HTML.

    Args:
        math: any typesetting tree. Names with a tip carry it as `title`, in an `<mrow class="has-tip">`.
        block: displayed formula on a line of its own.
        names: of the page that it stands on; those of the formula itself where it stands alone.

    >>> to_mathml(ts.Name("x"))
    '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>x</mi></math>'
    """
    display = ' display="block"' if block else ""
    names = names or Names([math])
    body = _Printer(names).show(arrange(math, names, "stacked"))
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML"{display}>{body}</math>'


def _layer(layer: str) -> str:
    """(l+1), the index of a layer above a name."""
    signs = "".join(_leaf("mn" if c.isdigit() else "mi" if c.isalpha() else "mo", c) for c in layer)
    return _element("mrow", "<mo>(</mo>", signs, "<mo>)</mo>")


@dataclass(frozen=True, slots=True)
class _Printer:
    names: Names

    def show(self, node: ts.Math) -> str:
        """One element for an arranged node."""
        show = self.show
        match node:
            case ts.Spelled(_, parts, style, tip):
                return self._tipped(_name(parts, style), tip)
            case ts.Layered(base, layer):
                return _element("msup", show(base), _layer(layer))
            case ts.Transpose(ts.Layered(base, layer)):
                return _element("msup", show(base), _element("mrow", _layer(layer), "<mi>⊤</mi>"))
            case ts.Digits(digits, exponent):
                return _leaf("mn", digits) if exponent is None else _scientific(digits, exponent)
            case ts.Product(items):
                return self._product(items)
            case ts.Bracketed(body):
                return _fence("round", show(body))
            case ts.Transpose(ts.Power(base)):
                return self._raised(base, _element("mrow", _MINUS, "<mi>⊤</mi>"))
            case ts.Transpose(base):
                return self._raised(base, "<mi>⊤</mi>")
            case ts.Infix(op, items):
                return _element("mrow", _leaf("mo", INFIX_SIGNS[op].mathml).join([show(item) for item in items]))
            case ts.Sum(terms):
                return self._sum(terms)
            case ts.Negative(body):
                return _element("mrow", _MINUS, show(body))
            case ts.Quotient(num, den, inline):
                if inline:
                    return _element("mrow", show(num), "<mo>/</mo>", show(den))
                return _element("mfrac", show(num), show(den))
            case ts.Power(base, exponent):
                return self._raised(base, show(exponent))
            case ts.ElementwisePower(base, value):
                return self._raised(base, _element("mrow", "<mo>⊙</mo>", show(arranged_number(value))))
            case ts.Root(body):
                return _element("msqrt", show(body))
            case ts.Call(function, (argument,), called) if function in FENCED_FUNCTIONS:
                front, pair = FENCED_FUNCTIONS[function]
                fenced = _fence(pair, show(argument))
                word = (called or function_name(front)).mathml
                return _element("mrow", _leaf("mi", word), _APPLY, fenced) if front else fenced
            case ts.Call(function, args, called):
                return self._apply(_leaf("mi", (called or function_name(function)).mathml), args)
            case ts.Prime(function, args, order, called):
                name = _leaf("mi", (called or function_name(function)).mathml)
                return self._apply(_element("msup", name, _leaf("mo", "′" * order)), args)
            case ts.Function(name, args, called):
                return self._apply(_leaf("mi", name) if called is None else show(called), args)
            case ts.Partial(of, wrt):
                above = _element("mrow", "<mi>∂</mi>", show(of))
                return _element("mfrac", above, _element("mrow", "<mi>∂</mi>", show(wrt)))
            case ts.Differential(body):
                return _element("mrow", '<mi mathvariant="normal">d</mi>', show(body))
            case ts.Relation(op, left, right):
                return _element("mrow", show(left), _leaf("mo", RELATION_SIGNS[op].mathml), show(right))
            case ts.Indexed(base, indices):
                return _element("msub", show(base), self._indices(indices))
            case ts.BigSum(indices, body, low, high, word):
                sign = "<mo>sum</mo>" if word else "<mo>∑</mo>"
                if low is None or high is None:
                    return _element("mrow", _element("munder", sign, self._indices(indices)), show(body))
                under = _element("mrow", self._indices(indices), "<mo>=</mo>", show(low))
                return _element("mrow", _element("munderover", sign, under, show(high)), show(body))
            case ts.Delta(i, j):
                return _element("msub", "<mi>δ</mi>", self._indices((i, j)))
            case ts.Slice(base, subscript):
                return _element("mrow", show(base), _leaf("mtext", subscript))
            case ts.Norm(body, kind):
                fenced = _fence("norm", show(body))
                return _element("msub", fenced, _letters(kind, "plain")) if kind else fenced
            case ts.Inner(left, right):
                return _fence("angle", show(left) + _COMMA + show(right))
            case ts.Indicator(condition):
                return _element("mrow", _letters("1", "bold"), _fence("square", show(condition)))
            case ts.Ones(size):
                return _letters("1", "bold") if size is None else _element("msub", _letters("1", "bold"), show(size))
            case ts.Identity(size):
                return "<mi>I</mi>" if size is None else _element("msub", "<mi>I</mi>", show(size))
            case ts.Text(words):
                return _leaf("mtext", words)
            case ts.Ellipsis(direction):
                return _leaf("mo", _DOTS[direction])
            case ts.Underbrace(body, label):
                braced = _element("munder", show(body), '<mo stretchy="true">⏟</mo>')
                return _element("munder", braced, show(label))
            case ts.Cases(rows):
                table = _table([[show(value), self._condition(condition)] for value, condition in rows])
                return _element("mrow", "<mo>{</mo>", table)
            case ts.Matrix(rows):
                return _fence("square", _table([[show(entry) for entry in row] for row in rows]))
        raise TypeError(f"notation/mathml.py: no MathML for {type(node).__name__}; add a case to _Printer.show")

    def _raised(self, base: ts.Math, above: str) -> str:
        """A superscript; beside a subscript both belong to one base, so that they stand one above the other."""
        match base:
            case ts.Spelled(_, parts, style, tip):
                return self._tipped(_name(parts, style, above), tip)
            case ts.Indexed(inner, indices):
                return _element("msubsup", self.show(inner), self._indices(indices), above)
            case ts.Delta(i, j):
                return _element("msubsup", "<mi>δ</mi>", self._indices((i, j)), above)
            case ts.Norm(body, kind) if kind:
                return _element("msubsup", _fence("norm", self.show(body)), _letters(kind, "plain"), above)
            case ts.Ones(size) | ts.Identity(size) if size is not None:
                sign = _letters("1", "bold") if isinstance(base, ts.Ones) else "<mi>I</mi>"
                return _element("msubsup", sign, self.show(size), above)
        return _element("msup", self.show(base), above)

    def _tipped(self, printed: str, tip: tuple[str | ts.Math, ...]) -> str:
        """With its hover text, whose formulas are lines of text."""
        if not tip:
            return printed
        words = "".join(part if isinstance(part, str) else to_text(part, names=self.names) for part in tip)
        return f'<mrow class="has-tip" title="{_escaped(words)}">{printed}</mrow>'

    def _product(self, items: tuple[ts.Math, ...]) -> str:
        printed = self.show(items[0])
        for left, right in itertools.pairwise(items):
            gap = separator(left, right)
            if not gap and isinstance(right, ts.Call | ts.Prime | ts.Function):
                gap = "thin"
            printed += _SEPARATORS[gap] + self.show(right)
        return _element("mrow", printed)

    def _sum(self, terms: tuple[tuple[bool, ts.Math], ...]) -> str:
        (plus, first), *others = terms
        printed = ("" if plus else _MINUS) + self.show(first)
        for plus, term in others:
            printed += ("<mo>+</mo>" if plus else _MINUS) + self.show(term)
        return _element("mrow", printed)

    def _indices(self, indices: tuple[ts.Index, ...]) -> str:
        nodes = nodes_of(indices)
        join = _COMMA if join_of_indices(nodes) else _INVISIBLE_COMMA
        return _element("mrow", join.join([self.show(node) for node in nodes]))

    def _apply(self, function: str, args: tuple[ts.Math, ...]) -> str:
        return _element("mrow", function, _APPLY, _fence("round", _COMMA.join([self.show(arg) for arg in args])))

    def _condition(self, condition: ts.Math) -> str:
        shown = self.show(condition)
        return shown if isinstance(condition, ts.Text) else "<mtext>if\u00a0</mtext>" + shown


def _element(tag: str, *children: str) -> str:
    return f"<{tag}>{''.join(children)}</{tag}>"


def _escaped(words: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", words))


def _leaf(tag: str, words: str) -> str:
    return f"<{tag}>{_escaped(words)}</{tag}>"


@lru_cache(maxsize=4096)
def _name(parts: SplitName, style: ts.Style, above: str = "") -> str:
    """A name, with primes and perhaps another superscript."""
    printed = _letters(parts.stem, style)
    if parts.accent:
        printed = f'<mover accent="true">{printed}<mo stretchy="false">{_ACCENTS[parts.accent]}</mo></mover>'
    if parts.tail:
        printed = _element("mrow", printed, "<mi>_</mi>")
    below = _COMMA.join(_letters(part, "plain") for part in parts.subscripts)
    if parts.aside:
        below = _fence("round", below)
    elif len(parts.subscripts) > 1:
        below = _element("mrow", below)
    if parts.primes:
        primes = _leaf("mo", "′" * parts.primes)
        above = _element("mrow", primes, above) if above else primes
    if below and above:
        return _element("msubsup", printed, below, above)
    if below:
        return _element("msub", printed, below)
    return _element("msup", printed, above) if above else printed


def _letters(part: str, style: ts.Style) -> str:
    """One part of a name; single letters of `<mi>` are in italics by themselves."""
    printed = part.translate(_BOLD_LETTERS) if style == "bold" else part
    return _leaf("mn" if part.isdecimal() else "mi", printed)


def _fence(pair: str, body: str) -> str:
    fence = FENCES[pair]
    return _element("mrow", _leaf("mo", fence.left), body, _leaf("mo", fence.right))


def _scientific(digits: str, exponent: int) -> str:
    sign = _MINUS if exponent < 0 else ""
    power = _element("msup", "<mn>10</mn>", _element("mrow", sign, _leaf("mn", str(abs(exponent)))))
    return _element("mrow", _leaf("mn", digits), "<mo>×</mo>", power) if digits else power


def _table(rows: list[list[str]]) -> str:
    return _element("mtable", *[_element("mtr", *[_element("mtd", cell) for cell in row]) for row in rows])

"""Unicode and ASCII text of a formula.

ASCII differs by signs only:

    X^T, X^-T          transpose, its inverse         dX, dL/dW1            differential, partial derivative
    A .* B, A ./ B     elementwise product, quotient  ||r||, <A, B>         norm, inner product
    X.^2, x^2          elementwise power, power       sum_ij r_ij^2         sum over indices
    A (x) B, x . y     Kronecker product, dot product delta_ij, ones, I     Kronecker delta, vector of ones, identity
    sqrt(x), 3e-5      root, power of ten             sigmoid(Z), lambda    functions and Greek letters by name
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from byhand.notation import typeset as ts
from byhand.notation.brackets import arrange, arranged_number
from byhand.notation.leaves import nodes_of, separator
from byhand.notation.names import Names
from byhand.notation.symbols import (
    FENCED_FUNCTIONS,
    FENCES,
    GREEK_SPELLED,
    INFIX_SIGNS,
    RELATION_SIGNS,
    SUPERSCRIPTS,
    FunctionName,
    function_name,
)

_SEPARATORS = {"": (" ", " "), "thin": (" ", " "), "dot": ("·", "*")}
_DOTS = {"horizontal": "…", "vertical": "⋮", "diagonal": "⋱"}
_ASCII_WORDS = str.maketrans(
    GREEK_SPELLED
    | {sign.mathml: sign.ascii.strip() for sign in (*INFIX_SIGNS.values(), *RELATION_SIGNS.values())}
    | {"−": "-", "′": "'", "…": "...", "ᵀ": "^T", "²": "^2", "∂": "d", "‖": "||", "√": "sqrt", "·": "."}
)


def to_text(math: ts.Math, ascii: bool = False, names: Names | None = None) -> str:
    """One line of text.

    Args:
        math: any typesetting tree.
        ascii: use ASCII characters only (letters of other scripts are escaped as in Python).
        names: of the page that it stands on; those of the formula itself where it stands alone.

    >>> residual = ts.Sum(((True, ts.Product((ts.Name("X"), ts.Name("w")))), (False, ts.Name("y"))))
    >>> to_text(ts.Product((ts.Transpose(ts.Name("X")), residual)))
    'Xᵀ (X w − y)'
    >>> to_text(ts.Product((ts.Transpose(ts.Name("X")), residual)), ascii=True)
    'X^T (X w - y)'
    """
    printed = _Printer(ascii).show(arrange(math, names or Names([math]), "ascii" if ascii else "text"))
    return printed.encode("ascii", "backslashreplace").decode() if ascii else printed


@dataclass(frozen=True, slots=True)
class _Printer:
    ascii: bool

    def show(self, node: ts.Math) -> str:
        """Text of an arranged node."""
        show, choose = self.show, self._choose
        match node:
            case ts.Spelled(line):
                return line
            case ts.Layered(base, layer):
                return f"{show(base)}[{self._words(layer)}]"
            case ts.Digits(digits, exponent):
                return digits if exponent is None else self._scientific(digits, exponent)
            case ts.Product(items):
                return self._product(items)
            case ts.Bracketed(body):
                return f"({show(body)})"
            case ts.Transpose(ts.Power(base)):
                return show(base) + choose("⁻ᵀ", "^-T")
            case ts.Transpose(base):
                return show(base) + choose("ᵀ", "^T")
            case ts.Infix(op, items):
                return choose(INFIX_SIGNS[op].text, INFIX_SIGNS[op].ascii).join([show(item) for item in items])
            case ts.Sum(terms):
                return self._sum(terms)
            case ts.Negative(body):
                return choose("−", "-") + show(body)
            case ts.Quotient(num, den):
                return f"{show(num)}/{show(den)}"
            case ts.Power(base, exponent):
                return show(base) + self._exponent(exponent)
            case ts.ElementwisePower(base, value):
                exponent = arranged_number(value)
                return show(base) + choose("^∘", ".^") + self._bracketed_unless_digits(exponent)
            case ts.Root(body):
                return f"{choose('√', 'sqrt')}({show(body)})"
            case ts.Call(function, args, called):
                return self._call(function, args, called)
            case ts.Prime(function, args, order, called):
                return self._function(function, called) + choose("′", "'") * order + self._arguments(args)
            case ts.Function(name, args, called):
                return (name if called is None else show(called)) + self._arguments(args)
            case ts.Partial(of, wrt):
                return f"{choose('∂', 'd')}{show(of)}/{choose('∂', 'd')}{show(wrt)}"
            case ts.Differential(body):
                return "d" + show(body)
            case ts.Relation(op, left, right):
                sign = RELATION_SIGNS[op]
                return show(left) + choose(sign.text, sign.ascii) + show(right)
            case ts.Indexed(base, indices):
                return show(base) + self._subscript(indices)
            case ts.BigSum(_, body, word=word):
                return f"{'sum' if word else choose('Σ', 'sum')}{self._bounds(node)} {show(body)}"
            case ts.Delta(i, j):
                return choose("δ", "delta") + self._subscript((i, j))
            case ts.Slice(base, subscript):
                return show(base) + self._words(subscript)
            case ts.Norm(body, kind):
                bars = choose("‖", "||")
                return f"{bars}{show(body)}{bars}" + (f"_{self._words(kind)}" if kind else "")
            case ts.Inner(left, right):
                return f"{choose('⟨', '<')}{show(left)}, {show(right)}{choose('⟩', '>')}"
            case ts.Indicator(condition):
                return f"1[{show(condition)}]"
            case ts.Ones(size):
                return choose("1", "ones") + ("" if size is None else self._subscript((size,)))
            case ts.Identity(size):
                return "I" + ("" if size is None else self._subscript((size,)))
            case ts.Text(words):
                return self._words(words)
            case ts.Ellipsis(direction):
                return choose(_DOTS[direction], "...")
            case ts.Underbrace(body, label):
                return f"({show(body)} =: {show(label)})"
            case ts.Cases(rows):
                return "{" + "; ".join([show(value) + self._condition(condition) for value, condition in rows]) + "}"
            case ts.Matrix(rows):
                return "[" + "; ".join([", ".join([show(entry) for entry in row]) for row in rows]) + "]"
        raise TypeError(f"notation/text.py: no text for {type(node).__name__}; add a case to _Printer.show")

    def _choose(self, unicode: str, ascii: str) -> str:
        return ascii if self.ascii else unicode

    def _words(self, words: str) -> str:
        return words.translate(_ASCII_WORDS) if self.ascii else words

    def _product(self, items: tuple[ts.Math, ...]) -> str:
        printed = self.show(items[0])
        for left, right in itertools.pairwise(items):
            printed += self._choose(*_SEPARATORS[separator(left, right)]) + self.show(right)
        return printed

    def _sum(self, terms: tuple[tuple[bool, ts.Math], ...]) -> str:
        (plus, first), *others = terms
        minus = self._choose("−", "-")
        printed = ("" if plus else minus) + self.show(first)
        for plus, term in others:
            printed += f" {'+' if plus else minus} {self.show(term)}"
        return printed

    def _tight(self, node: ts.Math) -> str:
        """Without spaces around + and −, as in exponents and indices."""
        return self.show(node).replace(" + ", "+").replace(" − ", "−").replace(" - ", "-")

    def _exponent(self, exponent: ts.Math) -> str:
        printed = self._bracketed_unless_digits(exponent)
        integer = printed.removeprefix("−").isdecimal()
        return printed.translate(SUPERSCRIPTS) if integer and not self.ascii else f"^{printed}"

    def _bracketed_unless_digits(self, exponent: ts.Math) -> str:
        printed = self._tight(exponent)
        digits = exponent.body if isinstance(exponent, ts.Negative) else exponent
        clear = isinstance(digits, ts.Digits) or isinstance(exponent, ts.Spelled | ts.Bracketed)
        return printed if clear else f"({printed})"

    def _subscript(self, indices: tuple[ts.Index, ...], braces: bool = False) -> str:
        parts = [self._tight(node) for node in nodes_of(indices)]
        if not parts:
            return ""
        if braces:
            return "_{" + ",".join(parts) + "}"
        if len(parts) == 1 and parts[0].isdecimal():
            return f"_{parts[0]}"
        if all(len(part) == 1 and part.isalpha() for part in parts):
            return "_" + "".join(parts)
        return "_{" + ",".join(parts) + "}"

    def _bounds(self, node: ts.BigSum) -> str:
        """What a sum is over: _ij, or _{j=1}^{n−1} where the range is printed."""
        if node.low is None or node.high is None:
            return self._subscript(node.indices, braces=node.word)
        (letter,) = nodes_of(node.indices)
        return f"_{{{self.show(letter)}={self._tight(node.low)}}}^{{{self._tight(node.high)}}}"

    def _scientific(self, digits: str, exponent: int) -> str:
        if self.ascii:
            return f"{digits or '1'}e{exponent}"
        power = "10" + str(exponent).replace("-", "−").translate(SUPERSCRIPTS)
        return f"{digits}×{power}" if digits else power

    def _function(self, function: str, called: FunctionName | None) -> str:
        row = called or function_name(function)
        return (row.ascii or function) if self.ascii else row.text

    def _call(self, function: str, args: tuple[ts.Math, ...], called: FunctionName | None) -> str:
        if function in FENCED_FUNCTIONS and len(args) == 1 and not self.ascii:
            front, pair = FENCED_FUNCTIONS[function]
            return front + FENCES[pair].left + self.show(args[0]) + FENCES[pair].right
        return self._function(function, called) + self._arguments(args)

    def _arguments(self, args: tuple[ts.Math, ...]) -> str:
        return f"({', '.join([self.show(arg) for arg in args])})"

    def _condition(self, condition: ts.Math) -> str:
        return f" {'' if isinstance(condition, ts.Text) else 'if '}{self.show(condition)}"

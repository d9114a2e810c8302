"""Where brackets and signs go: one pass over the typesetting tree, before any printer.

`arrange` returns a tree that prints without further thought: brackets are `Bracketed` nodes, numbers are digits, no
sign follows a sign, nested products and sums of one kind are flat, indices are nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from byhand.notation import typeset as ts
from byhand.notation.leaves import decimal_digits, nodes_of
from byhand.notation.symbols import FENCED_FUNCTIONS, split_name


class Precedence(IntEnum):
    """How tightly a node holds together; a place states the least it takes without brackets."""

    RELATION = 0
    SUM = 1  # sums and negatives
    HADAMARD = 2  # every product that has a sign
    BIG_SUM = 3  # open on the right: it takes all factors that follow
    QUOTIENT = 4  # num/den
    PRODUCT = 5
    UNARY = 6  # postfix (powers, transposes) and prefix (differentials, partials, log|X|)
    ATOM = 7


# Nodes that are not here are atoms.
PRECEDENCES: dict[type[ts.Math], Precedence] = {
    ts.Relation:         Precedence.RELATION,
    ts.Sum:              Precedence.SUM,
    ts.Negative:         Precedence.SUM,
    ts.Infix:            Precedence.HADAMARD,
    ts.BigSum:           Precedence.BIG_SUM,
    ts.Product:          Precedence.PRODUCT,
    ts.Power:            Precedence.UNARY,
    ts.ElementwisePower: Precedence.UNARY,
    ts.Transpose:        Precedence.UNARY,
    ts.Differential:     Precedence.UNARY,
    ts.Partial:          Precedence.UNARY,
    ts.Root:             Precedence.UNARY,
    ts.Text:             Precedence.UNARY,
}  # fmt: skip

# Bases that take indices as they are; others have, or look as if they had, a subscript already.
_INDEXABLE = (ts.Bracketed, ts.Call, ts.Prime, ts.Function, ts.Vec, ts.Matrix)

_MINUS_ONE = ts.Negative(ts.Digits("1"))


def arrange(node: ts.Math, *, stacked: bool) -> ts.Math:
    """The same formula with brackets, ready for a printer.

    Args:
        node: any typesetting tree.
        stacked: fractions stand upright (LaTeX, MathML), so that they need fewer brackets than num/den.
    """
    return _Arranger(stacked).arrange(node)


@dataclass(frozen=True, slots=True)
class _Arranger:
    stacked: bool

    def arrange(self, node: ts.Math) -> ts.Math:
        """One node and all below it."""
        arrange, fit = self.arrange, self._fit
        match node:
            case ts.Product() | ts.Infix():
                return self._product(node)
            case ts.Sum(terms):
                return self._sum(terms)
            case ts.Negative(body):
                return ts.Negative(fit(body, Precedence.HADAMARD))
            case ts.Number(value):
                return self._number(value)
            case ts.Quotient():
                return self._quotient(node)
            case ts.Transpose(ts.Power(base, exponent)) if arrange(exponent) == _MINUS_ONE:  # X⁻ᵀ
                return ts.Transpose(ts.Power(fit(base, Precedence.ATOM), _MINUS_ONE))
            case ts.Transpose(base):
                return ts.Transpose(fit(base, Precedence.ATOM))
            case ts.Power(base, exponent):
                return ts.Power(fit(base, Precedence.ATOM), _Arranger(stacked=False).arrange(exponent))
            case ts.ElementwisePower(base, exponent):
                return ts.ElementwisePower(fit(base, Precedence.ATOM), exponent)
            case ts.Call(function, args) if function.endswith("_prime") and len(function) > len("_prime"):
                return ts.Prime(function.removesuffix("_prime"), self._all(args))
            case ts.Call(function, args):
                return ts.Call(function, self._all(args))
            case ts.Prime(function, args, order):
                return ts.Prime(function, self._all(args), order)
            case ts.Function(name, args):
                return ts.Function(name, self._all(args))
            case ts.Indexed(base, indices):
                return ts.Indexed(self._indexable(base), self._indices(indices))
            case ts.BigSum(indices, body, low, high):
                bounds = [None if bound is None else _Arranger(stacked=False).arrange(bound) for bound in (low, high)]
                return ts.BigSum(self._indices(indices), fit(body, Precedence.BIG_SUM), *bounds)
            case ts.Delta(i, j):
                return ts.Delta(*self._indices((i, j)))
            case ts.Differential(body):
                return ts.Differential(self._differentiable(body))
            case ts.Partial(of, wrt):
                return ts.Partial(fit(of, Precedence.ATOM), fit(wrt, Precedence.ATOM))
            case ts.Relation(op, left, right):
                return ts.Relation(op, arrange(left), arrange(right))
            case ts.Ones(size) if size is not None:
                return ts.Ones(arrange(size))
            case ts.Identity(size) if size is not None:
                return ts.Identity(arrange(size))
            case ts.Root(body) | ts.Vec(body) | ts.Indicator(body):
                return type(node)(arrange(body))
            case ts.Norm(body, kind):
                return ts.Norm(arrange(body), kind)
            case ts.Inner(left, right):
                return ts.Inner(arrange(left), arrange(right))
            case ts.Bracketed(body):
                return _bracketed(arrange(body))
            case ts.Slice(base, subscript):
                return ts.Slice(fit(base, Precedence.ATOM), subscript)
            case ts.Underbrace(body, label):
                return ts.Underbrace(arrange(body), arrange(label))
            case ts.Cases(rows):
                return ts.Cases(tuple((arrange(value), arrange(condition)) for value, condition in rows))
            case ts.Matrix(rows):
                return ts.Matrix(tuple(self._all(row) for row in rows))
        return node

    def precedence(self, node: ts.Math) -> Precedence:
        """Precedence of an arranged node."""
        match node:
            case ts.Quotient(inline=inline):
                return Precedence.QUOTIENT if inline else Precedence.UNARY
            case ts.Underbrace(body) if self.stacked:  # in text it has brackets of its own
                return min(Precedence.UNARY, self.precedence(body))
            case ts.Cases() if self.stacked:
                return Precedence.SUM
            case ts.Digits(_, exponent) if exponent is not None:
                return Precedence.UNARY
            case ts.Call(function, (_,)) if FENCED_FUNCTIONS.get(function, ("",))[0]:  # log|X|
                return Precedence.UNARY
        return PRECEDENCES.get(type(node), Precedence.ATOM)

    def _fit(self, node: ts.Math, least: Precedence) -> ts.Math:
        arranged = self.arrange(node)
        return arranged if self.precedence(arranged) >= least else ts.Bracketed(arranged)

    def _all(self, nodes: tuple[ts.Math, ...]) -> tuple[ts.Math, ...]:
        return tuple([self.arrange(node) for node in nodes])

    def _product(self, node: ts.Product | ts.Infix) -> ts.Math:
        """Flat, with a minus of the first factor taken out in front."""
        items: list[ts.Math] = []
        negative = False
        for item in node.items:
            arranged = self.arrange(item)
            if not items and isinstance(arranged, ts.Negative):
                negative = True
                arranged = arranged.body
            match node, arranged:
                case ts.Product(), ts.Product(inner):
                    items.extend(inner)
                case ts.Infix(op), ts.Infix(same, inner) if op == same and op != "divide_elementwise":
                    items.extend(inner)
                case _:
                    items.append(arranged)
        result: ts.Math
        last = len(items) - 1
        if last < 0:
            result = ts.Digits("1")
        elif last == 0:
            result = items[0]
        elif isinstance(node, ts.Infix):
            result = ts.Infix(node.op, tuple([self._factor(item, last=False) for item in items]))
        else:
            result = ts.Product(tuple([self._factor(item, last=place == last) for place, item in enumerate(items)]))
        return ts.Negative(result) if negative else result

    def _factor(self, arranged: ts.Math, *, last: bool) -> ts.Math:
        held = self.precedence(arranged)
        if held > Precedence.PRODUCT or (last and held == Precedence.BIG_SUM):
            return arranged
        return ts.Bracketed(arranged)

    def _sum(self, terms: tuple[tuple[bool, ts.Math], ...]) -> ts.Math:
        """Flat, no sign after a sign."""
        flat: list[tuple[bool, ts.Math]] = []
        for plus, term in terms:
            arranged = self.arrange(term)
            if isinstance(arranged, ts.Negative):
                plus, arranged = not plus, arranged.body
            if plus and isinstance(arranged, ts.Sum):
                flat.extend(arranged.terms)
            elif self.precedence(arranged) <= Precedence.SUM:
                flat.append((plus, ts.Bracketed(arranged)))
            else:
                flat.append((plus, arranged))
        match flat:
            case []:
                return ts.Digits("0")
            case [(True, term)]:
                return term
            case [(False, term)]:
                return ts.Negative(term)
        return ts.Sum(tuple(flat))

    def _quotient(self, node: ts.Quotient) -> ts.Math:
        inline = node.inline or not self.stacked
        num = self.arrange(node.num)
        if isinstance(num, ts.Negative):
            return ts.Negative(self._quotient_of(num.body, node.den, inline))
        return self._quotient_of(num, node.den, inline)

    def _quotient_of(self, num: ts.Math, den: ts.Math, inline: bool) -> ts.Quotient:
        if not inline:
            return ts.Quotient(num, self.arrange(den))
        if self.precedence(num) < Precedence.PRODUCT or _open_right(num):
            num = ts.Bracketed(num)
        den = self._fit(den, Precedence.UNARY)
        if isinstance(den, ts.Partial):  # a/∂L/∂x would read as a fraction of fractions
            den = ts.Bracketed(den)
        return ts.Quotient(num, den, inline=True)

    def _differentiable(self, body: ts.Math) -> ts.Math:
        """dX and dZ_ij are clear; other bodies are not: d(loss), d(x_hat), d(AB)."""
        arranged = self.arrange(body)
        letter = arranged.base if isinstance(arranged, ts.Indexed) else arranged
        if isinstance(letter, ts.Name) and _is_letter(letter.name):
            return arranged
        return _bracketed(arranged)

    def _indexable(self, base: ts.Math) -> ts.Math:
        arranged = self.arrange(base)
        if isinstance(arranged, ts.Name):
            parts = split_name(arranged.name)
            clear = not parts.subscripts if self.stacked else "_" not in arranged.name.rstrip("_'′")
        else:
            clear = isinstance(arranged, _INDEXABLE) and self.precedence(arranged) == Precedence.ATOM
        return arranged if clear else ts.Bracketed(arranged)

    def _indices(self, indices: tuple[ts.Index, ...]) -> tuple[ts.Math, ...]:
        return _Arranger(stacked=False)._all(nodes_of(indices))

    def _number(self, value: Fraction) -> ts.Math:
        if value < 0:
            return ts.Negative(self._number(-value))
        digits = decimal_digits(value)
        if digits is not None:
            return digits
        return ts.Quotient(ts.Digits(str(value.numerator)), ts.Digits(str(value.denominator)), inline=not self.stacked)


def _bracketed(arranged: ts.Math) -> ts.Bracketed:
    return arranged if isinstance(arranged, ts.Bracketed) else ts.Bracketed(arranged)


def _is_letter(name: str) -> bool:
    """One letter, perhaps with a number: W, W1, λ."""
    parts = split_name(name)
    return len(parts.stem) == 1 and not parts.accent and all(part.isdecimal() for part in parts.subscripts)


def _open_right(arranged: ts.Math) -> bool:
    """Whether a following /N would seem to belong to the last factor only."""
    last = arranged.items[-1] if isinstance(arranged, ts.Product) else arranged
    return isinstance(last, ts.BigSum | ts.Partial)

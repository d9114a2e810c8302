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
from byhand.notation.names import Form, Names
from byhand.notation.symbols import FENCED_FUNCTIONS, SplitName


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
_INDEXABLE = (ts.Bracketed, ts.Layered, ts.Call, ts.Prime, ts.Function, ts.Vec, ts.Matrix)

# Names that with indices would read as signs: a sum over i, Kronecker's delta.
SUBSCRIPTED_SIGNS = frozenset({"Σ", "δ"})

_MINUS_ONE = ts.Negative(ts.Digits("1"))


def arrange(node: ts.Math, names: Names, form: Form) -> ts.Math:
    """The same formula with brackets and with names as they print, ready for a printer.

    Args:
        node: any typesetting tree.
        names: of the page that the formula stands on.
        form: where fractions stand upright ("stacked": LaTeX, MathML), they need fewer brackets than num/den.
    """
    return _Arranger(names, form, form == "stacked").arrange(node)


def arranged_number(value: Fraction) -> ts.Math:
    """A number in one line."""
    return arrange(ts.Number(value), Names(), "text")


@dataclass(frozen=True, slots=True)
class _Arranger:
    names: Names
    form: Form
    stacked: bool  # whether fractions stand upright here: not in exponents and indices

    def arrange(self, node: ts.Math) -> ts.Math:
        """One node and all below it."""
        arrange, fit = self.arrange, self._fit
        match node:
            case ts.Name():
                return self.names.spelled(node, self.form)
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
                return ts.Power(fit(base, Precedence.ATOM), self._exponent(exponent))
            case ts.ElementwisePower(base, exponent):
                return ts.ElementwisePower(fit(base, Precedence.ATOM), exponent)
            case ts.Call(function, args) if function.endswith("_prime") and len(function) > len("_prime"):
                return arrange(ts.Prime(function.removesuffix("_prime"), args))
            case ts.Call(function, args):
                return ts.Call(function, self._all(args), self.names.function(function, self.form))
            case ts.Prime(function, args, order):
                return ts.Prime(function, self._all(args), order, self.names.function(function, self.form))
            case ts.Vec(body):
                return ts.Call("vec", (arrange(body),), self.names.function("vec", self.form))
            case ts.Function(name, args):
                return ts.Function(name, self._all(args), self.names.spelled(ts.Name(name), self.form))
            case ts.Indexed(base, indices):
                return self._indexed(base, self._indices(indices))
            case ts.BigSum(indices, body, low, high):
                sign = {"text": "Σ", "ascii": "sum_", "stacked": "Σ"}[self.form]
                word = self.names.begins(sign, self.form)
                flat = _Arranger(self.names, self.form, stacked=False)
                first, last = (None if bound is None else flat.arrange(bound) for bound in (low, high))
                return ts.BigSum(self._indices(indices), fit(body, Precedence.BIG_SUM), first, last, word)
            case ts.Delta(i, j):
                return self._delta(*self._indices((i, j)))
            case ts.Differential(body):
                return ts.Differential(self._differentiable(body))
            case ts.Partial(of, wrt):
                return ts.Partial(self._partial(of), self._partial(wrt))
            case ts.Relation(op, left, right):
                return ts.Relation(op, arrange(left), arrange(right))
            case ts.Layered(base, layer):
                return ts.Layered(arrange(base), layer)
            case ts.Ones(size):
                return self._ones(None if size is None else arrange(size))
            case ts.Identity(size, order):
                return self._identity(size, order)
            case ts.Root(body) | ts.Indicator(body):
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
        """dX and dZ_ij are clear; other bodies are not: d(loss), d(x_hat), d(AB), d(x) beside an input dx."""
        arranged = self.arrange(body)
        letter = arranged.base if isinstance(arranged, ts.Indexed) else arranged
        letter = letter.base if isinstance(letter, ts.Layered) else letter
        if isinstance(letter, ts.Spelled) and _is_letter(letter.parts) and not self._is_name("d", letter):
            return arranged
        return _bracketed(arranged)

    def _is_name(self, sign: str, letter: ts.Spelled) -> bool:
        """Whether a sign in front of a letter looks like a name of the page, or like a product with one: dx, d times x."""
        factor = self.form == "stacked" and sign in self.names.identifiers and sign not in self.names.literal
        return factor or self.names.taken(sign + self._key(letter), self.form)

    def _key(self, leaf: ts.Spelled) -> str:
        return leaf.parts.key if self.form == "stacked" else leaf.line

    def _partial(self, side: ts.Math) -> ts.Math:
        """A side of ∂f/∂x; as df/dx it may look like a quotient of names."""
        arranged = self._fit(side, Precedence.ATOM)
        letter = arranged.base if isinstance(arranged, ts.Indexed) else arranged
        if self.form == "ascii" and isinstance(letter, ts.Spelled) and self.names.taken("d" + letter.line, self.form):
            return _bracketed(arranged)
        return arranged

    def _indexed(self, base: ts.Math, indices: tuple[ts.Math, ...]) -> ts.Math:
        """x_ij; (x)_ij where that is a name, and of bases that have a subscript already."""
        arranged = self.arrange(base)
        if isinstance(arranged, ts.Spelled):
            below = arranged.parts.subscripts or arranged.parts.tail
            clear = not below if self.form == "stacked" else "_" not in arranged.line
            clear = clear and not self._is_subscripted_name(self._key(arranged), indices)
            clear = clear and arranged.parts.stem not in SUBSCRIPTED_SIGNS
        else:
            clear = isinstance(arranged, _INDEXABLE) and self.precedence(arranged) == Precedence.ATOM
        return ts.Indexed(arranged if clear else ts.Bracketed(arranged), indices)

    def _is_subscripted_name(self, stem: str, indices: tuple[ts.Math, ...]) -> bool:
        """Whether a name of the page looks like a base with these indices."""
        if not all(isinstance(index, ts.Spelled | ts.Digits) for index in indices):
            return False
        below = [self._key(i) if isinstance(i, ts.Spelled) else getattr(i, "digits", "") for i in indices]
        return any(self.names.taken(f"{stem}_{join.join(below)}", self.form) for join in ("", ","))

    def _delta(self, i: ts.Math, j: ts.Math) -> ts.Math:
        """δ_ij; 1[i = j] beside an input called δ."""
        sign = "delta" if self.form == "ascii" else "δ"
        if self.names.taken(sign, self.form) or self._is_subscripted_name(sign, (i, j)):
            return ts.Indicator(ts.Relation("=", i, j))
        return ts.Delta(i, j)

    def _ones(self, size: ts.Math | None) -> ts.Math:
        if self.form == "ascii" and size is not None and self._is_subscripted_name("ones", (size,)):
            return ts.Call("ones", (size,))
        return ts.Ones(size)

    def _identity(self, size: ts.Math | None, order: ts.Math | None) -> ts.Math:
        """I; I_n beside an input called I, and eye(n) beside one called I_n as well."""
        clash = self.names.taken("I", self.form)
        shown = size if size is not None else order if clash else None
        arranged = None if shown is None else self.arrange(shown)
        if (clash and arranged is None) or (arranged is not None and self._is_subscripted_name("I", (arranged,))):
            return ts.Call("eye", () if arranged is None else (arranged,))
        return ts.Identity(arranged)

    def _exponent(self, exponent: ts.Math) -> ts.Math:
        arranged = _Arranger(self.names, self.form, stacked=False).arrange(exponent)
        letter = arranged.body if isinstance(arranged, ts.Negative) else arranged
        if self.form == "ascii" and isinstance(letter, ts.Spelled) and letter.line == "T":  # X^T is a transpose
            return _bracketed(arranged)
        return arranged

    def _indices(self, indices: tuple[ts.Index, ...]) -> tuple[ts.Math, ...]:
        return _Arranger(self.names, self.form, stacked=False)._all(nodes_of(indices))

    def _number(self, value: Fraction) -> ts.Math:
        if value < 0:
            return ts.Negative(self._number(-value))
        digits = decimal_digits(value)
        if digits is not None:
            return digits
        return ts.Quotient(ts.Digits(str(value.numerator)), ts.Digits(str(value.denominator)), inline=not self.stacked)


def _bracketed(arranged: ts.Math) -> ts.Bracketed:
    return arranged if isinstance(arranged, ts.Bracketed) else ts.Bracketed(arranged)


def _is_letter(parts: SplitName) -> bool:
    """One letter, perhaps with a number: W, W1, λ."""
    plain = len(parts.stem) == 1 and not (parts.accent or parts.tail or parts.aside)
    return plain and all(part.isdecimal() for part in parts.subscripts)


def _open_right(arranged: ts.Math) -> bool:
    """Whether a following /N would seem to belong to the last factor only."""
    last = arranged.items[-1] if isinstance(arranged, ts.Product) else arranged
    return isinstance(last, ts.BigSum | ts.Partial)

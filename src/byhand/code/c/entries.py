"""One entry of a node as an expression in C; leaves are arrays, rows of them, or numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isfinite, isnan
from typing import assert_never

from byhand.code.c.functions import FUNCTIONS, KERNELS
from byhand.code.c.loops import Body
from byhand.code.c.pieces import (
    ONE,
    ZERO,
    Level,
    Piece,
    bracketed,
    chosen,
    coefficient_pieces,
    dim_piece,
    index_sum,
    literal,
    negative,
    offset,
    powered,
    quotient,
    repeatable,
)
from byhand.errors import MissingRuleError
from byhand.expr.dims import ONE as UNIT
from byhand.expr.dims import Coefficient, add_dims, multiply_dims
from byhand.expr.functions import MASKS
from byhand.program.ops import (
    Add,
    Axes,
    Contract,
    Eye,
    Input,
    Kernel,
    Map,
    Mul,
    Number,
    Op,
    Pad,
    Reshape,
    Scatter,
    Slice,
    Take,
)

Index = tuple[str, ...]
_REAL = re.compile(r"\d+(\.|e)")
LINEAR_ALGEBRA = {
    "inv": "the inverse of a matrix",
    "det": "the determinant",
    "logdet": "log|det|",
    "adjugate": "the cofactors of a matrix",
    "solve": "the solution of a linear system",
}


class Entries:
    """Writes entries of nodes.

    Args:
        b: where lines go that an entry needs before it.
        names: the C source of each leaf.

    Attributes:
        dropped: leaf -> how many of its first axes its memory has not, for it holds one row or one number.
        reciprocals: number -> the name of one divided by it, where that has one.
        kernels: the small functions that are called.
    """

    def __init__(self, b: Body, names: Mapping[Input, str]) -> None:
        self.b, self.names = b, dict(names)
        self.dropped: dict[Input, int] = {}
        self.reciprocals: dict[Op, str] = {}
        self.kernels: set[str] = set()

    def element(self, leaf: Input, index: Index) -> Piece:
        """An entry of an array, or a number."""
        first = self.dropped.get(leaf, 0)
        shape, index = leaf.shape[first:], index[first:]
        if not shape:
            return Piece(self.names[leaf])
        return Piece(f"{self.names[leaf]}[{offset(shape, index, self.b.dims)}]")

    def entry(self, op: Op, index: Index) -> Piece:
        """The entry of a node at an index."""
        match op:
            case Input():
                return self.element(op, index)
            case Number(value=value):
                return _number(value)
            case Kernel(operation="arange"):
                return Piece(f"(double){index[0]}", Level.UNARY)
            case Map(type="bool") | Kernel(operation="one_hot" | "affine" | "triangle"):
                return chosen(self.condition(op, index), ONE, ZERO)
            case Map():
                return self._map(op, index)
            case Add():
                return self._add(op, index)
            case Mul():
                over, under, minus = self.factors(op.coefficient, op.factors, index)
                piece = quotient(over, under)
                return negative(piece) if minus else piece
            case Slice(arg=arg, axis=axis, first=first):
                return self.entry(arg, _moved(index, axis, index_sum(index[axis], first, self.b.dims)))
            case Pad():
                return self._pad(op, index)
            case Take(arg=arg, index=labels, axis=axis, rows=0):
                stop = axis + len(labels.shape)
                return self.entry(arg, (*index[:axis], self.entry(labels, index[axis:stop]).text, *index[stop:]))
            case Take(arg=arg, index=labels):
                return self.entry(arg, (*index, self.entry(labels, index).text))
            case Reshape():
                return self._reshape(op, index)
            case Eye():
                i, j = index
                return ONE if i == j else chosen(Piece(f"{i} == {j}", Level.COMPARE), ONE, ZERO)
            case Kernel(operation="heaviside", args=(arg,), attributes=(slope,)):
                z = self.plain(self.entry(arg, index))
                return Piece(f"{z.text} > 0.0 ? 1.0 : {z.text} < 0.0 ? 0.0 : {literal(slope)}", Level.CHOICE)
            case Kernel(operation=name) if name in LINEAR_ALGEBRA:
                raise MissingRuleError(
                    f"the C target has no linear algebra: {name} ({LINEAR_ALGEBRA[name]}) is not written in C",
                    "code('numpy'), code('torch') and code('jax') have it; or give it as an input",
                )
            case Kernel(operation=name):
                raise MissingRuleError(f"the C target has no row for {name}", "add one to byhand/code/c/entries.py")
            case Contract() | Scatter():
                raise AssertionError("a sum inside of a statement")
            case _:
                assert_never(op)

    # ---- functions and masks

    def _map(self, op: Map, index: Index) -> Piece:
        match op:
            case Map(function="real", args=(arg,)):
                return self.entry(arg, index)
            case Map(function="where", args=(test, yes, no)):
                # both are read before one is chosen: GCC 12 makes zeros of entries that are read under a condition
                pieces = [self._held(self.entry(a, index)) for a in (yes, no)]
                return chosen(self.condition(test, index), *pieces)
            case Map(function="power", args=(base, exponent)):
                return Piece(f"pow({self.entry(base, index).text}, {self.entry(exponent, index).text})")
            case Map(function=name, args=(arg,)) if name in FUNCTIONS:
                if name in KERNELS:
                    self.kernels.add(name)
                return Piece(FUNCTIONS[name].format(z=self.entry(arg, index).text))
        raise MissingRuleError(f"the C target has no function {op.function}", "add a row to byhand/code/c/functions.py")

    def condition(self, op: Op, index: Index) -> Piece:
        """An entry of a mask as a condition."""
        match op:
            case Map(function="infinite", args=(arg,)):
                return Piece(f"isinf({self.entry(arg, index).text})")
            case Map(type="bool", function=name, args=(arg,)):
                return Piece(f"{self.entry(arg, index).at(Level.SUM)} {MASKS[name]} 0.0", Level.COMPARE)
            case Map(function="real", args=(arg,)):
                return self.condition(arg, index)
            case Kernel(operation="one_hot", args=(labels,)):
                return Piece(f"{self.entry(labels, index[:-1]).text} == {index[-1]}", Level.COMPARE)
            case Kernel(operation="triangle"):
                return Piece(f"{index[1]} <= {index[0]}", Level.COMPARE)
            case Kernel(operation="affine", attributes=(_, first, *steps)):
                dims = self.b.dims
                words = [f"{dim_piece(n, dims).at(Level.UNARY)} * {i}" if n != 1 else i
                         for n, i in zip(steps[::2], index[1:], strict=True) if i != "0"]  # fmt: skip
                words = [dim_piece(first, dims).at(Level.SUM), *words] if first != 0 or not words else words
                return Piece(f"{index[0]} == {' + '.join(words)}", Level.COMPARE)
            case Mul(factors=((arg, axes, power),), coefficient=c) if power == 1 and c == UNIT:
                return self.condition(arg, tuple(index[a] for a in axes))
            case Slice(arg=arg, axis=axis, first=first):
                return self.condition(arg, _moved(index, axis, index_sum(index[axis], first, self.b.dims)))
        return Piece(f"{self.entry(op, index).at(Level.SUM)} != 0.0", Level.COMPARE)

    def plain(self, piece: Piece) -> Piece:
        """A piece that may stand twice: computed before, where it is more than an entry."""
        return piece if repeatable(piece) else self._named(piece)

    def _held(self, piece: Piece) -> Piece:
        return piece if re.fullmatch(r"-?[\w.]+", piece.text) else self._named(piece)

    def _named(self, piece: Piece) -> Piece:
        name = self.b.local("t")
        self.b.line(f"const double {name} = {piece.text};")
        return Piece(name)

    # ---- sums and products

    def _add(self, op: Add, index: Index) -> Piece:
        """Subtracted terms last, otherwise in their order."""
        found = []
        for c, t, axes in op.terms:
            over, under, minus = self.factors(c, ((t, axes, Fraction(1)),), index)
            found.append((minus, quotient(over, under)))
        found.sort(key=lambda t: t[0])
        if not found:
            return ZERO
        (subtracted, first), *rest = found
        text = negative(first).text if subtracted else first.at(Level.SUM)
        for subtracted, piece in rest:
            text += f" {'-' if subtracted else '+'} {piece.at(Level.TIMES)}"
        return Piece(text, Level.SUM)

    def factors(
        self, coefficient: Coefficient, factors: Iterable[tuple[Op, Axes, Fraction]], index: Index
    ) -> tuple[list[Piece], list[Piece], bool]:
        """Factors, divisors, and whether the product is subtracted; products in products are taken apart."""
        coefficient, found = _flattened(coefficient, factors, index)
        numerators, under = coefficient_pieces(coefficient, self.b.dims)
        over, counted = list[Piece](), len(under)
        for op, at, p in sorted(found, key=lambda f: bool(f[1])):  # numbers first
            if p == -1 and op in self.reciprocals:
                over.append(Piece(self.reciprocals[op]))
                continue
            piece = self.entry(op, at)
            if abs(p) > 1 and p.denominator <= 2:
                piece = self.plain(piece)
            (over if p > 0 else under).append(powered(piece, abs(p)))
        over.sort(key=lambda p: p.level <= Level.COMPARE)
        if numerators and not _REAL.match(numerators[0].text) and (len(numerators) > 1 or under or not over):
            numerators.insert(0, ONE)  # sizes are integers: they must neither divide one another nor overflow
        if index and under[:counted] and over:  # what is the same for all entries stands in front, to be computed once
            return [quotient(numerators, under[:counted]), *over], under[counted:], coefficient.value < 0
        return [*numerators, *over], under, coefficient.value < 0

    # ---- places

    def _pad(self, op: Pad, index: Index) -> Piece:
        size, axis = op.arg.shape[op.axis], op.axis
        i, stop = index[axis], add_dims(op.first, size)
        tests = [f"{i} >= {self.b.dim(op.first).text}"] if op.first != 0 else []
        tests += [f"{i} < {self.b.dim(stop).text}"] if stop != op.shape[axis] else []
        place = "0" if size == 1 else index_sum(i, multiply_dims(-1, op.first), self.b.dims)
        value = self.entry(op.arg, _moved(index, axis, place))
        return chosen(Piece(" && ".join(tests), Level.COMPARE), value, ZERO) if tests else value

    def _reshape(self, op: Reshape, index: Index) -> Piece:
        """The entry at the same place in the order of memory; axes in front that both have keep their index."""
        arg = op.arg
        if isinstance(arg, Input) and not self.dropped.get(arg):
            return Piece(f"{self.names[arg]}[{offset(op.shape, index, self.b.dims)}]")
        same = next((k for k, (m, n) in enumerate(zip(op.shape, arg.shape, strict=False)) if m != n), len(arg.shape))
        same = min(same, len(op.shape))
        flat = offset(op.shape[same:], index[same:], self.b.dims)
        sizes, found = arg.shape[same:], list(index[:same])
        for axis, size in enumerate(sizes):
            text = flat
            for inner in sizes[axis + 1 :]:
                text = text if inner == 1 else f"{bracketed(text)} / {self.b.dim(inner).at(Level.UNARY)}"
            if axis and text != "0":
                text = f"{bracketed(text)} % {self.b.dim(size).at(Level.UNARY)}"
            found.append("0" if size == 1 else text)
        return self.entry(arg, tuple(found))


def _flattened(
    c: Coefficient, factors: Iterable[tuple[Op, Axes, Fraction]], index: Index
) -> tuple[Coefficient, list[tuple[Op, Index, Fraction]]]:
    found: list[tuple[Op, Index, Fraction]] = []
    for op, axes, p in factors:
        at = tuple(index[a] for a in axes)
        inner = op.coefficient.power(p) if isinstance(op, Mul) and abs(p) == 1 else None
        if isinstance(op, Mul) and inner is not None:
            c, more = _flattened(c.times(inner), ((f, ls, q * p) for f, ls, q in op.factors), at)
            found += more
        else:
            found.append((op, at, p))
    return c, found


def _moved(index: Index, axis: int, place: str) -> Index:
    return (*index[:axis], place, *index[axis + 1 :])


def _number(value: float) -> Piece:
    if not isfinite(value):
        word = Piece("NAN" if isnan(value) else "INFINITY")
        return negative(word) if value < 0 else word
    return Piece(literal(value)) if value >= 0 else negative(Piece(literal(-value)))


__all__ = ["LINEAR_ALGEBRA", "Entries", "Index"]

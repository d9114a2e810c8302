"""Sums, products and powers of values: of matrices by their shapes, of numbers by their letters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction as Rational
from functools import reduce
from typing import Any

from byhand.reading.algebra import Algebra
from byhand.reading.tokens import UnreadableError
from byhand.reading.values import COLUMN, INNER, ROW, MismatchError, Value


class Products:
    """Sums and products over an algebra.

    Args:
        algebra: numbers or expressions.
        strict: shapes fit to the letter: no number stands for a matrix beside ⊙, no matrix divides, a power multiplies matrices.
    """

    def __init__(self, algebra: Algebra, strict: bool = False) -> None:
        self.algebra, self.strict = algebra, strict

    # ---- shapes

    def sides(self, x: Value) -> tuple[Any, Any]:
        """Rows and columns."""
        rows, columns = self.algebra.shape(x.data)[len(x.letters) :]
        return rows, columns

    def shown(self, x: Value) -> str:
        return "I" if x.identity else "a number" if not x.matrix else "({}, {})".format(*self.sides(x))

    def is_number(self, x: Value) -> bool:
        return not x.identity and (not x.matrix or self.sides(x) == (1, 1))

    def scalar(self, x: Value) -> Value:
        """A matrix of one entry as a number; of a larger one the sum of its entries."""
        x = self.definite(x)
        if not x.matrix:
            return x
        return Value(self.algebra.einsum([(x.data, x.labels)], x.letters, {}), x.letters)

    def definite(self, x: Value) -> Value:
        """A value whose size is known. Raises: UnreadableError: it is I, and nothing says how large."""
        if x.identity:
            raise UnreadableError("the size of I is not said")
        return x

    def sized(self, x: Value, like: Value) -> Value:
        """The identity with the size of a square matrix beside it."""
        if not x.identity or like.identity:
            return x
        if self.is_number(like):
            return self.definite(x)
        rows, columns = self.sides(like)
        if rows != columns:
            raise MismatchError(f"I beside {self.shown(like)}, which is not square")
        return self.scaled(x.plain, self.eye(rows))

    def dims(self, *values: Value) -> dict[str, Any]:
        """The dimension of each label. Raises: MismatchError: a letter stands for two."""
        found: dict[str, Any] = {}
        for x in values:
            for letter, dim in zip(x.letters, self.algebra.shape(x.data), strict=False):
                if found.setdefault(letter, dim) != dim:
                    raise MismatchError(
                        f"the index {letter} runs over {found[letter]} places here and over {dim} there"
                    )
        return found

    def letters(self, *values: Value) -> tuple[str, ...]:
        return tuple(dict.fromkeys(letter for x in values for letter in x.letters))

    def spread(self, x: Value, letters: tuple[str, ...], like: Value | None, dims: dict[str, Any]) -> Any:
        """The data with more letters, and as a matrix where `like` is one."""
        out: tuple[str, ...] = letters
        sizes = dict(dims)
        if like is not None and like.matrix:
            out = (*letters, ROW, COLUMN)
            if not x.matrix:
                sizes |= dict(zip((ROW, COLUMN), self.sides(like), strict=True))
        if x.labels == out:
            return x.data
        return self.algebra.einsum(
            [(x.data, x.labels)], out, {k: v for k, v in sizes.items() if k in out and k not in x.labels}
        )

    def together(self, what: str, a: Value, b: Value, numbers: str = "all") -> tuple[Any, Any, tuple[str, ...], bool]:
        """Two values entry by entry: shapes are equal, or one is a number that stands for all entries.

        Args:
            what: for messages.
            a, b: the values.
            numbers: which numbers do so in strict notation: "all", "constant" (numerals and sizes) or "none".
        """
        a, b = self.sized(a, b), self.sized(b, a)
        if a.identity or b.identity:
            raise UnreadableError(f"{what}: the size of I is not said")
        if self.is_number(a) and self.is_number(b):
            a, b = self.scalar(a), self.scalar(b)
        elif self.is_number(a) or self.is_number(b):
            number = a if self.is_number(a) else b
            if self.strict and not (numbers == "all" or (numbers == "constant" and number.constant)):
                raise MismatchError(f"{what}: a number entry by entry with a matrix")
            a, b = (self.scalar(x) if self.is_number(x) else x for x in (a, b))
        elif self.sides(a) != self.sides(b):
            raise MismatchError(f"{what}: {self.shown(a)} and {self.shown(b)} do not fit entry by entry")
        dims, letters = self.dims(a, b), self.letters(a, b)
        like = a if a.matrix else b
        return self.spread(a, letters, like, dims), self.spread(b, letters, like, dims), letters, like.matrix

    # ---- sums and products
    def add(self, terms: list[tuple[int, Value]]) -> Value:
        """A sum; a number is added to every entry, and I has the size of what stands beside it."""
        sized = next((x for _, x in terms if not x.identity and not self.is_number(x)), None)
        if sized is not None:
            terms = [(sign, self.sized(x, sized)) for sign, x in terms]
        if all(x.identity for _, x in terms):
            return self.add([(sign, x.plain) for sign, x in terms])._replace(identity=True)
        sign, total = terms[0]
        if sign < 0:
            total = Value(self.algebra.add([(-1, total.data)]), total.letters, total.matrix, total.constant)
        for sign, x in terms[1:]:
            constant = total.constant and x.constant
            one, other, letters, matrix = self.together("a sum" if sign > 0 else "a difference", total, x)
            total = Value(self.algebra.add([(1, one), (sign, other)]), letters, matrix, constant)
        return total

    def hadamard(self, a: Value, b: Value, divide: bool = False) -> Value:
        """Entry by entry."""
        numbers = "constant" if divide else "none"
        if divide:
            b = self.power(self.definite(b), Rational(-1))
        one, other, letters, matrix = self.together("a product entry by entry", a, b, numbers)
        labels = (*letters, ROW, COLUMN) if matrix else letters
        made = Value(
            self.algebra.einsum([(one, labels), (other, labels)], labels, {}),
            letters,
            matrix,
            a.constant and b.constant,
        )
        return self.masked(made, a, b)

    def masked(self, product: Value, *factors: Value) -> Value:
        """A product, zero where a condition among its factors does not hold."""
        masks = [x for x in factors if x.mask]
        if not masks:
            return product
        data, dims = product.data, self.dims(product)
        for x in masks:
            data = self.algebra.masked(data, self.spread(x, product.letters, product, dims))
        return product._replace(data=data, mask=True)

    def multiply(self, a: Value, b: Value) -> Value:
        """Side by side: a product of matrices, or a multiple."""
        if a.identity and b.identity:
            return self.scaled(a.plain, b.plain)._replace(identity=True)
        if a.identity or b.identity:
            made = self.scaled(a.plain, b.plain)
            other = b if a.identity else a
            return made._replace(identity=self.is_number(other))
        if not (a.matrix and b.matrix):
            return self.scaled(a, b)
        (_, inner), (outer, _) = self.sides(a), self.sides(b)
        if inner != outer:
            if self.is_number(a) or self.is_number(b):
                return self.scaled(*(self.scalar(x) if self.is_number(x) else x for x in (a, b)))
            raise MismatchError(f"a product of shapes {self.shown(a)} and {self.shown(b)}: {inner} and {outer} differ")
        self.dims(a, b)
        letters = self.letters(a, b)
        data = self.algebra.einsum(
            [(a.data, (*a.letters, ROW, INNER)), (b.data, (*b.letters, INNER, COLUMN))], (*letters, ROW, COLUMN), {}
        )
        return self.collapsed(Value(data, letters, True))

    def collapsed(self, x: Value) -> Value:
        """A matrix of one entry in strict notation: what follows a row times a column begins anew."""
        return self.scalar(x) if self.strict and x.matrix and self.is_number(x) else x

    def scaled(self, a: Value, b: Value) -> Value:
        self.dims(a, b)
        letters, matrix = self.letters(a, b), a.matrix or b.matrix
        labels = (*letters, ROW, COLUMN) if matrix else letters
        data = self.algebra.einsum([(a.data, a.labels), (b.data, b.labels)], labels, {})
        return self.masked(Value(data, letters, matrix, a.constant and b.constant and not matrix), a, b)

    def contracted(self, values: Sequence[Value], summed: Collection[str], ranges: dict[str, Any]) -> Value:
        """The product of numbers, summed over letters; one that none of them has counts how far it runs."""
        self.dims(*values)
        letters = self.letters(*values)
        kept = tuple(x for x in letters if x not in summed)
        missing = {x: ranges[x] for x in summed if x not in letters}
        if any(x.mask for x in values):
            product = reduce(self.scaled, values)
            data = self.algebra.einsum([(product.data, product.labels)], kept, missing)
        else:
            data = self.algebra.einsum([(x.data, x.letters) for x in values], kept, missing)
        return Value(data, kept, constant=all(x.constant for x in values))

    def dot(self, a: Value, b: Value) -> Value:
        """a · b: of two columns (or two rows) of one length the inner product, else the product."""
        if self.strict or not (a.matrix and b.matrix):
            return self.multiply(a, b)
        if not self.is_number(a) and self.sides(a) == self.sides(b) and 1 in self.sides(a):
            return self.inner(a, b)
        return self.multiply(a, b)

    def inner(self, a: Value, b: Value) -> Value:
        """⟨a, b⟩."""
        a, b = self.sized(a, b), self.sized(b, a)
        if not (a.matrix and b.matrix):
            return self.scaled(self.scalar(a), self.scalar(b))
        if self.sides(a) != self.sides(b):
            raise MismatchError(f"an inner product of {self.shown(a)} and {self.shown(b)}")
        letters = self.letters(a, b)
        self.dims(a, b)
        return Value(self.algebra.einsum([(a.data, a.labels), (b.data, b.labels)], letters, {}), letters)

    def transpose(self, x: Value) -> Value:
        if not x.matrix:
            return x
        return Value(
            self.algebra.einsum([(x.data, (*x.letters, COLUMN, ROW))], (*x.letters, ROW, COLUMN), {}), x.letters, True
        )

    def divided(self, a: Value, b: Value) -> Value:
        """a / b: by a number, or entry by entry."""
        if self.is_number(b):
            return self.multiply(a, self.power(self.scalar(b), Rational(-1)))
        if self.strict or b.identity:
            raise MismatchError("division by a matrix")
        return self.hadamard(a, b, divide=True)

    def power(self, x: Value, exponent: Rational) -> Value:
        """Entry by entry."""
        return Value(self.algebra.power(x.data, exponent), x.letters, x.matrix, x.constant)

    def matrix_power(self, x: Value, exponent: Rational) -> Value:
        """Of a number, its power; of a square matrix, a product of it with itself or its inverse; of a vector, entry by entry."""
        if x.identity:
            return self.power(x.plain, exponent)._replace(identity=True)
        if self.is_number(x):
            return self.power(self.scalar(x), exponent)._replace(constant=x.constant)
        rows, columns = self.sides(x)
        whole = exponent.denominator == 1
        if rows == columns and exponent == -1:
            return Value(self.algebra.inverse(x.data), x.letters, True)
        if rows == columns and whole and 1 < exponent < 9:
            made = x
            for _ in range(int(exponent) - 1):
                made = self.multiply(made, x)
            return made
        if rows == columns and exponent < -1 and whole:
            return self.matrix_power(self.matrix_power(x, Rational(-1)), -exponent)
        if exponent == -1 or self.strict:
            raise MismatchError(f"a power of a matrix of shape {self.shown(x)}, which is not square")
        return self.power(x, exponent)

    def eye(self, n: Any) -> Value:
        """The identity."""
        return Value(self.algebra.eye(n), (), True)

    def ones(self, rows: Any, columns: Any) -> Value:
        """A matrix of ones."""
        return Value(self.algebra.einsum([], (ROW, COLUMN), {ROW: rows, COLUMN: columns}), (), True)

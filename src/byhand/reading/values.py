"""Values of formulas, and the operations of matrix notation on them: two axes of a matrix, and one axis for each index letter."""

from __future__ import annotations

from fractions import Fraction as Rational
from typing import Any, NamedTuple

from byhand.errors import ByhandError
from byhand.reading.algebra import Algebra
from byhand.reading.tree import Node

ROW, COLUMN, INNER = "·row", "·column", "·inner"  # labels of matrix axes: no letter is called so


class MismatchError(ByhandError):
    """A formula that is read and has no value: the shapes do not fit.

    Attributes:
        node: the part that has none.
    """

    def __init__(self, reason: str, node: Node | None = None) -> None:
        super().__init__(reason)
        self.node = node


class Value(NamedTuple):
    """An array in a formula.

    Attributes:
        data: its axes are those of the letters, then row and column where it is a matrix.
        letters: the index letters it depends on.
        matrix: whether it has a row and a column axis; without, it is a number for each choice of the letters.
    """

    data: Any
    letters: tuple[str, ...] = ()
    matrix: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return (*self.letters, ROW, COLUMN) if self.matrix else self.letters


class Operations:
    """The operations of matrix notation over an algebra."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra

    # ---- shapes

    def sides(self, x: Value) -> tuple[Any, Any]:
        """Rows and columns."""
        rows, columns = self.algebra.shape(x.data)[len(x.letters) :]
        return rows, columns

    def shown(self, x: Value) -> str:
        return "a number" if not x.matrix else "({}, {})".format(*self.sides(x))

    def is_number(self, x: Value) -> bool:
        return not x.matrix or self.sides(x) == (1, 1)

    def scalar(self, x: Value) -> Value:
        """A matrix of one entry as a number."""
        if not x.matrix:
            return x
        return Value(self.algebra.einsum([(x.data, x.labels)], x.letters, {}), x.letters)

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

    # ---- operations

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

    def together(self, what: str, a: Value, b: Value, loose: bool = True) -> tuple[Any, Any, tuple[str, ...], bool]:
        """Two values entry by entry: shapes are equal, or one is a number."""
        if self.is_number(a) and self.is_number(b):
            a, b = self.scalar(a), self.scalar(b)
        elif a.matrix and b.matrix and self.sides(a) != self.sides(b):
            if not loose or not (self.is_number(a) or self.is_number(b)):
                raise MismatchError(f"{what}: {self.shown(a)} and {self.shown(b)} do not fit")
            a, b = (self.scalar(x) if self.is_number(x) else x for x in (a, b))
        dims, letters = self.dims(a, b), self.letters(a, b)
        like = a if a.matrix else b
        return self.spread(a, letters, like, dims), self.spread(b, letters, like, dims), letters, like.matrix

    def add(self, terms: list[tuple[int, Value]]) -> Value:
        """A sum; a number is added to every entry."""
        sign, total = terms[0]
        if sign < 0:
            total = total._replace(data=self.algebra.add([(-1, total.data)]))
        for sign, x in terms[1:]:
            one, other, letters, matrix = self.together("a sum" if sign > 0 else "a difference", total, x)
            total = Value(self.algebra.add([(1, one), (sign, other)]), letters, matrix)
        return total

    def hadamard(self, a: Value, b: Value, divide: bool = False) -> Value:
        """Entry by entry."""
        if divide:
            b = self.power(b, Rational(-1))
        one, other, letters, matrix = self.together("a product entry by entry", a, b)
        labels = (*letters, ROW, COLUMN) if matrix else letters
        return Value(self.algebra.einsum([(one, labels), (other, labels)], labels, {}), letters, matrix)

    def multiply(self, a: Value, b: Value) -> Value:
        """Side by side: a product of matrices, or a multiple."""
        if not (a.matrix and b.matrix):
            return self.scaled(a, b)
        (_, inner), (outer, _) = self.sides(a), self.sides(b)
        if inner != outer:
            if self.is_number(a) or self.is_number(b):
                return self.scaled(*(self.scalar(x) if self.is_number(x) else x for x in (a, b)))
            raise MismatchError(f"a product of {self.shown(a)} and {self.shown(b)}: {inner} and {outer} differ")
        self.dims(a, b)
        letters = self.letters(a, b)
        data = self.algebra.einsum(
            [(a.data, (*a.letters, ROW, INNER)), (b.data, (*b.letters, INNER, COLUMN))], (*letters, ROW, COLUMN), {}
        )
        return Value(data, letters, True)

    def scaled(self, a: Value, b: Value) -> Value:
        self.dims(a, b)
        letters, matrix = self.letters(a, b), a.matrix or b.matrix
        labels = (*letters, ROW, COLUMN) if matrix else letters
        return Value(self.algebra.einsum([(a.data, a.labels), (b.data, b.labels)], labels, {}), letters, matrix)

    def dot(self, a: Value, b: Value) -> Value:
        """a · b: of two columns (or two rows) of one length the inner product, else the product."""
        if a.matrix and b.matrix and not self.is_number(a) and self.sides(a) == self.sides(b) and 1 in self.sides(a):
            return self.inner(a, b)
        return self.multiply(a, b)

    def inner(self, a: Value, b: Value) -> Value:
        """⟨a, b⟩."""
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

    def power(self, x: Value, exponent: Rational) -> Value:
        """Entry by entry."""
        return x._replace(data=self.algebra.power(x.data, exponent))

    def matrix_power(self, x: Value, exponent: Rational) -> Value:
        """Of a number, its power; of a square matrix, a product of it with itself or its inverse; of a vector, entry by entry."""
        if self.is_number(x):
            return self.power(self.scalar(x), exponent)
        rows, columns = self.sides(x)
        if rows == columns and exponent == -1 and not x.letters:
            return x._replace(data=self.algebra.inverse(x.data))
        if rows == columns and exponent.denominator == 1 and 1 < exponent < 9:
            made = x
            for _ in range(int(exponent) - 1):
                made = self.multiply(made, x)
            return made
        if rows == columns and exponent < -1 and exponent.denominator == 1 and not x.letters:
            return self.matrix_power(self.matrix_power(x, Rational(-1)), -exponent)
        if exponent == -1:
            raise MismatchError(f"the inverse of {self.shown(x)}, which is not square")
        return self.power(x, exponent)

    def function(self, name: str, x: Value) -> Value:
        return x._replace(data=self.algebra.function(name, x.data))

    def total(self, x: Value) -> Value:
        """The sum of all entries."""
        return self.scalar(x)

    def trace(self, x: Value) -> Value:
        if not x.matrix:
            return x
        rows, columns = self.sides(x)
        if rows != columns:
            raise MismatchError(f"the trace of {self.shown(x)}, which is not square")
        return Value(self.algebra.einsum([(x.data, (*x.letters, ROW, ROW))], x.letters, {}), x.letters)

    def diagonal(self, x: Value) -> Value:
        """diag: of a vector the diagonal matrix, of a square matrix its diagonal as a column."""
        if not x.matrix:
            return x
        rows, columns = self.sides(x)
        if 1 in (rows, columns) and (rows, columns) != (1, 1):
            n = columns if rows == 1 else rows
            vector = self.algebra.einsum([(x.data, x.labels)], (*x.letters, ROW if rows != 1 else COLUMN), {})
            eye = self.eye(n)
            return Value(
                self.algebra.einsum(
                    [(vector, (*x.letters, ROW)), (eye.data, (ROW, COLUMN))], (*x.letters, ROW, COLUMN), {}
                ),
                x.letters,
                True,
            )
        if rows != columns:
            raise MismatchError(f"the diagonal of {self.shown(x)}")
        eye = self.eye(rows)
        column = self.algebra.einsum(
            [(x.data, (*x.letters, ROW, INNER)), (eye.data, (ROW, INNER))], (*x.letters, ROW, COLUMN), {COLUMN: 1}
        )
        return Value(column, x.letters, True)

    def eye(self, n: Any) -> Value:
        """The identity."""
        return Value(self.algebra.eye(n), (), True)

    def ones(self, rows: Any, columns: Any) -> Value:
        """A matrix of ones."""
        return Value(self.algebra.einsum([], (ROW, COLUMN), {ROW: rows, COLUMN: columns}), (), True)

    def kron(self, a: Value, b: Value) -> Value:
        """The Kronecker product."""
        if a.letters or b.letters:
            raise MismatchError("a Kronecker product of matrices with indices")
        if not (a.matrix and b.matrix):
            return self.scaled(a, b)
        return Value(self.algebra.kron(a.data, b.data), (), True)

    def over(self, operation: str, x: Value, axes: str) -> Value:
        """softmax and its kin over "all" entries, or along "rows" or "columns" (each row, each column, by itself)."""
        if not x.matrix:
            raise MismatchError(f"{operation} of a number")
        k = len(x.letters)
        places = {"all": (k, k + 1), "rows": (k + 1,), "columns": (k,)}[axes]
        data = self.algebra.over(operation, x.data, places)
        if operation != "logsumexp":
            return x._replace(data=data)
        if axes == "all":
            return Value(data, x.letters)
        label = ROW if axes == "rows" else COLUMN
        out = (*x.letters, ROW, COLUMN)
        return Value(
            self.algebra.einsum([(data, (*x.letters, label))], out, {COLUMN if label == ROW else ROW: 1}),
            x.letters,
            True,
        )

    def chosen(self, mask: Value, one: Value, other: Value) -> Value:
        """One of two values, entry by entry."""
        a, b, letters, matrix = self.together("two branches", one, other)
        branches = Value(a, letters, matrix)
        held, _, letters, matrix = self.together("a condition", mask, branches)
        like, dims = Value(held, letters, matrix), self.dims(mask, branches)
        first = self.spread(branches, letters, like, dims)
        second = self.spread(Value(b, branches.letters, branches.matrix), letters, like, dims)
        return Value(self.algebra.where(held, first, second), letters, matrix)

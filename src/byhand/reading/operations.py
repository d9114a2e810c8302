"""The operations of matrix notation that have names: trace, diagonal, Kronecker product, determinant, softmax."""

from __future__ import annotations

from byhand.reading.products import Products
from byhand.reading.tokens import UnreadableError
from byhand.reading.values import COLUMN, INNER, ROW, MismatchError, Value


class Operations(Products):
    """All operations of matrix notation over an algebra."""

    def function(self, name: str, x: Value) -> Value:
        x = self.definite(x)
        return Value(self.algebra.function(name, x.data), x.letters, x.matrix)

    def total(self, x: Value) -> Value:
        """The sum of all entries."""
        return self.scalar(x)

    def trace(self, x: Value) -> Value:
        x = self.definite(x)
        if not x.matrix:
            return x
        rows, columns = self.sides(x)
        if rows != columns:
            raise MismatchError(f"the trace of shape {self.shown(x)}, which is not square")
        return Value(self.algebra.einsum([(x.data, (*x.letters, ROW, ROW))], x.letters, {}), x.letters)

    def diagonal(self, x: Value) -> Value:
        """diag: of a vector the diagonal matrix, of a square matrix its diagonal as a column."""
        x = self.definite(x)
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

    def kron(self, a: Value, b: Value) -> Value:
        """The Kronecker product."""
        a, b = self.definite(a), self.definite(b)
        if not (a.matrix and b.matrix):
            return self.scaled(a, b)
        if a.letters or b.letters:
            raise UnreadableError("a Kronecker product of matrices with indices")
        return Value(self.algebra.kron(a.data, b.data), (), True)

    def determinant(self, x: Value, log: bool) -> Value:
        """det, or log|det|."""
        x = self.definite(x)
        rows, columns = self.sides(x) if x.matrix else (1, 1)
        if rows != columns:
            raise MismatchError(f"the determinant of shape {self.shown(x)}, which is not square")
        if not x.matrix:
            return self.function("log", self.function("abs", x)) if log else x
        return Value(self.algebra.determinant(x.data, log), x.letters)

    def stacked(self, x: Value) -> Value:
        """vec: the rows of a matrix, one under the other."""
        x = self.definite(x)
        if not x.matrix or 1 in self.sides(x):
            return x if not x.matrix or self.sides(x)[1] == 1 else self.transpose(x)
        if x.letters:
            raise UnreadableError("vec of a matrix with indices")
        return Value(self.algebra.stacked(x.data), (), True)

    def over(self, operation: str, x: Value, axes: str) -> Value:
        """softmax and its kin over "all" entries, or along "rows" or "columns" (each row, each column, by itself)."""
        x = self.definite(x)
        if not x.matrix and self.strict:  # of one entry
            x = self.scaled(x, self.ones(1, 1))
        if not x.matrix:
            raise MismatchError(f"{operation} of a number")
        k = len(x.letters)
        places = {"all": (k, k + 1), "rows": (k + 1,), "columns": (k,)}[axes]
        data = self.algebra.over(operation, x.data, places)
        if operation != "logsumexp":
            return Value(data, x.letters, True)
        if axes == "all":
            return Value(data, x.letters)
        label, dropped = (ROW, COLUMN) if axes == "rows" else (COLUMN, ROW)
        if self.strict:  # what is left is a vector, and vectors are columns
            label, dropped = ROW, COLUMN
        out = (*x.letters, ROW, COLUMN)
        return Value(self.algebra.einsum([(data, (*x.letters, label))], out, {dropped: 1}), x.letters, True)

    def chosen(self, mask: Value, one: Value, other: Value) -> Value:
        """One of two values, entry by entry."""
        a, b, letters, matrix = self.together("two branches", one, other, "constant")
        branches = Value(a, letters, matrix, one.constant and other.constant)
        held, _, letters, matrix = self.together("a condition", mask, branches, "constant")
        like, dims = Value(held, letters, matrix), self.dims(mask, branches)
        first = self.spread(branches, letters, like, dims)
        second = self.spread(Value(b, branches.letters, branches.matrix), letters, like, dims)
        return Value(self.algebra.where(held, first, second), letters, matrix)

"""The expression language under strict shape algebra: no broadcasting; a row added to every row is 1_N @ b."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from byhand.errors import ShapeError
from byhand.expr.contraction import add, elementwise, filled, scale, transpose
from byhand.expr.dims import MINUS_ONE, ONE, Dim, Shape, show_shape
from byhand.expr.nodes import Expr, Structured
from byhand.expr.operands import as_dim, exact_number, lift
from byhand.expr.reader import Reader, _chain
from byhand.expr.source import Source
from byhand.expr.surface import divide, expand, matmul, multiply, power
from byhand.expr.vocabulary import VOCABULARY


def is_literal(node: Expr) -> bool:
    """A number: it stands for an array of it."""
    return exact_number(node) is not None


def same_shape(a: Shape, b: Shape) -> bool:
    """Equal, where one by one is a scalar."""
    return a == b or (set(a) <= {1} and set(b) <= {1} and (not a or not b))


class StrictReader(Reader):
    """Reads one side of a line; sums and entry by entry products need equal shapes."""

    def sum(self, chain: list[ast.BinOp], depth: int) -> Expr:
        result = self.node(chain[0].left, depth + 1)
        for node in chain:
            x = self.node(node.right, depth + 1)
            sign = MINUS_ONE if isinstance(node.op, ast.Sub) else ONE
            symbol = "-" if isinstance(node.op, ast.Sub) else "+"
            if is_literal(result) and x.ndim:
                result = expand(result, x.shape)
            elif is_literal(x) and result.ndim:
                x = expand(x, result.shape)
            if result.shape != x.shape:
                if same_shape(result.shape, x.shape):
                    result, x = as_scalar(result), as_scalar(x)
                else:
                    self.unequal(node, f"{{0}} {symbol} {{1}}", [node.left, node.right], [result, x])
            result = add(result, scale(sign, x))
        return result

    def product(self, chain: list[ast.BinOp], depth: int) -> Expr:
        result = self.node(chain[0].left, depth + 1)
        for node in chain:
            x = self.node(node.right, depth + 1)
            try:
                match node.op:
                    case ast.MatMult():
                        result = strict_matmul(result, x)
                    case ast.Pow():
                        result = power(result, x)
                    case _:
                        if result.ndim and x.ndim and result.shape != x.shape:
                            symbol = "*" if isinstance(node.op, ast.Mult) else "/"
                            self.unequal(node, f"{{0}} {symbol} {{1}}", [node.left, node.right], [result, x])
                        result = multiply(result, x) if isinstance(node.op, ast.Mult) else divide(result, x)
            except ShapeError as error:
                raise self.restated(error, node, [node.left, node.right], [result, x]) from None
        return result

    def attribute(self, node: ast.Attribute, depth: int) -> Any:
        if node.attr == "T" and not self.is_module(node.value):
            x = self.node(node.value, depth + 1)
            if x.ndim != 2:
                name = self.source.words(node.value)
                what = (
                    "vector has no rows and columns to exchange: declare a column (n, 1)"
                    if x.ndim == 1
                    else "transpose is for matrices"
                )
                raise self.source.locate(
                    ShapeError(f"{name}.T: {name} has shape {show_shape(x.shape)}; a {what}"), node
                )
        return super().attribute(node, depth)

    def unequal(self, node: ast.AST, template: str, parts: list[ast.AST], operands: list[Expr]) -> None:
        """Raise the error of two shapes that differ."""
        shapes = [show_shape(o.shape) for o in operands]
        words = [self.source.words(p) for p in parts]
        error = ShapeError.between(
            f"{template}: the shapes differ, {shapes[0]} and {shapes[1]}", operands, words, shapes
        )
        raise self.source.locate(error, parts[1])


def as_scalar(x: Expr) -> Expr:
    """A one by one matrix as a scalar."""
    result = VOCABULARY["sum"](x) if x.ndim else x
    assert isinstance(result, Expr)
    return result


def strict_matmul(a: Expr, b: Expr) -> Expr:
    """The product of matrices; stacks are not products of matrices."""
    if a.ndim > 2 or b.ndim > 2:
        raise ShapeError(f"a product of matrices needs matrices, not {show_shape(a.shape)} and {show_shape(b.shape)}")
    return matmul(a, b)


def strict_softmax(x: Any, axis: object = None) -> Expr:
    """softmax of the rows of a matrix, of the whole of a vector or column; of a single number it is 1."""
    node = lift(x)
    if not node.ndim:
        return lift(1)
    if axis is None:
        axis = 0 if node.ndim == 1 or node.shape[-1] == 1 else -1
    result = VOCABULARY["softmax"](node, axis)
    assert isinstance(result, Expr)
    return result


def strict_log_softmax(x: Any, axis: object = None) -> Expr:
    """Likewise."""
    node = lift(x)
    if axis is None:
        axis = 0 if node.ndim == 1 or (node.ndim and node.shape[-1] == 1) else -1
    result = VOCABULARY["log_softmax"](node, axis)
    assert isinstance(result, Expr)
    return result


def strict_outer(a: Any, b: Any) -> Expr:
    """The outer product of two vectors, columns (n, 1) or rows (1, n); of matrices it has four axes."""
    x, y = lift(a), lift(b)
    if x.ndim == y.ndim == 1:
        result = VOCABULARY["outer"](x, y)
    else:
        result = VOCABULARY["einsum"](f"{'ab'[: x.ndim]},{'cd'[: y.ndim]}->{'ab'[: x.ndim]}{'cd'[: y.ndim]}", x, y)
    assert isinstance(result, Expr)
    return result


def strict_ones(rows: Any, columns: Any = None) -> Expr:
    """1_N, and matrices of ones."""
    shape: tuple[Dim, ...] = (as_dim(rows),) if columns is None else (as_dim(rows), as_dim(columns))
    return filled(shape)


def strict_diag(x: Any) -> Expr:
    """The diagonal matrix of a vector, column or row; the diagonal of a square matrix."""
    node = lift(x)
    if node.ndim == 2 and 1 in node.shape and node.shape != (1, 1):
        node = VOCABULARY["sum"](node, 0 if node.shape[0] == 1 else 1)
    result = VOCABULARY["diag"](node)
    assert isinstance(result, Expr)
    return result


STRICT: Mapping[str, Callable[..., Expr]] = {
    "softmax": strict_softmax, "log_softmax": strict_log_softmax,
    "outer": strict_outer, "ones": strict_ones, "diag": strict_diag,
}  # fmt: skip


def read_strictly(text: str, names: Mapping[str, Any]) -> Expr:
    """The value of one side.

    Raises: ShapeError: shapes that do not fit without broadcasting. ParseError: it cannot be read.
    """
    source = Source.read(text or " ")
    body = source.tree.body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        from byhand.errors import ParseError

        raise ParseError("an expression is expected here").at(text or " ", 1, 1)
    return StrictReader(source, {**VOCABULARY, **STRICT, **names}).node(body[0].value)


__all__ = ["Structured", "_chain", "elementwise", "read_strictly", "same_shape", "transpose"]

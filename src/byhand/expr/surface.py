"""The NumPy-like surface: operators on nodes, with NumPy's semantics and shape errors that name a remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from byhand.errors import ParseError
from byhand.expr.contraction import (
    P1,
    Label,
    LooseFactor,
    add,
    combine,
    contract,
    elementwise,
    is_zero,
    scale,
    transpose,
)
from byhand.expr.dims import MINUS_ONE, ONE, Dim, Dimension, Shape, show_shape
from byhand.expr.domain import of_operation, of_power, record
from byhand.expr.nodes import Expr, Named, Sum
from byhand.expr.operands import Operand, exact_number, fitting, lift, misfit
from byhand.expr.operations import apply

LARGEST_POWER = 64


def broadcast(operands: Sequence[Expr], template: str) -> tuple[list[LooseFactor], Shape]:
    """Factors with labels that line the operands' axes up at the right, and the common shape."""
    rank = max(o.ndim for o in operands)
    shape: list[Dim] = [1] * rank
    for k, o in enumerate(operands):
        for axis, size in zip(range(rank - o.ndim, rank), o.shape, strict=True):
            if shape[axis] == 1:
                shape[axis] = size
            elif size not in (1, shape[axis]):
                problem = f"{template}: shapes do not fit, {shape[axis]} != {size} on axis {axis - rank}"
                raise misfit(problem, operands, _broadcast_remedies(operands, template), k)
    unit = count()
    rows: list[LooseFactor] = []
    for o in operands:
        axes = zip(range(rank - o.ndim, rank), o.shape, strict=True)
        rows.append((o, [axis if size == shape[axis] else ("unit", next(unit)) for axis, size in axes], P1))
    return rows, tuple(shape)


def broadcast_shape(shapes: Sequence[Shape]) -> Shape | None:
    """The common shape, or None where there is none."""
    rank = max(map(len, shapes))
    result: list[Dim] = [1] * rank
    for shape in shapes:
        for axis, size in zip(range(rank - len(shape), rank), shape, strict=True):
            if result[axis] == 1:
                result[axis] = size
            elif size not in (1, result[axis]):
                return None
    return tuple(result)


def _broadcast_remedies(operands: Sequence[Expr], template: str) -> list[str]:
    """The same operation with one of two operands transposed or made a column, where that adds no axis and fits."""
    if len(operands) != 2:
        return []
    fits = []
    for change, view in ((0, "{0}.T"), (1, "{1}.T"), (0, "{0}[:, None]"), (1, "{1}[:, None]")):
        o, other = operands[change], operands[1 - change]
        if o.ndim != (2 if view.endswith("T") else 1):
            continue
        shape = transpose(o).shape if view.endswith("T") else (o.shape[0], 1)
        result = broadcast_shape([shape, other.shape])
        if result is not None and result in (shape, other.shape):
            fits.append(f"`{template.replace('{' + str(change) + '}', view)}` is {show_shape(result)}")
    return fits[:3]


def expand(node: Expr, shape: Shape) -> Expr:
    """The node broadcast to a shape."""
    if node.shape == shape:
        return node
    if isinstance(node, Sum):  # one way to write it: a sum of broadcasts
        return combine((c, expand(t, shape)) for c, t in node.terms)
    offset = len(shape) - node.ndim
    labels: list[Label] = [
        i + offset if size == shape[i + offset] else ("unit", i) for i, size in enumerate(node.shape)
    ]
    return contract([(node, labels, P1)], range(len(shape)), dims=dict(enumerate(shape)))


def plus(a: Operand, b: Operand) -> Expr:
    """a + b."""
    x, y = lift(a), lift(b)
    _, shape = broadcast([x, y], "{0} + {1}")
    return add(expand(x, shape), expand(y, shape))


def minus(a: Operand, b: Operand) -> Expr:
    """a - b."""
    x, y = lift(a), lift(b)
    _, shape = broadcast([x, y], "{0} - {1}")
    return add(expand(x, shape), scale(MINUS_ONE, expand(y, shape)))


def negative(a: Operand) -> Expr:
    """-a."""
    return scale(MINUS_ONE, lift(a))


def multiply(a: Operand, b: Operand) -> Expr:
    """a * b, entry by entry."""
    rows, shape = broadcast([lift(a), lift(b)], "{0} * {1}")
    return contract(rows, range(len(shape)), dims=dict(enumerate(shape)))


def divide(a: Operand, b: Operand) -> Expr:
    """a / b, entry by entry."""
    x, y = lift(a), lift(b)
    broadcast([x, y], "{0} / {1}")  # the shape error names y, not its reciprocal
    return multiply(x, power(y, -1))


def power(a: Operand, p: Operand) -> Expr:
    """a ** p, entry by entry."""
    x, exponent = lift(a), lift(p)
    exact = exact_number(exponent)
    if exact is not None:
        if abs(exact) > LARGEST_POWER or exact.denominator > 10**6:
            raise ParseError(
                f"exponent {exact if exact.denominator < 1000 else float(exact)}: the largest is {LARGEST_POWER}"
            )
        if exact == 0:
            return contract([], range(x.ndim), ONE, dict(enumerate(x.shape)))
        base = exact_number(x)
        if is_zero(_without_names(x)) and exact < 0:
            raise ParseError("division by zero")
        if base is not None and base < 0 and exact.denominator > 1:
            raise ParseError(f"{base} ** {exact} is not a real number")
        record(of_power(x, exact))
        return contract([(x, range(x.ndim), exact)], range(x.ndim), dims=dict(enumerate(x.shape)))
    _, shape = broadcast([x, exponent], "{0} ** {1}")
    record(of_operation("power", (expand(x, shape),)))
    return apply("power", expand(x, shape), expand(exponent, shape))


def _without_names(node: Expr) -> Expr:
    while isinstance(node, Named):
        node = node.body
    return node


def matmul(a: Operand, b: Operand) -> Expr:
    """a @ b: vectors, matrices, stacks of matrices."""
    x, y = lift(a), lift(b)
    if not (x.ndim and y.ndim):
        fits = fitting([("{0} * {1}", multiply(x, y))])
        raise misfit("{0} @ {1}: a scalar has no matrix product", [x, y], fits, 1 if x.ndim else 0)
    inner = x.shape[-1], y.shape[-2] if y.ndim > 1 else y.shape[0]
    if inner[0] != inner[1]:
        problem = f"{{0}} @ {{1}}: inner dimensions differ, {inner[0]} != {inner[1]}"
        raise misfit(problem, [x, y], fitting(_matmul_candidates(x, y)))
    batch_x, batch_y = x.shape[:-2], y.shape[:-2]
    rank = max(len(batch_x), len(batch_y))
    batch = broadcast_shape([batch_x, batch_y])
    if batch is None:
        problem = f"{{0}} @ {{1}}: the stacks do not fit, {show_shape(batch_x)} and {show_shape(batch_y)}"
        raise misfit(problem, [x, y])

    def stack(sizes: Shape, side: str) -> list[Label]:
        axes = range(rank - len(sizes), rank)
        return [("batch", i) if size == batch[i] else (side, i) for i, size in zip(axes, sizes, strict=True)]

    left = ["k"] if x.ndim == 1 else [*stack(batch_x, "left"), "i", "k"]
    right = ["k"] if y.ndim == 1 else [*stack(batch_y, "right"), "k", "j"]
    out: list[Label] = [("batch", i) for i in range(rank)]
    out += (["i"] if x.ndim > 1 else []) + (["j"] if y.ndim > 1 else [])
    return contract([(x, left, P1), (y, right, P1)], out, dims={("batch", i): n for i, n in enumerate(batch)})


def _matmul_candidates(x: Expr, y: Expr) -> list[tuple[str, Expr]]:
    """Products of the same two operands, in either order and transposed, whose inner dimensions agree."""
    if x.ndim > 2 or y.ndim > 2:
        return []
    if x.ndim == y.ndim == 1:
        return [("outer({0}, {1})", contract([(x, "i", P1), (y, "j", P1)], "ij"))]
    found: list[tuple[str, Expr]] = []
    seen: set[Expr] = set()
    for template in ("{1} @ {0}", "{0}.T @ {1}", "{0} @ {1}.T", "{0}.T @ {1}.T", "{1}.T @ {0}", "{1} @ {0}.T"):
        first, second = template.split(" @ ")
        left, right = ((x, y)[int(part[1])] for part in (first, second))
        if (first.endswith("T") and left.ndim == 1) or (second.endswith("T") and right.ndim == 1):
            continue
        left, right = (transpose(o) if p.endswith("T") else o for o, p in ((left, first), (right, second)))
        if left.shape[-1] == right.shape[0]:
            product = matmul(left, right)
            if product not in seen:
                found.append((template, product))
            seen |= {product, transpose(product)}
    return found


def compare(a: Operand, symbol: str, b: Operand) -> Expr:
    """The 0/1 mask of a comparison."""
    x, y = lift(a), lift(b)
    _, shape = broadcast([x, y], f"{{0}} {symbol} {{1}}")
    x, y = expand(x, shape), expand(y, shape)

    def above(one: Expr, other: Expr) -> Expr:
        return elementwise("step", minus(one, other))

    def not_below(one: Expr, other: Expr) -> Expr:  # not 1 - above: both are false where there is no number
        return elementwise("nonnegative", minus(one, other))

    match symbol:
        case ">":
            return above(x, y)
        case "<":
            return above(y, x)
        case ">=":
            return not_below(x, y)
        case "<=":
            return not_below(y, x)
        case "!=":
            return minus(1, multiply(not_below(x, y), not_below(y, x)))
        case "==":
            return multiply(not_below(x, y), not_below(y, x))
    raise ParseError(f"comparison {symbol} is not known; >, <, >=, <=, ==, != are")


def _install() -> None:
    """Give every node Python's operators, and a dimension those that make it a scalar."""
    operators: dict[str, Callable[[Any, Any], Expr]] = {
        "__add__": plus, "__sub__": minus, "__mul__": multiply, "__truediv__": divide,
        "__matmul__": matmul, "__pow__": power,
    }  # fmt: skip
    for name, operator in operators.items():
        reflected = f"__r{name[2:]}"
        for kind in (Expr, Dimension) if name != "__matmul__" else (Expr,):
            setattr(kind, name, operator)
            setattr(kind, reflected, lambda self, other, operator=operator: operator(other, self))
    for kind in (Expr, Dimension):
        type.__setattr__(kind, "__neg__", negative)
    for symbol, name in ((">", "__gt__"), ("<", "__lt__"), (">=", "__ge__"), ("<=", "__le__")):
        setattr(Expr, name, lambda self, other, symbol=symbol: compare(self, symbol, other))
    Expr.T = property(transpose)  # type: ignore[assignment]


_install()

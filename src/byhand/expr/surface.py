"""The NumPy-like surface: operators and functions on nodes, with NumPy's semantics and shape errors that name a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import count
from math import isfinite

from byhand.errors import ParseError, ShapeError
from byhand.expr.contraction import P1, add, contract, elementwise, number, scale, transpose, whole
from byhand.expr.dims import MINUS_ONE, ONE, Dim, Dimension, Shape, add_dims, dim_coefficient, multiply_dims, show_shape
from byhand.expr.nodes import Constant, Contraction, Elementwise, Expr, Named, Symbol
from byhand.expr.operations import apply

Operand = Expr | Dimension | int | float | Fraction
LARGEST_POWER = 64


class OperandError(ShapeError):
    """A shape error whose text names its operands; the parser restates it with the user's own words for them."""

    def __init__(self, template: str, operands: Sequence[Expr], fits: Sequence[str] = ()) -> None:
        self.template, self.operands, self.fits = template, tuple(operands), tuple(fits)
        super().__init__("")
        self.restate([sketch(o) for o in operands])

    def restate(self, texts: Sequence[str]) -> None:
        """Say it again with other texts for the operands."""
        self.message = self.template.format(*texts)
        width = max(map(len, texts))
        lines = [f"{t:<{width}}: {show_shape(o.shape)}" for t, o in zip(texts, self.operands, strict=True)]
        fits = list(dict.fromkeys(f.format(*texts) for f in self.fits))
        self.details = (*dict.fromkeys(lines), *([f"{'This fits' if len(fits) == 1 else 'These fit'}: {', '.join(fits)}"] if fits else []))


def sketch(node: Expr) -> str:
    """A short name of an operand for an error message."""
    match node:
        case Symbol(name) | Named(name) | Constant(name):
            return name
        case Elementwise(function, arg):
            return f"{function}({sketch(arg)})"
        case _:
            return "(...)"


def as_fraction(x: int | float | Fraction) -> Fraction:
    """A number as the exact decimal that its user wrote."""
    if isinstance(x, bool) or not isinstance(x, (int, float, Fraction)):
        raise ParseError(f"{x!r} is not a number")
    if isinstance(x, float) and not isfinite(x):
        raise ParseError(f"{x} is not a finite number")
    if isinstance(x, int) and x.bit_length() > 1023:
        raise ParseError("a number beyond the range of double precision")
    return Fraction(Decimal(repr(x))) if isinstance(x, float) else Fraction(x)


def lift(x: object) -> Expr:
    """A number or a dimension as a scalar node; nodes stay."""
    if isinstance(x, Expr):
        return x
    if isinstance(x, Dimension):
        return contract([], (), dim_coefficient(x))
    if isinstance(x, (int, float, Fraction)) and not isinstance(x, bool):
        return number(as_fraction(x))
    if getattr(x, "shape", None) == () and hasattr(x, "item"):
        return lift(x.item())
    kind = type(x).__name__
    remedy = "pass arrays as arguments of the function, with shapes of their own" if hasattr(x, "shape") else ""
    raise ParseError(f"a {kind} cannot stand in an expression", *([remedy] if remedy else []))


def as_dim(x: object) -> Dim:
    """A dimension or an integer as the size of an axis."""
    if isinstance(x, Dimension):
        return x
    if isinstance(x, int) and not isinstance(x, bool) and x > 0:
        return x
    raise ShapeError(f"{x if isinstance(x, int) else sketch(lift(x))} is not the size of an axis: a dimension's name or a positive integer")


# ---- broadcasting and operators


def broadcast(operands: Sequence[Expr], template: str) -> tuple[list[tuple[Expr, list[object], Fraction]], Shape]:
    """Factors with labels that line the operands' axes up at the right, and the common shape."""
    rank = max(o.ndim for o in operands)
    shape: list[Dim] = [1] * rank
    for o in operands:
        for axis, size in zip(range(rank - o.ndim, rank), o.shape, strict=True):
            if shape[axis] == 1:
                shape[axis] = size
            elif size not in (1, shape[axis]):
                problem = f"{template}: shapes do not fit, {shape[axis]} != {size} on axis {axis - rank}"
                raise OperandError(problem, operands, _broadcast_remedies(operands, template))
    unit = count()
    rows: list[tuple[Expr, list[object], Fraction]] = []
    for o in operands:
        axes = zip(range(rank - o.ndim, rank), o.shape, strict=True)
        rows.append((o, [axis if size == shape[axis] else ("unit", next(unit)) for axis, size in axes], P1))
    return rows, tuple(shape)


def _broadcast_shape(shapes: Sequence[Shape]) -> Shape | None:
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
    if len(operands) != 2:
        return []
    fits = []
    for i, (text, change) in enumerate((("{0}.T", 0), ("{1}.T", 1), ("{0}[:, None]", 0), ("{1}[:, None]", 1))):
        o, other = operands[change], operands[1 - change]
        shape = (o.shape[::-1] if o.ndim > 1 else None) if i < 2 else ((o.shape[0], 1) if o.ndim == 1 else None)
        result = _broadcast_shape([shape, other.shape]) if shape is not None else None
        if result is not None and max(len(o.shape), len(other.shape)) == len(result):
            fits.append(f"`{template.replace('{' + str(change) + '}', text)}` is {show_shape(result)}")
    return fits[:3]


def expand(node: Expr, shape: Shape) -> Expr:
    """The node broadcast to a shape."""
    if node.shape == shape:
        return node
    offset = len(shape) - node.ndim
    labels = [i + offset if size == shape[i + offset] else ("unit", i) for i, size in enumerate(node.shape)]
    return contract([(node, labels, P1)], range(len(shape)), dims=dict(enumerate(shape)))


def plus(a: Operand, b: Operand, template: str = "{0} + {1}") -> Expr:
    """a + b."""
    x, y = lift(a), lift(b)
    _, shape = broadcast([x, y], template)
    return add(expand(x, shape), expand(y, shape))


def minus(a: Operand, b: Operand) -> Expr:
    """a - b."""
    x, y = lift(a), lift(b)
    _, shape = broadcast([x, y], "{0} - {1}")
    return add(expand(x, shape), scale(MINUS_ONE, expand(y, shape)))


def negative(a: Operand) -> Expr:
    """-a."""
    return scale(MINUS_ONE, lift(a))


def multiply(a: Operand, b: Operand, template: str = "{0} * {1}") -> Expr:
    """a * b, entry by entry."""
    rows, shape = broadcast([lift(a), lift(b)], template)
    return contract(rows, range(len(shape)), dims=dict(enumerate(shape)))


def divide(a: Operand, b: Operand) -> Expr:
    """a / b, entry by entry."""
    x, y = lift(a), lift(b)
    broadcast([x, y], "{0} / {1}")
    return multiply(x, power(y, -1), "{0} / {1}")


def exact_number(node: Expr) -> Fraction | None:
    """The value of a node that is a plain number."""
    if isinstance(node, Contraction) and not node.factors and not node.out and not node.coefficient.dims:
        return node.coefficient.value
    return None


def power(a: Operand, p: Operand) -> Expr:
    """a ** p, entry by entry."""
    x, exponent = lift(a), lift(p)
    exact = exact_number(exponent)
    if exact is not None:
        if abs(exact) > LARGEST_POWER or exact.denominator > 10**6:
            raise ParseError(f"exponent {exact if exact.denominator < 1000 else float(exact)}: the largest is {LARGEST_POWER}")
        if exact == 0:
            return contract([], range(x.ndim), ONE, dict(enumerate(x.shape)))
        base = exact_number(x)
        if base == 0 and exact < 0:
            raise ParseError("division by zero")
        return contract([(x, range(x.ndim), exact)], range(x.ndim), dims=dict(enumerate(x.shape)))
    _, shape = broadcast([x, exponent], "{0} ** {1}")
    return apply("power", expand(x, shape), expand(exponent, shape))


def matmul(a: Operand, b: Operand) -> Expr:
    """a @ b: vectors, matrices, stacks of matrices."""
    x, y = lift(a), lift(b)
    if not (x.ndim and y.ndim):
        raise OperandError("{0} @ {1}: a scalar has no matrix product", [x, y], ["`{0} * {1}`"])
    inner = x.shape[-1], y.shape[-2] if y.ndim > 1 else y.shape[0]
    if inner[0] != inner[1]:
        raise OperandError(f"{{0}} @ {{1}}: inner dimensions differ, {inner[0]} != {inner[1]}", [x, y], _matmul_remedies(x, y))
    batch_x, batch_y = x.shape[:-2], y.shape[:-2]
    rank = max(len(batch_x), len(batch_y))
    batch = _broadcast_shape([batch_x, batch_y])
    if batch is None:
        raise OperandError("{0} @ {1}: the stacks do not fit", [x, y])

    def stack(sizes: Shape, side: str) -> list[object]:
        axes = range(rank - len(sizes), rank)
        return [("batch", i) if size == batch[i] else (side, i) for i, size in zip(axes, sizes, strict=True)]

    left = ["k"] if x.ndim == 1 else [*stack(batch_x, "left"), "i", "k"]
    right = ["k"] if y.ndim == 1 else [*stack(batch_y, "right"), "k", "j"]
    out = [("batch", i) for i in range(rank)] + (["i"] if x.ndim > 1 else []) + (["j"] if y.ndim > 1 else [])  # type: ignore[list-item]
    return contract([(x, left, P1), (y, right, P1)], out, dims={("batch", i): n for i, n in enumerate(batch)})


def _matmul_shape(s: Shape, t: Shape) -> Shape | None:
    if not s or not t or len(s) > 2 or len(t) > 2 or s[-1] != t[0]:
        return None
    return (*s[:-1], *t[1:])


def _matmul_remedies(x: Expr, y: Expr) -> list[str]:
    s, t = x.shape, y.shape
    tries = [("{1} @ {0}", t, s), ("{0}.T @ {1}", s[::-1], t), ("{0} @ {1}.T", s, t[::-1]), ("{0}.T @ {1}.T", s[::-1], t[::-1]),
             ("{1}.T @ {0}", t[::-1], s), ("{1} @ {0}.T", t, s[::-1])]  # fmt: skip
    fits = []
    for template, first, second in tries:
        shape = _matmul_shape(first, second)
        if shape is not None and not ("T" in template and (x.ndim < 2 or y.ndim < 2)):
            fits.append(f"`{template}` is {show_shape(shape)}")
    return fits[:3]


def step_between(a: Operand, b: Operand, template: str) -> Expr:
    """The mask of a > b."""
    x, y = lift(a), lift(b)
    _, shape = broadcast([x, y], template)
    return elementwise("step", minus(expand(x, shape), expand(y, shape)))


def compare(a: Operand, symbol: str, b: Operand) -> Expr:
    """The 0/1 mask of a comparison."""
    template = f"{{0}} {symbol} {{1}}"
    match symbol:
        case ">":
            return step_between(a, b, template)
        case "<":
            return step_between(b, a, "{1} < {0}")
        case ">=":
            return minus(1, step_between(b, a, "{1} >= {0}"))
        case "<=":
            return minus(1, step_between(a, b, template))
        case "!=":
            return plus(step_between(a, b, template), step_between(b, a, "{1} != {0}"))
        case "==":
            return minus(1, compare(a, "!=", b))
    raise ParseError(f"comparison {symbol} is not known; >, <, >=, <=, ==, != are")


# ---- indexing


def getitem(a: Expr, index: object) -> Expr:
    """a[index]: slices with step one, integers, None, ..., and [arange(m), t] for integer labels."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if len(parts) == 2 and isinstance(parts[0], Arange) and isinstance(parts[1], Expr):
        return _gather(a, parts[0], parts[1])
    if sum(p is Ellipsis for p in parts) > 1:
        raise ParseError("an index has at most one ...")
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    if used > a.ndim:
        raise OperandError(f"{{0}}[...]: {used} indices for {a.ndim} axes", [a])
    at = parts.index(Ellipsis)
    parts[at : at + 1] = [slice(None)] * (a.ndim - used)
    factors: list[tuple[Expr, list[object], Fraction]] = [(a, list(range(a.ndim)), P1)]
    out: list[object] = []
    dims: dict[object, Dim] = dict(enumerate(a.shape))
    axis = 0
    for k, part in enumerate(parts):
        if part is None:
            out.append(("new", k))
            dims["new", k] = 1
            continue
        size = a.shape[axis]
        if part == slice(None):
            out.append(axis)
        elif isinstance(part, (slice, int)) and not isinstance(part, bool):
            first, how_many = _range(part, size, a)
            picked = apply("selection", attributes=(size, first, how_many))
            factors.append((picked, [axis, ("picked", k)], P1))
            if isinstance(part, slice):
                out.append(("picked", k))
        else:
            raise ParseError("an index is a slice, an integer, None, ..., or [arange(m), t] with integer labels t")
        axis += 1
    return contract(factors, out, dims=dims)


def _range(part: slice | int, size: Dim, a: Expr) -> tuple[Dim, Dim]:
    """The first index and how many a slice or an integer picks."""
    if isinstance(part, slice) and part.step not in (None, 1):
        raise ParseError("a slice has step 1")
    bounds = (part.start, part.stop) if isinstance(part, slice) else (part, None)
    if any(not (b is None or (isinstance(b, int) and abs(b) < 2**31)) for b in bounds):
        raise ParseError("the bounds of a slice are integers")
    first: Dim = 0 if bounds[0] is None else bounds[0] if bounds[0] >= 0 else add_dims(size, bounds[0])
    if isinstance(part, int):
        stop: Dim = add_dims(first, 1)
    else:
        stop = size if bounds[1] is None else bounds[1] if bounds[1] >= 0 else add_dims(size, bounds[1])
    how_many = add_dims(stop, multiply_dims(-1, first))
    outside = [d for d in (first, how_many) if isinstance(d, int) and d < 0]
    if outside or how_many == 0 or (isinstance(size, int) and isinstance(stop, int) and stop > size):
        raise OperandError(f"{{0}}[...]: the index is outside an axis of {size}, or picks nothing", [a])
    return first, how_many


class Arange:
    """arange(m) as an index."""

    def __init__(self, size: object) -> None:
        self.size = as_dim(size)


def _gather(a: Expr, rows: Arange, labels: Expr) -> Expr:
    if a.ndim != 2 or rows.size != a.shape[0] or labels.shape != a.shape[:1]:
        raise OperandError(f"{{0}}[arange({rows.size}), {{1}}]: rows and labels must match the first axis", [a, labels])
    hot = apply("one_hot", labels, attributes=(a.shape[1],))
    return contract([(a, "ik", P1), (hot, "ik", P1)], "i")


def _install() -> None:
    """Give every node Python's operators, and a dimension those that make it a scalar."""
    operators = {
        "__add__": plus, "__sub__": minus, "__mul__": multiply, "__truediv__": divide, "__matmul__": matmul, "__pow__": power,
    }  # fmt: skip
    for name, operator in operators.items():
        reflected = f"__r{name[2:]}"
        setattr(Expr, name, operator)
        setattr(Expr, reflected, lambda self, other, operator=operator: operator(other, self))
        if name != "__matmul__":
            setattr(Dimension, name, operator)
            setattr(Dimension, reflected, lambda self, other, operator=operator: operator(other, self))
    Expr.__neg__ = negative  # type: ignore[method-assign, assignment]
    Expr.__getitem__ = getitem  # type: ignore[method-assign, assignment]
    for symbol, name in ((">", "__gt__"), ("<", "__lt__"), (">=", "__ge__"), ("<=", "__le__")):
        setattr(Expr, name, lambda self, other, symbol=symbol: compare(self, symbol, other))
    Expr.T = property(transpose)  # type: ignore[misc, assignment]


_install()

__all__ = [
    "Arange", "Operand", "OperandError", "as_dim", "as_fraction", "broadcast", "compare", "divide", "exact_number", "expand",
    "getitem", "lift", "matmul", "minus", "multiply", "negative", "plus", "power", "sketch", "whole",
]  # fmt: skip

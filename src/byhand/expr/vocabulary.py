"""The functions of the expression language, by name: what the parser and the tracer hand to users."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from byhand.errors import ParseError
from byhand.expr.arrays import (
    argmax,
    axes_of,
    concatenate,
    cumsum,
    deviation,
    diag,
    einsum,
    eye,
    inner,
    kron,
    maximum_over,
    mean,
    minimum_over,
    norm,
    ones,
    outer,
    pairing,
    reshape_,
    square,
    sum_,
    swapaxes,
    trace,
    transpose_,
    variance,
    windows,
    winner,
    with_axes,
    zeros,
)
from byhand.expr.contraction import add, elementwise, is_zero, transpose
from byhand.expr.dims import ONE, show_shape
from byhand.expr.domain import of_function, of_operation, record
from byhand.expr.functions import FUNCTIONS, MASKS
from byhand.expr.indexing import arange
from byhand.expr.indexmaps import affine
from byhand.expr.layers import DEFINED, function_of
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol, constant
from byhand.expr.operands import Operand, as_dim, exact_number, lift, misfit
from byhand.expr.operations import apply
from byhand.expr.surface import broadcast, divide, expand, matmul, minus, multiply, negative, plus, power

pi = constant("pi", math.pi)
inf = math.inf  # a branch of `where`, which is none: see there
_FAR = 10**30  # what stands for it: softmax makes 0 of minus that, in single precision, too, and no product is inf*0


def inv(x: Operand) -> Expr:
    """The inverse of a square matrix."""
    node = square(x, "inv")
    record(of_operation("inv", (node,)))
    return apply("inv", node)


def det(x: Operand) -> Expr:
    """The determinant of a square matrix."""
    return apply("det", square(x, "det"))


def logdet(x: Operand) -> Expr:
    """log|det X| of a square matrix."""
    node = square(x, "logdet")
    record(of_operation("logdet", (node,)))
    return apply("logdet", node)


def adjugate(x: Operand) -> Expr:
    """The adjugate of a square matrix, for the tables of rules and for code."""
    return apply("adjugate", square(x, "adjugate"))


def solve(a: Operand, b: Operand) -> Expr:
    """inv(a) @ b."""
    x, y = square(a, "solve"), lift(b)
    if not y.ndim or y.shape[-2 if y.ndim > 1 else 0] != x.shape[0]:
        raise misfit("solve({0}, {1}): the rows must agree", [x, y])
    return matmul(inv(x), y)


def _over_axes(name: str, x: Operand, axis: object) -> Expr:
    node = lift(x)
    if node.ndim == 0:
        raise misfit(f"{name}({{0}}): at least one axis is needed", [node])
    return apply(name, node, attributes=(axes_of(node, axis),))


def softmax(x: Operand, axis: object = -1) -> Expr:
    """exp(x) / sum(exp(x)) over an axis, the last by default."""
    return _over_axes("softmax", x, axis)


def log_softmax(x: Operand, axis: object = -1) -> Expr:
    """log(softmax(x)) without overflow."""
    return _over_axes("log_softmax", x, axis)


def logsumexp(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """log(sum(exp(x))) over axes, all by default."""
    result = _over_axes("logsumexp", x, axis)
    node = lift(x)
    return with_axes(result, node, axes_of(node, axis)) if keepdims else result


def one_hot(t: Operand, k: object) -> Expr:
    """Rows with a one at the integer label."""
    labels, classes = lift(t), as_dim(k)
    if isinstance(labels, Structured) and labels.operation == "arange":  # the first rows of an identity
        return transpose(affine(classes, 0, (1, labels.attributes[0])))
    return apply("one_hot", labels, attributes=(classes,))


def cross_entropy(z: Operand, target: Operand) -> Expr:
    """The loss of each sample, -sum(Y * log_softmax(Z)) over the last axis; integer labels or rows of probabilities."""
    logits, y = lift(z), lift(target)
    if not logits.ndim:
        raise misfit("cross_entropy({0}, {1}): logits have at least one axis, the classes", [logits, y], culprit=0)
    if y.shape not in (logits.shape[:-1], logits.shape):
        wanted = f"labels of shape {show_shape(logits.shape[:-1])} or probabilities of shape {show_shape(logits.shape)}"
        raise misfit(f"cross_entropy({{0}}, {{1}}): targets are {wanted}", [logits, y])
    if y.shape == logits.shape[:-1]:
        y = one_hot(y, logits.shape[-1])
    return negative(sum_(multiply(y, log_softmax(logits, -1)), -1))


def is_mask(node: Expr) -> bool:
    """Whether a node has only the values 0 and 1 because of how it was made."""
    match node:
        case Elementwise(function) if function in MASKS:
            return True
        case Structured("one_hot" | "winner"):
            return True
        case Named(_, body):
            return is_mask(body)
        case Symbol():
            return bool(node.assumptions & {"01", "one_hot"})
        case Contraction() if not node.factors:
            return node.coefficient.value in (0, 1) and not node.coefficient.dims
        case Contraction():
            return (
                node.coefficient == ONE
                and all(node.dims[x] == 1 for _, ls, _ in node.factors for x in ls if x not in node.out)
                and all(is_mask(f) and p > 0 for f, _, p in node.factors)
            )
        case Sum(terms):
            numbers = [c.value for c, t in terms if _is_number(t)]
            parts = [(c.value, t) for c, t in terms if not _is_number(t)]
            signs = {c for c, _ in parts}
            # what the sum is like first: asking its terms what they are goes down to the inputs
            itself, complement = not numbers and signs == {1}, numbers == [1] and signs == {-1}
            if any(c.dims for c, _ in terms) or not (itself or complement):
                return False
            exclusive = len(parts) == 1 or (len(parts) == 2 and _exclusive(parts[0][1], parts[1][1]))
            return exclusive and all(is_mask(t) for _, t in parts)
        case _:
            return False


def _is_number(node: Expr) -> bool:
    return isinstance(node, Contraction) and not node.factors


def _exclusive(a: Expr, b: Expr) -> bool:
    """Whether two masks are step(x) and step(-x): never both one."""
    match a, b:
        case Elementwise("step", x), Elementwise("step", y):
            return is_zero(add(x, y))
        case Contraction(_, ((f, ls, p),), out), Contraction(_, ((g, ms, q),), other):
            return (ls, p, out) == (ms, q, other) and _exclusive(f, g)
        case _:
            return False


def where(condition: Operand, a: Operand, b: Operand) -> Expr:
    """a where the condition holds, else b; the condition is a comparison or a 0/1 mask.

    A branch that is inf or -inf is a number that is as good, ±10**30.
    """
    mask = lift(condition)
    a, b = (int(math.copysign(_FAR, x)) if isinstance(x, float) and math.isinf(x) else x for x in (a, b))
    if not is_mask(mask):
        raise ParseError("where: the condition is a comparison such as Z > 0, or a symbol declared `01`")
    nodes = [mask, lift(a), lift(b)]
    _, shape = broadcast(nodes, "where({0}, {1}, {2})")
    return apply("where", *(expand(n, shape) for n in nodes))


def maximum(a: Operand, b: Operand) -> Expr:
    """The larger of two, entry by entry; maximum(z, 0) is relu(z)."""
    x, y = lift(a), lift(b)
    for one, other in ((x, y), (y, x)):
        if exact_number(other) == 0:
            return elementwise("relu", one)
    _, shape = broadcast([x, y], "maximum({0}, {1})")
    return where(elementwise("step", minus(expand(x, shape), expand(y, shape))), x, y)


def minimum(a: Operand, b: Operand) -> Expr:
    """The smaller of two, entry by entry."""
    x, y = lift(a), lift(b)
    for one, other in ((x, y), (y, x)):
        if exact_number(other) == 0:
            return negative(elementwise("relu", negative(one)))
    _, shape = broadcast([x, y], "minimum({0}, {1})")
    return where(elementwise("step", minus(expand(y, shape), expand(x, shape))), x, y)


def clip(x: Operand, low: Operand | None = None, high: Operand | None = None) -> Expr:
    """x, brought to the bound where it lies beyond; a bound may be None."""
    node = lift(x)
    node = node if low is None else maximum(node, low)
    return node if high is None else minimum(node, high)


def huber(z: Operand, delta: Operand = 1) -> Expr:
    """z**2/2 where |z| < delta, else delta*(|z| - delta/2); delta is positive."""
    if exact_number(lift(delta)) == 1:
        return elementwise("huber", lift(z))
    return multiply(power(delta, 2), elementwise("huber", divide(z, delta)))


def masked(scores: Operand, mask: Operand | None) -> Expr:
    """The scores where a mask is true, elsewhere −∞, which softmax makes 0; without a mask the scores."""
    return lift(scores) if mask is None else where(mask, scores, -inf)


def both(a: Operand, b: Operand) -> Expr:
    """The mask that is true where two masks are: a & b."""
    return multiply(_mask(a, "&"), _mask(b, "&"))


def either(a: Operand, b: Operand) -> Expr:
    """The mask that is true where one of two masks is: a | b."""
    return minus(1, multiply(minus(1, _mask(a, "|")), minus(1, _mask(b, "|"))))


def opposite(a: Operand) -> Expr:
    """The mask that is true where a mask is not: ~a."""
    return minus(1, _mask(a, "~"))


def _mask(x: Operand, symbol: str) -> Expr:
    node = lift(x)
    if not is_mask(node):
        raise ParseError(f"{symbol} is for masks: comparisons such as Z > 0, or inputs declared `01`")
    return node


def elementwise_function(name: str) -> Callable[[Operand], Expr]:
    """The function of a row of the table."""

    def call(x: Operand) -> Expr:
        node = lift(x)
        record(of_function(name, node))
        return elementwise(name, node)

    call.__name__ = name
    call.__doc__ = f"{name}(x), entry by entry."
    return call


def sqrt(x: Operand) -> Expr:
    """The square root, entry by entry."""
    return power(x, 0.5)


def square_(x: Operand) -> Expr:
    """x**2, entry by entry."""
    return power(x, 2)


def reciprocal(x: Operand) -> Expr:
    """1/x, entry by entry."""
    return power(x, -1)


VOCABULARY: dict[str, Any] = {
    **{name: elementwise_function(name) for name in FUNCTIONS},
    "sqrt": sqrt, "square": square_, "reciprocal": reciprocal, "where": where, "maximum": maximum, "minimum": minimum,
    "add": plus, "subtract": minus, "multiply": multiply, "divide": divide, "power": power, "negative": negative,
    "dot": matmul, "matmul": matmul, "sum": sum_, "mean": mean, "trace": trace, "diag": diag, "outer": outer,
    "inner": inner, "norm": norm, "kron": kron, "einsum": einsum, "inv": inv, "det": det, "logdet": logdet,
    "solve": solve, "swapaxes": swapaxes, "transpose": transpose_, "eye": eye, "ones": ones, "zeros": zeros,
    "concatenate": concatenate, "arange": arange, "softmax": softmax, "log_softmax": log_softmax,
    "logsumexp": logsumexp, "one_hot": one_hot, "cross_entropy": cross_entropy, "huber": huber,
}  # fmt: skip
# names that an input, a dimension or an intermediate may take: then they stand for that
YIELDING: dict[str, Any] = {
    "var": variance, "std": deviation, "max": maximum_over, "min": minimum_over, "argmax": argmax, "clip": clip,
    "cumsum": cumsum, "reshape": reshape_, "windows": windows, "winner": winner, "masked": masked,
    **{name: function_of(row) for name, row in DEFINED.items()},
}  # fmt: skip
RESERVED = frozenset(VOCABULARY) | {"pi"}
VOCABULARY |= YIELDING

__all__ = [
    "RESERVED", "VOCABULARY", "adjugate", "both", "either", "elementwise_function", "inf", "is_mask", "masked",
    "opposite", "pairing", "pi",
]  # fmt: skip

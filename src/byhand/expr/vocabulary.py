"""The functions of the expression language, by name: what the parser and the tracer hand to users."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import pi as PI
from typing import Any

from byhand.errors import ParseError
from byhand.expr.contraction import P1, add, contract, elementwise, filled, transpose
from byhand.expr.dims import ONE, ZERO, Coefficient, Dim, Shape, add_dims, dim_coefficient, show_shape
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Sum, Symbol, constant
from byhand.expr.operations import apply
from byhand.expr.surface import (
    Arange,
    Operand,
    OperandError,
    as_dim,
    broadcast,
    divide,
    exact_number,
    expand,
    lift,
    matmul,
    minus,
    multiply,
    negative,
    plus,
    power,
)

pi = constant("pi", PI)


def _axes(x: Expr, axis: object) -> tuple[int, ...]:
    """The axes meant, counted from the front and in order; None is all of them."""
    if axis is None:
        return tuple(range(x.ndim))
    wanted = axis if isinstance(axis, tuple) else (axis,)
    found = []
    for a in wanted:
        if not isinstance(a, int) or isinstance(a, bool):
            raise ParseError("an axis is an integer or a tuple of integers")
        if not -x.ndim <= a < x.ndim:
            raise OperandError(f"axis {a}: {{0}} has {x.ndim} axes", [x])
        found.append(a % x.ndim)
    if len(set(found)) < len(found):
        raise ParseError("an axis is named twice")
    return tuple(sorted(found))


def _rank(x: Operand, wanted: int, what: str) -> Expr:
    node = lift(x)
    if node.ndim != wanted:
        kind = ("a scalar", "a vector", "a matrix")[wanted]
        raise OperandError(f"{what}: {kind} is needed, {{0}} has {node.ndim} axes", [node])
    return node


def sum_(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """Sum over axes."""
    node = lift(x)
    axes = _axes(node, axis)
    out: list[object] = []
    for i in range(node.ndim):
        if i not in axes:
            out.append(i)
        elif keepdims:
            out.append(("kept", i))
    return contract([(node, range(node.ndim), P1)], out, dims={("kept", i): 1 for i in axes} if keepdims else {})


def mean(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """Mean over axes."""
    node = lift(x)
    total: Coefficient = ONE
    for i in _axes(node, axis):
        inverse = dim_coefficient(node.shape[i]).power(-P1)
        assert inverse is not None
        total = total.times(inverse)
    return multiply(contract([], (), total), sum_(node, axis, keepdims))


def trace(x: Operand) -> Expr:
    """Sum of the diagonal of a square matrix."""
    node = _rank(x, 2, "trace")
    if node.shape[0] != node.shape[1]:
        raise OperandError("trace({0}): a square matrix is needed", [node], ["`trace({0} @ {0}.T)`"])
    return contract([(node, "ii", P1)], "")


def diag(x: Operand) -> Expr:
    """The diagonal matrix of a vector, or the diagonal of a square matrix."""
    node = lift(x)
    if node.ndim == 1:
        return contract([(node, "i", P1)], "ii")
    node = _rank(node, 2, "diag")
    if node.shape[0] != node.shape[1]:
        raise OperandError("diag({0}): a vector or a square matrix is needed", [node])
    return contract([(node, "ii", P1)], "i")


def outer(a: Operand, b: Operand) -> Expr:
    """The matrix of products of two vectors."""
    return contract([(_rank(a, 1, "outer"), "i", P1), (_rank(b, 1, "outer"), "j", P1)], "ij")


def inner(a: Operand, b: Operand) -> Expr:
    """Sum of a * b over all entries; the shapes must be equal."""
    x, y = lift(a), lift(b)
    if x.shape != y.shape:
        raise OperandError("inner({0}, {1}): shapes differ", [x, y])
    return sum_(multiply(x, y))


def norm(x: Operand) -> Expr:
    """The 2-norm of a vector, the Frobenius norm of a matrix."""
    return power(sum_(power(x, 2)), 0.5)


def kron(a: Operand, b: Operand) -> Expr:
    """The Kronecker product of two matrices."""
    x, y = _rank(a, 2, "kron"), _rank(b, 2, "kron")
    rows, columns = (apply("pairing", attributes=sizes) for sizes in zip(x.shape, y.shape, strict=True))
    return contract([(x, "ij", P1), (y, "kl", P1), (rows, "Iik", P1), (columns, "Jjl", P1)], "IJ")


def inv(x: Operand) -> Expr:
    """The inverse of a square matrix."""
    node = _rank(x, 2, "inv")
    if node.shape[0] != node.shape[1]:
        raise OperandError("inv({0}): a square matrix is needed", [node])
    return apply("inv", node)


def det(x: Operand) -> Expr:
    """The determinant of a square matrix."""
    node = _rank(x, 2, "det")
    if node.shape[0] != node.shape[1]:
        raise OperandError("det({0}): a square matrix is needed", [node])
    return apply("det", node)


def logdet(x: Operand) -> Expr:
    """log|det X| of a square matrix."""
    node = _rank(x, 2, "logdet")
    if node.shape[0] != node.shape[1]:
        raise OperandError("logdet({0}): a square matrix is needed", [node])
    return apply("logdet", node)


def solve(a: Operand, b: Operand) -> Expr:
    """inv(a) @ b."""
    return matmul(inv(a), b)


def einsum(spec: object, *operands: Operand) -> Expr:
    """Einstein summation with an explicit output, e.g. einsum('bi,ij,bj->b', X, A, X)."""
    if not isinstance(spec, str) or not re.fullmatch(r"[A-Za-z]*(,[A-Za-z]*)*->[A-Za-z]*", spec.replace(" ", "")):
        raise ParseError("einsum: a pattern such as 'bi,ij,bj->b' is needed first, with letters, commas and ->")
    inputs, out = spec.replace(" ", "").split("->")
    nodes = [lift(o) for o in operands]
    parts = inputs.split(",")
    if len(parts) != len(nodes):
        raise ParseError(f"einsum: {len(parts)} operands in the pattern, {len(nodes)} given")
    for part, node in zip(parts, nodes, strict=True):
        if len(part) != node.ndim:
            raise OperandError(f"einsum: '{part}' has {len(part)} letters, {{0}} has {node.ndim} axes", [node])
    if not set(out) <= set(inputs):
        raise ParseError(f"einsum: '{''.join(sorted(set(out) - set(inputs)))}' is in the output only")
    return contract([(n, p, P1) for n, p in zip(nodes, parts, strict=True)], out)


def swapaxes(x: Operand, i: int, j: int) -> Expr:
    """Two axes exchanged."""
    node = lift(x)
    (a,), (b,) = _axes(node, i), _axes(node, j)
    order = list(range(node.ndim))
    order[a], order[b] = order[b], order[a]
    return transpose(node, order)


def transpose_(x: Operand, axes: tuple[int, ...] | None = None) -> Expr:
    """Axes reversed, or in the order given."""
    node = lift(x)
    if axes is not None and sorted(axes) != list(range(node.ndim)):
        raise ParseError("transpose: axes is a permutation of the axes")
    return transpose(node, axes)


def eye(n: object) -> Expr:
    """The identity matrix."""
    return contract([], "ii", dims={"i": as_dim(n)})


def _shape(shape: tuple[object, ...]) -> Shape:
    parts = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) and type(shape[0]) is tuple else shape
    return tuple(map(as_dim, parts))


def ones(*shape: object) -> Expr:
    """Ones of a shape: ones(n), ones((m, n))."""
    return filled(_shape(shape))


def zeros(*shape: object) -> Expr:
    """Zeros of a shape."""
    return filled(_shape(shape), ZERO)


def _over_axes(name: str, x: Operand, axis: object) -> Expr:
    node = lift(x)
    if node.ndim == 0:
        raise OperandError(f"{name}({{0}}): at least one axis is needed", [node])
    return apply(name, node, attributes=(_axes(node, axis),))


def softmax(x: Operand, axis: object = -1) -> Expr:
    """exp(x) / sum(exp(x)) over an axis, the last by default."""
    return _over_axes("softmax", x, axis)


def log_softmax(x: Operand, axis: object = -1) -> Expr:
    """log(softmax(x)) without overflow."""
    return _over_axes("log_softmax", x, axis)


def logsumexp(x: Operand, axis: object = None, keepdims: bool = False) -> Expr:
    """log(sum(exp(x))) over axes, all by default."""
    result = _over_axes("logsumexp", x, axis)
    if not keepdims:
        return result
    node = lift(x)
    axes = _axes(node, axis)
    kept = [i for i in range(node.ndim) if i not in axes]
    return contract([(result, kept, P1)], range(node.ndim), dims={i: 1 for i in axes})


def one_hot(t: Operand, k: object) -> Expr:
    """Rows with a one at the integer label."""
    return apply("one_hot", lift(t), attributes=(as_dim(k),))


def cross_entropy(z: Operand, target: Operand) -> Expr:
    """The loss of each sample, -sum(Y * log_softmax(Z)) over the last axis; integer labels or rows of probabilities."""
    logits, y = lift(z), lift(target)
    if logits.ndim and y.shape == logits.shape[:-1]:
        y = one_hot(y, logits.shape[-1])
    if y.shape != logits.shape or not logits.ndim:
        wanted = f"labels of shape {show_shape(logits.shape[:-1])} or probabilities of shape {show_shape(logits.shape)}"
        raise OperandError(f"cross_entropy({{0}}, {{1}}): targets are {wanted}", [logits, y])
    return negative(sum_(multiply(y, log_softmax(logits, -1)), -1))


def is_mask(node: Expr) -> bool:
    """Whether a node has only the values 0 and 1 because of how it was made."""
    match node:
        case Elementwise("step"):
            return True
        case Named(_, body):
            return is_mask(body)
        case Symbol():
            return bool(node.assumptions & {"01", "one_hot"})
        case Structured("one_hot"):
            return True
        case Contraction():
            return node.coefficient == ONE and all(is_mask(f) and p > 0 for f, _, p in node.factors)
        case Sum():
            return all(is_mask(t) or exact_number(t) is not None or (isinstance(t, Contraction) and not t.factors) for _, t in node.terms)
        case _:
            return False


def where(condition: Operand, a: Operand, b: Operand) -> Expr:
    """a where the condition holds, else b; the condition is a comparison or a 0/1 mask."""
    mask = lift(condition)
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
    return negative(maximum(negative(a), negative(b)))


def pairing(m: object, p: object) -> Expr:
    """One where I = i*p + k, of shape (m*p, m, p): the index pairs of a Kronecker product, for the tables of rules."""
    return apply("pairing", attributes=(as_dim(m), as_dim(p)))


def concatenate(parts: object, axis: int = 0) -> Expr:
    """Arrays joined along an axis."""
    if not isinstance(parts, (tuple, list)) or not parts:
        raise ParseError("concatenate: a list of arrays is needed, e.g. concatenate([A, B], axis=0)")
    nodes = [lift(p) for p in parts]
    (along,) = _axes(nodes[0], axis)
    for n in nodes[1:]:
        if n.ndim != nodes[0].ndim or any(s != t for i, (s, t) in enumerate(zip(n.shape, nodes[0].shape, strict=True)) if i != along):
            raise OperandError(f"concatenate([{{0}}, {{1}}], axis={axis}): the other axes differ", [nodes[0], n])
    total: Dim = 0
    offsets: list[Dim] = []
    for n in nodes:
        offsets.append(total)
        total = add_dims(total, n.shape[along])
    placed = []
    for n, offset in zip(nodes, offsets, strict=True):
        at = apply("selection", attributes=(total, offset, n.shape[along]))
        out = [i if i != along else "joined" for i in range(n.ndim)]
        placed.append(contract([(n, range(n.ndim), P1), (at, ["joined", along], P1)], out))
    return add(*placed)


def _function(name: str) -> Callable[[Operand], Expr]:
    def call(x: Operand) -> Expr:
        return elementwise(name, lift(x))

    call.__name__ = name
    call.__doc__ = f"{name}(x), entry by entry."
    return call


VOCABULARY: dict[str, Any] = {
    **{name: _function(name) for name in FUNCTIONS},
    "sqrt": lambda x: power(x, 0.5), "square": lambda x: power(x, 2), "reciprocal": lambda x: power(x, -1),
    "sum": sum_, "mean": mean, "trace": trace, "diag": diag, "outer": outer, "inner": inner, "dot": matmul, "matmul": matmul,
    "norm": norm, "kron": kron, "inv": inv, "det": det, "logdet": logdet, "solve": solve, "einsum": einsum,
    "swapaxes": swapaxes, "transpose": transpose_, "eye": eye, "ones": ones, "zeros": zeros, "softmax": softmax,
    "log_softmax": log_softmax, "logsumexp": logsumexp, "one_hot": one_hot, "arange": Arange, "cross_entropy": cross_entropy,
    "where": where, "maximum": maximum, "minimum": minimum, "concatenate": concatenate, "add": plus, "subtract": minus,
    "multiply": multiply, "divide": divide, "power": power, "negative": negative,
}  # fmt: skip

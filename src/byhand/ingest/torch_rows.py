"""The operations of PyTorch (ATen, before decomposition), one row each: what an operation makes of nodes.

A row is found by the operation's name without its overload; `add_` is `add` in place. A new operation is a new row; run the tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from byhand.expr.arrays import concatenate, diag, einsum, inner, outer, sum_, swapaxes, trace, transpose_
from byhand.expr.contraction import P1, contract, transpose
from byhand.expr.dims import Shape
from byhand.expr.indexing import getitem
from byhand.expr.nodes import Expr
from byhand.expr.surface import expand, matmul, minus, multiply, negative, plus, power
from byhand.expr.vocabulary import VOCABULARY, both, either, opposite
from byhand.ingest import cells, composites, losses, meaning, normal
from byhand.ingest.builder import Builder, UnreadError, Value, is_labels

HALF = Fraction(1, 2)


@dataclass
class Call:
    """One node of an exported graph: its arguments by the names of the schema, the sizes of its results."""

    builder: Builder
    name: str
    arguments: dict[str, Value]
    sizes: list[tuple[int, ...]]
    path: str
    eps: float = 0.0

    @property
    def shape(self) -> Shape:
        return self.builder.sizes.shape(self.sizes[0])

    def __getitem__(self, name: str) -> Value:
        return self.arguments.get(name)

    def e(self, name: str = "self") -> Expr:
        """An argument as a node."""
        return self.builder.expr(self.arguments[name])

    def maybe(self, name: str) -> Expr | None:
        """An argument as a node, or None."""
        value = self.arguments.get(name)
        return None if value is None else self.builder.expr(value)

    @property
    def first(self) -> Value:
        """The first argument."""
        return next(iter(self.arguments.values()))

    @property
    def x(self) -> Expr:
        """The first argument as a node."""
        return self.builder.expr(self.first)

    def local(self, name: str, node: Expr) -> Expr:
        """An intermediate of a composite, called after its module."""
        found: Expr = self.builder.bind(f"{self.path}_{name}" if self.path else name, node)
        return found

    def refuse(self, why: str) -> UnreadError:
        return self.builder.unread(self.name, why)


Row = Callable[[Call], Value]


def _f(name: str) -> Row:
    return lambda c: VOCABULARY[name](c.x)


def _power(exponent: Fraction | int) -> Row:
    return lambda c: power(c.x, exponent)


def _compare(symbol: str) -> Row:
    return lambda c: meaning.comparison(c.builder, c["self"], symbol, c["other"])


def _axis(c: Call, name: str = "dim") -> Any:
    given = c[name]
    if isinstance(given, (list, tuple)):
        return tuple(given) or None
    return given


def _scaled(c: Call) -> Expr:
    alpha = c["alpha"]
    y = c.e("other")
    return y if alpha in (None, 1) else multiply(c.builder.expr(alpha), y)


def _div(c: Call) -> Value:
    if c["rounding_mode"] is not None:
        raise c.refuse("a rounded division has no derivative")
    return composites.quotient(c.e(), c.e("other"))


def _reduction(name: str) -> Row:
    return lambda c: VOCABULARY[name](c.x, _axis(c), bool(c["keepdim"]))


def _extreme(name: str) -> Row:
    def row(c: Call) -> Value:
        if c["other"] is not None:
            return VOCABULARY[f"{name}imum"](c.e(), c.e("other"))
        values = meaning.word(name)(c.x, _axis(c), bool(c["keepdim"]))
        if len(c.sizes) == 1:
            return values
        positions = c.builder.stand_in(
            c.refuse("where the largest stands is no number that a derivative has"), c.builder.sizes.shape(c.sizes[1])
        )
        return [values, positions]

    return row


def _variance(root: bool) -> Row:
    def row(c: Call) -> Value:
        correction = c["correction"]
        if correction is None:
            correction = 1 if c["unbiased"] in (None, True) else 0
        axes = _axis(c)
        y = normal.variance(c.x, axes, bool(c["keepdim"]), correction)
        y = power(y, HALF) if root else y
        if c.name.endswith("_mean"):
            return [y, VOCABULARY["mean"](c.x, axes, bool(c["keepdim"]))]
        return y

    return row


def _norm(c: Call) -> Value:
    order = c["ord"] if c["ord"] is not None else c["p"]
    order = 2 if order is None else order
    axes, keep = _axis(c), bool(c["keepdim"])
    if order == 2:
        return power(sum_(power(c.x, 2), axes, keep), HALF)
    if order == 1:
        return sum_(VOCABULARY["abs"](c.x), axes, keep)
    if order == math.inf:
        return meaning.word("max")(VOCABULARY["abs"](c.x), axes, keep)
    if float(order).is_integer() and order > 0:
        return power(sum_(power(VOCABULARY["abs"](c.x), int(order)), axes, keep), Fraction(1, int(order)))
    raise c.refuse(f"the norm of order {order}")


def _linear(c: Call) -> Value:
    y = matmul(c.e("input"), transpose(c.e("weight")))
    bias = c.maybe("bias")
    return y if bias is None else plus(y, bias)


def _addmm(c: Call) -> Value:
    first, second = [n for n in c.arguments if n not in ("self", "beta", "alpha")][:2]
    product = matmul(c.e(first), c.e(second))
    alpha, beta = c["alpha"], c["beta"]
    product = product if alpha in (None, 1) else multiply(c.builder.expr(alpha), product)
    return plus(c.x if beta in (None, 1) else multiply(c.builder.expr(beta), c.x), product)


def _gelu(c: Call) -> Value:
    if c["approximate"] != "tanh":
        return VOCABULARY["gelu"](c.x)
    x = c.x
    inside = multiply(math.sqrt(2 / math.pi), plus(x, multiply(0.044715, power(x, 3))))
    return multiply(multiply(HALF, x), plus(1, VOCABULARY["tanh"](inside)))


def _elu(c: Call) -> Value:
    x, alpha = c.x, float(c["alpha"] if c["alpha"] is not None else 1.0)
    scale = float(c["scale"] if c["scale"] is not None else 1.0)
    inner = float(c["input_scale"] if c["input_scale"] is not None else 1.0)
    if c.name.startswith("celu"):
        inner = 1 / alpha
    if (alpha, scale, inner) == (1.0, 1.0, 1.0):
        return VOCABULARY["elu"](x)
    below = multiply(scale * alpha, VOCABULARY["expm1"](multiply(inner, x)))
    return VOCABULARY["where"](meaning.above(x, 0), x if scale == 1 else multiply(scale, x), below)


def _leaky(c: Call) -> Value:
    slope = c["negative_slope"]
    if slope == 0.01:
        return VOCABULARY["leaky_relu"](c.x)
    return VOCABULARY["where"](meaning.above(c.x, 0), c.x, multiply(c.builder.expr(slope), c.x))


def _softplus(c: Call) -> Value:
    beta = float(c["beta"])
    return VOCABULARY["softplus"](c.x) if beta == 1 else multiply(1 / beta, VOCABULARY["softplus"](multiply(beta, c.x)))


def _between(x: Expr, low: Any, high: Any) -> Expr:
    if low is not None:
        x = VOCABULARY["maximum"](x, low)
    return x if high is None else VOCABULARY["minimum"](x, high)


def _hardtanh(c: Call) -> Value:
    low, high = c["min_val"], c["max_val"]
    return VOCABULARY["hard_tanh"](c.x) if (low, high) == (-1, 1) else _between(c.x, low, high)


def _six(x: Expr) -> Expr:
    return VOCABULARY["minimum"](VOCABULARY["relu"](x), 6)  # type: ignore[no-any-return]


def _clamp(c: Call) -> Value:
    return _between(c.x, c.maybe("min"), c.maybe("max"))


def _glu(c: Call) -> Value:
    axis = c["dim"] % c.x.ndim
    n = c.builder.sizes.concrete(c.x.shape)[axis] // 2
    a, b = meaning.split(c.builder, c.x, [n, n], axis)
    return multiply(a, VOCABULARY["sigmoid"](b))


def _prelu(c: Call) -> Value:
    x, w = c.x, c.e("weight")
    if w.shape != (1,) and x.ndim > 2:
        w = meaning.reshape(w, (w.shape[0], *(1 for _ in range(x.ndim - 2))))
    return VOCABULARY["where"](meaning.above(x, 0), x, multiply(w, x))


def _where(c: Call) -> Value:
    return meaning.choice(c.builder, c["condition"], c["self"], c["other"], c.shape)


def _masked_fill(c: Call) -> Value:
    value = c["value"]
    value = np.asarray(value) if isinstance(value, (int, float)) else value
    return meaning.choice(c.builder, c["mask"], value, c["self"], c.shape)


def _logical(kind: str) -> Row:
    def row(c: Call) -> Value:
        nodes = [c.e(n) for n in ("self", "other") if c[n] is not None]
        if not all(meaning.is_mask(n) for n in nodes):
            raise c.refuse("the truth of numbers")
        match kind:
            case "not":
                return opposite(nodes[0])
            case "and":
                return both(*nodes)
            case "or":
                return either(*nodes)
        a, b = nodes
        return either(both(a, opposite(b)), both(b, opposite(a)))

    return row


def _reshape(c: Call) -> Value:
    return meaning.reshape(c.first, c.shape)


def _expand(c: Call) -> Value:
    return expand(c.x, c.shape)


def _repeat(c: Call) -> Value:
    x, times = c.x, list(c["repeats"])
    x = expand(x, (1,) * (len(times) - x.ndim) + x.shape) if len(times) > x.ndim else x
    for axis, n in enumerate(times):
        if n > 1:
            x = expand(x, c.shape) if x.shape[axis] == 1 else concatenate([x] * n, axis)
    return x


def _permute(c: Call) -> Value:
    return transpose_(c.x, tuple(c["dims"]))


def _movedim(c: Call) -> Value:
    order = np.moveaxis(np.empty([1 + k for k in range(c.x.ndim)]), c["source"], c["destination"]).shape
    return transpose_(c.x, tuple(n - 1 for n in order))


def _slice(c: Call) -> Value:
    x, axis, step = c.x, (c["dim"] or 0) % c.x.ndim, int(c["step"] or 1)
    n = c.builder.sizes.concrete(x.shape)[axis]
    start, stop, _ = slice(c["start"], c["end"], step).indices(n)
    if is_labels(x):
        return _labels_at(c, x, axis, start, stop, step, n)
    whole = c.builder.sizes.concrete(x.shape)
    starts = [start if k == axis else 0 for k in range(x.ndim)]
    stops = [stop if k == axis else m for k, m in enumerate(whole)]
    return meaning.sliced(c.builder, x, starts, stops, [step if k == axis else 1 for k in range(x.ndim)])


def _labels_at(c: Call, x: Expr, axis: int, start: int, stop: int, step: int, n: int) -> Value:
    if (start, stop, step) == (0, n, 1):
        return x
    raise c.refuse("a slice of labels: give the slice as an input of its own")


def _select(c: Call) -> Value:
    axis = c["dim"] % c.x.ndim
    n = c.builder.sizes.concrete(c.x.shape)[axis]
    at = int(c["index"]) % n
    where = at if at < n // 2 or isinstance(c.x.shape[axis], int) else at - n
    return getitem(c.x, tuple(where if k == axis else slice(None) for k in range(c.x.ndim)))


def _narrow(c: Call) -> Value:
    whole = c.builder.sizes.concrete(c.x.shape)
    axis = c["dim"] % c.x.ndim
    start = int(c["start"]) % whole[axis]
    starts = [start if k == axis else 0 for k in range(c.x.ndim)]
    stops = [start + int(c["length"]) if k == axis else n for k, n in enumerate(whole)]
    return meaning.sliced(c.builder, c.x, starts, stops, [1] * c.x.ndim)


def _split(c: Call) -> Value:
    axis = (c["dim"] or 0) % c.x.ndim
    return meaning.split(c.builder, c.x, [s[axis] for s in c.sizes], axis)


def _unbind(c: Call) -> Value:
    axis = (c["dim"] or 0) % c.x.ndim
    return [getitem(c.x, tuple(k if a == axis else slice(None) for a in range(c.x.ndim))) for k in range(len(c.sizes))]


def _parts(c: Call) -> list[Expr]:
    return [c.builder.expr(v) for v in c["tensors"]]


def _cat(c: Call) -> Value:
    return concatenate(_parts(c), c["dim"] or 0)


def _stack(c: Call) -> Value:
    return meaning.stacked(_parts(c), (c["dim"] or 0) % len(c.sizes[0]))


def _pad(c: Call) -> Value:
    flat = list(c["pad"])
    if c["mode"] not in (None, "constant") or c["value"] not in (None, 0) or any(n < 0 for n in flat):
        raise c.refuse("padding with something else than zeros")
    sides = [(0, 0)] * c.x.ndim
    for k in range(len(flat) // 2):
        sides[c.x.ndim - 1 - k] = (flat[2 * k], flat[2 * k + 1])
    return meaning.padded(c.builder, c.x, sides)


def _flip(c: Call) -> Value:
    return meaning.reversed_along(c.x, [d % c.x.ndim for d in c["dims"]])


def _roll(c: Call) -> Value:
    x, n = c.x, c.builder.sizes.concrete(c.x.shape)
    if not c["dims"]:
        raise c.refuse("a roll of the flattened array")
    for shift, d in zip(np.atleast_1d(c["shifts"]), np.atleast_1d(c["dims"]), strict=True):
        axis = int(d) % x.ndim
        k = int(shift) % n[axis]
        if k:
            first, second = meaning.split(c.builder, x, [n[axis] - k, k], axis)
            x = concatenate([second, first], axis)
    return x


def _index(c: Call) -> Value:
    return meaning.indexed(c.builder, c.x, list(c["indices"]))


def _index_select(c: Call) -> Value:
    axis = c["dim"] % c.x.ndim
    return meaning.indexed(c.builder, c.x, [None] * axis + [c["index"]])


def _gather(c: Call) -> Value:
    return meaning.taken_along(c.builder, c.x, c["dim"] % c.x.ndim, c["index"])


def _embedding(c: Call) -> Value:
    weight, padding = c.e("weight"), c["padding_idx"]
    if padding is not None and padding >= 0:
        n = c.builder.sizes.concrete(weight.shape)[0]
        row = c.builder.expr((np.arange(n) == padding)[:, None] * 1.0)
        weight = plus(multiply(minus(1, row), weight), multiply(row, meaning.stopped(c.builder, weight)))
        c.builder.note(f"Row {padding} of an embedding is its padding: it has no gradient.")
    return meaning.indexed(c.builder, weight, [c["indices"]])


def _one_hot(c: Call) -> Value:
    return meaning.hot(c.builder, c["self"], c.shape[-1])


def _triangle(keep: Callable[..., Any]) -> Row:
    def row(c: Call) -> Value:
        mask = keep(np.ones(c.sizes[0][-2:]), c["diagonal"] or 0)
        return multiply(c.x, c.builder.expr(mask))

    return row


def _diagonal(c: Call) -> Value:
    x, a, b = c.x, c["dim1"] or 0, c["dim2"] if c["dim2"] is not None else 1
    if c["offset"]:
        raise c.refuse("a diagonal beside the main one")
    labels = list(range(x.ndim))
    labels[b % x.ndim] = labels[a % x.ndim]
    return contract([(x, labels, P1)], [k for k in labels if k != a % x.ndim] + [a % x.ndim]) if x.ndim > 2 else diag(x)


def _diag(c: Call) -> Value:
    if c["diagonal"]:
        raise c.refuse("a diagonal beside the main one")
    return diag(c.x)


def _dropout(c: Call) -> Value:
    if not c["train"] or not c["p"]:
        return c.x
    keep = 1 - Fraction(str(c["p"]))
    mask = c.builder.input(f"{c.path}_mask" if c.path else "mask", c.shape, ["01", "constant"])
    c.builder.masks.append((mask.name, float(keep)))
    c.builder.note(
        f"Dropout: the mask {mask.name} is an input of zeros and ones, ones with probability {float(keep):g}."
    )
    return multiply(multiply(1 / keep, mask), c.x)


def _convert(c: Call) -> Value:
    dtype = c["dtype"]
    whole = dtype is not None and not getattr(dtype, "is_floating_point", True)
    if is_labels(c.first):
        return c.first
    if whole and not meaning.is_mask(c.x):
        raise c.refuse("numbers are cut off to integers, which has no derivative")
    return c.x


def _detach(c: Call) -> Value:
    return meaning.stopped(c.builder, c["self"])


def _full(value: float | None) -> Row:
    def row(c: Call) -> Value:
        x = value if value is not None else c["fill_value"]
        return multiply(x, expand(VOCABULARY["ones"](), c.shape)) if isinstance(x, Expr) else np.full(c.sizes[0], x)

    return row


def _attention(c: Call) -> Value:
    q, k, v = c.e("query"), c.e("key"), c.e("value")
    if c["dropout_p"] or c["enable_gqa"]:
        raise c.refuse("dropout of the weights, or grouped queries")
    scale = power(meaning.lift(q.shape[-1]), -HALF)
    scale = scale if c["scale"] is None else c.builder.expr(c["scale"])
    scores = multiply(matmul(q, swapaxes(k, -1, -2)), scale)
    mask = c["attn_mask"]
    if c["is_causal"]:
        mask = np.tril(np.ones(c.builder.sizes.concrete(scores.shape)[-2:], bool))
    if mask is not None:
        boolean = mask.dtype == bool if isinstance(mask, np.ndarray) else meaning.is_mask(mask)
        if not boolean:
            scores = plus(scores, c.builder.expr(mask))
        else:
            scores = meaning.choice(c.builder, mask, scores, np.asarray(-np.inf), scores.shape)
    weights = c.local("weights", composites.softmax(c.local("scores", scores), (q.ndim - 1,)))
    return matmul(weights, v)


def _cumsum(c: Call) -> Value:
    return meaning.word("cumsum")(c.x, c["dim"])


def _prod(c: Call) -> Value:
    axis = c["dim"]
    y = meaning.product(c.x, tuple(range(c.x.ndim)) if axis is None else (axis % c.x.ndim,))
    return meaning.reshape(y, c.shape)


def _bilinear(c: Call) -> Value:
    w = c.e("weight")
    out = einsum("ni,oij,nj->no", c.e("input1"), w, c.e("input2"))
    bias = c.maybe("bias")
    return out if bias is None else plus(out, bias)


def _einsum(c: Call) -> Value:
    pattern = c["equation"].replace(" ", "")
    nodes = [c.builder.expr(v) for v in c["tensors"]]
    return einsum(meaning.explicit(pattern, [n.ndim for n in nodes]), *nodes)


def _logaddexp(c: Call) -> Value:
    a, b = c.e(), c.e("other")
    return plus(a, VOCABULARY["softplus"](minus(b, a)))


def _mish(c: Call) -> Value:
    return multiply(c.x, VOCABULARY["tanh"](VOCABULARY["softplus"](c.x)))


def _logit(c: Call) -> Value:
    x = c.x if c["eps"] is None else _between(c.x, c["eps"], 1 - c["eps"])
    return minus(VOCABULARY["log"](x), VOCABULARY["log"](minus(1, x)))


def _solve(c: Call) -> Value:
    return VOCABULARY["solve"](c.e("A"), c.e("B"))


def _same(c: Call) -> Value:
    return c.first


# fmt: off
OPERATIONS: dict[str, Row] = {
    # elementwise
    **{name: _f(name) for name in (
        "relu", "tanh", "sigmoid", "silu", "exp", "log1p", "expm1", "sin", "cos", "tan", "sinh", "cosh", "erf", "log_sigmoid", "selu", "sign",
    )},
    "asin": _f("arcsin"), "arcsin": _f("arcsin"), "acos": _f("arccos"), "arccos": _f("arccos"), "atan": _f("arctan"), "arctan": _f("arctan"),
    "asinh": _f("arcsinh"), "arcsinh": _f("arcsinh"),
    "log": lambda c: composites.logarithm(c.x), "abs": lambda c: composites.absolute(c.x), "absolute": lambda c: composites.absolute(c.x),
    "log2": lambda c: multiply(1 / math.log(2), VOCABULARY["log"](c.x)), "log10": lambda c: multiply(1 / math.log(10), VOCABULARY["log"](c.x)),
    "exp2": lambda c: meaning.exponential(2.0, c.x), "erfc": lambda c: minus(1, VOCABULARY["erf"](c.x)),
    "sqrt": _power(HALF), "rsqrt": _power(-HALF), "square": _power(2), "reciprocal": _power(-1),
    "neg": lambda c: negative(c.x), "negative": lambda c: negative(c.x),
    "gelu": _gelu, "softplus": _softplus, "elu": _elu, "celu": _elu, "leaky_relu": _leaky, "hardtanh": _hardtanh, "mish": _mish, "glu": _glu,
    "relu6": lambda c: _six(c.x), "hardswish": lambda c: multiply(multiply(Fraction(1, 6), c.x), _six(plus(c.x, 3))),
    "hardsigmoid": lambda c: multiply(Fraction(1, 6), _six(plus(c.x, 3))), "logit": _logit, "prelu": _prelu,
    "threshold": lambda c: VOCABULARY["where"](meaning.above(c.x, c["threshold"]), c.x, c.builder.expr(c["value"])),
    "clamp": _clamp, "clamp_min": _clamp, "clamp_max": _clamp, "clip": _clamp,
    # two operands
    "add": lambda c: plus(c.e(), _scaled(c)), "sub": lambda c: composites.difference(c.e(), _scaled(c)), "subtract": lambda c: composites.difference(c.e(), _scaled(c)),
    "rsub": lambda c: composites.difference(c.e("other"), c.e()), "mul": lambda c: multiply(c.e(), c.e("other")), "multiply": lambda c: multiply(c.e(), c.e("other")),
    "div": _div, "divide": _div, "true_divide": _div, "pow": lambda c: power(c.e(), c.e("exponent")),
    "maximum": lambda c: VOCABULARY["maximum"](c.e(), c.e("other")), "minimum": lambda c: VOCABULARY["minimum"](c.e(), c.e("other")),
    "logaddexp": _logaddexp, "lerp": lambda c: plus(c.e(), multiply(c.e("weight"), minus(c.e("end"), c.e()))),
    "addcmul": lambda c: plus(c.e(), multiply(c["value"], multiply(c.e("tensor1"), c.e("tensor2")))),
    # comparisons and choices
    "gt": _compare(">"), "lt": _compare("<"), "ge": _compare(">="), "le": _compare("<="), "eq": _compare("=="), "ne": _compare("!="),
    "logical_and": _logical("and"), "logical_or": _logical("or"), "logical_not": _logical("not"), "logical_xor": _logical("xor"),
    "bitwise_and": _logical("and"), "bitwise_or": _logical("or"), "bitwise_not": _logical("not"), "__and__": _logical("and"), "__or__": _logical("or"),
    "where": _where, "masked_fill": _masked_fill,
    "isfinite": lambda c: np.ones(c.sizes[0], bool), "isnan": lambda c: np.zeros(c.sizes[0], bool), "isinf": lambda c: np.zeros(c.sizes[0], bool),
    # over axes
    "sum": _reduction("sum"), "mean": _reduction("mean"), "var": _variance(False), "std": _variance(True), "var_mean": _variance(False), "std_mean": _variance(True),
    "amax": _extreme("max"), "amin": _extreme("min"), "max": _extreme("max"), "min": _extreme("min"),
    "norm": _norm, "linalg_vector_norm": _norm, "linalg_norm": _norm, "frobenius_norm": _norm, "cumsum": _cumsum, "prod": _prod,
    "softmax": lambda c: composites.softmax(c.x, (c["dim"] % c.x.ndim,)), "log_softmax": lambda c: VOCABULARY["log_softmax"](c.x, c["dim"]),
    "logsumexp": lambda c: VOCABULARY["logsumexp"](c.x, _axis(c), bool(c["keepdim"])),
    # products
    "linear": _linear, "matmul": lambda c: matmul(c.e(), c.e("other")), "mm": lambda c: matmul(c.e(), c.e("mat2")), "bmm": lambda c: matmul(c.e(), c.e("mat2")),
    "mv": lambda c: matmul(c.e(), c.e("vec")), "dot": lambda c: inner(c.e(), c.e("tensor")), "vdot": lambda c: inner(c.e(), c.e("other")),
    "outer": lambda c: outer(c.e(), c.e("vec2")), "addmm": _addmm, "addmv": _addmm, "baddbmm": _addmm, "bilinear": _bilinear, "einsum": _einsum,
    "kron": lambda c: VOCABULARY["kron"](c.e(), c.e("other")), "trace": lambda c: trace(c.x),
    "inverse": _f("inv"), "linalg_inv": _f("inv"), "det": _f("det"), "linalg_det": _f("det"), "logdet": _f("logdet"), "linalg_solve": _solve,
    # axes
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view", "ravel", "view_as", "reshape_as"), _reshape),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
    "t": lambda c: transpose(c.x), "numpy_T": lambda c: transpose(c.x), "mT": lambda c: swapaxes(c.x, -1, -2), "matrix_H": lambda c: swapaxes(c.x, -1, -2), "adjoint": lambda c: swapaxes(c.x, -1, -2),
    "transpose": lambda c: swapaxes(c.x, c["dim0"], c["dim1"]), "swapaxes": lambda c: swapaxes(c.x, c["axis0"], c["axis1"]), "permute": _permute, "movedim": _movedim,
    "repeat": _repeat, "slice": _slice, "select": _select, "narrow": _narrow, "split": _split, "split_with_sizes": _split, "chunk": _split, "tensor_split": _split, "unbind": _unbind,
    "cat": _cat, "concat": _cat, "concatenate": _cat, "stack": _stack, "pad": _pad, "constant_pad_nd": _pad, "flip": _flip, "roll": _roll,
    "broadcast_tensors": lambda c: [expand(p, c.builder.sizes.shape(s)) for p, s in zip(_parts(c), c.sizes, strict=True)],
    "diagonal": _diagonal, "diag": _diag, "diag_embed": _diag, "tril": _triangle(np.tril), "triu": _triangle(np.triu),
    # places
    "index": _index, "index_select": _index_select, "gather": _gather, "take_along_dim": _gather, "embedding": _embedding, "one_hot": _one_hot,
    # layers
    "layer_norm": normal.layer_norm, "rms_norm": normal.rms_norm, "batch_norm": normal.batch_norm, "group_norm": normal.group_norm, "instance_norm": normal.instance_norm,
    "dropout": _dropout, "feature_dropout": _dropout, "scaled_dot_product_attention": _attention,
    "conv1d": normal.convolution, "conv2d": normal.convolution,
    "max_pool1d": normal.pool("max_pool1d"), "max_pool2d": normal.pool("max_pool2d"), "avg_pool1d": normal.pool("avg_pool1d"), "avg_pool2d": normal.pool("avg_pool2d"),
    "adaptive_avg_pool1d": normal.adaptive, "adaptive_avg_pool2d": normal.adaptive,
    "rnn_tanh_cell": cells.rnn("tanh"), "rnn_relu_cell": cells.rnn("relu"), "lstm_cell": cells.lstm_cell, "gru_cell": cells.gru_cell,
    "rnn_tanh": cells.layer("tanh"), "rnn_relu": cells.layer("relu"), "lstm": cells.layer("lstm"), "gru": cells.layer("gru"),
    # losses
    **losses.ROWS,
    # what changes no number
    **dict.fromkeys(("contiguous", "clone", "alias", "lift_fresh_copy", "lift_fresh", "positive", "requires_grad_", "real"), _same),
    **dict.fromkeys(("to", "_to_copy", "type_as", "float", "double", "half", "bfloat16"), _convert),
    "detach": _detach,
    "ones_like": _full(1.0), "zeros_like": _full(0.0), "full_like": _full(None), "new_zeros": _full(0.0), "new_ones": _full(1.0), "new_full": _full(None),
    "fill": lambda c: expand(c.e("value"), c.shape), "zero": _full(0.0), "copy": lambda c: expand(c.e("src"), c.shape),
}
# fmt: on

__all__ = ["OPERATIONS", "Call", "Row"]

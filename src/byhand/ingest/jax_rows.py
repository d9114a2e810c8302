"""The primitives of JAX, one row each: what a primitive makes of nodes. A new primitive is a new row; run the tests."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from byhand.expr.arrays import concatenate, sum_, transpose_
from byhand.expr.contraction import P1, Label, contract
from byhand.expr.dims import Shape
from byhand.expr.nodes import Expr
from byhand.expr.surface import minus, multiply, negative, plus, power
from byhand.expr.vocabulary import VOCABULARY, both, either, opposite
from byhand.ingest import composites, meaning
from byhand.ingest.builder import Builder, Columns, Reshaped, UnreadError, Value, is_labels


class Call(NamedTuple):
    """One equation of a jaxpr: its parameters, its inputs, the shape of its (first) output."""

    builder: Builder
    name: str
    params: dict[str, Any]
    inputs: list[Value]
    sizes: tuple[int, ...]
    integers: bool

    @property
    def shape(self) -> Shape:
        return self.builder.sizes.shape(self.sizes)

    @property
    def x(self) -> Expr:
        """The first input as a node."""
        return self.builder.expr(self.inputs[0])

    @property
    def y(self) -> Expr:
        """The second."""
        return self.builder.expr(self.inputs[1])

    def refuse(self, why: str) -> UnreadError:
        return self.builder.unread(self.name, why)


Row = Callable[[Call], Value]


def _function(name: str) -> Row:
    return lambda c: VOCABULARY[name](c.x)


def _power(exponent: Fraction) -> Row:
    return lambda c: power(c.x, exponent)


def _compare(symbol: str) -> Row:
    return lambda c: meaning.comparison(c.builder, c.inputs[0], symbol, c.inputs[1])


def _extremum(name: str, worst: float) -> Row:
    def row(c: Call) -> Value:
        for one, other in ((0, 1), (1, 0)):
            if meaning.is_number(c.inputs[one], worst):
                return c.inputs[other]
        return VOCABULARY[name](c.x, c.y)

    return row


def _over(name: str) -> Row:
    return lambda c: meaning.word(name)(c.x, tuple(map(int, c.params["axes"])))


def _dot(c: Call) -> Value:
    (left, right), (left_batch, right_batch) = c.params["dimension_numbers"]
    a, b = c.x, c.y
    of_a: list[Label] = [("a", i) for i in range(a.ndim)]
    of_b: list[Label] = [("b", i) for i in range(b.ndim)]
    for i, j in (*zip(left, right, strict=True), *zip(left_batch, right_batch, strict=True)):
        of_b[j] = of_a[i]
    out = [of_a[i] for i in left_batch]
    out += [of_a[i] for i in range(a.ndim) if i not in (*left, *left_batch)]
    out += [of_b[j] for j in range(b.ndim) if j not in (*right, *right_batch)]
    return contract([(a, of_a, P1), (b, of_b, P1)], out)


def _broadcast(c: Call) -> Value:
    axes, shape = c.params["broadcast_dimensions"], c.shape
    if isinstance(c.inputs[0], Reshaped):
        return meaning.reshape(c.inputs[0], shape)
    x = c.x
    labels: list[Label] = [axes[i] if n == shape[axes[i]] else ("unit", i) for i, n in enumerate(x.shape)]
    return contract([(x, labels, P1)], range(len(shape)), dims=dict(enumerate(shape)))


def _reshape(c: Call) -> Value:
    return meaning.reshape(c.inputs[0], c.shape)


def _convert(c: Call) -> Value:
    kind = np.dtype(c.params["new_dtype"]).kind
    if isinstance(c.inputs[0], Reshaped):
        return c.inputs[0]
    if kind in "iu" and not (c.integers or is_labels(c.inputs[0]) or meaning.is_mask(c.x)):
        raise c.refuse("numbers are cut off to integers, which has no derivative")
    return c.x


def _select(c: Call) -> Value:
    condition, *branches = c.inputs
    if len(branches) != 2:
        raise c.refuse("a choice among more than two arrays")
    return meaning.choice(c.builder, condition, branches[1], branches[0], c.shape)


def _slice(c: Call) -> Value:
    starts, stops = c.params["start_indices"], c.params["limit_indices"]
    steps = c.params["strides"] or [1] * len(starts)
    return meaning.sliced(c.builder, c.x, starts, stops, steps)


def _split(c: Call) -> Value:
    return meaning.split(c.builder, c.x, [int(n) for n in c.params["sizes"]], c.params["axis"])


def _concatenate(c: Call) -> Value:
    if any(is_labels(v) for v in c.inputs):
        return Columns(tuple(c.inputs))
    return concatenate([c.builder.expr(v) for v in c.inputs], c.params["dimension"])


def _stack(c: Call) -> Value:
    return meaning.stacked([c.builder.expr(v) for v in c.inputs], c.params.get("axis", c.params.get("dimension", 0)))


def _gather(c: Call) -> Value:
    n = c.params["dimension_numbers"]
    operand, index = c.inputs
    return meaning.gather(c.builder, operand, index, n, tuple(map(int, c.params["slice_sizes"])), c.sizes, c.refuse)


def _convolution(c: Call) -> Value:
    p = c.params
    if any(d != 1 for d in p["lhs_dilation"]) or p["batch_group_count"] != 1:
        raise c.refuse("a transposed or grouped convolution")
    n = p["dimension_numbers"]
    x, w = transpose_(c.x, n.lhs_spec), transpose_(c.y, n.rhs_spec)
    y = meaning.convolution(
        c.builder, x, w, p["window_strides"], p["padding"], p["rhs_dilation"], p["feature_group_count"]
    )
    return transpose_(y, tuple(map(int, np.argsort(n.out_spec))))


def _cumsum(c: Call) -> Value:
    if c.params.get("reverse"):
        raise c.refuse("a running sum from the end")
    return meaning.word("cumsum")(c.x, c.params["axis"])


def _dynamic_slice(c: Call) -> Value:
    operand, *starts = c.inputs
    if any(isinstance(s, Expr) for s in starts):
        raise c.refuse("the place of the slice depends on the inputs")
    x, sizes = c.builder.expr(operand), c.params["slice_sizes"]
    begins = [
        min(max(int(s), 0), int(n) - int(k))
        for s, n, k in zip(starts, c.builder.sizes.concrete(x.shape), sizes, strict=True)
    ]
    return meaning.sliced(c.builder, x, begins, [b + int(k) for b, k in zip(begins, sizes, strict=True)], [1] * x.ndim)


def _stop(c: Call) -> Value:
    if is_labels(c.inputs[0]):
        return c.inputs[0]
    return meaning.stopped(c.builder, c.inputs[0])


def _logical(row: Row) -> Row:
    def checked(c: Call) -> Value:
        if not all(meaning.is_mask(c.builder.expr(v)) for v in c.inputs):
            raise c.refuse("bits of integers")
        return row(c)

    return checked


def _pad(c: Call) -> Value:
    value, config = c.inputs[1], c.params["padding_config"]
    if not meaning.is_number(value, 0.0) or any(inner or low < 0 or high < 0 for low, high, inner in config):
        raise c.refuse("padding with something else than zeros around")
    return meaning.padded(c.builder, c.x, [(int(low), int(high)) for low, high, _ in config])


def _product(c: Call) -> Value:
    axes = c.params["axes"]
    return meaning.product(c.x, tuple(map(int, axes)))


def _finite(c: Call) -> Value:
    return np.ones(c.sizes, bool)


def _reverse(c: Call) -> Value:
    return meaning.reversed_along(c.x, tuple(map(int, c.params["dimensions"])))


# fmt: off
PRIMITIVES: dict[str, Row] = {
    # elementwise
    "exp": _function("exp"), "tanh": _function("tanh"), "logistic": _function("sigmoid"), "sin": _function("sin"), "cos": _function("cos"),
    "tan": _function("tan"), "asin": _function("arcsin"), "acos": _function("arccos"), "atan": _function("arctan"),
    "sinh": _function("sinh"), "cosh": _function("cosh"), "asinh": _function("arcsinh"), "erf": _function("erf"),
    "log1p": _function("log1p"), "expm1": _function("expm1"), "sign": _function("sign"),
    "log": lambda c: composites.logarithm(c.x),
    "abs": lambda c: composites.absolute(c.x),
    "erfc": lambda c: minus(1, VOCABULARY["erf"](c.x)),
    "exp2": lambda c: meaning.exponential(2.0, c.x),
    "sqrt": _power(Fraction(1, 2)), "rsqrt": _power(Fraction(-1, 2)), "square": _power(Fraction(2)), "cbrt": _power(Fraction(1, 3)),
    "integer_pow": lambda c: power(c.x, c.params["y"]),
    "neg": lambda c: negative(c.x),
    "pow": lambda c: power(c.x, c.y),
    "add": lambda c: plus(c.x, c.y), "add_any": lambda c: plus(c.x, c.y),
    "sub": lambda c: composites.difference(c.x, c.y),
    "mul": lambda c: multiply(c.x, c.y),
    "div": lambda c: composites.quotient(c.x, c.y),
    "max": _extremum("maximum", -np.inf), "min": _extremum("minimum", np.inf),
    "clamp": lambda c: VOCABULARY["minimum"](VOCABULARY["maximum"](c.y, c.x), c.builder.expr(c.inputs[2])),
    # comparisons and choices
    "gt": _compare(">"), "lt": _compare("<"), "ge": _compare(">="), "le": _compare("<="), "eq": _compare("=="), "ne": _compare("!="),
    "and": _logical(lambda c: both(c.x, c.y)), "or": _logical(lambda c: either(c.x, c.y)), "not": _logical(lambda c: opposite(c.x)),
    "is_finite": _finite,
    "select_n": _select,
    # sums, maxima
    "reduce_sum": lambda c: sum_(c.x, tuple(map(int, c.params["axes"]))),
    "reduce_max": _over("max"), "reduce_min": _over("min"), "reduce_prod": _product,
    "cumsum": _cumsum,
    # products
    "dot_general": _dot, "conv_general_dilated": _convolution,
    # axes
    "transpose": lambda c: transpose_(c.x, tuple(map(int, c.params["permutation"]))),
    "broadcast_in_dim": _broadcast, "reshape": _reshape, "squeeze": _reshape, "expand_dims": _reshape,
    "slice": _slice, "dynamic_slice": _dynamic_slice, "split": _split, "concatenate": _concatenate, "pad": _pad, "rev": _reverse,
    "gather": _gather, "stack": _stack,
    # what changes no number
    "convert_element_type": _convert, "copy": lambda c: c.x, "optimization_barrier": lambda c: c.inputs,
    "reduce_precision": lambda c: c.x, "stop_gradient": _stop,
}
# fmt: on

__all__ = ["PRIMITIVES", "Call", "Row"]

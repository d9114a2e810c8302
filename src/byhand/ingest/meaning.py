"""What operations of the frameworks mean in nodes, where it takes more than one word of the vocabulary."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import ParseError
from byhand.expr.arrays import concatenate, zeros
from byhand.expr.contraction import P1, contract
from byhand.expr.dims import Dim, Shape
from byhand.expr.indexing import getitem
from byhand.expr.nodes import Contraction, Expr, Symbol
from byhand.expr.operands import lift
from byhand.expr.surface import compare, expand, minus, multiply
from byhand.expr.vocabulary import VOCABULARY, is_mask
from byhand.ingest.builder import Builder, Columns, Reshaped, Value, is_labels, is_symbolic

MOST_PARTS = 64


def is_number(value: Value, wanted: float) -> bool:
    """Whether a constant is this number everywhere."""
    return not is_symbolic(value) and bool(np.all(np.asarray(value) == wanted))


def word(name: str) -> Callable[..., Expr]:
    """A function of the language.

    Raises: ParseError: the language has none of that name.
    """
    found = VOCABULARY.get(name)
    if found is None:
        raise ParseError(f"the language has no {name}")
    return found  # type: ignore[no-any-return]


# ---- axes


def reshape(x: Any, shape: Shape) -> Any:
    """Axes of size one come and go by themselves; the rest is the language's reshape."""
    if x.shape == shape:
        return x
    if isinstance(x, Reshaped):
        return reshape(x.labels, shape)
    kept = [k for k, n in enumerate(x.shape) if n != 1]
    if tuple(x.shape[k] for k in kept) == tuple(n for n in shape if n != 1):
        left = iter(kept)
        labels: list[Any] = [("one", a) if n == 1 else next(left) for a, n in enumerate(shape)]
        return contract([(x, range(x.ndim), P1)], labels, dims={a: 1 for a in labels if isinstance(a, tuple)})
    if is_labels(x):
        return Reshaped(x, shape)
    return word("reshape")(x, shape)


def sliced(b: Builder, x: Expr, starts: Sequence[int], stops: Sequence[int], steps: Sequence[int]) -> Expr:
    """x[start:stop:step] on each axis, in the sizes of the trace."""
    index = []
    for start, stop, step, size in zip(starts, stops, steps, b.sizes.concrete(x.shape), strict=True):
        if (start, stop, step) == (0, size, 1):
            index.append(slice(None))
        else:
            first, end = b.sizes.dim(int(start)), b.sizes.dim(int(stop))
            index.append(slice(first, end) if step == 1 else slice(first, end, int(step)))
    return getitem(x, tuple(index)) if any(i != slice(None) for i in index) else x


def split(b: Builder, x: Expr, sizes: Sequence[int], axis: int) -> list[Expr]:
    """x cut along an axis."""
    parts, first = [], 0
    axis %= x.ndim
    whole = b.sizes.concrete(x.shape)
    for n in sizes:
        starts = [first if k == axis else 0 for k in range(x.ndim)]
        stops = [first + n if k == axis else whole[k] for k in range(x.ndim)]
        parts.append(sliced(b, x, starts, stops, [1] * x.ndim))
        first += n
    return parts


def padded(b: Builder, x: Expr, sides: Sequence[tuple[int, int]]) -> Expr:
    """Zeros around."""
    for axis, (low, high) in enumerate(sides):
        for n, before in ((low, True), (high, False)):
            if n:
                shape: tuple[Dim, ...] = (*x.shape[:axis], b.sizes.dim(n), *x.shape[axis + 1 :])
                rim = zeros(shape)
                x = concatenate([rim, x] if before else [x, rim], axis)
    return x


def reversed_along(x: Expr, axes: Sequence[int]) -> Expr:
    """x[::-1] on axes."""
    return getitem(x, tuple(slice(None, None, -1) if k in axes else slice(None) for k in range(x.ndim)))


def product(x: Expr, axes: tuple[int, ...]) -> Expr:
    """The product over axes of known length."""
    for axis in sorted(axes, reverse=True):
        n = x.shape[axis]
        if not isinstance(n, int) or n > MOST_PARTS:
            raise ParseError(f"a product over an axis of {n} is written out only for a number of at most {MOST_PARTS}")
        rows = [getitem(x, tuple(k if a == axis else slice(None) for a in range(x.ndim))) for k in range(n)]
        x = rows[0]
        for row in rows[1:]:
            x = multiply(x, row)
    return x


def stacked(parts: Sequence[Expr], axis: int) -> Expr:
    """Arrays along a new axis."""
    return concatenate([getitem(p, (*(slice(None) for _ in range(axis)), None)) for p in parts], axis)


# ---- choices


def comparison(b: Builder, a: Value, symbol: str, c: Value) -> Value:
    """The mask of a comparison; constants where labels or finite numbers decide it."""
    shape = np.broadcast_shapes(_sizes(b, a), _sizes(b, c))
    if a is c:
        return np.full(shape, symbol in ("==", ">=", "<="))
    for one, other, sign in ((a, c, symbol), (c, a, _MIRRORED[symbol])):
        if isinstance(other, Expr) or not isinstance(one, Expr):
            continue
        constant = np.asarray(other)
        if np.all(np.isinf(constant.astype(float))):  # numbers are finite
            above = constant.flat[0] < 0
            return np.full(shape, {"==": False, "!=": True}.get(sign, above == (sign in (">", ">="))))
        if is_labels(one) and np.all(constant <= 0) and sign in ("<", ">=") and not np.any(constant > 0):
            return np.full(shape, sign == ">=")
        if is_labels(one) and sign in ("==", "!="):
            hot = _one_hot_of(b, one, constant, shape)
            if hot is not None:
                return hot if sign == "==" else minus(1, hot)
    return compare(b.expr(a), symbol, b.expr(c))


_MIRRORED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}


def _sizes(b: Builder, value: Value) -> tuple[int, ...]:
    return b.sizes.concrete(value.shape) if isinstance(value, Expr) else np.shape(value)


def _one_hot_of(b: Builder, labels: Expr, constant: Any, shape: tuple[int, ...]) -> Expr | None:
    """labels == arange(n) along an axis that the labels do not have."""
    constant = np.broadcast_to(constant, shape)
    for axis, n in enumerate(shape):
        line = np.arange(n).reshape([-1 if k == axis else 1 for k in range(len(shape))])
        if n > 1 and np.array_equal(constant, np.broadcast_to(line, shape)):
            whole = expand(labels, b.sizes.shape(shape)) if labels.ndim < len(shape) else labels
            if whole.shape[axis] != 1 and labels.ndim == len(shape):
                return None
            rest = tuple(d for k, d in enumerate(whole.shape) if k != axis)
            hot = one_hot(
                reshape(whole, rest) if whole.shape[axis] == 1 else _without_axis(whole, axis), b.sizes.dim(n)
            )
            order = [*range(len(rest))]
            order.insert(axis, len(rest))
            target = tuple(order)
            moved = contract([(hot, range(hot.ndim), P1)], target)
            return expand(moved, b.sizes.shape(shape))
    return None


def _without_axis(x: Expr, axis: int) -> Expr:
    return getitem(x, tuple(0 if k == axis else slice(None) for k in range(x.ndim)))


def one_hot(labels: Expr, k: Dim) -> Expr:
    """Ones at the labels; of labels moved about, the ones of the labels moved about."""
    if isinstance(labels, Symbol):
        return word("one_hot")(labels, k)
    if isinstance(labels, Contraction) and len(labels.factors) == 1 and isinstance(labels.factors[0][0], Symbol):
        ((source, ls, _),) = labels.factors
        hot = word("one_hot")(source, k)
        return contract([(hot, [*ls, "class"], P1)], [*labels.out, "class"], dims=dict(enumerate(labels.dims)))
    raise ParseError("places are looked up by integer labels, which are inputs, or by a range")


def choice(b: Builder, condition: Value, yes: Value, no: Value, shape: Shape) -> Value:
    """`yes` where the condition holds."""
    if not isinstance(condition, Expr):
        decided = np.asarray(condition)
        if decided.all() or not decided.any():
            return yes if decided.all() else no
        condition = b.expr(decided)
    if not is_mask(condition):
        raise ParseError("the condition is no comparison, and no input declared `01`")
    return word("where")(expand(condition, shape), *(branch(b, v) for v in (yes, no)))


def branch(b: Builder, value: Value) -> Expr | float:
    """A value as a branch of `where`: a node, or an infinity, which the language takes there."""
    for infinity in (math.inf, -math.inf):
        if is_number(value, infinity):
            return infinity
    return b.expr(value)


def stopped(b: Builder, value: Value) -> Value:
    """A value that is constant for the derivation."""
    if not isinstance(value, Expr) or value in b.stand_ins:
        return value
    return word("stop_gradient")(value)


# ---- places


def gather(
    b: Builder, operand: Value, index: Value, n: Any, slice_sizes: tuple[int, ...], sizes: tuple[int, ...],
    refuse: Callable[[str], Exception],
) -> Value:  # fmt: skip
    """E[t], Z[arange(n), t], take_along_axis: whole slices at integer places along some axes."""
    x = b.expr(operand)
    parts = [_column(b, v) for v in (index.parts if isinstance(index, Columns) else _columns(b, index))]
    batching = tuple(n.operand_batching_dims)
    looked_up = tuple(n.start_index_map)
    whole = b.sizes.concrete(x.shape)
    if any(s != (1 if k in (*n.collapsed_slice_dims, *batching) else whole[k]) for k, s in enumerate(slice_sizes)):
        raise refuse("a part of the axes that are kept")
    if len(parts) != len(looked_up):
        raise refuse("places that are not looked up by labels")
    lead = [("place", k) for k in range(max(p.ndim for p in parts))]
    factors: list[Any] = [(x, list(range(x.ndim)), P1)]
    dims = {("place", k): d for p in parts for k, d in enumerate(p.shape) if d != 1}
    for axis, places in zip(looked_up, parts, strict=True):
        labels = [("place", k) if d != 1 else ("one", axis, k) for k, d in enumerate(places.shape)]
        factors.append((_picked(b, places, x.shape[axis]), [*labels, axis], P1))
    out: list[Any] = []
    rest = [a for a in range(x.ndim) if a not in (*n.collapsed_slice_dims, *batching)]
    joined = dict(zip(n.start_indices_batching_dims, batching, strict=True))
    lead_labels = [joined.get(k, label) for k, label in enumerate(lead)]
    factors = [
        (f, [joined.get(x[1], x) if isinstance(x, tuple) and x[0] == "place" else x for x in ls], p)
        for f, ls, p in factors
    ]
    places_left, rest_left = iter(lead_labels), iter(rest)
    for k in range(len(sizes)):
        out.append(next(rest_left) if k in n.offset_dims else next(places_left))
    known = {label: dims.get(("place", k), 1) for k, label in enumerate(lead_labels) if isinstance(label, tuple)}
    return contract(factors, out, dims={x: d for x, d in known.items() if x in out})


class _Range(NamedTuple):
    """arange(n) moved about: the identity is its one-hot."""

    shape: Shape
    axis: int

    @property
    def ndim(self) -> int:
        return len(self.shape)


def _columns(b: Builder, index: Value) -> list[Value]:
    """The columns along the last axis of places."""
    if isinstance(index, (Expr, Reshaped)):
        if index.shape[-1] != 1:
            raise ParseError("several places at once that are no labels side by side")
        return [index]
    array = np.asarray(index)
    return [array[..., k : k + 1] for k in range(array.shape[-1])]


def _column(b: Builder, value: Value) -> Any:
    if isinstance(value, (Expr, Reshaped)):
        return reshape(value, value.shape[:-1])
    array = np.asarray(value)[..., 0]
    for axis, n in enumerate(array.shape):
        line = np.arange(n).reshape([-1 if k == axis else 1 for k in range(array.ndim)])
        if np.array_equal(array, np.broadcast_to(line, array.shape)):
            return _Range(tuple(b.sizes.dim(m) if k == axis else 1 for k, m in enumerate(array.shape)), axis)
    if array.size <= MOST_PARTS:
        return _Listed(b.sizes.shape(array.shape), array)
    raise ParseError("constant places that are no range")


class _Listed(NamedTuple):
    """A few constant places."""

    shape: Shape
    places: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)


def _picked(b: Builder, places: Any, size: Dim) -> Expr:
    """The one-hot of places along a further axis."""
    if isinstance(places, _Range):
        if places.shape[places.axis] != size:
            raise ParseError(f"a range of {places.shape[places.axis]} looks up an axis of {size}")
        out: list[Any] = [places.axis if k == places.axis else ("one", k) for k in range(places.ndim)]
        dims = {places.axis: size} | {("one", k): 1 for k in range(places.ndim) if k != places.axis}
        return contract([], [*out, places.axis], dims=dims)
    if isinstance(places, _Listed):
        return hot(b, places.places, size)
    return hot(b, places, size)


# ---- formulas


def exponential(base: float, x: Expr) -> Expr:
    """base to the power of x."""
    return word("exp")(multiply(math.log(base), x))


def convolution(
    b: Builder, x: Expr, w: Expr, strides: Sequence[int], padding: Sequence[Any], dilation: Sequence[int], groups: int
) -> Expr:
    """A cross-correlation of (N, C, space) with (F, C, window)."""
    if groups != 1 or any(d != 1 for d in dilation):
        raise ParseError("a convolution with groups or with dilation")
    space = len(strides)
    sides = [tuple(map(int, s)) if isinstance(s, (tuple, list)) else (int(s), int(s)) for s in padding]
    if any(low != high for low, high in sides) or len({*sides}) > 1 or len({*strides}) > 1:
        x = padded(b, x, [(0, 0), (0, 0), *sides])  # type: ignore[list-item]
        sides = [(0, 0)] * space
    if len({*strides}) > 1:
        raise ParseError("a convolution whose strides differ")
    name = {1: "conv1d", 2: "conv2d"}.get(space)
    if name is None:
        raise ParseError(f"a convolution over {space} axes")
    return word(name)(x, w, stride=int(strides[0]), padding=sides[0][0])


def hot(b: Builder, labels: Value, size: Dim) -> Expr:
    """The one-hot rows of labels, of a range, of a few constants."""
    if isinstance(labels, Reshaped):
        found: Expr = reshape(one_hot(labels.labels, size), (*labels.shape, size))
        return found
    if isinstance(labels, Expr):
        return one_hot(labels, size)
    array = np.asarray(labels)
    return b.expr((array[..., None] == np.arange(b.sizes.concrete((size,))[0])) * 1.0)


def at(x: Expr, k: int) -> Expr:
    """x[..., k]."""
    return getitem(x, (*(slice(None) for _ in range(x.ndim - 1)), k))


def above(x: Expr, bound: Any) -> Expr:
    """The mask x > bound."""
    return compare(x, ">", bound)


def indexed(b: Builder, x: Expr, indices: Sequence[Value | None]) -> Expr:
    """x[..., t, ...]: integer arrays at some axes, all others whole.

    Raises: ParseError: a mask of truth values, or arrays of integers that are apart.
    """
    axes = [k for k, v in enumerate(indices) if v is not None]
    if not axes:
        return x
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise ParseError("integer arrays at axes that are apart")
    picked: list[Expr] = []
    for k in axes:
        value = indices[k]
        if getattr(value, "dtype", None) == np.dtype(bool) or (is_symbolic(value) and not is_labels(value)):
            raise ParseError("entries chosen by a mask: their number is not known; multiply by the mask, or use where")
        picked.append(hot(b, value, x.shape[k]))
    rank = max(p.ndim - 1 for p in picked)
    dims: dict[Any, Dim] = {}
    factors: list[Any] = [(x, list(range(x.ndim)), P1)]
    for k, p in zip(axes, picked, strict=True):
        labels: list[Any] = []
        for j, d in enumerate(p.shape[:-1]):
            place = ("place", rank - (p.ndim - 1) + j)
            labels.append(("one", k, j) if d == 1 else place)
            dims[place] = d if dims.get(place, 1) == 1 else dims[place]
        factors.append((p, [*labels, k], P1))
    out = [*range(axes[0]), *(("place", j) for j in range(rank)), *range(axes[-1] + 1, x.ndim)]
    return contract(factors, out, dims={o: dims[o] for o in out if o in dims})


def taken_along(b: Builder, x: Expr, axis: int, index: Value) -> Expr:
    """x at the places of `index` along an axis, the others going along."""
    picked = hot(b, index, x.shape[axis])
    sizes = picked.shape[:-1]
    if any(d != n for k, (d, n) in enumerate(zip(sizes, x.shape, strict=True)) if k != axis):
        raise ParseError("places of a part of the other axes")
    labels: list[Any] = [*range(x.ndim)]
    places = [("place", axis) if k == axis else k for k in range(x.ndim)]
    return contract([(x, labels, P1), (picked, [*places, axis], P1)], places, dims={("place", axis): sizes[axis]})


def explicit(pattern: str, ranks: Sequence[int]) -> str:
    """An einsum pattern with ... written out and its output after ->."""
    inputs, arrow, out = pattern.partition("->")
    parts = inputs.split(",")
    free = iter(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in pattern)
    extra = max((n - len(p.replace("...", "")) for p, n in zip(parts, ranks, strict=True) if "..." in p), default=0)
    dots = "".join(next(free) for _ in range(extra))
    written = [
        p.replace("...", dots[extra - (n - len(p.replace("...", ""))) :] if "..." in p else "")
        for p, n in zip(parts, ranks, strict=True)
    ]
    if arrow:
        return f"{','.join(written)}->{out.replace('...', dots)}"
    letters = "".join(written)
    return f"{','.join(written)}->{dots}{''.join(sorted(c for c in {*letters} if letters.count(c) == 1 and c not in dots))}"


__all__ = [
    "above", "at", "branch", "choice", "comparison", "convolution", "explicit", "exponential", "gather", "hot", "indexed",
    "is_mask", "is_number", "lift", "one_hot", "padded", "product", "reshape", "reversed_along", "sliced", "split", "stopped",
    "taken_along", "word",
]  # fmt: skip

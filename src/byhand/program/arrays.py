"""A program in calls of NumPy: on arrays it computes, on recorders (see `byhand.train.calls`) it is written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, assert_never

import numpy as np

from byhand.expr import numeric
from byhand.expr.dims import Dim, Shape, dim_value
from byhand.expr.functions import function
from byhand.expr.operations import OPERATIONS, OVER_AXES
from byhand.expr.sizes import solved_names
from byhand.program.lower import Program
from byhand.program.ops import (
    Add,
    Axes,
    Contract,
    Eye,
    Input,
    Kernel,
    Map,
    Mul,
    Number,
    Op,
    Pad,
    Reshape,
    Scatter,
    Slice,
    Take,
    operands,
    topological,
)

Array = Any
# what NumPy has one function for; the other rows of the table are computed by their kernels
_SPELLED: dict[str, Callable[..., Array]] = {
    "relu": lambda z: np.maximum(z, 0.0),
    "abs": np.absolute,
    "softplus": lambda z: np.logaddexp(0.0, z),
    "hard_tanh": lambda z: np.minimum(np.maximum(z, -1.0), 1.0),
    "step": lambda z: np.greater(z, 0),
    "nonnegative": lambda z: np.greater_equal(z, 0),
    "power": np.power,
}
_LINEAR: dict[str, Callable[[Array], Array]] = {"inv": np.linalg.inv, "det": np.linalg.det}
_POWERS: dict[Fraction, Callable[[Array], Array]] = {
    Fraction(2): np.square,
    Fraction(3): lambda x: np.multiply(np.square(x), x),
    Fraction(1, 2): np.sqrt,
}


def sizes_of(program: Program, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The sizes of the named dimensions, solved from the shapes of the arguments."""
    axes = [(d, n) for name, op in program.inputs.items() for d, n in zip(op.shape, shapes[name], strict=True)]
    sizes: dict[str, int] = {}
    for solved in solved_names([d for d, _ in axes]):
        size = solved.size(axes[solved.place][1], sizes)
        if size is not None:
            sizes[solved.name] = size
    return sizes


def computed(program: Program, arrays: Mapping[str, Array], sizes: Mapping[str, int], dtype: Any) -> dict[str, Array]:
    """The results by name.

    Args:
        program: what is computed.
        arrays: the arguments by name.
        sizes: of the named dimensions.
        dtype: of real numbers that are made here: of constant arrays, of masks that are calculated with.
    """
    known: dict[Op, Array] = {}
    interpreter = _Interpreter(known, sizes, dtype)
    order = list(topological(program.results.values()))
    uses = Counter(a for op in order for a in operands(op))
    uses.update(program.results.values())
    for op in order:
        known[op] = arrays[op.name] if isinstance(op, Input) else interpreter.value(op)
        for a in operands(op):
            uses[a] -= 1
            if not uses[a]:  # nobody needs it any more
                del known[a]
    return {name: known[op] for name, op in program.results.items()}


class _Interpreter:
    """The values of operations; `known` holds those of their operands."""

    def __init__(self, known: Mapping[Op, Array], sizes: Mapping[str, int], dtype: Any) -> None:
        self.known, self.sizes, self.dtype = known, sizes, dtype

    def shape(self, shape: Shape) -> tuple[int, ...]:
        return tuple(dim_value(d, self.sizes) for d in shape)

    def size(self, d: Dim) -> int:
        return dim_value(d, self.sizes)

    def value(self, op: Op) -> Array:
        known = self.known
        match op:
            case Input():
                return known[op]
            case Number(value=value):
                return value
            case Map(function="real", args=(arg,)):
                return known[arg].astype(self.dtype)
            case Map(function="where", args=(test, a, b)):
                mask = known[test] if test.type == "bool" else known[test] != 0
                return np.where(mask, known[a], known[b])
            case Map(function=name, args=args):
                return (_SPELLED.get(name) or function(name).numpy)(*(known[a] for a in args))
            case Add():
                return self._add(op)
            case Mul():
                return self._mul(op)
            case Contract():
                return self._contract(op)
            case Slice(arg=arg, axis=axis, first=first, shape=shape):
                start = self.size(first)
                return known[arg][(*[slice(None)] * axis, slice(start, start + self.size(shape[axis])))]
            case Pad(arg=arg, axis=axis, first=first, shape=shape):
                return self._padded(known[arg], axis, self.size(first), self.shape(shape), self.shape(arg.shape))
            case Take(arg=arg, index=index, axis=axis, rows=0):
                return called(np.take, known[arg], known[index], axis)
            case Take(arg=arg, index=index, rows=1, shape=shape):
                return known[arg][np.arange(self.size(shape[0])), known[index]]
            case Take(arg=arg, index=index):
                return called(np.take_along_axis, known[arg], known[index][..., None], -1)[..., 0]
            case Scatter(arg=arg, index=index, shape=shape):
                return called(numeric.scatter_add, known[index], known[arg], self.size(shape[0]))
            case Reshape(arg=arg, shape=shape):
                return known[arg].reshape(self.shape(shape))
            case Eye(shape=shape):
                return np.eye(self.size(shape[0]), dtype=self.dtype)
            case Kernel(operation="one_hot", args=(labels,), shape=shape):
                return np.equal(known[labels][..., None], np.arange(self.size(shape[-1])))
            case Kernel(operation=name, args=args, attributes=attributes):
                return self._kernel(name, [known[a] for a in args], attributes)
            case _:
                assert_never(op)

    def _kernel(self, name: str, arrays: list[Array], attributes: tuple[Any, ...]) -> Array:
        row = OPERATIONS[name]
        if name in OVER_AXES:
            return row.numpy(arrays, attributes, self.sizes)
        if name in _LINEAR:
            return called(_LINEAR[name], *arrays)

        def kernel(*given: Array) -> Array:
            return row.numpy(list(given), attributes, self.sizes)

        kernel.__name__ = name
        return called(kernel, *arrays)

    # ---- products and sums entry by entry

    def _placed(self, op: Op, axes: Axes, rank: int) -> Array:
        """An operand under axes of a result of that rank."""
        x = self.known[op]
        if not axes:
            return x
        order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
        if order != tuple(range(len(axes))):
            x = x.transpose(order)
        places = tuple(slice(None) if a in axes else None for a in range(min(axes), rank))
        return x[places] if None in places else x

    def _filled(self, x: Array, shape: tuple[int, ...]) -> Array:
        """The array broadcast to its shape, where it is smaller; numbers stay numbers."""
        if getattr(x, "shape", ()) == shape:
            return x
        return viewed(np.broadcast_to, x if hasattr(x, "shape") else np.asarray(x, self.dtype), shape)

    def _mul(self, op: Mul) -> Array:
        c = float(op.coefficient.evaluate(self.sizes))
        total: Any = None if c == 1 else c
        for f, axes, p in sorted(op.factors, key=_place_in_product):  # numbers first
            x = _power(self._placed(f, axes, len(op.shape)), abs(p))
            total = x if total is None and p > 0 else _times(1.0 if total is None else total, x, p)
        return self._filled(1.0 if total is None else total, self.shape(op.shape))

    def _add(self, op: Add) -> Array:
        total: Array = None
        for c, t, axes in sorted(op.terms, key=lambda t: (t[1].type != "real", -len(t[2]), t[0].value < 0)):
            x, factor = self._placed(t, axes, len(op.shape)), float(c.evaluate(self.sizes))
            if abs(factor) != 1 or (total is None and factor < 0):
                x, factor = _of_numbers(np.negative, x) if factor == -1 else _of_numbers(np.multiply, x, factor), 1.0
            total = x if total is None else _of_numbers(np.add if factor > 0 else np.subtract, total, x)
        return self._filled(total, self.shape(op.shape))

    # ---- sums over labels

    def _contract(self, op: Contract) -> Array:
        pairs = [_diagonal(self.known[a], ls) for a, ls in op.operands]
        arrays, labels = [a for a, _ in pairs], [ls for _, ls in pairs]
        if len(arrays) == 1:
            return _summed(arrays[0], labels[0], op.out)
        if {*labels[0]} == {*labels[1]}:
            a, b = arrays
            b = b if labels[0] == labels[1] else b.transpose(tuple(map(labels[1].index, labels[0])))
            if not op.out and len(labels[0]) == 1:
                return np.matmul(a, b)
            return _summed(np.square(a) if a is b else np.multiply(a, b), labels[0], op.out)
        first, second = pairs
        for (a, la), (b, lb) in ((first, second), (second, first)):
            found = _product(a, la, b, lb, op.out)
            if found is not None:
                return found
        parts = [part for pair in zip(arrays, map(list, labels), strict=True) for part in pair]
        return called(np.einsum, *parts, list(op.out), optimize=True)

    def _padded(self, x: Array, axis: int, first: int, shape: tuple[int, ...], inner: tuple[int, ...]) -> Array:
        around = [(0, 0)] * len(shape)
        around[axis] = (first, shape[axis] - first - inner[axis])
        return called(np.pad, x, around)


def _diagonal(x: Array, labels: Axes) -> tuple[Array, Axes]:
    """The entries whose places along axes of one label are the same, each label once."""
    distinct = tuple(dict.fromkeys(labels))
    return (x, labels) if distinct == labels else (viewed(np.einsum, x, list(labels), list(distinct)), distinct)


def _product(a: Array, la: Axes, b: Array, lb: Axes, out: Axes) -> Array | None:
    """The contraction as a product of matrices or of stacks of them; None where its labels are no such product."""
    summed = tuple(x for x in dict.fromkeys((*la, *lb)) if x not in out)
    if len(summed) != 1 or summed[0] not in la or summed[0] not in lb:
        return None
    stack = tuple(x for x in out if x in la and x in lb)
    left, right = tuple(x for x in out if x not in lb), tuple(x for x in out if x not in la)
    if out != (*stack, *left, *right) or not (len(left) == len(right) == 1 if stack else len(right) <= 1):
        return None
    return np.matmul(_in_order(a, la, (*stack, *left, *summed)), _in_order(b, lb, (*stack, *summed, *right)))


def _in_order(x: Array, labels: Axes, order: Axes) -> Array:
    return x if labels == order else x.transpose(tuple(map(labels.index, order)))


def _summed(x: Array, labels: Axes, out: Axes) -> Array:
    """The sum over the labels that the result has not."""
    axes = tuple(k for k, label in enumerate(labels) if label not in out)
    if axes:
        x = np.sum(x, axis=axes)
    kept = tuple(label for label in labels if label in out)
    return x if kept == out else x.transpose(tuple(map(kept.index, out)))


def _place_in_product(factor: tuple[Op, Axes, Fraction]) -> tuple[bool, bool, bool, int]:
    op, axes, power = factor
    return bool(axes), power < 0, op.type != "real", len(axes)


def _power(x: Array, p: Fraction) -> Array:
    if p == 1:
        return x
    found = _POWERS.get(p)
    return _of_numbers(found, x) if found is not None else _of_numbers(np.power, x, float(p))


def _times(total: Any, x: Array, p: Fraction) -> Array:
    if p < 0:
        return _of_numbers(np.true_divide, total, x)
    return _of_numbers(np.multiply, x, total) if isinstance(total, float) else np.multiply(total, x)


def _of_numbers(function: Callable[..., Array], *args: Any) -> Array:
    """What a function of NumPy gives; of Python's numbers one of Python's, which takes the type of arrays that it meets."""
    found = function(*args)
    return float(found) if all(isinstance(a, float) for a in args) else found


def called(function: Callable[..., Array], *args: Any, **options: Any) -> Array:
    """What a function returns that is no single operation; where an argument is a recorder, the call is written down."""
    recorder = next((a for a in args if hasattr(a, "record")), None)
    return function(*args, **options) if recorder is None else recorder.record(function, *args, **options)


def viewed(function: Callable[..., Array], x: Array, *rest: Any) -> Array:
    """What a function returns that looks at the entries of its first argument in another way."""
    return x.look(function, *rest) if hasattr(x, "look") else function(x, *rest)


__all__ = ["called", "computed", "sizes_of"]

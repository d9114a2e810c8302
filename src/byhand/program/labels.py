"""Under which labels a statement reads what: those of its result first, then those that it sums over.

Axes of size one have no loop, and no place among the labels under which something is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import assert_never

from byhand.expr.dims import Shape
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
)

Labels = tuple[int | None, ...]  # one for each axis; None where the place is calculated
EXTREMES = ("max", "peak")  # kernels that go over axes entry by entry; peak passes over what is no number


def reduces(op: Op) -> bool:
    """Whether a node goes over axes that its result has not."""
    return isinstance(op, (Contract, Scatter)) or is_extreme(op)


def is_extreme(op: Op) -> bool:
    """Whether a node is the largest or the smallest entry over axes."""
    return isinstance(op, Kernel) and op.operation in EXTREMES


def label_sizes(op: Op) -> Shape:
    """The size of each label: the axes of the result, then what is gone over."""
    match op:
        case Contract(sizes=sizes):
            return sizes
        case Kernel(args=(arg,), attributes=(over, *_)) if is_extreme(op):
            return (*op.shape, *(arg.shape[a] for a in over))
        case Scatter(index=index):
            return (*op.shape, *index.shape)
    return op.shape


def looped(op: Op) -> list[int]:
    """The labels that have a loop: where rows are added at their labels, the first axis of the result has none."""
    return [x for x, n in enumerate(label_sizes(op)) if n != 1 and not (isinstance(op, Scatter) and x == 0)]


def axes(op: Op) -> tuple[int, ...]:
    """The labels of the result, axes of size one left out."""
    return tuple(x for x, n in enumerate(op.shape) if n != 1)


def terms(op: Op) -> tuple[tuple[Op, Labels], ...]:
    """The operands of a node that goes over axes, under its labels; of another, itself."""
    match op:
        case Contract(operands=pair):
            return pair
        case Kernel(args=(arg,), attributes=(over, *_)) if is_extreme(op):
            kept = [a for a in range(len(arg.shape)) if a not in over]
            order = [*kept, *over]
            return ((arg, tuple(map(order.index, range(len(order))))),)
        case Scatter(arg=arg, index=index):
            rows = tuple(range(len(op.shape), len(op.shape) + len(index.shape)))
            return ((arg, (*rows, *range(1, len(op.shape)))), (index, rows))
    return ((op, tuple(range(len(op.shape)))),)


def reads(op: Op) -> list[tuple[Input, Labels]]:
    """The leaves that a statement reads."""
    return [found for arg, labels in terms(op) for found in leaves(arg, labels)]


def leaves(op: Op, labels: Labels) -> Iterator[tuple[Input, Labels]]:
    """The leaves below a node that is read under these labels."""
    match op:
        case Input():
            yield op, tuple(x for x, n in zip(labels, op.shape, strict=True) if n != 1)
        case Number() | Eye():
            return
        case Map(args=args):
            for a in args:
                yield from leaves(a, labels)
        case Add(terms=added):
            for _, t, places in added:
                yield from leaves(t, _at(labels, places))
        case Mul(factors=factors):
            for f, places, _ in factors:
                yield from leaves(f, _at(labels, places))
        case Slice(arg=arg, axis=axis) | Pad(arg=arg, axis=axis):
            yield from leaves(arg, (*labels[:axis], None, *labels[axis + 1 :]))
        case Take(arg=arg, index=index, rows=0, axis=axis):
            stop = axis + len(index.shape)
            yield from leaves(index, labels[axis:stop])
            yield from leaves(arg, (*labels[:axis], None, *labels[stop:]))
        case Take(arg=arg, index=index):
            yield from leaves(index, labels)
            yield from leaves(arg, (*labels, None))
        case Reshape(arg=arg, shape=shape):
            pairs = zip(shape, arg.shape, strict=False)
            same = len(list(takewhile(lambda p: p[0] == p[1], pairs)))
            yield from leaves(arg, (*labels[:same], *[None] * (len(arg.shape) - same)))
        case Kernel(operation="one_hot", args=(index,)):
            yield from leaves(index, labels[:-1])
        case Kernel(operation="heaviside", args=args):
            for a in args:
                yield from leaves(a, labels)
        case Kernel(args=args):  # of whole arrays
            for a in args:
                yield from leaves(a, (None,) * len(a.shape))
        case Contract() | Scatter():
            raise AssertionError("a sum inside of a statement")
        case _:
            assert_never(op)


def _at(labels: Labels, places: Axes) -> Labels:
    return tuple(labels[a] for a in places)


__all__ = ["EXTREMES", "Labels", "axes", "is_extreme", "label_sizes", "leaves", "looped", "reads", "reduces", "terms"]

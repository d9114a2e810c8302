"""Nodes with other operands, and how often each occurs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import assert_never

from byhand.program.ops import (
    Add,
    Contract,
    Eye,
    Input,
    Kernel,
    Map,
    Mul,
    Number,
    Op,
    Pad,
    Pool,
    Reshape,
    Scatter,
    Slice,
    Take,
    operands,
    topological,
)


def rebuilt(pool: Pool, op: Op, new: Mapping[Op, Op]) -> Op:
    """The node with other operands; those that are not in `new` stay."""
    if all(new.get(a, a) is a for a in operands(op)):
        return op
    match op:
        case Input() | Number() | Eye():
            return op
        case Map(args=args) | Kernel(args=args):
            return pool(replace(op, args=tuple(new.get(a, a) for a in args)))
        case Add(terms=terms):
            return pool(replace(op, terms=tuple((c, new.get(t, t), axes) for c, t, axes in terms)))
        case Mul(factors=factors):
            return pool(replace(op, factors=tuple((new.get(f, f), axes, p) for f, axes, p in factors)))
        case Contract(operands=pair):
            return pool(replace(op, operands=tuple((new.get(a, a), labels) for a, labels in pair)))
        case Slice(arg=arg) | Pad(arg=arg) | Reshape(arg=arg):
            return pool(replace(op, arg=new.get(arg, arg)))
        case Take(arg=arg, index=index) | Scatter(arg=arg, index=index):
            return pool(replace(op, arg=new.get(arg, arg), index=new.get(index, index)))
        case _:
            assert_never(op)


def mapped(pool: Pool, root: Op, change: Callable[[Op], Op]) -> Op:
    """The node with every part changed, operands first."""
    new: dict[Op, Op] = {}
    for op in topological([root]):
        new[op] = change(rebuilt(pool, op, new))
    return new[root]


def multiplicity(roots: Iterable[Op]) -> dict[Op, int]:
    """How often each node would occur if every use of it were written out."""
    roots = list(roots)
    found: dict[Op, int] = dict.fromkeys(topological(roots), 0)
    for root in roots:
        found[root] += 1
    for op in reversed(list(found)):
        for a in operands(op):
            found[a] += found[op]
    return found


__all__ = ["mapped", "multiplicity", "rebuilt"]

"""Indexing: slices with step one, integers, None, ..., and [arange(m), t] for integer labels."""

from __future__ import annotations

from operator import index as integer
from typing import Any

from byhand.errors import ParseError
from byhand.expr.contraction import P1, Label, LooseFactor, contract
from byhand.expr.dims import Dim, Dimension, add_dims, multiply_dims
from byhand.expr.nodes import Expr
from byhand.expr.operands import as_dim, dimension_of, misfit
from byhand.expr.operations import apply


def getitem(a: Expr, index: object) -> Expr:
    """a[index]: slices with step one, integers, None, ..., and [arange(m), t] for integer labels."""
    parts = list(index) if type(index) is tuple else [index]
    if len(parts) == 2 and getattr(parts[0], "ndim", 0) == 1 and not isinstance(parts[0], Expr):
        parts[0] = _counting(parts[0])
    if len(parts) == 2 and isinstance(parts[0], Arange) and isinstance(parts[1], Expr):
        return _gather(a, parts[0], parts[1])
    if sum(p is Ellipsis for p in parts) > 1:
        raise ParseError("an index has at most one ...")
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    if used > a.ndim:
        raise misfit(f"{{0}}[...]: {used} indices for {a.ndim} axes", [a])
    at = next(k for k, p in enumerate(parts) if p is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (a.ndim - used)
    factors: list[LooseFactor] = [(a, list(range(a.ndim)), P1)]
    out: list[Label] = []
    dims: dict[Label, Dim] = dict(enumerate(a.shape))
    axis = 0
    for k, part in enumerate(parts):
        if part is None:
            out.append(("new", k))
            dims["new", k] = 1
            continue
        size = a.shape[axis]
        if isinstance(part, slice) and part == slice(None):
            out.append(axis)
        elif isinstance(part, slice) or _bound(part) is not None:
            first, how_many = _range(part, size, a)
            picked = apply("selection", attributes=(size, first, how_many))
            factors.append((picked, [axis, ("picked", k)], P1))
            if isinstance(part, slice):
                out.append(("picked", k))
        else:
            raise ParseError("an index is a slice, an integer, None, ..., or [arange(m), t] with integer labels t")
        axis += 1
    return contract(factors, out, dims=dims)


def _bound(x: object) -> Dim | None:
    """An integer, a dimension or an expression of them as a bound of a slice."""
    if isinstance(x, (bool, str)):
        return None
    if isinstance(x, Expr):
        return dimension_of(x)
    if isinstance(x, Dimension):
        return x
    try:
        found = integer(x)  # type: ignore[arg-type]
    except TypeError:
        return None
    return found if abs(found) < 2**31 else None


def _from_start(bound: Dim, size: Dim) -> Dim:
    """A bound counted from the start: negative ones count from the end."""
    negative = all(c < 0 for _, c in bound.terms) if isinstance(bound, Dimension) else bound < 0
    return add_dims(size, bound) if negative else bound


def _range(part: object, size: Dim, a: Expr) -> tuple[Dim, Dim]:
    """The first index and how many a slice or an integer picks."""
    start, stop = (part.start, part.stop) if isinstance(part, slice) else (part, None)
    if isinstance(part, slice) and not (part.step is None or (isinstance(part.step, int) and part.step == 1)):
        raise ParseError("a slice has step 1")
    low, high = (None if b is None else _bound(b) for b in (start, stop))
    if (low is None and start is not None) or (high is None and stop is not None):
        raise ParseError("the bounds of a slice are integers or dimensions")
    first = 0 if low is None else _from_start(low, size)
    end = size if high is None else _from_start(high, size)
    if not isinstance(part, slice):
        end = add_dims(first, 1)
    how_many, beyond = add_dims(end, multiply_dims(-1, first)), add_dims(end, multiply_dims(-1, size))
    outside = (isinstance(first, int) and first < 0) or (isinstance(beyond, int) and beyond > 0)
    if outside or (isinstance(how_many, int) and how_many <= 0):
        raise misfit(f"{{0}}[...]: the index is outside an axis of {size}, or picks nothing", [a])
    return first, how_many


class Arange:
    """arange(m) as an index."""

    def __init__(self, size: object) -> None:
        self.size = as_dim(size)


def _gather(a: Expr, rows: Arange, labels: Expr) -> Expr:
    if a.ndim != 2 or rows.size != a.shape[0] or labels.shape != a.shape[:1]:
        raise misfit(f"{{0}}[arange({rows.size}), {{1}}]: rows and labels must match the first axis", [a, labels])
    hot = apply("one_hot", labels, attributes=(a.shape[1],))
    return contract([(a, "ik", P1), (hot, "ik", P1)], "i")


def _counting(x: Any) -> object:
    """np.arange(m) as an index."""
    if getattr(getattr(x, "dtype", None), "kind", "") in "iu" and len(x) and all(int(v) == k for k, v in enumerate(x)):
        return Arange(len(x))
    raise ParseError("an index is a slice, an integer, None, ..., or [arange(m), t] with integer labels t")


Expr.__getitem__ = getitem  # type: ignore[method-assign]

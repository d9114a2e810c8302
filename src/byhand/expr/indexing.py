"""Indexing: slices with steps, integers, None, ..., and arrays of integers: rows E[t], entries Z[arange(m), t]."""

from __future__ import annotations

from operator import index as integer
from typing import Any, TypeGuard

from byhand.errors import ParseError
from byhand.expr.contraction import P1, Label, LooseFactor, contract
from byhand.expr.dims import ONE, Dim, Dimension, add_dims, floor_divide, multiply_dims, show_shape
from byhand.expr.indexmaps import affine
from byhand.expr.nodes import Contraction, Expr, Named, Structured, Symbol
from byhand.expr.operands import as_dim, dimension_of, misfit
from byhand.expr.operations import apply
from byhand.expr.surface import broadcast_shape


def getitem(a: Expr, index: object) -> Expr:
    """a[index]: slices with steps, integers, None, ..., and arrays of integers, which pick along an axis each."""
    parts = [_array(p) for p in (index if type(index) is tuple else (index,))]
    if sum(p is Ellipsis for p in parts) > 1:
        raise ParseError("an index has at most one ...")
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    if used > a.ndim:
        raise misfit(f"{{0}}[...]: {used} indices for {a.ndim} axes", [a])
    at = next(k for k, p in enumerate(parts) if p is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (a.ndim - used)
    arrays = [p for p in parts if _is_array(p)]
    joint = broadcast_shape([p.shape for p in arrays]) if arrays else ()
    if joint is None:
        shapes = " and ".join(show_shape(p.shape) for p in arrays)
        raise misfit(f"{{0}}[...]: arrays of integers of shapes {shapes} do not fit each other", [a, *arrays])
    factors: list[LooseFactor] = [(a, list(range(a.ndim)), P1)]
    out: list[Label] = []
    dims: dict[Label, Dim] = {**dict(enumerate(a.shape)), **{("array", k): n for k, n in enumerate(joint)}}
    axis = 0
    places: list[int] = []  # where the axes of the arrays would stand in the result
    advanced: list[int] = []
    for k, part in enumerate(parts):
        if part is None:
            out.append(("new", k))
            dims["new", k] = 1
            continue
        size = a.shape[axis]
        if _is_array(part):
            labels: list[Label] = [
                ("array", len(joint) - part.ndim + j) if n == joint[len(joint) - part.ndim + j] else ("one", k, j)
                for j, n in enumerate(part.shape)
            ]
            factors.append((*_picking(part, size, [*labels, axis]), P1))
            places.append(len(out))
            advanced.append(k)
        elif isinstance(part, slice) and part == slice(None):
            out.append(axis)
        elif isinstance(part, slice) or _bound(part) is not None:
            first, step, how_many = _range(part, size, a)
            if isinstance(part, slice):
                out.append(("picked", k))
            else:
                advanced.append(k)
            factors.append((affine(size, first, (step, how_many)), [axis, ("picked", k)], P1))
        else:
            raise ParseError("an index is a slice, an integer, None, ..., or an array of integers")
        axis += 1
    if arrays:  # as in NumPy: first, where something stands between them
        together = advanced[-1] - advanced[0] == len(advanced) - 1
        at = places[0] if together else 0
        out[at:at] = [("array", k) for k in range(len(joint))]
    return contract(factors, out, dims=dims)


def _array(part: object) -> Any:
    """An index; consecutive integers in an array from outside as a node."""
    if isinstance(part, Expr) or part is Ellipsis or not getattr(part, "ndim", 0):
        return part
    if isinstance(part, Dimension):
        return part
    x: Any = part
    integers = getattr(getattr(x, "dtype", None), "kind", "") in "iu" and x.ndim == 1 and len(x)
    if integers and all(int(v) == k for k, v in enumerate(x)):
        return arange(len(x))
    raise ParseError(
        "an array of integers in an index is arange(m) or an input", "make it an argument, declared `labels`"
    )


def _is_array(part: object) -> TypeGuard[Expr]:
    return isinstance(part, Expr) and dimension_of(part) is None


def _picking(index: Expr, size: Dim, labels: list[Label]) -> tuple[Expr, list[Label]]:
    """A factor that is one where the last label is what the index says at the others, and its labels."""
    core, own = index, labels[:-1]
    while isinstance(core, Contraction) and _moves_only(core):  # t[:, None], t.T
        ((source, inner, _),) = core.factors
        place = {x: y for x, y in zip(core.out, own, strict=True)}
        core, own = source, [place[x] for x in inner]
    body = core.body if isinstance(core, Named) else core
    if isinstance(body, Structured) and body.operation == "arange":
        (count,) = body.attributes
        if isinstance(count, int) and isinstance(size, int) and count > size:
            raise misfit(f"{{0}} as an index: it is outside an axis of {size}", [index])
        return affine(size, 0, (1, count)), [labels[-1], *own]
    counts = isinstance(body, Structured) and body.operation == "argmax"
    if not counts and not isinstance(body, Symbol):
        raise ParseError("an array of integers in an index is an input, arange(m) or argmax(X, axis)")
    return apply("one_hot", core, attributes=(size,)), [*own, labels[-1]]


def _moves_only(node: Contraction) -> bool:
    if len(node.factors) != 1 or node.coefficient != ONE or len({*node.out}) < node.ndim:
        return False
    ((_, labels, power),) = node.factors
    return power == 1 and len({*labels}) == len(labels) and {*labels} <= {*node.out}


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


def _range(part: object, size: Dim, a: Expr) -> tuple[Dim, Dim, Dim]:
    """The first index, the step and how many a slice or an integer picks."""
    start, stop, by = (part.start, part.stop, part.step) if isinstance(part, slice) else (part, None, None)
    low, high, step = (None if b is None else _bound(b) for b in (start, stop, by))
    if any(given is not None and read is None for given, read in ((start, low), (stop, high), (by, step))):
        raise ParseError("the bounds and the step of a slice are integers or dimensions")
    step = 1 if step is None else step
    if isinstance(step, int) and step <= 0:
        return _backwards(step, low, high, size, a)
    first = 0 if low is None else _from_start(low, size)
    end = size if high is None else _from_start(high, size)
    if not isinstance(part, slice):
        end = add_dims(first, 1)
    length, beyond = add_dims(end, multiply_dims(-1, first)), add_dims(end, multiply_dims(-1, size))
    how_many = length if step == 1 else floor_divide(add_dims(length, add_dims(step, -1)), step)
    outside = (isinstance(first, int) and first < 0) or (isinstance(beyond, int) and beyond > 0)
    if outside or (isinstance(how_many, int) and how_many <= 0):
        raise misfit(f"{{0}}[...]: the index is outside an axis of {size}, or picks nothing", [a])
    return first, step, how_many


def _backwards(step: int, low: Dim | None, high: Dim | None, size: Dim, a: Expr) -> tuple[Dim, Dim, Dim]:
    """X[::-1]: the entries from the last to the first."""
    if step == 0:
        raise ParseError("the step of a slice is not 0")
    first = add_dims(size, -1) if low is None else _from_start(low, size)
    end = -1 if high is None else _from_start(high, size)
    length = add_dims(first, multiply_dims(-1, end))
    how_many = length if step == -1 else floor_divide(add_dims(length, -step - 1), -step)
    beyond = add_dims(first, multiply_dims(-1, size))
    outside = (isinstance(first, int) and first < 0) or (isinstance(beyond, int) and beyond >= 0)
    if outside or (isinstance(how_many, int) and how_many <= 0):
        raise misfit(f"{{0}}[...]: the index is outside an axis of {size}, or picks nothing", [a])
    return first, step, how_many


def arange(size: object) -> Expr:
    """0, 1, ..., size − 1."""
    return apply("arange", attributes=(as_dim(size),))


Expr.__getitem__ = getitem  # type: ignore[method-assign]

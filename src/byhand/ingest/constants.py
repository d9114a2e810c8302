"""Constant arrays of a program as nodes: filled ones, identities, ranges, bands of a mask, small tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.errors import ParseError
from byhand.expr.contraction import P1, Label, add, contract, filled, scale
from byhand.expr.dims import Coefficient, Dim, Shape, show_shape
from byhand.expr.indexing import getitem
from byhand.expr.indexmaps import affine
from byhand.expr.nodes import Contraction, Expr
from byhand.expr.operands import as_fraction
from byhand.expr.surface import compare, expand
from byhand.expr.vocabulary import VOCABULARY
from byhand.ingest.sizes import Sizes

LARGEST_TABLE = 64  # entries of a constant that is written out

Array = Any


def constant_node(array: Array, sizes: Sizes) -> Expr:
    """A constant array as a node.

    Raises: ParseError: it is none of those that have a formula, and too large to be written out.
    """
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise ParseError(f"a constant of type {values.dtype} is no number")
    shape = sizes.shape(values.shape)
    if not values.size or not np.all(np.isfinite(values.astype(float))):
        raise ParseError(f"a constant of shape {show_shape(shape)} is empty or not finite")
    core, kept = _varying(values)
    if core.ndim == 0:
        number = sizes.number(float(core))
        assert isinstance(number, Contraction)
        return filled(shape, number.coefficient)
    node = _core(core, tuple(shape[k] for k in kept), sizes)
    axes: list[Label] = list(kept)
    return contract([(node, axes, P1)], range(len(shape)), dims=dict(enumerate(shape)))


def _varying(values: Array) -> tuple[Array, list[int]]:
    """The array without the axes along which it does not change, and the axes that are left."""
    kept: list[int] = []
    for axis in reversed(range(values.ndim)):
        first = np.take(values, [0], axis)
        if np.array_equal(values, np.broadcast_to(first, values.shape)):
            values = np.take(values, 0, axis)
        else:
            kept.insert(0, axis)
    return values, kept


def _core(values: Array, shape: Shape, sizes: Sizes) -> Expr:
    if values.ndim == 2:
        found = _band(values, shape, sizes)
        if found is not None:
            return found
    if values.ndim == 1:
        found = _progression(values, shape[0], sizes)
        if found is not None:
            return found
    if all(isinstance(d, int) for d in shape) and values.size <= LARGEST_TABLE:
        return _table(values, shape)
    raise ParseError(f"a constant array of shape {show_shape(shape)} has no formula", "make it an argument of its own")


def _band(values: Array, shape: Shape, sizes: Sizes) -> Expr | None:
    """low, or high where i - j >= k, > k, == k: triangles, diagonals, causal masks."""
    low, high = float(values.min()), float(values.max())
    if not np.all((values == low) | (values == high)):
        return None
    i, j = np.indices(values.shape)
    for one, other in ((high, low), (low, high)):
        where = values == one
        inside = (i - j)[where]
        first, last = int(inside.min()), int(inside.max())
        offset = (i - j).min(), (i - j).max()
        if not np.array_equal(where, (i - j >= first) & (i - j <= last)):
            continue
        if first == last == 0 and shape[0] == shape[1]:
            mask = contract([], "ii", dims={"i": shape[0]})
        elif first == last or offset[0] == first or offset[1] == last:
            rows, columns = _indices(shape)
            sign, by = ("==", first) if first == last else (">=", first) if last == offset[1] else ("<=", last)
            mask = compare(rows, sign, _moved(columns, by))
        else:
            continue
        return add(scale(_coefficient(one - other), mask), filled(shape, _coefficient(other)))
    return None


def _indices(shape: Shape) -> tuple[Expr, Expr]:
    rows, columns = (lift_range(n) for n in shape)
    return expand(getitem(rows, (slice(None), None)), shape), expand(columns, shape)


def lift_range(n: Dim) -> Expr:
    """arange(n) as a node."""
    node = VOCABULARY["arange"](n)
    if not isinstance(node, Expr):
        raise ParseError(f"arange({n}) cannot stand in an expression")
    return node


def _moved(node: Expr, by: int) -> Expr:
    return node + by if by else node


def _progression(values: Array, size: Dim, sizes: Sizes) -> Expr | None:
    steps = np.diff(values.astype(float))
    if values.dtype == bool or not len(steps) or not np.all(steps == steps[0]):
        return None
    node = scale(_coefficient(float(steps[0])), lift_range(size))
    first = float(values[0])
    return node + sizes.number(first) if first else node


def _coefficient(x: float) -> Coefficient:
    return Coefficient(as_fraction(x))


def _table(values: Array, shape: Shape) -> Expr:
    """Entry by entry: a sum of the places that have one value."""
    terms = []
    for at in np.argwhere(values != 0):
        factors = [
            (affine(n, int(k), (1, 1)), [axis, ("one", axis)], P1)
            for axis, (n, k) in enumerate(zip(shape, at, strict=True))
        ]
        terms.append(contract(factors, range(len(shape)), _coefficient(float(values[tuple(at)]))))
    return add(*terms) if terms else filled(shape, Coefficient(as_fraction(0)))

"""The table of structured operations: what is neither multilinear nor elementwise. Each row has its shape rule and kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import MissingRuleError, ShapeError
from byhand.expr import numeric
from byhand.expr.contraction import P1, as_view, contract
from byhand.expr.dims import Shape, dim_value, show_shape
from byhand.expr.nodes import Expr, describe, structured

Sizes = Mapping[str, int]


class Operation(NamedTuple):
    """A row: the shape of the result, and the kernel `numpy(arrays, attributes, sizes)`."""

    name: str
    shape: Callable[[tuple[Expr, ...], tuple[Any, ...]], Shape]
    numpy: Callable[[list[Any], tuple[Any, ...], Sizes], Any]
    meaning: str


def _square(args: tuple[Expr, ...], _: tuple[Any, ...]) -> Shape:
    (a,) = args
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ShapeError(f"a square matrix is needed, not {show_shape(a.shape)}", describe(a))
    return a.shape


def _scalar_of_square(args: tuple[Expr, ...], attributes: tuple[Any, ...]) -> Shape:
    _square(args, attributes)
    return ()


def _same(args: tuple[Expr, ...], _: tuple[Any, ...]) -> Shape:
    for a in args[1:]:
        if a.shape != args[0].shape:
            raise ShapeError(
                f"shapes differ, {show_shape(args[0].shape)} != {show_shape(a.shape)}", *map(describe, args)
            )
    return args[0].shape


def _without_axes(args: tuple[Expr, ...], attributes: tuple[Any, ...]) -> Shape:
    return tuple(n for i, n in enumerate(args[0].shape) if i not in attributes[0])


def _labels(t: Any, attributes: tuple[Any, ...], sizes: Sizes) -> Any:
    return numeric.one_hot(t, dim_value(attributes[0], sizes))


def _adjugate(a: Any) -> Any:
    return numeric.adjugate_by_minors(a) if np.iscomplexobj(a) else numeric.adjugate(a)


def _where(c: Any, a: Any, b: Any) -> Any:
    return np.where(np.real(c) != 0, a, b)


def _axes(attributes: tuple[Any, ...]) -> Any:
    return attributes[0]


_TABLE = (
    Operation("inv", _square, lambda a, at, s: np.linalg.inv(a[0]), "the inverse of a square matrix"),
    Operation("det", _scalar_of_square, lambda a, at, s: np.linalg.det(a[0]), "the determinant of a square matrix"),
    Operation("adjugate", _square, lambda a, at, s: _adjugate(a[0]),
              "the transposed matrix of the cofactors, det(X) inv(X)"),
    Operation("logdet", _scalar_of_square, lambda a, at, s: numeric.logdet(a[0]), "log|det X|"),
    Operation("softmax", _same, lambda a, at, s: numeric.softmax(a[0], _axes(at)), "exp(Z) / sum(exp(Z)) over the axes"),
    Operation("log_softmax", _same, lambda a, at, s: numeric.log_softmax(a[0], _axes(at)), "Z - logsumexp(Z) over the axes"),
    Operation("logsumexp", _without_axes, lambda a, at, s: numeric.logsumexp(a[0], _axes(at)), "log sum exp over the axes"),
    Operation("power", _same, lambda a, at, s: a[0] ** a[1], "entries of X to the entries of Y"),
    Operation("where", _same, lambda a, at, s: _where(*a), "entries of A where the mask is 1, else of B"),
    Operation("one_hot", lambda args, at: (*args[0].shape, at[0]), lambda a, at, s: _labels(a[0], at, s), "rows with a one at the label"),
    Operation("affine", lambda args, at: (at[0], *at[3::2]), lambda a, at, s: numeric.affine(*(dim_value(d, s) for d in at)),
              "one where l = offset + Σ stride i: (size of l, offset, stride, how many, ...)"),
    Operation("triangle", lambda args, at: (at[0], at[0]), lambda a, at, s: np.tri(dim_value(at[0], s)), "one where j <= i"),
    Operation("arange", lambda args, at: (at[0],), lambda a, at, s: np.arange(dim_value(at[0], s)), "0, 1, 2, ..."),
    Operation("max", _without_axes, lambda a, at, s: numeric.largest(a[0], _axes(at)), "the largest over the axes"),
    Operation("winner", _same, lambda a, at, s: numeric.winner(a[0], _axes(at)), "one at the largest over the axes, the first of equal ones"),
    Operation("argmax", _without_axes, lambda a, at, s: np.argmax(np.real(a[0]), axis=at[0][0]), "where the largest over an axis stands, the first of equal ones"),
)  # fmt: skip

SOFTMAXES = frozenset({"softmax", "log_softmax", "logsumexp"})
OVER_AXES = SOFTMAXES | {"max", "winner", "argmax"}
CONSTANTS = frozenset({"affine", "triangle", "arange"})  # no arguments: only the sizes decide
PICKERS = frozenset({"affine", "one_hot"})  # factors that only pick entries
OPERATIONS: dict[str, Operation] = {row.name: row for row in _TABLE}


def apply(name: str, *args: Expr, attributes: tuple[Any, ...] = ()) -> Expr:
    """The node of a structured operation, its shape checked; operations over axes let transposes out.

    Raises: ShapeError: the operands do not fit. MissingRuleError: the table has no such row.
    """
    if name not in OPERATIONS:
        raise MissingRuleError(f"no operation {name}", "add a row to byhand/expr/operations.py")
    if name in OVER_AXES:
        view = as_view(args[0])
        if view is not None:
            source, labels, out = view
            axes = tuple(sorted(labels.index(out[a]) for a in attributes[0]))
            inner = apply(name, source, attributes=(axes,))
            kept = [x for k, x in enumerate(out) if k not in attributes[0]] if inner.ndim < source.ndim else list(out)
            inside = [x for k, x in enumerate(labels) if k not in axes] if inner.ndim < source.ndim else list(labels)
            return contract([(inner, inside, P1)], kept)
    return structured(name, args, attributes, OPERATIONS[name].shape(args, attributes))

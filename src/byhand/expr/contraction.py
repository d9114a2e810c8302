"""The one constructor of contractions, and the constructors that rest on it: scale, add, transpose, elementwise.

Construction merges views only (transposes, sums over axes, broadcasts, scalings of one factor); simplification asks for
products to be merged too. Labels are numbered canonically, so that equal contractions are the same node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from byhand.errors import ShapeError
from byhand.expr.canonical import canonical_order
from byhand.expr.dims import ONE, ZERO, Coefficient, Dim, Shape, dim_coefficient, show_shape
from byhand.expr.labels import JoinedLabels, Label
from byhand.expr.nodes import (
    Contraction,
    Elementwise,
    Expr,
    Factor,
    Labels,
    Sum,
    intern,
)

LooseFactor = tuple[Expr, Sequence[Label], Fraction]
P1 = Fraction(1)


def contract(
    factors: Iterable[LooseFactor],
    out: Sequence[Label],
    coefficient: Coefficient = ONE,
    dims: Mapping[Any, Dim] | None = None,
    merge: bool = False,
) -> Expr:
    """coefficient × Σ ∏ factor[labels]^power with the axes `out`.

    Args:
        factors: (node, one label per axis, power); labels are any hashables.
        out: the labels of the result's axes; one that no factor has is a broadcast and needs its dimension in `dims`;
            one that occurs twice is a diagonal.
        coefficient: a number times a monomial in dimensions.
        dims: dimensions of labels; a label given here that neither `out` nor a factor has is summed over, which
            multiplies by its dimension.
        merge: dissolve nested contractions into this one (products); otherwise only views are dissolved.
    Raises: ShapeError: a label stands for two different dimensions.
    """
    labels = JoinedLabels(dims or {})
    kept, todo = [], list(factors)
    while todo:
        flat, coefficient = _flatten(todo, labels, coefficient, merge)
        kept = _collected(flat, labels)
        todo = list(kept) if len(kept) < len(flat) else []  # a new power may move inside
    final_out = tuple(map(labels.find, out))
    used = set(final_out).union(*(ls for _, ls, _ in kept)) if kept else set(final_out)
    for label in {labels.find(label) for label in labels.dims}:
        if label not in used:
            coefficient = coefficient.times(dim_coefficient(labels.dims[label]))
    if coefficient.value == 0:
        kept, coefficient = [], ZERO
    return _canonical(kept, final_out, coefficient, labels.dims)


def _collected(flat: list[LooseFactor], labels: JoinedLabels) -> list[tuple[Expr, tuple[Label, ...], Fraction]]:
    """Equal factors under equal labels as a power."""
    powers: dict[tuple[Expr, tuple[Label, ...]], Fraction] = {}
    for node, node_labels, power in flat:
        key = node, tuple(map(labels.find, node_labels))
        powers[key] = powers[key] + power if key in powers else power
    return [(node, ls, power) for (node, ls), power in powers.items() if power]


def _flatten(
    factors: list[LooseFactor], labels: JoinedLabels, coefficient: Coefficient, merge: bool
) -> tuple[list[LooseFactor], Coefficient]:
    sole = len(factors) == 1
    todo: list[LooseFactor] = factors[::-1]
    flat: list[LooseFactor] = []
    while todo:
        node, node_labels, power = todo.pop()
        labels.declare(node, node_labels)
        if isinstance(node, Contraction) and (merge or sole or is_view(node)):
            outer = _outer_power(node, power)
            if outer is not None:
                coefficient = coefficient.times(outer)
                new = labels.open(node, node_labels)
                as_they_are = power == 1
                todo += [
                    (f, [new[i] for i in ls], p if as_they_are else p * power) for f, ls, p in reversed(node.factors)
                ]
                sole = False
                continue
        sole = False
        if isinstance(node, Contraction) and node.factors and power != 1:
            node, node_labels = _without_broadcast(node, tuple(node_labels))
        if isinstance(node, Contraction) and node.factors and node.coefficient != ONE:
            raised = node.coefficient.power(power)
            if raised is not None:
                coefficient, node = coefficient.times(raised), split_coefficient(node)[1]
        flat.append((node, node_labels, power))
    return flat, coefficient


def _outer_power(node: Contraction, power: Fraction) -> Coefficient | None:
    """The coefficient of a nested contraction raised to a power, or None where the power cannot move inside."""
    if power == 1:
        return node.coefficient
    diagonal = len(set(node.out)) < len(node.out)  # off it stand zeros, which have no negative power
    if (diagonal and power < 0) or (node.factors and (power.denominator != 1 or has_sum(node))):
        return None
    return node.coefficient.power(power)


def _without_broadcast(node: Contraction, node_labels: tuple[Label, ...]) -> tuple[Expr, tuple[Label, ...]]:
    """A power of a broadcast is the broadcast of the power."""
    inside = {label for _, ls, _ in node.factors for label in ls}
    if len(set(node.out)) < len(node.out) or all(label in inside for label in node.out):
        return node, node_labels
    kept = [k for k, label in enumerate(node.out) if label in inside]
    core = contract(node.factors, [node.out[k] for k in kept], node.coefficient)
    return core, tuple(node_labels[k] for k in kept)


def has_sum(node: Contraction) -> bool:
    """Whether a label is summed over."""
    return any(label not in node.out for _, ls, _ in node.factors for label in ls)


def is_view(node: Contraction) -> bool:
    """Whether at most one factor has axes: a transpose, sum over axes, broadcast, diagonal, scaling or power of it."""
    with_axes = [power for _, ls, power in node.factors if ls]
    if len(with_axes) > 1:
        return False
    return all(power == 1 for power in with_axes) or not (has_sum(node) or len(set(node.out)) < len(node.out))


def _canonical(
    factors: list[tuple[Expr, tuple[Label, ...], Fraction]],
    out: tuple[Label, ...],
    coefficient: Coefficient,
    dims: Mapping[Label, Dim],
) -> Expr:
    """Sort the factors and number the labels so that equal contractions are the same node."""
    if len(factors) == 1 and coefficient == ONE:
        node, node_labels, power = factors[0]
        if node_labels == out and power == 1 and len(set(out)) == len(out):
            return node
    order = canonical_order(factors, out, dims)
    number: dict[Label, int] = {}
    for label in out:
        number.setdefault(label, len(number))
    for i in order:
        for label in factors[i][1]:
            number.setdefault(label, len(number))
    new_factors = tuple((factors[i][0], tuple(number[x] for x in factors[i][1]), factors[i][2]) for i in order)
    new_out = tuple(number[label] for label in out)
    return _interned(coefficient, new_factors, new_out, tuple(dims[label] for label in number))


def _interned(coefficient: Coefficient, factors: tuple[Factor, ...], out: Labels, dims: Shape) -> Contraction:
    return intern(
        Contraction,
        (coefficient, factors, out, dims),
        tuple(dims[i] for i in out),
        (f for f, _, _ in factors),
        coefficient=coefficient,
        factors=factors,
        out=out,
        dims=dims,
    )


# ---- what rests on it


def as_view(node: Expr) -> tuple[Expr, Labels, Labels] | None:
    """Of a node that only moves the entries of another (a transpose): that node, its labels, the labels of the axes."""
    if not isinstance(node, Contraction) or len(node.factors) != 1 or node.coefficient != ONE:
        return None
    source, labels, power = node.factors[0]
    if power != 1 or len(set(labels)) < len(labels) or sorted(labels) != sorted(node.out):
        return None
    return source, labels, node.out


def whole(node: Expr) -> tuple[Expr, range, Fraction]:
    """A node as a factor under the labels 0, 1, ..."""
    return node, range(node.ndim), P1


def number(value: Fraction | int) -> Expr:
    """A scalar number."""
    return contract([], (), Coefficient(Fraction(value)))


def filled(shape: Shape, coefficient: Coefficient = ONE) -> Expr:
    """An array with one value everywhere: zeros, ones."""
    return contract([], range(len(shape)), coefficient, dict(enumerate(shape)))


def zero(shape: Shape) -> Expr:
    """The zero of a shape."""
    return filled(shape, ZERO)


def is_zero(node: Expr) -> bool:
    """Whether the node is identically zero by construction."""
    return isinstance(node, Contraction) and node.coefficient.value == 0


def scale(coefficient: Coefficient, node: Expr) -> Expr:
    """coefficient × node."""
    if coefficient == ONE:
        return node
    if isinstance(node, Contraction) and coefficient.value:
        return _rescaled(node, node.coefficient.times(coefficient))
    return contract([whole(node)], range(node.ndim), coefficient, dict(enumerate(node.shape)))


def split_coefficient(node: Expr) -> tuple[Coefficient, Expr]:
    """The coefficient and the node with coefficient one."""
    if isinstance(node, Contraction) and node.coefficient != ONE:
        return node.coefficient, _rescaled(node, ONE)
    return ONE, node


def _rescaled(node: Contraction, coefficient: Coefficient) -> Expr:
    """The same product with another coefficient; its factors stand in canonical order already."""
    bare = len(node.factors) == 1 and node.factors[0][1:] == (node.out, P1) and len(set(node.out)) == len(node.out)
    if bare and coefficient == ONE:
        return node.factors[0][0]
    return _interned(coefficient, node.factors, node.out, node.dims)


def transpose(node: Expr, axes: Sequence[int] | None = None) -> Expr:
    """The axes in another order, reversed by default."""
    order = tuple(reversed(range(node.ndim))) if axes is None else tuple(axes)
    if isinstance(node, Sum):
        return combine((c, transpose(term, order)) for c, term in node.terms)
    return contract([whole(node)], order)


def add(*nodes: Expr) -> Expr:
    """The sum of nodes of one shape; nested sums dissolve and equal terms are collected."""
    return combine([(ONE, node) for node in nodes])


def combine(multiples: Iterable[tuple[Coefficient, Expr]]) -> Expr:
    """The sum of multiples of nodes of one shape, as `add` makes it."""
    todo = list(multiples)[::-1]
    shape = todo[-1][1].shape
    collected: dict[tuple[Expr, tuple[tuple[object, Fraction], ...]], Fraction] = {}
    while todo:
        coefficient, node = todo.pop()
        if node.shape != shape:
            raise ShapeError(f"sum of different shapes, {show_shape(shape)} and {show_shape(node.shape)}")
        if isinstance(node, Sum):
            todo += [(coefficient.times(c), term) for c, term in reversed(node.terms)]
            continue
        inner, body = split_coefficient(node)
        coefficient = coefficient.times(inner)
        if isinstance(body, Sum):
            todo.append((coefficient, body))
            continue
        key = body, coefficient.dims
        collected[key] = collected[key] + coefficient.value if key in collected else coefficient.value
    terms = [(Coefficient(v, d), body) for (body, d), v in collected.items() if v]  # type: ignore[arg-type]
    if not terms:
        return zero(shape)
    if len(terms) == 1:
        return scale(*terms[0])
    terms.sort(key=lambda t: (t[1].digest, str(t[0])))
    return intern(Sum, tuple(terms), shape, (t for _, t in terms), terms=tuple(terms))


def elementwise(function: str, arg: Expr) -> Expr:
    """function(arg) entry by entry; broadcasts, transposes and other views that only move entries are pulled out."""
    if isinstance(arg, Contraction) and len(set(arg.out)) == len(arg.out):
        axes = {label: arg.dims[label] for label in arg.out}  # labels summed over stay inside
        inside = {label for _, ls, _ in arg.factors for label in ls}
        kept = [label for label in arg.out if label in inside]
        moves_only = (
            len(arg.factors) == 1
            and arg.coefficient == ONE
            and arg.factors[0][2] == 1
            and sorted(arg.factors[0][1]) == sorted(kept)
            and arg.factors[0][1] != arg.out
        )
        if moves_only:
            source, labels, _ = arg.factors[0]
            return contract([(elementwise(function, source), labels, P1)], arg.out, dims=axes)
        if len(kept) < len(arg.out):
            core = elementwise(function, contract(arg.factors, kept, arg.coefficient))
            return contract([(core, kept, P1)], arg.out, dims=axes)
    return intern(Elementwise, (function, arg), arg.shape, (arg,), function=function, arg=arg)


def label_dims(node: Contraction) -> dict[int, Dim]:
    """The dimension of each label."""
    return dict(enumerate(node.dims))


__all__ = [
    "P1", "Factor", "Label", "Labels", "LooseFactor", "add", "combine", "contract", "elementwise", "filled", "has_sum", "is_view",
    "is_zero", "label_dims", "number", "scale", "split_coefficient", "transpose", "whole", "zero",
]  # fmt: skip

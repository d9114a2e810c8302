"""Contractions without a matrix form, as the array operations that a person writes: products with added axes, stacked
matrix products, sums over axes; einsum for the rest."""

from __future__ import annotations

from byhand.code.forms import Einsum, expand, hadamard, permute, squeeze, sums
from byhand.expr.dims import Dim, Shape
from byhand.rules.forms import Form

Labels = tuple[int, ...]
Operand = tuple[Form, Labels]


def contraction_form(operands: list[Operand], out: Labels, sizes: Shape) -> Form | None:
    """The form of Σ ∏ operand[labels] with the axes `out`; None where there are no operands and no diagonal."""
    known = list(sizes)
    operands = [_squeezed(o, out, sizes) for o in operands]
    operands, distinct = _without_diagonals(operands, out, known)
    if not operands:
        return None
    inside = tuple(x for x in distinct if any(x in labels for _, labels in operands))
    shape = tuple(known[x] for x in inside)
    groups = _groups(operands, distinct)
    if len(groups) > 1:
        form = _separate(groups, inside, tuple(known))
    else:
        operands = [_summed_alone(o, operands, distinct) for o in operands]
        form = _plan(operands, inside, shape) or _general(operands, inside, tuple(known))
    return expand(form, tuple(known[x] for x in distinct), tuple(distinct.index(x) for x in inside))


def _squeezed(operand: Operand, out: Labels, sizes: Shape) -> Operand:
    """Without axes of size one that are summed over."""
    form, labels = operand
    axes = tuple(i for i, x in enumerate(labels) if sizes[x] == 1 and x not in out)
    return squeeze(form, axes), tuple(x for i, x in enumerate(labels) if i not in axes)


def _without_diagonals(operands: list[Operand], out: Labels, sizes: list[Dim]) -> tuple[list[Operand], Labels]:
    """A label twice in the result: a product with the identity, under a label of its own."""
    operands, distinct = list(operands), list[int]()
    for x in out:
        if x in distinct:
            sizes.append(sizes[x])
            operands.append((Form("identity", data=(sizes[x],), rank=2), (x, len(sizes) - 1)))
            x = len(sizes) - 1
        distinct.append(x)
    return operands, tuple(distinct)


def _summed_alone(operand: Operand, operands: list[Operand], out: Labels) -> Operand:
    """The operand of two or more, summed over the axes that no other has."""
    form, labels = operand
    others = {x for o in operands if o is not operand for x in o[1]}
    axes = tuple(i for i, x in enumerate(labels) if x not in others and x not in out and labels.count(x) == 1)
    return (sums(form, axes), tuple(x for i, x in enumerate(labels) if i not in axes)) if others else operand


def _groups(operands: list[Operand], out: Labels) -> list[list[Operand]]:
    """The operands, those that are summed over together in one group."""
    groups: list[list[Operand]] = []
    for o in operands:
        summed = {x for x in o[1] if x not in out}
        met = [g for g in groups if summed & {x for _, labels in g for x in labels}]
        groups = [g for g in groups if g not in met] + [[p for g in met for p in g] + [o]]
    return groups


def _separate(groups: list[list[Operand]], out: Labels, sizes: Shape) -> Form:
    """A product of contractions that have no sum in common."""
    factors = []
    for group in groups:
        own = tuple(x for x in out if any(x in labels for _, labels in group))
        form = contraction_form(group, own, sizes)
        assert form is not None
        factors.append(expand(form, tuple(sizes[x] for x in out), tuple(out.index(x) for x in own)))
    return hadamard(tuple(factors), len(out))


def _plan(operands: list[Operand], out: Labels, shape: Shape) -> Form | None:
    if any(len(set(labels)) < len(labels) for _, labels in operands):
        return None
    summed = {x for _, labels in operands for x in labels if x not in out}
    if not summed:
        return hadamard(tuple(_aligned(o, out, shape) for o in operands), len(out))
    first = operands[0][1]
    if all(labels == first for _, labels in operands):
        axes = tuple(i for i, x in enumerate(first) if x in summed)
        total = sums(hadamard(tuple(f for f, _ in operands), len(first)), axes)
        return _aligned((total, tuple(x for x in first if x not in summed)), out, shape)
    if len(operands) == 2 and len(summed) == 1:
        return _matmul(operands[0], operands[1], summed.pop(), out)
    return None


def _left_over(operands: list[Operand], a: int, b: int, out: Labels) -> Labels:
    """The labels of the product of two operands that the result or another operand has."""
    others = {x for i, (_, labels) in enumerate(operands) if i not in (a, b) for x in labels} | {*out}
    return tuple(x for x in dict.fromkeys((*operands[a][1], *operands[b][1])) if x in others)


def _aligned(operand: Operand, out: Labels, shape: Shape) -> Form:
    """The operand with the axes of the result."""
    form, labels = operand
    order = tuple(x for x in out if x in labels)
    return expand(_ordered(form, labels, order), shape, tuple(out.index(x) for x in order))


def _ordered(form: Form, labels: Labels, order: Labels) -> Form:
    return permute(form, tuple(labels.index(x) for x in order))


def _matmul(one: Operand, other: Operand, k: int, out: Labels) -> Form | None:
    """A stacked matrix product, whichever of the two stands left."""
    for (a, la), (b, lb) in ((one, other), (other, one)):
        if k not in la or k not in lb:
            return None
        stack = tuple(x for x in out if x in la and x in lb)
        left = tuple(x for x in out if x in la and x not in lb)
        right = tuple(x for x in out if x in lb and x not in la)
        fits = len(left) == len(right) == 1 if stack else left and len(right) <= 1
        if out != (*stack, *left, *right) or not fits:
            continue
        left_form, right_form = _ordered(a, la, (*stack, *left, k)), _ordered(b, lb, (*stack, k, *right))
        return Form("matmul" if right else "matvec", (left_form, right_form), rank=len(out))
    return None


def _general(operands: list[Operand], out: Labels, sizes: Shape) -> Form:
    """Two at a time, those first that lose most axes; einsum where two operands have no simpler form."""
    while len(operands) > 2:
        pairs = [(_left_over(operands, a, b, out), a, b) for b in range(len(operands)) for a in range(b)]
        kept, a, b = min(pairs, key=lambda p: (len(p[0]) - len({*operands[p[1]][1], *operands[p[2]][1]}), len(p[0])))
        form = contraction_form([operands[a], operands[b]], kept, sizes)
        assert form is not None
        operands = [o for i, o in enumerate(operands) if i not in (a, b)] + [(form, kept)]
        planned = _plan(operands, out, tuple(sizes[x] for x in out))
        if planned is not None:
            return planned
    number = {x: k for k, x in enumerate(dict.fromkeys([*out, *(x for _, labels in operands for x in labels)]))}
    labels = tuple(tuple(number[x] for x in ls) for _, ls in operands)
    data = Einsum(labels, tuple(number[x] for x in out), tuple(sizes[x] for x in number))
    return Form("einsum", tuple(f for f, _ in operands), data, len(out))

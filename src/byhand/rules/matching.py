"""Matching a pattern of the identities' table against a node: variables bind nodes, labels and dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import permutations
from typing import Any

from byhand.expr.contraction import LooseFactor, scale
from byhand.expr.dims import Dim, Dimension, Shape
from byhand.expr.nodes import Contraction, Elementwise, Expr, Factor, Named, Structured, Sum, Symbol


@dataclass(frozen=True, slots=True)
class Binding:
    """What the variables, dimensions and static attributes of a pattern stand for."""

    nodes: dict[str, Expr] = field(default_factory=dict)
    dims: dict[str, Dim] = field(default_factory=dict)
    attributes: dict[Any, Any] = field(default_factory=dict)

    def with_node(self, name: str, node: Expr) -> Binding:
        return Binding({**self.nodes, name: node}, self.dims, self.attributes)

    def with_dims(self, pattern: Shape, actual: Shape) -> Binding | None:
        """The binding with the dimensions of a shape, or None where they contradict."""
        dims = dict(self.dims)
        for p, a in zip(pattern, actual, strict=True):
            if isinstance(p, Dimension):
                if dims.setdefault(str(p), a) != a:
                    return None
            elif p != a:
                return None
        return Binding(self.nodes, dims, self.attributes)


def match(pattern: Expr, node: Expr, binding: Binding, pointwise: bool, peel: bool = False) -> Iterator[Binding]:
    """All ways in which `node` is an instance of `pattern`.

    `pointwise`: variables are scalars that stand for any shape. `peel`: a named intermediate matches by its body; only
    factors of products do, so that log(P) stays what its user wrote.
    """
    if isinstance(pattern, Symbol):
        yield from _variable(pattern, node, binding, pointwise)
        return
    body = node.body if peel and isinstance(node, Named) else node
    if pointwise and isinstance(pattern, Contraction) and _is_scaled_variable(pattern):
        inverse = pattern.coefficient.power(Fraction(-1))
        if inverse is not None:  # -u stands for anything: u is its negative
            yield from match(pattern.factors[0][0], scale(inverse, node), binding, pointwise)
        return
    match pattern, body:
        case Elementwise(name, inner), Elementwise(other, arg) if name == other:
            yield from match(inner, arg, binding, pointwise)
        case Structured(name, args, attributes), Structured(other, actual, values) if name == other and len(
            args
        ) == len(actual):
            bound = _attributes(attributes, values, binding)
            if bound is not None:
                yield from _all(list(zip(args, actual, strict=True)), bound, pointwise)
        case Sum(terms), Sum(actual) if len(terms) == len(actual):
            for order in permutations(actual):
                if all(c == d for (c, _), (d, _) in zip(terms, order, strict=True)):
                    yield from _all([(t, u) for (_, t), (_, u) in zip(terms, order, strict=True)], binding, pointwise)
        case Contraction(), Contraction() if not pattern.factors and not body.factors:
            if pattern.coefficient == body.coefficient and (pointwise or pattern.out == body.out):
                yield binding
        case Contraction(), Contraction() if pattern.coefficient == body.coefficient and len(pattern.factors) == len(
            body.factors
        ):
            for used, bound, labels in match_factors(pattern, body, binding, pointwise):
                whole = len(used) == len(body.factors) and all(not left for left in used.values())
                if whole and (pointwise or tuple(labels[o] for o in pattern.out) == body.out):
                    yield bound


def _is_scaled_variable(pattern: Contraction) -> bool:
    return len(pattern.factors) == 1 and isinstance(pattern.factors[0][0], Symbol) and pattern.factors[0][2] == 1


def _variable(pattern: Symbol, node: Expr, binding: Binding, pointwise: bool) -> Iterator[Binding]:
    if pattern.name in binding.nodes:
        if binding.nodes[pattern.name] is node:
            yield binding
        return
    if pointwise:
        yield binding.with_node(pattern.name, node)
    elif pattern.ndim == node.ndim:
        bound = binding.with_dims(pattern.shape, node.shape)
        if bound is not None:
            yield bound.with_node(pattern.name, node)


def _attributes(pattern: tuple[Any, ...], values: tuple[Any, ...], binding: Binding) -> Binding | None:
    """Attributes of a pattern: a dimension binds a dimension; anything else (an axis) must be equal."""
    for p, v in zip(pattern, values, strict=True):
        if isinstance(p, Dimension):
            bound = binding.with_dims((p,), (v,))
            if bound is None:
                return None
            binding = bound
        elif p != v:
            return None
    return binding


def _all(pairs: list[tuple[Expr, Expr]], binding: Binding, pointwise: bool) -> Iterator[Binding]:
    if not pairs:
        yield binding
        return
    (pattern, node), rest = pairs[0], pairs[1:]
    for bound in match(pattern, node, binding, pointwise):
        yield from _all(rest, bound, pointwise)


Used = dict[int, Fraction]  # factor of the target -> the power that is left of it


def match_factors(
    pattern: Contraction, target: Contraction, binding: Binding, pointwise: bool
) -> Iterator[tuple[Used, Binding, dict[int, int]]]:
    """Ways to find the factors of a pattern among those of a contraction.

    Yields: what is left of each factor used, the binding, and pattern label -> target label. Pointwise, all the factors
    matched stand under the same labels.
    """

    def extend(
        k: int, used: Used, bound: Binding, labels: dict[int, int], common: tuple[int, ...] | None
    ) -> Iterator[tuple[Used, Binding, dict[int, int]]]:
        if k == len(pattern.factors):
            if pointwise or _closed(pattern, target, used, labels):
                yield used, bound, labels
            return
        wanted, wanted_labels, power = pattern.factors[k]
        for i, (factor, actual_labels, actual_power) in enumerate(target.factors):
            if i in used or not _divides(power, actual_power, bool(pattern.out) or pointwise):
                continue
            if pointwise:
                new, group = labels, common if common is not None else actual_labels
                if actual_labels != group:
                    continue
            else:
                if len(wanted_labels) != len(actual_labels):
                    continue
                united = _unite(labels, wanted_labels, actual_labels)
                if united is None:
                    continue
                new, group = united, None
            for deeper in match(wanted, factor, bound, pointwise, peel=True):
                yield from extend(k + 1, {**used, i: actual_power - power}, deeper, new, group)

    yield from extend(0, {}, binding, {}, None)


def _divides(wanted: Fraction, actual: Fraction, may_leave_rest: bool) -> bool:
    if wanted == actual:
        return True
    return may_leave_rest and wanted * actual > 0 and abs(actual) > abs(wanted)


def _unite(labels: dict[int, int], wanted: tuple[int, ...], actual: tuple[int, ...]) -> dict[int, int] | None:
    new = dict(labels)
    for w, a in zip(wanted, actual, strict=True):
        if new.setdefault(w, a) != a:
            return None
    return new if len(set(new.values())) == len(new) else None


def _closed(pattern: Contraction, target: Contraction, used: Used, labels: dict[int, int]) -> bool:
    """Labels that the pattern sums over occur nowhere else in the target."""
    summed = {labels[x] for _, ls, _ in pattern.factors for x in ls if x not in pattern.out}
    if summed & set(target.out):
        return False
    return not any(summed & set(ls) for i, (_, ls, _) in enumerate(target.factors) if i not in used or used[i])


def remaining(target: Contraction, used: Used) -> list[LooseFactor]:
    """The factors of the target that a match leaves over."""
    rest: list[LooseFactor] = []
    for i, (factor, labels, power) in enumerate(target.factors):
        left = used.get(i, power)
        if left:
            rest.append((factor, labels, left))
    return rest


__all__ = ["Binding", "Factor", "match", "match_factors", "remaining"]

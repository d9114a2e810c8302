"""Taking common factors out of a sum, and multiplying products of sums out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import reduce
from itertools import islice, product
from math import gcd, prod
from typing import NamedTuple

from byhand.expr.contraction import P1, Label, LooseFactor, add, combine, contract, label_dims, scale
from byhand.expr.dims import ONE, Coefficient, Dim
from byhand.expr.masks import has_value, parted
from byhand.expr.nodes import Contraction, Expr, Named, Structured, Sum, topological
from byhand.rules.score import Scores, weight

CHOICES = 16  # ways tried to pick one occurrence of a factor from each term

LONG_PRODUCT = 16  # factors from which on the ties among them count, which grow with their square


class _Term(NamedTuple):
    coefficient: Coefficient
    factors: tuple[tuple[Expr, tuple[int, ...], Fraction], ...]
    out: tuple[int, ...]
    dims: dict[int, Dim]


Slot = tuple[str, int]  # ("out", k): axis k of the sum; ("link", a): axis a of the common factor, summed over


def _term(coefficient: Coefficient, node: Expr) -> _Term:
    if isinstance(node, Contraction):
        return _Term(coefficient, node.factors, node.out, label_dims(node))
    axes = tuple(range(node.ndim))
    return _Term(coefficient, ((node, axes, P1),), axes, dict(enumerate(node.shape)))


def opened(node: Expr, across: Iterable[Label] = ()) -> list[Expr] | None:
    """The terms of a product with the first of its sums multiplied out; None where there is none.

    What selects where another factor has a value, 1 − C, stays.

    Args:
        node: the product.
        across: labels that the sum must have.
    """
    if not isinstance(node, Contraction):
        return None
    for i, (factor, labels, power) in enumerate(node.factors):
        if isinstance(factor, Sum) and power == 1 and set(across) <= set(labels) and not parted(node, i):
            rest: list[LooseFactor] = [f for j, f in enumerate(node.factors) if j != i]
            return [
                contract([*rest, (t, labels, P1)], node.out, node.coefficient.times(c), label_dims(node), merge=True)
                for c, t in factor.terms
            ]
    return None


def distribute(node: Expr) -> list[tuple[Coefficient, Expr]]:
    """A product of sums as a list of terms, one level of every sum multiplied out."""
    terms = opened(node)
    return [(ONE, node)] if terms is None else [found for t in terms for found in distribute(t)]


def count_products(root: Expr, counts: dict[Expr, int]) -> int:
    """How many terms `distribute` makes of a node, or of all the terms of a sum; `counts` holds what is known."""
    if root not in counts:
        for node in topological([root], into_named=False):
            if node not in counts:
                match node:
                    case Sum(terms):
                        counts[node] = sum(counts[t] for _, t in terms)
                    case Contraction(_, factors):
                        counts[node] = prod(counts[f] for f, _, p in factors if p == 1)
                    case _:
                        counts[node] = 1
    return counts[root]


def common_coefficient(node: Sum) -> Expr:
    """2 A - 2 B = 2 (A - B): a number or dimension that all terms share is taken out, a minus too."""
    coefficients = [c for c, _ in node.terms]
    dims = coefficients[0].dims if all(c.dims == coefficients[0].dims for c in coefficients) else ()
    numerator = reduce(gcd, [abs(c.value.numerator) for c in coefficients])
    denominator = reduce(lambda a, b: a * b // gcd(a, b), [c.value.denominator for c in coefficients])
    k = Fraction(numerator, denominator)
    inside = sum(abs(c.value) != k for c in coefficients) + (k != 1)
    now = sum(abs(c.value) != 1 for c in coefficients)
    if inside > now or (inside == now and k < 1):  # more numbers to read: v + 1/1000 is not (1000 v + 1)/1000
        k = Fraction(1)
    if all(c.value < 0 for c in coefficients):
        k = -k
    if k == 1 and not dims:
        return node
    inverse = Coefficient(1 / k, tuple((d, -p) for d, p in dims))
    body = combine((c.times(inverse), t) for c, t in node.terms)
    return contract([(body, range(body.ndim), P1)], range(body.ndim), Coefficient(k, dims), dict(enumerate(body.shape)))


class _Way(NamedTuple):
    """A common factor, where it is taken from each term, and the power that is taken."""

    gain: float
    factor: Expr
    picked: dict[int, int]
    power: Fraction


def factorings(node: Sum, scores: Scores) -> Iterator[tuple[Expr, list[Expr], bool]]:
    """Candidates F (rest + rest), F in two or more terms; the flag: take it even where the length stays equal.

    The longest that is written less often comes first: who cannot try them all tries the best.
    """
    terms = [_term(c, t) for c, t in node.terms]
    reach = [_within_reach(t.factors, t.out) for t in terms]
    for way in sorted(_ways(node, terms, scores), key=lambda way: (-way.gain, way.factor.digest)):
        candidate = _take_out(node, terms, reach, way.factor, way.picked, way.power)
        if candidate is not None:
            yield *candidate, way.factor.ndim == 0 or way.power < 0


def _ways(node: Sum, terms: list[_Term], scores: Scores) -> Iterator[_Way]:
    places: dict[Expr, dict[int, list[int]]] = {}
    for i, term in enumerate(terms):
        for j, (factor, labels, _) in enumerate(term.factors):
            if len(set(labels)) == len(labels):
                places.setdefault(factor, {}).setdefault(i, []).append(j)
    for factor in sorted(places, key=lambda e: e.digest):
        where = places[factor]
        if len(where) < 2 or (node.ndim == 0 and factor.ndim):
            continue
        length = weight(factor, scores)
        for choice in islice(product(*where.values()), CHOICES):
            picked = dict(zip(where, choice, strict=True))
            powers = [terms[i].factors[j][2] for i, j in picked.items()]
            if any(p * powers[0] < 0 for p in powers):
                continue
            power = min(powers, key=abs)
            if not all(has_value(factor, p, power) for p in powers):
                continue
            gone = sum(_length(length, p) - _length(length, p - power) for p in powers)
            yield _Way(gone - _length(length, power), factor, picked, power)


def _length(length: float, power: Fraction) -> float:
    """What a factor of this length takes in a product, to this power."""
    return length + 0.25 * (abs(power) != 1) if power else 0.0


def size(node: Expr) -> int:
    """How many factors stand in the terms of a node, the square of them in long ones: what a step of a search costs."""
    match node:
        case Sum(terms):
            return sum(size(t) if isinstance(t, Contraction) else 1 for _, t in terms)
        case Contraction(_, factors):
            return len(factors) * max(1, len(factors) // LONG_PRODUCT)
        case _:
            return 1


def _within_reach(factors: Sequence[LooseFactor], out: Sequence[Label]) -> set[Label]:
    """The labels to which a chain of labels leads from the output; what has none of them is part of a scalar."""
    at: dict[Label, list[Sequence[Label]]] = {}
    for _, labels, _ in factors:
        for label in labels:
            at.setdefault(label, []).append(labels)
    seen, todo = set(out), list(out)
    while todo:
        for labels in at.pop(todo.pop(), ()):
            todo += [x for x in labels if x not in seen]
            seen.update(labels)
    return seen


def _axis_role(terms: list[_Term], picked: dict[int, int], axis: int) -> tuple[int, ...] | None:
    """Where axis `axis` of the common factor goes: (k,) to output axis k in all terms, () summed in all, None mixed."""
    roles = {
        tuple(k for k, o in enumerate(terms[i].out) if o == terms[i].factors[j][1][axis]) for i, j in picked.items()
    }
    role = roles.pop()
    return role if not roles and len(role) <= 1 else None


def _take_out(
    node: Sum, terms: list[_Term], reach: list[set[Label]], factor: Expr, picked: dict[int, int], power: Fraction
) -> tuple[Expr, list[Expr]] | None:
    roles = [_axis_role(terms, picked, a) for a in range(factor.ndim)]
    slots: list[Slot] = [("out", k) for k in range(node.ndim)]
    forced: set[Slot] = set()
    for a, role in enumerate(roles):
        if role is None:
            if power != 1:
                return None
            slots.append(("link", a))
            forced.add(("link", a))
            for i, j in picked.items():
                forced |= {("out", k) for k, o in enumerate(terms[i].out) if o == terms[i].factors[j][1][a]}
        elif role == ():
            slots.append(("link", a))
    if factor.ndim and any(reach[i].isdisjoint(terms[i].factors[j][1]) for i, j in picked.items()):
        return None

    def label(i: int, slot: Slot) -> int:
        return terms[i].out[slot[1]] if slot[0] == "out" else terms[i].factors[picked[i]][1][slot[1]]

    rests = {i: _rest(terms[i], j, power) for i, j in picked.items()}
    if _leaves_pickers([(terms[i].factors[j][1], rests[i]) for i, j in picked.items()]):
        return None
    needed = []
    for slot in slots:
        inside = any(label(i, slot) in ls for i in picked for _, ls, _ in rests[i])
        repeated = slot[0] == "out" and any(terms[i].out.count(label(i, slot)) > 1 for i in picked)
        if slot in forced or inside or repeated:
            needed.append(slot)
    if len(needed) > max(2, node.ndim):
        return None
    if factor.ndim and not all(_has_array(rests[i], [label(i, s) for s in slots]) for i in picked):
        return None
    parts = []
    for i in picked:
        labels = [label(i, s) for s in needed]
        parts.append(contract(rests[i], labels, terms[i].coefficient, {x: terms[i].dims[x] for x in labels}))
    inner = add(*parts)
    factor_labels: list[Label] = [
        ("link", a) if not roles[a] else ("out", (roles[a] or (0,))[0]) for a in range(factor.ndim)
    ]
    out: list[Label] = [("out", k) for k in range(node.ndim)]
    new = contract(
        [(factor, factor_labels, power), (inner, needed, P1)], out, dims=dict(zip(out, node.shape, strict=True))
    )
    return new, [scale(c, t) for i, (c, t) in enumerate(node.terms) if i not in picked]


def _leaves_pickers(pairs: list[tuple[tuple[int, ...], list[LooseFactor]]]) -> bool:
    """Whether factors are taken from what picks their entries: x[1:] + x[:-1] would be a matrix of zeros and ones times x.

    Args:
        pairs: of each term, the labels of the factor that is taken out and what is left beside it.
    """
    found = [{_picks(f) for f, ls, _ in rest if {*ls} & {*labels}} for labels, rest in pairs]
    return any("slice" in f for f in found) or all("label" in f for f in found)


def _picks(node: Expr) -> str:
    body = node.body if isinstance(node, Named) else node
    operation = body.operation if isinstance(body, Structured) else ""
    return {"affine": "slice", "triangle": "slice", "one_hot": "label"}.get(operation, "")


def _rest(term: _Term, j: int, power: Fraction) -> list[LooseFactor]:
    factor, labels, p = term.factors[j]
    rest: list[LooseFactor] = [f for k, f in enumerate(term.factors) if k != j]
    return [*rest, (factor, labels, p - power)] if p != power else rest


def _has_array(rest: list[LooseFactor], labels: list[int]) -> bool:
    """Whether something with axes is left that reaches the labels: a bare number would leave an identity or ones."""
    reach = _within_reach(rest, labels)
    return any(not reach.isdisjoint(ls) for _, ls, _ in rest)

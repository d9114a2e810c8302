"""The canonical order of the factors of a contraction: equal contractions get equal numberings of their labels.

Colour refinement, as for graphs: factors are coloured by their labels, labels by their factors, until the partition no
longer splits; factors still tied are individualised one after the other, and the smallest numbering wins. Factors
that no summed label holds together are ordered apart: tr(X)³ tr(X²)² has too many ties to be searched as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from byhand.expr.dims import Dim
from byhand.expr.labels import Label
from byhand.expr.nodes import Expr

SEARCH_LIMIT = 120  # leaves of the search; beyond it ties are broken as they come
LONG = 16  # factors of a product that is searched whatever it costs
WORK = 30_000  # what refining longer ones may take, with the square of the factors beyond these


Factors = list[tuple[Expr, tuple[Label, ...], Fraction]]


def canonical_order(factors: Factors, out: tuple[Label, ...], dims: Mapping[Label, Dim]) -> list[int]:
    """The order of the factors: by digest and power, equal ones group by group, the groups by what they are."""
    if len(factors) < 2:
        return list(range(len(factors)))
    kinds = [(node.digest, power) for node, _, power in factors]
    if len(set(kinds)) == len(kinds):
        return sorted(range(len(factors)), key=kinds.__getitem__)
    groups = []
    for group in _held_together(factors, out):
        shape, order = _group_order([factors[i] for i in group], out, dims)
        members = [group[i] for i in order]
        groups.append(([kinds[i] for i in members], shape, members))
    groups.sort(key=lambda g: g[:2])
    return sorted((i for *_, members in groups for i in members), key=kinds.__getitem__)


def _held_together(factors: Factors, out: tuple[Label, ...]) -> list[list[int]]:
    """The factors in groups that share no summed label."""
    groups: list[tuple[set[Label], list[int]]] = []
    for i, (_, ls, _) in enumerate(factors):
        labels, members, others = set(ls) - set(out), [i], []
        for group in groups:
            if group[0] & labels:
                labels, members = labels | group[0], group[1] + members
            else:
                others.append(group)
        groups = [*others, (labels, members)]
    return [members for _, members in groups]


def _group_order(
    factors: Factors, out: tuple[Label, ...], dims: Mapping[Label, Dim]
) -> tuple[list[tuple[int, ...]], list[int]]:
    """The labels as numbered and the order of one group: by colour refinement, the smallest numbering where tied."""
    where: dict[Label, list[tuple[int, int]]] = {}
    for i, (_, ls, _) in enumerate(factors):
        for axis, label in enumerate(ls):
            where.setdefault(label, []).append((i, axis))
    start_labels: dict[Label, object] = {
        label: (tuple(k for k, o in enumerate(out) if o == label), str(dims[label])) for label in {*out, *where}
    }
    start = [(node.digest, power) for node, _, power in factors]
    leaves = work = 0
    best: tuple[list[tuple[int, ...]], list[int]] | None = None
    todo: list[list[object]] = [list(start)]
    while todo and leaves < SEARCH_LIMIT:
        colours = _refine(factors, todo.pop(), start_labels, where)
        work += max(0, len(factors) - LONG) ** 2
        classes: dict[object, list[int]] = {}
        for i, colour in enumerate(colours):
            classes.setdefault(colour, []).append(i)
        tied = next((classes[c] for c in sorted(classes) if len(classes[c]) > 1), None)  # type: ignore[type-var]
        if work > WORK:
            todo = []
        elif tied is not None:
            for i in reversed(tied):
                todo.append([(c, j == i) for j, c in enumerate(colours)])
            continue
        leaves += 1
        order = sorted(range(len(factors)), key=lambda i: colours[i])
        number: dict[Label, int] = {}
        for label in out:
            number.setdefault(label, len(number))
        shape = [tuple(number.setdefault(x, len(number)) for x in factors[i][1]) for i in order]
        if best is None or shape < best[0]:
            best = shape, order
    assert best is not None
    return best


def _refine(
    factors: Factors,
    colours: Sequence[object],
    label_colours: Mapping[Label, object],
    where: Mapping[Label, list[tuple[int, int]]],
) -> list[int]:
    """Colour factors by their labels and labels by their factors until the partition no longer splits."""
    labels: dict[Label, object] = dict(label_colours)
    current = _ranks(colours)
    while True:
        seen = {
            label: (labels[label], tuple(sorted((current[i], axis) for i, axis in places)))
            for label, places in where.items()
        }
        rank = {c: r for r, c in enumerate(sorted(set(seen.values())))}
        labels = {label: rank[c] for label, c in seen.items()}
        refined = _ranks([(current[i], tuple(labels[x] for x in ls)) for i, (_, ls, _) in enumerate(factors)])
        if len(set(refined)) == len(set(current)):
            return refined
        current = refined


def _ranks(values: Sequence[object]) -> list[int]:
    rank = {v: r for r, v in enumerate(sorted(set(values)))}  # type: ignore[type-var]
    return [rank[v] for v in values]

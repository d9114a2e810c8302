"""Mistakes made on purpose anywhere in a graph: a path, a factor, an upstream gradient; rows 14, 28, 33, 34, 37 to 40."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from byhand.check.layer_mistakes import instead
from byhand.check.loss_mistakes import place_of, scaled, shown, times
from byhand.check.numeric import norm
from byhand.check.replay import Adjoint, Contribution, Edge, Patch, Replay
from byhand.check.roles import Roles
from byhand.expr.nodes import Constant, Expr, Named, Structured, Symbol

Array = Any
SAME = 1e-8  # relative, between the gradients of two tensors that were exchanged


def diagonals(roles: Roles) -> Iterator[Patch]:
    """Row 14 at any softmax: p (1 − p), without what each entry owes to the others."""
    for u, edges in roles.softmaxes:
        p = roles.graph.value(u.node)
        note = f"d{roles.word(u.node)} ⊙ {roles.word(u.node)} ⊙ (1 − {roles.word(u.node)}) reproduces it"
        yield replace(instead(14, u.name, edges, p * (1 - p)), note=note)
        word = {"P": roles.word(u.node), "f": "the softmax"}
        yield replace(instead(42, u.name, edges, p), words=word)
        yield replace(instead(20, u.name, edges, np.ones_like(p)), words=word)
        own = set(u.body.attributes[0]) if isinstance(u.body, Structured) else set()
        for axis in set(range(np.ndim(p))) - own:
            first, *rest = edges
            made: dict[Edge, Contribution] = {first: partial(_over, p, axis)}
            yield Patch(43, u.name, word, edges=made | {e: scaled(0.0) for e in rest})


def _over(p: Array, axis: int, replay: Replay, edge: Edge, up: Array, before: Callable[[], Array]) -> Array:
    """p ⊙ (upstream − Σ p ⊙ upstream), the sum over an axis."""
    return p * (up - np.sum(p * up, axis=axis, keepdims=True))


def statistics(roles: Roles) -> Iterator[Patch]:
    """Row 34: means and variances as constants, all of them or one."""
    nodes, means = roles.statistics, roles.means
    rows: list[tuple[str, list[Expr], list[Edge]]] = [
        *((what_it_is(roles, s), [s], []) for s in nodes),
        *((f"the mean of {roles.word(e.child)}", [], [e]) for e in means),
    ]
    if len(rows) > 1:
        rows.insert(0, (" and ".join(dict.fromkeys(name for name, _, _ in rows)), nodes, means))
    for names, adjoints, edges in rows:
        constant: dict[Edge, Contribution] = {e: scaled(0.0) for e in edges}
        note = f"{names}, without a path back, reproduces it"
        yield Patch(34, names, {"what": names}, edges=constant, adjoints=dict.fromkeys(adjoints, times(0.0)), note=note)


def what_it_is(roles: Roles, statistic: Expr) -> str:
    """The mean mu, the variance var, the sum of squares q, by the powers and the factor in its definition."""
    word = roles.word(statistic)
    summed = roles.summed_up(statistic) if isinstance(statistic, Named) else None
    if summed is None:
        return word
    powers = [p for _, ls, p in summed.factors if ls]
    mean = summed.coefficient.evaluate(roles.graph.sizes) != 1.0
    if powers == [1]:
        return f"the {'mean' if mean else 'sum'} {word}"
    return f"the {'variance' if mean else 'sum of squares'} {word}" if powers == [2] else word


def cuts(roles: Roles, off: bool = True) -> Iterator[Patch]:
    """Row 28: nothing flows below a unit; not `off`: row 39, where all that is below is reached in another way too."""
    for u in roles.graph.units:
        if u.node is roles.graph.root or not u.body.ndim or u.node in roles.statistics:
            continue
        if bool(roles.cut_off(u.node)) is not off:
            continue
        word, nothing = roles.word(u.node), {u.node: times(0.0)}
        if off:
            yield Patch(28, u.name, adjoints=nothing, note=f"nothing flows through {word}")
        else:
            below = roles.graph.below(u.node)
            names = [n for n, v in roles.graph.variables.items() if v in below]
            yield Patch(39, u.name, {"c": " and ".join(names), "which": f"that through {word}"}, adjoints=nothing)


def upstream(roles: Roles) -> Iterator[Patch]:
    """Row 33: the adjoint of a unit is taken as ones; where the loss is an inner product, what it is multiplied with."""
    for e in roles.losses:
        arrays = roles.arrays(e)
        if len(arrays) == 1 and isinstance(arrays[0], Symbol) and arrays[0] not in roles.variables:
            note = f"{arrays[0].name} taken as ones reproduces it"
            yield Patch(33, roles.word(e.child), edges={e: without(arrays[0])}, note=note)
    for u in roles.graph.units:
        if u.node is not roles.graph.root and u.body.ndim:
            note = f"d{roles.word(u.node)} taken as ones reproduces it"
            yield Patch(
                33, u.name, adjoints={u.node: _constant(np.ones(np.shape(roles.graph.value(u.node))))}, note=note
            )


def without(factor: Expr) -> Contribution:
    """What an edge contributes with ones in place of a factor."""

    def change(replay: Replay, edge: Edge, up: Array, before: Callable[[], Array]) -> Array:
        return replay.graph.pass_on(edge, up, {factor: np.ones_like(replay.graph.value(factor))})

    return change


def unit_constants(roles: Roles) -> Iterator[Patch]:
    """Row 37: the constant factor that all edges of a unit have, 1/√d in attention."""
    for u in roles.graph.units:
        edges = roles.graph.out_of.get(u.node, [])
        found = {round(abs(e.term.coefficient.evaluate(roles.graph.sizes)), 12) for e in edges}
        if u.body.ndim and len(found) == 1:
            (c,) = found
            if c and c != 1.0:
                yield Patch(37, u.name, {"k": shown(c)}, edges={e: scaled(1.0 / c) for e in edges})


def forgotten_paths(roles: Roles) -> Iterator[Patch]:
    """Row 39: of what is used more than once, one use is left out, or all but one (the last overwrites the others)."""
    special = {e for _, edges in (*roles.activations, *roles.softmaxes) for e in edges} | {*roles.means}
    known = {*roles.penalties, *(e for layer in roles.layers for e in layer.biases)}
    for child, uses in roles.graph.into.items():
        groups: dict[Expr, list[Edge]] = {}
        for e in uses:
            groups.setdefault(e.source.node, []).append(e)
        choices: list[tuple[str, list[Edge]]] = []
        for u, edges in groups.items():
            if len(groups) > 1 and u not in roles.statistics and not known & {*edges}:
                choices.append((f"that through {roles.word(u)}", edges))
            if len(groups) > 2:
                choices.append((f"only that through {roles.word(u)} is there", [e for e in uses if e not in edges]))
            if len(edges) > 1 and not special & {*edges}:
                ordinals = [f"the {_ORDINALS.get(k, f'{k}th')} of {len(edges)}" for k in range(1, len(edges) + 1)]
                choices += [(f"{w} in {roles.word(u)}", [e]) for w, e in zip(ordinals, edges, strict=True)]
        word = roles.word(child)
        for which, edges in choices:
            nothing: dict[Edge, Contribution] = {e: scaled(0.0) for e in edges}
            yield Patch(39, word, {"c": word, "which": which}, edges=nothing)
            if not which.startswith("only"):
                yield Patch(44, word, {"c": word, "which": which}, edges={e: scaled(2.0) for e in edges})
    for e in roles.means:
        word = roles.word(e.child)
        yield Patch(44, word, {"c": word, "which": f"that through the mean of {word}"}, edges={e: scaled(2.0)})


_ORDINALS = {1: "first", 2: "second", 3: "third"}


def forgotten_factors(roles: Roles) -> Iterator[Patch]:
    """Row 40: a factor that scales entry by entry, or as a number, is left out."""
    special = {e for _, edges in (*roles.activations, *roles.softmaxes) for e in edges}
    together: dict[tuple[Expr, Expr], list[Edge]] = {}
    for e in roles.graph.edges:
        if e in special or e in roles.penalties or not e.source.body.ndim:
            continue
        for f, ls, _ in e.term.factors:
            if isinstance(f, Constant) or not set(ls) <= {*e.term.out}:
                continue
            together.setdefault((e.source.node, f), []).append(e)
            word, child = roles.word(f), roles.word(e.child)
            yield Patch(40, child, {"F": word, "c": child}, edges={e: without(f)})
    for (_, f), edges in together.items():
        if len(edges) > 1:  # γ of γ x r, left out on the way to x and to r
            children = " and ".join(dict.fromkeys(roles.word(e.child) for e in edges))
            lost = {e: without(f) for e in edges}
            yield Patch(40, roles.word(edges[0].child), {"F": roles.word(f), "c": children}, edges=lost)


def forgotten_scales(roles: Roles) -> Iterator[Patch]:
    """Row 40 at the end: a unit with one number for each row or column, by which a whole gradient is multiplied."""
    for name, v in roles.graph.variables.items():
        shape = np.shape(roles.graph.value(v))
        for u in roles.graph.units:
            value = np.asarray(roles.graph.value(u.node))
            fits = value.ndim == len(shape) and all(a in (1, b) for a, b in zip(value.shape, shape, strict=True))
            if fits and value.ndim and 1 < value.size < np.prod(shape) and np.all(value):
                yield Patch(40, name, {"F": roles.word(u.node), "c": name}, results={name: times_array(1.0 / value)})


def times_array(k: Array) -> Adjoint:
    """The gradient, entries multiplied."""
    return lambda replay, before: before * k


def factor_of(roles: Roles, tensors: Iterable[str]) -> Iterator[Callable[[float], Patch]]:
    """Row 37 with a factor still to be found: at the loss, at each unit, at each of these tensors."""

    def made(place: str, change: Callable[[float], Mapping[str, Any]]) -> Callable[[float], Patch]:
        return lambda k: Patch(37, place, {"k": shown(1.0 / k) if k else ""}, **change(k))

    if roles.losses:
        yield made(place_of(roles), lambda k: {"edges": {e: scaled(k) for e in roles.losses}})
    for u in roles.graph.units:
        yield made(u.name, partial(_at, "adjoints", u.node))
    for n in tensors:
        yield made(n, partial(_at, "results", n))


def _at(what: str, place: Expr | str, k: float) -> dict[str, Any]:
    return {what: {place: times(k)}}


# ---- results


def forgotten(roles: Roles) -> Iterator[Patch]:
    """Row 41: the gradient of one tensor is zero."""
    for name in roles.graph.variables:
        yield Patch(41, name, results={name: times(0.0)})


def exchanged(roles: Roles, gradients: dict[str, Array]) -> Iterator[Patch]:
    """Row 38: two tensors of one shape, each with the gradient of the other."""
    replay = Replay(roles.graph)
    right = {n: replay.gradient(n) for n in gradients if n in roles.graph.variables}
    for a, b in combinations(right, 2):
        if gradients[a].shape == gradients[b].shape == right[a].shape == right[b].shape:
            gaps = [norm(gradients[a] - right[b]), norm(gradients[b] - right[a])]
            if max(gaps) <= SAME * max(norm(right[a]), norm(right[b])):
                swapped = {a: _constant(right[b]), b: _constant(right[a])}
                yield Patch(38, f"{a}, {b}", {"a": a, "b": b}, results=swapped)


def _constant(value: Array) -> Adjoint:
    return lambda replay, before: value

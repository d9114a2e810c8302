"""Mistakes made on purpose at the loss: rows 1 to 7, 12 to 15, 29, 35, 37."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from byhand.check.replay import Adjoint, Contribution, Edge, Patch, Replay
from byhand.check.roles import Layer, Roles
from byhand.expr.contraction import P1, contract
from byhand.expr.nodes import Expr, Structured

Array = Any
MOST_ENTRIES = 10**7  # of the contributions of all samples, one by one


def scaled(k: float) -> Contribution:
    """k times what the edge contributes."""
    return lambda replay, edge, upstream, before: k * before()


def times(k: float) -> Adjoint:
    """k times the adjoint."""
    return lambda replay, adjoint: k * adjoint


def shown(k: float) -> str:
    """A factor as people write it: 2, 1/2, 3.7."""
    near = Fraction(k).limit_denominator(1000)
    if near == -1:
        return "−1 (the sign)"
    return str(near) if abs(float(near) - k) <= 1e-9 * abs(k) else f"{k:.6g}"


def place_of(roles: Roles) -> str:
    """Where a mistake at the loss shows first."""
    return roles.word(roles.losses[0].child) if roles.losses else "the loss"


def loss(roles: Roles) -> Iterator[Patch]:
    """Rows 1 to 7, 12 to 15, 35."""
    yield from factors(roles)
    if roles.head is not None:
        yield from targets(roles, roles.head)
        yield from residuals(roles, roles.head)


def everywhere(roles: Roles, mistake: int, k: float, words: dict[str, Any]) -> Iterator[Patch]:
    """The data part with a factor; with the regulariser's part, where there is one, too."""
    if roles.losses:
        yield Patch(mistake, place_of(roles), words, edges={e: scaled(k) for e in roles.losses})
        if roles.penalties:
            note = "the regulariser's part included"
            yield Patch(mistake, "the loss", words, adjoints={roles.graph.root: times(k)}, note=note)


def known_factors(roles: Roles) -> list[tuple[int, float]]:
    """Rows 1 to 5, those that can be made in this loss, with their factors."""
    n, rows = roles.samples, []
    if roles.averaged and n > 1:
        rows += [(1, float(n)), (2, 1.0 / n)] + ([(3, 1.0 / roles.classes)] if roles.classes > 1 else [])
    if roles.has_logarithm:
        rows += [(4, 1.0 / math.log(2)), (5, 1.0 / math.log(10))]
    return rows


def factors(roles: Roles) -> Iterator[Patch]:
    """Rows 1 to 7."""
    for mistake, k in known_factors(roles):
        yield from everywhere(roles, mistake, k, {"N": roles.samples})
    if roles.residual is not None and roles.losses:
        prediction, target = map(roles.word, roles.residual)
        words = {"P": prediction, "Y": target}
        yield Patch(7, place_of(roles), words, edges={e: scaled(-1.0) for e in roles.losses})
    yield Patch(6, "the loss", {}, adjoints={roles.graph.root: times(-1.0)})


def constants(roles: Roles) -> Iterator[Patch]:
    """Row 37 with what people forget: the 2 of a square, ½, the constants of the loss, the mean."""
    named = {1.0, *(k for _, k in known_factors(roles))}
    known = (2.0, 0.5, *sorted(roles.constants), float(roles.samples))
    for k in dict.fromkeys(x for c in known for x in (c, 1.0 / c)):
        if k not in named:
            yield from everywhere(roles, 37, k, {"k": shown(1.0 / k)})


def relative_to(roles: Roles, node: Expr, made: Array) -> Adjoint:
    """Another adjoint in place of the right one; a factor that an earlier mistake put there stays."""
    right = Replay(roles.graph).adjoint(node)
    size = float(np.sum(right * right))

    def change(replay: Replay, adjoint: Array) -> Array:
        del replay
        k = float(np.sum(np.real(adjoint) * right)) / size if size else 1.0
        return k * made

    return change


def targets(roles: Roles, head: Layer) -> Iterator[Patch]:
    """Rows 12 to 15, where the head has probabilities and targets of its shape."""
    graph, node, p = roles.graph, head.unit.node, roles.probabilities
    if not roles.targets or p is None or not head.unit.body.ndim:
        return
    formula, place = graph.records[node].value, place_of(roles)
    y, right, pv = graph.value(roles.targets[0]), Replay(graph).adjoint(node), graph.value(p)
    if not np.shape(y) == np.shape(right) == np.shape(pv):
        return

    def with_targets(other: Array) -> Array:
        return graph.at(formula, dict.fromkeys(roles.targets, other))

    words: dict[str, Any] = {"P": roles.word(p), "Y": roles.word(roles.targets[-1])}
    axis = roles.class_axis
    if axis is not None and isinstance(p.body, Structured) and np.all((y == 0) | (y == 1)):
        for by, way in ((1, "one column further to the left"), (-1, "one column further to the right")):
            made = relative_to(roles, node, with_targets(np.roll(y, by, axis=axis)))
            yield Patch(12, place, words, adjoints={node: made}, note=f"the ones of {words['Y']} belong {way}")
        yield Patch(14, place, words, adjoints={node: relative_to(roles, node, right * y)})
    without = with_targets(np.zeros_like(y))
    if np.any(without):
        yield Patch(13, place, words, adjoints={node: relative_to(roles, node, without)})
    yield Patch(15, place, words, adjoints={node: lambda replay, a: a * pv * (1 - pv)})


def residuals(roles: Roles, head: Layer) -> Iterator[Patch]:
    """Row 35: predictions (N, 1) minus targets (N,)."""
    graph, node = roles.graph, head.unit.node
    z = np.asarray(graph.value(node))
    right = Replay(graph).adjoint(node)
    symbols = [s for s in graph.derivation.f.symbols.values() if s not in roles.variables and s in graph.values]
    words = {"Z": roles.word(node), "shape": z.shape}
    for s in symbols:
        y = np.asarray(graph.value(s))
        if y.dtype.kind != "f" or y.size != z.size or z.size != roles.samples or y.ndim > 2 or z.size < 2:
            continue
        gap = z.ravel() - y.ravel()
        k = float(np.sum(right.ravel() * gap) / np.sum(gap * gap)) if np.any(gap) else 0.0
        if not k or np.linalg.norm(right.ravel() - k * gap) > 1e-8 * np.linalg.norm(right):
            continue
        n = z.size
        sums = {"rows": n * z.ravel() - y.sum(), "columns": z.sum() - n * y.ravel()}
        for axis, total in sums.items():
            for share in (1.0 / n, 1.0):
                made = (k * share * total).reshape(z.shape)
                note = f"the residual is summed over the {axis} of an (N, N) array, N = {n}"
                yield Patch(35, place_of(roles), words, adjoints={node: relative_to(roles, node, made)}, note=note)


# ---- one sample


def one_sample(roles: Roles, gradients: dict[str, Array]) -> Iterator[Patch]:
    """Row 29: the first sample only, the last, or that whose contribution to a tensor is most nearly parallel to it."""
    head, axis, n = roles.head, roles.batch_axis, roles.samples
    if head is None or axis is None or n < 2:
        return
    replay, node = Replay(roles.graph), head.unit.node
    rows: dict[int, None] = {0: None, n - 1: None}
    for e in (*head.biases, *(w for w, _ in head.weights)):
        name = str(getattr(e.child, "name", ""))
        g, parts = gradients.get(name), by_sample(roles, e, axis)
        if g is None or parts is None or g.shape != parts.shape[1:]:
            continue
        for p in roles.penalties:
            if p.child is e.child:
                g = g - replay.contribution(p)
        if np.all(np.isfinite(g)) and np.any(g):
            rows[most_parallel(parts, g)] = None
    upstream = np.moveaxis(replay.adjoint(node), axis, 0)
    for i in (i for i in rows if np.any(upstream[i])):
        mask = np.zeros(n)
        mask[i] = 1.0
        shaped = mask.reshape([-1 if k == axis else 1 for k in range(upstream.ndim)])
        for k, share in ((1.0, ", with its 1/N"), (float(n), ", without 1/N")):
            if k == 1.0 or roles.averaged:
                note = f"sample {i} alone reproduces it{share if roles.averaged else ''}"
                yield Patch(29, "the loss", {"N": n}, adjoints={node: masked(k * shaped)}, note=note)


def by_sample(roles: Roles, edge: Edge, axis: int) -> Array | None:
    """What each sample contributes to a tensor, samples first; None where that is too large."""
    graph, t = roles.graph, edge.term
    label = t.out[axis]
    if label in t.labels or roles.samples * np.size(graph.value(edge.child)) > MOST_ENTRIES:
        return None
    node = contract([(edge.upstream, t.out, P1), *t.factors], (label, *t.labels), t.coefficient, t.dims)
    return graph.at(node, {edge.upstream: Replay(graph).adjoint(edge.source.node)})


def most_parallel(rows: Array, g: Array) -> int:
    """The row most nearly parallel to g."""
    flat, vector = rows.reshape(len(rows), -1), np.ravel(g)
    sizes = np.linalg.norm(flat, axis=1)
    with np.errstate(all="ignore"):
        cosines = np.abs(flat @ vector) / np.where(sizes > 0, sizes, np.inf)
    return int(np.argmax(np.nan_to_num(cosines)))


def masked(mask: Array) -> Adjoint:
    """The adjoint, entries multiplied."""
    return lambda replay, adjoint: mask * adjoint

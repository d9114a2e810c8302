"""Mistakes made on purpose at the loss and in the graph as a whole: rows 1 to 7, 12 to 15, 28, 29, 33 to 35."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from byhand.check.replay import Adjoint, Contribution, Edge, Patch, Replay
from byhand.check.roles import Layer, Roles, name_of
from byhand.expr.nodes import Expr, Symbol

Array = Any


def scaled(k: float) -> Contribution:
    """k times what the edge contributes."""
    return lambda replay, edge, upstream, before: k * before()


def times(k: float) -> Adjoint:
    """k times the adjoint."""
    return lambda replay, adjoint: k * adjoint


def context(roles: Roles) -> dict[str, Any]:
    """Words for the mends at the loss."""
    head = roles.head
    if head is None:
        return {"N": roles.samples}
    classes = roles.graph.value(head.unit.node).shape[-1] if head.unit.body.ndim > 1 else 1
    targets = [name_of(t) for t in roles.targets if name_of(t) != "..."]
    probabilities = roles.probabilities
    shape = roles.graph.value(head.unit.node).shape
    return {
        "N": roles.samples, "C": classes, "Z": head.unit.name, "Y": targets[-1] if targets else "Y",
        "P": probabilities.name if probabilities is not None else "P",
        "layer": roles.layer_word(head.unit), "shape": shape,
    }  # fmt: skip


# ---- at the loss


def loss(roles: Roles) -> Iterator[Patch]:
    """Rows 1 to 7, 12 to 15, 33, 35."""
    words, n = context(roles), roles.samples
    place = words.get("Z", "the loss")
    classes = float(words.get("C", 1))
    root = roles.graph.units[0].node
    for mistake, k in (
        (1, float(n)),
        (2, 1.0 / n),
        (3, 1.0 / classes),
        (4, 1 / np.log(2)),
        (5, 1 / np.log(10)),
        (7, -1.0),
    ):
        if k != 1.0 and roles.losses and (mistake != 7 or roles.targets or roles.probabilities):
            yield Patch(mistake, place, words, edges={e: scaled(k) for e in roles.losses})
            if roles.penalties and mistake != 7:
                yield Patch(
                    mistake, "the loss", words, adjoints={root: times(k)}, note="the regulariser's part included"
                )
    yield Patch(6, "the loss", words, adjoints={root: times(-1.0)})
    if roles.head is not None:
        yield from targets(roles, roles.head, words)
        yield from residuals(roles, roles.head, words)
    yield from cotangents(roles, words)


def relative_to(roles: Roles, node: Expr, made: Array) -> Adjoint:
    """Another adjoint in place of the right one; a factor that an earlier mistake put there stays."""
    right = Replay(roles.graph).adjoint(node)
    size = float(np.sum(right * right))

    def change(replay: Replay, adjoint: Array) -> Array:
        del replay
        k = float(np.sum(np.real(adjoint) * right)) / size if size else 1.0
        return k * made

    return change


def targets(roles: Roles, head: Layer, words: dict[str, Any]) -> Iterator[Patch]:
    """Rows 12 to 15."""
    graph, node, p = roles.graph, head.unit.node, roles.probabilities
    if not roles.targets or head.unit.body.ndim == 0 or p is None:
        return
    formula = graph.unit[node].value
    y, right, pv = graph.value(roles.targets[0]), Replay(graph).adjoint(node), graph.value(p)

    def with_targets(other: Array) -> Array:
        return graph.at(formula, dict.fromkeys(roles.targets, other))

    if np.all((y == 0) | (y == 1)) and np.shape(y) == np.shape(right) and y.ndim > 1:
        for by, way in ((1, "to the left"), (-1, "to the right")):
            yield Patch(
                12,
                words["Z"],
                {**words, "way": way},
                adjoints={node: relative_to(roles, node, with_targets(np.roll(y, by, axis=-1)))},
            )
        yield Patch(14, words["Z"], words, adjoints={node: relative_to(roles, node, right * y)})
    if np.shape(y) == np.shape(right):
        yield Patch(13, words["Z"], words, adjoints={node: relative_to(roles, node, with_targets(np.zeros_like(y)))})
    if np.shape(pv) == np.shape(right):
        yield Patch(15, words["Z"], words, adjoints={node: lambda replay, a: a * pv * (1 - pv)})


def residuals(roles: Roles, head: Layer, words: dict[str, Any]) -> Iterator[Patch]:
    """Row 35: predictions (N, 1) minus targets (N,)."""
    graph, node = roles.graph, head.unit.node
    z = np.asarray(graph.value(node))
    right = Replay(graph).adjoint(node)
    symbols = [s for s in graph.derivation.f.symbols.values() if s not in roles.variables and s in graph.values]
    for s in symbols:
        y = np.asarray(graph.value(s))
        if y.dtype.kind != "f" or y.size != z.size or z.size != roles.samples or y.ndim > 2:
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
                yield Patch(35, words["Z"], words, adjoints={node: relative_to(roles, node, made)}, note=note)


def cotangents(roles: Roles, words: dict[str, Any]) -> Iterator[Patch]:
    """Row 33: the loss is the inner product of an output and an upstream gradient."""
    for e in roles.losses:
        arrays = roles.arrays(e)
        if (
            len(arrays) == 1
            and isinstance(arrays[0], Symbol)
            and arrays[0] not in roles.variables
            and arrays[0].shape == e.child.shape
        ):
            upstream = arrays[0]
            ones = np.ones_like(roles.graph.value(upstream))

            def ignored(
                replay: Replay, edge: Edge, adjoint: Array, before: Any, factor: Expr = upstream, ones: Array = ones
            ) -> Array:
                return replay.graph.pass_on(edge, adjoint, {factor: ones})

            yield Patch(
                33, name_of(e.child), words, edges={e: ignored}, note=f"{upstream.name} taken as ones reproduces it"
            )


# ---- the whole graph


def masked(mask: Array) -> Adjoint:
    """The adjoint, entries multiplied."""
    return lambda replay, adjoint: mask * adjoint


def whole(roles: Roles, gradients: dict[str, Array]) -> Iterator[Patch]:
    """Row 29: one sample only."""
    head, axis = roles.head, roles.batch_axis
    if head is None or axis is None or roles.samples < 2:
        return
    node, words = head.unit.node, context(roles)
    right = np.moveaxis(Replay(roles.graph).adjoint(node), axis, 0)
    rows: dict[int, None] = {0: None, roles.samples - 1: None}
    for e in head.biases:
        g = gradients.get(name_of(e.child))
        if g is not None and g.size == right[0].size and np.any(g):
            rows[nearest_row(right, g)] = None
    for e, factor in head.weights:
        g, h = gradients.get(name_of(e.child)), np.asarray(roles.graph.value(factor))
        if g is not None and g.ndim == 2 and h.ndim == 2 and np.all(np.isfinite(g)) and g.size < 10**6:
            for p in roles.penalties:
                if p.child is e.child and g.shape == np.shape(roles.graph.value(e.child)):
                    g = g - Replay(roles.graph).contribution(p)
            left, s, _ = np.linalg.svd(g, full_matrices=False)
            if len(s) == 1 or s[1] < 1e-8 * s[0]:
                rows[nearest_row(h if h.shape[0] == roles.samples else h.T, left[:, 0])] = None
    for i in rows:
        mask = np.zeros(roles.samples)
        mask[i] = 1.0
        shaped = mask.reshape([-1 if k == axis else 1 for k in range(right.ndim)])
        for k, words_k in ((1.0, ", with its 1/N"), (float(roles.samples), ", without 1/N")):
            note = f"rank 1: sample {i} alone reproduces it{words_k}"
            yield Patch(29, "the loss", words, adjoints={node: masked(k * shaped)}, note=note)


def nearest_row(rows: Array, g: Array) -> int:
    """The row most nearly parallel to g."""
    flat, vector = rows.reshape(len(rows), -1), np.ravel(g)
    sizes = np.linalg.norm(flat, axis=1)
    with np.errstate(all="ignore"):
        cosines = np.abs(flat @ vector) / np.where(sizes > 0, sizes, np.inf)
    return int(np.argmax(np.nan_to_num(cosines)))


def cuts(roles: Roles) -> Iterator[Patch]:
    """Rows 28 and 34: nothing flows below a unit; statistics as constants."""
    statistics = roles.statistics
    if statistics:
        names = ", ".join(map(name_of, statistics))
        yield Patch(
            34,
            names,
            {},
            adjoints=dict.fromkeys(statistics, times(0.0)),
            note=f"{names} taken as constants reproduces it",
        )
        for s in statistics if len(statistics) > 1 else []:
            yield Patch(
                34, name_of(s), {}, adjoints={s: times(0.0)}, note=f"{name_of(s)} taken as constant reproduces it"
            )
    for u in roles.graph.units[1:]:
        if u.body.ndim and u.node not in statistics:
            yield Patch(
                28, u.name, {"A": u.name}, adjoints={u.node: times(0.0)}, note=f"nothing flows through {u.name}"
            )

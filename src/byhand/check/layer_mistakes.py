"""Mistakes made on purpose in one layer: rows 8 to 11, 16 to 27, 30."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from byhand.check.loss_mistakes import nearest_row, scaled
from byhand.check.replay import Adjoint, Contribution, Edge, Patch, Replay
from byhand.check.roles import Layer, Roles, name_of
from byhand.expr.contraction import elementwise
from byhand.expr.nodes import Elementwise, Expr, Symbol, symbol
from byhand.rules.differentials import slope

Array = Any


def words_of(roles: Roles, layer: Layer) -> dict[str, Any]:
    words = {"Z": layer.unit.name, "N": roles.samples, "layer": roles.layer_word(layer.unit)}
    if layer.weights:
        e, factor = layer.weights[0]
        words |= {"H": name_of(factor), "W": name_of(e.child)}
    return words


def biases(roles: Roles, layer: Layer, gradients: dict[str, Array]) -> Iterator[Patch]:
    """Rows 25 to 27."""
    for e in layer.biases:
        axes = [k for k, label in enumerate(e.term.out) if label not in e.term.labels]
        words, place = words_of(roles, layer), roles.layer_word(layer.unit)
        if len(axes) == 1:
            axis = axes[0]
            upstream = np.moveaxis(Replay(roles.graph).adjoint(layer.unit.node), axis, 0)
            g = gradients.get(name_of(e.child))
            rows = {0: None, len(upstream) - 1: None}
            if g is not None and g.size == upstream[0].size:
                rows |= {nearest_row(upstream, g): None}
            for i in rows if len(upstream) > 1 else {}:

                def one_row(replay: Replay, edge: Edge, up: Array, before: Any, i: int = i, axis: int = axis) -> Array:
                    only = np.zeros_like(up)
                    place: list[Any] = [slice(None)] * up.ndim
                    place[axis] = i
                    only[tuple(place)] = up[tuple(place)]
                    return replay.graph.pass_on(edge, only)

                yield Patch(25, place, words, edges={e: one_row}, note=f"it is row {i} of d{layer.unit.name}")
            if len(upstream) > 1:
                yield Patch(26, place, words, edges={e: scaled(1.0 / len(upstream))})
        yield Patch(27, place, words, edges={e: scaled(0.0)})


def weights(roles: Roles, layer: Layer, gradients: dict[str, Array]) -> Iterator[Patch]:
    """Rows 16 to 18."""
    place, graph = roles.layer_word(layer.unit), roles.graph
    for e, factor in layer.weights:
        words = {**words_of(roles, layer), "H": name_of(factor), "W": name_of(e.child)}
        shape = np.shape(graph.value(factor))
        unit = graph.unit.get(factor)
        before = unit.body.arg if unit is not None and isinstance(unit.body, Elementwise) else None
        others = [s for s in graph.values if s not in roles.variables]
        for node in (*(u.node for u in graph.units), *others):
            value = graph.value(node)
            if node is factor or np.shape(value) != shape or np.asarray(value).dtype.kind != "f":
                continue

            def fed(
                replay: Replay, edge: Edge, up: Array, _: Any, factor: Expr = factor, value: Array = value
            ) -> Array:
                return replay.graph.pass_on(edge, up, {factor: value})

            yield Patch(
                16 if node is before else 17,
                place,
                {**words, "L": name_of(node)},
                edges={e: fed},
                note=f"{name_of(node)}.T @ d{layer.unit.name} reproduces it",
            )
        if e.child.ndim == 2:
            rows, columns = np.shape(graph.value(e.child))
            regularised = any(p.child is e.child for p in roles.penalties)
            if rows == columns and regularised:
                yield Patch(
                    18,
                    place,
                    words,
                    edges={e: lambda replay, edge, up, before: before().T},
                    note="the regulariser's part is not transposed",
                )
            yield Patch(18, place, words, results={name_of(e.child): lambda replay, g: np.swapaxes(g, 0, 1)})


def plus(extra: Array) -> Adjoint:
    """Something more than the adjoint."""
    return lambda replay, adjoint: adjoint + extra


def penalties(roles: Roles, layer: Layer | None) -> Iterator[Patch]:
    """Rows 8 to 11, of one layer or of all."""
    edges = [e for e in roles.penalties if layer is None or any(w.child is e.child for w, _ in layer.weights)]
    place = "all layers" if layer is None else roles.layer_word(layer.unit)
    words: dict[str, Any] = {"N": roles.samples}
    if edges:
        e = edges[0]
        factor = _coefficient(roles, e)
        words["penalty"] = f"{factor:.6g} * {name_of(e.child)}"
        for mistake, k, what in (
            (8, 0.0, ""),
            (9, 2.0, ", doubled"),
            (9, 0.5, ", halved"),
            (10, 1.0 / roles.samples, ""),
        ):
            if k != 1.0:
                note = f"minus the right one it is {factor * (k - 1):.6g} × {name_of(e.child)}{what}"
                yield Patch(mistake, place, words, edges={x: scaled(k) for x in edges}, note=note)
    all_factors = [_coefficient(roles, e) for e in roles.penalties]
    layers = roles.layers if layer is None else [layer]
    unregularised = [b for x in layers for b in x.biases if all(p.child is not b.child for p in roles.penalties)]
    if all_factors and unregularised:
        factor = all_factors[0]
        changes: dict[str, Adjoint] = {}
        for b in unregularised:
            changes[name_of(b.child)] = plus(factor * roles.graph.value(b.child))
        yield Patch(11, place, words, results=changes, note=f"minus the right one it is {factor:.6g} × the bias")


def _coefficient(roles: Roles, e: Edge) -> float:
    v = roles.graph.value(e.child)
    made = Replay(roles.graph).contribution(e)
    return float(np.sum(made * v) / np.sum(v * v)) if np.any(v) else 0.0


def downs(roles: Roles, layer: Layer) -> Iterator[Patch]:
    """Row 19; row 30 has a parameter and is fitted by `diagnose`."""
    for e, w in layer.downs:
        if w.ndim == 2 and np.shape(roles.graph.value(w))[0] == np.shape(roles.graph.value(w))[1]:

            def turned(replay: Replay, edge: Edge, up: Array, _: Any, w: Expr = w) -> Array:
                return replay.graph.pass_on(edge, up, {w: replay.graph.value(w).T})

            words = {**words_of(roles, layer), "H": name_of(e.child), "W": name_of(w)}
            yield Patch(
                19,
                roles.layer_word(layer.unit),
                words,
                edges={e: turned},
                note=f"d{layer.unit.name} @ {name_of(w)} reproduces what is below",
            )


def updated(roles: Roles, rate: complex, only: Layer | None = None) -> Patch:
    """Row 30: each layer's weights are updated with this learning rate before the gradient passes through them."""

    def through(w: Symbol) -> Contribution:
        def change(replay: Replay, edge: Edge, up: Array, before: Callable[[], Array]) -> Array:
            return replay.graph.pass_on(edge, up, {w: replay.graph.value(w) - rate * replay.gradient(w.name)})

        return change

    edges: dict[Edge, Contribution] = {}
    layers = roles.layers if only is None else [only]
    for layer in layers:
        for e, w in layer.downs:
            if isinstance(w, Symbol) and w.name in roles.graph.variables:
                edges[e] = through(w)
    first = next((layer for layer in layers if layer.downs), None)
    place = roles.layer_word(first.unit) if first is not None else ""
    return Patch(
        30,
        place,
        words_of(roles, first) if first is not None else {},
        edges=edges,
        note=f"learning rate {np.real(rate):.6g}",
    )


def activations(roles: Roles) -> Iterator[Patch]:
    """Rows 20 to 24."""
    graph = roles.graph
    for u, edges in roles.activations:
        body = u.body
        assert isinstance(body, Elementwise)
        words = {"f": body.function, "H": u.name, "A": name_of(body.arg)}
        z, y = symbol(f"argument of {u.name}", body.shape), symbol(f"value of {u.name}", body.shape)
        derivative = slope(body.function, z, y)

        def taken(zv: Array, yv: Array, derivative: Expr = derivative, z: Symbol = z, y: Symbol = y) -> Array:
            return graph.at(derivative, {z: zv, y: yv})

        zv, yv = graph.value(body.arg), graph.value(u.node)
        others = [
            (v, graph.value(v.body.arg), graph.value(v.node))
            for v, _ in roles.activations
            if v is not u and isinstance(v.body, Elementwise)
        ]
        with np.errstate(all="ignore"):
            at_a = graph.at(elementwise(body.function, z), {z: yv})
            rows: list[tuple[int, Array, str, dict[str, Any]]] = [
                (20, np.ones_like(zv), f"a derivative of ones in place of {body.function}'", {}),
                (21, taken(yv, at_a), f"{body.function}'({u.name}) reproduces it", {}),
                (22, taken(zv, zv), f"the formula fed with {words['A']} reproduces it", {}),
            ]
            for v, vz, vy in others:
                if isinstance(v.body, Elementwise) and np.shape(vz) == np.shape(zv):
                    other = name_of(v.body.arg)
                    rows.append((23, taken(vz, vy), f"{body.function}'({other}) reproduces it", {"L": other}))
        for mistake, d, note, more in rows:
            yield replace(_times_upstream(mistake, u.name, {**words, **more}, edges, d), note=note)
        if body.function == "relu":
            first, *rest = edges
            masked: dict[Edge, Contribution] = {first: lambda replay, edge, up, before: up * (np.real(up) > 0)}
            masked |= {e: scaled(0.0) for e in rest}
            yield Patch(24, u.name, words, edges=masked, note=f"d{u.name} * (d{u.name} > 0) reproduces it")


def _times_upstream(mistake: int, place: str, words: dict[str, Any], edges: list[Edge], derivative: Array) -> Patch:
    first, *rest = edges
    made: dict[Edge, Contribution] = {first: lambda replay, edge, up, before: up * derivative}
    return Patch(mistake, place, words, edges=made | {e: scaled(0.0) for e in rest})

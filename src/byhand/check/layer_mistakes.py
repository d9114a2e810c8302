"""Mistakes made on purpose in one layer: rows 8 to 11, 16 to 27, 30."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from byhand.check.loss_mistakes import most_parallel, scaled
from byhand.check.replay import Adjoint, Contribution, Edge, Patch, Replay
from byhand.check.roles import Layer, Roles
from byhand.derive.record import Unit
from byhand.expr.contraction import elementwise
from byhand.expr.nodes import Elementwise, Expr, Symbol, symbol
from byhand.rules.differentials import slope

Array = Any


def biases(roles: Roles, layer: Layer, gradients: dict[str, Array]) -> Iterator[Patch]:
    """Rows 25 to 27."""
    place, z = roles.layer_word(layer.unit), roles.word(layer.unit.node)
    for e in layer.biases:
        axes = [k for k, label in enumerate(e.term.out) if label not in e.term.labels]
        if len(axes) == 1:
            axis = axes[0]
            upstream = np.moveaxis(Replay(roles.graph).adjoint(layer.unit.node), axis, 0)
            g = gradients.get(str(getattr(e.child, "name", "")))
            rows = {0: None, len(upstream) - 1: None}
            if g is not None and g.size == upstream[0].size:
                rows |= {most_parallel(upstream, g): None}
            for i in (i for i in rows if len(upstream) > 1 and np.any(upstream[i])):

                def one_row(replay: Replay, edge: Edge, up: Array, before: Any, i: int = i, axis: int = axis) -> Array:
                    only = np.zeros_like(up)
                    place: list[Any] = [slice(None)] * up.ndim
                    place[axis] = i
                    only[tuple(place)] = up[tuple(place)]
                    return replay.graph.pass_on(edge, only)

                row = "row" if axis == 0 else "column"
                yield Patch(25, place, {"row": row}, edges={e: one_row}, note=f"it is {row} {i} of d{z}")
            if len(upstream) > 1:
                yield Patch(26, place, edges={e: scaled(1.0 / len(upstream))})
        yield Patch(27, place, edges={e: scaled(0.0)})


def weights(roles: Roles, layer: Layer) -> Iterator[Patch]:
    """Rows 16 to 18."""
    place, graph = roles.layer_word(layer.unit), roles.graph
    for e, factor in layer.weights:
        shape = np.shape(graph.value(factor))
        unit = graph.records.get(factor)
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

            words = {"H": roles.word(factor), "L": roles.word(node)}
            note = f"{words['L']} in place of {words['H']} reproduces it"
            yield Patch(16 if node is before else 17, place, words, edges={e: fed}, note=note)
        if e.child.ndim == 2:
            rows, columns = np.shape(graph.value(e.child))
            if rows == columns and any(p.child is e.child for p in roles.penalties):
                turned: Contribution = lambda replay, edge, up, before: before().T  # noqa: E731
                yield Patch(18, place, edges={e: turned}, note="the regulariser's part is not transposed")
            yield Patch(18, place, results={str(getattr(e.child, "name", "")): lambda replay, g: np.swapaxes(g, 0, 1)})


def plus(extra: Array) -> Adjoint:
    """Something more than the adjoint."""
    return lambda replay, adjoint: adjoint + extra


def penalties(roles: Roles, layer: Layer | None) -> Iterator[Patch]:
    """Rows 8 to 11, of one layer or of all."""
    edges = [e for e in roles.penalties if layer is None or any(w.child is e.child for w, _ in layer.weights)]
    place = "all layers" if layer is None else roles.layer_word(layer.unit)
    if edges:
        e = edges[0]
        factor, name = _coefficient(roles, e), roles.word(e.child)
        for mistake, k, what in (
            (8, 0.0, ""),
            (9, 2.0, ", doubled"),
            (9, 0.5, ", halved"),
            (10, 1.0 / roles.samples, ""),
        ):
            if k != 1.0:
                note = f"minus the right one it is {factor * (k - 1):.6g} × {name}{what}"
                yield Patch(mistake, place, {"N": roles.samples}, edges={x: scaled(k) for x in edges}, note=note)
    all_factors = [_coefficient(roles, e) for e in roles.penalties]
    layers = roles.layers if layer is None else [layer]
    unregularised = [b for x in layers for b in x.biases if all(p.child is not b.child for p in roles.penalties)]
    if all_factors and unregularised:
        factor = all_factors[0]
        changes: dict[str, Adjoint] = {}
        for b in unregularised:
            changes[str(getattr(b.child, "name", ""))] = plus(factor * roles.graph.value(b.child))
        yield Patch(11, place, results=changes, note=f"minus the right one it is {factor:.6g} × the bias")


def _coefficient(roles: Roles, e: Edge) -> float:
    v = roles.graph.value(e.child)
    made = Replay(roles.graph).contribution(e)
    return float(np.sum(made * v) / np.sum(v * v)) if np.any(v) else 0.0


def downs(roles: Roles, layer: Layer) -> Iterator[Patch]:
    """Row 19; row 30 has a parameter and is fitted by the search."""
    for e, w in layer.downs:
        if w.ndim == 2 and np.shape(roles.graph.value(w))[0] == np.shape(roles.graph.value(w))[1]:

            def turned(replay: Replay, edge: Edge, up: Array, _: Any, w: Expr = w) -> Array:
                return replay.graph.pass_on(edge, up, {w: replay.graph.value(w).T})

            words = {"W": roles.word(w)}
            note = f"{words['W']}, transposed the other way, reproduces what is below"
            yield Patch(19, roles.layer_word(layer.unit), words, edges={e: turned}, note=note)


def updated(roles: Roles, rate: complex, only: Layer | None = None) -> Patch | None:
    """Row 30: each layer's weights are updated with this learning rate before the gradient passes through them.

    Returns: None where no weight can be: its gradient rests on what passes through it (a recurrent network).
    """

    def through(w: Symbol) -> Contribution:
        def change(replay: Replay, edge: Edge, up: Array, before: Callable[[], Array]) -> Array:
            return replay.graph.pass_on(edge, up, {w: replay.graph.value(w) - rate * replay.gradient(w.name)})

        return change

    edges: dict[Edge, Contribution] = {}
    layers = [layer for layer in roles.layers if only is None or layer is only]
    for layer in layers:
        for e, w in layer.downs:
            if isinstance(w, Symbol) and w.name in roles.graph.variables and w not in roles.graph.below(e.child):
                edges[e] = through(w)
    if not edges:
        return None
    first = next(layer for layer in layers if any(e in edges for e, _ in layer.downs))
    place = roles.layer_word(first.unit)
    return Patch(30, place, edges=edges, note=f"learning rate {np.real(rate):.6g}")


def activations(roles: Roles) -> Iterator[Patch]:
    """Rows 20 to 24."""
    graph = roles.graph
    for u, edges in roles.activations:
        body = u.body
        assert isinstance(body, Elementwise)
        words = {"f": body.function, "H": roles.word(u.node), "A": roles.word(body.arg)}
        z, y = symbol(f"argument of {u.name}", body.shape), symbol(f"value of {u.name}", body.shape)
        derivative = slope(body.function, z, y)

        def taken(zv: Array, yv: Array, derivative: Expr = derivative, z: Symbol = z, y: Symbol = y) -> Array:
            return graph.at(derivative, {z: zv, y: yv})

        zv, yv = graph.value(body.arg), graph.value(u.node)
        with np.errstate(all="ignore"):
            at_a = graph.at(elementwise(body.function, z), {z: yv})
            rows: list[tuple[int, Array, str, dict[str, Any]]] = [
                (20, np.ones_like(zv), f"a derivative of ones in place of {body.function}'", {}),
                (21, taken(yv, at_a), f"{body.function}'({words['H']}) reproduces it", {}),
                (22, taken(zv, zv), f"the formula fed with {words['A']} reproduces it", {}),
            ]
            for other, vz, vy in elsewhere(roles, u):
                if np.shape(vz) == np.shape(zv):
                    rows.append((23, taken(vz, vy), f"{body.function}'({other}) reproduces it", {"L": other}))
        for mistake, d, note, more in rows:
            yield replace(instead(mistake, u.name, edges, d), words={**words, **more}, note=note)
        if body.function == "relu":
            first, *rest = edges
            masks: dict[Edge, Contribution] = {first: lambda replay, edge, up, before: up * (np.real(up) > 0)}
            masks |= {e: scaled(0.0) for e in rest}
            note = f"d{words['H']} ⊙ 1[d{words['H']} > 0] reproduces it"
            yield Patch(24, u.name, words, edges=masks, note=note)


def elsewhere(roles: Roles, u: Unit) -> Iterator[tuple[str, Array, Array]]:
    """The other units that are a function of another: what the argument is called, its value, that of the function."""
    for v, _ in roles.activations:
        if v is not u and isinstance(v.body, Elementwise):
            yield roles.word(v.body.arg), roles.graph.value(v.body.arg), roles.graph.value(v.node)


def instead(mistake: int, place: str, edges: list[Edge], derivative: Array) -> Patch:
    """The upstream gradient times an array of its shape, in place of all that the edges of a unit contribute."""
    first, *rest = edges
    made: dict[Edge, Contribution] = {first: lambda replay, edge, up, before: up * derivative}
    return Patch(mistake, place, edges=made | {e: scaled(0.0) for e in rest})

"""Which mistake explains a wrong gradient: candidates are replayed through the derivation until one reproduces it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.check.blackbox import black_box
from byhand.check.findings import Diagnosis
from byhand.check.loss_mistakes import context
from byhand.check.mistakes import MISTAKES
from byhand.check.numeric import norm
from byhand.check.replay import Graph, Replay
from byhand.check.roles import Roles
from byhand.check.search import SAME, Search
from byhand.check.verdict import Judge
from byhand.check.words import named, unknown
from byhand.derive.derivation import derive

if TYPE_CHECKING:
    from byhand.check.gradient import _Job

Array = Any


def graph_of(job: _Job, values: Mapping[str, Array] | None = None) -> Graph:
    """The derivation of the job's loss as numbers."""
    assert job.expression is not None
    source = job.expression
    symbols = source.symbols
    usable = [n for n in (*job.names, *_parameters(job)) if not symbols[n].assumptions & {"labels", "constant"}]
    if job.derivation is None:
        job.derivation = derive(source, list(dict.fromkeys(usable)))
    return Graph(job.derivation, job.subject.arrays if values is None else values)


def _parameters(job: _Job) -> list[str]:
    """Inputs that are differentiated, as far as the user's gradient names them."""
    assert job.expression is not None
    return [n for n in job.expression.symbols if n in job.found]


def trusted_gradients(job: _Job) -> dict[str, Array] | None:
    """The right gradients, where the loss is an expression."""
    if job.expression is None:
        return None
    with np.errstate(all="ignore"):
        replay = Replay(graph_of(job))
        return {n: replay.gradient(n) for n in job.names}


def rounding_floors(job: _Job) -> dict[str, float]:
    """How many units in the last place of its size a gradient may be off by: sums of absolute values, sensitivity."""
    if job.expression is None:
        return {}
    with np.errstate(all="ignore"):
        graph = graph_of(job)
        right, total = Replay(graph), _absolute(graph)
        eps = float(np.finfo(np.float32).eps)
        rng = np.random.default_rng(36)
        shaken = {
            n: v * (1 + eps * rng.uniform(-1, 1, v.shape)) if v.dtype.kind == "f" else v
            for n, v in job.subject.arrays.items()
        }
        moved = Replay(graph_of(job, shaken))
        floors = {}
        for n, v in graph.variables.items():
            size = norm(right.gradient(n))
            change = norm(moved.gradient(n) - right.gradient(n)) / eps
            floors[n] = (norm(total.get(v, np.zeros(()))) + change) / size if size else float("inf")
    return floors


def magnitudes(job: _Job) -> dict[str, Array]:
    """Tensor -> the sum of the absolute values of the terms of each entry."""
    with np.errstate(all="ignore"):
        graph = graph_of(job)
        total = _absolute(graph)
    return {n: total.get(v, np.zeros(np.shape(job.subject.arrays[n]))) for n, v in graph.variables.items()}


def _absolute(graph: Graph) -> dict[Any, Array]:
    """The backward pass with the absolute value of every factor: what rounding errors are proportional to."""
    total: dict[Any, Array] = {graph.units[0].node: np.float64(1.0)}
    for e in graph.edges:
        upstream = total.get(e.source.node, np.zeros(graph.value(e.source.node).shape))
        known = {c: np.abs(graph.value(c)) for c in e.node.children if c is not e.upstream}
        part = np.abs(graph.pass_on(e, upstream, known))
        total[e.child] = total[e.child] + part if e.child in total else part
    return total


def diagnose(job: _Job, wrong: list[str], judge: Judge) -> tuple[Diagnosis, ...]:
    """What explains the wrong tensors."""
    infinite = [n for n in job.names if not np.all(np.isfinite(job.found[n].astype(complex)))]
    if job.expression is None:
        return overflow(job, infinite) if infinite else black_box(job, wrong, judge)
    with np.errstate(all="ignore"):
        graph = graph_of(job)
        if infinite:
            return overflow(job, [n for n in graph.backward_order() if n in infinite], graph)
        return explained(job, graph, judge)


def overflow(job: _Job, names: list[str], graph: Graph | None = None) -> tuple[Diagnosis, ...]:
    """Mistake 36."""
    n = names[0]
    g = job.found[n]
    what = "nan" if np.any(np.isnan(g)) else "inf"
    evidence = f"{int(np.sum(~np.isfinite(g)))} of {g.size} entries of d{n} are {what}; the loss is finite"
    if graph is not None:
        p = Roles(graph).probabilities
        if p is not None:
            evidence += f"; the smallest entry of {p.name} is {float(np.min(graph.value(p))):.2g}"
    return (MISTAKES[36].diagnosis(n, evidence, "the loss", {}),)


def explained(job: _Job, graph: Graph, judge: Judge) -> tuple[Diagnosis, ...]:
    """The mistakes found, the first in backward order first."""
    right = Replay(graph)
    roles = Roles(graph)
    order = [n for n in graph.backward_order() if n in job.names]
    form = {n: d for n in order if (d := of_form(job.found[n], n, right.gradient(n), roles)) is not None}
    broadcast = tuple(d for d in form.values() if d.mistake == 35)
    if broadcast:
        return broadcast[:1]
    # of a tensor of a wrong form the numbers cannot be told apart from what its form did to them
    given = {
        n: right.gradient(n) if n in form else np.asarray(judge.gradients.get(n, job.found[n]), dtype=float)
        for n in order
    }
    search = Search(graph, given, judge.floors, (lambda: elsewhere(job, graph)) if job.subject.repeatable else None)
    first = search.wrong(search.base)
    if not first:
        below = "the difference is below what the diagnosis can resolve"
        return tuple(form.values()) or (unknown(search, search.base, order[:1], below),)
    found, rest, others = search.explain(search.base, first)
    diagnoses = [
        named(search, p, k, found, others if len(found) == 1 and not rest else ()) for k, p in enumerate(found)
    ]
    if rest:
        replay = search.base
        for p in found:
            replay = replay.with_patch(p)
        diagnoses.append(unknown(search, replay, rest, ""))
    return (*form.values(), *diagnoses)


def of_form(g: Array, name: str, right: Array, roles: Roles) -> Diagnosis | None:
    """What the type or the shape of a tensor alone tells."""
    if g.dtype.kind != "f":
        return Diagnosis(
            None,
            name,
            f"its type is {g.dtype}",
            f"d{name}: return floating numbers",
            "the type is wrong: numbers are cut off",
        )
    if g.shape == right.shape:
        return None
    shapes = f"its shape is {g.shape}, {name} has {right.shape}"
    if g.size == right.size and norm(g.reshape(right.shape) - right) <= SAME * norm(right):
        return Diagnosis(
            None, name, f"{shapes}; the numbers are right", f"d{name}.reshape{right.shape}", "the shape is wrong"
        )
    n = roles.samples
    if (
        n > 1
        and g.ndim == right.ndim
        and all(a == b or (a, b) == (n, 1) for a, b in zip(g.shape, right.shape, strict=True))
    ):
        return MISTAKES[35].diagnosis(name, f"{shapes}: {n} = N stands where 1 belongs", "", context(roles))
    return None


def elsewhere(job: _Job, graph: Graph) -> tuple[Graph, dict[str, Array]]:
    """Parameters moved a little, one sample less: ratios that coincide at the given point (N = C) then differ."""
    rng = np.random.default_rng(37)
    symbols = graph.derivation.f.symbols
    names = {d for n in graph.variables for d in symbols[n].shape}
    batch = {s.shape[0] for n, s in symbols.items() if n not in graph.variables and s.shape} - names
    moved = {}
    for n, v in job.subject.arrays.items():
        shape = symbols[n].shape
        if n in graph.variables:
            moved[n] = v * (1 + 0.1 * rng.uniform(-1, 1, v.shape))
        else:
            moved[n] = v[:-1] if shape and shape[0] in batch and not isinstance(shape[0], int) else v
    return graph_of(job, moved), job.again(moved)

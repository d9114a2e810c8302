"""Which mistake explains a wrong gradient: candidates are replayed through the derivation until one reproduces it."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from byhand.check.gradient import _Job

Array = Any


def single_entry(name: str, note: str) -> Diagnosis:
    """A tensor that is right by its norm: no mistake of the catalogue is as small as that."""
    what = "single entries are wrong: an index, a slice, a special case?"
    return Diagnosis(None, name, f"d{name} is {note}", "", what)


def diagnose(job: _Job, notes: dict[str, str], judge: Judge) -> tuple[Diagnosis, ...]:
    """What explains the wrong tensors.

    Args:
        job: the check.
        notes: wrong tensor -> the note of its verdict.
        judge: who gave the verdicts.
    """
    infinite = [n for n in job.names if not np.all(np.isfinite(job.found[n].astype(complex)))]
    if job.trusted is None:
        return overflow(job, infinite) if infinite else box(job, notes, judge)
    with np.errstate(all="ignore"):
        graph = job.trusted.graph
        if infinite:
            return overflow(job, [n for n in graph.backward_order() if n in infinite], graph)
        return explained(job, graph, judge, notes)


def box(job: _Job, notes: dict[str, str], judge: Judge) -> tuple[Diagnosis, ...]:
    """What can be told without knowing the loss."""
    types = [d for n in notes if (d := of_type(job.found[n], n)) is not None]
    small = [n for n, note in notes.items() if note.startswith("right by its norm")]
    large = [n for n in notes if n not in small and job.found[n].dtype.kind == "f"]
    found = black_box(job, large, judge) if large else ()
    return (*types, *found, *(single_entry(n, notes[n]) for n in small))


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


def explained(job: _Job, graph: Graph, judge: Judge, notes: dict[str, str]) -> tuple[Diagnosis, ...]:
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
        small = tuple(single_entry(n, notes[n]) for n in order if notes.get(n))
        below = "the difference is below what the diagnosis can resolve"
        return tuple(form.values()) or small or (unknown(search, search.base, order[:1], below),)
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


def of_type(g: Array, name: str) -> Diagnosis | None:
    """What the type of a tensor alone tells."""
    if g.dtype.kind == "f":
        return None
    what, mend = "numbers are cut off", f"d{name}: return floating numbers"
    if g.dtype.kind == "c":
        what, mend = "a gradient is real", f"d{name}.real, if the imaginary part is zero"
    return Diagnosis(None, name, f"its type is {g.dtype}", mend, f"the type is wrong: {what}")


def of_form(g: Array, name: str, right: Array, roles: Roles) -> Diagnosis | None:
    """What the type or the shape of a tensor alone tells."""
    if g.dtype.kind != "f":
        return of_type(g, name)
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
    assert job.trusted is not None
    return job.trusted.at(moved).graph, job.again(moved)

"""Which mistake explains a wrong gradient: candidates are replayed through the derivation until one reproduces it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.check.blackbox import black_box
from byhand.check.findings import Diagnosis
from byhand.check.loss_mistakes import place_of
from byhand.check.mends import Mends, mended
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
    return Diagnosis(None, name, f"d{name} is {note}", name=what)


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
    if graph is None:
        return (MISTAKES[36].diagnosis(n, evidence, "the loss"),)
    roles = Roles(graph)
    p = roles.probabilities
    if p is not None:
        evidence += f"; the smallest entry of {roles.word(p)} is {float(np.min(graph.value(p))):.2g}"
    d = MISTAKES[36].diagnosis(n, evidence, "the loss")
    return (mended(roles, d, Mends(roles).at_the_loss()),)


def explained(job: _Job, graph: Graph, judge: Judge, notes: dict[str, str]) -> tuple[Diagnosis, ...]:
    """The mistakes found, the first in backward order first."""
    right = Replay(graph)
    roles = Roles(graph)
    mends = Mends(roles)
    order = [n for n in graph.backward_order() if n in job.names]
    form = {n: d for n in order if (d := of_form(job.found[n], n, right.gradient(n), mends)) is not None}
    broadcast = tuple(d for d in form.values() if d.mistake == 35)
    if broadcast:
        return broadcast[:1]
    # of a tensor of a wrong form the numbers cannot be told apart from what its form did to them; one that is not wrong
    # may differ by rounding
    given = {
        n: np.asarray(judge.gradients.get(n, job.found[n]), dtype=float)
        if n in notes and n not in form
        else right.gradient(n)
        for n in order
    }
    search = Search(graph, given, judge.floors, (lambda: elsewhere(job, graph)) if job.subject.repeatable else None)
    first = search.wrong(search.base)
    if not first:
        small = tuple(single_entry(n, notes[n]) for n in order if notes.get(n))
        below = "the difference is below what the diagnosis can resolve"
        return tuple(form.values()) or small or (unknown(search, mends, search.base, order[:1], below),)
    found, rest, others = search.explain(search.base, first)
    diagnoses = [
        named(search, mends, k, found, others if len(found) == 1 and not rest else ()) for k in range(len(found))
    ]
    if rest:
        replay = search.base
        for p in found:
            replay = replay.with_patch(p)
        diagnoses.append(unknown(search, mends, replay, rest, ""))
    return (*form.values(), *diagnoses)


def of_type(g: Array, name: str) -> Diagnosis | None:
    """What the type of a tensor alone tells."""
    if g.dtype.kind == "f":
        return None
    what = "a gradient is real" if g.dtype.kind == "c" else "numbers are cut off"
    return Diagnosis(None, name, f"its type is {g.dtype}", name=f"the type is wrong: {what}")


def of_form(g: Array, name: str, right: Array, mends: Mends) -> Diagnosis | None:
    """What the type or the shape of a tensor alone tells."""
    d = of_type(g, name)
    shapes, n = f"its shape is {g.shape}, {name} has {right.shape}", mends.roles.samples
    if d is None and g.shape == right.shape:
        return None
    if d is None and g.size == right.size and norm(g.reshape(right.shape) - right) <= SAME * norm(right):
        d = Diagnosis(None, name, f"{shapes}; the numbers are right", name="the shape is wrong")
    elif d is None:
        axes = list(zip(g.shape, right.shape, strict=False))
        if n < 2 or g.ndim != right.ndim or not all(a == b or (a, b) == (n, 1) for a, b in axes):
            return None
        d = MISTAKES[35].diagnosis(name, f"{shapes}: {n} = N stands where 1 belongs", place_of(mends.roles))
    return mended(mends.roles, d, mends.of_tensor(name))


def elsewhere(job: _Job, graph: Graph) -> tuple[Graph, dict[str, Array]]:
    """Parameters moved a little, one sample less: ratios that coincide at the given point (N = C) then differ."""
    rng = np.random.default_rng(37)
    symbols, samples = graph.derivation.f.symbols, Roles(graph).sample_dimension
    moved = {}
    for n, v in job.subject.arrays.items():
        shape = symbols[n].shape
        moved[n] = v * (1 + 0.1 * rng.uniform(-1, 1, v.shape)) if n in graph.variables else v
        for axis, d in enumerate(shape):
            if d == samples and v.shape[axis] > 1:
                moved[n] = np.take(moved[n], range(v.shape[axis] - 1), axis)
    assert job.trusted is not None
    return job.trusted.at(moved).graph, job.again(moved)

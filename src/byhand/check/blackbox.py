"""What can be told of a wrong gradient when the loss is a black box: ratios, signs, zeros, transposes, the regulariser.

Everything is a linear relation between numbers along a few directions, so the cost does not depend on the size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.check.findings import Diagnosis
from byhand.check.mistakes import MISTAKES
from byhand.check.numeric import norm
from byhand.check.verdict import Judge

if TYPE_CHECKING:
    from byhand.check.gradient import _Job

Array = Any
DIRECTIONS, FIT = 3, 1e-7
_LOGARITHMS = {4: 1 / np.log(2), 5: 1 / np.log(10)}


@dataclass(eq=False)
class Probe:
    """One tensor along random directions: the true slopes, the claimed ones, those of other arrays."""

    name: str
    directions: list[Array]
    true: Array

    def of(self, array: Array) -> Array:
        """The slopes that an array claims."""
        return np.array([float(np.sum(array * d)) for d in self.directions])

    def multiple(self, claimed: Array) -> float | None:
        """k where claimed = k × true along every direction."""
        if not np.any(self.true):
            return None
        k = float(claimed @ self.true / (self.true @ self.true))
        return k if norm(claimed - k * self.true) <= FIT * max(norm(claimed), norm(self.true)) else None

    def added(self, claimed: Array, other: Array) -> float | None:
        """k where claimed = true + k × other along every direction."""
        r = claimed - self.true
        if not np.any(other) or not np.any(r):
            return None
        k = float(r @ other / (other @ other))
        return k if norm(r - k * other) <= FIT * norm(r) else None


def black_box(job: _Job, wrong: list[str], judge: Judge) -> tuple[Diagnosis, ...]:
    """What the numbers say of the wrong tensors."""
    rng = np.random.default_rng(38)
    probes: dict[str, Probe] = {}
    for n in wrong:
        shape = job.subject.arrays[n].shape
        directions = [rng.standard_normal(shape) for _ in range(DIRECTIONS)]
        probes[n] = Probe(n, directions, np.array([judge.slope({n: d}).value for d in directions]))
    found = [*_everywhere(job, wrong, probes)] or [
        d for n in wrong for d in [_alone(job, n, probes[n])] if d is not None
    ]
    named = {d.tensor for d in found}
    rest = [n for n in wrong if n not in named] if not found or found[0].place != "everywhere" else []
    if rest:
        right = [n for n in job.names if n not in wrong]
        evidence = f"wrong: {', '.join(f'd{n}' for n in rest)}" + (
            f"; right: {', '.join(f'd{n}' for n in right)}" if right else ""
        )
        remedy = "give the loss as an expression or a network of byhand, and the mistake can be looked for"
        found.append(
            Diagnosis(
                None, rest[0], f"{evidence}; {remedy}", "", "no mistake of the catalogue explains it from outside"
            )
        )
    return tuple(found)


def _everywhere(job: _Job, wrong: list[str], probes: dict[str, Probe]) -> Iterator[Diagnosis]:
    """One ratio for all tensors."""
    given = {n: np.asarray(job.found[n], dtype=float) for n in wrong}
    if any(given[n].shape != job.subject.arrays[n].shape for n in wrong) or any(
        np.any(job.found[n]) for n in job.names if n not in wrong
    ):
        return
    ratios = {n: probes[n].multiple(probes[n].of(given[n])) for n in wrong if np.any(probes[n].true)}
    values = [r for r in ratios.values() if r is not None]
    if len(wrong) < 2 or len(values) < len(ratios) or not values or max(values) - min(values) > 1e-6 * abs(values[0]):
        return
    k = values[0]
    sizes = samples(job)
    evidence = f"your value is {k:.6g} × the right one in every tensor"
    rows: list[tuple[int, float, dict[str, Any]]] = [(6, -1.0, {}), *((m, r, {}) for m, r in _LOGARITHMS.items())]
    rows += [(1, float(n), {"N": n}) for n in sizes["samples"]] + [(2, 1 / n, {"N": n}) for n in sizes["samples"]]
    rows += [(3, 1 / c, {"C": c}) for c in sizes["classes"]]
    hits = [(m, words) for m, r, words in rows if abs(k / r - 1) < 1e-6]
    if not k:
        yield Diagnosis(None, wrong[0], "every tensor is zero", "", "the gradient is zero", "everywhere")
    elif not hits:
        yield Diagnosis(
            None,
            wrong[0],
            evidence,
            f"multiply every gradient by {1 / k:.6g}",
            "a constant factor is missing or too many",
            "everywhere",
        )
    else:
        m, words = hits[0]
        others = tuple(dict.fromkeys(h for h, _ in hits[1:] if h != m))
        at = "".join(f", and {name} = {size}" for name, size in words.items())
        d = MISTAKES[m].diagnosis(
            wrong[0], evidence + at, "everywhere", {**words, "Z": "loss", "Y": "Y", "P": "P"}, others
        )
        mend = (
            f"multiply every gradient by {1 / k:.6g}"
            if not words
            else f"multiply every gradient by {'1/N' if m == 1 else 'N' if m == 2 else 'C'} = {1 / k:.6g}"
        )
        yield Diagnosis(m, d.tensor, d.evidence, mend, d.name, d.place, others)


def samples(job: _Job) -> dict[str, list[int]]:
    """Sizes that may be the number of samples (shared by data, not by parameters) and of classes."""
    data = [v.shape for n, v in job.subject.arrays.items() if n not in job.names and v.ndim]
    parameters = {s for n in job.names for s in job.subject.arrays[n].shape}
    first = list(dict.fromkeys(s[0] for s in data))
    shared = [n for n in first if sum(n in s for s in data) > 1] or first
    classes = list(dict.fromkeys(job.subject.arrays[n].shape[-1] for n in job.names if job.subject.arrays[n].ndim))
    return {"samples": [n for n in shared if n > 1], "classes": [c for c in classes if c > 1 and c in parameters]}


def _alone(job: _Job, name: str, probe: Probe) -> Diagnosis | None:
    """What is wrong with one tensor."""
    g, v = np.asarray(job.found[name], dtype=float), job.subject.arrays[name]
    bias = v.ndim < 2
    words = {"Z": "Z", "H": "H", "N": "N"}
    if v.ndim == 2 and g.shape == v.shape[::-1] and norm(probe.of(g.T) - probe.true) <= FIT * norm(probe.true):
        return MISTAKES[18].diagnosis(name, f"d{name}.T agrees with the loss along {DIRECTIONS} directions", "", words)
    if g.shape != v.shape:
        if g.ndim > v.ndim or g.size > v.size:
            return Diagnosis(
                None,
                name,
                f"its shape is {g.shape}, {name} has {v.shape}: a sum is missing, or a broadcast went wrong",
                "",
                "the shape is wrong",
            )
        return Diagnosis(
            None, name, f"its shape is {g.shape}, {name} has {v.shape}", f"make it {v.shape}", "the shape is wrong"
        )
    if not np.any(g):
        if bias:
            return MISTAKES[27].diagnosis(name, f"d{name} is zero; the loss depends on {name}", "", words)
        return MISTAKES[28].diagnosis(name, f"d{name} is zero; the loss depends on {name}", "", {"A": name})
    claimed = probe.of(g)
    k = probe.multiple(claimed)
    if k is not None and abs(k - 1) > FIT:
        sizes = samples(job)["samples"]
        hit = next((n for n in sizes if abs(k * n - 1) < 1e-6), None)
        if bias and hit is not None:
            return MISTAKES[26].diagnosis(
                name, f"d{name} is 1/{hit} of the right one, and N = {hit}", "", {**words, "N": hit}
            )
        sign = ": the sign is wrong" if abs(k + 1) < 1e-9 else ""
        return Diagnosis(
            None,
            name,
            f"d{name} is {k:.6g} × the right one",
            f"multiply d{name} by {1 / k:.6g}",
            f"a constant factor in this tensor{sign}",
        )
    k = probe.added(claimed, probe.of(v))
    if k is not None:
        if bias:
            return MISTAKES[11].diagnosis(name, f"minus the right one it is {k:.6g} × {name}", "", words)
        mend = f"d{name}: {'add' if k < 0 else 'subtract'} {abs(k):.6g} * {name}"
        return Diagnosis(
            8 if k < 0 else 9,
            name,
            f"minus the right one it is {k:.6g} × {name}",
            mend,
            "the regulariser's part is " + ("missing or too small" if k < 0 else "too large"),
        )
    if v.ndim == 2 and g.shape == g.shape[::-1] and norm(probe.of(g.T) - probe.true) <= FIT * norm(probe.true):
        return MISTAKES[18].diagnosis(name, f"d{name}.T agrees with the loss along {DIRECTIONS} directions", "", words)
    if v.ndim == 2 and min(g.shape) > 1 and g.size < 10**6:
        s = np.linalg.svd(g, compute_uv=False)
        if s[1] < 1e-10 * s[0]:
            return MISTAKES[29].diagnosis(name, f"d{name} has rank 1", "", words)
    return None

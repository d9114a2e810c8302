"""What can be told of a wrong gradient when the loss is a black box: ratios, signs, zeros, transposes, the regulariser.

Everything is a linear relation between numbers along a few directions, so the cost does not depend on the size. A
relation with a factor in it says nothing of a tensor with a single entry. A mend is a formula in what the user returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.check.findings import Diagnosis
from byhand.check.loss_mistakes import shown
from byhand.check.mends import assignments, with_formulas
from byhand.check.mistakes import MISTAKES
from byhand.check.numeric import norm
from byhand.check.verdict import Judge
from byhand.errors import ByhandError
from byhand.expr.contraction import add, scale, transpose
from byhand.expr.dims import Coefficient
from byhand.expr.evaluate import evaluate_node
from byhand.expr.nodes import Expr, Symbol, symbol

if TYPE_CHECKING:
    from byhand.check.gradient import _Job

Array = Any
DIRECTIONS, FIT = 3, 1e-7
MOST_SAMPLES = 64
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

    @property
    def single(self) -> bool:
        """Whether the tensor has one entry: any two numbers are multiples of each other."""
        return np.size(self.directions[0]) < 2

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
    everywhere = _everywhere(job, wrong, probes)
    if everywhere is not None:
        return (everywhere,)
    found = [d for n in wrong for d in [_alone(job, n, probes[n], judge)] if d is not None]
    named = {d.tensor for d in found}
    rest = [n for n in wrong if n not in named]
    if rest:
        right = [n for n in job.names if n not in wrong]
        evidence = f"wrong: {', '.join(f'd{n}' for n in rest)}" + (
            f"; right: {', '.join(f'd{n}' for n in right)}" if right else ""
        )
        remedy = "give the loss as an expression or a network of byhand, and the mistake can be looked for"
        what = "no mistake of the catalogue explains it from outside"
        found.append(Diagnosis(None, rest[0], f"{evidence}; {remedy}", name=what))
    return tuple(found)


# ---- mends


def returned(job: _Job, name: str) -> Symbol:
    """What the user returned for a tensor, as a symbol."""
    return symbol(f"d{name}", job.found[name].shape)


def times(k: float, node: Expr) -> Expr:
    """k × a node, k as people write it where it is a simple fraction."""
    near = Fraction(k).limit_denominator(1000)
    return scale(Coefficient(near if abs(float(near) - k) <= FIT * abs(k) else Fraction(f"{k:.12g}")), node)


def mended(job: _Job, probes: Mapping[str, Probe], d: Diagnosis, formulas: Mapping[str, Expr]) -> Diagnosis:
    """The diagnosis with what to return instead, if the loss agrees with it along every direction."""
    for name, formula in formulas.items():
        values: dict[Expr, Array] = {returned(job, name): np.asarray(job.found[name], dtype=float)}
        values[symbol(name, job.subject.arrays[name].shape)] = np.asarray(job.subject.arrays[name], dtype=float)
        made, probe = evaluate_node(formula, values, {}), probes[name]
        if made.shape != job.subject.arrays[name].shape or not norm(probe.of(made) - probe.true) <= FIT * norm(
            probe.true
        ):
            return d
    return with_formulas(
        d, {f"d{n}": f for n, f in formulas.items()}, assignments({f"d{n}": f for n, f in formulas.items()})
    )


# ---- what it may be


def _everywhere(job: _Job, wrong: list[str], probes: dict[str, Probe]) -> Diagnosis | None:
    """One ratio for all tensors."""
    given = {n: np.asarray(job.found[n], dtype=float) for n in wrong}
    if any(given[n].shape != job.subject.arrays[n].shape for n in wrong) or any(
        np.any(job.found[n]) for n in job.names if n not in wrong
    ):
        return None
    ratios = {n: probes[n].multiple(probes[n].of(given[n])) for n in wrong if np.any(probes[n].true)}
    values = [r for r in ratios.values() if r is not None]
    if len(wrong) < 2 or len(values) < len(ratios) or not values or max(values) - min(values) > 1e-6 * abs(values[0]):
        return None
    k = values[0]
    if not k:
        return Diagnosis(None, wrong[0], "every tensor is zero", name="the gradient is zero", place="everywhere")
    sizes = samples(job)
    rows: list[tuple[int, float, dict[str, Any]]] = [(6, -1.0, {}), *((m, r, {}) for m, r in _LOGARITHMS.items())]
    rows += [(1, float(n), {"N": n}) for n in sizes["samples"]] + [(2, 1 / n, {"N": n}) for n in sizes["samples"]]
    rows += [(3, 1 / c, {"C": c}) for c in sizes["classes"]]
    hits = [(m, words) for m, r, words in rows if abs(k / r - 1) < 1e-6]
    m, words = hits[0] if hits else (37, {"k": shown(1 / k)})
    others = tuple(dict.fromkeys(h for h, _ in hits[1:] if h != m))
    at = "".join(f", and {name} = {size}" for name, size in words.items() if name in ("N", "C"))
    evidence = f"your value is {k:.6g} × the right one in every tensor{at}"
    d = MISTAKES[m].diagnosis(wrong[0], evidence, "everywhere", words, others)
    return mended(job, probes, d, {n: times(1 / k, returned(job, n)) for n in wrong})


def samples(job: _Job) -> dict[str, list[int]]:
    """Sizes that may be the number of samples (shared by data, not by parameters) and of classes."""
    data = [v.shape for n, v in job.subject.arrays.items() if n not in job.names and v.ndim]
    parameters = {s for n in job.names for s in job.subject.arrays[n].shape}
    first = list(dict.fromkeys(s[0] for s in data))
    shared = [n for n in first if sum(n in s for s in data) > 1] or first
    classes = list(dict.fromkeys(job.subject.arrays[n].shape[-1] for n in job.names if job.subject.arrays[n].ndim))
    return {"samples": [n for n in shared if n > 1], "classes": [c for c in classes if c > 1 and c in parameters]}


def is_bias(job: _Job, name: str) -> bool:
    """Whether a vector stands beside a matrix, also checked, that has an axis of its size."""
    v = job.subject.arrays[name]
    others = [job.subject.arrays[n].shape for n in job.names if n != name]
    return v.ndim == 1 and any(len(s) == 2 and v.size in s for s in others)


def _alone(job: _Job, name: str, probe: Probe, judge: Judge) -> Diagnosis | None:
    """What is wrong with one tensor."""
    g, v = np.asarray(job.found[name], dtype=float), job.subject.arrays[name]
    bias, own, one = is_bias(job, name), returned(job, name), {name: probe}
    turned = MISTAKES[18].diagnosis(name, f"d{name}, transposed, agrees with the loss along {DIRECTIONS} directions")
    is_turned = g.ndim == 2 and g.shape == v.shape[::-1] and norm(probe.of(g.T) - probe.true) <= FIT * norm(probe.true)
    if g.shape != v.shape:
        if is_turned:
            return mended(job, one, turned, {name: transpose(own)})
        more = ": a sum is missing, or a broadcast went wrong" if g.ndim > v.ndim or g.size > v.size else ""
        return Diagnosis(None, name, f"its shape is {g.shape}, {name} has {v.shape}{more}", name="the shape is wrong")
    if not np.any(g):
        evidence = f"d{name} is zero; the loss depends on {name}"
        return MISTAKES[27 if bias else 41].diagnosis(name, evidence)
    claimed = probe.of(g)
    k = None if probe.single else probe.multiple(claimed)
    if k is not None and abs(k - 1) > FIT:
        hit = next((n for n in samples(job)["samples"] if abs(k * n - 1) < 1e-6), None) if bias else None
        sign = ": the sign is wrong" if abs(k + 1) < 1e-9 else ""
        evidence = f"your value is {k:.6g} × the right one{sign}"
        if hit is not None:
            d = MISTAKES[26].diagnosis(name, f"{evidence}, and N = {hit}")
        else:
            d = MISTAKES[37].diagnosis(name, evidence, name, {"k": shown(1 / k)})
        return mended(job, one, d, {name: times(1 / k, own)})
    other = symbol(name, v.shape)
    k = None if probe.single else probe.added(claimed, probe.of(v))
    if k is not None:
        d = MISTAKES[11 if bias else 8 if k < 0 else 9].diagnosis(name, f"minus the right one it is {k:.6g} × {name}")
        if not bias:
            d = replace(d, name="the regulariser's part is " + ("missing or too small" if k < 0 else "too large"))
        return mended(job, one, d, {name: add(own, times(-k, other))})
    if is_turned:
        return mended(job, one, turned, {name: transpose(own)})
    return _one_sample(job, name, probe, judge)


def _one_sample(job: _Job, name: str, probe: Probe, judge: Judge) -> Diagnosis | None:
    """Row 29, where the loss of one sample alone has the slopes that are claimed."""
    claimed = probe.of(np.asarray(job.found[name], dtype=float))
    for n in samples(job)["samples"]:
        data = [m for m, v in job.subject.arrays.items() if m not in job.names and v.ndim and v.shape[0] == n]
        for i in range(min(n, MOST_SAMPLES)):
            at = {m: v[i : i + 1] if m in data else v for m, v in job.subject.arrays.items()}
            try:
                slopes = np.array([judge.slope({name: d}, at).value for d in probe.directions])
            except ByhandError:  # the loss of one sample cannot be had: nothing can be said of it
                break
            for k in (1.0, 1.0 / n):
                if np.any(slopes) and norm(claimed - k * slopes) <= FIT * norm(claimed):
                    share = "" if k == 1.0 else f", divided by {n},"
                    evidence = f"the loss of sample {i} alone{share} has this gradient along {DIRECTIONS} directions"
                    return MISTAKES[29].diagnosis(name, evidence, words={"N": n})
    return None

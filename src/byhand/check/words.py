"""A mistake that was found, in words: the numbers that show it, the line that mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from byhand.check.findings import Diagnosis
from byhand.check.mends import Mends, mended
from byhand.check.mistakes import MISTAKES
from byhand.check.numeric import norm, worst_entry
from byhand.check.replay import Patch, Replay
from byhand.check.search import Search

Array = Any


def named(search: Search, mends: Mends, k: int, found: list[Patch], alternatives: tuple[int, ...]) -> Diagnosis:
    """The k-th of the mistakes found, with its evidence and its mend."""
    patch, before = found[k], search.base
    for p in found[:k]:
        before = before.with_patch(p)
    after = before.with_patch(patch)
    moved = [n for n in search.order if differ(before.gradient(n), after.gradient(n))]
    tensor = moved[0] if moved else search.order[0]
    evidence = [patch.note] if patch.note else []
    ratios = {n: ratio(after.gradient(n), before.gradient(n)) for n in moved}
    known = {f"{r:.6g}" for r in ratios.values() if r is not None}
    if len(known) == 1 and None not in ratios.values() and "0" not in known:
        (value,) = known
        where = "in every tensor" if len(moved) == len(search.order) else f"in {', '.join(moved)}"
        samples = f", and N = {search.roles.samples}" if patch.mistake <= 3 else ""
        evidence.insert(0, f"your value is {value} × the right one {where}{samples}")
    elif moved and all(not np.any(after.gradient(n)) for n in moved):
        evidence.insert(0, f"{', '.join(f'd{n}' for n in moved)} {'is' if len(moved) == 1 else 'are'} zero")
    gap = relative_gap(search.given[tensor], before.gradient(tensor))
    left = relative_gap(search.given[tensor], after.gradient(tensor))
    evidence.append(
        f"d{tensor} differs from the right one by {gap:.2g} of its size"
        + (f", from the one with this mistake by {left:.0e}" if left < 1e-6 else "")
    )
    if alternatives:
        evidence.append(f"at these sizes mistake {', '.join(map(str, alternatives))} gives the same numbers")
    d = MISTAKES[patch.mistake].diagnosis(tensor, "; ".join(evidence), patch.place, patch.words, alternatives)
    if patch.place in search.roles.automatic:
        d = replace(d, place="")
    return mended(search.roles, d, mends.of(found, k))


def unknown(search: Search, mends: Mends, replay: Replay, rest: list[str], reason: str) -> Diagnosis:
    """A wrong tensor that no row explains: where, how far the gradient is right, and what the tensor should be."""
    n = rest[0]
    above = [m for m in search.order[: search.order.index(n)] if m not in rest]
    g, made = search.given[n], replay.gradient(n)
    if g.shape != made.shape:
        how = f"its shape is {g.shape}, the right one is {made.shape}"
    else:
        place, yours, right = worst_entry(g, made)
        gap = relative_gap(g, made)
        how = f"it differs by {gap:.2g} of its size, most at {place or 'its value'}: {yours:.6g}, right is {right:.6g}"
    upper = f"right above it: {', '.join(f'd{m}' for m in above)}; " if above else "nothing above it is right; "
    evidence = f"{upper}d{n} is the first wrong one: {reason or how}"
    d = Diagnosis(None, n, evidence, name="no mistake of the catalogue explains it")
    return mended(search.roles, d, mends.of_tensor(n))


def differ(a: Array, b: Array) -> bool:
    """Whether a mistake moves a gradient."""
    return a.shape != b.shape or not norm(a - b) <= 1e-10 * norm(a)


def ratio(found: Array, right: Array) -> float | None:
    """found / right where the two are parallel."""
    if found.shape != right.shape or not np.any(right):
        return None
    k = float(np.sum(found * right) / np.sum(right * right))
    return k if norm(found - k * right) <= 1e-7 * max(norm(found), 1e-300) else None


def relative_gap(found: Array, right: Array) -> float:
    """|found - right| / |right|."""
    if found.shape != right.shape:
        return float("inf")
    size = norm(right)
    return norm(found - right) / size if size else float("inf") if norm(found) else 0.0

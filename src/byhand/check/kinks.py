"""A gradient that differs at a kink of the loss is not wrong there: it is judged beside it, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from byhand.check.directional import Derivative
from byhand.check.findings import TensorRow
from byhand.check.rounding import FAILURES

if TYPE_CHECKING:
    from byhand.check.verdict import Judge

Array = Any
LOOSEST = 1e-3  # a verdict that allows more than this is none
SETTLED = 1e-6  # a slope that changes by less than this is one slope


def at_kink(judge: Judge, name: str, direction: Array, slope: Derivative, wrong: TensorRow) -> TensorRow | None:
    """None unless the point is on a kink: then the verdict of a point beside it, if it can be asked for.

    Args:
        judge: who judges here.
        name: the tensor.
        direction, slope: along which it differs, and what the loss says there.
        wrong: the verdict without a kink.
    """
    units = judge.kinks(name)
    back = judge.slope({name: -direction})
    largest = max(abs(slope.value), abs(back.value))
    blur = 20 * (slope.error + back.error) + judge.rounding.cancellation(name, direction)
    sides = abs(slope.value + back.value) > SETTLED * largest + blur
    if slope.method == "central differences":
        sides = slope.error > LOOSEST * max(abs(slope.value), 1e-300)
    if not units and not sides:
        return None
    shown = f"{', '.join(units[:4])}{' ...' if len(units) > 4 else ''}"
    where = f"kinked units: {shown}" if units else "the loss has a kink at this point"
    other = judge.beside()
    if other is not None:
        try:
            row = other.alone(name)
        except FAILURES:
            row = wrong
        if row.verdict != "not checkable" and not judge.forward.kinked(other.values, list(judge.gradients)):
            note = f"{where}; judged beside the kink" if row.verdict == "right" else row.note
            return replace(wrong, verdict=row.verdict, error=row.error, allowed=row.allowed, note=note)
    return replace(wrong, verdict="not checkable", note=where)

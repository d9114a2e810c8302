"""The table of schedules: the factor on the learning rate at each step; one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi
from typing import NamedTuple

import numpy as np

from byhand.errors import ParseError, nearest


class Schedule(NamedTuple):
    """A row: factor(epoch, progress, settings), the epoch as a count from 0, progress from 0 to 1 over all steps."""

    name: str
    settings: Mapping[str, float]
    factor: Callable[[float, float, Mapping[str, float]], float]
    words: str


def _one_cycle(progress: float, s: Mapping[str, float]) -> float:
    start, end, top = 1 / s["divide"], 1 / s["divide_end"], s["top"]
    if progress < top:
        return start + (1 - start) * (1 - cos(pi * progress / top)) / 2
    return end + (1 - end) * (1 + cos(pi * (progress - top) / (1 - top))) / 2


def _warmed(progress: float, s: Mapping[str, float]) -> float:
    return min(1.0, progress / s["warmup"]) if s["warmup"] > 0 else 1.0


def _warmed_cosine(progress: float, s: Mapping[str, float]) -> float:
    if progress < s["warmup"]:
        return progress / s["warmup"]
    rest = (progress - s["warmup"]) / max(1e-12, 1 - s["warmup"])
    return s["end"] + (1 - s["end"]) * (1 + cos(pi * rest)) / 2


_TABLE = (
    Schedule("constant", {}, lambda e, p, s: 1.0, "the rate as it is"),
    Schedule("step", {"every": 10, "gamma": 0.1}, lambda e, p, s: s["gamma"] ** (int(e) // int(s["every"])),
             "times gamma after every so many epochs"),
    Schedule("exponential", {"gamma": 0.95}, lambda e, p, s: s["gamma"] ** int(e), "times gamma after each epoch"),
    Schedule("cosine", {"end": 0.0}, lambda e, p, s: s["end"] + (1 - s["end"]) * (1 + cos(pi * p)) / 2,
             "half a cosine, down to `end` of the rate"),
    Schedule("warmup", {"warmup": 0.1}, lambda e, p, s: _warmed(p, s),
             "linear from 0 over the first `warmup` of the steps, then constant"),
    Schedule("warmup_cosine", {"warmup": 0.1, "end": 0.0},
             lambda e, p, s: _warmed_cosine(p, s),
             "linear from 0, then half a cosine"),
    Schedule("one_cycle", {"top": 0.3, "divide": 25.0, "divide_end": 1e4}, lambda e, p, s: _one_cycle(p, s),
             "up by half a cosine until `top`, then down to nothing (Smith and Topin 2019)"),
)  # fmt: skip
SCHEDULES: dict[str, Schedule] = {row.name: row for row in _TABLE}


def rates(name: str, settings: Mapping[str, float], rate: float) -> Callable[[int, int, int], float]:
    """The rate as a function of (step, steps per epoch, steps in all), steps counted from 0.

    Raises: ParseError: an unknown schedule or setting.

    >>> rates("step", {"every": 1, "gamma": 0.5}, 1.0)(20, 10, 100)
    0.25
    """
    if name not in SCHEDULES:
        raise ParseError(
            f"unknown schedule {str(name)[:40]}{nearest(str(name), list(SCHEDULES))}", f"known: {', '.join(SCHEDULES)}"
        )
    row = SCHEDULES[name]
    for key, value in settings.items():
        if key not in row.settings:
            raise ParseError(f"{name} has no setting {key}{nearest(key, list(row.settings))}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value) or value < 0:
            raise ParseError(f"{key} of {name} is {value!r}: a number from 0 on")
    s = {**row.settings, **settings}
    if s.get("every", 1) < 1 or not 0 <= s.get("warmup", 0) <= 1 or not 0 < s.get("top", 0.5) < 1:
        raise ParseError(f"the settings of {name} are out of range", "every >= 1, 0 <= warmup <= 1, 0 < top < 1")

    def at(step: int, per_epoch: int, total: int) -> float:
        return rate * row.factor(step / max(1, per_epoch), min(1.0, step / max(1, total)), s)

    return at

"""The arguments of a generated function checked by arrays that stand for them: of the same shape and kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from byhand.code.function import CompiledFunction


def checked_by_shape(function: CompiledFunction, stand_ins: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Names, shapes, kinds, emptiness; labels by their smallest and largest.

    Args:
        function: whose arguments they are.
        stand_ins: by name, NumPy arrays that share shape and kind with the arguments.
        arrays: the arguments.
    Raises: DataError: an argument that is refused.
    """
    shown = dict(stand_ins)
    for s in function.program.inputs:
        given = arrays.get(s.name)
        if "labels" not in s.assumptions or given is shown.get(s.name) or not shown[s.name].size:
            continue
        if shown[s.name].dtype.kind in "iu":  # the extremes decide whether all are in range
            low = np.full(shown[s.name].shape, int(given.min()), np.int64)  # type: ignore[union-attr]
            low.flat[-1] = int(given.max())  # type: ignore[union-attr]
            shown[s.name] = low
    function.check(shown)


__all__ = ["checked_by_shape"]

"""Numbers that tell data from others, without a copy of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

Array = Any


def digests(arrays: Iterable[Array]) -> list[Any]:
    """The shape and a checksum of each; of rows on disk what they say themselves."""
    found: list[Any] = []
    for a in arrays:
        if isinstance(a, np.ndarray):
            found.append([list(a.shape), zlib.crc32(np.ascontiguousarray(a).data.cast("B"))])
        else:
            found.append([list(a.shape), a.digest()])
    return found


__all__ = ["digests"]

"""What engines take samples from where these stay on disk: as they take them from arrays, by `take`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from byhand.train.data.rows import Rows
from byhand.train.scaling import Scaling

Array = Any


class ScaledRows:
    """Standardised rows, as engines take them: `take` as that of an array.

    Args:
        rows: on disk.
        scaling: of their columns.
        dtype: of the rows that are taken.
    """

    def __init__(self, rows: Rows, scaling: Scaling, dtype: Any = np.float64) -> None:
        self.rows, self.scaling, self.shape = rows, scaling, rows.shape
        self.nbytes = rows.shape[0] * rows.shape[1] * np.dtype(dtype).itemsize
        self.dtype = np.dtype(dtype)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Array, axis: int = 0, out: Array | None = None, mode: str = "raise") -> Array:
        """Some rows, into `out` where there is one; places of any shape."""
        del axis, mode
        found = self.rows.read(places.reshape(-1))
        found -= self.scaling.mean
        if out is None:
            out = np.empty((*places.shape, self.shape[1]), self.dtype)
        np.divide(found.reshape(out.shape), self.scaling.scale, out=out, casting="unsafe")
        return out

    def raw(self, places: Array) -> Array:
        """Some rows in the type of the file, not scaled; places of any shape."""
        return self.rows.raw(places.reshape(-1)).reshape(*places.shape, self.shape[1])

    def digest(self) -> int:
        """Of the rows."""
        return self.rows.digest()


class TargetRows:
    """Targets made when they are taken: of classes a number for each sample instead of a row.

    Args:
        codes: (N,) or (N, outputs).
        made: the targets of some codes.
        shape: of all targets.
    """

    def __init__(self, codes: Array, made: Callable[[Array], Array], shape: tuple[int, ...]) -> None:
        self.codes, self.made, self.shape, self.nbytes = codes, made, shape, codes.nbytes

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, places: Array, axis: int = 0, out: Array | None = None, mode: str = "raise") -> Array:
        """Some targets, into `out` where there is one; places of any shape."""
        del axis, mode
        made = self.made(self.codes[places.reshape(-1)]).reshape(*places.shape, *self.shape[1:])
        if out is None:
            return made
        out[...] = made
        return out

    def digest(self) -> int:
        """Of the codes."""
        import zlib

        return zlib.crc32(np.ascontiguousarray(self.codes).data.cast("B"))


__all__ = ["ScaledRows", "TargetRows"]

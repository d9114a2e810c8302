"""Arrays as users give them, read in one place: refused by name where they are no arrays of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.errors import DataError

Array = Any


def read_array(name: str, value: Any) -> Array:
    """The value as a NumPy array of numbers in the machine's byte order.

    What NumPy calls long double is read as double: neither SciPy nor LAPACK nor another target computes with more.

    Raises: DataError: no array of numbers, or one with masked entries.
    """
    refuse_masked(name, value)
    try:
        array = np.asarray(value)
    except Exception as error:  # rows of different lengths; a class of somebody else that cannot become an array
        kind = type(value).__name__
        wrong = "" if kind in ("list", "tuple") else f", not a {kind}"
        raise DataError(
            f"{name}: an array of numbers is needed{wrong}", str(error).splitlines()[0][:200] if str(error) else kind
        ) from None
    if array.dtype.kind not in "biufc":
        raise DataError(f"{name}: an array of numbers is needed, not {array.dtype}")
    if array.dtype.kind in "fc" and array.dtype.itemsize > (8 if array.dtype.kind == "f" else 16):
        return array.astype(np.float64 if array.dtype.kind == "f" else np.complex128)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def refuse_masked(name: str, value: Any) -> None:
    """Refuse an array with masked entries: as an ordinary one it would have numbers there that nobody meant.

    Raises: DataError: it has.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        count = int(np.ma.getmaskarray(value).sum())
        raise DataError(
            f"{name}: {count} of {value.size} entries are masked, which no formula here leaves out",
            f"give numbers there, and what is to count as a factor: {name}.filled(0) and ~{name}.mask",
        )


__all__ = ["read_array", "refuse_masked"]

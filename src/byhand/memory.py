"""Arrays that do not fit into memory: refused with their size, before they are made where it is known."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod

from byhand.errors import DataError

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def physical_memory() -> int:
    """The bytes of this machine; a terabyte where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**40


def shown_bytes(count: int) -> str:
    """1536 -> 1.5 KiB."""
    size, k = float(count), 0
    while size >= 1024 and k + 1 < len(_UNITS):
        size, k = size / 1024, k + 1
    return f"{size:.3g} {_UNITS[k]}"


def refuse_larger_than_memory(what: str, shape: Sequence[int], itemsize: int = 8) -> None:
    """Refuse to make an array that this machine cannot hold: a system that lends more ends the process instead.

    Raises: DataError: its shape and what it would take.
    """
    needed, there = prod(shape) * itemsize, physical_memory()
    if needed > there:
        raise DataError(
            f"{what} of shape {tuple(shape)} does not fit into memory: {shown_bytes(needed)}, and here are "
            f"{shown_bytes(there)}",
            "smaller sizes, or a machine with more memory",
        )


@contextmanager
def within_memory(what: str) -> Iterator[None]:
    """Memory that runs out inside is an error of byhand that says what for, and for which array.

    Raises: DataError: it ran out.
    """
    try:
        yield
    except MemoryError as error:
        reason = str(error) or "no memory is left"
        raise DataError(f"{what} does not fit into memory", reason[:1].lower() + reason[1:]) from None


__all__ = ["physical_memory", "refuse_larger_than_memory", "shown_bytes", "within_memory"]

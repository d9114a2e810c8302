"""How much memory there is, and what does not fit in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from byhand.errors import DataError
from byhand.expr.contraction import number
from byhand.expr.dims import dim_value
from byhand.expr.evaluate import bind
from byhand.expr.expression import Expression

if TYPE_CHECKING:
    from byhand.second.result import Jacobian

SHARE = 0.8  # of the available memory that one array may take


def available() -> int:
    """Bytes of memory that can be had now; where the system does not tell, 8 GB."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30


def words(size: int) -> str:
    """A number of bytes for a reader."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if value < 1000 or unit == "PB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError


def need_memory(shape: Sequence[int], what: str) -> None:
    """Raises: DataError: an array of float64 of this shape would not fit."""
    size = 8 * prod(shape)
    if size < 2**26:
        return
    free = available()
    if size > SHARE * free:
        raise DataError(
            f"{what} of shape {' × '.join(map(str, shape))} takes {words(size)}; {words(free)} of memory are free",
            "keep it as an operator: .operator(**arrays) has @ v, .solve(b), .diagonal() and .bytes",
            "byhand.hvp(f, x) is the product with a vector as a formula and a function",
        )


def axis_sizes(j: Jacobian, arrays: Mapping[str, Any]) -> tuple[int, ...]:
    """The sizes of all axes of a derivative for the given arrays, those of the output first."""
    symbols = j.expression.symbols
    known = {n: a for n, a in arrays.items() if n in symbols}
    _, sizes = bind(Expression(number(1), tuple(symbols.values())), known)
    return tuple(dim_value(d, sizes) for d in j.node.shape)

"""The table of initialisations: one row each. Weights have shape (inputs, outputs); biases start at zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import ParseError, nearest

Array = Any


class Init(NamedTuple):
    """A row: draw(rng, inputs, outputs, std) gives a weight matrix; `std` is used by `normal` only."""

    name: str
    draw: Callable[[np.random.Generator, int, int, float], Array]
    words: str
    source: str


def _uniform(rng: np.random.Generator, m: int, n: int) -> Array:
    bound = np.sqrt(6.0 / (m + n))
    return rng.uniform(-bound, bound, (m, n))


_TABLE = (
    Init("he", lambda r, m, n, s: r.standard_normal((m, n)) * np.sqrt(2.0 / m),
         "normal, variance 2/inputs", "He et al. (2015)"),
    Init("glorot", lambda r, m, n, s: _uniform(r, m, n),
         "uniform, variance 2/(inputs + outputs)", "Glorot and Bengio (2010)"),
    Init("lecun", lambda r, m, n, s: r.standard_normal((m, n)) / np.sqrt(m),
         "normal, variance 1/inputs", "LeCun et al. (1998)"),
    Init("normal", lambda r, m, n, s: r.standard_normal((m, n)) * s,
         "normal, with a given standard deviation", "EECS 498-007 (2020), assignment 2"),
    Init("zeros", lambda r, m, n, s: np.zeros((m, n)), "zeros", ""),
)  # fmt: skip

INITS: dict[str, Init] = {row.name: row for row in _TABLE}
HE = frozenset({"relu", "leaky_relu", "elu", "gelu", "silu", "softplus"})
LECUN = frozenset({"selu"})


def init_row(name: str) -> Init:
    """The row of an initialisation.

    Raises: ParseError: an unknown name.
    """
    if not isinstance(name, str) or name not in INITS:
        raise ParseError(
            f"unknown initialisation {str(name)[:40]}{nearest(str(name), list(INITS))}", f"known: {', '.join(INITS)}"
        )
    return INITS[name]


def default_init(activation: str) -> str:
    """What suits the activation after a layer: He for relu and its kin, LeCun for selu, else Glorot."""
    return "he" if activation in HE else "lecun" if activation in LECUN else "glorot"

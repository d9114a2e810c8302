"""Functions that a page defines entry by entry, σ(x) = 1/(1 + e^{-x}): found in the table by their values."""

from __future__ import annotations

import numpy as np

from byhand.audit.pages.definitions import Definition
from byhand.errors import ByhandError
from byhand.expr.functions import FUNCTIONS
from byhand.reading.algebra import NumPy
from byhand.reading.meaning import Meaning
from byhand.reading.scope import Scope
from byhand.reading.values import Value

_POINTS = np.array([[-2.3], [-0.7], [0.4], [1.9]])


class _Argument(Scope):
    """A scope that knows the argument only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def value(self, key: str) -> Value | None:
        return Value(_POINTS, (), True) if key == self.name else None


def functions_of(definitions: dict[str, Definition]) -> dict[str, str]:
    """The rows of the table that a page defines by other names; their definitions are taken out."""
    found: dict[str, str] = {}
    for key, definition in [*definitions.items()]:
        if len(definition.arguments) != 1 or not definition.sides:
            continue
        meaning = Meaning(NumPy(), _Argument(definition.arguments[0]))
        try:
            with np.errstate(all="ignore"):
                made = meaning.value(definition.sides[0])
        except ByhandError:
            continue
        if np.shape(made.data) != np.shape(_POINTS):
            continue
        for name, row in FUNCTIONS.items():
            with np.errstate(all="ignore"):
                if np.allclose(row.numpy(_POINTS), made.data, rtol=1e-10, atol=1e-12):
                    found[key] = name
                    del definitions[key]
                    break
    return found

"""A loss that is a Python function, read as an expression where it can be: mistakes in its gradient then get names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from byhand.errors import ByhandError
from byhand.expr.evaluate import evaluate
from byhand.expr.expression import Expression
from byhand.expr.trace import trace
from byhand.ingest.functions import named_shapes

Array = Any
SAME = 1e-10  # relative, between the value of the loss and that of what was read


def traced(loss: Any, arrays: Mapping[str, Array], value: float) -> tuple[Expression | None, str]:
    """The loss as an expression, or None and why not: the line that stopped it.

    Args:
        loss: callable(**arrays) -> scalar, written for NumPy.
        arrays: its arguments.
        value: what it returned for them.
    """
    told = ""
    assume = {n: "labels" for n, a in arrays.items() if a.dtype.kind in "iu" and np.all(a >= 0)}
    assume |= {n: "01" for n, a in arrays.items() if a.dtype.kind == "b"}
    for shapes in _shapes(arrays):
        try:
            found = trace(loss, shapes, assume)
            if found.shape != ():
                return None, f"it has the shape {found.shape}"
            got = float(np.real(evaluate(found, **{n: arrays[n] for n in found.symbols})))
        except ByhandError as error:
            told = told or " ".join(str(error).split())
            continue
        except (TypeError, ValueError, AttributeError, IndexError) as error:  # of what is called with symbolic arrays
            told = told or f"{type(error).__name__}: {error}"
            continue
        if abs(got - value) <= SAME * max(abs(got), abs(value), 1.0):
            return found, ""
        told = told or "what was read has another value"
    return None, told


def _shapes(arrays: Mapping[str, Array]) -> Iterator[dict[str, str]]:
    """Shapes with a name for each size; the sizes themselves, where a loop runs over them."""
    yield from named_shapes({n: a.shape for n, a in arrays.items()})

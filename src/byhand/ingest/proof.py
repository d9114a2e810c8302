"""What was read is compared with the program itself at other sizes: a size taken for another, a loop over a dimension, a
literal that only looked like one would show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from byhand.errors import ByhandError, ParseError
from byhand.expr.assume import sample
from byhand.expr.dims import dim_value
from byhand.expr.evaluate import evaluate
from byhand.expr.expression import Expression
from byhand.expr.nodes import Structured, Symbol, topological
from byhand.ingest.builder import Reading
from byhand.ingest.sizes import small_sizes

SAME = 1e-8
ATTEMPTS = 4

Run = Callable[[Mapping[str, Any]], Any]


def prove(read: Reading, run: Run, again: Callable[[], Reading], what: str) -> Expression:
    """The expression, if it has the program's values at other sizes; read again with other primes if it has not.

    Raises: ParseError: it has other values then too.
    """
    f = read.expression
    if not read.whole:  # what has no rule has no value to compare
        return f
    told = difference(f, run)
    if told and f.dimension_names:
        f = again().expression
        told = difference(f, run)
    if told:
        raise ParseError(
            f"what was read is not {what}: {told}",
            "a size is used that the shapes do not tell (a loop over a named dimension, an `if` on a shape): give it as a number",
        )
    return f


def difference(f: Expression, run: Run) -> str:
    """Empty, or at which sizes the expression has another value than the program."""
    for attempt in range(ATTEMPTS):
        sizes = small_sizes(f.dimension_names, (), attempt)
        values = draw(f, sizes, attempt)
        try:
            wanted = run(values)
        except Exception:
            continue
        if np.asarray(wanted).dtype.kind not in "biuf":
            return f"its value is of type {np.asarray(wanted).dtype}"
        words = ", ".join(f"{n} = {k}" for n, k in sizes.items()) or "its sizes"
        try:
            with np.errstate(all="ignore"):
                got = np.asarray(evaluate(f, **{n: v for n, v in values.items() if n in f.symbols}))
        except ByhandError as error:
            return f"at {words}: {error.message}"
        if got.shape != wanted.shape:
            return f"at {words} its shape is {got.shape}, not {wanted.shape}"
        good = np.isfinite(wanted)
        if not good.any():
            continue
        gap = float(np.max(np.abs(np.where(good, got - wanted, 0.0)), initial=0.0))
        size = max(float(np.max(np.abs(wanted[good]))), 1e-3)
        if not gap <= SAME * size:
            return f"at {words} it is off by {gap / size:.0e}"
        return ""
    return ""


def draw(f: Expression, sizes: Mapping[str, int], seed: int) -> dict[str, Any]:
    """Values for the inputs, as they are declared; labels below what they are used for."""
    rng = np.random.default_rng(seed)
    bounds: dict[str, int] = {}
    for node in topological([f.root]):
        if (
            isinstance(node, Structured)
            and node.args
            and isinstance(node.args[0], Symbol)
            and node.operation == "one_hot"
        ):
            name, k = node.args[0].name, dim_value(node.attributes[0], sizes)
            bounds[name] = min(k, bounds.get(name, k))
    values = {}
    for name, s in f.symbols.items():
        shape = tuple(dim_value(d, sizes) for d in s.shape)
        free = not s.assumptions - {"constant"}
        x = sample(s.assumptions, rng, shape, bounds.get(name, 2))
        values[name] = np.abs(x) + 0.1 if free and seed % 2 else x
    return values

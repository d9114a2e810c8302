"""Reading the parts of an architecture: sizes such as 784-300-10, and activations by name or as expressions in z."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Sequence
from math import isfinite

import numpy as np

from byhand.errors import ByhandError, ParseError, ShapeError, nearest
from byhand.expr.dims import Dim, parse_dim
from byhand.expr.evaluate import evaluate
from byhand.expr.functions import ABSTRACT, FUNCTIONS
from byhand.expr.parse import parse
from byhand.expr.source import Source
from byhand.nets.definition import Definition, definition

MOST_LAYERS = 2000
ALIASES = {"linear": "identity", "logistic": "sigmoid", "swish": "silu", "none": "identity"}
_NOT_ACTIVATIONS = frozenset({"log", "log1p", "arcsin", "arccos"})  # defined for some z only


def read_sizes(architecture: str | Sequence[int | str]) -> tuple[Dim, ...]:
    """The sizes of a network's layers, inputs first: "784-300-10", "D-H-C" or a list.

    Raises: ParseError: not sizes separated by -; ShapeError: a size below one.
    """
    if isinstance(architecture, str):
        return _sizes_of_text(architecture)
    if not isinstance(architecture, Sequence):
        raise ParseError(f"an architecture is a text such as 784-300-10 or a list, not a {type(architecture).__name__}")
    if not 2 <= len(architecture) <= MOST_LAYERS + 1:
        raise ParseError(
            f"an architecture has 2 to {MOST_LAYERS + 1} sizes, not {len(architecture)}",
            "inputs and outputs at least: [784, 10]",
        )
    return tuple(map(parse_dim, architecture))


def _sizes_of_text(text: str) -> tuple[Dim, ...]:
    shown, remedy = text[:200].replace("\n", " ") or " ", "sizes separated by -, inputs first: 784-300-10"
    if text.count("-") > MOST_LAYERS:
        raise ParseError(f"more than {MOST_LAYERS} layers", remedy).at(shown, 1, 1, len(shown))
    parts = text.split("-")
    if len(parts) < 2:
        raise ParseError(f"{shown[:40]!r} is not an architecture: inputs and outputs are needed", remedy).at(
            shown, 1, 1, len(shown)
        )
    sizes: list[Dim] = []
    column = 1
    for part in parts:
        try:
            if not part.strip():
                raise ParseError("a size is missing")
            sizes.append(parse_dim(part.strip()))
        except ByhandError as error:
            error.details = (remedy,)
            raise error.at(shown, 1, min(column, len(shown)), max(1, len(part))) from None
        column += len(part) + 1
    return tuple(sizes)


def read_activation(text: str) -> str:
    """An activation: its name, or the user's expression in z.

    Raises: ParseError: an unknown name, or an expression that is not a function of z alone, entry by entry.
    """
    if not isinstance(text, str):
        raise ParseError(f"an activation is a name or an expression in z, not a {type(text).__name__}")
    name = ALIASES.get(text.strip(), text.strip())
    if name in ("identity", "softmax", *ABSTRACT) or (name in FUNCTIONS and name not in _NOT_ACTIVATIONS):
        return name
    if re.fullmatch(r"\w*", name):
        known = [*(n for n in FUNCTIONS if n not in _NOT_ACTIVATIONS), "identity", "softmax"]
        message = f"unknown activation {name[:40]}{nearest(name, [*known, *ALIASES])}"
        raise ParseError(message, "an elementwise function, identity, softmax, or an expression in z").at(
            text or " ", 1, 1, len(text)
        )
    f = parse(name, {"z": "rows columns"})
    body = Source.read(name).tree.body
    if len(body) > 1 or not isinstance(body[0], ast.Expr):
        raise ParseError("an activation is one expression in z").at(name, 1, 1)
    z = np.random.default_rng(0).uniform(0.1, 0.9, (3, 5)) * [[1.0], [-1.0], [1.0]]
    with np.errstate(all="ignore"):
        if f.shape == f.symbols["z"].shape:
            together = np.asarray(evaluate(f, z=z))
            apart = np.array([[evaluate(f, z=np.array([[v]]))[0, 0] for v in row] for row in z])
            if np.allclose(together, apart, rtol=1e-9, atol=1e-12, equal_nan=True):
                return name
    raise ShapeError(
        f"the activation {name[:60]} is not a function of single entries of z",
        "softmax is the only one that mixes entries",
    ).at(name, 1, 1, len(name))


def activation_definition(activation: str) -> Definition:
    """What `read_activation` read, as a definition in z."""
    if activation == "identity":
        return definition("z")
    return definition(f"{activation}(z)" if re.fullmatch(r"\w+", activation) else activation)


def read_penalty(l2: float | str) -> float | str:
    """λ: a number that is not negative, or a name."""
    if isinstance(l2, str):
        try:
            return read_penalty(float(l2))
        except ValueError:
            pass
        if not l2.isidentifier() or keyword.iskeyword(l2):
            raise ParseError(f"l2 is a number or a name, not {l2[:40]!r}").at(l2 or " ", 1, 1, len(l2))
        return l2
    if isinstance(l2, bool) or not isinstance(l2, (int, float, np.number)) or not isfinite(l2) or l2 < 0:
        raise ParseError(f"l2 is {l2!r}: a number from 0 on, or a name")
    return float(l2)

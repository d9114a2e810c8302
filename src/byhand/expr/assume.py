"""Declared properties: what each means, what it implies, how to sample it, and how to check that data have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import ParseError, ShapeError, nearest
from byhand.expr.dims import Shape, show_shape

Array = Any
Sample = Callable[[np.random.Generator, tuple[int, ...], int], Array]


class Property(NamedTuple):
    """A row: its words, what follows from it, a sampler (rng, shape, classes) and a test on data."""

    name: str
    words: str
    holds: Callable[[Array], bool]
    sample: Sample | None = None
    implies: tuple[str, ...] = ()
    square: bool = False


def _spd(rng: np.random.Generator, shape: tuple[int, ...], _: int) -> Array:
    x = rng.standard_normal(shape)
    return x @ x.T + shape[0] * np.eye(shape[0])


def _simplex(rng: np.random.Generator, shape: tuple[int, ...], _: int) -> Array:
    x = rng.uniform(0.1, 1.0, shape)
    return x / x.sum(axis=-1, keepdims=True)


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...], _: int) -> Array:
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def _symmetric(rng: np.random.Generator, shape: tuple[int, ...], _: int) -> Array:
    x = rng.standard_normal(shape)
    return x + x.T


def _close(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-8, atol=1e-10))


def _integer(t: Array) -> bool:
    return bool(np.issubdtype(np.asarray(t).dtype, np.integer) and np.all(np.asarray(t) >= 0))


_TABLE = (
    Property("symmetric", "{X} is symmetric", lambda x: _close(x, x.T), _symmetric, square=True),
    Property("spd", "{X} is symmetric positive definite", lambda x: _close(x, x.T) and bool(np.linalg.eigvalsh(x)[0] > 0), _spd,
             ("symmetric", "wellcond"), True),
    Property("wellcond", "{X} is invertible", lambda x: bool(np.linalg.cond(x) < 1e12),
             lambda rng, s, k: rng.standard_normal(s) + 3 * np.eye(s[0]), square=True),
    Property("diagonal", "{X} is diagonal", lambda x: _close(x, np.diag(np.diag(x))),
             lambda rng, s, k: np.diag(rng.uniform(0.5, 2.0, s[0])), ("symmetric",), True),
    Property("orthogonal", "{X} is orthogonal", lambda x: _close(x.T @ x, np.eye(len(x))),
             lambda rng, s, k: np.linalg.qr(rng.standard_normal(s))[0], ("wellcond",), True),
    Property("positive", "the entries of {X} are positive", lambda x: bool(np.all(x > 0)), lambda rng, s, k: rng.uniform(0.5, 2.0, s)),
    Property("nonzero", "the entries of {X} are not zero", lambda x: bool(np.all(x != 0)),
             lambda rng, s, k: rng.uniform(0.5, 2.0, s) * rng.choice([-1.0, 1.0], s)),
    Property("large", "the entries of {X} are large", lambda x: bool(np.all(x > 1)), lambda rng, s, k: rng.uniform(20.0, 30.0, s), ("positive",)),
    Property("pm1", "the entries of {X} are -1 or 1", lambda x: bool(np.all(np.abs(x) == 1)), lambda rng, s, k: rng.choice([-1.0, 1.0], s)),
    Property("01", "the entries of {X} are 0 or 1", lambda x: bool(np.all((x == 0) | (x == 1))), lambda rng, s, k: rng.integers(0, 2, s) * 1.0),
    Property("simplexrows", "the rows of {X} sum to one", lambda x: _close(np.sum(x, axis=-1), 1.0), _simplex),
    Property("simplexcolumns", "the columns of {X} sum to one", lambda x: _close(np.sum(x, axis=0), 1.0), lambda rng, s, k: _simplex(rng, s[::-1], k).T),
    Property("one_hot", "the rows of {X} are one-hot", lambda x: bool(np.all((x == 0) | (x == 1)) and np.all(np.sum(x, axis=-1) == 1)), _one_hot,
             ("simplexrows", "01")),
    Property("labels", "{X} holds integer labels", _integer, lambda rng, s, k: rng.integers(0, k, s)),
    Property("constant", "{X} is constant", lambda x: True),
)  # fmt: skip

PROPERTIES: dict[str, Property] = {row.name: row for row in _TABLE}
_ALIASES = {
    "positive definite": "spd",
    "invertible": "wellcond",
    "rows sum to one": "simplexrows",
    "one-hot": "one_hot",
    "integer labels": "labels",
}


def read_properties(text: str | Iterable[str], name: str, shape: Shape) -> frozenset[str]:
    """The declared properties of a symbol, with all that they imply.

    Raises: ParseError: an unknown property. ShapeError: a property of square matrices for another shape.
    """
    if not isinstance(text, (str, list, tuple, set, frozenset)):
        raise ParseError(f"the properties of {name} are words, such as 'symmetric', not a {type(text).__name__}")
    words = text.split(",") if isinstance(text, str) else list(text)
    found: set[str] = set()
    todo = [(_ALIASES.get(w, w), w) for w in (str(w).strip() for w in words) if w]
    shown = f"{name}: {', '.join(w for _, w in todo)}"
    while todo:
        word, said = todo.pop()
        place = (shown, 1, shown.index(said, len(name) + 2) + 1, len(said))
        if word not in PROPERTIES:
            near, known = nearest(word, [*PROPERTIES, *_ALIASES]), f"known: {', '.join(PROPERTIES)}"
            raise ParseError(f"unknown property {word!r} of {name}{near}", known).at(*place)
        row = PROPERTIES[word]
        if row.square and (len(shape) != 2 or shape[0] != shape[1]):
            raise ShapeError(f"{name} cannot be {said}: only a square matrix can", f"{name}: {show_shape(shape)}").at(
                *place
            )
        if word in ("simplexrows", "simplexcolumns", "one_hot") and not shape:
            raise ShapeError(f"{name} cannot be {said}: it is a scalar").at(*place)
        found.add(word)
        todo += [(implied, said) for implied in row.implies]
    return frozenset(found)


def sentence(name: str, ndim: int, word: str) -> str:
    """A declared property of a symbol as a sentence; a vector has entries where a matrix has rows."""
    words = PROPERTIES[word].words.format(X=name)
    return (
        words.replace("the rows of", "the entries of").replace("are one-hot", "are one-hot labels")
        if ndim == 1
        else words
    )


def sample(properties: Iterable[str], rng: np.random.Generator, shape: tuple[int, ...], classes: int = 2) -> Array:
    """Random values with the declared properties; standard normal where none is declared."""
    known = set(properties)
    for name in (
        "labels",
        "one_hot",
        "simplexrows",
        "simplexcolumns",
        "spd",
        "diagonal",
        "orthogonal",
        "symmetric",
        "wellcond",
        "pm1",
        "01",
        "large",
        "positive",
        "nonzero",
    ):
        sampler = PROPERTIES[name].sample
        if name in known and sampler is not None:
            values = sampler(rng, shape, classes)
            return np.abs(values) if "positive" in known and name in ("symmetric", "wellcond") else values
    return rng.standard_normal(shape)


def broken_properties(properties: Mapping[str, Iterable[str]], arrays: Mapping[str, Array]) -> list[str]:
    """One sentence for each declared property that the data do not have."""
    return [
        f"{name} was declared {p}, but in the data this does not hold: {PROPERTIES[p].words.format(X=name)}"
        for name, declared in properties.items()
        for p in sorted(declared)
        if name in arrays and not _holds(PROPERTIES[p], np.asarray(arrays[name]))
    ]


def _holds(row: Property, array: Array) -> bool:
    try:
        return row.holds(array)
    except (np.linalg.LinAlgError, ValueError, TypeError, IndexError):  # NaN, or not numbers at all
        return False

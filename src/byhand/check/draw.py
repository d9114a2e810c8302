"""Points to check at: sizes and values drawn from the declared domains, where the function is smooth and finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from byhand.check.numeric import Environment, Slope
from byhand.check.report import size_words
from byhand.derive.derivation import Derivation
from byhand.errors import DataError
from byhand.expr.assume import sample
from byhand.expr.contraction import is_zero
from byhand.expr.dims import Dimension, dim_names, dim_value, terms_of
from byhand.expr.evaluate import check_slice
from byhand.expr.functions import function
from byhand.expr.nodes import Constant, Contraction, Elementwise, Expr, Named, Structured, Symbol, describe, topological

Array = Any
Sampler = Callable[[np.random.Generator, tuple[int, ...]], Array]

# without 2, which would hide a factor of 2
PRIMES = tuple(p for p in range(3, 2000) if all(p % q for q in range(2, int(p**0.5) + 1)))
ATTEMPTS = 48
MOST_SIZES = 24
ENOUGH = 16  # attempts after which a point with a vanishing gradient is taken: it may vanish everywhere
KINK = 1e-9  # of the largest argument: nearer, two ways of computing it may fall on different sides
WORST_CONDITION = 1e6
_FREE = frozenset({"constant"})  # properties that leave the values free


@dataclass(frozen=True, eq=False)
class Point:
    """One point: sizes of the dimensions, and arrays for the inputs.

    Attributes:
        derivation: what is checked.
        seed, sizes, arrays: the draw.
        note: how undeclared inputs had to be drawn, if not as usual; empty otherwise.
        still: whether an argument stands at a kink from which it does not move.
    """

    derivation: Derivation
    seed: int
    sizes: dict[str, int]
    arrays: dict[str, Array]
    note: str = ""
    still: bool = False

    @cached_property
    def values(self) -> dict[Expr, Array]:
        """The arrays by input node."""
        symbols = self.derivation.f.symbols
        return {symbols[name]: array for name, array in self.arrays.items()}

    @cached_property
    def env(self) -> Environment:
        """The values of all nodes."""
        return Environment(self.values, self.sizes)

    @cached_property
    def direction(self) -> dict[Expr, Array]:
        """A random direction for each variable."""
        rng = np.random.default_rng((self.seed, 1))
        return {v: direction_for(v, np.shape(self.env[v]), rng) for v in self.derivation.variables}

    @cached_property
    def selects(self) -> bool:
        """Whether a mask of a gradient stands beside what has no value here: steps may write the two apart."""
        with np.errstate(all="ignore"):
            return any(_selects(self, g.root) for g in self.derivation.gradients.values())

    @property
    def words(self) -> str:
        """The sizes and the seed."""
        return "; ".join(w for w in (size_words(self.sizes), f"seed {self.seed}") if w)

    def shape(self, node: Expr) -> tuple[int, ...]:
        """The sizes of a node's axes."""
        return tuple(dim_value(d, self.sizes) for d in node.shape)

    def randomness(self, purpose: int) -> np.random.Generator:
        """Random numbers that only the seed and the purpose decide."""
        return np.random.default_rng((self.seed, purpose))


class NoPointError(Exception):
    """No point was found where the function can be checked; the message says why."""


def direction_for(variable: Symbol, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A random direction in the space of the variable: symmetric and diagonal ones stay so."""
    d = rng.standard_normal(shape)
    if "diagonal" in variable.assumptions:
        return np.diag(np.diag(d))
    return d + d.T if "symmetric" in variable.assumptions else d


def draw_point(d: Derivation, seed: int) -> Point:
    """A point of pairwise distinct prime sizes at which the function and the gradients are finite.

    Inputs with declared properties are drawn with them. The others are drawn standard normal, matrices scaled to keep
    products of them of order one; where that leads outside the domain of a logarithm, a root or an inverse, or onto a
    kink, other sizes and other distributions are tried.

    Raises: NoPointError: none was found.
    """
    forward = topological([d.f.root, d.prepared.root])
    classes = _classes(forward)
    reasons: list[str] = []
    second: Point | None = None
    for attempt, (words, sampler) in enumerate(_distributions()):
        rng = np.random.default_rng((seed, 0, attempt))
        sizes = draw_sizes(d, forward, rng, seed, attempt)
        if sizes is None:
            reasons.append("no sizes were found for which every slice lies inside its axis")
            continue
        arrays = {}
        for name, s in d.f.symbols.items():
            shape = tuple(dim_value(size, sizes) for size in s.shape)
            count = min((dim_value(k, sizes) for k in classes.get(s, [])), default=2)
            free = not s.assumptions - _FREE
            arrays[name] = sampler(rng, shape) if free else sample(s.assumptions, rng, shape, count)
        point = Point(d, seed, sizes, arrays, words)
        with np.errstate(all="ignore"):
            reason, still = trouble(point, forward)
        if reason is not None:
            reasons.append(reason)
            continue
        point = Point(d, seed, sizes, arrays, words, still)
        with np.errstate(all="ignore"):
            if not _degenerate(point):
                return point
        second = second or point
        if attempt >= ENOUGH:
            break
    if second is not None:
        return second
    usual = max(dict.fromkeys(reasons), key=reasons.count)
    raise NoPointError(f"{usual} at each of {len(reasons)} points drawn; declared properties of the inputs would help")


def draw_sizes(
    d: Derivation, forward: list[Expr], rng: np.random.Generator, seed: int, attempt: int = 0
) -> dict[str, int] | None:
    """Pairwise distinct primes for the named dimensions, none an integer dimension; None where a slice does not fit.

    Of very many dimensions, those declared near each other are distinct: the primes would get large.
    """
    names = d.f.dimension_names
    taken = {size for s in d.f.symbols.values() for size in s.shape if isinstance(size, int)}
    slices = [n.attributes for n in forward if isinstance(n, Structured) and n.operation == "affine"]
    longest = max((part for at in slices for part in at[1:] if isinstance(part, int)), default=0) if slices else 0
    sliced = {name for at in slices for name in dim_names(at[0])}
    less = {-c for s in d.f.symbols.values() for size in s.shape for m, c in terms_of(size).items() if not m and c < 0}
    longest = max(longest, *less, 0)  # the axes of L-9 need a large L
    sliced |= (
        {x for s in d.f.symbols.values() for size in s.shape for x in dim_names(size) if x != str(size)}
        if less
        else set()
    )
    pool = [p for p in PRIMES if p not in taken]
    few = _shuffled(pool, len(names), seed + attempt, rng)
    large = _shuffled([p for p in pool if p > longest + 3 * attempt], len(names), seed, rng)
    sizes: dict[str, int] = {}
    for name in names:
        used = list(sizes.values())[-MOST_SIZES:]
        sizes[name] = next(p for p in (*(large if name in sliced else few), *pool) if p not in used)
    if any(dim_value(size, sizes) < 1 for s in d.f.symbols.values() for size in s.shape):
        return None
    try:
        for at in slices:
            check_slice(at, sizes)
    except DataError:
        return None
    return sizes


def _shuffled(pool: list[int], names: int, turn: int, rng: np.random.Generator) -> list[int]:
    """Small primes for that many names, others at every turn, in random order."""
    count = min(names, MOST_SIZES)
    few = pool[: count + 2]
    turned = [few[(k + turn) % len(few)] for k in range(count)]
    return [int(p) for p in rng.permutation(turned)]


def _classes(forward: list[Expr]) -> dict[Expr, list[Dimension | int]]:
    """The number of classes that labels count, from their use."""
    found: dict[Expr, list[Dimension | int]] = {}
    for node in forward:
        if isinstance(node, Structured) and node.operation == "one_hot":
            found.setdefault(node.args[0], []).append(node.attributes[0])
    return found


def _distributions() -> Iterator[tuple[str, Sampler]]:
    """How undeclared inputs are drawn: as usual first, then in ways that reach narrower domains."""

    def scaled(x: Array) -> Array:
        return x / np.sqrt(x.shape[-2]) if x.ndim > 1 else x

    def positive_vectors(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return scaled(rng.standard_normal(shape)) if len(shape) > 1 else rng.uniform(0.2, 2.0, shape)

    def near_identity(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        x = 0.3 * rng.standard_normal(shape)
        return x + 2 * np.eye(*shape) if len(shape) == 2 else np.abs(x) + 0.5

    def offset(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.choice([-3.0, -1.0, 1.0, 3.0, 10.0]) + 0.2 * rng.standard_normal(shape)

    ways: tuple[tuple[str, Sampler], ...] = (
        ("", lambda rng, shape: scaled(rng.standard_normal(shape))),
        ("", lambda rng, shape: scaled(rng.standard_normal(shape))),
        ("positive vectors", positive_vectors),
        ("positive values", lambda rng, shape: scaled(rng.uniform(0.5, 2.0, shape))),
        ("values between 0 and 1/2", lambda rng, shape: rng.uniform(0.05, 0.5, shape)),
        ("matrices near the identity and positive vectors", near_identity),
        ("values around a number for each", offset),
        ("values around a number for each", offset),
        ("small values", lambda rng, shape: 0.05 * rng.standard_normal(shape)),
    )
    for attempt in range(ATTEMPTS):
        yield ways[attempt % len(ways)]


def trouble(point: Point, forward: list[Expr]) -> tuple[str | None, bool]:
    """Why a point cannot be used, or None; and whether arguments stand still at a kink."""
    at_kink: list[tuple[Elementwise, Array]] = []
    for node in forward:
        try:
            value = np.asarray(point.env[node])
        except DataError as e:
            return e.message, False
        if not np.all(np.isfinite(value)):
            return f"{_words(node)} is not finite", False
        if isinstance(node, Structured) and node.operation in ("inv", "logdet"):
            condition = np.linalg.cond(point.env[node.args[0]])
            if not condition < WORST_CONDITION:
                return f"the argument of {node.operation} is singular or nearly so", False
        if isinstance(node, Elementwise) and function(node.function).kinks:
            z = np.asarray(point.env[node.arg])
            width = KINK * max(float(np.max(np.abs(z), initial=0.0)), 1e-280)
            near = np.any([np.abs(z - k) <= width for k in function(node.function).kinks], axis=0)
            if np.any(near):
                at_kink.append((node, near))
    if at_kink:
        moved = Slope(point.derivation.f.root, point.direction).moved(point.env, point.direction)
        moved |= Slope(point.derivation.prepared.root, point.direction).moved(point.env, point.direction)
        for node, near in at_kink:
            if np.any(np.imag(moved.get(node.arg, 0.0)) * near):
                return f"{node.function} is at its kink", False
    return None, bool(at_kink)


def _degenerate(point: Point) -> bool:
    """Whether a gradient is not finite, or zero only here: all units of a layer off, say.

    A gradient that is said to be zero everywhere is asked of the function itself: other points may tell otherwise.
    """
    root = point.derivation.f.root
    for v in point.derivation.variables:
        gradient = point.derivation.gradients[v.name].root
        value = np.asarray(point.env[gradient])
        if is_zero(gradient):
            slope = Slope(root, [v])
            if slope.used and not np.any(slope.along(point.env, {v: point.direction[v]})):
                return True
        elif not (np.all(np.isfinite(value)) and np.any(value)) or _selects(point, gradient):
            return True
    return False


def _selects(point: Point, gradient: Expr) -> bool:
    """Whether a factor of the gradient has no value here, so that a mask beside it selects: steps may part the two."""
    factors = [f for n in topological([gradient]) if isinstance(n, Contraction) for f in n.factors]
    return not all(np.all(np.isfinite(np.asarray(point.env[f], float) ** float(p))) for f, _, p in factors)


def _words(node: Expr) -> str:
    match node:
        case Symbol(name) | Named(name) | Constant(name):
            return name
        case Elementwise(name) | Structured(name):
            return f"{name}(...)"
        case _:
            return describe(node).split(":")[0].replace("the operand", "a product or power")

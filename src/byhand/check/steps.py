"""Each step of a derivation by numbers: what stands before it equals what stands after it.

The steps form a chain: definitions agree with the user's function, each differential is the derivative of its
definition, each move keeps the inner product for every adjoint and every differential (random ones are put in their
place), and each adjoint is the sum of what the moves contribute. No rule is used, only evaluation and complex steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from byhand.check.draw import Point
from byhand.check.numeric import Environment, Slope, agreement, difference, norm, restricted
from byhand.derive.derivation import Derivation
from byhand.derive.record import Pairing, TermRecord
from byhand.expr.contraction import zero
from byhand.expr.nodes import Differential, Expr, Named, Symbol, differential_of, topological

Array = Any
Side = Expr | Pairing
IDENTITY = 1e-10  # two ways of computing the same numbers
DERIVATIVE = 1e-8  # against a complex step
PARTED = "no point was drawn where both a mask and what it selects from have values, and here they stand apart"
_FREE_KINDS = frozenset({"move", "pair", "collect", "read off", "zero"})


@dataclass(frozen=True, slots=True)
class Claim:
    """Two sides that should be equal: a step, or a link between steps that the record takes for granted."""

    unit: str
    rule: str
    kind: str
    before: Side
    after: Side
    is_step: bool = True

    @property
    def tolerance(self) -> float:
        """The largest relative error that counts as equal."""
        return DERIVATIVE if self.kind == "differential" else IDENTITY


@dataclass(frozen=True, eq=False)
class Claims:
    """What a derivation claims, step by step, and the nodes that the numbers need.

    Attributes:
        rows: the claims in order; links that hold by construction are left out.
        ends: the intermediates and variables that differentials are written in, those that depend on a variable.
        adjoints: the names of adjoints, which stand for anything in the moves below them.
    """

    derivation: Derivation

    @cached_property
    def ends(self) -> frozenset[Expr]:
        """Intermediates and variables that depend on a variable."""
        found: set[Expr] = set(self.derivation.variables)
        for node in topological([self.derivation.prepared.root]):
            if any(c in found for c in node.children):
                found.add(node)
        return frozenset(n for n in found if isinstance(n, (Named, Symbol)))

    @cached_property
    def adjoints(self) -> tuple[Named, ...]:
        """The named adjoints."""
        return tuple(u.adjoint for u in self.derivation.units if isinstance(u.adjoint, Named))

    @cached_property
    def contributions(self) -> dict[Expr, tuple[Expr, ...]]:
        """Child -> what the moves of other units contribute to its adjoint."""
        found: dict[Expr, tuple[Expr, ...]] = {}
        for u in self.derivation.units:
            for record in u.terms:
                found[record.term.child] = (*found.get(record.term.child, ()), record.contribution)
        return found

    @cached_property
    def rows(self) -> tuple[Claim, ...]:
        """Every step, and the links that do not hold by construction."""
        d = self.derivation
        collected = {(u.name, u.stages[0].node): u.node for u in d.units}
        originals = d.f.intermediates
        rows: list[Claim] = []
        for s in d.steps:
            before = s.before
            if s.kind == "definition":
                before = d.f.root if s.before is d.prepared.root else originals.get(s.unit, s.before)
                if isinstance(s.before, Expr) and isinstance(before, Expr) and before.shape != s.before.shape:
                    before = s.before
            if s.kind in ("collect", "read off", "zero"):
                before = collected[s.unit, s.before] if isinstance(s.before, Expr) else s.before
            rows.append(Claim(s.unit, s.rule, s.kind, before, s.after))
        if isinstance(d.prepared.root, Named):
            rows.append(Claim(d.f.name, "the function in normal form", "link", d.f.root, d.prepared.root, False))
        return self.in_order([*rows, *self.links()])

    def in_order(self, rows: list[Claim]) -> tuple[Claim, ...]:
        """Definitions, differentials, then unit by unit: the first claim that is wrong is where it went wrong."""
        place = {u.name: k for k, u in enumerate(self.derivation.units)}
        phases = {"definition": -2, "differential": -1}
        return tuple(sorted(rows, key=lambda c: phases.get(c.kind, place.get(c.unit, -2))))

    def links(self) -> Iterator[Claim]:
        """What the next step takes over from the last one, where it is not the very same node."""
        for u in self.derivation.units:
            carried = u.adjoint.body if isinstance(u.adjoint, Named) and u.adjoint is not u.value else u.adjoint
            if carried is not u.value:
                yield Claim(u.name, "the adjoint is carried on as it was derived", "link", u.value, u.adjoint, False)
            if not u.terms and not isinstance(u.node, Symbol):
                nothing = zero(u.body.shape)
                yield Claim(u.name, "the differential is zero", "differential", differential_of(u.body), nothing, False)
            for record in u.terms:
                last = record.moves[-1].left if record.moves else record.contribution
                if last is not record.contribution:
                    rule = f"what the moves contribute to {_name(record)}"
                    yield Claim(u.name, rule, "move", last, record.contribution, False)


def _name(record: TermRecord) -> str:
    child = record.term.child
    return child.name if isinstance(child, (Named, Symbol)) else "its child"


@dataclass(eq=False)
class Numbers:
    """The sides of claims as numbers at one point.

    In moves and where contributions are collected, adjoints are random arrays, so that these are tested for every
    adjoint, also where the true one happens to vanish. Simplifications have the true ones: they may use what is known
    of them, such as symmetry.
    """

    claims: Claims
    point: Point
    env: Environment = field(init=False)
    free: Environment = field(init=False)

    def __post_init__(self) -> None:
        self.differentials: dict[Expr, Array] = {}
        self.shakes: dict[int, tuple[Environment, Environment]] = {}
        self.env, self.free = self.environments()

    def environments(self, noise: np.random.Generator | None = None) -> tuple[Environment, Environment]:
        """True values, and values with random adjoints."""
        d = self.claims.derivation
        true = Environment(self.point.values, self.point.sizes, noise=noise)

        def unknown(node: Differential) -> Array:
            return self.differential(node, true)

        true.unknown = unknown
        for node in [d.prepared.root, *d.helpers]:
            _ = true[node]
        rng = self.point.randomness(2)
        adjoints: dict[Expr, Array] = {a: rng.standard_normal(self.point.shape(a)) for a in self.claims.adjoints}
        return true, Environment(true.known | adjoints, self.point.sizes, unknown, noise)

    # ---- differentials

    def differential(self, node: Differential, env: Environment) -> Array:
        """d(end) is a random array; d(anything else) follows by complex step from those of the ends in it."""
        if node.arg not in self.claims.ends:
            slope = Slope(node.arg, self.claims.ends, into_named=False)
            return slope.along(env, {leaf: self.differential(differential_of(leaf), env) for leaf in slope.used})
        if node not in self.differentials:
            rng = self.point.randomness(int.from_bytes(node.digest[:4], "big"))
            value = rng.standard_normal(self.point.shape(node))
            if self.point.still:  # at a kink, only what moves may move
                value = value * (self.tangents.get(node.arg, np.zeros(())) != 0)
            self.differentials[node] = value
        return self.differentials[node]

    @cached_property
    def tangents(self) -> dict[Expr, Array]:
        """How each node moves when the variables move."""
        root = self.claims.derivation.prepared.root
        moved = Slope(root, self.point.direction).moved(self.point.env, self.point.direction)
        return {node: np.imag(value) for node, value in moved.items()}

    # ---- sides

    def environment(self, claim: Claim) -> Environment:
        """Where a claim is evaluated."""
        return self.free if claim.kind in _FREE_KINDS else self.env

    def value(self, claim: Claim, side: Side, env: Environment) -> Array:
        """One side as an array or a number."""
        if isinstance(side, Pairing):
            return np.sum(env[side.left] * env[side.right])
        if claim.is_step and claim.kind in ("collect", "read off", "zero") and side is claim.before:
            return self.collected(side, env)
        return np.asarray(env[side])

    def collected(self, node: Expr, env: Environment) -> Array:
        """The sum of the contributions to the adjoint of a node; one for the function itself."""
        start = 1.0 if node is self.claims.derivation.prepared.root else 0.0
        total = np.full(self.point.shape(node), start)
        for c in self.claims.contributions.get(node, ()):
            total = total + env[c]
        return total

    def sides(self, claim: Claim) -> tuple[Array, Array]:
        """Both sides."""
        env = self.environment(claim)
        before, after = (self.value(claim, side, env) for side in (claim.before, claim.after))
        if claim.kind == "structure":
            d = self.claims.derivation
            before = restricted(next(v for v in d.variables if v.name == claim.unit), before, d.free_entries)
        return np.asarray(before), np.asarray(after)

    # ---- verdicts

    def error(self, claim: Claim) -> float:
        """The relative error of a claim, normwise."""
        before, after = self.sides(claim)
        scale = max(norm(before), norm(after))
        return agreement(
            difference(before, after),
            scale,
            claim.tolerance,
            partial(self.noise, claim),
            partial(self.amplitude, claim),
        )

    def parted(self, claim: Claim) -> bool:
        """Whether a side has no value here because a mask and what it selects from stand in different steps."""
        return self.point.selects and not all(np.all(np.isfinite(side)) for side in self.sides(claim))

    def noise(self, claim: Claim, k: int) -> float:
        """How much the sides change when every value changes in its last places."""
        env = self.environment(claim)
        noisy = self.shaken(k)[1 if env is self.free else 0]
        total = 0.0
        for side in (claim.before, claim.after):
            total += difference(self.value(claim, side, env), self.value(claim, side, noisy))
            if isinstance(side, Pairing):  # a sum of terms that cancel, by chance or not
                total += np.finfo(float).eps * norm(env[side.left]) * norm(env[side.right])
        return total

    def amplitude(self, claim: Claim) -> float:
        """How large the numbers are that the sides are made of."""
        env, largest = self.environment(claim), max(map(norm, self.sides(claim)))
        for side in (claim.before, claim.after):
            if isinstance(side, Pairing):
                largest = max(largest, norm(env[side.left]) * norm(env[side.right]))
            else:
                largest = max([largest, *(norm(env[child]) for child in side.children)])
        return largest

    def shaken(self, k: int) -> tuple[Environment, Environment]:
        """The same with every value changed in its last places, in the k-th way."""
        if k not in self.shakes:
            self.shakes[k] = self.environments(self.point.randomness(100 + k))
        return self.shakes[k]

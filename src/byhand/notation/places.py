"""Indices as terms: j, j + 1, p j + k, t_n. An index is a number plus multiples of letters, so that no letter hides in a text.

Indices count from 0, as in the code that the user typed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from byhand.expr.dims import Dim, Dimension, add_dims, multiply_dims, never_negative
from byhand.notation import typeset as ts
from byhand.notation.style import dimension_math
from byhand.notation.typeset import Math

Atom = Hashable  # a letter (text), a label that has no letter yet, or an entry of an array of labels (Math)
Range = tuple[Dim, Dim]  # the first and the last value


@dataclass(frozen=True, slots=True)
class Place:
    """An index: a constant, and atoms with factors."""

    constant: Dim = 0
    terms: tuple[tuple[Atom, Dim], ...] = ()

    def plus(self, other: Place, factor: Dim = 1) -> Place:
        """self + factor × other."""
        found = dict(self.terms)
        for atom, c in other.terms:
            found[atom] = add_dims(found.get(atom, 0), multiply_dims(factor, c))
        kept = tuple((atom, c) for atom, c in found.items() if c != 0)
        return Place(add_dims(self.constant, multiply_dims(factor, other.constant)), kept)

    def put(self, places: Mapping[Atom, Place]) -> Place:
        """The index with atoms replaced."""
        if not any(atom in places for atom, _ in self.terms):
            return self
        constant, found = self.constant, dict[Atom, Dim]()
        for atom, c in self.terms:
            place = places.get(atom)
            if place is None:
                found[atom] = add_dims(found.get(atom, 0), c)
                continue
            constant = add_dims(constant, multiply_dims(c, place.constant))
            for other, k in place.terms:
                found[other] = add_dims(found.get(other, 0), multiply_dims(c, k))
        return Place(constant, tuple((atom, c) for atom, c in found.items() if c != 0))

    @property
    def atoms(self) -> list[Atom]:
        """What it is made of beside numbers."""
        return [atom for atom, _ in self.terms]

    @property
    def alone(self) -> Atom | None:
        """The atom, if the index is nothing else."""
        return self.terms[0][0] if self.constant == 0 and len(self.terms) == 1 and self.terms[0][1] == 1 else None

    @property
    def shifted(self) -> tuple[Atom, Dim] | None:
        """The atom and what is added to it, if the index is one atom plus a number."""
        return (self.terms[0][0], self.constant) if len(self.terms) == 1 and self.terms[0][1] == 1 else None

    def inside(self, size: Dim, ranges: Mapping[Any, Range]) -> bool:
        """Whether it certainly lies on an axis of this size; labels are taken to do so."""
        if any(isinstance(atom, Math) for atom in self.atoms):
            return self.alone is not None
        return self.never_negative(ranges) and Place(minus(size, 1)).plus(self, -1).never_negative(ranges)

    def never_negative(self, ranges: Mapping[Any, Range]) -> bool:
        """Whether it is certainly not below 0, given the ranges of its letters."""
        low = self.constant
        for atom, c in self.terms:
            if atom not in ranges:
                return False
            end = ranges[atom][0 if never_negative(c) else 1]
            low = add_dims(low, multiply_dims(c, end))
        return never_negative(low)

    @property
    def math(self) -> Math:
        """The index as mathematics: atoms first, the number last."""
        items: list[tuple[bool, Math]] = [_signed(c, _atom(atom)) for atom, c in self.terms]
        items += _signed_terms(self.constant) if self.constant != 0 or not items else []
        items.sort(key=lambda t: not t[0])
        return items[0][1] if len(items) == 1 and items[0][0] else ts.Sum(tuple(items))


def place_of(atom: Atom) -> Place:
    """The index that is this atom; a numeral is a number."""
    if isinstance(atom, str) and atom.isdecimal():
        return Place(int(atom))
    return Place(0, ((atom, 1),))


def as_place(index: str | Place) -> Place:
    """An index from a letter or a numeral."""
    return index if isinstance(index, Place) else place_of(index)


def index_of(place: Place) -> ts.Index:
    """The index as it is typeset: a single letter as such."""
    return place.alone if isinstance(place.alone, str) else place.math


def minus(a: Dim, b: Dim) -> Dim:
    """a − b."""
    return add_dims(a, multiply_dims(-1, b))


def _signed_terms(d: Dim) -> list[tuple[bool, Math]]:
    if not isinstance(d, Dimension):
        return [(d >= 0, dimension_math(abs(d)))]
    terms = [(c > 0, dimension_math(Dimension(((monomial, abs(c)),)))) for monomial, c in d.terms]
    return sorted(terms, key=lambda t: not t[0])


def _signed(c: Dim, m: Math) -> tuple[bool, Math]:
    """A multiple of an atom, and its sign."""
    if isinstance(c, Dimension):
        return True, ts.Product((dimension_math(c), m))
    return c > 0, m if abs(c) == 1 else ts.Product((dimension_math(abs(c)), m))


def _atom(atom: Atom) -> Math:
    return atom if isinstance(atom, Math) else ts.Name(str(atom))

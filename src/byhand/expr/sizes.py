"""Sizes of the named dimensions, read off axes: m from m*n where n is known, n from n + 1 or n**2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from byhand.expr.dims import Dim, Dimension, Floor, Monomial, Shape, dim_from_terms, dim_names, dim_value

T = TypeVar("T")


class Solved(NamedTuple):
    """A name whose size an axis gives: name**degree = (size of the axis - rest) / factor.

    Attributes:
        name: the dimension.
        place: which of the axes.
        degree, factor, rest: of the equation; factor and rest are made of names that are known before.
    """

    name: str
    place: int
    degree: int
    factor: Dim
    rest: Dim

    @property
    def bare(self) -> bool:
        """Whether the axis is the name itself."""
        return (self.degree, self.factor, self.rest) == (1, 1, 0)

    def size(self, axis: int, sizes: Mapping[str, int]) -> int | None:
        """The size of the name where the axis has this one; None where no integer solves the equation."""
        factor = dim_value(self.factor, sizes)
        power, left = divmod(axis - dim_value(self.rest, sizes), factor) if factor else (0, 1)
        root = round(power ** (1 / self.degree)) if power > 0 else 0
        return root if not left and power >= 0 and root**self.degree == power else None


def solved_names(axes: Sequence[Dim], known: Iterable[str] = ()) -> list[Solved]:
    """The names that axes of these dimensions tell, each once: the first axis that is the name itself, then equations."""
    found: list[Solved] = []
    have = set(known)
    for place, d in enumerate(axes):
        if isinstance(d, Dimension) and dim_names(d) == {str(d)} and str(d) not in have:
            found.append(Solved(str(d), place, 1, 1, 0))
            have.add(str(d))
    todo = [(place, d) for place, d in enumerate(axes) if isinstance(d, Dimension)]
    while (new := next(_equations(todo, have), None)) is not None:
        found.append(new)
        have.add(new.name)
    return found


def _equations(axes: Iterable[tuple[int, Dimension]], known: set[str]) -> Iterator[Solved]:
    for place, d in axes:
        unknown = dim_names(d) - known
        if len(unknown) == 1:
            (name,) = unknown
            degrees = {dict(monomial).get(name, 0) for monomial, _ in d.terms} - {0}
            rounded = any(isinstance(x, Floor) and name in dim_names(x.over) | dim_names(x.by)
                          for monomial, _ in d.terms for x, _ in monomial)  # fmt: skip
            if len(degrees) == 1 and not rounded:
                factor: dict[Monomial, int] = {}
                rest: dict[Monomial, int] = {}
                for monomial, count in d.terms:
                    others = tuple((n, p) for n, p in monomial if n != name)
                    (factor if len(others) < len(monomial) else rest)[others] = count
                yield Solved(name, place, degrees.pop(), dim_from_terms(factor), dim_from_terms(rest))


def telling(needed: Iterable[str], have: Iterable[Shape], candidates: Sequence[tuple[T, Shape]]) -> list[T]:
    """Which of the candidates, the earlier ones first, are wanted beside `have` to know the sizes of the names."""

    def unknown(kept: Iterable[tuple[T, Shape]]) -> set[str]:
        axes = [d for shape in (*shapes, *(shape for _, shape in kept)) for d in shape]
        return names - {s.name for s in solved_names(axes)}

    shapes, names = list(have), set(needed)
    if not unknown([]):
        return []
    kept = [c for c in candidates if any(isinstance(d, Dimension) for d in c[1])]
    best = unknown(kept)
    for c in reversed(kept):
        others = [k for k in kept if k is not c]
        if unknown(others) == best:
            kept = others
    return [key for key, _ in kept]


__all__ = ["Solved", "solved_names", "telling"]

"""Where arrays stand: what lives at different times shares memory, and what is made entry by entry may take a place over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from byhand.expr.dims import Dim, Shape, multiply_dims

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Life:
    """When an array is needed.

    Attributes:
        shape: of its memory.
        first, last: the step that writes it first, and the one that reads it last.
    """

    shape: Shape
    first: int
    last: int


@dataclass
class Slot(Generic[A]):
    """A piece of memory, and the arrays that stand in it one after the other."""

    shape: Shape
    held: list[A] = field(default_factory=list)


@dataclass(frozen=True)
class Storage(Generic[A]):
    """The memory of arrays.

    Attributes:
        slots: all pieces.
        of: the piece of each array.
        in_place: array -> the one whose memory it takes over, entry by entry.
    """

    slots: list[Slot[A]]
    of: dict[A, Slot[A]]
    in_place: dict[A, A]


def stored(lives: Mapping[A, Life], may_take: Callable[[A, A], bool]) -> Storage[A]:
    """Memory for arrays, each of them shared only where sizes are equal whatever the dimensions are.

    Args:
        lives: in the order in which they are written.
        may_take: whether the first may take the place of the second, which its own step reads for the last time.
    """
    found: Storage[A] = Storage([], {}, {})
    free: dict[Dim, list[Slot[A]]] = {}
    for step in sorted({life.first for life in lives.values()} | {life.last for life in lives.values()}):
        dying = [x for x, life in lives.items() if life.last == step and life.first < step]
        made = [x for x, life in lives.items() if life.first == step]
        for x in made:
            size = entries_of(lives[x].shape)
            donor = next((y for y in dying if entries_of(lives[y].shape) == size and may_take(x, y)), None)
            if donor is not None:
                dying.remove(donor)
                slot, found.in_place[x] = found.of[donor], donor
            elif free.get(size):
                slot = free[size].pop()
            else:
                slot = Slot(lives[x].shape)
                found.slots.append(slot)
            slot.held.append(x)
            found.of[x] = slot
        for x in [*dying, *(x for x in made if lives[x].last == step)]:
            free.setdefault(entries_of(lives[x].shape), []).append(found.of[x])
    return found


def entries_of(shape: Shape) -> Dim:
    """The number of entries, a polynomial in the named dimensions."""
    total: Dim = 1
    for d in shape:
        total = multiply_dims(total, d)
    return total


__all__ = ["Life", "Slot", "Storage", "entries_of", "stored"]

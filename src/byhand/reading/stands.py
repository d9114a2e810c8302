"""What the names of a page that byhand printed stand for: arrays, differentials, gradients, sizes; and how a vector stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from byhand.reading.unicode import Names as Words
from byhand.reading.values import Value

Array = Any


@dataclass(frozen=True, slots=True)
class Entry:
    """An array, and whether a vector stands as a row."""

    array: Array
    row: bool = False


@dataclass
class Names:
    """What names stand for.

    Attributes:
        values: inputs, intermediates, the function, constants, by the name that is printed.
        differentials: X -> what dX stands for.
        gradients: (f, X) -> what ∂f/∂X stands for.
        sizes: the dimensions.
        jacobian: (z, h) -> the array ∂z/∂h of a definition z, the axes of z first; None where it is not known.
    """

    values: dict[str, Entry] = field(default_factory=dict)
    differentials: dict[str, Entry] = field(default_factory=dict)
    gradients: dict[tuple[str, str], Entry] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    jacobian: Callable[[str, str], Array | None] = lambda above, below: None

    @cached_property
    def words(self) -> Words:
        """All names as a tokenizer needs them."""
        moving = (f"d{name}" for name in self.differentials)
        both = (name for pair in self.gradients for name in pair)
        return Words([*self.values, *moving, *self.differentials, *both, *self.sizes])

    @cached_property
    def in_rows(self) -> bool:
        """Whether vectors of the page stand as rows."""
        return any(entry.row for entry in self.values.values() if np.ndim(entry.array) == 1)

    def entry(self, name: str) -> Entry | None:
        """What a name stands for: a value, or the differential dX of one."""
        if name in self.values:
            return self.values[name]
        return self.differentials.get(name[1:]) if name.startswith("d") else None


def standing(entry: Entry) -> Value:
    """A named array as it stands in matrix notation: a vector as a column, or as a row."""
    array = np.asarray(entry.array, float)
    if array.ndim == 1:
        array = array[None, :] if entry.row else array[:, None]
    if array.shape == (1, 1):
        array = array[0, 0]
    return Value(array, (), array.ndim == 2)

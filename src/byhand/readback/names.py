"""What the names of a document stand for: arrays, differentials, gradients, sizes; and how a vector stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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

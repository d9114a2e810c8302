"""Values of formulas: two axes of a matrix, and one axis for each index letter."""

from __future__ import annotations

from typing import Any, NamedTuple

from byhand.reading.algebra import MismatchError

ROW, COLUMN, INNER = "·row", "·column", "·inner"  # labels of matrix axes: no letter is called so


class Value(NamedTuple):
    """An array in a formula.

    Attributes:
        data: its axes are those of the letters, then row and column where it is a matrix.
        letters: the index letters it depends on.
        matrix: whether it has a row and a column axis; without, it is a number for each choice of the letters.
        constant: whether it is a number made of numerals and sizes.
        identity: whether it is this number times an identity matrix of a size that is not written.
        mask: whether its zeros are those of a condition: they stay zero beside what is undefined there.
    """

    data: Any
    letters: tuple[str, ...] = ()
    matrix: bool = False
    constant: bool = False
    identity: bool = False
    mask: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        return (*self.letters, ROW, COLUMN) if self.matrix else self.letters

    @property
    def plain(self) -> Value:
        """The number that an identity is multiplied with, and what is no constant."""
        return Value(self.data, self.letters, self.matrix, mask=self.mask)


__all__ = ["COLUMN", "INNER", "ROW", "MismatchError", "Value"]

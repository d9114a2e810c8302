"""How a table is read: what its user says about columns, cells and files, and what a saved model keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from byhand.errors import DataError
from byhand.train.data.cells import Notation


@dataclass(frozen=True)
class Reading:
    """What is said about a table.

    Attributes:
        impute: whether cells without a value are filled in.
        drop: columns that are left out.
        features: the only columns that are taken, as they are; () for all that are of use.
        categories: columns whose cells are names, whatever they look like.
        unknown: a category that was not there in training: "error", or "other": none of them.
        notation: of numbers and gaps.
        dates: the order of day, month and year where the cells leave it open: "dmy" or "mdy"; "" if not said.
        encoding: of text files.
    Raises: DataError: signs of numbers that cannot be told apart; an encoding that there is not.
    """

    impute: bool = False
    drop: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    unknown: str = "error"
    notation: Notation = field(default_factory=Notation)
    dates: str = ""
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        signs = (self.notation.decimal, self.notation.thousands)
        if signs[0] not in (".", ",") or len(signs[1]) > 1 or signs[1].isalnum() or signs[1] in ("-", "+"):
            raise DataError(
                f"numbers with {signs[0]!r} before the fraction, {signs[1]!r} between thousands", "--decimal ,"
            )
        if signs[0] == signs[1]:
            other = "," if signs[0] == "." else "."
            raise DataError(
                f"{signs[0]!r} cannot be both the decimal sign and that of thousands",
                f"--decimal {other} --thousands {signs[0]}",
            )
        try:
            "".encode(self.encoding)
        except LookupError:
            raise DataError(
                f"there is no encoding {self.encoding[:40]!r}", "utf-8, latin-1, cp1252, utf-16, ..."
            ) from None

    @property
    def about_tables(self) -> bool:
        """Whether anything is said that only a table has."""
        return Reading(impute=self.impute, unknown=self.unknown) != self

    def saved(self) -> dict[str, Any]:
        """What prediction needs, as plain data."""
        n = self.notation
        return {
            "decimal": n.decimal, "thousands": n.thousands, "na": sorted(n.na),
            "unknown": self.unknown, "encoding": self.encoding,
        }  # fmt: skip


def restored(table: dict[str, Any]) -> Reading:
    """How the table of a saved model was read."""
    s = table.get("reading", {})
    notation = Notation(s.get("decimal", "."), s.get("thousands", ""), frozenset(s.get("na", ())))
    return Reading(notation=notation, unknown=s.get("unknown", "error"), encoding=s.get("encoding", "utf-8"))


__all__ = ["Reading", "restored"]

"""What a cell of a table shows: a number in some notation, a date, or no value. Nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from byhand.errors import DataError

Array = Any
MISSING = frozenset({"", "na", "nan", "null", "none", "?"})


@dataclass(frozen=True)
class Notation:
    """How the numbers and the gaps of a table are written.

    Attributes:
        decimal: the sign before the fraction.
        thousands: the sign between groups of three digits; "" for none.
        na: what stands for no value beside `MISSING`, in lower case.
    """

    decimal: str = "."
    thousands: str = ""
    na: frozenset[str] = frozenset()

    def missing(self, cell: str) -> bool:
        """Whether a cell has no value."""
        lower = cell.lower()
        return lower in MISSING or lower in self.na

    def number(self, cell: str) -> float | None:
        """The number that a cell shows, if it shows one."""
        if self.thousands == " ":
            cell = cell.replace("\xa0", " ").replace("\u202f", " ")
        if self.thousands and self.thousands in cell:
            groups = rf"[-+]?\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+(?:{re.escape(self.decimal)}\d*)?"
            if not re.fullmatch(groups, cell):
                return None
            cell = cell.replace(self.thousands, "")
        if self.decimal != ".":
            if "." in cell:
                return None
            cell = cell.replace(self.decimal, ".")
        if "_" in cell:  # Python's digits may have underscores between them, a table's are a code
            return None
        try:
            return float(cell)
        except ValueError:
            return None

    def numbers(self, cells: list[str]) -> Array | None:
        """The numbers that cells show, NaN for no value, (N,); None where one shows neither."""
        if self.decimal == "." and not self.thousands and not self.na:
            try:
                found = np.fromiter(map(float, cells), np.float64, len(cells))
                return None if any("_" in c for c in cells) else found
            except ValueError:  # no value, or a text
                pass
        values = [np.nan if self.missing(c) else self.number(c) for c in cells]
        return None if None in values else np.array(values, np.float64)


_NOTATIONS = {  # what a comma, or a point beside it, may mean
    "with a decimal comma": (Notation(","), "--decimal ,"),
    "with thousands": (Notation(".", ","), "--thousands ,"),
    "with a decimal comma and thousands": (Notation(",", "."), "--decimal , --thousands ."),
    "with thousands apart": (Notation(".", " "), "--thousands ' '"),
    "with thousands apart and a decimal comma": (Notation(",", " "), "--decimal , --thousands ' '"),
    "with apostrophes": (Notation(".", "'"), '--thousands "\'"'),
}


def no_other_notation(name: str, cells: Iterable[str], notation: Notation) -> None:
    """Texts that are taken for categories or classes are no numbers in another notation.

    Raises: DataError: all of them are numbers in one; each that reads them all is named, with what it makes of one cell.
    """
    texts = [c.replace("\xa0", " ").replace("\u202f", " ") for c in cells if not notation.missing(c)]
    strange = next((c for c in texts if notation.number(c) is None), None)
    if strange is None:
        return
    found = {
        words: (number, option)
        for words, (other, option) in _NOTATIONS.items()
        if notation.decimal in (".", other.decimal)  # what was said holds
        and notation.thousands in ("", other.thousands)
        and all(other.number(c) is not None for c in texts)
        and (number := other.number(strange)) is not None
    }
    if not found:
        return
    least = min(len(option) for _, option in found.values())  # signs that no cell needs are not asked about
    plain = {w: f for w, f in found.items() if len(f[1]) <= least + 2}
    if len(plain) == 1:
        ((words, (_, option)),) = plain.items()
        raise DataError(f"column {name} has numbers {words}, such as {strange!r}", option)
    readings = ", ".join(f"{number:.15g} {words}" for words, (number, _) in plain.items())
    raise DataError(
        f"column {name} has numbers that can be read in two ways: {strange!r} is {readings}",
        " or ".join(option for _, option in plain.values()),
    )


_TIME = r"(?:[T ]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2}(?:\.\d+)?))?\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|[-+]\d{2}:?\d{2})?)?"
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<m>(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*)\.?"
_DATES = {
    "ymd": (r"(?P<y>\d{4})-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?", r"(?P<y>\d{4})([/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})"),
    "dmy": (
        r"(?P<d>\d{1,2})([-/.])(?P<m>\d{1,2})\2(?P<y>\d{4})",
        rf"(?P<d>\d{{1,2}})[ -]{_MONTH}[ ,-]+(?P<y>\d{{4}})",
    ),
    "mdy": (r"(?P<m>\d{1,2})([-/])(?P<d>\d{1,2})\2(?P<y>\d{4})", rf"{_MONTH} (?P<d>\d{{1,2}}),? (?P<y>\d{{4}})"),
}
_PATTERNS = {order: [re.compile(p + _TIME, re.IGNORECASE) for p in rows] for order, rows in _DATES.items()}
EPOCH = date(1970, 1, 1).toordinal()


def date_of(cell: str, order: str) -> float | None:
    """The day and time that a cell shows, in days since 1970-01-01 (UTC where it says so), if it shows one.

    Args:
        cell: its text.
        order: of year, month and day: "ymd", "dmy" or "mdy".
    """
    m = next((m for p in _PATTERNS[order] if (m := p.fullmatch(cell))), None)
    if m is None:
        return None
    month = _NAMES.index(m["m"][:3].lower()) + 1 if m["m"][0].isalpha() else int(m["m"])
    try:
        day = date(int(m["y"]), month, int(m["d"] or 1)).toordinal() - EPOCH
    except ValueError:
        return None
    if m["H"] is None:
        return float(day)
    hours, minutes, seconds = int(m["H"]), int(m["M"]), float(m["S"] or 0)
    if m["half"]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + 12 * (m["half"].lower() == "pm")
    if hours > 24 or minutes > 59 or seconds >= 61:
        return None
    zone = m["zone"]
    shift = 0 if zone in (None, "Z", "z") else int(f"{zone[0]}1") * (60 * int(zone[1:3]) + int(zone[-2:]))
    return day + (3600 * hours + 60 * (minutes - shift) + seconds) / 86400


__all__ = ["EPOCH", "MISSING", "Notation", "date_of", "no_other_notation"]

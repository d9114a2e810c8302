"""What a column of a table means: numbers, categories, dates, or nothing that could be learnt from. Learnt on training rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.train.data.cells import EPOCH, date_of, no_other_notation
from byhand.train.data.reading import Reading

Array = Any
Column = dict[str, Any]
MOST_CATEGORIES = 1000
FEW = 20  # so many different values are few, of however few rows
FEWEST = 6  # rows of which it is no accident that all differ
STRAY = 0.1  # a share of cells that are no numbers, in a column of numbers
PARTS = ("year", "month", "weekday", "hour", "days")
_IDENTIFIER = re.compile(r"(.*[ _.-])?(id|ids|uuid|guid|index|rowid|row|unnamed: ?\d+|#)|", re.IGNORECASE)
_SIGNED = re.compile(r"(?=.*[%‰$€£¥°])[-+]?\s*[$€£¥]?\s*[-+]?\d[\d.,' ]*\s*[%‰$€£¥°]?")
_CODE = re.compile(r"(.*[ _.-])?(id|zip|zipcode|zip_code|postcode|postal|plz|code)", re.IGNORECASE)


def _named_identifier(name: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(name) or re.fullmatch(r".*[a-z]I[dD]", name))


class _Seen:
    """What the cells of a column showed, block by block.

    Attributes:
        values: the different texts; of more than `MOST_CATEGORIES` some more.
        numbers: of each cell, NaN for no value and for texts, (rows of the block,) each.
        text: the first cell that is no number, and its row; "" where there is none.
        days: by order of year, month and day, those of the cells that are dates in it.
        undated: by the same orders, how many cells are none, and the first of them with its row.
    """

    def __init__(self, name: str, reading: Reading, texts: bool) -> None:
        notation = reading.notation  # said, it is that of texts that are numbers in it
        self.name, self.reading = name, reading
        self.typed = texts and (notation.decimal, notation.thousands) == (".", "")
        self.values: set[str] = set()
        self.numbers: list[Array] = []
        self.places: list[Array] = []
        self.text, self.text_row, self.texts, self.zeros = "", 0, 0, ""
        self.days: dict[str, list[float]] = {order: [] for order in ("ymd", "dmy", "mdy")}
        self.undated: dict[str, tuple[int, str, int]] = {}
        self.count = self.gaps = 0

    def gap(self, row: int) -> None:
        """A cell without a value.

        Raises: DataError: they are not filled in.
        """
        if not self.reading.impute:
            raise DataError(f"column {self.name} has no value in row {row}", "--impute fills it in")

    def see(self, rows: Array, cells: list[str]) -> None:
        """Cells that are texts, and what their rows are called."""
        notation = self.reading.notation
        self.count += len(cells)
        numbers = None if self.typed else notation.numbers(cells)
        counts = Counter(cells) if numbers is None or len(self.values) <= MOST_CATEGORIES else Counter()
        if numbers is None or np.isnan(numbers).any():
            gaps = [k for k, c in enumerate(cells) if notation.missing(c)]
            if gaps:
                self.gap(int(rows[gaps[0]]))
                self.gaps += len(gaps)
            counts = Counter({c: n for c, n in counts.items() if not notation.missing(c)})
        if len(self.values) <= MOST_CATEGORIES:
            self.values |= set(counts)
        if numbers is None:
            shown = {c: None if self.typed else notation.number(c) for c in counts}
            strays = {c for c, v in shown.items() if v is None}
            if not self.text and strays:
                place = next(k for k, c in enumerate(cells) if c in strays)
                self.text, self.text_row = cells[place], int(rows[place])
            self.texts += sum(counts[c] for c in strays)
            numbers = np.array([np.nan if (v := shown.get(c)) is None else v for c in cells])
        if not self.zeros:
            self.zeros = next((c for c in counts if re.fullmatch(r"0\d+", c)), "")
        self.numbers.append(numbers)
        self.places.append(rows)
        if counts and not self.text:
            self.days = {}  # a number is no date
        for order, days in self.days.items():
            known = {c: date_of(c, order) for c in counts}
            days += [d for c in cells if (d := known.get(c)) is not None]
            strays = {c for c, v in known.items() if v is None}
            if strays:
                place = next(k for k, c in enumerate(cells) if c in strays)
                more, cell, row = self.undated.get(order, (0, cells[place], int(rows[place])))
                self.undated[order] = (more + sum(counts[c] for c in strays), cell, row)

    def see_numbers(self, rows: Array, cells: Array) -> None:
        """Cells that are numbers, NaN for no value, and what their rows are called."""
        gaps = np.flatnonzero(np.isnan(cells))
        if len(gaps):
            self.gap(int(rows[gaps[0]]))
            self.gaps += len(gaps)
        self.count += len(cells)
        self.numbers.append(cells)
        self.places.append(rows)
        self.days = {}
        if self.name in self.reading.categories and len(self.values) <= MOST_CATEGORIES:
            self.values |= {f"{v:.15g}" for v in np.unique(cells[~np.isnan(cells)])}


def described(name: str, parts: Iterable[tuple[Array, Any]], reading: Reading, texts: bool = False) -> Column:
    """A column as features.

    Args:
        name: of the column.
        parts: of each block what its rows are called, and its cells: texts, or float64 with NaN for no value.
        reading: what the user says.
        texts: whether the file itself says that the cells are texts, and no numbers.
    Returns: plain data with the `kind`: "number", "category", "date", or "left out"; a `note` where something was decided.
    Raises: DataError: a cell without a value, and its row; numbers in another notation; dates that could be others.
    """
    seen = _Seen(name, reading, texts)
    for rows, cells in parts:
        if isinstance(cells, list):
            seen.see(rows, cells)
        else:
            seen.see_numbers(rows, cells)
    wanted = name in reading.features
    if seen.gaps == seen.count:
        raise DataError(f"column {name} has no values at all", f"--drop {name}")
    if name in reading.categories:
        return _category(seen, chosen=True)
    if not seen.text:
        return _number(seen, wanted)
    if set(seen.days) - set(seen.undated):
        return _date(seen, wanted)
    for order, (strays, cell, row) in seen.undated.items():
        if 0 < strays <= STRAY * len(seen.days.get(order, ())):
            raise DataError(
                f"column {name} has {cell[:40]!r} in row {row}, which is no date as the others are",
                f"--na '{cell[:40]}' where that is no value; --categories {name} where all are names",
            )
    signed = [c for c in sorted(seen.values) if _SIGNED.fullmatch(c)]
    if len(signed) > FEW and len(signed) >= (1 - STRAY) * len(seen.values):
        raise DataError(
            f"column {name} has numbers with a sign, such as {signed[0][:40]!r}",
            f"write them without it, or --drop {name}; --categories {name} where they are names",
        )
    no_other_notation(name, sorted(seen.values), reading.notation)
    numeric = seen.count - seen.gaps - seen.texts
    if seen.texts <= STRAY * numeric and len(seen.values) > FEW:
        raise DataError(
            f"column {name} has {seen.text[:40]!r} in row {seen.text_row}, which is no number",
            f"--na '{seen.text[:40]}' where that is no value; --categories {name} where its numbers are names",
        )
    return _category(seen, wanted)


def _left_out(name: str, why: str, remedy: str) -> Column:
    return {"name": name, "kind": "left out", "note": f"{why}: left out; {remedy}"}


def _taken(name: str) -> str:
    named = f"with {name} among the columns" if name else "once it has a name in the first line"
    return f"--features, {named}, takes it"


def _number(seen: _Seen, wanted: bool) -> Column:
    name, numbers = seen.name, np.concatenate(seen.numbers)
    rows = np.concatenate(seen.places)
    present = ~np.isnan(numbers)
    numbers, rows = numbers[present], rows[present]
    if seen.zeros and not wanted:
        codes = _category(seen, wanted)
        if codes["kind"] == "category":
            codes["note"] = f"cells such as {seen.zeros} are codes: categories; --features takes them as numbers"
        return codes
    found: Column = {"name": name, "kind": "number", "fill": float(np.median(numbers)) if seen.reading.impute else None}
    if wanted or len(numbers) < 2 or not np.isfinite(numbers).all():
        return found
    if numbers.min() == numbers.max():
        return _left_out(name, f"{numbers[0]:g} in all rows of the training", _taken(name))
    whole = bool((numbers == np.round(numbers)).all())
    if not whole or len(numbers) < FEWEST:
        return found
    different = len(np.unique(numbers))
    running = len(np.unique(np.diff(numbers) - np.diff(rows))) == 1 and numbers[1] - numbers[0] == rows[1] - rows[0]
    if different == len(numbers) and (_named_identifier(name)):
        return _left_out(name, "a different whole number in each row, an identifier by its name", _taken(name))
    if running:
        found["note"] = f"it counts the rows, and is taken as a number; --drop {name} leaves it out"
    elif _CODE.fullmatch(name):
        words = f"{different} different whole numbers, taken as numbers"
        found["note"] = f"{words}; --categories {name} where they are names of things"
    return found


def _category(seen: _Seen, chosen: bool) -> Column:
    name, different, present = seen.name, len(seen.values), seen.count - seen.gaps
    if different > MOST_CATEGORIES and chosen:
        raise DataError(f"column {name} has more than {MOST_CATEGORIES} different texts", f"--drop {name}")
    if not chosen:
        take = f"--categories {name} takes it"
        if different == present >= FEWEST or (different > FEW and different > present / 2):
            return _left_out(name, f"{different} different texts in {present} rows, nearly unique", take)
        if different > MOST_CATEGORIES:
            why = f"more than {MOST_CATEGORIES} different texts"
            return _left_out(name, why, "fewer values could be categories")
        if different == 1 and not seen.gaps and present > 1:
            return _left_out(name, f"{next(iter(seen.values))[:40]!r} in all rows of the training", take)
    return {"name": name, "kind": "category", "values": sorted(seen.values), "fill": seen.reading.impute}


def _date(seen: _Seen, wanted: bool) -> Column:
    name = seen.name
    orders = {order: days for order, days in seen.days.items() if order not in seen.undated}
    if len(orders) > 1 and len({tuple(days) for days in orders.values()}) > 1:
        if seen.reading.dates not in orders:
            both = " or ".join(f"{_day(date_of(seen.text, o) or 0)} (--dates {o})" for o in orders)
            raise DataError(
                f"column {name} has dates that can be read in two ways: {seen.text!r} is {both}", "--dates dmy"
            )
        order = seen.reading.dates
    else:
        order = next(iter(orders))
    days = np.array(orders[order])
    parts = parts_of(days, 0.0)
    kept = [p for p in PARTS if parts[p].min() < parts[p].max()]
    if not kept:
        if not wanted:
            return _left_out(name, f"{seen.text!r} in all rows of the training", "it says nothing")
        kept = ["days"]
    fill = float(np.median(days)) if seen.reading.impute else None
    return {
        "name": name,
        "kind": "date",
        "order": order,
        "start": float(np.floor(days.min())),
        "parts": kept,
        "fill": fill,
    }


def _day(days: float) -> str:
    return str(np.datetime64(int(np.floor(days)), "D"))


def parts_of(days: Array, start: float) -> dict[str, Array]:
    """Of days since 1970-01-01, (N,): year, month 1 to 12, day of the week (Monday 0), hour, days since `start`."""
    whole = np.floor(days).astype(np.int64)
    stamps = whole.astype("datetime64[D]")
    return {
        "year": stamps.astype("datetime64[Y]").astype(np.int64) + 1970.0,
        "month": stamps.astype("datetime64[M]").astype(np.int64) % 12 + 1.0,
        "weekday": (whole + EPOCH - 1) % 7.0,
        "hour": (days - whole) * 24,
        "days": days - start,
    }


def features_of(column: Column) -> list[str]:
    """What the features of a column are called."""
    match column["kind"]:
        case "category":
            return [f"{column['name']}={v}" for v in column["values"]]
        case "date":
            return [f"{column['name']}: {p}" for p in column["parts"]]
    return [column["name"]]


def told(table: dict[str, Any]) -> list[str]:
    """The plan of a table's columns, one line for each kind and each column with something to say."""
    columns, lines = table["columns"], []
    numbers = [c["name"] for c in columns if c["kind"] == "number"]
    if numbers:
        lines.append(f"numbers: {_listed(numbers)}")
    for c in columns:
        if c["kind"] == "category":
            lines.append(f"{c['name']}: {len(c['values'])} categories, {_listed(c['values'])}")
        elif c["kind"] == "date":
            order = {"ymd": "", "dmy": ", day before month", "mdy": ", month before day"}[c["order"]]
            since = f"{', '.join(c['parts'])}".replace("days", f"days since {_day(c['start'])}")
            lines.append(f"{c['name']}: date{order}; {since}")
    lines += [f"{c['name'] or 'the column without a name'}: {c['note']}" for c in table.get("left_out", ())]
    return lines


def _listed(names: list[str], most: int = 100) -> str:
    text = ", ".join(names)
    return text if len(text) <= most else f"{text[:most].rsplit(', ', 1)[0]}, ... ({len(names)})"


__all__ = ["MOST_CATEGORIES", "described", "features_of", "parts_of", "told"]

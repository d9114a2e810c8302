"""Tables in CSV files: the first line names the columns. Read whole."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from byhand.errors import DataError, nearest
from byhand.train.data.data import Data
from byhand.train.data.table import described, encoded, target_of


def read_csv(path: Path, target: str | None, table: dict[str, Any] | None, impute: bool) -> Data:
    """A table; see `read`."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = [r for r in csv.reader(file, strict=True) if r]
        except csv.Error as error:
            raise DataError(f"{path} is not CSV: {error}") from None
    if len(rows) < 2:
        raise DataError(f"{path} has no rows", "the first line names the columns")
    head, body = [c.strip() for c in rows[0]], rows[1:]
    twice = sorted({c for c in head if head.count(c) > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice")
    for number, row in enumerate(body, 2):
        if len(row) != len(head):
            raise DataError(f"row {number} of {path} has {len(row)} cells, the head {len(head)}")
    if target is not None and target not in head:
        raise DataError(f"{path} has no column {target}{nearest(target, head)}", f"it has: {', '.join(head)[:200]}")
    cells = {c: [row[i].strip() for row in body] for i, c in enumerate(head)}
    y = None
    if target is not None:
        y = target_of(target, cells.pop(target))
    if table is None:
        table = {"columns": [described(c, values, impute) for c, values in cells.items()]}
    for column in table["columns"]:
        if column["name"] not in cells:
            raise DataError(f"{path} has no column {column['name']}, which the model needs")
    if not table["columns"]:
        raise DataError(f"{path} has no column beside the target {target}")
    return Data(np.column_stack([encoded(c, cells[c["name"]]) for c in table["columns"]]), y, table)

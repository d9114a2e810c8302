"""All rows of the C target in the body that uses them."""

from __future__ import annotations

from byhand.code.c.body import Body
from byhand.code.c.entries import ENTRIES, OPERATIONS
from byhand.code.c.indexing import INDEXING, SELECTIONS
from byhand.code.c.reductions import REDUCED_OPERATIONS, REDUCTIONS

ROWS = {**ENTRIES, **INDEXING, **REDUCTIONS}
ALL_OPERATIONS = {**OPERATIONS, **SELECTIONS, **REDUCED_OPERATIONS}


class CBody(Body):
    """The body of a C function, with a row for every form."""

    rows, operations = ROWS, ALL_OPERATIONS


__all__ = ["CBody"]

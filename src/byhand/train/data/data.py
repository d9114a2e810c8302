"""What every reader returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Array = Any


@dataclass(frozen=True, slots=True)
class Data:
    """Features and targets.

    Attributes:
        X: (N, features), an array, or `Rows` that stay on disk.
        y: (N,) or (N, outputs); None where the file has no target.
        table: how the columns of a table became features, as plain data; None otherwise.
        X_test, y_test: samples for the test, where the source keeps them apart.
    """

    X: Any
    y: Array | None
    table: dict[str, Any] | None = None
    X_test: Any = None
    y_test: Array | None = None

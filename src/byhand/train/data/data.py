"""What every reader returns; and what it says of a file that makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from byhand.errors import ByhandError, DataError

Array = Any


@dataclass(frozen=True, slots=True)
class Data:
    """Features and targets.

    Attributes:
        X: (N, features), an array, or `Rows` that stay on disk.
        y: (N,) or (N, outputs); None where the file has no target.
        table: how the columns of a table became features, as plain data; None otherwise.
        X_test, y_test: samples for the test, where the source keeps them apart.
        notes: what of the data was changed, in words.
    """

    X: Any
    y: Array | None
    table: dict[str, Any] | None = None
    X_test: Any = None
    y_test: Array | None = None
    notes: tuple[str, ...] = ()


@contextmanager
def whole(name: Any, kind: str) -> Iterator[None]:
    """Around somebody else's reader of a format, from which a damaged file can draw any error at all.

    Args:
        name: of the file, for messages.
        kind: what it is not a whole one of.
    Raises: DataError: the file is damaged. OSError: the system could not read it.
    """
    try:
        yield
    except ByhandError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{name} is not a whole {kind}: it is damaged, cut off, or another kind of file") from None


__all__ = ["Data", "whole"]

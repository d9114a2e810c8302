"""What callers give that is no array: words of a list, names, numbers, dicts; refused by what it is and what it can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any

from byhand.errors import DataError, ParseError, nearest


def shown(value: object) -> str:
    """A value in a message: short, and on one line."""
    try:
        text = repr(value)
    except Exception:  # of somebody else's class
        text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def one_of(value: object, known: Iterable[str], what: str) -> str:
    """A word of a list.

    Raises: ParseError: it is none of them.
    """
    words = list(known)
    if not isinstance(value, str) or value not in words:
        raise ParseError(f"unknown {what} {shown(value)}{nearest(value, words)}", f"known: {', '.join(words)}")
    return value


def names_in(value: object, what: str) -> list[str]:
    """Names: a text with commas between them, or several texts.

    Raises: ParseError: something else.
    """
    if isinstance(value, str):
        return [w.strip() for w in value.split(",")]
    names = (
        list(value) if isinstance(value, Iterable) and not isinstance(value, bytes) and _can_iterate(value) else None
    )
    if names is None or not all(isinstance(n, str) for n in names):
        raise ParseError(f"{what}: a name, or several, are needed, not {shown(value)}", "write 'X,Y' or ['X', 'Y']")
    return names


def _can_iterate(value: Any) -> bool:
    return getattr(value, "ndim", 1) != 0


def mapping(value: object, what: str, example: str) -> Mapping[Any, Any]:
    """A dict; None is an empty one.

    Raises: ParseError: something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ParseError(f"{what}: a dict is needed, not {shown(value)}", f"write {example}")
    return value


def whole_number(value: object, what: str, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number; True is none.

    Raises: DataError: something else.
    """
    try:
        number = None if isinstance(value, bool) else index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise DataError(f"{what} is {shown(value)}: a whole number from {least} {_up_to(most)}")
    return number


def _up_to(most: int) -> str:
    return "on" if most >= 2**63 - 1 else f"to {most}"


def sequence(value: object, what: str) -> Sequence[Any]:
    """Several of something, not a text.

    Raises: DataError: something else.
    """
    iterable = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)) and _can_iterate(value)
    if not iterable:
        raise DataError(f"{what}: a list is needed, not {shown(value)}")
    return list(value)  # type: ignore[call-overload,no-any-return]


__all__ = ["mapping", "names_in", "one_of", "sequence", "shown", "whole_number"]

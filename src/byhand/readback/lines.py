"""A printed line read back: left = right, both as arrays over the letters that are free on the left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from byhand.readback import tree as tr
from byhand.readback.grammar import read
from byhand.readback.meaning import Reader
from byhand.readback.names import Names
from byhand.readback.tree import Tree
from byhand.readback.values import MisreadError, Value, aligned

Array = Any


def sides(left: str, right: str, names: Names) -> tuple[Array, Array]:
    """Both sides of a printed equation as arrays of one shape: an axis per free letter, then rows and columns.

    Raises: MisreadError: a side has no value, or the sides have different shapes. UnreadError, UnsaidError: a side is
        not understood.
    """
    ahead, behind = read(left), read(right)
    ranges = {letter: (0, size - 1) for letter, size in free_letters(ahead, Reader(names, {})).items()}
    a = Reader(names, ranges).value(ahead)
    if isinstance(behind, tr.Call) and behind.name == "onehot" and len(behind.args) == 1 and a.matrix:
        classes = tr.Number(behind.span, a.shape[1])  # a line by itself: its shape says how many
        behind = replace(behind, args=(*behind.args, classes))
    b = Reader(names, ranges).value(behind)
    return _same_axes(a, b, ranges)


def free_letters(left: Tree, reader: Reader) -> dict[str, int]:
    """The letters on the left and their ranges, each from the axis on which it stands."""
    letters: dict[str, int] = {}
    for name in _letters_below(left, reader):
        sizes = reader.axes_of(left, name)
        if len(sizes) > 1:
            raise MisreadError(f"{name} stands on axes of different sizes")
        if sizes:
            letters[name] = sizes.pop()
    return letters


def _letters_below(node: Tree, reader: Reader) -> list[str]:
    """What may be a letter: names below a name."""
    found: list[str] = []
    bound: set[str] = set()
    todo = [node]
    while todo:
        n = todo.pop(0)
        match n:
            case tr.BigSum(_, letters):
                bound |= set(letters)
            case tr.Indexed(_, tr.Entries(), indices):
                bound |= {i.name for i in indices if isinstance(i, tr.Name)}
            case tr.Indexed(_, _, indices):
                found += [i.name for i in indices if isinstance(i, tr.Name)]
            case tr.Partial(_, of, wrt):
                found += [i.name for side in (of, wrt) for i in reader.side(side)[1] if isinstance(i, tr.Name)]
                continue
            case tr.Name(_, name) if reader.entry(name) is None:
                found += list(name.rpartition("_")[2]) if "_" in name else []
        todo += tr.children(n)
    return [x for x in dict.fromkeys(found) if x not in bound]


def _same_axes(a: Value, b: Value, ranges: dict[str, tuple[int, int]]) -> tuple[Array, Array]:
    """Both values over all free letters; a number made of numerals stands for all entries."""
    shape = a.shape or b.shape
    a, b = a.sized(shape), b.sized(shape)
    if a.shape != b.shape and not (b.constant and not b.matrix):
        raise MisreadError(f"the left side has shape {a.shape or '()'}, the right side {b.shape or '()'}")
    if any(x not in ranges for v in (a, b) for x in v.letters):
        raise MisreadError("a letter that is not on the left")
    _, (x, y) = aligned((a, b), ranges)
    y = y if b.matrix or not a.matrix else y[..., None, None]
    full = (*(high - low + 1 for low, high in ranges.values()), *a.shape)
    return np.broadcast_to(x, full), np.broadcast_to(y, full)


__all__ = ["free_letters", "sides"]

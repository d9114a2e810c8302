"""Whether two sides of a formula are equal: their shapes, then their numbers at several points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from byhand.audit.pages.facts import shape_of
from byhand.audit.pages.meaning import PageMeaning
from byhand.audit.pages.numbers import SEEDS
from byhand.audit.pages.page import Page
from byhand.check.numeric import norm
from byhand.expr.dims import show_shape
from byhand.reading.keys import key_of
from byhand.reading.tree import Partial, Relation, walk
from byhand.reading.values import COLUMN, ROW, MismatchError, Value

Array = Any
SAME = 1e-8
EQUAL = ("=", "≔", "≡")


@dataclass
class Verdict:
    """What was found of a row.

    Attributes:
        status: given, right, wrong or not read.
        kinds: the classes of what is wrong.
        message: why.
        reading: what it was taken for, where that is not plain.
        span: the place of the side that is wrong in the formula's text.
    """

    status: str
    kinds: tuple[str, ...] = ()
    message: str = ""
    reading: tuple[str, ...] = ()
    head: Relation | None = None
    left: Value | None = None
    right: Value | None = None
    span: tuple[int, int] | None = None


@dataclass
class Comparison:
    """Compares values of one page.

    Attributes:
        page: its names and numbers.
    """

    page: Page

    def compare(self, a: Value, b: Value, meaning: PageMeaning) -> Verdict | None:
        """None where two values are equal at all points."""
        try:
            a, b = meaning.do.sized(a, b), meaning.do.sized(b, a)
        except MismatchError as error:
            return Verdict("wrong", ("T",), error.message, left=a, right=b)
        if (a.matrix or b.matrix) and not (meaning.do.is_number(a) and meaning.do.is_number(b)):
            if not (a.matrix and b.matrix):
                return Verdict(
                    "wrong", ("T",), f"{meaning.do.shown(a)} is set equal to {meaning.do.shown(b)}", left=a, right=b
                )
            if meaning.do.sides(a) == meaning.do.sides(b)[::-1] and 1 in meaning.do.sides(a) and self.loose(meaning):
                a = meaning.do.transpose(a)  # a vector that is declared entry by entry is a row as well as a column
            if meaning.do.sides(a) != meaning.do.sides(b):
                turned = " (its transpose)" if meaning.do.sides(a) == meaning.do.sides(b)[::-1] else ""
                return Verdict(
                    "wrong",
                    ("T",),
                    f"{meaning.do.shown(a)} is set equal to {meaning.do.shown(b)}{turned}",
                    left=a,
                    right=b,
                )
        elif a.matrix or b.matrix:
            a, b = meaning.do.scalar(a), meaning.do.scalar(b)
        free = [letter for letter in b.letters if letter not in a.letters]
        if free and not a.letters and not a.matrix:  # −y_ℓ log ŷ_ℓ: the letter is the label of the right class
            self.page.labels |= {*free}
            meaning.reading.notes |= dict.fromkeys(f"{letter} read as the label of the right class" for letter in free)
            for _ in free:
                b = b._replace(data=self.page.algebra.pick(b.data, 0, 0), letters=b.letters[1:])
        for seed in range(SEEDS):
            try:
                x, y = self.aligned(a, b, seed)
                if np.isnan(x).any():
                    x, y = self.aligned(a, b, seed + SEEDS)
                    meaning.reading.notes["read for positive values: elsewhere it has none"] = None
            except MismatchError as error:
                return Verdict("wrong", ("T",), error.message)
            if np.isfinite(x).all() and np.isnan(y).any():
                words = "not true: the right side has no value (nan) where the left one has"
                return Verdict("wrong", ("N",), words, left=a, right=b)
            if np.isnan(x).any() or np.isnan(y).any():
                return Verdict("not read", (), "no value here: declare what is positive (x > 0)")
            gap, size = norm(np.nan_to_num(x - y)), max(norm(np.nan_to_num(x)), norm(np.nan_to_num(y)))
            if not gap <= SAME * size + 1e-13:
                k = np.unravel_index(int(np.argmax(np.abs(x - y))), x.shape) if x.ndim else ()
                at = f" at [{', '.join(str(int(i) + 1) for i in k)}]" if x.ndim else ""
                words = f"not true: left is {x[k]:.6g}{at}, right is {y[k]:.6g}{self.factor(a, b)}"
                return Verdict("wrong", ("N",), words, left=a, right=b)
        return None

    def loose(self, meaning: PageMeaning) -> bool:
        """Whether a row is about the derivative by a vector that is declared by its entries only."""
        for node in (n for whole in meaning.row[:1] for n in walk(whole)):
            if isinstance(node, Partial) and node.inner is not None and key_of(node.inner) in self.page.facts.scalars:
                return True
        return False

    def aligned(self, a: Value, b: Value, seed: int) -> tuple[Array, Array]:
        """The numbers of both, with one axis for each letter of either."""
        numbers = self.page.numbers
        x, y = numbers.value(a.data, seed), numbers.value(b.data, seed)
        letters = tuple(dict.fromkeys((*a.letters, *b.letters)))
        sizes: dict[str, int] = {}
        for value, array in ((a, x), (b, y)):
            for letter, n in zip(value.letters, np.shape(array), strict=False):
                if sizes.setdefault(letter, n) != n:
                    raise MismatchError(
                        f"the index {letter} runs over {sizes[letter]} places on one side and over {n} on the other"
                    )
        return _spread(x, a, letters, sizes), _spread(y, b, letters, sizes)

    def factor(self, a: Value, b: Value) -> str:
        """Whether the right side is a multiple of the left one."""
        try:
            x, y = self.aligned(a, b, 0)
        except MismatchError:
            return ""
        if not np.any(x) or not np.isfinite(x).all() or not np.isfinite(y).all():
            return ""
        k = float(np.sum(x * y) / np.sum(x * x))
        if not k or norm(y - k * x) > SAME * norm(y):
            return ""
        sizes = self.page.numbers.sizes(0)
        known = next(
            (
                n if abs(k - s) < SAME else f"1/{n}"
                for n, s in sizes.items()
                if abs(k - s) < SAME or abs(k * s - 1) < SAME
            ),
            f"{k:.6g}",
        )
        return f"; the right side is {known} × the left one"

    def zero(self, x: Value) -> Verdict | None:
        """Whether something is zero."""
        for seed in range(SEEDS):
            numbers = self.page.numbers
            made = numbers.value(x.data, seed)
            below = [numbers.value(n, seed) for n in x.data.children]
            scale = max((norm(v) for v in below), default=1.0)
            if norm(made) > SAME * max(scale, 1e-3):
                return Verdict("wrong", ("N",), f"not zero: {np.ravel(made)[0]:.6g}", left=x)
        return None

    def shape_claim(self, x: Value | None, node: Any, meaning: PageMeaning) -> Verdict | None:
        """`∈ ℝ^{m×n}` after a value."""
        nodes = shape_of(node)
        if x is None or nodes is None or x.letters:
            return None
        dims = [self.page.dimension(n) for n in nodes]
        if any(d is None for d in dims):
            return None
        wanted = tuple(d for d in dims if d is not None)
        wanted = (*wanted, 1) if len(wanted) == 1 else wanted
        have = meaning.do.sides(x) if x.matrix else ()
        if wanted == have or (set(wanted) <= {1} and set(have) <= {1}):
            return None
        return Verdict("wrong", ("D",), f"it is {show_shape(have)}, not {show_shape(wanted)}")


def _spread(array: Array, value: Value, letters: tuple[str, ...], sizes: dict[str, int]) -> Array:
    """An array with an axis for each letter."""
    rest = [ROW, COLUMN] if value.matrix else []
    labels = [*value.letters, *rest]
    out = [*letters, *rest]
    order = [labels.index(label) for label in out if label in labels]
    moved = np.transpose(array, order)
    shape = [
        moved.shape[[label for label in out if label in labels].index(label)] if label in labels else 1 for label in out
    ]
    full = [sizes.get(label, shape[k]) for k, label in enumerate(out)]
    return np.broadcast_to(moved.reshape(shape), full)

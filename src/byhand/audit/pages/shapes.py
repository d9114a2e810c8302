"""Shapes that a page does not say: those with which its formulas fit; and declared ones that no formula fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from byhand.audit.pages.definitions import letters_of
from byhand.audit.pages.facts import Declared
from byhand.audit.pages.judge import Judge
from byhand.audit.pages.page import Page
from byhand.audit.pages.rows import Row
from byhand.expr.dims import Dim, named_dimension, show_shape
from byhand.reading.keys import key_of, without_layer
from byhand.reading.tree import Big, Bracket, Nabla, Name, Node, Partial, Product, Relation, Script, children, walk

MOST_GUESSING, MOST_BLAMING = 600, 1200  # rows looked at in search of shapes: a page is read in bounded time
_SPECIAL = {"T", "⊤", "e", "π", "d", "I", "1", "ℝ", "∞", "𝔼", "δ", "ℓ"}


def names_in(node: Node) -> Iterator[str]:
    """The keys of the names that a formula is about: no indices, no exponents that transpose."""
    match node:
        case Name(text, font):
            if font not in ("function", "sign"):
                yield text
        case Script(base, sub, sup, _):
            layer, rest = without_layer(sup)
            bare = not (sub is not None and letters_of(sub))
            mark = rest if isinstance(rest, Name) and rest.text not in _SPECIAL else None
            key = (
                key_of(Script(base, sub if bare else None, layer if mark is None else sup, 0))
                if isinstance(base, Name)
                else ""
            )
            if key:
                if not isinstance(base, Name) or base.font != "function":
                    yield key
            else:
                yield from names_in(base)
            if rest is not None and not isinstance(rest, Name):
                yield from names_in(rest)
        case Big(_, _, _, body):
            yield from names_in(body)
        case _:
            for child in children(node):
                if child is not None:
                    yield from names_in(child)


def guess(page: Page, judge: Judge) -> None:
    """Give every name that is not declared the first shape, plainest first, with which the most rows fit."""
    displays = [r for r in page.rows if not r.inline and not r.trouble]
    users: dict[str, list[Row]] = {}
    for row in displays:
        for chain in row.chains:
            for side in chain.sides if "…" not in chain.signs else ():
                for key in (k for n in names_in(side) for k in _pieces(page, n)) if side is not None else ():
                    if row not in users.setdefault(key, []):
                        users[key].append(row)
    _orient(page, judge, users)
    unknown = [key for key, rows in users.items() if _is_unknown(page, key, rows)]
    for key in unknown:
        page.guessed[key] = next(_candidates(page, key))
    page.forget()
    for key in unknown * 2 if len(unknown) > 1 else unknown:
        rows = users[key][:6]
        kept = page.guessed[key]
        possible = [judge.fits(r) is True for r in rows]  # with one shape or another
        best = sum(possible)
        if best == len(rows):
            page.doubtful.discard(key)
            continue
        for shape in _candidates(page, key):
            if judge.work > MOST_GUESSING or judge.late(0.3):
                break
            page.guessed[key] = shape
            page.forget()
            fits = [judge.fits(r) is True for r in rows]
            possible = [a or b for a, b in zip(possible, fits, strict=True)]
            if sum(fits) > best:
                best, kept = sum(fits), shape
            if best == len(rows):
                break
        page.guessed[key] = kept
        page.forget()
        alone = [sum(r in users[k] for k in unknown) == 1 for r in rows]
        excused = sum(lone and not p for lone, p in zip(alone, possible, strict=True))  # no shape of it makes these fit
        (page.doubtful.add if best < len(rows) - excused or not best else page.doubtful.discard)(key)


def _orient(page: Page, judge: Judge, users: dict[str, list[Row]]) -> None:
    """Vectors of which only the length is said stand as rows where more rows of the page fit so than with columns."""
    open_ = {
        key: (1, *shape)
        for key, declared in page.facts.shapes.items()
        if not declared.upright and key in users
        for shape in [page.shape(key)]
        if shape is not None and len(shape) == 1 and shape != (1,)
    }
    rows = list({id(r): r for key in open_ for r in users[key]}.values())[:24]

    def fitting() -> int:
        page.forget()
        return sum(judge.fits(r) is True for r in rows)

    best = fitting() if rows else 0
    for key, shape in [*open_.items(), *[("", ())] * (len(open_) > 1)]:  # one by one, then all together
        if best == len(rows) or judge.late(0.3):
            break
        before = dict(page.changed)
        page.changed |= open_ if not key else {key: shape}
        found = fitting()
        if found <= best:
            page.changed = before
        best = max(found, best)
    for key in [*page.changed] if len(page.changed) > 1 else []:  # those that need not
        shape = page.changed.pop(key)
        if fitting() < best:
            page.changed[key] = shape
    page.forget()


def _pieces(page: Page, key: str) -> list[str]:
    """Names that are written together, Xw, apart; d of a name is no name."""
    if (
        len(key) < 2
        or not key.isalpha()
        or page.value(key) is not None
        or key in page.definitions
        or key in page.facts.shapes
        or page.dim(key)
    ):
        return [key]
    letters = [*(key[1:] if key[0] == "d" else key)]
    return (
        letters
        if all(
            page.value(c) is not None or c in page.facts.shapes or c in page.definitions or c == "I"
            for c in letters[-1:]
        )
        else [key]
    )


def _is_unknown(page: Page, key: str, rows: list[Row]) -> bool:
    """Whether a name has no shape by declaration or definition, and is no size, function or letter."""
    if (
        "[" in key
        or key in _SPECIAL
        or page.dim(key)
        or page.function(key)
        or page.value(key) is not None
        or key in page.definitions
    ):
        return False
    if page.beyond(key):
        return False
    if key[0] == "d" and len(key) > 1 and (page.value(key[1:]) is not None or page.array(key[1:]) is not None):
        return False
    whole = page.value(key.upper()) if key.islower() else None
    if whole is not None and whole.matrix and _only_indexed(key, rows):
        return False  # x_i is row i of X
    return key not in page.facts.families and not _only_called(key, rows)


def _only_indexed(key: str, rows: list[Row]) -> bool:
    """Whether a name occurs with an index only."""
    indexed = {
        id(n.base) for r in rows for s in r.statements for n in walk(s) if isinstance(n, Script) and n.sub is not None
    }
    return all(
        id(n) in indexed for r in rows for s in r.statements for n in walk(s) if isinstance(n, Name) and n.text == key
    )


def _only_called(key: str, rows: list[Row]) -> bool:
    """Whether a name occurs as a function, or as what is derived, only."""
    for row in rows:
        for node in (n for s in row.statements for n in walk(s)):
            if isinstance(node, Name) and node.text == key and not _derived(node, row):
                return False
    return True


def _derived(node: Name, row: Row) -> bool:
    for other in (n for s in row.statements for n in walk(s)):
        if (isinstance(other, Partial) and other.inner is node) or (isinstance(other, Nabla) and other.inner is node):
            return True
    return False


def _candidates(page: Page, key: str) -> Iterator[tuple[Dim, ...]]:
    """Scalars first for what is written as one, matrices first for capitals."""
    sizes: list[Dim] = [named_dimension(d) for d in sorted(page.dims) if d.isalnum()]
    columns: list[tuple[Dim, ...]] = [(d, 1) for d in sizes]
    rows: list[tuple[Dim, ...]] = [(1, d) for d in sizes]
    matrices: list[tuple[Dim, ...]] = [pair for pair in product(sizes, sizes)]
    said = page.facts.shapes.get(key)
    first = key[:1]
    if (said is not None and "positive" in said.properties) or not first.isupper():
        yield ()
    if first.isupper():
        yield from matrices[:36]
    yield from columns
    yield from rows
    if first.isupper():
        yield ()
    else:
        yield from matrices[:36]


def blame(page: Page, judge: Judge) -> dict[int, str]:
    """The rows that show a declared shape to be wrong, with the words for it; the page goes on with the shape that fits."""
    found: dict[int, str] = {}
    for declared, shape, gain in redeclare(page, judge):
        for row in page.rows:
            if not row.inline and any(
                declared.key in names_in(s) for c in row.chains for s in c.sides if s is not None
            ):
                shown = show_shape(shape[:1] if shape[1:] == (1,) else shape)
                place = f"line {declared.row.number}"
                found[row.index] = (
                    f"{declared.key} is declared with another shape ({place}): with {shown}, {gain} more formulas fit"
                )
                break
    return found


def redeclare(page: Page, judge: Judge) -> list[tuple[Declared, tuple[Dim, ...], int]]:
    """Declared shapes that formulas contradict: the smallest change with which more rows fit than before.

    Returns: the declaration, the shape that fits, and how many more rows fit then.
    """
    found = []
    displays = [r for r in page.rows if not r.trouble and r.chains]
    for _ in range(3):
        broken = [r for r in displays if not r.inline and judge.fits(r) is False]
        best: tuple[int, str, tuple[Dim, ...]] | None = None
        for key in dict.fromkeys(k for r in broken for k in _keys(r)):
            declared, old = page.facts.shapes.get(key), page.shape(key)
            if declared is None or not declared.shape or old is None or key in page.changed:
                continue
            touched = [r for r in displays if key in _keys(r)]
            reached = [r for r in displays if key in _below(page, r)]
            at_hand, before = _fitting(page, judge, touched), _fitting(page, judge, reached)
            for shape in _changes(page, old):
                if judge.work > MOST_BLAMING or judge.late(0.6):
                    break
                page.changed[key] = (*shape, 1) if len(shape) == 1 else shape
                page.forget()
                if _fitting(page, judge, touched) <= at_hand:
                    continue
                gain = _fitting(page, judge, reached) - before
                if gain > 1 and (best is None or gain > best[0]):
                    best = gain, key, shape
            page.changed.pop(key, None)
            page.forget()
        if best is None:
            break
        gain, key, shape = best
        page.changed[key] = (*shape, 1) if len(shape) == 1 else shape
        page.forget()
        found.append((page.facts.shapes[key], shape, gain))
    return found


def _below(page: Page, row: Row) -> set[str]:
    """The names that a row rests on, through definitions."""
    found: set[str] = set()
    todo = [*_keys(row)]
    while todo:
        key = todo.pop()
        if key in found:
            continue
        found.add(key)
        definition = page.definition(page.concrete(key)) or page.definitions.get(re.sub(r"\[[^\]]*\]", "[·]", key))
        if definition is not None:
            todo += [n for s in definition.sides for n in names_in(s)]
    return found


def _keys(row: Row) -> set[str]:
    return {key for c in row.chains for s in c.sides if s is not None for key in names_in(s)}


def _fitting(page: Page, judge: Judge, rows: list[Row]) -> int:
    return sum(judge.fits(r) is True for r in rows)


def _changes(page: Page, old: tuple[Dim, ...]) -> Iterator[tuple[Dim, ...]]:
    """One dimension changed."""
    sizes: list[Dim] = [named_dimension(d) for d in sorted(page.dims) if d.isalnum()]
    for k, d in enumerate(old):
        for other in sizes:
            if other != d and d != 1:
                yield (*old[:k], other, *old[k + 1 :])


__all__ = ["Bracket", "Product", "Relation", "guess", "names_in", "redeclare"]

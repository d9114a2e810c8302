"""Statements that share their rows go into one loop over them, one after the other for each row.

A statement may join where all that it reads from the loop has the row in front, and where it has at most one label beside
the row: a product with a whole matrix passes over the matrix for each row, so such a loop has one, at its beginning.
What is summed over the rows is added up, and read after the loop only. Inside, statements that go along the same axis
share that loop too. What only the loop reads needs no array: one row of it does, or one number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from byhand.expr.dims import Dim, Shape
from byhand.program.labels import Labels, axes, label_sizes, looped, reads, reduces
from byhand.program.ops import Input, Op

CACHED = 4096  # entries of an array that may be read in any order


@dataclass
class Pass:
    """Statements of one row that share the loop along it.

    Attributes:
        size: of that loop; None for numbers, and for a statement with loops of its own.
        members: the statements, in order.
        alone: whether the one member has loops of its own.
    """

    size: Dim | None
    members: list[Input]
    alone: bool = False


@dataclass
class Group:
    """One loop over rows.

    Attributes:
        rows: the sizes of the loops over rows; none for numbers.
        labels: statement -> its labels that are the rows.
        passes: what is done for each row.
        inside: statements whose row is there when it has been computed.
    """

    rows: Shape
    labels: dict[Input, tuple[int, ...]] = field(default_factory=dict)
    passes: list[Pass] = field(default_factory=list)
    inside: set[Input] = field(default_factory=set)

    @property
    def members(self) -> list[Input]:
        """The statements, in the order in which they are done for a row."""
        return [leaf for p in self.passes for leaf in p.members]


class Rows:
    """The loops of a list of statements.

    Args:
        statements: leaf -> what is computed from arguments and other leaves; nodes that go over axes stand at the top.
        known: the leaves that are there before.
    """

    def __init__(self, statements: Mapping[Input, Op], known: set[Input]) -> None:
        self.statements = statements
        self.reads = {leaf: reads(op) for leaf, op in statements.items()}
        self.looped = {leaf: looped(op) for leaf, op in statements.items()}
        self.done = set(known)

    def groups(self) -> list[Group]:
        """All statements, in loops that can be done one after the other."""
        todo, found = dict.fromkeys(self.statements), []
        while todo:
            first = next(leaf for leaf in todo if self._ready(leaf, set()))
            group = Group(())
            labels = self._rows(first)
            group.rows = tuple(label_sizes(self.statements[first])[x] for x in labels)
            self._add(group, first, labels)
            for leaf in [leaf for leaf in todo if leaf is not first]:
                joined = self._joined(group, leaf)
                if joined is not None:
                    self._add(group, leaf, joined)
            for leaf in group.labels:
                del todo[leaf]
            self.done |= group.labels.keys()
            found.append(group)
        return found

    def _ready(self, leaf: Input, inside: set[Input]) -> bool:
        return all(a in self.done or a in inside for a, _ in self.reads[leaf])

    # ---- rows

    def _rows(self, leaf: Input) -> tuple[int, ...]:
        """The labels that the loops around a statement run over: all but the last of what it goes along."""
        op, labels = self.statements[leaf], self.looped[leaf]
        if not labels:
            return ()
        out = axes(op)
        longest = _places(max((ls for _, ls in self.reads[leaf]), key=lambda ls: len({*_places(ls)}), default=()))
        whole = {*longest} >= {*labels}
        count = max(1, len(labels) - 1)
        if reduces(op) and not whole:  # a product: all but the last axis of the result
            candidates = [out[: max(1, len(out) - 1)], longest[:1]]
        else:
            candidates = [(longest if whole else tuple(labels))[:count], out[:count], longest[:1], out[:1]]
        return next((c for c in candidates if c and self._may_be_rows(op, c)), ())

    def _may_be_rows(self, op: Op, labels: tuple[int, ...]) -> bool:
        """Either the first axes of the result, or summed over."""
        if len({*labels}) < len(labels) or not {*labels} <= {*looped(op)}:
            return False
        return labels == axes(op)[: len(labels)] or all(x >= len(op.shape) for x in labels)

    def _joined(self, group: Group, leaf: Input) -> tuple[int, ...] | None:
        """The labels that are the rows of the group, where the statement may join it."""
        if not self._ready(leaf, group.inside):
            return None
        op, count = self.statements[leaf], len(group.rows)
        sizes, own = label_sizes(op), self.reads[leaf]
        if not count:
            return () if not self.looped[leaf] else None
        wanted = {ls[:count] for a, ls in own if a in group.inside}
        candidates: list[Labels] = list(wanted) if wanted else [axes(op)[:count], *(ls[:count] for _, ls in own)]
        if len(wanted) > 1:
            return None
        for c in candidates:
            labels = _places(c)
            if len(labels) < count or not self._may_be_rows(op, labels) or self._across(leaf, labels):
                continue
            others = [x for x in self.looped[leaf] if x not in labels]
            if len(others) < 2 and tuple(sizes[x] for x in labels) == group.rows:
                return labels
        return None

    def _across(self, leaf: Input, rows: tuple[int, ...]) -> bool:
        """Whether a row of the loop would be a column of a large array that is read."""
        return any(
            {*ls} & {*rows} and ls[: len(rows)] != rows and len(ls) > len(rows) and not _small(a.shape)
            for a, ls in self.reads[leaf]
        )

    # ---- what is done for each row

    def _add(self, group: Group, leaf: Input, labels: tuple[int, ...]) -> None:
        op = self.statements[leaf]
        group.labels[leaf] = labels
        others = [x for x in self.looped[leaf] if x not in labels]
        first = 0
        for k, p in enumerate(group.passes):
            for made in (m for m in p.members if any(a is m for a, _ in self.reads[leaf])):
                shares = not p.alone and len(others) == 1 == len(axes(self.statements[made])) - len(labels)
                shares = shares and self._at_the_entry(made, leaf, (*labels, others[0]))
                first = max(first, k if shares or (p.size is None and not p.alone and not others) else k + 1)
        if len(others) > 1:
            group.passes.append(Pass(None, [leaf], alone=True))
        else:
            size = label_sizes(op)[others[0]] if others else None
            fitting = next((p for p in group.passes[first:] if p.size == size and not p.alone), None)
            if fitting is None:
                group.passes.append(Pass(size, [leaf]))
            else:
                fitting.members.append(leaf)
        if labels == axes(op)[: len(labels)]:
            group.inside.add(leaf)

    def _at_the_entry(self, made: Input, leaf: Input, labels: Labels) -> bool:
        """Whether a statement reads another nowhere but at the entry at which its loop is."""
        return all(ls == labels for a, ls in self.reads[leaf] if a is made)


def _small(sizes: Shape) -> bool:
    return all(isinstance(n, int) for n in sizes) and prod(n for n in sizes if isinstance(n, int)) <= CACHED


def _places(labels: Labels) -> tuple[int, ...]:
    return tuple(x for x in labels if x is not None)


__all__ = ["Group", "Pass", "Rows"]

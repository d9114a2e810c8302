"""Where the results of statements stand: in arguments, in memory between loops, in one row, in a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from byhand.code.statements import Statement
from byhand.expr.dims import Shape
from byhand.program.labels import Labels, axes, looped, reads
from byhand.program.liveness import Life, Storage, stored
from byhand.program.ops import Input, Op
from byhand.program.rows import Group, Pass, Rows

LONGEST_ROW = 1024  # entries of a row that is kept on the stack


class Places:
    """The loops of a program's functions, and where each statement's result stands.

    Args:
        parts: the statements of each function, in order.
        known: the arguments.
        returned: the name of the number that a function returns.
    Attributes:
        groups: the loops of each function.
        dropped: leaf -> how many of its first axes its memory has not.
        numbers: leaves that are numbers of a function, or of one row.
        entries: leaves that are read only where the loop along the row is that makes them.
        rows: leaves of which one row is kept, in an array of the function's own.
        storage: the memory of the others, results left out.
        saved: what a later function reads of an earlier one.
    """

    def __init__(
        self, parts: Sequence[Sequence[Statement]], known: Iterable[Input], returned: str | None = None
    ) -> None:
        self.op: dict[Input, Op] = {s.leaf: s.op for part in parts for s in part}
        self.results = {s.leaf for part in parts for s in part if s.result is not None and s.name != returned}
        done = set(known)
        self.groups: list[list[Group]] = []
        for part in parts:
            self.groups.append(Rows({s.leaf: s.op for s in part}, done).groups())
            done |= {s.leaf for s in part}
        self.reads: dict[Input, list[tuple[Input, Labels]]] = {leaf: reads(op) for leaf, op in self.op.items()}
        self.home: dict[Input, tuple[int, int, int, int]] = {}  # function, group, pass, place in the pass
        every = [(f, g, group) for f, groups in enumerate(self.groups) for g, group in enumerate(groups)]
        for f, g, group in every:
            for p, one in enumerate(group.passes):
                for k, leaf in enumerate(one.members):
                    self.home[leaf] = (f, g, p, k)
        self.readers: dict[Input, list[Input]] = {leaf: [] for leaf in self.op}
        for leaf in self.home:
            for a in dict.fromkeys(a for a, _ in self.reads[leaf]):
                if a in self.readers:
                    self.readers[a].append(leaf)
        self.dropped: dict[Input, int] = {}
        self.numbers: set[Input] = set()
        self.entries: set[Input] = set()
        self.rows: set[Input] = set()
        self.saved = [x for x in self.home if any(self.home[r][0] > self.home[x][0] for r in self.readers[x])]
        lives: dict[Input, Life] = {}
        step = {(f, g): k for k, (f, g, _) in enumerate(every)}
        for leaf, home in self.home.items():
            shape = self._shape(leaf)
            if shape is not None:
                last = max([step[self.home[r][:2]] for r in self.readers[leaf]], default=0)
                lives[leaf] = Life(shape, step[home[:2]], max(last, step[home[:2]]))
        self.storage: Storage[Input] = stored(lives, self._may_take)

    def group(self, leaf: Input) -> Group:
        """The loop that makes a leaf."""
        f, g, _, _ = self.home[leaf]
        return self.groups[f][g]

    def own_pass(self, leaf: Input) -> Pass:
        """What makes it there."""
        return self.group(leaf).passes[self.home[leaf][2]]

    def _shape(self, leaf: Input) -> Shape | None:
        """The shape of the memory that a leaf needs; None where it needs none of the workspace."""
        group = self.group(leaf)
        if leaf in self.results:
            return None
        if not axes(self.op[leaf]):
            self.numbers.add(leaf)
            self.dropped[leaf] = len(leaf.shape)
            return None
        local = (
            leaf in group.inside
            and group.rows
            and all(self.home[r][:2] == self.home[leaf][:2] for r in self.readers[leaf])
        )
        if not local:
            return leaf.shape
        count = len(group.rows)
        self.dropped[leaf] = axes(self.op[leaf])[count - 1] + 1
        kept = leaf.shape[self.dropped[leaf] :]
        if len(axes(self.op[leaf])) == count:
            self.numbers.add(leaf)
            self.dropped[leaf] = len(leaf.shape)
            return None
        own = self.own_pass(leaf)
        if own.size is not None and all(r in own.members for r in self.readers[leaf]):
            self.entries.add(leaf)
            self.dropped[leaf] = len(leaf.shape)
            return None
        if all(isinstance(n, int) for n in kept) and prod(n for n in kept if isinstance(n, int)) <= LONGEST_ROW:
            self.rows.add(leaf)
            return None
        return kept

    def _may_take(self, new: Input, old: Input) -> bool:
        """Whether a leaf may be written entry by entry, or row by row, over one that its loop reads."""
        group = self.group(new)
        if self.dropped.get(new) or self.dropped.get(old) or new not in group.inside or not group.rows:
            return False
        if [n for n in new.shape if n != 1] != [n for n in old.shape if n != 1]:
            return False
        count, place = len(group.rows), self.home[new][2:]
        for reader in self.readers[old]:
            if self.home[reader][:2] != self.home[new][:2]:
                continue
            rows = group.labels[reader]
            found = [ls for a, ls in self.reads[reader] if a is old]
            if any(ls[:count] != rows for ls in found) or self.home[reader][2:] > place:
                return False
            if self.home[reader][2] == place[0]:
                along = [x for x in looped(self.op[reader]) if x not in rows]
                if self.own_pass(new).alone or any(ls != (*rows, *along) for ls in found):
                    return False
        return True


def saved_shapes(places: Places) -> Mapping[Input, Shape]:
    """What stands in memory between the functions."""
    return {x: x.shape for x in places.saved}


__all__ = ["Places", "saved_shapes"]

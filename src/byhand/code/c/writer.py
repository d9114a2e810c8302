"""Loops as C: for each row one statement after the other, those that go along the row in one loop; products by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from byhand.code.c.cut import along, cut
from byhand.code.c.entries import Entries, Index
from byhand.code.c.identifiers import CIdentifiers
from byhand.code.c.loops import Body
from byhand.code.c.pieces import Piece, negative, product, quotient, size_piece
from byhand.code.c.places import Places
from byhand.code.statements import Statement
from byhand.errors import MissingRuleError
from byhand.expr.dims import ONE, Dim
from byhand.program.labels import axes, is_extreme, label_sizes, looped, terms
from byhand.program.ops import P1, Add, Contract, Input, Kernel, Map, Mul, Op, Pool, Scatter, operands
from byhand.program.rows import Group, Pass

LONGEST_SUMS = 64  # sums side by side that stay in registers
_REFERENCE = re.compile(r"(\(\*\w+\)|[\w>-]+)\[(.*)\]")
At = Mapping[int, str]  # label -> the variable of its loop


class Writer:
    """Writes the loops of a function.

    Args:
        b: where the lines go.
        places: where results stand.
        names: the C source of each leaf.
    """

    def __init__(self, b: Body, places: Places, names: Mapping[Input, str]) -> None:
        self.b, self.places = b, places
        self.entries = Entries(b, names)
        self.entries.dropped = dict(places.dropped)
        self.names = self.entries.names

    def group(self, group: Group) -> None:
        """One loop over rows."""
        b = self.b
        for leaf in group.members:
            if leaf not in group.inside:
                self._zero(leaf)
        rows = [b.open(n) for n in group.rows]
        for leaf in group.members:
            if leaf in self.places.rows:
                count = size_piece(leaf.shape[self.places.dropped[leaf] :], b.dims).text
                b.line(f"double {self._local(leaf)}[{count}];")
        for one in group.passes:
            if one.alone:
                (leaf,) = one.members
                self._alone(leaf, self._at(group, leaf, rows))
            elif one.size is None:
                for leaf in one.members:
                    at = self._at(group, leaf, rows)
                    self._assign(leaf, at, self._term(leaf, at), leaf in group.inside)
            else:
                self._along(group, one, rows)
            for leaf in one.members:
                if leaf in group.inside:
                    self._reciprocal(leaf)
        b.close(len(rows))
        for leaf in group.members:
            if leaf not in group.inside:
                self._reciprocal(leaf)

    def _at(self, group: Group, leaf: Input, rows: list[str]) -> dict[int, str]:
        found = {x: "0" for x, n in enumerate(label_sizes(self.places.op[leaf])) if n == 1}
        return found | dict(zip(group.labels[leaf], rows, strict=True))

    def _local(self, leaf: Input) -> str:
        """A name that is the function's own; the first choice is its name."""
        return self.names[leaf]

    # ---- results

    def _index(self, leaf: Input, at: At) -> Index:
        return tuple(at.get(x, "0") for x in range(len(leaf.shape)))

    def target(self, leaf: Input, at: At) -> str:
        """The entry of a result."""
        return self.entries.element(leaf, self._index(leaf, at)).text

    def _assign(self, leaf: Input, at: At, value: Piece, whole: bool) -> None:
        """An entry that is computed at once, or added up."""
        if isinstance(op := self.places.op[leaf], Scatter):
            self._scattered(leaf, op, dict(at), value)
            return
        target = self.target(leaf, at)
        if not whole:
            self._added(target, value, self.places.op[leaf])
            return
        declared = "const double " if leaf in self.places.numbers or leaf in self.places.entries else ""
        self.b.line(f"{declared}{target} = {value.text};")

    def _zero(self, leaf: Input) -> None:
        """Sums over the rows start from zero."""
        op = self.places.op[leaf]
        start = "-INFINITY" if is_extreme(op) else "0.0"
        at = dict.fromkeys(range(len(leaf.shape)), "0")
        if leaf in self.places.numbers:
            self.b.line(f"double {self.names[leaf]} = {start};")
            return
        for x, n in enumerate(leaf.shape):
            at[x] = self.b.open(n)
        self.b.line(f"{self.target(leaf, at)} = {start};")
        self.b.close(len(leaf.shape))

    def _reciprocal(self, leaf: Input) -> None:
        """One divided by a number of the row that many entries are divided by, where that cannot overflow."""
        if leaf not in self.places.numbers or not _moderate(self.places.op[leaf], self.places.op):
            return
        users = [r for r in self.places.readers[leaf] if len(axes(self.places.op[r])) > len(axes(self.places.op[leaf]))]
        if any(_divides(self.places.op[r], leaf) for r in users):
            name = self.b.local(f"{self.names[leaf]}_inverse")
            self.b.line(f"const double {name} = 1.0 / {self.names[leaf]};")
            self.entries.reciprocals[leaf] = name

    def _term(self, leaf: Input, at: At) -> Piece:
        """What is assigned, or summed over."""
        op = self.places.op[leaf]
        parts = terms(op)
        if isinstance(op, Scatter):
            parts = parts[:1]
        if isinstance(op, Contract) and len(parts) == 2 and parts[0] == parts[1]:
            entry = self.entries.plain(self._entry(*parts[0], at))
            return product([entry, entry])
        if not isinstance(op, Contract) or len(parts) == 1:
            return self._entry(*parts[0], at)
        over: list[Piece] = []
        under: list[Piece] = []
        minus = False
        for arg, labels in parts:
            index = tuple(at[x] for x in labels if x is not None)
            every = tuple(range(len(index)))
            top, bottom, sign = self.entries.factors(ONE, ((arg, every, P1),), index)
            over, under, minus = over + top, under + bottom, minus != sign
        piece = quotient(over, under)
        return negative(piece) if minus else piece

    def _entry(self, arg: Op, labels: tuple[int | None, ...], at: At) -> Piece:
        return self.entries.entry(arg, tuple(at[x] for x in labels if x is not None))

    # ---- statements that go along the row

    def _along(self, group: Group, one: Pass, rows: list[str]) -> None:
        b = self.b
        assert one.size is not None
        if len(one.members) == 1 and self._dot(group, one.members[0], rows):
            return
        sums: dict[Input, str] = {}  # over the row -> the number that it is added up in
        for leaf in one.members:
            if self._sums_along(group, leaf):
                own = leaf in self.places.numbers
                if leaf in group.inside or not own:
                    name = self.names[leaf] if own else b.local("sum")
                    start = "-INFINITY" if is_extreme(self.places.op[leaf]) else "0.0"
                    b.line(f"double {name} = {start};")
                    sums[leaf] = name
                else:
                    sums[leaf] = self.names[leaf]
        inner = b.open(one.size)
        for leaf in one.members:
            at = self._at(group, leaf, rows)
            (other,) = (x for x in looped(self.places.op[leaf]) if x not in at)
            at[other] = inner
            value = self._term(leaf, at)
            if leaf in sums:
                self._added(sums[leaf], value, self.places.op[leaf])
            else:
                self._assign(leaf, at, value, leaf in group.inside)
        b.close()
        for leaf, name in sums.items():
            if name != self.names[leaf]:
                sign = "=" if leaf in group.inside else "+="
                b.line(f"{self.target(leaf, self._at(group, leaf, rows))} {sign} {name};")

    def _sums_along(self, group: Group, leaf: Input) -> bool:
        op = self.places.op[leaf]
        others = (x for x in looped(op) if x not in group.labels[leaf])
        return not isinstance(op, Scatter) and any(x >= len(op.shape) for x in others)

    def _added(self, target: str, value: Piece, op: Op) -> None:
        if not isinstance(op, Kernel):
            self.b.line(f"{target} += {value.text};")
            return
        word = self.entries.plain(value).text  # what is no number is the greatest, as NumPy has it
        self.b.line(f"{target} = {word} > {target} || {word} != {word} ? {word} : {target};")

    def _scattered(self, leaf: Input, op: Scatter, at: dict[int, str], value: Piece) -> None:
        (_, labels) = terms(op)[1]
        at[0] = self._entry(op.index, labels, at).text
        self.b.line(f"{self.target(leaf, at)} += {value.text};")

    # ---- products

    def _dot(self, group: Group, leaf: Input, rows: list[str]) -> bool:
        """Whether a sum along the row was written as a product of two stretches of memory."""
        op = self.places.op[leaf]
        if not isinstance(op, Contract) or len(op.operands) != 2 or not self._sums_along(group, leaf):
            return False
        at = self._at(group, leaf, rows)
        (k,) = (x for x in looped(op) if x not in at)
        if along(op) is None:
            return False
        self._assign(leaf, at, Piece(self._stretches(op, at, k)), leaf in group.inside)
        return True

    def _stretches(self, op: Contract, at: At, k: int) -> str:
        """The sum over a label as a call of dot: both operands run along memory."""
        ends = [_pointer(self._entry(arg, labels, {**at, k: "0"})) for arg, labels in op.operands]
        self.entries.kernels.add("dot")
        return f"dot({ends[0]}, {ends[1]}, {self.b.dim(op.sizes[k]).text})"

    def _alone(self, leaf: Input, at: dict[int, str]) -> None:
        """A statement with loops of its own in the row."""
        op, b = self.places.op[leaf], self.b
        sizes, whole = label_sizes(op), leaf in self.places.group(leaf).inside
        others = [x for x in looped(op) if x not in at]
        out = [x for x in others if x < len(op.shape)]
        summed = [x for x in others if x >= len(op.shape)]
        if not summed or isinstance(op, Scatter):
            at |= {x: b.open(sizes[x]) for x in others}
            value = self._term(leaf, at)
            self._assign(leaf, at, value, whole)
            b.close(len(others))
            return
        k = along(op) if isinstance(op, Contract) else None
        if isinstance(op, Contract) and k is not None:
            at |= {x: b.open(sizes[x]) for x in out}
            self._assign(leaf, at, Piece(self._stretches(op, at, k)), whole)
            b.close(len(out))
            return
        if not out or not isinstance(op, Contract):
            self._sum_of_all(leaf, at, out, summed, whole)
            return
        self._row_by_row(leaf, op, at, out, summed, whole)

    def _sum_of_all(self, leaf: Input, at: dict[int, str], out: list[int], summed: list[int], whole: bool) -> None:
        """Each entry added up in a number."""
        op, b = self.places.op[leaf], self.b
        sizes = label_sizes(op)
        at |= {x: b.open(sizes[x]) for x in out}
        own = leaf in self.places.numbers
        name = self.names[leaf] if own else b.local("sum")
        if whole or not own:
            b.line(f"double {name} = {'-INFINITY' if is_extreme(op) else '0.0'};")
        at |= {x: b.open(sizes[x]) for x in summed}
        self._added(name, self._term(leaf, at), op)
        b.close(len(summed))
        if not own:
            b.line(f"{self.target(leaf, at)} {'=' if whole else '+='} {name};")
        b.close(len(out))

    def _row_by_row(
        self, leaf: Input, op: Contract, at: dict[int, str], out: list[int], summed: list[int], whole: bool
    ) -> None:
        """out[i, j] += a[i, k] b[k, j], the loop over j innermost; short rows are added up in registers."""
        b, sizes, last = self.b, op.sizes, out[-1]
        for x in out[:-1]:
            at[x] = b.open(sizes[x])
        short = whole and _is_short(sizes[last]) and leaf not in self.places.rows
        row = b.local("row") if short else None
        if row is not None:
            b.line(f"double {row}[{sizes[last]}];")

        def target() -> str:
            return f"{row}[{at[last]}]" if row is not None else self.target(leaf, at)

        if whole:
            at[last] = b.open(sizes[last])
            b.line(f"{target()} = 0.0;")
            b.close()
        for x in summed:
            at[x] = b.open(sizes[x])
        at.pop(last, None)
        fixed = [(a, ls) for a, ls in op.operands if last not in ls]
        moving = [(a, ls) for a, ls in op.operands if last in ls]
        front = [self._entry(a, ls, at) for a, ls in fixed]
        if front and not re.fullmatch(r"\w+", front[0].text):
            name = b.local("a")
            b.line(f"const double {name} = {front[0].text};")
            front = [Piece(name)]
        at[last] = b.open(sizes[last])
        factors = [*front, *(self._entry(a, ls, at) for a, ls in moving)]
        b.line(f"{target()} += {product(factors).text};")
        b.close(len(summed) + 1)
        if row is not None:
            at[last] = b.open(sizes[last])
            b.line(f"{self.target(leaf, at)} = {row}[{at[last]}];")
            b.close()
        b.close(len(out) - 1)


def written(
    pool: Pool, statements: Sequence[Statement], known: Iterable[Input], names: Mapping[Input, str],
    dims: Mapping[str, str], taken: Iterable[str],
) -> tuple[list[str], set[str]]:  # fmt: skip
    """The lines of statements by themselves, and the small functions that they call.

    Args:
        pool: makes nodes.
        statements: what is computed.
        known: what is there before.
        names: the C source of leaves, where it is not their name.
        dims: the C source of each named dimension.
        taken: words that mean something else.
    """
    identifiers = CIdentifiers([*taken, *names.values(), *(s.name for s in statements)])
    statements = cut(pool, statements, identifiers)
    every = {leaf: leaf.name for leaf in known} | {s.leaf: s.name for s in statements} | dict(names)
    places = Places([statements], known)
    if places.storage.slots:
        raise MissingRuleError("these statements need arrays between loops", "write the update entry by entry")
    b = Body(lambda d: dims[d], {*taken, *every.values()})
    for s in statements:
        if s.result is not None and not s.shape:
            places.numbers.add(s.leaf)
    writer = Writer(b, places, every)
    for group in places.groups[0]:
        writer.group(group)
    return b.lines(0), writer.entries.kernels


def _is_short(d: Dim) -> bool:
    return isinstance(d, int) and 1 < d <= LONGEST_SUMS


def _pointer(piece: Piece) -> str:
    """Where an entry stands: W + i * H for W[i * H]."""
    found = _REFERENCE.fullmatch(piece.text)
    assert found is not None, piece.text
    return found[1] if found[2] == "0" else f"{found[1]} + {found[2]}"


def _moderate(op: Op, made: Mapping[Input, Op]) -> bool:
    """Whether a number is a root, or a sum of exponentials of which the largest is one: one divided by it is finite."""
    match op:
        case Mul(coefficient=c, factors=((_, _, power),)):
            return c == ONE and power == Fraction(1, 2)
        case Contract(operands=((Input() as e, _),)) if e in made:
            return _is_shifted(made[e], made)
        case Contract(operands=((arg, _),)):
            return _is_shifted(arg, made)
    return False


def _is_shifted(op: Op, made: Mapping[Input, Op]) -> bool:
    """exp(z - largest z)."""
    match op:
        case Map(function="exp", args=(Add(terms=added),)):
            return any(isinstance(t, Input) and t in made and is_extreme(made[t]) for _, t, _ in added)
    return False


def _divides(op: Op, leaf: Input) -> bool:
    stack = [op]
    while stack:
        p = stack.pop()
        if isinstance(p, Mul) and any(f is leaf and q == -1 for f, _, q in p.factors):
            return True
        stack += operands(p)
    return False


__all__ = ["Writer", "written"]

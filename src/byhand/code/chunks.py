"""A program computed in chunks of rows, so that the logits of a softmax are never held whole.

Everything of the shape of the logits is computed for some rows at a time. What sums over the rows (a loss, the gradient
of a weight) is added up; what has the rows (the adjoint of the layer below) is filled in. The rules stand in one table
each: what may be restricted to rows, and what is a sum over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from byhand.code.names import Identifiers
from byhand.code.statements import Listing, Statement, parts, reads, with_op
from byhand.code.temporaries import LETTERS
from byhand.errors import ByhandError
from byhand.expr.dims import Dimension, Shape, named_dimension
from byhand.program.ops import Add, Axes, Contract, Input, Kernel, Map, Mul, Number, Op, Take, operands
from byhand.program.rewrite import rebuilt

_OVER_LAST_AXIS = frozenset({"softmax", "log_softmax", "logsumexp"})
_ENTRY_BY_ENTRY = frozenset({"one_hot", "heaviside"})


@dataclass(frozen=True, slots=True)
class Sum:
    """A result that grows by `part` with every chunk; with `rows`, whose rows are filled in."""

    statement: Statement
    part: Op
    rows: bool


@dataclass(frozen=True, slots=True)
class Chunks:
    """A program in three parts.

    Attributes:
        program: with the dimension of the rows of a chunk.
        before, after: statements outside the loop.
        loop: statements on some of the rows.
        sums: what the loop adds up or fills in.
        samples: the number of all rows.
        size: the number of rows at a time.
        rows: the dimension of the rows of a chunk, which the last one may have fewer of.
    """

    program: Listing
    before: tuple[Statement, ...]
    loop: tuple[Statement, ...]
    sums: tuple[Sum, ...]
    after: tuple[Statement, ...]
    samples: Dimension
    size: int
    rows: Dimension


def in_chunks(program: Listing, size: int) -> Chunks:
    """The program with its logits in chunks of rows.

    Args:
        program: of a function and its gradients.
        size: the number of rows at a time.
    Raises: ByhandError: there are no logits, or a step needs all rows at once.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ByhandError(f"chunk is {size!r}: the number of rows at a time, from 1 on")
    return _Chunking(program, size).run()


class _Chunking:
    def __init__(self, program: Listing, size: int) -> None:
        self.program, self.size = program, size
        self.shape = _logits(program)
        samples = self.shape[0]
        assert isinstance(samples, Dimension)
        self.samples = samples
        self.pool = program.pool
        self.identifiers = Identifiers([*program.identifiers(), "rows", "start"])
        word = self.identifiers.give("M")
        self.rows = named_dimension(f"{word} rows")
        self.dims = {**program.dims, str(self.rows): word}
        self.local: dict[Op, Input] = {}  # leaf -> the leaf of its rows
        self.sums: list[Sum] = []

    def run(self) -> Chunks:
        before, loop, after = list[Statement](), list[Statement](), list[Statement]()
        late: set[Op] = set()  # known after the loop only
        inner: set[Op] = set()
        for s in self.program.statements:
            read = reads(s.op).keys()
            if s.result is None and s.shape == self.shape:
                if read & late:
                    raise self.refusal(s.op)
                inner.add(s.leaf)
                self.local[s.leaf] = self.leaf_of_rows(s.leaf, s.name)
                loop.append(replace(s, leaf=self.local[s.leaf], op=self.restricted(s.op)))
            elif read & inner and s.shape[:1] == (self.samples,):
                if read & late:
                    raise self.refusal(s.op)
                self.sums.append(Sum(s, self.restricted(s.op), rows=True))
                late.add(s.leaf)
            elif read & inner:
                part = self.summed(s.op)
                if part is not None:
                    self.sums.append(Sum(s, part, rows=False))
                else:
                    after.append(with_op(s, self.reduced(s.op, inner, s)))
                late.add(s.leaf)
            elif read & late:
                late.add(s.leaf)
                after.append(s)
            else:
                before.append(s)
        program = replace(self.program, dims=self.dims)
        return Chunks(
            program, tuple(before), tuple(loop), tuple(self.sums), tuple(after), self.samples, self.size, self.rows
        )

    # ---- nodes on some of the rows

    def leaf_of_rows(self, leaf: Input, name: str) -> Input:
        return self.pool(Input((self.rows, *leaf.shape[1:]), leaf.type, name))

    def restricted(self, op: Op) -> Op:
        """The node on the rows of a chunk.

        Raises: ByhandError: it needs all of them.
        """
        if not self.has_rows(op):
            return op
        if isinstance(op, Input):
            if op not in self.local:
                if op.shape[0] != self.samples or self.samples in op.shape[1:]:
                    raise self.refusal(op)
                self.local[op] = self.leaf_of_rows(op, f"{op.name}[rows]")
            return self.local[op]
        if not self.is_row_by_row(op):
            raise self.refusal(op)
        new = {a: self.restricted(a) for a in operands(op)}
        small = replace(rebuilt(self.pool, op, new), shape=self.fewer(op.shape))
        if isinstance(small, Contract):
            small = replace(small, sizes=self.fewer(small.sizes))
        return self.pool(small)

    def fewer(self, shape: Shape) -> Shape:
        """The shape of some of the rows."""
        return tuple(self.rows if n == self.samples else n for n in shape)

    def is_row_by_row(self, op: Op) -> bool:
        """Whether each row of a node needs that row of its operands only, or operands that have no such rows."""
        match op:
            case Number() | Map():
                return True
            case Add(terms=terms):
                return all(self.keeps(t, axes) for _, t, axes in terms)
            case Mul(factors=factors):
                return all(self.keeps(f, axes) for f, axes, _ in factors)
            case Contract(operands=pair, out=out):
                return op.shape[:1] == (self.samples,) and all(self.keeps(a, ls, out[0]) for a, ls in pair)
            case Take(arg=arg, rows=rows):
                return rows > 0 or not self.has_rows(arg)
            case Kernel(operation=name, args=args, attributes=attributes):
                return name in _ENTRY_BY_ENTRY or (
                    name in _OVER_LAST_AXIS and attributes[0] == (len(args[0].shape) - 1,)
                )
            case _:
                return False

    def keeps(self, op: Op, labels: Axes, row: int = 0) -> bool:
        """Whether the rows of an operand, its first axis, are those of the result."""
        has = [x for x, n in zip(labels, op.shape, strict=True) if n == self.samples]
        return has == ([row] if op.shape[:1] == (self.samples,) else []) and labels.count(row) <= 1

    def has_rows(self, op: Op) -> bool:
        """Whether the rows of the logits occur among the axes of the node or of its parts."""
        return any(self.samples in p.shape for p in parts(op))

    # ---- sums over the rows

    def summed(self, op: Op) -> Op | None:
        """What a chunk adds to a node that is a sum over the rows; None for other nodes."""
        if not isinstance(op, Contract) or self.samples in op.shape:
            return None
        rows = [x for x, n in enumerate(op.sizes) if n == self.samples]
        if len(rows) != 1 or not all(self.keeps(a, ls, rows[0]) for a, ls in op.operands):
            return None
        new: Mapping[Op, Op] = {a: self.restricted(a) for a, _ in op.operands}
        small = rebuilt(self.pool, op, new)
        assert isinstance(small, Contract)
        return self.pool(replace(small, sizes=self.fewer(op.sizes)))

    def reduced(self, op: Op, inner: set[Op], user: Statement) -> Op:
        """The node with sums over the rows replaced by what the loop adds up."""
        if not inner & reads(op).keys():
            return op
        part = self.summed(op)
        if part is None:
            if not operands(op) or self.samples in op.shape:
                raise self.refusal(op)
            return rebuilt(self.pool, op, {a: self.reduced(a, inner, user) for a in operands(op)})
        leaf = self.pool(Input(op.shape, "real", self.identifiers.numbered(LETTERS[min(len(op.shape), 3)])))
        self.sums.append(Sum(Statement(leaf, op, user.section, ours=True), part, rows=False))
        return leaf

    def refusal(self, op: Op) -> ByhandError:
        what = (
            op.name if isinstance(op, Input) else op.operation if isinstance(op, Kernel) else type(op).__name__.lower()
        )
        return ByhandError(
            f"chunk: a step needs the {self.samples} rows of the logits at once ({what})",
            "chunks are for a softmax over the last axis, with a loss that is a sum or mean over the rows",
        )


def _logits(program: Listing) -> Shape:
    """The shape of the argument of the softmax over the last axis.

    Raises: ByhandError: there is none.
    """
    found: dict[Shape, None] = {}
    for s in program.statements:
        for p in parts(s.op):
            if isinstance(p, Kernel) and p.operation in _OVER_LAST_AXIS and p.attributes[0] == (1,):
                found[p.args[0].shape] = None
    found = {shape: None for shape in found if len(shape) == 2}
    shapes = [shape for shape in found if isinstance(shape[0], Dimension)]
    if len(shapes) != 1:
        raise ByhandError(
            "chunk: there are logits of several shapes"
            if shapes
            else "chunk: the number of rows of the logits is fixed"
            if found
            else "chunk: there is no softmax of logits (N, C) to take in chunks of rows",
            "give the number of rows a name" if found and not shapes else "leave chunk out",
        )
    return shapes[0]


__all__ = ["Chunks", "Sum", "in_chunks"]

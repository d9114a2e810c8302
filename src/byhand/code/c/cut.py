"""A listing made ready for loops: kernels written out, and a name for each part that needs loops of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from byhand.code.names import Identifiers
from byhand.code.rewrites import by_outputs
from byhand.code.statements import Statement, parts, with_op, without_dead
from byhand.code.temporaries import LETTERS, Temporaries
from byhand.expr.dims import MINUS_ONE, ONE, Dim, Shape
from byhand.expr.operations import CONSTANTS, PICKERS, SOFTMAXES
from byhand.program.labels import Labels, is_extreme, looped, reduces, terms
from byhand.program.ops import (
    P1,
    Add,
    Contract,
    Eye,
    Input,
    Kernel,
    Map,
    Mul,
    Number,
    Op,
    Pad,
    Pool,
    Reshape,
    Slice,
    Take,
    operands,
)
from byhand.program.rewrite import mapped

ENTRYWISE = PICKERS | CONSTANTS | {"heaviside"}  # kernels an entry of which needs no array
SHORT = 8  # entries of a product of two vectors that is added up at once
# functions that are computed again rather than kept
_CHEAP = frozenset(
    {"real", "where", "step", "nonnegative", "infinite", "abs", "sign", "relu", "leaky_relu", "hard_tanh"}
)


def cut(pool: Pool, statements: Sequence[Statement], identifiers: Identifiers) -> list[Statement]:
    """Statements that loops can be written for: what goes over axes stands at the top of one.

    Args:
        pool: makes nodes.
        statements: of a program.
        identifiers: where new names come from.
    """
    statements = [with_op(s, mapped(pool, s.op, lambda op: written_out(pool, op))) for s in statements]
    statements = without_dead(_in_place(pool, by_outputs(pool, statements)))
    naming = Temporaries(pool, identifiers)
    while True:
        wanted = _wanted(statements)
        if not wanted:
            return _turned(pool, statements, identifiers)
        statements = without_dead(naming.extracted(statements, wanted))


# ---- kernels over axes as maximum, exponential, sum and quotient


def written_out(pool: Pool, op: Op) -> Op:
    """softmax, log_softmax and logsumexp in operations that loops can be written for; others stay."""
    if isinstance(op, Contract) and len(op.operands) == 1:
        return _without_ones(pool, op)
    if not isinstance(op, Kernel) or op.operation not in SOFTMAXES:
        return op
    (z,), (axes, *_) = op.args, op.attributes
    every = tuple(range(len(z.shape)))
    kept = tuple(a for a in every if a not in axes)
    small: Shape = tuple(z.shape[a] for a in kept)
    top = pool(Kernel(small, "real", "peak", (z,), (axes,)))
    gap = pool.add(z.shape, [(ONE, z, every), (MINUS_ONE, top, kept)])
    e = pool(Map(z.shape, "real", "exp", (gap,)))
    order = (*kept, *axes)
    labels, sizes = tuple(map(order.index, every)), tuple(z.shape[a] for a in order)
    inner = tuple(range(len(kept)))
    total = pool(Contract(small, "real", ((e, labels),), inner, sizes))
    if op.operation == "softmax":
        return pool.mul(z.shape, ONE, [(e, every, P1), (total, kept, Fraction(-1))])
    log = pool(Map(small, "real", "log", (total,)))
    if op.operation == "log_softmax":
        return pool.add(z.shape, [(ONE, gap, every), (MINUS_ONE, log, kept)])
    finite = pool.add(small, [(ONE, top, inner), (ONE, log, inner)])
    return pool(Map(small, "real", "where", (pool(Map(small, "bool", "infinite", (top,))), top, finite)))


def _without_ones(pool: Pool, op: Contract) -> Op:
    """A sum over axes of size one as a view."""
    ((arg, labels),) = op.operands
    kept = tuple(x for x in labels if x in op.out)
    if len({*labels}) < len(labels) or any(op.sizes[x] != 1 for x in labels if x not in op.out):
        return op
    flat = pool(Reshape(tuple(op.sizes[x] for x in kept), op.type, arg)) if kept != labels else arg
    return pool.mul(op.shape, ONE, [(flat, tuple(map(op.out.index, kept)), P1)])


# ---- products whose operands both run along what is summed


def _turned(pool: Pool, statements: Sequence[Statement], identifiers: Identifiers) -> list[Statement]:
    """A @ B.T as a product with a copy of B.T: rows are added up, side by side, instead of many short sums."""
    done: list[Statement] = []
    copies: dict[tuple[str, Op], Input] = {}
    for s in statements:
        op = s.op
        k = along(op) if isinstance(op, Contract) and len(looped(op)) > 2 else None
        if isinstance(op, Contract) and k is not None and not _is_short(op.sizes[k]):
            last = [x for x in op.out if op.sizes[x] != 1][-1]
            place = next(p for p, (_, labels) in enumerate(op.operands) if last in labels)
            arg, labels = op.operands[place]
            key = s.section, arg
            if key not in copies and labels.index(last) == len(labels) - 2 and isinstance(labels[-1], int):
                swapped = (*range(len(labels) - 2), len(labels) - 1, len(labels) - 2)
                view = pool.mul(tuple(arg.shape[a] for a in swapped), ONE, [(arg, swapped, P1)])
                copies[key] = pool(Input(view.shape, "real", identifiers.numbered(LETTERS[min(len(labels), 3)])))
                done.append(Statement(copies[key], view, s.section))
            if key in copies:
                pairs = list(op.operands)
                pairs[place] = (copies[key], (*labels[:-2], labels[-1], labels[-2]))
                s = with_op(s, pool(replace(op, operands=tuple(pairs))))
        done.append(s)
    return done


def _is_short(d: Dim) -> bool:
    return isinstance(d, int) and d <= SHORT


def along(op: Contract) -> int | None:
    """The one label that is summed over, where it runs along memory in both of two operands."""
    summed = [x for x in looped(op) if x >= len(op.shape)]
    if len(summed) != 1 or len(op.operands) != 2:
        return None
    return summed[0] if all(runs_along(arg, labels, summed[0]) for arg, labels in op.operands) else None


def runs_along(op: Op, labels: Labels, k: int) -> bool:
    """Whether the entries of a node along a label are neighbours in memory."""
    if labels.count(k) != 1:
        return False
    match op:
        case Input():
            inner = [x for x, n in zip(labels, op.shape, strict=True) if n != 1]
            return bool(inner) and inner[-1] == k
        case Mul(coefficient=c, factors=((arg, places, power),)) if power == 1 and c == ONE:
            return len(places) == len(labels) and runs_along(arg, tuple(labels[a] for a in places), k)
        case Slice(arg=arg):
            return runs_along(arg, labels, k)
        case Take(arg=arg, index=index, axis=axis, rows=0):
            stop = axis + len(index.shape)
            return k not in labels[axis:stop] and runs_along(arg, (*labels[:axis], None, *labels[stop:]), k)
        case Reshape(arg=Input()):
            return labels[-1] == k
    return False


# ---- what is written where it is used


def _in_place(pool: Pool, statements: list[Statement]) -> list[Statement]:
    """Masks, one-hot rows and other names of entries that cost nothing, written where they are used."""
    given: dict[Op, Op] = {}
    done = []
    for s in statements:
        op = mapped(pool, s.op, lambda op: given.get(op, op)) if given else s.op
        if s.result is None and _is_free(op):
            given[s.leaf] = op
        done.append(with_op(s, op))
    return done


def _is_free(op: Op) -> bool:
    match op:
        case Eye() | Number() | Input():
            return True
        case Slice(arg=arg) | Take(arg=arg, index=Input()):
            return _is_free(arg)
        case Kernel(operation="one_hot", args=(Input(),)) | Kernel(operation="affine" | "triangle" | "arange"):
            return True
        case Map(function="real" | "step" | "nonnegative", args=(arg,)):
            return _is_free(arg)
        case Mul(coefficient=c, factors=((arg, _, power),)):
            return c == ONE and power == 1 and _is_free(arg)
        case Mul(factors=()):
            return True
    return False


# ---- what has loops of its own, and what would be computed again and again


def _wanted(statements: list[Statement]) -> set[Op]:
    """The parts of statements that become statements."""
    found: set[Op] = set()
    again: set[Op] = set()
    count: dict[Op, int] = {}
    costly = _Costs()
    seen: set[Op] = set()
    for s in statements:
        count[s.op] = count.get(s.op, 0) + 1
        for p in parts(s.op):
            if p in seen:
                continue
            seen.add(p)
            for a, repeated in _operands(p):
                if isinstance(a, (Input, Number)):
                    continue
                count[a] = count.get(a, 0) + 1
                own = reduces(a) or (isinstance(a, Kernel) and a.operation not in ENTRYWISE)
                if own or _whole(p):
                    found.add(a)
                elif repeated and costly(a):
                    again.add(a)
    if found:
        return found  # what is left of the others is looked at afterwards
    made = Counter(s.op for s in statements)
    kept = (op for op, n in count.items() if n > made[op] and n > 1 and (op in made or costly(op)))
    return again | {op for op in kept if not isinstance(op, (Input, Number, Eye))}


def _whole(op: Op) -> bool:
    """Whether a node takes its operands as whole arrays."""
    return isinstance(op, Kernel) and not is_extreme(op) and op.operation not in ENTRYWISE


def _operands(op: Op) -> list[tuple[Op, bool]]:
    """The operands of a node, and whether one of their entries is asked for by several of its own."""
    rank = len(op.shape)
    match op:
        case Add(terms=added):
            return [(t, len(axes) < rank) for _, t, axes in added]
        case Mul(factors=factors):
            return [(f, len({*axes}) < rank) for f, axes, _ in factors]
        case Reshape(arg=arg) | Pad(arg=arg):
            return [(arg, True)]
        case _ if reduces(op):
            every = {*looped(op)}
            return [(a, not every <= {*labels}) for a, labels in terms(op)]
    return [(a, False) for a in operands(op)]


class _Costs:
    """Whether an entry is better kept than computed again."""

    def __init__(self) -> None:
        self.known: dict[Op, bool] = {}

    def __call__(self, op: Op) -> bool:
        for p in parts(op):
            if p not in self.known:
                self.known[p] = _costs(p) or any(self.known[a] for a in operands(p))
        return self.known[op]


def _costs(op: Op) -> bool:
    match op:
        case Map(function=name):
            return name not in _CHEAP
        case Mul(factors=factors):
            return any(p != 1 and p != 2 for _, _, p in factors)
        case Kernel(operation=name):
            return name not in ENTRYWISE
        case Contract():
            return True
    return False


__all__ = ["along", "cut", "written_out"]

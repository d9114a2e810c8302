"""Operations that PyTorch has one call for: b + A B, the pullback of relu, the cross-entropy of labels, P − onehot(y)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from byhand.code.rewrites import of_kinked
from byhand.code.statements import Listing, Statement, parts, reads, uses, with_op, without_dead
from byhand.code.writer import view_of
from byhand.expr.dims import MINUS_ONE, ONE, Coefficient, dim_coefficient
from byhand.program.ops import P1, Add, Axes, Contract, Input, Kernel, Map, Mul, Op, Pool, Take
from byhand.program.rewrite import mapped

Factor = tuple[Op, Axes, Fraction]

# Functions that PyTorch can apply where their argument stands.
IN_PLACE = frozenset({"relu", "tanh", "sigmoid"})


def with_idioms(listing: Listing) -> Listing:
    """The program with what PyTorch has one call for; statements that are no longer needed are left out."""
    new = changed(listing.pool, list(listing.statements))
    return listing.with_statements(without_dead(new) if any(s.result is not None for s in new) else new)


def changed(pool: Pool, statements: Sequence[Statement]) -> list[Statement]:
    """The statements with what PyTorch has one call for."""
    idioms = _Idioms(pool, statements)
    return [with_op(s, mapped(pool, s.op, idioms.change)) for s in statements]


class _Idioms:
    """Patterns of operations, one method each; None where a node does not have the pattern."""

    def __init__(self, pool: Pool, statements: Sequence[Statement]) -> None:
        self.pool = pool
        self.kinked = of_kinked(statements)
        self.labels: dict[Op, Op] = {}  # an array of zeros and ones -> where the ones stand
        for s in statements:
            for op in parts(s.op):
                inner = op.args[0] if isinstance(op, Map) and op.function == "real" else op
                if isinstance(inner, Kernel) and inner.operation == "one_hot":
                    self.labels[op] = inner.args[0]
                    if op is s.op:
                        self.labels[s.leaf] = inner.args[0]

    def change(self, op: Op) -> Op:
        """The node as one call, where there is one."""
        match op:
            case Add():
                return self.addmm(op) or self.minus_hot(op) or self.sum_with_nll(op)
            case Mul():
                return self.gate(op) or self.product_with_nll(op)
            case _:
                return op

    def addmm(self, op: Add) -> Op | None:
        """b + A B."""
        if len(op.terms) != 2 or len(op.shape) != 2:
            return None
        (c, product, axes), (d, added, place) = sorted(op.terms, key=lambda t: not isinstance(t[1], Contract))
        if not isinstance(product, Contract) or not isinstance(added, Input) or added.type != "real":
            return None
        pair = matrices(self.pool, product)
        if pair is None or c != ONE or d != ONE or axes != (0, 1) or place != (1,):
            return None
        return self.pool(Kernel(op.shape, "real", "addmm", (added, *pair), ()))

    def minus_hot(self, op: Add) -> Op | None:
        """P − onehot(y), without an array of ones and zeros."""
        if len(op.terms) != 2 or len(op.shape) != 2:
            return None
        kept, taken = sorted(op.terms, key=lambda t: t[1] in self.labels)
        if kept[0] != ONE or taken[0] != MINUS_ONE or not isinstance(kept[1], Input) or taken[1] not in self.labels:
            return None
        if kept[2] != (0, 1) or taken[2] != (0, 1):
            return None
        return self.pool(Kernel(op.shape, "real", "minus_hot", (kept[1], self.labels[taken[1]]), ()))

    def gate(self, op: Mul) -> Op | None:
        """dH ⊙ 1[Z > 0]."""
        every = tuple(range(len(op.shape)))
        masks = [
            f for f in op.factors if isinstance(f[0], Map) and f[0].function == "step" and f[0].args[0] in self.kinked
        ]
        rest = [f for f in op.factors if f is not masks[0]] if len(masks) == 1 and every else []
        arrays = [f for f in rest if f[1]]
        if not any(p > 0 for _, _, p in arrays) or any(axes != every for _, axes, _ in [*arrays, *masks]):
            return None
        ((mask, _, _),) = masks
        assert isinstance(mask, Map)
        gated = self.pool.mul(op.shape, ONE, arrays)
        gate = self.pool(Kernel(op.shape, "real", "gate", (gated, mask.args[0]), ()))
        return self.pool.mul(op.shape, op.coefficient, [*(f for f in rest if not f[1]), (gate, every, P1)])

    def nll(self, c: Coefficient, op: Op) -> tuple[Coefficient, Op] | None:
        """Minus the mean of the entries at the labels: PyTorch's loss, and the coefficient that is left."""
        match op:
            case Contract(operands=((Take(arg=values, index=labels, rows=1) as picked, _),), out=()) if (
                len(values.shape) == 2
            ):
                count = dim_coefficient(picked.shape[0])
            case _:
                return None
        powers = dict(c.dims)
        if not count.dims or any(powers.get(d, 0) > -p for d, p in count.dims):
            return None
        return c.times(count).times(MINUS_ONE), self.pool(Kernel((), "real", "nll", (values, labels), ()))

    def product_with_nll(self, op: Mul) -> Op:
        """A product with the mean of entries at labels."""
        for k, (f, axes, p) in enumerate(op.factors):
            found = self.nll(op.coefficient, f) if p == 1 else None
            if found is not None:
                return self.pool.mul(op.shape, found[0], [*op.factors[:k], (found[1], axes, p), *op.factors[k + 1 :]])
        return op

    def sum_with_nll(self, op: Add) -> Op:
        """A sum with the mean of entries at labels."""
        terms = [(found[0], found[1], axes) if (found := self.nll(c, t)) else (c, t, axes) for c, t, axes in op.terms]
        return self.pool.add(op.shape, terms) if terms != list(op.terms) else op


def matrices(pool: Pool, op: Op) -> tuple[Op, Op] | None:
    """Both factors of a product of matrices, left and right; None for other nodes."""
    if not isinstance(op, Contract) or len(op.operands) != 2 or len(op.out) != 2:
        return None
    if any(len({*labels}) != 2 or len(labels) != 2 for _, labels in op.operands):
        return None
    left, right = op.out
    for (a, la), (b, lb) in (op.operands, op.operands[::-1]):
        shared = {*la} & {*lb} - {*op.out}
        if left in la and right in lb and len(shared) == 1:
            (k,) = shared
            return _view(pool, a, la, (left, k)), _view(pool, b, lb, (k, right))
    return None


def _view(pool: Pool, op: Op, labels: Axes, order: Axes) -> Op:
    shape = tuple(op.shape[labels.index(x)] for x in order)
    return pool.mul(shape, ONE, [(op, tuple(map(order.index, labels)), P1)])


# ---- memory


def in_place(statements: list[Statement], kept: set[Input]) -> dict[Input, Input]:
    """Results that may take the memory of their argument: nobody reads the argument again.

    Args:
        statements: those of one function, in order.
        kept: what is returned or saved.
    Returns: the leaf of each such statement -> the leaf of its argument.
    """
    made = {s.leaf: s for s in statements}
    readers = uses(s.op for s in statements)
    found: dict[Input, Input] = {}
    for s in statements:
        source = s.op.args[0] if isinstance(s.op, Map) and s.op.function in IN_PLACE else None
        definition = made.get(source) if isinstance(source, Input) else None
        if definition is None or readers.get(definition.leaf) != 1 or definition.leaf in kept:
            continue
        if _is_writable(definition.op) and definition.result is None:
            found[s.leaf] = definition.leaf
    return found


def last_reads(statements: list[Statement]) -> dict[Input, Input]:
    """Results of operations that one statement reads last, and once: that statement -> what it may write over.

    For code that no graph is recorded of. The statement is a function that PyTorch applies in place, or P − onehot(y).
    """
    own = {s.leaf for s in statements if s.result is None and _is_fresh(s.op)}
    last = {leaf: s for s in statements for leaf in reads(s.op)}
    found: dict[Input, Input] = {}
    for s in statements:
        inner = s.op
        if isinstance(inner, Mul) and len(inner.factors) == 1 and not _is_hot(inner):
            inner = inner.factors[0][0]
        fits = _is_hot(inner) or (isinstance(s.op, Map) and s.op.function in {*IN_PLACE, "exp"})
        source = inner.args[0] if fits and isinstance(inner, Map | Kernel) else None
        if isinstance(source, Input) and source in own and last[source] is s and uses([s.op])[source] == 1:
            found[s.leaf] = source
    return found


def released(statements: list[Statement], kept: Iterable[Input] = ()) -> dict[Input, list[str]]:
    """Arrays that nobody reads after a statement, by that statement: their memory can be given back.

    Two at a time, so that a layer has one such line. What is `kept` is read later.
    """
    later = {*kept}
    own = {s.leaf: s.name for s in statements if len(s.shape) > 1 and s.result is None and s.leaf not in later}
    last: dict[Input, Statement] = {}
    for s in statements:
        last |= {leaf: s for leaf in reads(s.op) if leaf in own}
    found: dict[Input, list[str]] = {}
    dead: list[str] = []
    for s in statements[:-1]:
        dead += [own[leaf] for leaf, reader in last.items() if reader is s]
        if len(dead) > 1:
            found[s.leaf], dead = dead, []
    return found


def _is_hot(op: Op) -> bool:
    return isinstance(op, Kernel) and op.operation == "minus_hot"


def _is_writable(op: Op) -> bool:
    """Whether a node has memory of its own, and a derivative that does not need its value."""
    match op:
        case Mul() | Add():
            return view_of(op) is None
        case Contract(operands=pair):
            return len(pair) == 2
        case Kernel(operation=name):
            return name == "addmm"
        case _:
            return False


def _is_fresh(op: Op) -> bool:
    """Whether a node has memory of its own, as views have not."""
    return _is_writable(op) or (isinstance(op, Map) and op.function != "real") or isinstance(op, Kernel)


__all__ = ["changed", "in_place", "last_reads", "matrices", "released", "with_idioms"]

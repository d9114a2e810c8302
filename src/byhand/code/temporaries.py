"""What occurs more than once is computed once, under a name; lines that are too wide are broken up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from byhand.code.names import Identifiers
from byhand.code.statements import Listing, Statement, parts, reads, with_op
from byhand.program.ops import (
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
    operands,
)
from byhand.program.rewrite import mapped, rebuilt

if TYPE_CHECKING:
    from byhand.notation.typeset import Math

LETTERS = ("s", "v", "T", "T")  # names of scalars, vectors, matrices, stacks


def costs(op: Op) -> bool:
    """Whether computing a node twice would be waste: not so for views, masks, numbers, and divisors."""
    match op:
        case Input() | Number() | Eye() | Slice() | Reshape():
            return False
        case Map(type="bool") | Map(function="real", args=(Map(type="bool"),)):
            return False
        case Contract(operands=((_, labels),), out=out, sizes=sizes):
            summed = [x for x in set(labels) if x not in out]
            return bool(summed) and not all(sizes[x] == 1 for x in summed)
        case Mul(shape=(), factors=factors):
            return any(p.denominator > 1 or p.numerator > 1 for _, _, p in factors)
        case Mul(factors=factors):
            return len(factors) > 1 or any(abs(p) != 1 for _, _, p in factors)
        case _:
            return bool(op.shape) or bool(reads(op))


class Temporaries:
    """Gives names to nodes within a list of statements.

    Args:
        pool: makes the nodes.
        identifiers: where names come from.
        math: the mathematics of a node, for the comment beside a new name; None for none.
    """

    def __init__(self, pool: Pool, identifiers: Identifiers, math: Callable[[Op], Math | None] | None = None) -> None:
        self.pool, self.identifiers, self.math = pool, identifiers, math

    def shared(self, statements: list[Statement]) -> list[Statement]:
        """The statements with what occurs more than once computed once."""
        counts: dict[Op, int] = {}
        seen: set[Op] = set()
        for s in statements:
            stack = [s.op]
            while stack:
                op = stack.pop()
                counts[op] = counts.get(op, 0) + 1
                if op not in seen or not costs(op):
                    seen.add(op)
                    stack += _written(op)
        wanted = {op for op, n in counts.items() if n > 1 and costs(op)}
        return self.extracted(statements, wanted) if wanted else statements

    def one_softmax(self, statements: list[Statement]) -> list[Statement]:
        """softmax(Z) as exp(S) where the value needs S = log_softmax(Z): the maximum and the sum are taken once."""
        found = [(s.section, p) for s in statements for p in parts(s.op) if isinstance(p, Kernel)]
        exponentials = {(p.args, p.attributes) for _, p in found if p.operation == "softmax"}
        logs = {(p.args, p.attributes): p for at, p in found if p.operation == "log_softmax" and at != "backward"}
        wanted = {key: p for key, p in logs.items() if key in exponentials}

        def change(op: Op) -> Op:
            softmax = isinstance(op, Kernel) and op.operation == "softmax"
            log = wanted.get((op.args, op.attributes)) if isinstance(op, Kernel) and softmax else None
            return op if log is None else self.pool(Map(op.shape, "real", "exp", (log,)))

        if not wanted:
            return statements
        changed = [with_op(s, mapped(self.pool, s.op, change)) for s in statements]
        return self.extracted(changed, {*wanted.values()}, "S")

    def extracted(self, statements: list[Statement], wanted: set[Op], letter: str | None = None) -> list[Statement]:
        """The statements with each wanted node under a name, made just before its first use."""
        given: dict[Op, Op] = {}
        done: list[Statement] = []
        for s in statements:
            new: dict[Op, Op] = {}
            for op in parts(s.op):
                if op in given:
                    new[op] = given[op]
                    continue
                new[op] = rebuilt(self.pool, op, new)
                if op in wanted and op is not s.op and not isinstance(op, Input):
                    late = any(t.section == "value" and t.leaf in reads(new[op]) for t in done)
                    made = self.named(new[op], op, s, late, letter)
                    done.append(made)
                    new[op] = given[op] = made.leaf
            done.append(with_op(s, new[s.op]))
            if s.op in wanted:
                given.setdefault(s.op, s.leaf)
        return done

    def named(self, op: Op, original: Op, user: Statement, late: bool, letter: str | None = None) -> Statement:
        """A new intermediate before its first user; `late`: it needs a result, so that it stands among these."""
        given = self.identifiers.give(letter) if letter else None
        name = given or self.identifiers.numbered(LETTERS[min(len(op.shape), 3)])
        section = "forward" if user.section == "value" and not late else user.section
        math = None if self.math is None else self.math(original)
        return Statement(self.pool(Input(op.shape, op.type, name)), op, section, math, ours=True)


def _written(op: Op) -> tuple[Op, ...]:
    """The operands as often as they are printed: X is in sum(X**2) once."""
    match op:
        case Contract(operands=((a, one), (b, two))) if a is b and one == two:
            return (a,)
        case _:
            return operands(op)


def fitted(listing: Listing, measure: Callable[[Listing], Callable[[Statement], int]], room: int) -> Listing:
    """The program with statements wider than a line broken up: their largest part that fits gets a name.

    Args:
        listing: the program.
        measure: for a program, the width of each statement as the target prints it.
        room: the width of a line.
    """
    naming = Temporaries(listing.pool, Identifiers(listing.identifiers()))
    statements, width = list(listing.statements), measure(listing)
    k = 0
    while k < len(statements):
        part = _widest_part(listing.pool, statements[k], width, room) if width(statements[k]) > room else None
        if part is None:
            k += 1
            continue
        statements = naming.extracted(statements, {part})
        listing = listing.with_statements(statements)
        width = measure(listing)
    return listing


def _widest_part(pool: Pool, s: Statement, width: Callable[[Statement], int], room: int) -> Op | None:
    """The part of a statement that is widest of those that fit on a line of their own; what is put together stays."""
    inner = [op for op in parts(s.op)[:-1] if costs(op) and not isinstance(op, Pad)]
    alone = {op: width(replace(s, leaf=pool(Input(op.shape, op.type, "_")), op=op, result=None)) for op in inner}
    return max((op for op in inner if alone[op] <= room), key=lambda op: alone[op], default=None)


__all__ = ["LETTERS", "Temporaries", "costs", "fitted"]

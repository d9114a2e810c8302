"""Rewrites of statements: the derivative at a kink, masks of outputs, inverses that are only multiplied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction

from byhand.arguments import shown
from byhand.code.statements import Listing, Statement, parts, uses, with_op, without_dead
from byhand.errors import ByhandError
from byhand.expr.dims import ONE
from byhand.program.ops import P1, Axes, Contract, Input, Kernel, Map, Op, Pool
from byhand.program.rewrite import mapped, rebuilt

# Functions whose derivative asks whether z > 0: relu'(z) = step(z), leaky_relu'(z) = step(z) + 0.01 (1 - step(z)), ...
# They are positive where their argument is.
KINKED = frozenset({"relu", "leaky_relu", "elu", "selu"})
CHOICES = (Fraction(0), Fraction(1, 2), Fraction(1))

# ---- the derivative at a kink: 0 as derived, or another of the subgradients that people choose


def with_slope_at_zero(listing: Listing, slope: float) -> Listing:
    """The program with another derivative of relu and its kin at zero: step(0) in the backward part.

    Args:
        listing: of a function and its gradients.
        slope: 0 (as derived), 0.5 or 1: relu'(0).
    Raises: ByhandError: another number; or a function that asks for z > 0 itself, where the two cannot be told apart.
    """
    if not isinstance(slope, (int, float, Fraction)) or slope not in CHOICES:
        raise ByhandError(f"relu'(0) is {shown(slope)}: it can be {', '.join(str(float(c)) for c in CHOICES)}")
    forward = [p for s in listing.statements if s.section != "backward" for p in parts(s.op)]
    arguments = {p.args[0] for p in forward if isinstance(p, Map) and p.function in KINKED}
    listing = replace(listing, notes=(*listing.notes, *_conventions(forward, slope)))
    if slope == 0:
        return listing
    if any(_asks(p) and p.args[0] in arguments for p in forward if isinstance(p, Map)):
        raise ByhandError(
            "relu'(0) cannot be chosen: the function itself asks where the argument of a relu is positive",
            "leave relu'(0) = 0, or write that mask of 2*z, which is positive where z is",
        )

    def change(op: Op) -> Op:
        if (
            isinstance(op, Map)
            and op.function == "real"
            and isinstance(op.args[0], Kernel)
            and op.args[0].type == "real"
        ):
            return op.args[0]
        chosen = isinstance(op, Map) and _asks(op) and op.args[0] in arguments
        return listing.pool(Kernel(op.shape, "real", "heaviside", op.args, (Fraction(slope),))) if chosen else op  # type: ignore[union-attr]

    changed = [
        with_op(s, mapped(listing.pool, s.op, change)) if s.section == "backward" else s for s in listing.statements
    ]
    return listing.with_statements(changed)


def of_kinked(statements: Iterable[Statement]) -> set[Op]:
    """Arguments and values of relu and its kin. A derivative that asks for their sign may be anything where they are no
    numbers, for so is the value; a comparison that is written down is false there.
    """
    found: set[Op] = set()
    for s in statements:
        kinked = [p for p in parts(s.op) if isinstance(p, Map) and p.function in KINKED]
        found |= {op for p in kinked for op in (p, p.args[0])}
        if s.op in kinked:
            found.add(s.leaf)
    return found


def _conventions(forward: list[Op], slope: float) -> list[str]:
    """What is taken for the derivative at zero, for each function with a kink there."""
    found = dict.fromkeys(p.function for p in forward if isinstance(p, Map) and p.function in KINKED)
    side = {0.0: "that from the left", 1.0: "that from the right"}.get(float(slope), "the mean of both sides")
    return [f"relu'(0) = {slope:g}." if name == "relu" else f"{name}'(0) is {side}." for name in found]


def _asks(op: Map) -> bool:
    return op.function == "step"


# ---- 1[Z > 0] as 1[H > 0] where H = relu(Z): the output is kept, and Z is needed no longer


def by_outputs(pool: Pool, statements: list[Statement]) -> list[Statement]:
    """The statements, masks of arguments in the backward part as masks of outputs."""
    outputs: dict[Op, Op] = {
        s.op.args[0]: s.leaf
        for s in statements
        if s.section == "forward" and isinstance(s.op, Map) and s.op.function in KINKED
    }

    def change(op: Op) -> Op:
        decides = isinstance(op, Map) and _asks(op) and op.args[0] in outputs
        return rebuilt(pool, op, outputs) if decides else op

    return [with_op(s, mapped(pool, s.op, change)) if s.section == "backward" else s for s in statements]


# ---- inv(A) @ B as the solution of A X = B


def with_solves(pool: Pool, statements: list[Statement]) -> list[Statement]:
    """The statements with products with an inverse as solutions, where the inverse is needed for nothing else."""
    count = uses(s.op for s in statements)
    inverses: dict[Op, Kernel] = {
        s.leaf: s.op for s in statements
        if s.ours and s.result is None and count.get(s.leaf) == 1 and isinstance(s.op, Kernel) and s.op.operation == "inv"
    }  # fmt: skip
    made = {s.leaf: s for s in statements}
    changed = [with_op(s, mapped(pool, s.op, lambda op: _solved(pool, op, inverses))) for s in statements]
    solved = without_dead(changed)
    kept = {s.leaf for s in solved}
    gone = {leaf: made[leaf].math for leaf in inverses if isinstance(leaf, Input) and leaf not in kept}
    meanings = {leaf.name: m for leaf, m in gone.items() if m is not None and made[leaf].defined}
    if not meanings:
        return solved
    from byhand.code.formulas import written_out

    return [replace(s, math=written_out(s.math, meanings)) if s.math is not None else s for s in solved]


def _solved(pool: Pool, op: Op, inverses: Mapping[Op, Kernel]) -> Op:
    """A product of matrices whose first is an inverse, as a solution."""
    if not isinstance(op, Contract) or len(op.operands) != 2 or len(op.shape) > 2:
        return op
    for (a, la), (b, lb) in (op.operands, op.operands[::-1]):
        inverse = a if isinstance(a, Kernel) and a.operation == "inv" else inverses.get(a)
        free = [x for x in op.out if x in la]
        if inverse is None or len({*la}) < 2 or len(free) != 1 or op.out[0] != free[0] or len({*lb}) < len(lb):
            continue
        (k,) = {*la} - {*free}
        if k not in lb or {*lb} - {k} != {*op.out[1:]} or k in op.out:
            continue
        matrix, order = inverse.args[0], (k, *op.out[1:])
        if la[0] == k:  # its transpose
            matrix = _view(pool, matrix, (1, 0))
        return pool(Kernel(op.shape, "real", "solve", (matrix, _view(pool, b, tuple(order.index(x) for x in lb))), ()))
    return op


def _view(pool: Pool, op: Op, axes: Axes) -> Op:
    shape = tuple(op.shape[axes.index(a)] for a in range(len(axes)))
    return pool.mul(shape, ONE, [(op, axes, P1)])


__all__ = ["KINKED", "by_outputs", "of_kinked", "with_slope_at_zero", "with_solves"]

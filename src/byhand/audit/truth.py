"""Whether the sides of a line are equal, at several points; and what it means that they are not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from byhand.audit.formulas import differential_formula, formula
from byhand.audit.hypotheses import diagonal_shortcut
from byhand.audit.report import Line
from byhand.audit.spelling import NAME, Text
from byhand.audit.state import SEEDS, State
from byhand.check.numeric import norm, projected
from byhand.check.spaces import halved
from byhand.expr.nodes import Expr, Symbol

if TYPE_CHECKING:
    from byhand.audit.lines import Sides

SAME = 1e-8


def untrue(sides: Sides, left: Expr, right: Expr, variable: Symbol | None = None) -> str | None:
    """What shows that two sides differ, or None; of a symmetric variable either kind of gradient will do.

    Args:
        sides: where their numbers come from.
        left, right: the sides.
        variable: what the left side is the gradient with respect to.
    """
    for seed in range(SEEDS):
        a, b = sides.value(left, seed), sides.value(right, seed)
        if a.size == b.size == 1:
            a, b = a.reshape(()), b.reshape(())
        b = np.broadcast_to(b, a.shape) if b.ndim == 0 else b
        gap, size = norm(a - b), max(norm(a), norm(b))
        if variable is not None and variable.assumptions & {"symmetric", "diagonal"}:
            ways = (b, halved(b)) if "diagonal" not in variable.assumptions and b.ndim == 2 else (b,)
            gap = min(gap, *(norm(a - projected(variable, way)) for way in ways))
        if not gap <= SAME * size + 1e-14:
            k = np.unravel_index(int(np.argmax(np.abs(a - b))), a.shape) if a.ndim else ()
            at = f" at [{', '.join(str(int(i)) for i in k)}]" if a.ndim else ""
            return f"left is {a[k]:.6g}{at}, right is {b[k]:.6g}"
    return None


def without_value(sides: Sides, nodes: list[Expr]) -> str:
    """What to declare where the sides of a line have no value (nan) at the points it is looked at; "" where they have one."""
    if len(nodes) < 2 or not any(all(np.isnan(sides.value(n, seed)).any() for n in nodes) for seed in range(SEEDS)):
        return ""
    names = [n for n, s in sides.state.inputs.items() if not s.assumptions]
    example = names[0] if names else "x"
    return (
        f"no value here: the points drawn are outside the domain; declare what is positive, `{example}: (...) positive`"
    )


def false_line(
    sides: Sides, number: int, raw: str, what: str, left: Expr, right: Expr, about: str | None, how: str, place: int
) -> Line:
    """A line that type-checks and is not true."""
    state = sides.state
    kinds, words = ["N"], [f"not true: {how}"]
    diagonal = about is not None and diagonal_shortcut(sides, raw, about, right)
    if diagonal:
        kinds.insert(0, "H")
        words.insert(
            0, "the Jacobian is taken as diagonal, but softmax is not elementwise: every output depends on every input"
        )
    invariant = about is not None and sides.gradients and row_sums(sides, left, right)
    if invariant:
        kinds.append("I")
        words.append("its rows do not sum to zero, as those of the gradient of a softmax do")
    factor = common_factor(sides, left, right)
    if factor:
        words.append(factor)
    lost = (
        [
            n
            for n in declared_in(state, sides.parts[place - 1 if place else 0])
            if n not in declared_in(state, sides.parts[place])
        ]
        if what in ("definition", "claim")
        else []
    )
    if lost:
        kinds.append("D")
        words.append(f"{', '.join(lost)} is in the dimension table and on one side only")
    mend = (
        formula(state, about, raw.split("=")[0].rstrip())
        if about is not None and sides.gradients
        else differential_formula(sides, raw)
    )
    return Line(number, raw, False, tuple(kinds), "; ".join(words), mend, what)


def declared_in(state: State, part: Text) -> list[str]:
    """The declared names in a side."""
    return [n for n in dict.fromkeys(re.findall(NAME, str(part))) if n in state.inputs]


def common_factor(sides: Sides, left: Expr, right: Expr) -> str:
    """Whether the right side is a multiple of the left one, the same at each point up to sizes."""
    a, b = sides.value(left, 0), sides.value(right, 0)
    if a.shape != b.shape or not np.any(a):
        return ""
    k = float(np.sum(a * b) / np.sum(a * a))
    if norm(b - k * a) > 1e-8 * norm(b) or not k:
        return ""
    names = {n: s for n, s in sides.state.sizes(0).items() if abs(k - s) < 1e-8 or abs(k * s - 1) < 1e-8}
    known = next((f"{n}" if abs(k - s) < 1e-8 else f"1/{n}" for n, s in names.items()), f"{k:.6g}")
    return f"the right side is {known} × the left one"


def row_sums(sides: Sides, left: Expr, right: Expr) -> bool:
    """Whether the true gradient has rows that sum to zero and the one written has not."""
    a, b = sides.value(left, 0), sides.value(right, 0)
    if a.ndim != 2 or a.shape != b.shape:
        return False
    axis = 0 if a.shape[1] == 1 else 1
    size = norm(a)
    return bool(norm(a.sum(axis=axis)) <= 1e-10 * size < 1e-6 * size <= norm(b.sum(axis=axis)))

"""The check of one equation: types first, then truth at several points, then what its falsehood means."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.audit.formulas import differential_formula, formula, respelled
from byhand.audit.hypotheses import diagonal_shortcut, unmet
from byhand.audit.mend import Mend, mended
from byhand.audit.report import Line
from byhand.audit.spelling import NAME, Text
from byhand.audit.state import SEEDS, State
from byhand.audit.strict import is_literal, read_strictly, same_shape
from byhand.check.numeric import norm
from byhand.errors import ByhandError, ParseError, ShapeError
from byhand.expr.dims import Shape, show_shape
from byhand.expr.nodes import Contraction, Expr, Symbol, symbol

Array = Any
SAME = 1e-8
SATURATED = 1e-12


@dataclass(eq=False)
class Sides:
    """The sides of one line being read: differentials met on the way, and what the left side is about."""

    state: State
    parts: list[Text]
    gradients: bool
    marks: dict[str, Symbol] = field(default_factory=dict)
    tangents: dict[Symbol, Expr] = field(default_factory=dict)

    def names(self, text: str) -> dict[str, Any]:
        """What may stand in a side."""
        self.marks |= self.state.marks(text, self.gradients)
        return {**self.state.names(), **self.marks, "d": self.differential}

    def differential(self, x: Any) -> Expr:
        """d(expression)."""
        from byhand.expr.operands import lift

        node = lift(x)
        mark = symbol(f"differential {len(self.tangents)} of {node.digest.hex()}", node.shape)
        self.tangents[mark] = node
        return mark

    def read(self, text: str) -> Expr:
        """A side as a node."""
        return read_strictly(text, self.names(text))

    def value(self, node: Expr, seed: int) -> Array:
        """Its numbers."""
        with np.errstate(all="ignore"):
            return np.asarray(self.state.value(node, self.marks, self.tangents, seed))


def check_equation(state: State, number: int, raw: str, parts: list[Text], qualifier: str) -> Line:
    """A definition or a statement: `left = right`, `left = middle = right`."""
    left = str(parts[0])
    known = {**state.inputs, **state.nodes}
    about = subject(state, left)
    new = re.fullmatch(NAME, left) is not None and left not in known and about is None
    sides = Sides(state, parts, gradients=not differential_line(state, left, parts[1:], about))
    what = (
        "definition"
        if new
        else "gradient"
        if about is not None and sides.gradients
        else "differential"
        if not sides.gradients
        else "claim"
    )
    nodes: list[Expr] = []
    for k, part in enumerate(parts):
        if new and not k:
            continue
        try:
            node = sides.read(str(part))
        except ShapeError as error:
            target = nodes[0].shape if nodes else None
            return ill_typed(sides, number, raw, what, part, error, target, left if new else "", about)
        if nodes and not same_shape(nodes[0].shape, node.shape) and not (is_literal(node) and _is_zero(node)):
            unequal = ShapeError(f"the sides have shapes {show_shape(nodes[0].shape)} and {show_shape(node.shape)}")
            return ill_typed(sides, number, raw, what, part, unequal, nodes[0].shape, left if new else "", about)
        nodes.append(node)
    for k in range(1, len(nodes)):
        wrong = untrue(sides, nodes[0], nodes[k])
        if wrong is not None:
            if new:
                state.define(left, nodes[0])
            return false_line(sides, number, raw, what, nodes[0], nodes[k], about, wrong, k + new)
    if new:
        state.define(left, nodes[0])
    if not sides.tangents and not new and len(nodes) == 1:
        raise ParseError("an expression is expected after the =")
    broken = unmet(state, raw, qualifier)
    if broken:
        return Line(number, raw, False, ("H",), broken, what=what)
    return Line(number, raw, True, what=what)


def subject(state: State, left: str) -> str | None:
    """What a left side such as dW2 or ∂L/∂W2 is the derivative with respect to; None for other left sides."""
    known = {**state.inputs, **state.nodes}
    if left in known:
        return None
    if re.fullmatch(r"D__\w+", left):
        return state.derivative(left)[1]
    if re.fullmatch(NAME, left) and left.startswith("d") and left[1:] in known:
        return left[1:]
    return None


def differential_line(state: State, left: str, rest: list[Text], about: str | None) -> bool:
    """Whether `dX` stands for differentials in a line, rather than for gradients."""
    text = " ".join(map(str, rest))
    if re.search(r"(?<!\w)d\(", left + " " + text) or about is None or about == state.loss:
        return True
    if left.startswith("D__") or state.loss is None:
        return state.loss is None
    used = {
        w[1:]
        for w in re.findall(rf"(?<![\w.]){NAME}", text)
        if w.startswith("d") and w[1:] in {**state.inputs, **state.nodes}
    }
    return bool(used & state.below(about))


def _is_zero(node: Expr) -> bool:
    return isinstance(node, Contraction) and node.coefficient.value == 0


# ---- types


def ill_typed(
    sides: Sides,
    number: int,
    raw: str,
    what: str,
    part: Text,
    error: ShapeError,
    target: Shape | None,
    new: str,
    about: str | None,
) -> Line:
    """A line whose shapes do not fit: class T, or D where a declared dimension is to blame."""
    state = sides.state
    column = part.column(error.column - 1) if error.column is not None and error.source == str(part) else part.column(0)
    wanted = state.lookup(about).shape if about is not None and not target else target

    def truth(node: Expr) -> bool:
        if about is None or wanted is None:
            return True
        try:
            return untrue(sides, sides.read(str(sides.parts[0])), node) is None
        except ByhandError:
            return False

    found: Mend | None = mended(sides, str(part), wanted, truth)
    lefts = raw.split("=")[0].rstrip()
    mend, kinds, message = "", ("T",), respelled(error.message)
    if found is not None:
        kinds = (found.kind,)
        mend = found.text if found.kind == "D" else respelled(f"{lefts} = {found.text}")
        message += f"; {found.words}" if found.words else ""
    elif about is not None and sides.gradients:
        mend = formula(state, about, lefts)
    if new:
        state.define(new, found.node if found is not None and found.node is not None else symbol(new, wanted or ()))
    return Line(number, raw, False, kinds, message, mend, what, column)


# ---- truth


def untrue(sides: Sides, left: Expr, right: Expr) -> str | None:
    """What shows that two sides differ, or None."""
    for seed in range(SEEDS):
        a, b = sides.value(left, seed), sides.value(right, seed)
        if a.size == b.size == 1:
            a, b = a.reshape(()), b.reshape(())
        b = np.broadcast_to(b, a.shape) if b.ndim == 0 else b
        gap, size = norm(a - b), max(norm(a), norm(b))
        if not gap <= SAME * size + 1e-14:
            k = np.unravel_index(int(np.argmax(np.abs(a - b))), a.shape) if a.ndim else ()
            at = f" at [{', '.join(str(int(i)) for i in k)}]" if a.ndim else ""
            return f"left is {a[k]:.6g}{at}, right is {b[k]:.6g}"
    return None


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

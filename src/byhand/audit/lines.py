"""The check of one equation: types first, then truth at several points, then what its falsehood means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.audit.formulas import formula, respelled
from byhand.audit.hypotheses import unmet
from byhand.audit.mend import Mend, mended
from byhand.audit.report import Line
from byhand.audit.spelling import NAME, Text
from byhand.audit.state import State
from byhand.audit.strict import is_literal, read_strictly, same_shape
from byhand.audit.truth import false_line, untrue, without_value
from byhand.errors import ByhandError, ParseError, ShapeError, nearest
from byhand.expr.dims import Shape, show_shape
from byhand.expr.nodes import Contraction, Expr, Symbol, symbol

Array = Any


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
    if new:
        of_nothing(left, known)
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
        except ByhandError as error:
            raise placed(error, part) from None
        if nodes and not same_shape(nodes[0].shape, node.shape) and not (is_literal(node) and _is_zero(node)):
            unequal = ShapeError(f"the sides have shapes {show_shape(nodes[0].shape)} and {show_shape(node.shape)}")
            return ill_typed(sides, number, raw, what, part, unequal, nodes[0].shape, left if new else "", about)
        nodes.append(node)
    under = None if about is None or not sides.gradients else state.lookup(about)
    variable = under if isinstance(under, Symbol) and nodes and under.shape == nodes[0].shape else None
    missing = without_value(sides, nodes)
    if missing:
        if new:
            state.define(left, nodes[0])
        return Line(number, raw, True, message=missing, what=what, judged="not read")
    for k in range(1, len(nodes)):
        wrong = untrue(sides, nodes[0], nodes[k], variable)
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


def of_nothing(name: str, known: Mapping[str, Expr]) -> None:
    """Refuse dW7 where there is no W7: it would pass for a new name.

    Raises: ParseError.
    """
    under = name[1:]
    others = [n for n in known if not n.startswith("d")]  # delta2 beside delta3 is a name, and so is dout2 beside dout
    if name.startswith("d") and under and under not in known and (under[0].isupper() or nearest(under, others)):
        raise ParseError(
            f"{name}: there is no {under} above{nearest(under, list(known))}", "declare it or define it above"
        )


def placed(error: ByhandError, part: Text) -> ByhandError:
    """The error with its column in the line as written."""
    if error.column is not None and error.source == str(part):
        error.column = part.column(error.column - 1)
    if error.message.endswith("invalid syntax"):
        error.message = "it cannot be read from here on: an operator (+ - * @ / **) or an operand is expected"
    return error


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

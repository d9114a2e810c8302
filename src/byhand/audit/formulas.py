"""The right line, as byhand derives it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from byhand.audit.spelling import NAME, spelled
from byhand.audit.state import State
from byhand.audit.strict import as_scalar
from byhand.derive.derivation import derive
from byhand.errors import ByhandError
from byhand.expr.contraction import add
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Named, Symbol, topological
from byhand.notation.text import to_text
from byhand.notation.writer import Writer
from byhand.rules.differentials import differential
from byhand.rules.linear import linear_terms

if TYPE_CHECKING:
    from byhand.audit.lines import Sides


def formula(state: State, about: str, left: str) -> str:
    """The right line, as byhand derives it."""
    if state.loss is None or about not in {**state.inputs, **state.nodes}:
        return ""
    word = str(spelled(left)).strip()
    if word.startswith("D__") and state.derivative(word)[0] != state.loss:
        return ""
    try:
        root = state.lookup(state.loss)
        names = [
            n
            for n, s in state.inputs.items()
            if not s.assumptions & {"labels", "constant", "one_hot"} and n in state.below(state.loss)
        ]
        body = root.body if isinstance(root, Named) else root
        d = derive(Expression(body if not body.ndim else _summed(body), (), state.loss), names)
        unit = next(u for u in d.units if u.name == about)
        w = Writer(d)
        return respelled(f"{left} = {to_text(w.write(unit.value), names=w.page)}")
    except (ByhandError, StopIteration):
        return ""


def respelled(text: str) -> str:
    """As people write it: ∂L/∂Z1, 1_N."""
    text = re.sub(rf"D__({NAME}?)__({NAME})", r"∂\1/∂\2", re.sub(rf"D____({NAME})", r"∂\1", text))
    return re.sub(rf"ones\(({NAME}), 1\)", r"1_\1", text).rstrip()


def _summed(body: Expr) -> Expr:
    return as_scalar(body)


def differential_formula(sides: Sides, raw: str) -> str:
    """The right differential, where the left side is d of one expression."""
    if len(sides.tangents) < 1 or not raw.lstrip().startswith("d("):
        return ""
    node = next(iter(sides.tangents.values()))
    try:
        whole = add(*(t.applied() for t in linear_terms(differential(node))))
        inner = next((s for s in topological([node]) if isinstance(s, Symbol)), None)
        if inner is None:
            return ""
        d = derive(Expression(_summed(inner), (), "f"), inner.name)
        w = Writer(d)
        return respelled(f"{raw.split('=')[0].rstrip()} = {to_text(w.write(whole), names=w.page)}")
    except (ByhandError, StopIteration, KeyError, AttributeError):
        return ""

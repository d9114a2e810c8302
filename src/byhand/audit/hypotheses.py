"""Hypotheses that do not hold and numerics that fail: kinks, relu at the output, saturation, full Jacobians."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from byhand.audit.spelling import NAME
from byhand.audit.state import State
from byhand.check.numeric import norm
from byhand.expr.functions import FUNCTIONS, function
from byhand.expr.nodes import Contraction, Elementwise, Expr, Named, Structured, Symbol, topological

if TYPE_CHECKING:
    from byhand.audit.lines import Sides

SAME = 1e-8
SATURATED = 1e-12


def diagonal_shortcut(sides: Sides, raw: str, about: str, right: Expr) -> bool:
    """Whether the line is what a diagonal Jacobian of a softmax above would give."""
    state = sides.state
    over = [
        n
        for n in state.nodes.values()
        if isinstance(n, Named) and isinstance(n.body, Structured) and n.body.operation == "softmax"
    ]
    for u in over:
        if not isinstance(u, Named) or not isinstance(u.body, Structured) or u.body.args[0] is not state.lookup(about):
            continue
        p = np.asarray(state.environment(0)[u])
        made = sides.value(right, 0)
        claims = [np.diag((p * (1 - p)).ravel())]
        if state.loss is not None:
            claims.append(state.gradient(state.loss, u.name, 0) * p * (1 - p))
        if any(c.shape == made.shape and norm(c - made) <= SAME * norm(c) for c in claims):
            return True
    return False


def unmet(state: State, raw: str, qualifier: str) -> str:
    """Why a line does not hold where it says it does: a kink within `for all z` or at a point named."""
    if not qualifier.startswith(("for all", "everywhere", "at")):
        return ""
    for name in (w for w in re.findall(NAME, raw) if w in FUNCTIONS or w.removesuffix("'") in FUNCTIONS):
        kinks = function(name).kinks
        at = re.search(r"=\s*(-?[\d.e-]+)", qualifier) if qualifier.startswith("at") else None
        if kinks and (at is None or float(at[1]) in kinks):
            k = kinks[0]
            step = 1e-6
            right, left = (
                float(
                    (function(name).numpy(np.asarray(k + s * step)) - function(name).numpy(np.asarray(k))) / (s * step)
                )
                for s in (1, -1)
            )
            slopes = f"the slope is {left:g} from the left and {right:g} from the right"
            return f"{name} is not differentiable at {k:g}: {slopes}; a value there is a convention"
    return ""


def output_activation(state: State, name: str) -> Iterator[tuple[str, str, str]]:
    """Class H: relu on the logits; a target whose unit is off gets no gradient."""
    node = state.nodes.get(name)
    if (
        not isinstance(node, Named)
        or not isinstance(node.body, Elementwise)
        or node.body.function != "relu"
        or state.loss is None
    ):
        return
    root = state.nodes.get(state.loss)
    if root is None or name not in state.below(state.loss):
        return
    later = [
        n
        for n in topological([root])
        if isinstance(n, Contraction) and len([f for f, ls, _ in n.factors if ls]) > 1 and node in n.children
    ]
    matrices = [
        f
        for n in later
        for f, ls, _ in n.factors
        if f is not node and isinstance(f, Symbol) and f.ndim == 2 and 1 not in f.shape and not f.assumptions
    ]
    squared = any(
        isinstance(n, Contraction) and any(p != 1 for _, _, p in n.factors)
        for n in topological([root])
        if node in _below(n)
    )
    if not matrices and not squared:
        arg = node.body.arg
        below = arg.name if isinstance(arg, (Named, Symbol)) else "the logits"
        yield (
            "H",
            "relu is applied to the output: where the target's logit is not positive, gradients are zero (dead output)",
            f"use {below} in the loss",
        )


def _below(node: Expr) -> set[Expr]:
    return set(topological([node]))


def saturated(state: State, name: str) -> Iterator[tuple[str, str, str]]:
    """Class M: a sigmoid fed with data of a large range."""
    node = state.nodes.get(name)
    if not state.ranges or not isinstance(node, Named) or not isinstance(node.body, Elementwise):
        return
    if node.body.function not in ("sigmoid", "tanh"):
        return
    z = np.asarray(state.environment(0)[node.body.arg])
    scale = np.abs(z)
    flat = float(np.mean(scale > (27.6 if node.body.function == "sigmoid" else 14.5)))
    if flat > 0.5:
        data = ", ".join(n for n in state.ranges if n in state.below(name))
        if data:
            yield (
                "M",
                f"{node.body.function} is saturated: {100 * flat:.0f} % of its derivatives are below {SATURATED:g} "
                f"with {data} as declared and standard normal weights",
                f"standardise {data}: (x - mean)/std",
            )

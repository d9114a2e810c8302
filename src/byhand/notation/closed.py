"""Closed forms: gradients with the adjoints and the automatic names written out, where that stays short.

They are made once for a derivation and serve every notation: one simplifier with one memory, and nothing is brought
into normal form that is too long to begin with.
"""

from __future__ import annotations

from functools import cached_property
from threading import RLock

from byhand.derive.derivation import Derivation
from byhand.derive.record import Unit
from byhand.expr.expression import unfold
from byhand.expr.nodes import Contraction, Expr, Named, Symbol, topological
from byhand.notation.index import index_math
from byhand.notation.matrix import matrix_math
from byhand.notation.orientation import row_vectors
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.rules.forms import NoMatrixForm
from byhand.rules.score import weight
from byhand.rules.simplify import Simplifier

LONGEST_CLOSED_FORM = 34.0  # in symbols; beyond it the gradient is written through the adjoints
LONGEST_OPENED = 90.0  # in symbols; what is longer before it is simplified does not get short by it
MOST_ADJOINTS = 8


def adjoint_nodes(d: Derivation) -> set[Expr]:
    """The names of the adjoints of intermediates."""
    return {u.adjoint for u in d.units if isinstance(u.adjoint, Named) and not isinstance(u.node, Symbol)}


class ClosedForms:
    """The closed forms of the gradients of one derivation.

    Attributes:
        gave_up: whether one of them is printed for which the search for a shorter one was broken off.
    """

    def __init__(self, d: Derivation) -> None:
        self.d = d
        self.simplifier = Simplifier(facts=True)
        self.forms: dict[Expr, Expr | None] = {}
        self.gave_up = False
        self.lock = RLock()  # threads that print one derivation share one simplifier and its memory

    def of(self, u: Unit) -> Expr | None:
        """The gradient in closed form; None where that gets too long to read."""
        with self.lock:
            if u.value not in self.forms:
                effort = self.simplifier.effort
                effort.gave_up = False
                self.forms[u.value] = form = self.made(u.value)
                self.gave_up |= effort.gave_up and form is not None
            return self.forms[u.value]

    def made(self, value: Expr) -> Expr | None:
        """The closed form of a node.

        An automatic name that would be written out more than once stays: 2 Xᵀ (H ⊙ (1 − H²)) with H = tanh(X W).
        """
        ours = set() if self.d.f.intermediates else self.d.prepared.automatic  # beside the user's names, P stays P
        hidden = self.reachable(value, ours)
        if hidden is None:
            return None
        kept = repeated(self.opened(value, [n for n in hidden if n in self.adjoints]))
        best = self.opened(value, hidden)
        if kept:
            kept += [n for n in hidden if n not in kept and n in topological([k.body for k in kept], into_named=False)]
            inner = [n for n in hidden if n not in kept]
            named = self.opened(value, inner)
            if self.readable(named) and (
                not self.readable(best)
                or self.length(named) + sum(self.length(unfold(n.body, inner)) for n in kept) < self.length(best)
            ):
                best = named
        return best if self.weight(best) <= LONGEST_CLOSED_FORM else None

    def opened(self, node: Expr, hidden: list[Named]) -> Expr:
        """A node with these names written out, products in the order derived unless another is shorter."""
        opened = unfold(node, hidden)
        if not self.readable(opened):
            return opened
        merged = self.simplifier.normal(opened)
        return merged if self.weight(merged) < self.weight(opened) else opened

    def readable(self, node: Expr) -> bool:
        """Whether a node is short enough to be worth a look."""
        return self.weight(node) <= LONGEST_OPENED

    def weight(self, node: Expr) -> float:
        """The length of a node in symbols."""
        return weight(node, self.simplifier.scores)

    def length(self, node: Expr) -> int:
        """How many characters a node takes in matrix notation, in index notation where it has no other."""
        try:
            return len(to_text(matrix_math(node, self.style)))
        except NoMatrixForm:
            return len(to_text(index_math(node, self.style)))

    @cached_property
    def adjoints(self) -> set[Expr]:
        """The names of the adjoints of intermediates."""
        return adjoint_nodes(self.d)

    @cached_property
    def style(self) -> Style:
        """How lengths are measured."""
        return Style(row_vectors([self.d.prepared.root]), all_rows=self.d.f.vectors_as_rows)

    def reachable(self, node: Expr, ours: set[str]) -> list[Named] | None:
        """Adjoints and automatic names below a node; None as soon as there are too many."""
        found: list[Named] = []
        todo = [node]
        while todo:
            for n in topological([todo.pop()], into_named=False):
                if isinstance(n, Named) and n not in found and (n in self.adjoints or n.name in ours):
                    found.append(n)
                    todo.append(n.body)
            if len(found) > MOST_ADJOINTS:
                return None
        return found


def repeated(root: Expr) -> list[Named]:
    """The names that are written more than once in a node."""
    order = topological([root], into_named=False)
    times = dict.fromkeys(order, 0) | {root: 1}
    for node in reversed(order):
        match node:
            case Contraction(_, factors):
                inside = [f for f, _, _ in factors]
            case Named():
                inside = []
            case _:
                inside = list(node.children)
        for child in inside:
            times[child] += times[node]
    return [n for n in order if isinstance(n, Named) and times[n] > 1]

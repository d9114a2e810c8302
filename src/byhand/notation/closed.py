"""The form of the results: written out in full where that stays short and flat, through named adjoints otherwise.

Closed forms are made once for a derivation and serve every notation: one simplifier with one memory, and nothing is
brought into normal form that is too long to begin with.
"""

from __future__ import annotations

import re
import sys
from functools import cached_property
from threading import RLock

from byhand.derive.derivation import Derivation
from byhand.derive.record import Unit
from byhand.expr.expression import unfold
from byhand.expr.indexmaps import is_map
from byhand.expr.nodes import Contraction, Expr, Named, Symbol, topological
from byhand.notation.index import index_math
from byhand.notation.matrix import matrix_math
from byhand.notation.orientation import row_vectors
from byhand.notation.room import LONGEST, Room
from byhand.notation.style import Style
from byhand.notation.symbols import unicode_name
from byhand.notation.text import to_text
from byhand.rules.effort import ALL_FORMS, Effort
from byhand.rules.forms import NoMatrixForm
from byhand.rules.score import weight
from byhand.rules.simplify import Simplifier

LONGEST_CLOSED_FORM = 34.0  # in symbols; beyond it the gradient is written through the adjoints
LONGEST_OPENED = 90.0  # in symbols; what is longer before it is simplified does not get short by it
MOST_ADJOINTS = 8
MOST_BRACKETS = 2  # inside each other; what nests deeper is written through the adjoints


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
        left = max(ALL_FORMS // 4, min(ALL_FORMS, d.effort.left))  # what the derivation left of the document's steps
        self.simplifier = Simplifier(facts=bool(d.prepared.root.declared), effort=Effort(left))
        self.forms: dict[Expr, Expr | None] = {}
        self.texts: dict[Expr, str] = {}
        self.found: dict[tuple[Expr, frozenset[Named]], Expr] = {}
        self.gave_up = False
        self.room = Room()
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
        ours = ours - {n.name for n in self.d.prepared.units if any(map(is_map, n.body.children))}  # windows stay, too
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
        return best if self.weight(best) <= LONGEST_CLOSED_FORM and brackets(self.text(best)) <= MOST_BRACKETS else None

    # ---- what a page shows

    @cached_property
    def results(self) -> dict[Expr, Expr]:
        """Variable -> the form of its gradient that is printed: closed, or through adjoints."""
        units = [u for u in self.d.units if isinstance(u.node, Symbol)]
        closed = [self.of(u) for u in units]
        if None in closed:  # the adjoints are written anyway: only what is shorter than through them stays closed
            closed = [
                c if c is not None and self.length(c) <= self.length(u.value) else None
                for c, u in zip(closed, units, strict=True)
            ]
        return {u.node: u.value if c is None else c for c, u in zip(closed, units, strict=True)}

    @cached_property
    def letters(self) -> dict[Expr, str]:
        """The adjoints that stand in results -> a letter for each: Delta2 of ∂L/∂Z2, delta of a vector.

        With the number of the intermediate where all of them are numbered alike, else with its name; none at all where
        a letter would look like another name of the page.
        """
        listed = set(topological([*self.results.values()], into_named=False))
        units = [u for u in self.d.units if u.adjoint in listed and not isinstance(u.node, Symbol)]
        if not units:
            return {}
        parts = [re.fullmatch(r"([^\W\d_]+)(\d+)", u.name) for u in units]
        if len(units) == 1:
            suffixes = [""]
        elif all(parts) and len({p[1] for p in parts if p}) == 1:
            suffixes = [p[2] for p in parts if p]
        else:
            suffixes = [f"_{u.name}" for u in units]
        letters = {
            u.adjoint: ("Delta" if u.node.ndim > 1 else "delta") + x for u, x in zip(units, suffixes, strict=True)
        }
        d = self.d
        taken = {
            *d.f.symbols,
            *d.f.dimension_names,
            d.f.name,
            *(n.name for n in d.prepared.units),
            *(u.name for u in d.units),
        }
        taken |= {n.name for n in d.helpers}
        looks = {unicode_name(n) for n in taken}
        return {} if any(unicode_name(letter) in looks for letter in letters.values()) else letters

    def opened(self, node: Expr, hidden: list[Named]) -> Expr:
        """A node with these names written out, products in the order derived unless another is shorter."""
        key = node, frozenset(hidden)
        if key not in self.found:
            self.found[key] = self.shortened(unfold(node, hidden))
        return self.found[key]

    def shortened(self, opened: Expr) -> Expr:
        """A node that was written out, in a shorter form where there is one."""
        if not self.readable(opened):
            return opened
        return self.simplifier.shorter(opened)

    def readable(self, node: Expr) -> bool:
        """Whether a node is short enough to be worth a look."""
        return self.weight(node) <= LONGEST_OPENED

    def weight(self, node: Expr) -> float:
        """The length of a node in symbols."""
        return weight(node, self.simplifier.scores)

    def text(self, node: Expr) -> str:
        """A node in matrix notation, in index notation where it has no other."""
        if node not in self.texts:
            try:
                shown = matrix_math(node, self.style)
            except NoMatrixForm:
                shown = index_math(node, self.style)
            self.texts[node] = to_text(shown)
        return self.texts[node]

    def length(self, node: Expr) -> int:
        """How many characters a node takes; without end where no page has it in full."""
        return sys.maxsize if self.room.length(node) > LONGEST else len(self.text(node))

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


def brackets(text: str) -> int:
    """How many brackets stand inside each other."""
    depth = most = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        most = max(most, depth)
    return most


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

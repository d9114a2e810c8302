"""How much of a document is printed: a formula of a thousand signs is cut, and the document says so.

What is printed takes time in proportion to its length, and nobody reads it: of a long sum the first terms are kept, of
anything else the dots. Lengths are counted in symbols, so that every machine prints the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from byhand.expr.contraction import combine
from byhand.expr.dims import Coefficient
from byhand.expr.nodes import Contraction, Expr, Structured, Sum, topological
from byhand.rules.score import Scores, weight

LONGEST = 1000  # symbols of one formula
SHORT = 150  # symbols that are kept of a sum that is cut
ALWAYS = 60  # symbols that a formula may have however long the document is
ALL = 3000  # symbols of one document
PER_LINE = 30  # symbols that each intermediate and input brings along: a deep network has many, all of them short
RESULTS = 1500  # symbols that are left for its results, whatever stood before


@dataclass
class Room:
    """What is left of a document's length, and what was decided for each node.

    Attributes:
        price: how many times as much a symbol takes in the notation at hand.
        left: the symbols that are left.
        cut: whether something was left out.
    """

    price: int = 1
    left: int = ALL
    cut: bool = False
    shown: dict[Expr, tuple[Expr | None, bool]] = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)
    pairs: dict[Expr, int] = field(default_factory=dict)

    def for_results(self) -> None:
        """The results are what the document is for."""
        self.left = max(self.left, RESULTS)

    def of(self, node: Expr) -> tuple[Expr | None, bool]:
        """What is printed of a node, None for the dots alone, and whether dots stand for the rest."""
        if node not in self.shown:
            length = self.length(node)
            if length <= max(ALWAYS, min(LONGEST, self.left)):
                self.left -= length
                self.shown[node] = node, False
            else:
                self.cut = True
                self.shown[node] = self.beginning(node), True
        return self.shown[node]

    def beginning(self, node: Expr) -> Expr | None:
        """The terms of a sum that fit into a line."""
        kept: list[tuple[Coefficient, Expr]] = []
        length = 0
        for c, term in node.terms if isinstance(node, Sum) else ():
            length += self.length(term)
            if length > max(ALWAYS, min(SHORT, self.left)):
                break
            kept.append((c, term))
        self.left -= min(length, SHORT)
        return combine(kept) if kept else None

    def length(self, node: Expr) -> int:
        """How many symbols a node takes; index pairs inside each other make each index as long as the chain is deep."""
        for n in topological([node], into_named=False):
            if n not in self.pairs:
                inside = max((self.pairs.get(c, 0) for c in n.children), default=0)
                own = sum(1 for f in n.children if isinstance(f, Structured) and f.operation == "pairing")
                self.pairs[n] = inside + (own if isinstance(n, Contraction) else 0)
        return self.price * int(weight(node, self.scores) + self.pairs[node] ** 2)

"""Steps of a page by name: the rule by which a right line follows from the one above, and what lies between two lines."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from byhand.audit.pages.definitions import chains_of
from byhand.audit.pages.judge import Judge
from byhand.audit.pages.meaning import PageMeaning
from byhand.audit.pages.rows import Row
from byhand.derive.derivation import Derivation, derive
from byhand.errors import ByhandError
from byhand.expr.expression import Expression, substitute
from byhand.expr.nodes import Expr, Named, Sum, Symbol, symbol, topological
from byhand.notation.show import node_text
from byhand.reading.keys import flat
from byhand.reading.tree import Fraction, Node, Partial, walk
from byhand.rules.simplify import normal

LARGEST = 400  # nodes of an expression that is brought into its normal form to find a rule


class Explained(NamedTuple):
    """How a line follows.

    Attributes:
        rule: by name; several with commas.
        between: the steps that the page leaves out, in byhand's words.
    """

    rule: str = ""
    between: tuple[str, ...] = ()


class Steps:
    """Explains the right lines of one page in order."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.page = judge, judge.page
        self.derived: dict[tuple[Expr, str], Derivation | None] = {}
        self.said: set[str] = set()  # the derivatives that lines above give

    def row(self, row: Row) -> Explained:
        """The rule of a line: of a derivative that of the derivation, of a line that goes on how it changes the one above."""
        rules: dict[str, None] = {}
        between: list[str] = []
        for chain in chains_of(row):
            head, sides, _ = self.judge.parts(row, chain)
            if head is None or not sides:
                continue
            meaning = PageMeaning(self.page, head, *sides)
            before: Node | None = head if chain.sides[0] is not None else self._last_of(row)
            for side in sides:
                try:
                    first = before is head or (before is not None and before is sides[0] and _is_derivative(before))
                    derived = self._derivative(before, side, meaning) if first and before is not None else None
                    found = derived or self._rewritten(before, side, meaning)
                except ByhandError:
                    found = Explained()
                rules |= dict.fromkeys(r for r in found.rule.split(", ") if r)
                between += found.between
                before = side
            self.said |= {flat(s) for s in (head, *sides) if _is_derivative(s)}
        return Explained(", ".join(rules), tuple(between))

    def _last_of(self, row: Row) -> Node | None:
        """The side that a line goes on from."""
        if row.continues is None:
            return None
        sides = [s for chain in row.continues.chains for s in chain.sides if s is not None]
        return sides[-1] if sides else None

    # ---- derivatives

    def _derivative(self, head: Node, side: Node, meaning: PageMeaning) -> Explained:
        """∂L/∂W = …: the moves by which byhand's own derivation comes to it, and the adjoints on the way that no line gives."""
        match head:
            case Fraction(Partial(over), Partial(under)) if over is not None and under is not None:
                pass
            case _:
                return Explained()
        y, _ = meaning.target(over)
        x, _ = meaning.target(under)
        if y is None or x is None or y.matrix or not isinstance(x.data, Symbol | Named):
            return Explained()
        d = self._derivation(y.data, x.data)
        if d is None:
            return Explained()
        name = _name_of(x.data)
        moves = [s for s in d.steps if s.kind == "move" and (s.child == name or not s.child)]
        chained = any(isinstance(n, Partial) for n in walk(side))
        rules = ["chain rule"] * chained + [s.rule for s in (moves or [s for s in d.steps if s.kind == "move"])]
        between = []
        if not chained:
            units = {s.unit: s.after for s in d.steps if s.kind in ("collect", "insert") and isinstance(s.after, Expr)}
            for unit, after in units.items():
                own = self.page.value(unit)
                if (
                    own is not None
                    and unit != name
                    and f"∂{flat(over)}/∂{unit}" not in self.said
                    and unit in self.page.definitions
                ):
                    words = re.sub(
                        rf"\bd(?=({'|'.join(map(re.escape, units))})\b)", f"∂{flat(over)}/∂", node_text(after)
                    )
                    between.append(f"∂{flat(over)}/∂{unit} = {words}")
        return Explained(", ".join(dict.fromkeys(rules)), tuple(between))

    def _derivation(self, y: Expr, x: Expr) -> Derivation | None:
        name = _name_of(x)
        if (y, name) not in self.derived:
            root = y.body if isinstance(y, Named) else y
            if isinstance(x, Named):
                root = substitute(root, {x: symbol(name, x.shape)})
            try:
                self.derived[y, name] = derive(Expression(root, (), "f"), name)
            except ByhandError:
                self.derived[y, name] = None
        return self.derived[y, name]

    # ---- lines that go on

    def _rewritten(self, before: Node | None, side: Node, meaning: PageMeaning) -> Explained:
        """How a side comes from the one before it."""
        if before is None:
            return Explained()
        a, b = meaning.value(before), meaning.value(side)
        old, new = _names(before), _names(side)
        inserted = sorted(k for k in old - new if self._defines(k))
        named = sorted(k for k in new - old if self._defines(k))
        derivatives = {flat(n) for n in walk(before) if isinstance(n, Fraction)} - {
            flat(n) for n in walk(side) if isinstance(n, Fraction)
        }
        if any("∂" in d for d in derivatives):
            return Explained("insert " + ", ".join(sorted(d for d in derivatives if "∂" in d)))
        if inserted:
            return Explained("insert " + ", ".join(inserted))
        if named:
            return Explained("name " + ", ".join(named))
        return Explained(_algebra(a.data, b.data))

    def _defines(self, key: str) -> bool:
        return self.page.definition(self.page.concrete(key)) is not None


def _is_derivative(node: Node) -> bool:
    """Whether a side is ∂y/∂x."""
    return isinstance(node, Fraction) and isinstance(node.over, Partial) and isinstance(node.under, Partial)


def _name_of(x: Expr) -> str:
    """What a variable is called in a derivation; a defined name is one there."""
    return x.name if isinstance(x, Symbol) else f"variable {x.name}" if isinstance(x, Named) else ""


def _names(side: Node) -> set[str]:
    from byhand.audit.pages.shapes import names_in

    return {*names_in(side)}


def _algebra(a: Expr, b: Expr) -> str:
    """The rule by which one form of an expression becomes another: by what the two forms are."""
    if a is b:
        return "rules of products and transposes"
    if max(len([*topological([n])]) for n in (a, b)) > LARGEST or normal(a) is not normal(b):
        return ""

    def count(node: Expr, kind: Any) -> int:
        return sum(isinstance(n, kind) for n in topological([node]))

    terms = [len(n.terms) if isinstance(n, Sum) else 1 for n in (a, b)]
    if terms[0] < terms[1]:
        return "distributive law"
    if terms[0] > terms[1]:
        return "collect terms"
    return "rearrange" if count(a, Sum) == count(b, Sum) else "collect and cancel"

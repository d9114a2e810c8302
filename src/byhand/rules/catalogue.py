"""All rules as data for people: `byhand rules` lists and typesets them, `byhand rules NAME` proves one by numbers.

Every equation is the string of its table, read by the parser; nothing is written a second time here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any

from byhand.errors import ParseError, nearest
from byhand.expr.assume import PROPERTIES, sentence
from byhand.expr.dims import Dim, Dimension, dim_names, named_dimension, parse_shape
from byhand.expr.functions import FUNCTIONS, Function
from byhand.expr.nodes import Expr, Symbol, symbol
from byhand.rules.differentials import DIFFERENTIALS, GENERAL, Rule, read_side
from byhand.rules.identities import FACTS, IDENTITIES, Identity
from byhand.rules.manner import STEPS
from byhand.rules.patterns import ADJOINT, OTHER_MOVES, PATTERNS, Pattern
from byhand.threads import syntax_tree

GROUPS = ("general rules", "structured operations", "elementwise functions", "moves", "identities", "facts", "steps")
Side = Expr | tuple[Expr, Expr]


@dataclass(frozen=True, slots=True)
class Domain:
    """Where an equation holds, in words, and what its variable is drawn from: a property or an interval inside it."""

    words: str
    sampler: str


@dataclass(frozen=True)
class Equation:
    """left = right in the expression language.

    Attributes:
        left, right: the two sides as text.
        shapes: the variables and their dimensions.
        domain: where variables are drawn from, standard normal where nothing is said.
        statics: what else stands in the text: axes, dimensions.
        paired: both sides are inner products ⟨ , ⟩, kept as pairs.
    """

    left: str
    right: str
    shapes: Mapping[str, str]
    domain: Mapping[str, Domain] = field(default_factory=dict)
    statics: Mapping[str, Any] = field(default_factory=dict)
    paired: bool = False

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"

    @cached_property
    def symbols(self) -> dict[str, Symbol]:
        """The variables as nodes."""
        declared = {name: {d.sampler} & PROPERTIES.keys() for name, d in self.domain.items()}
        return {name: symbol(name, parse_shape(shape), declared.get(name, ())) for name, shape in self.shapes.items()}

    @cached_property
    def dimensions(self) -> list[str]:
        """The names of the dimensions, in order."""
        static = [v for v in self.statics.values() if isinstance(v, Dimension)]
        sizes: list[Dim] = [d for s in self.symbols.values() for d in s.shape]
        return list(dict.fromkeys(n for d in (*sizes, *static) for n in sorted(dim_names(d))))

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """Both sides as nodes; of a paired equation, both as pairs of nodes."""
        return self._side(self.left), self._side(self.right)

    def _side(self, text: str) -> Side:
        names = {n: named_dimension(n) for n in self.dimensions} | dict(self.symbols) | dict(self.statics)
        if self.paired:
            call = _tree(text)
            assert isinstance(call, ast.Call)
            left, right = (read_side(ast.unparse(a), names) for a in call.args)
            return left, right
        return read_side(text, names)

    def everywhere(self) -> Equation:
        """An equation between scalars, for the entries of vectors; any other as it is."""
        pointwise = not any(self.shapes.values())
        return replace(self, shapes=dict.fromkeys(self.shapes, "n")) if pointwise else self

    @property
    def conditions(self) -> tuple[str, ...]:
        """The domain in words."""
        return tuple(d.words for d in self.domain.values() if d.words)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule: its name, its group, the equations that it stands for (one, or one per kind of operand), its source."""

    name: str
    group: str
    equations: tuple[Equation, ...]
    source: str
    meaning: str = ""

    @property
    def domain(self) -> str:
        """Where it holds, in words; empty where it always does."""
        return "; ".join(dict.fromkeys(c for e in self.equations for c in e.conditions))


@lru_cache(maxsize=1)
def catalogue() -> tuple[Entry, ...]:
    """All rules, in groups; names are unique within a group."""
    return tuple(_merged([*_differentials(), *_functions(), *_moves(), *_identities(), *_steps()]))


def entry(name: str) -> Entry:
    """A rule by its name as derivations show it, or by its function or operation: "product rule", "tanh", "inv".

    Raises: ParseError: no rule is called so.
    """
    known = {e.name: e for e in reversed(catalogue())}
    aliases = {f: f"derivative of {f}" for f in FUNCTIONS} | {o: row.name for o, row in DIFFERENTIALS.items()}
    for alias, full in aliases.items():
        known.setdefault(alias, known[full])
    name = name if name in known else stripped(name)
    if name not in known:
        raise ParseError(f"no rule is called {name}{nearest(name, list(known))}", "`byhand rules` lists them all")
    return known[name]


def stripped(shown: str) -> str:
    """A rule as it stands beside a line, without the properties that it used and without what it was applied to.

    >>> stripped("rows sum to one (the rows of Y sum to one)"), stripped("insert ∂f/∂r")
    ('rows sum to one', 'insert')
    """
    bare = re.sub(r" \(.*\)$", "", shown)
    bare = re.sub(r"^(insert|for each) .*", r"\1", bare)
    bare = re.sub(r"^.* does not occur$", "does not occur", bare)
    return re.sub(r"^(free entries of a symmetric variable|(?:symmetric|diagonal) part): .*", r"\1", bare)


def _merged(entries: list[Entry]) -> Iterator[Entry]:
    """Entries of one name and group as one, its equations together."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for e in entries:
        groups.setdefault((e.group, e.name), []).append(e)
    for (group, name), same in groups.items():
        first: dict[Any, Equation] = {}
        for q in (q for e in same for q in e.equations):
            first.setdefault(up_to_names(q) if group == "moves" else str(q), q)
        sources = "; ".join(dict.fromkeys(e.source for e in same))
        meanings = ", ".join(dict.fromkeys(e.meaning for e in same if e.meaning))
        yield Entry(name, group, tuple(first.values()), sources, meanings)


def up_to_names(q: Equation) -> tuple[Side, Side]:
    """The sides with B called A: a ⊙ dx and b ⊙ dx are moved by one equation."""
    rename = partial(re.sub, r"\b[Bb]\b", lambda found: "A" if found[0] == "B" else "a")
    return replace(
        q, left=rename(q.left), right=rename(q.right), shapes={rename(n): s for n, s in q.shapes.items()}
    ).sides


# ---- one table at a time


def _differentials() -> Iterator[Entry]:
    for row in GENERAL:
        yield Entry(row.name, "general rules", (rule_equation(row),), row.source)
    for row in DIFFERENTIALS.values():
        yield Entry(row.name, "structured operations", (rule_equation(row),), row.source)


def rule_equation(row: Rule, axis: int = -1) -> Equation:
    """A row of the differentials; an axis that it leaves open is the given one."""
    ndim = len(parse_shape(row.shapes[row.variables[0]])) if row.variables else 0
    statics: dict[str, Any] = {a: (axis % ndim,) if a == "axis" else named_dimension(a) for a in row.attributes}
    return Equation(row.left, row.right, row.shapes, _properties(row.shapes, row.domain), statics)


def _functions() -> Iterator[Entry]:
    for row in FUNCTIONS.values():
        kinks = f"by convention at z = {', '.join(f'{k:g}' for k in row.kinks)}" if row.kinks else ""
        yield Entry(f"derivative of {row.name}", "elementwise functions", (function_equation(row),), row.source, kinks)


def function_equation(row: Function) -> Equation:
    """d f(z) = f'(z) d(z), with f(z) written out for y."""
    slope = re.sub(r"\by\b", f"{row.name}(z)", row.derivative)
    match _tree(slope):
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            slope = f"({slope})"
    right = "0" if slope == "0" else f"{slope}*d(z)"
    return Equation(f"d({row.name}(z))", right, {"z": ""}, {"z": Domain(row.where, row.domain)} if row.where else {})


def _moves() -> Iterator[Entry]:
    for row in PATTERNS:
        for name, equation in zip((row.move_first, row.move_second), move_equations(row), strict=False):
            yield Entry(name, "moves", (equation,), row.source, row.meaning)
    for name, text, shapes in OTHER_MOVES:
        left, right = text.split(" = ")
        yield Entry(name, "moves", (Equation(left, right, shapes, paired=True),), ADJOINT)


def move_equations(row: Pattern) -> list[Equation]:
    """The equations of a pattern, the shapes of their variables taken from its labels."""
    operands, out = row.sides
    found = []
    for text, names in ((row.first, "AX" if len(operands) == 2 else "X"), (row.second, "XB")):
        if not text:
            continue
        labels = dict(zip(names, operands, strict=True)) | {"G": out}
        shapes = {n if len(ls) > 1 else n.lower(): " ".join(ls) for n, ls in labels.items()}
        left, right = text.split(" = ")
        found.append(Equation(left, right, shapes, paired=True))
    return found


def _identities() -> Iterator[Entry]:
    for rows, group in ((IDENTITIES, "identities"), (FACTS, "facts")):
        for row in rows:
            yield Entry(row.name, group, (identity_equation(row),), row.source)


def identity_equation(row: Identity) -> Equation:
    """A row of the simplifications."""
    return Equation(row.left, row.right, row.shapes, _properties(row.shapes, {**row.domain, **row.when}))


def _properties(shapes: Mapping[str, str], domain: Mapping[str, str]) -> dict[str, Domain]:
    assert all(p in PROPERTIES for p in domain.values())
    return {name: Domain(sentence(name, len(parse_shape(shapes[name])), p), p) for name, p in domain.items()}


def _steps() -> Iterator[Entry]:
    for row in STEPS:
        left, _, right = row.equation.partition(" = ")
        yield Entry(row.name, "steps", (Equation(left, right, row.shapes),) if left else (), row.source, row.meaning)


@lru_cache(maxsize=1024)
def _tree(text: str) -> ast.expr:
    tree: ast.Expression = syntax_tree(text, "eval")
    return tree.body

"""The trees of formulas. Every node knows the place of its text: `start` and `end` are offsets in the formula as written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction as Rational


@dataclass(frozen=True, slots=True)
class Node:
    """What all nodes have."""

    start: int = field(kw_only=True, default=0, compare=False)
    end: int = field(kw_only=True, default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A decimal number, exact."""

    value: Rational


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A letter or a word, with the accents that belong to it; `font` is "" where none was chosen."""

    text: str
    font: str = ""


@dataclass(frozen=True, slots=True)
class Script(Node):
    """A base with a subscript, a superscript, primes."""

    base: Node
    sub: Node | None = None
    sup: Node | None = None
    primes: int = 0


@dataclass(frozen=True, slots=True)
class Tuple(Node):
    """Several things side by side with commas: indices, arguments."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Range(Node):
    """low:high of an axis, counted as in code; a bound is None where it is not written."""

    low: Node | None
    high: Node | None


@dataclass(frozen=True, slots=True)
class Bracket(Node):
    """Something in brackets; which ones is kept, since `f(x)` may be a call and `1[x > 0]` an indicator."""

    inner: Node
    opened: str = "("


@dataclass(frozen=True, slots=True)
class Sum(Node):
    """Terms with their signs, +1 or −1."""

    terms: tuple[tuple[int, Node], ...]


@dataclass(frozen=True, slots=True)
class Product(Node):
    """Factors, each with the sign before it: "" (side by side), · × * ⊙ ⊘ ⊗ /."""

    factors: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Fraction(Node):
    """A quotient with a bar."""

    over: Node
    under: Node


@dataclass(frozen=True, slots=True)
class Root(Node):
    """A square root."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Partial(Node):
    """∂ or d before something, ∂² with its order; `inner` is None where nothing follows: ∂/∂x."""

    inner: Node | None
    order: int = 1
    sign: str = "∂"


@dataclass(frozen=True, slots=True)
class Nabla(Node):
    """∇ or ∇² with respect to something, of something."""

    inner: Node
    under: Node | None = None
    order: int = 1


@dataclass(frozen=True, slots=True)
class Big(Node):
    """Σ or Π over an index: `low` is an equation `k = 1` or the index alone, `high` the upper bound."""

    sign: str
    low: Node | None
    high: Node | None
    body: Node


@dataclass(frozen=True, slots=True)
class Norm(Node):
    """‖x‖ with its subscript, or |x| where `single`."""

    inner: Node
    sub: Node | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class Inner(Node):
    """⟨a, b⟩."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Relation(Node):
    """A chain of sides: `signs[k]` stands between `sides[k]` and `sides[k + 1]`. A side may be missing (None) at the start."""

    sides: tuple[Node | None, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix(Node):
    """Entries written out, row by row."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Cases(Node):
    """Values with their conditions; None is otherwise."""

    rows: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True, slots=True)
class Dots(Node):
    """What is left out."""


@dataclass(frozen=True, slots=True)
class Words(Node):
    """Prose within a formula."""

    text: str


@dataclass(frozen=True, slots=True)
class Brace(Node):
    """Something with an under- or overbrace and what stands at the brace."""

    inner: Node
    note: Node | None


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    stack: list[Node | None] = [node]
    while stack:
        n = stack.pop()
        if n is None:
            continue
        yield n
        stack.extend(reversed(children(n)))


def children(node: Node) -> list[Node | None]:
    """What a node is made of."""
    match node:
        case Script(base, sub, sup):
            return [base, sub, sup]
        case Tuple(items):
            return [*items]
        case Bracket(inner) | Root(inner) | Brace(inner):
            return [inner]
        case Range(low, high):
            return [low, high]
        case Sum(terms):
            return [t for _, t in terms]
        case Product(factors):
            return [f for _, f in factors]
        case Fraction(over, under):
            return [over, under]
        case Partial(inner):
            return [inner]
        case Nabla(inner, under):
            return [under, inner]
        case Big(_, low, high, body):
            return [low, high, body]
        case Norm(inner):
            return [inner]
        case Inner(left, right):
            return [left, right]
        case Relation(sides):
            return [*sides]
        case Matrix(rows):
            return [e for row in rows for e in row]
        case Cases(rows):
            return [e for row in rows for e in row]
        case _:
            return []

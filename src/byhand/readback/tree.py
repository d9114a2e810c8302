"""Trees of formulas as they were read, each node with the place in the text that it came from.

A tree keeps open what only types decide: `Call` is a function or a product with a bracket, `Name` may carry indices
(Z1_ij), `Script` on a name is a power. The evaluator decides by what the names stand for.
"""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tree:
    """Base of all nodes; `span` is the first and one past the last character."""

    span: Span


@dataclass(frozen=True, slots=True)
class Number(Tree):
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Name(Tree):
    """A name, perhaps with indices behind its last underscore."""

    name: str


@dataclass(frozen=True, slots=True)
class Call(Tree):
    """name(args): a function, or a product where the name stands for a value."""

    name: str
    args: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Tuple(Tree):
    """(a, b)."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Sum(Tree):
    """Terms with their signs, True for plus."""

    terms: tuple[tuple[bool, Tree], ...]


@dataclass(frozen=True, slots=True)
class Product(Tree):
    """Factors side by side."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Infix(Tree):
    """left op right: ⊙, ⊘, ⊗."""

    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Quotient(Tree):
    """num/den."""

    num: Tree
    den: Tree


@dataclass(frozen=True, slots=True)
class Power(Tree):
    """base^exponent; of each entry where `entries`."""

    base: Tree
    exponent: Tree
    entries: bool = False


@dataclass(frozen=True, slots=True)
class Transpose(Tree):
    """baseᵀ."""

    base: Tree


@dataclass(frozen=True, slots=True)
class Indexed(Tree):
    """base with indices below it."""

    base: Tree
    indices: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Slice(Tree):
    """base[low:high, ...]; None where a bound is not written."""

    base: Tree
    axes: tuple[tuple[Tree | None, Tree | None], ...]


@dataclass(frozen=True, slots=True)
class BigSum(Tree):
    """Σ over letters; of a single one the first and the last value may be written."""

    letters: tuple[str, ...]
    body: Tree
    low: Tree | None = None
    high: Tree | None = None


@dataclass(frozen=True, slots=True)
class Ones(Tree):
    """1_N, the column of N ones."""

    size: Tree


@dataclass(frozen=True, slots=True)
class Indicator(Tree):
    """1[condition]."""

    condition: Tree


@dataclass(frozen=True, slots=True)
class Relation(Tree):
    """left op right; a chain is nested to the right."""

    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Inner(Tree):
    """⟨left, right⟩."""

    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Norm(Tree):
    """‖body‖."""

    body: Tree


@dataclass(frozen=True, slots=True)
class Bars(Tree):
    """|body|; after `log` the determinant's."""

    body: Tree
    function: str = ""


@dataclass(frozen=True, slots=True)
class Partial(Tree):
    """∂of/∂wrt."""

    of: Tree
    wrt: Tree


@dataclass(frozen=True, slots=True)
class Labelled(Tree):
    """(body =: label)."""

    body: Tree
    label: str


@dataclass(frozen=True, slots=True)
class Entries(Tree):
    """[a_ij], the array with these entries; its letters stand below it."""

    body: Tree


def children(node: Tree) -> list[Tree]:
    """The nodes directly below one."""
    found: list[Tree] = []

    def look(value: object) -> None:
        if isinstance(value, Tree):
            found.append(value)
        elif isinstance(value, tuple):
            for v in value:
                look(v)

    for name in node.__dataclass_fields__:
        if name != "span":
            look(getattr(node, name))
    return found

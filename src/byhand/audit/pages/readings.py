"""The readings that a formula is open to: what ⊗ is, how large 𝟏 is, whose differentials move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from byhand.expr.dims import Dim
from byhand.reading.tree import Bracket, Dots, Name, Node, Partial, Product, Script, Tuple, walk

MOST = 64


@dataclass
class Reading:
    """What is chosen where a formula is open.

    Attributes:
        kron: ⊗ is the Kronecker product, else the outer product a bᵀ.
        diagonal: ∂a/∂z of an elementwise function is its diagonal as a column.
        ones: the size of 𝟏 where it is not written.
        moving: whose differentials are not zero: those that the page "stated" to be its variables, "all" inputs below what
            has a d in the row, or only the "named" ones.
        symmetric: the gradient of a symmetric variable: by its "entries" as if they were free, or the symmetric "mean" of these.
        notes: what was chosen that is not the plain choice.
    """

    kron: bool = True
    diagonal: bool = False
    ones: Dim | None = None
    moving: str = "all"
    symmetric: str = "entries"
    notes: dict[str, None] = field(default_factory=dict)


def open_choices(nodes: Iterable[Node]) -> set[str]:
    """Which choices a formula asks for."""
    found: set[str] = set()
    for node in (n for whole in nodes for n in walk(whole)):
        match node:
            case Product(factors) if any(sign == "⊗" for sign, _ in factors):
                found.add("kron")
            case Name("1", font) if font:
                found.add("ones")
            case Bracket(Tuple(items), "[") if any(isinstance(i, Dots) for i in items):
                found.add("ones")
            case Partial(inner) if inner is not None:
                found |= {"diagonal", "moving"}
            case Name(text) if len(text) > 1 and text[0] == "d":
                found.add("moving")
            case Script(Name("1", font)) if font:
                found.add("ones")
        if isinstance(node, Product) and any(isinstance(f, Name) and f.text == "d" for _, f in node.factors):
            found.add("moving")
    return found


def readings(
    nodes: Iterable[Node], sizes: list[Dim], together: bool = False, stated: bool = False, symmetric: bool = False
) -> Iterator[Reading]:
    """The readings of a formula in order of preference, at most 64.

    Args:
        nodes: its sides.
        sizes: those that 𝟏 may have.
        together: whether differentials of inputs and of what is made of inputs stand in one side: then all of them move.
        stated: whether the page says which variables move.
        symmetric: whether the page has symmetric variables.
    """
    everything = ["all", "named"] if not together else ["all"]
    nodes = [*nodes]
    asked = open_choices(nodes)
    unsized: list[Any] = [*sizes] or [None]
    options: dict[str, list[Any]] = {
        "kron": [True, False] if "kron" in asked else [True],
        "diagonal": [False, True] if "diagonal" in asked else [False],
        "ones": unsized if "ones" in asked else [None],
        "symmetric": ["entries", "mean"] if symmetric and "diagonal" in asked else ["entries"],
        "moving": (["stated"] if stated else []) + everything if "moving" in asked else ["all"],
    }
    made = [Reading()]
    for name, values in options.items():
        made = [replace(r, **{name: value, "notes": {}}) for r in made for value in values]
    yield from made[:MOST]

"""Which rows define which names: L(w) = …, z_j = …, a^{[l]} = …, and what continues them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from byhand.audit.pages.facts import Facts, shape_written
from byhand.audit.pages.rows import Row
from byhand.reading.indices import letters_in
from byhand.reading.keys import flat, key_of, without_layer
from byhand.reading.tokens import FUNCTIONS
from byhand.reading.tree import Bracket, Name, Node, Number, Partial, Product, Relation, Script, Tuple, children, walk

_DEFINING = ("=", "≔", "≡")


@dataclass
class Definition:
    """What defines a name.

    Attributes:
        key: the name.
        sides: the right sides that may give its value, the first that can be read does.
        indices: the letters of the left side: z_j, Z_nc.
        layer: the letter of the layer, where the definition holds for all of them.
        first: the first layer it holds for.
        depth: the name of the last layer.
        row: where it stands.
        arguments: of a function, their names.
    """

    key: str
    row: Row
    sides: list[Node] = field(default_factory=list)
    indices: tuple[str, ...] = ()
    layer: str = ""
    first: int = 1
    depth: str = ""
    arguments: tuple[str, ...] = ()


def chains_of(row: Row) -> Iterator[Relation]:
    """The relations of a row, cut where one follows from another (⇒)."""
    for chain in row.chains:
        start = 0
        for k, sign in enumerate([*chain.signs, "⇒"]):
            if sign == "⇒":
                sides, signs = chain.sides[start : k + 1], chain.signs[start:k]
                if any(s is not None for s in sides):
                    yield Relation(sides, signs, start=chain.start, end=chain.end)
                start = k + 1


def definitions_of(rows: list[Row], facts: Facts) -> dict[str, Definition]:
    """The first definition of each name."""
    found: dict[str, Definition] = {}
    defined_by: dict[int, Definition] = {}
    for row in rows:
        for chain in chains_of(row):
            head = chain.sides[0]
            if head is None:
                before = defined_by.get(row.continues.index) if row.continues is not None else None
                if before is not None:
                    before.sides += _values(chain)
                    defined_by[row.index] = before
                continue
            if not chain.signs or chain.signs[0] not in _DEFINING or "…" in chain.signs:
                continue
            made = _definition(row, head, chain, facts)
            if made is None:
                continue
            if row.inline and (not _is_formula(chain) or made.key in facts.shapes):
                continue
            if made.key not in found:
                found[made.key] = made
                if not row.inline:
                    defined_by[row.index] = made
    _from_two_sides(rows, found, facts)
    return found


def _is_formula(chain: Relation) -> bool:
    """Whether an equation within the prose defines something: it has a right side that is more than a number or words."""
    side = chain.sides[1]
    return side is not None and not isinstance(side, Number) and len(chain.sides) == 2


def _values(chain: Relation) -> list[Node]:
    """The right sides that are values, not shapes."""
    return [s for s, sign in zip(chain.sides[1:], chain.signs, strict=True) if s is not None and sign in _DEFINING]


def _definition(row: Row, head: Node, chain: Relation, facts: Facts) -> Definition | None:
    """What a chain defines, by its left side."""
    sides = _values(chain)
    arguments: tuple[str, ...] = ()
    if isinstance(head, Product) and len(head.factors) == 2 and isinstance(head.factors[1][1], Bracket):
        name, bracket = head.factors[0][1], head.factors[1][1]
        assert isinstance(bracket, Bracket)
        items = bracket.inner.items if isinstance(bracket.inner, Tuple) else (bracket.inner,)
        if (
            isinstance(name, Name | Script)
            and key_of(name)
            and all(key_of(i) for i in items)
            and key_of(name) not in FUNCTIONS
            and name_font(name) != "function"
        ):
            head, arguments = name, tuple(key_of(i) for i in items)
            if isinstance(name, Name) and facts.functions.get(name.text):
                return None
        else:
            return None
    if not isinstance(head, Name | Script) or not key_of(head) or (isinstance(head, Name) and head.font == "function"):
        return None
    if not sides or any(isinstance(n, Partial) and n is sides[0] for n in sides[:1]):
        return None
    bare = head.base if isinstance(head, Script) else head
    if isinstance(bare, Name) and len(bare.text) > 1 and bare.text[0] == "d" and not bare.font:
        return None  # dL, in plain text
    if isinstance(head, Script) and head.primes and key_of(Script(head.base, None, None, 0)) in facts.functions:
        return None  # σ' is no name of its own
    if isinstance(head, Script) and head.sub is not None and letters_of(head.sub) and isinstance(sides[0], Number):
        return None  # y_k = 0 for k ≠ ℓ
    key, indices = _indexed(head, sides, row)
    layer = depth = ""
    m = re.search(r"\[([^\[\]]*)\]", key)
    if m and re.fullmatch(r"[A-Za-zℓ]", m[1]) and m[1].islower():
        layer = m[1]
        key = key.replace(m.group(), "[·]")
        depth = _depth(row, layer)
    if any(key in _keys_in(s) for s in sides[:1]) and not layer:
        return None
    return Definition(key, row, sides, indices, layer, 1, depth or ("L" if layer else ""), arguments)


def _keys_in(side: Node) -> set[str]:
    """The names that a side is made of; the Q of W_Q is none."""
    found: set[str] = set()
    todo: list[Node | None] = [side]
    while todo:
        n = todo.pop()
        if isinstance(n, Name | Script):
            found.add(key_of(n))
        todo += [n.base, n.sup] if isinstance(n, Script) else children(n) if n is not None else []
    return found


def name_font(node: Node) -> str:
    """The font of a name."""
    return node.font if isinstance(node, Name) else name_font(node.base) if isinstance(node, Script) else ""


def _depth(row: Row, letter: str) -> str:
    """The last layer: l = 1, …, L."""
    for chain in row.chains:
        if (
            chain.signs[:1] == ("=",)
            and chain.sides[0] is not None
            and flat(chain.sides[0]) == letter
            and "…" in chain.signs
        ):
            last = chain.sides[-1]
            return flat(last) if last is not None else ""
    return ""


def _indexed(head: Name | Script, sides: list[Node], row: Row) -> tuple[str, tuple[str, ...]]:
    """The name that a left side defines, and its index letters."""
    if not isinstance(head, Script) or head.sub is None:
        return key_of(head), ()
    letters = letters_of(_without_single(head.sub, row))
    if not letters:
        return key_of(head), ()
    used = {
        letter
        for s in sides
        for n in walk(s)
        if isinstance(n, Script) and n.sub is not None
        for letter in letters_in(n.sub)
    }
    ranged = {flat(c.sides[0]) for c in row.chains if c.sides[0] is not None and len(c.signs) > 1 and "…" in c.signs}
    if not all(letter in used | ranged for letter in letters):
        return key_of(head), ()
    _, rest = without_layer(head.sup)
    if rest is not None and not isinstance(rest, Name):
        return key_of(head), ()
    if isinstance(head.sub, Tuple) and len(letters) < len(head.sub.items):
        letters = tuple("" if isinstance(i, Number) else flat(i) for i in head.sub.items)
    return key_of(Script(head.base, None, head.sup, head.primes)), letters


def _without_single(sub: Node, row: Row) -> Node:
    """A subscript without the numbers that stand at axes of one place, as the shape beside the formula says: z_{i,0}."""
    shape = shape_written(row.note[1 : row.note.find(")")]) if row.note.startswith("(") else None
    if not isinstance(sub, Tuple) or shape is None or len(shape) != len(sub.items):
        return sub
    kept = tuple(
        i
        for i, d in zip(sub.items, shape, strict=True)
        if not (isinstance(i, Number) and isinstance(d, Number) and d.value == 1)
    )
    return Tuple(kept, start=sub.start, end=sub.end)


def letters_of(sub: Node) -> tuple[str, ...]:
    """The index letters of a subscript: i, ij; () where it holds something else."""
    match sub:
        case Name(text) if (
            text.isalpha() and len(text) <= 3 and (text.islower() or text == "ℓ") and text.isascii() | (text == "ℓ")
        ):
            return tuple(text)
        case Product(factors) if all(not s for s, _ in factors):
            made = [letters_of(f) for _, f in factors]
            return tuple(letter for ls in made for letter in ls) if all(len(ls) == 1 for ls in made) else ()
        case Tuple(items):
            made = [letters_of(i) for i in items]
            return tuple(letter for ls in made for letter in ls) if all(len(ls) == 1 for ls in made) else ()
    return ()


def layered(text: str, numbers: Mapping[str, int]) -> int | None:
    """The number of a layer: l+1 for l = 2 is 3."""
    m = re.fullmatch(r"\s*([A-Za-zℓ]|\d+)\s*(?:([-+−])\s*(\d+))?\s*", text)
    if m is None:
        return None
    start = int(m[1]) if m[1].isdigit() else numbers.get(m[1])
    if start is None:
        return None
    return start + (int(m[3]) if m[3] and m[2] == "+" else -int(m[3]) if m[3] else 0)


# ---- a name without a definition may get one from two sides of a chain


def _from_two_sides(rows: list[Row], found: dict[str, Definition], facts: Facts) -> None:
    """ŷ_ℓ beside softmax_ℓ(z): where two sides of a chain differ in one place, a name stands for what is there."""
    for row in rows:
        sides = [s for c in chains_of(row) for s in c.sides if s is not None]
        if row.continues is not None and row.continues.chains:
            last = row.continues.chains[0].sides[-1]
            sides = [*([last] if last is not None else []), *sides]
        for a, b in itertools.pairwise(sides):
            pair = difference(a, b)
            if pair is None:
                continue
            name, meaning = pair
            if not (isinstance(name, Script) and name.sub is not None and isinstance(meaning, Product)):
                continue
            function = meaning.factors[0][1]
            if (
                isinstance(function, Script)
                and isinstance(function.base, Name)
                and function.base.font == "function"
                and flat(function.sub) == flat(name.sub)
            ):
                key = key_of(Script(name.base, None, name.sup, name.primes))
                if key and key not in found:
                    bare = Product((("", function.base), *meaning.factors[1:]), start=meaning.start, end=meaning.end)
                    found[key] = Definition(key, row, [bare])


def difference(a: Node, b: Node) -> tuple[Node, Node] | None:
    """The one place where two trees differ, or None."""
    if a == b:
        return None
    if type(a) is not type(b):
        return a, b
    if isinstance(a, Script | Name):
        return a, b
    below_a, below_b = children(a), children(b)
    if len(below_a) != len(below_b):
        return a, b
    pairs = [(x, y) for x, y in zip(below_a, below_b, strict=True) if x != y]
    if len(pairs) == 1 and pairs[0][0] is not None and pairs[0][1] is not None:
        return difference(pairs[0][0], pairs[0][1]) or (a, b)
    return a, b

"""What a page says of its names: shapes, sizes, properties, functions. From formulas (X ∈ ℝ^{m×n}) and from words around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from byhand.audit.pages.rows import Row
from byhand.errors import ByhandError
from byhand.expr.functions import FUNCTIONS
from byhand.reading.grammar import read
from byhand.reading.keys import flat, key_of
from byhand.reading.tree import (
    Big,
    Bracket,
    Dots,
    Name,
    Node,
    Number,
    Product,
    Relation,
    Script,
    Sum,
    Tuple,
    walk,
)

MARK = "⟦{}⟧"  # stands for a formula in the prose


@dataclass
class Declared:
    """What is said of one name.

    Attributes:
        key: the name.
        shape: its dimensions by key, columns as (n, 1); None where only a property is said.
        row: the row or formula that says it.
        statement: which part of the row.
        properties: byhand's words for what is said.
        upright: whether it is said how a vector stands; else it is a column unless only a row fits.
    """

    key: str
    shape: tuple[Node, ...] | None
    row: Row
    statement: Node | None = None
    properties: set[str] = field(default_factory=set)
    upright: bool = True


@dataclass
class Facts:
    """All that a page says.

    Attributes:
        shapes: name -> its declaration, the first one.
        again: later declarations of a name.
        sizes: names of sizes: the bounds of sums and ranges, 1_N.
        functions: name -> a row of the table of functions, "" where none is said.
        families: vectors that are rows or columns of a matrix, by the name of the vector: x -> (index, size).
        scalars: vectors whose entries are declared, b_j ∈ ℝ, with the letter.
        ranges: letter -> the last place it runs to: j = 1, …, h.
        columns: whether samples stand in columns.
        zero: whether indices start at 0.
        vec_rows: whether vec stacks rows.
        jacobian: whether a derivative has a row per output: that of a number is a row.
        free: whether the free entries of a symmetric variable vary.
        moving: the variables of a page that is headed by "gradient with respect to": nothing else has a differential.
    """

    shapes: dict[str, Declared] = field(default_factory=dict)
    again: list[Declared] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    sizes: set[str] = field(default_factory=set)
    families: dict[str, tuple[str, Node]] = field(default_factory=dict)
    scalars: dict[str, str] = field(default_factory=dict)
    ranges: dict[str, Node] = field(default_factory=dict)
    columns: bool = False
    zero: bool = False
    vec_rows: bool = False
    jacobian: bool = False
    free: bool = False
    moving: tuple[str, ...] = ()

    def declare(self, declared: Declared) -> None:
        """One more declaration."""
        known = self.shapes.get(declared.key)
        if known is None:
            self.shapes[declared.key] = declared
        elif declared.shape is None:
            known.properties |= declared.properties
        elif known.shape is None:
            known.shape = declared.shape
            known.row, known.statement = declared.row, declared.statement
        else:
            self.again.append(declared)


def shape_of(node: Node | None) -> tuple[Node, ...] | None:
    """The dimensions in ℝ^{m×n}, ℝ^n, {0, 1}^{m×n}, (m, n); None for what is no shape."""
    match node:
        case Script(base, _, sup, _) if sup is not None and _is_field(base):
            match sup:
                case Product(factors) if all(sign in ("×", "·", "*") for sign, _ in factors[1:]):
                    return tuple(f for _, f in factors)
                case Tuple(items):
                    return items
            return (sup,)
        case Name(text) if text in ("ℝ", "ℕ", "ℤ"):
            return ()
        case Product(factors) if len(factors) > 1 and all(sign in ("×",) for sign, _ in factors[1:]):
            return tuple(f for _, f in factors)
        case Bracket(Tuple(items), opened) if opened in "([" and len(items) <= 3:
            return items
    return None


def _is_field(node: Node) -> bool:
    match node:
        case Name(text):
            return text in ("ℝ", "ℤ", "ℕ", "ℂ")
        case Bracket(_, opened):
            return opened in "{["
    return False


def _is_mask(node: Node | None) -> bool:
    return (
        isinstance(node, Script)
        and isinstance(node.base, Bracket)
        and node.base.opened == "{"
        and flat(node.base.inner) == "0,1"
    )


def members(side: Node) -> list[Node]:
    """The names before ∈: one, or several with commas."""
    return [*side.items] if isinstance(side, Tuple) else [side]


def from_row(row: Row, facts: Facts) -> None:
    """The declarations that formulas make: X ∈ ℝ^{m×n}, λ > 0, g = tanh, i = 1, …, n."""
    waiting: list[Node] = []
    facts.sizes |= {key for s in row.statements for key in _sizes(s)}
    facts.zero = facts.zero or any(_from_zero(s) for s in row.statements)
    for key in (key for s in row.statements for key in _labels(s)):
        facts.declare(Declared(key, None, row, None, {"labels"}))
    for statement in row.statements:
        if not isinstance(statement, Relation):
            waiting.append(statement)
            continue
        sides, signs = statement.sides, statement.signs
        if "…" in signs and sides[0] is not None and sides[-1] is not None and signs[0] == "=" and is_size(sides[-1]):
            facts.ranges.setdefault(flat(sides[0]), sides[-1])
        if "∈" in signs:
            k = signs.index("∈")
            shape = shape_of(sides[k + 1])
            names = [s for s in (*waiting, sides[0]) if s is not None] if k == 0 else []
            listed = _listed(names)
            if listed is not None and shape == ():
                facts.declare(Declared(listed[0], (listed[1],), row, statement))
                waiting = []
                continue
            if k > 0 and sides[0] is not None and shape is not None and row.inline:
                names = [sides[0]]
            if shape is not None:
                for name in names:
                    for member in members(name):
                        key = key_of(member)
                        if key:
                            declare_shape(
                                facts, member, shape, row, statement, {"01"} if _is_mask(sides[k + 1]) else set()
                            )
        elif signs == (">",) and isinstance(sides[1], Number) and sides[1].value == 0 and sides[0] is not None:
            key = key_of(sides[0])
            if key:
                facts.declare(Declared(key, None, row, statement, {"positive"}))
        elif (
            signs == ("=",)
            and isinstance(sides[0], Name)
            and isinstance(sides[1], Name)
            and sides[1].font == "function"
        ) and sides[1].text in FUNCTIONS:
            facts.functions[sides[0].text] = sides[1].text
        waiting = []


def _from_zero(node: Node) -> bool:
    """Whether an index 0 stands in a formula: x_{i,0}, (b)_0, Σ from 0 to n − 1."""
    for n in walk(node):
        match n:
            case Script(_, Tuple(items)) if any(isinstance(i, Number) and i.value == 0 for i in items):
                return True
            case Script(Bracket(), Number(value)) if value == 0:
                return True
            case Big(_, Relation((_, Number(value)), ("=",)), Sum()) if value == 0:
                return True
    return False


def _labels(node: Node) -> Iterator[str]:
    """Names of arrays of labels: t in onehot(t), in P_{i,t_i}."""
    for n in walk(node):
        match n:
            case Product(((_, Name("onehot", "function")), (_, Bracket(inner)), *_)):
                first = inner.items[0] if isinstance(inner, Tuple) else inner
                if key_of(first):
                    yield key_of(first)
            case Script(_, Tuple(items)):
                yield from (
                    key_of(i.base) for i in items if isinstance(i, Script) and i.sub is not None and key_of(i.base)
                )


def _sizes(node: Node) -> Iterator[str]:
    """The names of sizes that a formula uses."""
    for n in walk(node):
        match n:
            case Big(_, _, high) if high is not None:
                yield from _size_names(high)
            case Relation(sides, signs) if "…" in signs and sides[-1] is not None:
                yield from _size_names(sides[-1])
            case Script(Number(value), sub) if value == 1 and sub is not None:
                yield from _size_names(sub)
            case Script(Name("1" | "I"), sub) if sub is not None:
                yield from _size_names(sub)


def _size_names(node: Node) -> Iterator[str]:
    if is_size(node):
        for n in walk(node):
            if isinstance(n, Name) and n.text.isalpha() and not isinstance(node, Script):
                yield n.text
        if isinstance(node, Script):
            yield key_of(node)


def _listed(names: list[Node]) -> tuple[str, Node] | None:
    """x_1, …, x_m: the entries of a vector, and how many they are."""
    if not any(isinstance(n, Dots) for n in names):
        return None
    first, last = names[0], names[-1]
    if (
        isinstance(first, Script)
        and isinstance(last, Script)
        and key_of(first.base) == key_of(last.base)
        and last.sub is not None
    ) and isinstance(first.sub, Number):
        return key_of(first.base), last.sub
    return None


def declare_shape(
    facts: Facts, name: Node, shape: tuple[Node, ...], row: Row, statement: Node, properties: set[str]
) -> None:
    """A shape of a name; x_i ∈ ℝ^D declares a family of vectors."""
    key = key_of(name)
    index = name.sub if isinstance(name, Script) else None
    if (
        isinstance(index, Name)
        and len(index.text) == 1
        and index.text.isalpha()
        and len(shape) == 1
        and isinstance(name, Script)
    ):
        base = key_of(Script(name.base, None, name.sup, name.primes))
        facts.families.setdefault(base, (index.text, shape[0]))
        return
    if (
        isinstance(index, Name)
        and len(index.text) == 1
        and index.text.isalpha()
        and not shape
        and isinstance(name, Script)
    ):
        facts.scalars.setdefault(key_of(Script(name.base, None, name.sup, name.primes)), index.text)
        return
    facts.declare(Declared(key, shape, row, statement, properties))


def is_size(node: Node | None) -> bool:
    """Whether a node may be a dimension: a name, a number, n_{l-1}, k + 1."""
    match node:
        case Name(text):
            return text.isalnum() or len(text) == 1
        case Number():
            return True
        case Script(base, _, None, 0):
            return isinstance(base, Name)
        case Sum(terms):
            return all(is_size(t) for _, t in terms)
        case Product(factors):
            return all(is_size(f) for _, f in factors)
    return False


def shape_written(text: str) -> tuple[Node, ...] | None:
    """The sizes in (m, n), (n,), ()."""
    try:
        read_ = read(f"({text})") if text.strip() else []
    except ByhandError:
        return None
    if not read_:
        return ()
    inner = read_[0].inner if isinstance(read_[0], Bracket) else None
    items = inner.items if isinstance(inner, Tuple) else (inner,)
    if inner is None or not all(is_size(i) for i in items):
        return None
    return tuple(i for i in items if i is not None)

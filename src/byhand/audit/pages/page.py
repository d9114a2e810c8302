"""A page as a whole: what its names stand for, in whatever order they are defined."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from byhand.audit.pages.algebra import PageAlgebra
from byhand.audit.pages.definitions import Definition, definitions_of, layered
from byhand.audit.pages.elementwise import functions_of
from byhand.audit.pages.facts import Facts, shape_written
from byhand.audit.pages.numbers import LABELS, Numbers
from byhand.audit.pages.readings import readings
from byhand.audit.pages.rows import Row
from byhand.errors import ByhandError
from byhand.expr.contraction import P1, add, contract, elementwise, scale
from byhand.expr.dims import Coefficient, Dim, add_dims, multiply_dims, named_dimension
from byhand.expr.nodes import Expr, Named, Symbol, named, symbol, topological
from byhand.reading.keys import key_of
from byhand.reading.tree import Bracket, Node, Number, Product, Script, Sum, walk
from byhand.reading.values import COLUMN, ROW, Value

HALF = Coefficient(Fraction(1, 2), ())
DEEPEST = 40  # definitions inside definitions
SAMPLE = "·sample"
GENERIC = "tanh"  # what an elementwise function without a formula is
_LAYER = re.compile(r"\[([^\[\]]*)\]|_([A-Za-zℓ](?:[-+]\d+)?)$")


@dataclass(eq=False)
class Page:
    """The names of a page.

    Attributes:
        facts: what the page says of shapes and properties.
        rows: all its rows.
        layers: the letter of a layer or step, and its value while a row is looked at.
        depth: the last layer that is looked at, and the name it has.
        changed: shapes that are taken instead of the declared ones.
        guessed: shapes of names that nothing declares.
        doubtful: names for which no shape was found with which all their rows fit.
        failed: names whose definitions have no value.
        circular: whether a name was asked for while it is made: what failed then may be had another time.
        labels: letters that stand for the label of the right class, the first one here.
        stacked: names that stand for their samples, by a letter, while what is stacked is made: x for the rows of X.
        without: keys that count as undefined while their own definition is looked at.
    """

    facts: Facts
    rows: list[Row]
    numbers: Numbers = field(default_factory=Numbers)
    layers: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    changed: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    guessed: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    arrays: dict[str, Expr | None] = field(default_factory=dict)
    building: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    circular: bool = False
    labels: set[str] = field(default_factory=set)
    stacked: dict[str, Value] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.algebra = PageAlgebra(self.numbers)
        self._losses: dict[str, Value | None] = {}
        self.known_losses: set[Expr] = set()
        self.dims = self._dims()
        self.numbers.order([*self._by_size(), *sorted(d for d in self.dims if re.fullmatch(r"\w+", d))])
        self.definitions: dict[str, Definition] = definitions_of(self.rows, self.facts)
        self.facts.functions |= functions_of(self.definitions)
        self.layer_letters = {d.layer for d in self.definitions.values() if d.layer}
        self.depths = {str(d.depth) for d in self.definitions.values() if d.depth}
        for name in self.depths:
            self.last[name] = 3

    def forget(self) -> None:
        """Shapes have changed: all values are made anew."""
        self.values.clear()
        self.arrays.clear()
        self.failed.clear()
        self.trouble.clear()
        self._losses.clear()

    # ---- sizes

    def _dims(self) -> set[str]:
        found: set[str] = {*self.facts.sizes} - {*self.facts.shapes}
        for declared in self.facts.shapes.values():
            for node in declared.shape or ():
                found |= {key_of(n) for n in _names(node)} - {""}
        for _, size in self.facts.families.values():
            found |= {key_of(n) for n in _names(size)} - {""}
        return found

    def _by_size(self) -> list[str]:
        """The sizes from small to large: what counts rows is larger than what counts columns, so that Xᵀ X has an inverse."""
        score: dict[str, int] = {}
        for declared in self.facts.shapes.values():
            for k, node in enumerate(declared.shape or ()):
                for n in _names(node):
                    score[key_of(n)] = score.get(key_of(n), 0) + (1 if k == 0 else -1) * (
                        2 if len(declared.shape or ()) == 2 else 0
                    )
        return sorted(score, key=lambda name: (score[name], name))

    def dim(self, key: str) -> Dim | None:
        """A size by its name."""
        key = self.concrete(key)
        base = key.split("_")[0]
        if key in self.dims or (
            (base + "_l" in self.dims or any(d.startswith(base + "_") for d in self.dims))
            and re.fullmatch(r".+_\d+", key)
        ):
            return named_dimension(re.sub(r"\W", "", key) or key)
        return None

    def dimension(self, node: Node) -> Dim | None:
        """A size as it is written: n, 3, n_{l-1}, k + 1, 2n."""
        match node:
            case Number(value):
                return int(value) if value.denominator == 1 else None
            case Bracket(inner):
                return self.dimension(inner)
            case Sum(terms):
                total: Dim = 0
                for sign, term in terms:
                    d = self.dimension(term)
                    if d is None:
                        return None
                    total = add_dims(total, multiply_dims(sign, d))
                return total
            case Product(factors) if all(sign in ("", "·", "×", "*") for sign, _ in factors):
                size: Dim = 1
                for _, factor in factors:
                    d = self.dimension(factor)
                    if d is None:
                        return None
                    size = multiply_dims(size, d)
                return size
        key = self.concrete(key_of(node))
        return named_dimension(re.sub(r"\W", "", key)) if key else None

    @property
    def sizes(self) -> list[Dim]:
        """All sizes that have a name, as they may be that of 𝟏."""
        return [named_dimension(d) for d in sorted(self.dims) if d.isalnum()]

    # ---- names

    def concrete(self, key: str) -> str:
        """A key with the layer's number put in: W[l+1] as W[3]."""
        if not self.layers and not self.last:
            return key

        def put(m: re.Match[str]) -> str:
            inside = m[1] if m[1] is not None else m[2]
            number = layered(inside, {**self.layers, **self.last})
            if number is None:
                return m.group()
            return f"[{number}]" if m[1] is not None else f"_{number}"

        return _LAYER.sub(put, key)

    def value(self, key: str) -> Value | None:
        """The value of a name: by its definition, or as an input."""
        key = self.concrete(key)
        if key in self.stacked:
            return self.stacked[key]
        if key in self.values and not self.stacked:
            return self.values[key]
        if key in self.building or len(self.building) > DEEPEST:
            self.circular = True
            return None
        definition = self.definition(key)
        if definition is not None and len(definition.indices) > 2:
            return None
        if definition is not None and key not in self.failed:
            before, self.circular = self.circular, False
            made = self.defined(key, definition)
            if made is not None:
                self.circular = before
                self.values[key] = made
                return made
            if not self.circular:
                self.failed.add(key)
            self.circular = self.circular or before
        shape = self.shape(key)
        if shape is None or len(shape) > 2:
            return None
        made = (None if self.stacked else self.stack(key, shape)) or self.input(key, shape)
        self.values[key] = made
        return made

    def array(self, key: str) -> Expr | None:
        """An array of more than two axes, by its declaration or by its entries."""
        key = self.concrete(key)
        if key in self.arrays or key in self.building:
            return self.arrays.get(key)
        definition, shape = self.definition(key), self.shape(key)
        made: Expr | None = None
        if definition is not None and len(definition.indices) > 2:
            self.building.add(key)
            x = self.entries_of(definition)
            self.building.discard(key)
            if x is not None and not x.matrix and set(x.letters) <= set(definition.indices):
                dims = {
                    letter: d
                    for letter, d in zip(definition.indices, shape or (), strict=False)
                    if letter not in x.letters
                }
                if set(definition.indices) == set(x.letters) | set(dims):
                    made = named(key, contract([(x.data, x.letters, P1)], definition.indices, dims=dims))
        elif shape is not None and len(shape) > 2:
            made = symbol(key, shape, self.properties(key) & {"positive"})
        self.arrays[key] = made
        return made

    def stack(self, key: str, shape: tuple[Dim, ...]) -> Value | None:
        """Z as z for every sample, where z has a formula and Z is declared with a row for each sample."""
        small = key.lower()
        definition = self.definitions.get(small)
        if small == key or definition is None or len(shape) != 2 or not definition.indices:
            return None
        samples: dict[str, Value] = {}
        self.building.add(key)
        try:
            for declared in self.facts.shapes:
                if (
                    declared.isupper()
                    and len(declared) == 1
                    and declared != key
                    and declared.lower() not in (small, "w")
                ):
                    whole = self.value(declared)
                    if whole is not None and whole.matrix and whole.data.shape[0] == shape[0]:
                        rows = contract([(whole.data, (SAMPLE, ROW), P1)], (SAMPLE, ROW, COLUMN), dims={COLUMN: 1})
                        samples[declared.lower()] = Value(rows, (SAMPLE,), True)
            if not samples:
                return None
            self.stacked = samples
            found = self.entries_of(definition)
        finally:
            self.stacked = {}
            self.building.discard(key)
        if found is None or set(found.letters) != {SAMPLE, *definition.indices} or found.matrix:
            return None
        made = contract([(found.data, found.letters, P1)], (SAMPLE, *definition.indices))
        return Value(named(key, made), (), True) if made.shape == shape else None

    def entries_of(self, definition: Definition) -> Value | None:
        """What a definition gives for the letters on its left side."""
        from byhand.audit.pages.meaning import PageMeaning

        for side in definition.sides:
            try:
                return PageMeaning(self, side).value(side)
            except ByhandError as error:
                self.trouble.setdefault(definition.key, error.message)
        return None

    def definition(self, key: str) -> Definition | None:
        """The definition of a name, that of its layer included."""
        found = self.definitions.get(key)
        if found is not None:
            return found
        m = re.fullmatch(r"(.+?)\[(\d+)\](.*)", key)
        if m:
            found = self.definitions.get(f"{m[1]}[·]{m[3]}")
            if found is not None and found.first <= int(m[2]) and all(int(m[2]) <= n for n in self.last.values()):
                return found
        return None

    def defined(self, key: str, definition: Definition) -> Value | None:
        """What a definition gives, named."""
        from byhand.audit.pages.meaning import PageMeaning

        self.building.add(key)
        layers = self.layers
        if definition.layer:
            m = re.search(r"\[(\d+)\]", key)
            self.layers = {**layers, definition.layer: int(m[1])} if m else layers
        try:
            for side in definition.sides:
                for reading in readings([side], self.sizes):
                    try:
                        noted = self.noted(definition)
                        meaning = PageMeaning(self, side, reading=reading, wanted=noted)
                        for letter, dim in zip(definition.indices, noted or (), strict=False):
                            meaning.ranges.setdefault(letter, dim)
                        x = meaning.value(side)
                    except ByhandError as error:
                        self.trouble.setdefault(key, error.message)
                        continue
                    made = self.arrayed(x, definition.indices)
                    if made is not None:
                        return self.renamed(key, made)
            return None
        finally:
            self.building.discard(key)
            self.layers = layers

    def noted(self, definition: Definition) -> tuple[Dim, ...] | None:
        """The shape that stands beside a definition."""
        m = re.match(r"\(([^()]*)\)", definition.row.note)
        nodes = shape_written(m[1]) if m else None
        dims = None if nodes is None else [self.dimension(n) for n in nodes]
        return None if dims is None or any(d is None for d in dims) else tuple(d for d in dims if d is not None)

    def is_matrix(self, key: str) -> bool:
        """Whether a name is said to be a matrix, were it of one row or one column."""
        definition, declared = self.definition(key), self.facts.shapes.get(key)
        if declared is not None and declared.shape is not None:
            return len(declared.shape) == 2
        return definition is not None and len(self.noted(definition) or ()) == 2

    def absent(self, side: Node) -> str:
        """What a side says of a layer that the page does not have, z^{[3]} beside z^{[1]} and z^{[2]}; else ""."""
        for node in walk(side):
            key = key_of(node).split("^")[0] if isinstance(node, Script) else ""
            said = self.beyond(key)
            if said and self.value(key) is None and self.array(key) is None:
                return said
        return ""

    def beyond(self, key: str) -> str:
        """Whether the number of a name is none of those that its kind has on this page, in words."""
        m = re.fullmatch(r"(\w+?)(\[|_)(\d+)(\]?)", key)
        known = {*self.definitions, *self.facts.shapes}
        if m is None or key in known:
            return ""
        form = re.compile(rf"{re.escape(m[1] + m[2])}(\d+){re.escape(m[4])}")
        numbers = sorted(int(found[1]) for k in known if (found := form.fullmatch(k)))
        if len(numbers) < 2 or numbers != [*range(numbers[0], numbers[-1] + 1)]:
            return ""
        return f"there is no {key}: {m[1]} has the numbers {numbers[0]} to {numbers[-1]}"

    def arrayed(self, x: Value, indices: tuple[str, ...]) -> Value | None:
        """The array that entries by index define: z_j as a column, Z_ij as a matrix, u_i in rows."""
        if not indices:  # p = P_{i,:}ᵀ for any i: the first one; −log p_y: the label y
            if not x.matrix:
                self.labels |= {*x.letters}
            for _ in x.letters:
                x = Value(self.algebra.pick(x.data, 0, 0), x.letters[1:], x.matrix)
        if not x.letters and not indices:
            if x.matrix and set(x.data.shape) == {1}:
                return Value(contract([(x.data, (0, 1), P1)], ()))
            return x
        if set(x.letters) - set(indices):
            return None
        labels = x.labels
        out: tuple[Any, ...]
        if len(indices) == 1 and not x.matrix:
            out = (indices[0], COLUMN)
        elif len(indices) == 2 and not x.matrix:
            out = indices
        elif len(indices) == 1 and x.matrix and x.data.shape[-1] == 1:
            return Value(contract([(x.data, labels, P1)], (indices[0], ROW) if x.letters else (ROW,)), (), True)
        else:
            return None
        dims: dict[Any, Dim] = {COLUMN: 1} if COLUMN in out else {}
        out = tuple(label or f"·one {k}" for k, label in enumerate(out))
        dims |= {label: 1 for label in out if str(label).startswith("·one")}
        for letter in indices:
            if letter and letter not in x.letters:
                return None
        return Value(contract([(x.data, labels, P1)], out, dims=dims), (), True)

    def renamed(self, key: str, x: Value) -> Value:
        """The value under its name."""
        if isinstance(x.data, Symbol) and x.data not in self.numbers.marks:
            return x
        return x._replace(data=named(key, x.data))

    def shape(self, key: str) -> tuple[Dim, ...] | None:
        """The shape of an input: changed, declared or guessed."""
        if key in self.changed:
            return self.changed[key]
        declared = self.facts.shapes.get(key) or self.facts.shapes.get(re.sub(r"\[\d+\]", "[l]", key))
        layers = self.layers
        vector = self.facts.scalars.get(key)
        if declared is None and vector is not None and vector in self.facts.ranges:
            d = self.dimension(self.facts.ranges[vector])
            return None if d is None else (d,)
        if declared is None:
            m = re.fullmatch(r"(.+?)\[(\d+)\](.*)", key)
            if m:
                for letter in self.layer_letters | {"l", "ℓ", "t"}:
                    declared = self.facts.shapes.get(f"{m[1]}[{letter}]{m[3]}")
                    if declared is not None:
                        self.layers = {**layers, letter: int(m[2])}
                        break
            elif not re.search(r"[\[_]", key):
                for letter in "in":
                    declared = self.facts.shapes.get(f"{key}[{letter}]")  # x^{(i)} ∈ ℝ^d declares x too
                    if declared is not None:
                        break
        try:
            if declared is not None and declared.shape is not None:
                dims = [self.dimension(n) for n in declared.shape]
                if all(d is not None for d in dims):
                    return tuple(d for d in dims if d is not None)
        finally:
            self.layers = layers
        return self.guessed.get(key)

    @property
    def symmetric(self) -> bool:
        """Whether something is said to be symmetric."""
        return any(d.properties & {"symmetric", "spd"} for d in self.facts.shapes.values())

    def properties(self, key: str) -> set[str]:
        """Byhand's words for what is said of an input; what is said of x^{(i)} is said of x."""
        said = [self.facts.shapes[k] for k in (key, f"{key}[i]", f"{key}[n]") if k in self.facts.shapes]
        return {p for declared in said for p in declared.properties}

    def input(self, key: str, shape: tuple[Dim, ...]) -> Value:
        """A declared array."""
        said = self.properties(key)
        words = {p for p in said if p in ("positive", "symmetric", "01", "spd", "orthogonal")}
        shape = (*shape, 1) if len(shape) == 1 else shape
        if "symmetric" in words and (len(shape) != 2 or shape[0] != shape[1]):
            words.discard("symmetric")
        if shape == (1, 1):
            return Value(symbol(key, ()))
        if key == "1" and shape:
            return Value(contract([], (0, 1), dims=dict(enumerate(shape))), (), True)
        if key == "I" and len(shape) == 2 and shape[0] == shape[1]:
            return Value(self.algebra.eye(shape[0]), (), True)
        made = symbol(key, shape, words)
        if "labels" in said:
            self.numbers.kinds[made] = LABELS[0 if self.facts.zero else 1]
        if len(shape) == 2 and said & {"one_hot", "simplex"}:
            self.numbers.kinds[made] = "one_hot" if "one_hot" in said else "simplexrows"
        return Value(made, (), bool(shape))

    def loss(self, key: str) -> Value | None:
        """A loss that is given no formula: some smooth function of what nothing else is made of."""
        if not key or self.shape(key) is not None:
            return None
        if key in self._losses:
            return self._losses[key]
        self._losses[key] = None
        ends = self.ends()
        stacked = [
            x
            for e in ends
            for x in [self.value(e.data.name.upper())]
            if x is not None and x.matrix and isinstance(x.data, Named)
        ]
        if key.isupper() and len(stacked) == len(ends):
            ends = stacked  # 𝓛 of the batch, beside ℓ of a sample
        if not ends:
            return None
        terms = []
        for k, x in enumerate(ends):
            weight = symbol(f"weights {k} of {key}", x.data.shape)
            labels = range(x.data.ndim)
            terms.append(contract([(weight, labels, P1), (elementwise("sin", x.data), labels, P1)], ()))
            terms.append(scale(HALF, contract([(x.data, labels, P1 + P1)], ())))
        made = Value(named(key, add(*terms)))
        self._losses[key] = made
        self.known_losses.add(made.data)
        return made

    def ends(self) -> list[Value]:
        """The defined arrays that no other definition uses."""
        made = {}
        for key, d in self.definitions.items():
            if not d.arguments and not d.row.inline:
                last = self.last.get(d.depth, 3)
                x = self.value(key.replace("[·]", f"[{last}]") if d.layer else key)
                if x is not None and not x.letters and isinstance(x.data, Named) and not self.inputs_are_marks(x.data):
                    made[key] = x
        used = {n for x in made.values() for n in topological([x.data.body])}
        return [x for x in made.values() if x.data not in used and x.matrix]

    def inputs_are_marks(self, node: Expr) -> bool:
        """Whether a node is made of derivatives: δ = ∂L/∂z."""
        return any(n in self.numbers.marks for n in topological([node]) if isinstance(n, Symbol))

    def function(self, key: str) -> str | None:
        """The function of the table that a letter stands for."""
        if key in self.facts.functions:
            return self.facts.functions[key] or (key if key in ("tanh", "sigmoid", "relu") else GENERIC)
        if key in ("σ", "φ", "f", "g", "h") and self.shape(key) is None and key not in self.definitions:
            return GENERIC if key in self.facts.functions else {"σ": "sigmoid", "φ": GENERIC, "g": GENERIC}.get(key)
        return None

    def inputs_below(self, node: Expr) -> list[Symbol]:
        """The inputs that a node is made of."""
        from byhand.expr.nodes import symbols_of

        return [s for s in symbols_of(node) if s not in self.numbers.marks]


def _names(node: Node) -> list[Node]:
    from byhand.reading.tree import Name

    match node:
        case Name():
            return [node]
        case Script(base, _, None, 0) if isinstance(base, Name):
            return [node]
        case Sum(terms):
            return [n for _, t in terms for n in _names(t)]
        case Product(factors):
            return [n for _, f in factors for n in _names(f)]
        case Bracket(inner):
            return _names(inner)
    return []

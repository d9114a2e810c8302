"""What a formula of a page means: the names of the page, derivatives with their true values, and the readings of what is open."""

from __future__ import annotations

from fractions import Fraction as Rational
from typing import TYPE_CHECKING, Any

from byhand.audit.pages.definitions import letters_of
from byhand.audit.pages.derivatives import Derivatives, depends
from byhand.audit.pages.readings import Reading
from byhand.expr.contraction import P1, contract
from byhand.expr.dims import Dim
from byhand.expr.nodes import Expr
from byhand.reading.keys import flat, key_of
from byhand.reading.scope import Scope
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import (
    Brace,
    Bracket,
    Dots,
    Fraction,
    Matrix,
    Name,
    Node,
    Number,
    Partial,
    Product,
    Relation,
    Script,
    walk,
)
from byhand.reading.values import COLUMN, ROW, MismatchError, Value
from byhand.rules.differentials import slope

if TYPE_CHECKING:
    from byhand.audit.pages.page import Page

Array = Any


class PageMeaning(Derivatives):
    """Gives the formulas of a page their values, as expressions.

    Args:
        page: its names.
        row: the whole formula: the letters in it, and whose differentials occur.
        reading: what is chosen where it is open.
        wanted: the shape that the other side has, for what has none of its own.
    """

    def __init__(
        self, page: Page, *row: Node, reading: Reading | None = None, wanted: tuple[Dim, ...] | None = None
    ) -> None:
        self.wanted = wanted
        super().__init__(page, _Names(self, page), row, reading or Reading())
        self.one = 0 if page.facts.zero else 1
        self._collect(row)

    # ---- names

    def of_key(self, key: str) -> Value | None:
        found = self.page.value(key)
        if found is None and key == "1" and not self.page.dim(key) and self.reading.ones is not None:
            return self.do.ones(self.reading.ones, 1)
        return found

    def name(self, node: Name) -> Value:
        if node.text == "1" and node.font in ("bold", "double"):
            found = self.of_key(node.text)
            if found is not None:
                return found
            raise UnreadableError("the size of 𝟏 is not known", node.start)
        return super().name(node)

    def called_by(self, key: str, arguments: list[Node]) -> Value | None:
        """L(w) is L, where w is what L depends on; at another argument it is not a value of the page."""
        definition = self.page.definition(self.page.concrete(key))
        if definition is None or not all(key_of(a) for a in arguments):
            return None
        if definition.arguments and [key_of(a) for a in arguments] == [*definition.arguments]:
            return self.page.value(key)
        whole = self.page.value(key)
        if whole is None:
            return None
        inner = [self.page.value(key_of(a)) for a in arguments]
        return whole if all(x is not None and depends(whole.data, x.data) for x in inner) else None

    def axes_of_softmax(self, x: Value) -> str:
        if not x.matrix:
            raise MismatchError("softmax of one number")
        if 1 in self.do.sides(x):
            return "all"
        return "columns" if self.page.facts.columns else "rows"

    # ---- letters

    def _collect(self, nodes: tuple[Node, ...]) -> None:
        """Over what the letters of a row run: the axes at which they stand."""
        for node in (n for whole in nodes for n in walk(whole)):
            if not isinstance(node, Script) or node.sub is None:
                continue
            letters = letters_of(node.sub)
            if not letters:
                continue
            base = key_of(Script(node.base, None, node.sup, node.primes))
            if not base or self.page.value(key_of(node)) is not None:
                continue
            found, stack = self.page.value(base), self.page.array(base)
            if found is None and stack is None and base[0] == "d" and len(base) > 1:
                found, stack = self.page.value(base[1:]), self.page.array(base[1:])
            if found is not None and found.matrix:
                shape = found.data.shape[len(found.letters) :]
            elif found is None and stack is not None:
                shape = stack.shape
            else:
                shape = ()
            if shape:
                axes = [d for d in shape if d != 1]
                for letter, d in zip(letters, axes, strict=False):
                    self.ranges.setdefault(letter, d)

    def letter(self, index: Node) -> tuple[str | None, int | None]:
        """An index; the label of the right class (ŷ_ℓ) is the first one."""
        letter, fixed = super().letter(index)
        return (None, self.one) if letter in self.page.labels else (letter, fixed)

    def bracket(self, items: tuple[Node, ...]) -> Value | None:
        """[1, …, 1]: a row of ones."""
        ends = [items[0], items[-1]]
        if any(isinstance(i, Dots) for i in items) and all(isinstance(e, Number) and e.value == 1 for e in ends):
            if self.reading.ones is None:
                raise UnreadableError("how many ones these are is not known", items[0].start)
            return self.do.ones(1, self.reading.ones)
        return None

    def script(self, node: Script) -> Value:
        family = self._family(node)
        return family if family is not None else super().script(node)

    def _family(self, node: Script) -> Value | None:
        """x_i, declared as a vector beside the matrix X: row i (or column i) of it, as a column."""
        base, sub = node.base, node.sub
        if not isinstance(base, Name) or sub is None or not letters_of(sub) or self.page.value(base.text) is not None:
            return None
        letters = letters_of(sub)
        whole = self.page.value(base.text.upper()) if base.text.islower() else None
        if whole is None or not whole.matrix or whole.letters:
            return None
        declared = self.page.facts.families.get(base.text)
        dim = self.page.dimension(declared[1]) if declared is not None else whole.data.shape[1]
        rows, columns = whole.data.shape
        if len(letters) == 2:
            turned = isinstance(node.sup, Name) and node.sup.text in ("T", "⊤")
            return self.entries(self.do.transpose(whole) if turned else whole, sub)
        if len(letters) != 1:
            return None
        labels = (letters[0], ROW) if columns == dim else (ROW, letters[0]) if rows == dim else None
        if labels is None:
            return None
        x = Value(
            contract([(whole.data, labels, P1)], (letters[0], ROW, COLUMN), dims={COLUMN: 1}), (letters[0],), True
        )
        return self.raised(x, node.sup, node)

    def _value(self, node: Node) -> Value:
        match node:
            case Brace(Fraction(Partial(over), Partial(under)), note) if flat(note) == "direct" and over and under:
                return self.derivative_of(over, under, 1, direct=True)
            case Product(((_, Name("vec", "function")), (_, Bracket(inner)))) if not self.page.facts.vec_rows:
                x = self.value(inner)
                return self.do.stacked(self.do.transpose(x) if x.matrix and 1 not in self.do.sides(x) else x)
        return super()._value(node)

    def one_hot(self, items: list[Node], at: Node) -> Value:
        """onehot(t): as many classes as the array has columns that it is set equal to."""
        classes = self.wanted[-1] if len(items) == 1 and self.wanted and len(self.wanted) == 2 else None
        if classes is None:
            return super().one_hot(items, at)
        return self.hot(self.value(items[0]), classes, at)

    # ---- what is open

    def outer(self, a: Value, b: Value) -> Value:
        if self.reading.kron:
            self.reading.notes["⊗ read as the Kronecker product"] = None
            return self.do.kron(a, b)
        if not (a.matrix and b.matrix) or self.do.sides(a)[1] != 1 or self.do.sides(b)[1] != 1:
            raise MismatchError(f"an outer product of {self.do.shown(a)} and {self.do.shown(b)}: both are columns")
        self.reading.notes["⊗ read as the outer product a bᵀ"] = None
        return self.do.multiply(a, self.do.transpose(b))

    def slope(self, word: str, x: Value) -> Value:
        """f'(x) by the row of the table."""
        value = self.algebra.function(word, x.data)
        made = slope(word, x.data, value)
        assert isinstance(made, Expr)
        return x._replace(data=made)

    def matrix(self, node: Matrix, rows: tuple[tuple[Node, ...], ...]) -> Value:
        """Entries written out: all of them as an array of that size; with dots they are not read."""
        if any(isinstance(e, Dots) for row in rows for e in row):
            raise UnreadableError("a matrix with dots is not read", node.start)
        total: Value | None = None
        for i, row in enumerate(rows):
            for j, entry in enumerate(row):
                x = self.value(entry)
                if x.matrix and not self.do.is_number(x):
                    raise UnreadableError("a matrix of blocks is not read", node.start)
                unit = self.do.multiply(self._unit(len(rows), i, True), self._unit(len(row), j, False))
                placed = self.do.scaled(self.do.scalar(x), unit)
                total = placed if total is None else self.do.add([(1, total), (1, placed)])
        assert total is not None
        return total

    def _unit(self, n: int, k: int, column: bool) -> Value:
        eye = self.do.eye(n)
        picked = self.algebra.pick(eye.data, 1, k)
        labels = (ROW, COLUMN)
        return Value(
            contract([(picked, (ROW if column else COLUMN,), P1)], labels, dims={COLUMN if column else ROW: 1}),
            (),
            True,
        )

    def indicator(self, condition: Relation) -> Value:
        """i = j as the Kronecker delta; else a comparison."""
        if len(condition.signs) == 1 and condition.signs[0] in ("=", "≠"):
            sides = [s for s in condition.sides if s is not None]
            letters = [s.text for s in sides if isinstance(s, Name) and s.text in self.ranges]
            if len(letters) == 2:
                same = Value(self.algebra.eye(self.ranges[letters[0]]), (letters[0], letters[1]))
                if condition.signs[0] == "=":
                    return same
                return self.do.add([(1, Value(self.algebra.number(Rational(1)))), (-1, same)])
        return super().indicator(condition)


class _Names(Scope):
    """The scope of a formula of a page."""

    def __init__(self, meaning: PageMeaning, page: Page) -> None:
        self.meaning, self.page = meaning, page

    def value(self, key: str) -> Value | None:
        return self.meaning.of_key(key)

    def array(self, key: str) -> tuple[Expr, int] | None:
        found = self.page.array(key) if key else None
        return None if found is None else (found, found.ndim)

    def dim(self, key: str) -> Dim | None:
        return self.page.dim(key)

    def function(self, key: str) -> str | None:
        return self.page.function(key)

    def call(self, key: str, arguments: list[Node]) -> Value | None:
        return self.meaning.called_by(key, arguments)

    def derivative(self, over: Node, under: Node, order: int) -> Value | None:
        return self.meaning.derivative_of(over, under, order)

    def differential(self, inner: Node) -> Value | None:
        return self.meaning.differential_of(inner)

    def softmax_axes(self, x: Value) -> str:
        return self.meaning.axes_of_softmax(x)

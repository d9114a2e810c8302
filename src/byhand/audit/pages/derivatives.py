"""Derivatives and differentials in the formulas of a page: symbols with their true values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.audit.pages.definitions import letters_of
from byhand.audit.pages.readings import Reading
from byhand.expr.contraction import P1, contract
from byhand.expr.dims import Dim, multiply_dims
from byhand.expr.indexmaps import is_map
from byhand.expr.nodes import Contraction, Expr, Named, Symbol
from byhand.reading.keys import flat, key_of
from byhand.reading.meaning import Meaning
from byhand.reading.scope import Scope
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import (
    Bracket,
    Name,
    Node,
    Number,
    Partial,
    Product,
    Script,
    Tuple,
    walk,
)
from byhand.reading.values import COLUMN, ROW, MismatchError, Value

if TYPE_CHECKING:
    from byhand.audit.pages.page import Page

Array = Any


class Derivatives(Meaning):
    """The part of a page's reader that knows derivatives.

    Args:
        page: its names.
        scope: the same names, as a reader asks for them.
        row: the whole formula: whose differentials occur.
        reading: what is chosen where it is open.
    """

    def __init__(self, page: Page, scope: Scope, row: tuple[Node, ...], reading: Reading) -> None:
        super().__init__(page.algebra, scope)
        self.page, self.reading, self.row = page, reading, row

    # ---- derivatives

    def derivative_of(self, over: Node, under: Node, order: int, direct: bool = False) -> Value:
        """∂y/∂x as a symbol with its true value; `direct`: along the paths that lead through no defined name."""
        if isinstance(under, Product) and order == 2:
            return self._second(over, under)
        if isinstance(under, Product) and self._unstacked(under) is None:
            raise UnreadableError(
                f"a derivative of order {order} with respect to {len(under.factors)} things", over.start
            )
        if order == 2:
            raise UnreadableError("a second derivative with respect to one thing", over.start)
        fixed: list[tuple[str, int]] = []
        over, under = self._lettered(over, fixed), self._lettered(under, fixed)
        if fixed:
            made = self.derivative_of(over, under, order, direct)
            for letter, place in fixed:
                k = made.letters.index(letter)
                kept = (*made.letters[:k], *made.letters[k + 1 :])
                made = Value(self.algebra.pick(made.data, k, place), kept, made.matrix)
            return made
        over_, under_ = self._unstacked(over), self._unstacked(under)
        if over_ is not None or under_ is not None:
            return self._stacked(over_ or over, under_ or under, direct)
        y, y_indices = self.target(over)
        x, x_indices = self.target(under)
        if y is None:
            y, y_indices = self._loss(over, x), ()
        if x is None or y is None:
            missing = under if x is None else over
            raise UnreadableError(f"{flat(missing)} is not known here", missing.start)
        if not isinstance(x.data, Symbol | Named):
            raise UnreadableError(f"{flat(under)} is no variable", under.start)
        viewed = self._viewed(x.data)
        if viewed is not None:
            return self._of_view(y, y_indices, x, viewed, over, under)
        return self._jacobian(y, y_indices, x, x_indices, over, under, direct)

    def _lettered(self, node: Node, fixed: list[tuple[str, int]]) -> Node:
        """A name with letters for the numbers among its indices: ∂L/∂W_{i,0} is an entry of ∂L/∂W_ij."""
        if not isinstance(node, Script) or node.sub is None or self.page.value(key_of(node)) is not None:
            return node
        items = node.sub.items if isinstance(node.sub, Tuple) else (node.sub,)
        base = key_of(Script(node.base, None, node.sup, node.primes))
        whole = self.page.value(base)
        if not any(isinstance(i, Number) for i in items) or whole is None:
            return node
        if not whole.matrix and all(isinstance(i, Number) and i.value == self.one for i in items):
            return Script(node.base, None, node.sup, node.primes, start=node.start, end=node.end)
        used = {n.text for whole in (*self.row, node) for n in walk(whole) if isinstance(n, Name)} | {
            x for x, _ in fixed
        }
        made: list[Node] = []
        for item in items:
            if isinstance(item, Number):
                letter = next(c for c in "abcdefghijklmnopqrstuvwxyz" if c not in used)
                used.add(letter)
                fixed.append((letter, self.within(int(item.value) - self.one, None, item)))
                item = Name(letter, start=item.start, end=item.end)
            made.append(item)
        sub = made[0] if len(made) == 1 else Tuple(tuple(made), start=node.sub.start, end=node.sub.end)
        return Script(node.base, sub, node.sup, node.primes, start=node.start, end=node.end)

    @staticmethod
    def _unstacked(node: Node) -> Node | None:
        """What stands in vec( )."""
        match node:
            case Product(((_, Name("vec", "function")), (_, Bracket(inner)))):
                return inner
        return None

    def _stacked(self, over: Node, under: Node, direct: bool) -> Value:
        """∂vec(Z)/∂vec(W): a row for each entry of Z, a column for each of W; rows stacked, or columns."""
        page, (x, _) = self.page, self.target(under)
        y, _ = self.target(over)
        y = y if y is not None else self._loss(over, x)
        if x is None or y is None or not isinstance(x.data, Symbol | Named):
            raise UnreadableError(f"{flat(under if x is None else over)} is not known here", over.start)
        one: Dim = 1
        rows, columns = (reduce(multiply_dims, v.data.shape, one) for v in (y, x))
        order, turned = "C" if page.facts.vec_rows else "F", rows == 1 and not page.facts.jacobian

        def truth(seed: int) -> Array:
            full = page.numbers.jacobian(y.data, x.data, seed, direct)
            above, below = full.shape[: y.data.ndim], full.shape[y.data.ndim :]
            n, m = int(np.prod(above, dtype=int)), int(np.prod(below, dtype=int))
            made = full.reshape((n, *below))
            if order == "F" and y.data.ndim == 2:
                made = np.swapaxes(full, 0, 1).reshape((n, *below))
            if order == "F" and x.data.ndim == 2:
                made = np.swapaxes(made, 1, 2)
            made = made.reshape(n, m)
            return made.T if turned else made

        dims = (columns, rows) if turned else (rows, columns)
        name = f"∂vec {flat(over)}/∂vec {flat(under)} {direct} {y.data.digest.hex()[:8]} {x.data.digest.hex()[:8]}"
        return Value(page.numbers.mark(name, dims, truth), (), True)

    def _viewed(self, x: Expr) -> Expr | None:
        """The variable of which a name is a row or a column: s = S_{i,:}ᵀ."""
        body = x.body if isinstance(x, Named) else x
        below = body
        while (
            isinstance(below, Contraction)
            and sum(isinstance(f, Symbol | Named | Contraction) for f, _, _ in below.factors) == 1
        ):
            others = [f for f, _, _ in below.factors if not isinstance(f, Symbol | Named | Contraction)]
            if not all(map(is_map, others)) or not (others or below is not body):
                return None
            below = next(f for f, _, _ in below.factors if isinstance(f, Symbol | Named | Contraction))
        return below if below is not body and isinstance(below, Symbol | Named) else None

    def _of_view(self, y: Value, letters: tuple[str, ...], x: Value, whole: Expr, over: Node, under: Node) -> Value:
        """∂y/∂s where s is a part of a variable: those entries of the derivative."""
        page = self.page
        if y.data not in page.known_losses and not depends(y.data, whole):
            raise UnreadableError(f"{flat(over)} does not depend on {flat(under)}", over.start)

        def truth(seed: int) -> Array:
            full = page.numbers.jacobian(y.data, whole, seed)
            picked = page.numbers.jacobian(x.data, whole, seed)
            axes = tuple(range(-whole.ndim, 0))
            made = np.tensordot(full, picked, (axes, axes))
            return made.reshape([n for n, d in zip(made.shape, (*y.data.shape, *x.data.shape), strict=True) if d != 1])

        dims = tuple(d for d in (*y.data.shape, *x.data.shape) if d != 1)
        if letters or len(dims) > 2:
            raise UnreadableError("a derivative by a part of a variable with indices", over.start)
        mark = page.numbers.mark(
            f"∂{flat(over)}/∂{flat(under)} {y.data.digest.hex()[:8]} {x.data.digest.hex()[:8]}", dims, truth
        )
        labels = (ROW, COLUMN)[: len(dims)]
        return Value(
            contract([(mark, labels, P1)], (ROW, COLUMN), dims={} if len(dims) == 2 else {COLUMN: 1}), (), True
        )

    def target(self, node: Node) -> tuple[Value | None, tuple[str, ...]]:
        """An array and the letters of its entries."""
        if isinstance(node, Bracket):
            return self.target(node.inner)
        if (
            isinstance(node, Product)
            and len(node.factors) == 2
            and isinstance(node.factors[1][1], Bracket)
            and key_of(node.factors[0][1])
        ):
            called = self.called(node.factors[0][1], node.factors[1][1])
            if called is not None and not called.letters:
                return called, ()
        key = key_of(node)
        if key:
            found = self.page.value(key)
            if found is not None:
                return found, ()
        if isinstance(node, Script) and node.sub is not None:
            letters = letters_of(node.sub)
            inner = node.base.inner if isinstance(node.base, Bracket) else node.base
            base = Script(inner, None, node.sup, node.primes) if node.sup is not None or node.primes else inner
            found, stack = self.page.value(key_of(base)), self.page.array(key_of(base))
            if found is None and stack is not None:
                found = Value(stack, (), True)
            if found is not None and letters:
                return found, letters
            if isinstance(node.base, Name) and node.base.text in self.page.facts.families and letters:
                whole = self.page.value(node.base.text.upper())
                if whole is not None:
                    return whole, letters
        if isinstance(node, Name | Script):
            return None, ()
        try:
            made = self.value(node)
        except UnreadableError:
            return None, ()
        if made.letters:
            return self._whole(made), made.letters
        return made, ()

    def _whole(self, x: Value) -> Value:
        """Entries with letters as an array without."""
        dims = {COLUMN: 1} if len(x.letters) == 1 and not x.matrix else {}
        out = (*x.labels, COLUMN) if dims else x.labels
        return Value(contract([(x.data, x.labels, P1)], out, dims=dims), (), True)

    def _loss(self, over: Node, x: Value | None) -> Value | None:
        """A loss of which nothing is said but that it depends on what is derived with respect to."""
        key = key_of(over)
        if not key or (self.page.definition(self.page.concrete(key)) is not None and self.page.value(key) is not None):
            return None
        return self.page.loss(key)

    def _jacobian(
        self,
        y: Value,
        y_letters: tuple[str, ...],
        x: Value,
        x_letters: tuple[str, ...],
        over: Node,
        under: Node,
        direct: bool = False,
    ) -> Value:
        """The derivative with the axes that are not indexed as a matrix."""
        page = self.page
        if y.data not in page.known_losses and not depends(y.data, x.data):
            implicit = page.loss(key_of(over)) if key_of(over) and not y.matrix else None
            if implicit is None or not depends(implicit.data, x.data):
                raise UnreadableError(f"how {flat(over)} depends on {flat(under)} is not said", over.start)
            y = implicit
        y_axes = [
            k for k, d in enumerate(y.data.shape) if d != 1 or (y_letters and len(y_letters) == len(y.data.shape))
        ]
        x_axes = [
            k for k, d in enumerate(x.data.shape) if d != 1 or (x_letters and len(x_letters) == len(x.data.shape))
        ]
        y_letters, y_rest = self._axes(y_letters, y_axes, over)
        x_letters, x_rest = self._axes(x_letters, x_axes, under)
        dims = [y.data.shape[k] for k in y_axes] + [x.data.shape[k] for k in x_axes]
        said = x.data.assumptions if isinstance(x.data, Symbol) else frozenset()
        mean = self.reading.symmetric == "mean"
        if mean and said & {"symmetric", "spd"}:
            self.reading.notes[f"the gradient of a symmetric {flat(under)} is read as the symmetric one"] = None
        how = f"{'mean ' * mean}{'direct ' * direct}"
        name = f"∂{flat(over)}/∂{flat(under)} {how}{y.data.digest.hex()[:8]} {x.data.digest.hex()[:8]}"
        if (
            (
                not y_letters
                and not x_letters
                and y.data.shape
                and x.data.shape
                and y_rest
                and x_rest
                and self.elementwise(y, x)
            )
            and self.reading.diagonal
            and y.data.shape == x.data.shape
        ):
            mark = page.numbers.mark(
                f"{name} diagonal", y.data.shape, lambda seed: _diagonal(page, y.data, x.data, seed)
            )
            return Value(mark, (), True)
        rest = len(y_rest) + len(x_rest)
        if rest > 2:
            raise MismatchError(f"the derivative of {flat(over)} with respect to {flat(under)} has {rest} axes", under)

        def truth(seed: int) -> Array:
            full = page.numbers.jacobian(y.data, x.data, seed, direct)
            if said & {"symmetric", "spd"} and (page.facts.free or mean):
                below = np.swapaxes(full, -1, -2)
                full = full + below - np.eye(full.shape[-1]) * full if page.facts.free else (full + below) / 2
            return full.reshape(
                [n for n in (*[full.shape[k] for k in y_axes], *[full.shape[y.data.ndim + k] for k in x_axes])]
            )

        mark = page.numbers.mark(name, tuple(dims), truth)
        labels: list[Any] = [None] * len(dims)
        for letter, k in zip(
            (*y_letters, *x_letters),
            (*self._places(y_axes, y_rest, 0), *self._places(x_axes, x_rest, len(y_axes))),
            strict=True,
        ):
            labels[k] = letter
        free = [k for k, label in enumerate(labels) if label is None]
        letters = tuple(dict.fromkeys(label for label in labels if label is not None))
        if not free:
            return Value(contract([(mark, labels, P1)], letters), letters)
        gradient_row = (
            page.facts.jacobian and not y_rest and len(x_rest) == 1 and not page.is_matrix(page.concrete(key_of(under)))
        )
        row_first = not gradient_row and (
            len(free) == 2 or not (x.data.ndim == 2 and x.data.shape[0] == 1 and not y_rest)
        )
        for k, label in zip(free, (ROW, COLUMN) if row_first else (COLUMN, ROW), strict=False):
            labels[k] = label
        extra = {label: 1 for label in (ROW, COLUMN) if label not in labels}
        return Value(contract([(mark, labels, P1)], (*letters, ROW, COLUMN), dims=extra), letters, True)

    @staticmethod
    def _places(axes: list[int], rest: list[int], offset: int) -> list[int]:
        return [offset + j for j, k in enumerate(axes) if k not in rest]

    def _axes(self, letters: tuple[str, ...], axes: list[int], node: Node) -> tuple[tuple[str, ...], list[int]]:
        """Which axes the letters stand at, and which are left: of one letter at two axes, the second is left (row i)."""
        if len(letters) > len(axes):
            raise MismatchError(f"{len(letters)} indices of {flat(node)}, which has {len(axes)} axes", node)
        return letters, axes[len(letters) :]

    def elementwise(self, y: Value, x: Value) -> bool:
        """Whether y is a function of x entry by entry."""
        if y.data.shape != x.data.shape:
            return False
        full = self.page.numbers.jacobian(y.data, x.data, 0)
        n = int(np.prod(np.shape(full)[: y.data.ndim]))
        flat_ = full.reshape(n, n)
        return bool(np.allclose(flat_, np.diag(np.diag(flat_))))

    def _second(self, over: Node, under: Product) -> Value:
        """∂²L/∂z_j ∂z_k, ∂²L/∂u ∂uᵀ."""
        parts = [f.inner for _, f in under.factors if isinstance(f, Partial) and f.inner is not None]
        if len(parts) != 2:
            raise UnreadableError("a derivative of an order above two", under.start)
        bare = []
        for p in parts:
            if isinstance(p, Script) and isinstance(p.sup, Name) and p.sup.text in ("T", "⊤"):
                p = Script(p.base, p.sub, None, p.primes, start=p.start, end=p.end) if p.sub is not None else p.base
            bare.append(p)
        y, _ = self.target(over)
        (x, i), (z, j) = self.target(bare[0]), self.target(bare[1])
        if y is None or x is None or z is None or y.matrix:
            raise UnreadableError(f"{flat(over)} is not known here", over.start)
        return self.hessian(y, x, i, z, j, over)

    def hessian(self, y: Value, x: Value, i: tuple[str, ...], z: Value, j: tuple[str, ...], over: Node) -> Value:
        """The second derivative, entries by letter or as a matrix."""
        if y.matrix or y.letters:
            raise UnreadableError(f"a second derivative of {flat(over)}, which is no number", over.start)
        page = self.page
        x_axes = [k for k, d in enumerate(x.data.shape) if d != 1]
        z_axes = [k for k, d in enumerate(z.data.shape) if d != 1]
        dims = [x.data.shape[k] for k in x_axes] + [z.data.shape[k] for k in z_axes]

        def truth(seed: int) -> Array:
            full = page.numbers.jacobian(page.numbers.gradient_node(y.data, x.data), z.data, seed)
            return full.reshape([*[full.shape[k] for k in x_axes], *[full.shape[x.data.ndim + k] for k in z_axes]])

        mark = page.numbers.mark(
            f"∂²{flat(over)} {y.data.digest.hex()[:8]} {x.data.digest.hex()[:8]} {z.data.digest.hex()[:8]}",
            tuple(dims),
            truth,
        )
        (i, i_rest), (j, j_rest) = self._axes(i, x_axes, over), self._axes(j, z_axes, over)
        labels: list[Any] = [*i, *[None] * len(i_rest), *j, *[None] * len(j_rest)]
        free = [k for k, label in enumerate(labels) if label is None]
        if len(free) not in (0, 2):
            raise MismatchError(f"a second derivative with {len(free)} axes", over)
        for k, label in zip(free, (ROW, COLUMN), strict=False):
            labels[k] = label
        letters = tuple(dict.fromkeys(label for label in labels if label not in (ROW, COLUMN)))
        out = (*letters, ROW, COLUMN) if free else letters
        return Value(contract([(mark, labels, P1)], out), letters, bool(free))

    # ---- ∇ and differentials

    def nabla(self, node: Node, inner: Node, under: Node | None, order: int) -> Value:
        """∇L(w), ∇_w L, ∇² L."""
        name, arguments = inner, ()  # type: Node, tuple[Node, ...]
        if isinstance(inner, Product) and isinstance(inner.factors[-1][1], Bracket):
            name, bracket = inner.factors[0][1], inner.factors[-1][1]
            assert isinstance(bracket, Bracket)
            arguments = bracket.inner.items if isinstance(bracket.inner, Tuple) else (bracket.inner,)
        definition = self.page.definition(self.page.concrete(key_of(name)))
        if under is None and len(arguments) == 1:
            under = arguments[0]
        if under is None and definition is not None and len(definition.arguments) == 1:
            variable = self.page.value(definition.arguments[0])
        else:
            variable = self.target(under)[0] if under is not None else None
        y, _ = self.target(name)
        if y is None or variable is None:
            raise UnreadableError("∇ of what, with respect to what?", node.start)
        if order == 2:
            return self.hessian(y, variable, (), variable, (), name)
        return self._jacobian(y, (), variable, (), name, under or name)

    def differential_of(self, inner: Node) -> Value:
        """d of something along random differentials of the inputs that move."""
        x = self.value(inner)
        moving = self.moving()
        numbers = self.page.numbers
        return x._replace(
            data=numbers.mark(
                f"d {x.data.digest.hex()} {self.reading.moving} {sorted(s.name for s in moving)}",
                x.data.shape,
                lambda seed: numbers.tangent(x.data, moving, seed),
            )
        )

    def moving(self) -> frozenset[Symbol]:
        """The inputs whose differentials are not zero in this row: those that its right sides speak of."""
        if self.reading.moving == "stated":
            stated = [self.page.value(key) for key in self.page.facts.moving]
            stacks = [self.page.array(key) for key in self.page.facts.moving]
            nodes = [*(x.data for x in stated if x is not None), *(a for a in stacks if a is not None)]
            return frozenset(n for n in nodes if isinstance(n, Symbol))
        named: set[Symbol] = set()
        below: set[Symbol] = set()
        for whole in (*self.row[1:], *self.row[:1]):
            if whole is self.row[0] and (named or below):
                break
            for inner in self._differentiated(whole):
                self._moved(inner, named, below)
        if self.reading.moving == "all":
            return frozenset(named | below)
        return frozenset(named or below)

    def mixed(self, side: Node) -> bool:
        """Whether differentials of inputs and of defined names stand together in a side."""
        kinds = set()
        for inner in self._differentiated(side):
            named: set[Symbol] = set()
            below: set[Symbol] = set()
            self._moved(inner, named, below)
            kinds |= ({"input"} if named else set()) | ({"defined"} if below else set())
        return len(kinds) > 1

    def _differentiated(self, whole: Node) -> Iterator[Node]:
        """What stands behind a d."""
        for node in walk(whole):
            if isinstance(node, Partial) and node.inner is not None:
                yield node.inner
            if (
                isinstance(node, Name)
                and len(node.text) > 1
                and node.text[0] == "d"
                and self.page.value(node.text) is None
            ):
                yield Name(node.text[1:])
            if isinstance(node, Product):
                for (_, a), (_, b) in zip(node.factors[:-1], node.factors[1:], strict=True):
                    if isinstance(a, Name) and a.text == "d" and self.page.value("d") is None:
                        yield b

    def _moved(self, inner: Node, named: set[Symbol], below: set[Symbol]) -> None:
        try:
            x = self.value(inner)
        except (UnreadableError, MismatchError):
            return
        if isinstance(x.data, Symbol) and x.data not in self.page.numbers.marks:
            named.add(x.data)
        elif isinstance(inner, Name | Script):
            below |= {*self.page.inputs_below(x.data)}
        else:
            for n in walk(inner):
                if isinstance(n, Name | Script) and key_of(n):
                    found = self.page.value(key_of(n))
                    if found is not None and isinstance(found.data, Symbol):
                        below.add(found.data)


def _diagonal(page: Page, y: Expr, x: Expr, seed: int) -> Array:
    full = page.numbers.jacobian(y, x, seed)
    shape = np.shape(full)[: y.ndim]
    n = int(np.prod(shape))
    return np.diag(full.reshape(n, n)).reshape(shape)


def depends(y: Expr, x: Expr) -> bool:
    """Whether a node is made of another."""
    from byhand.expr.nodes import topological

    return x in topological([y])

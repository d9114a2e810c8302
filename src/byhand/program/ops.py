"""The operations of an array program: a closed union over arrays of any rank, with symbolic sizes and a type in each node.

Operands carry labels: which axis of the result each of their axes is. So there are no operations that transpose, expand
or squeeze, and no pass that moves them about; whoever prints or runs a node reads a transpose off the labels. Shapes come
from the expression and are not derived again. Nodes are interned by a `Pool`: what is computed twice is one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal, TypeVar, assert_never

from byhand.expr.contraction import contract
from byhand.expr.dims import ONE, Coefficient, Dim, Shape
from byhand.expr.nodes import Expr

Axes = tuple[int, ...]
Type = Literal["real", "int", "bool"]
P1 = Fraction(1)


@dataclass(frozen=True, eq=False, slots=True)
class Base:
    """What all operations have: the shape and the type of the result."""

    shape: Shape
    type: Type


@dataclass(frozen=True, eq=False, slots=True)
class Input(Base):
    """An argument."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Number(Base):
    """A named real number such as pi. Numbers without a name are coefficients."""

    name: str
    value: float


@dataclass(frozen=True, eq=False, slots=True)
class Map(Base):
    """function(args), entry by entry: a row of the table of functions, "where", "power", or "real", which converts.

    The arguments have the shape of the result.
    """

    function: str
    args: tuple[Op, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Add(Base):
    """Σ coefficient × term[axes]; along axes of the result that a term has not it is broadcast."""

    terms: tuple[tuple[Coefficient, Op, Axes], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Mul(Base):
    """coefficient × ∏ factor[axes]^power: products entry by entry, and every view, broadcast and constant array."""

    coefficient: Coefficient
    factors: tuple[tuple[Op, Axes, Fraction], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Contract(Base):
    """The sum over the labels not in `out` of one operand, or of the product of two. `sizes` are those of the labels."""

    operands: tuple[tuple[Op, Axes], ...]
    out: Axes
    sizes: Shape


@dataclass(frozen=True, eq=False, slots=True)
class Slice(Base):
    """The entries from `first` on along one axis, as many as the result has."""

    arg: Op
    axis: int
    first: Dim


@dataclass(frozen=True, eq=False, slots=True)
class Pad(Base):
    """The argument from `first` on along one axis, zeros around: the transpose of Slice."""

    arg: Op
    axis: int
    first: Dim


@dataclass(frozen=True, eq=False, slots=True)
class Take(Base):
    """arg[..., index, ...] along an axis; with `rows` above 0 one entry for each place in the first axes."""

    arg: Op
    index: Op
    axis: int
    rows: int


@dataclass(frozen=True, eq=False, slots=True)
class Scatter(Base):
    """Zeros, to whose rows at `index` the rows of the argument are added: the transpose of Take."""

    arg: Op
    index: Op


@dataclass(frozen=True, eq=False, slots=True)
class Reshape(Base):
    """The same entries in the same order."""

    arg: Op


@dataclass(frozen=True, eq=False, slots=True)
class Eye(Base):
    """The identity matrix."""


@dataclass(frozen=True, eq=False, slots=True)
class Kernel(Base):
    """A structured operation with its static attributes: softmax, inv, one_hot, ..."""

    operation: str
    args: tuple[Op, ...]
    attributes: tuple[Any, ...]


Op = Input | Number | Map | Add | Mul | Contract | Slice | Pad | Take | Scatter | Reshape | Eye | Kernel
O = TypeVar("O", bound=Base)


def operands(op: Op) -> tuple[Op, ...]:
    """What a node reads."""
    match op:
        case Input() | Number() | Eye():
            return ()
        case Map(args=args) | Kernel(args=args):
            return args
        case Add(terms=terms):
            return tuple(t for _, t, _ in terms)
        case Mul(factors=factors):
            return tuple(f for f, _, _ in factors)
        case Contract(operands=pair):
            return tuple(a for a, _ in pair)
        case Slice(arg=arg) | Pad(arg=arg) | Reshape(arg=arg):
            return (arg,)
        case Take(arg=arg, index=index) | Scatter(arg=arg, index=index):
            return (arg, index)
        case _:
            assert_never(op)


def topological(roots: Iterable[Op]) -> Iterator[Op]:
    """All nodes below the roots, operands first."""
    seen: set[Op] = set()
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        op, ready = stack.pop()
        if ready:
            yield op
        elif op not in seen:
            seen.add(op)
            stack.append((op, True))
            stack.extend((a, False) for a in reversed(operands(op)))


class Pool:
    """Makes the nodes of one program, each once, products and sums in normal form.

    Attributes:
        named: nodes that have a name: views and scalings of them dissolve, they themselves do not.
        origins: the expression that a node came from, where somebody wants to read it; None for none.
    """

    def __init__(self) -> None:
        self.origins: dict[Op, Expr] | None = None
        self._known: dict[tuple[Any, ...], Base] = {}
        self.named: set[Op] = set()

    def __call__(self, op: O) -> O:
        """The node, or the one that is the same."""
        key = (type(op), *(getattr(op, f.name) for f in fields(op)))
        found = self._known.setdefault(key, op)
        assert isinstance(found, type(op))
        return found

    def knows(self, op: Base) -> bool:
        """Whether there is such a node already."""
        return (type(op), *(getattr(op, f.name) for f in fields(op))) in self._known

    def real(self, op: Op) -> Op:
        """The node as real numbers."""
        return op if op.type == "real" else self(Map(op.shape, "real", "real", (op,)))

    def mul(self, shape: Shape, coefficient: Coefficient, factors: Sequence[tuple[Op, Axes, Fraction]]) -> Op:
        """A product: scaled views among the factors dissolve, equal factors are a power."""
        powers: dict[tuple[Op, Axes], Fraction] = {}
        for op, axes, power in factors:
            inner = self.scaled_view(op)
            raised = inner and inner[0].power(power)
            if inner is not None and raised is not None:
                coefficient = coefficient.times(raised)
                if inner[1] is None:
                    continue
                op, axes = inner[1], tuple(axes[a] for a in inner[2])
            powers[op, axes] = powers.get((op, axes), Fraction(0)) + power
        kept = [] if coefficient.value == 0 else [(op, axes, p) for (op, axes), p in powers.items() if p]
        kept.sort(key=lambda f: f[2] < 0)
        if len(kept) == 1 and coefficient == ONE:
            op, axes, power = kept[0]
            if power == 1 and axes == tuple(range(len(shape))):
                return op
            if power == 1:  # a view
                return self(Mul(shape, op.type, ONE, ((op, axes, P1),)))
        if len(kept) > 1 or coefficient != ONE:  # roots are nodes of their own, which may be shared
            kept = [self._root(*f) if f[2].denominator > 1 else f for f in kept]
        alone = all(op.type != "real" for op, _, _ in kept)
        typed = ((self.real(op) if p != 1 or alone or op.type == "int" else op, axes, p) for op, axes, p in kept)
        return self(Mul(shape, "real", coefficient, tuple(typed)))

    def _root(self, op: Op, axes: Axes, power: Fraction) -> tuple[Op, Axes, Fraction]:
        """A factor raised to a fraction, as one that is multiplied or divided by."""
        every = tuple(range(len(op.shape)))
        inner = self(Mul(op.shape, "real", ONE, ((self.real(op), every, abs(power)),)))
        if self.origins is not None and op in self.origins:
            self.origins.setdefault(inner, contract([(self.origins[op], every, abs(power))], every))
        return inner, axes, Fraction(1 if power > 0 else -1)

    def scaled_view(self, op: Op) -> tuple[Coefficient, Op | None, Axes] | None:
        """Coefficient, array and axes of a product of at most one factor, that to the power one; None for others."""
        if not isinstance(op, Mul) or op in self.named or len(op.factors) > 1:
            return None
        if not op.factors:
            return op.coefficient, None, ()
        ((arg, axes, power),) = op.factors
        return (op.coefficient, arg, axes) if power == 1 else None

    def along(self, op: Op, axis: int, size: Dim, made: Callable[[Op, int, Shape], Op]) -> Op:
        """A node that has another size along one axis; of a transpose, the transpose of that.

        Args:
            op: the operand.
            axis, size: where the size is another.
            made: of operand, axis and shape the node.
        """
        view = self.scaled_view(op)
        if view is not None and view[0] == ONE and view[1] is not None and len(view[2]) == len(op.shape):
            inner, axes = view[1], view[2]
            turned = self.along(inner, axes.index(axis), size, made)
            return self.mul(tuple(turned.shape[axes.index(a)] for a in range(len(axes))), ONE, [(turned, axes, P1)])
        return self(made(op, axis, (*op.shape[:axis], size, *op.shape[axis + 1 :])))

    def add(self, shape: Shape, terms: Iterable[tuple[Coefficient, Op, Axes]]) -> Op:
        """A sum: coefficients and views of its terms are its own, equal terms are collected."""
        found: dict[tuple[Op, Axes, Any], Fraction] = {}
        for c, op, axes in terms:
            inner = self.scaled_view(op)
            if inner is not None and inner[1] is not None:
                c, op, axes = c.times(inner[0]), inner[1], tuple(axes[a] for a in inner[2])
            elif isinstance(op, Mul) and op not in self.named:
                c, op, axes = self._term(c, op, axes)
            found[op, axes, c.dims] = found.get((op, axes, c.dims), Fraction(0)) + c.value
        kept = [(Coefficient(v, dims), op, axes) for (op, axes, dims), v in found.items() if v]
        if not kept:  # all terms cancel
            return self.mul(shape, Coefficient(Fraction(0)), [])
        if len(kept) == 1:
            c, op, axes = kept[0]
            return self.mul(shape, c, [(op, axes, P1)])
        places = {axes for _, _, axes in kept}
        if len(places) == 1 and len(kept) > 1:
            (turn,) = places
            if len(turn) == len(shape) and turn != tuple(range(len(shape))):  # a sum of transposes
                small = tuple(shape[a] for a in turn)
                total = self.add(small, [(c, op, tuple(range(len(turn)))) for c, op, _ in kept])
                return self.mul(shape, ONE, [(total, turn, P1)])
        masks = sum(op.type == "bool" for _, op, _ in kept)  # two of them would be added as "or"
        few = masks == 1 < len(kept)
        typed = ((c, op if op.type == "bool" and few else self.real(op), axes) for c, op, axes in kept)
        return self(Add(shape, "real", tuple(typed)))

    def _term(self, c: Coefficient, op: Mul, axes: Axes) -> tuple[Coefficient, Op, Axes]:
        """A product as a term of a sum, on the axes that it depends on. A number in it takes up the coefficient."""
        inside = sorted({a for _, ls, _ in op.factors for a in ls})
        turns = {ls for _, ls, _ in op.factors if len(ls) > 1}
        if len(turns) == 1 and sorted(*turns) == inside:  # where all factors are turned, their product is
            (inside,) = map(list, turns)
        parts = [(f, tuple(map(inside.index, ls)), p) for f, ls, p in op.factors]
        shape, whole = tuple(op.shape[a] for a in inside), c.times(op.coefficient)
        taken = ONE
        if any(not ls for _, ls, _ in parts) and whole.value:
            sign = Coefficient(Fraction(1 if whole.value > 0 else -1))
            whole, taken = sign, whole.times(sign)
        return whole, self.mul(shape, taken, parts), tuple(axes[a] for a in inside)


__all__ = [
    "P1", "Add", "Axes", "Contract", "Eye", "Input", "Kernel", "Map", "Mul", "Number", "Op", "Pad", "Pool", "Reshape",
    "Scatter", "Slice", "Take", "Type", "operands", "topological",
]  # fmt: skip

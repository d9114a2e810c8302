"""The nodes of an expression: frozen, interned (an equal node is the same object), shape known at construction.

Every multilinear operation (products, transposes, traces, sums over axes, broadcasts, diagonals, identities, einsum)
is a `Contraction`; `Elementwise` and `Structured` name rows of the tables of functions and operations; `Named` is an
intermediate with a name: opaque to merging, transparent to evaluation and differentials.

Nodes are made by the functions of this module and of `contraction`; the classes have no methods per operation.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from hashlib import blake2b
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

from byhand.expr.dims import Coefficient, Dim, Shape, show_shape

Labels = tuple[int, ...]
Factor = tuple["Expr", Labels, Fraction]


class Expr:
    """Base of all nodes.

    Attributes:
        shape: the dimensions, integers or symbolic.
        has_differential: whether a differential d(...) occurs in it.
        operations: the names of the functions and operations that occur in it.
        declared: the properties that its inputs are declared to have.
    """

    __slots__ = ("__weakref__", "_digest", "_key", "declared", "has_differential", "operations", "shape")
    __array_priority__: ClassVar[int] = 1000  # NumPy arrays leave `array * expr` to us
    shape: Shape
    _digest: bytes | None
    _key: tuple[Any, ...]
    has_differential: bool
    operations: frozenset[str]
    declared: frozenset[str]

    if TYPE_CHECKING:  # the operators that `surface` gives to every node

        def __add__(self, other: object) -> Expr: ...
        def __radd__(self, other: object) -> Expr: ...
        def __sub__(self, other: object) -> Expr: ...
        def __rsub__(self, other: object) -> Expr: ...
        def __mul__(self, other: object) -> Expr: ...
        def __rmul__(self, other: object) -> Expr: ...
        def __truediv__(self, other: object) -> Expr: ...
        def __rtruediv__(self, other: object) -> Expr: ...
        def __matmul__(self, other: object) -> Expr: ...
        def __rmatmul__(self, other: object) -> Expr: ...
        def __pow__(self, other: object) -> Expr: ...
        def __neg__(self) -> Expr: ...
        def __gt__(self, other: object) -> Expr: ...
        def __getitem__(self, index: object) -> Expr: ...
        @property
        def T(self) -> Expr: ...

    @property
    def children(self) -> tuple[Expr, ...]:
        """The nodes that this one is made of."""
        return ()

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def digest(self) -> bytes:
        """A hash of the structure, the same in every process: it orders factors and terms; made when first asked for."""
        if self._digest is None:
            todo: list[Expr] = [self]
            while todo:  # no recursion: definitions stand on each other by the hundred
                node = todo[-1]
                missing = [c for c in node.children if c._digest is None]
                todo += missing
                if not missing:
                    todo.pop()._digest = _digested(node)
        assert self._digest is not None
        return self._digest

    def __repr__(self) -> str:
        from byhand.notation.show import node_text  # a later room, needed by those who look only

        return f"<{type(self).__name__} {node_text(self)} {show_shape(self.shape)}>"


class Symbol(Expr):
    """An input, with the properties that its user declared."""

    __slots__ = ("assumptions", "name")
    __match_args__ = ("name",)
    name: str
    assumptions: frozenset[str]


class Constant(Expr):
    """A named real number such as pi."""

    __slots__ = ("name", "value")
    __match_args__ = ("name",)
    name: str
    value: float


class Named(Expr):
    """An intermediate: a name for a body."""

    __slots__ = ("body", "name")
    __match_args__ = ("name", "body")
    name: str
    body: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.body,)


class Differential(Expr):
    """d(arg), of the shape of arg: linear, to be moved to the right end and read off."""

    __slots__ = ("arg",)
    __match_args__ = ("arg",)
    arg: Expr


class Elementwise(Expr):
    """A function of the table `functions`, applied to each entry."""

    __slots__ = ("arg", "function")
    __match_args__ = ("function", "arg")
    function: str
    arg: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)


class Structured(Expr):
    """An operation of the table `operations` (inverse, softmax, ...), with its static attributes."""

    __slots__ = ("args", "attributes", "operation")
    __match_args__ = ("operation", "args", "attributes")
    operation: str
    args: tuple[Expr, ...]
    attributes: tuple[Any, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args


class Sum(Expr):
    """A sum of coefficient × term; a term is never a Sum with coefficient one of the same level, nor a scaled node."""

    __slots__ = ("terms",)
    __match_args__ = ("terms",)
    terms: tuple[tuple[Coefficient, Expr], ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        return tuple(term for _, term in self.terms)


class Contraction(Expr):
    """coefficient × Σ over the labels not in `out` of ∏ factor[labels]^power, with the axes `out`.

    A repeated label in `out` is a diagonal; a label in `out` that no factor has is a broadcast.
    """

    __slots__ = ("coefficient", "dims", "factors", "out")
    __match_args__ = ("coefficient", "factors", "out")
    coefficient: Coefficient
    factors: tuple[Factor, ...]
    out: Labels
    dims: tuple[Dim, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        return tuple(factor for factor, _, _ in self.factors)


class _Key:
    """The kind of a node and what makes it: hashed once, and without the powers, whose hashes are slow."""

    __slots__ = ("hash", "parts")

    def __init__(self, kind: type[Expr], parts: tuple[Any, ...]) -> None:
        self.parts = (kind, *parts)
        if kind is Contraction:
            coefficient, factors, out, dims = parts
            self.hash = hash((coefficient.value.numerator, tuple([f[:2] for f in factors]), out, dims))
        else:
            self.hash = hash(self.parts)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.parts == other.parts


_pool: WeakValueDictionary[_Key, Expr] = WeakValueDictionary()
_pooling = RLock()  # a thread that finds no node and one that makes it at the same time end with the same one


E = TypeVar("E", bound=Expr)


def intern(kind: type[E], key: tuple[Any, ...], shape: Shape, children: Iterable[Expr], **fields: Any) -> E:
    """The one node of this kind and key, made if it is not there yet; `key` holds children, hashed by identity."""
    entry = _Key(kind, key)
    node = _pool.get(entry)
    if node is None:
        children = tuple(children)
        node = kind()
        for name, value in fields.items():
            setattr(node, name, value)
        node.shape = shape
        node.has_differential = kind is Differential or any(c.has_differential for c in children)
        node._digest, node._key = None, key
        own = key[:1] if kind is Elementwise or kind is Structured else ()
        node.operations = frozenset(own).union(*(c.operations for c in children))
        node.declared = frozenset(fields.get("assumptions", ())).union(*(c.declared for c in children))
        with _pooling:
            first = _pool.get(entry)
            if first is None:
                _pool[entry] = node
            else:
                node = first
    return node  # type: ignore[return-value]


def _digested(node: Expr) -> bytes:
    """The digest of a node whose children have theirs."""
    text = repr((type(node).__name__, [_stable(part) for part in node._key], [str(d) for d in node.shape]))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _stable(part: Any) -> Any:
    """A representation that does not depend on the process or the order of creation."""
    kind = type(part)
    if kind is int or kind is Fraction:
        return str(part)
    if kind is tuple:
        return [_stable(p) for p in part]
    if isinstance(part, Expr):
        return part.digest.hex()
    if isinstance(part, Coefficient):
        return (str(part.value), [(str(d), str(p)) for d, p in part.dims])
    if isinstance(part, tuple):
        return [_stable(p) for p in part]
    return sorted(part) if isinstance(part, frozenset) else str(part)


def symbol(name: str, shape: Shape = (), assumptions: Iterable[str] = ()) -> Symbol:
    """An input of the given shape."""
    known = frozenset(assumptions)
    return intern(Symbol, (name, shape, known), shape, (), name=name, assumptions=known)


def constant(name: str, value: float) -> Constant:
    """A named number."""
    return intern(Constant, (name, value), (), (), name=name, value=value)


def named(name: str, body: Expr) -> Named:
    """An intermediate called `name`."""
    return intern(Named, (name, body), body.shape, (body,), name=name, body=body)


def differential_of(arg: Expr) -> Differential:
    """d(arg)."""
    return intern(Differential, (arg,), arg.shape, (arg,), arg=arg)


def structured(operation: str, args: tuple[Expr, ...], attributes: tuple[Any, ...], shape: Shape) -> Structured:
    """A node of the table of operations; `operations` computes the shape."""
    return intern(
        Structured, (operation, args, attributes), shape, args, operation=operation, args=args, attributes=attributes
    )


def topological(roots: Iterable[Expr], into_named: bool = True) -> list[Expr]:
    """All nodes below the roots, children before parents, in an order that only the structure decides."""
    seen: set[Expr] = set()
    order: list[Expr] = []
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if into_named or not isinstance(node, Named):
                stack.extend((child, False) for child in reversed(node.children))
    return order


def symbols_of(root: Expr) -> list[Symbol]:
    """The inputs of an expression, in order of first use."""
    return [node for node in topological([root]) if isinstance(node, Symbol)]


def pool_size() -> int:
    """How many nodes are alive."""
    return len(_pool)


def describe(node: Expr) -> str:
    """A short, shallow description for error messages: the name or the kind of node, with its shape."""
    match node:
        case Symbol(name) | Constant(name) | Named(name):
            label = name
        case Elementwise(function):
            label = f"{function}(...)"
        case Structured(operation):
            label = f"{operation}(...)"
        case _:
            label = "the operand"
    return f"{label}: {show_shape(node.shape)}"

"""A program as calls of NumPy for arrays of known shapes and types: every call once, in an order that they can be made in.

`arrays` computes a program by functions of NumPy. Here the same functions are given recorders, which write down what they
are called with; kernels such as softmax are recorded as they are in `numeric`, so what two of them compute alike is one
call.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from byhand.program.arrays import computed, sizes_of
from byhand.program.lower import Program

Array = Any
_POWERS: dict[float, Any] = {2: np.square, 0.5: np.sqrt, 1: np.positive}
_REDUCERS: dict[Any, Any] = {np.sum: np.add, np.max: np.maximum, np.min: np.minimum, np.prod: np.multiply}


@dataclass(eq=False, slots=True)
class Node:
    """One call.

    Attributes:
        kind: "input", "scalar", "view", "ufunc", "reduce", "matmul", "where", "copy" or "call".
        op: the function, or the name of an input.
        args: nodes and plain values.
        options: keywords, or the axes of a reduction and whether they are kept.
        shape, dtype: of the result.
    """

    kind: str
    op: Any
    args: tuple[Any, ...]
    options: tuple[Any, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


class Graph:
    """The calls that compute a program.

    Args:
        program: what is computed.
        inputs: name of an argument -> an array like the one that it will be given.
        scalars: names of arguments that are numbers, known at each call only.
    Attributes:
        nodes: in order.
        inputs: name -> node.
        value: the result that `program.value` names, if it names one.
        results: name -> node, of the other results; a number where it is one.
    """

    def __init__(self, program: Program, inputs: Mapping[str, Array], scalars: tuple[str, ...] = ()) -> None:
        self.nodes: list[Node] = []
        self._known: dict[Any, Node] = {}
        self.inputs: dict[str, Node] = {}
        for name in program.inputs:
            if name in scalars:
                self.inputs[name] = self._node("scalar", name, (), (), (), np.dtype(np.float64))
            else:
                self.inputs[name] = self._node("input", name, (), (), inputs[name].shape, inputs[name].dtype)
        recorders = {name: Recorder(self, node) for name, node in self.inputs.items()}
        sizes = sizes_of(program, {name: node.shape for name, node in self.inputs.items()})
        reals = [a.dtype for n, a in inputs.items() if n in self.inputs and a.dtype.kind == "f"]
        with np.errstate(all="ignore"):
            found = computed(program, recorders, sizes, np.result_type(*reals) if reals else np.dtype(np.float64))
        self.results = {name: _plain(x) for name, x in found.items()}
        self.value: Any = self.results.pop(program.value) if program.value is not None else None

    @property
    def multiplications(self) -> int:
        """How many multiplications the products take."""
        return sum(prod(n.shape) * n.args[0].shape[-1] for n in self.nodes if n.kind == "matmul")

    # ---- the calls

    def ufunc(self, function: Any, *args: Any) -> Node:
        """An operation entry by entry."""
        if function is np.power and isinstance(args[0], Node) and args[0].kind != "scalar":
            special = _POWERS.get(args[1]) if isinstance(args[1], (int, float)) else None
            if special is not None:
                return self.ufunc(special, args[0])
        if function is np.greater and isinstance(args[0], Node) and not isinstance(args[1], Node) and args[1] == 0:
            # max(x, 0) is above zero where x is: then x itself need not be kept
            rectified = ("ufunc", np.maximum, (id(args[0]), _key(0.0)), (), str(args[0].dtype))
            args = (self._known.get(rectified, args[0]), 0)
        shape = np.broadcast_shapes(*(a.shape if isinstance(a, Node) else np.shape(a) for a in args))
        kind = "scalar" if all(not isinstance(a, Node) or a.kind == "scalar" for a in args) and not shape else "ufunc"
        samples = [1.0 if isinstance(a, Node) and a.kind == "scalar" else _sample(a) for a in args]
        return self._node(kind, function, args, (), shape, np.asarray(function(*samples)).dtype)

    def matmul(self, a: Any, b: Any) -> Node:
        """A product of matrices, vectors, or stacks of matrices."""
        shapes = [np.broadcast_to(np.zeros(1, x.dtype), x.shape) for x in (a, b)]
        shape = (*a.shape[:-1], *b.shape[1:]) if a.ndim <= 2 and b.ndim <= 2 else np.matmul(*shapes).shape
        return self._node("matmul", np.matmul, (a, b), (), shape, np.result_type(a.dtype, b.dtype))

    def view(self, function: Callable[[Any], Any], key: Any, x: Node) -> Node:
        """The same entries, looked at in another way; `key` says in which."""
        shape = function(np.broadcast_to(np.zeros((), x.dtype), x.shape)).shape
        known = self._known.get(("view", key, id(x)))
        if known is None:
            known = self._known["view", key, id(x)] = self._node("view", function, (x,), (), shape, x.dtype)
        return known

    def copy(self, x: Node, dtype: Any) -> Node:
        """The entries in an array of their own."""
        return self._node("copy", None, (x,), (), x.shape, np.dtype(dtype))

    def reduce(self, function: Any, x: Node, axis: Any, keepdims: bool) -> Node:
        """A sum, maximum, minimum or product over axes, all by default."""
        axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        axes = tuple(a % x.ndim for a in axes)
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes)
        return self._node("reduce", _REDUCERS[function], (x,), (axes, bool(keepdims)), shape, x.dtype)

    def where(self, *args: Any) -> Node:
        """A choice between two arrays, entry by entry."""
        shape = np.broadcast_shapes(*(a.shape if isinstance(a, Node) else np.shape(a) for a in args))
        return self._node("where", np.where, args, (), shape, np.where(*map(_sample, args)).dtype)

    def gather(self, x: Node, index: tuple[Any, ...]) -> Node:
        """The entries of an array at places that arrays say."""
        samples = tuple(np.zeros(i.shape, int) if isinstance(i, Node) else i for i in index)
        shape = np.broadcast_to(np.zeros(()), x.shape)[samples].shape
        return self._node("call", gather, (x, *index), (), shape, x.dtype)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> Node:
        """Any other function; what it returns is allocated at each call."""
        rng = np.random.default_rng(0)  # generic numbers: matrices that have an inverse
        full = [rng.uniform(0.5, 1, a.shape).astype(a.dtype) if isinstance(a, Node) else a for a in args]
        found = np.asarray(function(*full, **options))
        return self._node("call", function, args, tuple(options.items()), found.shape, found.dtype)

    def _node(
        self, kind: str, op: Any, args: tuple[Any, ...], options: tuple[Any, ...], shape: Any, dtype: Any
    ) -> Node:
        """The node, or the one that computes the same."""
        key = (kind, op, tuple(_key(a) for a in args), options and _key(options), str(dtype))
        if kind != "view" and key in self._known:
            return self._known[key]
        node = Node(kind, op, args, options, tuple(int(n) for n in shape), np.dtype(dtype))
        self.nodes.append(node)
        if kind != "view":
            self._known[key] = node
        return node


class Recorder(NDArrayOperatorsMixin):
    """Stands for the array that a node computes: what is done to it is written down."""

    __slots__ = ("graph", "node")

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph, self.node = graph, node

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.node.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.node.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the array."""
        return self.node.dtype

    @property
    def real(self) -> Recorder:
        """Itself: recorded arrays are real."""
        return self

    def transpose(self, order: tuple[int, ...]) -> Recorder:
        """The axes in another order."""
        turn: Callable[[Any], Any] = operator.attrgetter("T")
        if order != tuple(reversed(range(self.ndim))):
            turn = operator.methodcaller("transpose", order)
        return Recorder(self.graph, self.graph.view(turn, ("transpose", order), self.node))

    def reshape(self, shape: tuple[int, ...]) -> Recorder:
        """The entries in another shape: of a view a copy, whose entries stand in order."""
        node = self.graph.copy(self.node, self.dtype) if self.node.kind == "view" else self.node
        return Recorder(self.graph, self.graph.view(operator.methodcaller("reshape", shape), ("reshape", shape), node))

    def astype(self, dtype: Any) -> Recorder:
        """The array in another type."""
        return Recorder(self.graph, self.graph.copy(self.node, dtype))

    def __getitem__(self, index: Any) -> Recorder:
        items = index if isinstance(index, tuple) else (index,)
        if all(i is None or i is Ellipsis or isinstance(i, (int, slice)) for i in items):
            return Recorder(self.graph, self.graph.view(operator.itemgetter(index), repr(index), self.node))
        return Recorder(self.graph, self.graph.gather(self.node, tuple(map(_plain, items))))

    def record(self, function: Callable[..., Any], *args: Any, **options: Any) -> Recorder:
        """Any function of arrays."""
        return Recorder(self.graph, self.graph.call(function, tuple(map(_plain, args)), options))

    def look(self, function: Callable[..., Any], *rest: Any) -> Recorder:
        """A function whose result is a view."""
        view = self.graph.view(Look(function, rest), (function.__name__, repr(rest)), self.node)
        return Recorder(self.graph, view)

    def __array_ufunc__(self, function: Any, method: str, *args: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            return NotImplemented
        plain = tuple(map(_plain, args))
        if function is np.matmul:
            return Recorder(self.graph, self.graph.matmul(*plain))
        return Recorder(self.graph, self.graph.ufunc(function, *plain))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Mapping[str, Any]) -> Any:
        plain = tuple(map(_plain, args))
        if function is np.real:
            return args[0]
        if function is np.where:
            return Recorder(self.graph, self.graph.where(*plain))
        if function in _REDUCERS:
            axis = args[1] if len(args) > 1 else options.get("axis")
            return Recorder(self.graph, self.graph.reduce(function, plain[0], axis, options.get("keepdims", False)))
        if function is np.squeeze:
            return self.look(function, *args[1:], *options.values())
        return self.record(function, *args, **options)


@dataclass(frozen=True)
class Look:
    """A function whose result is a view of its first argument."""

    function: Callable[..., Any]
    rest: tuple[Any, ...]

    def __call__(self, x: Array) -> Array:
        return self.function(x, *self.rest)


def gather(x: Array, *index: Array) -> Array:
    """The entries at places that arrays say."""
    return x[index]


def _plain(x: Any) -> Any:
    return x.node if isinstance(x, Recorder) else x


def _sample(a: Any) -> Any:
    return np.ones((1,) * a.ndim, a.dtype) if isinstance(a, Node) else a


def _key(a: Any) -> Any:
    if isinstance(a, Node):
        return id(a)
    if isinstance(a, np.ndarray):
        return ("array", a.shape, str(a.dtype), a.tobytes())
    return (type(a).__name__, repr(a))


__all__ = ["Graph", "Look", "Node", "gather"]

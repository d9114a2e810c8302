"""Generated source read as a graph of array operations: every operation once, shapes and types known.

The interpreter runs the source on descriptions of arrays (shape and type), not on arrays. Kernels that the source
defines (softmax, gelu, ...) are read like the function itself, so what two of them compute alike is computed once.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from byhand.errors import ByhandError
from byhand.expr import numeric

Array = Any
_BINARY: dict[type, tuple[Any, Callable[[Any, Any], Any]]] = {
    ast.Add: (np.add, operator.add),
    ast.Sub: (np.subtract, operator.sub),
    ast.Mult: (np.multiply, operator.mul),
    ast.Div: (np.true_divide, operator.truediv),
    ast.Pow: (np.power, operator.pow),
}
_COMPARE: dict[type, Any] = {
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_POWERS: dict[float, tuple[Any, int]] = {2: (np.square, 1), 0.5: (np.sqrt, 1), 1: (np.positive, 1)}
_REDUCERS: dict[Any, Any] = {np.sum: np.add, np.max: np.maximum, np.min: np.minimum, np.prod: np.multiply}
_WHOLE = {"scatter_add": numeric.scatter_add}  # kernels that are one operation: they write into what they return
_METHODS = {"sum": np.sum, "max": np.max, "min": np.min, "mean": np.mean, "prod": np.prod}


@dataclass(eq=False, slots=True)
class Node:
    """One operation on arrays.

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


@dataclass(slots=True)
class _Method:
    of: Node
    name: str


class Graph:
    """The nodes of a function, in an order in which they can be computed.

    Args:
        source: Python source that uses NumPy only.
        function: the name of the function in it.
        inputs: name of an argument -> an array like the one that it will be given.
        scalars: names of arguments that are numbers, known at each call only.
    Attributes:
        value: what is returned before the dict, if anything.
        results: name -> node, the dict that is returned.
    """

    def __init__(self, source: str, function: str, inputs: Mapping[str, Array], scalars: tuple[str, ...] = ()) -> None:
        tree = ast.parse(source)
        self.functions = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
        self.nodes: list[Node] = []
        self._known: dict[Any, Node] = {}
        self.value: Any = None
        self.results: dict[str, Any] = {}
        env: dict[str, Any] = {"np": np, "float": float, "int": int}
        self.inputs: dict[str, Node] = {}
        for argument in self.functions[function].args.args:
            name = argument.arg
            if name in scalars:
                node = self._node("scalar", name, (), (), (), np.dtype(np.float64))
            else:
                node = self._node("input", name, (), (), inputs[name].shape, inputs[name].dtype)
            self.inputs[name] = env[name] = node
        with np.errstate(all="ignore"):
            returned = self._run(self.functions[function], env)
        if isinstance(returned, tuple):
            self.value, self.results = returned
        elif isinstance(returned, dict):
            self.results = returned
        else:
            self.value = returned

    @property
    def multiplications(self) -> int:
        """How many multiplications the products take."""
        return sum(prod(n.shape) * n.args[0].shape[-1] for n in self.nodes if n.kind == "matmul")

    # ---- statements

    def _run(self, function: ast.FunctionDef, env: dict[str, Any]) -> Any:
        for statement in function.body:
            match statement:
                case ast.Expr(value=ast.Constant()):  # a docstring
                    continue
                case ast.ImportFrom(module="scipy", names=[ast.alias(name="special")]):
                    from scipy import special

                    env["special"] = special
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    env[name] = self._expr(value, env)
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=value):
                    for target, item in zip(names, self._expr(value, env), strict=True):
                        assert isinstance(target, ast.Name)
                        env[target.id] = item
                case ast.Return(value=ast.expr() as value):
                    return self._expr(value, env)
                case _:
                    raise ByhandError(f"the trainer cannot read the statement {ast.unparse(statement)[:60]!r}")
        raise ByhandError(f"{function.name} returns nothing")

    # ---- expressions

    def _expr(self, e: ast.expr, env: Mapping[str, Any]) -> Any:
        match e:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.functions[name] if name in self.functions and name not in env else env[name]
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return tuple(self._expr(i, env) for i in items)
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return {self._expr(k, env): self._expr(v, env) for k, v in pairs if k is not None}
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                x = self._expr(operand, env)
                return self.ufunc(np.negative, x) if isinstance(x, Node) else -x
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._expr(left, env), self._expr(right, env))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.ufunc(_COMPARE[type(op)], self._expr(left, env), self._expr(right, env))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._expr(body if self._expr(test, env) else orelse, env)
            case ast.Attribute(value=value, attr=name):
                return self._attribute(self._expr(value, env), name)
            case ast.Subscript(value=value, slice=index):
                return self._item(self._expr(value, env), self._expr(index, env))
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(None if s is None else self._expr(s, env) for s in (lower, upper, step)))
            case ast.Call(func=f, args=args, keywords=keywords):
                options = {k.arg: self._expr(k.value, env) for k in keywords if k.arg is not None}
                return self._call(self._expr(f, env), [self._expr(a, env) for a in args], options)
            case _:
                raise ByhandError(f"the trainer cannot read the expression {ast.unparse(e)[:60]!r}")

    def _binary(self, op: ast.operator, a: Any, b: Any) -> Any:
        if isinstance(op, ast.MatMult):
            return self._matmul(a, b)
        function, plain = _BINARY[type(op)]
        if not isinstance(a, Node) and not isinstance(b, Node):
            return plain(a, b)
        if isinstance(op, ast.Pow) and isinstance(a, Node) and a.kind != "scalar" and b in _POWERS:
            return self.ufunc(_POWERS[b][0], a)
        if isinstance(op, ast.Pow) and isinstance(a, Node) and b == 3:
            return self.ufunc(np.multiply, self.ufunc(np.square, a), a)
        return self.ufunc(function, a, b)

    def _matmul(self, a: Node, b: Node) -> Node:
        shapes = [np.broadcast_to(np.zeros(1, n.dtype), n.shape) for n in (a, b)]
        shape = (*a.shape[:-1], *b.shape[1:]) if a.ndim <= 2 and b.ndim <= 2 else np.matmul(*shapes).shape
        return self._node("matmul", np.matmul, (a, b), (), shape, np.result_type(a.dtype, b.dtype))

    def ufunc(self, function: Any, *args: Any) -> Any:
        """An elementwise operation; on plain values its value."""
        if not any(isinstance(a, Node) for a in args):
            return function(*args)
        if function is np.greater and isinstance(args[0], Node) and args[1] == 0:
            # max(x, 0) is above zero where x is: then x itself need not be kept
            args = (
                self._known.get(("ufunc", np.maximum, (id(args[0]), _key(0.0)), (), str(args[0].dtype)), args[0]),
                0,
            )
        shape = np.broadcast_shapes(*(a.shape if isinstance(a, Node) else np.shape(a) for a in args))
        kind = "scalar" if all(not isinstance(a, Node) or a.kind == "scalar" for a in args) and not shape else "ufunc"
        samples = [1.0 if isinstance(a, Node) and a.kind == "scalar" else _sample(a) for a in args]
        return self._node(kind, function, args, (), shape, np.asarray(function(*samples)).dtype)

    def _attribute(self, x: Any, name: str) -> Any:
        if not isinstance(x, Node):
            return getattr(x, name)
        if name == "T":
            return self._view(operator.attrgetter("T"), "T", x)
        if name in ("shape", "dtype", "ndim"):
            return getattr(x, name)
        return x if name == "real" else _Method(x, name)

    def _view(self, function: Callable[[Any], Any], key: Any, x: Node) -> Node:
        sample = function(np.broadcast_to(np.zeros(1, x.dtype), x.shape))
        known = self._known.get(("view", key, id(x)))
        if known is None:
            known = self._node("view", function, (x,), (), sample.shape, x.dtype)
            self._known["view", key, id(x)] = known
        return known

    def _item(self, x: Any, index: Any) -> Any:
        items = index if isinstance(index, tuple) else (index,)
        if not isinstance(x, Node) and not any(isinstance(i, Node) for i in items):
            return x[index]
        if isinstance(x, Node) and all(i is None or i is Ellipsis or isinstance(i, (int, slice)) for i in items):
            if not np.broadcast_to(np.zeros(1), x.shape)[index].shape:
                index = (*items, Ellipsis)  # an array of no axes, not a number: numbers are no views
            return self._view(operator.itemgetter(index), repr(index), x)
        samples = [np.zeros(i.shape, int) if isinstance(i, Node) else i for i in items]
        shape = np.broadcast_to(np.zeros(1), x.shape)[tuple(samples)].shape
        return self._node("call", _gather, (x, *items), (), shape, x.dtype)

    def _call(self, f: Any, args: list[Any], options: dict[str, Any]) -> Any:
        if isinstance(f, ast.FunctionDef) and f.name in _WHOLE:
            f = _WHOLE[f.name]
        if isinstance(f, ast.FunctionDef):
            return self._inline(f, args, options)
        if isinstance(f, _Method):
            if f.name == "astype":
                return self._node("copy", None, (f.of,), (), f.of.shape, np.dtype(args[0]))
            if f.name in ("transpose", "reshape") and args and isinstance(args[0], int):
                args = [tuple(args)]
            args = [f.of, *args]
            f = _METHODS.get(f.name) or getattr(np, f.name)
        if f is np.concatenate:
            f, args = _joined, [*args[0]]
        if not any(isinstance(a, Node) for a in (*args, *options.values())):
            return f(*args, **options)
        if isinstance(f, np.ufunc) and not options:
            return self.ufunc(f, *args)
        if f is np.asarray:
            return args[0]
        if f is np.clip:
            return self.ufunc(np.minimum, self.ufunc(np.maximum, args[0], args[1]), args[2])
        if f is np.mean:
            total = self._reduce(np.sum, args, options)
            return self.ufunc(np.true_divide, total, _count(args[0], total))
        if f in _REDUCERS:
            return self._reduce(f, args, options)
        if f is np.where:
            if isinstance(args[0], Node) and args[0].dtype != np.bool_:
                args[0] = self.ufunc(np.not_equal, args[0], 0)
            sample = np.where(*(_sample(a) for a in args))
            shape = np.broadcast_shapes(*(a.shape if isinstance(a, Node) else np.shape(a) for a in args))
            return self._node("where", f, tuple(args), (), shape, sample.dtype)
        full = [np.zeros(a.shape, a.dtype) if isinstance(a, Node) else a for a in args]
        sample = np.asarray(f(*full, **options))
        return self._node("call", f, tuple(args), tuple(options.items()), sample.shape, sample.dtype)

    def _inline(self, f: ast.FunctionDef, args: list[Any], options: dict[str, Any]) -> Any:
        names = [a.arg for a in f.args.args]
        base: dict[str, Any] = {"np": np, "float": float, "int": int}
        last = names[len(names) - len(f.args.defaults) :]
        given = {n: self._expr(d, base) for n, d in zip(last, f.args.defaults, strict=True)}
        return self._run(f, {**base, **given, **dict(zip(names, args, strict=False)), **options})

    def _reduce(self, f: Any, args: list[Any], options: dict[str, Any]) -> Node:
        x = args[0]
        axis = args[1] if len(args) > 1 else options.get("axis")
        axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        axes = tuple(a % x.ndim for a in axes)
        kept = bool(options.get("keepdims", False))
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if kept or i not in axes)
        return self._node("reduce", _REDUCERS[f], (x,), (axes, kept), shape, x.dtype)

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


def _gather(x: Array, *index: Array) -> Array:
    return x[index]


def _joined(*parts: Array, axis: int = 0) -> Array:
    return np.concatenate(parts, axis=axis)


def _sample(a: Any) -> Any:
    return np.ones((1,) * a.ndim, a.dtype) if isinstance(a, Node) else a


def _count(x: Node, total: Node) -> int:
    return int(np.prod(x.shape)) // max(1, int(np.prod(total.shape)))


def _key(a: Any) -> Any:
    if isinstance(a, Node):
        return id(a)
    if isinstance(a, np.ndarray):
        return ("array", a.shape, str(a.dtype), a.tobytes())
    return (type(a).__name__, repr(a))


__all__ = ["Graph", "Node"]

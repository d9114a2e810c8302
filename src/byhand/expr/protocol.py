"""Symbolic arrays as NumPy and Python see them: NumPy's functions, methods, and clear refusals of what has no meaning.

NumPy hands `np.tanh(X)`, `np.sum(X, axis=0)`, `array * X` to `__array_ufunc__` and `__array_function__` of a node; the
two tables below say which function of the vocabulary each one is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn

import numpy as np

from byhand.errors import ByhandError, ParseError, nearest
from byhand.expr.arrays import axes_of
from byhand.expr.dims import Dimension, multiply_dims
from byhand.expr.nodes import Expr
from byhand.expr.operands import lift, misfit, sketch
from byhand.expr.surface import compare, minus, multiply, plus
from byhand.expr.vocabulary import VOCABULARY, is_mask

V: dict[str, Callable[..., Expr]] = VOCABULARY
METHODS = (
    "sum", "mean", "max", "min", "var", "std", "cumsum", "argmax", "clip", "reshape", "squeeze", "ravel", "flatten", "copy",
    "astype", "trace", "dot", "transpose", "swapaxes", "diagonal",
)  # fmt: skip
_COMPARISONS = {
    "greater": ">",
    "less": "<",
    "greater_equal": ">=",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}


def _inner(a: Any, b: Any) -> Expr:
    """NumPy's inner product: over the last axes."""
    x, y = lift(a), lift(b)
    if x.ndim > 2 or y.ndim > 2:
        raise misfit("np.inner({0}, {1}): stacks of matrices are multiplied by @ or einsum", [x, y])
    return multiply(x, y) if not (x.ndim and y.ndim) else V["matmul"](x, V["transpose"](y))


def _dot(a: Any, b: Any) -> Expr:
    """NumPy's dot for scalars, vectors and matrices."""
    x, y = lift(a), lift(b)
    if y.ndim > 2 or (x.ndim > 2 and y.ndim > 1):
        raise misfit("np.dot({0}, {1}): stacks of matrices are multiplied by @ or einsum", [x, y])
    return multiply(x, y) if not (x.ndim and y.ndim) else V["matmul"](x, y)


def _einsum(spec: Any, *operands: Any) -> Expr:
    """einsum, with NumPy's rule for the output where none is given."""
    if isinstance(spec, str) and "->" not in spec and "." not in spec:
        letters = spec.replace(",", "").replace(" ", "")
        spec += "->" + "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    return V["einsum"](spec, *operands)


def _norm(x: Any, axis: Any = None, keepdims: bool = False) -> Expr:
    return V["norm"](x) if axis is None and not keepdims else V["sqrt"](V["sum"](V["square"](x), axis, keepdims))


def _heaviside(x: Any, half: Any) -> Expr:
    if half != 0:
        raise ParseError("np.heaviside(X, h): h = 0, the value that byhand's step has at zero")
    return V["step"](x)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Expr:
    low, high = a_min if min is None else min, a_max if max is None else max
    x = lift(a) if low is None else V["maximum"](a, low)
    return x if high is None else V["minimum"](x, high)


def _variance(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Expr:
    """The variance; divided by n - ddof."""
    found = V["var"](x, axis, keepdims)
    if not ddof:
        return found
    node, n = lift(x), lift(1)
    for k in axes_of(node, axis):
        n = multiply(n, node.shape[k])
    return multiply(found, V["divide"](n, minus(n, ddof)))


def _squeezed(x: Any, axis: Any = None) -> Expr:
    node = lift(x)
    gone = [k for k, n in enumerate(node.shape) if n == 1] if axis is None else axes_of(node, axis)
    if any(node.shape[k] != 1 for k in gone):
        raise misfit("np.squeeze({0}): an axis is longer than 1", [node])
    return node[tuple(0 if k in gone else slice(None) for k in range(node.ndim))] if gone else node


def _stacked(arrays: Any, axis: int = 0) -> Expr:
    nodes = [lift(a) for a in arrays]
    at = axis % (nodes[0].ndim + 1)
    return V["concatenate"]([n[(*(slice(None) for _ in range(at)), None)] for n in nodes], at)


def _rows_of(x: Any) -> Expr:
    node = lift(x)
    return node[None] if node.ndim < 2 else node


def _astype(x: Any, dtype: Any) -> Expr:
    """Masks as numbers; numbers stay what they are."""
    if np.dtype(dtype).kind in "iu" and not is_mask(lift(x)):
        raise ByhandError(f"{sketch(lift(x))}.astype({np.dtype(dtype)}): numbers are cut off, which has no derivative")
    return lift(x)


def length(x: Any) -> Any:
    """len(x) in a traced function: the length of a symbolic array may be a name."""
    return x.shape[0] if isinstance(x, Expr) and x.ndim else len(x)


def _logarithm(base: float) -> Callable[[Any], Expr]:
    return lambda x: V["divide"](V["log"](x), V["log"](base))


# NumPy's and SciPy's ufuncs by name, where the name differs from the vocabulary's
UFUNCS: dict[str, Callable[..., Expr]] = {
    **{name: V[name] for name in (
        "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
        "arcsinh", "sign", "sqrt", "square", "reciprocal", "negative", "add", "subtract", "multiply", "divide", "power",
        "matmul", "maximum", "minimum", "erf",
    )},
    **{name: lambda a, b, symbol=symbol: compare(a, symbol, b) for name, symbol in _COMPARISONS.items()},
    "absolute": V["abs"], "fabs": V["abs"], "true_divide": V["divide"], "float_power": V["power"], "positive": lift,
    "fmax": V["maximum"], "fmin": V["minimum"], "heaviside": _heaviside, "clip": _clip,
    "log2": _logarithm(2), "log10": _logarithm(10),
    "vecdot": lambda a, b: V["sum"](multiply(a, b), -1),
    "logaddexp": lambda a, b: plus(b, V["softplus"](minus(a, b))),
    "expit": V["sigmoid"], "log_expit": V["log_sigmoid"], "ndtr": V["normal_cdf"],
}  # fmt: skip

FUNCTIONS: dict[Any, Callable[..., Expr]] = {
    np.sum: lambda a, axis=None, keepdims=False: V["sum"](a, axis, keepdims),
    np.mean: lambda a, axis=None, keepdims=False: V["mean"](a, axis, keepdims),
    np.var: lambda a, axis=None, keepdims=False, ddof=0: _variance(a, axis, keepdims, ddof),
    np.std: lambda a, axis=None, keepdims=False, ddof=0: V["sqrt"](_variance(a, axis, keepdims, ddof)),
    np.max: lambda a, axis=None, keepdims=False: V["max"](a, axis, keepdims),
    np.min: lambda a, axis=None, keepdims=False: V["min"](a, axis, keepdims),
    np.amax: lambda a, axis=None, keepdims=False: V["max"](a, axis, keepdims),
    np.amin: lambda a, axis=None, keepdims=False: V["min"](a, axis, keepdims),
    np.cumsum: lambda a, axis=None: V["cumsum"](a, axis), np.argmax: lambda a, axis=-1: V["argmax"](a, axis),
    np.reshape: lambda a, shape: V["reshape"](a, shape), np.squeeze: _squeezed, np.ravel: lambda a: V["reshape"](a, -1),
    np.stack: _stacked, np.vstack: lambda tup: V["concatenate"]([_rows_of(a) for a in tup], 0), np.copy: lambda a: lift(a),
    np.hstack: lambda tup: V["concatenate"](list(tup), min(lift(tup[0]).ndim - 1, 1)),
    np.trace: lambda a: V["trace"](a),
    np.transpose: lambda a, axes=None: V["transpose"](a, axes),
    np.swapaxes: lambda a, axis1, axis2: V["swapaxes"](a, axis1, axis2),
    np.diag: lambda v: V["diag"](v), np.diagonal: lambda a: V["diag"](a),
    np.outer: lambda a, b: V["outer"](a, b), np.kron: lambda a, b: V["kron"](a, b),
    np.inner: _inner, np.dot: _dot, np.vdot: lambda a, b: V["inner"](a, b), np.einsum: _einsum,
    np.where: lambda condition, x, y: V["where"](condition, x, y), np.clip: _clip,
    np.concatenate: lambda arrays, axis=0: V["concatenate"](arrays, axis),
    np.expand_dims: lambda a, axis: lift(a)[_new_axis(lift(a), axis)],
    np.ones_like: lambda a: V["ones"](tuple(a.shape)), np.zeros_like: lambda a: V["zeros"](tuple(a.shape)),
    np.linalg.inv: lambda a: V["inv"](a), np.linalg.det: lambda a: V["det"](a),
    np.linalg.solve: lambda a, b: V["solve"](a, b), np.linalg.trace: lambda x: V["trace"](x),
    np.linalg.norm: lambda x, axis=None, keepdims=False: _norm(x, axis, keepdims),
    np.linalg.matrix_transpose: lambda x: V["swapaxes"](x, -1, -2), np.linalg.outer: lambda x, y: V["outer"](x, y),
    np.shape: lambda a: a.shape, np.ndim: lambda a: a.ndim, np.size: lambda a: _size(a),
}  # fmt: skip


# What np.NAME(...) in a text means: NumPy's meaning where the vocabulary's own differs (inner, dot)
MODULE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **VOCABULARY,
    **UFUNCS,
    **{f.__name__: function for f, function in FUNCTIONS.items() if f not in (np.shape, np.ndim, np.size)},
}


def _new_axis(x: Expr, axis: int) -> tuple[Any, ...]:
    at = axis if axis >= 0 else axis + x.ndim + 1
    return (*[slice(None)] * at, None)


def _size(x: Expr) -> Any:
    total: Any = 1
    for d in x.shape:
        total = multiply_dims(total, d)
    return total


def _call(shown: str, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The function of the vocabulary; options that are NumPy's own are refused by name."""
    given = {k: v for k, v in options.items() if v is not None and v is not np._NoValue}
    for option in ("out", "where", "dtype", "casting", "order", "subok", "optimize", "ord", "offset", "initial"):
        if option in given and not (option == "optimize" or given[option] is True):
            raise ByhandError(f"{shown}: the option {option} has no meaning for symbolic arrays", f"leave {option} out")
        given.pop(option, None)
    try:
        return function(*args, **given)
    except TypeError as error:
        raise ByhandError(
            f"{shown}: {str(error).replace('<lambda>()', 'it')}", "symbolic arrays take fewer options"
        ) from None


def array_ufunc(self: Expr, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """A NumPy or SciPy ufunc applied to nodes."""
    name = ufunc.__name__
    if method == "reduce" and name == "add":
        return _call("np.add.reduce", FUNCTIONS[np.sum], inputs, {"axis": 0, **options})
    if method != "__call__":
        raise ByhandError(f"np.{name}.{method} is unknown for symbolic arrays", "sum and einsum add along axes")
    if name not in UFUNCS:
        near = nearest(name, list(UFUNCS))
        raise ByhandError(
            f"np.{name} is unknown for symbolic arrays{near}",
            "a new elementwise function is one row of byhand/expr/functions.py",
        )
    return _call(f"np.{name}", UFUNCS[name], inputs, options)


def array_function(self: Expr, func: Any, types: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Another NumPy function applied to nodes."""
    module = getattr(func, "__module__", "numpy").replace("numpy", "np", 1)
    shown = f"{module}.{func.__name__}"
    if func not in FUNCTIONS:
        known = [f.__name__ for f in FUNCTIONS] + list(UFUNCS)
        near = nearest(func.__name__, known)
        raise ByhandError(f"{shown} is unknown for symbolic arrays{near}", "byhand.functions lists what there is")
    return _call(shown, FUNCTIONS[func], args, options)


# ---- what Python asks of a number or a sequence, and a symbolic array is not


def _refuse(what: str, *remedies: str) -> Callable[..., NoReturn]:
    def refuse(self: Expr, *args: object, **options: object) -> NoReturn:
        raise ByhandError(what.format(x=sketch(self)), *remedies)

    return refuse


def _length(self: Expr) -> int:
    if self.ndim and isinstance(self.shape[0], int):
        return self.shape[0]
    raise ByhandError(
        f"len({sketch(self)}): the length is {self.shape[0] if self.ndim else 'that of a scalar'}, which is no integer",
        "shape[0] is the symbolic length; it works as a number: 1/X.shape[0]",
    )


def _rows(self: Expr) -> Iterator[Expr]:
    if self.ndim and isinstance(self.shape[0], int):
        return (self[i] for i in range(self.shape[0]))
    raise ByhandError(
        f"{sketch(self)} cannot be iterated over: its length is symbolic", "write the loop as a product or an einsum"
    )


def _equals(self: Expr, other: object) -> Any:
    """Nodes are equal when they are the same; in a traced function, == is the mask of equal entries."""
    if isinstance(other, (int, float, np.ndarray, np.number, Dimension)) or (
        isinstance(other, Expr) and _from_outside()
    ):
        return compare(self, "==", other)  # type: ignore[arg-type]
    return NotImplemented


def _differs(self: Expr, other: object) -> Any:
    if isinstance(other, (int, float, np.ndarray, np.number, Dimension)) or (
        isinstance(other, Expr) and _from_outside()
    ):
        return compare(self, "!=", other)  # type: ignore[arg-type]
    return NotImplemented


TRACING: ContextVar[bool] = ContextVar("tracing", default=False)  # whether a traced function is running in this thread


def _from_outside() -> bool:
    """Whether the caller's caller is the user's traced function, not the library."""
    return TRACING.get() and not sys._getframe(2).f_globals.get("__name__", "").startswith("byhand.")


def _install() -> None:
    kinds: dict[str, Any] = {
        "__array_ufunc__": array_ufunc,
        "__array_function__": array_function,
        "__array__": _refuse(
            "{x} is symbolic and has no values to make a NumPy array of",
            "byhand.evaluate(expression, X=...) gives values",
        ),
        "__bool__": _refuse(
            "the truth of {x} is unknown: it is symbolic",
            "instead of if, and, or: byhand.functions.where(condition, a, b), maximum, minimum, relu",
        ),
        "__float__": _refuse(
            "{x} is symbolic and no number", "functions of math take numbers: use those of NumPy or byhand.functions"
        ),
        "__int__": _refuse("{x} is symbolic and no integer"),
        "__index__": _refuse("{x} is symbolic and no integer"),
        "__complex__": _refuse("{x} is symbolic and no number"),
        "__setitem__": _refuse(
            "{x}[...] = ...: symbolic arrays do not change",
            "build the new array: byhand.functions.where(mask, a, b), concatenate",
        ),
        "__len__": _length,
        "__iter__": _rows,
        "__eq__": _equals,
        "__ne__": _differs,
        "__hash__": object.__hash__,
        "__abs__": lambda self: V["abs"](self),
        "__pos__": lambda self: self,
        "size": property(_size),
        "diagonal": lambda self: V["diag"](self),
    }  # fmt: skip
    for name, value in kinds.items():
        setattr(Expr, name, value)
    for name in METHODS[:-1]:
        setattr(Expr, name, _method(name))


_OWN_METHODS: dict[str, Callable[..., Any]] = {
    "dot": _dot, "var": _variance, "std": FUNCTIONS[np.std], "squeeze": _squeezed, "ravel": FUNCTIONS[np.ravel],
    "flatten": FUNCTIONS[np.ravel], "copy": lift, "astype": _astype, "clip": _clip,
}  # fmt: skip


def _method(name: str) -> Callable[..., Expr]:
    function = _OWN_METHODS.get(name) or V[name]

    def method(self: Expr, *args: Any, **options: Any) -> Any:
        if name == "transpose" and len(args) > 1:
            args = (args,)
        return _call(f".{name}", function, (self, *args), options)

    method.__name__, method.__doc__ = name, function.__doc__
    return method


_install()

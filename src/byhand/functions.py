"""The functions of the expression language for Python code: symbolic arrays give nodes, NumPy arrays give values.

A function written with them can be traced and can be run:

>>> import numpy as np
>>> from byhand.functions import cross_entropy, relu
>>> def loss(W, X, y):
...     H = relu(X @ W)
...     return cross_entropy(H, y).mean()
>>> round(float(loss(np.eye(2), np.eye(2), np.array([0, 1]))), 6)
0.313262
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from byhand.errors import nearest
from byhand.expr.dims import Dimension
from byhand.expr.evaluate import as_array, evaluate_node
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Expr, Symbol, symbol
from byhand.expr.protocol import TRACING
from byhand.expr.vocabulary import VOCABULARY


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic) or (
        isinstance(x, list) and any(isinstance(v, (list, float)) for v in x)
    )


def _any(values: Any, test: Callable[[Any], bool]) -> bool:
    return any(test(v) or (isinstance(v, (tuple, list)) and type(v) in (tuple, list) and _any(v, test)) for v in values)


def _either(name: str, build: Callable[..., Any]) -> Callable[..., Any]:
    """The function on nodes or on arrays."""
    creates = name in ("eye", "ones", "zeros", "arange")

    @wraps(build)
    def function(*args: Any, **options: Any) -> Any:
        values = [*args, *options.values()]
        if _any(values, lambda v: isinstance(v, (Expr, Dimension))) or (creates and TRACING.get()):
            return build(*args, **options)
        if name == "arange":
            return np.arange(*args, **options)
        if name in FUNCTIONS and len(args) == 1 and not options:
            return FUNCTIONS[name].numpy(np.asarray(args[0], dtype=None if np.iscomplexobj(args[0]) else float))[()]
        given: dict[Expr, Any] = {}

        def lifted(value: Any) -> Any:
            if type(value) in (tuple, list) and _any(value, lambda v: isinstance(v, np.ndarray)):
                return tuple(map(lifted, value))
            if not _is_array(value):
                return value
            array = np.asarray(value)
            s: Symbol = symbol(f"argument{len(given)}", array.shape, ["01"] if array.dtype == bool else [])
            given[s] = (
                array
                if array.dtype.kind in "iu" and name in ("one_hot", "cross_entropy")
                else as_array(s.name, array, s)
            )
            return s

        node = build(*map(lifted, args), **{k: lifted(v) for k, v in options.items()})
        return evaluate_node(node, given, {})[()]

    function.__name__ = function.__qualname__ = name
    return function


_TABLE = {name: _either(name, build) for name, build in VOCABULARY.items()}
globals().update(_TABLE)
__all__ = sorted(_TABLE)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name in VOCABULARY:  # defined since
        return _either(name, VOCABULARY[name])
    raise AttributeError(f"byhand.functions has no {name}{nearest(name, list(_TABLE))}")


def __dir__() -> list[str]:
    return __all__

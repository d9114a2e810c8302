"""Generated JAX source as a function of arrays that checks its arguments."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from byhand.code.function import CompiledFunction, computed_in
from byhand.code.stand_ins import checked_by_shape
from byhand.errors import ByhandError

jax: Any = import_module("jax") if find_spec("jax") else None


class JaxFunction(CompiledFunction):
    """A generated function of JAX arrays, compiled by `jax.jit` at its first call; NumPy arrays and lists are taken too.

    float64 stays float64, also where JAX's default is float32.

    Attributes:
        raw: the function itself: positional arrays in the order of `inputs`, unchecked; to be traced, mapped, compiled.
    """

    library = "jax"

    def __init__(self, *args: Any, **options: Any) -> None:
        if jax is None:
            raise ByhandError("JAX is not installed", "pip install byhand[jax]")
        super().__init__(*args, **options)

    @cached_property
    def _jitted(self) -> Any:
        return jax.jit(self.raw)

    def __call__(self, /, **arrays: Any) -> Any:
        """The results for the given arrays.

        Raises: DataError: an array is missing, unknown, of the wrong shape or kind, or a label is out of range.
        """
        checked_by_shape(self, {name: _stand_in(a) for name, a in arrays.items()}, arrays)
        floats = [_computed_in(a) for n in self.inputs if (a := arrays[n]) is not None and _is_float_array(a)]
        dtype = np.result_type(*floats) if floats else np.dtype(np.float64)
        with _precision(dtype):
            values = [_value(arrays[s.name], dtype, "labels" in s.assumptions) for s in self.program.inputs]
            return jax.tree.map(lambda a: jax.numpy.asarray(a, dtype), self._jitted(*values))


def _is_float_array(a: Any) -> bool:
    return isinstance(a, np.ndarray | np.generic | jax.Array) and jax.numpy.issubdtype(a.dtype, jax.numpy.floating)


def _computed_in(a: Any) -> Any:
    """The type that an array is computed in: that of a JAX array, whatever it is, else one that all operations have."""
    return a.dtype if isinstance(a, jax.Array) else computed_in(a.dtype)


def _value(array: Any, dtype: Any, labels: bool) -> Any:
    if labels:
        return jax.numpy.asarray(array)
    return jax.numpy.asarray(array if isinstance(array, jax.Array) else np.asarray(array, dtype), dtype)


def _stand_in(value: Any) -> Any:
    """An array of the shape and kind of a JAX array, without its memory."""
    if not isinstance(value, jax.Array):
        return value
    kinds = {"c": "complex128", "i": "int64", "u": "int64", "b": "int64"}
    return np.broadcast_to(np.zeros((), kinds.get(value.dtype.kind, "float64")), value.shape)


def _precision(dtype: Any) -> AbstractContextManager[Any]:
    """float64 switched on where it is needed and off by default."""
    if dtype != np.float64 or jax.config.jax_enable_x64:
        return nullcontext()
    return double_precision()


def double_precision() -> AbstractContextManager[Any]:
    """A context in which JAX keeps float64; what it does elsewhere in the process is left alone."""
    place = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")  # where it was before JAX 0.8
    found: AbstractContextManager[Any] = place.enable_x64(True)
    return found


__all__ = ["JaxFunction", "double_precision"]

"""A C file as a Python function: arrays checked, compiled for their sizes, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import local
from typing import Any

import numpy as np

from byhand.code.c.compiler import library, needed_compiler
from byhand.code.c.source import CFile, c_file
from byhand.code.function import CompiledFunction
from byhand.code.statements import Listing
from byhand.expr.dims import Shape, dim_value
from byhand.expr.evaluate import read_sizes
from byhand.expr.nodes import Expr, Symbol

Array = Any
_REALS: dict[str, Any] = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}


class CFunction(CompiledFunction):
    """Generated C behind a check of its arguments; compiled once for each set of sizes and each of float and double.

    Attributes:
        source: the C of the latest call, or, before one, the file without sizes.
        raw: positional arrays in the order of `inputs`, unchecked.

    Args:
        program: what was lowered.
        roots: the nodes that it computes.
        declared: inputs that were declared; those that are not needed may be given all the same.
        parameters: of a network, its parameters.
    Raises: MissingRuleError: an operation that C has no row for. ByhandError: there is no C compiler.
    """

    def __init__(
        self, program: Listing, roots: list[Expr], declared: Iterable[Symbol] = (), parameters: Sequence[str] = ()
    ) -> None:
        source = c_file(program, {}, "double", tuple(parameters)).source
        needed_compiler()
        super().__init__(program, source, roots, declared)
        self._parameters, self._listing = tuple(parameters), program
        self._calls: dict[tuple[Any, ...], CCall] = {}

    def _made(self) -> Callable[..., Any]:
        return self._called

    def _called(self, *values: Array) -> Any:
        dtype = next((v.dtype for v in values if v.dtype.kind == "f"), np.dtype(np.float64))
        kind = "double" if dtype.itemsize == 8 else "float"
        inputs = zip(self.program.inputs, values, strict=True)
        known = read_sizes({s.name: (s.shape, np.shape(v)) for s, v in inputs})
        sizes = {d: n for d, n in known.items() if d in self.program.dims}
        key = (kind, *sorted(sizes.items()))
        if key not in self._calls:
            made = c_file(self._listing, sizes, kind, self._parameters)
            self._calls[key] = CCall(made, self._listing, sizes, library(made.source))
            self.source = made.source
        value, results = self._calls[key]({s.name: v for s, v in zip(self.program.inputs, values, strict=True)})
        if self.program.value is not None:
            return value, {name: results[name] for name in self.program.outputs}
        found = {
            name: value if value is not None and name not in results else results[name] for name in self.program.outputs
        }
        return next(iter(found.values())) if len(found) == 1 else found


class CCall:
    """A loaded C file with memory of its own for each thread: callable({name: array}) -> (value, {result: array}).

    Args:
        made: the file.
        program: what it was made from.
        sizes: of the named dimensions.
        loaded: the library.
        rename: the names of the functions in the library, where they are others.
    """

    def __init__(
        self, made: CFile, program: Listing, sizes: Mapping[str, int], loaded: ctypes.CDLL,
        rename: Callable[[str], str] = str,
    ) -> None:  # fmt: skip
        self.made, self.sizes, self.real = made, sizes, _REALS[made.dtype]
        self.functions = [(made.functions[n], getattr(loaded, rename(n))) for n in made.functions if n != "sgd_step"]
        number = ctypes.c_double if made.dtype == "double" else ctypes.c_float
        self.functions[0][1].restype = number if made.returned is not None else None
        for _, function in self.functions[1:]:
            function.restype = None
        self.number = number
        shapes = {s.result: s.shape for s in program.statements if s.result}
        self.results = {name: self.shape(shapes[name]) for name in made.results}
        self.parameters = [s for s in program.inputs if made.network and s.name in made.parameters]
        self.needed = max(1, sum(self.size(s) for s in made.workspace.values()))
        self.workspaces = local()

    def shape(self, shape: Shape) -> tuple[int, ...]:
        return tuple(dim_value(d, self.sizes) for d in shape)

    def size(self, shape: Shape) -> int:
        return int(np.prod(self.shape(shape), dtype=np.int64))

    @property
    def memory(self) -> Array:
        """The workspace of this thread: Python's lock is open while C runs."""
        if not hasattr(self.workspaces, "array"):
            self.workspaces.array = np.zeros(self.needed, self.real)
        return self.workspaces.array

    def __call__(self, arrays: Mapping[str, Array]) -> tuple[float | None, dict[str, Array]]:
        given = {name: self._argument(s, arrays[s.name]) for name, s in self.made.inputs.items()}
        results = {name: np.zeros(shape, self.real) for name, shape in self.results.items()}
        places: dict[str, Any] = dict(given) | {"w": self.memory}
        if self.parameters:
            flat = [np.ravel(arrays[s.name]) for s in self.parameters]
            places["p"] = np.concatenate(flat, dtype=self.real)
            places["g"] = gathered = np.zeros_like(places["p"])
            start = 0
            for s in self.parameters:
                shape = results[s.name].shape
                count = int(np.prod(shape))
                results[s.name] = gathered[start : start + count].reshape(shape)
                start += count
        else:
            places |= {held: results[name] for name, held in self.made.results.items()}
        value = None
        for position, (order, function) in enumerate(self.functions):
            found = function(*(self._passed(places[name]) for name in order))
            value = found if position == 0 else value
        return value, results

    def _argument(self, s: Symbol, value: Array) -> Array:
        if "labels" in s.assumptions:
            return np.require(value, np.intc, ["C", "A"]) if s.shape else ctypes.c_int(int(value))
        return np.require(value, self.real, ["C", "A"]) if s.shape else self.number(float(value))

    def _passed(self, value: Any) -> Any:
        return ctypes.c_void_p(value.ctypes.data) if isinstance(value, np.ndarray) else value


__all__ = ["CCall", "CFunction"]

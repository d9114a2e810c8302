"""Generated source as a function that checks its arguments."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from byhand.code.layout import docstring
from byhand.code.statements import Listing
from byhand.errors import ByhandError, DataError
from byhand.expr.dims import dim_value
from byhand.expr.evaluate import bind, check_slice, evaluate_nodes
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Structured, Symbol, topological
from byhand.expr.plain import check_numbers, numbers
from byhand.memory import within_memory
from byhand.threads import syntax_tree

Array = Any


class CompiledFunction:
    """A generated function behind a check of its arguments.

    Attributes:
        source: its source.
        raw: the function itself: positional arrays in the order of `inputs`, unchecked.
        inputs: names of the arguments, in order.

    Args:
        program, source: what was generated.
        roots: the nodes that it computes.
        declared: inputs that were declared; those that are not needed may be given all the same.
    """

    library: ClassVar[str] = "numpy"

    def __init__(self, program: Listing, source: str, roots: list[Expr], declared: Iterable[Symbol] = ()) -> None:
        self.program, self.source = program, source
        self._declared = tuple(dict.fromkeys([*program.inputs, *declared]))
        self.inputs = tuple(s.name for s in program.inputs)
        self.raw: Callable[..., Any] = self._made()
        self._roots = roots
        self.__doc__ = "\n".join(docstring(program)).strip('"')

    def _made(self) -> Callable[..., Any]:
        """The function itself."""
        names = [self.program.names[s] for s in self.program.inputs]
        return _executed(self.source, self.program.function, names, self.library)

    def __call__(self, /, **arrays: Any) -> Any:
        """The results for the given arrays.

        Half precision is computed in single, long double in double precision.

        Raises: DataError: an array is missing, unknown, of the wrong shape or kind, or a label is out of range; a matrix
            to be inverted is singular; the arrays between do not fit into memory.
        """
        values = self.checked(arrays)
        dtype = next((v.dtype for v in values if v.dtype.kind == "f"), np.dtype(np.float64))
        # results of the inputs' type, also where a result is a plain number
        return each_result(self.run(*values), lambda a: np.asarray(a, dtype)[()])

    def run(self, *values: Any) -> Any:
        """`raw`, with errors that name the array of the user.

        Raises: DataError: a matrix is singular, or memory runs out.
        """
        try:
            with within_memory(f"what {self.program.function} computes from these arrays"):
                return self.raw(*values)
        except Exception as error:
            if not type(error).__name__.endswith("LinAlgError"):  # NumPy's, SciPy's and PyTorch's
                raise
            self._name_singular(values)
            raise DataError(f"a matrix to be inverted is singular, or has no number in it: {error}") from None

    def _name_singular(self, values: Sequence[Any]) -> None:
        """Raise the interpreter's error about these arguments, which names the matrix."""
        arrays = {s.name: to_numpy(v) for s, v in zip(self.program.inputs, values, strict=True)}
        bound, sizes = bind(self._expression, arrays)
        with np.errstate(all="ignore"):
            evaluate_nodes(self._roots, bound, sizes)

    @cached_property
    def _expression(self) -> Expression:
        from byhand.expr.contraction import add, contract

        ones = [contract([(s, range(s.ndim), 1)], ()) for s in self.program.inputs]  # type: ignore[list-item]
        return Expression(add(*ones), self._declared) if ones else Expression(self._roots[0])

    @cached_property
    def _nodes(self) -> list[Structured]:
        return [n for n in topological(self._roots) if isinstance(n, Structured)]

    @cached_property
    def _numbers(self) -> list[tuple[Expr, Fraction]]:
        return numbers(self._roots)

    def check(self, arrays: Mapping[str, Any]) -> dict[Expr, Array]:
        """The arguments by input: all there, of fitting shapes, real, not empty, labels in range.

        Raises: DataError: they are not.
        """
        values, sizes = bind(self._expression, arrays)
        for s in self.program.inputs:
            if values[s].dtype.kind == "c":
                raise DataError(f"{s.name}: a real array is needed, not {values[s].dtype}")
        self._check_indices(values, sizes)
        check_numbers(self._numbers, sizes)
        return values

    def checked(self, arrays: Mapping[str, Any]) -> list[Array]:
        """The arguments of `raw`: checked, of one floating-point type."""
        values = self.check(arrays)
        given = [arrays[n].dtype for n in self.inputs if isinstance(arrays[n], (np.ndarray, np.generic))]
        floats = [computed_in(t) for t in given if t.kind == "f"]
        dtype = np.result_type(*floats) if floats else np.dtype(np.float64)
        return [_real(values[s], s, dtype) for s in self.program.inputs]

    def _check_indices(self, values: Mapping[Expr, Array], sizes: Mapping[str, int]) -> None:
        for n in self._nodes:
            if n.operation == "one_hot" and isinstance(n.args[0], Symbol):
                labels, classes = values[n.args[0]], dim_value(n.attributes[0], sizes)
                low, high = int(labels.min()), int(labels.max())
                if low < 0 or high >= classes:
                    raise DataError(f"{n.args[0].name}: a label is outside 0..{classes - 1}: {low}..{high}")
            elif n.operation == "affine":
                check_slice(n.attributes, sizes)


def computed_in(dtype: Any) -> Any:
    """The type that numbers of a floating type are computed in: half precision in single, long double in double."""
    return np.dtype(np.float32) if dtype.itemsize < 4 else np.dtype(np.float64) if dtype.itemsize > 8 else dtype


def to_numpy(value: Any) -> Array:
    """A NumPy array of what a target computes with: a tensor, a JAX array."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _real(value: Array, s: Symbol, dtype: np.dtype[Any]) -> Array:
    """An array of the common type; a scalar where there are no axes."""
    if "labels" not in s.assumptions:
        value = value.astype(dtype, copy=False)
    return value if value.ndim else value[()]


def each_result(result: Any, convert: Callable[[Any], Any]) -> Any:
    """Every array of what a generated function returns, converted: an array, a dict of them, or a value and a dict."""
    match result:
        case (value, gradients):
            return each_result(value, convert), each_result(gradients, convert)
        case dict():
            return {name: convert(a) for name, a in result.items()}
        case _:
            return convert(result)


def _executed(source: str, name: str, arguments: list[str], library: str) -> Callable[..., Any]:
    """The function that the source defines: source of our own, whose names are checked once more."""
    for word in arguments:
        if not word.isidentifier() or keyword.iskeyword(word):
            raise ByhandError(f"{word!r} is not a name in Python")
    for node in ast.walk(syntax_tree(source)):
        if isinstance(node, ast.Import) and not {a.name.split(".")[0] for a in node.names} <= {library, "math"}:
            raise ByhandError(f"generated code imports {library} only")
    scope: dict[str, Any] = {"__name__": "byhand.generated"}
    exec(compile(source, f"<byhand: {name}>", "exec"), scope)
    function: Callable[..., Any] = scope[name]
    return function

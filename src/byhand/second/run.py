"""Nodes to functions of arrays: generated code where `byhand.code` prints the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.expr.contraction import number
from byhand.expr.dims import Dim, Shape, dim_names, dim_value, show_shape
from byhand.expr.evaluate import bind
from byhand.expr.expression import Expression
from byhand.expr.nodes import Expr, Structured, topological
from byhand.views import Code


class Parts:
    """Several nodes as one generated function, for many calls: arguments are checked quickly where they are plain.

    Attributes:
        names: the inputs that the function needs, for values or sizes.
    """

    def __init__(self, nodes: Sequence[Expr], e: Expression, shape: Shape) -> None:
        from byhand.code.function import CompiledFunction
        from byhand.code.listing import list_expressions, needed_inputs
        from byhand.code.source import numpy_source

        self.shape = shape
        self.known = dict(e.symbols)
        roots = {f"part{k}": n for k, n in enumerate(nodes)}
        self.program = list_expressions(roots, needed_inputs(list(roots.values()), e.symbols.values()))
        self.function = CompiledFunction(self.program, numpy_source(self.program), list(nodes))
        self.several = len(nodes) > 1
        self.spec = [(n, tuple(_plain(d) for d in self.known[n].shape)) for n in self.function.inputs]
        needed = {d for size in shape for d in dim_names(size)}
        have = {d for _, spec in self.spec for d in spec if isinstance(d, str)}
        for name, symbol in self.known.items():
            spec = tuple(_plain(d) for d in symbol.shape)
            if (needed - have) & {d for d in spec if isinstance(d, str)}:
                self.spec.append((name, spec))
                have |= {d for d in spec if isinstance(d, str)}
        index = any(isinstance(n, Structured) and n.operation in ("one_hot", "affine") for n in topological(nodes))
        self.quick = not index and all(d is not None for _, spec in self.spec for d in spec)

    def __call__(self, arrays: Mapping[str, Any]) -> tuple[list[Any], tuple[int, ...]]:
        """The values of the nodes, and the sizes of the derivative's axes."""
        sizes = self._quick_sizes(arrays) if self.quick else None
        if sizes is not None:
            found = self.function.raw(*(arrays[n] for n in self.function.inputs))
        else:
            used = {n: a for n, a in arrays.items() if n not in self.known or n in {m for m, _ in self.spec}}
            _, sizes = bind(Expression(number(1), tuple(self.known[n] for n, _ in self.spec)), used)
            for n, _ in self.spec:
                if n not in arrays:
                    raise DataError(f"missing: {n} {show_shape(self.known[n].shape)}")
            found = self.function(**{n: arrays[n] for n in self.function.inputs})
        return (list(found.values()) if self.several else [found]), tuple(dim_value(d, sizes) for d in self.shape)

    def _quick_sizes(self, arrays: Mapping[str, Any]) -> dict[str, int] | None:
        """The sizes of the dimensions where all arrays are plain and fit; None where the full check has to speak."""
        sizes: dict[str, int] = {}
        for name, spec in self.spec:
            a = arrays.get(name)
            if type(a) is not np.ndarray or a.dtype != np.float64 or a.ndim != len(spec) or not a.size or not a.ndim:
                return None
            for d, size in zip(spec, a.shape, strict=True):
                if sizes.setdefault(d, size) != size if isinstance(d, str) else d != size:
                    return None
        return sizes if all(n in self.known for n in arrays) else None


def _plain(d: Dim) -> str | int | None:
    """A dimension that is one name or a number."""
    if isinstance(d, int):
        return d
    names = dim_names(d)
    return str(d) if names == {str(d)} else None


def compiled(nodes: Mapping[str, Expr], e: Expression, target: str = "numpy") -> Callable[..., Any]:
    """callable(**arrays) -> the value of the node, or {name: value} where there are several.

    Args:
        nodes: what to compute, by name.
        e: an expression that declares the inputs.
        target: as for `byhand.code`; "interpreter" evaluates without generated code.
    """
    if target == "interpreter":
        return _interpreted(nodes, e)
    from byhand.code import node_program, program_function
    from byhand.code.listing import needed_inputs

    program = node_program(nodes, needed_inputs(list(nodes.values()), e.symbols.values()), target)
    function = program_function(program, list(nodes.values()), target=target)
    known, used = set(e.symbols), set(function.inputs)

    def run(**arrays: Any) -> Any:
        return function(**{n: a for n, a in arrays.items() if n in used or n not in known})

    return run


def _interpreted(nodes: Mapping[str, Expr], e: Expression) -> Callable[..., Any]:
    from byhand.code.listing import needed_inputs
    from byhand.expr.evaluate import bind, evaluate_nodes

    inputs = needed_inputs(list(nodes.values()), e.symbols.values())

    def run(**arrays: Any) -> Any:
        used = {s.name for s in inputs}
        known = set(e.symbols)
        root = next(iter(nodes.values()))
        values, sizes = bind(Expression(root, inputs), {n: a for n, a in arrays.items() if n in used or n not in known})
        done = evaluate_nodes(list(nodes.values()), values, sizes)
        return done[root] if len(nodes) == 1 else {name: done[n] for name, n in nodes.items()}

    return run


def source(nodes: Mapping[str, Expr], e: Expression, target: str = "numpy") -> Code:
    """Source of a function that computes the nodes."""
    from byhand.code import node_program, program_source
    from byhand.code.listing import needed_inputs

    inputs = needed_inputs(list(nodes.values()), e.symbols.values())
    return program_source(node_program(nodes, inputs, target), target)

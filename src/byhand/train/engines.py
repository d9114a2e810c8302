"""The table of engines, and which of them suits a fit: expected work weighed against start-up and compilation.

The time of a fit is start-up + compilation of each batch size + steps * (time of a step). A step is the overhead of its
array operations, plus what it reads and writes, plus its products. The constants are those of one machine (2 cores of
an Intel Xeon with AVX-512, float32 and float64 weighed alike): only their ratios matter, and a faster engine is taken
only where it saves more than it can cost, so that a small fit is never slowed by a compiler. The choice depends on the
work alone, not on what the process did before: the same fit is made by the same engine.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from math import prod
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import ByhandError, ParseError, nearest
from byhand.train.program import TrainingProgram

COMPILER = "a C compiler"
MARGIN = 2.0  # how many times its start-up and compilation an engine must save


class Engine(NamedTuple):
    """A row.

    Attributes:
        name: what users call it.
        home: module and function or class that make it.
        needs: the package that it imports, or a compiler, "" for none; what installs it.
        start: seconds to import and start it.
        compile, compile_operation: seconds for each batch size, and for each array operation in it.
        step, operation: seconds of overhead for each step, and for each array operation in it.
        element: seconds for each entry that an operation other than a product writes; less where operations are fused.
        multiplication: seconds for each multiplication and addition of a product.
        words: what it is.
    """

    name: str
    home: tuple[str, str]
    needs: tuple[str, str]
    start: float
    compile: float
    compile_operation: float
    step: float
    operation: float
    element: float
    multiplication: float
    words: str

    @property
    def available(self) -> bool:
        """Whether it can run here."""
        if self.needs[0] == COMPILER:
            from byhand.code.c.compiler import compiler_command

            return compiler_command() is not None
        return not self.needs[0] or find_spec(self.needs[0]) is not None

    def make(self) -> Callable[..., Any]:
        """What makes it: see `StepEngine`.

        Raises: ByhandError: a package is missing.
        """
        if not self.available:
            package, install = self.needs
            raise ByhandError(
                f"engine={self.name!r} needs {package}, which is not installed", f"{install}, or engine='numpy'"
            )
        found: Callable[..., Any] = getattr(import_module(self.home[0]), self.home[1])
        return found

    def seconds(self, work: Work) -> float:
        """The expected time of a fit."""
        return self.preparation(work) + work.steps * (
            self.step
            + self.operation * work.operations
            + self.element * work.elements
            + self.multiplication * work.multiplications
        )

    def preparation(self, work: Work) -> float:
        """Start-up and compilation."""
        return self.start + work.sizes * (self.compile + self.compile_operation * work.operations)


class Work(NamedTuple):
    """What a fit is made of.

    Attributes:
        steps: in all.
        sizes: how many batch sizes there are.
        operations: array operations of a step.
        elements: entries that they and the update write, products and views left out.
        multiplications: of the products.
    """

    steps: int
    sizes: int
    operations: int
    elements: int
    multiplications: int

    @classmethod
    def of(cls, program: TrainingProgram, samples: int, batch: int, epochs: int, dtype: Any, passes: int = 2) -> Work:
        """The work of a fit of so many epochs by an optimizer that passes so often over the parameters."""
        whole, rest = divmod(samples, batch)
        graph = program.graph(batch, np.dtype(dtype))
        real = [n for n in graph.nodes if n.kind not in ("input", "view", "scalar")]
        elements = sum(prod(n.shape) for n in real if n.kind != "matmul") + passes * program.count
        return cls(epochs * (whole + bool(rest)), 1 + bool(rest and whole), len(real), elements, graph.multiplications)


_TABLE = (
    Engine("numpy", ("byhand.train.numpy_engine", "NumpyEngine"), ("", ""),
           0.0, 0.001, 0.0, 4e-6, 0.8e-6, 1.8e-10, 1.2e-11, "NumPy, in place; starts at once"),
    Engine("jax", ("byhand.train.mesh_engine", "jax_engine"), ("jax", "pip install 'byhand[jax]'"),
           0.8, 0.3, 0.002, 1e-6, 0.12e-6, 0.4e-10, 1.2e-11, "a whole epoch compiled by XLA; CPU or GPU, one or many"),
    Engine("c", ("byhand.train.c_engine", "CEngine"), (COMPILER, "pip install 'byhand[c]', or CC=/path/to/compiler"),
           0.2, 0.25, 0.02, 0.1e-6, 0.02e-6, 1.0e-9, 2.0e-10, "an epoch in one call of generated C; for small networks"),
)  # fmt: skip
ENGINES: dict[str, Engine] = {row.name: row for row in _TABLE}


def engine_row(name: str) -> Engine:
    """The row of an engine.

    Raises: ParseError: an unknown name.
    """
    if name not in ENGINES:
        known = [*ENGINES, "auto"]
        raise ParseError(f"unknown engine {str(name)[:40]}{nearest(str(name), known)}", f"known: {', '.join(known)}")
    return ENGINES[name]


def _compiler_works() -> bool:
    from byhand.code.c.compiler import compiler_works

    return compiler_works()


def chosen(work: Work) -> str:
    """The engine for a fit: the first row, unless another that can run here saves enough."""
    first, *others = ENGINES.values()
    best = first
    for row in others:
        saved = first.seconds(work) - (row.seconds(work) - row.preparation(work))
        pays = saved > MARGIN * row.preparation(work) and row.seconds(work) < best.seconds(work)
        if pays and row.available and (row.needs[0] != COMPILER or _compiler_works()):
            best = row
    return best.name


__all__ = ["ENGINES", "Engine", "Work", "chosen", "engine_row"]

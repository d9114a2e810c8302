"""The table of optimizers: one row each, the update written once, in byhand's own language, for every engine.

An update is an expression of the parameters p, their gradient g, the state, the rate lr, the step t (from 1) and the row's
settings; what a line gives takes the place of what had the name. Every engine runs the program that it is lowered to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from byhand.errors import ParseError, nearest
from byhand.expr.dims import named_dimension
from byhand.expr.nodes import Expr, named, symbol
from byhand.expr.parse import read_node
from byhand.expr.source import Source
from byhand.program.calls import Graph
from byhand.program.inplace import InPlace
from byhand.program.lower import Program, lower

Array = Any
NUMBERS = ("lr", "t")  # arguments of an update that are known at each step only
BLOCK = 32768  # entries updated together, so that the buffers stay in the cache


class Optimizer(NamedTuple):
    """A row.

    Attributes:
        name: what users call it.
        state: the names of its vectors, zero at the start.
        settings: name -> default.
        update: the lines of the update.
        rate: the learning rate by default.
        words: what it is.
        source: where it is written down.
    """

    name: str
    state: tuple[str, ...]
    settings: Mapping[str, float]
    update: str
    rate: float
    words: str
    source: str


_ADAM = """
m = beta1*m + (1 - beta1)*g
v = beta2*v + (1 - beta2)*g**2
scale = (1 - beta2**t)**0.5
p = p - lr * scale / (1 - beta1**t) * m / (sqrt(v) + eps * scale)
"""
_TABLE = (
    Optimizer("sgd", (), {}, "p = p - lr*g", 0.05,
              "p - lr g", "Robbins and Monro (1951)"),
    Optimizer("momentum", ("m",), {"momentum": 0.9}, "m = momentum*m + g\np = p - lr*m", 0.05,
              "m = μ m + g, p - lr m", "Polyak (1964)"),
    Optimizer("nesterov", ("m",), {"momentum": 0.9}, "m = momentum*m + g\np = p - lr*(momentum*m + g)", 0.05,
              "momentum that looks ahead", "Nesterov (1983); Sutskever et al. (2013)"),
    Optimizer("adam", ("m", "v"), {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}, _ADAM, 0.003,
              "each entry by its own mean and variance", "Kingma and Ba (2015)"),
    Optimizer("adamw", ("m", "v"), {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
              "p = p - lr*weight_decay*p\n" + _ADAM, 0.003,
              "Adam, and every parameter shrunk by lr times weight_decay", "Loshchilov and Hutter (2019)"),
    Optimizer("rmsprop", ("v",), {"alpha": 0.99, "eps": 1e-8},
              "v = alpha*v + (1 - alpha)*g**2\np = p - lr*g / (sqrt(v) + eps)", 0.003,
              "each entry by its own mean square", "Tieleman and Hinton (2012)"),
)  # fmt: skip
OPTIMIZERS: dict[str, Optimizer] = {row.name: row for row in _TABLE}


def optimizer_row(name: str) -> Optimizer:
    """The row of an optimizer.

    Raises: ParseError: an unknown name.
    """
    if name not in OPTIMIZERS:
        known = [*OPTIMIZERS, "lbfgs"]
        raise ParseError(f"unknown optimizer {str(name)[:40]}{nearest(str(name), known)}", f"known: {', '.join(known)}")
    return OPTIMIZERS[name]


def settings_of_row(row: Optimizer, settings: Mapping[str, float]) -> dict[str, float]:
    """The settings of an update, those of the row where none is given.

    Raises: ParseError: a setting that the row has not, or that is no number.
    """
    unknown = [s for s in settings if s not in row.settings]
    if unknown:
        known = f"it has: {', '.join(row.settings) or 'none'}"
        raise ParseError(f"{row.name} has no setting {unknown[0]}{nearest(unknown[0], list(row.settings))}", known)
    values = {**row.settings, **settings}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value) or value < 0:
            raise ParseError(f"{name} of {row.name} is {value!r}: a number from 0 on")
    return values


def update_program(row: Optimizer, settings: Mapping[str, float], axes: int = 1) -> Program:
    """The update of arrays with so many axes; its results are p and the state.

    Raises: ParseError: see `settings_of_row`.
    """
    return _program(row.name, row.state, row.update, tuple(settings_of_row(row, settings).items()), axes)


@lru_cache(maxsize=64)
def _program(
    name: str, state: tuple[str, ...], update: str, settings: tuple[tuple[str, float], ...], axes: int
) -> Program:
    shape = tuple(named_dimension(f"n{k}") for k in range(axes))
    inputs = [symbol(n, shape) for n in ("p", "g", *state)] + [symbol(n) for n in NUMBERS]
    nodes: dict[str, Any] = {**dict(settings), **{s.name: s for s in inputs}}
    for line in filter(None, update.split("\n")):
        target, _, formula = line.partition(" = ")
        nodes[target] = named(f"{target}_{len(nodes)}", read_node(Source.read(formula), nodes))  # computed once
    results: dict[str, Expr] = {n: nodes[n] for n in ("p", *state)}
    return lower(results, inputs)


def passes(row: Optimizer) -> int:
    """How many operations on whole vectors an update is.

    >>> passes(OPTIMIZERS["sgd"])
    2
    """
    like = dict.fromkeys(("p", "g", *row.state), np.zeros(3))
    return sum(n.kind == "ufunc" for n in Graph(update_program(row, {}), like, NUMBERS).nodes)


@dataclass
class Updater:
    """An optimizer at work on one vector of parameters, in place.

    Attributes:
        row, settings: what it does.
        parameters, gradient: vectors (count,).
        state: name -> vector (count,).
        t: how many steps were taken.
        program: the update, which every engine runs.
    """

    row: Optimizer
    settings: Mapping[str, float]
    parameters: Array
    gradient: Array
    state: dict[str, Array] = field(default_factory=dict)
    t: int = 0

    def __post_init__(self) -> None:
        for name in self.row.state:
            self.state.setdefault(name, np.zeros_like(self.parameters))
        self.program = update_program(self.row, self.settings)

    @cached_property
    def _blocks(self) -> list[tuple[Callable[..., Any], tuple[Array, ...]]]:
        """The update in place, and the entries of each block that it is given; two sizes of blocks at most."""
        vectors = {"p": self.parameters, "g": self.gradient, **self.state}
        made: dict[int, Callable[..., Any]] = {}
        found = []
        for start in range(0, len(self.parameters), BLOCK):
            arrays = {n: a[start : start + BLOCK] for n, a in vectors.items()}
            size = len(arrays["p"])
            if size not in made:
                graph = Graph(self.program, arrays, NUMBERS)
                outputs = {n: arrays[n] for n in graph.results}
                made[size] = InPlace(graph, arrays, outputs, value=False, given=tuple(arrays)).function
            found.append((made[size], tuple(arrays.values())))
        return found

    def step(self, lr: float) -> None:
        """One update from the gradient as it stands."""
        self.t += 1
        for update, arrays in self._blocks:
            update(*arrays, lr, self.t)


def clip_gradient(gradient: Array, norm: float) -> float:
    """Scale a gradient (count,) in place so that its 2-norm is at most `norm`; returns the norm that it had."""
    length = float(np.sqrt(np.dot(gradient, gradient)))
    if length > norm:
        gradient *= norm / (length + 1e-6)
    return length

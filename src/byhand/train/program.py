"""From a network to its training step: derived, lowered to a program, which runs in buffers of a batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from byhand.derive.derivation import Derivation, derive
from byhand.expr.dims import dim_value
from byhand.expr.expression import Expression
from byhand.nets.losses import LOSSES
from byhand.nets.mlp import MLP
from byhand.nets.trained import TrainedMLP
from byhand.program.arrays import computed, sizes_of
from byhand.program.calls import Graph
from byhand.program.inplace import InPlace
from byhand.program.lower import Program, lower, lower_derivation

Array = Any
LARGEST = 1 << 25  # bytes of intermediates; a larger batch is worked on in parts
FEWEST_ROWS = 256


class TrainingProgram:
    """The derived step of a network.

    Attributes:
        net: the network.
        derivation: its gradients.
        program: the loss and its gradients as array operations, which every engine runs.

    >>> TrainingProgram(MLP("4-16-3")).names
    ('W1', 'b1', 'W2', 'b2')
    """

    def __init__(self, net: MLP) -> None:
        self.net = net
        self.derivation: Derivation = derive(net)
        self.program: Program = lower_derivation(self.derivation)
        self.names = net.parameters
        self.shapes = {n: tuple(dim_value(d, {}) for d in net.shapes[n]) for n in self.names}
        self.count = sum(int(np.prod(s)) for s in self.shapes.values())
        self.compiled: dict[Any, Any] = {}  # what engines keep for the next fit

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where each parameter stands in one vector (count,), in the order W1, b1, W2, ..."""
        ends = np.cumsum([0, *(int(np.prod(s)) for s in self.shapes.values())]).tolist()
        return {n: slice(a, b) for n, a, b in zip(self.names, ends[:-1], ends[1:], strict=True)}

    @cached_property
    def weights(self) -> dict[str, slice]:
        """Where the weight matrices stand there: W1, W2, ..."""
        return {n: place for n, place in self.places.items() if self.net.roles[n].role == "weight"}

    def views(self, flat: Array) -> dict[str, Array]:
        """The parameters as views of one vector (count,)."""
        return {n: flat[place].reshape(self.shapes[n]) for n, place in self.places.items()}

    def flat(self, values: Mapping[str, Array], dtype: Any) -> Array:
        """The parameters copied into one vector (count,)."""
        return np.concatenate([np.asarray(values[n], dtype).reshape(-1) for n in self.names])

    @property
    def masks(self) -> tuple[str, ...]:
        """The names of the dropout masks: D1, D2, ..."""
        return self.net.masks if isinstance(self.net, TrainedMLP) else ()

    def mask_shapes(self, batch: int) -> dict[str, tuple[int, ...]]:
        """The shapes of the dropout masks for batches of one size, (batch, units)."""
        return {n: self._data_shape(n, batch) for n in self.masks}

    def _data_shape(self, name: str, batch: int) -> tuple[int, ...]:
        return tuple(batch if d == self.net.batch else dim_value(d, {}) for d in self.net.shapes[name])

    def like(self, batch: int, dtype: Any) -> dict[str, Array]:
        """Arrays of the shape and type of the arguments, for batches of one size; their values mean nothing."""
        found = {n: np.broadcast_to(np.zeros((), dtype), s) for n, s in self.shapes.items()}
        return found | {n: np.zeros(self._data_shape(n, batch), self._data_type(n, dtype)) for n in self.data}

    def _data_type(self, name: str, dtype: Any) -> Any:
        return np.dtype(np.intp) if self.net.targets == "labels" and name == self.net.target else np.dtype(dtype)

    def graph(self, batch: int, dtype: Any) -> Graph:
        """The step as calls of NumPy, for batches of one size; made once."""
        key = ("graph", batch, str(dtype))
        if key not in self.compiled:
            self.compiled[key] = Graph(self.program, self.like(batch, dtype))
        found: Graph = self.compiled[key]
        return found

    def rows_at_once(self, batch: int, dtype: Any) -> int:
        """How many rows of a batch are worked on together: all, unless their intermediates are large."""
        if self.net.loss not in LOSSES:  # a loss of the user's own need not be a mean over the samples
            return batch
        units = sum(dim_value(d, {}) for d in self.net.sizes[1:])
        each = 2 * units * np.dtype(dtype).itemsize
        return batch if batch * each <= LARGEST else min(batch, max(FEWEST_ROWS, LARGEST // each))

    def step(self, batch: int, parameters: Array, gradient: Array, value: bool = True) -> Step:
        """The step in place for batches of one size.

        Args:
            batch: the number of samples.
            parameters: all of them, one vector (count,).
            gradient: receives theirs, (count,).
            value: whether each step returns the loss too.
        """
        return Step(self, batch, parameters, gradient, value)

    def gradients(self, values: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
        """The loss and the gradients, for parameters and data by name. Allocates; `step` does not."""
        found = _run(self.program, values)
        assert self.program.value is not None
        return float(found[self.program.value]), {n: found[n] for n in self.names}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Parameters and data in the order of their declaration."""
        return tuple(self.program.inputs)

    @cached_property
    def data(self) -> tuple[str, ...]:
        """The arguments that are not parameters: X, y or Y, s, D1, ..."""
        return tuple(n for n in self.inputs if n not in self.names)


class Step:
    """One step's loss and gradient, in buffers of its own.

    A batch whose intermediates would need more than `LARGEST` bytes is worked on in parts of the rows, which are summed:
    a mean over the samples is the mean of the means of its parts, by their sizes. The same value, up to rounding.

    Attributes:
        data: name -> the array that holds the batch: filled by the caller before each call.
        run: callable() -> the loss, or None; the gradient vector is filled.
        nbytes: the memory of the buffers, data left out.
        source: what is run.
    """

    def __init__(self, program: TrainingProgram, batch: int, parameters: Array, gradient: Array, value: bool) -> None:
        like = program.like(batch, parameters.dtype)
        self.data: dict[str, Array] = {n: like[n] for n in program.data}
        rows = program.rows_at_once(batch, parameters.dtype)
        self.run: Callable[[], Any]
        if rows == batch:
            arrays = program.views(parameters) | self.data
            lowered = InPlace(program.graph(batch, parameters.dtype), arrays, program.views(gradient), value)
            self.run = lowered.function
            self.nbytes, self.source = lowered.nbytes, lowered.source
            return
        parts = [(k, min(k + rows, batch)) for k in range(0, batch, rows)]
        sizes = {last - first for first, last in parts}
        made = {size: _Part(program, size, parameters, gradient, value) for size in sizes}
        self.nbytes = sum(part.nbytes for part in made.values())
        self.source = made[rows].source

        def run() -> Any:
            gradient[:] = 0
            losses = []
            for first, last in parts:
                part = made[last - first]
                for name, array in part.data.items():
                    np.copyto(array, self.data[name][first:last])
                share = (last - first) / batch
                losses.append((part.run(share) or 0.0) * share)
            return sum(losses) if value else None

        self.run = run


class _Part:
    """The step for some rows of a batch: run(share) adds share times their gradient."""

    def __init__(self, program: TrainingProgram, rows: int, parameters: Array, gradient: Array, value: bool) -> None:
        like = program.like(rows, parameters.dtype)
        self.data = {n: like[n] for n in program.data}
        graph, arrays = program.graph(rows, parameters.dtype), program.views(parameters) | self.data
        lowered = InPlace(graph, arrays, program.views(gradient), value, accumulate=True)
        self.run, self.source = lowered.function, lowered.source
        self.nbytes = lowered.nbytes + sum(a.nbytes for a in self.data.values())


def function_of(expression: Expression) -> Callable[[Mapping[str, Array]], Array]:
    """An expression as a function of its inputs by name; others are passed over."""
    program = lower({"f": expression.root})
    return lambda values: _run(program, values)["f"]


def _run(program: Program, values: Mapping[str, Array]) -> dict[str, Array]:
    arrays = {n: np.asarray(values[n]) for n in program.inputs}
    dtype = np.result_type(*(a.dtype for a in arrays.values() if a.dtype.kind == "f"))
    return computed(program, arrays, sizes_of(program, {n: a.shape for n, a in arrays.items()}), dtype)


def prediction(net: MLP) -> Callable[[Mapping[str, Array], Array], Array]:
    """What a network predicts: callable(parameters by name, X (N, inputs)) -> (N, outputs)."""
    predicted = function_of(net.prediction)
    return lambda parameters, X: predicted({**parameters, net.data: X})

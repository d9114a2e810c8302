"""The JAX engine over many devices, of one process or of many: the same step, its arrays divided over a mesh.

The step is a program of the whole batch. Where its arrays stand is said once, for what goes in and comes out; XLA's
partitioner finds what has to be communicated, which is one all-reduce of all gradients where only samples are divided. So a
loss that is no mean over the samples, clipping and batch sizes that do not divide give what one device gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from byhand.code.jax_function import double_precision
from byhand.distributed.world import current
from byhand.program.calls import Graph
from byhand.train.jax_engine import JaxEngine, computed, jax_module
from byhand.train.mesh import Axes, divided, mesh_of, read_mesh

Array = Any


def jax_engine(*arguments: Any, mesh: Any = None, **options: Any) -> JaxEngine:
    """The engine for the devices that there are: over a mesh where it is asked for, or where there are several.

    Raises: DataError: a mesh that does not fit the devices.
    """
    sizes = read_mesh(mesh)
    if sizes is None and jax_module().device_count() == 1:
        return JaxEngine(*arguments, **options)
    return MeshEngine(*arguments, mesh=mesh_of(sizes), **options)


class MeshEngine(JaxEngine):
    """See `JaxEngine`. Every rank draws the same order and the same masks, and reads the samples of its own devices.

    Args:
        mesh: of devices, with the axes data and model.
    """

    def __init__(self, *arguments: Any, mesh: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.mesh, self.world = mesh, current()
        self.axes: dict[str, Axes] = divided(self.program.net, self.program.shapes, mesh.shape["model"])

    def _sharding(self, *axes: str | None) -> Any:
        from jax.sharding import NamedSharding, PartitionSpec

        return NamedSharding(self.mesh, PartitionSpec(*axes))

    # ---- where arrays stand

    @property
    def divided(self) -> bool:
        return self.world.size > 1 and any(axis is not None for axes in self.axes.values() for axis in axes)

    def _on_device(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        return {n: self._placed(np.asarray(a), *self.axes.get(n, ())) for n, a in arrays.items()}

    def _placed(self, array: Array, *axes: str | None) -> Array:
        return self.jax.make_array_from_callback(array.shape, self._sharding(*axes), lambda index: array[index])

    def _over_samples(self, batch: int) -> str | None:
        """The axis that a batch is divided over; one that does not divide is computed by all."""
        return "data" if batch % self.mesh.shape["data"] == 0 else None

    def _given(self, data: Mapping[str, Array], rows: Array, ahead: bool) -> tuple[dict[str, Array], Any]:
        return super()._given(data, rows, ahead=True)

    def _taken(self, array: Array, rows: Array) -> Array:
        """Rows (steps, batch) of an array: of each batch this process reads what its devices need, once."""
        read: dict[Any, Array] = {}

        def part(index: tuple[slice, ...]) -> Array:
            steps, samples = index[:2]
            key = (samples.start, samples.stop)
            if key not in read:
                read[key] = super(MeshEngine, self)._taken(array, rows[steps, samples])
            return read[key]

        sharding = self._sharding(None, self._over_samples(rows.shape[1]))
        return self.jax.make_array_from_callback((*rows.shape, *array.shape[1:]), sharding, part)

    def _masks(self, steps: int, batch: int) -> dict[str, Array]:
        axis = self._over_samples(batch)
        return {n: self._placed(m, None, axis) for n, m in super()._masks(steps, batch).items()}

    def _whole(self, array: Array) -> Array:
        if not array.is_fully_addressable and not array.is_fully_replicated:
            array = self.jax.jit(lambda a: a, out_shardings=self._sharding())(array)
        return np.asarray(array)

    # ---- compiling

    def _key(self) -> tuple[Any, ...]:
        return (tuple(self.mesh.shape.items()), tuple(d.id for d in self.mesh.devices.flat))

    def _jitted(self, run: Callable[..., Any], graph: Graph) -> Callable[..., Any]:
        del graph
        held = {n: self._sharding(*self.axes[n]) for n in self.program.names}
        state = dict.fromkeys(self._state, held)
        return self.jax.jit(run, donate_argnums=(0, 1), out_shardings=(held, state, self._sharding()))  # type: ignore[no-any-return]

    def _after(self, rate: Any, gradients: Any) -> Any:
        return rate  # what it prevents are copies within one device; here it would gather a divided matrix

    def epoch(self, *arguments: Any, **options: Any) -> Array:
        """See `StepEngine.epoch`."""
        with self.world.computing():
            return super().epoch(*arguments, **options)

    def function(self, data: Mapping[str, Array]) -> Callable[[Array], tuple[float, Array]]:
        program, dtype = self.program, self.parameters.dtype
        batch = len(data["X"])
        ones = {n: np.ones(s, dtype) for n, s in program.mask_shapes(batch).items()}
        axis = self._over_samples(batch)
        with double_precision():
            samples = {n: self._placed(np.asarray(a), axis) for n, a in {**data, **ones}.items()}
            graph, whole = program.graph(batch, dtype), self._sharding()
            step = self.jax.jit(lambda p, d: computed(graph, {**p, **d}), out_shardings=whole)

        def run(parameters: Array) -> tuple[float, Array]:
            with double_precision(), self.world.computing():
                held = self._on_device(program.views(parameters.astype(dtype)))
                loss, gradients = step(held, samples)
                together = np.concatenate([np.ravel(gradients[n]) for n in program.names])
                return float(loss), together.astype(np.float64)

        return run


__all__ = ["MeshEngine", "jax_engine"]

"""The JAX engine: the same derived program and the same update, a whole epoch compiled as one `lax.scan`.

Samples stay on the device and are gathered inside the scan, or by NumPy before it where that is faster. Order and dropout
are drawn by NumPy, from the same stream as the NumPy engine draws them, so that both engines give the same weights.
Nothing here differentiates anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from byhand.code.jax_function import double_precision
from byhand.errors import ByhandError
from byhand.expr.numeric import scatter_add
from byhand.program.calls import Graph, Look, Node, gather
from byhand.train.disk import ScaledRows
from byhand.train.engine import StepEngine
from byhand.train.optimizers import NUMBERS, update_program
from byhand.train.xla import after, compiled, gathered_ahead

Array = Any
LARGEST = 1 << 28  # bytes of data that are kept on the device; more is sent chunk by chunk
CHUNK = 1 << 26  # bytes of gathered samples, or of dropout masks, that one call is given


def jax_module() -> Any:
    """JAX.

    Raises: ByhandError: it is not installed.
    """
    try:
        import jax
    except ImportError:
        raise ByhandError(
            "engine='jax' needs JAX, which is not installed", "pip install 'byhand[jax]', or engine='numpy'"
        ) from None
    return jax


def computed(graph: Graph, arrays: Mapping[str, Array]) -> tuple[Any, dict[str, Array]]:
    """The value and the results of a graph of array operations, by the functions of jax.numpy.

    Numbers that are known at each call only (rates) are float64, and of the arrays' type where they meet one.
    """
    import jax.numpy as jnp

    reducers: dict[Any, Callable[..., Any]] = {
        np.add: jnp.sum,
        np.maximum: jnp.max,
        np.minimum: jnp.min,
        np.multiply: jnp.prod,
    }
    known: dict[Node, Any] = {node: arrays[name] for name, node in graph.inputs.items()}

    def value(a: Any, of: Node) -> Any:
        if not isinstance(a, Node):
            return a
        return known[a].astype(of.dtype) if a.kind == "scalar" and of.kind != "scalar" else known[a]

    for node in graph.nodes:
        if node in known:
            continue
        args = [value(a, node) for a in node.args]
        match node.kind:
            case "view":
                look = node.op
                found = _counterpart(look.function)(*args, *look.rest) if isinstance(look, Look) else look(*args)
            case "ufunc" | "scalar":
                found = _counterpart(node.op)(*args)
            case "reduce":
                axes, kept = node.options
                found = reducers[node.op](args[0], axis=axes, keepdims=kept)
            case "matmul":
                found = jnp.matmul(*args)
            case "where":
                found = jnp.where(*args)
            case "copy":
                found = args[0].astype(node.dtype)
            case _:
                found = _counterpart(node.op)(*args, **dict(node.options))
        known[node] = found
    return known.get(graph.value, graph.value), {n: known.get(r, r) for n, r in graph.results.items()}


def _gathered(x: Any, *index: Any) -> Any:
    """The entries at places; one of each row as XLA knows it for one of each row, which needs no other device's rows."""
    import jax.numpy as jnp

    of_rows = x.ndim == len(index) == 2 and isinstance(index[0], np.ndarray) and len(index[0]) == len(x)
    if of_rows and np.array_equal(index[0], np.arange(len(x))):
        return jnp.take_along_axis(x, index[1][:, None], 1, mode="promise_in_bounds")[:, 0]
    return gather(x, *index)


def _scatter_added(index: Any, x: Any, rows: int) -> Any:
    import jax.numpy as jnp

    return jnp.zeros((rows, *x.shape[1:]), x.dtype).at[index].add(x)


def _counterpart(function: Any) -> Callable[..., Any]:
    """JAX's function of the same name.

    Raises: ByhandError: it has none.
    """
    import jax.numpy as jnp
    from jax.scipy import special

    if function is gather:
        return _gathered
    if function is scatter_add:
        return _scatter_added
    name = function.__name__
    module = str(getattr(function, "__module__", ""))  # a ufunc has none
    for home in (jnp.linalg, jnp, special) if "linalg" in module else (jnp, special):
        if hasattr(home, name):
            return getattr(home, name)  # type: ignore[no-any-return]
    raise ByhandError(f"JAX has no {name}, which this network needs", "engine='numpy'")


def _scaled(array: Array, given: Mapping[str, Array], name: str, dtype: Any) -> Array:
    """Rows as the step takes them: those that come as they stand on disk have their scaling in what is given."""
    if f"{name}.mean" not in given:
        return array
    return ((array.astype(np.float64) - given[f"{name}.mean"]) / given[f"{name}.scale"]).astype(dtype)


class JaxEngine(StepEngine):
    """See `StepEngine`: parameters and state are read by `load` and written after each epoch."""

    name = "jax"

    def __init__(self, *args: Any, **options: Any) -> None:
        self.jax = jax_module()
        super().__init__(*args, **options)
        self._held: dict[str, Array] | None = None
        self._state: dict[str, dict[str, Array]] = {}
        self._sent: dict[str, tuple[Array, Array]] = {}

    # ---- parameters and the optimizer's state: the caller's vectors, and arrays by name on the device

    def load(self) -> None:
        """Read parameters and state anew: they were changed."""
        self._held = None

    def _vectors(self) -> dict[str, Array]:
        return {"p": self.parameters, **(self.updater.state if self.updater else {})}

    def _loaded(self) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        if self._held is None:
            device = {n: self._on_device(self.program.views(v.copy())) for n, v in self._vectors().items()}
            self._held, self._state = device.pop("p"), device
        return self._held, self._state

    def _on_device(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        return {n: self.jax.device_put(a) for n, a in arrays.items()}

    def _store(self) -> None:
        assert self._held is not None
        for name, arrays in {"p": self._held, **self._state}.items():
            for n, view in self.program.views(self._vectors()[name]).items():
                np.copyto(view, self._whole(arrays[n]))

    def _whole(self, array: Array) -> Array:
        return np.asarray(array)

    # ---- an epoch

    def epoch(self, data: Mapping[str, Array], order: Array, size: int, rates: Sequence[float]) -> Array:
        """See `StepEngine.epoch`. Where a loss is no finite number nothing is written back."""
        assert self.updater is not None
        per_sample = sum(a.nbytes // max(1, len(a)) for a in data.values())
        graph = self.program.graph(size, self.parameters.dtype)
        on_disk = not all(isinstance(a, np.ndarray) for a in data.values())
        ahead = on_disk or per_sample * len(data["X"]) > LARGEST or gathered_ahead(per_sample, graph)
        units = sum(s[-1] for s in self.program.mask_shapes(1).values())
        chunk = max(1, CHUNK // max(1, size * max(units, per_sample if ahead else 0)))
        whole, losses = len(order) // size, []
        with double_precision():
            parameters, state = self._loaded()
            spans = [(k, min(k + chunk, whole), size) for k in range(0, whole, chunk)]
            spans += [(whole, whole + 1, len(order) - whole * size)] if len(rates) > whole else []
            for first, last, batch in spans:
                rows = order[first * size : first * size + (last - first) * batch].astype(np.int32)
                rows = rows.reshape(last - first, batch)
                masks = self._masks(last - first, batch)
                samples, picked = self._given(data, rows, ahead)
                run = self._compiled(batch, self.parameters.dtype)
                parameters, state, found = run(
                    parameters, state, float(self.updater.t), samples, picked,
                    np.asarray(rates[first:last], np.float64), masks,
                )  # fmt: skip
                self.updater.t += last - first
                if self.norms is not None:
                    found, norms = found
                    self.norms.add(np.asarray(norms))
                losses.append(np.asarray(found, np.float64))
            self._held, self._state = parameters, state
        together = np.concatenate(losses)
        bad = np.flatnonzero(~np.isfinite(together))
        if len(bad):
            return together[: bad[0] + 1]
        self._store()
        return together

    def _given(self, data: Mapping[str, Array], rows: Array, ahead: bool) -> tuple[dict[str, Array], Any]:
        """What a call is given of the samples: all of them and the rows of each batch, or, gathered ahead, the batches.

        Rows on disk are sent as they are there, and scaled by what is given with them.
        """
        if not ahead:
            return self._resident(data), rows
        return self._scalings(data), {n: self._taken(a, rows) for n, a in data.items()}

    def _scalings(self, data: Mapping[str, Array]) -> dict[str, Array]:
        found = {n: a.scaling for n, a in data.items() if isinstance(a, ScaledRows)}
        return self._on_device(
            {f"{n}.{part}": getattr(s, part) for n, s in found.items() for part in ("mean", "scale")}
        )

    def _taken(self, array: Array, rows: Array) -> Array:
        return array.raw(rows) if isinstance(array, ScaledRows) else np.take(array, rows, 0)

    def _resident(self, data: Mapping[str, Array]) -> dict[str, Array]:
        for name, array in data.items():
            if name not in self._sent or self._sent[name][0] is not array:
                self._sent[name] = (array, self.jax.device_put(array))
        return {n: self._sent[n][1] for n in data}

    def _masks(self, steps: int, batch: int) -> dict[str, Array]:
        """Which units are kept, drawn step by step as the NumPy engine does."""
        shapes = self.program.mask_shapes(batch)
        masks = {n: np.empty((steps, *s), bool) for n, s in shapes.items()}
        for k in range(steps if masks else 0):
            for name, mask in masks.items():
                np.less(self.rng.random(shapes[name], dtype=self.parameters.dtype), self.keep, out=mask[k])
        return masks

    def _compiled(self, batch: int, dtype: Any) -> Callable[..., Any]:
        """The scan over batches of one size, compiled once for a program, whoever trains it."""
        assert self.updater is not None
        row, settings = self.updater.row, self.updater.settings
        key: tuple[Any, ...] = ("jax", batch, str(dtype), self.keep, self.clip_norm, row.name)
        key += (tuple(sorted(settings.items())), self.norms is not None, *self._key())
        if key not in self.program.compiled:
            step = self._step(batch, dtype)

            def run(parameters: Any, state: Any, t: Any, samples: Any, rows: Any, rates: Any, masks: Any) -> Any:
                def advance(carry: Any, x: Any) -> Any:
                    parameters, state, t = carry
                    picked, rate, kept = x
                    if isinstance(picked, dict):
                        batch = {n: _scaled(a, samples, n, dtype) for n, a in picked.items()}
                    else:
                        batch = {n: a[picked] for n, a in samples.items()}
                    return step(parameters, state, t + 1.0, rate, batch, kept)

                carry, found = self.jax.lax.scan(advance, (parameters, state, t), (rows, rates, masks))
                return carry[0], carry[1], found

            self.program.compiled[key] = self._jitted(run, self.program.graph(batch, dtype))
        found: Callable[..., Any] = self.program.compiled[key]
        return found

    def _key(self) -> tuple[Any, ...]:
        """What else a compiled scan is for."""
        return ()

    def _jitted(self, run: Callable[..., Any], graph: Graph) -> Callable[..., Any]:
        return compiled(run, (0, 1), graph)

    def _after(self, rate: Any, gradients: Any) -> Any:
        return after(rate, gradients)

    def _step(self, batch: int, dtype: Any) -> Callable[..., Any]:
        import jax.numpy as jnp

        program, keep, norm, recorded = self.program, self.keep, self.clip_norm, self.norms is not None
        assert self.updater is not None
        names = ("p", "g", *self.updater.row.state)
        graph = program.graph(batch, dtype)
        row, settings = self.updater.row, self.updater.settings
        updates = {
            n: Graph(update_program(row, settings, len(s)), dict.fromkeys(names, np.empty(s, dtype)), NUMBERS)
            for n, s in program.shapes.items()
        }

        def step(parameters: Any, state: Any, t: Any, rate: Any, samples: Any, kept: Any) -> Any:
            masks = {n: a.astype(dtype) / np.asarray(keep, dtype) for n, a in kept.items()}
            found, gradients = computed(graph, {**parameters, **samples, **masks})
            if recorded:
                wide = [gradients[n].astype(np.float64) for n in program.weights]
                found = found, jnp.stack([jnp.sqrt(jnp.sum(g * g)) for g in wide])
            if norm is not None:
                length = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients.values()))
                factor = jnp.where(length > norm, norm / (length + 1e-6), 1.0).astype(dtype)
                gradients = {n: g * factor for n, g in gradients.items()}
            rate = self._after(rate, gradients.values())
            new: dict[str, dict[str, Any]] = {n: {} for n in ("p", *state)}
            for name, parameter in parameters.items():
                given = {"p": parameter, "g": gradients[name], **{n: s[name] for n, s in state.items()}}
                _, updated = computed(updates[name], {**given, "lr": rate, "t": t})
                for n, value in updated.items():
                    new[n][name] = value
            return (new.pop("p"), new, t), found

        return step

    # ---- the whole data at once

    def function(self, data: Mapping[str, Array]) -> Callable[[Array], tuple[float, Array]]:
        program, dtype = self.program, self.parameters.dtype
        batch = len(data["X"])
        key = ("jax", "whole", batch, str(dtype))
        ones = {n: np.ones(s, dtype) for n, s in program.mask_shapes(batch).items()}
        with double_precision():
            samples = self._on_device({**data, **ones})
            if key not in program.compiled:
                graph = program.graph(batch, dtype)
                program.compiled[key] = self.jax.jit(lambda p, d: computed(graph, {**p, **d}))

        def run(parameters: Array) -> tuple[float, Array]:
            with double_precision():
                loss, gradients = program.compiled[key](program.views(parameters.astype(dtype)), samples)
            together = np.concatenate([np.ravel(gradients[n]) for n in program.names])
            return float(loss), together.astype(np.float64)

        return run


__all__ = ["JaxEngine", "computed"]

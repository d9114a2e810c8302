"""The C engine: the derived step and the update as one C function that takes all steps of an epoch in one call.

The C is what `code("c")` writes for the network, with the number of samples as an argument, and the optimizer's update
from the program that every engine runs. Order and dropout are drawn by NumPy, from the same stream as the NumPy engine
draws them. For small networks: products are plain loops, which a library of matrix products beats on large ones.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from byhand.code.c.compiler import FAST, library, needed_compiler
from byhand.code.c.source import CFile, c_file
from byhand.code.listing import list_derivation
from byhand.errors import DataError
from byhand.expr.dims import dim_value
from byhand.train.c_updates import Update, train_source
from byhand.train.engine import StepEngine

Array = Any
FLAGS = (*FAST, "-fno-signed-zeros", "-fassociative-math", "-freciprocal-math")  # sums as vectors; NaN stays NaN
CHUNK = 1 << 26  # bytes of dropout masks that one call is given
CALL = 10**9  # multiplications of one call, so that Ctrl-C is heard within seconds


class CEngine(StepEngine):
    """See `StepEngine`: parameters and state are used where they stand.

    Raises: ByhandError: there is no C compiler. MissingRuleError: the network has an operation that C has no row for.
    """

    name = "c"

    def __init__(self, *args: Any, **options: Any) -> None:
        needed_compiler()
        super().__init__(*args, **options)
        self.real = "float" if self.parameters.dtype == np.float32 else "double"
        self._kept: dict[str, tuple[Array, Array]] = {}
        self._memory: dict[int, tuple[Array, Array]] = {}
        self._loaded: dict[tuple[int, bool], ctypes.CDLL] = {}

    # ---- compilation

    def _file(self) -> CFile:
        """The network's C, the number of samples an argument."""
        key = ("c", self.real)
        if key not in self.program.compiled:
            listing = list_derivation(self.program.derivation, formulas=False)
            made = c_file(listing, {}, self.real, self.program.names, str(self.program.net.batch), whole=True)
            if made.parameters != self.program.names:
                raise AssertionError(f"parameters {made.parameters}, not {self.program.names}")
            self.program.compiled[key] = made
        found: CFile = self.program.compiled[key]
        return found

    def _identifiers(self) -> dict[str, str]:
        """The name of an input -> what C calls it."""
        return {s.name: c for c, s in self._file().inputs.items()}

    def _widths(self) -> dict[str, int]:
        """The entries of one sample of each array of data."""
        return {n: int(np.prod(self.program.like(1, self.parameters.dtype)[n].shape)) for n in self.program.data}

    def _types(self) -> dict[str, str]:
        labels = self.program.net.target if self.program.net.targets == "labels" else None
        return {n: "int" if n == labels else self.real for n in self.program.data}

    def _library(self, batch: int) -> ctypes.CDLL:
        """The network's C for batches of at most so many samples."""
        key = batch, self.norms is not None
        if key not in self._loaded:
            self._loaded[key] = library(self._source(batch), FLAGS)
        return self._loaded[key]

    def _source(self, batch: int) -> str:
        made, names = self._file(), self._identifiers()
        source = f"#define {made.capacity} {batch}\n{made.source}"
        if self.updater is None:
            return source
        types, widths = self._types(), self._widths()
        data = {names[n]: (types[n], w) for n, w in widths.items() if n not in self.program.masks}
        masks = {names[n]: w for n, w in widths.items() if n in self.program.masks}
        update = Update(self.updater.program, self.real, self.program.count)
        if "#include <math.h>" not in source:
            source = "#include <math.h>\n" + source
        recorded = () if self.norms is None else tuple(self.program.weights.values())
        return source + train_source(update, data, masks, made, self.program.count, recorded)

    def _room(self, batch: int) -> tuple[Array, Array]:
        """Memory for the intermediates, and for the samples of a batch."""
        if batch not in self._memory:
            sizes = {str(self.program.net.batch): batch}
            shapes = self._file().workspace.values()
            entries = sum(int(np.prod([dim_value(d, sizes) for d in shape], dtype=np.int64)) for shape in shapes)
            bytes_of_samples = 8 * batch * sum(self._widths().values()) + 64 * (len(self._widths()) + 1)
            self._memory[batch] = (np.zeros(entries + 1, self.parameters.dtype), np.zeros(bytes_of_samples, np.uint8))
        return self._memory[batch]

    def _sent(self, data: Mapping[str, Array]) -> dict[str, Array]:
        """The data as C takes them; converted once for the same arrays."""
        types = self._types()
        for name, array in data.items():
            if name not in self._kept or self._kept[name][0] is not array:
                if types[name] == "int":
                    self._check_labels(array)
                kind = np.dtype(np.intc) if types[name] == "int" else self.parameters.dtype
                self._kept[name] = (array, np.require(array, kind, ["C", "A"]))
        return {n: self._kept[n][1] for n in data}

    def _check_labels(self, labels: Array) -> None:
        classes = int(str(self.program.net.sizes[-1]))
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise DataError(f"a label is outside 0..{classes - 1}: {labels.min()}..{labels.max()}")

    # ---- an epoch

    def epoch(self, data: Mapping[str, Array], order: Array, size: int, rates: Sequence[float]) -> Array:
        updater = self.updater
        assert updater is not None
        train = self._library(size).train
        w, b = self._room(size)
        sent = self._sent(data)
        rows = np.require(order, np.intc, ["C"])
        rate = np.asarray(rates, np.float64)
        losses = np.zeros(len(rate))
        units = sum(s[-1] for s in self.program.mask_shapes(1).values())
        chunk = max(1, CALL // max(1, 3 * self.program.count * size))
        if units:
            chunk = max(1, min(chunk, CHUNK // (size * units * self.parameters.itemsize)))
        for first in range(0, len(rate), chunk):
            steps = min(chunk, len(rate) - first)
            part = rows[first * size : (first + steps) * size]
            masks = self._masks(steps, size, len(part))
            arrays = [self.parameters, self.gradient, w, b]
            arrays += [sent[n] for n in self.program.data if n not in self.program.masks]
            arrays += [*masks.values(), *updater.state.values()]
            norms = [] if self.norms is None else [np.zeros((steps, len(self.program.weights)))]
            taken = train(
                *map(_pointer, arrays), _pointer(part), len(part), size, steps, _pointer(rate[first:]),
                ctypes.c_double(updater.t), ctypes.c_double(self.clip_norm or 0.0), _pointer(losses[first:]),
                *map(_pointer, norms),
            )  # fmt: skip
            if self.norms is not None:
                self.norms.add(norms[0][:taken])
            bad = not np.isfinite(losses[first + taken - 1])
            updater.t += taken - bad
            if bad:
                return losses[: first + taken]
        return losses

    def _masks(self, steps: int, size: int, samples: int) -> dict[str, Array]:
        """Which units are kept, and their weight, drawn step by step as the NumPy engine does."""
        masks = {
            n: np.zeros((steps * size, s[-1]), self.parameters.dtype) for n, s in self.program.mask_shapes(1).items()
        }
        for k in range(steps if masks else 0):
            for mask in masks.values():
                rows = mask[k * size : min((k + 1) * size, samples)]
                drawn = self.rng.random(rows.shape, dtype=mask.dtype)
                np.divide(drawn < self.keep, self.keep, out=rows, casting="unsafe")
        return masks

    # ---- the whole data at once

    def function(self, data: Mapping[str, Array]) -> Callable[[Array], tuple[float, Array]]:
        batch = len(data["X"])
        loaded, made, names = self._library(batch), self._file(), self._identifiers()
        given = {names[n]: a for n, a in self._sent(data).items()}
        given |= {names[n]: np.ones(s, self.parameters.dtype) for n, s in self.program.mask_shapes(batch).items()}
        places = given | {"p": self.parameters, "g": self.gradient, "w": self._room(batch)[0]}
        ((name, order),) = [(n, order) for n, order in made.functions.items() if n != "sgd_step"]
        step = getattr(loaded, name)
        step.restype = ctypes.c_float if self.real == "float" else ctypes.c_double
        words = [ctypes.c_int(batch) if places.get(a) is None else _pointer(places[a]) for a in order]

        def run(parameters: Array) -> tuple[float, Array]:
            self.parameters[:] = parameters
            loss = float(step(*words))
            return loss, self.gradient.astype(np.float64)

        return run


def _pointer(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


__all__ = ["CEngine"]

"""Generated PyTorch source as a function of tensors that checks its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from byhand.code.function import CompiledFunction, computed_in, each_result
from byhand.code.stand_ins import checked_by_shape
from byhand.errors import ByhandError

torch: Any = import_module("torch") if find_spec("torch") else None


class TorchFunction(CompiledFunction):
    """A generated function of tensors; arrays, lists and numbers become tensors.

    Attributes:
        raw: the function itself: positional tensors in the order of `inputs`, unchecked.
    """

    library = "torch"

    def __init__(self, *args: Any, **options: Any) -> None:
        if torch is None:
            raise ByhandError("PyTorch is not installed", "pip install byhand[torch]")
        super().__init__(*args, **options)

    def __call__(self, /, **arrays: Any) -> Any:
        """The results for the given tensors, on their device and of their type; no graph is recorded.

        Raises: DataError: a tensor is missing, unknown, of the wrong shape or kind, or a label is out of range.
        """
        values = self.checked(arrays)
        like = next((v for v in values if v.is_floating_point()), None)
        dtype = torch.float64 if like is None else like.dtype
        with torch.no_grad():
            return each_result(self.run(*values), lambda a: torch.as_tensor(a, dtype=dtype))

    def checked(self, arrays: Mapping[str, Any]) -> list[Any]:
        """The arguments of `raw`: checked, of one floating-point type, on one device."""
        checked_by_shape(self, {name: _stand_in(a) for name, a in arrays.items()}, arrays)
        tensors = [a for n in self.inputs if isinstance(a := arrays[n], torch.Tensor)]
        device = tensors[0].device if tensors else None
        types = [t.dtype for t in tensors if t.is_floating_point()]
        others = [arrays[n] for n in self.inputs if isinstance(arrays[n], np.ndarray | np.generic)]
        types += [_as_tensor(a).dtype for a in others if a.dtype.kind == "f"]
        dtype = types[0] if types else torch.float64
        for other in types[1:]:
            dtype = torch.promote_types(dtype, other)
        values = []
        for s in self.program.inputs:
            value = arrays[s.name]
            tensor = value.detach() if isinstance(value, torch.Tensor) else _as_tensor(value)
            values.append(tensor.to(device=device, dtype=torch.int64 if "labels" in s.assumptions else dtype))
        return values


def _as_tensor(value: Any) -> Any:
    """An array as a tensor; read-only and reversed arrays are copied."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = array.astype(computed_in(array.dtype.newbyteorder("=")), copy=False)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    shared = array.flags.writeable and all(step >= 0 for step in array.strides)
    return torch.from_numpy(array if shared else array.copy())


def _stand_in(value: Any) -> Any:
    """An array of the shape and kind of a tensor, without its memory."""
    if not isinstance(value, torch.Tensor):
        return value
    kind = "complex128" if value.is_complex() else "float64" if value.is_floating_point() else "int64"
    return np.broadcast_to(np.zeros((), kind), tuple(value.shape))


__all__ = ["TorchFunction"]

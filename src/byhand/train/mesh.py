"""The mesh of devices that a network is trained on, and which axis of which array is divided over it.

Samples are divided over the axis `data`. Over the axis `model` wide layers are divided alternately: one by its columns,
the next by its rows, so that what one device computes of the first is what it needs for the second (Shoeybi et al. 2019,
Megatron-LM, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from byhand.errors import DataError
from byhand.nets.mlp import MLP

AXES = ("data", "model")
Axes = tuple[str | None, ...]


def read_mesh(given: Any) -> dict[str, int] | None:
    """{"data": 4, "model": 2}, or "data=4,model=2" as the command line has it; None stays None.

    Raises: DataError: another axis, or a size that is no whole number from 1 on.
    """
    if given is None:
        return None
    if isinstance(given, str):
        parts = [part.partition("=") for part in given.split(",")]
        given = {name.strip(): int(size) if size.strip().isdecimal() else size for name, _, size in parts}
    if not isinstance(given, Mapping) or not given or not set(given) <= set(AXES):
        raise DataError(f"the mesh is {given!r}: sizes of the axes data and model", "data=4,model=2")
    for name, size in given.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise DataError(f"the mesh has {name}={size!r}: a whole number from 1 on", "data=4,model=2")
    return {name: int(given.get(name, 1)) for name in AXES}


def mesh_of(sizes: Mapping[str, int] | None) -> Any:
    """The `jax.sharding.Mesh` over all devices of all processes; without sizes all of them divide the samples.

    Raises: DataError: there are more or fewer devices.
    """
    import jax

    count = jax.device_count()
    chosen = dict(sizes) if sizes is not None else {"data": count, "model": 1}
    if chosen["data"] * chosen["model"] != count:
        words = ", ".join(f"{n}={k}" for n, k in chosen.items())
        raise DataError(
            f"the mesh {words} has {chosen['data'] * chosen['model']} places, and there "
            f"{'is 1 device' if count == 1 else f'are {count} devices'}",
            f"data={count}, or another mesh with {count} places",
        )
    automatic = getattr(jax.sharding, "AxisType", None)  # before 0.5 there is no other type of axis
    options = {} if automatic is None else {"axis_types": (automatic.Auto,) * len(AXES)}
    return jax.make_mesh(tuple(chosen[n] for n in AXES), AXES, **options)


def divided(net: MLP, shapes: Mapping[str, tuple[int, ...]], model: int) -> dict[str, Axes]:
    """For each parameter the axis of the mesh that each of its axes is divided over.

    A layer whose units the axis `model` does not divide is held whole, and the next begins with its columns again.

    >>> net = MLP("8-6-4-3")
    >>> divided(net, {"W1": (8, 6), "b1": (6,), "W2": (6, 4), "b2": (4,), "W3": (4, 3), "b3": (3,)}, 2)["W2"]
    ('model', None)
    """
    found: dict[str, Axes] = {name: (None,) * len(shape) for name, shape in shapes.items()}
    if model == 1:
        return found
    before = False  # whether the layer before is divided by its columns
    columns = False
    for name, shape in shapes.items():
        if net.roles[name].role == "weight" and len(shape) == 2:
            columns = not before and shape[1] % model == 0
            found[name] = ("model", None) if before else (None, "model") if columns else (None, None)
            before = columns
        elif net.roles[name].role == "bias" and columns:
            found[name] = ("model",)
    return found


__all__ = ["AXES", "divided", "mesh_of", "read_mesh"]

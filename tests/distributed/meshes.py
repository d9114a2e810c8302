"""Run by the tests in a process of its own, with eight devices: meshes against the NumPy engine, and compiled steps.

`python meshes.py all` runs every mesh with every network and loss; without it each loss meets one of them.
Prints JSON: the greatest difference of weights and losses after twenty steps for each case, and what is communicated.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import product
from typing import Any

import numpy as np

from byhand.code.jax_function import double_precision
from byhand.nets.losses import LOSSES
from byhand.nets.trained import WEIGHTS, TrainedMLP
from byhand.train.loop import Settings, Trainer
from byhand.train.optimizers import OPTIMIZERS
from byhand.train.program import TrainingProgram

MESHES = ("data=8", "data=4,model=2", "data=2,model=4")
SIZES = ("16-24-16-8", "12-8-8", "7-13-8")  # divided alternately, divided once, not divided
NO_MEAN = "log(mean(exp((Z - Y)**2)))"
SAMPLES, BATCH = 53, 16  # the last batch of 5 divides over no mesh


def network(sizes: str, loss: str, **options: Any) -> TrainedMLP:
    """A network whose outputs suit the loss."""
    outputs = LOSSES[loss].outputs if loss in LOSSES else None
    sizes = sizes if outputs is None else f"{sizes.rpartition('-')[0]}-{outputs}"
    return TrainedMLP(sizes, loss=loss, activation="tanh", l2=0.01, **options)


def trainer(net: TrainedMLP, engine: str, mesh: str | None = None, **settings: Any) -> tuple[Trainer, dict[str, Any]]:
    """A trainer and its data, the same for each engine."""
    program, rng = TrainingProgram(net), np.random.default_rng(5)
    data: dict[str, Any] = {}
    for name in program.data:
        if name in program.masks:
            continue
        shape = program._data_shape(name, SAMPLES)
        labels = program._data_type(name, np.float64).kind == "i"
        data[name] = rng.integers(0, int(net.sizes[-1]), shape) if labels else rng.random(shape)
        if name == net.target and not labels and "cross_entropy" in net.loss:
            data[name] /= data[name].sum(-1, keepdims=True) if data[name].ndim == 2 else 1.0
    chosen = Settings(engine=engine, mesh=mesh, batch_size=BATCH, epochs=5, **settings)
    return Trainer(program, net.init(3), chosen, np.random.default_rng(1)), data


def difference(net: TrainedMLP, mesh: str, **settings: Any) -> float:
    """How far the weights and losses are from the NumPy engine's after 20 steps."""
    found = []
    for engine, chosen in (("numpy", None), ("jax", mesh)):
        one, data = trainer(net, engine, chosen, **settings)
        history = one.fit(data)
        found.append(np.concatenate([one.parameters, history.losses]))
    return float(np.abs(found[0] - found[1]).max())


def compiled(mesh: str) -> str:
    """The compiled program of some steps of the first network."""
    one, data = trainer(network(SIZES[0], "softmax_cross_entropy"), "jax", mesh)
    engine: Any = one.engine
    with double_precision():
        parameters, state = engine._loaded()
        rows = np.arange(2 * BATCH).reshape(2, BATCH)
        arrays = {n: data[n] for n in one.program.data}
        scaling, picked = engine._given(arrays, rows, True)
        run = engine._compiled(BATCH, np.dtype(np.float64))
        lowered = run.lower(parameters, state, 0.0, scaling, picked, np.full(2, 0.01), engine._masks(2, BATCH))
        return str(lowered.compile().as_text())


def main() -> None:
    losses = [*LOSSES, NO_MEAN]
    whole = "all" in sys.argv
    cases = (
        product(MESHES, SIZES, losses) if whole else ((MESHES[k % 3], SIZES[k % 2], n) for k, n in enumerate(losses))
    )
    found = {f"{mesh} {sizes} {loss}": difference(network(sizes, loss), mesh) for mesh, sizes, loss in cases}
    plain = network(SIZES[0], "softmax_cross_entropy")
    for k, name in enumerate(OPTIMIZERS if whole else list(OPTIMIZERS)[:3]):
        found[f"optimizer {name}"] = difference(plain, MESHES[k % 3], optimizer=name)
    found["lbfgs"] = difference(plain, MESHES[1], optimizer="lbfgs")
    found["clipping"] = difference(plain, MESHES[1], clip_norm=0.1)
    dropped = network(SIZES[0], "mse", dropout=True)
    found["dropout"] = difference(dropped, MESHES[2], dropout=0.3)
    weighted = network(SIZES[1], "mse", weighted=True)
    assert WEIGHTS in TrainingProgram(weighted).data
    found["weights"] = difference(weighted, MESHES[0])
    text = {mesh: compiled(mesh) for mesh in (MESHES[0], MESHES[2])}
    print(json.dumps({"differences": found, "text": text}))


if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"  # before JAX looks for devices
    main()

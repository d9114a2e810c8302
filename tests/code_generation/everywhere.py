"""Value and gradients of one derivation in every target's own code, in place, and by the interpreter."""

import shutil
from importlib.util import find_spec

import numpy as np

import byhand
from byhand.program.calls import Graph
from byhand.program.inplace import InPlace
from byhand.program.lower import lower_derivation

TARGETS = ["numpy", "in place", "jax", *(["torch"] if find_spec("torch") else []), *(["c"] if shutil.which("gcc") else [])]  # fmt: skip
NO_LINEAR_ALGEBRA = frozenset({"inv", "det", "logdet"})  # which C lacks


def in_place(derivation, values):
    """By the trainer's functions on arrays that are there already."""
    arrays = {k: np.asarray(v, float) if np.asarray(v).dtype.kind != "i" else np.asarray(v) for k, v in values.items()}
    program = lower_derivation(derivation)
    graph = Graph(program, arrays)
    outputs = {v.name: np.full(np.shape(arrays[v.name]), np.nan) for v in derivation.variables}
    value = InPlace(graph, {n: arrays[n] for n in program.inputs}, outputs).function()
    return value, outputs


def interpreted(derivation, values):
    """By the interpreter: what all others are compared with."""
    gradients = {name: byhand.evaluate(g, **values) for name, g in derivation.gradients.items()}
    return byhand.evaluate(derivation.f, **values), gradients


def computed(derivation, values, target):
    """(value, {name: gradient}) as arrays of NumPy."""
    if target == "in place":
        return in_place(derivation, values)
    if target == "torch":
        import torch

        given = {k: torch.as_tensor(np.asarray(v)) for k, v in values.items()}
        value, gradients = derivation.function("torch")(**given)
        return np.asarray(value), {k: g.numpy() for k, g in gradients.items()}
    if target == "jax":
        import jax

        with jax.enable_x64(True):
            value, gradients = derivation.function("jax")(**values)
            return np.asarray(value), {k: np.asarray(g) for k, g in gradients.items()}
    return derivation.function(target)(**values)


def targets_of(derivation):
    """The targets that can write a derivation."""
    operations = derivation.prepared.root.operations.union(*(g.root.operations for g in derivation.gradients.values()))
    return [t for t in TARGETS if t != "c" or not operations & NO_LINEAR_ALGEBRA]


def distance(found, expected):
    """The largest difference, relative to the largest entry that is finite; infinite where shapes, nan or inf differ."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    fine = np.isfinite(expected)
    if found.shape != expected.shape or not np.array_equal(found[~fine], expected[~fine], equal_nan=True):
        return np.inf
    if not np.all(np.isfinite(found[fine])):
        return np.inf
    scale = max(np.max(np.abs(expected[fine]), initial=0.0), 1e-2)
    return float(np.max(np.abs(found[fine] - expected[fine]), initial=0.0) / scale)


def disagreement(derivation, values):
    """target -> the largest distance to the interpreter, of the targets that differ by more than rounding."""
    with np.errstate(all="ignore"):
        expected = interpreted(derivation, values)
        found = {}
        for target in targets_of(derivation):
            value, gradients = computed(derivation, values, target)
            worst = distance(value, expected[0])
            for name, gradient in expected[1].items():
                worst = max(worst, distance(gradients[name], gradient))
            if not worst < 1e-10:
                found[target] = worst
    return found

"""Many generated C files compiled as one: their names are given a number each."""

import ctypes
import re
import subprocess

import numpy as np
from code_generation.agreement import rounding

import byhand
from byhand.code.c.compiler import environment, needed_compiler
from byhand.code.c.functions import KERNELS
from byhand.code.c.library import CCall
from byhand.code.c.source import c_file
from byhand.code.listing import list_derivation

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")


def sizes_of(program, values):
    """The sizes of the named dimensions, read off the inputs."""
    return {
        str(d): n
        for s in program.inputs
        for d, n in zip(s.shape, np.shape(values[s.name]), strict=True)
        if str(d) in program.dims
    }


class Unit:
    """Derivations with values, written in C, compiled together: `calls` holds (derivation, values, callable)."""

    def __init__(self):
        self.parts, self.entries = ["#include <math.h>"], []

    def add(self, name, derivation, values, dtype="double", parameters=()):
        program = list_derivation(derivation)
        sizes = sizes_of(program, values)
        made = c_file(program, sizes, dtype, parameters)
        k = len(self.entries)
        names = [*made.functions, "workspace", "parameters", *KERNELS]
        macros = re.findall(r"#define (\w+)", made.source)
        self.parts += [f"#define {n} {n}_{k}" for n in names]
        self.parts += [made.source, *(f"#undef {n}" for n in [*names, *macros])]
        self.entries.append((name, derivation, values, made, program, sizes))

    @property
    def source(self):
        return "\n".join([*self.parts, ""])

    def compiled(self, folder, *flags):
        """(name, derivation, values, callable) of each, from one call of the compiler."""
        path, target = folder / "unit.c", folder / "unit.so"
        path.write_text(self.source, "utf-8")
        command = [*needed_compiler(), *STRICT, "-O1", *flags, "-fPIC", "-shared", str(path), "-o", str(target), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        assert done.returncode == 0, done.stderr[:4000]
        library = ctypes.CDLL(str(target))
        return [
            (name, d, values, CCall(made, program, sizes, library, lambda n, k=k: f"{n}_{k}"))
            for k, (name, d, values, made, program, sizes) in enumerate(self.entries)
        ]


def assert_call_agrees(name, derivation, values, call, tolerance=1e-10):
    """Value and gradients against the interpreter; the inputs stay as they were."""
    arrays = {k: np.asarray(v) for k, v in values.items()}
    before = {k: v.copy() for k, v in arrays.items()}
    value, results = call(arrays)
    assert all(np.array_equal(before[k], v, equal_nan=v.dtype.kind == "f") for k, v in arrays.items()), name
    found = {"value": (value, derivation.f)}
    found |= {n: (results.get(n, value), g) for n, g in derivation.gradients.items()}
    for what, (x, expression) in found.items():
        expected = byhand.evaluate(expression, **values)
        assert np.shape(x) == np.shape(expected), (name, what)
        assert np.array_equal(np.isnan(x), np.isnan(expected)), (name, what)
        x, y = (np.where(np.isnan(expected), 0.0, a) for a in (x, expected))
        error, scale = np.linalg.norm(x - y), np.linalg.norm(y)
        assert error <= tolerance * max(scale, 1e-2) or error <= 100 * rounding(expression, values), (
            name,
            what,
            error,
            scale,
        )

"""Generated source as a module, and values in the types of each target."""

import numpy as np


def load(source):
    """What the source defines."""
    scope = {"__name__": "generated"}
    exec(compile(source, "<generated>", "exec"), scope)
    return scope


def relative(found, expected):
    """The distance to an array, relative to its norm; infinite where shape or type differ."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return np.inf
    scale = np.linalg.norm(expected)
    return np.linalg.norm(found - expected) / max(scale, 1e-2)

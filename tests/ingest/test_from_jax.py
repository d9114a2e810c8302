"""Functions of JAX as expressions: values, gradients, names; every primitive that has a row."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax_programs as programs  # noqa: E402

import byhand  # noqa: E402
from byhand.ingest.jax_rows import PRIMITIVES  # noqa: E402

TOLERANCE = 1e-10
SIZES = {"N": 7, "D": 5, "K": 3, "B": 2, "T": 11, "V": 13, "C": 2, "F": 4}


def drawn(shapes, assume, seed=0):
    rng = np.random.default_rng(seed)
    values = {}
    for name, shape in shapes.items():
        size = [int(d) if d.isdigit() else SIZES[d] for d in shape.split()]
        x = rng.standard_normal(size)
        if assume.get(name) == "labels":
            x = rng.integers(0, 3, size)
        values[name] = np.abs(x) + 0.3 if assume.get(name) == "positive" else x
    return values


def compare(function, shapes, assume, names=()):
    """The value and the gradient of ⟨u, f⟩ as JAX has them, and the names."""
    values = drawn(shapes, assume)
    f = byhand.from_jax(function, shapes, assume)
    free = [n for n, v in values.items() if v.dtype.kind == "f"]
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        wanted = np.asarray(function(**values))
        u = np.random.default_rng(1).standard_normal(wanted.shape)
        truth = jax.grad(lambda free: (u * function(**{**values, **free})).sum())({n: values[n] for n in free})
        truth = {n: np.asarray(g) for n, g in truth.items()}
    got = byhand.evaluate(f, **values)
    assert np.shape(got) == wanted.shape
    assert np.allclose(got, wanted, rtol=TOLERANCE, atol=TOLERANCE)
    if f.shape == ():
        gradients = {n: u * g for n, g in byhand.derive(f, free).function("numpy")(**values)[1].items()}
    else:
        gradients = byhand.vjp(f, free, "u_").function("numpy")(**values, u_=u)
        gradients = gradients if isinstance(gradients, dict) else {free[0]: gradients}
    for n in free:
        assert np.allclose(gradients[n], truth[n], rtol=TOLERANCE, atol=TOLERANCE), n
    assert not [n for n in names if n not in f.intermediates], tuple(f.intermediates)
    return f


def occurring(jaxpr):
    found = set()
    for e in jaxpr.eqns:
        found.add(e.primitive.name)
        for p in e.params.values():
            inner = getattr(p, "jaxpr", p)
            if hasattr(inner, "eqns"):
                found |= occurring(inner)
    return found


@pytest.mark.parametrize("name", programs.PRIMITIVES)
def test_a_primitive_is_read(name):
    function, shapes, assume = programs.PRIMITIVES[name]
    compare(function, shapes, assume)
    values = drawn(shapes, assume)
    assert name in occurring(
        jax.make_jaxpr(lambda *a: function(**dict(zip(values, a, strict=True))))(*values.values()).jaxpr
    )


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_a_program_is_read(name):
    function, shapes, assume, names = programs.PROGRAMS[name]
    compare(function, shapes, assume, names)


def test_every_row_has_a_program():
    rare = {"add_any", "expand_dims"}  # JAX makes them in derivatives and in older versions
    assert set(PRIMITIVES) - rare == set(programs.PRIMITIVES) | programs.MISSING

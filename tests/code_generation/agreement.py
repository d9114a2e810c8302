"""Generated code against the interpreter: value and gradients, to rounding."""

import numpy as np

import byhand


def rounding(expression, values):
    """How much the last bits of the inputs matter: the greatest of a few changes of a value by 1e-15 of the inputs."""
    rng = np.random.default_rng(0)
    here = byhand.evaluate(expression, **values)

    def change():  # one alone may cancel, or round to nothing
        near = {
            k: v * (1 + 1e-15 * rng.uniform(-1, 1, np.shape(v))) if v.dtype.kind == "f" else v
            for k, v in values.items()
        }
        return np.linalg.norm(byhand.evaluate(expression, **near) - here)

    return max(change() for _ in range(4))


def assert_equal(found, expression, values, what):
    """Within 1e-12 of the interpreter, relative to the value, or to what rounding of the inputs does to it."""
    expected = byhand.evaluate(expression, **values)
    assert np.shape(found) == np.shape(expected), what
    assert np.array_equal(np.isnan(found), np.isnan(expected)), what
    found, expected = (np.where(np.isnan(expected), 0.0, x) for x in (found, expected))  # 0/0 at a kink is both's
    error, scale = np.linalg.norm(found - expected), np.linalg.norm(expected)
    assert error <= 1e-12 * max(scale, 1e-2) or error <= 100 * rounding(expression, values), (what, error, scale)


def assert_agrees(derivation, values):
    """Value and every gradient of the compiled derivation; returns them."""
    value, gradients = derivation.function("numpy")(**values)
    assert_equal(value, derivation.f, values, "value")
    assert set(gradients) == set(derivation.gradients)
    for name, gradient in derivation.gradients.items():
        assert_equal(gradients[name], gradient, values, name)
    return value, gradients


def assert_independent(gradients, values):
    """Gradients can be written to without any effect on inputs or on one another."""
    arrays = {f"gradient {k}": g for k, g in gradients.items()} | dict(values)
    for name, gradient in gradients.items():
        for other, array in arrays.items():
            assert other == f"gradient {name}" or not np.shares_memory(gradient, array), (name, other)
        assert not np.ndim(gradient) or gradient.flags.writeable, name

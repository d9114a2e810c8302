"""The JAX target inside JAX: grad, jit, vmap, second derivatives, precision."""

import numpy as np
import pytest
from code_generation.generated import load

import byhand

NET = byhand.MLP("5-7-3", activation="tanh", l2="lam")
WEIGHTS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def generated():
    return load(NET.code("jax"))["value"]


@pytest.fixture(scope="module")
def arguments():
    rng = np.random.default_rng(0)
    parameters = [v + 0.1 * rng.standard_normal(v.shape) for v in NET.init(0).values()]
    return [rng.standard_normal((11, 5)), *parameters, np.arange(11) % 3, 0.3]


def by_jax(jax):
    jnp = jax.numpy

    def loss(X, W1, b1, W2, b2, y, lam):
        S = jax.nn.log_softmax(jnp.tanh(X @ W1 + b1) @ W2 + b2)
        return lam * (jnp.sum(W1**2) + jnp.sum(W2**2)) - jnp.mean(S[jnp.arange(len(y)), y])

    return loss


def assert_close(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert np.linalg.norm(a - b) <= 1e-12 * np.linalg.norm(b)


def test_equals_jax_grad(jax, generated, arguments):
    expected = jax.grad(by_jax(jax), WEIGHTS)(*arguments)
    assert_close(jax.grad(generated, WEIGHTS)(*arguments), expected)
    assert_close(jax.jit(jax.grad(generated, WEIGHTS))(*arguments), expected)
    assert_close(jax.grad(jax.jit(generated), WEIGHTS)(*arguments), expected)
    squared = jax.grad(lambda W: generated(arguments[0], W, *arguments[2:]) ** 2)(arguments[1])
    assert_close([squared], [2 * generated(*arguments) * expected[0]])


def test_vmap(jax, generated, arguments):
    X = np.random.default_rng(1).standard_normal((4, 11, 5))
    axes = (0, *[None] * 6)
    found = jax.vmap(jax.grad(generated, WEIGHTS), axes)(X, *arguments[1:])
    assert_close(found, jax.vmap(jax.grad(by_jax(jax), WEIGHTS), axes)(X, *arguments[1:]))


def test_second_derivatives(jax, generated, arguments):
    found, expected = (jax.jacrev(jax.grad(f, 1), 1)(*arguments) for f in (generated, by_jax(jax)))
    assert_close([found], [expected])


def test_a_gradient_that_was_not_derived_is_refused(jax, generated, arguments):
    for f in (jax.grad(generated, 0), jax.jit(jax.grad(generated, 6)), jax.grad(jax.jit(generated), 0)):
        with pytest.raises(NotImplementedError, match="no gradient was derived with respect to X and lam"):
            f(*arguments)


def test_double_precision_without_a_switch(jax):
    compiled = byhand.derive(byhand.parse("sum(tanh(X)**2)", {"X": "m n"})).function("jax")
    X = np.random.default_rng(0).standard_normal((5, 3))
    jax.config.update("jax_enable_x64", False)
    try:
        value, gradients = compiled(X=X)
        single, _ = compiled(X=X.astype(np.float32))
    finally:
        jax.config.update("jax_enable_x64", True)
    assert value.dtype == gradients["X"].dtype == np.float64 and single.dtype == np.float32
    assert float(value) == pytest.approx(np.sum(np.tanh(X) ** 2), rel=1e-14)

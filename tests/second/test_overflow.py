"""Weights of scale 1000: what users write with exp and log is derived in the form that does not overflow."""

import warnings

import numpy as np
import pytest
from oracles import jax_module, relative_error

import byhand

SIZES = {"m": 5, "n": 3, "k": 2}
SCORE, LOGITS = {"X": "m n", "w": "n"}, {"X": "m n", "w": "n k"}


def stable():
    """Text as users write it, shapes, and the same function by JAX's own stable ones."""
    jax = jax_module()
    nn, jnp = jax.nn, jax.numpy
    return [
        ("sum(log(1 + exp(X @ w)))", SCORE, lambda w, X: nn.softplus(X @ w).sum()),
        ("sum(log(exp(X @ w) + 1))", SCORE, lambda w, X: nn.softplus(X @ w).sum()),
        ("sum(log1p(exp(X @ w)))", SCORE, lambda w, X: nn.softplus(X @ w).sum()),
        ("sum(log(1 + exp(-y*(X @ w))))", SCORE | {"y": "m"}, lambda w, X, y: nn.softplus(-y * (X @ w)).sum()),
        ("sum(y*log(sigmoid(X @ w)) + (1 - y)*log(1 - sigmoid(X @ w)))", SCORE | {"y": "m"},
         lambda w, X, y: (y * nn.log_sigmoid(X @ w) + (1 - y) * nn.log_sigmoid(-X @ w)).sum()),
        ("sum(y*log(1/(1 + exp(-X @ w))))", SCORE | {"y": "m"}, lambda w, X, y: (y * nn.log_sigmoid(X @ w)).sum()),
        ("sum(exp(X @ w)/(1 + exp(X @ w)))", SCORE, lambda w, X: nn.sigmoid(X @ w).sum()),
        ("sum(exp(X @ w)/(1 + exp(X @ w))**2)", SCORE, lambda w, X: (nn.sigmoid(X @ w) * nn.sigmoid(-X @ w)).sum()),
        ("log(sum(exp(w)))", {"w": "n"}, lambda w: nn.logsumexp(w)),
        ("s = sum(exp(w))\nlog(s)", {"w": "n"}, lambda w: nn.logsumexp(w)),
        ("sum(log(sum(exp(X @ w), axis=1)))", LOGITS, lambda w, X: nn.logsumexp(X @ w, axis=1).sum()),
        ("sum(log(sum(exp(X @ w), axis=0)))", LOGITS, lambda w, X: nn.logsumexp(X @ w, axis=0).sum()),
        ("c @ (exp(w)/sum(exp(w)))", {"w": "n", "c": "n"}, lambda w, c: c @ nn.softmax(w)),
        ("sum(C*exp(w)/sum(exp(w), axis=1, keepdims=True))", {"w": "n k", "C": "n k"},
         lambda w, C: (C * nn.softmax(w, 1)).sum()),
        ("-sum(Y*log(softmax(X @ w, 1)))", LOGITS | {"Y": "m k"}, lambda w, X, Y: -(Y * nn.log_softmax(X @ w)).sum()),
        ("sum(cross_entropy(X @ w, Y))", LOGITS | {"Y": "m k"}, lambda w, X, Y: -(Y * nn.log_softmax(X @ w)).sum()),
        ("sum(log(cosh(X @ w)))", SCORE, lambda w, X: (jnp.logaddexp(X @ w, -X @ w) - np.log(2)).sum()),
        ("sum((exp(X @ w) - exp(-X @ w))/(exp(X @ w) + exp(-X @ w)))", SCORE, lambda w, X: jnp.tanh(X @ w).sum()),
    ]  # fmt: skip


CASES = stable()


@pytest.mark.parametrize("scale", [1.0, 1000.0])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0].replace("\n", "; "))
def test_second_order_is_finite_and_right(case, scale):
    text, shapes, reference = case
    jax = jax_module()
    rng = np.random.default_rng(0)
    arrays = {n: rng.standard_normal([SIZES[d] for d in s.split()]) for n, s in shapes.items()}
    if "Y" in arrays:
        arrays["Y"] = np.eye(2)[rng.integers(0, 2, 5)]
    arrays["w"] = scale * arrays["w"]
    others = {n: jax.numpy.asarray(a) for n, a in arrays.items() if n != "w"}
    f, at = byhand.parse(text, shapes=shapes), jax.numpy.asarray(arrays["w"])

    def function(w):
        return reference(w, **others)

    expected = np.asarray(jax.hessian(function)(at))
    v = rng.standard_normal(arrays["w"].shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, gradients = byhand.derive(f, "w").function("numpy")(**arrays)
        h = byhand.hessian(f, "w")
        found = [h.function(target)(**arrays) for target in ("numpy", "interpreter")]
        product = byhand.hvp(f, "w")(**arrays, v=v)
        row = byhand.jacobian(f, "w").function("numpy")(**arrays)
    assert relative_error(value, np.asarray(function(at))) < 1e-11
    gradient = np.asarray(jax.grad(function)(at))
    size = max(1e-3, float(np.abs(gradient).max()))
    for g in (gradients["w"], row):
        np.testing.assert_allclose(g, gradient, atol=1e-11 * size)
    size = max(1e-3, float(np.abs(expected).max()))  # at scale 1000 most curvature is exactly zero
    for H in found:
        np.testing.assert_allclose(H, expected, atol=1e-10 * size)
    np.testing.assert_allclose(product, np.tensordot(expected, v, v.ndim), atol=1e-9 * size)

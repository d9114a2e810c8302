"""Per-sample quantities of networks against gradients of single samples by JAX."""

import numpy as np
import pytest
from oracles import jax_module, relative_error

import byhand

N, SIZES = 11, (7, 5, 3)


@pytest.fixture(params=["softmax_cross_entropy", "mse"])
def setting(request):
    jax = jax_module()
    jnp = jax.numpy
    rng = np.random.default_rng(0)
    net = byhand.MLP(list(SIZES), activation="tanh", loss=request.param)
    shapes = {"W1": SIZES[:2], "b1": SIZES[1:2], "W2": SIZES[1:], "b2": SIZES[2:]}
    values = {n: rng.standard_normal(s) for n, s in shapes.items()}
    X = rng.standard_normal((N, SIZES[0]))
    target = rng.integers(0, SIZES[2], N) if net.target == "y" else rng.standard_normal((N, SIZES[2]))

    def logits(p, x):
        return jnp.tanh(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]

    def loss(p, x, t):
        z = logits(p, x)
        if request.param == "mse":
            return SCALE * jnp.sum((z - t) ** 2)
        return jax.nn.logsumexp(z) - z[t]

    # what the network calls the mean of squares, seen from its value
    SCALE = 1.0
    arrays = {**values, "X": X, net.target: target}
    mean = float(np.mean([loss(values, x, t) for x, t in zip(X, target, strict=True)]))
    SCALE = float(net.expression(**arrays)) / mean
    gradients = jax.vmap(jax.grad(loss), (None, 0, 0))(values, X, target)
    return net, arrays, values, {n: np.asarray(g) for n, g in gradients.items()}, logits, loss, X, target


def test_norms_clipping_variance(setting):
    net, arrays, values, G, *_ = setting
    p = byhand.per_sample(net)
    norms = np.sqrt(sum(np.sum(g.reshape(N, -1) ** 2, axis=1) for g in G.values()))
    assert relative_error(p.norms(**arrays), norms) < 1e-12
    limit = float(np.median(norms))
    c = np.minimum(1, limit / norms)
    clipped, variances = p.clipped(limit, **arrays), p.variances(**arrays)
    for n in values:
        assert relative_error(clipped[n], np.tensordot(c, G[n], 1)) < 1e-12
        assert relative_error(variances[n], G[n].var(axis=0)) < 1e-10
    assert "Xᵀ diag(c) ∂L/∂Z1" in p.text()


def test_gauss_newton_diagonal_and_kronecker_factors(setting):
    net, arrays, values, G, logits, loss, X, target = setting
    jax = jax_module()
    p = byhand.per_sample(net)
    found = p.gauss_newton_diagonal(**arrays)
    Z = np.asarray(logits(values, X))
    if net.loss == "mse":
        scale = float(loss(values, X[0], target[0]) / np.sum((Z[0] - target[0]) ** 2))
        curvature = np.broadcast_to(2 * scale * np.eye(SIZES[2]), (N, SIZES[2], SIZES[2]))
    else:
        P = np.asarray(jax.nn.softmax(jax.numpy.asarray(Z)))
        curvature = np.einsum("bj,jk->bjk", P, np.eye(SIZES[2])) - np.einsum("bj,bk->bjk", P, P)
    J = jax.jacobian(lambda q: logits(q, X))(values)
    for n, v in values.items():
        flat = np.asarray(J[n]).reshape(N, SIZES[2], -1)
        expected = np.einsum("bjp,bjk,bkp->p", flat, curvature, flat).reshape(v.shape) / N
        assert relative_error(found[n], expected) < 1e-12
    A, B = p.kronecker_factors["W1"]
    assert relative_error(A(X=X), X.T @ X / N) < 1e-13
    used = {n: a for n, a in arrays.items() if n in B.symbols}
    assert relative_error(B(**used), G["b1"].T @ G["b1"] / N) < 1e-12


def test_penalty_belongs_to_no_sample():
    net = byhand.MLP([4, 3], l2=0.1)
    assert any("left out" in n for n in byhand.per_sample(net).notes)


def test_refusals():
    f = byhand.parse("mean(tanh(X @ W @ V)**2)", shapes={"X": "m n", "W": "n k", "V": "k h"})
    with pytest.raises(byhand.MissingRuleError):
        byhand.per_sample(byhand.parse("sum((X @ W) @ W.T)", shapes={"X": "m n", "W": "n k"}), "W", batch="m")
    with pytest.raises(byhand.ShapeError):
        byhand.per_sample(byhand.parse("X @ W", shapes={"X": "m n", "W": "n k"}), "W")
    assert byhand.per_sample(f, "V", batch="m").parts

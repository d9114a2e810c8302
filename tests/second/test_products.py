"""hvp, jvp, vjp and Gauss–Newton products: against JAX, linear in depth, conventions."""

import numpy as np
import pytest
from oracles import jax_module, relative_error

import byhand

TWO_LAYERS = (
    "Z1 = X @ W1 + b1\nH1 = tanh(Z1)\nZ2 = H1 @ W2 + b2\nmean(logsumexp(Z2, axis=1) - sum(Y*Z2, axis=1))",
    {"X": "m n", "W1": "n h", "b1": "h", "W2": "h k", "b2": "k", "Y": "m k"},
)
SIZES = {"m": 5, "n": 7, "h": 3, "k": 2}
PARAMETERS = ["W1", "b1", "W2", "b2"]


@pytest.fixture
def network():
    f = byhand.parse(*TWO_LAYERS, assume={"Y": "simplexrows"})
    rng = np.random.default_rng(0)
    values = {n: rng.standard_normal([SIZES[str(d)] for d in s.shape]) for n, s in f.symbols.items()}
    values["Y"] = rng.dirichlet(np.ones(2), 5)
    directions = {n: rng.standard_normal(values[n].shape) for n in PARAMETERS}
    return f, values, directions


def logits(p, values):
    jnp = jax_module().numpy
    return jnp.tanh(values["X"] @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]


def loss_of(Z, values):
    jax = jax_module()
    return jax.numpy.mean(jax.nn.logsumexp(Z, axis=1) - jax.numpy.sum(values["Y"] * Z, axis=1))


def test_hvp_of_all_parameters(network):
    f, values, directions = network
    jax = jax_module()
    point = {n: values[n] for n in PARAMETERS}
    expected = jax.jvp(jax.grad(lambda p: loss_of(logits(p, values), values)), (point,), (directions,))[1]
    product = byhand.hvp(f, PARAMETERS)
    found = product.function("numpy")(**values, **{f"v_{n}": d for n, d in directions.items()})
    for n in PARAMETERS:
        assert relative_error(found[n], expected[n]) < 1e-13
    assert "Z1_dot" in product.text() and product.latex() and product.html() and "def " in product.code("numpy")


def test_hvp_is_the_hessian_times_the_vector(network):
    f, values, directions = network
    H = byhand.hessian(f, "W1").operator(**values)
    found = byhand.hvp(f, "W1").function()(**values, v=directions["W1"])
    assert relative_error(found, H @ directions["W1"]) < 1e-13


def test_hvp_reaches_variables_through_views_only():
    """The gradient of a bias is a sum over the rows of an adjoint: nothing but a view of it."""
    f = byhand.parse("sum(tanh(X @ W + b)**2)", shapes={"X": "m n", "W": "n k", "b": "k"})
    rng = np.random.default_rng(0)
    values = {"X": rng.standard_normal((5, 3)), "W": rng.standard_normal((3, 2)), "b": rng.standard_normal(2)}
    v = rng.standard_normal(2)
    H = byhand.hessian(f, "b").function()(**values)
    assert relative_error(byhand.hvp(f, "b").function()(**values, v=v), H @ v) < 1e-13


def test_gauss_newton(network):
    f, values, directions = network
    jax = jax_module()
    point = {n: values[n] for n in PARAMETERS}
    Z, moved = jax.jvp(lambda p: logits(p, values), (point,), (directions,))
    curved = jax.jvp(jax.grad(lambda Z: loss_of(Z, values)), (Z,), (moved,))[1]
    expected = jax.vjp(lambda p: logits(p, values), point)[1](curved)[0]
    product = byhand.gauss_newton_vp(f, PARAMETERS)
    found = product.function()(**values, **{f"v_{n}": d for n, d in directions.items()})
    for n in PARAMETERS:
        assert relative_error(found[n], expected[n]) < 1e-13
    assert any("J = ∂Z2/" in n for n in product.notes)
    with pytest.raises(byhand.ParseError, match="not only through Z1"):
        byhand.gauss_newton_vp(f, PARAMETERS, through="Z1")
    with pytest.raises(byhand.ParseError, match="no intermediate is called Q"):
        byhand.gauss_newton_vp(f, PARAMETERS, through="Q")


def test_jvp_and_vjp_are_adjoint():
    f = byhand.parse("softmax(A @ tanh(x))", shapes={"A": "m n", "x": "n"})
    rng = np.random.default_rng(0)
    A, x, v, u = rng.standard_normal((3, 5)), rng.standard_normal(5), rng.standard_normal(5), rng.standard_normal(3)
    J = byhand.jacobian(f, "x").function()(A=A, x=x)
    forward, backward = byhand.jvp(f, "x"), byhand.vjp(f, "x")
    assert relative_error(forward.function()(A=A, x=x, v=v), J @ v) < 1e-13
    assert relative_error(backward.function()(A=A, x=x, u=u), J.T @ u) < 1e-13
    assert "J v" in forward.text() and "Jᵀ u" in backward.text()


def test_names_of_directions_do_not_clash():
    f = byhand.parse("sum((A @ v)**2)", shapes={"A": "m n", "v": "n"})
    product = byhand.hvp(f, "v")
    assert [s.name for s in product.directions.values()] == ["v_"]
    with pytest.raises(byhand.ParseError, match="A has a meaning"):
        byhand.hvp(f, "v", v="A")
    with pytest.raises(byhand.ShapeError, match="scalar"):
        byhand.hvp(byhand.parse("A @ v", shapes={"A": "m n", "v": "n"}), "v")


def deep(layers):
    shapes, lines, below = {"X": "m n0"}, [], "X"
    for k in range(1, layers + 1):
        lines += [f"Z{k} = {below} @ W{k} + b{k}", f"A{k} = tanh(Z{k})"]
        below = f"A{k}"
        shapes |= {f"W{k}": f"n{k - 1} n{k}", f"b{k}": f"n{k}"}
    return byhand.parse("\n".join([*lines, f"mean({below}**2)"]), shapes=shapes), [n for n in shapes if n != "X"]


@pytest.mark.slow
@pytest.mark.parametrize("product", [byhand.hvp, byhand.gauss_newton_vp])
def test_work_is_linear_in_depth(product):
    from byhand.expr.nodes import topological

    sizes = {}
    for layers in (10, 20, 50):
        f, parameters = deep(layers)
        roots = [e.root for e in product(f, parameters).expressions.values()]
        sizes[layers] = len(topological(roots))
    assert sizes[50] - sizes[20] <= 3.3 * (sizes[20] - sizes[10])

"""Every elementwise function: its value and derivative against JAX and PyTorch, its kernel, its code, its kinks."""

import numpy as np
import pytest
from tools import needed

from byhand.expr import numeric
from byhand.expr.dims import named_dimension
from byhand.expr.evaluate import evaluate_node
from byhand.expr.functions import FUNCTIONS, POSITIVE_VALUED
from byhand.expr.nodes import Elementwise, symbol
from byhand.rules.differentials import slope

ROWS = list(FUNCTIONS.values())
FAR = (-30.0, -8.0, 8.0, 30.0)
NEAR = (-1e-8, 1e-8, -1e-3, 1e-3)
GROWING = {"exp": 1, "expm1": 1, "sinh": 0, "cosh": 0}  # overflow at +1e3 (1) or at both ends (0), as the function does
STEP = 1e-30

by_name = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def points(row, far=FAR):
    """Points of the domain: everywhere, near 0, far out; none at a kink."""
    rng = np.random.default_rng(5)
    match row.domain:
        case "positive":
            return np.concatenate([rng.uniform(0.05, 5, 40), [x for x in (*NEAR, *far) if x > 0]])
        case "unit":
            return np.concatenate([rng.uniform(-0.95, 0.95, 40), NEAR])
        case _:
            return np.concatenate([3 * rng.standard_normal(40), NEAR, far])


def derivative(row, z):
    """f'(z) by the row's own formula."""
    s = symbol("z", (named_dimension("n"),))
    node = slope(row.name, s, evaluate_row(row, s))
    return np.broadcast_to(evaluate_node(node, {s: z}, {"n": len(z)}), z.shape)


def evaluate_row(row, s):
    from byhand.expr.contraction import elementwise

    return elementwise(row.name, s)


def close(a, b):
    """Equal to 13 digits of the larger of the value and one: far out, 1 - y has no more than that."""
    return np.all(np.abs(a - b) <= 1e-13 * np.maximum(1.0, np.abs(b)) + 1e-13 * np.abs(b))


# ---- oracles


def jax_functions(jax):
    jnp, nn, norm = jax.numpy, jax.nn, jax.scipy.stats.norm
    named = [n for n in FUNCTIONS if hasattr(jnp, n)]
    return {name: getattr(jnp, name) for name in named} | {
        "sigmoid": nn.sigmoid, "log_sigmoid": nn.log_sigmoid, "softplus": nn.softplus, "relu": nn.relu,
        "logcosh": lambda z: jnp.logaddexp(z, -z) - jnp.log(2.0), "step": lambda z: jnp.where(z > 0, 1.0, 0.0),
        "nonnegative": lambda z: jnp.where(z >= 0, 1.0, 0.0),
        "leaky_relu": nn.leaky_relu, "elu": nn.elu, "selu": nn.selu, "silu": nn.silu, "stop_gradient": jax.lax.stop_gradient,
        "gelu": lambda z: nn.gelu(z, approximate=False), "hard_tanh": nn.hard_tanh,
        "huber": lambda z: jnp.where(jnp.abs(z) < 1, z * z / 2, jnp.abs(z) - 0.5),
        "erf": jax.scipy.special.erf, "normal_cdf": norm.cdf, "normal_pdf": norm.pdf,
    }  # fmt: skip


def torch_functions(torch):
    special, nn = torch.special, torch.nn.functional
    plain = [n for n in FUNCTIONS if hasattr(torch, n)]
    turned = {name: "a" + name.removeprefix("arc") for name in ("arcsin", "arccos", "arctan", "arcsinh")}
    return {name: getattr(torch, name) for name in plain} | {n: getattr(torch, t) for n, t in turned.items()} | {
        "log_sigmoid": nn.logsigmoid, "softplus": lambda z: nn.softplus(z, threshold=1000), "relu": nn.relu,
        "logcosh": lambda z: torch.logaddexp(z, -z) - np.log(2.0), "step": lambda z: (z > 0).to(z) + 0 * z, "nonnegative": lambda z: (z >= 0).to(z) + 0 * z,
        "leaky_relu": nn.leaky_relu, "elu": nn.elu, "selu": nn.selu, "silu": nn.silu, "gelu": nn.gelu,
        "hard_tanh": nn.hardtanh, "stop_gradient": lambda z: z.detach() + 0 * z,
        "huber": lambda z: nn.huber_loss(z, torch.zeros_like(z), reduction="none"),
        "normal_cdf": special.ndtr, "normal_pdf": lambda z: torch.exp(-z * z / 2) / np.sqrt(2 * np.pi),
    }  # fmt: skip


def test_the_oracles_have_every_function(jax):
    assert set(jax_functions(jax)) == set(FUNCTIONS)


@by_name
def test_value_and_derivative_against_jax(row, jax):
    f, z = jax_functions(jax)[row.name], points(row)
    if row.name in GROWING:
        z = z[np.abs(z) <= 30]
    assert close(row.numpy(z), np.asarray(f(z)))
    wanted = np.asarray(jax.vmap(jax.grad(lambda x: f(x) * 1.0))(z))
    assert close(derivative(row, z), wanted)


@by_name
def test_value_and_derivative_against_torch(row):
    torch = needed("torch")
    f = torch_functions(torch)[row.name]
    z = torch.tensor(points(row), dtype=torch.float64, requires_grad=True)
    value = f(z)
    (wanted,) = torch.autograd.grad(value.sum(), z)
    assert close(row.numpy(points(row)), value.detach().numpy())
    assert close(derivative(row, points(row)), wanted.numpy())


# ---- kernels


@by_name
def test_the_kernel_is_analytic_off_its_kinks(row):
    z = points(row)
    moved = row.numpy(z + 1j * STEP)
    assert close(np.imag(moved) / STEP, derivative(row, z))
    assert close(np.real(moved), row.numpy(z))


@by_name
def test_value_and_derivative_are_finite_where_the_function_is(row):
    ends = {"positive": [1e3], "unit": [0.999]}.get(row.domain, [-1e3, 1e3])
    ends = [e for e in ends if not (row.name in GROWING and e * GROWING[row.name] >= 0)]
    z = np.array([*ends, 0.5])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.all(np.isfinite(row.numpy(z)))
        assert np.all(np.isfinite(derivative(row, z)))
    assert np.all(np.isfinite(row.numpy(z + 1j * STEP)))


@by_name
def test_the_code_is_the_kernel(row):
    names = {"np": np, **{n: getattr(numeric, n) for n in dir(numeric) if not n.startswith("_")}}
    z = points(row)
    assert close(eval(row.code.format(z="z"), names, {"z": z}) * 1.0, row.numpy(z))
    matrix = z[:40].reshape(8, 5)
    assert np.array_equal(row.numpy(matrix).ravel(), row.numpy(z[:40]))
    assert np.shape(row.numpy(np.float64(0.5))) == ()


@by_name
def test_kernels_leave_their_argument_alone(row):
    z = points(row)
    before = z.copy()
    row.numpy(z)
    assert np.array_equal(z, before)


# ---- conventions at the kinks


@pytest.mark.parametrize(
    "name, at, slope_there",
    [
        ("relu", 0.0, 0.0), ("step", 0.0, 0.0), ("nonnegative", 0.0, 0.0), ("abs", 0.0, 0.0), ("sign", 0.0, 0.0), ("leaky_relu", 0.0, 0.01),
        ("elu", 0.0, 1.0), ("selu", 0.0, 1.7580993408473768), ("hard_tanh", 1.0, 0.0), ("hard_tanh", -1.0, 0.0),
        ("huber", 1.0, 1.0), ("huber", -1.0, -1.0),
    ],
)  # fmt: skip
def test_the_convention_at_a_kink(name, at, slope_there):
    assert at in FUNCTIONS[name].kinks
    assert derivative(FUNCTIONS[name], np.array([at])) == pytest.approx([slope_there], abs=1e-15)


def test_step_and_sign_at_zero():
    assert FUNCTIONS["step"].numpy(np.array([0.0, -0.0])).tolist() == [0, 0]
    assert FUNCTIONS["sign"].numpy(np.array([0.0])).tolist() == [0]


@by_name
def test_kinks_are_where_the_slope_jumps(row):
    """Left and right of each declared kink the slope or its slope differs; elsewhere there is no jump at 0."""
    e = 1e-9
    if row.domain != "real":
        return
    for at in row.kinks:
        left, right = derivative(row, np.array([at - e])), derivative(row, np.array([at + e]))
        jump = abs(float(row.numpy(np.array([at + e]))[0] - row.numpy(np.array([at - e]))[0]))
        second = abs(derivative(row, np.array([at + 1e-3])) - derivative(row, np.array([at - 1e-3])))
        assert abs(left - right) > 1e-3 or jump > 0.5 or (second > 5e-4).all()
    if not row.kinks:
        assert abs(derivative(row, np.array([-e])) - derivative(row, np.array([e]))) < 1e-6


# ---- tables


def test_positive_valued_functions_are_positive():
    for name in POSITIVE_VALUED:
        assert np.all(FUNCTIONS[name].numpy(np.linspace(-20, 20, 401)) > 0), name


@by_name
def test_rows_are_complete(row):
    assert row.domain in ("real", "positive", "unit", "nonzero")
    assert row.source and "{z}" in row.code
    node = evaluate_row(row, symbol("z", (3,)))
    assert isinstance(node, Elementwise) and node.function == row.name and node.shape == (3,)

"""Second opinions on values and gradients that share no code with the library.

A test expression is text in the library's syntax, one line or several with named intermediates. Here it is run
with NumPy or `jax.numpy` behind the same names. NumPy's functions accept complex numbers and decide kinks, maxima
and masks on the real part, so that a derivative along a direction is one evaluation: f'(x)[d] = Im f(x + i e d) / e.
"""

import ast
import functools
import os

import numpy as np
import scipy.special

LEAKY_SLOPE = 0.01
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
COMPLEX_STEP = 1e-20


def _positive(x):
    return np.real(x) > 0


def _stable_exp(x):
    """exp(-|x|), the absolute value taken by the sign of the real part."""
    return np.exp(np.where(_positive(x), -x, x))


def _negative_part(x):
    return np.where(_positive(x), 0, x)


def _sigmoid(x):
    small = _stable_exp(x)
    return np.where(_positive(x), 1 / (1 + small), small / (1 + small))


def _logsumexp(x, axis=None, keepdims=False):
    top = np.max(np.real(x), axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


def _log_softmax(x, axis=-1):
    return x - _logsumexp(x, axis, keepdims=True)


def _norm(x):
    return np.sqrt(np.sum(x**2))


def _logdet(x):
    determinant = np.linalg.det(x)
    return np.log(determinant * np.sign(np.real(determinant)))


def _cross_entropy(logits, targets):
    logarithms = _log_softmax(logits, axis=1)
    if np.ndim(targets) == 1:
        return -logarithms[np.arange(len(targets)), targets]
    return -np.sum(targets * logarithms, axis=1)


NUMPY_NAMES = {
    # contractions and shapes
    "einsum": np.einsum, "sum": np.sum, "mean": np.mean, "trace": np.trace, "diag": np.diag, "outer": np.outer,
    "kron": np.kron, "inner": lambda a, b: np.sum(a * b), "norm": _norm, "det": np.linalg.det, "logdet": _logdet,
    "inv": np.linalg.inv, "solve": np.linalg.solve, "eye": np.eye, "ones": np.ones, "zeros": np.zeros,
    "arange": np.arange, "swapaxes": np.swapaxes,
    # elementwise
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "abs": lambda x: np.where(_positive(x), x, -x), "sign": lambda x: np.sign(np.real(x)),
    "sigmoid": _sigmoid, "softplus": lambda x: x - _negative_part(x) + np.log1p(_stable_exp(x)),
    "relu": lambda x: x - _negative_part(x), "step": lambda x: _positive(x) * 1.0,
    "leaky_relu": lambda x: np.where(_positive(x), x, LEAKY_SLOPE * x),
    "elu": lambda x: np.where(_positive(x), x, np.expm1(_negative_part(x))),
    "selu": lambda x: SELU_SCALE * np.where(_positive(x), x, SELU_ALPHA * np.expm1(_negative_part(x))),
    "erf": scipy.special.erf, "gelu": lambda x: x * (1 + scipy.special.erf(x / np.sqrt(2))) / 2,
    "silu": lambda x: x * _sigmoid(x), "square": lambda x: x * x, "reciprocal": lambda x: 1 / x,
    "where": np.where,
    # rows of scores
    "softmax": lambda x, axis=-1: np.exp(_log_softmax(x, axis)), "log_softmax": _log_softmax,
    "logsumexp": _logsumexp, "one_hot": lambda labels, classes: np.eye(classes)[labels],
    "cross_entropy": _cross_entropy,
}  # fmt: skip


@functools.cache
def jax_module():
    """JAX on the CPU with float64, imported at first use: tests that need no JAX do not pay for it."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


@functools.cache
def jax_names():
    """The functions of the syntax on `jax.numpy`, with JAX's own softmax, activations and linear algebra."""
    jax = jax_module()
    jnp, nn, linalg = jax.numpy, jax.nn, jax.numpy.linalg

    def cross_entropy(logits, targets):
        logarithms = nn.log_softmax(logits, axis=1)
        if targets.ndim == 1:
            return -jnp.take_along_axis(logarithms, targets[:, None], axis=1)[:, 0]
        return -jnp.sum(targets * logarithms, axis=1)

    return {
        "einsum": jnp.einsum, "sum": jnp.sum, "mean": jnp.mean, "trace": jnp.trace, "diag": jnp.diag,
        "outer": jnp.outer, "kron": jnp.kron, "inner": lambda a, b: jnp.sum(a * b),
        "norm": lambda x: jnp.sqrt(jnp.sum(x**2)), "det": linalg.det, "logdet": lambda x: linalg.slogdet(x)[1],
        "inv": linalg.inv, "solve": linalg.solve, "eye": jnp.eye, "ones": jnp.ones, "zeros": jnp.zeros,
        "arange": jnp.arange, "swapaxes": jnp.swapaxes,
        "exp": jnp.exp, "log": jnp.log, "sqrt": jnp.sqrt, "sin": jnp.sin, "cos": jnp.cos, "tanh": jnp.tanh,
        "abs": jnp.abs, "sign": jnp.sign, "sigmoid": nn.sigmoid, "softplus": nn.softplus, "relu": nn.relu,
        "step": lambda x: (x > 0) * 1.0, "leaky_relu": lambda x: nn.leaky_relu(x, LEAKY_SLOPE), "elu": nn.elu,
        "selu": nn.selu, "erf": jax.scipy.special.erf, "gelu": lambda x: nn.gelu(x, approximate=False),
        "silu": nn.silu, "square": jnp.square, "reciprocal": jnp.reciprocal, "where": jnp.where,
        "softmax": nn.softmax, "log_softmax": nn.log_softmax,
        "logsumexp": jax.scipy.special.logsumexp, "one_hot": lambda t, k: nn.one_hot(t, k, dtype=jnp.float64),
        "cross_entropy": cross_entropy,
    }  # fmt: skip


@functools.lru_cache(maxsize=64)
def _compiled(text):
    """The lines of a test expression as (assigned name or None, code object)."""
    lines = []
    for statement in ast.parse(text).body:
        name = statement.targets[0].id if isinstance(statement, ast.Assign) else None
        lines.append((name, compile(ast.Expression(statement.value), "<expression>", "eval")))
    return lines


def run(text, names, values):
    """Run one of our own test expressions.

    Args:
        text: lines of `name = expression`; the last line may be a bare expression.
        names: functions, `NUMPY_NAMES` or `jax_names()`.
        values: arrays by variable name, and integers by dimension name.
    Returns: the value of the last line, and every name bound on the way.
    """
    scope, value = {**names, **values}, None
    for name, code in _compiled(text):
        value = eval(code, scope)
        if name:
            scope[name] = value
    return value, scope


def value_of(text, values):
    """The value of a test expression by NumPy."""
    return run(text, NUMPY_NAMES, values)[0]


def directional_derivative(text, values, directions):
    """Derivative of a scalar test expression along `directions` ({name: array}) by one complex step."""
    moved = {name: values[name] + 1j * COMPLEX_STEP * direction for name, direction in directions.items()}
    return float(np.imag(value_of(text, {**values, **moved})) / COMPLEX_STEP)


# Each expression is compiled once and run once: the compiler's effort is the whole cost.
JAX_QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def jax_gradient(text, values, variables):
    """Value and gradients {name: array} of a scalar test expression by JAX in float64.

    Args:
        text: a test expression.
        values: arrays by variable name, and integers by dimension name.
        variables: names to differentiate for.
    """
    jax = jax_module()
    arrays = {name: jax.numpy.asarray(value) for name, value in values.items() if not isinstance(value, int)}
    sizes = {name: value for name, value in values.items() if isinstance(value, int)}

    def function(point, others):
        return run(text, jax_names(), {**sizes, **others, **point})[0]

    point = {name: arrays.pop(name).astype(float) for name in variables}
    program = jax.jit(jax.value_and_grad(function)).lower(point, arrays).compile(JAX_QUICK)
    value, gradients = program(point, arrays)
    return float(value), {name: np.asarray(gradient) for name, gradient in gradients.items()}


def symmetric_part(gradient):
    """The gradient with respect to a symmetric matrix, from the gradient that takes all entries as independent."""
    return (gradient + gradient.T) / 2


def relative_error(actual, expected, floor=0.0):
    """Normwise: |actual - expected| / max(|expected|, floor); infinite where shapes differ or a number is missing."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape or not np.all(np.isfinite(actual)):
        return np.inf
    distance, scale = np.linalg.norm(actual - expected), max(float(np.linalg.norm(expected)), floor)
    return 0.0 if distance == 0 else np.inf if scale == 0 else float(distance / scale)


SAMPLERS = {
    "positive": lambda x, rng: rng.uniform(0.5, 2, x.shape),
    "large": lambda x, rng: rng.uniform(20, 30, x.shape),
    "pm1": lambda x, rng: np.where(x > 0, 1.0, -1.0),
    "01": lambda x, rng: (x > 0) * 1.0,
    "symmetric": lambda x, rng: x + x.T,
    "spd": lambda x, rng: x @ x.T / len(x) + np.eye(len(x)),
    "wellcond": lambda x, rng: x / np.sqrt(len(x)) + 3 * np.eye(len(x)),
    "diagonal": lambda x, rng: np.diag(np.diag(x)),
    "orthogonal": lambda x, rng: np.linalg.qr(rng.standard_normal(x.shape))[0],
    "simplexrows": lambda x, rng: rng.dirichlet(np.ones(x.shape[-1]), x.shape[:-1]),
    "one_hot": lambda x, rng: np.eye(x.shape[-1])[rng.integers(0, x.shape[-1], x.shape[:-1])],
    "constant": lambda x, rng: x,
}


def draw(domain, shape, rng, *, spread=1.0, classes=None):
    """Random values with a declared property of the library's `assume`; generic values where it is None.

    Args:
        shape: sizes of the array.
        rng: `numpy.random.Generator`.
        spread: standard deviation of generic values.
        classes: number of classes, for the property "labels".
    """
    if domain == "labels":
        return rng.integers(0, classes, shape)
    values = rng.standard_normal(shape) * spread
    return SAMPLERS[domain](values, rng) if domain else values


class Torch:
    """PyTorch, imported where a test first uses it."""

    def __getattr__(self, name):
        if name.startswith("__"):  # doctest's search asks every object of a module for these
            raise AttributeError(name)
        import torch

        return getattr(torch, name)


torch = Torch()

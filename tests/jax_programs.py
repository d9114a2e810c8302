"""One small function of JAX for each primitive that has a row, and whole programs."""

import jax
import jax.numpy as jnp
from jax import lax

from byhand.expr.vocabulary import VOCABULARY

X, Y = {"X": "N D"}, {"X": "N D", "Y": "N D"}
POSITIVE, LABELS = {"X": "positive"}, {"t": "labels"}

# primitive -> function, shapes, properties
PRIMITIVES = {
    "exp": (lambda X: jnp.exp(X), X, {}),
    "tanh": (lambda X: jnp.tanh(X), X, {}),
    "logistic": (lambda X: jax.nn.sigmoid(X) * X, X, {}),
    "sin": (lambda X: jnp.sin(X), X, {}),
    "cos": (lambda X: jnp.cos(X), X, {}),
    "tan": (lambda X: jnp.tan(0.1 * X), X, {}),
    "asin": (lambda X: jnp.arcsin(0.1 * jnp.tanh(X)), X, {}),
    "acos": (lambda X: jnp.arccos(0.1 * jnp.tanh(X)), X, {}),
    "atan": (lambda X: jnp.arctan(X), X, {}),
    "sinh": (lambda X: jnp.sinh(X), X, {}),
    "cosh": (lambda X: jnp.cosh(X), X, {}),
    "asinh": (lambda X: jnp.arcsinh(X), X, {}),
    "erf": (lambda X: lax.erf(X), X, {}),
    "erfc": (lambda X: lax.erfc(X), X, {}),
    "log1p": (lambda X: jnp.log1p(X), X, POSITIVE),
    "expm1": (lambda X: jnp.expm1(X), X, {}),
    "sign": (lambda X: jnp.sign(X) * X**3, X, {}),
    "log": (lambda X: jnp.log(X), X, POSITIVE),
    "abs": (lambda X: jnp.abs(X), X, {}),
    "exp2": (lambda X: jnp.exp2(X), X, {}),
    "sqrt": (lambda X: jnp.sqrt(X), X, POSITIVE),
    "rsqrt": (lambda X: lax.rsqrt(X), X, POSITIVE),
    "cbrt": (lambda X: jnp.cbrt(X), X, POSITIVE),
    "square": (lambda X: jnp.square(X), X, {}),
    "integer_pow": (lambda X: X**3 + X**-1, X, POSITIVE),
    "neg": (lambda X: -X * X, X, {}),
    "pow": (lambda X, Y: X**Y, Y, POSITIVE),
    "add": (lambda X, Y: (X + Y) ** 2, Y, {}),
    "sub": (lambda X, Y: (X - Y) ** 2, Y, {}),
    "mul": (lambda X, Y: X * Y, Y, {}),
    "div": (lambda X, Y: X / Y, Y, {"Y": "positive"}),
    "max": (lambda X, Y: jnp.maximum(X, Y), Y, {}),
    "min": (lambda X, Y: jnp.minimum(X, Y), Y, {}),
    "clamp": (lambda X: lax.clamp(-0.5, X, 0.5), X, {}),
    "gt": (lambda X, Y: jnp.where(X > Y, X, 2 * Y), Y, {}),
    "lt": (lambda X, Y: jnp.where(X < Y, X, 2 * Y), Y, {}),
    "ge": (lambda X, Y: jnp.where(X >= Y, X, 2 * Y), Y, {}),
    "le": (lambda X, Y: jnp.where(X <= Y, X, 2 * Y), Y, {}),
    "eq": (lambda X, t: jnp.where(t[:, None] == jnp.arange(X.shape[1]), 3 * X, X), {"X": "N D", "t": "N"}, LABELS),
    "ne": (lambda X, t: jnp.where(t[:, None] != 2, 3 * X, X), {"X": "N D", "t": "N"}, LABELS),
    "and": (lambda X: jnp.where((X > -1) & (X < 1), X**2, X), X, {}),
    "or": (lambda X: jnp.where((X < -1) | (X > 1), X**2, X), X, {}),
    "not": (lambda X: jnp.where(~(X < -1), X**2, X), X, {}),
    "is_finite": (lambda X: jnp.where(jnp.isfinite(X), X**2, 0.0), X, {}),
    "select_n": (lambda X: jnp.where(X > 0, X, 0.1 * X), X, {}),
    "reduce_sum": (lambda X: jnp.sum(X**2, axis=0), X, {}),
    "reduce_max": (lambda X: jnp.max(X, axis=1), X, {}),
    "reduce_min": (lambda X: jnp.min(X, axis=0), X, {}),
    "reduce_prod": (lambda X: jnp.prod(X, axis=1), {"X": "N 3"}, {}),
    "cumsum": (lambda X: jnp.cumsum(X**2, axis=1), X, {}),
    "dot_general": (lambda X, Y: jnp.einsum("bij,bjk->bik", X, Y), {"X": "B N D", "Y": "B D K"}, {}),
    "conv_general_dilated": (
        lambda X, W: lax.conv_general_dilated(X, W, (1,), ((1, 1),), dimension_numbers=("NCH", "OIH", "NCH")),
        {"X": "N C 11", "W": "F C 3"},
        {},
    ),
    "transpose": (lambda X: jnp.tanh(X.T), X, {}),
    "broadcast_in_dim": (lambda X: jnp.broadcast_to(X[:, None, :], (X.shape[0], 3, X.shape[1])) ** 2, X, {}),
    "reshape": (lambda X: jnp.tanh(X.reshape(X.shape[0], 3, 4)), {"X": "N 12"}, {}),
    "squeeze": (lambda X: jnp.squeeze(X, 1) ** 2, {"X": "N 1 D"}, {}),
    "slice": (lambda X: X[:, 1:] * X[:, :-1], X, {}),
    "dynamic_slice": (lambda X: lax.dynamic_slice(X, (0, 2), (X.shape[0], 3)) ** 2, {"X": "N 7"}, {}),
    "stack": (lambda X, Y: jnp.stack([X, Y], axis=1) ** 2, Y, {}),
    "split": (lambda X: jnp.prod(jnp.stack(jnp.split(X, 3, axis=1)), axis=0), {"X": "N 12"}, {}),
    "concatenate": (lambda X, Y: jnp.concatenate([X, Y], axis=1) ** 2, {"X": "N D", "Y": "N K"}, {}),
    "pad": (lambda X: jnp.pad(X**2, ((0, 0), (1, 2))), X, {}),
    "rev": (lambda X: X[:, ::-1] * X, {"X": "N 5"}, {}),
    "gather": (lambda E, t: E[t] ** 2, {"E": "V D", "t": "B T"}, LABELS),
    "convert_element_type": (lambda X: X * (X > 0).astype(X.dtype), X, {}),
    "copy": (lambda X: jnp.copy(X) ** 2, X, {}),
    "optimization_barrier": (lambda X: lax.optimization_barrier(X) ** 2, X, {}),
    "reduce_precision": (lambda X: lax.reduce_precision(X, 11, 52) ** 2, X, {}),
    "stop_gradient": (lambda X: X * lax.stop_gradient(X**2), X, {}),
}


def normalised(X, g, b):
    centre = X - X.mean(-1, keepdims=True)
    spread = jnp.sqrt((centre**2).mean(-1, keepdims=True) + 1e-5)
    return g * centre / spread + b


def mixture(Z, t):
    weights = jax.nn.softmax(2.0 * Z, axis=0)
    scores = jax.nn.log_softmax(Z, axis=-1)
    own = jnp.take_along_axis(scores, t[:, None], axis=-1)[:, 0]
    return -jnp.mean(own) + jnp.sum(weights**2)


def stable(Z):
    shifted = Z - Z.max(axis=1, keepdims=True)
    e = jnp.exp(shifted)
    p = e / e.sum(axis=1, keepdims=True)
    return jnp.sum(p * jnp.log(jnp.sum(e, axis=1, keepdims=True)) ** 0 * p)


def contrast(A, B):
    similarity = A @ B.T / jnp.sqrt(A.shape[1])
    return jnp.mean(jax.nn.logsumexp(similarity, axis=1) - jnp.diag(similarity))


def repeated(X, W):
    h = X
    for _ in range(3):
        h = jnp.tanh(h @ W)
    return jnp.sum(h**2)


def looped(X, W):
    return jnp.sum(lax.fori_loop(0, 4, lambda k, h: jnp.tanh(h @ W), X) ** 2)


def scanned(X, H, W):
    def step(h, x):
        h = jnp.tanh(x + h @ W)
        return h, h

    _, outputs = lax.scan(step, H, X)
    return jnp.sum(outputs**2) + jnp.mean(outputs[-1])


def per_row(X, w):
    return jnp.sum(jax.vmap(lambda x: jax.nn.softplus(x @ w) * x[0])(X))


def spread(X):
    return jnp.sum(jnp.var(X, axis=0, ddof=1) + jnp.std(X, axis=0))


PROGRAMS = {
    "normalised": (normalised, {"X": "N D", "g": "D", "b": "D"}, {}, ("centre", "spread")),
    "mixture": (mixture, {"Z": "N K", "t": "N"}, LABELS, ("weights", "scores")),
    "stable": (stable, {"Z": "N K"}, {}, ("p",)),
    "contrast": (contrast, {"A": "N D", "B": "N D"}, {}, ("similarity",)),
    "repeated": (repeated, {"X": "N D", "W": "D D"}, {}, ("h1", "h2", "h3")),
    "looped": (looped, {"X": "N D", "W": "D D"}, {}, ()),
    "scanned": (scanned, {"X": "5 N D", "H": "N D", "W": "D D"}, {}, ()),
    "per_row": (per_row, {"X": "N D", "w": "D"}, {}, ()),
    "spread": (spread, {"X": "N D"}, {}, ()),
    **{
        name: (lambda X, name=name: getattr(jax.nn, name)(X), X, {}, ())
        for name in ("relu", "silu", "softplus", "elu", "selu", "leaky_relu", "hard_tanh", "log_sigmoid", "gelu", "sigmoid", "celu",
                     "relu6", "hard_swish", "mish", "soft_sign", "squareplus", "standardize", "logsumexp")
        if hasattr(jax.nn, name)
    },
}  # fmt: skip

# what the language does not have, the programs that need it wait for
WORDS = {
    "reduce_max": "max",
    "reduce_min": "min",
    "cumsum": "cumsum",
    "conv_general_dilated": "conv1d",
    "reshape": "reshape",
    "rev": "reshape",
}
MISSING = {name for name, word in WORDS.items() if word not in VOCABULARY}
PRIMITIVES = {name: row for name, row in PRIMITIVES.items() if name not in MISSING}
if "max" not in VOCABULARY:
    del PROGRAMS["stable"]

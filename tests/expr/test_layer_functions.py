"""Functions of layers, index maps, gathers, masks and maxima: values and gradients against JAX, in every Python target."""

import numpy as np
import pytest

import byhand
from byhand.check.oracles import jax_in_float64
from byhand.expr.layers import DEFINED

RNG = np.random.default_rng(3)


def _reference(jax, jnp):
    """text, shapes, integer inputs, and the same by JAX's own functions; sizes are pairwise distinct primes."""
    conv, lax, nn = jax.lax.conv_general_dilated, jax.lax, jax.nn

    def normalised(X, axis):
        return (X - X.mean(axis, keepdims=True)) / jnp.sqrt(X.var(axis, keepdims=True) + 1e-5)

    def pooled(X, start, combine, size, stride):
        return lax.reduce_window(X, start, combine, (1, 1, *size), (1, 1, *stride), "VALID")

    def attended(Q, K, V, M=None):
        S = Q @ jnp.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1])
        return nn.softmax(S if M is None else jnp.where(M, S, -jnp.inf), -1) @ V

    return {
        "layer_norm(X, g, b)": ("7 5; 5; 5", lambda X, g, b: g * normalised(X, -1) + b),
        "batch_norm(X, g, b)": ("7 5; 5; 5", lambda X, g, b: g * normalised(X, 0) + b),
        "rms_norm(X, g)": ("2 7 5; 5", lambda X, g: g * X / jnp.sqrt((X * X).mean(-1, keepdims=True) + 1e-5)),
        "attention(X, g, b)": ("7 5; 3 5; 3 2", lambda X, g, b: attended(X, g, b)),
        "attention(X, g, b, arange(7)[:, None] >= arange(3))": (
            "7 5; 3 5; 3 2", lambda X, g, b: attended(X, g, b, jnp.arange(7)[:, None] >= jnp.arange(3))),
        "conv1d(X, g, stride=2, padding=2)": (
            "2 3 11; 5 3 3", lambda X, g: conv(X, g, (2,), [(2, 2)])),
        "conv2d(X, g, stride=(2, 1), padding=(1, 0))": (
            "2 3 7 5; 5 3 3 2", lambda X, g: conv(X, g, (2, 1), [(1, 1), (0, 0)])),
        "max_pool1d(X, 3, 2)": ("2 3 11", lambda X: pooled(X, -jnp.inf, lax.max, (3,), (2,))),
        "max_pool2d(X, (2, 3))": ("2 3 7 11", lambda X: pooled(X, -jnp.inf, lax.max, (2, 3), (2, 3))),
        "avg_pool1d(X, 2)": ("2 3 7", lambda X: pooled(X, 0.0, lax.add, (2,), (2,)) / 2),
        "avg_pool2d(X, 2, 3)": ("2 3 7 11", lambda X: pooled(X, 0.0, lax.add, (2, 2), (3, 3)) / 4),
        "var(X, axis=1) + std(X, 1)": ("7 5", lambda X: X.var(1) + X.std(1)),
        "max(X, axis=(0, 2), keepdims=True) - min(X, axis=1, keepdims=True)": (
            "2 7 5", lambda X: X.max((0, 2), keepdims=True) - X.min(1, keepdims=True)),
        "clip(X, -0.5, 0.7) + norm(X, axis=0)": ("7 5", lambda X: jnp.clip(X, -0.5, 0.7) + jnp.sqrt((X * X).sum(0))),
        "huber(X, 0.3)": ("7 5", lambda X: jnp.where(abs(X) < 0.3, X * X / 2, 0.3 * (abs(X) - 0.15))),
        "cumsum(X, 1) + cumsum(X, 0)": ("7 5", lambda X: jnp.cumsum(X, 1) + jnp.cumsum(X, 0)),
        "X[1::2, ::-1]": ("7 5", lambda X: X[1::2, ::-1]),
        "X[::-2, 1:4]": ("7 5", lambda X: X[::-2, 1:4]),
        "reshape(X, (3, -1, 2))": ("6 5", lambda X: X.reshape(3, -1, 2)),
        "reshape(X, (4, 15))": ("6 10", lambda X: X.reshape(4, 15)),
        "X[t]": ("7 5; t: 2 3", lambda X, t: X[t]),
        "X[:, t]": ("5 7; t: 3", lambda X, t: X[:, t]),
        "X[t, :, t]": ("7 2 7; t: 3", lambda X, t: X[t, :, t]),
        "X[t, arange(3)]": ("7 3; t: 3", lambda X, t: X[t, jnp.arange(3)]),
        "X[t[:, None], arange(5)]": ("7 5; t: 3", lambda X, t: X[t[:, None], jnp.arange(5)]),
        "g[argmax(X, 1)] + X[:, 0]": ("7 5; 5", lambda X, g: g[jnp.argmax(X, 1)] + X[:, 0]),
        "where((X > 0) & ~(X > 1) | (X < -1), X, -inf)[0:1]*0 + X": ("7 5", lambda X: X),
        "softmax(where(arange(5)[:, None] >= arange(5), X, -inf))": (
            "5 5", lambda X: nn.softmax(jnp.where(jnp.tri(5) > 0, X, -jnp.inf), -1)),
    }  # fmt: skip


NAMES = tuple(_reference(type("m", (), {"lax": type("l", (), {"conv_general_dilated": 0}), "nn": 0}), None))


def _case(shapes):
    parts = [p.strip() for p in shapes.split(";")]
    names = [p[0] if ":" in p else "Xgb"[k] for k, p in enumerate(parts)]
    sizes = [tuple(map(int, p.split(":")[-1].split())) for p in parts]
    return dict(zip(names, sizes, strict=True))


@pytest.mark.parametrize("text", NAMES)
def test_value_and_gradient(text):
    with jax_in_float64() as jax:
        shapes, reference = _reference(jax, jax.numpy)[text]
        shapes = _case(shapes)
        values = {n: RNG.integers(0, 7, s) if n == "t" else RNG.standard_normal(s) for n, s in shapes.items()}
        free = [n for n in shapes if n != "t"]
        shape = np.shape(reference(**values))
        values["G"] = RNG.standard_normal(shape)
        f = byhand.parse(f"sum(G*({text}))", {**shapes, "G": shape}, {"t": "labels"} if "t" in shapes else None)
        d = byhand.derive(f, free)

        def scalar(point):
            return jax.numpy.sum(values["G"] * reference(**{**{n: v for n, v in values.items() if n != "G"}, **point}))

        value, truth = jax.value_and_grad(scalar)({n: jax.numpy.asarray(values[n]) for n in free})
        for target in ("numpy", "jax", "torch"):
            found, gradients = d.function(target)(**values)
            assert float(found) == pytest.approx(float(value), rel=1e-12, abs=1e-12)
            for n in free:
                assert np.abs(np.asarray(gradients[n]) - truth[n]).max() < 1e-11, (target, n)
        step = {n: values[n] + 1e-30j * (n == free[0]) for n in values if n != "t"} | {
            n: values[n] for n in values if n == "t"
        }
        assert np.imag(byhand.evaluate(f, **step)) / 1e-30 == pytest.approx(float(np.sum(truth[free[0]])), abs=1e-10)


def test_every_definition_is_tried():
    assert {name for name in DEFINED if not any(f"{name}(" in text for text in NAMES)} == set()


def test_names_of_layers_may_be_taken():
    f = byhand.parse("var = mean(X**2)\nmax = var + X\nsum(max)", {"X": "n"})
    assert list(f.intermediates) == ["var", "max"]


@pytest.mark.parametrize(
    "dims, size",
    [("(L-1)//2+1", 6), ("L//2", 5), ("(L//2)//2", 2), ("L-2", 9), ("2*L//2", 11), ("(2*L+3)//2", 12), ("L*K//K", 11)],
)
def test_whole_parts_of_dimensions(dims, size):
    f = byhand.parse("sum(X*Y*Z)", {"X": dims, "Y": dims, "Z": "", "l": "L", "k": "K"})
    ones = np.ones(size)
    assert byhand.evaluate(f, X=ones, Y=ones, Z=2.0, l=np.ones(11), k=np.ones(3)) == 2 * size
    with pytest.raises(byhand.DataError):
        byhand.evaluate(f, X=np.ones(size + 1), Y=ones, Z=2.0, l=np.ones(11), k=np.ones(3))


def test_windows_of_a_named_size():
    f = byhand.parse("sum(G*conv1d(X, W, stride=2, padding=1))", {"X": "N C L", "W": "F C 3", "G": "N F (L-1)//2+1"})
    for L in (7, 8, 11):
        shapes = {"X": (2, 3, L), "W": (5, 3, 3), "G": (2, 5, (L - 1) // 2 + 1)}
        values = {n: RNG.standard_normal(s) for n, s in shapes.items()}
        d = byhand.derive(f, "X,W")
        found = d.function("numpy")(**values)[1]
        for n in ("X", "W"):
            bump = RNG.standard_normal(shapes[n])
            slope = np.imag(byhand.evaluate(f, **{**values, n: values[n] + 1e-30j * bump})) / 1e-30
            assert np.sum(found[n] * bump) == pytest.approx(slope)


def test_a_gradient_inside_an_expression():
    f = byhand.parse("s = sum(tanh(X @ w))\nsum(grad(s, X)**2)", {"X": "n k", "w": "k"})
    d = byhand.derive(f, "w")
    X, w = RNG.standard_normal((7, 5)), RNG.standard_normal(5)
    with jax_in_float64() as jax:
        inner = jax.grad(lambda X, w: jax.numpy.sum(jax.numpy.tanh(X @ w)))
        truth = jax.grad(lambda w: jax.numpy.sum(inner(X, w) ** 2))(w)
    assert np.allclose(d.function("numpy")(X=X, w=w)[1]["w"], truth, rtol=1e-12)
    for text, words in (("grad(X, X)", "grad is of a scalar"), ("grad(sum(X), X @ w)", "is no input")):
        with pytest.raises(byhand.ParseError, match=words):
            byhand.parse(text, {"X": "n k", "w": "k"})


def test_the_first_of_equal_ones_wins():
    x = np.array([[2.0, 5.0, 5.0, 1.0]])
    d = byhand.derive(byhand.parse("sum(max(X, axis=1))", {"X": "1 4"}), "X")
    for target in ("numpy", "jax", "torch"):
        assert np.asarray(d.function(target)(X=x)[1]["X"]).tolist() == [[0, 1, 0, 0]]


def test_a_gather_outside_the_table_is_refused():
    d = byhand.derive(byhand.parse("sum(E[t]**2)", {"E": "v d", "t": "b s"}, {"t": "labels"}), "E")
    with pytest.raises(byhand.DataError, match=r"outside 0..2"):
        d.function("numpy")(E=np.ones((3, 2)), t=np.array([[0, 3]]))

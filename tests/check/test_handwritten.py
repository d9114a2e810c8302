"""Hand-written backward passes of PyTorch and JAX, judged by the derivation of their forward."""

import numpy as np
import pytest
from tools import needed

torch = needed("torch")

from torch.autograd import Function  # noqa: E402

import byhand  # noqa: E402


def drawn(**shapes):
    rng = np.random.default_rng(0)
    return {n: torch.tensor(rng.standard_normal(s)) for n, s in shapes.items()}


class RootMeanSquare(Function):
    @staticmethod
    def forward(ctx, x, gain):
        r = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)
        ctx.save_for_backward(x, r, gain)
        return gain * x * r

    @staticmethod
    def backward(ctx, dy):
        x, r, gain = ctx.saved_tensors
        d = dy * gain
        return r * d - x * r**3 * (d * x).mean(-1, keepdim=True), (dy * x * r).sum(0)


class GainForgotten(RootMeanSquare):
    @staticmethod
    def backward(ctx, dy):
        x, r, _ = ctx.saved_tensors
        return r * dy - x * r**3 * (dy * x).mean(-1, keepdim=True), (dy * x * r).sum(0)


class ScaleConstant(RootMeanSquare):
    @staticmethod
    def backward(ctx, dy):
        x, r, gain = ctx.saved_tensors
        return r * dy * gain, (dy * x * r).sum(0)


class Scaled(Function):
    """setup_context of its own, and a number among the arguments."""

    @staticmethod
    def forward(x, w):
        return torch.tanh(x @ w) / 3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, upstream):
        x, w, y = ctx.saved_tensors
        d = upstream * (1 - 9 * y * y) / 3
        return d @ w.T, x.T @ d


class ThirdForgotten(Scaled):
    @staticmethod
    def backward(ctx, upstream):
        x, w, y = ctx.saved_tensors
        d = upstream * (1 - 9 * y * y)
        return d @ w.T, x.T @ d


class UpstreamIgnored(Scaled):
    @staticmethod
    def backward(ctx, upstream):
        x, w, y = ctx.saved_tensors
        d = (1 - 9 * y * y) / 3
        return d @ w.T, x.T @ d


class Two(Function):
    """Two results."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w, torch.exp(x)

    @staticmethod
    def backward(ctx, da, db):
        x, w = ctx.saved_tensors
        return da * w + db * torch.exp(x), (da * x).sum(0)


class SecondForgotten(Two):
    @staticmethod
    def backward(ctx, da, db):
        x, w = ctx.saved_tensors
        return da * w, (da * x).sum(0)


class Unreadable(Function):
    """A forward with an operation that has no row."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.special.i0(x)

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * torch.special.i1(x) * 2


NORM, PRODUCT = {"x": (7, 5), "gain": (5,)}, {"x": (7, 5), "w": (5, 3)}

# function, arguments, wrong tensors, number of the mistake, a word of its name
CASES = [
    (RootMeanSquare, NORM, (), None, ""),
    (GainForgotten, NORM, ("x",), 40, "gain"),
    (ScaleConstant, NORM, ("x",), 34, "statistics"),
    (Scaled, PRODUCT, (), None, ""),
    (ThirdForgotten, PRODUCT, ("x", "w"), 37, "1/3"),
    (UpstreamIgnored, PRODUCT, ("x", "w"), 33, "upstream"),
    (Two, {"x": (7, 5), "w": (5,)}, (), None, ""),
    (SecondForgotten, {"x": (7, 5), "w": (5,)}, ("x",), 39, "path"),
]


@pytest.mark.parametrize("function, shapes, wrong, number, word", CASES, ids=lambda c: getattr(c, "__name__", None))
def test_a_backward_is_judged_by_its_forward(function, shapes, wrong, number, word):
    report = byhand.check_gradient(None, function, drawn(**shapes))
    assert tuple(n for n, v in report.verdicts.items() if v != "right") == wrong
    if wrong:
        first = report.diagnoses[0]
        assert first.mistake == number and word in first.name and first.tensor in wrong
        assert first.mend
    else:
        assert report.ok and not report.diagnoses


def test_a_forward_that_cannot_be_read_is_said_and_judged_by_numbers():
    report = byhand.check_gradient(None, Unreadable, drawn(x=(7, 5)))
    assert report.verdicts == {"x": "wrong"}
    assert any("special_i0" in note and "test_handwritten.py" in note for note in report.notes)


def test_a_custom_vjp_of_jax(jax):
    jnp = jax.numpy

    @jax.custom_vjp
    def gated(x, w):
        gate = jax.nn.sigmoid(x @ w)
        return gate * (x @ w)

    def forward(x, w):
        return gated(x, w), (x, w)

    def backward(saved, cotangent):
        x, w = saved
        a = x @ w
        s = jax.nn.sigmoid(a)
        d = cotangent * s  # the way through the gate is left out
        return d @ w.T, x.T @ d

    gated.defvjp(forward, backward)
    rng = np.random.default_rng(0)
    values = {"x": jnp.asarray(rng.standard_normal((7, 5))), "w": jnp.asarray(rng.standard_normal((5, 3)))}
    report = byhand.check_gradient(None, gated, values)
    assert set(report.verdicts.values()) == {"wrong"}
    assert report.diagnoses[0].mistake in (28, 39) and "gate" in report.diagnoses[0].name + report.diagnoses[0].evidence


# ---- what people do wrong in a norm and in attention, on shapes that are drawn


class LayerNorm(Function):
    @staticmethod
    def forward(ctx, x, gamma, beta):
        centred = x - x.mean(-1, keepdim=True)
        r = torch.rsqrt((centred * centred).mean(-1, keepdim=True) + 1e-5)
        xhat = centred * r
        ctx.save_for_backward(xhat, r, gamma)
        return gamma * xhat + beta


def norm_backward(mean=1.0, spread=1.0, scale=True, hat=True, exchange=False):
    def backward(ctx, g):
        xhat, r, gamma = ctx.saved_tensors
        d = g * gamma
        dx = d - mean * d.mean(-1, keepdim=True) - spread * xhat * (d * xhat).mean(-1, keepdim=True)
        others = [(g * xhat if hat else g).sum(0), g.sum(0)]
        return dx * r if scale else dx, *(others[::-1] if exchange else others)

    return backward


class Attention(Function):
    @staticmethod
    def forward(ctx, q, k, v):
        p = torch.softmax(q @ k.T / q.shape[1] ** 0.5, dim=-1)
        ctx.save_for_backward(q, k, v, p)
        return p @ v


def attention_backward(slope, scale=True):
    def backward(ctx, g):
        q, k, v, p = ctx.saved_tensors
        ds = slope(p, g @ v.T) / (q.shape[1] ** 0.5 if scale else 1.0)
        return ds @ k, ds.T @ q, p.T @ g

    return backward


def right_slope(p, dp):
    return p * (dp - (dp * p).sum(-1, keepdim=True))


SLIPS = [
    (LayerNorm, norm_backward(), None),
    (LayerNorm, norm_backward(mean=0.0), 34),
    (LayerNorm, norm_backward(spread=0.0), 34),
    (LayerNorm, norm_backward(mean=2.0), 44),
    (LayerNorm, norm_backward(scale=False), 40),
    (LayerNorm, norm_backward(hat=False), 40),
    (LayerNorm, norm_backward(exchange=True), 38),
    (Attention, attention_backward(right_slope), None),
    (Attention, attention_backward(right_slope, scale=False), 37),
    (Attention, attention_backward(lambda p, dp: dp), 20),
    (Attention, attention_backward(lambda p, dp: p * dp), 42),
    (Attention, attention_backward(lambda p, dp: p * (1 - p) * dp), 14),
    (Attention, attention_backward(lambda p, dp: p * (dp - (dp * p).sum(0, keepdim=True))), 43),
]


@pytest.mark.parametrize("k", range(len(SLIPS)))
def test_slips_in_norms_and_attention_are_named(k):
    base, backward, number = SLIPS[k]
    rng = np.random.default_rng(k)
    n, d, m = (int(s) for s in rng.permutation([3, 5, 7, 11])[:3])
    shapes = (
        {"x": (n, d), "gamma": (d,), "beta": (d,)} if base is LayerNorm else {"q": (n, d), "k": (m, d), "v": (m, 2)}
    )
    values = {name: torch.tensor(rng.standard_normal(s)) for name, s in shapes.items()}
    function = type(base.__name__, (base,), {"backward": staticmethod(backward)})
    report = byhand.check_gradient(None, function, values)
    assert [d.mistake for d in report.diagnoses] == ([] if number is None else [number]), report.text()
    assert all(d.mend for d in report.diagnoses)

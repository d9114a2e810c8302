"""Optimizers equal PyTorch's; schedules and clipping do what they say."""

import numpy as np
import pytest
from tools import needed

from byhand.errors import ParseError
from byhand.train.optimizers import BLOCK, OPTIMIZERS, Updater, clip_gradient
from byhand.train.schedules import SCHEDULES, rates

TORCH = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {}),
    "rmsprop": ("RMSprop", {}),
}


def test_every_optimizer_has_its_counterpart():
    assert set(TORCH) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("count", [7, BLOCK + 5])
def test_optimizer_equals_torch_over_50_steps(name, count):
    torch = needed("torch")
    torch.set_num_threads(1)  # the vectors are short
    rng = np.random.default_rng(0)
    start, a = rng.standard_normal((2, count))
    p, g = start.copy(), np.zeros(count)
    ours = Updater(OPTIMIZERS[name], {}, p, g)
    q = torch.nn.Parameter(torch.tensor(start))
    kind, options = TORCH[name]
    theirs = getattr(torch.optim, kind)([q], lr=0.01, **options)
    for k in range(50):
        g[:] = np.sin(p * a + k)
        ours.step(0.01)
        q.grad = torch.tensor(np.sin(q.detach().numpy() * a + k))
        theirs.step()
    np.testing.assert_allclose(p, q.detach().numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_stays_float32(name):
    p, g = np.ones(5, np.float32), np.ones(5, np.float32)
    u = Updater(OPTIMIZERS[name], {}, p, g)
    u.step(0.1)
    assert p.dtype == np.float32 and (p < 1).all()


def test_settings_are_numbers_of_the_row():
    p = np.zeros(2)
    for settings in ({"beta": 0.9}, {"beta1": "0; import os"}, {"beta1": float("nan")}, {"beta1": True}):
        with pytest.raises(ParseError):
            Updater(OPTIMIZERS["adam"], settings, p, p.copy())


def test_clipping():
    g = np.array([3.0, 4.0])
    assert clip_gradient(g, 1.0) == 5.0
    assert np.linalg.norm(g) == pytest.approx(1.0, abs=1e-6)
    assert clip_gradient(g, 10.0) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_stay_between_nothing_and_the_rate(name):
    values = [rates(name, {}, 0.5)(k, 10, 1000) for k in range(1001)]
    assert min(values) >= 0 and max(values) == pytest.approx(0.5, rel=1e-2)


def test_schedules_by_value():
    assert rates("cosine", {}, 1.0)(50, 1, 100) == pytest.approx(0.5)
    assert rates("exponential", {"gamma": 0.5}, 1.0)(25, 10, 100) == 0.25
    assert rates("warmup", {"warmup": 0.5}, 1.0)(25, 10, 100) == 0.5
    with pytest.raises(ParseError, match="cosine"):
        rates("cosin", {}, 1.0)

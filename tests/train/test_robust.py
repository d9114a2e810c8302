"""Robust losses are robust: one ruined target of 200 leaves the residuals of the others small, with every engine."""

import numpy as np
import pytest

from byhand.train.engines import ENGINES
from byhand.train.estimators import MLPRegressor
from byhand.train.scaling import NORMAL_MAD, Scaling

RNG = np.random.default_rng(7)
X = RNG.standard_normal((200, 4))
Y = X @ [2.0, 3.0, 0.0, 1.0] + 5.0
LOSSES = {
    "mae": "mae",
    "huber": "huber",
    "log_cosh": "log_cosh",
    "quantile": "mean(maximum(0.5*(Y - Z), -0.5*(Y - Z)))",
    "huber of one's own": "mean(huber(Z - Y))",
    "Cauchy": "mean(log(1 + (Z - Y)**2))",
}


def others(loss, ruined, **options):
    """The median residual of all targets but the first, which is ruined."""
    y = np.r_[ruined, Y[1:]]
    model = MLPRegressor((16,), loss=loss, random_state=0, **options).fit(X, y)
    return np.median(np.abs(model.predict(X)[1:] - Y[1:]))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", LOSSES)
def test_one_ruined_target_leaves_the_others(loss, engine):
    assert others(LOSSES[loss], 1e6, engine=engine) < 0.5


@pytest.mark.parametrize("ruined", [-1e9, 1e12, 1e100])
@pytest.mark.parametrize("loss", ["mae", "huber", "log_cosh"])
def test_however_ruined_it_is(loss, ruined):
    assert others(loss, ruined) < 0.5


@pytest.mark.parametrize("options", [{"dtype": "float32"}, {"early_stopping": True}, {"optimizer": "lbfgs"}])
def test_in_every_way_of_training(options):
    assert others("huber", 1e6, **options) < 0.7


def test_the_mean_and_the_median_of_weighted_targets():
    """A weight of two is the sample twice; the ruined sample may weigh little or nothing."""
    values, weights = RNG.standard_normal((41, 3)) ** 3, RNG.integers(0, 4, 41)
    twice = np.repeat(values, weights, axis=0)
    for made, wanted in ((Scaling.robust(values, weights), Scaling.robust(twice)), (Scaling.robust(values), None)):
        plain = values if wanted is None else twice
        middle = np.median(plain, axis=0)
        np.testing.assert_allclose(made.mean, middle)
        np.testing.assert_allclose(made.scale, np.median(np.abs(plain - middle), axis=0) / NORMAL_MAD)


@pytest.mark.parametrize(
    ("column", "middle", "scale"),
    [
        ([3.0, 3.0, 3.0, 3.0], 3.0, 1.0),  # constant
        ([0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 1e9], 0.0, 2.0 / NORMAL_MAD),  # more than half are one value
        ([1.0], 1.0, 1.0),
    ],
)
def test_columns_without_a_spread(column, middle, scale):
    found = Scaling.robust(np.array(column)[:, None])
    assert found.mean == [middle] and found.scale == pytest.approx(scale)


def test_a_normal_column_is_scaled_as_by_its_standard_deviation():
    values = np.random.default_rng(0).normal(7.0, 3.0, (20000, 1))
    robust, usual = Scaling.robust(values), Scaling.of(values)
    np.testing.assert_allclose(robust.scale, usual.scale, rtol=0.03)
    np.testing.assert_allclose(robust.mean, usual.mean, rtol=0.02)


def test_an_expression_sees_the_targets_as_they_are_where_asked_to():
    model = MLPRegressor((3,), loss="mean(huber(Z - Y))", standardize_target=False, max_epochs=2, random_state=0)
    model.fit(X, Y)
    assert model.target_scaling_.mean == [0.0] and model.target_scaling_.scale == [1.0]

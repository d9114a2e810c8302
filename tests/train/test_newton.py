"""Second-order training: scikit-learn's optimum in no more iterations, and the matrices that it is built on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracles import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from byhand import ByhandError, MLPClassifier, MLPRegressor
from byhand.nets.trained import TrainedMLP
from byhand.train.newton import conjugate_gradients, gauss_newton_product, hessian_matrix, solver
from byhand.train.program import TrainingProgram

Array = Any


def sklearn_loss(model: LogisticRegression, X: Array, y: Array, C: float) -> float:
    """What LogisticRegression minimises, divided by C N: mean cross-entropy + ‖w‖²/(2 C N)."""
    Z = model.decision_function(X)
    Z = np.stack([np.zeros(len(X)), Z], axis=1) if Z.ndim == 1 else Z
    cross = np.mean(np.logaddexp.reduce(Z, axis=1) - Z[np.arange(len(X)), y])
    return float(cross + np.sum(model.coef_**2) / (2 * C * len(X)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("load", "C"),
    [(load_breast_cancer, 1.0), (load_breast_cancer, 100.0), pytest.param(load_digits, 1.0, marks=pytest.mark.slow)],
)
def test_logistic_regression_reaches_newton_choleskys_optimum_in_no_more_iterations(load: Any, C: float) -> None:
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    N, classes = len(X), len(np.unique(y))
    l2 = 1 / (C * N) if classes == 2 else 1 / (2 * C * N)
    ours = MLPClassifier((), solver="newton", l2=l2, label_smoothing=0.0, standardize=False, init="zeros").fit(X, y)
    exact = LogisticRegression(solver="newton-cholesky", C=C, tol=1e-10, max_iter=100).fit(X, y)
    optimum = sklearn_loss(exact, X, y, C)
    assert ours.loss_ - optimum < 1e-8
    assert ours.history_.stopped == "converged"
    needed = next(k for k, loss in enumerate(ours.loss_curve_, 1) if loss - optimum < 1e-8)
    fewer = LogisticRegression(solver="newton-cholesky", C=C, tol=1e-10, max_iter=needed - 1).fit(X, y)
    assert sklearn_loss(fewer, X, y, C) - optimum >= 1e-8, "scikit-learn needed fewer"
    W = ours.coefs_[0]
    found = (W[:, 1] - W[:, 0])[None] if classes == 2 else W.T
    np.testing.assert_allclose(found, exact.coef_, atol=2e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_assembled_hessian_is_that_of_torch(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    program = TrainingProgram(TrainedMLP([5, 3], l2=0.1, targets="probabilities", weighted=weighted))
    flat = rng.standard_normal(program.count)
    values = {"X": rng.standard_normal((7, 5)), "Y": np.eye(3)[rng.integers(0, 3, 7)]}
    s = rng.uniform(0.5, 2.0, 7) if weighted else np.ones(7)

    def loss(q: Any) -> Any:
        W, b = q[:15].reshape(5, 3), q[15:]
        Z = torch.tensor(values["X"]) @ W + b
        each = torch.logsumexp(Z, 1) - (Z * torch.tensor(values["Y"])).sum(1)
        return (torch.tensor(s) * each).mean() + 0.1 * (W**2).sum()

    expected = torch.autograd.functional.hessian(loss, torch.tensor(flat)).numpy()
    data = values | ({"s": s} if weighted else {})
    found = hessian_matrix(program, program.views(flat) | data)
    np.testing.assert_allclose(found, expected, atol=1e-13)
    product = gauss_newton_product(program, program.views(flat) | data)  # of a linear model it is the Hessian
    np.testing.assert_allclose(np.stack([product(e) for e in np.eye(program.count)]), expected, atol=1e-13)


def test_the_gauss_newton_product_has_the_penalty_and_no_negative_curvature() -> None:
    rng = np.random.default_rng(1)
    program = TrainingProgram(TrainedMLP([5, 4, 3], activation="tanh", l2=0.1, targets="probabilities"))
    values = program.views(rng.standard_normal(program.count))
    data = {"X": rng.standard_normal((7, 5)), "Y": np.eye(3)[rng.integers(0, 3, 7)]}
    product = gauss_newton_product(program, values | data)
    G = np.stack([product(e) for e in np.eye(program.count)])
    np.testing.assert_allclose(G, G.T, atol=1e-14)
    assert np.linalg.eigvalsh(G).min() > -1e-14
    bias = program.views(np.arange(program.count, dtype=float))["b1"].astype(int)
    weights = np.setdiff1d(np.arange(program.count), [*bias, *range(program.count - 3, program.count)])
    alone = TrainingProgram(TrainedMLP([5, 4, 3], activation="tanh", targets="probabilities"))
    other = gauss_newton_product(alone, values | data)
    difference = np.diagonal(G) - np.array([other(e) @ e for e in np.eye(program.count)])
    np.testing.assert_allclose(difference[weights], 0.2, atol=1e-14)
    np.testing.assert_allclose(np.delete(difference, weights), 0.0, atol=1e-14)


def test_least_squares_is_solved_in_one_iteration() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor((), solver="newton", standardize=False, standardize_target=False).fit(X, y)
    ones = np.column_stack([X, np.ones(len(X))])
    expected = np.linalg.lstsq(ones, y, rcond=None)[0]
    assert model.n_iter_ == 1
    np.testing.assert_allclose(model.predict(X), ones @ expected, rtol=1e-6)


@pytest.mark.parametrize("loss", ["poisson", "huber", "log_cosh"])
def test_generalized_linear_models_end_where_the_gradient_is_zero(loss: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor((), solver="newton", loss=loss, l2=1e-3).fit(X, y)
    assert model.history_.stopped == "converged" and model.n_iter_ < 12
    assert np.all(np.diff(model.loss_curve_) <= 0)
    lbfgs = MLPRegressor((), optimizer="lbfgs", loss=loss, l2=1e-3).fit(X, y)
    assert model.loss_ <= lbfgs.loss_ + 1e-8


def test_a_network_falls_at_every_iteration_and_faster_than_lbfgs() -> None:
    X, y = load_iris(return_X_y=True)
    settings: dict[str, Any] = {"hidden_layer_sizes": (8,), "activation": "tanh", "l2": 1e-3, "random_state": 0}
    model = MLPClassifier(solver="newton", max_epochs=40, **settings).fit(X, y)
    assert np.all(np.diff(model.loss_curve_) <= 0)
    assert model.loss_ < MLPClassifier(optimizer="lbfgs", max_epochs=40, **settings).fit(X, y).loss_
    assert model.score(X, y) > 0.97


def test_separable_classes_end_too() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = MLPClassifier((), solver="newton", label_smoothing=0.0).fit(X, y)
    assert model.history_.stopped == "converged" and model.loss_ < 1e-7
    assert np.all(np.isfinite(model.coefs_[0]))


def test_a_sample_of_weight_two_counts_twice() -> None:
    X, y = load_iris(return_X_y=True)
    twice = np.r_[np.arange(150), np.arange(50)]
    weights = np.where(np.arange(150) < 50, 2.0, 1.0)
    a = MLPClassifier((), solver="newton", l2=1e-2, tol=1e-9, standardize=False).fit(X[twice], y[twice])
    b = MLPClassifier((), solver="newton", l2=1e-2, tol=1e-9, standardize=False).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"solver": "newtn"}, "gradient or newton"),
        ({"solver": "newton", "dropout": 0.1}, "the parameter dropout .* has no use for"),
        ({"solver": "newton", "clip_norm": 1.0}, "the parameter clip_norm .* has no use for"),
        ({"solver": "newton", "engine": "jax"}, "runs on NumPy"),
        ({"solver": "newton", "loss": "mae"}, "second derivative zero"),
    ],
)
def test_what_newton_cannot_do_is_refused(settings: dict[str, Any], words: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ByhandError, match=words):
        MLPRegressor((4,), **settings).fit(X, y)


def test_it_takes_no_single_steps() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ByhandError, match="partial_fit"):
        MLPClassifier((), solver="newton").partial_fit(X, y, [0, 1, 2])


def test_directions_without_curvature_are_solved() -> None:
    H = np.diag([2.0, 0.0, 3.0])
    np.testing.assert_allclose(solver(H)(np.array([4.0, 0.0, 9.0])), [2.0, 0.0, 3.0], rtol=1e-9)
    indefinite = solver(np.diag([2.0, -1.0]))(np.array([1.0, 1.0]))
    assert np.all(indefinite > 0), "a direction of descent"


def test_conjugate_gradients_give_the_solution_and_its_product() -> None:
    rng = np.random.default_rng(2)
    A = rng.standard_normal((13, 13))
    A = A @ A.T + np.eye(13)
    b = 1e-9 * rng.standard_normal(13)  # small, so that the tolerance is tight
    x, ax = conjugate_gradients(lambda v: A @ v, b)
    np.testing.assert_allclose(A @ x, ax, rtol=1e-6, atol=1e-18)
    assert np.linalg.norm(ax - b) <= 1e-4 * np.linalg.norm(b)

"""Iris in NumPy: 4-5-3, ReLU and softmax, plain gradient descent on derived gradients, over eight splits.

    python examples/iris.py

Samples are rows and W is (outputs, inputs): z = x Wᵀ + b. One split of so small a set proves nothing: it scores from
80 % to 100 %, hence eight.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import byhand

Params = dict[str, np.ndarray]
SIZES = "4-5-3"


@cache
def derivation() -> byhand.Derivation:
    """The gradients of the network, in the layout z = x Wᵀ + b."""
    return byhand.derive(byhand.MLP(SIZES)).in_layout("rows-outputs-first")


@cache
def _derived() -> Callable[..., tuple[Any, Params]]:
    return derivation().function()


def value_and_gradients(params: Params, X: np.ndarray, y: np.ndarray) -> tuple[float, Params]:
    """The loss, and its gradients by parameter: W1 (5, 4), b1 (5,), W2 (3, 5), b2 (3,)."""
    return _derived()(X=X, y=y, **params)


def start(seed: int) -> Params:
    """He initialisation, W as (outputs, inputs)."""
    values = byhand.MLP(SIZES).init(seed, method="he")
    return {n: v.T.copy() for n, v in values.items()}


def predict(params: Params, X: np.ndarray) -> np.ndarray:
    """Classes, (N,)."""
    hidden = np.maximum(X @ params["W1"].T + params["b1"], 0)
    return (hidden @ params["W2"].T + params["b2"]).argmax(axis=1)


def split(seed: int, standardise: bool = False) -> tuple[np.ndarray, ...]:
    """X, y to learn from (120 samples) and X, y for the test (30)."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split

    X, y = load_iris(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y)
    mean, deviation = (X.mean(axis=0), X.std(axis=0)) if standardise else (0.0, 1.0)
    return (X - mean) / deviation, y, (X_test - mean) / deviation, y_test


def train(
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    epochs: int,
    rate: float = 0.01,
    watch: Callable[[int, Params, Params], None] = lambda epoch, params, gradients: None,
) -> Params:
    """Gradient descent on all samples; `watch` is told epoch, parameters and gradients."""
    params = start(seed)
    for epoch in range(epochs):
        _, gradients = value_and_gradients(params, X, y)
        watch(epoch, params, gradients)
        for name, gradient in gradients.items():
            params[name] -= rate * gradient
    return params


def main(arguments: list[str] | None = None) -> list[float]:
    """The test accuracy of each split, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=10_000)
    parser.add_argument("--standardise", action="store_true")
    o = parser.parse_args(arguments)
    print(derivation().text(level="result"))
    accuracies = []
    for seed in range(o.splits):
        X, y, X_test, y_test = split(seed, o.standardise)
        params = train(X, y, seed, o.epochs)
        accuracies.append(float((predict(params, X_test) == y_test).mean()))
        print(f"split {seed}: test accuracy {accuracies[-1]:.3f}")
    print(f"mean of {o.splits} splits: {np.mean(accuracies):.3f}")
    return accuracies


if __name__ == "__main__":
    main()

"""The neural-network problem of CS229 on MNIST: its functions, its two runs, its plots.

    python examples/cs229_mnist.py --data mnist.npz --out plots

`--data` is an .npz with train_x, train_y, test_x, test_y, or a folder with the problem's images_train.csv,
labels_train.csv, images_test.csv, labels_test.csv. Without it scikit-learn's 8 × 8 digits stand in. `backward_prop` is
code generated from the derived gradients. On MNIST the test accuracy after 30 epochs is .9336 (baseline) and .9675
(regularized); both runs together take about two minutes of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import byhand
from byhand import functions

Params = dict[str, np.ndarray]


@cache
def _derived() -> Callable[..., tuple[Any, Params]]:
    """Loss and gradients of d-h-k, a sigmoid and softmax cross-entropy, one-hot targets, and reg (‖W1‖² + ‖W2‖²)."""
    network = byhand.MLP("d-h-k", activation="sigmoid", targets="probabilities", l2="reg", batch="B")
    return byhand.derive(network).function()


def softmax(x: np.ndarray) -> np.ndarray:
    """Of each row, (n, k); large values do not overflow, and x is left alone."""
    return functions.softmax(x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), entry by entry."""
    return functions.sigmoid(x)


def get_initial_params(input_size: int, num_hidden: int, num_output: int) -> Params:
    """Weights from N(0, 1), biases zero."""
    return byhand.MLP([input_size, num_hidden, num_output]).init(0, method="normal", std=1.0)


def forward_prop(data: np.ndarray, labels: np.ndarray, params: Params) -> tuple[np.ndarray, np.ndarray, float]:
    """Hidden activations (n, h), probabilities (n, k), mean cross-entropy; labels are one-hot (n, k)."""
    hidden = sigmoid(data @ params["W1"] + params["b1"])
    logits = hidden @ params["W2"] + params["b2"]
    return hidden, softmax(logits), float(functions.cross_entropy(logits, labels).mean())


def backward_prop(
    data: np.ndarray, labels: np.ndarray, params: Params, forward_prop_func: Any = forward_prop
) -> Params:
    """The gradients by parameter; the derived code makes its own forward pass."""
    return backward_prop_regularized(data, labels, params, forward_prop_func, 0.0)


def backward_prop_regularized(
    data: np.ndarray, labels: np.ndarray, params: Params, forward_prop_func: Any = forward_prop, reg: float = 1e-4
) -> Params:
    """The same with 2 reg W added, biases free."""
    del forward_prop_func
    return _derived()(X=data, Y=labels, reg=reg, **params)[1]


def gradient_descent_epoch(
    train_data: np.ndarray,
    train_labels: np.ndarray,
    learning_rate: float,
    batch_size: int,
    params: Params,
    forward_prop_func: Any,
    backward_prop_func: Any,
) -> None:
    """One pass in sequential batches; changes `params`."""
    for start in range(0, len(train_data), batch_size):
        rows = slice(start, start + batch_size)
        gradients = backward_prop_func(train_data[rows], train_labels[rows], params, forward_prop_func)
        for name, gradient in gradients.items():
            params[name] -= learning_rate * gradient


def nn_train(
    train_data: np.ndarray,
    train_labels: np.ndarray,
    dev_data: np.ndarray,
    dev_labels: np.ndarray,
    get_initial_params_func: Any = get_initial_params,
    forward_prop_func: Any = forward_prop,
    backward_prop_func: Any = backward_prop,
    num_hidden: int = 300,
    learning_rate: float = 5,
    num_epochs: int = 30,
    batch_size: int = 1000,
) -> tuple[Params, list[float], list[float], list[float], list[float]]:
    """Parameters, and by epoch: loss on train and dev (without the penalty), accuracy on train and dev."""
    params = get_initial_params_func(train_data.shape[1], num_hidden, train_labels.shape[1])
    curves: tuple[list[float], ...] = ([], [], [], [])
    for _ in range(num_epochs):
        gradient_descent_epoch(
            train_data, train_labels, learning_rate, batch_size, params, forward_prop_func, backward_prop_func
        )
        for k, (data, labels) in enumerate(((train_data, train_labels), (dev_data, dev_labels))):
            _, output, cost = forward_prop_func(data, labels, params)
            curves[k].append(cost)
            curves[2 + k].append(compute_accuracy(output, labels))
    return (params, *curves)  # type: ignore[return-value]


def nn_test(data: np.ndarray, labels: np.ndarray, params: Params) -> float:
    """The accuracy."""
    return compute_accuracy(forward_prop(data, labels, params)[1], labels)


def compute_accuracy(output: np.ndarray, labels: np.ndarray) -> float:
    """The share of rows whose greatest probability is at the label."""
    return float((output.argmax(axis=1) == labels.argmax(axis=1)).mean())


def one_hot_labels(labels: np.ndarray, classes: int = 10) -> np.ndarray:
    """(n,) to (n, classes)."""
    return np.eye(classes)[labels.astype(int)]


def read_data(images_file: str | Path, labels_file: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, d) and labels (n,) from the problem's CSV files."""
    return np.loadtxt(images_file, delimiter=","), np.loadtxt(labels_file, delimiter=",")


def load(source: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Training images and labels, test images and labels, and the sizes of hidden layer and batch that suit them."""
    if source is None:
        from sklearn.datasets import load_digits

        print("no --data: scikit-learn's digits (1797 images, 8 × 8) stand in for MNIST")
        X, y = load_digits(return_X_y=True)
        order = np.random.RandomState(100).permutation(len(X))
        X, y = X[order], y[order]
        return X[:1437], y[:1437], X[1437:], y[1437:], (300, 100)
    if source.is_dir():
        X, y = read_data(source / "images_train.csv", source / "labels_train.csv")
        X_test, y_test = read_data(source / "images_test.csv", source / "labels_test.csv")
    else:
        with np.load(source, allow_pickle=False) as held:
            X, y, X_test, y_test = (held[n] for n in ("train_x", "train_y", "test_x", "test_y"))
    return X.reshape(len(X), -1), y, X_test.reshape(len(X_test), -1), y_test, (300, 1000)


def run_train_test(name: str, data: dict[str, np.ndarray], backward: Any, out: Path, **options: Any) -> float:
    """Train, draw loss and accuracy by epoch (train red, dev blue), and return the test accuracy."""
    from matplotlib.figure import Figure

    params, cost_train, cost_dev, accuracy_train, accuracy_dev = nn_train(
        data["train"], data["train_labels"], data["dev"], data["dev_labels"], backward_prop_func=backward, **options
    )
    figure = Figure(figsize=(7, 8), layout="constrained")
    top, bottom = figure.subplots(2, 1)
    for axes, train, dev, what in (
        (top, cost_train, cost_dev, "loss"),
        (bottom, accuracy_train, accuracy_dev, "accuracy"),
    ):
        axes.plot(train, "r", label="train")
        axes.plot(dev, "b", label="dev")
        axes.set_xlabel("epochs")
        axes.set_ylabel(what)
        axes.legend()
    top.set_title(name)
    figure.savefig(out / f"{name}.png")
    accuracy = nn_test(data["test"], data["test_labels"], params)
    print(f"{name}: dev {accuracy_dev[-1]:.4f}, test {accuracy:.4f}")
    return accuracy


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Both runs: 'baseline' and 'regularized'."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--epochs", type=int, default=30)
    o = parser.parse_args(arguments)
    o.out.mkdir(parents=True, exist_ok=True)
    X, y, X_test, y_test, (hidden, batch) = load(o.data)
    order = np.random.RandomState(100).permutation(len(X))
    kept = len(X) // 6  # 10 000 of MNIST's 60 000
    dev, train = order[:kept], order[kept:]
    mean, deviation = X[train].mean(), X[train].std()
    data = {
        "train": (X[train] - mean) / deviation, "train_labels": one_hot_labels(y[train]),
        "dev": (X[dev] - mean) / deviation, "dev_labels": one_hot_labels(y[dev]),
        "test": (X_test - mean) / deviation, "test_labels": one_hot_labels(y_test),
    }  # fmt: skip
    options = {"num_hidden": hidden, "batch_size": batch, "num_epochs": o.epochs}
    regularized = partial(backward_prop_regularized, reg=1e-4)
    return {
        "baseline": run_train_test("baseline", data, backward_prop, o.out, **options),
        "regularized": run_train_test("regularized", data, regularized, o.out, **options),
    }


if __name__ == "__main__":
    main()

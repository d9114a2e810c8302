"""The two-layer network of EECS 498-007, assignment 2: its functions, its class, its toy numbers, in NumPy.

`nn_forward_backward` calls code that byhand generates from the derived gradients; no backward pass is written here.

    python examples/two_layer_net.py [FOLDER]

With a folder the loss, the accuracies and the first layer's weights are drawn there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import byhand
from byhand.functions import relu

Params = dict[str, np.ndarray]


@cache
def _derived() -> Callable[..., tuple[Any, Params]]:
    """Loss and gradients of D-H-C with ReLU, softmax cross-entropy and reg (‖W1‖² + ‖W2‖²)."""
    return byhand.derive(byhand.MLP("D-H-C", activation="relu", loss="softmax_cross_entropy", l2="reg")).function()


def nn_forward_pass(params: Params, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, C) and hidden activations (N, H) of X (N, D)."""
    hidden = relu(X @ params["W1"] + params["b1"])
    return hidden @ params["W2"] + params["b2"], hidden


def nn_forward_backward(params: Params, X: np.ndarray, y: np.ndarray | None = None, reg: float = 0.0) -> Any:
    """Scores (N, C) without labels; with labels y (N,) the loss and its gradients, keyed as `params`."""
    if y is None:
        return nn_forward_pass(params, X)[0]
    return _derived()(X=X, y=y, reg=reg, **params)


def nn_predict(params: Params, loss_func: Callable[..., Any], X: np.ndarray) -> np.ndarray:
    """The class of the greatest score, (N,)."""
    return loss_func(params, X).argmax(axis=1)


def nn_train(
    params: Params,
    loss_func: Callable[..., Any],
    pred_func: Callable[..., np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    X_val: np.ndarray,
    y_val: np.ndarray,
    learning_rate: float = 1e-3,
    learning_rate_decay: float = 0.95,
    reg: float = 5e-6,
    num_iters: int = 100,
    batch_size: int = 200,
    verbose: bool = False,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Minibatch SGD, the batches drawn with replacement; the rate decays once an epoch, first at iteration 0."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {"loss_history": [], "train_acc_history": [], "val_acc_history": []}
    per_epoch = max(len(X) // batch_size, 1)
    for it in range(num_iters):
        rows = rng.integers(0, len(X), batch_size)
        loss, gradients = loss_func(params, X[rows], y[rows], reg)
        found["loss_history"].append(float(loss))
        for name, gradient in gradients.items():
            params[name] = params[name] - learning_rate * gradient
        if verbose and it % 100 == 0:
            print(f"iteration {it} / {num_iters}: loss {loss:f}")
        if it % per_epoch == 0:
            found["train_acc_history"].append(float((pred_func(params, loss_func, X[rows]) == y[rows]).mean()))
            found["val_acc_history"].append(float((pred_func(params, loss_func, X_val) == y_val).mean()))
            learning_rate *= learning_rate_decay
    return found


class TwoLayerNet:
    """D-H-C with ReLU; weights normal with a small deviation, biases zero."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int, std: float = 1e-4, seed: int = 0) -> None:
        network = byhand.MLP([input_size, hidden_size, output_size])
        self.params: Params = network.init(seed, method="normal", std=std)

    def loss(self, X: np.ndarray, y: np.ndarray | None = None, reg: float = 0.0) -> Any:
        """`nn_forward_backward` of its parameters."""
        return nn_forward_backward(self.params, X, y, reg)

    def train(
        self, X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray, **options: Any
    ) -> dict[str, list[float]]:
        """`nn_train` of its parameters."""
        return nn_train(self.params, nn_forward_backward, nn_predict, X, y, X_val, y_val, **options)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The classes, (N,)."""
        return nn_predict(self.params, nn_forward_backward, X)

    def save(self, path: str | Path) -> None:
        """Write the parameters to an .npz file."""
        np.savez(path, **self.params)

    def load(self, path: str | Path) -> None:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            self.params = {name: arrays[name] for name in arrays.files}


def nn_get_search_params() -> tuple[list[float], list[int], list[float], list[float]]:
    """Learning rates, hidden sizes, regularisations and decays to try."""
    return [0.1, 0.3, 1.0], [32, 128], [0.0, 1e-4], [0.95]


def find_best_net(
    data: dict[str, np.ndarray], get_param_set_fn: Callable[[], tuple[list[Any], ...]], num_iters: int = 300
) -> tuple[TwoLayerNet, dict[str, list[float]], float]:
    """The network with the best validation accuracy, its history, and that accuracy."""
    rates, sizes, regs, decays = get_param_set_fn()
    best: tuple[Any, ...] = (None, None, -1.0)
    for rate, hidden, reg, decay in ((r, h, g, d) for r in rates for h in sizes for g in regs for d in decays):
        net = TwoLayerNet(data["X_train"].shape[1], hidden, int(data["y_train"].max()) + 1, std=0.1)
        options = {"learning_rate": rate, "learning_rate_decay": decay, "reg": reg, "num_iters": num_iters}
        stat = net.train(data["X_train"], data["y_train"], data["X_val"], data["y_val"], **options)
        accuracy = float((net.predict(data["X_val"]) == data["y_val"]).mean())
        if accuracy > best[2]:
            best = (net, stat, accuracy)
    return best  # type: ignore[return-value]


# ---- the gradient checks of the assignment (eecs598/grad.py), in float64


def compute_numeric_gradient(
    f: Callable[[np.ndarray], Any], x: np.ndarray, dLdf: np.ndarray | None = None, h: float = 1e-7
) -> np.ndarray:
    """Central differences of f at x, float64; dLdf is the gradient that comes from above, where f is no scalar."""
    if x.dtype != np.float64:
        raise TypeError(f"central differences need float64, not {x.dtype}")
    found = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        values = []
        for sign in (1, -1):
            moved = x.copy()
            moved[place] += sign * h
            values.append(f(moved))
        slope = (values[0] - values[1]) / (2 * h)
        found[place] = slope if dLdf is None else np.sum(slope * dLdf)
    return found


def rel_error(x: np.ndarray, y: np.ndarray, eps: float = 1e-10) -> float:
    """max |x - y| / max(max(|x| + |y|), eps)."""
    return float(np.abs(x - y).max() / max((np.abs(x) + np.abs(y)).max(), eps))


def grad_check_sparse(
    f: Callable[[np.ndarray], float], x: np.ndarray, analytic: np.ndarray, num_checks: int = 10, h: float = 1e-7
) -> float:
    """The greatest relative error at a few random entries."""
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(num_checks):
        place = tuple(rng.integers(s) for s in x.shape)
        up, down = x.copy(), x.copy()
        up[place] += h
        down[place] -= h
        slope = (f(up) - f(down)) / (2 * h)
        worst = max(worst, abs(slope - analytic[place]) / max(abs(slope) + abs(analytic[place]), 1e-8))
    return worst


def get_toy_data(N: int = 5, D: int = 4, H: int = 10, C: int = 3) -> tuple[np.ndarray, np.ndarray, Params]:
    """The assignment's toy problem: X ~ 10 randn, y = [0, 1, 2, 2, 1], W ~ 1e-4 randn."""
    rng = np.random.RandomState(0)
    params = {
        "W1": 1e-4 * rng.randn(D, H), "b1": np.zeros(H), "W2": 1e-4 * rng.randn(H, C), "b2": np.zeros(C),
    }  # fmt: skip
    return 10.0 * rng.randn(N, D), np.array([0, 1, 2, 2, 1]), params


def plot_stats(stat: dict[str, list[float]], path: str | Path) -> None:
    """The history of a training: the loss of each iteration, the accuracies of each epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 8), layout="constrained")
    top, bottom = figure.subplots(2, 1)
    top.plot(stat["loss_history"], "o", markersize=2)
    top.set(title="Loss history", xlabel="iteration", ylabel="loss")
    bottom.plot(stat["train_acc_history"], label="train")
    bottom.plot(stat["val_acc_history"], label="val")
    bottom.set(title="Classification accuracy history", xlabel="epoch", ylabel="accuracy")
    bottom.legend()
    figure.savefig(path)


def show_net_weights(params: Params, path: str | Path) -> None:
    """The first layer's weights (inputs, H), an image for each hidden unit."""
    from byhand.report.drawing import save_figure
    from byhand.report.figures import weights_figure

    save_figure(weights_figure(params["W1"]), Path(path))


def main(folder: str | Path | None = None) -> None:
    """The assignment's checks on the toy problem, then digits instead of CIFAR-10."""
    from sklearn.datasets import load_digits

    X, y, params = get_toy_data()
    loss, gradients = nn_forward_backward(params, X, y, reg=0.05)
    print(f"loss of the untrained network {loss:.10f}, ln 3 = {np.log(3):.10f}")
    for name, gradient in gradients.items():

        def f(value: np.ndarray, name: str = name) -> float:
            return float(nn_forward_backward({**params, name: value}, X, y, reg=0.05)[0])

        error = rel_error(compute_numeric_gradient(f, params[name]), gradient)
        print(f"{name}: relative error against central differences {error:.1e}")
    network = byhand.MLP("4-10-3", l2="reg")
    verdict = byhand.check_gradient(network, gradients, {"X": X, "y": y, "reg": 0.05, **params})
    print("by complex step, which meets no kinks:", ", ".join(f"{n} {v}" for n, v in verdict.verdicts.items()))
    stat = nn_train(params, nn_forward_backward, nn_predict, X, y, X, y, learning_rate=0.1, reg=1e-6, num_iters=200)
    print(f"toy training: last loss {stat['loss_history'][-1]:.3f}")

    images, labels = load_digits(return_X_y=True)
    images = images / 16.0 - 0.5
    order = np.random.default_rng(0).permutation(len(images))
    train, val, test = order[:1200], order[1200:1500], order[1500:]
    data = {"X_train": images[train], "y_train": labels[train], "X_val": images[val], "y_val": labels[val]}
    net, stat, accuracy = find_best_net(data, nn_get_search_params)
    right = (net.predict(images[test]) == labels[test]).mean()
    print(f"best of the search on digits: validation {accuracy:.1%}, test {right:.1%}")
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        plot_stats(stat, Path(folder) / "history.png")
        show_net_weights(net.params, Path(folder) / "weights.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])

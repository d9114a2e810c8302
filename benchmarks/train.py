"""Microseconds per SGD step: byhand's numpy engine, scikit-learn, PyTorch (eager autograd), and the products alone.

    python benchmarks/train.py [--threads 2] [--rounds 7]

float32, plain SGD, softmax cross-entropy, relu; shuffling and gathering of the batches included. In each round
everybody has a turn; medians of the rounds are shown, and ratios of those. scikit-learn runs an epoch by `partial_fit`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from itertools import pairwise

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=7)
options = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(options.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402

from byhand.nets.mlp import MLP  # noqa: E402
from byhand.train.loop import Settings, Trainer  # noqa: E402
from byhand.train.program import TrainingProgram  # noqa: E402

torch.set_num_threads(options.threads)
NETS = [("4-16-3", 16), ("30-256-256-2", 256), ("64-" + "64-" * 8 + "10", 32), ("784-300-10", 64)]


def byhand_epoch(sizes, X, y, batch):
    """An epoch by the trainer itself: shuffled, gathered, stepped."""
    net = MLP(sizes, targets="probabilities")
    trainer = Trainer(
        TrainingProgram(net), net.init(0), Settings("sgd", 0.01, batch_size=batch), np.random.default_rng(0), np.float32
    )
    data = {"X": X, "Y": np.eye(sizes[-1], dtype=np.float32)[y]}
    return lambda: trainer.epoch(data)


def sklearn_epoch(sizes, X, y, batch):
    """An epoch by `partial_fit`, which shuffles and steps."""
    m = MLPClassifier(sizes[1:-1], solver="sgd", batch_size=batch, momentum=0.0, nesterovs_momentum=False, alpha=0.0,
                      learning_rate_init=0.01, random_state=0)  # fmt: skip
    classes = np.arange(sizes[-1])
    m.partial_fit(X, y, classes=classes)
    return lambda: m.partial_fit(X, y)


def torch_epoch(sizes, X, y, batch):
    """An epoch of eager autograd."""
    layers = []
    for m, n in pairwise(sizes):
        layers += [torch.nn.Linear(m, n), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    A, t = torch.tensor(X), torch.tensor(y)

    def epoch():
        order = torch.randperm(len(A))
        for k in range(0, len(A), batch):
            rows = order[k : k + batch]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(A[rows]), t[rows])
            loss.backward()
            optimizer.step()

    return epoch


def products(sizes, X, y, batch):
    """The matrix products of the same steps."""
    H = [np.ones((batch, n), np.float32) for n in sizes]
    W = [np.ones((m, n), np.float32) for m, n in pairwise(sizes)]
    G = [np.empty_like(w) for w in W]

    def epoch():
        for _ in range(len(X) // batch):
            for k, w in enumerate(W):
                np.matmul(H[k], w, H[k + 1])
            for k in range(len(W) - 1, -1, -1):
                np.matmul(H[k].T, H[k + 1], G[k])
                if k:
                    np.matmul(H[k + 1], W[k].T, H[k])
            for h in H:
                h.fill(1.0)

    return epoch


def main() -> None:
    """Run and print the table."""
    makers = {"products": products, "byhand": byhand_epoch, "sklearn": sklearn_epoch, "torch": torch_epoch}
    print(f"{options.threads} threads, float32, microseconds per step, medians of {options.rounds} rounds in turn")
    for text, batch in NETS:
        sizes = [int(n) for n in text.split("-")]
        steps = 200 if max(sizes) < 100 else 40
        rng = np.random.default_rng(0)
        X = rng.standard_normal((steps * batch, sizes[0])).astype(np.float32)
        y = rng.integers(0, sizes[-1], len(X))
        epochs = {name: make(sizes, X, y, batch) for name, make in makers.items()}
        times: dict[str, list[float]] = {name: [] for name in makers}
        for epoch in epochs.values():
            epoch()
        for _ in range(options.rounds):
            for name, epoch in epochs.items():
                start = time.perf_counter()
                epoch()
                times[name].append((time.perf_counter() - start) / steps * 1e6)
        found = {name: statistics.median(values) for name, values in times.items()}
        shown = "  ".join(f"{name} {t:8.1f}" for name, t in found.items())
        ours = found["byhand"]
        ratios = "  ".join(f"byhand/{name} {ours / found[name]:.2f}" for name in ("sklearn", "torch", "products"))
        print(f"{text[:20]:<20} {batch:>4}   {shown}   {ratios}", flush=True)


if __name__ == "__main__":
    main()

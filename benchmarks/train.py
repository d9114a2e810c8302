"""Microseconds per SGD step: byhand's engines, scikit-learn, PyTorch (eager autograd) and JAX (jax.grad, jitted).

    python benchmarks/train.py [--quick] [--threads 2] [--rounds 7] [--net 784-300-10 --batch 64]

float32, plain SGD, softmax cross-entropy, relu; shuffling and gathering of the batches included. "products" is the
matrix products of a step alone (NumPy's BLAS). In each round everybody has a turn, in one process: a pause, an epoch that
is not timed, and one that is; medians of the rounds are shown, and medians of the ratios within a round. scikit-learn
runs an epoch by `partial_fit`.
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
parser.add_argument("--quick", action="store_true", help="two rounds, without the largest net")
parser.add_argument("--net", help="this net alone")
parser.add_argument("--batch", type=int, default=64)
options = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(options.threads)

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import machine  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402

from byhand.nets.mlp import MLP  # noqa: E402
from byhand.train.engines import ENGINES  # noqa: E402
from byhand.train.loop import Settings, Trainer  # noqa: E402
from byhand.train.program import TrainingProgram  # noqa: E402

torch.set_num_threads(options.threads)
NETS = [  # net, batch, what is to be reached: (engine or "best", contender, greatest ratio)
    ("4-16-3", 16, [("jax", "torch", 1 / 30), ("numpy", "torch", 1 / 6), ("numpy", "sklearn", 1 / 2)]),
    ("30-256-256-2", 256, [("best", "torch", 0.87), ("best", "sklearn", 0.6)]),
    ("64-" + "64-" * 8 + "10", 32, [("best", "torch", 0.2)]),
    ("784-300-10", 64, [("best", "torch", 0.66)]),
    ("784-512-512-10", 128, [("best", "products", 1.10)]),
    ("1024-2048-2048-1000", 512, [("best", "products", 1.04), ("numpy", "products", 1.08)]),
]


def byhand_epoch(engine):
    """An epoch by the trainer itself: shuffled, gathered, stepped."""

    def make(sizes, X, y, batch):
        net = MLP(sizes, targets="probabilities")
        settings = Settings("sgd", 0.01, batch_size=batch, engine=engine)
        trainer = Trainer(TrainingProgram(net), net.init(0), settings, np.random.default_rng(0), np.float32)
        data = {"X": X, "Y": np.eye(sizes[-1], dtype=np.float32)[y]}
        trainer.epoch(data)
        return lambda: trainer._pass(data, 1)

    return make


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
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = torch.nn.Sequential(*layers[:-1]).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    A, t = torch.tensor(X, device=device), torch.tensor(y, device=device)

    def epoch():
        order = torch.randperm(len(A))
        for k in range(0, len(A), batch):
            rows = order[k : k + batch]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(A[rows]), t[rows])
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return epoch


def jax_epoch(sizes, X, y, batch):
    """An epoch of jitted steps with jax.grad."""
    jnp = jax.numpy
    parameters = [(jnp.full((m, n), 0.01), jnp.zeros(n)) for m, n in pairwise(sizes)]
    rng = np.random.default_rng(0)

    def loss(parameters, X, y):
        H = X
        for W, b in parameters[:-1]:
            H = jax.nn.relu(H @ W + b)
        W, b = parameters[-1]
        return -jnp.mean(jax.nn.log_softmax(H @ W + b)[jnp.arange(len(y)), y])

    @jax.jit
    def step(parameters, X, y):
        gradients = jax.grad(loss)(parameters, X, y)
        return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradients)

    def epoch():
        nonlocal parameters
        order = rng.permutation(len(X))
        for k in range(0, len(X), batch):
            rows = order[k : k + batch]
            parameters = step(parameters, X[rows], y[rows])
        jax.block_until_ready(parameters)

    return epoch


def products(sizes, X, y, batch):
    """The matrix products of the same steps."""
    H = [np.ones((batch, n), np.float32) for n in sizes]
    W = [np.full((m, n), 1e-3, np.float32) for m, n in pairwise(sizes)]
    G = [np.empty_like(w) for w in W]
    out = [np.empty_like(h) for h in H]

    def epoch():
        for _ in range(len(X) // batch):
            for k, w in enumerate(W):
                np.matmul(H[k], w, out[k + 1])
            for k in range(len(W) - 1, -1, -1):
                np.matmul(H[k].T, H[k + 1], G[k])
                if k:
                    np.matmul(H[k + 1], W[k].T, out[k])

    return epoch


MAKERS = {
    "products": products,
    **{name: byhand_epoch(name) for name, row in ENGINES.items() if row.available},
    "sklearn": sklearn_epoch,
    "torch": torch_epoch,
    "jax.grad": jax_epoch,
}


def measured(text: str, batch: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds per step of everybody in each round."""
    sizes = [int(n) for n in text.split("-")]
    cost = batch * sum(m * n for m, n in pairwise(sizes))
    steps = 2000 if cost < 1e6 else 200 if cost < 2e8 else 4
    rng = np.random.default_rng(0)
    X = rng.standard_normal((steps * batch, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], len(X))
    y[: sizes[-1]] = np.arange(sizes[-1])
    epochs = {name: make(sizes, X, y, batch) for name, make in MAKERS.items()}
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for epoch in epochs.values():
        epoch()
    for _ in range(rounds):
        for name, epoch in epochs.items():
            time.sleep(0.3)  # the threads of whoever came before spin for a while
            epoch()  # and caches, and clocks that slept, are everybody's own again
            start = time.perf_counter()
            epoch()
            times[name].append((time.perf_counter() - start) / steps * 1e6)
    return times


def main() -> None:
    """Run and print the table."""
    rounds = 2 if options.quick else options.rounds
    nets = NETS[:-1] if options.quick else NETS
    if options.net:
        nets = [(options.net, options.batch, [])]
    print(
        f"{machine('numpy', 'scipy', 'scikit-learn', 'torch', 'jax')}; {options.threads} threads, float32, plain SGD;"
    )
    print(f"microseconds per step, medians of {rounds} rounds in turn.\n")
    print(f"| net, batch | {' | '.join(MAKERS)} | ratios (to reach) |")
    print(f"|---|{'---|' * len(MAKERS)}---|")
    ours = [name for name in ENGINES if name in MAKERS]
    for text, batch, wanted in nets:
        times = measured(text, batch, rounds)
        median = {name: statistics.median(values) for name, values in times.items()}
        shown = []
        for who, other, most in wanted:
            engine = min(ours, key=median.__getitem__) if who == "best" else who
            ratio = statistics.median(a / b for a, b in zip(times[engine], times[other], strict=True))
            shown.append(f"{engine}/{other} {ratio:.3f} (≤ {most:.3f})")
        cells = " | ".join(f"{t:.1f}" if t < 1000 else f"{t:.0f}" for t in median.values())
        label = text if len(text) < 24 else "64-(64×8)-10"
        print(f"| {label}, {batch} | {cells} | {'; '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()

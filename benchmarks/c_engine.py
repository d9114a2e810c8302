"""Microseconds per SGD step of small networks: byhand's C engine, its NumPy engine, a jitted JAX scan, PyTorch.

    python benchmarks/c_engine.py [--quick] [--rounds 7]

float32, softmax cross-entropy, relu; an epoch of each, shuffling and gathering included. In each round everybody has a
turn; medians of the rounds, and their ratios to C. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from itertools import pairwise

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--quick", action="store_true", help="two rounds of short epochs")
options = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import machine  # noqa: E402

from byhand.code.c.compiler import needed_compiler  # noqa: E402
from byhand.nets.mlp import MLP  # noqa: E402
from byhand.train.loop import Settings, Trainer  # noqa: E402
from byhand.train.program import TrainingProgram  # noqa: E402

torch.set_num_threads(1)
NETS = [("4-16-3", 16), ("4-16-3", 1), ("8-8-8-2", 16), ("13-32-32-3", 32), ("64-32-10", 32), ("64-64-64-10", 32)]


def engine_epoch(engine, text, X, y, batch):
    """An epoch by the trainer."""
    net = MLP(text)
    settings = Settings("sgd", 0.01, batch_size=batch, engine=engine)
    trainer = Trainer(TrainingProgram(net), net.init(0), settings, np.random.default_rng(0), np.float32)
    data = {"X": X, "y": y}
    return lambda: trainer.epoch(data)


def torch_epoch(text, X, y, batch):
    """An epoch of eager autograd."""
    layers = []
    for m, n in pairwise(int(s) for s in text.split("-")):
        layers += [torch.nn.Linear(m, n), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    A, t = torch.tensor(X), torch.tensor(y)

    def epoch():
        order = torch.randperm(len(A))
        for k in range(0, len(A), batch):
            rows = order[k : k + batch]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(A[rows]), t[rows]).backward()
            optimizer.step()

    return epoch


def main() -> None:
    """Run and print the table."""
    rounds, steps = (2, 300) if options.quick else (options.rounds, 2000)
    print(f"{machine('numpy', 'jax', 'torch')}; {needed_compiler()[0]}; one thread, float32\n")
    print("| network | batch | C (µs) | NumPy | JAX | PyTorch | NumPy / C | JAX / C | PyTorch / C |")
    print("|---|---|---|---|---|---|---|---|---|")
    for text, batch in NETS[: 2 if options.quick else None]:
        sizes = [int(n) for n in text.split("-")]
        rng = np.random.default_rng(0)
        X = rng.standard_normal((steps * batch, sizes[0])).astype(np.float32)
        y = rng.integers(0, sizes[-1], len(X))
        few = slice(0, steps // 10 * batch)  # PyTorch and NumPy take long
        epochs = {e: (engine_epoch(e, text, X, y, batch), steps) for e in ("c", "jax")}
        epochs["numpy"] = (engine_epoch("numpy", text, X[few], y[few], batch), steps // 10)
        epochs["torch"] = (torch_epoch(text, X[few], y[few], batch), steps // 10)
        times: dict[str, list[float]] = {name: [] for name in epochs}
        for epoch, _ in epochs.values():
            epoch()
        for _ in range(rounds):
            for name, (epoch, count) in epochs.items():
                start = time.perf_counter()
                epoch()
                times[name].append((time.perf_counter() - start) / count * 1e6)
        t = {name: statistics.median(found) for name, found in times.items()}
        ratios = " | ".join(f"{t[name] / t['c']:.1f}" for name in ("numpy", "jax", "torch"))
        row = f"| {text} | {batch} | {t['c']:.2f} | {t['numpy']:.1f} | {t['jax']:.1f} | {t['torch']:.1f} | {ratios} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()

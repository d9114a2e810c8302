"""Peak memory of one gradient: byhand's training step against PyTorch's autograd.

    python benchmarks/memory.py [--net 784-4096-4096-10] [--batch 4096] [--threads 2]

Each in a process of its own; a thread reads the resident memory (VmRSS) every millisecond. "gradient" is the peak while
the loss and the gradients are computed, the gradients themselves included, above what stood before (parameters, data);
"in all" is the peak above the process with its imports done and a small network run. float32, softmax cross-entropy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--net", default="784-4096-4096-10")
parser.add_argument("--batch", type=int, default=4096)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--only", choices=("byhand", "torch"), help=argparse.SUPPRESS)
options = parser.parse_args()


def resident() -> float:
    """MB of this process in memory."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Peak(threading.Thread):
    """Watches the resident memory until it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.going = 0.0, True

    def run(self):
        while self.going:
            self.most = max(self.most, resident())
            time.sleep(0.001)


def of_byhand(sizes, batch):
    """A function that makes parameters and data, and returns one that computes a gradient."""
    import numpy as np

    from byhand.nets.mlp import MLP
    from byhand.train.program import TrainingProgram

    program = TrainingProgram(MLP(sizes))
    rng = np.random.default_rng(0)
    parameters = rng.standard_normal(program.count, dtype=np.float32) * np.float32(0.02)
    X, y = rng.standard_normal((batch, sizes[0]), dtype=np.float32), rng.integers(0, sizes[-1], batch)

    def gradient():
        found = np.empty_like(parameters)
        step = program.step(batch, parameters, found)
        for name, array in {"X": X, "y": y}.items():
            np.copyto(step.data[name], array)
        return step.run(), found

    return gradient


def of_torch(sizes, batch):
    """The same by autograd."""
    import torch

    torch.set_num_threads(options.threads)
    layers = []
    for m, n in pairwise(sizes):
        layers += [torch.nn.Linear(m, n), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    X, y = torch.randn(batch, sizes[0]), torch.randint(0, sizes[-1], (batch,))

    def gradient():
        loss = torch.nn.functional.cross_entropy(net(X), y)
        loss.backward()
        return float(loss), net

    return gradient


def main() -> None:
    """Measure in two processes and print the table."""
    sizes = [int(n) for n in options.net.split("-")]
    if options.only:
        make = {"byhand": of_byhand, "torch": of_torch}[options.only]
        make([3, 5, 2], 7)()
        base = resident()
        gradient = make(sizes, options.batch)
        before = resident()
        watch = Peak()
        watch.start()
        start = time.perf_counter()
        held = gradient()
        seconds = time.perf_counter() - start
        watch.going = False
        watch.join()
        assert held
        print(json.dumps({"gradient": watch.most - before, "all": watch.most - base, "seconds": seconds}))
        return
    from machine import machine

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    found = {}
    for who in ("byhand", "torch"):
        command = [sys.executable, __file__, "--only", who, "--net", options.net, "--batch", str(options.batch)]
        found[who] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{machine('numpy', 'torch')}; {options.net}, batch {options.batch}, float32, MB.\n")
    print("| | byhand | PyTorch autograd | ratio |\n|---|---|---|---|")
    for key, words in (("gradient", "gradient"), ("all", "in all"), ("seconds", "seconds, the first time")):
        a, b = found["byhand"][key], found["torch"][key]
        print(f"| {words} | {a:.3g} | {b:.3g} | {a / b:.2f} |")


if __name__ == "__main__":
    main()

"""Strong scaling: byhand's jax engine on one process and on two, beside PyTorch's DDP; or, with --curve, on paper.

    python benchmarks/scaling.py [--rounds 5] [--net 784-1024-1024-10] [--batch 4096]
    python benchmarks/scaling.py --curve

Each process is pinned to a core of its own and has one thread. A round is every contender's turn, each started anew, eight
steps of SGD in float32 after two that are not counted; shown are medians, milliseconds a step of wall time and of a process'
CPU time, and what two processes gain.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from math import ceil, log2

STEPS, WARM = 8, 2
CURVE = (
    ("784-256-256-10", (4096, 65536)),
    ("4096-4096-4096-4096-4096-1000", (4096, 65536)),
    ("16384-16384-16384-16384-1000", (65536,)),
)


def curve_row(
    sizes: list[int], batch: int, devices: int, rate=27e12, inside=315e9, between=35e9, node=8, hop=5e-6, floor=50e-6
) -> float:
    """Seconds of a step: compute and a hierarchical ring all-reduce. rate: flop/s; inside, between: bytes/s; hop: seconds."""
    count = sum(a * b + b for a, b in pairwise(sizes))
    seconds = max(6 * count * batch / devices / rate, floor)
    nodes, local = max(1, devices // node), min(devices, node)
    if local > 1:
        seconds += 2 * (local - 1) / local * 4 * count / inside + 2 * (local - 1) * hop
    if nodes > 1:
        seconds += 2 * (nodes - 1) / nodes * 4 * count / local / between + 4 * ceil(log2(nodes)) * hop
    return seconds


def curve() -> None:
    """The table on paper, as Markdown."""
    for net, batches in CURVE:
        sizes = [int(n) for n in net.split("-")]
        for batch in batches:
            alone = curve_row(sizes, batch, 1)
            shares = [f"{alone / curve_row(sizes, batch, n) / n:.0%}" for n in (8, 64, 512)]
            print(f"| {net} | {batch} | {' | '.join(shares)} |")


def byhand_steps(sizes: list[int], batch: int) -> tuple[float, float]:
    """Seconds of the steps, and CPU seconds of this process."""
    import numpy as np

    import byhand
    from byhand.nets.mlp import MLP
    from byhand.train.loop import Settings, Trainer
    from byhand.train.program import TrainingProgram

    world = byhand.distributed.start()
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((batch * STEPS, sizes[0]), np.float32), rng.integers(0, sizes[-1], batch * STEPS)
    net = MLP(sizes, targets="labels")
    settings = Settings("sgd", 0.01, batch_size=batch, engine="jax")
    trainer = Trainer(TrainingProgram(net), net.init(0), settings, np.random.default_rng(0), np.float32)
    data = {"X": X, "y": y}
    trainer.epoch(data)
    found = _timed(lambda: trainer.epoch(data))
    world.finish()
    return found


def torch_steps(sizes: list[int], batch: int) -> tuple[float, float]:
    """The same by PyTorch, under DDP where there are several ranks."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for m, n in pairwise(sizes):
        layers += [torch.nn.Linear(m, n), torch.nn.ReLU()]
    net: torch.nn.Module = torch.nn.Sequential(*layers[:-1])
    if world > 1:
        dist.init_process_group("gloo")
        net = torch.nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    X, y = torch.randn(STEPS, batch, sizes[0]), torch.randint(0, sizes[-1], (STEPS, batch))
    mine = slice(rank * batch // world, (rank + 1) * batch // world)

    def epoch(steps: int) -> None:
        for k in range(steps):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(X[k, mine]), y[k, mine]).backward()
            optimizer.step()

    epoch(WARM)
    found = _timed(lambda: epoch(STEPS))
    if world > 1:
        dist.destroy_process_group()
    return found


def _timed(run) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return (time.perf_counter() - wall) / STEPS, (time.process_time() - cpu) / STEPS


def ranks(who: str, count: int, options: argparse.Namespace) -> tuple[float, float]:
    """Start the ranks, each pinned to a core: their greatest wall and CPU time of a step."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    if count > 1:
        env |= {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port - (who == "byhand"))}
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, __file__, "--who", who, "--net", options.net, "--batch", str(options.batch)]
    started = [
        subprocess.Popen(
            ["taskset", "-c", str(cores[k % len(cores)]), *command],
            env=env | ({"RANK": str(k)} if count > 1 else {}), stdout=subprocess.PIPE, text=True,
        )
        for k in range(count)
    ]  # fmt: skip
    found = [json.loads(rank.communicate()[0].splitlines()[-1]) for rank in started]
    return max(f[0] for f in found), max(f[1] for f in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--net", default="784-1024-1024-10")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--who", choices=("byhand", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [int(n) for n in options.net.split("-")]
    if options.curve:
        curve()
    elif options.who:
        print(json.dumps({"byhand": byhand_steps, "torch": torch_steps}[options.who](sizes, options.batch)))
    else:
        from machine import machine

        print(machine("jax", "torch"))
        cases = [(who, count) for who in ("byhand", "torch") for count in (1, 2)]
        times: dict[tuple[str, int], list[tuple[float, float]]] = {case: [] for case in cases}
        for _ in range(options.rounds):
            for case in cases:
                times[case].append(ranks(*case, options))
        middle = {c: [statistics.median(t[k] for t in times[c]) for k in (0, 1)] for c in cases}
        print(f"{options.net}, batch {options.batch}: milliseconds a step, wall and CPU of a process")
        for who in ("byhand", "torch"):
            one, two = middle[who, 1], middle[who, 2]
            print(f"  {who:7} 1 process {1e3 * one[0]:7.1f} {1e3 * one[1]:7.1f}   2 processes {1e3 * two[0]:7.1f} "
                  f"{1e3 * two[1]:7.1f}   gain {one[0] / two[0]:.2f} wall, {one[1] / two[1]:.2f} CPU")  # fmt: skip


if __name__ == "__main__":
    main()

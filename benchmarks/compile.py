"""Generated PyTorch and JAX gradients against automatic differentiation of the same forward: time and peak memory.

    python benchmarks/compile.py [--quick] [--threads 2]
    python benchmarks/compile.py --chunk 256       # a linear layer and softmax cross-entropy, the logits in chunks of rows

float32, relu, softmax cross-entropy of labels; the loss and all parameter gradients of one batch. In each round
everybody has a turn; the least of the rounds' means is shown, and its ratio to automatic differentiation in the same
run. "function" is `value_and_gradients`, what `Network.backward` calls; "autograd" is `value(...).backward()` through
the generated `torch.autograd.Function`, for which an empty Function of as many arguments is the bound. Memory is the
peak of what is allocated during a call, gradients included: for PyTorch every storage that an operation makes is
counted, for JAX the compiler's own figure.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import tracemalloc
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--quick", action="store_true", help="the three small networks, fewer rounds")
parser.add_argument("--chunk", type=int, help="rows at a time: batch 4096, width 1024, 32768 classes (--quick: a 64th)")
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(options.threads)

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import byhand  # noqa: E402
from byhand.code import TARGETS  # noqa: E402

torch.set_num_threads(options.threads)
NETS = [
    ("4-16-3", 16),
    ("64-" + "64-" * 8 + "10", 32),
    ("30-256-256-2", 256),
    ("784-300-10", 64),
    ("784-512-512-10", 128),
    ("1024-2048-2048-1000", 512),
]
ROUNDS, SECONDS = (25, 0.004) if options.quick else (50, 0.006)  # a turn lasts so long, or one call
LONGEST = 12.0  # seconds for all turns of one network


class Peak(TorchDispatchMode):
    """Counts the bytes of the storages that operations make, while they live."""

    def __init__(self, known: list[torch.Tensor]) -> None:
        super().__init__()
        self.seen = {t.untyped_storage().data_ptr() for t in known}
        self.live = self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for t in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(t, torch.Tensor) and t.untyped_storage().data_ptr() not in self.seen:
                storage = t.untyped_storage()
                address, size = storage.data_ptr(), storage.nbytes()
                self.seen.add(address)
                self.live += size
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self.freed, address, size)
        return result

    def freed(self, address: int, size: int) -> None:
        self.seen.discard(address)
        self.live -= size


def module_of(source: str) -> dict[str, Any]:
    """What generated source defines."""
    scope: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "<generated>", "exec"), scope)
    return scope


def data_of(sizes: list[int], batch: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Parameters W1, b1, ..., a batch and its labels."""
    rng = np.random.default_rng(0)
    parameters: list[np.ndarray] = []
    for m, n in pairwise(sizes):
        parameters += [(rng.standard_normal((m, n)) / np.sqrt(m)).astype("f"), np.zeros(n, "f")]
    return parameters, rng.standard_normal((batch, sizes[0])).astype("f"), rng.integers(0, sizes[-1], batch)


class Empty(torch.autograd.Function):
    """As many arguments as the network's function, and nothing computed."""

    @staticmethod
    def forward(ctx, X, *rest):
        ctx.save_for_backward(*rest)
        return X.new_zeros(())

    @staticmethod
    def backward(ctx, g):
        *parameters, _ = ctx.saved_tensors
        return None, *parameters, None


def torch_contestants(net, parameters, X, y) -> dict[str, tuple[Callable[[], Any], list[torch.Tensor]]]:
    """name -> (call, the tensors that are there before it)."""
    generated = module_of(net.code("torch"))
    P = [torch.tensor(p).requires_grad_() for p in parameters]
    A, t = torch.tensor(X), torch.tensor(y)

    def eager():
        H = A
        for k in range(0, len(P), 2):
            Z = H @ P[k] + P[k + 1]
            H = torch.relu(Z) if k + 2 < len(P) else Z
        return torch.nn.functional.cross_entropy(Z, t)

    def with_backward(loss):
        def run():
            loss().backward()
            for p in P:
                p.grad = None

        return run

    def function():
        _, gradients = generated["value_and_gradients"](A, *P, t)
        for p, g in zip(P, gradients.values(), strict=True):
            p.grad = g
        for p in P:
            p.grad = None

    calls = {
        "PyTorch eager autograd": with_backward(eager),
        "PyTorch generated, function": function,
        "PyTorch generated, autograd": with_backward(lambda: generated["value"](A, *P, t)),
        "(an empty autograd.Function)": with_backward(lambda: Empty.apply(A, *P, t)),
    }
    return {name: (call, [A, t, *P]) for name, call in calls.items()}


def jax_contestants(net, parameters, X, y) -> dict[str, tuple[Callable[[], Any], float, int]]:
    """name -> (call, seconds to compile, bytes)."""
    generated = module_of(net.code("jax"))
    numbers = tuple(range(1, 1 + len(parameters)))

    def loss(X, *rest):
        *P, y = rest
        H = X
        for k in range(0, len(P), 2):
            Z = H @ P[k] + P[k + 1]
            H = jax.nn.relu(Z) if k + 2 < len(P) else Z
        S = jax.nn.log_softmax(Z)
        return -jax.numpy.mean(S[jax.numpy.arange(len(y)), y])

    arrays = [jax.numpy.asarray(a) for a in (X, *parameters, y)]
    found = {}
    for name, f in (
        ("JAX grad", jax.value_and_grad(loss, numbers)),
        ("JAX generated, grad", jax.value_and_grad(generated["value"], numbers)),
        ("JAX generated, function", generated["value_and_gradients"]),
    ):
        start = time.perf_counter()
        compiled = jax.jit(f).lower(*arrays).compile()
        seconds = time.perf_counter() - start
        memory = compiled.memory_analysis()
        size = memory.temp_size_in_bytes + memory.output_size_in_bytes
        found[name] = (lambda c=compiled: jax.block_until_ready(c(*arrays)), seconds, size)
    return found


def other_contestants(net, parameters, X, y) -> dict[str, Callable[[], Any]]:
    """Targets beyond PyTorch and JAX: their compiled function on the same arrays."""
    found = {}
    for target in TARGETS:
        if target not in ("torch", "jax"):
            compiled = net.function(target)
            values = dict(zip(net.parameters, parameters, strict=True)) | {"X": X, "y": y}
            arrays = [values[n] for n in compiled.inputs]
            found[f"{target} generated, function"] = lambda c=compiled, a=arrays: c.raw(*a)
    return found


def measured(*groups: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The least mean microseconds of a call over the rounds; everybody of a group has a turn in each.

    A group shares a library: the threads of two of them would wait for one another.
    """
    best: dict[str, float] = {}
    for calls in groups:
        counts = {}
        for name, call in calls.items():
            single = min(_seconds(call, 1) for _ in range(3))
            counts[name], best[name] = max(1, int(SECONDS / single)), single * 1e6
        began = time.perf_counter()
        for round_ in range(ROUNDS):
            for name, call in calls.items():
                best[name] = min(best[name], _seconds(call, counts[name]) * 1e6)
            if round_ > 2 and time.perf_counter() - began > LONGEST / len(groups):
                break
    return best


def _seconds(call: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def chunked() -> None:
    """Time, and peak memory above inputs and outputs, of a linear layer with softmax cross-entropy, float32."""
    batch, width, classes = (512, 256, 8192) if options.quick else (4096, 1024, 32768)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((batch, width), np.float32)
    W = rng.standard_normal((width, classes), np.float32) / np.float32(np.sqrt(width))
    b, y = np.zeros(classes, np.float32), rng.integers(0, classes, batch)
    text = "Z = X @ W + b\nL = mean(cross_entropy(Z, y))"
    d = byhand.derive(byhand.parse(text, {"X": "N D", "W": "D C", "b": "C", "y": "N"}), "X,W,b")
    generated = module_of(d.code("torch", chunk=options.chunk))
    by_numpy = d.function("numpy", chunk=options.chunk)
    P = [torch.tensor(a).requires_grad_() for a in (X, W, b)]
    t = torch.tensor(y)

    def eager():
        loss = torch.nn.functional.cross_entropy(torch.addmm(P[2], P[0], P[1]), t)
        return loss.detach(), torch.autograd.grad(loss, P)

    calls = {
        "PyTorch eager autograd": eager,
        "PyTorch generated, function": lambda: generated["value_and_gradients"](*P, t),
        "PyTorch generated, autograd": lambda: torch.autograd.grad(generated["value"](*P, t), P),
        "NumPy generated, function": lambda: by_numpy.raw(*(dict(X=X, W=W, b=b, y=y)[n] for n in by_numpy.inputs)),
    }
    results = sum(a.nbytes for a in (X, W, b))
    memory = {}
    for name, call in calls.items():  # also the warm-up
        if name.startswith("NumPy"):
            tracemalloc.start()
            call()
            memory[name] = tracemalloc.get_traced_memory()[1] - results
            tracemalloc.stop()
        else:
            with Peak([*P, t]) as peak:
                call()
            memory[name] = peak.peak - results
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(9 if options.quick else 1):
        for name, call in calls.items():
            best[name] = min(best[name], _seconds(call, 1))
    print(f"batch {batch}, width {width}, {classes} classes, {options.chunk} rows at a time\n")
    print("| | s | × autograd | MiB above inputs and outputs | × autograd |\n|---|---:|---:|---:|---:|")
    base = "PyTorch eager autograd"
    for name, seconds in best.items():
        ratio = f"{memory[name] / 2**20:.0f} | {memory[name] / memory[base]:.3f}"
        print(f"| {name} | {seconds:.2f} | {seconds / best[base]:.2f} | {ratio} |")


def main() -> None:
    print(
        f"{platform.processor() or platform.machine()}, {options.threads} threads, Python {platform.python_version()}, ",
        end="",
    )
    print(f"torch {torch.__version__}, jax {jax.__version__}, numpy {np.__version__}\n")
    if options.chunk:
        chunked()
        return
    print("| network, batch | | µs | × autodiff | MiB | × autodiff | compile, s |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for sizes, batch in NETS[:3] if options.quick else NETS:
        net = byhand.MLP(sizes)
        data = data_of([int(n) for n in sizes.split("-")], batch)
        by_torch, by_jax = torch_contestants(net, *data), jax_contestants(net, *data)
        calls = ({n: c for n, (c, _) in by_torch.items()}, {n: c for n, (c, _, _) in by_jax.items()})
        times = measured(*calls, other_contestants(net, *data))
        memory = {}
        for name, (call, known) in by_torch.items():
            with Peak(known) as peak:
                call()
            memory[name] = peak.peak
        memory |= {n: size for n, (_, _, size) in by_jax.items()}
        title = sizes if len(sizes) < 24 else "64-(64×8)-10"
        for name, µs in times.items():
            base = "JAX grad" if name.startswith("JAX") else "PyTorch eager autograd"
            size = f"{memory[name] / 2**20:.3g} | {memory[name] / memory[base]:.2f}" if name in memory else "|"
            seconds = f"{by_jax[name][1]:.2f}" if name in by_jax else ""
            print(f"| {title}, {batch} | {name} | {µs:.0f} | {µs / times[base]:.2f} | {size} | {seconds} |", flush=True)


if __name__ == "__main__":
    main()

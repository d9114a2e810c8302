"""The generated PyTorch module under DistributedDataParallel.

    torchrun --standalone --nproc-per-node 2 examples/ddp_module.py

byhand writes the module, PyTorch trains it: each rank takes its share of every batch and DDP averages the gradients, which
is right for a loss that is a mean over the samples. `module.backward`, which needs no autograd, is of one process alone and
refuses to run here.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from types import ModuleType

import byhand


def written(source: str) -> ModuleType:
    """A source as a module, by way of a file, as it would lie in a project."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.py"
        path.write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location("network", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def main(steps: int = 60) -> float:
    """Train on the digits; the share of them that is predicted right at the end."""
    import torch
    import torch.distributed as dist
    from sklearn.datasets import load_digits
    from torch.nn.parallel import DistributedDataParallel

    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    X, y = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
    X = (X / 16).float()
    torch.manual_seed(0)  # the same weights on every rank
    net = byhand.derive(byhand.MLP("64-32-10", activation="relu"))
    module = written(net.code("torch")).Network()
    ddp = DistributedDataParallel(module)
    optimizer = torch.optim.Adam(ddp.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        batch = torch.randperm(len(X), generator=generator)[: 64 * world][rank::world]
        optimizer.zero_grad()
        ddp(X[batch], y[batch]).backward()
        optimizer.step()
    hidden = torch.relu(X @ module.W1 + module.b1)
    accuracy = float(((hidden @ module.W2 + module.b2).argmax(1) == y).float().mean())
    if rank == 0:
        print(f"{world} ranks, {steps} steps: {accuracy:.3f} of the digits")
    try:
        module.backward(X[:64], y[:64])
    except RuntimeError as error:
        if rank == 0:
            print(f"module.backward: {error}")
    dist.barrier()  # no rank ends while another still speaks
    del ddp  # its hooks hold the group
    dist.destroy_process_group()
    return accuracy


if __name__ == "__main__":
    main()

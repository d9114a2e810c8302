"""`python killed.py WORKERS COORDINATORS [SEED]`: under torchrun, ranks killed at random moments; the bits of an unbroken run?

So many runs with rank 1 killed, and with rank 0, which all others are connected to. Prints a line for each, and exits with 1
where one is not what the unbroken run gives.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WORKER = Path(__file__).with_name("worker.py")
ASKED = {"dropout": 0.2, "early_stopping": True, "clip_norm": 1.0, "max_epochs": 40, "patience": 40}


def run(folder: Path, killed: int | None, moment: float) -> tuple[int, float]:
    """A run under torchrun whose rank `killed` dies so many seconds after the first checkpoint: its exit code and seconds."""
    fit = {"checkpoint": str(folder / "kept"), "resume": True}
    asked = json.dumps({"settings": ASKED, "fit": fit})
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=2"]
    start = time.monotonic()
    launcher = subprocess.Popen(
        [*command, str(WORKER), str(folder), asked], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    if killed is not None:
        while not list(folder.glob("kept/checkpoint*")):
            time.sleep(0.02)
        time.sleep(moment)
        for rank in _children(launcher.pid):
            if f"\0RANK={killed}\0" in _environment(rank):
                os.kill(rank, signal.SIGKILL)
    return launcher.wait(), time.monotonic() - start


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    found = [int(p) for p in text.split()]
    return [*found, *(c for p in found for c in _children(p))]


def _environment(pid: int) -> str:
    try:
        return "\0" + Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


def main() -> None:
    workers, coordinators, seed = (int(a) for a in [*sys.argv[1:], "0"][:3])
    rng, wrong = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name, "whole")
        whole.mkdir()
        print("unbroken", *run(whole, None, 0))
        expected = np.load(whole / "2-0.npy")
        for k, rank in enumerate([1] * workers + [0] * coordinators):
            folder, moment = Path(name, str(k)), rng.uniform(0, 3)
            folder.mkdir()
            code, seconds = run(folder, rank, moment)
            same = code == 0 and all(np.array_equal(np.load(folder / f"2-{r}.npy"), expected) for r in (0, 1))
            wrong += not same
            print(
                f"rank {rank} killed {moment:.2f} s after the first checkpoint: code {code}, {seconds:.0f} s, {'the same bits' if same else 'WRONG'}",
                flush=True,
            )
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()

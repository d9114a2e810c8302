"""Ranks on this machine: as a launcher starts them, on the loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from byhand.distributed.hub import free_port
from byhand.distributed.launcher import PORT_AFTER

GRACE = 10.0  # seconds that the others get to end by themselves once one has failed
CHECKED = 0.05  # seconds between looks at them


def run_ranks(command: Sequence[str], count: int) -> int:
    """Run a command on so many ranks, and wait for all.

    Ctrl-C reaches them all, as a terminal sends it to a group; their agreement about it is theirs.

    Args:
        command: of each rank.
        count: how many.
    Returns: the exit code: of a rank that says why it ended before that of those that had to end with it.
    """
    port = free_port("127.0.0.1")
    common = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port - PORT_AFTER)}
    ranks = [
        subprocess.Popen(list(command), env={**os.environ, **common, "RANK": str(k), "LOCAL_RANK": str(k)})
        for k in range(count)
    ]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        codes = _waited(ranks)
    finally:
        signal.signal(signal.SIGINT, before)
        for rank in ranks:
            if rank.poll() is None:
                rank.kill()
                rank.wait()
    return next((code for code in codes if code not in (0, 75) and code > 0), max(75 if c < 0 else c for c in codes))


def _waited(ranks: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """The exit codes; once one has failed the others are given `GRACE` seconds."""
    last = float("inf")
    while any(rank.poll() is None for rank in ranks):
        if any(rank.returncode for rank in ranks):
            last = min(last, time.monotonic() + GRACE)
        if time.monotonic() > last:
            for rank in ranks:
                if rank.poll() is None:
                    rank.terminate()
            for rank in ranks:
                try:
                    rank.wait(GRACE)
                except subprocess.TimeoutExpired:
                    rank.kill()
        time.sleep(CHECKED)
    return [rank.wait() for rank in ranks]


def again(arguments: Sequence[str]) -> list[str]:
    """The command that runs `byhand` with these arguments by the interpreter at work."""
    return [sys.executable, "-m", "byhand.cli.main", *arguments]


__all__ = ["again", "run_ranks"]

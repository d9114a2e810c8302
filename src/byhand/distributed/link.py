"""A rank's connection to the hub: signs of life, what all agree about, and the end when another rank is lost."""

from __future__ import annotations

import os
import queue
import select
import socket
import sys
import threading
import time
from typing import Any

from byhand.distributed.hub import BEAT, ENDED, LONGEST, Lines, line

LOST = 75  # EX_TEMPFAIL: a launcher may start the ranks again
PATIENCE = 0.5  # seconds that a rank gets to say by itself what another has said already


def leave(code: int, sentence: str) -> None:
    """End the process now, with one sentence: JAX's own way out waits for ranks that are gone."""
    sys.stdout.flush()
    print(sentence, file=sys.stderr, flush=True)
    os._exit(code)


class Link:
    """Open until `close`.

    Args:
        host, port, token: of the hub.
        rank, world: of this process.
        heartbeat: seconds of silence of the hub after which rank 0 counts as lost.
    Attributes:
        doing: what this rank does, for the sentence about a lost one: "in epoch 3".
        kept: what remains when all ends: "the checkpoint runs/a".
    Raises: OSError: the hub cannot be reached.
    """

    def __init__(self, host: str, port: int, token: str, rank: int, world: int, heartbeat: float) -> None:
        self.rank, self.world, self.heartbeat, self.hub = rank, world, heartbeat, host
        self.doing, self.kept = "before the first epoch", ""
        self.connection = socket.create_connection((host, port), timeout=heartbeat)
        self.writing, self.closed = threading.Lock(), False
        self.answers: queue.Queue[list[Any]] = queue.Queue()
        self._send({"token": token, "rank": rank, "host": socket.gethostname()})
        threading.Thread(target=self._listen, name="byhand-link", daemon=True).start()

    def together(self, value: Any) -> list[Any]:
        """What every rank says here, by rank: called by all of them, with plain data."""
        self._send({"say": value})
        return self.answers.get()

    def fail(self, code: int, sentence: str) -> None:
        """Tell the others that this rank ends, and why."""
        self._send({"fail": [code, sentence[: LONGEST // 4]]})

    def close(self) -> None:
        """Nobody misses this rank from now on."""
        self.closed = True
        self._send({"bye": 1})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            with self.writing:
                self.connection.sendall(line(message))
        except OSError:  # the hub is gone; whoever listens says so
            time.sleep(0 if self.closed else 2 * BEAT)

    def _listen(self) -> None:
        lines, heard = Lines(), time.monotonic()
        while not self.closed:
            ready, _, _ = select.select([self.connection], [], [], BEAT)
            if ready:
                try:
                    received = self.connection.recv(LONGEST)
                except OSError:
                    received = b""
                if not received:
                    return self._lost(0, self.hub, ENDED)
                heard = time.monotonic()
                for message in lines.of(received):
                    self._take(message)
            elif time.monotonic() - heard > self.heartbeat:
                return self._lost(0, self.hub, f"was silent for {self.heartbeat:g} s")
            self._send({"beat": 1})
        return None

    def _take(self, message: dict[str, Any]) -> None:
        if "all" in message:
            self.answers.put(message["all"])
        elif "lost" in message:
            self._lost(message["lost"], message["host"], message["why"])
        elif "failed" in message and not self.closed:
            code, sentence = message["fail"]
            time.sleep(PATIENCE)  # the same input is wrong for all: this rank says so itself
            leave(int(code), f"{sentence} (rank {message['failed']} of {self.world})")

    def _lost(self, rank: int, host: str, why: str) -> None:
        if not self.closed:
            rest = f"; {self.kept} is whole: --resume (resume=True) goes on from it" if self.kept else ""
            who = f"rank {rank} of {self.world} on {host}"
            leave(LOST, f"byhand: {who} {why}, {self.doing}. Rank {self.rank} ends too{rest}.")


__all__ = ["LOST", "Link", "leave"]

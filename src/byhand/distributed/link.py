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
from byhand.errors import DataError

LOST = 75  # EX_TEMPFAIL: a launcher may start the ranks again
CONNECT_AGAIN = 0.2  # seconds
PATIENCE = 0.5  # seconds that a rank gets to say by itself what another has said already


def _connected(host: str, port: int, within: float) -> socket.socket:
    """Raises: DataError: nobody listens there for so long."""
    last = time.monotonic() + within
    while True:
        try:
            return socket.create_connection((host, port), timeout=max(1.0, last - time.monotonic()))
        except OSError as error:
            if time.monotonic() > last or isinstance(error, socket.gaierror):
                words = (error.strerror or str(error)).lower()
                raise DataError(
                    f"rank 0 is not there: {host}:{port}: {words}", "the same address on all ranks, which all can reach"
                ) from None
            time.sleep(CONNECT_AGAIN)


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
        within: seconds in which the hub has to be there.
    Raises: DataError: it is not, or somebody else listens there.
    """

    def __init__(
        self, host: str, port: int, token: str, rank: int, world: int, heartbeat: float, within: float = 10.0
    ) -> None:
        self.rank, self.world, self.heartbeat, self.hub = rank, world, heartbeat, host
        self.doing, self.kept = "before the first epoch", ""
        self.connection = _connected(host, port, within)
        self.writing, self.closed = threading.Lock(), False
        self.answers: queue.Queue[list[Any]] = queue.Queue()
        self._send({"token": token, "rank": rank, "host": socket.gethostname()})
        self.lines = Lines()
        try:
            self.connection.settimeout(within)
            first = self.lines.of(self.connection.recv(LONGEST))
            self.connection.settimeout(heartbeat)
        except (OSError, ValueError):
            first = []
        if not first:
            self.connection.close()
            raise DataError(
                f"rank {rank} met something at {host}:{port} that is no rank 0 of this run",
                "another port, the same on all ranks; each rank once",
            )
        self._heard = first
        threading.Thread(target=self._listen, name="byhand-link", daemon=True).start()

    def together(self, value: Any, within: float | None = None) -> list[Any]:
        """What every rank says here, by rank: called by all of them, with plain data.

        Raises: DataError: not all did so within so many seconds.
        """
        self._send({"say": value})
        try:
            return self.answers.get(timeout=within)
        except queue.Empty:
            self.closed = True
            raise DataError(
                f"not all of {self.world} ranks came to {self.hub} within {within:g} s; rank {self.rank} did",
                "the same address and number of ranks everywhere, and a port that all can reach",
            ) from None

    def fail(self, code: int, sentence: str) -> None:
        """Tell the others that this rank ends, and why."""
        self._send({"fail": [code, sentence[: LONGEST // 4]]})

    def close(self) -> None:
        """Nobody misses this rank from now on."""
        self._send({"bye": 1})
        self.closed = True  # after the farewell: whoever listens closes the connection then

    def _send(self, message: dict[str, Any]) -> None:
        try:
            with self.writing:
                self.connection.sendall(line(message))
        except OSError:  # the hub is gone; whoever listens says so
            time.sleep(0 if self.closed else 2 * BEAT)

    def _listen(self) -> None:
        heard = time.monotonic()
        for message in self._heard:
            self._take(message)
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
                for message in self.lines.of(received):
                    self._take(message)
            elif time.monotonic() - heard > self.heartbeat:
                return self._lost(0, self.hub, f"was silent for {self.heartbeat:g} s")
            self._send({"beat": 1})
        self.connection.close()
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

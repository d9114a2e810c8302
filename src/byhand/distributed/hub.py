"""The hub: rank 0's thread that all ranks are connected to. It sees who is gone, and collects what they say.

JAX itself notices a dead process by its heartbeat, after half a minute at best, and ends the others with a stack of C++. A
connection is closed by the kernel at the moment its process dies, so that a sentence can be said first. No number of the
training goes this way. Lines of JSON, each at most `LONGEST` bytes.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
import time
from collections import deque
from typing import Any

LONGEST = 1 << 16
BEAT = 1.0  # seconds between signs of life
END = b"\n"
ENDED = "ended without a word (killed, or its machine is gone)"


def line(message: dict[str, Any]) -> bytes:
    """A message as it is sent."""
    return json.dumps(message).encode() + END


def free_port(host: str = "") -> int:
    """A port of this machine that nobody listens on now."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Lines:
    """What came in on a connection, line by line."""

    def __init__(self) -> None:
        self.rest = b""

    def of(self, received: bytes) -> list[dict[str, Any]]:
        """The messages that are whole now.

        Raises: ValueError: a line that is no message, or too long.
        """
        *whole, self.rest = (self.rest + received).split(END)
        if len(self.rest) > LONGEST:
            raise ValueError("a line that does not end")
        found = [json.loads(text) for text in whole]
        if not all(isinstance(message, dict) for message in found):
            raise ValueError("not a message")
        return found


class _Member:
    """A connection: whose it is, when something was heard last, and what it said that is not answered yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.lines = connection, Lines()
        self.rank: int | None = None
        self.host = ""
        self.heard = time.monotonic()
        self.said: deque[Any] = deque()
        self.gone = False


class Hub:
    """Listens as long as its process lives.

    Args:
        host, port: to listen on; every address of this machine for "", any free port for 0.
        world: how many ranks there are.
        token: what a connection begins with, so that a stranger's is dropped.
        heartbeat: seconds of silence after which a rank counts as lost.
    Attributes:
        port: the one it listens on.
    Raises: OSError: the host is none of this machine, or the port is in use.
    """

    def __init__(self, host: str, port: int, world: int, token: str, heartbeat: float) -> None:
        self.world, self.token, self.heartbeat = world, token, heartbeat
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family, backlog=world)
        self.port: int = self.listener.getsockname()[1]
        self.members: list[_Member] = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        threading.Thread(target=self._serve, name="byhand-hub", daemon=True).start()

    def _serve(self) -> None:
        next_beat = time.monotonic()
        while True:
            for key, _ in self.selector.select(BEAT / 2):
                if key.data is None:
                    connection, _ = self.listener.accept()
                    connection.settimeout(self.heartbeat)
                    member = _Member(connection)
                    self.members.append(member)
                    self.selector.register(connection, selectors.EVENT_READ, member)
                else:
                    self._hear(key.data)
            now = time.monotonic()
            for member in list(self.members):
                if now - member.heard > self.heartbeat:
                    self._drop(member, f"was silent for {self.heartbeat:g} s")
            if now >= next_beat:
                next_beat = now + BEAT
                self._tell({"beat": 1})

    def _hear(self, member: _Member) -> None:
        try:
            received = member.connection.recv(LONGEST)
            messages = member.lines.of(received)
        except (OSError, ValueError):
            received, messages = b"", []
        member.heard = time.monotonic()
        for message in messages:
            self._take(member, message)
        if not received:
            self._drop(member, ENDED)

    def _take(self, member: _Member, message: dict[str, Any]) -> None:
        if member.rank is None:
            free = set(range(self.world)) - {m.rank for m in self.members}
            if message.get("token") != self.token or message.get("rank") not in free:
                self._drop(member, "is a stranger")
            else:
                member.rank, member.host = message["rank"], str(message.get("host", ""))[:64]
                self._tell({"beat": 1})
        elif "say" in message:
            member.said.append(message["say"])
            self._answer()
        elif "fail" in message:
            self._tell({"failed": member.rank, "fail": message["fail"]}, but=member)
        elif "bye" in message:
            member.gone = True

    def _answer(self) -> None:
        """What all have said, where all have."""
        ranks = {m.rank: m for m in self.members if m.rank is not None}
        if len(ranks) == self.world and all(m.said for m in ranks.values()):
            self._tell({"all": [ranks[r].said.popleft() for r in range(self.world)]})

    def _drop(self, member: _Member, why: str) -> None:
        if member not in self.members:
            return
        self.members.remove(member)
        self.selector.unregister(member.connection)
        member.connection.close()
        if member.rank is not None and not member.gone:
            self._tell({"lost": member.rank, "host": member.host, "why": why})

    def _tell(self, message: dict[str, Any], but: _Member | None = None) -> None:
        """Rank 0 is told last: what it does then, a barrier of JAX, may hold the interpreter that this thread needs."""
        for member in sorted(self.members, key=lambda m: -1 if m.rank is None else m.rank, reverse=True):
            if member is not but and member.rank is not None:
                with contextlib.suppress(OSError):  # gone: what it said last, a farewell perhaps, is read first
                    member.connection.sendall(line(message))


__all__ = ["BEAT", "ENDED", "LONGEST", "Hub", "Lines", "free_port", "line"]

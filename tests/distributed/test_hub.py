"""Ranks that only talk: small processes without JAX, some of which are killed, stopped or fail."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from byhand.distributed.hub import LONGEST, Hub, Lines, line
from byhand.distributed.link import Link
from byhand.errors import DataError

TOKEN, HEARTBEAT = "a token", 3.0
RANK = """
import sys, time
from byhand.distributed.link import Link
port, rank, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
link = Link("127.0.0.1", port, "a token", rank, 3, 3.0)
link.doing = "in epoch 7"
print(link.together({"rank": rank, "square": rank**2}), flush=True)
if what == "fail":
    link.fail(2, "Error: no such file")
    sys.exit(2)
if what == "wait":
    time.sleep(60)
link.together("end")
link.close()
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    yield Hub("127.0.0.1", 0, 3, TOKEN, HEARTBEAT)


def _ranks(hub: Hub, *what: str) -> list[subprocess.Popen[str]]:
    """Three ranks that have said their first word."""
    command = [sys.executable, "-c", RANK, str(hub.port)]
    found = [
        subprocess.Popen([*command, str(k), w], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for k, w in enumerate(what)
    ]
    for rank in found:
        assert rank.stdout is not None
        assert rank.stdout.readline() == f"{[{'rank': k, 'square': k**2} for k in range(3)]}\n"
    return found


def test_all_hear_what_all_say_and_end_together(hub: Hub) -> None:
    ranks = _ranks(hub, "end", "end", "end")
    assert [rank.wait(30) for rank in ranks] == [0, 0, 0]
    assert [rank.communicate()[1] for rank in ranks] == ["", "", ""]


def test_a_killed_rank_ends_the_others_with_a_sentence(hub: Hub) -> None:
    ranks = _ranks(hub, "wait", "wait", "wait")
    ranks[1].kill()
    for rank in (ranks[0], ranks[2]):
        _, said = rank.communicate(timeout=30)
        assert rank.returncode == 75
        assert said.startswith(f"byhand: rank 1 of 3 on {socket.gethostname()} ended without a word")
        assert "in epoch 7" in said and said.count("\n") == 1
    ranks[1].communicate()


def test_a_stopped_rank_is_noticed_by_its_silence(hub: Hub) -> None:
    ranks = _ranks(hub, "wait", "wait", "wait")
    ranks[2].send_signal(signal.SIGSTOP)
    for rank in ranks[:2]:
        _, said = rank.communicate(timeout=60)
        assert rank.returncode == 75 and "rank 2 of 3" in said and "was silent for 3 s" in said
    ranks[2].kill()
    ranks[2].communicate()


def test_a_rank_that_fails_tells_the_others_why(hub: Hub) -> None:
    ranks = _ranks(hub, "wait", "fail", "wait")
    for rank in (ranks[0], ranks[2]):
        _, said = rank.communicate(timeout=30)
        assert (rank.returncode, said) == (2, "Error: no such file (rank 1 of 3)\n")
    assert ranks[1].wait(30) == 2
    ranks[1].communicate()


def test_strangers_and_damage_are_dropped_and_harm_nobody(hub: Hub) -> None:
    for sent in (
        b"GET / HTTP/1.1\r\n\r\n",
        line({"token": "guessed", "rank": 0}),
        b"x" * 2 * LONGEST,
        b"[1]\n",
        b"\xff\n",
    ):
        with socket.create_connection(("127.0.0.1", hub.port), timeout=10) as stranger:
            stranger.settimeout(10)
            with contextlib.suppress(ConnectionError):  # closed before all of it was sent
                stranger.sendall(sent)
                assert stranger.recv(10) == b""
    ranks = _ranks(hub, "end", "end", "end")
    assert [rank.wait(30) for rank in ranks] == [0, 0, 0]
    for rank in ranks:
        rank.communicate()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"[]\n", b""])
def test_somebody_else_at_the_address_is_no_hub(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(DataError, match="no rank 0 of this run"):
            Link("127.0.0.1", listener.getsockname()[1], TOKEN, 1, 3, HEARTBEAT)


def test_a_rank_that_is_there_twice_and_a_wrong_token_are_refused(hub: Hub) -> None:
    link = Link("127.0.0.1", hub.port, TOKEN, 1, 3, HEARTBEAT)
    for rank, token in ((1, TOKEN), (2, "guessed"), (3, TOKEN)):
        with pytest.raises(DataError, match="no rank 0 of this run"):
            Link("127.0.0.1", hub.port, token, rank, 3, HEARTBEAT)
    link.close()


def test_nobody_at_the_address_and_ranks_that_do_not_come(hub: Hub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DataError, match=f"127.0.0.1:{port}: connection refused"):
        Link("127.0.0.1", port, TOKEN, 1, 3, HEARTBEAT, within=0.5)
    with pytest.raises(DataError, match="not all of 3 ranks"):
        Link("127.0.0.1", hub.port, TOKEN, 0, 3, HEARTBEAT).together("here", within=0.5)


def test_lines_come_in_parts() -> None:
    lines, text = Lines(), line({"a": 1}) + line({"b": [2.5, "é"]})
    found = [m for k in range(len(text)) for m in lines.of(text[k : k + 1])]
    assert found == [{"a": 1}, {"b": [2.5, "é"]}]
    assert json.loads(text.splitlines()[0]) == {"a": 1}
    with pytest.raises(ValueError, match="does not end"):
        for _ in range(1000):
            lines.of(b"x" * 1000)

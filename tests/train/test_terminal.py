"""`byhand train` on a terminal: the bar, and Ctrl-C, which saves."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("sklearn")
from byhand.train.saving import load


def started(*arguments):
    """The process, and the terminal that is its standard error."""
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "OMP_NUM_THREADS": "1"}
    # a shell's background job is started with the signal ignored, and hands that down
    heeded = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    byhand = [sys.executable, "-m", "byhand.cli.main", "train", *map(str, arguments)]
    command = [sys.executable, "-c", heeded, *byhand]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, env=environment, text=True)
    os.close(end)
    return process, terminal


def shown(terminal, until=None):
    """What appears, until a pattern or the end."""
    text = ""
    while until is None or not re.search(until, text):
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        text += part.decode()
    return text


@pytest.mark.slow
def test_the_bar_and_what_interrupting_saves(tmp_path):
    process, terminal = started(
        "digits", "-o", tmp_path / "m", "--epochs", 100_000, "--hidden", 20, "--engine", "numpy"
    )
    text = shown(terminal, r"accuracy [\d.]+%")
    assert re.search(r"epoch \d+/100000", text) and re.search(r"loss [\d.]+", text) and re.search("k? samples/s", text)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    text = shown(terminal)
    output, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 130 and "Interrupted: what was learned in" in text and "accuracy" in output
    model = load(tmp_path / "m")
    assert model.history_.stopped == "interrupted" and 0 < model.n_iter_ < 100_000

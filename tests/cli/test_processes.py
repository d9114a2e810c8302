"""Real processes: streams, colours, closed pipes, interruption, files written whole, and the time of --help."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BYHAND = [sys.executable, "-m", "byhand.cli.main"]
SQUARES = ["derive", "sum((X @ w - y)**2)", "--wrt", "w", "--shape", "X:m,n w:n y:m"]
ESCAPE = "\x1b["


def run(*arguments, env=None, **options):
    settings = {"capture_output": True, "text": True, "encoding": "utf-8", "timeout": 120, "check": False} | options
    return subprocess.run([*BYHAND, *arguments], env={**os.environ, **(env or {})}, **settings)


def in_terminal(*arguments, env=None, columns=80):
    """What a terminal of this width receives, standard output and error together."""
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    settings = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **(env or {})}
    settings = {k: v for k, v in settings.items() if v is not None}
    process = subprocess.Popen(
        [*BYHAND, *arguments], stdin=side, stdout=side, stderr=side, env=settings, close_fds=True
    )
    os.close(side)
    received = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not data:
            break
        received += data
    os.close(main)
    assert process.wait(60) == 0
    return received.decode()


def test_streams_and_exit_codes():
    done = run(*SQUARES)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "2 Xᵀ (X w − y)" in done.stdout
    wrong = run("derive", "sum(A @ B)", "--shape", "A:m,n B:m,n")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("Error: A @ B: inner dimensions differ")


def test_colours_only_in_a_terminal_that_wants_them():
    assert ESCAPE in in_terminal(*SQUARES, env={"NO_COLOR": None})
    assert ESCAPE not in in_terminal(*SQUARES, env={"NO_COLOR": "1"})
    assert ESCAPE not in in_terminal(*SQUARES, env={"NO_COLOR": None, "TERM": "dumb"})
    assert ESCAPE not in run(*SQUARES).stdout


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_are_broken_to_the_width_of_the_terminal(columns):
    arguments = ["net", "64-32-10", "--level", "micro", "--targets", "probabilities"]
    out = in_terminal(*arguments, env={"NO_COLOR": "1"}, columns=columns)
    own = [line for line in out.splitlines() if not line.startswith("checked")]
    assert max(map(len, own)) <= columns
    assert max(len(line) for line in run(*arguments).stdout.splitlines()) > 80


@pytest.mark.parametrize("arguments", [["rules"], SQUARES, ["--help"]])
def test_a_closed_pipe_is_silent(arguments):
    with subprocess.Popen([*BYHAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read().decode()
        process.wait(60)
    assert "Traceback" not in errors
    assert "Broken" not in errors
    assert "Exception ignored" not in errors


def test_head_reads_one_line_and_nobody_complains():
    done = subprocess.run(
        ["bash", "-c", '"$0" "$@" | head -n 1', *BYHAND, "rules"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.endswith("rules\n")
    assert done.stderr == ""


def test_an_interruption_prints_one_line_and_exits_130():
    # a shell's background job is started with the signal ignored, and hands that down
    heeded = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", heeded, *BYHAND, "derive", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    where = Path(f"/proc/{process.pid}/wchan")
    for _ in range(600):  # until it waits for its input
        if "pipe" in where.read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, errors.decode()) == (b"", "Interrupted.\n")


def test_a_mistake_of_byhand_is_said_to_be_one():
    program = (
        "from importlib import import_module\n"
        "import byhand.cli.main as m\n"
        "d = import_module('byhand.derive.derivation')\n"
        "def broken(*_, **__): raise KeyError('lost')\n"
        "d.derive = broken\n"
        "m.main(['derive', 'sum(x)', '--shape', 'x:n'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "mistake in byhand" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_encoding_without_mathematics_falls_back_to_ascii(encoding):
    done = run(*SQUARES, env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert ("2 X^T (X w - y)" if encoding != "utf-8" else "2 Xᵀ (X w − y)") in done.stdout


def test_other_formats_are_utf_8_whatever_the_terminal():
    done = run(*SQUARES, "--format", "json", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert json.loads(done.stdout)["gradients"]["w"] == "2 Xᵀ (X w − y)"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("what was there")
    target.chmod(0o640)
    assert run("derive", "sum(", "--shape", "x:n", "-o", str(target)).returncode == 2
    assert target.read_text() == "what was there"
    assert run(*SQUARES, "-o", str(target)).returncode == 0
    assert "2 Xᵀ (X w − y)" in target.read_text("utf-8")
    assert target.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    from byhand.cli import output

    target = tmp_path / "a.txt"
    target.write_text("what was there")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "replace", full)
    with pytest.raises(output.Failure, match="no space left"):
        output.save(target, "new")
    assert target.read_text() == "what was there"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_link_stays_a_link(tmp_path):
    from byhand.cli.output import save

    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    save(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_help_is_quick_and_imports_no_heavy_library():
    program = "import sys, byhand.cli.main as m\ntry: m.main(['--help'])\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    modules = set(done.stderr.split())
    assert not modules & {
        "scipy",
        "matplotlib",
        "sklearn",
        "jax",
        "torch",
        "rich",
        "byhand.report.report",
    }
    fastest = min(_timed(["--help"]) for _ in range(5))
    assert fastest < 0.3 or fastest < 6 * _bare()  # a busy machine is measured against itself


def _timed(arguments):
    start = time.perf_counter()
    assert run(*arguments).returncode == 0
    return time.perf_counter() - start


def _bare():
    """The time that Python itself and NumPy take to start here."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import numpy, click"], check=True)
    return time.perf_counter() - start


@pytest.mark.skipif(not Path(sys.executable).with_name("byhand").exists(), reason="the script is not installed")
def test_completion_offers_commands_and_choices():
    env = {"_BYHAND_COMPLETE": "bash_complete", "COMP_WORDS": "byhand derive --notation ", "COMP_CWORD": "3"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("byhand"))],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert {"plain,differential", "plain,index", "plain,jacobian"} <= set(done.stdout.split())

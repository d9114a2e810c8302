"""Where output goes: results to standard output or a file, notes to standard error; colours, closed pipes."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn, TextIO

import click

CLOSED_PIPE = 141  # as a shell reports a program that wrote to a closed pipe
_STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "shape": {"dim": True},
    "rule": {"fg": "cyan"},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
}


class Failure(click.ClickException):
    """A message on standard error, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        del file
        note(f"{painter(sys.stderr)('bad', 'Error:')} {self.message}")


def write(text: str) -> None:
    """Text to standard output, in UTF-8 where its encoding lacks a character."""
    _print(text if text.endswith("\n") else text + "\n", sys.stdout)


def note(text: str) -> None:
    """A line to standard error."""
    _print(text + "\n", sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.flush()
            stream.buffer.write(text.encode("utf-8", "replace"))
        stream.flush()
    except BrokenPipeError:
        closed_pipe(stream)


def closed_pipe(stream: TextIO) -> NoReturn:
    """End silently: nobody reads any more. What Python still flushes at exit goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(CLOSED_PIPE)


def save(path: Path, text: str) -> None:
    """Write a file whole or not at all: a temporary file beside it takes its place.

    Raises: Failure: the folder is missing or cannot be written to.
    """
    target = path.resolve()  # a link stays a link: what it points to is replaced
    if target.is_dir():
        raise Failure(f"cannot write {path}: it is a folder", 2)
    temporary = ""
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise Failure(f"cannot write {path}: {(error.strerror or str(error)).lower()}", 2) from error
        raise


def deliver_text(text: str, output: Path | None) -> None:
    """Text to a file, or to standard output for None and `-`."""
    if output is None or str(output) == "-":
        write(text)
    else:
        save(output, text)
        note(f"wrote {output}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def colourful(stream: TextIO) -> bool:
    """Whether to colour: a terminal that can, and nobody said NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painter(stream: TextIO) -> Callable[[str, str], str]:
    """Colours for a kind of text on this stream; none where they are not wanted."""
    if not colourful(stream):
        return lambda kind, text: text
    return lambda kind, text: click.style(text, **_STYLES[kind]) if text else text


def terminal_width() -> int | None:
    """The width to break lines to; None where the output is no terminal."""
    return max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def writes_unicode() -> bool:
    """Whether standard output can show mathematics."""
    try:
        "∂ᵀ⊙⟨⟩δΣ".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True

"""Where output goes: results to standard output or a file, notes to standard error; colours, closed pipes."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TextIO

import click

from byhand.errors import DataError
from byhand.files import write_atomically

if TYPE_CHECKING:
    from rich.console import Console

CLOSED_PIPE = 141  # as a shell reports a program that wrote to a closed pipe
STYLES = {"title": "bold", "shape": "dim", "rule": "cyan", "good": "green", "bad": "bold red"}  # in rich's words


class Failure(click.ClickException):
    """A message on standard error, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        del file
        note(f"{painter(sys.stderr)('bad', 'Error:')} {self.message}")


_silent = False


def silence() -> None:
    """Print nothing from now on: another process says it."""
    global _silent
    _silent = True


def write(text: str) -> None:
    """Text to standard output, in UTF-8 where its encoding lacks a character."""
    _print(text if text.endswith("\n") else text + "\n", sys.stdout)


def show(report: Any) -> None:
    """A report: by rich on a terminal (which heeds NO_COLOR), as plain text elsewhere."""
    if not sys.stdout.isatty():
        write(report.text())
        return
    from rich.console import Console

    console = Console()
    with console.capture() as shown:
        console.print(report)
    write(shown.get())


def note(text: str) -> None:
    """A line to standard error."""
    _print(text + "\n", sys.stderr)


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Warnings of libraries as notes, each once, without the place in the code that Python shows."""
    said: set[str] = set()

    def show(message: Warning | str, *rest: Any, **more: Any) -> None:
        text = str(message)
        if text not in said:
            said.add(text)
            note(f"Note: {text}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _print(text: str, stream: TextIO) -> None:
    if _silent:
        return
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
    """Write a file whole or not at all.

    Raises: Failure: the folder is missing or cannot be written to.
    """
    try:
        write_atomically(path, text.encode("utf-8"))
    except DataError as error:
        raise Failure(str(error), 2) from error


def deliver_text(text: str, output: Path | None) -> None:
    """Text to a file, or to standard output for None and `-`."""
    if output is None or str(output) == "-":
        write(text)
    else:
        save(output, text)
        note(f"wrote {output}")


def console(stream: TextIO) -> Console:
    """What rich knows of a stream: its width, its colours, NO_COLOR, FORCE_COLOR and TERM."""
    from rich.console import Console
    from rich.theme import Theme

    return Console(file=stream, theme=Theme(STYLES), highlight=False, markup=False, emoji=False, soft_wrap=True)


def painter(stream: TextIO) -> Callable[[str, str], str]:
    """Colours for a kind of text on this stream; none where they are not wanted."""
    if not (stream.isatty() or os.environ.get("FORCE_COLOR")):  # rich need not be imported for that
        return lambda kind, text: text
    of_stream = console(stream)
    if of_stream.no_color or of_stream.color_system is None:
        return lambda kind, text: text

    def paint(kind: str, text: str) -> str:
        with of_stream.capture() as captured:
            of_stream.print(text, style=kind, end="")
        return captured.get()

    return paint


def terminal_width() -> int | None:
    """The width to break lines to; None where the output is no terminal."""
    return max(40, console(sys.stdout).width) if sys.stdout.isatty() else None


def writes_unicode() -> bool:
    """Whether standard output can show mathematics."""
    try:
        "∂ᵀ⊙⟨⟩δΣ".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True

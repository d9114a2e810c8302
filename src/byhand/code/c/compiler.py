"""The C compiler of this machine: found, called, and its libraries kept until the process ends."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from byhand.errors import ByhandError

CANDIDATES = ("cc", "gcc", "clang")
PORTABLE = ("-std=c99", "-O2", "-fPIC", "-shared")
FAST = (
    "-std=c99",
    "-O3",
    "-march=native",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-shared",
)
LONGEST = 300  # seconds that a compilation may take


def compiler_command() -> list[str] | None:
    """The command of the C compiler: $CC, or the first of cc, gcc and clang on the path; None where there is none."""
    given = os.environ.get("CC", "").strip()
    if given:
        words = shlex.split(given)
        return words if words and shutil.which(words[0]) else None
    return next(([path] for path in map(shutil.which, CANDIDATES) if path), None)


def needed_compiler() -> list[str]:
    """The command of the C compiler.

    Raises: ByhandError: there is none.
    """
    command = compiler_command()
    if command is None:
        named = f"$CC is {os.environ['CC']!r}, which is no program here; " if os.environ.get("CC") else ""
        raise ByhandError(
            f"{named}no C compiler was found (cc, gcc or clang)",
            "install one: `apt-get install gcc` (Debian, Ubuntu), `dnf install gcc` (Fedora), `xcode-select --install` (macOS)",
            "or name one: CC=/path/to/compiler",
        )
    return command


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="byhand-c-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


_LIBRARIES: dict[str, ctypes.CDLL] = {}


def library(source: str, flags: tuple[str, ...] = FAST) -> ctypes.CDLL:
    """The source compiled and loaded; the same source is compiled once in a process.

    Raises: ByhandError: no compiler, or one that refuses the source.
    """
    command = needed_compiler()
    key = hashlib.sha256("\0".join([*command, *flags, source]).encode()).hexdigest()[:32]
    if key not in _LIBRARIES:
        path, target = _folder() / f"{key}.c", _folder() / f"{key}.so"
        path.write_text(source, "utf-8")
        refusal = _compiled(command, flags, path, target)
        if refusal and flags != PORTABLE:  # an option that this compiler has not
            refusal = _compiled(command, PORTABLE, path, target)
        if refusal:
            raise ByhandError(f"{shlex.join(command)} could not compile the generated C", *refusal.splitlines()[:6])
        _LIBRARIES[key] = ctypes.CDLL(str(target))
    return _LIBRARIES[key]


@cache
def compiler_works() -> bool:
    """Whether there is a compiler that makes a library; tried once in a process."""
    if compiler_command() is None:
        return False
    try:
        library("#include <math.h>\ndouble root(double z);\ndouble root(double z) { return sqrt(z); }\n")
    except (ByhandError, OSError):
        return False
    return True


def _compiled(command: list[str], flags: tuple[str, ...], path: Path, target: Path) -> str:
    """What the compiler says against the source; nothing where it made a library."""
    try:
        done = subprocess.run(
            [*command, *flags, str(path), "-o", str(target), "-lm"],
            capture_output=True, text=True, errors="replace", timeout=LONGEST, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr or f"exit code {done.returncode}"


__all__ = ["FAST", "PORTABLE", "compiler_command", "compiler_works", "library", "needed_compiler"]

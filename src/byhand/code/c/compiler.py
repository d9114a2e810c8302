"""The C compiler of this machine: found, called, and its libraries kept until the process ends."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import RLock

from byhand.errors import ByhandError

CANDIDATES = ("cc", "gcc", "clang")
WHEEL = "ziglang"  # clang, headers and a C library as a wheel: a compiler where a user may install nothing else
INSTALL = "pip install 'byhand[c]'"
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
GCC = ("-fno-loop-unroll-and-jam",)  # which takes sums out of registers: products of 32 rows take half the time without
LONGEST = 300  # seconds that a compilation may take


def compiler_command() -> list[str] | None:
    """The command of the C compiler: $CC, or the first of cc, gcc and clang on the path, or the one of the extra `c`.

    None where there is none of them.
    """
    given = os.environ.get("CC", "").strip()
    if given:
        words = _words(given)
        return words if words and shutil.which(words[0]) else None
    return next(([path] for path in map(shutil.which, CANDIDATES) if path), None) or wheel_command()


def wheel_command() -> list[str] | None:
    """The command of the compiler that comes with the extra `c`; None where it is not installed."""
    return [sys.executable, "-m", WHEEL, "cc"] if find_spec(WHEEL) else None


def _words(command: str) -> list[str]:
    """The words of a command as a shell reads it; a path with a lone quote in it is one word."""
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def environment() -> dict[str, str]:
    """The environment that a compiler runs in: the wheel's keeps its C library in a folder, and here always has one."""
    variables = dict(os.environ)
    given = variables.get("XDG_CACHE_HOME") or variables.get("HOME")
    if "ZIG_GLOBAL_CACHE_DIR" not in variables and not (given and os.access(given, os.W_OK)):
        variables["ZIG_GLOBAL_CACHE_DIR"] = str(_folder() / "zig")
    return variables


def needed_compiler() -> list[str]:
    """The command of the C compiler.

    Raises: ByhandError: there is none.
    """
    command = compiler_command()
    if command is None:
        named = f"$CC is {os.environ['CC']!r}, which is no program here; " if os.environ.get("CC") else ""
        raise ByhandError(
            f"{named}no C compiler was found (cc, gcc or clang)",
            f"install one into this environment: {INSTALL}",
            "or for the machine: `apt-get install gcc` (Debian, Ubuntu), `dnf install gcc` (Fedora), "
            "`xcode-select --install` (macOS)",
            "or name one: CC=/path/to/compiler",
        )
    return command


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="byhand-c-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


_LIBRARIES: dict[str, ctypes.CDLL] = {}
_compiling = RLock()  # no thread loads what another one is writing; the same source is compiled once for all of them


def library(source: str, flags: tuple[str, ...] = FAST) -> ctypes.CDLL:
    """The source compiled and loaded; the same source is compiled once in a process.

    Raises: ByhandError: no compiler, or one that refuses the source.
    """
    command = needed_compiler()
    key = hashlib.sha256("\0".join([*command, *flags, source]).encode()).hexdigest()[:32]
    with _compiling:
        if key not in _LIBRARIES:
            path, target = _folder() / f"{key}.c", _folder() / f"{key}.so"
            path.write_text(source, "utf-8")
            refusal = "untried"
            for tried in ((*flags, *GCC), flags, PORTABLE):  # without options that this compiler has not
                refusal = refusal and _compiled(command, tried, path, target)
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
            capture_output=True, text=True, errors="replace", timeout=LONGEST, check=False, env=environment(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr or f"exit code {done.returncode}"


__all__ = [
    "FAST",
    "INSTALL",
    "PORTABLE",
    "compiler_command",
    "compiler_works",
    "environment",
    "library",
    "needed_compiler",
    "wheel_command",
]

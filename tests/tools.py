"""The tools that tests need and `make test` does not install: without them those tests are skipped, and the run says how.

A row says what it is called, whether it is here, and the command that installs it. `@pytest.mark.needs("gcc")` skips a
test without it, `needed("gcc")` the rest of one, or of a file. What is in the extra `dev` is no such tool: it is there.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

SCRIPT = "scripts/install-test-tools.sh"
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NOT_INSTALLED = "is not installed: "  # between a tool's name and the command, in every reason


class Tool(NamedTuple):
    name: str
    here: Callable[[], bool]
    install: str
    module: str = ""  # what tests import

    @property
    def reason(self):
        return f"{self.name} {NOT_INSTALLED}{self.install}"


def on_path(program):
    return lambda: shutil.which(program) is not None


def sanitizers():
    """Whether gcc finds the libraries of AddressSanitizer and of the sanitizer of undefined behaviour."""
    if shutil.which("gcc") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "empty.c")
        path.write_text("int main(void) { return 0; }\n", "utf-8")
        command = ["gcc", *SANITIZED, str(path), "-o", str(path.with_suffix(""))]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


TOOLS = {
    "torch": Tool("PyTorch", lambda: find_spec("torch") is not None, ".venv/bin/pip install torch", "torch"),
    "mkdocs": Tool(
        "MkDocs",
        lambda: find_spec("material") is not None,
        ".venv/bin/pip install 'mkdocstrings[python]' mkdocs-material",
        "material",
    ),
    "gcc": Tool("gcc", on_path("gcc"), SCRIPT),
    "sanitizers": Tool("AddressSanitizer", sanitizers, SCRIPT),
    "valgrind": Tool("valgrind", on_path("valgrind"), SCRIPT),
    "pdflatex": Tool("pdflatex", on_path("pdflatex"), SCRIPT),
}


def needed(name):
    """The tool's module, if it has one; without the tool the test, or the file that asks at its top, is skipped."""
    tool = TOOLS[name]
    if not tool.here():
        pytest.skip(tool.reason, allow_module_level=True)
    return import_module(tool.module) if tool.module else None


def left_out(reasons):
    """One line about everything that was skipped for want of a tool; "" where nothing was."""
    counts = {tool: sum(tool.reason in reason for reason in reasons) for tool in TOOLS.values()}
    said = [f"{n} without {tool.name} ({tool.install})" for tool, n in counts.items() if n]
    return f"skipped for want of a tool: {', '.join(said)}" if said else ""

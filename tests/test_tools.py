"""Tests that need a tool say so: without it they are skipped, never failed, and the run names what installs it."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools import TOOLS, left_out, needed

TESTS = Path(__file__).parent
PROGRAMS = {"cc", "clang", *(name for name, tool in TOOLS.items() if not tool.module)}


@pytest.fixture
def bare(monkeypatch):
    """No tool is here: an empty PATH, modules that cannot be imported."""
    monkeypatch.setenv("PATH", os.devnull)
    for tool in TOOLS.values():
        if tool.module:
            monkeypatch.setitem(sys.modules, tool.module, None)


@pytest.mark.parametrize("name", TOOLS)
def test_without_a_tool_a_test_is_skipped_with_the_command(bare, name):
    assert not TOOLS[name].here()
    with pytest.raises(pytest.skip.Exception) as skipped:
        needed(name)
    assert TOOLS[name].name in str(skipped.value) and TOOLS[name].install in str(skipped.value)


def test_one_line_sums_up():
    reasons = [TOOLS["torch"].reason, f"('test_x.py', 3, 'Skipped: {TOOLS['torch'].reason}')", TOOLS["gcc"].reason, "x"]
    assert left_out(reasons) == (
        "skipped for want of a tool: 2 without PyTorch (.venv/bin/pip install torch), "
        "1 without gcc (scripts/install-test-tools.sh)"
    )
    assert left_out(["another reason"]) == ""


def test_the_commands_are_there():
    script = (TESTS.parent / "scripts/install-test-tools.sh").read_text("utf-8")
    for name, tool in TOOLS.items():
        assert tool.install.endswith(tool.module) if tool.module else f"[{name}]=" in script or name == "sanitizers"


def test_a_test_that_calls_a_program_is_marked():
    """Every test function that names a program of the table, or another compiler, asks for one of them."""
    found = 0
    for path in TESTS.rglob("test_*.py"):
        if path == Path(__file__):
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                named = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
                marks = re.findall(r"needs\('(\w+)'\)", "\n".join(map(ast.unparse, node.decorator_list)))
                found += bool(marks)
                assert marks or not named & PROGRAMS, f"{path.name}: {node.name} uses {named & PROGRAMS}"
                assert {*marks} <= {*TOOLS}, f"{path.name}: {node.name}"
    assert found > 3


HIDE = """import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {modules} else super().find_spec(name, path, target)

sys.meta_path[:] = [Finder if f is PathFinder else f for f in sys.meta_path]
"""


@pytest.mark.slow
def test_marked_tests_are_skipped_on_a_bare_machine(tmp_path):
    """The whole way: another run of the tests that are marked, without any tool; the last lines say what to install."""
    (tmp_path / "hidden.py").write_text(HIDE.format(modules=[t.module for t in TOOLS.values() if t.module]), "utf-8")
    files = [p for p in TESTS.rglob("test_*.py") if re.search(r"\bneed(s|ed)\(", p.read_text("utf-8"))]
    command = [sys.executable, "-m", "pytest", "-p", "hidden", "-n", "0", "-m", "needs", "-rs", *map(str, files)]
    environment = {**os.environ, "PATH": os.devnull, "PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert " failed" not in done.stdout and " error" not in done.stdout and done.returncode in (0, 5), done.stdout[
        -3000:
    ]
    line = next(line for line in done.stdout.splitlines() if line.startswith("skipped for want of a tool"))
    for tool in TOOLS.values():
        assert f"without {tool.name} ({tool.install})" in line

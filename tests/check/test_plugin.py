"""The plugin of pytest prints the reports of gradients once more."""

import os
import subprocess
import sys

import pytest

SUITE = """
import numpy as np
from byhand.testing import assert_gradient

def loss(w):
    return (w**2).sum()

def test_right():
    assert_gradient(loss, lambda w: {"w": 2 * w}, {"w": np.array([1.0, 2.0, 4.0])})

def test_wrong():
    assert_gradient(loss, lambda w: {"w": w}, {"w": np.array([1.0, 2.0, 4.0])})
"""


@pytest.mark.parametrize("wanted, right", [("wrong", False), ("all", True)])
def test_reports_are_printed_at_the_end(tmp_path, wanted, right):
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "byhand.testing",
        "-p",
        "no:cacheprovider",
        f"--gradients={wanted}",
        "test_suite.py",
    ]
    plain = {**os.environ, "PYTEST_ADDOPTS": ""}  # a summary of the outer run's options would be read as ours
    done = subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    _, _, end = done.stdout.partition("= gradients =")
    assert "test_suite.py::test_wrong" in end and "a constant factor 2 is missing" in end
    assert ("test_suite.py::test_right" in end) is right

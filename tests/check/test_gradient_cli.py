"""`byhand check` and `byhand audit`: exit codes, JSON, messages."""

import json

import pytest
from click.testing import CliRunner

from byhand.cli.audit import audit
from byhand.cli.check import check

NET = """
import numpy as np
values = {"x": np.array([1.0, 2.0, 4.0])}

def loss(x):
    return (x**3).sum()

def right(x):
    return {"x": 3 * x**2}

def wrong(x):
    return {"x": -3 * x**2}
"""
DERIVATION = "X: (N, D)\nW: (D, C)\nL = sum((X @ W)**2)\ndW = 2*X.T @ X @ W\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "paper.txt").write_text(DERIVATION)
    (tmp_path / "wrong.txt").write_text(DERIVATION.replace("2*X", "X"))

    def call(command, *arguments, **options):
        return CliRunner().invoke(command, [a.replace("@", f"{tmp_path}/") for a in arguments], **options)

    return call


def test_check(run):
    assert run(check, "@net.py:right").exit_code == 0
    found = run(check, "@net.py:wrong", "--loss", "@net.py:loss", "--values", "@net.py:values", "--json")
    assert found.exit_code == 1 and json.loads(found.stdout)["verdicts"] == {"x": "wrong"}
    for usage in (["@net.py"], ["@none.py:f"], ["@net.py:rigth"], ["@net.py:right", "--loss", "x"]):
        assert run(check, *usage).exit_code == 2


def test_audit(run):
    assert run(audit, "@paper.txt").exit_code == 0
    assert run(audit, "-", input=DERIVATION).exit_code == 0
    found = run(audit, "@wrong.txt", "--json")
    assert found.exit_code == 1 and json.loads(found.stdout)["lines"][3]["kinds"] == ["N"]
    assert run(audit, "@none.txt").exit_code == 2

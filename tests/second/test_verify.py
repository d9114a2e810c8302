"""Jacobians and Hessians are checked by numbers: right ones are, mutated ones are not, and the command line says so."""

from dataclasses import replace
from fractions import Fraction

import pytest
from click.testing import CliRunner

import byhand
from byhand.cli.main import cli
from byhand.expr.contraction import scale, transpose
from byhand.expr.dims import Coefficient
from byhand.second.verify import verified

CASES = {
    "jacobian": [
        ("softmax(z)", {"z": "n"}, "z"), ("X @ W", {"X": "m n", "W": "n k"}, "W"), ("inv(A)", {"A": "n n"}, "A"),
        ("log(x)*x", {"x": "n"}, "x"), ("sqrt(x)", {"x": "n"}, "x"), ("tanh(A @ x + b)", {"A": "m n", "x": "n", "b": "m"}, "A"),
        ("sum(x**3)", {"x": ""}, "x"), ("X.T", {"X": "m n"}, "X"),
    ],
    "hessian": [
        ("sum(log(1 + exp(X @ w)))", {"X": "m n", "w": "n"}, "w"), ("x @ A @ x", {"A": "n n", "x": "n"}, "x"),
        ("norm(X @ w - y)", {"X": "m n", "w": "n", "y": "m"}, "w"), ("logdet(A)", {"A": "n n"}, "A"), ("sum(x)", {"x": "n"}, "x"),
    ],
}  # fmt: skip
ALL = [(kind, *case) for kind, cases in CASES.items() for case in cases]


def derivative(kind, text, shapes, wrt):
    f = byhand.parse(text, shapes)
    return byhand.jacobian(f, wrt) if kind == "jacobian" else byhand.hessian(f, wrt)


@pytest.mark.parametrize(("kind", "text", "shapes", "wrt"), ALL)
def test_right_ones_are_right(kind, text, shapes, wrt):
    report = verified(derivative(kind, text, shapes, wrt))
    assert report.ok, report.text()
    assert verified(derivative(kind, text, shapes, wrt).in_layout("denominator"), 1).ok
    assert report.summary.startswith("checked: ") and ("Hessian" if kind == "hessian" else "Jacobian") in report.summary


@pytest.mark.parametrize(("kind", "text", "shapes", "wrt"), [c for c in ALL if c[1] != "sum(x)"])
def test_wrong_ones_are_wrong(kind, text, shapes, wrt):
    j = derivative(kind, text, shapes, wrt)
    for wrong in (scale(Coefficient(Fraction(2)), j.node), scale(Coefficient(Fraction(-1)), j.node)):
        assert verified(replace(j, node=wrong), 1).failed


def test_an_exchange_of_axes_is_wrong():
    j = derivative("jacobian", "A @ x", {"A": "n n", "x": "n"}, "x")
    assert verified(replace(j, node=transpose(j.node)), 1).failed


@pytest.mark.parametrize("options", [["-o", "a.html"], ["--format", "json"], ["--code"], []])
def test_the_command_line_checks_by_default(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    command = ["jacobian", "softmax(z)", "--wrt", "z", "--shape", "z:n", *options]
    found = CliRunner().invoke(cli, command)
    assert found.exit_code == 0 and "checked: the Jacobian" in found.stderr, found.output
    assert "checked" not in CliRunner().invoke(cli, [*command, "--no-check"]).stderr

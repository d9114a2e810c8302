"""The other commands: net, rules, doctor, completion, --version; and that --help agrees with the library."""

import json
import typing
from importlib import import_module

import pytest
from click.testing import CliRunner

from byhand.cli import compile as compile_command
from byhand.cli import net, options
from byhand.cli.main import cli
from byhand.code import TARGETS as CODE_TARGETS
from byhand.derive.layout import LAYOUTS
from byhand.nets.losses import LOSSES, TARGETS
from byhand.notation.document import LEVELS, NOTATIONS
from byhand.rules.catalogue import GROUPS, catalogue


def run(*arguments, code=0, **more):
    result = CliRunner().invoke(cli, list(arguments), **more)
    assert result.exit_code == code, result.output
    return result


def test_the_lists_of_help_are_those_of_the_library():
    assert options.NOTATIONS == NOTATIONS
    assert options.LEVELS == LEVELS
    assert tuple(LAYOUTS) == options.LAYOUTS
    assert tuple(LOSSES) == net.LOSSES
    assert net.TARGETS == TARGETS
    assert tuple(sorted(compile_command.TARGETS)) == tuple(sorted(CODE_TARGETS))


@pytest.mark.parametrize("command", [[], *([name] for name in sorted(cli.commands))])
def test_help_fits_80_columns(command):
    out = run(*command, "--help").stdout
    assert out.startswith("Usage: ")
    assert max(len(line) for line in out.splitlines()) <= 90  # examples are not wrapped


def test_version():
    from importlib.metadata import version

    assert run("--version").stdout == f"byhand {version('byhand')}\n"


# ---- net


def test_net_prints_the_usual_gradients():
    result = run("net", "784-300-10", "--act", "relu", "--loss", "softmax_cross_entropy", "--l2", "lam")
    assert "Δ2 ≔ ∂L/∂Z2 = (P − Y)/N" in result.stdout
    assert "∂L/∂W2 = H1ᵀ Δ2 + 2 λ W2" in result.stdout.replace("lam", "λ")
    assert "W1 (784, 300)" in result.stdout
    assert result.stderr.startswith("checked: ")


def test_net_with_an_activation_for_each_layer_and_probabilities():
    arguments = [
        "D-5-4-C",
        "--act",
        "tanh",
        "--act",
        "z*sigmoid(1.702*z)",
        "--targets",
        "probabilities",
        "--batch",
        "M",
    ]
    out = run("net", *arguments, "--no-bias", "--format", "json").stdout
    data = json.loads(out)
    assert list(data["variables"]) == ["W1", "W2", "W3"]
    assert data["assumptions"] == ["the rows of Y sum to one"]
    assert "tanh" in out


def test_net_of_a_single_sample_has_vectors():
    out = run("net", "5-4-3", "--batch", "1", "--no-check").stdout
    assert "x (5,)" in out


def test_net_takes_a_loss_of_ones_own():
    assert "∂L/∂W1" in run("net", "4-2", "--loss", "mean(abs(Z - Y)**3)").stdout


# ---- rules


def test_rules_lists_every_rule():
    out = run("rules").stdout
    assert out.startswith(f"{len(catalogue())} rules")
    for entry in catalogue():
        assert entry.name in out
    for group in GROUPS:
        assert f"\n{group.capitalize()}\n" in out


@pytest.mark.parametrize("form", ["text", "latex", "md", "html", "json"])
def test_rules_in_every_format(form):
    out = run("rules", "--format", form).stdout
    assert "product rule" in out
    if form == "json":
        assert len(json.loads(out)["rules"]) == len(catalogue())


def test_rules_of_a_group():
    out = run("rules", "facts").stdout
    assert "rows sum to one" in out
    assert "product rule" not in out


@pytest.mark.parametrize("name", [e.name for e in catalogue()])
def test_every_rule_is_proved_by_numbers(name):
    out = run("rules", *name.split(), "--format", "json").stdout
    data = json.loads(out)
    assert data["name"] == name
    assert data["ok"] is True
    assert len(data["proof"]) == 3 * len(data["equations"])


def test_a_rule_is_found_by_its_function():
    out = run("rules", "inv").stdout
    assert "d(X⁻¹) = −X⁻¹ dX X⁻¹" in out
    assert "Holds where X is invertible." in out
    assert "holds" in out.split("Proof by numbers")[1]


def test_rules_in_ascii():
    assert run("rules", "--ascii").stdout.isascii()


# ---- doctor, completion


def test_doctor_finds_a_working_engine():
    out = run("doctor").stdout
    assert "numpy" in out
    assert "self-check" in out
    data = json.loads(run("doctor", "--json").stdout)
    assert data["ok"] is True
    assert data["packages"]["numpy"]


def test_doctor_reports_a_broken_engine(monkeypatch):
    def broken(*_: typing.Any, **__: typing.Any) -> typing.NoReturn:
        raise RuntimeError("out of order")

    monkeypatch.setattr(import_module("byhand.check.check"), "check", broken)
    out = run("doctor", code=1).stdout
    assert "RuntimeError: out of order" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    assert "_BYHAND_COMPLETE" in run("completion", shell).stdout


def test_names_of_rules_are_completed():
    from byhand.cli.rules import complete

    names = [item.value for item in complete(None, None, "prod")]
    assert names == ["product rule"]


def test_a_network_of_layers():
    out = run("net", "conv 3 3x3 | relu | flatten | dense 5", "--input", "1 5 7", "--level", "result").stdout
    assert "∂L/∂W1" in out and "∂L/∂b2" in out
    assert "activations are layers" in run("net", "dense 3 | dense 2", "--act", "relu", code=2).output
    assert "--input is for" in run("net", "3-2", "--input", "3", code=2).output

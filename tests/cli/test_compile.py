"""`byhand compile`: what it writes, and what it says to wrong input."""

import json

import pytest
from click.testing import CliRunner

import byhand
from byhand.cli.main import cli

LEAST_SQUARES = ("sum((X @ w - y)**2)", "--wrt", "w", "--shape", "X:m,n w:n y:m")


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["compile", *arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("target", ["numpy", "torch", "jax", "c"])
def test_an_expression(target):
    f = byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"})
    result = run(*LEAST_SQUARES, "--to", target)
    assert result.stdout == byhand.derive(f, "w").code(target)
    assert result.stderr.startswith("checked: ")


def test_a_network(tmp_path):
    path = tmp_path / "network.py"
    arguments = ("5-7-3", "--act", "tanh", "--l2", "lam", "--to", "torch", "--no-check", "-o", str(path))
    assert run(*arguments).stderr == f"wrote {path}\n"
    assert path.read_text("utf-8") == byhand.MLP("5-7-3", activation="tanh", l2="lam").code("torch")
    assert [p.name for p in tmp_path.iterdir()] == ["network.py"]


def test_options_reach_the_code():
    assert "relu'(0) = 0.5." in run("5-7-3", "--relu-at-zero", "0.5", "--no-check").stdout
    assert "range(0, N, 64)" in run("5-7-3", "--chunk", "64", "--to", "torch", "--no-check").stdout
    assert "W1 @ X" in run("5-7-3", "--layout", "columns", "--no-check").stdout


def test_c_with_sizes():
    found = run("4-16-3", "--to", "c", "--size", "N=16", "--dtype", "float", "--no-check").stdout
    assert found == byhand.MLP("4-16-3").code("c", sizes={"N": 16}, dtype="float")


def test_cost():
    cost, sizes = byhand.MLP("D-H-C").cost(), {"N": 64, "D": 784, "H": 300, "C": 10}
    words = " ".join(f"{k}={v}" for k, v in sizes.items())
    assert run("D-H-C", "--cost", "--size", words, "--no-check").stdout == cost.text(sizes)
    assert json.loads(run("D-H-C", "--cost", "--json", "--no-check").stdout) == cost.to_dict()


def test_names_of_sizes_are_said_to_be_sizes():
    assert "a-b is read as the sizes of a network" in run("a-b", "--no-check").stderr
    assert "da = 1.0" in run("a-b", "--shape", "a: b:", "--no-check").stdout


WRONG = {
    "target": (["5-3", "--to", "trch"], ["'trch' is not one of", "'torch'"]),
    "nothing": ([], ["an expression is missing"]),
    "both kinds": (["5-3", "--act", "relu", "--shape", "X:m"], ["5-3 is a network, and --shape is for an expression"]),
    "both options": (
        ["sum(X)", "--act", "relu", "--shape", "X:m"],
        ["--shape is for an expression, --act for a network"],
    ),
    "no network": (["sum(X)", "--loss", "mse"], ["--loss is for a network", "784-300-10"]),
    "activation": (["5-7-3", "--act", "rleu"], ["did you mean `relu`"]),
    "slope": (["5-7-3", "--relu-at-zero", "2"], ["'2' is not one of"]),
    "chunk": (["5-7-3", "--chunk", "0"], ["0 is not in the range"]),
    "chunk of nothing": (["sum(X)", "--shape", "X:m", "--chunk", "9", "--no-check"], ["there is no softmax"]),
    "size": (["5-3", "--to", "c", "--size", "N:16"], ["--size N:16", "such as N=16"]),
    "unknown size": (["5-3", "--to", "c", "--size", "M=16", "--no-check"], ["no dimension M"]),
    "size of another target": (["5-3", "--size", "N=16"], ["--size is for --to c and --cost"]),
    "dtype of another target": (["5-3", "--dtype", "float"], ["--dtype is for --to c"]),
    "json": (["5-3", "--json"], ["--json is for --cost"]),
    "missing size": (["5-3", "--cost", "--size", "M=3", "--no-check"], ["no dimension M"]),
    "shapes": (["sum(X @ Y)", "--shape", "X:m,n Y:m,n"], ["inner dimensions differ"]),
    "folder": (["5-3", "--no-check", "-o", "/no/such/folder/x.py"], ["cannot write", "no such file"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input(case):
    arguments, words = WRONG[case]
    result = run(*arguments, code=2)
    assert all(w in result.stderr for w in words), result.stderr
    assert not result.stdout

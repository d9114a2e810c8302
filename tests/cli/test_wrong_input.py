"""Wrong input: exit code 2, a message on stderr with a caret or the option's name, nothing on stdout."""

import pytest
from click.testing import CliRunner

from byhand.cli.main import cli

VECTOR = ["--shape", "x:n"]
MATRICES = ["--shape", "A:m,n", "--shape", "B:m,n"]

# arguments, words of the message
TABLE = {
    "no expression": (["derive"], ["an expression is missing"]),
    "empty": (["derive", ""], ["an empty text is not an expression"]),
    "syntax": (["derive", "sum((x", *VECTOR], ["never closed", "^"]),
    "shape clash": (["derive", "sum(A @ B)", *MATRICES], ["inner dimensions differ", "^", "A: (m, n)", "These fit"]),
    "unknown function": (["derive", "sun(x)", *VECTOR], ["sun", "did you mean `sum`?", "^"]),
    "unknown name": (["derive", "sum(x + z)", *VECTOR], ["z", "^"]),
    "hostile": (["derive", "__import__('os').system('true')", *VECTOR], ["^"]),
    "not scalar": (["derive", "x", *VECTOR], ["a gradient needs a scalar function"]),
    "unused shape": (["derive", "sum(x)", *VECTOR, "--shape", "y:m", "--wrt", "x"], ["does not occur"]),
    "no such variable": (["derive", "sum(x)", *VECTOR, "--wrt", "xx"], ["no input is called xx", "`x`"]),
    "empty variable": (["derive", "sum(x)", *VECTOR, "--wrt", "x,"], ["--wrt", "empty name"]),
    "labels": (["derive", "mean(cross_entropy(Z, t))", "--shape", "Z:m,n t:m", "--wrt", "t"], ["holds integer labels"]),
    "shape without colon": (["derive", "sum(x)", "--shape", "x"], ["--shape", "'x' is not NAME:...", "X:m,n"]),
    "shape with two colons": (["derive", "sum(x)", "--shape", "x:n:m"], ["--shape", "is not NAME:..."]),
    "shape with equals": (["derive", "sum(x)", "--shape", "x=n"], ["--shape", "is not NAME:..."]),
    "shape without name": (["derive", "sum(x)", "--shape", ":n"], ["--shape", "is not NAME:..."]),
    "shape twice": (["derive", "sum(x)", "--shape", "x:n x:m"], ["--shape", "x is given twice: n, and m"]),
    "bad dimension": (["derive", "sum(x)", "--shape", "x:n/2"], ["'n/2' is not a dimension"]),
    "zero dimension": (["derive", "sum(x)", "--shape", "x:0"], ["dimension 0"]),
    "input called a function": (["derive", "sum(exp)", "--shape", "exp:n"], ["exp is the name of a function"]),
    "property without name": (["derive", "sum(x)", *VECTOR, "--assume", "positive"], ["--assume", "is not NAME:..."]),
    "no property": (["derive", "sum(x)", *VECTOR, "--assume", "x:"], ["--assume", "names no property", "symmetric"]),
    "unknown property": (["derive", "sum(x)", *VECTOR, "--assume", "x:positiv"], ["'positiv'", "`positive`"]),
    "property of nothing": (["derive", "sum(x)", *VECTOR, "--assume", "y:positive"], ["y, which has no shape"]),
    "square property": (["derive", "sum(A)", "--shape", "A:m,n", "--assume", "A:spd"], ["A cannot be spd", "(m, n)"]),
    "unknown notation": (["derive", "sum(x)", *VECTOR, "--notation", "tensor"], ["--notation", "differential"]),
    "unknown layout": (["derive", "sum(x)", *VECTOR, "--layout", "cols"], ["--layout", "columns"]),
    "unknown format": (["derive", "sum(x)", *VECTOR, "--format", "pdf"], ["--format", "latex"]),
    "ascii HTML": (["derive", "sum(x)", *VECTOR, "--ascii", "--format", "html"], ["--ascii goes with --format text"]),
    "missing file": (["derive", "@nowhere/loss.txt", *VECTOR], ["cannot read nowhere", "no such file"]),
    "missing --file": (["derive", "--file", "nowhere.txt", *VECTOR], ["cannot read nowhere.txt"]),
    "expression and file": (["derive", "sum(x)", "--file", "a.txt", *VECTOR], ["not both"]),
    "folder as file": (["derive", "@/", *VECTOR], ["cannot read /"]),
    "folder as output": (["derive", "sum(x)", *VECTOR, "-o", "/"], ["cannot write /", "folder"]),
    "output in no folder": (["derive", "sum(x)", *VECTOR, "-o", "/nowhere/a.txt"], ["cannot write /nowhere/a.txt"]),
    "minus first": (["derive", "-sum(x)", *VECTOR], ["No such option", "after --"]),
    "unknown option": (["derive", "sum(x)", "--shapes", "x:n"], ["No such option", "--shape"]),
    "two expressions": (["derive", "sum(x)", "sum(y)", *VECTOR], ["unexpected extra argument"]),
    "unknown command": (["deriv", "sum(x)"], ["No such command 'deriv'"]),
    "net without sizes": (["net"], ["Missing argument 'SIZES'"]),
    "net of one size": (["net", "784"], ["'784' is not an architecture", "784-300-10"]),
    "net of a bad size": (["net", "784-x!-10"], ["'x!' is not a dimension", "^"]),
    "net of a size 0": (["net", "784-0-10"], ["dimension 0", "^"]),
    "activation": (["net", "4-3-2", "--act", "rellu"], ["unknown activation rellu", "`relu`", "^"]),
    "too many activations": (["net", "4-3-2", "--act", "relu", "--act", "tanh"], ["2 activations for 1 hidden layer"]),
    "loss": (["net", "4-3-2", "--loss", "hinge2"], ["unknown loss hinge2", "softmax_cross_entropy"]),
    "negative penalty": (["net", "4-3-2", "--l2", "-1"], ["l2", "from 0 on"]),
    "targets of another loss": (["net", "4-3-2", "--loss", "mse", "--targets", "labels"], ["mse takes no targets"]),
    "bad batch": (["net", "4-3-2", "--batch", "N!"], ["'N!' is not a dimension"]),
    "unknown rule": (["rules", "invers"], ["no rule is called invers", "`inverse`"]),
    "unknown shell": (["completion", "tcsh"], ["'tcsh' is not one of", "'bash'"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_wrong_input_is_explained(case):
    arguments, words = TABLE[case]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 12
    for word in words:
        assert word in result.stderr


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"sum(\xff)")
    for arguments, data in ((["derive", f"@{tmp_path / 'a.txt'}"], None), (["derive", "-"], b"sum(\xff)")):
        result = CliRunner().invoke(cli, [*arguments, *VECTOR], input=data)
        assert result.exit_code == 2
        assert "not text in UTF-8" in result.stderr


def test_an_endless_input_is_refused():
    result = CliRunner().invoke(cli, ["derive", "-", *VECTOR], input="x + " * 300_000)
    assert result.exit_code == 2
    assert "more than 1000000 characters" in result.stderr

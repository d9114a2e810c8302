"""Every option of every command with values that it cannot have, and files that cannot be: exit code 2, and the option named.

The rows come from the commands themselves, so a new option is in the table; below them what a file may have wrong with it.
"""

import click
import numpy as np
import pytest
from click.testing import CliRunner

from byhand.cli.main import cli

CONTEXT = click.Context(cli, info_name="byhand")
COMMANDS = {name: cli.get_command(CONTEXT, name) for name in cli.list_commands(CONTEXT)}


def wrong_values(option):
    """Values that an option cannot have, in words."""
    name, kind = option.opts[0], option.type
    if option.is_flag:
        return {"a value": [f"{name}=1"]} if name.startswith("--") else {}
    found = {"nothing": [name]}
    if isinstance(kind, click.Choice):
        found |= {"no such": [name, "no-such-thing"], "empty": [name, ""]}
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        found["no number"] = [name, "x"]
        if kind.min is not None:
            found["below"] = [name, str(kind.min - 1)]
        if kind.max is not None:
            found["above"] = [name, str(kind.max + 1)]
        if kind.min_open or kind.max_open:
            found["the end"] = [name, str(kind.max if kind.max_open else kind.min)]
    elif isinstance(kind, (click.types.IntParamType, click.types.FloatParamType)):
        found["no number"] = [name, "x"]
    return found


def arguments_of(command):
    """Something for each argument that is needed."""
    return ["x" for p in command.params if isinstance(p, click.Argument) and p.required]


ROWS = {
    f"{name} {arguments[0]}: {what}": [name, *arguments_of(command), *arguments]
    for name, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option) and "--help" not in option.opts
    for what, arguments in wrong_values(option).items()
}


def test_there_are_many():
    assert len(ROWS) + len(FILES) >= 200


@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_value_is_refused_and_the_option_is_named(row):
    *_, last = arguments = ROWS[row]
    result = CliRunner().invoke(cli, arguments)
    option = next(a for a in reversed(arguments) if a.startswith("-") and not a[1:2].isdigit()).partition("=")[0]
    assert result.exit_code == 2, (last, result.output)
    assert option in result.stderr and result.stdout == "" and "Traceback" not in result.stderr


# what a file, or the options of one, may have wrong with it: its content, the arguments, words of the message
TABLE = "a,b,y\n" + "".join(f"{k * 0.5},{k % 7},{'no' if k % 3 else 'yes'}\n" for k in range(30))
FILES = {
    "no file": ("", ["train", "nowhere.csv", "--target", "y"], "cannot read nowhere.csv"),
    "empty": ("", ["train", "t.csv", "--target", "y"], "has no rows"),
    "head alone": ("a,y\n", ["train", "t.csv", "--target", "y"], "has no rows"),
    "no target": (TABLE, ["train", "t.csv"], "--target NAME"),
    "no such target": (TABLE, ["train", "t.csv", "--target", "z"], "no column z"),
    "target near": (TABLE + "", ["train", "t.csv", "--target", "Y"], "did you mean `y`"),
    "head twice": (TABLE.replace("a,b,y", "a,a,y"), ["train", "t.csv", "--target", "y"], "'a' twice"),
    "a short row": (TABLE + "1,2\n", ["train", "t.csv", "--target", "y"], "row 32"),
    "a long row": (TABLE + "1,2,3,4\n", ["train", "t.csv", "--target", "y"], "row 32"),
    "no value": (TABLE + ",2,yes\n", ["train", "t.csv", "--target", "y"], "--impute"),
    "no target's value": (TABLE + "1,2,\n", ["train", "t.csv", "--target", "y"], "target y is missing in row 32"),
    "infinite": (TABLE + "inf,2,yes\n", ["train", "t.csv", "--target", "y"], "row 32"),
    "decimal comma": ("a,b,y\n" + "".join(f'"{k},5",{k % 7},{"yes" if k % 2 else "no"}\n' for k in range(30)), ["train", "t.csv", "--target", "y"], "'1,5'"),
    "latin": (TABLE.replace("yes", "jä"), ["train", "t.csv", "--target", "y"], "--encoding latin-1"),
    "no encoding": (TABLE, ["train", "t.csv", "--target", "y", "--encoding", "utf-99"], "no encoding"),
    "same signs": (TABLE, ["train", "t.csv", "--target", "y", "--thousands", "."], "cannot be both"),
    "bad sign": (TABLE, ["train", "t.csv", "--target", "y", "--decimal", "x"], "before the fraction"),
    "drop nothing": (TABLE, ["train", "t.csv", "--target", "y", "--drop", "q"], "no column q"),
    "drop all": (TABLE, ["train", "t.csv", "--target", "y", "--drop", "a,b"], "no column"),
    "drop and take": (TABLE, ["train", "t.csv", "--target", "y", "--drop", "a", "--features", "a"], "left out and to be taken"),
    "target as feature": (TABLE, ["train", "t.csv", "--target", "y", "--features", "y"], "cannot be a feature"),
    "texts as numbers": (TABLE, ["train", "t.csv", "--target", "y", "--task", "regress"], "--task classify"),
    "texts as classes": (TABLE.replace("yes", "y{}"), ["train", "t.csv", "--target", "y", "--loss", "poisson"], "loss"),
    "net and hidden": (TABLE, ["train", "t.csv", "--target", "y", "--net", "2-2", "--hidden", "3"], "one of the two"),
    "another net": (TABLE, ["train", "t.csv", "--target", "y", "--net", "5-3-2"], "2 columns"),
    "hidden letters": (TABLE, ["train", "t.csv", "--target", "y", "--hidden", "a"], "--hidden"),
    "no activation": (TABLE, ["train", "t.csv", "--target", "y", "--act", "rellu"], "`relu`"),
    "no optimizer": (TABLE, ["train", "t.csv", "--target", "y", "--optimizer", "adagrad"], "known: sgd"),
    "no schedule": (TABLE, ["train", "t.csv", "--target", "y", "--schedule", "cosin"], "`cosine`"),
    "no engine": (TABLE, ["train", "t.csv", "--target", "y", "--engine", "cuda"], "engine"),
    "no loss": (TABLE, ["train", "t.csv", "--target", "y", "--loss", "hinge"], "loss"),
    "no setting": (TABLE, ["train", "t.csv", "--target", "y", "--set", "clipnorm=1"], "`clip_norm`"),
    "setting without value": (TABLE, ["train", "t.csv", "--target", "y", "--set", "clip_norm"], "a value is missing"),
    "std of nothing": (TABLE, ["train", "t.csv", "--target", "y", "--init-std", "1"], "--init normal"),
    "resume of nothing": (TABLE, ["train", "t.csv", "--target", "y", "--resume"], "--checkpoint"),
    "no folder": (TABLE, ["train", "t.csv", "--target", "y", "-o", "nowhere/m"], "no such folder"),
    "no folder of a report": (TABLE, ["train", "t.csv", "--target", "y", "--report", "nowhere/r.html"], "no such folder"),
    "columns of an array": ("", ["train", "iris", "--drop", "a"], "is no table"),
    "target of a set": ("", ["train", "iris", "--target", "y"], "comes with its targets"),
    "set near": ("", ["train", "iriss"], "`iris`"),
    "no model": ("", ["predict", "nowhere", "iris"], "cannot read nowhere"),
    "model of nothing": (TABLE, ["predict", "t.csv", "iris"], "is not a whole model"),
    "evaluate of nothing": (TABLE, ["evaluate", "t.csv", "iris"], "is not a whole model"),
    "export of nothing": (TABLE, ["export", "t.csv"], "is not a whole model"),
    "describe of nothing": (TABLE, ["describe", "t.csv"], "is not a whole model"),
}  # fmt: skip


@pytest.mark.parametrize("row", FILES)
def test_a_wrong_file_is_refused_in_words(row, tmp_path, monkeypatch):
    content, arguments, words = FILES[row]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_bytes(content.encode("latin-1"))
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr and result.stdout == "" and "Traceback" not in result.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"t.csv"}  # nothing half done is left


def test_nothing_is_learned_of_one_row(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((1, 3)), y=[1.5])
    result = CliRunner().invoke(cli, ["train", str(tmp_path / "a.npz"), "-o", str(tmp_path / "m")])
    assert result.exit_code == 2 and "--test 0" in result.stderr

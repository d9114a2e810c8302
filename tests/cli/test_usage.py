"""What the command line refuses, and what it says: options that would be ignored, endings, folders, a user's own errors."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from byhand.cli.main import cli
from byhand.train.estimators import MLPClassifier

SQUARES = ("derive", "sum(x**2)", "--shape", "x:n")
RNG = np.random.default_rng(0)


def called(*arguments):
    found = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert "Traceback" not in found.output and "internal error" not in found.output
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "m.safetensors"
    MLPClassifier((3,), max_epochs=1, random_state=0).fit(RNG.standard_normal((20, 4)), np.arange(20) % 3).save(path)
    return path


@pytest.mark.parametrize("ending", [".pdf", ".docx", ".png", ".py", ".PDF"])
@pytest.mark.parametrize(
    "command", [SQUARES, ("net", "4-3-2"), ("rules", "tanh"), ("jacobian", "tanh(x)", "--shape", "x:n", "--wrt", "x")]
)
def test_endings_of_something_else_are_refused(command, ending, tmp_path):
    found = called(*command, "-o", tmp_path / f"a{ending}")
    assert found.exit_code == 2 and ".tex" in found.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "a.txt", "a.TXT", "a.md", "a.htm"])
def test_endings_that_are_written(name, tmp_path):
    assert called(*SQUARES, "-o", tmp_path / name).exit_code == 0 and (tmp_path / name).exists()
    assert called(*SQUARES, "-o", tmp_path / "b.pdf", "--format", "latex").exit_code == 0  # what was asked for


@pytest.mark.parametrize("data", ["iris", "wine", "digits"])
def test_a_target_of_a_set_that_has_its_own_is_refused(model, data):
    found = called("evaluate", model, data, "--target", "nope")
    assert found.exit_code == 2 and "leave out --target" in found.stderr
    assert called("train", data, "--target", "nope", "-o", model.with_name("n")).exit_code == 2


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("data", ["wine", "digits"])
def test_other_columns_are_said_by_number(model, command, data):
    found = called(command, model, data)
    assert found.exit_code == 2 and re.search(
        rf"{data} has (13|64) columns of features, .* was trained on 4", found.stderr
    )


@pytest.mark.parametrize("command", ["net", "compile"])
def test_one_class_is_no_choice(command):
    found = called(command, "3-4-1", "--loss", "softmax_cross_entropy")
    assert found.exit_code == 0 and "constantly 0" in found.stderr
    assert "constantly" not in called(command, "3-4-2").stderr


def test_a_setting_without_a_value(tmp_path):
    found = called("train", "iris", "--set", "clip_norm", "-o", tmp_path / "m")
    assert found.exit_code == 2 and "--set clip_norm=VALUE" in found.stderr and "did you mean" not in found.stderr


def test_one_epoch_is_one(tmp_path):
    assert "1 epoch in" in called("train", "iris", "--epochs", "1", "-o", tmp_path / "m").stdout
    assert "2 epochs in" in called("train", "iris", "--epochs", "2", "-o", tmp_path / "m").stdout


@pytest.mark.parametrize(("word", "meant"), [("tahn", "tanh"), ("sofmtax", "softmax"), ("nosuch", ""), ("qqqq", "")])
def test_words_that_are_near(word, meant):
    said = [called("derive", f"sum({word}(X))", "--shape", "X:m,n").stderr, called("rules", word).stderr]
    assert all(f"`{meant}`" in s if meant else "did you mean" not in s for s in said), said


GRADIENT = """import numpy as np

def loss(w, x):
    return np.sum((w*x)**2)

values = {"w": np.ones(3), "x": np.ones(3)}
noret = 3

def empty(w, x):
    pass

def boom(w, x):
    raise RuntimeError("kaputt")

def inside(w, x):
    return {"w": np.linalg.inv(np.zeros((2, 2)))}

def half(w, x):
    return {"w": w*x**2}
"""


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("noret", 2, "gradient"), ("empty", 2, "dict"), ("boom", 2, "g.py, line 13: raise RuntimeError"),
        ("inside", 2, "g.py, line 16"), ("missing", 2, "has no missing"), ("half", 1, "not right"),
    ],
)  # fmt: skip
def test_a_gradient_that_is_none_is_usage(tmp_path, name, code, words):
    (tmp_path / "g.py").write_text(GRADIENT)
    found = called("check", f"{tmp_path / 'g.py'}:{name}")
    assert found.exit_code == code and words in found.output, found.output


def test_a_file_that_does_not_run_names_its_line(tmp_path):
    (tmp_path / "g.py").write_text("a = 1\nb = a / 0\n")
    found = called("check", f"{tmp_path / 'g.py'}:backward")
    assert found.exit_code == 2 and "g.py, line 2: b = a / 0" in found.stderr


@pytest.mark.parametrize("place", ["/:backward", "./:backward"])
def test_a_folder_is_called_a_folder(place):
    found = called("check", place)
    assert found.exit_code == 2 and "it is a folder" in found.stderr

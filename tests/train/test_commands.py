"""`byhand train`, `predict`, `evaluate`."""

import csv
import json
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("sklearn")
from byhand.cli.main import Commands
from byhand.cli.predict import FORMULA, cell, evaluate, predict
from byhand.cli.train import train
from byhand.train.estimators import MLPClassifier
from byhand.train.saving import load

cli = Commands(commands={c.name: c for c in (train, predict, evaluate)})


def run(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.fixture
def houses(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["size,town,price"]
    for _ in range(120):
        size, town = rng.uniform(0, 100), rng.integers(3)
        lines.append(f"{size},{'ABC'[town]},{3 * size + 50 * town + 0.5}")
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(lines))
    return path


def test_train_evaluate_predict_a_table(houses, tmp_path):
    model = tmp_path / "m"
    found = run("train", houses, "--target", "price", "-o", model, "--json", "--epochs", 60)
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    assert result["kind"] == "MLPRegressor" and result["test"]["r2"] > 0.99
    assert json.loads(run("evaluate", model, houses, "--json").stdout)["r2"] > 0.99
    new = tmp_path / "new.csv"
    new.write_text("town,size\nB,50\n")
    lines = run("predict", model, new).stdout.splitlines()
    assert lines[0] == "prediction" and float(lines[1]) == pytest.approx(200.5, rel=0.1)
    new.write_text("town,size\nD,50\n")
    assert "none of: A, B, C" in run("predict", model, new).stderr


def test_train_a_set_by_name(tmp_path):
    found = run("train", "iris", "--net", "4-16-3", "-o", tmp_path / "m")
    assert found.exit_code == 0 and "4-16-3" in found.stdout and found.stderr == ""
    shown = run("predict", tmp_path / "m", "iris", "--proba").stdout.splitlines()
    assert shown[0] == "0,1,2" and len(shown) == 151


def test_npz(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 3))
    np.savez(tmp_path / "d.npz", X=X, y=(X[:, 0] > 0).astype(int))
    assert run("train", tmp_path / "d.npz", "-o", tmp_path / "m").exit_code == 0
    assert json.loads(run("evaluate", tmp_path / "m", tmp_path / "d.npz", "--json").stdout)["accuracy"] > 0.9


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda t: "", "no rows"),
        (lambda t: t.replace("price", "cost"), "no column price"),
        (lambda t: t.replace("size", "price", 1), "twice"),
        (lambda t: t + "\n1,A", "row 122"),
        (lambda t: t + "\n,A,3", "column size has no value in row 122"),
        (lambda t: t + "\n1,A,", "target price is missing in row 122"),
        (lambda t: t + "\ninf,A,3", "column size is inf in row 122"),
    ],
)
def test_bad_tables(houses, tmp_path, change, words):
    houses.write_text(change(houses.read_text()))
    found = run("train", houses, "--target", "price", "-o", tmp_path / "m")
    assert found.exit_code == 2 and words in found.stderr
    assert not (tmp_path / "m").exists()


def test_exit_codes(tmp_path):
    diverged = run("train", "diabetes", "--optimizer", "sgd", "--lr", "1e9", "-o", tmp_path / "m")
    assert diverged.exit_code == 1 and "diverged" in diverged.stderr
    assert run("train", "nothing").exit_code == 2
    assert run("train", "iris", "--net", "4-3-2", "-o", tmp_path / "m").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_pictures_and_report(tmp_path):
    found = run(
        "train", "digits", "--hidden", "9,7", "--epochs", 3, "-o", tmp_path / "m", "--plot", tmp_path / "p",
        "--report", tmp_path / "r.html", "--json", "--early-stopping",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    result = json.loads(found.stdout)
    names = {"loss", "accuracy", "gradient_norms", "saturated_dead", "residuals", "weights", "confusion", "roc"}
    names |= {"reliability", "importance"}
    assert {p.stem for p in (tmp_path / "p").iterdir()} == names and len(result["pictures"]) == len(names)
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in (tmp_path / "p").iterdir())
    page = (tmp_path / "r.html").read_text()
    assert (
        page.count("data:image/svg+xml;base64,") == len(names)
        and "<script" not in page
        and "http" not in page.replace("http://www.w3.org", "")
    )
    for heading in ("Run", "Curves", "Network", "Derivation", "Check", "Code"):
        assert f">{heading}</h2>" in page
    assert "checked: " in result["check"] and "H2 = relu(Z2)" in page


def test_pictures_of_a_resumed_run_say_what_they_have(tmp_path):
    common = ("train", "iris", "--checkpoint", tmp_path / "c", "-o", tmp_path / "m", "--report", tmp_path / "r.html")
    assert run(*common[:-2], "--epochs", 2).exit_code == 0  # nobody recorded anything
    assert run(*common, "--epochs", 3, "--resume").exit_code == 0
    page = (tmp_path / "r.html").read_text()
    assert "begins with step 9, where training was resumed" in page  # 120 samples, four batches an epoch
    assert "accuracy after each epoch; on training samples from epoch 3 on" in page
    assert run(*common[:-2], "--epochs", 2, "--plot", tmp_path / "p").exit_code == 0
    assert run(*common, "--epochs", 3, "--resume").exit_code == 0
    assert "begins with step" not in (tmp_path / "r.html").read_text()


def test_pictures_of_a_regression(tmp_path):
    found = run("train", "diabetes", "--epochs", 2, "-o", tmp_path / "m", "--plot", tmp_path / "p")
    assert found.exit_code == 0
    assert {p.stem for p in (tmp_path / "p").iterdir()} == {
        "loss",
        "r2",
        "gradient_norms",
        "saturated_dead",
        "weights",
        "predictions",
        "residuals_over_prediction",
        "importance",
    }


def test_raw_pixels_are_named_as_what_stalls_learning(tmp_path):
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "raw.npz", X=(X * 255 / 16).astype(np.uint8), y=y)
    options = (
        "train",
        tmp_path / "raw.npz",
        "-o",
        tmp_path / "m",
        "--act",
        "sigmoid",
        "--optimizer",
        "sgd",
        "--lr",
        1,
        "--epochs",
        8,
    )
    raw = run(*options, "--no-standardize")
    assert raw.exit_code == 0 and raw.stderr.count("learning stalled") == 1
    assert "learning stalled" in raw.stderr and "inputs are large (up to 255" in raw.stderr
    assert "warning" in json.loads(run(*options, "--no-standardize", "--json").stdout)
    assert run(*options).stderr == ""


def test_any_setting_of_the_estimator(tmp_path):
    others = ("clip_norm=0.5", "class_weight=balanced", "bias=false", 'optimizer_settings={"momentum": 0.5}')
    options = [word for text in others for word in ("--set", text)]
    found = run("train", "iris", "--optimizer", "momentum", "--epochs", 2, "-o", tmp_path / "m", *options)
    assert found.exit_code == 0, found.output
    model = load(tmp_path / "m")
    assert (model.clip_norm, model.class_weight, model.bias) == (0.5, "balanced", False) and model.intercepts_ == []
    assert model.optimizer_settings == {"momentum": 0.5}


def test_warnings_of_libraries_are_notes(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        found = run("train", "diabetes", "--task", "classify", "--epochs", 1, "-o", tmp_path / "m")
    assert found.exit_code == 0 and "UserWarning" not in found.stderr
    assert found.stderr.count("Note: The number of unique classes") == 1


def test_missing_values_for_a_model_of_arrays(tmp_path):
    assert run("train", "iris", "--epochs", 1, "-o", tmp_path / "m").exit_code == 0
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,2,3,\n")
    found = run("predict", tmp_path / "m", tmp_path / "t.csv")
    assert found.exit_code == 2 and "fill them in" in found.stderr and "--impute" not in found.stderr


@pytest.mark.parametrize(
    "options, words",
    [
        (("--act", "tanh", "--init", "normal", "--init-std", 20), "of the tanh values in layer 1"),
        (("--init", "zeros"), "the weights W1, W2 are all zero"),
        (
            ("--optimizer", "sgd", "--lr", 20, "--set", "clip_norm=5", "--set", "label_smoothing=0.05"),
            "of the relu units in layer 1 are zero on every sample",
        ),
    ],
)
def test_what_stalls_learning_is_said(tmp_path, options, words):
    found = run("train", "digits", "--epochs", 10, "-o", tmp_path / "m", *options)
    assert found.exit_code == 0 and found.stderr.startswith("Warning: learning stalled: ")
    assert words in found.stderr and found.stderr.count("learning stalled") == 1


def test_a_checkpointed_run_is_resumed(tmp_path):
    common = ("--epochs", 4, "--checkpoint", tmp_path / "c", "--json")
    first = run("train", "iris", "-o", tmp_path / "a", *common)
    again = run("train", "iris", "-o", tmp_path / "b", *common, "--resume")
    assert first.exit_code == again.exit_code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    other = run("train", "iris", "-o", tmp_path / "b", *common, "--resume", "--lr", 0.5)
    assert other.exit_code == 2 and "another run" in other.stderr
    assert run("train", "iris", "--resume").exit_code == 2


TEXTS = ["=HYPERLINK(1)", "+cmd|x", "-lambda", "@SUM(A1)", "\ttab", "＝A1"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("proba", [False, True])
def test_no_cell_is_a_formula(tmp_path, text, proba):
    """Classes that begin like a formula are quoted, in the cells and in the head."""
    X, names = np.random.default_rng(0).standard_normal((40, 2)), np.array(["fine", text])
    model = MLPClassifier((3,), max_epochs=20, random_state=0).fit(X, names[(X[:, 0] > 0).astype(int)])
    model.save(tmp_path / "m")
    np.save(tmp_path / "x.npy", X)
    found = run("predict", tmp_path / "m", tmp_path / "x.npy", "-o", tmp_path / "p.csv", *["--proba"] * proba)
    assert found.exit_code == 0, found.output
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    cells = [c for row in (rows[:1] if proba else rows) for c in row]
    assert f"'{text}" in cells and not any(c.startswith(FORMULA) for c in cells)
    if proba:
        assert all(0 <= float(c) <= 1 for row in rows[1:] for c in row)  # numbers stay numbers


@pytest.mark.parametrize("value", [-1.5, "-1", "+2e3", "-inf", 7, True, None, "a=b", "x", "", -0.0])
def test_what_is_no_formula_stays(value):
    assert cell(value) == value

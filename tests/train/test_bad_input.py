"""Bad input on the command line and in Python: a clear error, or a stated behaviour; nothing half-written."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from click.testing import CliRunner

from byhand.cli.main import cli
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.loop import DivergedError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 2))
Y = RNG.integers(0, 2, 30)
ROWS = [(*x, y) for x, y in zip(X, Y, strict=True)]


def csv(rows, head="a,b,y"):
    return "\n".join([head, *(",".join(map(str, r)) for r in rows)])


def called(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.mark.parametrize(
    "text, options, code, words",
    [
        (csv([*ROWS[:5], ("nan", 1, 0)]), (), 2, "column a has no value in row 7"),
        (csv([*ROWS, ("inf", 1, 0)]), (), 2, "column a is inf in row 32"),
        (csv([*ROWS, (1, 2)]), (), 2, "row 32"),
        (csv([*ROWS, (1, 2, "")]), (), 2, "target y is missing in row 32"),
        ("", (), 2, "no rows"),
        ("a,b,y\n", (), 2, "no rows"),
        (csv(ROWS, "a,a,y"), (), 2, "column 'a' twice"),
        (csv(ROWS, "a,b,z"), (), 2, "no column y"),
        ('a,b,y\n1,"2,3\n', (), 2, "not CSV"),
        (csv(ROWS[:1]), (), 2, "--test 0"),
        (csv(ROWS), ("--net", "5-3-2"), 2, "the data have 2 columns"),
        (csv(ROWS), ("--hidden", "3,x"), 2, "--hidden"),
        (csv(ROWS), ("--hidden", ""), 2, "--hidden"),
        (csv(ROWS), ("--hidden", "3", "--net", "2-3-2"), 2, "one of the two"),
        (csv(ROWS), ("--init-std", "1"), 2, "--init normal"),
        (csv(ROWS), ("--set", "clipnorm=1"), 2, "did you mean `clip_norm`"),
        (csv(ROWS), ("--set", "clip_norm=x"), 2, "clip_norm of MLPClassifier: it is 'x'"),
        (csv(ROWS), ("--act", "rleu"), 2, "relu"),
        (csv(ROWS), ("--optimizer", "sgd", "--lr", 1e200, "--act", "identity"), 1, "diverged"),
        (csv([(*x, 1) for x in X]), ("--epochs", 1), 0, "all targets are 1"),
        (
            csv([(x[0], 7, y) for x, y in zip(X, Y, strict=True)]),
            ("--epochs", 1),
            0,
            "column b: 7 in all rows of the training: left out",
        ),
        (csv(ROWS), ("--batch", 1000, "--epochs", 1), 0, "more than the 24 samples"),
    ],
)
def test_tables(tmp_path, text, options, code, words):
    (tmp_path / "t.csv").write_text(text)
    found = called("train", tmp_path / "t.csv", "--target", "y", "-o", tmp_path / "m", *options)
    assert found.exit_code == code and words in found.stderr, found.output
    assert "Traceback" not in found.output and "internal" not in found.output
    assert sorted(p.name for p in tmp_path.iterdir()) == (["m", "t.csv"] if code == 0 else ["t.csv"])


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"X": np.where(X > 1.5, np.nan, X), "y": Y}, "has nan in row"),
        ({"X": X, "y": Y[:-1]}, "30 rows, y has 29"),
        ({"X": X, "y": np.where(Y == 1, np.inf, 1.0)}, "[inf] in row"),
        ({"X": X, "y": np.zeros((30, 2, 2))}, "shape (30, 2, 2)"),
        ({"X": X[:0], "y": Y[:0]}, "no samples"),
        ({"X": X}, "what is to be learned"),
    ],
)
def test_arrays(tmp_path, arrays, words):
    np.savez(tmp_path / "d.npz", **arrays)
    found = called("train", tmp_path / "d.npz", "-o", tmp_path / "m")
    assert found.exit_code == 2 and words in found.stderr, found.output
    assert not (tmp_path / "m").exists()


def test_predict_and_evaluate(tmp_path):
    (tmp_path / "t.csv").write_text(csv(ROWS))
    assert called("train", tmp_path / "t.csv", "--target", "y", "-o", tmp_path / "m", "--epochs", 1).exit_code == 0
    for text, command, words in (
        ("a\n1\n", "predict", "no column b"),
        ("a,b\n1,\n", "predict", "column b has no value in row 2"),
        ("a,b\nx,2\n", "predict", "'x', which is no number, in row 2"),
        ("a,b\n", "predict", "no rows"),
        ("a,b,y\n1,2,5\n", "evaluate", "the target is 5 in row 0 (from 0), which is none of the model's classes 0, 1"),
    ):
        (tmp_path / "new.csv").write_text(text)
        found = called(command, tmp_path / "m", tmp_path / "new.csv")
        assert found.exit_code == 2 and words in found.stderr, found.output
    assert called("predict", tmp_path / "m", "iris").exit_code == 2
    assert called("predict", tmp_path / "t.csv", "iris").exit_code == 2


def test_a_missing_folder_is_said_before_the_training(tmp_path):
    for option in ("-o", "--report"):
        found = called("train", "iris", option, tmp_path / "no" / "x")
        assert found.exit_code == 2 and "no such folder" in found.stderr


@pytest.mark.parametrize("option", ["-o", "--report", "--plot"])
def test_a_folder_that_cannot_be_written_to_is_said_before_the_training(tmp_path, option, monkeypatch):
    def never(*a, **k):
        raise AssertionError("trained")

    monkeypatch.setattr(MLPClassifier, "fit", never)
    monkeypatch.setattr("os.access", lambda p, mode: p != tmp_path)  # whoever runs the tests may write anywhere
    found = called("train", "iris", "-o", tmp_path.parent / "m", option, tmp_path / "new")
    assert found.exit_code == 2 and f"{tmp_path} is read-only, or another's" in found.stderr


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    "X, y, words",
    [
        (np.where(X > 1.5, np.nan, X), Y, "NaN"),
        (np.where(X > 1.5, np.inf, X), Y, "infinity"),
        (X, Y[:-1], "inconsistent"),
        (X[:, 0], Y, "1D array"),
        (X[:0], Y[:0], "0 sample"),
    ],
)
def test_in_python(kind, X, y, words):
    with pytest.raises(ValueError, match=words):
        kind().fit(X, y)


def test_in_python_what_is_allowed_and_what_is_not():
    one = MLPClassifier(max_epochs=2).fit(X, np.ones(30))
    assert (one.predict(X) == 1).all() and (one.predict_proba(X) == 1).all()
    constant = MLPClassifier(max_epochs=2, random_state=0).fit(np.column_stack([X, np.full(30, 7.0)]), Y)
    assert np.isfinite(constant.predict_proba(np.column_stack([X, np.full(30, 8.0)]))).all()
    assert constant.input_scaling_.scale[2] == 1
    a, b = (MLPClassifier(max_epochs=2, random_state=0, batch_size=n).fit(X, Y) for n in (30, 1000))
    assert np.array_equal(a.predict_proba(X), b.predict_proba(X))
    with pytest.raises(ValueError, match="label 5"):
        MLPClassifier().partial_fit(X, Y, classes=[0, 1]).partial_fit(X, Y + 5)
    model = MLPClassifier(max_epochs=2, random_state=0).fit(X, Y)
    before = {n: v.copy() for n, v in model.parameters_.items()}
    with pytest.raises(DivergedError, match="smaller learning rate"):
        model.set_params(optimizer="sgd", learning_rate=1e200, activation="identity", max_epochs=5).fit(X * 1e3, Y)
    assert set(before) == set(model.parameters_)

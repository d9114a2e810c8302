"""The score that `byhand train` prints is that of a pipeline which scikit-learn's own parts make of the training rows alone."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
import pandas as pd
from click.testing import CliRunner
from sklearn.compose import make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
)
from sklearn.impute import SimpleImputer
from sklearn.metrics import balanced_accuracy_score, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from byhand.cli.main import cli
from byhand.train.estimators import MLPClassifier, MLPRegressor

SEED = 3


def frame_of(made, **more):
    X, y = made
    rng = np.random.default_rng(SEED)
    frame = pd.DataFrame(X, columns=[f"f{k}" for k in range(X.shape[1])])
    for name, values in more.items():
        frame[name] = values(rng, len(frame), y)
    return frame, y


def gaps(rng, n, y):
    values = rng.normal(size=n) + (y > np.median(y))
    values[rng.random(n) < 0.15] = np.nan
    return values


def towns(rng, n, y):
    return np.where(rng.random(n) < 0.3, "Bern", rng.choice(["Chur", "Olten", "Zug", "Visp"], n))


def rare(rng, n, y):
    values = rng.choice(["often", "mostly"], n).astype(object)
    values[: max(2, n // 60)] = ["seldom", *["once"] * (max(2, n // 60) - 1)]
    return values


SETS = {
    "iris": (lambda: frame_of(load_iris(return_X_y=True)), True),
    "wine": (lambda: frame_of(load_wine(return_X_y=True), gaps=gaps), True),
    "breast_cancer": (lambda: frame_of(load_breast_cancer(return_X_y=True), town=towns), True),
    "made": (lambda: frame_of(make_classification(211, random_state=1), gaps=gaps, town=towns), True),
    "unbalanced": (
        lambda: frame_of(make_classification(307, n_features=7, n_informative=4, weights=[0.9], random_state=2), rare=rare),
        True,
    ),
    "diabetes": (lambda: frame_of(load_diabetes(return_X_y=True), gaps=gaps, town=towns), False),
    "friedman": (lambda: frame_of(make_friedman1(197, random_state=1), gaps=gaps), False),
    "friedman, texts": (lambda: frame_of(make_friedman1(223, random_state=2), rare=rare, town=towns), False),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_the_score_is_that_of_a_pipeline_made_by_hand(name, tmp_path):
    make, classify = SETS[name]
    frame, y = make()
    frame.assign(y=y).to_csv(tmp_path / "t.csv", index=False, float_format="%.17g")
    options = ["--target", "y", "--epochs", "3", "--hidden", "7", "--seed", str(SEED), "--impute", "--json"]
    options += ["--task", "classify" if classify else "regress", "-o", str(tmp_path / "m")]
    run = CliRunner().invoke(cli, ["train", str(tmp_path / "t.csv"), *options])
    assert run.exit_code == 0, run.stderr
    found = json.loads(run.stdout)

    frame = pd.read_csv(tmp_path / "t.csv")
    y = frame.pop("y").to_numpy()
    places = np.arange(len(y))
    training, tested = train_test_split(places, test_size=0.2, random_state=SEED, stratify=y if classify else None)
    order = np.sort(training)  # a plan is learnt in the order of the file
    parts = [
        (
            SimpleImputer(strategy="median") if frame[c].dtype.kind in "if" else OneHotEncoder(handle_unknown="ignore"),
            [c],
        )
        for c in frame
    ]
    encoder = make_column_transformer(*parts, sparse_threshold=0).fit(frame.iloc[order])
    kind = MLPClassifier if classify else MLPRegressor
    network = kind((7,), max_epochs=3, random_state=SEED)
    pipeline = make_pipeline(FunctionTransformer(encoder.transform), network).fit(frame.iloc[training], y[training])
    predicted, true = pipeline.predict(frame.iloc[tested]), y[tested]
    if classify:
        assert found["test"]["accuracy"] == pytest.approx(np.mean(predicted == true), abs=1e-12)
        assert found["test"]["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, predicted), abs=1e-12)
        p = pipeline.predict_proba(frame.iloc[tested])[np.arange(len(true)), np.searchsorted(network.classes_, true)]
        assert found["test"]["log_loss"] == pytest.approx(-np.log(p).mean(), abs=1e-12)
    else:
        assert found["test"]["r2"] == pytest.approx(r2_score(true, predicted), abs=1e-12)
        assert found["test"]["rmse"] == pytest.approx(root_mean_squared_error(true, predicted), rel=1e-12)

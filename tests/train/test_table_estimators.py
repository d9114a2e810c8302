"""Estimators of tables: data frames as they are, the plan of `byhand train`, scikit-learn's conventions; sparse matrices."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
import pandas as pd
import pyarrow as pa
from click.testing import CliRunner
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import byhand
from byhand.cli.main import cli
from byhand.train.data import sparse as sparse_rows
from byhand.train.tables import PlanNote, TableEncoder, TableError

KINDS = [byhand.TableClassifier, byhand.TableRegressor, TableEncoder]
N = 131


def table(rows=N, seed=0):
    """Numbers with gaps, texts, dates, an identifier, a constant; a class and a number that follow from them."""
    rng = np.random.default_rng(seed)
    city = rng.choice(["Bern", "Chur", "Olten"], rows)
    size = rng.normal(100, 20, rows)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D")
    price = size + 40 * (city == "Bern") + day.day_of_year / 30
    size[::17] = np.nan
    frame = pd.DataFrame({"size": size, "city": city, "day": day, "id": [f"k{k}" for k in range(rows)], "year": 2020})
    return frame, np.where(price > np.median(price), "dear", "cheap"), np.asarray(price)


FRAME, CLASSES, PRICES = table()
noted = pytest.mark.filterwarnings("ignore::byhand.train.tables.PlanNote")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_check_estimator_passes_whole(kind):
    results = check_estimator(kind(), on_skip=None, on_fail=None)
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []
    assert len(results) > 40


@noted
@pytest.mark.parametrize("kind, y", [(byhand.TableClassifier, CLASSES), (byhand.TableRegressor, PRICES)])
def test_a_data_frame_is_learnt_from_as_it_is(kind, y, tmp_path):
    model = kind(max_epochs=60, random_state=0).fit(FRAME, y)
    other, *targets = table(53, 1)
    assert model.score(other, targets[kind is byhand.TableRegressor]) > 0.75
    assert model.n_features_in_ == 5 and list(model.feature_names_in_) == list(FRAME)
    assert "size" in model.get_feature_names_out() and "city=Bern" in model.get_feature_names_out()
    assert "city: 3 categories, Bern, Chur, Olten" in model.plan_ and "categories=['id']" in model.plan_
    model.save(tmp_path / "m.safetensors")
    again = byhand.load(tmp_path / "m.safetensors")
    assert type(again) is kind
    np.testing.assert_array_equal(again.predict(other), model.predict(other))


@noted
def test_every_kind_of_table_is_the_same_table():
    polars = pytest.importorskip("polars")
    fit = byhand.TableClassifier(max_epochs=3, random_state=0).fit(FRAME, CLASSES)
    plain = {name: FRAME[name].tolist() for name in FRAME}
    plain["day"] = FRAME["day"].to_numpy()
    nullable = FRAME.convert_dtypes().astype({"city": "category"})
    arrow = pa.Table.from_pandas(FRAME)
    for X in (plain, nullable, arrow, polars.from_arrow(arrow), FRAME.to_numpy(object)):
        names = {} if not isinstance(X, np.ndarray) else {"features": ("x0", "x1", "x2")}
        if names:  # an array's columns have no names
            encoded = TableEncoder(categories=["x1"]).fit_transform(X)
            assert encoded.shape[0] == N
            continue
        np.testing.assert_array_equal(TableEncoder().fit(X).transform(X), fit._samples(FRAME))
        np.testing.assert_array_equal(fit.predict_proba(X), fit.predict_proba(FRAME))


def test_what_is_left_out_is_said():
    with pytest.warns(PlanNote) as said:
        TableEncoder().fit(FRAME)
    words = " ".join(str(w.message) for w in said)
    assert "column id: 131 different texts in 131 rows, nearly unique: left out; categories=['id'] takes it" in words
    assert "column year: 2020 in all rows" in words and "--" not in words
    with warnings.catch_warnings():
        warnings.simplefilter("error", PlanNote)
        TableEncoder(drop=["id", "year"]).fit(FRAME)


@noted
@pytest.mark.parametrize(
    "options, change, words",
    [
        ({}, {"city": ["Zug"] * N}, "column city has 'Zug' in row 0, which is none of: Bern, Chur, Olten"),
        ({"impute": False}, {}, "column size has no value in row 0"),
        ({"drop": ["town"]}, {}, "X has no column town, which drop names"),
        ({"drop": "city"}, {}, "the parameter drop is 'city': a list of texts"),
        ({"unknown": "ignore"}, {}, "the parameter unknown is 'ignore': 'error' or 'other'"),
        ({"drop": ["city"], "categories": ["city"]}, {}, "the column city is to be left out and to be taken"),
        ({"decimal": ";"}, {}, "numbers with ';' before the fraction"),
    ],
)
def test_tables_that_do_not_fit_are_refused_in_words_of_python(options, change, words):
    with pytest.raises(TableError) as caught:
        TableEncoder(**options).fit(FRAME).transform(FRAME.assign(**change))
    assert words in str(caught.value)
    assert "--" not in str(caught.value) and isinstance(caught.value, ValueError)


def test_signs_of_numbers_are_asked_about_and_understood():
    frame = pd.DataFrame({"a": [f"{k}.{k % 10}00,5" for k in range(1, 40)], "b": np.arange(39) % 7})
    with pytest.raises(TableError, match="numbers with a decimal comma and thousands") as caught:
        TableEncoder().fit(frame)
    assert "decimal=',' thousands='.'" in str(caught.value)
    found = TableEncoder(decimal=",", thousands=".").fit_transform(frame)
    np.testing.assert_allclose(found[:3, 0], [1100.5, 2200.5, 3300.5])
    with pytest.raises(TableError, match="two ways") as caught:
        TableEncoder().fit(pd.DataFrame({"d": ["3/4/2020", "5/6/2020", "7/8/2020"]}))
    assert "dates='dmy'" in str(caught.value)


def test_a_category_that_training_has_not():
    X = pd.DataFrame({"c": ["a", "b", "a", "b"], "n": [1.5, 2, 3, 5]})
    found = TableEncoder(unknown="other").fit(X).transform(X.assign(c="z"))
    np.testing.assert_array_equal(found[:, :2], 0)


def test_the_words_of_other_libraries_are_answered():
    for kind in (byhand.TableClassifier, byhand.TableRegressor):
        with pytest.raises(TypeError, match="no parameter max_iter; here it is max_epochs"):
            kind(max_iter=3)
        with pytest.raises(TypeError, match="no parameter categorys, did you mean `categories`"):
            kind(categorys=["a"])
        with pytest.raises(TypeError, match="no parameter alpha; here it is l2"):
            kind(alpha=1)


@noted
def test_pipelines_searches_and_copies():
    model = byhand.TableClassifier((7,), max_epochs=5, random_state=0, drop=["id", "year"])
    assert clone(model).get_params() == model.get_params()
    found = GridSearchCV(model, {"l2": [0.0, 0.01], "categories": [(), ("city",)]}, cv=2).fit(FRAME, CLASSES)
    assert set(found.best_params_) == {"l2", "categories"}
    pipe = make_pipeline(TableEncoder(), LogisticRegression(max_iter=1000))
    assert cross_val_score(pipe, FRAME, CLASSES, cv=3).mean() > 0.5
    early = byhand.TableClassifier((5,), max_epochs=4, early_stopping=True, random_state=0).fit(FRAME, CLASSES)
    assert len(early.validation_scores_) == 4 or early.history_.stopped
    assert byhand.flow(early, FRAME, CLASSES).samples == N


@noted
def test_a_saved_model_of_tables_predicts_files(tmp_path):
    model = byhand.TableClassifier((7,), max_epochs=5, random_state=0).fit(FRAME, CLASSES)
    model.save(tmp_path / "m.safetensors")
    FRAME.assign(kind=CLASSES).to_csv(tmp_path / "t.csv", index=False)
    run = CliRunner().invoke(cli, ["predict", str(tmp_path / "m.safetensors"), str(tmp_path / "t.csv")])
    assert run.exit_code == 0 and run.stdout.split()[1:] == model.predict(FRAME).tolist()
    run = CliRunner().invoke(
        cli, ["evaluate", str(tmp_path / "m.safetensors"), str(tmp_path / "t.csv"), "--target", "kind"]
    )
    assert f"accuracy {model.score(FRAME, CLASSES):.4f}" in run.stdout


# ---- sparse matrices


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok"])
@pytest.mark.parametrize("options", [{}, {"class_weight": "balanced"}, {"early_stopping": True}], ids=str)
def test_a_sparse_matrix_is_the_same_as_a_dense_one(form, options):
    X, y = load_iris(return_X_y=True)
    X = np.where(X > 3, X, 0)
    S = sparse.csr_array(X).asformat(form)
    one, other = (byhand.MLPClassifier(max_epochs=4, random_state=0, **options).fit(A, y) for A in (X, S))
    np.testing.assert_array_equal(one.parameters_["W1"], other.parameters_["W1"])
    np.testing.assert_allclose(other.predict_proba(S), one.predict_proba(X), rtol=1e-12)


def test_a_sparse_matrix_without_room_is_read_some_rows_at_a_time(monkeypatch):
    X, y = load_iris(return_X_y=True)
    monkeypatch.setattr("byhand.train.fitting.large", lambda *shape: True)
    monkeypatch.setattr(sparse.csr_array, "toarray", _few(sparse.csr_array.toarray))
    model = byhand.MLPClassifier(max_epochs=30, random_state=0).fit(sparse.csr_array(X), y)
    assert model.score(sparse.csr_array(X), y) > 0.9
    rows = sparse_rows.SparseRows(sparse.csr_array(X))
    assert rows.digest() == sparse_rows.SparseRows(sparse.csr_array(X)).digest() != rows.subset([3, 5]).digest()


def _few(toarray):
    def checked(self, *arguments, **named):
        assert self.shape[0] <= 150
        return toarray(self, *arguments, **named)

    return checked

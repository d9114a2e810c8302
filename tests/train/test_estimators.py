"""Estimators: scikit-learn's own checks, reproducibility, early stopping, partial_fit, saving, bad input."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

from byhand.errors import ByhandError, DataError
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.loop import DivergedError
from byhand.train.numpy_engine import NumpyEngine
from byhand.train.saving import load

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
BOTH = pytest.mark.parametrize("kind, data", [(MLPClassifier, IRIS), (MLPRegressor, DIABETES)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_check_estimator_passes_whole(kind):
    results = check_estimator(kind(), on_skip=None, on_fail=None)
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert len(results) > 50
    assert skipped <= {
        "check_array_api_input",  # asks for an environment variable
        "check_classifiers_multilabel_output_format_decision_function",  # there is predict_proba
    }


@BOTH
@pytest.mark.parametrize(
    "options", [{}, {"dropout": 0.2}, {"optimizer": "lbfgs"}, {"solver": "newton"}, {"early_stopping": True}], ids=str
)
def test_the_same_seed_gives_the_same_bits(kind, data, options):
    a, b = (kind(random_state=3, max_epochs=8, **options).fit(*data) for _ in range(2))
    other = kind(random_state=4, max_epochs=8, **options).fit(*data)
    for name, value in a.parameters_.items():
        assert value.tobytes() == b.parameters_[name].tobytes()
    assert not np.array_equal(a.parameters_["W1"], other.parameters_["W1"])


def test_accuracy_and_r2():
    assert MLPClassifier(random_state=0).fit(*IRIS).score(*IRIS) > 0.95
    assert MLPRegressor(random_state=0).fit(*DIABETES).score(*DIABETES) > 0.5


def test_early_stopping_keeps_the_best_epoch():
    X, y = DIABETES
    m = MLPRegressor(random_state=0, max_epochs=300, patience=10, learning_rate=0.01)
    m.fit(X[:300], y[:300], validation_data=(X[300:], y[300:]))
    assert m.history_.stopped == "early" and m.n_iter_ < 300
    assert len(m.validation_loss_curve_) == len(m.loss_curve_) == m.n_iter_
    best = int(np.argmin(m.validation_loss_curve_))
    assert m.history_.best_epoch == best + 1
    assert m.score(X[300:], y[300:]) == pytest.approx(m.validation_scores_[best])


def test_early_stopping_of_lbfgs():
    X, y = DIABETES
    m = MLPRegressor((50,), optimizer="lbfgs", early_stopping=True, patience=5, random_state=0).fit(X, y)
    curve = m.validation_loss_curve_
    best = m.history_.best_epoch
    assert m.history_.stopped == "early" and len(curve) == m.n_iter_ < 1000 and curve[best - 1] == min(curve)
    again = MLPRegressor((50,), optimizer="lbfgs", early_stopping=True, patience=5, max_epochs=best, random_state=0)
    assert np.array_equal(again.fit(X, y).predict(X), m.predict(X))  # the best parameters are kept
    watched = MLPRegressor((50,), optimizer="lbfgs", max_epochs=7).fit(X, y, validation_data=(X[:50], y[:50]))
    assert len(watched.validation_scores_) == watched.n_iter_ == 7


def test_early_stopping_on_the_score():
    m = MLPClassifier(random_state=0, early_stopping=True, monitor="accuracy", patience=5).fit(*IRIS)
    assert m.history_.best_epoch == int(np.argmax(m.validation_scores_)) + 1
    with pytest.raises(ValueError, match="accuracy"):
        MLPClassifier(early_stopping=True, monitor="auc").fit(*IRIS)


@pytest.mark.parametrize("monitor", ["f1_macro", "neg_log_loss", lambda model, X, y: -abs(model.score(X, y) - 0.9)])
def test_early_stopping_on_any_scorer(monitor):
    from sklearn.metrics import get_scorer

    X, y = IRIS
    rows = np.arange(150) % 3 > 0
    m = MLPClassifier(random_state=0, monitor=monitor, max_epochs=12)
    m.fit(X[rows], y[rows], validation_data=(X[~rows], y[~rows]))
    assert m.history_.best_epoch == int(np.argmax(m.validation_scores_)) + 1
    scorer = monitor if callable(monitor) else get_scorer(monitor)
    assert scorer(m, X[~rows], y[~rows]) == pytest.approx(max(m.validation_scores_))


def test_patience_is_ten_with_early_stopping_and_endless_without():
    X, y = IRIS
    m = MLPClassifier(random_state=0, early_stopping=True, max_epochs=400, learning_rate=0.01).fit(X, y)
    assert m.history_.stopped == "early" and m.n_iter_ == m.history_.best_epoch + 10
    assert MLPClassifier(random_state=0, max_epochs=90, learning_rate=0.01).fit(X, y).n_iter_ == 90


def test_partial_fit_follows_the_schedule():
    X, y = IRIS
    options = {"random_state": 0, "max_epochs": 3, "schedule": "cosine", "batch_size": 150, "optimizer": "sgd"}
    m = MLPClassifier(**options).partial_fit(X, y, classes=[0, 1, 2])
    moved = []
    for _ in range(3):
        before = m.coefs_[0].copy()
        m.partial_fit(X, y)
        moved.append(np.abs(m.coefs_[0] - before).max())
    assert moved[0] > moved[1] > moved[2] == 0.0  # past the end the rate is nothing
    assert m.n_iter_ == 4


def test_partial_fit_keeps_the_optimizer_and_the_scaling():
    X, y = IRIS
    m = MLPClassifier(random_state=0)
    with pytest.raises(ValueError, match="classes"):
        m.partial_fit(X, y)
    m.partial_fit(X[::2], y[::2], classes=[0, 1, 2])
    mean = m.input_scaling_.mean.copy()
    for _ in range(60):
        m.partial_fit(X, y)
    assert np.array_equal(m.input_scaling_.mean, mean)
    assert m.n_iter_ == len(m.loss_curve_) == 61 and m.optimizer_state_["t"] == 3 + 60 * 5
    assert m.score(X, y) > 0.95
    with pytest.raises(ValueError, match="label 3"):
        m.partial_fit(X[:1], [3])


def test_partial_fit_goes_on_where_a_saved_model_stopped(tmp_path):
    X, y = DIABETES
    a = MLPRegressor(random_state=0, batch_size=442).partial_fit(X, y)
    a.save(tmp_path / "m.safetensors")
    b = load(tmp_path / "m.safetensors")
    for m in (a, b):
        m.partial_fit(X, y)
    assert np.array_equal(a.predict(X), b.predict(X))


def test_warm_start_goes_on():
    X, y = IRIS
    m = MLPClassifier(random_state=0, max_epochs=5, warm_start=True).fit(X, y)
    first = m.loss_
    assert m.fit(X, y).loss_ < first
    with pytest.raises(ValueError, match="label"):
        m.fit(X, y + 1)


def test_what_goes_on_takes_the_settings_of_now_and_refuses_another_network():
    X, y = IRIS
    m = MLPClassifier((7,), l2=0.1, max_epochs=2, warm_start=True, random_state=0).fit(X, y)
    before = m.predict_proba(X)
    for call in (lambda: m.fit(X, y), lambda: m.partial_fit(X, y)):
        for change in ({"hidden_layer_sizes": (5,)}, {"bias": False}):
            kept = {n: m.get_params()[n] for n in change}
            with pytest.raises(DataError, match="4-7-3 with biases"):
                m.set_params(**change)
                call()
            m.set_params(**kept)
            assert np.array_equal(m.predict_proba(X), before) and m.net_.l2 == 0.1
    assert m.set_params(l2=0.3, activation="tanh").fit(X, y).net_.l2 == 0.3
    assert "0.3*" in m.net_.text and "tanh(Z1)" in m.net_.text
    p = MLPClassifier((7,), random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    penalty = p.net_.l2
    assert p.partial_fit(X[:11], y[:11], classes=[2, 1, 0]).net_.l2 == penalty  # "auto" stays that of the first call
    with pytest.raises(ValueError, match=r"classes are \[0 1 2 3\]"):
        p.partial_fit(X, y, classes=[0, 1, 2, 3])


def test_the_network_shown_is_the_network_trained(tmp_path):
    X, y = IRIS
    m = MLPClassifier((7,), max_epochs=1, dropout=0.5, random_state=0)
    assert "s *" not in m.fit(X, y).net_.text
    m.fit(X, y, sample_weight=np.linspace(1, 2, 150))
    assert "mean(s * " in m.net_.text and "* D1" in m.net_.text
    m.save(tmp_path / "m")
    assert load(tmp_path / "m").net_.text == m.net_.text


def test_soft_labels_are_numbers_to_a_regressor():
    X, y = IRIS
    codes = np.eye(3)[y]
    soft = 0.8 * codes + 0.2 / 3
    m = MLPRegressor(loss="softmax_cross_entropy", random_state=0, max_epochs=200).fit(X, soft)
    assert np.allclose(m.predict(X).sum(axis=1), 1) and m.score(X, soft) > 0.9
    same = MLPClassifier(label_smoothing=0.2, random_state=0, max_epochs=200).fit(X, y)
    assert np.allclose(m.predict(X), same.predict_proba(X), rtol=1e-9)  # smoothed labels are soft labels
    share = MLPRegressor(loss="binary_cross_entropy", random_state=0).fit(X, soft[:, 0])
    assert share.predict(X).shape == (150,) and share.score(X, soft[:, 0]) > 0.95
    soft[5] *= 2
    for loss in ("softmax_cross_entropy", "multilabel_cross_entropy"):
        with pytest.raises(ValueError, match="in row 5"):
            MLPRegressor(loss=loss).fit(X, soft)
    with pytest.raises(ValueError, match="raw_logit_nll takes integer labels"):
        MLPRegressor(loss="raw_logit_nll").fit(X, y)


@pytest.mark.parametrize(
    "loss, words",
    [
        ("Z - Y", "not a scalar"),
        ("mean(max(Z - Y, 0))", "did you mean `maximum`"),
        ("mean((Z - Y)**2", "never closed"),
        ("mean(Z)", "an expression in the logits Z and the targets"),
    ],
)
def test_a_mistake_in_an_own_loss_is_said_of_the_loss(loss, words):
    with pytest.raises(ValueError, match=words) as error:
        MLPRegressor(loss=loss).fit(*DIABETES)
    assert "the parameter loss of MLPRegressor" in str(error.value)


def test_poisson_is_blind_to_the_unit_of_the_counts():
    X, y = DIABETES
    y = np.round(y)
    m = MLPRegressor(loss="poisson", random_state=0).fit(X, y)
    assert m.score(X, y) > 0.6 and (m.predict(X) > 0).all()
    other = MLPRegressor(loss="poisson", random_state=0).fit(X, y / 64)
    assert np.allclose(64 * other.predict(X), m.predict(X), rtol=1e-9)


def test_validation_data_is_a_pair():
    with pytest.raises(ValueError, match="validation_data is a pair"):
        MLPClassifier().fit(*IRIS, validation_data=IRIS[0])


def test_weights_are_repetitions():
    X, y = (a[::5] for a in IRIS)
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    options = {"random_state": 0, "batch_size": 200, "max_epochs": 30}
    a = MLPClassifier(**options).fit(X, y, sample_weight=weights)
    b = MLPClassifier(**options).fit(np.repeat(X, weights.astype(int), axis=0), np.repeat(y, weights.astype(int)))
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=1e-8)
    by_class = MLPClassifier(class_weight={0: 1, 1: 3, 2: 1}, **options).fit(X, y)
    by_sample = MLPClassifier(**options).fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0))
    assert np.array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))


def test_multilabel_and_several_outputs():
    X, y = IRIS
    Y = np.column_stack([y == 0, y > 0])
    m = MLPClassifier(random_state=0).fit(X, Y.astype(int))
    assert m.predict(X).shape == (150, 2) and m.score(X, Y.astype(int)) > 0.95
    T = np.column_stack([X[:, 0], 100 * X[:, 1]])
    assert MLPRegressor(random_state=0).fit(X, T).score(X, T) > 0.95


@BOTH
def test_save_and_load(kind, data, tmp_path):
    X, y = data
    m = kind(random_state=0, max_epochs=3, hidden_layer_sizes=(8, 5), activation=["tanh", "z*sigmoid(z)"]).fit(X, y)
    m.save(tmp_path / "m.safetensors")
    n = load(tmp_path / "m.safetensors")
    assert np.array_equal(n.predict(X), m.predict(X)) and n.loss_curve_ == m.loss_curve_
    assert n.get_params() == m.get_params() and [f.name for f in tmp_path.iterdir()] == ["m.safetensors"]
    assert np.array_equal(pickle.loads(pickle.dumps(m)).predict(X), m.predict(X))


def test_labels_of_text_are_saved(tmp_path):
    X, y = IRIS
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    m = MLPClassifier(random_state=0, max_epochs=3).fit(X, names)
    m.save(tmp_path / "m")
    assert (load(tmp_path / "m").predict(X) == m.predict(X)).all()


def test_damaged_models_are_refused(tmp_path):
    m = MLPClassifier(random_state=0, max_epochs=1).fit(*IRIS)
    path = tmp_path / "m"
    m.save(path)
    whole = path.read_bytes()
    for content in (b"", b"x", whole[:100], whole[:-9], b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(DataError):
            load(path)
    with pytest.raises(DataError, match="cannot read"):
        load(tmp_path / "none")
    with pytest.raises(DataError, match="cannot write"):
        m.save(tmp_path / "none" / "m")
    with pytest.raises(NotFittedError):
        MLPClassifier().save(path)


def test_divergence_is_an_error():
    with pytest.raises(DivergedError, match="epoch"):
        MLPRegressor(optimizer="sgd", learning_rate=1e6, random_state=0).fit(*DIABETES)


def test_interrupt_keeps_what_was_learned():
    def interrupt(epoch, history):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MLPClassifier(callbacks=[interrupt]).fit(*IRIS)
    m = MLPClassifier(callbacks=[interrupt], keep_on_interrupt=True).fit(*IRIS)
    assert m.n_iter_ == 3 and m.history_.stopped == "interrupted"
    assert MLPClassifier(callbacks=[lambda e, h: e == 2]).fit(*IRIS).n_iter_ == 2


def test_interrupt_in_a_line_search_keeps_what_was_accepted(monkeypatch):
    settings = {"optimizer": "lbfgs", "random_state": 0, "engine": "numpy"}
    function, calls = NumpyEngine.function, []

    def interrupted(engine, data):
        run = function(engine, data)

        def counted(parameters):
            found = run(parameters)
            calls.append(found[0])
            if len(calls) == 9:
                raise KeyboardInterrupt
            return found

        return counted

    monkeypatch.setattr(NumpyEngine, "function", interrupted)
    m = MLPClassifier(**settings, keep_on_interrupt=True).fit(*IRIS)
    assert m.history_.stopped == "interrupted" and 0 < m.n_iter_ < 9
    same = MLPClassifier(**settings, max_epochs=m.n_iter_).fit(*IRIS)
    assert all(np.array_equal(v, same.parameters_[n]) for n, v in m.parameters_.items())


BAD = [
    ({"optimizer": "adm"}, "did you mean `adam`"),
    ({"activation": "rela"}, "relu"),
    ({"schedule": "cosin"}, "cosine"),
    ({"learning_rate": -1.0}, "learning_rate"),
    ({"batch_size": 0}, "batch_size"),
    ({"max_epochs": 0}, "max_epochs"),
    ({"dropout": 1.0}, "dropout"),
    ({"net": "5-3-3"}, "4 columns and 3 outputs"),
    ({"net": "4"}, "architecture"),
    ({"dtype": "int32"}, "float32"),
    ({"init": "hee"}, "he"),
    ({"init": "normal", "init_std": 0}, "init_std"),
    ({"label_smoothing": 2}, "label_smoothing"),
    ({"clip_norm": 0}, "clip_norm"),
    ({"l2": -1}, "l2"),
    ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": "8"}, "hidden_layer_sizes"),
    ({"optimizer_settings": {"momentum": 1}}, "optimizer_settings.*no setting momentum"),
    ({"schedule": "step", "schedule_settings": {"evry": 1}}, "schedule_settings.*evry"),
    ({"engine": "nunpy"}, "engine.*did you mean `numpy`"),
    ({"patience": 0}, "patience"),
    ({"validation_fraction": 1}, "validation_fraction"),
    ({"tol": -1}, "tol"),
    ({"monitor": "acuracy"}, "monitor"),
    ({"activation": 3}, "activation"),
    ({"class_weight": {0: -1}}, "class_weight.*of the class 0, it is -1"),
    ({"class_weight": "balance"}, "class_weight.*'balanced'"),
    ({"dropout": 0.5, "optimizer": "lbfgs"}, "dropout.*lbfgs has no use for"),
    ({"schedule": "cosine", "optimizer": "lbfgs"}, "schedule.*lbfgs has no use for"),
    ({"clip_norm": 1.0, "solver": "newton"}, "clip_norm.*solver='newton' has no use for"),
    ({"validation_fraction": 0.001, "early_stopping": True}, "validation_fraction.*each of 3 classes"),
]


@pytest.mark.parametrize("options, words", BAD, ids=lambda v: str(v)[:30])
def test_bad_settings(options, words):
    m = MLPClassifier(**options)
    with pytest.raises(ValueError, match=words) as error:
        m.fit(*IRIS)
    assert isinstance(error.value, ByhandError) and next(iter(options)) in str(error.value)
    assert not [name for name in vars(m) if name.endswith("_")]  # nothing half-fitted


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    X, y = IRIS
    m = MLPClassifier(random_state=0, max_epochs=2).fit(X, y)
    before = m.predict_proba(X)
    letters, nan = np.where(y == 0, "a", "b"), np.where(X > 7, np.nan, X)
    for call in (
        lambda: m.fit(nan, letters),
        lambda: m.fit(X, letters, sample_weight=-np.ones(150)),
        lambda: m.fit(X, letters, validation_data=(X, y)),
        lambda: m.partial_fit(X[:, :3], y),
        lambda: m.partial_fit(X, y + 1),
    ):
        with pytest.raises(ValueError):
            call()
        assert list(m.classes_) == [0, 1, 2] and np.array_equal(m.predict_proba(X), before)
    with pytest.raises(DivergedError):
        m.set_params(optimizer="sgd", learning_rate=1e200, clip_norm=None).fit(1e3 * X, y)
    assert np.array_equal(m.predict_proba(X), before)


def test_bad_data():
    X, y = IRIS
    cases = [
        (np.where(X > 7, np.nan, X), y, "NaN"),
        (np.where(X > 7, np.inf, X), y, "infinity"),
        (X, y[:-1], "inconsistent"),
        (X[:0], y[:0], "0 sample"),
        (X[:, 0], y, "2D"),
    ]
    for X_bad, y_bad, words in cases:
        with pytest.raises(ValueError, match=words):
            MLPClassifier().fit(X_bad, y_bad)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        MLPClassifier().fit(X, y, sample_weight=-np.ones(150))
    with pytest.raises(ValueError, match="at least one non-zero"):
        MLPRegressor().fit(X, y, sample_weight=np.zeros(150))


def test_sensible_behaviour_at_the_edges():
    X, y = IRIS
    constant = np.column_stack([X, np.full(150, 7.0)])
    assert MLPClassifier(random_state=0).fit(constant, y).score(constant, y) > 0.9
    assert set(MLPClassifier(max_epochs=2).fit(X, np.zeros(150)).predict(X)) == {0.0}
    assert MLPClassifier(batch_size=10_000, max_epochs=2).fit(X, y).n_iter_ == 2
    assert np.isfinite(MLPRegressor(max_epochs=2).fit(X, np.full(150, 3.0)).predict(X)).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_of_columns_are_kept_and_compared(library):
    frames = pytest.importorskip(library)
    X, y = IRIS
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    table = frames.DataFrame({n: X[:, k] for k, n in enumerate(names)})
    m = MLPClassifier(random_state=0, max_epochs=3).fit(table, frames.Series(y))
    assert list(m.feature_names_in_) == names
    assert np.array_equal(m.predict(table), MLPClassifier(random_state=0, max_epochs=3).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="same order"):
        m.predict(table[names[::-1]])
    with pytest.warns(UserWarning, match="feature names"):
        m.predict(X)


def test_a_normal_initialisation_has_the_standard_deviation_given():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((13, 53)), rng.integers(0, 2, 13)
    m = MLPClassifier((59,), init="normal", init_std=0.3, max_epochs=1, learning_rate=1e-12, random_state=0).fit(X, y)
    assert np.std(m.parameters_["W1"]) == pytest.approx(0.3, rel=0.05)

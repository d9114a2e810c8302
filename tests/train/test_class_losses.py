"""Losses of the classifier: what they are trained on, and the classes and probabilities that are read off them."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")
from click.testing import CliRunner
from scipy.special import expit, softmax
from sklearn.datasets import load_breast_cancer, load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer
from sklearn.utils.estimator_checks import check_estimator

from byhand.cli.main import cli
from byhand.errors import ByhandError
from byhand.nets.losses import LOSSES, LossWarning
from byhand.nets.trained import TrainedMLP
from byhand.train.data import read
from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.program import TrainingProgram
from byhand.train.saving import load

IRIS = load_iris(return_X_y=True)
NAMED = (IRIS[0], np.array(["setosa", "versicolor", "virginica"])[IRIS[1]])
CANCER = load_breast_cancer(return_X_y=True)
LABELS = make_multilabel_classification(131, 5, n_classes=3, random_state=0)
OWN = ["mean((softmax(Z) - Y)**2)", "mean(cross_entropy(2*Z, y))"]
VALUES = ["mse", "mae", "huber", "log_cosh"]
ONE_CLASS = ["softmax_cross_entropy", "multilabel_cross_entropy", *VALUES, *OWN]
CASES = [*((loss, NAMED) for loss in ONE_CLASS), ("binary_cross_entropy", CANCER), ("mse", CANCER), (OWN[0], CANCER),
         *((loss, LABELS) for loss in ["multilabel_cross_entropy", *VALUES])]  # fmt: skip
every_case = pytest.mark.parametrize("loss, data", CASES, ids=[f"{n[:24]} {d[1].shape}" for n, d in CASES])


def fitted(loss, data, **options):
    return MLPClassifier((7,), **{"loss": loss, "random_state": 0, "max_epochs": 40, **options}).fit(*data)


def logits(model, X):
    """What the loss gets, computed here."""
    H = np.maximum(model.input_scaling_.apply(X, float) @ model.coefs_[0] + model.intercepts_[0], 0)
    return H @ model.coefs_[1] + model.intercepts_[1]


def one_hot(y):
    return (y[:, None] == np.unique(y)).astype(float) if y.ndim == 1 else y.astype(float)


OF_A_SAMPLE = {
    "softmax_cross_entropy": lambda Z, Y: -(Y * np.log(softmax(Z, axis=1))).sum(axis=1),
    "binary_cross_entropy": lambda Z, Y: -np.log(expit(np.where(Y[:, 1:] == 1, Z, -Z)))[:, 0],
    "multilabel_cross_entropy": lambda Z, Y: -np.log(expit(np.where(Y == 1, Z, -Z))).mean(axis=1),
    "mse": lambda Z, Y: ((Z - Y) ** 2).mean(axis=1),
    "mae": lambda Z, Y: np.abs(Z - Y).mean(axis=1),
    "huber": lambda Z, Y: np.where(np.abs(Z - Y) < 1, (Z - Y) ** 2 / 2, np.abs(Z - Y) - 0.5).mean(axis=1),
    "log_cosh": lambda Z, Y: np.log(np.cosh(Z - Y)).mean(axis=1),
    OWN[0]: lambda Z, Y: ((softmax(Z, axis=1) - Y) ** 2).mean(axis=1),
    OWN[1]: lambda Z, Y: -np.log(softmax(2 * Z, axis=1)[Y == 1]),
}


@every_case
def test_what_is_minimised_and_what_is_predicted(loss, data):
    X, y = data
    model = fitted(loss, data, l2=0.0, label_smoothing=0.0)
    Z, Y = logits(model, X), one_hot(y)
    assert Z.shape[1] == (1 if loss == "binary_cross_entropy" else Y.shape[1])
    whole = OF_A_SAMPLE[loss](Z, Y).mean()
    program = TrainingProgram(model.net_)
    assert program.net.loss == loss
    targets = model._coding.given(model._encode(y, first=False), float)
    inputs = {"X": model.input_scaling_.apply(X, float), program.net.target: targets}
    found, _ = program.gradients({**model.parameters_, **inputs})
    assert found == pytest.approx(whole, rel=1e-10)
    predicted = model.predict(X)
    if y.ndim == 2:
        assert np.array_equal(predicted, (Z - (0.0 if loss == "multilabel_cross_entropy" else 0.5) > 0).astype(int))
    elif Z.shape[1] == 1:
        assert np.array_equal(predicted, model.classes_[(Z[:, 0] > 0).astype(int)])
    else:
        assert np.array_equal(predicted, model.classes_[Z.argmax(axis=1)])
    if loss != "mae":  # medians: a class can be nowhere the greatest
        assert model.score(X, y) > (0.2 if y.ndim == 2 else 0.8)


@every_case
def test_probabilities_are_probabilities_or_refused_with_a_remedy(loss, data):
    X, y = data
    model = fitted(loss, data, max_epochs=3)
    unfitted = MLPClassifier(loss=loss)
    if loss not in LOSSES or loss in VALUES:
        assert not hasattr(model, "predict_proba") and not hasattr(model, "predict_log_proba")
        assert not hasattr(unfitted, "predict_proba")
        other = "multilabel" if y.ndim == 2 else "softmax"
        with pytest.raises(AttributeError, match=f"are no probabilities\n.*loss='{other}_cross_entropy'") as error:
            model.predict_proba(X)
        assert isinstance(error.value, ByhandError) and loss[:20] in str(error.value)
        return
    P, Z = model.predict_proba(X), logits(model, X)
    if y.ndim == 2:
        np.testing.assert_allclose(P, expit(Z), rtol=1e-12)
    elif Z.shape[1] == 1:
        np.testing.assert_allclose(P, np.hstack([expit(-Z), expit(Z)]), rtol=1e-9, atol=1e-15)
    elif loss == "multilabel_cross_entropy":
        np.testing.assert_allclose(P, expit(Z) / expit(Z).sum(axis=1, keepdims=True), rtol=1e-12)
    else:
        np.testing.assert_allclose(P, softmax(Z, axis=1), rtol=1e-12)
    assert P.shape == (len(X), len(model.classes_)) and (P >= 0).all() and (P <= 1).all()
    if y.ndim == 1:
        np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-14)
        assert np.array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(P))
    with pytest.raises(NotFittedError):
        unfitted.predict_proba(X)


def test_far_away_samples_have_probabilities_too():
    model = fitted("multilabel_cross_entropy", NAMED, max_epochs=2)
    model.parameters_["b2"] = np.full(3, -1e6)  # every sigmoid is zero
    P = model.predict_proba(NAMED[0])
    assert np.allclose(P, 1 / 3, rtol=1e-12) and (model.predict(NAMED[0]) == "setosa").all()


@every_case
def test_weights_stopping_saving_and_going_on(loss, data, tmp_path):
    X, y = data
    twice = np.arange(len(X)) % 3 != 0
    options = {"optimizer": "lbfgs", "max_epochs": 5, "l2": 0.01, "label_smoothing": 0.0}
    weighted = MLPClassifier((7,), loss=loss, random_state=0, **options).fit(X, y, sample_weight=1.0 + twice)
    repeated = fitted(loss, (np.vstack([X, X[twice]]), np.concatenate([y, y[twice]])), **options)
    np.testing.assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-4, atol=1e-6)

    model = fitted(loss, data, early_stopping=True, patience=3, max_epochs=6, dtype="float32")
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) > 0
    assert np.isfinite(model.validation_loss_curve_).all() and 0 <= min(model.validation_scores_) <= 1
    model = MLPClassifier((7,), loss=loss, random_state=0, max_epochs=3, l2=0.0).fit(X, y, validation_data=data)
    best = OF_A_SAMPLE[loss](logits(model, X), one_hot(y)).mean()  # without smoothing
    assert min(model.validation_loss_curve_) == pytest.approx(best, rel=1e-10)

    whole = fitted(loss, data, max_epochs=2)
    whole.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.loss == loss and np.array_equal(again.predict(X), whole.predict(X))
    assert hasattr(again, "predict_proba") == hasattr(whole, "predict_proba")
    whole.partial_fit(X, y)
    again.partial_fit(X, y)
    whole.set_params(warm_start=True, max_epochs=1).fit(X, y)
    again.set_params(warm_start=True, max_epochs=1).fit(X, y)
    assert all(v.shape == again.parameters_[n].shape for n, v in whole.parameters_.items())
    other = MLPClassifier((7,), loss=loss, random_state=0).partial_fit(
        X, y, classes=None if y.ndim == 2 else np.unique(y)
    )
    assert len(other.loss_curve_) == 1
    for network in (whole, again):
        changed = "huber" if loss != "huber" else "mse"
        with pytest.raises(ValueError, match=f"training goes on from a network with {loss[:4]}"):
            network.set_params(loss=changed).fit(X, y)
        with pytest.raises(ValueError, match="training goes on"):
            network.partial_fit(X, y)


@every_case
def test_onnx(loss, data, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    X, _ = data
    model = fitted(loss, data, max_epochs=3)
    model.to_onnx(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"X": X}), strict=True))
    assert np.array_equal(found.pop("label"), model.predict(X))
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(found.pop("probabilities"), model.predict_proba(X), atol=1e-6)
    else:
        np.testing.assert_allclose(found.pop("outputs"), logits(model, X), atol=1e-5)
    assert not found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "multilabel_cross_entropy", "mse", OWN[0]])
def test_check_estimator_passes_whole(loss):
    results = check_estimator(MLPClassifier(loss=loss), on_skip=None, on_fail=None)
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "raw_logit_nll", "mse", *OWN])
@pytest.mark.filterwarnings("ignore::byhand.nets.losses.LossWarning")
def test_rows_on_disk(tmp_path, loss):
    X, y = CANCER
    np.savez(tmp_path / "d.npz", X=X, y=y)
    options = {"loss": loss, "max_epochs": 2, "random_state": 0, "batch_size": 31, "engine": "numpy", "l2": 0.01}
    rows = read(str(tmp_path / "d.npz"), None, stream=True)
    a, b = MLPClassifier((7,), **options).fit(rows.X, rows.y), MLPClassifier((7,), **options).fit(X, y)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-8)
    assert np.array_equal(a.predict(X), b.predict(X))


@pytest.mark.parametrize("engine", ["numpy", "jax", "c"])
def test_raw_logits_are_warned_about_on_every_engine(engine):
    with pytest.warns(LossWarning, match="raw_logit_nll is not a likelihood"):
        model = fitted("raw_logit_nll", NAMED, max_epochs=2, engine=engine)
    Z = logits(model, NAMED[0])
    assert np.array_equal(model.predict(NAMED[0]), model.classes_[Z.argmax(axis=1)])
    np.testing.assert_allclose(model.predict_proba(NAMED[0]), softmax(Z, axis=1), rtol=1e-10)
    newton = pytest.raises(ByhandError, match="raw_logit_nll has second derivative zero")
    with newton, pytest.warns(LossWarning):
        MLPClassifier(loss="raw_logit_nll", solver="newton").fit(*IRIS)


def test_auto_and_smoothing():
    assert fitted("auto", NAMED, max_epochs=1).net_.loss == "softmax_cross_entropy"
    assert fitted("auto", LABELS, max_epochs=1).net_.loss == "multilabel_cross_entropy"
    same = fitted("auto", NAMED, max_epochs=2), fitted("cross_entropy", NAMED, max_epochs=2)
    assert np.array_equal(same[0].coefs_[0], same[1].coefs_[0])
    for loss, changes in (("softmax_cross_entropy", True), ("mse", False), (OWN[0], False)):
        a, b = (fitted(loss, NAMED, max_epochs=1, label_smoothing=s) for s in (0.0, 0.3))
        assert np.array_equal(a.coefs_[0], b.coefs_[0]) is not changes


def test_balanced_weights_and_scorers_with_one_output():
    X, y = CANCER
    few = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:17]])
    a, b = (fitted("binary_cross_entropy", (X[few], y[few]), class_weight=w, max_epochs=9) for w in (None, "balanced"))
    recall = get_scorer("recall")
    assert recall(a, X, 1 - y) != recall(b, X, 1 - y) or not np.array_equal(a.coefs_[0], b.coefs_[0])
    assert get_scorer("roc_auc")(b, X, y) > 0.95 and get_scorer("neg_log_loss")(b, X, y) > -0.5
    stopped = fitted("binary_cross_entropy", CANCER, early_stopping=True, monitor="roc_auc", max_epochs=3)
    assert min(stopped.validation_scores_) > 0.5


WRONG = [
    ("poisson", IRIS, "the parameter loss.*poisson is a loss of counts"),
    ("squared_hinge", IRIS, "the parameter loss.*unknown loss squared_hinge"),
    (3, IRIS, "the parameter loss.*not a int"),
    ("mean(Z)", IRIS, "the parameter loss.*an expression in the logits Z and the targets"),
    ("binary_cross_entropy", IRIS, "is for two classes, and y has 3 classes\\..*\n.*softmax_cross_entropy"),
    ("binary_cross_entropy", (IRIS[0][:50], IRIS[1][:50]), "is for two classes, and y has 1 class\\."),
    ("binary_cross_entropy", LABELS, "is for two classes, and y has 3 labels for each sample\n.*multilabel_cross"),
    ("softmax_cross_entropy", LABELS, "for one class of several, and y has 3 labels"),
    ("raw_logit_nll", LABELS, "for one class of several, and y has 3 labels"),
    (OWN[0], LABELS, "does not say from where on an output means 1"),
]


@pytest.mark.parametrize("loss, data, words", WRONG, ids=[f"{n} {d[1].shape}" for n, d, _ in WRONG])
def test_what_does_not_fit_is_refused(loss, data, words):
    model = MLPClassifier((3,), loss=loss, max_epochs=1)
    with pytest.raises(ValueError, match=words) as error:
        model.fit(*data)
    assert isinstance(error.value, ByhandError)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_labels_are_no_values():
    with pytest.raises(ValueError, match="y are the labels of classes"):
        MLPRegressor(loss=OWN[1]).fit(IRIS[0], IRIS[1])


@pytest.mark.parametrize("loss", ["mean(sum((Z - Y)**2, axis=1))", "mean(cross_entropy(2*Z, y))",
                                  "mean(logsumexp(Z, axis=1) - Z[arange(N), y])", "mean(abs(Z - Y)**3)"])  # fmt: skip
def test_weights_of_a_loss_of_ones_own_weigh_its_samples(loss):
    rng, N = np.random.default_rng(0), 11
    nets = [TrainedMLP("5-7-3", loss=loss, weighted=w) for w in (True, False)]
    weighted, plain = map(TrainingProgram, nets)
    values = nets[0].init(0)
    data = {"X": rng.standard_normal((N, 5)), "y": rng.integers(0, 3, N), "s": rng.uniform(0.5, 2, N)}
    data["Y"] = np.eye(3)[data["y"]]
    each = [plain.gradients(values | {n: data[n][[k]] for n in plain.data})[0] for k in range(N)]
    found = weighted.gradients(values | data)[0]
    assert found == pytest.approx(np.mean(data["s"] * each), rel=1e-12)


def test_weights_need_a_mean_over_the_samples():
    X, y = IRIS
    with pytest.raises(ByhandError, match="sample weights need a loss that is a sum or mean of losses"):
        MLPClassifier(loss="sqrt(mean((Z - Y)**2))").fit(X, y, sample_weight=np.arange(1.0, 151))


def command(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.mark.parametrize("data, loss", [("breast_cancer", "binary_cross_entropy"), ("iris", OWN[0]), ("iris", "mse"),
                                        ("diabetes", "huber"), ("diabetes", "mean(abs(Z - Y)**3)")])  # fmt: skip
def test_the_loss_of_the_command(tmp_path, data, loss):
    found = command("train", data, "--loss", loss, "-o", tmp_path / "m", "--json", "--hidden", 7, "--epochs", 9,
                    "--report", tmp_path / "r.html")  # fmt: skip
    assert found.exit_code == 0, found.output
    result, model = json.loads(found.stdout), load(tmp_path / "m")
    assert model.loss == loss == model.net_.loss and result["net"].endswith("-1") is (loss not in (OWN[0], "mse"))
    assert "checked: " in result["check"]
    assert found.stderr == "".join(f"Warning: {sentence}\n" for sentence in result["verdict"])
    proba = command("predict", tmp_path / "m", data, "--proba")
    if loss == "binary_cross_entropy":
        assert proba.exit_code == 0 and proba.stdout.startswith("0,1\n")
    else:
        assert proba.exit_code == 2 and proba.stdout == ""
        assert ("predict gives the classes" if data == "iris" else "predicts numbers") in proba.stderr


def test_what_the_command_refuses_and_warns_about(tmp_path):
    found = command("train", "iris", "--loss", "poisson", "-o", tmp_path / "m")
    assert found.exit_code == 2 and "poisson is a loss of counts" in found.stderr
    found = command("train", "diabetes", "--loss", "softmax_cross_entropy", "-o", tmp_path / "m")
    assert found.exit_code == 2 and "softmax_cross_entropy takes numbers from 0 to 1" in found.stderr
    assert not (tmp_path / "m").exists()
    found = command("train", "iris", "--loss", "raw_logit_nll", "--epochs", 2, "-o", tmp_path / "m")
    assert found.exit_code == 0 and found.stderr.count("raw_logit_nll is not a likelihood") == 1

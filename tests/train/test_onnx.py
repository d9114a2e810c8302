"""ONNX export: onnxruntime predicts what the model predicts."""

import json

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("sklearn")
from click.testing import CliRunner
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError

from byhand.cli.main import cli
from byhand.errors import DataError
from byhand.expr.functions import FUNCTIONS
from byhand.train.estimators import MLPClassifier, MLPRegressor

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
SINGLE = {
    "erf",
    "gelu",
    "normal_cdf",
    "normal_pdf",
    "sin",
    "cos",
    "tan",
    "arctan",
    "sinh",
    "cosh",
    "arcsinh",
    "arcsin",
    "arccos",
}
# of range too narrow, or without a gradient, for a hidden layer
NOT_TRAINED = {
    "log",
    "log1p",
    "arcsin",
    "arccos",
    "sign",
    "step",
    "nonnegative",
    "tan",
    "sinh",
    "cosh",
    "exp",
    "expm1",
    "huber",
    "logcosh",
}


def run(path, X, exact=True):
    options = onnxruntime.SessionOptions()
    if exact:  # optimised, it fuses factors of products in single precision
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize(
    "activation",
    [
        *(n for n in FUNCTIONS if n not in NOT_TRAINED),
        "softmax",
        "identity",
        "z*sigmoid(1.702*z)",
        "exp(-z**2)",
        "log1p(z**2)",
    ],
)
def test_every_activation(tmp_path, activation, dtype, tolerance):
    X, y = IRIS
    model = MLPClassifier((7, 5), activation, max_epochs=3, random_state=0, dtype=dtype).fit(X, y)
    model.to_onnx(tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", X[:31].astype(dtype))
    if activation in SINGLE:
        tolerance = 1e-5
    fused = run(tmp_path / "m.onnx", X[:31].astype(dtype), exact=False)
    assert np.allclose(fused["probabilities"], found["probabilities"], rtol=0, atol=1e-5)
    assert np.array_equal(found["label"], model.predict(X[:31].astype(dtype)))
    assert np.allclose(found["probabilities"], model.predict_proba(X[:31].astype(dtype)), rtol=0, atol=tolerance)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [5, 3, 9], [0.5, 1.5, 2.5], [True, False, True]], ids=str)
def test_classes_of_any_kind(tmp_path, labels):
    X, y = IRIS
    model = MLPClassifier((5,), max_epochs=2, random_state=0).fit(
        X, [str(labels[k]) if isinstance(labels[k], float) else labels[k] for k in y]
    )
    model.to_onnx(tmp_path / "m.onnx")
    assert run(tmp_path / "m.onnx", X)["label"].tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("options", [{}, {"loss": "poisson"}, {"bias": False, "standardize": False}], ids=str)
@pytest.mark.parametrize("columns", [1, 3])
def test_regressors(tmp_path, options, columns):
    X, y = DIABETES
    Y = y if columns == 1 else np.column_stack([y, 2 * y, y + 7])
    model = MLPRegressor((5,), max_epochs=2, random_state=0, **options).fit(X, Y)
    model.to_onnx(tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", X)["prediction"]
    assert np.allclose(found, model.predict(X).reshape(len(X), -1), rtol=1e-12)


def test_multilabel(tmp_path):
    X, Y = make_multilabel_classification(60, 5, random_state=0)
    model = MLPClassifier((5,), max_epochs=2, random_state=0).fit(X, Y)
    model.to_onnx(tmp_path / "m.onnx")
    found = run(tmp_path / "m.onnx", X)
    assert np.array_equal(found["label"], model.predict(X)) and np.allclose(
        found["probabilities"], model.predict_proba(X)
    )


def test_the_command_and_what_goes_wrong(tmp_path):
    def called(*arguments):
        return CliRunner().invoke(cli, [str(a) for a in arguments])

    assert called("train", "iris", "-o", tmp_path / "m.safetensors", "--epochs", 2, "--json").exit_code == 0
    assert called("export", tmp_path / "m.safetensors").exit_code == 0
    expected = json.loads(called("predict", tmp_path / "m.safetensors", "iris", "--json").stdout)["predictions"]
    assert run(tmp_path / "m.onnx", IRIS[0])["label"].tolist() == expected
    failed = called("export", tmp_path / "m.onnx")
    assert failed.exit_code == 2 and "not a whole model" in failed.stderr
    assert called("export", tmp_path / "m.safetensors", "-o", tmp_path / "no" / "m.onnx").exit_code == 2
    with pytest.raises(NotFittedError):
        MLPClassifier().to_onnx(tmp_path / "x.onnx")
    with pytest.raises(DataError, match="cannot write"):
        MLPClassifier((3,), max_epochs=1).fit(*IRIS).to_onnx(tmp_path / "no" / "x.onnx")

"""Twenty seeded fits, for each engine: small networks that between them use every part of a training step.

`python tests/train/seeded_fits.py` writes what they end at to seeded_fits.json; test_seeded_fits.py compares.
"""

import json
import warnings
from pathlib import Path

import numpy as np

import byhand

RECORD = Path(__file__).with_suffix(".json")
ENGINES = ("numpy", "jax", "c")
CLASSES, VALUES, LABELS = "classes", "values", "labels"
FITS = [
    (CLASSES, dict(hidden_layer_sizes=(7,))),
    (CLASSES, dict(hidden_layer_sizes=(7, 5), activation="tanh", optimizer="sgd")),
    (CLASSES, dict(hidden_layer_sizes=(7, 5, 4), activation=["gelu", "silu", "elu"], optimizer="momentum")),
    (CLASSES, dict(hidden_layer_sizes=(), optimizer="nesterov")),
    (CLASSES, dict(hidden_layer_sizes=(7,), activation="softmax", optimizer="rmsprop")),
    (CLASSES, dict(hidden_layer_sizes=(7, 3), activation="identity", optimizer="adamw", bias=False)),
    (CLASSES, dict(hidden_layer_sizes=(7,), dropout=0.3)),
    (CLASSES, dict(hidden_layer_sizes=(7, 5), activation="sigmoid", dropout=0.5, class_weight="balanced")),
    (CLASSES, dict(hidden_layer_sizes=(7,), label_smoothing=0.1, l2=0.02)),
    (CLASSES, dict(hidden_layer_sizes=(7,), clip_norm=0.05, optimizer="sgd", schedule="cosine")),
    (CLASSES, dict(hidden_layer_sizes=(7,), activation="z*sigmoid(1.702*z)", class_weight={0: 1, 1: 3, 2: 0.5})),
    (CLASSES, dict(hidden_layer_sizes=(5,), activation="selu", dtype="float32")),
    (LABELS, dict(hidden_layer_sizes=(6,), activation="softplus", class_weight="balanced")),
    (LABELS, dict(hidden_layer_sizes=(6,), activation="leaky_relu", optimizer="sgd")),
    (VALUES, dict(hidden_layer_sizes=(7,))),
    (VALUES, dict(hidden_layer_sizes=(7, 5), loss="huber", activation="tanh", clip_norm=0.5)),
    (VALUES, dict(hidden_layer_sizes=(7,), loss="mae", optimizer="momentum", l2=0.01)),
    (VALUES, dict(hidden_layer_sizes=(7,), loss="log_cosh", dropout=0.2, batch_size=60)),
    (VALUES, dict(hidden_layer_sizes=(7,), loss="mean(abs(Z - Y)**3)", activation="sigmoid")),
    (VALUES, dict(hidden_layer_sizes=(), loss="poisson", optimizer="sgd", learning_rate=0.01)),
]  # fmt: skip


def fitted(kind, options, engine):
    """The model of one fit."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((60, 4))
    scores = X @ rng.standard_normal((4, 3)) + 0.2 * rng.standard_normal((60, 3))
    targets = {CLASSES: scores.argmax(axis=1), LABELS: (scores > 0.3).astype(int), VALUES: np.abs(scores[:, :2])}[kind]
    estimator = byhand.MLPRegressor if kind == VALUES else byhand.MLPClassifier
    given = {"dtype": "float64", "batch_size": 17, "max_epochs": 4, "random_state": 1, **options}
    if kind != VALUES:
        given = {"label_smoothing": 0.05, **given}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator(engine=engine, **given).fit(X, targets)


def digest(model):
    """Each parameter's projection on a direction that has all frequencies, and its norm; the last loss."""
    found = {"loss": float(model.loss_curve_[-1])}
    for name, value in model.parameters_.items():
        wave = np.cos(1.7 * np.arange(value.size) ** 1.3)
        found[name] = [float(value.astype(float).ravel() @ wave), float(np.linalg.norm(value.astype(float)))]
    return found


if __name__ == "__main__":
    record = {engine: [digest(fitted(*fit, engine)) for fit in FITS] for engine in ENGINES}
    rounded = json.loads(json.dumps(record), parse_float=lambda x: float(f"{float(x):.11g}"))
    lines = (f'"{engine}": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]" for engine, rows in rounded.items())
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")

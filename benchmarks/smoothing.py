"""What label smoothing does to probabilities: log-loss, calibration error, Brier score and accuracy over twelve sets of data.

    python benchmarks/smoothing.py [--quick]

Each setting is fitted on the same five folds of each set and scored on the rows that were left out, all else at its default.
Calibration error: the mean over samples of |share that is right − confidence| in tenths of the confidence.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_classification, make_moons
from sklearn.model_selection import StratifiedKFold

from byhand import MLPClassifier

SETTINGS = (0.0, 0.01, 0.02, 0.05, 0.1)


def sets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    def made(seed: int, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return make_classification(random_state=seed, **options)

    digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 6))
    chance = 1 / (1 + np.exp(-(X[:, 0] + X[:, 1] ** 2 - 1)))
    return {
        "iris": load_iris(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "breast_cancer": load_breast_cancer(return_X_y=True),
        "digits": (digits[0][:900], digits[1][:900]),
        "made, 2 classes": made(1, n_samples=600, n_features=20, n_informative=5),
        "made, 5 classes": made(2, n_samples=900, n_features=20, n_informative=8, n_classes=5),
        "made, flipped labels": made(3, n_samples=600, n_features=15, n_informative=5, flip_y=0.2),
        "made, unbalanced": made(4, n_samples=900, n_features=12, n_informative=5, weights=[0.9]),
        "moons": make_moons(500, noise=0.3, random_state=5),
        "chance": (X, (rng.uniform(size=800) < chance).astype(int)),
        "noise alone": (rng.normal(size=(400, 8)), rng.integers(0, 2, 400)),
        "made, easy": made(6, n_samples=500, n_features=10, n_informative=6, class_sep=2.0, flip_y=0.0),
    }


def scores(X: np.ndarray, y: np.ndarray, smoothing: float, folds: int) -> np.ndarray:
    """Log-loss, calibration error, Brier score, accuracy of the rows left out."""
    P, classes = np.zeros((len(y), len(np.unique(y)))), np.unique(y)
    for training, rest in StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y):
        model = MLPClassifier(label_smoothing=smoothing, random_state=0, engine="numpy").fit(X[training], y[training])
        P[rest] = model.predict_proba(X[rest])
    hits = y[:, None] == classes
    p, sure, right = P[hits], P.max(axis=1), hits[np.arange(len(y)), P.argmax(axis=1)]
    tenth = np.clip((sure * 10).astype(int), 0, 9)
    gap = sum(abs(right[tenth == k].mean() - sure[tenth == k].mean()) * (tenth == k).mean() for k in np.unique(tenth))
    return np.array([-np.log(np.maximum(p, 1e-300)).mean(), gap, ((P - hits) ** 2).sum(axis=1).mean(), right.mean()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two folds, three sets")
    quick = parser.parse_args().quick
    chosen = dict(list(sets().items())[: 3 if quick else None])
    found = {name: [scores(X, y, s, 2 if quick else 5) for s in SETTINGS] for name, (X, y) in chosen.items()}
    print("| log-loss of rows left out | " + " | ".join(f"{s:g}" for s in SETTINGS) + " |")
    print("|---|" + "---:|" * len(SETTINGS))
    for name, rows in found.items():
        best = min(r[0] for r in rows)
        print(f"| {name} | " + " | ".join(f"**{r[0]:.4f}**" if r[0] == best else f"{r[0]:.4f}" for r in rows) + " |")
    table = np.array(list(found.values()))
    for k, word in enumerate(("log-loss", "calibration error", "Brier score", "accuracy")):
        print(f"| *{word}, mean of the sets* | " + " | ".join(f"{v:.4f}" for v in table[:, :, k].mean(axis=0)) + " |")


if __name__ == "__main__":
    main()

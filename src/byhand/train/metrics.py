"""How good a model is: its scores, those of a model that looks at no feature, and what their difference says."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
Scores = dict[str, float]
FAR = {"accuracy": 0.1, "r2": 0.2}  # a training score so much above that of the test is far above it
HARDLY = 0.005  # an error smaller by so little is no smaller: the mean itself is found to rounding only
SHOWN = 5  # classes that a sentence names


def metrics_of(model: Any, X: Any, y: Array) -> Scores:
    """Scores of a fitted model.

    Args:
        model: a classifier or regressor of byhand.
        X: (N, features), an array or rows on disk.
        y: the true targets, (N,) or (N, outputs).
    Returns:
        Of classes accuracy and balanced accuracy (the mean over the classes in y of the share that is found), the mean of
        −log of the probability of the true class, the Brier score (the mean of the squared errors of the probabilities,
        summed over the classes; of two classes that of the second), and the area under the ROC curve (of more than two
        classes the mean of each against the rest); of several labels the share of samples whose labels are all right. Of
        numbers the root mean square and mean absolute error, and R².
    """
    predicted = model.predict(X)
    if not hasattr(model, "classes_"):
        return errors_of(y, predicted)
    if y.ndim > 1:
        return {"accuracy": float(np.mean((predicted == y).all(axis=1)))}
    found = accuracies_of(y, predicted)
    known = np.isin(y, model.classes_).all()
    if known and hasattr(model, "predict_proba"):
        from sklearn.metrics import roc_auc_score

        P = model.predict_proba(X)
        p = P[np.arange(len(y)), np.searchsorted(model.classes_, y)]
        found["log_loss"] = float(-np.mean(np.log(np.maximum(p, np.finfo(P.dtype).tiny))))
        hits = y[:, None] == model.classes_[None, :]
        squares = float(np.mean(((P - hits) ** 2).sum(axis=1)))
        found["brier"] = squares / 2 if len(model.classes_) == 2 else squares
        if len(model.classes_) > 1 and hits.any(axis=0).all():
            kept = range(1, 2) if len(model.classes_) == 2 else range(len(model.classes_))
            found["auc"] = float(np.mean([roc_auc_score(hits[:, k], P[:, k]) for k in kept]))
    return found


def accuracies_of(y: Array, predicted: Array) -> Scores:
    """Accuracy and balanced accuracy of predicted classes, (N,)."""
    same = predicted == y
    recalls = [np.mean(same[y == c]) for c in np.unique(y)]
    return {"accuracy": float(np.mean(same)), "balanced_accuracy": float(np.mean(recalls))}


def classes_of(y: Array, predicted: Array, classes: Array) -> list[dict[str, Any]]:
    """Recall and precision of each class.

    Args:
        y, predicted: classes, (N,) each.
        classes: all that there are.
    Returns:
        Of each how many samples there are, the share of them that is found, and of those that are taken for it the share
        that is of it; None where there are none.
    """
    found = []
    for c in classes:
        there, taken = y == c, predicted == c
        both = float(np.sum(there & taken))
        found.append(
            {
                "class": c.item() if isinstance(c, np.generic) else c,
                "samples": int(there.sum()),
                "recall": both / float(there.sum()) if there.any() else None,
                "precision": both / float(taken.sum()) if taken.any() else None,
            }
        )
    return found


def errors_of(y: Array, predicted: Array) -> Scores:
    """Errors of predicted numbers, (N,) or (N, outputs)."""
    from sklearn.metrics import r2_score

    difference = predicted - y
    found = {"rmse": float(np.sqrt(np.mean(difference**2))), "mae": float(np.mean(np.abs(difference)))}
    return found | ({"r2": float(r2_score(y, predicted))} if len(y) > 1 else {})


def baseline_of(model: Any, y_training: Array, y: Array) -> tuple[str, Scores] | None:
    """What always the same prediction is worth, learnt on the targets of the training: its words, its scores on y.

    Of classes the commonest one, of numbers the mean, of the loss "mae" the median; None of several labels.
    """
    if hasattr(model, "classes_"):
        if y.ndim > 1:
            return None
        classes, counts = np.unique(y_training, return_counts=True)
        commonest = classes[counts.argmax()]
        return f"always {commonest}", accuracies_of(y, np.full(len(y), commonest))
    median = getattr(model, "loss", "") == "mae"
    value = np.median(y_training, axis=0) if median else np.mean(y_training, axis=0)
    numbers = ", ".join(f"{v:.6g}" for v in np.atleast_1d(value)[:SHOWN])
    return f"always the {'median' if median else 'mean'}, {numbers}", errors_of(y, np.broadcast_to(value, y.shape))


def verdict(
    model: Any, X: Any, y: Array, scores: Scores, training: Scores, baseline: tuple[str, Scores] | None
) -> list[str]:
    """What the scores of a model on X, y say against it, in sentences; none where they say nothing.

    Args:
        model: fitted.
        X, y: the samples of the test; those of the training where there are no others.
        scores, training: on X, y and on the training samples.
        baseline: see `baseline_of`.
    """
    found = []
    if baseline is not None:
        words, least = baseline
        name = "accuracy" if "accuracy" in scores else "mae" if "median" in words else "rmse"
        better = scores[name] > least[name] if name == "accuracy" else scores[name] < (1 - HARDLY) * least[name]
        if not better:
            label = name.replace("rmse", "root mean square error").replace("mae", "mean absolute error")
            found.append(f"the model is no better than {words}: {label} {scores[name]:.4g}, and {least[name]:.4g} so")
    if hasattr(model, "classes_") and y.ndim == 1:
        classes, counts = np.unique(y, return_counts=True)
        never = [k for k, there in enumerate(np.isin(classes, model.predict(X))) if not there]
        if never:
            listed = ", ".join(f"{classes[k]} ({counts[k]} of {len(y)} samples)" for k in never[:SHOWN])
            more = f" and {len(never) - SHOWN} more" if len(never) > SHOWN else ""
            found.append(f"never predicted: {listed}{more}")
    for name, far in FAR.items():
        if name in scores and name in training:
            score = scores[name]
            if name == "accuracy":
                far = max(far, 2 * (score * (1 - score) / len(y)) ** 0.5)  # two standard deviations of chance
            elif baseline is not None and baseline[1]["rmse"] > 0:  # of the training's mean, as for the training
                score = 1 - (scores["rmse"] / baseline[1]["rmse"]) ** 2
            if training[name] - score > far:
                label = "R²" if name == "r2" else name
                found.append(
                    f"{label} is {training[name]:.4f} on the training samples and {scores[name]:.4f} on those of the test: "
                    "the model has learnt what does not carry over"
                )
    return found


__all__ = ["baseline_of", "classes_of", "metrics_of", "verdict"]

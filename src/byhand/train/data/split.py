"""Which rows of the data are for training and which for the test, before anything is learnt of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.errors import DataError
from byhand.train.data.table import MOST_CLASSES, is_classification


class Split:
    """Which rows are for training: by the targets alone, before anything is learnt of the features.

    Args:
        task: "auto", "classify" or "regress".
        share: of the rows, kept for the test.
        seed: of the draw.
    """

    def __init__(self, task: str, share: float, seed: int) -> None:
        self.task, self.share, self.seed = task, share, seed
        self.training: Any = None
        self.test: Any = None

    def __call__(self, y: Any) -> Any:
        """The places of the training rows, in the order in which they are learnt from.

        Raises: DataError: too few rows to keep some.
        """
        from sklearn.model_selection import train_test_split

        places = np.arange(len(y))
        self.training, self.test = places, places[:0]
        if self.share > 0:
            if len(y) < 2:
                raise DataError("one sample is too few to keep some for the test", "--test 0")
            how = {"test_size": self.share, "random_state": self.seed}
            classes = y if self.classify(y) and y.ndim == 1 else None
            try:
                self.training, self.test = train_test_split(places, stratify=classes, **how)
            except ValueError:  # a class with one sample
                self.training, self.test = train_test_split(places, **how)
        return self.training

    def classify(self, y: Any) -> bool:
        """Whether the targets are classes.

        Raises: DataError: they are texts, and numbers are wanted; or nearly all different.
        """
        found = self.task == "classify" or (self.task == "auto" and is_classification(y))
        if self.task == "auto" and y.dtype.kind not in "fiub" and y.ndim == 1:
            different = len(np.unique(y))
            if different > max(MOST_CLASSES, len(y) / 2):
                message = f"the target has {different} different texts in {len(y)} rows, such as {str(y[0])[:40]!r}: no classes"
                raise DataError(message, "--task classify takes them for classes")
        if not found and y.dtype.kind not in "fiub":
            raise DataError(f"the target holds texts such as {str(y[0])[:40]!r}: no numbers", "--task classify")
        return found


class Fold(Split):
    """One fold of several: its rows are the test, all others the training.

    Args:
        task: "auto", "classify" or "regress".
        folds: how many there are.
        number: of this one, from 0.
        seed: of the draw.
    """

    def __init__(self, task: str, folds: int, number: int, seed: int) -> None:
        super().__init__(task, 1 / folds, seed)
        self.folds, self.number = folds, number

    def __call__(self, y: Any) -> Any:
        """The places of the training rows.

        Raises: DataError: fewer rows than folds.
        """
        from sklearn.model_selection import KFold, StratifiedKFold

        if len(y) < self.folds:
            raise DataError(f"{len(y)} samples are too few for {self.folds} folds", f"--cv {max(2, len(y))}")
        classes = self.classify(y) and y.ndim == 1 and np.unique(y, return_counts=True)[1].min() >= self.folds
        kind = StratifiedKFold if classes else KFold
        parts = list(
            kind(self.folds, shuffle=True, random_state=self.seed).split(np.zeros(len(y)), y if classes else None)
        )
        self.training, self.test = parts[self.number]
        return self.training


__all__ = ["Fold", "Split"]

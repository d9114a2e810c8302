"""The two estimators: `MLPClassifier` and `MLPRegressor`."""

from byhand.train.classifier import MLPClassifier as MLPClassifier
from byhand.train.regressor import MLPRegressor as MLPRegressor

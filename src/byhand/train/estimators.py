"""The estimators: of arrays `MLPClassifier` and `MLPRegressor`, of tables `TableClassifier` and `TableRegressor`."""

from byhand.train.classifier import MLPClassifier as MLPClassifier
from byhand.train.regressor import MLPRegressor as MLPRegressor
from byhand.train.tables import TableClassifier as TableClassifier
from byhand.train.tables import TableRegressor as TableRegressor

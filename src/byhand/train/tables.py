"""Estimators of tables: a data frame as it is, with texts, dates and gaps, by the plan that `byhand train` makes of a file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_y, check_consistent_length, check_is_fitted, validate_data

from byhand.errors import DataError
from byhand.train.classifier import MLPClassifier
from byhand.train.data.blocks import How, read_table
from byhand.train.data.cells import Notation
from byhand.train.data.frames import Frame, frame_of, is_frame
from byhand.train.data.plan import features_of, told
from byhand.train.data.reading import Reading, restored
from byhand.train.parameters import ParameterError, arguments_named
from byhand.train.regressor import MLPRegressor

Array = Any
Kind = TypeVar("Kind", bound=type)


class TableError(ParameterError):
    """A table that cannot be learnt from as it is; a ValueError too, as scikit-learn has it."""


class PlanNote(UserWarning):
    """A column that was left out, or could be something else."""


def of_tables(constructor: Callable[..., None]) -> Callable[..., None]:
    """The constructor with the parameters of tables after its own."""
    own = signature(constructor)
    words = {name: Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in _DEFAULTS.items()}

    @wraps(constructor)
    def called(self: Any, *arguments: Any, **named: Any) -> None:
        for name, value in _DEFAULTS.items():
            setattr(self, name, named.pop(name, value))
        constructor(self, *arguments, **named)

    called.__signature__ = own.replace(parameters=[*own.parameters.values(), *words.values()])  # type: ignore[attr-defined]
    return called


_DEFAULTS: dict[str, Any] = {
    "drop": (), "features": (), "categories": (), "unknown": "error", "decimal": ".", "thousands": "", "dates": None,
    "na": (), "impute": True,
}  # fmt: skip


class _Table:
    """What reads a table: its columns are described once, and are the same features ever after."""

    drop: Sequence[str]
    features: Sequence[str]
    categories: Sequence[str]
    unknown: str
    decimal: str
    thousands: str
    dates: str | None
    na: Sequence[str]
    impute: bool
    table_: dict[str, Any]

    def _reading(self) -> Reading:
        """What the parameters say about the table.

        Raises: TableError: they contradict each other.
        """
        lists = {name: getattr(self, name) for name in ("drop", "features", "categories", "na")}
        for name, value in lists.items():
            if isinstance(value, str) or not all(isinstance(v, str) for v in value):
                raise TableError(f"the parameter {name} is {value!r}: a list of texts", f"{name}=['a', 'b']")
        for name, known in (("unknown", ("error", "other")), ("dates", (None, "dmy", "mdy"))):
            if getattr(self, name) not in known:
                words = " or ".join(map(repr, known))
                raise TableError(f"the parameter {name} is {getattr(self, name)!r}: {words}")
        drop, features, categories, na = (tuple(v) for v in lists.values())
        both = sorted(set(drop) & {*features, *categories})
        if both:
            raise TableError(f"the column {both[0]} is to be left out and to be taken", f"drop without {both[0]!r}")
        chosen = (*features, *(c for c in categories if features and c not in features))
        notation = Notation(self.decimal, self.thousands, frozenset(n.lower() for n in na))
        return Reading(bool(self.impute), drop, chosen, categories, self.unknown, notation, self.dates or "")

    def _described(self, X: Any, reset: bool) -> Array:
        """The features (N, features) as numbers; `reset` makes the plan anew.

        Raises: TableError: what does not fit, and its row and column.
        """
        X = self._checked(X, reset)
        with _said_in_python(X):
            frame = frame_of(X)
            if not reset:
                return self._made(frame, self.table_, restored(self.table_))
            reading = self._reading()
            named = is_frame(X)
            if not named and frame.only_numbers and not reading.features:
                kept = tuple(n for n in frame.names if n not in reading.drop)
                reading = Reading(
                    **{**reading.__dict__, "features": kept}
                )  # an array's columns were chosen by somebody
            data = read_table(frame, None, None, How(reading, stream=False))
            self.table_ = {**data.table, "target": None}  # type: ignore[dict-item]
        for column in (*self.table_["left_out"], *self.table_["columns"]):
            if column.get("note") and named:
                words = _in_python(f"column {column['name']}: {column['note']}", frame.names)
                warnings.warn(words, PlanNote, stacklevel=4)
        return data.X

    def _made(self, frame: Frame, table: dict[str, Any], reading: Reading) -> Array:
        data = read_table(frame, None, table, How(reading, stream=False))
        return data.X

    def _checked(self, X: Any, reset: bool) -> Any:
        """X as scikit-learn checks it: an array of rows and columns, or a table with the columns that were learnt from."""
        if is_frame(X):
            if hasattr(X, "shape"):
                validate_data(self, X, reset=reset, skip_check_array=True)
            elif reset:
                self.n_features_in_ = len(X)
            return X
        X = X if hasattr(X, "dtype") else np.asarray(X)
        return validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False)

    @property
    def plan_(self) -> str:
        """What each column is taken for, and which are left out: as `byhand train` prints it."""
        check_is_fitted(self, "table_")
        names = [c["name"] for c in (*self.table_["columns"], *self.table_["left_out"])]
        return "\n".join(_in_python(line, names) for line in told(self.table_))

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """What the features are called that the columns become: city=Bern, day: weekday."""
        del input_features
        check_is_fitted(self, "table_")
        return np.array([name for c in self.table_["columns"] for name in features_of(c)], object)


@contextmanager
def _said_in_python(X: Any) -> Iterator[None]:
    """Errors of tables as Python has them: options are parameters, and they are a ValueError."""
    try:
        yield
    except TableError:
        raise
    except DataError as error:
        names = [str(n) for n in getattr(X, "columns", X if isinstance(X, dict) else ())] if is_frame(X) else []
        said = (_in_python(line, names) for line in (error.message, *error.details))
        raise TableError(*said) from None


def _in_python(text: str, names: Sequence[str]) -> str:
    """A sentence that names options of the command line, with the parameters of the same words."""
    for name in sorted(names, key=len, reverse=True):
        for option in ("drop", "features", "categories"):
            text = text.replace(f"--{option} {name}", f"{option}=[{name!r}]")
    text = re.sub(r"--na ('[^']*')", r"na=[\1]", text)
    text = re.sub(r"--(decimal|thousands|dates|unknown) (['\"]?)(\S+?| )\2(?=[\s:;,]|$)", r"\1='\3'", text)
    return re.sub(r"--(\w+)", lambda m: "impute=True" if m[1] == "impute" else m[1], text)


def _table_tags(tags: Any) -> Any:
    tags.input_tags.string = tags.input_tags.categorical = tags.input_tags.allow_nan = True
    tags.input_tags.sparse = False
    return tags


class TableEncoder(_Table, TransformerMixin, BaseEstimator):
    """A table as numbers, for any estimator of scikit-learn: what `TableClassifier` does before it trains.

    Numbers stay as they are, categories become a 0/1 column for each value, dates their year, month, day of the week,
    hour and the days since the first; identifiers, constants and texts that nearly all differ are left out, with a
    warning. Gaps get the median, or a category none. `plan_` says what became of each column.

    Args:
        drop: columns that are left out.
        features: the only columns that are taken.
        categories: columns of names, even where they are numbers.
        unknown: a category that training has not: "error", or "other", none of the known ones.
        decimal, thousands: the signs of numbers in texts.
        dates: what 3/4/2020 is: "dmy" or "mdy"; None where no cell leaves it open.
        na: cells that have no value, beside the usual ones.
        impute: whether cells without a value are filled in.
    """

    @arguments_named
    @of_tables
    def __init__(self) -> None:
        pass

    def fit(self, X: Any, y: Any = None) -> TableEncoder:
        """Learn what the columns of X mean.

        Raises: TableError: a column that cannot be a feature.
        """
        del y
        self._described(X, reset=True)
        return self

    def fit_transform(self, X: Any, y: Any = None, **more: Any) -> Array:
        """Learn, and the features of the same rows."""
        del y, more
        return self._described(X, reset=True)

    def transform(self, X: Any) -> Array:
        """The features, (N, features)."""
        check_is_fitted(self, "table_")
        return self._described(X, reset=False)

    def __sklearn_tags__(self) -> Any:
        return _table_tags(super().__sklearn_tags__())


class _TableEstimator(_Table):
    """A network whose samples are the rows of a table."""

    def _validated(self, X: Any, y: Array, reset: bool) -> tuple[Array, Array]:
        if y is None:
            raise TableError("y, the targets, are None", "requires y to be passed, but the target y is None")
        found = self._described(X, reset)
        y = _check_y(y, multi_output=True, y_numeric=self._numeric(), estimator=self)  # type: ignore[attr-defined]
        check_consistent_length(found, y)
        return found, y

    def _samples(self, X: Any) -> Array:
        return self._described(X, reset=False)

    @property
    def network_(self) -> Any:
        """The `MLPClassifier` or `MLPRegressor` that takes the features as numbers: what ONNX and `byhand predict` use."""
        check_is_fitted(self, "parameters_")
        kind: Any = next(c for c in type(self).__mro__ if not issubclass(c, _Table))
        made = kind(**{n: v for n, v in self.get_params(deep=False).items() if n not in _DEFAULTS})  # type: ignore[attr-defined]
        made.__dict__.update({n: v for n, v in self.__dict__.items() if n not in (*_DEFAULTS, "feature_names_in_")})
        made.n_features_in_ = len(self.get_feature_names_out())
        return made

    def to_onnx(self, path: Any) -> None:
        """Write the network in ONNX, which takes the features that `get_feature_names_out` names: see `network_`."""
        self.network_.to_onnx(path)

    def __sklearn_tags__(self) -> Any:
        return _table_tags(super().__sklearn_tags__())  # type: ignore[misc]


class TableClassifier(_TableEstimator, MLPClassifier):
    """`MLPClassifier` for a table as it is: a data frame with numbers, texts, dates and gaps, or {name: values}.

    What the columns mean is learnt in `fit`, by the plan of `byhand train`; `plan_` says it, and a warning what was left
    out. All parameters of `MLPClassifier`, and those of `TableEncoder`.
    """

    __init__ = arguments_named(of_tables(MLPClassifier.__init__))


class TableRegressor(_TableEstimator, MLPRegressor):
    """`MLPRegressor` for a table as it is: see `TableClassifier`."""

    __init__ = arguments_named(of_tables(MLPRegressor.__init__))


__all__ = ["PlanNote", "TableClassifier", "TableEncoder", "TableError", "TableRegressor"]

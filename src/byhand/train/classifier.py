"""`MLPClassifier`: scikit-learn's conventions, byhand's derived gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from byhand.errors import ByhandError, ParseError
from byhand.nets.losses import LOSSES, loss_row
from byhand.train.coding import Coding, NoProbabilitiesError, is_of_classes, is_of_labels, with_probabilities
from byhand.train.fitting import Estimator
from byhand.train.parameters import arguments_named

Array = Any


class MLPClassifier(ClassifierMixin, Estimator):
    """A network that classifies: one class of several, or several 0/1 labels at once (multilabel: y (N, labels)).

    Every gradient that it uses is derived: `byhand.derive(est.net_)` shows it. The defaults are tuned for accuracy on
    small tables: columns are standardised inside the model (its saved form has them), Adam, label smoothing 0.01.
    `partial_fit` makes one pass over its data, with the standardisation of the first call and the optimizer's state
    kept from call to call. `warm_start` keeps parameters and standardisation; the optimizer starts anew.

    Args:
        hidden_layer_sizes: units of each hidden layer.
        net: instead, the whole network as text: "64-32-10".
        activation: of the hidden layers: a name, an expression in z, or a list with one for each.
        loss: "auto" is "softmax_cross_entropy", and "multilabel_cross_entropy" for several labels. A row of
            `byhand.nets.losses`: "binary_cross_entropy" has one output, the probability of the second of two classes;
            "multilabel_cross_entropy" for one class of several sets each against the rest; "mse", "mae", "huber" and
            "log_cosh" take classes as targets of 0 and 1; "raw_logit_nll" is no likelihood, and says so in a warning. Or
            an expression in the logits Z (N, classes) and the targets: y, places in `classes_`, or Y, one-hot, such as
            "mean((softmax(Z) - Y)**2)". The class predicted is that of the greatest output. Probabilities are there
            for cross-entropies and raw_logit_nll only: elsewhere `predict_proba` is an AttributeError.
        solver: "gradient", steps of the optimizer; or "newton", second order on the whole data (`byhand.train.newton`),
            which takes no optimizer, schedule, batches, dropout or clipping, and stops by itself.
        optimizer, optimizer_settings: a row of `byhand.train.optimizers`, or "lbfgs" (whole data, through SciPy).
        learning_rate: None for the optimizer's own default.
        schedule, schedule_settings: a row of `byhand.train.schedules`.
        batch_size: "auto" is 32, from 4096 samples on 128.
        max_epochs: "auto" is 60 or more (240 steps at least), 30 from 4096 samples on; 1000 iterations of lbfgs,
            100 of newton.
        l2: λ of mean loss + λ‖W‖², gradient 2λW, biases free. `LogisticRegression(C)` of scikit-learn has the same
            optimum at λ = 1/(2 C N), N samples; with two classes at 1/(C N), its one w being split into two columns,
            w/2 and -w/2. "auto" is 1/(2 N), to one digit: C = 1; with newton it is 0.
        dropout: share of hidden units left out in training.
        label_smoothing: share of each target that is spread over all classes, with the loss softmax_cross_entropy;
            other losses get targets of 0 and 1.
        class_weight: {class: weight}, "balanced", or None.
        bias, init, init_std, dtype: of the network; init is a row of `byhand.nets.inits`, None chooses by activation;
            init_std is the standard deviation of init="normal".
        standardize: whether columns are scaled to mean zero and variance one.
        shuffle, clip_norm, tol, patience: see `byhand.train.loop.Settings`; patience=None runs all epochs, and is 10
            with early_stopping.
        early_stopping: hold out `validation_fraction`, stop after `patience` (None: 10) epochs without improvement,
            and keep the best parameters; with `fit(validation_data=...)` nothing is held out.
        monitor: what is watched: "loss", "accuracy", the name of another scorer of scikit-learn ("f1_macro",
            "roc_auc", ...; greater is better), or a function (estimator, X, y) -> number.
        warm_start, random_state, verbose: as in scikit-learn.
        engine: "numpy", "jax" (the extra `jax`), "c" (needs a C compiler; for small networks), or "auto": the one that is
            expected to be done first, start-up and compilation included (see `byhand.train.engines`). All give the
            same weights, up to rounding.
        mesh: {"data": 4, "model": 2} or "data=4,model=2": how the devices of the jax engine divide samples, and wide
            layers; None divides the samples over all of them. See docs/distributed.md.
        callbacks: callables (epoch, history); True stops.
        keep_on_interrupt: Ctrl-C ends the fit with what was learned.
    Attributes:
        classes_, parameters_, coefs_, intercepts_, loss_, loss_curve_, validation_loss_curve_, validation_scores_,
        n_iter_, history_, engine_, net_.
    """

    @arguments_named
    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        net: str | None = None,
        loss: str = "auto",
        solver: str = "gradient",
        optimizer: str = "adam",
        learning_rate: float | None = None,
        optimizer_settings: Mapping[str, float] | None = None,
        schedule: str = "constant",
        schedule_settings: Mapping[str, float] | None = None,
        batch_size: int | str = "auto",
        max_epochs: int | str = "auto",
        l2: float | str = "auto",
        dropout: float = 0.0,
        label_smoothing: float = 0.01,
        class_weight: Any = None,
        bias: bool = True,
        init: str | None = "glorot",
        init_std: float = 0.01,
        standardize: bool = True,
        shuffle: bool = True,
        clip_norm: float | None = None,
        tol: float = 1e-4,
        patience: int | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        monitor: str | Callable[..., float] = "loss",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
        dtype: Any = "float64",
        engine: str = "auto",
        mesh: Any = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
        keep_on_interrupt: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.net = net
        self.loss = loss
        self.solver = solver
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.optimizer_settings = optimizer_settings
        self.schedule = schedule
        self.schedule_settings = schedule_settings
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.l2 = l2
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.bias = bias
        self.init = init
        self.init_std = init_std
        self.standardize = standardize
        self.shuffle = shuffle
        self.clip_norm = clip_norm
        self.tol = tol
        self.patience = patience
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.monitor = monitor
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.engine = engine
        self.mesh = mesh
        self.callbacks = callbacks
        self.keep_on_interrupt = keep_on_interrupt

    def partial_fit(self, X: Array, y: Array, classes: Any = None, sample_weight: Any = None) -> MLPClassifier:
        """One pass over the data.

        Args:
            X: (N, features).
            y: (N,), or (N, labels).
            classes: all classes; needed at the first call, and the same at each.
            sample_weight: (N,).
        """
        if not hasattr(self, "parameters_") and classes is None and type_of_target(y) != "multilabel-indicator":
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if (
            hasattr(self, "parameters_")
            and classes is not None
            and not np.array_equal(np.unique(classes), self.classes_)
        ):
            raise ValueError(f"classes are {np.unique(classes)}, and the model was begun with {self.classes_}")
        return self._partial(X, y, sample_weight, classes)  # type: ignore[no-any-return]

    # ---- targets

    def _loss(self) -> str:
        if self.loss == "auto":
            several = getattr(self, "_multilabel", False)
            return "multilabel_cross_entropy" if several else "softmax_cross_entropy"
        row = loss_row(self.loss)
        if not is_of_classes(row):
            known = ", ".join(n for n, r in LOSSES.items() if is_of_classes(r))
            raise ParseError(f"{row.name} is a loss of counts, not of classes", f"of classes: {known}")
        return row.name

    def _targets_kind(self) -> str | None:
        return self._coding.kind

    def _learn(self, classes: Array, multilabel: bool) -> None:
        """The classes, and how the loss codes them."""
        self._multilabel, self.classes_ = multilabel, classes
        self._coding = Coding(self._loss(), multilabel)
        self._coding.check(len(classes))

    def _encode(self, y: Array, first: bool, classes: Any = None) -> Array:
        """0/1 targets, (N, outputs): see `Coding`."""
        check_classification_targets(y)
        multilabel = type_of_target(y) == "multilabel-indicator"
        if first:
            if not multilabel:
                y = column_or_1d(y, warn=True)
            found = np.arange(y.shape[1]) if multilabel else np.unique(y if classes is None else np.asarray(classes))
            self._learn(found, multilabel)
        elif multilabel != self._multilabel:
            raise ValueError("y was one label for each sample before and is several now, or the other way round")
        if multilabel:
            if y.shape[1] != len(self.classes_):
                raise ValueError(f"y has {y.shape[1]} labels, the model {len(self.classes_)}")
            return np.asarray(y, np.float64)
        y = column_or_1d(y)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has the label {unknown[0]}, which is not in the model's classes {self.classes_}")
        return self._coding.targets(np.searchsorted(self.classes_, y), len(self.classes_))

    def _given(self, targets: Array, dtype: Any) -> Array:
        return self._coding.given(targets, dtype)

    def _trained(self, targets: Array, dtype: Any) -> Array:
        return self._coding.given(targets, dtype, self.label_smoothing)

    def _weights(self, y: Array, sample_weight: Any) -> Array | None:
        weights = super()._weights(y, sample_weight)
        if self.class_weight is None:
            return weights
        if isinstance(self.class_weight, Mapping) and not self._multilabel:
            unknown = [c for c in self.class_weight if c not in self.classes_]
            if unknown:
                raise ValueError(f"class_weight has the class {unknown[0]!r}, which is not in {self.classes_}")
        by_class = np.asarray(compute_sample_weight(self.class_weight, y))
        return by_class if weights is None else weights * by_class

    def _strata(self, targets: Array) -> Array | None:
        if self._multilabel:
            return None
        places = self._coding.places(targets)
        return places if np.bincount(places, minlength=len(self.classes_)).min() >= 2 else None

    def _score_name(self) -> str:
        return "accuracy"

    def _score_of(self, prediction: Array, target: Array) -> float:
        if self._multilabel:
            return float(np.mean(np.all(self._coding.labels(prediction) == self._coding.labels(target), axis=1)))
        return float(np.mean(self._coding.places(prediction) == self._coding.places(target)))

    # ---- predictions

    def _need_probabilities(self) -> None:
        """Raises: NoProbabilitiesError: the loss has none."""
        try:
            coding = self._coding if hasattr(self, "parameters_") else Coding(self._loss(), False)
        except ByhandError:  # a loss that `fit` will refuse
            return
        if not coding.has_probabilities:
            remedy = "multilabel_cross_entropy" if coding.multilabel else "softmax_cross_entropy"
            raise NoProbabilitiesError(
                f"the outputs of a network with the loss {coding.loss[:60]} are no probabilities",
                f"predict gives the classes; loss={remedy!r} has probabilities",
            )

    @with_probabilities
    def predict_proba(self, X: Array) -> Array:
        """Probabilities, (N, classes), rows that sum to one; of multilabel, that each label is 1.

        Raises: NoProbabilitiesError, an AttributeError: the loss has none.
        """
        found = self._outputs(X)
        return self._coding.probabilities(found)

    @with_probabilities
    def predict_log_proba(self, X: Array) -> Array:
        """Logarithms of the probabilities."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Array) -> Array:
        """The class of the greatest output of each sample, (N,), or 0/1 labels (N, labels)."""
        check_is_fitted(self, "parameters_")
        found = self._outputs(X)
        return self._coding.labels(found) if self._multilabel else self.classes_[self._coding.places(found)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.loss != "auto" and isinstance(self.loss, str):
            try:
                row = loss_row(self.loss)
            except ByhandError:  # which `fit` will say
                return tags
            tags.classifier_tags.multi_class = row.outputs is None
            tags.classifier_tags.multi_label = is_of_labels(row)
        else:
            tags.classifier_tags.multi_label = True
        return tags

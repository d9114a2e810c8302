"""What both estimators share: a fit, what is watched and kept of it, and the use of a trained network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from byhand.distributed.world import current
from byhand.errors import DataError
from byhand.memory import within_memory
from byhand.nets.layers import Role
from byhand.nets.mlp import MLP
from byhand.train.callbacks import CallbackSupport, FitTask, with_callbacks
from byhand.train.data.rows import Rows, large
from byhand.train.data.sparse import SparseRows
from byhand.train.digests import digests
from byhand.train.loop import History, Trainer
from byhand.train.norms import GradientNorms
from byhand.train.parameters import ParameterError, check_parameters
from byhand.train.preparation import Preparation
from byhand.train.program import function_of
from byhand.train.programs import network_of, plain_net, predictor_of, program_of

Array = Any
# what a fit sets beside names that end in _
_PRIVATE = frozenset({"_key", "_multilabel", "_coding", "_one_output", "_shuffler", "_weighted"})


class Kept(NamedTuple):
    """What of a fit is kept while it runs.

    Attributes:
        folder: of the checkpoint, None for none.
        resume: whether to go on from it.
        every: the steps after which it is written within an epoch.
    """

    folder: Any = None
    resume: bool = False
    every: int | None = None


class Estimator(CallbackSupport, Preparation):
    """The common part of `MLPClassifier` and `MLPRegressor`."""

    optimizer_state_: dict[str, Any] | None
    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    validation_scores_: list[float]
    n_iter_: int

    # what the two classes add
    def _score_of(self, prediction: Array, target: Array) -> float:
        raise NotImplementedError

    def _score_name(self) -> str:
        raise NotImplementedError

    # ---- fit

    @with_callbacks
    def fit(
        self,
        X: Array,
        y: Array,
        sample_weight: Any = None,
        validation_data: Any = None,
        *,
        checkpoint: Any = None,
        resume: bool = False,
        checkpoint_every: int | None = None,
    ) -> Any:
        """Train.

        Args:
            X: (N, features); `byhand.train.data.Rows` stay on disk and are read as they are needed; a sparse matrix is
                made dense, and where that would take a quarter of the free memory some rows at a time.
            y: (N,), or (N, outputs).
            sample_weight: (N,), not negative; a weight of two is the sample twice.
            validation_data: (X, y) for early stopping and the validation curves.
            checkpoint: a folder that gets the state of training after epochs, so that it can be resumed; engine="auto"
                is NumPy's then, whose bits do not depend on what was chosen before. L-BFGS begins its memory anew every
                200 iterations then, and its state is saved there: up to the first a fit is the same as without.
            resume: go on from the checkpoint there, to the bits that an unbroken run with a checkpoint gives (engine
                "jax": to rounding); without one, start.
            checkpoint_every: a checkpoint after so many steps too, within an epoch.
        Raises: ValueError: data that do not fit. DivergedError: the loss is no finite number any more.
        """
        if checkpoint_every is not None and (isinstance(checkpoint_every, bool) or checkpoint_every < 1):
            raise DataError(f"checkpoint_every is {checkpoint_every!r}: steps, a whole number from 1 on")
        kept = Kept(checkpoint, bool(resume), checkpoint_every)
        with self._kept_on_failure(), within_memory("this fit"):
            if issparse(X) and large(*X.shape):
                X = SparseRows(validate_data(self, X, accept_sparse="csr", dtype=np.float64))
            if isinstance(X, Rows):
                from byhand.train.streaming import fit_rows

                check_parameters(self)
                if sample_weight is not None:
                    raise DataError("sample weights need the data in memory")
                return fit_rows(self, X, y, validation_data, kept)
            return self._fit(X, y, sample_weight, validation_data, kept)

    def _fit(self, X: Array, y: Array, sample_weight: Any, validation_data: Any, kept: Kept) -> Any:
        check_parameters(self)
        again = bool(self.warm_start) and hasattr(self, "parameters_")
        if again:
            self._need_the_same_loss()
        X, y = self._validated(X, y, reset=not again)
        shown = X, y
        targets = self._encode(y, first=not again)
        X, y, targets, weights = self._kept(X, y, targets, sample_weight)
        held: tuple[Array, Array, Array] | None = None
        rng = check_random_state(self.random_state)
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
                raise ParameterError("validation_data is a pair: samples and their targets", "validation_data=(X, y)")
            X_held, y_held = self._validated(validation_data[0], validation_data[1], reset=False)
            held = (X_held, y_held, self._encode(y_held, first=False))
        elif self.early_stopping:
            X, targets, weights, held = self._split(X, y, targets, weights, rng)
        samples = len(X) if weights is None else weights.sum()
        if again:
            self._go_on(self._penalty(samples))
        else:
            self._begin(X, targets, weights, rng)
        trainer = self._trainer(rng, weights is not None, len(X), targets, plain=kept.folder is not None)
        return self._run(trainer, self._data(X, targets, weights, trainer), held, shown, kept)

    def _run(self, trainer: Trainer, prepared: dict[str, Array], held: Any, shown: Any, kept: Kept) -> Any:
        """The training itself: data as the trainer takes them, validation data and those for callbacks as given."""
        if current().size > 1:
            settings = {k: v for k, v in self.get_params(deep=False).items() if k not in ("callbacks", "monitor")}
            facts = {
                "the version of JAX": version("jax"),
                "the version of NumPy": np.__version__,
                "the settings": settings,
            }
            data = [*(prepared[n] for n in sorted(prepared)), *((held[0], held[2]) if held else ())]
            current().same({n: str(v) for n, v in {**facts, "the digest of the data": digests(data)}.items()})
        validate = None if held is None else self._validation(trainer, *held)
        callbacks = [*(self.callbacks or ()), *([self._report] if self.verbose else [])]
        recorders = [c for c in callbacks if isinstance(c, GradientNorms)]
        if len(recorders) > 1:
            raise ParameterError(f"callbacks has {len(recorders)} GradientNorms", "one records all that there is")
        if recorders:
            trainer.record(recorders[0])
        watchers = list(getattr(self, "_watchers", ()))
        history = None
        if kept.folder is not None:
            from byhand.train.checkpoints import Checkpoints

            pair = None if held is None else (held[0], held[2])
            checkpoints = Checkpoints(kept.folder, trainer, self, prepared, pair, kept.every)
            watchers.append(checkpoints)
            if kept.resume:
                history = checkpoints.resumed()
            else:
                checkpoints.started()
        task = FitTask(self, trainer, *shown)
        callbacks += [partial(watcher, trainer) for watcher in [*watchers, task]]
        monitor = "loss" if self.monitor == "loss" else "score"
        history = trainer.fit(prepared, validate, monitor, callbacks, bool(self.keep_on_interrupt), history)
        self._store(trainer, history)
        self.optimizer_state_ = None
        task.end()
        return self

    @contextmanager
    def _kept_on_failure(self) -> Iterator[None]:
        """A fit that fails leaves the estimator as it was."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            for name in [n for n in self.__dict__ if n not in before and (n.endswith("_") or n in _PRIVATE)]:
                del self.__dict__[name]  # but what scikit-learn's callbacks need to end is left to them
            self.__dict__.update(before)
            raise

    def _partial(self, X: Array, y: Array, sample_weight: Any, classes: Any = None) -> Any:
        with self._kept_on_failure():
            self._pass(X, y, sample_weight, classes)
        return self

    def _pass(self, X: Array, y: Array, sample_weight: Any, classes: Any) -> None:
        check_parameters(self)
        if self.optimizer == "lbfgs" or self.solver == "newton":
            word = "solver='newton'" if self.solver == "newton" else "lbfgs"
            remedy = "solver='gradient'" if self.solver == "newton" else "optimizer='adam'"
            raise ParameterError(f"partial_fit needs an optimizer that works in steps, not {word}", remedy)
        first = not hasattr(self, "parameters_")
        if not first:
            self._need_the_same_loss()
        X, y = self._validated(X, y, reset=first)
        targets = self._encode(y, first=first, classes=classes)
        X, y, targets, weights = self._kept(X, y, targets, sample_weight)
        if first:
            rng = check_random_state(self.random_state)
            self._begin(X, targets, weights, rng)
            self._shuffler = np.random.default_rng(rng.randint(2**31))
            self.loss_curve_, self.n_iter_ = [], 0
        else:
            kept_penalty = dict(self._key[2])["l2"]  # "auto" was decided at the first call, on its samples
            self._go_on(kept_penalty if self.l2 == "auto" else self.l2)
        if not first and getattr(self, "_shuffler", None) is None:
            self._shuffler = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        trainer = self._trainer(self._shuffler, weights is not None, len(X), targets)
        assert trainer.updater is not None
        kept = getattr(self, "optimizer_state_", None)
        if kept:
            trainer.updater.t = kept["t"]
            for name, vector in trainer.updater.state.items():
                vector[:] = kept[name]
        history = History()
        with np.errstate(all="ignore"):
            history.losses.append(trainer.epoch(self._data(X, targets, weights, trainer), self.n_iter_ + 1))
        curve, epochs = [*self.loss_curve_, *history.losses], self.n_iter_ + 1
        self._store(trainer, history)
        self.loss_curve_, self.n_iter_ = curve, epochs
        self.optimizer_state_ = {"t": trainer.updater.t, **trainer.updater.state}

    # ---- what a fit watches

    def _validation(self, trainer: Trainer, X: Array, y: Array, targets: Array) -> Callable[[], tuple[float, float]]:
        dtype = self._dtype()
        program = program_of(self._program_key(False, self._targets_kind()))
        net = plain_net(program.net)
        data = {"X": self.input_scaling_.apply(X, dtype), net.target: self._given(targets, dtype)}
        loss = function_of(net.expression)
        predict = predictor_of(self._program_key(False, self._targets_kind()))

        def own(values: dict[str, Array]) -> float:
            return self._score_of(self.target_scaling_.undo(predict(values, data["X"])), targets)

        score = own if self.monitor in ("loss", self._score_name()) else self._scored(X, y)

        def validate() -> tuple[float, float]:
            parameters = trainer.named()
            values = parameters | data
            return float(loss(values)), score(parameters)

        return validate

    def _scored(self, X: Array, y: Array) -> Callable[[dict[str, Array]], float]:
        """The score of a model with the given parameters by the scorer that is monitored."""
        from sklearn.metrics import get_scorer

        scorer = self.monitor if callable(self.monitor) else get_scorer(self.monitor)
        model = copy(self)

        def score(parameters: dict[str, Array]) -> float:
            model.parameters_ = parameters
            return float(scorer(model, X, y))

        return score

    def _report(self, epoch: int, history: History) -> None:
        text = f"epoch {epoch:>4}   loss {history.losses[-1]:.5f}"
        if history.validation_losses:
            text += f"   validation loss {history.validation_losses[-1]:.5f}"
            name = self._score_name() if self.monitor == "loss" else getattr(self.monitor, "__name__", self.monitor)
            text += f"   {name} {history.validation_scores[-1]:.4f}"
        print(text, flush=True)

    def _store(self, trainer: Trainer, history: History) -> None:
        self.parameters_ = {n: v.copy() for n, v in trainer.named().items()}
        self.history_ = history
        self.loss_curve_ = list(history.losses)
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else None
        self.best_loss_ = min(self.loss_curve_, default=None)
        self.validation_loss_curve_ = list(history.validation_losses)
        self.validation_scores_ = list(history.validation_scores)
        self.n_iter_ = max(1, history.epochs)
        self.n_layers_ = len(self._key[0])
        self.n_outputs_ = int(self._key[0][-1])

    # ---- use

    def _outputs(self, X: Array) -> Array:
        """What the network predicts, (N, outputs)."""
        check_is_fitted(self, "parameters_")
        if issparse(X) and not isinstance(X, Rows):
            X = SparseRows(self._samples(X))
        if isinstance(X, Rows):
            return np.concatenate([self._outputs(part) for _, part in X.chunks()])
        X = self._samples(X)
        predict = predictor_of(self._program_key(False, self._targets_kind()))
        with np.errstate(all="ignore"):
            dtype = next(iter(self.parameters_.values())).dtype
            found = predict(self.parameters_, self.input_scaling_.apply(X, dtype))
        return self.target_scaling_.undo(found)

    def _samples(self, X: Array) -> Array:
        """Samples as numbers, (N, features)."""
        return validate_data(self, X, reset=False, dtype=[np.float64, np.float32], accept_sparse="csr")

    @property
    def net_(self) -> MLP:
        """The network as it was trained, weights of samples and dropout included: `byhand.derive(est.net_)`."""
        check_is_fitted(self, "parameters_")
        return program_of(self._program_key(getattr(self, "_weighted", False), self._targets_kind())).net

    @property
    def coefs_(self) -> list[Array]:
        """The weight matrices, (inputs, outputs) each."""
        return self._of_role("weight")

    @property
    def intercepts_(self) -> list[Array]:
        """The biases, (outputs,) each."""
        return self._of_role("bias")

    def _of_role(self, role: Role) -> list[Array]:
        check_is_fitted(self, "parameters_")
        roles = network_of(*self._key).roles
        return [v for n, v in self.parameters_.items() if roles[n].role == role]

    def save(self, path: Any) -> None:
        """Write the model: `path` (safetensors, which holds the description too); `byhand.load(path)` reads it.

        Raises: DataError: the folder is missing or cannot be written to.
        """
        from byhand.train.saving import save

        save(self, path)

    def to_onnx(self, path: Any) -> None:
        """Write the model in ONNX: see `byhand.train.onnx.to_onnx`.

        Raises: ByhandError: onnx is not installed. DataError: the file cannot be written.
        """
        from byhand.train.onnx import to_onnx

        to_onnx(self, path)


__all__ = ["Estimator"]

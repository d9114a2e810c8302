"""Handwritten digits, 8 × 8, and minibatch descent with momentum on generated gradient code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from byhand.code import CompiledFunction, compile_expression, compile_function
from byhand.derive.derivation import Derivation, derive
from byhand.errors import ByhandError
from byhand.nets import MLP

Array = np.ndarray[Any, Any]
Parameters = dict[str, Array]
Gradient = Callable[..., tuple[Any, Mapping[str, Array]]]


@dataclass(frozen=True)
class Digits:
    """Images as rows of 64 standardised values, and labels 0 to 9.

    Attributes:
        X, t: the training samples, shapes (N, 64) and (N,).
        X_test, t_test: samples never trained on.
    """

    X: Array
    t: Array
    X_test: Array
    t_test: Array


def load(seed: int = 0) -> Digits:
    """scikit-learn's digits, a quarter kept for the test, standardised by the training samples.

    Raises: ByhandError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        missing = "the digits come with scikit-learn, which is not installed"
        raise ByhandError(missing, "pip install 'byhand[train]'") from None
    images, labels = load_digits(return_X_y=True)
    X, X_test, t, t_test = train_test_split(images, labels, test_size=0.25, random_state=seed, stratify=labels)
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    deviation[deviation == 0] = 1.0  # pixels that are always empty
    return Digits((X - mean) / deviation, t, (X_test - mean) / deviation, t_test)


@dataclass(frozen=True)
class Job:
    """A network, its derivation, and the code generated from it.

    Attributes:
        sizes: of its layers, "64-32-10".
        derivation: its gradients.
        gradient: the generated code: (**arrays) -> (loss, {name: gradient}).
        logits: the generated forward code.
    """

    sizes: str
    network: MLP
    derivation: Derivation
    gradient: CompiledFunction
    logits: CompiledFunction

    @classmethod
    def of(cls, sizes: str) -> Job:
        """The network of these sizes with relu and softmax cross-entropy, derived and compiled."""
        network = MLP(sizes, activation="relu", loss="softmax_cross_entropy")
        d = derive(network)
        return cls(sizes, network, d, compile_function(d), compile_expression(network.logits))

    def predict(self, parameters: Parameters, X: Array) -> Array:
        """The label of each row: the largest logit."""
        arrays = {**parameters, "X": X}
        return np.asarray(np.argmax(self.logits(**arrays), axis=1))

    def train(
        self, data: Digits, epochs: int, seed: int, watch: Callable[[int, History], None]
    ) -> tuple[History, Parameters]:
        """The history of training from the network's own start, and the parameters learned."""
        parameters = {name: np.array(value, dtype=np.float64) for name, value in self.network.init(seed).items()}
        self.gradient(X=data.X, y=data.t, **parameters)  # the checks of the arguments, once

        def gradient(**arrays: Array) -> tuple[Any, Mapping[str, Array]]:
            value, gradients = self.gradient.raw(*(arrays[name] for name in self.gradient.inputs))
            return value, gradients

        history = train(gradient, parameters, data.X, data.t, self.predict, epochs, seed=seed, watch=watch)
        return history, parameters


@dataclass
class History:
    """What happened in training.

    Attributes:
        batch, rate, momentum: of the descent.
        batch_losses: the loss of every minibatch, in order.
        losses, accuracies: on the training samples after each epoch.
        epochs: how many there were.
    """

    batch: int
    rate: float
    momentum: float
    batch_losses: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return len(self.losses)


def train(
    gradient: Gradient,
    parameters: Parameters,
    X: Array,
    t: Array,
    predict: Callable[[Parameters, Array], Array],
    epochs: int = 30,
    batch: int = 50,
    rate: float = 0.05,
    momentum: float = 0.9,
    seed: int = 0,
    watch: Callable[[int, History], None] = lambda epoch, history: None,
) -> History:
    """Minibatch gradient descent with momentum; changes the parameters in place.

    Args:
        gradient: the generated code: (**arrays) -> (loss, {name: gradient}).
        parameters: name -> array.
        X, t: samples (N, d) and labels (N,).
        predict: (parameters, X) -> labels.
        epochs, batch, rate, momentum: of the descent.
        seed: of the order of samples.
        watch: told after every epoch.
    """
    rng = np.random.default_rng(seed)
    velocity = {name: np.zeros_like(value) for name, value in parameters.items()}
    history = History(batch, rate, momentum)
    for epoch in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch):
            rows = order[start : start + batch]
            loss, gradients = gradient(X=X[rows], y=t[rows], **parameters)
            history.batch_losses.append(float(loss))
            for name, value in parameters.items():
                velocity[name] = momentum * velocity[name] - rate * gradients[name]
                value += velocity[name]
        history.losses.append(float(gradient(X=X, y=t, **parameters)[0]))
        history.accuracies.append(accuracy(predict(parameters, X), t))
        watch(epoch + 1, history)
    return history


def accuracy(predicted: Array, t: Array) -> float:
    """The share of labels that are right."""
    return float(np.mean(predicted == t))

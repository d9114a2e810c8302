"""A ReLU network without biases, samples as columns: forward(x), nll(y), backward(y).

Its backward pass is derived, not written: `byhand.derive`, in the layout z = W x with W (outputs, inputs). Run it for
the worked 3-2-2 example:

    python examples/relu_network.py
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import byhand
from byhand.functions import relu

X = np.array([1.0, 2.0, 3.0])
W1 = np.array([[0.1, 0.2, 0.3], [0.4, -0.5, -0.1]])
W2 = np.array([[1.0, -1.0], [0.5, 2.0]])
TARGET = 1


class Network:
    """z1 = W1 x, a1 = ReLU(z1), z2 = W2 a1, ...; the last layer gives logits.

    Args:
        weights: W1 (h, d), W2 (C, h), ...: as many layers as matrices.
        loss: "softmax_cross_entropy", or "raw_logit_nll": minus the target's logit, which is no likelihood.
    """

    def __init__(self, weights: Sequence[np.ndarray], loss: str = "softmax_cross_entropy") -> None:
        self.weights = {f"W{k}": np.asarray(w, float) for k, w in enumerate(weights, 1)}
        sizes = [weights[0].shape[1], *(len(w) for w in weights)]
        network = byhand.MLP(sizes, bias=False, batch=None, loss=loss)
        self.derivation = byhand.derive(network).in_layout("columns")
        self._value_and_gradients = self.derivation.function()
        self.z: list[np.ndarray] = []  # of the last forward pass
        self.x: list[np.ndarray] = []

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The logits (C,) of one sample (d,)."""
        self.x, self.z = [np.asarray(x, float)], []
        for W in self.weights.values():
            self.z.append(W @ self.x[-1])
            self.x.append(relu(self.z[-1]))
        return self.z[-1]

    def nll(self, y: int) -> float:
        """The loss of the sample that went forward last."""
        return float(self._value_and_gradients(x=self.x[0], y=y, **self.weights)[0])

    def backward(self, y: int) -> dict[str, np.ndarray]:
        """The gradient of that loss by weight matrix, each in its matrix's shape."""
        return self._value_and_gradients(x=self.x[0], y=y, **self.weights)[1]

    def step(self, y: int, rate: float) -> None:
        """W ← W - rate * gradient."""
        for name, gradient in self.backward(y).items():
            self.weights[name] -= rate * gradient


def main() -> None:
    """The worked example, with both losses."""
    for loss in ("softmax_cross_entropy", "raw_logit_nll"):
        network = Network([W1, W2], loss)
        logits = network.forward(X)
        if loss == "softmax_cross_entropy":
            print(network.derivation.text(level="result"))
            print(f"z1 = {network.z[0]}   a1 = {network.x[1]}   logits = {logits}")
        print(f"\n{loss}: {network.nll(TARGET):.16g}")
        for name, gradient in network.backward(TARGET).items():
            print(f"  d{name} = {(gradient + 0.0).tolist()}")  # + 0.0: no minus before a zero


if __name__ == "__main__":
    main()

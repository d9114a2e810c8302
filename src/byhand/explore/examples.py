"""Examples of the explorer: requests for a derivation, each with a name."""

from __future__ import annotations

from typing import Any

# fmt: off
EXAMPLES: dict[str, dict[str, Any]] = {
    "least squares":       {"text": "sum((X @ w - y)**2)", "wrt": ["w"]},
    "ridge regression":    {"text": "sum((X @ w - y)**2) + lam*sum(w**2)", "wrt": ["w"]},
    "logistic regression": {"text": "mean(log(1 + exp(-y * (X @ w))))", "wrt": ["w"]},
    "softmax regression":  {"text": "Z = X @ W + b\n-sum(Y * log(softmax(Z, axis=1)))", "wrt": ["W", "b"],
                            "shapes": {"X": "n d", "W": "d c", "b": "c", "Y": "n c"}, "assume": {"Y": "simplexrows"}},
    "Gaussian likelihood": {"text": "logdet(S) + (x - m) @ inv(S) @ (x - m)", "wrt": ["m", "S"],
                            "shapes": {"S": "d d", "x": "d", "m": "d"}, "assume": {"S": "spd"}},
    "attention":           {"text": "A = softmax(Q @ K.T, axis=1)\nsum((A @ V - T)**2)", "wrt": ["V"],
                            "shapes": {"Q": "n d", "K": "m d", "V": "m e", "T": "n e"}},
    "a network":           {"text": "4-5-3 activation=tanh loss=softmax_cross_entropy"},
}
# fmt: on

__all__ = ["EXAMPLES"]

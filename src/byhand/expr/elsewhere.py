"""What functions are called elsewhere: in textbooks, SciPy, PyTorch, JAX and Keras; and how that is said here."""

from __future__ import annotations

from collections.abc import Iterable

from byhand.errors import nearest

# word -> what means the same here, as it is written
MEANING = {
    "ln": "log", "loge": "log", "expit": "sigmoid", "logistic": "sigmoid", "sigm": "sigmoid", "avg": "mean", "average": "mean",
    "expectation": "mean", "frobenius": "norm", "fro": "norm", "hadamard": "*", "mul": "*", "matprod": "@", "mm": "@",
    "bmm": "@", "mv": "@", "transposed": "transpose", "inverse": "inv", "determinant": "det", "slogdet": "logdet",
    "swish": "silu", "rectifier": "relu", "xent": "cross_entropy", "crossentropy": "cross_entropy",
    "lse": "logsumexp", "softargmax": "softmax", "arctg": "arctan", "atan": "arctan", "asin": "arcsin", "acos": "arccos",
    "asinh": "arcsinh", "tg": "tan", "sh": "sinh", "ch": "cosh", "th": "tanh", "sqr": "square", "squared": "square",
    "sgn": "sign", "signum": "sign", "heaviside": "step", "kronecker": "kron", "lrelu": "leaky_relu",
    "standard_deviation": "std", "stdev": "std", "variance": "var", "absolute": "abs", "magnitude": "abs", "fabs": "abs",
    "Phi": "normal_cdf", "ndtr": "normal_cdf", "cat": "concatenate", "hstack": "concatenate", "vstack": "concatenate",
    "clamp": "clip", "hardtanh": "hard_tanh", "layernorm": "layer_norm", "rmsnorm": "rms_norm",
    "batchnorm": "batch_norm", "maxpool2d": "max_pool2d", "avgpool2d": "avg_pool2d", "onehot": "one_hot", "detach": "stop_gradient",
    "linsolve": "solve", "view": "reshape", "log_cosh": "logcosh", "neg": "negative", "sub": "subtract",
    "div": "divide", "logsigmoid": "log_sigmoid", "logsoftmax": "log_softmax", "amax": "max", "amin": "min",
}  # fmt: skip


def meant(word: str, known: Iterable[str]) -> str:
    """', here it is `x`' of a word that has its meaning; else ', did you mean `x`?' of one that is near; else nothing."""
    names = set(known)
    here = MEANING.get(word) or MEANING.get(word.lower())
    if here is not None and (here in names or not here.isidentifier()):
        return f": here it is `{here}`"
    return nearest(word, names)


__all__ = ["MEANING", "meant"]

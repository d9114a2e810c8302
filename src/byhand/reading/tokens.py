"""The tokens that both spellings share."""

from __future__ import annotations

from typing import NamedTuple

from byhand.errors import ParseError


class Token(NamedTuple):
    """A sign of a formula.

    Attributes:
        kind: number, name, word (prose), sign (an operation), relation, open, close, group, endgroup, sub, sup, prime, fraction,
            root, big, partial, nabla, function, accent, separator, dots, bar, norm, matrix, brace or end.
        text: the sign itself, in one spelling for both (`⊙` for \\odot and \\circ).
        start, end: its place in the formula.
        font: of a name.
        content: what belongs to a matrix: its kind and its cells.
        apart: whether a blank stands before it.
    """

    kind: str
    text: str
    start: int
    end: int
    font: str = ""
    content: object = None
    apart: bool = False


class UnreadableError(ParseError):
    """A formula that cannot be read: a reason and a place."""

    def __init__(self, reason: str, at: int | None = None) -> None:
        super().__init__(reason)
        self.place = at


# Function names that are never a product of letters; a page may use others after it declared them.
FUNCTIONS = {
    "exp": "exp", "log": "log", "ln": "log", "tanh": "tanh", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh",
    "arctan": "arctan", "softmax": "softmax", "sigmoid": "sigmoid", "relu": "relu", "ReLU": "relu", "softplus": "softplus",
    "tr": "trace", "trace": "trace", "Tr": "trace", "diag": "diag", "Diag": "diag", "det": "det", "logdet": "logdet", "vec": "vec", "sign": "sign",
    "sgn": "sign", "max": "max", "min": "min", "sum": "sum", "mean": "mean", "logsumexp": "logsumexp", "abs": "abs", "sqrt": "sqrt",
    "log_softmax": "log_softmax", "erf": "erf", "gelu": "gelu", "silu": "silu", "elu": "elu", "norm": "norm",
    "CrossEntropy": "CrossEntropy", "kron": "kron", "where": "where", "inv": "inv", "eye": "eye", "onehot": "onehot", "one_hot": "onehot",
    "vectorized": "vec", "winner": "winner", "argmax": "argmax",
}  # fmt: skip
RELATIONS = ["=", "≔", "←", "→", "⇒", "≈", "∝", "∼", "∈", "<", ">", "≤", "≥", "≠", "≡", "⊂", "∀"]
OPENING = {"(": ")", "[": "]", "⟨": "⟩", "{": "}", "⌊": "⌋"}

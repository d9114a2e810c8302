"""Bad architectures, activations, losses and options are refused at once; what may be an activation."""

import time

import pytest

from byhand import MLP, ByhandError, ParseError, ShapeError
from byhand.expr.functions import FUNCTIONS
from byhand.nets.architecture import MOST_LAYERS, read_activation

PLAIN = [n for n in FUNCTIONS if n not in ("log", "log1p", "arcsin", "arccos")]

BAD = [
    ((("784-"),), {}, ParseError, "a size is missing", 4),
    (("784",), {}, ParseError, "'784' is not an architecture", 1),
    (("0-3",), {}, ShapeError, "dimension 0", 1),
    (("4--3",), {}, ParseError, "a size is missing", 3),
    (("-4-3",), {}, ParseError, "a size is missing", 1),
    (("a b",), {}, ParseError, "'a b' is not an architecture", 1),
    (("4-x y-3",), {}, ParseError, "'x y' is not a dimension", 3),
    (("",), {}, ParseError, "is not an architecture", 1),
    (("4-3.5",), {}, ParseError, "'3.5' is not a dimension", 3),
    (("-".join(["9"] * 100_000),), {}, ParseError, f"more than {MOST_LAYERS} layers", 1),
    (([3] * 5000,), {}, ParseError, "not 5000", None),
    ((range(1, 10**9),), {}, ParseError, "an architecture has 2 to", None),
    (([4],), {}, ParseError, "not 1", None),
    (([4, 0],), {}, ShapeError, "dimension 0", None),
    (([4, True],), {}, ParseError, "'True' is not a dimension", None),
    ((5,), {}, ParseError, "not a int", None),
    (("4-N-3",), {}, ParseError, "N is the number of samples", None),
    (("4-X-3",), {}, ParseError, "X is the name of something else", None),
    (("4-W1-3",), {}, ParseError, "W1 is the name of something else", None),
    (("4-5-3", "rleu"), {}, ParseError, "unknown activation rleu, did you mean `relu`?", 1),
    (("4-5-3", "log"), {}, ParseError, "unknown activation log", 1),
    (("4-5-3", ""), {}, ParseError, "unknown activation", 1),
    (("4-5-3", "z @ z.T"), {}, ShapeError, "not a function of single entries", 1),
    (("4-5-3", "z - mean(z)"), {}, ShapeError, "not a function of single entries", 1),
    (("4-5-3", "softmax(z)"), {}, ShapeError, "not a function of single entries", 1),
    (("4-5-3", "1"), {}, ParseError, "unknown activation 1", 1),
    (("4-5-3", "q*z"), {}, ParseError, "unknown name q", 1),
    (("4-5-3", "u = z\nu*u"), {}, ParseError, "one expression in z", 1),
    (("4-5-3", ["relu", "relu"]), {}, ParseError, "2 activations for 1 hidden layer", None),
    (("4-5-3", 3), {}, ParseError, "an activation is a name", None),
    (("4-5-3", [3]), {}, ParseError, "an activation is a name", None),
    (("4-5-3",), {"output_activation": "tan_h"}, ParseError, "did you mean `tanh`?", 1),
    (("4-5-3",), {"loss": "sofmax_cross_entropy"}, ParseError, "did you mean `softmax_cross_entropy`?", 1),
    (("4-5-3",), {"loss": "Z + 1"}, ParseError, "the logits Z and the targets", 1),
    (("4-5-3",), {"loss": 3}, ParseError, "a loss is a name", None),
    (("4-5-3",), {"loss": "binary_cross_entropy"}, ShapeError, "one output, the network 3", None),
    (("4-5-3",), {"l2": -1}, ParseError, "a number from 0 on", None),
    (("4-5-3",), {"l2": float("nan")}, ParseError, "a number from 0 on", None),
    (("4-5-3",), {"l2": "a b"}, ParseError, "a number or a name", 1),
    (("4-5-3",), {"l2": "W1"}, ParseError, "W1 is the name of something else", None),
    (("4-5-3",), {"targets": "values"}, ParseError, "it takes labels or probabilities", None),
    (("4-5-3",), {"targets": "label"}, ParseError, "did you mean `labels`?", None),
    (("4-5-3",), {"batch": 0}, ShapeError, "dimension 0", None),
    (("4-5-3",), {"batch": "X"}, ParseError, "X is the name of something else", None),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "options", "error", "says", "column"), BAD, ids=lambda v: repr(v)[:40])
def test_bad_input(arguments, options, error, says, column):
    start = time.perf_counter()
    with pytest.raises(ByhandError) as caught:
        MLP(*arguments, **options)
    assert time.perf_counter() - start < 1
    assert type(caught.value) is error and says in str(caught.value)
    assert caught.value.column == column


def test_a_loss_of_ones_own_must_be_scalar():
    with pytest.raises(ShapeError, match="is not a scalar"):
        _ = MLP("4-5-3", loss="Z - Y").expression
    with pytest.raises(ParseError, match="unknown function sgn"):
        _ = MLP("4-5-3", loss="mean(sgn(Z - Y))").expression


@pytest.mark.parametrize("name", [*PLAIN, "identity", "softmax", "linear", "swish", "logistic"])
def test_every_elementwise_function_is_an_activation(name):
    read_activation(name)

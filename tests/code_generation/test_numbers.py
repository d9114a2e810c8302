"""Numbers that no input decides: no target raises what Python raises, and empty arrays are refused in one sentence."""

import re

import numpy as np
import pytest
from code_generation.everywhere import TARGETS, computed, disagreement, interpreted

import byhand

VALUES = {"Y": np.array([1.0, 2.0]), "s": np.float64(2.0)}
SHAPES = {"Y": "n", "s": ""}


def derivation(text, wrt):
    used = [k for k in VALUES if re.search(rf"\b{k}\b", text)]
    return byhand.derive(byhand.parse(text, {k: SHAPES[k] for k in used}), wrt), {k: VALUES[k] for k in used}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sum(exp(1000 + Y - Y)*Y)", np.inf),
        ("sum(Y*exp(-exp(1000 + Y - Y)))", 0.0),
        ("sum(Y)*sqrt(log(0.5))", np.nan),
        ("sum(exp(Y))*log(0)", -np.inf),
        ("sum(Y)*log(1)**(0 - 1)", np.inf),
        ("s*exp(1000)*exp(-1000)", np.nan),
        ("s*arcsin(2)", np.nan),
        ("0*s + 7", 7.0),
        ("sum(Y - Y) + 2", 2.0),
    ],
)
def test_numbers_that_are_not_finite_are_what_numpy_says(text, value):
    d, values = derivation(text, "s" if re.search(r"\bs\b", text) else "Y")
    with np.errstate(all="ignore"):
        assert np.array_equal(interpreted(d, values)[0], value, equal_nan=True)
    assert disagreement(d, values) == {}


@pytest.mark.parametrize("text", ["sum(log(1/(Y - Y))*Y)", "s/(s - s)", "sum(Y/(0*Y))", "sum(Y*(Y - Y)**-2)"])
def test_a_division_by_zero_is_refused_where_it_is_written(text):
    with pytest.raises(byhand.ParseError, match="division by zero"):
        derivation(text, None)


@pytest.mark.parametrize(
    "text", ["sum(X**2)/(N - D)", "sum(X)*log(N - D)", "sum(X)*(N - D - 1)**0.5", "sum(X)/(N - 3)"]
)
def test_sizes_that_leave_no_number_are_refused_everywhere(text):
    d = byhand.derive(byhand.parse(text, {"X": "N D"}))
    bad, good = {"X": np.ones((3, 3))}, {"X": np.ones((7, 3))}
    said = set()
    for target in [t for t in TARGETS if t != "in place"]:
        with pytest.raises(byhand.DataError, match="a number that sizes decide") as caught:
            computed(d, bad, target)
        said.add(caught.value.message)
    with pytest.raises(byhand.DataError) as caught:
        byhand.evaluate(d.f, **bad)
    assert {caught.value.message} == said
    assert disagreement(d, good) == {}


@pytest.mark.parametrize("empty", [{"N": 0}, {"D": 0}])
def test_empty_arrays_are_refused_in_one_sentence(empty):
    f = byhand.parse("mean((X @ w - y)**2)", {"X": "N D", "w": "D", "y": "N"})
    n, k = ({"N": 3, "D": 2} | empty).values()
    values = {"X": np.zeros((n, k)), "w": np.ones(k), "y": np.zeros(n)}
    d = byhand.derive(f, "w")
    asked = [
        *(lambda t=t: computed(d, values, t) for t in TARGETS if t != "in place"),
        lambda: byhand.evaluate(f, **values),
        lambda: byhand.evaluate(d.gradient, **values),
        lambda: byhand.hessian(f, "w").operator(**values),
        lambda: byhand.check_gradient(f, {"w": np.ones(k)}, values),
    ]
    for ask in asked:
        with pytest.raises(byhand.DataError, match="is empty"):
            ask()

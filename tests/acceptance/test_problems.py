"""The gradient problems of `data/matrix_calculus.json`: values against the stated answers, and printed length.

Jacobian and Hessian problems of the same file are not for `derive`.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from oracles import NUMPY_NAMES, draw, relative_error, run

import byhand

PROBLEMS = [
    problem
    for problem in json.loads((Path(__file__).parents[1] / "data" / "matrix_calculus.json").read_text("utf-8"))
    if problem["kind"] == "grad"
]
SIZES = {"m": 5, "n": 7, "k": 3, "h": 11, "b": 2}
TOLERANCE = 1e-9
LONGEST = 1.3  # times the length of the stated answer

# Results that print longer than LONGEST allows and are another good form: problem -> why.
ACCEPTED: dict[str, str] = {"diag_bilin": "a ⊙ b, with the blanks of print, against a*b"}


@pytest.fixture(params=PROBLEMS, ids=lambda problem: problem["id"])
def problem(request):
    return request.param


def derived(problem):
    function = byhand.parse(
        problem["expr"],
        shapes={name: " ".join(dims) for name, dims in problem["shapes"].items()},
        assume=problem.get("domain", {}),
    )
    return byhand.derive(function, problem["wrt"], free_entries=problem.get("structure") == "symmetric")


def drawn(problem, seed):
    rng, domains = np.random.default_rng(seed), problem.get("domain", {})
    return {
        name: draw(domains.get(name), [SIZES[dim] for dim in dims], rng, classes=SIZES["k"])
        for name, dims in problem["shapes"].items()
    }


def test_value(problem):
    derivation = derived(problem)
    compiled = derivation.function("numpy")
    for seed in range(3):
        values = drawn(problem, seed)
        answer = run(problem["answer"], NUMPY_NAMES, {**SIZES, **values})[0]
        value, gradients = compiled(**values)
        expected = run(problem["expr"], NUMPY_NAMES, {**SIZES, **values})[0]
        assert relative_error(byhand.evaluate(derivation.gradient, **values), answer) <= TOLERANCE
        assert relative_error(gradients[problem["wrt"]], answer) <= TOLERANCE
        assert relative_error(value, expected) <= TOLERANCE


def test_printed_length(problem):
    printed = str(derived(problem).gradient)
    longest = LONGEST * len(problem["answer"])
    if problem["id"] in ACCEPTED:
        assert len(printed) > longest, f"{printed} is short enough now: take {problem['id']} out of ACCEPTED"
    else:
        assert len(printed) <= longest, f"{printed}\nis longer than {LONGEST} times\n{problem['answer']}"


def test_accepted_are_problems():
    assert set(ACCEPTED) <= {problem["id"] for problem in PROBLEMS}

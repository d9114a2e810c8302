"""Gradients of random expressions against other oracles, and the promises of the normal form.

5000 expressions: the gradient of the first BY_JAX is JAX's own, of the others it is compared along random directions by
complex step. The library may refuse an expression with a named error, seldom; it must never be wrong.
"""

import random
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from acceptance.random_expressions import OPERATIONS, RARE, SIZES, cases, generate
from hypothesis import given
from oracles import NUMPY_NAMES, directional_derivative, jax_gradient, relative_error, symmetric_part, value_of

import byhand
from byhand.rules.simplify import normal

EXPRESSIONS, BY_JAX, SIMPLIFIED, CHUNK = 5000, 1000, 2000, 250
TOLERANCE = 1e-8
ROUNDING = 1e-12  # of the value's size: where the gradient is zero, what cancellation leaves
REFUSED, NOT_FINITE = 0.02, 0.10

chunks_of = partial(pytest.mark.parametrize, "first", ids=lambda first: f"{first}-{first + CHUNK - 1}")


def expression(number):
    """The same expression for a number, always and everywhere."""
    return generate(random.Random(f"expression {number}"))


def parsed(case, text):
    return byhand.parse(text, shapes=case.shapes, assume=case.assume)


def results(case):
    """Value and gradient by the generated NumPy function, and the gradient by evaluation."""
    derivation = byhand.derive(parsed(case, case.text), case.wrt)
    with np.errstate(all="ignore"):  # what is not finite is judged below
        value, gradients = derivation.function("numpy")(**case.values())
        return value, gradients[case.wrt], byhand.evaluate(derivation.gradient, **case.values())


def jax_disagreement(case):
    """What is wrong with the library's gradient by JAX's; None where nothing is, "not finite" where JAX's is not."""
    value, gradients = jax_gradient(case.text, {**SIZES, **case.values()}, [case.wrt])
    gradient = symmetric_part(gradients[case.wrt]) if case.symmetric else gradients[case.wrt]
    if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
        return "not finite"
    derived_value, *derived = results(case)
    floor = ROUNDING / TOLERANCE * max(1, abs(value))
    errors = [relative_error(derived_value, value, 1.0), *(relative_error(mine, gradient, floor) for mine in derived)]
    return f"relative errors {errors}" if max(errors) > TOLERANCE else None


def step_disagreement(case, directions=2):
    """The same by derivatives along random directions; independent of the shape of the printed or compiled result."""
    arrays = case.values()
    everything, shape = {**SIZES, **arrays}, arrays[case.wrt].shape
    rng = np.random.default_rng(7)
    moves = [rng.standard_normal(shape) for _ in range(directions)]
    moves = [symmetric_part(move) for move in moves] if case.symmetric else moves
    with np.errstate(all="ignore"):
        value = value_of(case.text, everything)
        slopes = [directional_derivative(case.text, everything, {case.wrt: move}) for move in moves]
    if not np.all(np.isfinite([value, *slopes])):
        return "not finite"
    derived_value, *derived = results(case)
    if relative_error(derived_value, value, 1.0) > TOLERANCE:
        return f"value {derived_value}, not {value}"
    for gradient in derived:
        if not np.all(np.isfinite(gradient)):  # a norm of zeros, say: JAX has the last word
            return jax_disagreement(case)
        if np.shape(gradient) != shape:
            return f"for a variable of shape {shape} the gradient {gradient}"
        for slope, move in zip(slopes, moves, strict=True):
            scale = np.linalg.norm(gradient) * np.linalg.norm(move)
            if not abs(np.sum(gradient * move) - slope) <= TOLERANCE * scale + ROUNDING * max(1, abs(value)):
                return f"along a direction {np.sum(gradient * move)}, not {slope}"
    return None


def judge(numbers, disagreement):
    """Every expression right, or refused by name; few refused, few without a finite reference."""
    outcomes, wrong, refusals = Counter(), [], Counter()
    for number in numbers:
        case = expression(number)
        try:
            problem = disagreement(case)
        except byhand.ByhandError as error:
            outcomes["refused"] += 1
            refusals[f"{type(error).__name__}: {str(error).splitlines()[0]}"] += 1
            continue
        outcomes[problem if problem in (None, "not finite") else "wrong"] += 1
        if problem not in (None, "not finite"):
            wrong.append(f"expression {number}, for {case.wrt}: {problem}\n{case.text}\n{case.shapes} {case.assume}")
    assert not wrong, f"{len(wrong)} wrong:\n\n" + "\n\n".join(wrong[:5])
    assert outcomes["refused"] < REFUSED * len(numbers), f"refused: {refusals.most_common(10)}"
    assert outcomes["not finite"] < NOT_FINITE * len(numbers)


@pytest.mark.slow
@chunks_of(range(0, BY_JAX, CHUNK))
def test_gradient_equals_jax(first, jax):
    judge(range(first, first + CHUNK), jax_disagreement)


@pytest.mark.slow
@chunks_of(range(BY_JAX, EXPRESSIONS, CHUNK))
def test_gradient_equals_complex_step(first):
    judge(range(first, first + CHUNK), step_disagreement)


@given(cases())
def test_no_gradient_is_silently_wrong(case):
    """As above; here a failure is shrunk to a small expression."""
    try:
        problem = step_disagreement(case)
    except byhand.ByhandError:
        return
    assert problem in (None, "not finite"), f"{problem}: {case.text!r} for {case.wrt}"


@pytest.mark.slow
@chunks_of(range(0, SIMPLIFIED, CHUNK))
def test_normal_form(first):
    """Simplification keeps the value, is idempotent, and does not see the order of operands."""
    for number in range(first, first + CHUNK):
        case = expression(number)
        try:
            function = parsed(case, case.text)
            simple = normal(function.root)
        except byhand.ByhandError:
            continue  # counted above
        assert normal(simple) is simple, f"not idempotent: expression {number}: {case.text!r}"
        swapped = case.swapped(random.Random(number))
        assert normal(parsed(case, swapped).root) is simple, f"depends on the order: {case.text!r} and {swapped!r}"
        with np.errstate(all="ignore"):
            before, after = (byhand.evaluate(f, **case.values()) for f in (function, replace(function, root=simple)))
        if np.isfinite(before):
            error = relative_error(after, before, 1.0)
            assert error <= TOLERANCE, f"value changed by {error:.1e}: expression {number}: {case.text!r}"


def test_expressions_cover_all_operations():
    """Every row of the generator's table is used, and often enough for a mistake in it to be met."""
    texts = [expression(number).text for number in range(EXPRESSIONS)]
    for function in NUMPY_NAMES.keys() - {"swapaxes"}:
        assert sum(f"{function}(" in text for text in texts) >= EXPRESSIONS // 500, function
    assert len(set(texts)) > 0.9 * EXPRESSIONS
    assert len(OPERATIONS) > 5 * len(RARE)

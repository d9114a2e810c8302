"""Every listed formula is derived by the library and equals the listed closed form within 1e-12 in float64."""

import ast

import numpy as np
import pytest
from acceptance.seeds_table import FORMULAS, SIZES
from oracles import NUMPY_NAMES, directional_derivative, draw, relative_error, run

import byhand

TOLERANCE = 1e-12
SEEDS = (0, 1, 2)
NAMES = {**NUMPY_NAMES, "array": np.array, "matrix_rank": np.linalg.matrix_rank}


def names_in(text):
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def parsed(text, formula, shapes):
    """`text` as a function of those variables of the row that it mentions."""
    used = names_in(text)
    return byhand.parse(
        text,
        shapes={name: shape for name, shape in shapes.items() if name in used},
        assume={name: domain for name, domain in formula.assume.items() if name in used},
    )


def sizes_of(formula):
    return {**SIZES, **formula.sizes}


def drawn(formula, seed):
    """Values of a row's variables: its fixed ones, the others at random from their declared domains."""
    rng, sizes = np.random.default_rng(seed), sizes_of(formula)

    def one(name, shape):
        if name in formula.values:
            return np.array(formula.values[name])
        lengths = [int(sizes.get(dim, dim)) for dim in shape.split()]
        return draw(formula.assume.get(name), lengths, rng, spread=formula.spread, classes=sizes[formula.classes])

    return {name: one(name, shape) for name, shape in formula.shapes.items()}


def listed(formula, values):
    """The listed closed forms as arrays, and every name that a condition may use."""
    value, scope = run(formula.text, NAMES, {**sizes_of(formula), **values})
    scope["value"] = value
    if formula.given:
        scope = run(formula.given, NAMES, scope)[1]
    return {name: run(form, NAMES, scope)[0] for name, form in formula.gradients.items()}, scope


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.number)
def test_formula(formula):
    variables = list(formula.gradients)
    functions = [parsed(text, formula, formula.shapes) for text in (formula.text, *formula.equals)]
    derivations = [byhand.derive(function, variables) for function in functions]
    compiled = [derivation.function("numpy") for derivation in derivations]
    alone = {name: byhand.derive(functions[0], name).gradient for name in variables}
    for seed in SEEDS:
        values = drawn(formula, seed)
        closed_forms, scope = listed(formula, values)
        given = {name: array.copy() for name, array in values.items()}

        def close(actual, expected, what, floor=formula.floor, seed=seed):
            error = relative_error(actual, expected, floor)
            assert error <= TOLERANCE, f"{what}, seed {seed}: relative error {error:.1e}"

        for name, expected in closed_forms.items():
            close(byhand.evaluate(alone[name], **values), expected, f"gradient for {name}")
        for text, function, derivation, run_compiled in zip(
            (formula.text, *formula.equals), functions, derivations, compiled, strict=True
        ):
            value, gradients = run_compiled(**values)
            close(byhand.evaluate(function, **values), scope["value"], f"value of {text!r}", floor=1.0)
            close(value, scope["value"], f"compiled value of {text!r}", floor=1.0)
            assert set(gradients) == set(derivation.gradients) == set(variables)
            for name, expected in closed_forms.items():
                close(
                    byhand.evaluate(derivation.gradients[name], **values), expected, f"gradients[{name!r}] of {text!r}"
                )
                close(gradients[name], expected, f"compiled gradient of {text!r} for {name}")
        check_differentials(formula, functions[0], values, seed)
        for condition in formula.holds:
            derived = {f"g_{name}": byhand.evaluate(alone[name], **values) for name in variables}
            assert run(condition, NAMES, {**scope, **derived})[0], f"{condition}, seed {seed}"
        assert all(np.array_equal(values[name], given[name]) for name in given), "an input was changed in place"


def check_differentials(formula, function, values, seed):
    """<gradient, dX> equals the listed differential, both by the library."""
    moves = {name: np.random.default_rng([seed, 1]).standard_normal(values[name].shape) for name in formula.shapes}
    for text in formula.differentials:
        moved = [name for name in formula.shapes if f"d{name}" in names_in(text)]
        differential = parsed(text, formula, {**formula.shapes, **{f"d{name}": formula.shapes[name] for name in moved}})
        arrays = {**values, **{f"d{name}": moves[name] for name in moved}}
        right = byhand.evaluate(differential, **{name: arrays[name] for name in arrays if name in names_in(text)})
        gradients = byhand.derive(function, moved).gradients
        terms = {name: (byhand.evaluate(gradients[name], **values), moves[name]) for name in moved}
        left = sum(np.sum(gradient * move) for gradient, move in terms.values())
        scale = sum(np.linalg.norm(gradient) * np.linalg.norm(move) for gradient, move in terms.values())
        assert abs(left - right) <= TOLERANCE * scale, f"differential {text!r}, seed {seed}: {left} and {right}"


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.number)
def test_the_table_itself_is_right(formula):
    """The listed forms against a complex step: a wrong row would ask the library for a wrong gradient."""
    for seed in SEEDS:
        values = drawn(formula, seed)
        closed_forms, scope = listed(formula, values)
        everything = {**sizes_of(formula), **values}
        for text in (formula.text, *formula.equals):
            value = run(text, NAMES, everything)[0]
            assert np.ndim(value) == 0 and relative_error(value, scope["value"], 1.0) <= TOLERANCE
            for name, gradient in closed_forms.items():
                gradient = np.asarray(gradient)
                assert gradient.shape == values[name].shape
                direction = np.random.default_rng([seed, 2]).standard_normal(gradient.shape)
                slope = directional_derivative(text, everything, {name: direction})
                scale = max(np.linalg.norm(gradient), formula.floor) * np.linalg.norm(direction)
                assert abs(slope - np.sum(gradient * direction)) <= TOLERANCE * scale, (text, name)


def test_numbers_are_unique():
    numbers = [formula.number for formula in FORMULAS]
    assert len(set(numbers)) == len(numbers)

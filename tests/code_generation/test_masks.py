"""Masks select and never multiply: a branch that is not taken may be undefined, in every target and by the interpreter."""

import numpy as np
import pytest
from code_generation.everywhere import computed, distance, interpreted, targets_of

import byhand

X = np.array([-2.0, 4.0, 0.0, -0.5, 3.0])
A = np.array([[1.0, -2.0, 0.0], [3.0, 0.5, -1.0]])
# text, values, gradient by hand
CASES = {
    "root": ("sum(where(x > 0, x**1.5, -x))", {"x": X}, np.where(X > 0, 1.5 * np.sqrt(np.abs(X)), -1)),
    "logarithm": ("sum(where(x > 0, log(x), 2*x))", {"x": X}, np.where(X > 0, 1 / np.where(X > 0, X, 1), 2)),
    "other branch": ("sum(where(x <= 0, 2*x, log(x)))", {"x": X}, np.where(X > 0, 1 / np.where(X > 0, X, 1), 2)),
    "quotient": ("sum(where(x != 0, sin(x)/x, 1))", {"x": X}, "derivative of sin(x)/x"),
    "named branch": ("A = sqrt(x)\nsum(where(x > 0, A, x**2))", {"x": X}, np.where(X > 0, 0.5 / np.sqrt(np.where(X > 0, X, 1)), 2 * X)),
    "named twice": ("A = log(x)\nB = A**2\nsum(where(x > 1, B, 0))", {"x": X}, np.where(X > 1, 2 * np.log(np.where(X > 1, X, 1)) / np.where(X > 1, X, 1), 0)),
    "nested": ("sum(where(x > 0, where(x > 3.5, sqrt(x - 3.5), log(x)), -x))", {"x": X},
               np.where(X > 3.5, 0.5 / np.sqrt(np.where(X > 3.5, X - 3.5, 1)), np.where(X > 0, 1 / np.where(X > 0, X, 1), -1))),
    "inside a function": ("sum(exp(where(x > 0, log(x), x)))", {"x": X}, np.where(X > 0, 1, np.exp(np.minimum(X, 0)))),
    "overflow": ("sum(where(x > 0, x + log1p(exp(-x)), log1p(exp(x))))", {"x": 1000 * X}, np.where(X > 0, 1, np.where(X < 0, 0, 0.5))),
    "declared mask": ("sum(where(M, log(x), x))", {"x": X, "M": (X > 0) * 1.0}, np.where(X > 0, 1 / np.where(X > 0, X, 1), 1)),
    "rows": ("sum(where(X > 0, X*log(X), 0) @ w)", {"X": A, "w": np.array([1.0, 2.0, 3.0])},
             np.where(A > 0, (1 + np.log(np.where(A > 0, A, 1))) * np.array([1.0, 2.0, 3.0]), 0)),
    "repeated along the rows": ("sum(where(M, sqrt(x)[:, None] + 0*X, 0))", {"x": X[:2] + 1, "X": A, "M": np.array([[0.0, 0, 0], [1, 0, 1]])},
                     np.array([0.0, 1 / np.sqrt(5)])),
    "a sum in a branch": ("sum(where(y > 0, y*sum(log(x)), 0))", {"x": X, "y": -np.ones(2)}, np.zeros(5)),
    "a matrix in a branch": ("sum(where(y > 0, y*sum(1/X), 0))", {"X": A, "y": -np.ones(5)}, np.zeros((2, 3))),
    "times what stands before": ("H = where(X <= 0, exp(X), sqrt(X))\nsum(sin(H))", {"X": A},
                                 np.where(A > 0, np.cos(np.sqrt(np.abs(A))) / (2 * np.sqrt(np.where(A > 0, A, 1))), np.cos(np.exp(np.minimum(A, 0))) * np.exp(np.minimum(A, 0)))),
    "times its own square": ("H = where(X <= 0, exp(X), log(X))\nsum(H**3)", {"X": A},
                             3 * np.where(A > 0, np.log(np.where(A > 0, A, 1)) ** 2 / np.where(A > 0, A, 1), np.exp(3 * np.minimum(A, 0)))),
    "powers of one base": ("sum(where(X > 0, sqrt(X), X**2)**2)", {"X": A}, np.where(A > 0, 1, 4 * A**3)),
    "numbers": ("where(s > 0, log(s), s)", {"s": np.float64(-2.0)}, np.float64(1.0)),
    "one number of an array": ("where(x[0] > 0, sqrt(x[0]), x[1])", {"x": X}, np.array([0.0, 1, 0, 0, 0])),
    "clipped": ("sum(maximum(sqrt(x), 1.5))", {"x": np.array([0.0, 4.0, 1.0])}, np.array([0.0, 0.25, 0.0])),
    "relu of a pole": ("sum(relu(log(x)))", {"x": np.array([0.0, 4.0])}, np.array([0.0, 0.25])),
    "a general power": ("sum(where(x > 0, x**y, -x))", {"x": X, "y": np.full(5, 1.5)}, np.where(X > 0, 1.5 * np.sqrt(np.abs(X)), -1)),
}  # fmt: skip
DECLARED = {"M": "01"}
SIZES = {(5,): "n", (2, 3): "p q", (3,): "q", (2,): "p", (): ""}


def derivation(text, values):
    shapes = {k: SIZES[np.shape(v)] for k, v in values.items()}
    return byhand.derive(
        byhand.parse(text, shapes, {k: DECLARED[k] for k in shapes if k in DECLARED}), next(iter(values))
    )


@pytest.mark.parametrize("case", CASES)
def test_a_branch_not_taken_may_be_undefined(case):
    text, values, expected = CASES[case]
    d = derivation(text, values)
    (name,) = d.gradients
    if isinstance(expected, str):
        x = np.where(X != 0, X, 1)
        expected = np.where(X != 0, np.cos(x) / x - np.sin(x) / x**2, 0)
    with np.errstate(all="ignore"):
        value, gradients = interpreted(d, values)
        assert np.isfinite(value)
        assert distance(gradients[name], expected) < 1e-12, "interpreter"
        for target in targets_of(d):
            found, own = computed(d, values, target)
            assert distance(found, value) < 1e-12, target
            assert distance(own[name], expected) < 1e-12, target


@pytest.mark.parametrize("kink", ["relu(c - 0.1)", "where(c > 0.1, c, 0)", "maximum(c, 0.1)"])
def test_a_mask_that_is_no_number_lets_nothing_through(kink):
    """The cosine of a row of zeros is 0/0; where its sample counts by a kink, its gradient is 0 in every target."""
    text = f"c = sum(A*B, axis=1) / sum(A*A, axis=1)\nsum(where(s > 0, 1 - c, {kink}))"
    values = {"A": np.array([[1.0, -2, 0], [0, 0, 0]]), "B": np.array([[3.0, 0.5, 1], [2, 1, -1]]), "s": -np.ones(2)}
    d = byhand.derive(byhand.parse(text, {"A": "n d", "B": "n d", "s": "n"}), ["A", "B"])
    with np.errstate(all="ignore"):
        _, expected = interpreted(d, values)
        assert not np.any(expected["A"][1]) and np.all(np.isfinite(expected["A"]))
        for target in targets_of(d):
            _, own = computed(d, values, target)
            for name in ("A", "B"):
                assert distance(own[name], expected[name]) < 1e-12, (target, name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(where(x > 0, x**2.5, x**2))", np.where(X > 0, 3.75 * np.sqrt(np.abs(X)), 2)),
        ("A = log(x)\nsum(where(x > 0, x*A, -x))", np.where(X > 0, 1 / np.where(X > 0, X, 1), 0)),
        ("sum(where(x > 0, where(x > 3.5, sqrt(x - 3.5), log(x)), x**3))",
         np.where(X > 3.5, -0.25 * np.where(X > 3.5, X - 3.5, 1) ** -1.5, np.where(X > 0, -1 / np.where(X > 0, X, 1) ** 2, 6 * X))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("target", ["interpreter", "numpy", "jax", "torch"])
def test_second_derivatives_too(text, expected, target):
    if target == "torch":
        pytest.importorskip("torch")
    h = byhand.hessian(byhand.parse(text, {"x": "n"}), "x")
    with np.errstate(all="ignore"):
        found = np.asarray(h.function(target)(x=X), float)
        products = h.operator(x=X) @ np.ones(5)
    assert distance(found, np.diag(expected)) < (1e-5 if target == "jax" else 1e-12)
    assert distance(products, expected) < 1e-12


def test_products_without_masks_of_choice_are_left_alone():
    """One-hot rows are data: they multiply; and what is always defined needs no choice."""
    for text, shapes, assume in (
        ("-sum(Y*log(P))", {"P": "n k", "Y": "n k"}, {"Y": "one_hot"}),
        ("sum(relu(X @ W)/sqrt(1 + sum(X**2, axis=1, keepdims=True)))", {"X": "n d", "W": "d k"}, {}),
    ):
        assert "where" not in byhand.derive(byhand.parse(text, shapes, assume)).code("numpy")


@pytest.mark.parametrize("shape", ["2 3", "3 5", "7 11"])
@pytest.mark.parametrize(
    "text",
    ["sum(where(A > 0.1, where(A > 0.9, A**2, A**3), tanh(A)))", "sum(maximum(A, where(A > 0.3, A**2, tanh(A))))"],
)
def test_sums_of_choices_at_fixed_sizes_are_right_in_c(text, shape):
    """GCC 12 adds up choices in vectors wrongly where it may turn them into masks."""
    d = byhand.derive(byhand.parse(text, shapes={"A": shape}), "A")
    rng = np.random.default_rng(5)
    for _ in range(4):
        values = {"A": rng.normal(size=tuple(map(int, shape.split())))}
        (one, left), (other, right) = d.function("c")(**values), d.function("numpy")(**values)
        assert np.isclose(one, other, rtol=1e-12, atol=1e-12)
        assert np.allclose(left["A"], right["A"], rtol=1e-12, atol=1e-12)

"""At the rim of the domain: infinities, what is not a number, ties, norms of zero, singular matrices; in every target."""

import re

import numpy as np
import pytest
from oracles import torch

import byhand

INF, NAN = np.inf, np.nan
TARGETS = ("numpy", "c", "jax", "torch")


def called(derivation, target, values):
    """Value and gradients as arrays."""
    given = {n: torch.tensor(v) for n, v in values.items()} if target == "torch" else values
    with np.errstate(all="ignore"):
        value, gradients = derivation.function(target)(**given)
    return float(value), {n: np.asarray(g) for n, g in gradients.items()}


def interpreted(derivation, values):
    with np.errstate(all="ignore"):
        gradients = {n: byhand.evaluate(g, **values) for n, g in derivation.gradients.items()}
        return byhand.evaluate(derivation.f, **values), gradients


# ---- infinities

ROWS = {
    "a": [0, -INF],
    "b": [-INF, -INF],
    "c": [INF, 1],
    "d": [NAN, 2],
    "e": [1, 2],
    "f": [-INF, INF],
    "g": [1e308, -1e308],
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_log_sum_exp(row, target):
    X = np.array([row], float)
    with np.errstate(all="ignore"):
        wanted = np.logaddexp(*row)
        softmax = np.exp(X - wanted)  # of infinities it has no value
    for text in ("sum(logsumexp(X, axis=1))", "logsumexp(X)", "logsumexp(logsumexp(X, axis=1))"):
        d = byhand.derive(byhand.parse(text, {"X": "n k"}))
        value, gradients = called(d, target, {"X": X})
        assert np.isclose(value, wanted, rtol=1e-14, equal_nan=True), text
        assert np.isclose(interpreted(d, {"X": X})[0], wanted, rtol=1e-14, equal_nan=True), text
        if np.isfinite(wanted):
            assert np.allclose(gradients["X"], softmax, rtol=1e-12), text


# ---- comparisons

COMPARISONS = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
POINTS = np.array([-1.0, 0.0, -0.0, 2.0, NAN, INF, 1e-300, 1e308])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("sign", COMPARISONS)
def test_comparisons_are_numpys(sign, target):
    x, y = (a.ravel() for a in np.meshgrid(POINTS, np.array([-1.0, 0.0, 2.0, NAN, -1e308])))
    a, b = np.linspace(1, 2, len(x)), np.linspace(3, 5, len(x))
    chosen = COMPARISONS[sign](x, y)
    for text, slopes in (
        (f"sum(where(x {sign} y, a, b**2))", {"a": chosen * 1.0, "b": np.where(chosen, 0, 2 * b)}),
        (f"sum((x {sign} y)*a + b)", {"a": chosen * 1.0, "b": np.ones(len(x))}),
    ):
        d = byhand.derive(byhand.parse(text, dict.fromkeys("xyab", "n")), "a, b")
        wanted = np.sum(np.where(chosen, a, b**2)) if "where" in text else np.sum(chosen * a + b)
        values = {"x": x, "y": y, "a": a, "b": b}
        for value, gradients in (called(d, target, values), interpreted(d, values)):
            assert np.isclose(value, wanted), text
            assert all(np.allclose(gradients[n], slopes[n]) for n in slopes), text


# ---- kinks

TIES = {
    "maximum(x, 0)": 0, "maximum(0, x)": 0, "minimum(x, 0)": 0, "minimum(0, x)": 0, "relu(x)": 0, "abs(x)": 0, "sign(x)": 0,
    "maximum(x, y)": 0, "maximum(y, x)": 1, "minimum(x, y)": 0, "minimum(y, x)": 1, "maximum(x, 2*x)": 2,
    "maximum(2*x, x)": 1, "leaky_relu(x)": 0.01, "nonnegative(x)": 0, "step(x)": 0, "where(x > 0, x, 3*x)": 3,
    "where(x >= 0, x, 3*x)": 1, "where(0 <= x, x, 3*x)": 1, "where(x == y, 5*x, x)": 5, "where(x != y, 5*x, x)": 1,
    "sqrt(x**2)": 0, "sqrt(x**2 + y**2)": 0, "norm(x)": 0, "norm(x)**3": 0,
}  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("text", "slope"), TIES.items(), ids=TIES)
def test_ties_take_the_documented_side(text, slope, target):
    for zero in (0.0, -0.0):
        values = {"x": np.full(3, zero), "y": np.full(3, -zero)}
        values = {n: v for n, v in values.items() if re.search(rf"\b{n}\b", text)}
        d = byhand.derive(byhand.parse(f"sum({text})", dict.fromkeys(values, "n")), "x")
        for _, gradients in (called(d, target, values), interpreted(d, values)):
            assert np.array_equal(gradients["x"], np.full(3, float(slope))), text


DEAD = {
    "row norms": "sum(sqrt(sum(X**2, axis=1))*a)",
    "deviations": "sum(sqrt(mean((X - outer(mean(X, axis=1), ones(n)))**2, axis=1))*a)",
    "named": "s = sqrt(sum(X**2, axis=1))\nsum(tanh(s)*a)",
    "norm of products": "r = X @ v\nsum(a)*norm(r) + sum(X)",
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("text", DEAD.values(), ids=DEAD)
def test_dead_units_leave_the_others_alone(text, target):
    rng = np.random.default_rng(0)
    values = {"X": rng.normal(size=(5, 3)), "a": rng.normal(size=5), "v": rng.normal(size=3)}
    shapes = {"X": "m n", "a": "m", "v": "n"}
    shapes = {n: s for n, s in shapes.items() if n != "v" or " v" in text}
    values = {n: values[n] for n in shapes}
    dead = values | {"X": np.where(np.arange(5)[:, None] == 2, 0.0, values["X"])}
    if "norm(" in text:
        dead["X"] = np.zeros((5, 3))
    d = byhand.derive(byhand.parse(text, shapes), "X")
    _, gradients = called(d, target, dead)
    assert np.allclose(gradients["X"], interpreted(d, dead)[1]["X"])
    if "norm(" in text:
        assert np.array_equal(gradients["X"], np.ones((5, 3)))
    else:
        others = np.arange(5) != 2
        assert np.array_equal(gradients["X"][2], np.zeros(3))
        assert np.allclose(gradients["X"][others], called(d, target, values)[1]["X"][others])


def test_a_quotient_by_a_norm_keeps_having_no_value():
    d = byhand.derive(byhand.parse("sum(x/norm(x))", {"x": "n"}))
    for target in TARGETS:
        assert np.isnan(called(d, target, {"x": np.zeros(3)})[0])


# ---- singular matrices

DETERMINANTS = {
    "det(X)": 1, "det(X)*sum(X)": 1, "det(X)**2*sum(X*X)": 1, "det(X @ X.T)": 1, "H = det(X)\ntanh(H) + H*trace(X)": 1,
    "det(X)*logdet(X @ X.T + eye(n))": 1, "det(det(X)*X + X.T)": 1,
}  # fmt: skip
SINGULAR = {
    "one zero": np.diag([1.0, 2, 0]), "rank one": np.outer([1.0, 2, 3], [2.0, -1, 1]), "zero": np.zeros((3, 3)),
    "ones": np.ones((3, 3)), "regular": np.random.default_rng(3).normal(size=(3, 3)),
}  # fmt: skip


def determinant(a):
    return sum(
        a[0, i] * (a[1, (i + 1) % 3] * a[2, (i + 2) % 3] - a[1, (i + 2) % 3] * a[2, (i + 1) % 3]) for i in range(3)
    )


@pytest.mark.parametrize("target", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("text", DETERMINANTS)
def test_the_gradient_of_a_determinant_is_made_of_cofactors(text, target):
    d = byhand.derive(byhand.parse(text, {"X": "n n"}))
    for X in SINGULAR.values():
        wanted = np.zeros((3, 3))
        for i in np.ndindex(3, 3):
            moved = X.astype(complex)
            moved[i] += 1e-30j
            names = {
                "det": determinant,
                "logdet": lambda a: np.log(determinant(a)),
                "tanh": np.tanh,
                "eye": np.eye,
                "n": 3,
            }
            names |= {"X": moved, "sum": np.sum, "trace": np.trace}
            *lines, last = text.split("\n")
            for line in lines:
                names["H"] = eval(line.partition(" = ")[2], names)
            wanted[i] = eval(last, names).imag / 1e-30
        for _, gradients in (called(d, target, {"X": X}), interpreted(d, {"X": X})):
            assert np.allclose(gradients["X"], wanted, rtol=1e-9, atol=1e-11)


def test_what_needs_an_inverse_is_refused_where_there_is_none():
    for text in ("logdet(X)", "sum(inv(X))", "sum(inv(inv(X) + X))"):
        d = byhand.derive(byhand.parse(text, {"X": "n n"}))
        with pytest.raises(byhand.ByhandError, match="singular"):
            d.function()(X=np.diag([1.0, 2, 0]))
        with pytest.raises(byhand.ByhandError, match="singular"):
            byhand.evaluate(d.gradient, X=np.diag([1.0, 2, 0]))

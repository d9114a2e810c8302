"""NumPy's and byhand's functions on symbolic arrays and on arrays: the same values."""

import numpy as np
import pytest

import byhand
from byhand import ShapeError
from byhand.expr.protocol import FUNCTIONS, UFUNCS
from byhand.expr.vocabulary import VOCABULARY

F = byhand.functions
RNG = np.random.default_rng(1)


def arrays():
    return {"X": RNG.standard_normal((3, 5)), "S": RNG.standard_normal((4, 4)), "v": RNG.uniform(0.2, 0.8, 5)}


NUMPY = [
    lambda X, S, v: np.add(X, v) - np.subtract(X, 2) * np.multiply(X, X) / np.divide(X, 3) + np.negative(X),
    lambda X, S, v: np.matmul(X, v) + np.dot(X, v) + np.einsum("ij,j", X, v) + np.inner(X, v),
    lambda X, S, v: np.einsum("ij,kj->ik", X, X) + np.inner(X, X),
    lambda X, S, v: np.sum(X, axis=0) + np.mean(X, axis=0, keepdims=True) + X.sum(axis=0) + X.mean(0),
    lambda X, S, v: np.var(X, axis=1) + np.std(X, axis=1),
    lambda X, S, v: np.trace(S) + S.trace() + np.linalg.det(S) + np.linalg.norm(S) + np.linalg.trace(S),
    lambda X, S, v: np.linalg.inv(S) @ np.linalg.solve(S, S) + np.transpose(S) + np.swapaxes(S, 0, 1) + S.T,
    lambda X, S, v: np.outer(v, v) + np.diag(v) + np.kron(v[:, None], v[None, :]),
    lambda X, S, v: np.diag(S) + np.diagonal(S) + S.diagonal(),
    lambda X, S, v: np.where(X > 0, np.maximum(X, 0.1), np.minimum(X, -0.1)) + np.clip(X, -0.5, 0.5),
    lambda X, S, v: np.where(np.greater(X, 0), 1, 2) + np.heaviside(X, 0) + np.sign(X) + np.abs(X) + abs(X),
    lambda X, S, v: np.where(X == 0, 1.0, X) + np.where(X != 0, 1.0, X) + np.where(np.less_equal(X, v), X, v),
    lambda X, S, v: np.exp(v) + np.log(v) + np.log1p(v) + np.expm1(v) + np.sqrt(v) + np.square(v) + np.reciprocal(v),
    lambda X, S, v: np.sin(v) + np.cos(v) + np.tan(v) + np.arcsin(v) + np.arccos(v) + np.arctan(v) + np.arcsinh(v),
    lambda X, S, v: np.sinh(v) + np.cosh(v) + np.tanh(v) + np.log2(v) + np.log10(v) + np.power(v, 3) + v**v,
    lambda X, S, v: np.logaddexp(v, 2 * v) + np.vecdot(v, v) + np.add.reduce(X) + np.vdot(v, v),
    lambda X, S, v: np.concatenate([X, X]) + np.ones_like(v) + np.zeros_like(v) + np.expand_dims(v, 0) + np.positive(v),
    lambda X, S, v: np.eye(3) @ X + np.ones(3)[:, None] * X + np.float64(2) * X + np.zeros((3, 5)) - X * np.int64(3),
    lambda X, S, v: X.dot(v).transpose() + X.transpose().swapaxes(0, 1) @ v + len(X) + sum(X[i] @ v for i in range(3)),
    lambda X, S, v: np.size(X) * X.size + np.ndim(X) + np.shape(X)[0] * v,
    lambda X, S, v: sum(row @ row for row in X),
    lambda X, S, v: 2 / v - (1 - v) @ v + +v,
]  # fmt: skip


@pytest.mark.parametrize("function", NUMPY, ids=range(len(NUMPY)))
def test_numpy_functions(function):
    values = arrays()
    f = byhand.trace(function, {name: array.shape for name, array in values.items()})
    expected = function(**values)
    value = byhand.evaluate(f, **values)
    assert np.shape(value) == np.shape(expected)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)


def test_scipy_functions():
    from scipy import special

    def function(v):
        return special.expit(v) + special.erf(v) + special.ndtr(v) + special.log_expit(v)

    v = RNG.standard_normal(5)
    np.testing.assert_allclose(byhand.trace(function, {"v": "n"})(v=v), function(v), rtol=1e-12)


def test_the_tables_name_functions_of_numpy_and_the_vocabulary():
    from scipy import special

    for name in UFUNCS:
        assert isinstance(getattr(np, name, getattr(special, name, None)), np.ufunc | type(np.clip)), name
    assert all(callable(f) for f in FUNCTIONS)


def test_labels_by_index():
    def nll(Z, t):
        return -Z[np.arange(4), t].mean()

    def symbolic(Z, t):
        return -Z[F.arange(Z.shape[0]), t].mean()

    text = "-mean(Z[arange({m}), t])"
    assert byhand.trace(nll, {"Z": "4 3", "t": "4"}).root is byhand.parse(text.format(m=4), {"Z": "4 3", "t": "4"}).root
    shapes = {"Z": "m k", "t": "m"}
    assert byhand.trace(symbolic, shapes).root is byhand.parse(text.format(m="m"), shapes).root
    Z, t = RNG.standard_normal((4, 3)), np.array([0, 1, 2, 1])
    assert symbolic(Z, t) == nll(Z, t)


# ---- byhand.functions


def test_every_word_of_the_vocabulary_is_a_function():
    assert set(F.__all__) == set(VOCABULARY) and set(dir(F)) == set(VOCABULARY)
    with pytest.raises(AttributeError, match="did you mean `relu`"):
        F.relo  # noqa: B018


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda: F.relu(np.array([-1.0, 2.0])), [0, 2]),
        (lambda: F.relu(-1), 0),
        (lambda: F.sqrt(np.array([4, 9])), [2, 3]),
        (lambda: F.where(np.array([1.0, -1.0]) > 0, 1.0, [2.0, 3.0]), [1, 3]),
        (lambda: F.eye(2), np.eye(2)),
        (lambda: F.einsum("ij->j", np.ones((2, 3))), [2, 2, 2]),
        (lambda: F.concatenate([np.eye(2), np.ones((1, 2))]), [[1, 0], [0, 1], [1, 1]]),
        (lambda: F.norm(np.array([3, 4])), 5),
        (lambda: F.one_hot(np.array([1, 0]), 2), [[0, 1], [1, 0]]),
        (lambda: F.sum(np.array([[1, 2], [3, 4]]), axis=0), [4, 6]),
        (lambda: F.arange(3), [0, 1, 2]),
        (lambda: F.softmax(np.zeros((1, 2))), [[0.5, 0.5]]),
        (lambda: F.sigmoid(np.array([0j]))[0], 0.5),
    ],
)
def test_functions_compute_on_arrays(value, expected):
    np.testing.assert_allclose(value(), expected)


def test_functions_refuse_as_the_parser_does():
    with pytest.raises(ShapeError, match="inner dimensions differ, 3 != 2"):
        F.matmul(np.ones((2, 3)), np.ones((2, 3)))


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    import byhand

    assert byhand.__version__ == version("byhand")

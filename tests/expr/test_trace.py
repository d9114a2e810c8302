"""Functions of Python as expressions: names of locals, refusals, and earlier trace functions."""

import functools
import sys

import numpy as np
import pytest

import byhand
from byhand import ByhandError

F = byhand.functions
RNG = np.random.default_rng(1)


def network(X, W1, b1, W2, b2, y, lam=0.25):
    Z1 = X @ W1 + b1
    H1 = F.relu(Z1)
    Z2 = np.dot(H1, W2) + b2
    samples = X.shape[0]
    data = F.cross_entropy(Z2, y).sum() / samples
    L = data + lam * (np.sum(W1**2) + (W2**2).sum())
    return L


SHAPES = {"X": "N 4", "W1": "4 5", "b1": "5", "W2": "5 3", "b2": "3", "y": "N"}
VALUES = {
    **{name: RNG.standard_normal([7 if d == "N" else int(d) for d in shape.split()]) for name, shape in SHAPES.items()},
    "y": RNG.integers(0, 3, 7),
}


def test_a_traced_network_is_the_parsed_one():
    f = byhand.trace(network, SHAPES)
    g = byhand.parse(
        "Z1 = X @ W1 + b1\nH1 = relu(Z1)\nZ2 = H1 @ W2 + b2\ndata = sum(cross_entropy(Z2, y))/N\n"
        "L = data + 0.25*(sum(W1**2) + sum(W2**2))",
        SHAPES,
    )
    assert f.root is g.root and f.name == g.name == "L"
    assert list(f.symbols) == list(SHAPES) and f.symbols["y"].assumptions == {"labels"}


def test_the_same_function_runs_on_arrays():
    expected = byhand.evaluate(byhand.trace(network, SHAPES), **VALUES)
    np.testing.assert_allclose(network(**VALUES), expected, rtol=1e-14)


def test_a_gradient_of_a_traced_function():
    d = byhand.derive(byhand.trace(network, SHAPES), "W1")
    step = 1e-6 * RNG.standard_normal((4, 5))
    up, down = (network(**{**VALUES, "W1": VALUES["W1"] + t * step}) for t in (1, -1))
    gradient = byhand.evaluate(d.gradient, **VALUES)
    np.testing.assert_allclose(np.sum(gradient * step), (up - down) / 2, rtol=1e-6)


# ---- names


def names(function, shapes):
    return list(byhand.trace(function, shapes).intermediates)


def test_a_local_bound_in_a_loop_is_numbered():
    def recur(x, A):
        h = x
        for _ in range(3):
            h = np.tanh(A @ h)
        return h.sum()

    assert names(recur, {"x": "n", "A": "n n"}) == ["h1", "h2", "h3"]


def test_inputs_keep_their_names():
    def rebind(x):
        z = x
        x = np.exp(x)
        x = x * z
        return x.sum()

    f = byhand.trace(rebind, {"x": "n"})
    assert list(f.intermediates) == ["x1", "x2"] and [s.name for s in f.inputs] == ["x"]


def test_names_that_are_taken_or_end_in_digits():
    def digits(x):
        z1 = np.exp(x)
        z1 = z1 * z1
        n1 = np.sin(z1)
        n = n1 + x
        sum = n * 2
        return (sum * n).sum()

    assert names(digits, {"x": "n"}) == ["z1_1", "z1_2", "n1", "n2", "sum1"]


def test_aliases_keep_the_first_name():
    def alias(x):
        a = np.exp(x)
        b = a
        c = b
        return (a * c).sum()

    assert names(alias, {"x": "n"}) == ["a"]


def test_several_statements_on_a_line():
    # fmt: off
    def dense(x):
        a = np.exp(x); b = np.sin(a)  # noqa: E702
        return (a * b).sum()
    # fmt: on

    assert names(dense, {"x": "n"}) == ["a", "b"]


def test_numbers_and_private_locals_get_no_name():
    def scaled(x):
        scale = 1 / x.shape[0]
        _hidden = np.exp(x)
        return scale * _hidden.sum()

    assert names(scaled, {"x": "n"}) == []


def test_locals_of_helpers_are_their_own():
    def helper(u):
        inside = np.exp(u)
        return inside * 2

    def outer(x):
        outside = helper(x)
        return outside.sum()

    assert names(outer, {"x": "n"}) == ["outside"]


def test_the_name_of_the_value():
    def loss(x):
        value = x @ x
        return value

    f = byhand.trace(loss, {"x": "n"})
    assert f.name == "value" and not f.intermediates
    assert byhand.trace(lambda x: x @ x, {"x": "n"}).name == "f"


class Model:
    def __call__(self, X, w):
        r = X @ w
        return r @ r

    def method(self, X, w):
        r = X @ w
        return r @ r


def wrapped(function):
    @functools.wraps(function)
    def inner(*args, **options):
        return function(*args, **options)

    return inner


@wrapped
def decorated(X, w):
    r = X @ w
    return r @ r


def positional(X, w, /):
    r = X @ w
    return r @ r


def keyword_only(*, X, w):
    r = X @ w
    return r @ r


def any_keywords(**inputs):
    r = inputs["X"] @ inputs["w"]
    return r @ r


def with_scale(scale, X, w):
    r = X @ w
    return scale * r @ r


@pytest.mark.parametrize(
    "function",
    [Model(), Model().method, decorated, positional, keyword_only, any_keywords, functools.partial(with_scale, 1)],
)
def test_kinds_of_functions(function):
    f = byhand.trace(function, {"X": "m n", "w": "n"})
    assert list(f.intermediates) == ["r"] and f.root is byhand.parse("r = X @ w\nr @ r", {"X": "m n", "w": "n"}).root


def test_comparisons_outside_a_trace_are_of_nodes():
    x = byhand.parse("x", {"x": "n"}).root
    y = byhand.parse("y", {"y": "n"}).root
    assert (x == x) is True and (x == y) is False and (x != y) is True and x in (y, x) and hash(x) == hash(x)


# ---- earlier trace functions


def test_an_earlier_trace_function_is_respected():
    events = []

    def earlier(frame, event, arg):
        if frame.f_code is network.__code__:
            events.append(event)
        return earlier

    before = sys.gettrace()
    sys.settrace(earlier)
    try:
        f = byhand.trace(network, SHAPES)
        assert sys.gettrace() is earlier
    finally:
        sys.settrace(before)
    assert list(f.intermediates) == ["Z1", "H1", "Z2", "data"]
    assert events[0] == "call" and events[-1] == "return" and events.count("line") == 7


def test_the_trace_function_is_restored_after_an_error():
    before = sys.gettrace()
    with pytest.raises(ByhandError):
        byhand.trace(lambda x: abs(x) if x > 0 else x, {"x": ""})
    assert sys.gettrace() is before


def test_a_trace_inside_a_trace():
    def outer(x):
        inside = byhand.trace(lambda u: u @ u, {"u": "k"})
        z = 2 * x
        return z @ z + 0 * inside(u=np.ones(3))

    assert names(outer, {"x": "n"}) == ["z"]

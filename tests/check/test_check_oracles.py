"""The tables of PyTorch and JAX have a row for everything, and each computes what byhand's own evaluation computes."""

import warnings

import numpy as np
import pytest

from byhand.check.check import check
from byhand.check.oracles import interpret, jax_gradients, jax_library, torch_gradients, torch_library
from byhand.derive.derivation import derive
from byhand.expr.evaluate import evaluate_node
from byhand.expr.functions import FUNCTIONS, Function
from byhand.expr.operations import CONSTANTS, OPERATIONS
from byhand.expr.parse import parse

GRADIENTS = {"torch": torch_gradients, "jax": jax_gradients}
LIBRARIES = {"torch": torch_library, "jax": jax_library}
WITHOUT_ARGUMENTS = {"one_hot", *CONSTANTS}  # arrays that sizes and labels decide: made by NumPy


@pytest.mark.parametrize("library", LIBRARIES)
def test_tables_are_complete(library):
    rows = LIBRARIES[library]()
    assert set(rows.functions) == set(FUNCTIONS)
    assert set(rows.operations) == set(OPERATIONS) - WITHOUT_ARGUMENTS


def drawn(function: Function):
    rng = np.random.default_rng(0)
    low, high = {"positive": (0.1, 5.0), "unit": (-0.9, 0.9)}.get(function.domain, (-4.0, 4.0))
    return rng.uniform(low, high, 40)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(library, name):
    f = parse(f"sum(u*{name}(x))", {"u": "40", "x": "40"})
    u, x = (f.symbols[n] for n in "ux")
    values = {u: np.random.default_rng(1).standard_normal(40), x: drawn(FUNCTIONS[name])}
    found = GRADIENTS[library](f.root, (u, x), values, {})
    row = FUNCTIONS[name]
    np.testing.assert_allclose(found[u], row.numpy(values[x]), rtol=1e-12, atol=1e-14)
    slope = np.imag(row.numpy(values[x] + 1e-20j)) / 1e-20
    np.testing.assert_allclose(found[x], values[u] * slope, rtol=1e-11, atol=1e-14)


EXPRESSIONS = {
    "sum(inv(A) @ x)": {"A": "n n", "x": "n"},
    "det(A)": {"A": "n n"},
    "logdet(A)": {"A": "n n"},
    "sum(w*softmax(X, 0))": {"w": "m n", "X": "m n"},
    "sum(w*log_softmax(X, 1))": {"w": "m n", "X": "m n"},
    "sum(logsumexp(X, 0)**2)": {"X": "m n"},
    "logsumexp(X)": {"X": "m n"},
    "sum(w*softmax(X, (0, 1)))": {"w": "m n", "X": "m n"},
    "sum(exp(x)**y)": {"x": "n", "y": "n"},
    "sum(where(x > 0, x**2, y))": {"x": "n", "y": "n"},
    "sum(one_hot(t, k)*X)": {"t": "m", "X": "m k"},
    "sum(X[1:3]**2)": {"X": "m n"},
    "sum(tanh(kron(A, B)))": {"A": "n m", "B": "m k"},
    "sum(diag(x) @ A + eye(n)*2 - outer(x, ones(n)))": {"x": "n", "A": "n n"},
    "trace(A)*pi/n": {"A": "n n"},
    "sum(einsum('bij,bkj->bik', U, V)/(1 + sum(U**2)))": {"U": "b i j", "V": "b i j"},
    "sum(concatenate([x, y])**3)": {"x": "n", "y": "m"},
    "norm(X) + sum(X**-1)": {"X": "m n"},
    "2": {},
    "n*m/2": {"x": "n m"},
}
SIZES = {"n": 5, "m": 7, "k": 3, "b": 2, "i": 5, "j": 3}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_operations(library, text):
    shapes = EXPRESSIONS[text]
    f = parse(text, shapes, {"t": "labels"} if "t" in shapes else {})
    rng = np.random.default_rng(3)
    values = {
        s: rng.integers(0, 3, 7) if s.name == "t" else rng.standard_normal([SIZES[str(d)] for d in s.shape])
        for s in f.symbols.values()
    }
    rows = LIBRARIES[library]()
    with_own_arrays = {s: v if s.name == "t" else rows.array(v) for s, v in values.items()}
    found = interpret(f.root, with_own_arrays, SIZES, rows)
    tolerance = 1e-12 if library == "torch" else 1e-5  # JAX computes in float32 outside of jax_gradients
    np.testing.assert_allclose(np.asarray(found), evaluate_node(f.root, values, SIZES), rtol=tolerance)


def test_jax_keeps_the_settings_of_the_program(recwarn):
    import jax

    d = derive(parse("sum(tanh(x))", {"x": "n"}), "x")
    before = jax.config.jax_enable_x64, jax.config.jax_default_device
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(d, oracles="jax").assert_ok()
    assert (jax.config.jax_enable_x64, jax.config.jax_default_device) == before


def test_torch_without_gradients_switched_on():
    import torch

    d = derive(parse("sum(tanh(x))", {"x": "n"}), "x")
    with torch.no_grad():
        check(d, oracles="torch").assert_ok()
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_constant_function(library):
    f = parse("sum(sign(x)) + 3", {"x": "n"})
    (x,) = f.symbols.values()
    found = GRADIENTS[library](f.root, (x,), {x: np.array([1.0, -2.0])}, {"n": 2})
    assert not np.any(found[x])


def test_a_function_that_a_library_lacks_is_left_out_with_a_note(monkeypatch):
    cube = Function("cube", "3*z**2", lambda z: z * z * z, "{z}**3")
    monkeypatch.setitem(FUNCTIONS, "cube", cube)
    from byhand.expr.contraction import elementwise
    from byhand.expr.expression import Expression
    from byhand.expr.nodes import symbol
    from byhand.expr.vocabulary import sum_

    x = symbol("x", parse("sum(x)", {"x": "n"}).symbols["x"].shape)
    report = check(
        derive(Expression(sum_(elementwise("cube", x)), (x,)), "x"), oracles=("complex step", "torch", "jax")
    )
    assert report.ok and report.oracles == ("complex step",)
    assert report.notes == (
        "JAX was left out: JAX has no row for cube",
        "PyTorch was left out: PyTorch has no row for cube",
    )


def test_a_wrong_table_of_another_library_is_not_called_right(monkeypatch):
    library = torch_library()
    monkeypatch.setitem(library.functions, "tanh", library.functions["sigmoid"])
    report = check(derive(parse("sum(tanh(x))", {"x": "n"}), "x"), oracles=("complex step", "torch"))
    assert not report.ok
    assert [row.by for row in report.failed] == ["PyTorch"]

"""Every operation and function has a row in the NumPy target, every pattern is printed, and computes what it means."""

import numpy as np
import pytest
from code_generation.agreement import assert_equal

import byhand
from byhand.code import compile_expression
from byhand.code.numpy import OPERATIONS
from byhand.expr.contraction import P1, contract
from byhand.expr.dims import named_dimension
from byhand.expr.expression import Expression
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import symbol
from byhand.expr.operations import OPERATIONS as KNOWN_OPERATIONS
from byhand.rules.patterns import PATTERNS

SIZES = dict(zip("ijkl", (5, 7, 3, 2), strict=True))
DOMAINS = {"real": (-2.0, 2.0), "positive": (0.5, 2.0), "unit": (-0.9, 0.9), "nonzero": (0.5, 2.0)}


LOWERED = {"where", "power"}  # operations of arrays that the program has itself


def test_every_operation_has_a_row():
    assert {*KNOWN_OPERATIONS} - LOWERED <= {*OPERATIONS}


@pytest.mark.parametrize("row", PATTERNS, ids=lambda r: f"{r.kind} {r.spec}")
@pytest.mark.parametrize("power", [1, 2, -1])
@pytest.mark.parametrize("single", [None, "i", "j", "k"])
def test_pattern(row, power, single):
    """The pattern with generic sizes, and with one axis of size one."""
    operands, result = row.sides
    dims = {x: 1 if x == single else named_dimension(x) for x in "ijkl"}
    symbols = [symbol(name, tuple(dims[x] for x in labels)) for name, labels in zip("AB", operands, strict=False)]
    factors = [(s, labels, P1 * power) for s, labels in zip(symbols, operands, strict=True)]
    node = contract(factors, result, dims={x: dims[x] for x in result})
    rng = np.random.default_rng(0)
    sizes = {**SIZES, single: 1}
    values = {s.name: rng.uniform(0.5, 2.0, [sizes[x] for x in ls]) for s, ls in zip(symbols, operands, strict=True)}
    if not {str(d) for d in node.shape if d != 1} <= {str(d) for s in symbols for d in s.shape}:
        given = symbol("sizes_of", tuple(dims[x] for x in "ij"))  # a broadcast: another input has the dimension
        node = node + contract([(given, "ij", P1)], "") * 0.5
        values["sizes_of"] = rng.standard_normal([sizes[x] for x in "ij"])
    expression = Expression(node)
    assert_equal(compile_expression(expression)(**values), expression, values, row.kind)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_function(name, dtype):
    f = byhand.parse(f"{name}(X)", {"X": "m n"})
    low, high = DOMAINS[FUNCTIONS[name].domain]
    values = {"X": np.random.default_rng(0).uniform(low, high, (5, 7)).astype(dtype)}
    compiled = compile_expression(f)
    assert compiled.raw(values["X"]).dtype == dtype
    expected = byhand.evaluate(f, X=values["X"].astype(np.float64))
    assert np.allclose(
        compiled(**values), expected, rtol=1e-14 if dtype == np.float64 else 1e-5, atol=1e-6 * (dtype == np.float32)
    )


@pytest.mark.parametrize(
    "name",
    [
        "sigmoid",
        "softplus",
        "log_sigmoid",
        "logcosh",
        "silu",
        "elu",
        "selu",
        "gelu",
        "softmax",
        "log_softmax",
        "logsumexp",
    ],
)
def test_functions_do_not_overflow(name):
    compiled = compile_expression(byhand.parse(f"{name}(x)", {"x": "n"}))
    with np.errstate(over="raise", invalid="raise"):
        assert np.all(np.isfinite(compiled(x=np.array([-1e4, -30.0, 0.0, 30.0, 1e4]))))

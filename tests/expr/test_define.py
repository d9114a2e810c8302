"""A function that is defined in one line is there in every target, notation and format; its derivative is proved."""

import numpy as np
import pytest

import byhand
from byhand.check.oracles import jax_in_float64
from byhand.errors import ByhandError
from byhand.expr.define import spelled, undefine
from byhand.expr.functions import FUNCTIONS
from byhand.rules.differentials import read_side

X = np.random.default_rng(0).standard_normal((7, 5))


@pytest.fixture
def mish():
    byhand.define("mish", "z*tanh(softplus(z))")
    yield
    undefine("mish")


@pytest.mark.usefixtures("mish")
def test_every_target():
    d = byhand.derive(byhand.parse("sum(mish(X @ W)**2)", {"X": "n k", "W": "k m"}), "W")
    W = np.random.default_rng(1).standard_normal((5, 3))
    with jax_in_float64() as jax:
        truth = jax.grad(lambda W: jax.numpy.sum(jax.nn.mish(X @ W) ** 2))(W)
    for target in ("numpy", "jax", "torch", "c"):
        assert np.allclose(np.asarray(d.function(target)(X=X, W=W)[1]["W"]), truth, rtol=1e-11), target
    assert byhand.check(d, seeds=1).ok


@pytest.mark.usefixtures("mish")
def test_every_notation_and_format():
    d = byhand.derive(byhand.parse("sum(mish(X))", {"X": "n k"}), "X")
    for notation in ("differential", "index", "jacobian"):
        assert "mish" in d.text(notation=notation)
        assert all("mish" in page(notation=notation) for page in (d.latex, d.markdown, d.html))
    assert "mish" in str(d.to_dict())


@pytest.mark.usefixtures("mish")
def test_networks_use_it():
    net = byhand.MLP("5-3-2", activation="mish")
    assert "mish(Z1)" in net.text
    assert byhand.Network("dense 3 | mish | dense 2", input="5").text == net.text


@pytest.mark.usefixtures("mish")
def test_definitions_of_definitions():
    byhand.define("twice", "mish(mish(z))")
    try:
        d = byhand.derive(byhand.parse("sum(twice(X))", {"X": "n k"}), "X")
        with jax_in_float64() as jax:
            truth = jax.grad(lambda X: jax.numpy.sum(jax.nn.mish(jax.nn.mish(X))))(X)
        assert np.allclose(d.function("torch")(X=X)[1]["X"], truth, rtol=1e-11)
    finally:
        undefine("twice")


def test_a_derivative_is_proved():
    row = byhand.define("cube_", "z**3", derivative="3*z**2")
    assert row.derivative == "3*z**2"
    undefine("cube_")
    with pytest.raises(byhand.CheckError, match=r"cube_: the derivative given is wrong at z ="):
        byhand.define("cube_", "z**3", derivative="2*z**2")
    with pytest.raises(byhand.ParseError):
        byhand.parse("cube_(x)", {"x": ""})


def test_the_value_may_stand_in_a_derivative():
    byhand.define("logistic_", "1/(1 + exp(-z))", derivative="y*(1 - y)")
    undefine("logistic_")


@pytest.mark.parametrize("name", ["tanh", "softmax", "layer_norm", "sum", "for", "2x", "z", "pi"])
def test_names_that_are_taken(name):
    with pytest.raises(byhand.ParseError):
        byhand.define(name, "z**2")


@pytest.mark.parametrize("formula", ["z + w", "sum(z) + x", "eye(3)", "z +", "1/0*z"])
def test_what_is_no_function_of_z(formula):
    with pytest.raises(byhand.ParseError):
        byhand.define("no_function", formula)
    assert "no_function" not in FUNCTIONS


def test_again_and_again():
    first = byhand.define("again_", "z**2 + z")
    assert byhand.define("again_", "z**2 + z") is first
    with pytest.raises(byhand.ParseError, match="again_ is the name of a function already"):
        byhand.define("again_", "z**3")
    undefine("again_")


def test_where_it_has_a_value():
    row = byhand.define("root_", "sqrt(z)*log(z)")
    assert row.domain == "positive"
    undefine("root_")


@pytest.mark.parametrize(
    "formula", ["z*tanh(softplus(z))", "-z/3", "exp(-z**2)/(1 + z**2)", "where(z > 0, z, 2*z)", "2**z"]
)
def test_the_derived_derivative_is_readable_text(formula):
    row = byhand.define("spelled_", formula)
    node = read_side(row.derivative, {"z": byhand.parse("z", {"z": ""}).root, "y": byhand.parse("y", {"y": ""}).root})
    assert spelled(node)
    undefine("spelled_")


@pytest.mark.parametrize(
    "formula", ["exp(z)/sum(exp(z))", "z/sum(z)", "mean(z)*z", "sum(z**2)", "norm(z)", "z.T", "max(z)", "z - mean(z)"]
)
def test_what_is_no_function_of_each_entry_is_refused(formula):
    with pytest.raises(ByhandError, match=r"each entry by itself|axis"):
        byhand.define("never_defined", formula)
    with pytest.raises(ByhandError, match="unknown"):
        byhand.parse("never_defined(x)", {"x": "n"})

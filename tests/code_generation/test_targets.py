"""Every target computes what the evaluator computes: the shared problems, cases of code, networks, tables of rows."""

import ast

import numpy as np
import pytest
from code_generation.generated import relative
from code_generation.test_agreement import ACTIVATIONS, CASES, NOT_WRITTEN, PROBLEMS, drawn
from code_generation.test_rows import DOMAINS, LOWERED

import byhand
from byhand.code import PULLBACKS, TARGETS, compile_expression
from byhand.code.jax import FUNCTIONS as JAX_FUNCTIONS
from byhand.code.jax import JAX_OPERATIONS
from byhand.code.numpy import FUNCTIONS as NUMPY_FUNCTIONS
from byhand.code.numpy import OPERATIONS
from byhand.code.torch import FUNCTIONS as TORCH_FUNCTIONS
from byhand.code.torch import TORCH_OPERATIONS
from byhand.errors import ByhandError
from byhand.expr.functions import FUNCTIONS
from byhand.expr.operations import OPERATIONS as KNOWN_OPERATIONS

TOLERANCE = 1e-10
OTHERS = ("torch", "jax")
ELEMENTWISE = {"numpy": NUMPY_FUNCTIONS, "torch": TORCH_FUNCTIONS, "jax": JAX_FUNCTIONS}
STRUCTURED = {"numpy": OPERATIONS, "torch": TORCH_OPERATIONS, "jax": JAX_OPERATIONS}
NETWORKS = [("5-7-3", {"activation": a, "l2": "lam"}) for a in ACTIVATIONS] + [
    ("5-7-4-3", {"activation": ["relu", "tanh"], "targets": "probabilities"}),
    ("5-7-2", {"activation": "sigmoid", "loss": "mse", "output_activation": "tanh"}),
    ("5-1", {"loss": "binary_cross_entropy"}),
    ("5-7-3", {"loss": "multilabel_cross_entropy", "activation": "softmax"}),
    ("5-7-3", {"loss": "huber", "activation": "identity"}),
    ("5-7-3", {"loss": "poisson", "batch": None, "bias": False}),
]


@pytest.mark.parametrize("target", STRUCTURED)  # those of C are loops: test_c.py
def test_every_function_and_operation_has_a_row(target):
    assert {*ELEMENTWISE[target]} == {*FUNCTIONS}
    assert {*KNOWN_OPERATIONS} - LOWERED <= {*STRUCTURED[target]}


def assert_agrees(text, shapes, assume, target, wrt=None):
    derivation = byhand.derive(byhand.parse(text, shapes, assume), wrt)
    values = drawn(shapes, assume)
    before = {k: v.copy() for k, v in values.items()}
    value, gradients = derivation.function(target)(**values)
    assert relative(value, np.float64(byhand.evaluate(derivation.f, **values))) <= TOLERANCE
    assert set(gradients) == set(derivation.gradients)
    for name, gradient in derivation.gradients.items():
        assert relative(gradients[name], np.asarray(byhand.evaluate(gradient, **values), float)) <= TOLERANCE, name
    assert all(np.array_equal(before[k], v) for k, v in values.items())


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p["kind"] == "grad"], ids=lambda p: p["id"])
def test_problem(problem, target, jax):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    assert_agrees(problem["expr"], shapes, problem.get("domain", {}), target)


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p["kind"] == "jacobian"], ids=lambda p: p["id"])
def test_expression_of_any_shape(problem, target, jax):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    f = byhand.parse(problem["expr"], shapes, problem.get("domain", {}))
    values = drawn(shapes, problem.get("domain", {}))
    assert relative(compile_expression(f, target)(**values), byhand.evaluate(f, **values)) <= TOLERANCE


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize("case", CASES)
def test_case(case, target, jax):
    text, shapes, assume = CASES[case]
    every = [name for name in shapes if assume.get(name) != "labels"]
    assert_agrees(text, shapes, assume, target, every if case in NOT_WRITTEN else None)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "sizes, options", NETWORKS, ids=lambda x: x if isinstance(x, str) else "-".join(map(str, x.values()))
)
def test_network(sizes, options, target, jax):
    net, rng = byhand.MLP(sizes, **options), np.random.default_rng(0)
    values = {k: v + 0.1 * rng.standard_normal(v.shape) for k, v in net.init(0).items()}
    for name in {*net.shapes} - {*values}:
        shape = [d if isinstance(d, int) else 11 for d in net.shapes[name]]
        values[name] = rng.standard_normal(shape) if name != "lam" else np.float64(0.3)
    if net.targets == "labels":
        values["y"] = rng.integers(0, 3, 11)
    elif net.targets == "probabilities":
        values["Y"] = rng.dirichlet(np.ones(net.sizes[-1]), 11)
    elif net.loss != "mse":
        values[net.target] = (values[net.target] > 0) * 1.0
    value, gradients = net.function(target)(**values)
    derivation = byhand.derive(net)
    assert relative(value, np.float64(byhand.evaluate(derivation.f, **values))) <= TOLERANCE
    for name, gradient in derivation.gradients.items():
        assert relative(gradients[name], byhand.evaluate(gradient, **values)) <= TOLERANCE, name


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name, target, jax):
    f = byhand.parse(f"{name}(X)", {"X": "m n"})
    values = {"X": np.random.default_rng(0).uniform(*DOMAINS[FUNCTIONS[name].domain], (5, 7))}
    assert relative(compile_expression(f, target)(**values), byhand.evaluate(f, **values)) <= 1e-14
    single = compile_expression(f, target)(X=values["X"].astype(np.float32))
    assert str(single.dtype).endswith("float32")


STABLE = ["sigmoid", "softplus", "log_sigmoid", "logcosh", "silu", "elu", "selu", "gelu", "softmax", "log_softmax"]


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize("name", STABLE)
def test_functions_do_not_overflow(name, target, jax):
    x = np.array([-1e4, -30.0, 0.5, 30.0, 1e4])
    f = byhand.parse(f"{name}(x)", {"x": "n"})
    assert relative(compile_expression(f, target)(x=x), byhand.evaluate(f, x=x)) <= 1e-13
    _, gradients = byhand.derive(byhand.parse(f"inner({name}(x), c)", {"x": "n", "c": "n"})).function(target)(
        x=x, c=np.ones(5)
    )
    assert all(np.all(np.isfinite(np.asarray(g))) for g in gradients.values())


@pytest.mark.parametrize("target", TARGETS)
def test_cross_entropy_of_large_logits(target, jax):
    d = byhand.derive(byhand.parse("mean(cross_entropy(Z, y))", {"Z": "N C", "y": "N"}))
    Z, y = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]), np.array([1, 1])
    value, gradients = d.function(target)(Z=Z, y=y)
    assert float(value) == 1e4
    assert np.asarray(gradients["Z"]).tolist() == [[0.5, -0.5, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("target", [t for t in TARGETS if t != "c"])
def test_code_without_formulas_is_the_same_code(target):
    """Formulas are comments and a part of the docstring: what Python runs has them not."""
    d = byhand.derive(byhand.MLP("5-7-3", activation="tanh"))
    with_formulas, bare = d.code(target), d.code(target, formulas=False)
    assert "Z1 = X W1 + " in with_formulas and "X W1" not in bare

    def run(source):
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        return ast.dump(tree)

    assert run(bare) == run(with_formulas)


# ---- relu'(0)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("slope", [0, 0.5, 1])
def test_relu_at_zero(target, slope, jax):
    f = byhand.parse("H = relu(X)\nsum((H @ W)**2) + sum(H)", {"X": "m n", "W": "n k"})
    X, W = np.array([[0.0, 2.0, -1.0]]), np.zeros((3, 2))
    _, gradients = byhand.derive(f).function(target, relu_at_zero=slope)(X=X, W=W)
    assert np.asarray(gradients["X"]).tolist() == [[slope, 1.0, 0.0]]
    assert f"relu'(0) = {slope}." in byhand.derive(f).code(target, relu_at_zero=slope)


@pytest.mark.parametrize("target", TARGETS)
def test_relu_at_zero_refused(target):
    d = byhand.derive(byhand.parse("sum(relu(X))", {"X": "n"}))
    with pytest.raises(ByhandError, match=r"relu'\(0\) is 2: it can be 0.0, 0.5, 1.0"):
        d.code(target, relu_at_zero=2)
    d = byhand.derive(byhand.parse("sum(relu(X)*(X > 0))", {"X": "n"}))
    with pytest.raises(ByhandError, match="cannot be chosen"):
        d.code(target, relu_at_zero=1)
    d = byhand.derive(byhand.parse("sum(relu(X)*(2*X > 0))", {"X": "n"}))  # the remedy
    assert "heaviside" in d.code("numpy", relu_at_zero=1)


# ---- what is saved


def saved(source):
    """What forward passes to backward."""
    line = next(line for line in source.splitlines() if line.startswith("    return L, ("))
    return line.removeprefix("    return L, (").rstrip("),").split(", ")


@pytest.mark.parametrize("target", PULLBACKS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_never_both_the_argument_and_the_output_of_an_activation(activation, target):
    kept = saved(byhand.MLP("5-7-4-3", activation=activation).code(target))
    for k in (1, 2):
        assert (f"Z{k}" in kept) != (f"H{k}" in kept), kept
    assert {"b1", "b2", "b3", "W1", "Z3", "Y", "P"}.isdisjoint(kept)
    if activation in ("relu", "tanh", "sigmoid"):
        assert kept == ["X", "W2", "W3", "y", "H1", "H2", "S"]


@pytest.mark.parametrize("target", PULLBACKS)
def test_the_docstring_lists_what_is_saved(target):
    words = " ".join(byhand.MLP("784-300-10").code(target).split())
    assert "X, W2 and y as given; H1 (N, 300) and S (N, 10), 1240 * N bytes in float32" in words


@pytest.mark.parametrize("target", PULLBACKS)
def test_names_of_the_target_are_left_to_it(target, jax):
    shapes = {"torch": "m n", "forward": "n", "saved": "m", "jnp": "", "ctx": "", "Value": "m"}
    text = "backward = torch @ forward - saved\nsum(backward**2)*jnp*ctx + sum(Value*backward)"
    assert_agrees_with_numpy(byhand.derive(byhand.parse(text, shapes)), shapes, target)


def assert_agrees_with_numpy(d, shapes, target):
    values = drawn(shapes, {})
    (value, gradients), (expected, exact) = d.function(target)(**values), d.function("numpy")(**values)
    assert relative(value, expected) <= TOLERANCE
    assert all(relative(gradients[k], exact[k]) <= TOLERANCE for k in exact)


# ---- wrong arguments

NET = byhand.MLP("5-7-3")
WRONG = [
    ({"X": None}, ["missing", "X (N, 5)"]),
    ({"Q": np.ones(3)}, ["no input is called Q"]),
    ({"W1": np.ones((4, 7))}, ["W1", "(5, 7)", "(4, 7)"]),
    ({"y": np.zeros(12, int)}, ["y", "dimension N is 12", "X has 11"]),
    ({"y": np.full(11, 3)}, ["y", "outside 0..2", "3..3"]),
    ({"y": np.full(11, -1)}, ["y", "outside 0..2"]),
    ({"y": np.zeros(11)}, ["y", "integer labels", "float64"]),
    ({"X": np.ones((11, 5), complex)}, ["X", "real"]),
    ({"X": np.ones((0, 5)), "y": np.ones(0, int)}, ["X", "empty"]),
]


def arguments():
    return {**NET.init(0), "X": np.random.default_rng(0).standard_normal((11, 5)), "y": np.arange(11) % 3}


def converted(values, target):
    """The arrays in the target's own type."""
    if target == "torch":
        import torch

        return {k: torch.from_numpy(v.copy()) for k, v in values.items()}
    import jax.numpy as jnp

    return {k: jnp.asarray(v) for k, v in values.items()}


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize(("change", "words"), WRONG)
@pytest.mark.parametrize("own", [False, True])
def test_refused(target, change, words, own, jax):
    values = {k: v for k, v in {**arguments(), **change}.items() if v is not None}
    with pytest.raises(byhand.DataError) as error:
        NET.function(target)(**(converted(values, target) if own else values))
    assert all(w in str(error.value) for w in words), str(error.value)


@pytest.mark.parametrize("target", OTHERS)
def test_strided_read_only_and_mixed_arrays(target, jax):
    expected, exact = NET.function("numpy")(**arguments())
    values = arguments()
    values["X"] = np.asfortranarray(values["X"])
    values["W1"] = np.repeat(values["W1"], 2, axis=1)[:, ::2]
    values["W2"] = values["W2"][::-1][::-1]
    values["b1"] = values["b1"].tolist()
    for v in values.values():
        if isinstance(v, np.ndarray):
            v.flags.writeable = False
    values |= {k: v for k, v in converted({"W2": arguments()["W2"]}, target).items()}
    value, gradients = NET.function(target)(**values)
    assert relative(value, expected) <= TOLERANCE
    assert all(relative(gradients[k], exact[k]) <= TOLERANCE for k in exact)


@pytest.mark.parametrize("target", TARGETS)
def test_a_batch_of_any_size_and_float32(target, jax):
    compiled = NET.function(target)
    for n in (1, 2, 13):
        values = {k: v[:n] if k in ("X", "y") else v for k, v in (arguments() | {}).items()}
        values |= {"X": np.resize(values["X"], (n, 5)), "y": np.resize(values["y"], n)}
        expected, exact = NET.function("numpy")(**values)
        single = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in values.items()}
        value, gradients = compiled(**single)
        assert str(value.dtype).endswith("float32")
        assert abs(float(value) - expected) <= 1e-5
        assert all(np.allclose(np.asarray(gradients[k]), exact[k], atol=1e-5) for k in exact)


def test_unknown_and_missing(monkeypatch):
    with pytest.raises(ByhandError, match=r"unknown target 'trch', did you mean `torch`\?"):
        NET.code("trch")
    import sys

    for library, module, hint in (("torch", "torch_function", "PyTorch"), ("jax", "jax_function", "JAX")):
        monkeypatch.setitem(sys.modules, library, None)
        monkeypatch.delitem(sys.modules, f"byhand.code.{module}", raising=False)
        with pytest.raises(ByhandError, match=rf"{hint} is not installed\n  pip install byhand\[{library}\]"):
            NET.function(library)
        assert NET.code(library)  # source needs nothing

"""The step in place is the derived step, and that is the gradient of the loss."""

import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import byhand
from byhand.expr.contraction import contract
from byhand.expr.dims import Coefficient
from byhand.expr.nodes import symbol
from byhand.nets.mlp import MLP
from byhand.nets.trained import TrainedMLP
from byhand.program.calls import Graph
from byhand.program.inplace import InPlace
from byhand.program.lower import lower
from byhand.train.program import TrainingProgram

SEVEN_TENTHS = Coefficient(Fraction(7, 10))
ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "softplus", "leaky_relu", "softmax",
               "identity", "z*sigmoid(1.702*z)"]  # fmt: skip
NETS = [
    {},
    {"targets": "probabilities"},
    {"weighted": True, "l2": 0.01},
    {"weighted": True, "targets": "probabilities"},
    {"weighted": True, "dropout": True, "loss": "mse"},
    {"weighted": True, "bias": False, "loss": "multilabel_cross_entropy"},
]
LOSSES = ["mae", "huber", "log_cosh", "poisson", "raw_logit_nll", "mean(abs(Z - Y)**3)"]


def filled(step, net, rng):
    for name, array in step.data.items():
        if array.dtype.kind == "i":
            array[...] = rng.integers(0, array.shape[0] and 3, array.shape)
        elif name == "Y" and net.targets == "probabilities":
            array[...] = np.eye(array.shape[1])[rng.integers(0, array.shape[1], len(array))]
        else:
            array[...] = rng.uniform(0.1, 1, array.shape)


def compare(net, dtype=np.float64):
    program = TrainingProgram(net)
    rng = np.random.default_rng(0)
    flat = program.flat(net.init(1), dtype)
    flat += (0.1 * rng.standard_normal(flat.size)).astype(dtype)
    gradient = np.zeros_like(flat)
    step = program.step(11, flat, gradient)
    for _ in range(2):  # the second call meets buffers that were used
        filled(step, net, rng)
        loss = step.run()
        expected, gradients = program.derivation.function()(**program.views(flat), **step.data)  # the code for readers
        together = np.concatenate([np.ravel(gradients[n]) for n in program.names])
        tolerance = 1e-12 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(loss, expected, rtol=tolerance)
        np.testing.assert_allclose(gradient, together, rtol=tolerance, atol=tolerance * 1e-2)
        assert gradient.dtype == flat.dtype
    return program, step, flat, gradient


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("options", NETS, ids=str)
def test_step_in_place_is_the_generated_function(activation, options):
    compare(TrainedMLP("5-7-6-3", activation=activation, **options))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(loss, weighted):
    compare(TrainedMLP("5-7-3", loss=loss, weighted=weighted))


@pytest.mark.parametrize("options", NETS, ids=str)
def test_a_large_batch_in_parts_of_its_rows(options, monkeypatch):
    monkeypatch.setattr("byhand.train.program.LARGEST", 0)
    monkeypatch.setattr("byhand.train.program.FEWEST_ROWS", 4)  # 11 rows: 4, 4 and 3
    monkeypatch.setattr("byhand.program.inplace.PRODUCT_ROWS", 3)
    net = TrainedMLP("5-7-6-3", activation=["relu", "gelu"], **options)
    _, step, *_ = compare(net)
    assert ("_add_product" if "l2" not in options else "share *") in step.source


def test_a_loss_that_may_be_no_mean_is_never_taken_apart(monkeypatch):
    monkeypatch.setattr("byhand.train.program.LARGEST", 0)
    monkeypatch.setattr("byhand.train.program.FEWEST_ROWS", 4)
    _, step, *_ = compare(TrainedMLP("5-7-3", loss="sum((Z - Y)**2)"))
    assert "_add_product" not in step.source


def test_the_mask_of_relu_is_read_off_its_value():
    _, step, *_ = compare(TrainedMLP("5-7-6-3"))
    values = re.findall(r"_maximum\(\w+, 0\.0, out=(\w+)\)", step.source)
    masks = re.findall(r"_greater\((\w+), 0, \w+\)", step.source)
    assert len(values) == 2 and sorted(values) == sorted(masks)


def test_float32():
    compare(TrainedMLP("5-7-6-3", targets="probabilities"), np.float32)


@pytest.mark.parametrize("activation", ["relu", "gelu", "softmax"])
def test_step_is_the_gradient_by_jax(activation):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    program, step, flat, gradient = compare(TrainedMLP("5-7-3", activation=activation, weighted=True, l2=0.02))
    X, y, s = (step.data[n] for n in ("X", "y", "s"))
    functions = {"relu": jax.nn.relu, "gelu": lambda z: jax.nn.gelu(z, approximate=False), "softmax": jax.nn.softmax}
    f = functions[activation]

    def loss(p):
        Z = f(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
        picked = jax.nn.log_softmax(Z)[jnp.arange(len(y)), y]
        return -jnp.mean(s * picked) + 0.02 * (jnp.sum(p["W1"] ** 2) + jnp.sum(p["W2"] ** 2))

    with jax.enable_x64(True):
        found = jax.grad(loss)({n: jnp.asarray(v) for n, v in program.views(flat).items()})
        oracle = np.concatenate([np.ravel(found[n]) for n in program.names])
    np.testing.assert_allclose(gradient, oracle, rtol=1e-10, atol=1e-13)


def test_nothing_is_allocated_for_arrays():
    import tracemalloc

    net = MLP("64-256-256-10", targets="probabilities")
    program = TrainingProgram(net)
    flat = program.flat(net.init(0), np.float64)
    step = program.step(128, flat, np.zeros_like(flat))
    step.run()
    tracemalloc.start()
    step.run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000  # NumPy's own cast of a mask; one layer's activations are 262 144 bytes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_calculated_as_numpy_does(dtype):
    """Of the result's type, and a division by zero is no error, whether the numbers are NumPy's or Python's."""
    x, y = np.array([0.1, 0.7, 1e-3], dtype), np.array([1.0, -1.0], dtype)
    f = byhand.parse("A = 0.3*sum(x) - sum(y)\nA/sum(y)", {"x": "n", "y": "m"})
    a = f.intermediates["A"]
    k = symbol("k")
    scaled = byhand.parse("x*(1/(2 - k))", {"x": "n", "k": ""}).root
    same = contract([(symbol("x", f.symbols["x"].shape), "n", Fraction(1)), (a, "", Fraction(1))], "n", SEVEN_TENTHS)
    program = replace(lower({"f": f.root, "scaled": scaled, "same": same}, [*f.symbols.values(), k]), value="f")
    results = {"scaled": np.zeros_like(x), "same": np.zeros_like(x)}
    graph = Graph(program, {"x": x, "y": y}, scalars=("k",))
    with np.errstate(all="ignore"):
        found = InPlace(graph, {"x": x, "y": y}, results).function(2)
    total = np.multiply(0.3, np.sum(x))
    assert found == np.inf and found.dtype == dtype
    assert np.all(results["scaled"] == np.inf)
    assert results["same"].tolist() == np.multiply(x, np.multiply(total, 0.7)).tolist()


IMPORTED = """
import sys
from byhand import MLPClassifier
MLPClassifier((3,), max_epochs=2).fit([[0.0, 1.0], [1.0, 3.0], [2.0, 1.0]] * 4, [0, 1, 1] * 4).predict([[1.0, 1.0]])
print(*(m.removeprefix("byhand.") for m in sys.modules if m.startswith("byhand.")))
"""


def test_a_fit_imports_no_notation_and_no_other_target():
    """A small fit in a new process takes as long as its imports: what only readers and other targets need stays out."""
    run = subprocess.run([sys.executable, "-c", IMPORTED], check=True, capture_output=True, text=True, timeout=120)
    imported = {*run.stdout.split()}
    assert {"program.inplace", "train.numpy_engine"} <= imported
    others = r"notation|code\.|train\.data\.(sources|csvfile|parquet)"
    assert not [m for m in imported if re.match(others, m)]

"""`check` on derivations that are right: every step and every gradient is found right, everywhere it can be checked."""

import json
import random
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from acceptance.random_expressions import generate

from byhand.check.check import ORACLES, QUICK, check
from byhand.check.oracles import installed
from byhand.code.c.compiler import compiler_command
from byhand.derive.derivation import derive
from byhand.errors import ByhandError, CheckError
from byhand.expr.functions import FUNCTIONS
from byhand.expr.parse import parse

INDEPENDENT = ("complex step", "jax", "torch")
PROBLEMS = [
    p
    for p in json.loads((Path(__file__).parents[1] / "data" / "matrix_calculus.json").read_text("utf-8"))
    if p["kind"] == "grad"
]
PARAMETERS = ("W1", "b1", "W2", "b2")
SHAPES = {"X": "N d", "W1": "d h", "b1": "h", "W2": "h k", "b2": "k"}


def two_layers(activation, loss="mean(cross_entropy(Z2, t))", targets="N", shapes=SHAPES, assume=None):
    text = f"Z1 = X @ W1 + b1\nH1 = {activation}(Z1)\nZ2 = H1 @ W2 + b2\nL = {loss}"
    return parse(text, {**shapes, "t": targets}, assume)


def deep(depth, activation, width=5):
    lines, shapes, previous = [], {"X": f"N {width}", "Y": f"N {width}"}, "X"
    for layer in range(1, depth + 1):
        lines += [f"Z{layer} = {previous} @ W{layer} + b{layer}", f"H{layer} = {activation}(Z{layer})"]
        shapes |= {f"W{layer}": f"{width} {width}", f"b{layer}": f"{width}"}
        previous = f"H{layer}"
    function = parse("\n".join([*lines, f"L = mean(({previous} - Y)**2)"]), shapes)
    return derive(function, [name for name in shapes if name[0] in "Wb"])


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p["id"])
def test_problems(problem):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    report = check(derive(parse(problem["expr"], shapes, problem.get("domain", {})), problem["wrt"]), oracles=QUICK)
    report.assert_ok()
    assert max(row.error for row in report.rows) < 1e-12


@pytest.mark.parametrize(
    "activation", [name for name in FUNCTIONS if name not in ("step", "nonnegative", "sign", "stop_gradient")]
)
def test_networks_with_every_activation(activation):
    d = derive(two_layers(activation, "mean((Z2 - t)**2)", "N k"), PARAMETERS)
    report = check(d, seeds=2, oracles=("complex step", "torch"))
    report.assert_ok()
    assert {row.unit for row in report.rows if row.what == "gradient"} == set(PARAMETERS)


def test_every_oracle():
    d = derive(two_layers("relu", assume={"t": "labels"}), PARAMETERS)
    report = check(d)
    report.assert_ok()
    torch = ("PyTorch",) if find_spec("torch") else ()
    own = ("PyTorch code",) if find_spec("torch") else ()
    c = ("C code",) if compiler_command() else ()
    assert report.oracles == ("complex step", "NumPy code", "JAX", *torch, "JAX code", *own, *c)
    assert sum(row.what == "step" for row in report.rows) == len(d.steps)
    assert sum(row.what == "gradient" for row in report.rows) == len(report.oracles) * len(PARAMETERS)
    assert report.summary.startswith(f"checked: {len(d.steps)} steps and 4 gradients, 3 seeds, worst relative error ")


def test_sizes_are_pairwise_distinct_primes_that_vary():
    report = check(derive(two_layers("tanh", assume={"t": "labels"}), PARAMETERS), oracles="complex step")
    for sizes in report.sizes:
        assert set(sizes) == {"N", "d", "h", "k"} and len(set(sizes.values())) == 4
        assert all(size % q for size in sizes.values() for q in range(2, size))
    assert len({tuple(sizes.values()) for sizes in report.sizes}) > 1


@pytest.mark.parametrize(
    "text, shapes, assume, wrt",
    [
        ("trace(A @ S @ S)", {"A": "n n", "S": "n n"}, {"S": "symmetric"}, "S"),
        ("logdet(S) + a @ inv(S) @ a", {"a": "n", "S": "n n"}, {"S": "spd"}, "S"),
        ("sum(tanh(D @ X))", {"D": "n n", "X": "n m"}, {"D": "diagonal"}, "D"),
        ("x @ S @ x", {"x": "n", "S": "n n"}, {"S": "symmetric"}, "x"),
        ("sum((Q @ x)**2)", {"Q": "n n", "x": "n"}, {"Q": "orthogonal"}, "x"),
        ("-mean(sum(Y*log_softmax(X @ W), 1))", {"Y": "N k", "X": "N d", "W": "d k"}, {"Y": "simplexrows"}, "W"),
        ("-mean(sum(Y*log(softmax(X @ W, 1)), 1))", {"Y": "N k", "X": "N d", "W": "d k"}, {"Y": "one_hot"}, "W"),
        ("sum(log(1 + exp(-y*(X @ w))))", {"y": "m", "X": "m n", "w": "n"}, {"y": "pm1"}, "w"),
        ("sum(exp(x)*abs(x))", {"x": "n"}, {"x": "large"}, "x"),
        ("sum(where(M > 0, X, X**2))", {"M": "m n", "X": "m n"}, {"M": "01"}, "X"),
    ],
)  # fmt: skip
def test_declared_properties(text, shapes, assume, wrt):
    report = check(derive(parse(text, shapes, assume), wrt), oracles=INDEPENDENT)
    report.assert_ok()
    assert not report.notes


@pytest.mark.parametrize(
    "text, shapes, wrt",
    [
        ("sum(log(X))", {"X": "m n"}, "X"),
        ("sum(log(A @ x))", {"A": "m n", "x": "n"}, "x"),
        ("sum(sqrt(x) + x**0.3)", {"x": "n"}, "x"),
        ("sum(log(1 - x))", {"x": "n"}, "x"),
        ("sum(sqrt(x - 5))", {"x": "n"}, "x"),
        ("sum(log(x - y))", {"x": "n", "y": "n"}, "x"),
        ("sum(arcsin(x))", {"x": "n"}, "x"),
        ("sum(arccos(A))", {"A": "m n"}, "A"),
        ("sum(x**y)", {"x": "n", "y": "n"}, "y"),
        ("logdet(X.T @ X)", {"X": "m n"}, "X"),
        ("logdet(X @ X.T)", {"X": "m n"}, "X"),
        ("sum(inv(X.T @ X + lam*eye(n)) @ X.T)", {"X": "m n", "lam": ""}, "X"),
        ("sqrt(det(X))", {"X": "n n"}, "X"),
        ("sum(X[:40]**2) + sum(X[2:])", {"X": "m n"}, "X"),
        ("sum(relu(x)**0.5)", {"x": "n"}, "x"),
    ],
)
def test_narrow_domains_are_reached(text, shapes, wrt):
    check(derive(parse(text, shapes), wrt), oracles=("complex step", "torch")).assert_ok()


def test_what_was_drawn_otherwise_is_said():
    report = check(derive(parse("sum(log(x))", {"x": "n"}), "x"), oracles="complex step")
    assert report.notes == ("inputs without declared properties were drawn as positive vectors",)
    assert report.notes[0] in report.text()


@pytest.mark.parametrize(
    "text, assume, words",
    [
        ("sum(log(-x**2))", {}, "is not finite"),
        ("sum(inv(outer(x, x)))", {}, "singular"),
        ("sum(abs(x))", {"x": "one_hot"}, "abs is at its kink"),
    ],
)
def test_not_checkable_is_said_and_never_passes(text, assume, words):
    report = check(derive(parse(text, {"x": "n"}, assume), "x"), oracles="complex step")
    assert not report.ok and not report.failed and report.unchecked
    assert words in report.summary and report.summary.startswith("not checkable: ")
    assert all(row.verdict == "not checkable" and words in row.note for row in report.rows)
    with pytest.raises(CheckError, match="not checkable"):
        report.assert_ok()


def test_masked_entries_stand_at_a_kink_and_do_no_harm():
    f = parse("sum(abs(M*X) + relu(M*X))", {"M": "m n", "X": "m n"}, {"M": "01"})
    check(derive(f, "X"), oracles=INDEPENDENT).assert_ok()


def test_a_variable_that_does_not_occur():
    d = derive(parse("sum(X)", {"X": "m n", "w": "k"}), ["X", "w"])
    report = check(d, oracles=INDEPENDENT)
    report.assert_ok()
    assert d.zeros == ("w",)


def test_a_function_that_is_its_input_and_one_without_dimensions():
    check(derive(parse("x", {"x": ""}), "x"), oracles=INDEPENDENT).assert_ok()
    check(derive(parse("sin(x)*y", {"x": "", "y": ""}), "x"), oracles=INDEPENDENT).assert_ok()


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_a_hundred_layers(activation):
    report = check(deep(100, activation), seeds=1, oracles=("complex step", "torch"))
    report.assert_ok()
    assert sum(row.what == "gradient" for row in report.rows) == 400


def test_integer_sizes_are_kept_and_quick():
    sizes = {"X": "N 784", "W1": "784 300", "b1": "300", "W2": "300 10", "b2": "10"}
    d = derive(two_layers("relu", shapes=sizes, assume={"t": "labels"}), PARAMETERS)
    start = time.process_time()
    report = check(d, oracles="complex step")
    report.assert_ok()
    assert set(report.sizes[0]) == {"N"}
    assert time.process_time() - start < 3  # 0.6 s on an idle machine


def test_least_squares_is_quick():
    d = derive(parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w")
    check(d, oracles=QUICK)
    start = time.process_time()
    check(d, oracles=QUICK).assert_ok()
    assert time.process_time() - start < 0.15


def test_the_same_seed_gives_the_same_report():
    d = derive(two_layers("tanh", assume={"t": "labels"}), PARAMETERS)
    assert check(d, oracles="complex step") == check(d, oracles="complex step")
    assert check(d, seeds=[7], oracles="complex step").seeds == (7,)


def test_layouts():
    d = derive(two_layers("tanh", assume={"t": "labels"}), PARAMETERS)
    check(d.in_layout("columns"), oracles=INDEPENDENT).assert_ok()


@pytest.mark.parametrize("seed", range(120))
def test_random_expressions(seed):
    case = generate(random.Random(1000 + seed))
    d = derive(parse(case.text, case.shapes, case.assume), case.wrt)
    check(d, seeds=2, oracles=("complex step", "torch")).assert_ok()


@pytest.mark.parametrize("wanted", ["matlab", ("complex step", "tensorflow"), "jaxx"])
def test_unknown_oracles(wanted):
    d = derive(parse("sum(x)", {"x": "n"}), "x")
    with pytest.raises(CheckError, match="no oracle is called"):
        check(d, oracles=wanted)


def test_an_oracle_that_is_not_installed(monkeypatch):
    module = import_module("byhand.check.check")
    monkeypatch.setattr(module, "installed", lambda name: name != "jax" and installed(name))
    d = derive(parse("sum(x)", {"x": "n"}), "x")
    with pytest.raises(CheckError, match="JAX is not installed"):
        check(d, oracles="all")
    needs = {"PyTorch": installed("torch"), "PyTorch code": installed("torch"), "C code": bool(compiler_command())}
    others = ("complex step", "NumPy code", *needs)
    assert check(d).oracles == tuple(o for o in others if needs.get(o, True))


def test_wrong_arguments():
    d = derive(parse("sum(x)", {"x": "n"}), "x")
    with pytest.raises(ByhandError, match="a derivation is needed, not a Expression"):
        check(d.f)
    with pytest.raises(CheckError, match="at least one point"):
        check(d, seeds=0)


def test_no_library_is_imported_that_was_not_asked_for():
    import subprocess

    code = (
        "import sys; from byhand.check.check import check; from byhand.derive.derivation import derive; "
        "from byhand.expr.parse import parse; check(derive(parse('sum(x**2)', {'x': 'n'}), 'x'), oracles='quick'); "
        "sys.exit(bool({'jax', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numpy_settings_and_warnings_stay_as_they_are():
    before = np.geterr()
    check(derive(parse("sum(log(x))", {"x": "n"}), "x"), oracles=tuple(ORACLES))
    assert np.geterr() == before


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("trace(inv(Z) @ S)", {"Z": "n n", "S": "n n"}),
        ("M = inv(Z)\ntrace(M @ S @ M)", {"Z": "n n", "S": "n n"}),
        ("K = X @ Z @ X.T\nM = inv(K)\ny @ M @ y", {"Z": "n n", "X": "m n", "y": "m"}),
        ("K = X @ Z @ X.T\nlogdet(K)", {"Z": "n n", "X": "m n"}),
    ],
)
def test_inverses_and_products_of_definite_matrices_are_checkable(text, shapes):
    """Named inverses keep the symmetry of what they are the inverse of; X Z Xᵀ is drawn where it is regular."""
    report = check(derive(parse(text, shapes, {"Z": "spd"})), seeds=range(8), oracles="quick")
    assert report.ok, report.text(failed_only=True)


@pytest.mark.parametrize(
    "text",
    [
        "sum(sqrt(relu(x))*y + sqrt(relu(-x)))",
        "sum(relu(x)**0.5*y + 2*relu(-x)**0.75)",
        "sum((sqrt(relu(x - y)) + sqrt(relu(y - x)))**2*tanh(x))",
    ],
)
def test_a_step_that_parts_a_mask_from_what_it_selects_is_not_wrong(text):
    d = derive(parse(text, {"x": "n", "y": "n"}))
    report = check(d, seeds=2, oracles="quick")
    assert not report.failed
    assert any("mask" in row.note for row in report.unchecked)
    assert all(row.what in ("step", "line") for row in report.unchecked)

"""Verdicts: no false failure, no fake accepted, kinks and noise said so; other libraries; bad input."""

import io
import json
import re
import warnings

import numpy as np
import pytest
from rich.console import Console
from tools import needed
from wrong_gradients import gradient, network, softmax

import byhand.testing
from byhand.check.gradient import check_gradient
from byhand.derive.derivation import derive
from byhand.errors import CheckError, DataError
from byhand.expr.evaluate import bind, evaluate_node
from byhand.expr.parse import parse
from byhand.nets.mlp import MLP


def black_box(net):
    def loss(**values):
        bound, sizes = bind(net.expression, values)
        return evaluate_node(net.expression.root, bound, sizes)

    return loss


ACTIVATIONS = ("tanh", "sigmoid", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "hard_tanh")


def case(activation="tanh", seed=0, samples=None, l2=0.0):
    values, sizes = network(np.random.default_rng(seed), samples=samples)
    values = {n: v for n, v in values.items() if n != "lam"}
    net = MLP(sizes, activation, l2=l2)
    function = derive(net).function("numpy")
    return net, function, values


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("samples", [4, 1024])
def test_right_gradients_pass(activation, samples):
    net, function, values = case(activation, samples=samples)
    report = check_gradient(net, lambda **v: function(**v)[1], values)
    assert report.ok and set(report.verdicts.values()) == {"right"}, report.text()
    assert all(r.exact is not None and r.largest < 1e-12 for r in report.rows)


@pytest.mark.parametrize("kind", ["zero", "negated", "random", "entry"])
@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_fakes_are_refused_at_any_scale(kind, scale):
    net, function, values = case("relu", 3)

    def loss(**v):
        return scale * function(**v)[0]

    right = {n: scale * g for n, g in function(**values)[1].items()}
    g = right["W2"]
    entry = g.copy()
    entry[np.unravel_index(np.argsort(np.abs(g).ravel())[g.size // 2], g.shape)] *= 1 + 1e-4
    noise = np.linalg.norm(g) * np.random.default_rng(1).standard_normal(g.shape)
    fake = {"zero": 0 * g, "negated": -g, "random": noise, "entry": entry}[kind]
    root = net.expression.root
    expression = type(net.expression)(scale * root, net.expression.inputs, "L") if scale == 1.0 else None
    if expression is not None:
        assert check_gradient(expression, right, values).ok
        assert check_gradient(expression, {**right, "W2": fake}, values).verdicts["W2"] == "wrong"
    else:

        def black(X, y, W1, b1, W2, b2, W3, b3):
            h = np.where((X @ W1 + b1).real > 0, X @ W1 + b1, 0)
            h = np.where((h @ W2 + b2).real > 0, h @ W2 + b2, 0)
            return -scale * np.log(softmax(h @ W3 + b3)[np.arange(len(y)), y]).mean()

        assert check_gradient(black, right, values).ok
        assert check_gradient(black, {**right, "W2": fake}, values).verdicts["W2"] == "wrong"


def test_kink_under_the_point_is_judged_beside_it_or_named():
    f = parse("A = relu(X @ W)\nL = sum(A)", shapes={"X": "N D", "W": "D K"})
    values = {"X": np.array([[0.0, 0.0], [1.0, 2.0]]), "W": np.array([[1.0, -3.0], [0.5, 1.0]])}

    def other_convention(X, W):
        return {"W": X.T @ ((X @ W >= 0) * 1.0)}

    assert check_gradient(f, other_convention, values).ok
    values["W"] = np.array([[1.0, -2.0], [0.5, 1.0]])  # X @ W is 0 at [1, 1], and moves with W
    fixed = check_gradient(f, other_convention(**values), values)
    assert fixed.verdicts["W"] == "not checkable" and "A[1, 1]" in fixed.rows[0].note
    judged = check_gradient(f, other_convention, values)
    assert judged.ok and "beside" in judged.rows[0].note
    assert check_gradient(f, lambda X, W: {"W": 2 * other_convention(X, W)["W"]}, values).verdicts["W"] == "wrong"


def test_differences_where_complex_numbers_do_not_pass():
    x = np.random.default_rng(0).standard_normal(6)

    def loss(x):
        return float(np.sum(np.abs(x) ** 3))  # abs forgets the imaginary part

    report = check_gradient(loss, lambda x: {"x": 3 * x * np.abs(x)}, {"x": x})
    assert report.ok and report.method == "central differences"
    assert check_gradient(loss, lambda x: {"x": 3.001 * x * np.abs(x)}, {"x": x}).verdicts["x"] == "wrong"


def test_kink_of_a_black_box_is_no_failure():
    def loss(x):
        return float(np.sum(np.abs(np.real(x))))

    report = check_gradient(loss, {"x": np.array([0.0, 1.0])}, {"x": np.array([0.0, 1.0])})
    assert report.verdicts["x"] == "not checkable" and not report.ok


# ---- libraries


def test_torch_values_and_functions():
    torch = needed("torch")
    net, function, values = case("relu", 5)
    tensors = {n: torch.tensor(v) for n, v in values.items()}

    def loss(X, y, W1, b1, W2, b2, W3, b3):
        h = torch.relu(torch.relu(X @ W1 + b1) @ W2 + b2)
        return torch.nn.functional.cross_entropy(h @ W3 + b3, y)

    def backward(factor=1.0):
        def run(**v):
            found = function(**{n: t.numpy() for n, t in v.items()})[1]
            return {n: torch.tensor(g) * (factor if n == "W1" else 1.0) for n, g in found.items()}

        return run

    report = check_gradient(loss, backward(), tensors)
    assert report.ok and report.method == "forward mode"
    assert check_gradient(loss, backward(1.0001), tensors).verdicts["W1"] == "wrong"
    assert check_gradient(net, backward(), tensors).ok
    floats = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}

    def autograd(**v):
        leaves = {n: t.clone().requires_grad_(t.is_floating_point() and n != "X") for n, t in v.items()}
        loss(**leaves).backward()
        return {n: t.grad for n, t in leaves.items() if t.grad is not None}

    assert check_gradient(loss, autograd, floats).ok


def test_torch_function_with_hand_written_backward():
    torch = needed("torch")

    def made(slope, upstream):
        class Swish(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * torch.sigmoid(x)

            @staticmethod
            def backward(ctx, up):
                (x,) = ctx.saved_tensors
                return slope(x) * (up if upstream else 1.0)

        return Swish

    def right(x):
        s = torch.sigmoid(x)
        return s + x * s * (1 - s)

    x = {"x": torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))}
    assert check_gradient(None, made(right, True), x).ok
    assert check_gradient(None, made(lambda x: torch.sigmoid(x), True), x).verdicts["x"] == "wrong"
    assert [d.mistake for d in check_gradient(None, made(right, False), x).diagnoses] == [33]


def test_jax_values_and_custom_vjp(jax):
    jnp = jax.numpy
    function = jax.custom_vjp(lambda x: jnp.sin(x) * x)
    function.defvjp(lambda x: (jnp.sin(x) * x, x), lambda x, up: (up * (jnp.sin(x) + x * jnp.cos(x)),))
    wrong = jax.custom_vjp(lambda x: jnp.sin(x) * x)
    wrong.defvjp(lambda x: (jnp.sin(x) * x, x), lambda x, up: (up * jnp.sin(x),))
    x = {"x": jnp.asarray(np.random.default_rng(0).standard_normal(5))}
    assert check_gradient(None, function, x).ok
    assert check_gradient(None, wrong, x).verdicts["x"] == "wrong"
    assert check_gradient(lambda x: jnp.tanh(x).sum(), lambda x: {"x": 1 - jnp.tanh(x) ** 2}, x).ok


# ---- bad input


def test_bad_input_has_a_message_and_never_passes():
    net, function, values = case()

    def right(**v):
        return function(**v)[1]

    refused = [
        (net, lambda **v: 1 / 0, values, CheckError, "ZeroDivisionError"),
        (net, lambda **v: {"dW1": v["W1"]}, values, CheckError, "did you mean `W1`"),
        (net, lambda **v: None, values, CheckError, "NoneType"),
        (net, lambda **v: {}, values, CheckError, "empty"),
        (lambda **v: v["b1"], right, values, CheckError, "not a scalar"),
        (lambda **v: 1 / 0, right, values, CheckError, "the loss raised"),
        (lambda **v: np.nan, right, values, CheckError, "nan"),
        (3, right, values, CheckError, "not a int"),
        (net, 3, values, CheckError, "a function or a dict"),
        (net, right, [1], DataError, "a dict"),
        (net, right, {**values, "X": np.nan * values["X"]}, DataError, "finite"),
        (net, right, {**values, "X": "abc"}, DataError, "array of numbers"),
        (net, lambda **v: {"W1": "abc"}, values, DataError, "array of numbers"),
        (net, lambda **v: {"y": v["y"]}, values, DataError, "integers"),
    ]
    refused += [
        (net, lambda **v: [v["W1"]], values, CheckError, "a list"),
        (net, lambda **v: {1: v["W1"]}, values, CheckError, "no value"),
        (net, lambda **v: {"W1": v["W1"].astype(object)}, values, DataError, "not object"),
        (net, right, {**values, "y": values["y"] + 100}, DataError, "the label"),
        (net, right, {**values, "X": values["X"][:, 1:]}, DataError, "expected shape"),
        (net, right, {n: v for n, v in values.items() if n != "X"}, DataError, "missing: X"),
        (lambda **v: function(**v)[0] + 1j, right, values, CheckError, "a real number"),
        (lambda **v: True, right, values, CheckError, "a truth value"),
        (lambda **v: None, right, values, DataError, "a"),
        (lambda **v: "abc", right, values, DataError, "not <U3"),
        (lambda W1: W1.sum(), right, values, CheckError, "unexpected keyword argument"),
        (parse("sum(X@W)", shapes={"X": "m n", "W": "n k"}, assume={"X": "constant"}),
         lambda X, W: {"X": X, "W": W}, {"X": np.ones((2, 3)), "W": np.ones((3, 4))}, DataError, "declared constant"),
        (parse("sum(S*S)", shapes={"S": "n n"}, assume={"S": "symmetric"}),
         lambda S: {"S": 2 * S}, {"S": np.arange(9.0).reshape(3, 3)}, DataError, "does not hold"),
    ]  # fmt: skip
    for loss, g, v, error, words in refused:
        with pytest.raises(error, match=words):
            check_gradient(loss, g, v)
    with pytest.raises(DataError, match="returned nothing for X"):
        check_gradient(net, right, values, wrt="X")
    for nothing in ([], "", [""]):
        with pytest.raises(DataError, match="names nothing"):
            check_gradient(net, right, values, wrt=nothing)
    part = check_gradient(net, lambda **v: {"W1": right(**v)["W1"]}, values)
    assert "not checked" in part.notes[0] and "b1" in part.notes[0]


def test_malformed_tensors_and_misbehaviour_are_named():
    net, function, values = case()

    def changed(**changes):
        return lambda **v: {**function(**v)[1], **{n: f(function(**v)[1][n]) for n, f in changes.items()}}

    def mutating(**v):
        g = function(**v)[1]
        v["X"] -= v["X"].max()
        return g

    random = np.random.default_rng(0)
    calls = []

    def mutating_loss(**v):
        calls.append(1)
        found = function(**v)[0]
        if len(calls) > 3:
            v["W1"] *= 2
        return found

    def noisy(**v):
        return {n: g * (1 + 1e-3 * random.standard_normal()) for n, g in function(**v)[1].items()}

    cases = [
        (mutating_loss, lambda **v: function(**v)[1], "not checkable", "the loss changed its argument W1"),
        (net, noisy, "wrong", "calls influence each other"),
        (net, changed(W1=lambda g: g + 0j), "wrong", "a gradient is real"),
        (black_box(net), changed(W1=lambda g: g + 0j), "wrong", "a gradient is real"),
        (net, changed(b1=lambda g: g[None]), "wrong", "the numbers are right"),
        (net, changed(b1=lambda g: g.astype(int)), "wrong", "type is int64"),
        (net, changed(W1=lambda g: g * np.nan), "wrong", "not finite"),
        (net, mutating, "not checkable", "changed its argument X in place"),
        (lambda **v: random.standard_normal(), lambda **v: function(**v)[1], "not checkable", "not deterministic"),
    ]
    for loss, g, verdict, words in cases:
        report = check_gradient(loss, g, values)
        assert not report.ok and verdict in report.verdicts.values() and words in report.text(), report.text()


def test_views():
    net, function, values = case()
    report = check_gradient(net, lambda **v: {n: -g for n, g in function(**v)[1].items()}, values)
    assert "WRONG" in report.text() and "<script" not in report.html() and "mistake" in report.html()
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["ok"] is False
    with pytest.raises(CheckError, match="WRONG"):
        report.assert_ok()
    with pytest.raises(AssertionError, match="mend:"):
        byhand.testing.assert_gradient(net, lambda **v: {n: -g for n, g in function(**v)[1].items()}, values)
    byhand.testing.assert_gradient(net, lambda **v: function(**v)[1], values, wrt=["W1", "b3"])
    assert not bool(report)


def test_reports_on_a_terminal():
    net, function, values = case()
    report = check_gradient(net, lambda **v: {n: -g for n, g in function(**v)[1].items()}, values)
    seen = io.StringIO()
    Console(file=seen, width=60, force_terminal=True, color_system="standard").print(report)
    assert "\x1b[1;31mWRONG" in seen.getvalue() and "mend: " in seen.getvalue()
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", seen.getvalue()).split("\n"))) <= 60
    plain = io.StringIO()
    Console(file=plain, width=300).print(report)
    assert "\x1b" not in plain.getvalue() and report.summary in plain.getvalue()
    assert report._repr_html_() == report.html()


def test_cost_does_not_grow_with_the_number_of_parameters():
    calls = []

    def loss(w):
        calls.append(1)
        return np.sum(np.tanh(w) ** 2)

    counts = []
    for n in (3, 30_000):
        calls.clear()
        w = np.random.default_rng(0).standard_normal(n)
        assert check_gradient(loss, lambda w: {"w": 2 * np.tanh(w) * (1 - np.tanh(w) ** 2)}, {"w": w}).ok
        counts.append(len(calls))
    assert counts[0] == counts[1] <= 12


def test_no_warning_escapes():
    net, function, values = case()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_gradient(net, lambda **v: {n: 0 * g for n, g in function(**v)[1].items()}, values)


def test_gradient_of_the_hand_written_network_is_right():
    values, sizes = network(np.random.default_rng(9))
    assert check_gradient(MLP(sizes, "sigmoid", l2="lam"), lambda **v: gradient(v, "sigmoid"), values).ok

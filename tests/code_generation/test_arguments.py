"""What a compiled function takes, refuses, and gives back."""

import numpy as np
import pytest
from code_generation.agreement import assert_agrees

import byhand
from byhand.code import compile_expression
from byhand.code.names import Identifiers

NETWORK = """
Z1 = X @ W1 + b1
H1 = relu(Z1)
Z2 = H1 @ W2 + b2
L = mean(cross_entropy(Z2, y)) + lam*(sum(W1**2) + sum(W2**2))
"""
SHAPES = {"X": "N D", "W1": "D H", "b1": "H", "W2": "H C", "b2": "C", "y": "N", "lam": ""}
FLOAT32 = {
    "network": (NETWORK, SHAPES, {}),
    "masks": (
        "sum(where(A > B, 1, 0)) + sum(step(A)*B) + sum(sign(A)*B) + sum(relu(A)*relu(B))",
        {"A": "N D", "B": "N D"},
        {},
    ),
    "constants": (
        "sum(A @ (B + pi*eye(D))) + sum(sqrt(pi)*A)/sqrt(N) + exp(0.5)*sum(B)/3",
        {"A": "N D", "B": "D D"},
        {},
    ),
    "gelu": ("sum(gelu(A)) + sum(erf(A)) + sum(logcosh(A)) + sum(normal_pdf(A))", {"A": "N D"}, {}),
    "kron": ("sum(tanh(kron(A, B)))", {"A": "2 3", "B": "3 2"}, {}),
    "inverse": ("logdet(A) + sum(inv(A)) + det(A) + norm(A)", {"A": "D D"}, {"A": "spd"}),
    "slices": ("x[2]**2 + sum(A[1:, :2]) + sum(A[0])", {"A": "5 4", "x": "N"}, {}),
    "constant gradients": ("sum(A) + trace(B) + 2*sum(B)/D", {"A": "N D", "B": "D D"}, {}),
    "scalars": ("a*exp(b) + 2*a/3", {"a": "", "b": ""}, {}),
}


def drawn(shapes, assume=None, dtype=np.float64, seed=0):
    rng, sizes = np.random.default_rng(seed), {"N": 11, "D": 5, "H": 7, "C": 3}
    found = {}
    for name, text in shapes.items():
        shape = [sizes.get(d) or int(d) for d in text.split()]
        x = rng.standard_normal(shape)
        if (assume or {}).get(name) == "spd":
            x = x @ x.T + 5 * np.eye(len(x))
        found[name] = rng.integers(0, 3, shape) if name == "y" else np.asarray(x, dtype)[()]
    return found


@pytest.fixture(scope="module")
def network():
    return byhand.derive(byhand.parse(NETWORK, SHAPES), "W1,b1,W2,b2")


@pytest.fixture(scope="module")
def compiled(network):
    return network.function("numpy")


@pytest.mark.parametrize("case", FLOAT32)
def test_float32_stays(case):
    text, shapes, assume = FLOAT32[case]
    derivation = byhand.derive(byhand.parse(text, shapes, assume))
    compiled = derivation.function("numpy")
    values = drawn(shapes, assume, np.float32)
    raw_value, raw_gradients = compiled.raw(*(values[n] for n in compiled.inputs))
    value, gradients = compiled(**values)
    exact, exact_gradients = compiled(
        **{k: np.asarray(v, np.float64) if v.dtype.kind == "f" else v for k, v in values.items()}
    )
    for name, raw in {"value": raw_value, **raw_gradients}.items():
        assert isinstance(raw, float) or raw.dtype == np.float32, name
    assert value.dtype == np.float32 and all(g.dtype == np.float32 for g in gradients.values())
    assert exact.dtype == np.float64 and all(g.dtype == np.float64 for g in exact_gradients.values())
    for name, g in exact_gradients.items():
        assert np.linalg.norm(g - gradients[name]) <= 1e-4 * max(np.linalg.norm(g), 1.0), name


def test_python_scalars_and_lists_take_the_precision_of_the_arrays(compiled):
    values = {**drawn(SHAPES, dtype=np.float32), "lam": 0.1}
    values["b1"] = values["b1"].tolist()
    value, gradients = compiled(**values)
    assert value.dtype == np.float32 and gradients["b1"].dtype == np.float32


def test_integers_are_numbers():
    compiled = byhand.derive(byhand.parse("sum(A**2)/2", {"A": "N D"})).function("numpy")
    value, gradients = compiled(A=np.array([[1, 2], [3, 4]]))
    assert value == 15.0 and gradients["A"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_strided_and_read_only_arrays(network):
    values = drawn(SHAPES)
    values["X"] = np.asfortranarray(values["X"])
    values["W1"] = np.repeat(values["W1"], 2, axis=1)[:, ::2]
    for v in values.values():
        if np.ndim(v):
            v.flags.writeable = False
    assert_agrees(network, {k: np.asarray(v) for k, v in values.items()})


def test_source_and_raw(network, compiled):
    values = drawn(SHAPES)
    assert compiled.source == network.code("numpy")
    value, gradients = compiled.raw(*(values[n] for n in compiled.inputs))
    checked, checked_gradients = compiled(**values)
    assert value == checked and all(np.array_equal(gradients[k], g) for k, g in checked_gradients.items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": None}, ["missing", "X (N, D)"]),
        ({"Q": np.ones(3)}, ["no input is called Q"]),
        ({"W1": np.ones((4, 7))}, ["W1", "dimension D is 4", "5"]),
        ({"b1": np.ones((7, 1))}, ["b1", "(H,)", "(7, 1)"]),
        ({"y": np.full(11, 3)}, ["y", "outside 0..2", "3..3"]),
        ({"y": np.full(11, -1)}, ["y", "outside 0..2", "-1..-1"]),
        ({"y": np.full(11, 1.0)}, ["y", "integer labels"]),
        ({"X": np.ones((11, 5), complex)}, ["X", "real"]),
        ({"X": np.ones((0, 5)), "y": np.ones(0, int)}, ["X", "empty"]),
        ({"X": np.full((11, 5), "a")}, ["X", "numbers"]),
    ],
)
def test_refused(compiled, change, words):
    values = {k: v for k, v in {**drawn(SHAPES), **change}.items() if v is not None}
    with pytest.raises(byhand.DataError) as error:
        compiled(**values)
    assert all(w in str(error.value) for w in words), str(error.value)


def test_a_slice_outside_is_refused():
    compiled = byhand.derive(byhand.parse("sum(x[2:5]**2)", {"x": "n"})).function("numpy")
    with pytest.raises(byhand.DataError, match="outside an axis of 4"):
        compiled(x=np.ones(4))


def test_inputs_without_effect_are_checked_all_the_same():
    compiled = byhand.derive(byhand.parse("sum(A) + sum(B - B)", {"A": "n", "B": "n"}), "A").function("numpy")
    assert compiled(A=np.ones(3), B=np.ones(3))[0] == 3.0
    with pytest.raises(byhand.DataError, match="dimension n"):
        compiled(A=np.ones(3), B=np.ones(4))


def test_an_input_may_give_only_a_size():
    compiled = compile_expression(byhand.parse("n * a", {"a": "", "x": "n"}))
    assert compiled(a=2.0, x=np.ones(5)) == 10.0


def test_unknown_target(network):
    with pytest.raises(byhand.ByhandError, match=r"unknown target 'nunpy', did you mean `numpy`\?"):
        network.code("nunpy")


def test_options_of_another_target(network):
    with pytest.raises(byhand.ByhandError, match="target 'numpy' has no option sizes"):
        network.code("numpy", sizes={"N": 16})


HOSTILE = [
    "np",
    "list",
    "value_and_gradients",
    "dX",
    "λ",
    "match",
    "sigmoid_",
    "float",
    "print",
    "self",
    "_",
    "s1",
    "T1",
    "v1",
]


@pytest.mark.parametrize("name", [n for n in HOSTILE if n != "_"])
def test_inputs_with_awkward_names(name):
    shapes = {"X": "m n", name: "n"}
    derivation = byhand.derive(byhand.parse(f"sum(sigmoid(X @ {name})) + norm(X @ {name})", shapes))
    rng = np.random.default_rng(0)
    _, gradients = assert_agrees(derivation, {"X": rng.standard_normal((5, 3)), name: rng.standard_normal(3)})
    assert set(gradients) == {"X", name}


@pytest.mark.parametrize("name", ["ef", "el", "ict", "ir", "in_", "np", "m_", "f", "dX", "softmax_", "Λ"])
def test_intermediates_with_awkward_names(name):
    """Their adjoints would be called def, del, dict, dir."""
    derivation = byhand.derive(byhand.parse(f"{name} = tanh(X)\nsum({name} * {name}.T)", {"X": "n n"}))
    assert_agrees(derivation, {"X": np.random.default_rng(0).standard_normal((3, 3))})


def test_dimensions_with_awkward_names():
    f = byhand.parse("H = X @ W / sqrt(np)\nsum(H**2)/list", {"X": "list np", "W": "np float"})
    assert_agrees(byhand.derive(f), {"X": np.ones((3, 5)), "W": np.ones((5, 2))})


@pytest.mark.parametrize(
    "wish", ["", "1", "a b", "a;import os", "None", "__class__", "class", "ﬁ", "a\nb", "'", "x" * 99, "np", "ℌ"]
)
def test_identifiers(wish):
    import keyword

    ids = Identifiers()
    first, second = ids.give(wish), ids.give(wish)
    for name in (first, second):
        assert name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
        exec(f"{name} = 1", {})
    assert first != second


def test_expression_with_inputs_in_order():
    f = byhand.parse("A @ x + b", {"b": "m", "A": "m n", "x": "n"})
    compiled = compile_expression(f)
    assert compiled.inputs == ("b", "A", "x")
    assert compiled(b=np.ones(2), A=np.ones((2, 3)), x=np.ones(3)).tolist() == [4.0, 4.0]

"""Costs against counted operations, measured memory, and what PyTorch keeps."""

import tracemalloc

import numpy as np
import pytest
from tools import needed

import byhand
from byhand.code.counting import own
from byhand.code.numpy import OPERATIONS
from byhand.expr.dims import named_dimension
from byhand.program.ops import Input, Kernel

SIZES = {"N": 13, "D": 5, "H": 7, "C": 3, "m": 5, "n": 7, "k": 3, "h": 11}


class Counted:
    """A number that counts what is done with it."""

    count = 0
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = float(value)

    @classmethod
    def one(cls, value):
        cls.count += 1
        return cls(value)


def _value(x):
    return x.value if isinstance(x, Counted) else float(x)


def _binary(function):
    return lambda a, b: Counted.one(function(_value(a), _value(b)))


for name, function in {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "truediv": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
}.items():  # fmt: skip
    setattr(Counted, f"__{name}__", _binary(function))
    setattr(Counted, f"__r{name}__", lambda a, b, f=function: Counted.one(f(_value(b), _value(a))))
for name in ("exp", "log", "tanh", "sqrt", "sin"):
    setattr(Counted, name, lambda a, name=name: Counted.one(getattr(np, name)(a.value)))


def _compared(function):
    def compare(a, b):
        Counted.count += 1
        return function(_value(a), _value(b))

    return compare


for name, function in {"gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "lt": lambda a, b: a < b}.items():
    setattr(Counted, f"__{name}__", _compared(function))
Counted.__neg__ = lambda a: Counted(-a.value)


def counted(derivation, values):
    """The operations that the generated NumPy function does, entry by entry."""
    function = derivation.function("numpy")
    wrap = np.vectorize(Counted, otypes=[object])
    arrays = [wrap(values[n]) if values[n].dtype.kind == "f" else values[n] for n in function.inputs]
    Counted.count = 0
    function.raw(*arrays)
    return Counted.count


CASES = {
    "least squares": ("sum((X @ w - y)**2)/m", {"X": "m n", "w": "n", "y": "m"}, {}, "w"),
    "network": (
        "Z1 = X @ W1 + b1\nH1 = relu(Z1)\nZ2 = H1 @ W2 + b2\nL = mean(cross_entropy(Z2, y))",
        {"X": "N D", "W1": "D H", "b1": "H", "W2": "H C", "b2": "C", "y": "N"},
        {"y": "labels"},
        "W1,b1,W2,b2",
    ),
    "tanh network": (
        "H1 = tanh(X @ W1 + b1)\nE = H1 @ W2 - Y\nL = sum(E**2)/N + 0.01*sum(W1**2)",
        {"X": "N D", "W1": "D H", "b1": "H", "W2": "H C", "Y": "N C"},
        {},
        "W1,b1,W2",
    ),
    "attention": (
        "A = softmax(Q @ K.T, axis=1)\nO = A @ V\nsum(G * O)",
        {"Q": "m k", "K": "n k", "V": "n h", "G": "m h"},
        {},
        "Q,K,V",
    ),
    "chain": ("u @ A @ B @ v", {"u": "m", "A": "m n", "B": "n k", "v": "k"}, {}, "u,A,B,v"),
}


def case(name, scale=1):
    text, shapes, assume, wrt = CASES[name]
    rng = np.random.default_rng(0)
    values = {}
    for n, dims in shapes.items():
        shape = [scale * SIZES[d] if d != "C" else SIZES[d] for d in dims.split()]
        values[n] = rng.integers(0, SIZES["C"], shape) if assume.get(n) == "labels" else rng.standard_normal(shape)
    derivation = byhand.derive(byhand.parse(text, shapes, assume), wrt)
    return derivation, values


def sizes_for(derivation, scale=1):
    return {d: SIZES[d] * (scale if d != "C" else 1) for d in derivation.cost().dims}


@pytest.mark.parametrize("name", CASES)
def test_operations_are_those_that_are_done(name):
    derivation, values = case(name)
    found = derivation.cost().numbers(sizes_for(derivation))
    expected = counted(derivation, values)
    said = found["operations_forward"] + found["operations_backward"]
    assert abs(said - expected) <= 4, (said, expected)  # signs and numbers before a scalar


@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_the_measured_one(name):
    derivation, values = case(name, scale=60)
    function = derivation.function("numpy").raw
    arguments = [values[n] for n in derivation.function("numpy").inputs]
    function(*arguments)
    tracemalloc.start()
    function(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    said = derivation.cost().numbers(sizes_for(derivation, scale=60))["peak_bytes"]
    assert 0.8 * peak <= said + 20_000 and said <= 1.25 * peak + 20_000, (said, peak)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_saved_is_what_pytorch_saves(activation):
    torch = needed("torch")
    net = byhand.MLP("5-7-6-3", activation=activation)
    kept = {}

    def pack(t):
        kept[t.data_ptr()] = t
        return t

    rng = np.random.default_rng(0)
    p = {n: torch.tensor(v, requires_grad=True) for n, v in net.init(0).items()}
    X, y = torch.tensor(rng.standard_normal((13, 5))), torch.tensor(rng.integers(0, 3, 13))
    own = {t.untyped_storage().data_ptr() for t in (*p.values(), X, y)}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        H = X
        for k in (1, 2):
            H = getattr(torch, activation)(torch.addmm(p[f"b{k}"], H, p[f"W{k}"]))
        torch.nn.functional.cross_entropy(torch.addmm(p["b3"], H, p["W3"]), y)
    found = sum(t.nbytes for t in kept.values() if t.untyped_storage().data_ptr() not in own and t.ndim)
    said = net.cost().numbers({"N": 13})
    assert said["autodiff_saved_bytes"] == found
    assert said["saved_bytes"] <= found


def test_formulas_and_numbers_agree():
    derivation, _ = case("network")
    cost, sizes = derivation.cost(), sizes_for(derivation)
    data = cost.to_dict(sizes)
    assert data["total"]["saved_entries"] == "C*N + H*N"
    assert next(x for x in data["lines"] if x["name"] == "dH1")["operations"] == "2*C*H*N - H*N"
    for x in data["lines"]:
        assert eval(x["operations"], {}, dict(sizes)) == x["numbers"]["operations"]
    assert sum(x["numbers"]["operations"] for x in data["lines"]) == sum(
        data["numbers"][f"operations_{s}"] for s in ("forward", "backward")
    )
    text = cost.text(sizes)
    assert "2*C*H*N - H*N = " in text and "saved by automatic differentiation" in text
    assert byhand.MLP("4-16-3").cost().numbers({"N": 16})["saved_bytes"] == 8 * 16 * (16 + 3)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_counted(name):
    n = named_dimension("n")
    square = Input((n, n), "real", "A")
    assert own(Kernel((n, n), "real", name, (square, square), ((1,),))) is not None


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({}, "size of m is missing"),
        ({"M": 3}, "no dimension M"),
        ({"m": 0, "n": 3}, "whole number from 1"),
        ({"m": 2.5}, "2.5"),
    ],
)
def test_bad_sizes(sizes, words):
    with pytest.raises(byhand.DataError, match=words):
        case("least squares")[0].cost().numbers(sizes)


# ---- associations, common parts, dead code


def lines(text, shapes, wrt=None, target="numpy"):
    source = byhand.derive(byhand.parse(text, shapes), wrt).code(target)
    return [line.split("  #")[0].strip() for line in source.splitlines()]


@pytest.mark.parametrize("layers", [2, 5, 9])
def test_a_vector_through_a_chain_stays_a_vector(layers):
    """A product of matrices is never formed where a vector can pass through them one by one."""
    text = " @ ".join(["u", *(f"A{k}" for k in range(layers)), "v"])
    shapes = {"u": "n", "v": "n", **{f"A{k}": "n n" for k in range(layers)}}
    cost = byhand.derive(byhand.parse(text, shapes), "u,v").cost()
    assert all(len(x.shape) <= 1 for x in cost.lines)
    n = 1000
    assert (
        sum(cost.numbers({"n": n})[f"operations_{s}"] for s in ("forward", "backward")) <= 2 * (2 * layers + 2) * n * n
    )


def test_no_jacobian_of_a_layer_is_formed():
    """A layer of 4096 units, 2048 samples: its Jacobian would have (N H) (D H) entries, 564 GB and more."""
    net = byhand.MLP("D-H-C", loss="mse")
    largest = max(x.shape for x in net.cost().lines if len(x.shape) == max(len(y.shape) for y in net.cost().lines))
    assert len(largest) <= 2
    numbers = net.cost().numbers({"N": 2048, "D": 4096, "H": 4096, "C": 10})
    assert numbers["peak_bytes"] < 2**30


def test_common_parts_are_computed_once():
    code = "\n".join(lines("sum(exp(A @ x)) + sum(tanh(A @ x)) + norm(A @ x)", {"A": "m n", "x": "n"}))
    assert code.count("A @ x") == 1
    c = "\n".join(lines("sum(exp(A @ x)) + sum(tanh(A @ x))", {"A": "m n", "x": "n"}, target="c"))
    assert c.count("= dot(") == 1


def test_dead_code_is_left_out():
    text = "H = tanh(X @ W)\nQ = H @ V\nE = exp(X @ U)\nsum(Q**2)"
    shapes = {"X": "m n", "W": "n k", "V": "k h", "U": "n h"}
    code = lines(text, shapes, "V")
    assert not any(line.startswith(("dH", "dZ", "E =")) or "exp" in line for line in code), code

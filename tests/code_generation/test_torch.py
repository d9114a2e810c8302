"""The PyTorch target inside PyTorch: autograd, second derivatives, torch.compile, autocast, the module."""

import re

import numpy as np
import pytest
from code_generation.generated import load
from tools import needed

import byhand
from byhand.code.torch_module import INITS
from byhand.nets.inits import INITS as ROWS
from byhand.nets.inits import default_init

torch = needed("torch")

FUNCTIONAL = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
    "softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),
    "elu": torch.nn.functional.elu,
    "silu": torch.nn.functional.silu,
}
SECOND = {
    "attention": ("A = softmax(Q @ K.T, axis=1)\nsum(G * (A @ V))", {"Q": "2 3", "K": "5 3", "V": "5 2", "G": "2 2"}),
    "least squares": ("sum((X @ w - y)**2)", {"X": "5 3", "w": "3", "y": "5"}),
    "inverse": ("a @ inv(A) @ a + logdet(A)", {"A": "3 3", "a": "3"}),
    "norm": ("norm(x)**3 + sum(x) * norm(x)", {"x": "5"}),
    "total": ("sum(X)**2 + trace(X)", {"X": "3 3"}),
    "slices": ("sum(x[1:3]**3) * x[0]", {"x": "5"}),
}


def network(activation, targets="labels"):
    """A network of 5-7-3, its module, parameters and a batch in float64."""
    net = byhand.MLP("5-7-3", activation=activation, l2="lam", targets=targets)
    generated, draw = load(net.code("torch")), torch.Generator().manual_seed(0)
    start = {k: torch.from_numpy(v) for k, v in net.init(0).items()}
    parameters = [(v + 0.1 * torch.randn(v.shape, generator=draw)).requires_grad_() for v in start.values()]
    X = torch.randn(11, 5, generator=draw, dtype=torch.float64)
    y = torch.arange(11) % 3
    if targets == "probabilities":
        y = torch.softmax(torch.randn(11, 3, generator=draw, dtype=torch.float64), 1)
    return generated, parameters, X, y, torch.tensor(0.3, dtype=torch.float64)


def by_autograd(activation, parameters, X, y, lam):
    """The same loss in PyTorch's own words."""
    W1, b1, W2, b2 = parameters
    Z = FUNCTIONAL[activation](X @ W1 + b1) @ W2 + b2
    return torch.nn.functional.cross_entropy(Z, y) + lam * (W1.square().sum() + W2.square().sum())


@pytest.mark.parametrize("activation", FUNCTIONAL)
@pytest.mark.parametrize("targets", ["labels", "probabilities"])
def test_equals_autograd(activation, targets):
    generated, parameters, X, y, lam = network(activation, targets)
    loss = 3 * generated["value"](X, *parameters, y, lam) ** 2
    expected = 3 * by_autograd(activation, parameters, X, y, lam) ** 2
    assert abs(loss.item() - expected.item()) <= 1e-12 * abs(expected.item())
    pairs = zip(torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True)
    assert all((a - b).norm() <= 1e-12 * b.norm() for a, b in pairs)


@pytest.mark.parametrize("activation", FUNCTIONAL)
def test_gradcheck_and_second_derivatives(activation):
    generated, parameters, X, y, lam = network(activation)

    def squared(*p):
        return generated["value"](X, *p, y, lam) ** 2

    assert torch.autograd.gradcheck(squared, parameters)
    assert torch.autograd.gradgradcheck(squared, parameters)


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_of_expressions(name):
    text, shapes = SECOND[name]
    function = load(byhand.derive(byhand.parse(text, shapes)).code("torch"))["value"]
    draw = torch.Generator().manual_seed(0)
    inputs = [torch.randn([int(d) for d in s.split()], generator=draw, dtype=torch.float64) for s in shapes.values()]
    inputs = [x + 3 * torch.eye(3) if name == "inverse" and x.ndim == 2 else x for x in inputs]
    inputs = [x.requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_torch_compile_has_no_graph_breaks(activation):
    generated, parameters, X, y, lam = network(activation)
    torch._dynamo.reset()
    compiled = torch.compile(generated["value"], fullgraph=True, backend="aot_eager")
    for n in (11, 7):
        loss, expected = (f(X[:n], *parameters, y[:n], lam) for f in (compiled, generated["value"]))
        pairs = zip(torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True)
        assert all(torch.allclose(a, b, rtol=1e-12) for a, b in pairs)


def test_autocast():
    generated, parameters, X, y, lam = network("relu")
    parameters = [p.detach().float().requires_grad_() for p in parameters]
    exact = torch.autograd.grad(generated["value"](X.float(), *parameters, y, lam.float()), parameters)
    with torch.autocast("cpu", torch.bfloat16):
        loss = generated["value"](X.float(), *parameters, y, lam.float())
    rounded = torch.autograd.grad(loss, parameters)
    for a, b in zip(rounded, exact, strict=True):
        assert a.dtype == torch.float32 and 0 < (a - b).norm() <= 0.02 * b.norm()


def test_a_gradient_that_was_not_derived_is_refused():
    generated, parameters, X, y, lam = network("relu")
    with pytest.raises(NotImplementedError, match=r"no gradient was derived with respect to X and lam: name it in"):
        generated["value"](X.requires_grad_(), *parameters, y, lam)


def test_retained_graphs_and_inputs_are_not_written_to():
    generated, parameters, X, y, lam = network("relu")
    before = [x.clone() for x in (X, y, *parameters)]
    loss = generated["value"](X, *parameters, y, lam)
    first = torch.autograd.grad(loss, parameters, retain_graph=True)
    second = torch.autograd.grad(loss, parameters)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, (X, y, *parameters), strict=True))


def test_what_autograd_keeps_is_what_the_source_says():
    generated, parameters, X, y, lam = network("relu")
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        generated["value"](X, *parameters, y, lam)
    known = {t.data_ptr() for t in (X, y, lam, *parameters)}
    made = [t for t in packed if t.data_ptr() not in known]
    assert sorted(tuple(t.shape) for t in made) == [(11, 3), (11, 7)]  # S and H1


# ---- the module


def test_module():
    generated, _, X, y, _ = network("relu")
    torch.manual_seed(0)
    net, X = generated["Network"](0.3), X.float()
    assert [n for n, _ in net.named_parameters()] == ["W1", "b1", "W2", "b2"]
    loss = net(X, y)
    loss.backward()
    expected = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    net.b2.requires_grad_(False)
    for times in (1, 2):
        assert torch.equal(net.backward(X, y), loss)
        for p, g in list(zip(net.parameters(), expected, strict=True))[:3]:
            assert torch.equal(p.grad, times * g)
    assert net.b2.grad is None
    with torch.autocast("cpu", torch.bfloat16):
        net.backward(X, y)
    assert net.W1.grad.dtype == torch.float32


def test_module_of_symbolic_sizes_learns():
    generated = load(byhand.MLP("D-H-C").code("torch"))
    torch.manual_seed(0)
    net = generated["Network"](2, 16, 2)
    X = torch.randn(128, 2)
    y = (X[:, 0] * X[:, 1] > 0).long()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        losses.append(net.backward(X, y).item())
        optimizer.step()
    assert losses[-1] < 0.15 < 0.5 < losses[0]


@pytest.mark.parametrize("activation", ["relu", "selu", "tanh"])
def test_module_starts_like_the_network(activation):
    rule = default_init(activation)
    torch.manual_seed(0)
    net = load(byhand.MLP("300-200-3", activation=activation).code("torch"))["Network"]()
    drawn = ROWS[rule].draw(np.random.default_rng(0), 300, 200, 0.0)
    assert rule in INITS
    assert net.W1.std().item() == pytest.approx(drawn.std(), rel=0.02)
    assert not net.b1.any()


def test_expressions_have_no_module():
    source = byhand.derive(byhand.parse("sum(X**2)", {"X": "m n"})).code("torch")
    assert "class Value(torch.autograd.Function)" in source and "nn.Module" not in source
    assert re.findall(r"^import (\w+)$", source, re.M) == ["torch"]


def test_tensors_in_tensors_out():
    d = byhand.derive(byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w")
    X, w, y = torch.ones(3, 2), torch.ones(2, requires_grad=True), torch.zeros(3, dtype=torch.float64)
    value, gradients = d.function("torch")(X=X, w=w, y=y)
    assert value.dtype == gradients["w"].dtype == torch.float64
    assert value.item() == 12.0 and gradients["w"].tolist() == [12.0, 12.0] and not gradients["w"].requires_grad

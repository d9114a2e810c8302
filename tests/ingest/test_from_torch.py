"""Modules of PyTorch as expressions: values, gradients, names; every operation that has a row."""

from pathlib import Path

import numpy as np
import pytest
from tools import needed

torch = needed("torch")

import torch_programs as programs  # noqa: E402
from torch import nn  # noqa: E402

import byhand  # noqa: E402
from byhand.errors import MissingRuleError, ParseError  # noqa: E402
from byhand.expr.assume import sample  # noqa: E402
from byhand.ingest.torch_rows import OPERATIONS  # noqa: E402

TOLERANCE = 1e-10
SIZES = {"N": 7, "D": 5, "K": 3, "B": 2, "T": 11, "V": 13, "C": 2, "F": 4, "S": 6, "E": 8}
FIXED = {**SIZES, "D": 9}


def drawn(shapes, assume, sizes=SIZES):
    rng = np.random.default_rng(0)
    return {
        name: sample(
            [assume[name]] if name in assume else [],
            rng,
            tuple(int(d) if d.isdigit() else sizes[d] for d in shape.split()),
            3,
        )
        for name, shape in shapes.items()
    }


def compare(module, shapes, assume, inputs, sizes=SIZES, **options):
    """The value and the gradient of ⟨u, f⟩ as PyTorch has them."""
    values = drawn(shapes, assume, sizes)
    f = byhand.from_torch(module, shapes, assume=assume, **options)
    tensors = {n: torch.tensor(v).requires_grad_(n in inputs) for n, v in values.items()}
    parameters = {}
    if isinstance(module, nn.Module):
        module.double()
        parameters = {n.replace(".", "_"): p for n, p in module.named_parameters()}
        values |= {
            n.replace(".", "_"): p.detach().numpy().copy()
            for n, p in (*module.named_parameters(), *module.named_buffers())
        }
    result = module(*tensors.values())
    u = np.random.default_rng(1).standard_normal(result.shape)
    (result * torch.tensor(u)).sum().backward()
    truth = {n: t.grad.numpy() for n, t in {**tensors, **parameters}.items() if t.grad is not None}
    values = {n: v for n, v in values.items() if n in f.symbols}
    got = byhand.evaluate(f, **values)
    assert np.shape(got) == tuple(result.shape)
    assert np.allclose(got, result.detach().numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    gradients = derived(f, list(truth), values, u)
    for n, wanted in truth.items():
        assert np.allclose(gradients[n], wanted, rtol=TOLERANCE, atol=TOLERANCE), n
    return f


def derived(f, names, values, u):
    if f.shape == ():
        return {n: u * g for n, g in byhand.derive(f, names).function("numpy")(**values)[1].items()}
    gradients = byhand.vjp(f, names, "u_").function("numpy")(**values, u_=u)
    return gradients if isinstance(gradients, dict) else {names[0]: gradients}


@pytest.mark.parametrize("name", programs.OPERATIONS)
def test_an_operation_is_read(name):
    function, shapes, assume = programs.OPERATIONS[name]
    free = [n for n in shapes if assume.get(n) not in ("labels", "01", "pm1")]
    compare(function, shapes, assume, free)


@pytest.mark.parametrize("name", programs.MODULES)
def test_a_module_is_read(name):
    make, shapes, assume, names, inputs = programs.MODULES[name]
    torch.manual_seed(0)
    f = compare(make(), shapes, assume, inputs, FIXED)
    assert {*names} <= {*f.intermediates, f.name}, tuple(f.intermediates)


def test_parameters_keep_their_names_and_lines_are_known():
    f = byhand.from_torch(programs.Tower(), {"x": "N D"})
    assert {"layers_0_weight", "layers_2_bias"} <= set(f.symbols)
    assert f.symbols["layers_0_weight"].shape == (f.symbols["x"].shape[1],) * 2  # D, which the weights fix, is kept
    file, line = f.sources["h2"]
    assert "torch.relu(layer(x))" in Path(file).read_text("utf-8").splitlines()[line - 1]


def test_a_loss_follows_the_module():
    f = compare_loss(nn.Sequential(nn.Linear(9, 4), nn.Tanh()))
    assert f.shape == () and {"0_weight", "0_bias"} <= set(f.symbols)
    value, gradients = byhand.derive(f, ["0_weight"]).function("numpy")(**compare_loss.values)
    assert np.isfinite(value) and gradients["0_weight"].shape == (4, 9)


def compare_loss(module):
    f = byhand.from_torch(module, {"x": "N 9", "t": "N"}, loss="cross_entropy", assume={"t": "labels"})
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((7, 9)), rng.integers(0, 4, 7)
    module.double()
    values = {n: v for n, v in zip(f.symbols, (x, t, *(p.detach().numpy() for p in module.parameters())), strict=True)}
    wanted = nn.functional.cross_entropy(module(torch.tensor(x)), torch.tensor(t))
    assert np.isclose(byhand.evaluate(f, **values), wanted.item(), rtol=TOLERANCE)
    compare_loss.values = values
    return f


def test_labels_are_found():
    f = byhand.from_torch(lambda x, t: nn.functional.cross_entropy(x, t), {"x": "N K", "t": "N"})
    assert "labels" in f.symbols["t"].assumptions


def test_dropout_in_training_is_a_mask():
    module = nn.Sequential(nn.Linear(9, 4), nn.Dropout(0.25)).double()
    f = byhand.from_torch(module, {"x": "N 9"})
    (mask,) = [s for s in f.symbols.values() if "01" in s.assumptions]
    rng = np.random.default_rng(0)
    x, m = rng.standard_normal((7, 9)), rng.integers(0, 2, (7, 4)) * 1.0
    w, b = (p.detach().numpy() for p in module.parameters())
    values = dict(zip([n for n in f.symbols if n != mask.name], (x, w, b), strict=True))
    assert np.allclose(byhand.evaluate(f, **values, **{mask.name: m}), (x @ w.T + b) * m / 0.75)
    assert "mask" in " ".join(f.notes)


def test_an_operation_without_a_row_is_named_with_its_line():
    def strange(x):
        y = torch.special.i0(x)
        return y.sum()

    with pytest.raises(MissingRuleError, match=r"special_i0.*has no row") as caught:
        byhand.from_torch(strange, {"x": "N D"})
    assert "torch.special.i0(x)" in str(caught.value)


def test_what_the_result_does_not_need_is_not_asked_for():
    def function(x):
        torch.special.i0(x)
        return (x**2).sum()

    assert byhand.from_torch(function, {"x": "N D"}).shape == ()


def test_a_loop_over_a_named_dimension_is_refused():
    def looped(x):
        total = x[:, 0] * 0
        for k in range(x.shape[1] // 100):
            total = total + x[:, k] ** 2
        return total.sum()

    with pytest.raises(ParseError, match="is not the module"):
        byhand.from_torch(looped, {"x": "N D"})


def test_what_does_not_run_is_said():
    with pytest.raises(ParseError, match="does not run with these shapes"):
        byhand.from_torch(nn.Linear(9, 4), {"input": "N 8"})


def test_every_row_has_a_program():
    synonyms = {
        "absolute", "negative", "arcsin", "arccos", "arctan", "arcsinh", "clip", "subtract", "multiply", "divide", "true_divide", "__and__", "__or__",
        "inverse", "det", "vdot", "linalg_norm", "frobenius_norm", "concat", "concatenate", "tensor_split", "constant_pad_nd", "take_along_dim",
        "nll_loss_nd", "nll_loss2d", "where", "ravel", "view_as", "reshape_as", "_unsafe_view", "matrix_H", "adjoint", "adaptive_avg_pool2d",
        "isfinite", "isnan", "isinf", "alias", "lift_fresh_copy", "lift_fresh", "positive", "requires_grad_", "real", "_to_copy", "float", "double",
        "half", "bfloat16", "full_like", "new_zeros", "new_ones", "new_full", "fill", "zero", "copy", "feature_dropout",
    }  # fmt: skip
    in_modules = {
        "dropout",
        "rnn_tanh_cell",
        "rnn_relu_cell",
        "lstm_cell",
        "gru_cell",
        "rnn_tanh",
        "rnn_relu",
        "lstm",
        "gru",
    }
    known = {*programs.OPERATIONS, *programs.MISSING} - {"gelu_tanh", "softsign", "tanhshrink"}
    assert set(OPERATIONS) - synonyms - in_modules == known


def test_an_operation_without_a_row_may_stay_a_function():
    def strange(x, w):
        y = torch.special.i0(x @ w)
        return (torch.tanh(y) ** 2).sum()

    f = byhand.from_torch(strange, {"x": "N D", "w": "D"}, strict=False)
    values = drawn({"x": "N D", "w": "D"}, {})
    x, w = torch.tensor(values["x"]), torch.tensor(values["w"]).requires_grad_()
    strange(x, w).backward()
    a = (x @ w).detach()
    values |= {"special_i0": torch.special.i0(a).numpy(), "J_special_i0": np.diag(torch.special.i1(a).numpy())}
    assert np.allclose(byhand.derive(f, "w").function("numpy")(**values)[1]["w"], w.grad.numpy())
    assert any("no rule" in note for note in f.notes)

"""Networks of any depth: base case, inductive step, and networks of 1 to 5 layers against JAX and PyTorch."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import byhand
from byhand.check.induction import Instance, check_induction
from byhand.cli.main import cli

LOSSES = ("softmax_cross_entropy", "mse", "log_cosh", "poisson")
ACTIVATIONS = ("sigma", "tanh", "relu", "silu", "z*sigmoid(1.702*z)")
OPTIONS = [  # 60 instances
    {"activation": activation, "loss": loss, "l2": l2, "bias": bias}
    for (activation, loss), (l2, bias) in itertools.product(
        itertools.product(ACTIVATIONS, LOSSES), ((0, True), ("lam", True), (0.1, False))
    )
]


def network(**options):
    return byhand.MLP("d0-...-dL", **options)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
def test_networks_of_one_to_five_layers(options):
    d = byhand.derive(network(**options))
    function = "sin" if options["activation"] == "sigma" else options["activation"]
    depth = 1 + OPTIONS.index(options) % 5
    instance = Instance(d, function, depth, seed=1)
    found = instance.by_recursion()
    for name, others in instance.by_others("installed").items():
        for parameter, wanted in others().items():
            gap = np.linalg.norm(found[parameter] - wanted)
            assert gap <= 1e-12 * max(1e-3, np.linalg.norm(wanted)), (name, parameter)


@pytest.mark.parametrize("activation", ["sigma", "tanh", "identity", "softmax"])
def test_the_induction_is_checked(activation):
    report = byhand.check(byhand.derive(network(activation=activation)), oracles="quick", seeds=1)
    assert report.ok and not report.unread, report.text()


@pytest.mark.parametrize(
    "corrupted",
    [
        lambda d: {"base": 2 * d.base},
        lambda d: {"step": -d.step},
        lambda d: {"weight": 2 * d.weight},
        lambda d: {"offset": -d.offset},
    ],
    ids=["base", "step", "weight", "offset"],
)
@pytest.mark.parametrize("activation", ["sigma", "tanh"])
def test_a_wrong_case_is_found(corrupted, activation):
    d = byhand.derive(network(activation=activation))
    assert not check_induction(replace(d, **corrupted(d)), depths=2, oracles="quick").ok


@pytest.mark.parametrize("layout", ["rows", "rows-outputs-first", "columns", "columns-inputs-first"])
@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
@pytest.mark.parametrize("batch", ["N", None])
def test_every_view(layout, notation, batch):
    d = byhand.derive(network(activation="sigma", batch=batch))
    for level in ("result", "steps", "micro"):
        text = d.text(notation, level, layout)
        assert "[l+1]" in text and "σ′(" in text
        assert max(map(len, text.splitlines())) <= 160
    for shown in (d.latex(notation, "steps", layout), d.html(notation, "steps", layout), d.markdown(notation)):
        assert "l+1" in shown or "<mi>l</mi><mo>+</mo><mn>1</mn>" in shown


def test_the_recursion_reads_as_in_a_book():
    text = byhand.derive(network(activation="sigma", l2="lam")).text()
    for line in (
        "Z[l] = H[l−1] W[l] + 1_N b[l]",
        "dE = ⟨Δ[l], dZ[l]⟩ + Σ_{k=l+1}^{L} (⟨H[k−1]ᵀ Δ[k], dW[k]⟩ + ⟨1_Nᵀ Δ[k], db[k]⟩)",
        "dH[l] = σ′(Z[l]) ⊙ dZ[l]",
        "Δ[l] = (Δ[l+1] W[l+1]ᵀ) ⊙ σ′(Z[l])",
        "∂J/∂W[l] = H[l−1]ᵀ Δ[l] + 2 λ W[l]",
        "∂J/∂b[l] = 1_Nᵀ Δ[l]",
    ):
        assert line in text, text


def test_a_certain_depth():
    net = network(activation="tanh", l2=0.1)
    assert byhand.check(byhand.derive(net.at(L=3)), oracles="quick", seeds=1).ok
    abstract = byhand.derive(network(activation="sigma").at(L=3))
    assert "σ′(Z2)" in abstract.text()
    with pytest.raises(byhand.ByhandError, match="any differentiable function"):
        abstract.code()
    assert byhand.derive(network(activation="sigma").at(L=3, activation="tanh")).code()


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ("d0-...-nL", {}),
        ("3-...-5", {}),
        ("d0-d1-...-dL", {}),
        ("d0-...-dL", {"output_activation": "tanh"}),
        ("d0-...-dL", {"activation": ["tanh", "relu"]}),
    ],
)
def test_what_is_no_network_of_any_depth(sizes, options):
    with pytest.raises(byhand.ParseError):
        byhand.MLP(sizes, **options)


def test_the_command_line():
    result = CliRunner().invoke(cli, ["net", "d0-...-dL", "--act", "sigma", "--code"])
    assert result.exit_code == 0, result.output
    assert "Inductive step" in result.output and "def value_and_gradients(" in result.output

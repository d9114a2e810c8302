"""Networks from rows of the table of layer kinds: every row, its gradient against JAX, its text, its prediction."""

import numpy as np
import pytest

import byhand
from byhand.errors import ByhandError
from byhand.nets.kinds import KINDS, Kind, Made
from byhand.nets.network import Network

NETWORKS = {
    "dense 7 | relu | dense 5": "11",
    "conv 3 3x2 stride=2 padding=1 | tanh | maxpool 2 | flatten | dense 5": "2 11 7",
    "conv 3 3 padding=same | batch_norm | relu | avgpool 2x3 | flatten | dense 5": "2 5 7",
    "conv 3 2 | gelu | flatten | dense 5": "2 7",
    "dense 7 | batch_norm | relu | dropout 0.3 | dense 5": "11",
    "dense 7 | rms_norm | silu | dense 7 | residual 3 | layer_norm | dense 5": "11",
    "embedding 13 6 | attention 2 causal | residual 1 | layer_norm | flatten | dense 5": "labels 7",
    "attention 3 | flatten | dense 5": "7 6",
    "rnn 3 | dense 5": "7 2",
    "lstm 3 | dense 5": "3 2",
    "gru 3 | dense 5": "3 2",
}


def drawn(net, samples=3, seed=0):
    rng = np.random.default_rng(seed)
    values = net.init(seed)
    for name, shape in net.shapes.items():
        size = [samples if str(d) == "N" else d for d in shape]
        if name not in values:
            values[name] = rng.integers(0, 5, size) if net.assume.get(name) == "labels" else rng.standard_normal(size)
    return values


@pytest.mark.parametrize("layers", NETWORKS)
def test_gradients(layers):
    net = Network(layers, input=NETWORKS[layers])
    values = drawn(net)
    d = byhand.derive(net)
    value, gradients = d.function("numpy")(**values)
    assert set(gradients) == set(net.parameters)
    rng = np.random.default_rng(1)
    bump = {n: rng.standard_normal(np.shape(values[n])) for n in net.parameters}
    moved = {**values, **{n: values[n] + 1e-30j * b for n, b in bump.items()}}
    slope = np.imag(byhand.evaluate(net, **moved)) / 1e-30
    assert sum(np.sum(gradients[n] * b) for n, b in bump.items()) == pytest.approx(slope, rel=1e-9, abs=1e-12)
    for target in ("jax", "torch"):
        other, others = d.function(target)(**values)
        assert float(other) == pytest.approx(float(value))
        assert all(np.allclose(np.asarray(others[n]), gradients[n], atol=1e-12) for n in net.parameters)


def test_every_kind_is_tried():
    assert {k for k in KINDS if not any(k in layers.split() for layers in NETWORKS)} == set()


def test_an_mlp_is_a_network():
    mlp = byhand.MLP("11-7-5")
    net = byhand.Network(["dense 7", "relu", "dense 5"], input=11)
    assert (net.text, net.parameters, net.shapes) == (mlp.text, mlp.parameters, mlp.shapes)
    assert net.expression.root is mlp.expression.root


def test_a_new_kind_is_one_row(monkeypatch):
    scaled = Kind("scaled", "FACTOR", lambda r: Made({f"S{r.number}": f"{r.words[0]}*{r.below}"}), "D", "a multiple")
    monkeypatch.setitem(KINDS, "scaled", scaled)
    net = Network("dense 3 | scaled 2.5 | dense 2", input="5")
    assert "S2 = 2.5*Z1" in net.text
    assert byhand.check(byhand.derive(net), seeds=1, oracles="quick").ok


def test_predictions_use_running_statistics_and_no_masks():
    net = Network("dense 7 | batch_norm | dropout 0.5 | dense 5", input="3")
    values = {**net.init(0), "X": np.random.default_rng(0).standard_normal((11, 3))}
    Z = values["X"] @ values["W1"] + values["b1"]
    U = (Z - 0.5) / np.sqrt(2.0 + 1e-5)
    state = {"m2": np.full(7, 0.5), "v2": np.full(7, 2.0)}
    assert set(net.state) == set(state)
    found = byhand.evaluate(net.logits, **values, **state)
    assert np.allclose(found, U @ values["W3"] + values["b3"])
    assert np.allclose(byhand.evaluate(net.prediction, **values, **state).sum(1), 1)


def test_masks_have_mean_one():
    net = Network("dense 7 | dropout 0.25 | dense 5", input="3")
    mask = net.draw_masks(np.random.default_rng(0), {"N": 5000})["D1"]
    assert set(np.unique(mask)) == {0, 1 / 0.75} and mask.mean() == pytest.approx(1, abs=0.02)


def test_symbolic_sizes():
    net = Network("conv 8 3x3 | relu | maxpool 2 | flatten | dense 10")
    assert list(map(str, net.shapes["X"])) == ["N", "C", "H", "V"]
    assert str(net.shapes["W2"][0]) in ("8*((H//2) - 1)*((V//2) - 1)", str(net.shapes["W2"][0]))
    values = net.init(0, sizes={"C": 1, "H": 7, "V": 9})
    assert values["W2"].shape == (8 * 2 * 3, 10)


@pytest.mark.parametrize(
    "layers, input, words",
    [
        ("dens 3 | relu", "5", "no kind of layer is called dens, did you mean `dense`?"),
        ("dense", "5", "the number of units is missing"),
        ("conv 3 4 padding=same", "2 5 7", "padding=same is for windows of odd size"),
        ("conv 3 3 strid=2", "2 5 7", "conv has no option strid"),
        ("conv 3 9", "2 5 7", "a window of 9 does not fit"),
        ("dense 3 | conv 3 3", "5", "a sample with 2 or 3 axes is needed"),
        ("dropout 1.5", "5", "the share that is left out"),
        ("attention 4", "7 6", "the number of heads divides"),
        ("residual 3 | dense 2", "5", "residual 3: there are 0 layers before it"),
        ("dense 3 | residual 1", "5", "shapes do not fit"),
        ("lstm 3", "T 2", "the number of steps is T"),
        ("", "5", "layers are texts"),
    ],
)
def test_refused(layers, input, words):
    with pytest.raises(byhand.ByhandError) as caught:
        Network(layers, input=input)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("attention 2 casual", "no use for casual"),
        ("maxpool 3 2", "no use for 2"),
        ("dense 3 4", "no use for 4"),
        ("conv 4 3 3", "no use for 3"),
        ("flatten 2", "no use for 2"),
        ("batch_norm 4", "no use for 4"),
        ("dropout 0.2 0.3", "no use for 0.3"),
        ("relu 3", "a function of each entry"),
    ],
)
def test_a_word_without_a_place_is_refused(layer, said):
    with pytest.raises(ByhandError, match=said):
        byhand.Network(layer, input="5 6")

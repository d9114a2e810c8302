"""The four seeds' derivations, line by line: each golden file was read against the seed before it was kept."""

from pathlib import Path

import pytest

import byhand

GOLDEN = Path(__file__).parents[1] / "golden"

TWO_LAYERS = """
Z1 = X @ W1 + b1
H1 = relu(Z1)
Z2 = H1 @ W2 + b2
P = softmax(Z2, axis=1)
L = -sum(Y * log(P)) / N + lam * (sum(W1**2) + sum(W2**2))
"""
SHAPES = {"X": "N D", "W1": "D H", "b1": "H", "W2": "H C", "b2": "C", "Y": "N C", "lam": ""}
ONE_SAMPLE = """
z1 = x @ W1 + b1
a1 = {activation}(z1)
z2 = a1 @ W2 + b2
J = cross_entropy(z2, y)
"""
SAMPLE_SHAPES = {"x": "d", "W1": "d h", "b1": "h", "W2": "h k", "b2": "k", "y": "k"}
LOGITS = """
Z = X @ W + b
Y = tanh(Z)
L = mean(cross_entropy(Y, t))
"""


def seed_1():
    f = byhand.parse(TWO_LAYERS, SHAPES, {"Y": "simplexrows"})
    return byhand.derive(f, "W1, b1, W2, b2").text(level="micro")


def seed_2():
    f = byhand.parse(ONE_SAMPLE.format(activation="sigmoid"), SAMPLE_SHAPES, {"y": "simplexrows"})
    return byhand.derive(f, "W1, b1, W2, b2, x").text()


def seed_3():
    f = byhand.parse(LOGITS, {"X": "B d", "W": "d h", "b": "h", "t": "B"})
    d = byhand.derive(f, "X, W, b")
    return d.text() + "\n" + d.text(notation="index")


def seed_4():
    f = byhand.parse(ONE_SAMPLE.format(activation="relu"), SAMPLE_SHAPES, {"y": "simplexrows"})
    return byhand.derive(f, "W1, b1, W2, b2").text(notation="jacobian", layout="rows-outputs-first")


@pytest.mark.parametrize("seed", [seed_1, seed_2, seed_3, seed_4], ids=lambda s: s.__name__)
def test_golden(seed):
    assert seed() == (GOLDEN / f"{seed.__name__}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("∂L/∂Z2 = ", "(P − Y)/N"), "seed_1"),
        (("∂L/∂W2 = H1ᵀ Δ2 + 2 λ W2", "∂L/∂b2 = 1_Nᵀ Δ2", "∂L/∂H1 = Δ2 W2ᵀ"), "seed_1"),
        (("Δ1 ≔ ∂L/∂Z1 = ∂L/∂H1 ⊙ 1[Z1 > 0]", "∂L/∂W1 = Xᵀ Δ1 + 2 λ W1", "∂L/∂b1 = 1_Nᵀ Δ1"), "seed_1"),
        (("= p − y", "∂J/∂W2 = a1 δ2ᵀ", "∂J/∂a1 = W2 δ2", "δ1 ≔ ∂J/∂z1 = ∂J/∂a1 ⊙ a1 ⊙ (1 − a1)"), "seed_2"),
        (("∂J/∂W1 = x δ1ᵀ", "∂J/∂b1 = δ1", "∂J/∂x = W1 δ1"), "seed_2"),
        (("∂L/∂Z = ∂L/∂Y ⊙ (1 − Y^∘2)", "∂L/∂X = ∂L/∂Z Wᵀ", "∂L/∂W = Xᵀ ∂L/∂Z", "∂L/∂b = 1_Bᵀ ∂L/∂Z"), "seed_3"),
        (("∂J/∂a1 = ∂J/∂z2·∂z2/∂a1", "∂J/∂a1 = ∂J/∂z2 W2", "∂J/∂W1 = (∂J/∂z1)ᵀ x"), "seed_4"),
    ],
)
def test_the_seeds_own_lines(lines, name):
    text = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert all(line in text for line in lines), [line for line in lines if line not in text]

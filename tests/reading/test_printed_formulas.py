"""Signs mean what they mean: values of single formulas, and what is no formula."""

import numpy as np
import pytest

from byhand.reading.printed import sides
from byhand.reading.stands import Entry, Names
from byhand.reading.tokens import UnreadableError
from byhand.reading.values import MismatchError

RNG = np.random.default_rng(5)
M, N, K = 3, 5, 2
X, Y, S, T = RNG.normal(size=(M, N)), RNG.normal(size=(M, N)), RNG.normal(size=(N, N)), RNG.normal(size=(M, N, K))
x, y, b, t = RNG.normal(size=N), RNG.normal(size=M), RNG.normal(size=N), np.array([1, 0, 4])
P = np.abs(X)
ARRAYS = {"X": X, "Y": Y, "S": S, "T": T, "x": x, "y": y, "b": b, "t": t, "P": P, "λ": 0.7}


def names(value):
    """The arrays by name, b as a row, and the result."""
    found = Names(sizes={"m": M, "n": N, "p": K})
    found.values = {name: Entry(np.asarray(v), name == "b") for name, v in {**ARRAYS, "Z": value}.items()}
    found.differentials = {"X": Entry(Y), "x_hat": Entry(x)}
    found.gradients = {("f", "X"): Entry(X), ("f", "b"): Entry(b, True)}
    return found


def softmax(Z, axis):
    E = np.exp(Z)
    return E / E.sum(axis=axis, keepdims=True)


MATRIX = [
    ("X S Xᵀ", X @ S @ X.T),
    ("2 X + λ Y", 2 * X + 0.7 * Y),
    ("−X ⊙ Y", -X * Y),
    ("1 ⊘ X", 1 / X),
    ("1 − X^∘2", 1 - X**2),
    ("P^∘(−1/2)", P**-0.5),
    ("P^∘−2", P**-2.0),
    ("S²", S @ S),
    ("S⁻¹", np.linalg.inv(S)),
    ("S⁻ᵀ", np.linalg.inv(S).T),
    ("S + 2 I", S + 2 * np.eye(N)),
    ("I ⊙ S", np.diag(np.diag(S))),
    ("diag(x) S", np.diag(x) @ S),
    ("diag(S)", np.diag(S)),
    ("y xᵀ", np.outer(y, x)),
    ("xᵀ S x", x @ S @ x),
    ("‖X‖²/n", np.sum(X**2) / N),
    ("(xᵀ x) (yᵀ y) y", x @ x * (y @ y) * y),
    ("⟨X, Y⟩", np.sum(X * Y)),
    ("⟨S, I⟩", np.trace(S)),
    ("tr(S Xᵀ Y)", np.trace(S @ X.T @ Y)),
    ("det(S)", np.linalg.det(S)),
    ("log|S|", np.linalg.slogdet(S)[1]),
    ("|X|", np.abs(X)),
    ("1[X > 0] ⊙ Y", (X > 0) * Y),
    ("X + 1_m b", X + b),
    ("1_mᵀ X 1_n", X.sum()),
    ("1_{m p} b", np.tile(b, (M * K, 1))),
    ("X I_n[:, 1:3]", X[:, 1:3]),
    ("I_m[:, 0:m − 1]ᵀ X", X[:2]),
    ("X ⊗ Y", np.kron(X, Y)),
    ("X ⊗ I_p", np.kron(X, np.eye(K))),
    ("vec(X)", X.ravel()),
    ("softmax(X)", softmax(X, 1)),
    ("softmax(X, axis=0)", softmax(X, 0)),
    ("softmax(X, axis=(0, 1))", softmax(X, (0, 1))),
    ("softmax(x)", softmax(x, 0)),
    ("logsumexp(X)", np.log(np.exp(X).sum(1))),
    ("logsumexp(X, axis=(0, 1))", np.log(np.exp(X).sum())),
    ("where(1[X > 0], X, Y)", np.where(X > 0, X, Y)),
    ("onehot(t)", np.eye(N)[t]),
    ("Xᵀ onehot(t, n)", X.T @ np.eye(N)[t]),
    ("√(λ) σ(X)", np.sqrt(0.7) / (1 + np.exp(-X))),
    ("3×10⁻² X", 0.03 * X),
    ("2·3 X/4", 1.5 * X),
    ("dX + X", Y + X),
    ("d(x_hat)", x),
    ("∂f/∂X Sᵀ", X @ S.T),
    ("1_m ∂f/∂b", np.tile(b, (M, 1))),
]  # fmt: skip

INDEX = [
    ("Z_ij", "Σ_k X_ik S_kj", X @ S),
    ("Z_ij", "X_ij b_j/λ", X * b / 0.7),
    ("Z_i", "Σ_j (X_ij + Y_ij)²", ((X + Y) ** 2).sum(1)),
    ("Z", "Σ_i Σ_{j=1}^{n−1} X_ij", X[:, 1:].sum()),
    ("Z_ij", "2 X_ij 1[1 ≤ j ≤ 2]", 2 * X * np.array([0, 1, 1, 0, 0])),
    ("Z_i", "x_{i+2} + δ_{i,1}", x[2:] + np.array([0, 1, 0])),
    ("Z_i", "X_{i,t_i}", X[np.arange(M), t]),
    ("Z_ij", "δ_{j,t_i}", np.eye(N)[t]),
    ("Z_{i,0}", "Σ_j X_ij/n", X.mean(1, keepdims=True)),
    ("Z_ij", "(Xᵀ)_ji + softmax(Y)_ij", X + softmax(Y, 1)),
    ("Z_ijl", "T_ijl − Σ_k T_ijk δ_kl", np.zeros((M, N, K))),
    ("Z_ij", "Σ_l T_ijl", T.sum(2)),
    ("Z_ij", "dX_ij + ∂f/∂X_ij", X + Y),
    ("Z", "Σ_{i1} x_{i1} b_{i1}", x @ b),
    ("Z_ij", "X_ij Σ_{i3} (Y_{i,i3} + x_{i3})", X * (Y + x).sum(1, keepdims=True)),
    ("Z_i", "X_{i,3} + Σ_{i10} y_{i10} T_{i10,2,1}", X[:, 3] + y @ T[:, 2, 1]),
]  # fmt: skip


def read(left, right, value):
    return sides(left, right, names(value))


@pytest.mark.parametrize(("text", "value"), MATRIX, ids=[text for text, _ in MATRIX])
def test_matrix_notation(text, value):
    left, right = read("Z", text, value)
    assert np.allclose(left, right, rtol=1e-12)


@pytest.mark.parametrize(("left", "text", "value"), INDEX, ids=lambda v: str(v)[:30])
def test_index_notation(left, text, value):
    a, b = read(left, text, value)
    assert np.shape(a) == np.shape(np.squeeze(value)) and np.allclose(a, b, rtol=1e-12)
    assert np.allclose(a, np.squeeze(value))


MISREAD = [
    ("Z", "X S X", "product of shapes"),
    ("Z", "X ⊙ S", "entry by entry"),
    ("Z", "X + x", "entry by entry"),
    ("Z", "tr(X)", "trace of shape"),
    ("Z", "X⁻¹", "power of a matrix"),
    ("Z", "S/X", "division by a matrix"),
    ("Z", "Q x", "Q stands for nothing"),
    ("Z", "T", "more than two axes"),
    ("Z", "⟨X, S⟩", "inner product"),
    ("Z", "X I_n[:, 3:9]", "slice"),
    ("Z_ij", "Σ_k X_ik S_lj", "l stands for nothing"),
    ("Z_ij", "Σ_i X_ij", "in use, and summed"),
    ("Z_ij", "Σ_k δ_{k,i}", "range of k"),
    ("Z_ij", "Σ_k X_ik Σ_l x_l y_l", "range of l: 3, 5"),
    ("Z_ij", "X_{i,j+1}", "beyond an axis"),
    ("Z_ij", "Σ_{k=1}^{n} X_ik", "beyond an axis"),
    ("Z_ij", "X_ijk", "indices for 2 axes"),
    ("Z_ij", "X_ji", "beyond an axis"),
    ("Z", "X_ij", "stands for nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "text", "words"), MISREAD, ids=[text for _, text, _ in MISREAD])
def test_what_is_no_formula(left, text, words):
    with pytest.raises(MismatchError, match=words):
        read(left, text, X if "_" in left else X.sum())


@pytest.mark.parametrize(
    "text", ["X ⊕ Y", "X (", "X/x S", "g(X)", "vec(X", "X^", "Σ_ X", "∂X/∂Y", "d(X S)", "softmax(X, Y)"]
)
def test_what_is_not_understood(text):
    with pytest.raises(UnreadableError):
        read("Z", text, X)


@pytest.mark.parametrize("text", ["X ⊗ I", "tr(I)", "tanh(I)", "Xᵀ onehot(t)", "I[:, 0:1]"])
def test_what_is_not_said(text):
    with pytest.raises(UnreadableError):
        read("Z", text, X)

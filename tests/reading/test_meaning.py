"""The value of a formula is that of the same calculation by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from byhand.reading.algebra import NumPy
from byhand.reading.grammar import read
from byhand.reading.meaning import Meaning
from byhand.reading.scope import Scope
from byhand.reading.tokens import UnreadableError
from byhand.reading.values import MismatchError, Value

N, D, K = 7, 5, 3
RNG = np.random.default_rng(11)
X, W, A, S = (
    RNG.standard_normal((N, D)),
    RNG.standard_normal((D, K)),
    RNG.standard_normal((D, D)),
    RNG.standard_normal((N, K)),
)
w, y, b = RNG.standard_normal(D), RNG.standard_normal(N), RNG.standard_normal((1, K))
NAMES: dict[str, Any] = {
    "X": X,
    "W": W,
    "A": A,
    "S": S,
    "w": w[:, None],
    "y": y[:, None],
    "b": b,
    "λ": np.asarray(0.3),
    "W_1": 2 * W,
    "ŷ": y[:, None] + 1,
}


class Page(Scope):
    """A scope of arrays."""

    def value(self, key: str) -> Value | None:
        return Value(NAMES[key], (), np.ndim(NAMES[key]) == 2) if key in NAMES else None

    def dim(self, key: str) -> int | None:
        return {"N": N, "D": D, "K": K}.get(key)

    def function(self, key: str) -> str | None:
        return {"σ": "sigmoid", "f": "tanh"}.get(key)


def value(text: str, spelling: str = "unicode") -> Value:
    (node,) = read(text, spelling)
    return Meaning(NumPy(), Page()).value(node)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


P = np.exp(X @ W) / np.exp(X @ W).sum(axis=1, keepdims=True)
FORMULAS = [
    ("2 Xᵀ (X w − y)", 2 * X.T @ (X @ w - y)),
    ("‖X w − y‖²/N", ((X @ w - y) ** 2).sum() / N),
    ("Xw − y", X @ w - y),
    ("(Xᵀ X + λI_D)⁻¹Xᵀy", np.linalg.solve(X.T @ X + 0.3 * np.eye(D), X.T @ y)),
    ("A⁻ᵀ W", np.linalg.inv(A).T @ W),
    ("X W + 1_N b", X @ W + b),
    ("1_Nᵀ X W ⊙ σ(1_Nᵀ X W)", X.sum(axis=0) @ W * sigmoid(X.sum(axis=0) @ W)),
    ("1[X W > 0] ⊙ exp(X W)", (X @ W > 0) * np.exp(X @ W)),
    ("S ⊘ (1 + S ⊙ S)", S / (1 + S * S)),
    ("tr(A A) + tr(Aᵀ A)", np.trace(A @ A) + (A * A).sum()),
    ("diag(w) A diag(w)", np.diag(w) @ A @ np.diag(w)),
    ("diag(A)", np.diag(A)),
    ("f(X w)² + 1", np.tanh(X @ w) ** 2 + 1),
    ("X^∘3", X**3),
    ("A²", A @ A),
    ("⟨S, X W⟩", (S * (X @ W)).sum()),
    ("softmax(X W)", P),
    ("√(1 + ‖w‖²)", np.sqrt(1 + w @ w)),
    ("max(X W, S)", np.maximum(X @ W, S)),
    ("logdet(A Aᵀ)", np.linalg.slogdet(A @ A.T)[1]),
    ("w ⊗ y", np.kron(w, y)),
    ("W_1 ⊙ W", 2 * W * W),
    ("ŷ − y", np.ones(N)),
]
INDEXED = [
    ("Σ_k X_ik W_kj", ("i", "j"), X @ W),
    ("Σ_{k} A_kk", (), np.trace(A)),
    ("X_ij w_j", ("i", "j"), X * w),
    ("Σ_ij X_ij y_i", (), (X * y[:, None]).sum()),
    ("A_1j", ("j",), A[0]),
    ("w_2", (), w[1]),
]
LATEX = [
    (r"\frac{e^{w_i}}{\sum_{k=1}^{D} e^{w_k}}", ("i",), np.exp(w) / np.exp(w).sum()),
    (r"\sum_{i=1}^{N} \left( X_{i,:} \mathbf{w} - y_i \right) X_{ij}", ("j",), (X @ w - y) @ X),
    (r"\frac{1}{N} X^\top (X\mathbf{w} - \mathbf{y}) + \lambda \mathbf{w}", (), X.T @ (X @ w - y) / N + 0.3 * w),
    (r"\delta_{ij} w_j", None, None),
    (r"\begin{cases} X_{ij} & \text{if } X_{ij} > 0, \\ 0 & \text{otherwise} \end{cases}", ("i", "j"), X * (X > 0)),
]


@pytest.mark.parametrize(("text", "want"), FORMULAS, ids=[t for t, _ in FORMULAS])
def test_matrix_notation(text: str, want: Any) -> None:
    got = value(text)
    assert got.letters == ()
    assert np.allclose(np.squeeze(got.data), np.squeeze(want), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("text", "letters", "want"), INDEXED, ids=[t for t, _, _ in INDEXED])
def test_index_notation(text: str, letters: tuple[str, ...], want: Any) -> None:
    got = value(text)
    assert set(got.letters) == set(letters)
    data = np.einsum(got.data, [*map(letters.index, got.letters)], [*range(len(letters))]) if letters else got.data
    assert np.allclose(data, want, rtol=1e-12)


@pytest.mark.parametrize(("text", "letters", "want"), LATEX, ids=[t for t, _, _ in LATEX])
def test_latex(text: str, letters: tuple[str, ...] | None, want: Any) -> None:
    if letters is None:
        with pytest.raises(UnreadableError, match=r"runs? is not known"):
            value(text, "latex")
        return
    got = value(text, "latex")
    assert got.letters == letters
    assert np.allclose(np.squeeze(got.data), np.squeeze(want), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("X X", "7, 5"), ("X + Aᵀ", "do not fit"), ("X ⊙ W", "do not fit"), ("tr(X)", "not square"), ("X⁻¹", "not square"), ("X_i", "1 indices"), ("Σ_i X_ii", "runs over"),
        ("y_9", "beyond"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(text: str, words: str) -> None:
    with pytest.raises(MismatchError, match=words) as error:
        value(text)
    assert error.value.node is not None


@pytest.mark.parametrize("text", ["Q w", "g(X)", "∂L/∂W", "dX", "Σ_i Q_i", "X_ij^{k}"])
def test_names_that_are_not_known(text: str) -> None:
    with pytest.raises(UnreadableError):
        value(text)

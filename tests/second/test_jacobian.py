"""Jacobians and Hessians: notation, layout, conventions, bad input."""

import numpy as np
import pytest
from oracles import relative_error

import byhand
from byhand.second.show import matrix_text

# Parr and Howard (SEEDS S4.36), and the tensors behind the shortcuts (S0.19, S1.8, S2.12).
NOTATION = [
    ("w + x", "w", {"w": "n", "x": "n"}, "I"),
    ("w * x", "w", {"w": "n", "x": "n"}, "diag(x)"),
    ("w / x", "w", {"w": "n", "x": "n"}, "diag(1 ⊘ x)"),
    ("w / x", "x", {"w": "n", "x": "n"}, "−diag(w ⊘ x^∘2)"),
    ("x + z", "z", {"x": "n", "z": ""}, "1"),
    ("x * z", "x", {"x": "n", "z": ""}, "z I"),
    ("x * z", "z", {"x": "n", "z": ""}, "x"),
    ("W @ x", "W", {"W": "h d", "x": "d"}, "I ⊗ xᵀ"),
    ("W @ x", "x", {"W": "h d", "x": "d"}, "W"),
    ("x @ W", "W", {"W": "h d", "x": "h"}, "xᵀ ⊗ I"),
    ("X @ W", "W", {"X": "m n", "W": "n k"}, "X ⊗ I"),
    ("X @ W", "X", {"X": "m n", "W": "n k"}, "I ⊗ Wᵀ"),
    ("X.T", "X", {"X": "m n"}, "K"),
    ("tanh(X)", "X", {"X": "m n"}, "diag(vec(1 − tanh(X)^∘2))"),
    ("outer(u, v)", "u", {"u": "m", "v": "n"}, "I ⊗ v"),
    ("inv(X)", "X", {"X": "n n"}, "−X⁻¹ ⊗ X⁻ᵀ"),
    ("A*sum(B*X)", "X", {"A": "m n", "B": "h k", "X": "h k"}, "vec(A) vec(B)ᵀ"),
]


@pytest.mark.parametrize("text, x, shapes, printed", NOTATION, ids=[f"d({t})/d({x})" for t, x, _, _ in NOTATION])
def test_notation(text, x, shapes, printed):
    assert matrix_text(byhand.jacobian(byhand.parse(text, shapes=shapes), x)) == printed


def test_softmax_rows_are_blocks():
    j = byhand.jacobian(byhand.parse("softmax(Z, axis=1)", shapes={"Z": "m k"}), "Z")
    assert matrix_text(j) == "blockdiag(diag(P_b) − P_b P_bᵀ)_b"
    assert j.structure == "block diagonal"
    Z = np.random.default_rng(0).standard_normal((5, 3))
    op = j.operator(Z=Z)
    assert relative_error(op.to_dense(), j.function("interpreter")(Z=Z).reshape(15, 15)) < 1e-12
    assert relative_error(op @ Z, (op.to_dense() @ Z.reshape(-1)).reshape(5, 3)) < 1e-12


def test_tensor_contracts_to_the_outer_product():
    """S0.19: Σ_i δ_i ∂z_i/∂W_jk = δ_j x_k."""
    rng = np.random.default_rng(0)
    W, x, delta = rng.standard_normal((3, 5)), rng.standard_normal(5), rng.standard_normal(3)
    tensor = byhand.jacobian(byhand.parse("W @ x", shapes={"W": "h d", "x": "d"}), "W").function()(W=W, x=x)
    assert tensor.shape == (3, 3, 5)
    assert np.array_equal(tensor, np.einsum("ij,k->ijk", np.eye(3), x))
    assert np.allclose(np.einsum("i,ijk->jk", delta, tensor), np.outer(delta, x), rtol=0, atol=1e-15)
    assert np.array_equal(tensor.reshape(3, 15), np.kron(np.eye(3), x[None, :]))


def test_kronecker_and_commutation_conventions():
    rng = np.random.default_rng(1)
    A, B, X = rng.standard_normal((4, 3)), rng.standard_normal((2, 5)), rng.standard_normal((5, 3))
    j = byhand.jacobian(byhand.parse("A @ X.T @ B.T", shapes={"A": "h n", "X": "m n", "B": "k m"}), "X")
    assert matrix_text(j) == "(A ⊗ B) K"
    assert "K vec(X) = vec(Xᵀ)" in j.text()
    K = np.eye(15).reshape(5, 3, 15).transpose(1, 0, 2).reshape(15, 15)  # vec(Xᵀ) = K vec(X)
    assert relative_error(j.operator(A=A, X=X, B=B).to_dense(), np.kron(A, B) @ K) < 1e-14


def test_index_notation_is_always_there():
    text = byhand.jacobian(byhand.parse("W @ x", shapes={"W": "h d", "x": "d"}), "W").text()
    assert "∂f_i/∂W_jk = x_k δ_ij" in text and "I ⊗ xᵀ" in text and "row-major" in text


def test_denominator_layout():
    j = byhand.jacobian(byhand.parse("A @ x", shapes={"A": "m n", "x": "n"}), "x", layout="denominator")
    assert j.shape == tuple(reversed(j.node.shape))
    assert "Aᵀ" in j.text() and "denominator" in j.text()
    A = np.random.default_rng(0).standard_normal((3, 5))
    assert np.array_equal(j.function()(A=A, x=np.ones(5)), A.T)
    with pytest.raises(byhand.ParseError, match="numerator"):
        byhand.jacobian(j.f, "x", layout="rows")


def test_mixed_second_derivative():
    h = byhand.hessian(byhand.parse("a @ X @ b", shapes={"a": "m", "X": "m n", "b": "n"}), "a", "b")
    assert matrix_text(h) == "X"
    assert h.shape == h.f.symbols["X"].shape


def test_symmetric_variable_counts_free_entries():
    f = byhand.parse("trace(A @ X @ X)", shapes={"A": "n n", "X": "n n"}, assume={"X": "symmetric"})
    h = byhand.hessian(f, "X")
    assert any("free entries" in n for n in h.notes)
    rng = np.random.default_rng(0)
    A, X = rng.standard_normal((3, 3)), rng.standard_normal((3, 3))
    X = X + X.T
    upper = np.triu_indices(3)

    def value(u):
        M = np.zeros((3, 3))
        M[upper] = u
        M = M + M.T - np.diag(np.diag(M))
        return np.trace(A @ M @ M)

    u0, e = X[upper], np.eye(6)
    free = [[value(u0 + a + b) - value(u0 + a) - value(u0 + b) + value(u0) for b in e] for a in e]  # f is quadratic
    H = h.function()(A=A, X=X)
    found = [[H[i, j, k, m] for k, m in zip(*upper, strict=True)] for i, j in zip(*upper, strict=True)]
    assert relative_error(found, free) < 1e-12
    symmetric = byhand.hessian(byhand.parse("x @ A @ x", shapes={"x": "n", "A": "n n"}, assume={"A": "symmetric"}), "x")
    assert matrix_text(symmetric) == "2 A" and "Used: A is symmetric." in symmetric.text()


def test_closed_properties_of_the_variable_are_used_after_differentiating_only():
    """The gradient of ‖QᵀQ‖² is 4 Q QᵀQ = 4 Q, but its derivative is not 4 I."""
    f = byhand.parse("sum((Q.T @ Q)**2)", shapes={"Q": "n n"}, assume={"Q": "orthogonal"})
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    H = byhand.hessian(f, "Q").function()(Q=Q)
    free = byhand.hessian(byhand.parse("sum((Q.T @ Q)**2)", shapes={"Q": "n n"}), "Q").function()(Q=Q)
    assert relative_error(H, free) < 1e-12


def test_variable_that_does_not_occur():
    f = byhand.parse("A @ y", shapes={"A": "m n", "y": "n", "x": "k h"})
    j = byhand.jacobian(f, "x")
    assert j.is_zero and [str(d) for d in j.shape] == ["m", "k", "h"]
    assert "x does not occur in f: the Jacobian is zero." in j.text()
    value = j.function()(A=np.ones((2, 3)), y=np.ones(3), x=np.ones((5, 7)))
    assert value.shape == (2, 5, 7) and not value.any()
    h = byhand.hessian(byhand.parse("sum(X)", shapes={"X": "m n"}), "X")
    assert h.is_zero and "is zero" in h.text()
    assert h.function()(X=np.ones((2, 3))).shape == (2, 3, 2, 3)


def test_kinks_are_named():
    text = byhand.hessian(byhand.parse("sum(relu(A @ x)**2)", shapes={"A": "m n", "x": "n"}), "x").text()
    assert "relu has no derivative at 0" in text


def test_bad_input():
    f = byhand.parse("A @ x", shapes={"A": "m n", "x": "n"})
    with pytest.raises(byhand.ShapeError, match=r"scalar function: f has shape \(m,\)"):
        byhand.hessian(f, "x")
    with pytest.raises(byhand.ParseError, match="no input is called y"):
        byhand.jacobian(f, "y")
    with pytest.raises(byhand.ParseError, match="one input"):
        byhand.jacobian(f, ["A", "x"])
    with pytest.raises(byhand.DataError):
        byhand.jacobian(f, "x").function()(A=np.ones((2, 3)), x=np.ones(4))


def test_dense_form_that_does_not_fit_says_its_size_and_the_way_out():
    h = byhand.hessian(byhand.parse("sum((A - U @ V.T)**2)", shapes={"A": "m n", "U": "m k", "V": "n k"}), "U")
    values = {"A": np.zeros((60000, 3)), "U": np.zeros((60000, 50)), "V": np.ones((3, 50))}
    with pytest.raises(byhand.DataError, match=r"3000000 × 3000000 takes 72 TB") as error:
        h.function()(**values)
    assert ".operator(" in str(error.value) and "hvp" in str(error.value)
    op = h.operator(**values)
    assert op.bytes < 1e6 and op.dense_bytes == 8 * 3000000**2
    assert (op @ np.ones((60000, 50))).shape == (60000, 50)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_overflow_safe(scale):
    rng = np.random.default_rng(0)
    X, w, y = rng.standard_normal((11, 3)), scale * rng.standard_normal(3), np.sign(rng.standard_normal(11))
    W, Y = scale * rng.standard_normal((3, 5)), np.eye(5)[rng.integers(0, 5, 11)]
    with np.errstate(over="raise", invalid="raise"):
        a = byhand.hessian(byhand.parse("sum(softplus(-y*(X @ w)))", shapes={"X": "m n", "w": "n", "y": "m"}), "w")
        b = byhand.hessian(
            byhand.parse("sum(logsumexp(X@W, axis=1)) - sum(Y*(X@W))", shapes={"X": "m n", "W": "n k", "Y": "m k"}), "W"
        )
        c = byhand.hessian(byhand.parse("sum(log(1 + exp(X @ w)))", shapes={"X": "m n", "w": "n"}), "w")
        assert np.all(np.isfinite(a.function()(X=X, w=w, y=y)))
        assert np.all(np.isfinite(b.function()(X=X, W=W, Y=Y)))
        if scale == 1:
            assert np.all(np.isfinite(c.function()(X=X, w=w)))

"""Every term and every way to solve, against the dense matrix."""

from itertools import combinations_with_replacement, permutations

import numpy as np
import pytest
from oracles import relative_error

import byhand
from byhand.second.operators import Operator
from byhand.second.sum_terms import KroneckerSum, OuterSum
from byhand.second.terms import Blocks, Dense, Diagonal, Kronecker, LowRank, Scaled, Symmetrised

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape)


def spd(n):
    x = normal(n, n)
    return x @ x.T + n * np.eye(n)


X, FEW, MANY, BLOCKS = normal(11, 3), normal(11, 2), normal(41, 7), normal(11, 5, 5)
BLOCKS = BLOCKS + BLOCKS.swapaxes(1, 2)
CASES = {
    "dense": (Operator((Dense(spd(7)),), (7,), (7,), "", True), True),
    "diagonal": (Operator((Diagonal(normal(7), 7),), (7,), (7,), ""), True),
    "multiple of the identity": (Operator((Diagonal(np.array(2.0), 7),), (7,), (7,), ""), True),
    "diagonal + low rank": (
        Operator((Diagonal(1 + normal(7) ** 2, 7), LowRank(normal(2, 7), normal(2), normal(2, 7))), (7,), (7,), ""),
        True,
    ),
    "gram": (Operator((LowRank(X, np.abs(normal(11)), X),), (3,), (3,), "", True), True),
    "gram of both signs": (Operator((LowRank(X, normal(11), X),), (3,), (3,), "", True), True),
    "kronecker": (Operator((Kronecker(spd(3), normal(5, 5), (3, 5), 2.0),), (3, 5), (3, 5), ""), True),
    "identity and matrix": (Operator((Kronecker(None, spd(5), (3, 5), 2.0),), (3, 5), (3, 5), ""), True),
    "matrix and identity": (Operator((Kronecker(spd(3), None, (3, 5), -1.0),), (3, 5), (3, 5), ""), True),
    "commuted": (Operator((Kronecker(normal(3, 3), normal(5, 5), (3, 5), 2.0, True),), (3, 5), (5, 3), ""), True),
    "sylvester": (
        Operator((Kronecker(spd(3), None, (3, 5)), Kronecker(None, spd(5), (3, 5))), (3, 5), (3, 5), ""),
        True,
    ),
    "kronecker sum": (Operator((KroneckerSum(normal(11, 3, 3), normal(11, 5, 5), 2.0),), (3, 5), (3, 5), ""), True),
    "symmetrised": (Operator((Symmetrised(normal(131, 131), 0.5),), (131,), (131,), "", True), True),
    "outer sum, few inputs": (Operator((OuterSum(FEW, FEW, BLOCKS),), (2, 5), (2, 5), ""), True),
    "outer sum, many inputs": (Operator((OuterSum(MANY, MANY, BLOCKS[:1] * np.ones((41, 1, 1))),), (7, 5), (7, 5), "", True), True),
    "outer sum": (Operator((OuterSum(X, X, BLOCKS),), (3, 5), (3, 5), "", True), True),
    "outer sum of two": (Operator((OuterSum(X, normal(11, 3), normal(11, 5, 5)),), (3, 5), (3, 5), ""), True),
    "blocks": (Operator((Blocks(normal(3, 5, 5)),), (3, 5), (3, 5), ""), True),
    "scaled": (
        Operator((Scaled(normal(3, 5), Kronecker(spd(3), spd(5), (3, 5)), normal(3, 5)),), (3, 5), (3, 5), ""),
        True,
    ),
    "rectangular": (Operator((Kronecker(normal(2, 3), normal(4, 5), (2, 4)),), (2, 4), (3, 5), ""), False),
}  # fmt: skip


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return CASES[request.param]


def columns(op):
    """The matrix by its products with the unit vectors."""
    return np.stack([op @ e for e in np.eye(op.shape[1])], axis=1)


def test_dense_is_what_the_products_say(case):
    op, _ = case
    assert relative_error(op.to_dense(), columns(op)) < 1e-13
    total = np.ones(op.shape)
    for t in op.terms:
        t.add_to(total, op.rows, op.columns)
    assert relative_error(total - 1, columns(op)) < 1e-12
    assert op.array().shape == (*op.rows, *op.columns)
    assert "operator" in repr(op) and op.bytes > 0


def test_diagonal_and_solve(case):
    op, square = case
    b = np.random.default_rng(3).standard_normal(op.shape[0])
    if not square:
        with pytest.raises(byhand.DataError, match="square"):
            op.solve(b)
        with pytest.raises(byhand.DataError, match="square"):
            op.diagonal()
        return
    assert relative_error(op.diagonal(), np.diag(op.to_dense())) < 1e-12
    assert relative_error(op @ op.solve(b), b) < 1e-8
    shaped = op.solve(b.reshape(op.rows))
    assert shaped.shape == op.columns
    assert relative_error((op @ shaped).reshape(-1), b) < 1e-8


@pytest.mark.parametrize(
    "terms",
    [
        (Diagonal(np.array([1.0, 0.0, 2.0]), 3),),
        (Diagonal(np.ones(3), 3), LowRank(np.ones((1, 3)), np.array(-1 / 3), np.ones((1, 3)))),
        (Dense(np.ones((3, 3))),),
        (LowRank(np.ones((2, 3)), np.ones(2), np.ones((2, 3))),),
        (Blocks(np.stack([np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1))])),),
    ],
)
def test_singular_is_refused(terms):
    with pytest.raises(byhand.DataError, match="singular"):
        Operator(terms, (3,), (3,), "").solve(np.ones(3))


def test_products_of_the_wrong_shape_are_refused():
    with pytest.raises(byhand.DataError, match="fit"):
        CASES["kronecker"][0] @ np.ones(4)


def test_ridge_is_xtdx_plus_diagonal():
    f = byhand.parse("sum(softplus(-y*(X @ w))) + lam*sum(w**2)/2", shapes={"X": "m n", "w": "n", "y": "m", "lam": ""})
    h = byhand.hessian(f, "w")
    assert h.structure == "XᵀDX + diagonal"
    X, w, y = normal(2, 7), normal(7), np.sign(normal(2))
    op = h.operator(X=X, w=w, y=y, lam=0.5)
    b = normal(7)
    assert relative_error(op @ op.solve(b), b) < 1e-10
    assert relative_error(op.to_dense(), h.function("interpreter")(X=X, w=w, y=y, lam=0.5)) < 1e-12


@pytest.mark.parametrize(
    ("text", "shapes", "wrt", "kind"),
    [
        ("A @ X @ c", {"A": "p q", "X": "q r", "c": "r"}, "X", "Kronecker"),
        ("outer(x, y)", {"x": "p", "y": "q"}, "x", "Kronecker"),
        ("diag(x) @ A", {"A": "p q", "x": "p"}, "x", "block diagonal"),
        ("sum(X**2, axis=1)", {"X": "p q"}, "X", "block diagonal"),
        ("softmax(X) @ c", {"X": "p q", "c": "q"}, "X", "block diagonal"),
        ("X @ X.T @ c", {"X": "p q", "c": "p"}, "X", "Kronecker sum"),
    ],
)
def test_three_axes_keep_their_structure(text: str, shapes: dict[str, str], wrt: str, kind: str) -> None:
    rng = np.random.default_rng(0)
    sizes = {"p": 5, "q": 3, "r": 2}
    arrays = {n: rng.standard_normal([sizes[d] for d in s.split()]) for n, s in shapes.items()}
    j = byhand.jacobian(byhand.parse(text, shapes=shapes), wrt)
    assert j.structure == kind
    op, whole = j.operator(**arrays), j(**arrays)
    np.testing.assert_allclose(op.array(), whole, atol=1e-14)
    np.testing.assert_allclose(j.function()(**arrays), whole, atol=1e-14)
    v = rng.standard_normal(op.columns)
    np.testing.assert_allclose(op @ v, np.tensordot(whole, v, v.ndim), atol=1e-13)


@pytest.mark.parametrize("pair", [("W1", "b1"), ("b1", "W1")])
def test_mixed_blocks_of_a_linear_model_are_kronecker_sums(pair: tuple[str, str]) -> None:
    rng = np.random.default_rng(0)
    arrays = {"X": rng.standard_normal((7, 5)), "y": rng.integers(0, 3, 7), "W1": rng.standard_normal((5, 3))}
    h = byhand.hessian(byhand.MLP("5-3"), *pair)
    assert h.structure == "Kronecker sum"
    np.testing.assert_allclose(h.operator(**arrays, b1=np.ones(3)).array(), h(**arrays, b1=np.ones(3)), atol=1e-15)


@pytest.mark.parametrize("sizes", ["5-7-3-2", "5-7-3-11-2"])
@pytest.mark.parametrize("activation, loss", [("relu", "mse"), ("leaky_relu", "softmax_cross_entropy")])
def test_the_first_layer_of_a_deep_network_of_kinks_is_a_kronecker_sum(sizes, activation, loss):
    net = byhand.MLP(sizes, activation=activation, loss=loss)
    rng = np.random.default_rng(1)
    values = {n: rng.standard_normal(v.shape) for n, v in net.init(0).items()} | {"X": rng.standard_normal((13, 5))}
    values[net.target] = rng.integers(0, 2, 13) if net.target == "y" else rng.standard_normal((13, 2))
    h = byhand.hessian(net, "W1")
    assert h.structure == "Kronecker sum"
    dense = h.function("interpreter")(**values).reshape(35, 35)
    assert np.linalg.norm(dense) > 1e-6
    assert relative_error(h.operator(**values).to_dense(), dense) < 1e-12


SHAPES = {"s": "", "c": "", "w": "n", "A": "p n", "B": "n n", "X": "m n", "D": "n m", "u": "m"}
ADDED = {
    "s": ("exp(s)*c", "s*sum(w**2)", "sum(tanh(s*w))"),
    "w": ("(w @ w)**2", "sum(exp(A @ w))", "logsumexp(w)", "sum(w)**2*c", "sum(w[1:3]**2)*c", "w @ B @ w"),
    "X": ("sum(X**3)", "sum((X @ D)**2)**2", "trace(D @ X @ D @ X)", "sum(logsumexp(X, axis=1))", "(u @ X @ w)**2",
          "sum(exp(X))*sum(X)", "sum(X[:, 1:2]**2)*c", "sum(kron(X, X))"),
}  # fmt: skip
PAIRS = [(f"{a} {sign} {b}", x, x) for x, terms in ADDED.items() for a, b in combinations_with_replacement(terms, 2) for sign in "+*"]  # fmt: skip
MIXED = [("(u @ X @ w)**2 + s*sum(X)*sum(w**3)", x, y) for x, y in permutations("swX", 2)]


@pytest.mark.parametrize(("text", "x", "y"), [*PAIRS, *MIXED])
def test_any_two_terms_are_added_in_one_shape(text, x, y):
    """Variables of no, one and two axes, and two variables: the product is that of the dense matrix, which is right."""
    sizes = {"n": 3, "m": 5, "p": 2}
    rng = np.random.default_rng(7)
    values = {k: 0.7 * rng.standard_normal([sizes[d] for d in shape.split()]) for k, shape in SHAPES.items()}
    h = byhand.hessian(byhand.parse(text, shapes=SHAPES), x, y)
    op = h.operator(**values)
    assert relative_error(op.to_dense().reshape(-1), h.function("interpreter")(**values).reshape(-1)) < 1e-12
    for v in (rng.standard_normal(op.columns), rng.standard_normal(op.shape[1]), rng.standard_normal((op.shape[1], 2))):
        product = op.to_dense() @ v.reshape(op.shape[1], -1)
        assert (op @ v).shape == (op.rows if v.shape == op.columns else (op.shape[0], *v.shape[1:]))
        assert relative_error((op @ v).reshape(-1), product.reshape(-1)) < 1e-12


def test_products_with_det_come_in_one_shape():
    """∂²det: terms of X⁻¹ as pairs of entries and as one vector, added."""
    X, v = spd(3), normal(9)
    op = byhand.hessian(byhand.parse("det(X)", shapes={"X": "n n"}, assume={"X": "wellcond"}), "X").operator(X=X)
    inverse, V = np.linalg.inv(X), v.reshape(3, 3)
    wanted = np.linalg.det(X) * (np.trace(inverse @ V) * inverse.T - (inverse @ V @ inverse).T)
    assert relative_error(op @ v, wanted.reshape(-1)) < 1e-12

"""Index maps have a normal form: the map that picks every entry at its place is the identity, however it was asked for."""

import numpy as np
import pytest

import byhand
from byhand.expr.arrays import eye
from byhand.expr.dims import named_dimension
from byhand.expr.indexmaps import affine, is_map

N = named_dimension("n")


@pytest.mark.parametrize("n", [N, 3, 1])
def test_the_map_of_every_entry_is_the_identity(n):
    assert affine(n, 0, (1, n)) is eye(n)
    for other in (affine(n, 1, (1, n)), affine(n, 0, (2, n)), affine(n, 0, (1, 2)), affine(n, 0, (1, n), (1, 1))):
        assert is_map(other)


SAME = [
    ("X[:, 0:n]", "X"),
    ("X[0:, :]", "X"),
    ("concatenate([X])", "X"),
    ("one_hot(arange(n), n) @ A", "A"),
    ("X[arange(m)]", "X"),
    ("A[arange(n), arange(n)]", "diag(A)"),
]


@pytest.mark.parametrize(("text", "plain"), SAME, ids=[text for text, _ in SAME])
def test_what_picks_everything_leaves_no_trace(text, plain):
    shapes = {"X": "m n", "A": "n n"}
    found, wanted = (byhand.parse(f"sum(({t})**3)", shapes) for t in (text, plain))
    assert found.root is wanted.root


@pytest.mark.parametrize("shape", ["m n", "m 3", "5 3"])
def test_one_entry_of_each_row_is_picked_in_print_and_code(shape):
    m = shape.split()[0]
    d = byhand.derive(byhand.parse(f"sum(G*Z[arange({m}), t]**2)", {"Z": shape, "t": m, "G": m}), "Z")
    assert "I_" not in str(d) and f"Z[np.arange({m}), t]" in d.code("numpy") and "pad" not in d.code("numpy")
    rng = np.random.default_rng(0)
    Z, G, t = rng.normal(size=(5, 3)), rng.normal(size=5), np.array([0, 2, 1, 1, 0])
    wanted = np.zeros((5, 3))
    wanted[np.arange(5), t] = 2 * G * Z[np.arange(5), t]
    for target in ("numpy", "torch", "jax", "c"):
        _, gradients = d.function(target)(Z=Z, G=G, t=t)
        assert np.allclose(np.asarray(gradients["Z"]), wanted, rtol=1e-12)

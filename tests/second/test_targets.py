"""Products, Jacobians and Hessians as functions of every target, against the generated NumPy code."""

import numpy as np
import pytest
from tools import needed

import byhand

RNG = np.random.default_rng(0)
NET = byhand.MLP("5-4-3", activation="tanh", loss="softmax_cross_entropy")
SIZES = {"m": 7, "n": 5, "N": 7}
ARRAYS = {
    "X": RNG.standard_normal((7, 5)),
    "y": RNG.integers(0, 3, 7),
    "w": RNG.standard_normal(5),
    "W1": RNG.standard_normal((5, 4)),
    "b1": RNG.standard_normal(4),
    "W2": RNG.standard_normal((4, 3)),
    "b2": RNG.standard_normal(3),
}
F = byhand.parse("sum(tanh(X @ w)**2)", {"X": "m n", "w": "n"})
PRODUCTS = {
    "hvp of a network": lambda: byhand.hvp(NET),
    "gauss_newton_vp": lambda: byhand.gauss_newton_vp(NET),
    "hvp": lambda: byhand.hvp(F, "w"),
    "jvp": lambda: byhand.jvp(F, "w"),
    "vjp": lambda: byhand.vjp(byhand.parse("tanh(X @ w)", {"X": "m n", "w": "n"}), "w"),
}
TARGETS = ("torch", "jax", "c")


def same(found, wanted):
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name, target):
    if target == "torch":
        needed("torch")
    product = PRODUCTS[name]()
    arrays = {n: a for n, a in ARRAYS.items() if n in product.f.symbols}
    for s in product.directions.values():
        arrays[s.name] = RNG.standard_normal(tuple(SIZES.get(str(d), d) for d in s.shape))
    wanted, found = product.function()(**arrays), product.function(target)(**arrays)
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same(found[key], wanted[key])
    else:
        same(found, wanted)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("derive", [byhand.hessian, byhand.jacobian])
def test_derivatives(derive, target):
    if target == "torch":
        needed("torch")
    d = derive(F, "w")
    arrays = {n: ARRAYS[n] for n in "Xw"}
    same(d.function(target)(**arrays), d.function()(**arrays))


def test_an_unknown_target_is_refused():
    with pytest.raises(byhand.ByhandError, match="known: numpy, torch, jax, c"):
        byhand.hessian(F, "w").function("cobol")

"""Random functions of any shape against `jax.jacobian` and `jax.hessian` in float64: never silently wrong."""

import random
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from oracles import jax_module, jax_names, run

import byhand

sys.path.append(str(Path(__file__).parents[1] / "acceptance"))
import random_expressions as grammar

TOLERANCE = 1e-8
VARIABLE = {None, "positive", "wellcond", "symmetric", "spd", "simplexrows", "orthogonal", "pm1", "diagonal"}
SHAPES = [(), ("m",), ("n",), ("m", "n"), ("n", "k"), ("k", "k"), ("n", "n")]
SEEDS = [*range(48), *(pytest.param(k, marks=pytest.mark.slow) for k in range(48, 142))]


def draw_case(seed):
    """Text, shapes, properties, kind and variables of one random function."""
    rng = random.Random(seed)
    kind = "hessian" if seed % 2 else "jacobian"
    while True:
        generator = grammar.Generator(rng)
        dims = () if kind == "hessian" else rng.choice(SHAPES)
        tree = generator.tree(dims, rng.choice([1, 2, 2, 3]))
        if not tree.parts:
            continue
        text = tree.render(lambda: False)
        names = grammar.symbols(text)
        assume = {n: grammar.PROPERTY[n[0]] for n in names if n not in grammar.PLAIN[0] and n[0] in grammar.PROPERTY}
        candidates = [n for n in names if assume.get(n) in VARIABLE]
        shapes = {n: "" if n in grammar.PLAIN[0] else " ".join(n[1:]) for n in names}
        if not candidates:
            continue
        x, y = rng.choice(candidates), rng.choice(candidates)
        if len(shapes[x].split()) + len(dims) <= 4:
            case = grammar.Case((), grammar.Tree(text), shapes, assume, x)
            return kind, text, shapes, assume, x, x if rng.random() < 0.6 else y, case.values()


def restricted(J, declared):
    """With respect to the free entries of the last two axes."""
    if declared in ("symmetric", "spd"):
        return J + np.swapaxes(J, -1, -2) - J * np.eye(J.shape[-1])
    return J * np.eye(J.shape[-1]) if declared == "diagonal" else J


def reference(kind, text, values, x, y, assume, shapes):
    jax = jax_module()
    arrays = {n: jax.numpy.asarray(v) for n, v in values.items()}

    def function(p, q=None):
        scope = {**grammar.SIZES, **arrays, x: p}
        return run(text, jax_names(), scope if q is None else {**scope, y: q})[0]

    p = arrays[x].astype(float)
    if kind == "jacobian":
        return restricted(np.asarray(jax.jacfwd(function)(p)), assume.get(x))
    if x == y:
        H = np.asarray(jax.jacfwd(jax.jacrev(function))(p))
    else:
        H = np.asarray(jax.jacfwd(jax.jacrev(function, 0), 1)(p, arrays[y].astype(float)))
    first = len(shapes[x].split())
    H = np.moveaxis(restricted(H, assume.get(y)), range(first), range(H.ndim - first, H.ndim))
    H = restricted(H, assume.get(x))
    return np.moveaxis(H, range(H.ndim - first, H.ndim), range(first))


@pytest.mark.parametrize("seed", SEEDS)
def test_against_jax(seed):
    kind, text, shapes, assume, x, y, values = draw_case(seed)
    f = byhand.parse(text, shapes=shapes, assume=assume)
    j = byhand.jacobian(f, x) if kind == "jacobian" else byhand.hessian(f, x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference(kind, text, values, x, y, assume, shapes)
    assert np.all(np.isfinite(expected))
    for target in ("numpy", "interpreter"):
        found = np.asarray(j.function(target)(**values))
        assert found.shape == expected.shape, text
        scale = max(1.0, float(np.abs(expected).max()))
        assert np.abs(found - expected).max(initial=0) <= TOLERANCE * scale, (text, x, y, target)
    assert j.text() and j.latex()


def test_a_kronecker_product_of_picked_rows():
    shapes = {"tm": "m", "Tkhm": "k h m", "Xhk": "h k"}
    f = byhand.parse(
        "sum(tanh(kron(one_hot(tm, k) @ mean(Tkhm, axis=2), Xhk)))", shapes=shapes, assume={"tm": "labels"}
    )
    rng = np.random.default_rng(0)
    values = {
        "tm": np.array([0, 2, 1, 2, 0]),
        "Tkhm": rng.standard_normal((3, 2, 5)),
        "Xhk": rng.standard_normal((2, 3)),
    }
    for x in ("Xhk", "Tkhm"):
        h = byhand.hessian(f, x)
        gradient = byhand.derive(f, x).function("numpy")
        v = rng.standard_normal(values[x].shape)
        ahead, behind = (gradient(**values | {x: values[x] + s * 1e-5 * v})[1][x] for s in (1, -1))
        expected = (ahead - behind) / 2e-5
        for target in ("numpy", "interpreter"):
            found = np.tensordot(h.function(target)(**values), v, v.ndim)
            np.testing.assert_allclose(found, expected, atol=1e-8)

"""The table of initialisations."""

import numpy as np
import pytest

from byhand.nets.inits import HE, INITS, LECUN, default_init, init_row

VARIANCE = {
    "he": lambda m, n, s: 2 / m,
    "glorot": lambda m, n, s: 2 / (m + n),
    "lecun": lambda m, n, s: 1 / m,
    "normal": lambda m, n, s: s**2,
    "zeros": lambda m, n, s: 0,
}


@pytest.mark.parametrize("row", INITS.values(), ids=lambda r: r.name)
def test_init(row):
    m, n, s = 311, 401, 0.2
    W = row.draw(np.random.default_rng(0), m, n, s)
    assert W.shape == (m, n) and abs(W.mean()) < 1e-3
    assert np.isclose(W.var(), VARIANCE[row.name](m, n, s), rtol=0.02)
    assert np.array_equal(W, row.draw(np.random.default_rng(0), m, n, s))


def test_the_table():
    assert set(VARIANCE) == set(INITS) and all(r.words for r in INITS.values())
    assert not HE & LECUN and init_row("he") is INITS["he"]
    assert [default_init(a) for a in ("relu", "selu", "tanh", "identity")] == ["he", "lecun", "glorot", "glorot"]

"""The same seed ends at the same weights, to rounding, as the record of seeded fits says: for each engine."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
from train.seeded_fits import ENGINES, FITS, RECORD, digest, fitted

WANTED = json.loads(RECORD.read_text())
MISSING = {
    "jax": importlib.util.find_spec("jax") is None,
    "c": not any(map(shutil.which, ("cc", "gcc", "clang"))),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", range(len(FITS)))
def test_the_weights_are_those_of_the_record(number, engine):
    if MISSING.get(engine):
        pytest.skip(f"engine {engine} cannot run here")
    kind, options = FITS[number]
    found, wanted = digest(fitted(kind, options, engine)), WANTED[engine][number]
    rounding = 1e-4 if options.get("dtype") == "float32" else 1e-8
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=rounding, atol=rounding, err_msg=name)

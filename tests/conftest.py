"""Set-up shared by all tests: hypothesis profiles, JAX."""

import os

import pytest
from hypothesis import settings
from oracles import jax_module

# The same examples on every run, on every machine; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def jax():
    """JAX on the CPU in float64, imported only by the tests that ask for it."""
    return jax_module()

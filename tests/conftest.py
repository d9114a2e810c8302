"""Set-up shared by all tests: hypothesis profiles, JAX; tests that need PyTorch are skipped where it is missing."""

import os
from importlib.util import find_spec

import pytest
from hypothesis import settings
from oracles import jax_module

from byhand.errors import ByhandError

# The same examples on every run, on every machine; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def jax():
    """JAX on the CPU in float64, imported only by the tests that ask for it."""
    return jax_module()


def wants_torch(error):
    """Whether an error says that PyTorch is missing."""
    if isinstance(error, ModuleNotFoundError):
        return error.name == "torch"
    return isinstance(error, ByhandError) and "PyTorch is not installed" in str(error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """PyTorch is gigabytes for a user, so `make test` does without; CI installs it, and fails where a test is skipped."""
    try:
        return (yield)
    except Exception as error:
        if find_spec("torch") is None and wants_torch(error):
            pytest.skip("PyTorch is not installed")
        raise

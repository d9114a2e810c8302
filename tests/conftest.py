"""Set-up shared by all tests: hypothesis profiles, JAX; tests whose tool is not installed are skipped, and it is said."""

import os

import pytest
from hypothesis import settings
from oracles import jax_module
from tools import left_out, needed

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


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        needed(mark.args[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """PyTorch is gigabytes for a user, so `make test` does without; CI installs it, and fails where a test is skipped."""
    try:
        return (yield)
    except Exception as error:
        if wants_torch(error):
            needed("torch")
        raise


def pytest_terminal_summary(terminalreporter):
    line = left_out([str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])])
    if line:
        terminalreporter.write_line(line)

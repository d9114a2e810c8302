"""For test suites: a gradient written by hand is right, or the failure says what the mistake is.

As a plugin of pytest (`pytest -p byhand.testing --gradients=wrong`) it prints the reports of all gradients once more at the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from byhand.check.findings import GradientReport
from byhand.check.gradient import check_gradient

_reports: list[tuple[str, GradientReport]] = []


def assert_gradient(
    loss: Any, gradient: Any, values: Mapping[str, Any], wrt: str | Iterable[str] | None = None
) -> None:
    """Nothing where the gradient is right.

    Args:
        loss, gradient, values, wrt: as for `byhand.check_gradient`.
    Raises: AssertionError: a tensor is wrong or could not be checked; the message is the diagnosis.

    >>> import numpy as np
    >>> assert_gradient(lambda w: (w**2).sum(), lambda w: {"w": 2 * w}, {"w": np.array([1.0, 2.0])})
    """
    __tracebackhide__ = True
    report = check_gradient(loss, gradient, values, wrt)
    _reports.append((os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0], report))
    if not report.ok:
        raise AssertionError(report.text())


def pytest_addoption(parser: Any) -> None:
    """--gradients=wrong or all."""
    words = "Print the reports of byhand.testing.assert_gradient at the end: of wrong gradients, or of all."
    parser.getgroup("byhand").addoption("--gradients", choices=("wrong", "all"), help=words)


def pytest_sessionstart() -> None:
    """Reports of another session are gone."""
    _reports.clear()


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """The reports, each under the name of its test."""
    wanted = config.getoption("--gradients")
    shown = [(test, r) for test, r in _reports if wanted == "all" or (wanted == "wrong" and not r.ok)]
    if shown:
        terminalreporter.section("gradients")
    for test, report in shown:
        terminalreporter.write_line(test)
        terminalreporter.write_line(report.text())


__all__ = ["assert_gradient"]

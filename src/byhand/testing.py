"""For test suites: a gradient written by hand is right, or the failure says what the mistake is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from byhand.check.gradient import check_gradient


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
    if not report.ok:
        raise AssertionError(report.text())


__all__ = ["assert_gradient"]

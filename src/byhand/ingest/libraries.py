"""The libraries that code is taken in from: imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from byhand.errors import ByhandError

_EXTRAS = {"jax": "JAX", "torch": "PyTorch"}


def library(name: str) -> Any:
    """The module.

    Raises: ByhandError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ByhandError(f"{_EXTRAS[name]} is not installed", f"pip install 'byhand[{name}]'") from None

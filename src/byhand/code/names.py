"""Names in generated code: valid identifiers, each used once, none that Python or NumPy uses."""

from __future__ import annotations

import builtins
import inspect
import keyword
import unicodedata
from collections.abc import Iterable

from byhand.expr import numeric

KERNELS = frozenset(
    name for name, f in vars(numeric).items() if inspect.isfunction(f) and f.__module__ == numeric.__name__
)
LIBRARIES = ("np", "jnp", "jax", "torch", "math")
RESERVED = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *KERNELS, *LIBRARIES, "values", "value_and_gradients"}
)


class Identifiers:
    """Hands out identifiers that are valid and new.

    Args:
        reserved: further words that must not be used.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.taken: set[str] = {*RESERVED, *reserved}

    def give(self, wish: str) -> str:
        """The wish itself where it is an identifier and free, else one close to it."""
        name = unicodedata.normalize("NFKC", wish)
        if not name.isidentifier():
            name = "".join(c if f"_{c}".isidentifier() else "_" for c in name)
            name = name if name.isidentifier() else f"v{name}"
        if name.startswith("_"):
            name = f"v{name}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def numbered(self, letter: str) -> str:
        """The letter with the first number that is free: T1, T2, ..."""
        k = 1
        while f"{letter}{k}" in self.taken:
            k += 1
        self.taken.add(f"{letter}{k}")
        return f"{letter}{k}"

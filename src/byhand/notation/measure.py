"""How long a formula is, and how many transposes it has: of two ways to write it, the shorter is taken."""

from __future__ import annotations

from functools import reduce
from typing import Any

from byhand.notation import typeset as ts
from byhand.notation.typeset import Math


def parts(m: Math) -> list[Math]:
    """The nodes that a node is made of."""
    found: list[Math] = []

    def look(value: Any) -> None:
        if isinstance(value, Math):
            found.append(value)
        elif isinstance(value, tuple):
            for v in value:
                look(v)

    for name in m.__dataclass_fields__:
        look(getattr(m, name))
    return found


def count_transposes(m: Math) -> int:
    """Transposes in a formula; those of ones do not count."""
    own = isinstance(m, ts.Transpose) and not isinstance(m.base, ts.Ones)
    return reduce(lambda n, p: n + count_transposes(p), parts(m), int(own))


def size(m: Math) -> int:
    """How many symbols."""
    return 1 + sum(map(size, parts(m))) if not isinstance(m, ts.Name) else 1

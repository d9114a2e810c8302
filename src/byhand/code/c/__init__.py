"""The C99 target: one self-contained file from a lowered program, and what compiles and calls it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from byhand.code.c.library import CFunction
    from byhand.code.statements import Listing
    from byhand.expr.nodes import Expr, Symbol


def c_source(
    listing: Listing, sizes: Mapping[str, int] | None = None, dtype: str = "double", parameters: Sequence[str] = ()
) -> str:
    """The source of a program in C99: see `byhand.code.c.source.c_file`."""
    from byhand.code.c.source import c_file

    return c_file(listing, sizes, dtype, parameters).source


def c_function(
    listing: Listing, roots: list[Expr], declared: Iterable[Symbol] = (), parameters: Sequence[str] = ()
) -> CFunction:
    """The program compiled by this machine's C compiler: see `byhand.code.c.library.CFunction`."""
    from byhand.code.c.library import CFunction

    return CFunction(listing, roots, declared, parameters)


__all__ = ["c_function", "c_source"]

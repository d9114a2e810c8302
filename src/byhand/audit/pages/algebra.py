"""The algebra of a page: expressions, and indices that are calculated as arrays with true values."""

from __future__ import annotations

import numpy as np

from byhand.audit.pages.numbers import Numbers
from byhand.expr.dims import Dim, dim_value
from byhand.expr.nodes import Expr
from byhand.reading.algebra import NumPy
from byhand.reading.expressions import Expressions


class PageAlgebra(Expressions):
    """Expressions over the names of one page.

    Args:
        numbers: the values behind them.
    """

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def counting(self, first: Dim, dim: Dim) -> Expr:
        def truth(seed: int) -> np.ndarray:
            sizes = self.numbers.sizes(seed)
            return dim_value(first, sizes) + np.arange(float(dim_value(dim, sizes)))

        return self.numbers.mark(f"counting from {first} {dim} places", (dim,), truth)

    def picker(self, places: Expr, dim: Dim) -> Expr:
        def truth(seed: int) -> np.ndarray:
            size = dim_value(dim, self.numbers.sizes(seed, [dim]))
            return np.asarray(NumPy().picker(self.numbers.value(places, seed), size))

        return self.numbers.mark(f"places {places.digest.hex()} of {dim}", (*places.shape, dim), truth)

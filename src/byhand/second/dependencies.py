"""Which entries depend on which: the zeros of a derivative that only its labels decide, and their picture.

Source: SEEDS S3.21 (figures 36 and 37), S4.17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from byhand.expr.dims import dim_value, show_shape
from byhand.expr.nodes import Contraction, Expr, Named, Sum
from byhand.notation.index import LETTERS
from byhand.second.jacobian import jacobian
from byhand.second.result import Jacobian

Pairs = frozenset[tuple[int, int]]  # (axis of the output, axis of the input) that must agree


@dataclass(frozen=True, eq=False)
class Dependencies:
    """The structural zeros of a Jacobian.

    Attributes:
        j: the Jacobian.
        ties: one set of tied axes per term; an entry can differ from zero only if some term's tied axes agree.
    """

    j: Jacobian
    ties: tuple[Pairs, ...]

    @property
    def tied(self) -> Pairs:
        """The axes that agree in every term."""
        return frozenset.intersection(*self.ties) if self.ties else frozenset()

    def may_depend(self, out: tuple[int, ...], inner: tuple[int, ...]) -> bool:
        """Whether the output entry can depend on the input entry."""
        return any(all(out[a] == inner[b] for a, b in pairs) for pairs in self.ties)

    def words(self) -> str:
        """w_ij feeds z_bj for every b; every z_k depends on every x_j."""
        f, x = self.j.f.name, self.j.wrt[0].name
        if not self.ties:
            return f"{f} does not depend on {x}."
        letters = iter(LETTERS)
        inner = [next(letters) for _ in self.j.wrt[0].shape]
        tied = dict(self.tied)
        out = [inner[tied[a]] if a in tied else next(letters) for a in range(self.j.rows)]
        free = [w for a, w in enumerate(out) if a not in tied]
        name = x + ("_" + "".join(inner) if inner else "")
        target = f + ("_" + "".join(out) if out else "")
        if not tied:
            return f"Every {target} depends on every {name}." if inner or out else f"{f} depends on {x}."
        return f"{name} feeds {target}" + (f" for every {', '.join(free)}" if free else "") + " and no other entry."

    def figure(self, sizes: Mapping[str, int]) -> str:
        """A row per output entry, a column per input entry: ■ where it can depend, · where it cannot."""
        shape = [dim_value(d, sizes) for d in self.j.node.shape]
        rows, columns = shape[: self.j.rows], shape[self.j.rows :]
        places = list(product(*map(range, columns)))
        name = self.j.f.name
        labels = [f"{name}[{','.join(str(k + 1) for k in i)}]" if i else name for i in product(*map(range, rows))]
        width = max(map(len, labels))
        body = [
            f"{label:>{width}} " + " ".join("■" if self.may_depend(i, c) else "·" for c in places)
            for label, i in zip(labels, product(*map(range, rows)), strict=True)
        ]
        head = f"columns: {self.j.wrt[0].name} {show_shape(self.j.wrt[0].shape)}, row-major"
        return "\n".join([self.words(), head, *body])

    def __str__(self) -> str:
        return self.words()


def dependencies(f: Any, x: str) -> Dependencies:
    """Which entries of a function depend on which entries of an input, from the labels of its Jacobian."""
    j = jacobian(f, x)
    return Dependencies(j, tuple(dict.fromkeys(_ties(j.node, j.rows))) if not j.is_zero else ())


def _ties(node: Expr, rows: int) -> list[Pairs]:
    """For each term, the output axes whose label is also that of an input axis."""
    if isinstance(node, Named):
        return _ties(node.body, rows)
    if isinstance(node, Sum):
        return [p for _, t in node.terms for p in _ties(t, rows)]
    if not isinstance(node, Contraction):
        return [frozenset()]
    own = frozenset((a, b - rows) for a in range(rows) for b in range(rows, node.ndim) if node.out[a] == node.out[b])
    return [own]

"""Which entries depend on which: the zeros of a derivative that only its labels decide, and their picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from byhand.expr.contraction import is_zero
from byhand.expr.dims import Shape, dim_value, show_shape
from byhand.expr.nodes import Contraction, Expr, Named, Sum
from byhand.notation import typeset as ts
from byhand.notation.index import LETTERS
from byhand.notation.names import Names
from byhand.notation.text import to_text
from byhand.notation.typeset import Math
from byhand.second.jacobian import jacobian

Pairs = frozenset[tuple[int, int]]  # (axis of the output, axis of the input) that must agree


@dataclass(frozen=True, eq=False)
class Dependencies:
    """The structural zeros of a Jacobian.

    Attributes:
        f, x: what the output and the input are called.
        shape: the axes of the output, then those of the input.
        rows: how many axes the output has.
        ties: one set of tied axes per term; an entry can differ from zero only if some term's tied axes agree.
    """

    f: str
    x: str
    shape: Shape
    rows: int
    ties: tuple[Pairs, ...]

    @property
    def tied(self) -> Pairs:
        """The axes that agree in every term."""
        return frozenset.intersection(*self.ties) if self.ties else frozenset()

    def may_depend(self, out: tuple[int, ...], inner: tuple[int, ...]) -> bool:
        """Whether the output entry can depend on the input entry."""
        return any(all(out[a] == inner[b] for a, b in pairs) for pairs in self.ties)

    def words(self) -> str:
        """W_ij feeds Z_kj for every k; every z_i depends on every x_j."""
        said = self.sentence()
        names = Names(m for m in said if isinstance(m, Math))
        return "".join(w if isinstance(w, str) else to_text(w, names=names) for w in said)

    def sentence(self) -> tuple[str | Math, ...]:
        """The same, with its names as mathematics."""
        f, x = ts.Name(self.f), ts.Name(self.x)
        if not self.ties:
            return f, " does not depend on ", x, "."
        letters = iter([c for c in LETTERS if c not in (self.f, self.x)])
        inner = [next(letters) for _ in self.shape[self.rows :]]
        tied = dict(self.tied)
        out = [inner[tied[a]] if a in tied else next(letters) for a in range(self.rows)]
        free = [w for a, w in enumerate(out) if a not in tied]
        name: Math = ts.Indexed(x, tuple(inner)) if inner else x
        target: Math = ts.Indexed(f, tuple(out)) if out else f
        if not tied:
            return ("Every ", target, " depends on every ", name, ".") if inner or out else (f, " depends on ", x, ".")
        every = (" for every ", *(w for k, n in enumerate(free) for w in ((", ", ts.Name(n)) if k else (ts.Name(n),))))
        return name, " feeds ", target, *(every if free else ()), " and no other entry."

    def pattern(self, sizes: Mapping[str, int]) -> tuple[list[str], list[str], list[list[bool]]]:
        """The names of the rows (output entries) and columns (input entries), and which can depend on which."""
        shape = [dim_value(d, sizes) for d in self.shape]
        rows, columns = ([*product(*map(range, s))] for s in (shape[: self.rows], shape[self.rows :]))
        names = (
            [f"{n}[{','.join(str(k + 1) for k in i)}]" if i else n for i in places]
            for n, places in ((self.f, rows), (self.x, columns))
        )
        return next(names), next(names), [[self.may_depend(i, c) for c in columns] for i in rows]

    def figure(self, sizes: Mapping[str, int]) -> str:
        """A row per output entry, a column per input entry: ■ where it can depend, · where it cannot."""
        rows, _, entries = self.pattern(sizes)
        width = max(map(len, rows))
        body = [
            f"{label:>{width}} " + " ".join("■" if e else "·" for e in row)
            for label, row in zip(rows, entries, strict=True)
        ]
        head = f"columns: {self.x} {show_shape(self.shape[self.rows :])}, row-major"
        return "\n".join([self.words(), head, *body])

    def __str__(self) -> str:
        return self.words()


def dependencies(f: Any, x: str) -> Dependencies:
    """Which entries of a function depend on which entries of an input, from the labels of its Jacobian."""
    j = jacobian(f, x)
    return dependencies_of(j.node, j.rows, j.f.name, x, j.wrt[0].shape)


def dependencies_of(node: Expr, rows: int, f: str, x: str, inner: Shape) -> Dependencies:
    """The same from a local Jacobian, of shape of the output + inner."""
    ties = () if is_zero(node) else tuple(dict.fromkeys(_ties(node, rows)))
    return Dependencies(f, x, (*node.shape[:rows], *inner), rows, ties)


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

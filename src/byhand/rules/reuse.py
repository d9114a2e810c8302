"""What has a name is written by it: as a whole, as a power, 1/√(v + ε) = 1/s, and inside a product, yᵀ X w = yᵀ z."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from byhand.expr.contraction import P1, LooseFactor, contract, label_dims
from byhand.expr.dims import ONE
from byhand.expr.expression import rebuild
from byhand.expr.masks import has_value
from byhand.expr.nodes import Contraction, Expr, Named, Symbol, topological

MOST_FACTORS = 12  # of a product in which another is looked for
Remaining = dict[int, Fraction]


class Fold(dict[Expr, Named]):
    """Bodies of intermediates -> the intermediate, with what stands inside them indexed.

    Attributes:
        powers: what stands under a power that has a name -> the name, and the power.
        products: a factor -> the products with a name that it is the first factor of.
    """

    def __init__(self, known: Mapping[Expr, Named] | None = None) -> None:
        super().__init__()
        self.powers: dict[Expr, tuple[Named, Fraction]] = {}
        self.products: dict[Expr, list[tuple[Contraction, Named]]] = {}
        for body, name in (known or {}).items():
            self.add(body, name)

    def add(self, body: Expr, name: Named) -> None:
        """Another intermediate; the first one with a body keeps it."""
        if body in self:
            return
        self[body] = name
        if not isinstance(body, Contraction) or body.coefficient != ONE or len(set(body.out)) < len(body.out):
            return
        if len(body.factors) == 1:
            ((base, labels, power),) = body.factors
            if power != 1 and labels == body.out and not isinstance(base, (Named, Symbol)):
                self.powers.setdefault(base, (name, power))
        elif body.ndim and all(ls for _, ls, _ in body.factors) and not _repeats(body):
            self.products.setdefault(body.factors[0][0], []).append((body, name))

    def written(self, root: Expr) -> Expr:
        """A node with all that has a name in it written by that name."""
        done: dict[Expr, Expr] = {}
        for n in topological([root], into_named=False):
            kept = n if isinstance(n, Named) or all(done[c] is c for c in n.children) else rebuild(n, done)
            name = self.get(kept) if n is not root else None
            done[n] = self.reused(kept) if name is None else name
        return done[root]

    def reused(self, node: Expr) -> Expr:
        """A product with powers and products that have a name written by it."""
        if not isinstance(node, Contraction) or not (self.powers or self.products):
            return node
        found = self._with_powers(node) if self.powers else node
        if isinstance(found, Contraction) and self.products and len(found.factors) <= MOST_FACTORS:
            return self._with_products(found)
        return found

    def _with_powers(self, node: Contraction) -> Expr:
        factors: list[LooseFactor] = []
        changed = False
        for f, ls, p in node.factors:
            name, power = self.powers.get(f, (None, P1))
            if name is not None and (p / power).denominator == 1 and has_value(f, p, power):
                factors.append((name, ls, p / power))
                changed = True
            else:
                factors.append((f, ls, p))
        return contract(factors, node.out, node.coefficient, label_dims(node)) if changed else node

    def _with_products(self, node: Contraction) -> Expr:
        for f in dict.fromkeys(f for f, _, _ in node.factors):
            for body, name in self.products.get(f, ()):
                shorter = _replaced(node, body, name)
                if shorter is not None:
                    return self._with_products(shorter) if isinstance(shorter, Contraction) else shorter
        return node


def _repeats(body: Contraction) -> bool:
    """Whether entries stand in a product several times, along an axis that none of its factors has."""
    return not {*body.out} <= {x for _, ls, _ in body.factors for x in ls}


def _replaced(node: Contraction, body: Contraction, name: Named) -> Expr | None:
    """The product with these factors taken together; None where they do not stand in it, or hang on other factors."""
    if len(body.factors) > len(node.factors) or (body.factors == node.factors and body.out == node.out):
        return None
    for places, labels in _matches(node, body, 0, {}, {}):
        left = {i: p - places.get(i, Fraction(0)) for i, (_, _, p) in enumerate(node.factors)}
        summed = {labels[x] for _, ls, _ in body.factors for x in ls if x not in body.out}
        kept: list[LooseFactor] = [(f, ls, left[i]) for i, (f, ls, _) in enumerate(node.factors) if left[i]]
        hanging = {x for _, ls, _ in kept for x in ls} | {*node.out} | {labels[x] for x in body.out}
        if len(summed) < len({x for _, ls, _ in body.factors for x in ls} - {*body.out}) or summed & hanging:
            continue
        dims = {x: n for x, n in label_dims(node).items() if x not in summed}
        return contract([*kept, (name, [labels[x] for x in body.out], P1)], node.out, node.coefficient, dims)
    return None


def _matches(
    node: Contraction, body: Contraction, k: int, places: Remaining, labels: dict[int, int]
) -> Iterator[tuple[Remaining, dict[int, int]]]:
    """The ways in which the factors of a product stand among those of another: place -> power taken, label -> label."""
    if k == len(body.factors):
        yield places, labels
        return
    factor, own, power = body.factors[k]
    for i, (f, ls, p) in enumerate(node.factors):
        taken = places.get(i, Fraction(0))
        rest = p - taken
        if f is not factor or rest * power <= 0 or abs(rest) < abs(power) or not has_value(f, p, power):
            continue
        joined = dict(labels)
        if all(joined.setdefault(x, y) == y for x, y in zip(own, ls, strict=True)):
            yield from _matches(node, body, k + 1, {**places, i: taken + power}, joined)


__all__ = ["Fold"]

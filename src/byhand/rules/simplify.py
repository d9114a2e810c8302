"""The normal form: products merged, identities applied, sums collected and factored while that prints shorter.

Every pass is a function of the structure alone (nodes are canonical and sorted by digest), so the result depends
neither on the order of terms nor on what was built before. `normal` repeats the passes until nothing changes; should
they ever run in a circle, the smallest form of the circle is taken, so the normal form is idempotent.

What shorter forms are searched for is bounded in steps (`rules/effort.py`), not in seconds: first every way to factor a
sum is tried, then the best one only, then what is left stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from byhand.expr.contraction import P1, add, combine, contract, label_dims, transpose, zero
from byhand.expr.dims import ONE
from byhand.expr.expression import rebuild
from byhand.expr.nodes import Contraction, Differential, Expr, Named, Structured, Sum, topological
from byhand.rules.centred import vanishes
from byhand.rules.effort import Effort
from byhand.rules.factor import common_coefficient, count_products, distribute, factorings, size
from byhand.rules.identities import Identity, apply_identity, candidates
from byhand.rules.properties import Proof, proof
from byhand.rules.reuse import Fold
from byhand.rules.score import Scores, transposes, weight
from byhand.rules.words import readings

FACTORS = 8  # merged into one contraction at most: keeps a deep chain of products from becoming quadratic
ROUNDS = 8
FEW = 4  # symmetric factors of which every orientation is tried
A_TURN = 4  # factors that a step is for where a product is written another way round
DEEPEST = 40  # simplifications inside each other: a product of a sum that holds a product of a sum
LONGEST_PRODUCT = 16  # terms that a sum of products of sums may be multiplied out to; more than that nobody reads


@dataclass
class Simplifier:
    """One simplification: whether declared properties may be used, which were, and which identities.

    Attributes:
        facts: whether declared properties are used.
        fold: bodies of named intermediates -> the intermediate, so that a node met again is written by its name.
        used: (symbol, property) pairs that the result rests on.
        applied: names of identities that were applied, in order.
        effort: the steps that may be spent; several simplifiers may share it.
    """

    facts: bool = False
    fold: Mapping[Expr, Named] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)
    applied: list[str] = field(default_factory=list)
    effort: Effort = field(default_factory=Effort)
    scores: Scores = field(default_factory=dict)
    counts: dict[Expr, int] = field(default_factory=dict)
    memo: dict[Expr, Expr] = field(default_factory=dict)
    nested: int = 0

    def normal(self, root: Expr) -> Expr:
        """The normal form of a node; bodies of named intermediates are left as they are."""
        self.effort.begin()
        seen = [root]
        for _ in range(ROUNDS):
            new = self.once(seen[-1])
            if new in seen:
                circle = seen[seen.index(new) :]
                return min(circle, key=lambda e: (weight(e, self.scores), e.digest))
            seen.append(new)
        return min(seen[1:], key=lambda e: (weight(e, self.scores), e.digest))

    def shorter(self, root: Expr) -> Expr:
        """The normal form where one pass makes the node shorter, the node as it is otherwise."""
        self.effort.begin()
        first = self.once(root)
        return self.normal(first) if weight(first, self.scores) < weight(root, self.scores) else root

    def once(self, root: Expr) -> Expr:
        """One pass, children first; where the effort is spent, nodes stay as they are."""
        for node in topological([root], into_named=False):
            if node not in self.memo and self.effort.step(size(node)):
                self.memo[node] = self.folded(self.tidy(node))
        return self.memo.get(root, root)

    def folded(self, node: Expr) -> Expr:
        """A node by its name, or by the names of what stands in it."""
        found = self.fold.get(node)
        if found is None and isinstance(self.fold, Fold):
            return self.fold.reused(node)
        return node if found is None else found

    def tidy(self, node: Expr) -> Expr:
        if isinstance(node, (Named, Differential)) or not node.children:
            return self.identities(node)
        children = {c: self.memo.get(c, c) for c in node.children}
        new = node if all(children[c] is c for c in node.children) else rebuild(node, children)
        return self.shape_up(new)

    def shape_up(self, node: Expr) -> Expr:
        """The passes for one node whose children are in normal form."""
        match node:
            case Sum():
                return self.tidy_sum(node)
            case Contraction():
                return self.tidy_product(node)
            case Structured():
                return self.identities(node)
            case Named() | Differential():
                return node
            case _:
                return self.identities(node)

    def again(self, root: Expr) -> Expr:
        """A node made on the way, simplified in full."""
        if root in self.memo or self.nested >= DEEPEST:
            return self.memo.get(root, root)
        self.nested += 1
        for node in topological([root], into_named=False):
            if node not in self.memo and self.effort.step(size(node)):
                self.memo[node] = node  # a circle ends here
                self.memo[node] = self.folded(self.tidy(node))
        self.nested -= 1
        return self.memo.get(root, root)

    # ---- one node

    def identities(self, node: Expr) -> Expr:
        """Table rows until none applies; facts last."""
        for row in candidates(node, self.facts):
            result = self.try_identity(row, node)
            if result is not None:
                return result
        return node

    def try_identity(self, row: Identity, node: Expr) -> Expr | None:
        result = apply_identity(row, node)
        if result is None or result[0] is node:
            return None
        self.applied.append(row.name)
        self.used |= result[1]
        return self.again(result[0])

    def tidy_product(self, node: Expr) -> Expr:
        for _ in range(64):
            if not isinstance(node, Contraction):
                return self.shape_up(node) if isinstance(node, Sum) else node
            before = node
            if vanishes(node):
                self.applied.append("a centred array sums to zero")
                return zero(node.shape)
            node = self.merged(node)
            if node is before and isinstance(node, Contraction):
                node = self.identities(node)
            if node is before and isinstance(node, Contraction):
                node = self.oriented(node)
            if node is before and isinstance(node, Contraction):
                node = self.multiplied_out(node)
            if node is before:
                return node
        return node

    def merged(self, node: Contraction) -> Expr:
        """Nested products dissolved, as long as they stay readable."""
        inner = [f for f, _, p in node.factors if isinstance(f, Contraction) and p.denominator == 1]
        if inner and _count(node) <= FACTORS:
            return contract(node.factors, node.out, node.coefficient, label_dims(node), merge=True)
        return node

    def oriented(self, node: Contraction) -> Expr:
        """Sums written with fewest transposes, (A' + B')' = A + B; symmetric factors the way that reads best."""
        for i, (factor, labels, power) in enumerate(node.factors):
            if isinstance(factor, Sum) and factor.ndim == 2 and transposes(factor):
                flipped = transpose(factor)
                if transposes(flipped) > transposes(factor):
                    continue
                flipped = self.again(flipped)
                if isinstance(flipped, Sum) and (transposes(flipped), flipped.digest) < (
                    transposes(factor),
                    factor.digest,
                ):
                    others = [f for j, f in enumerate(node.factors) if j != i]
                    return contract(
                        [*others, (flipped, labels[::-1], power)], node.out, node.coefficient, label_dims(node)
                    )
        if self.is_transposed_sum(node):
            return self.again(transpose(node.factors[0][0]))
        return self.with_symmetry(node)

    def is_transposed_sum(self, node: Contraction) -> bool:
        if len(node.factors) != 1 or node.coefficient != ONE or node.ndim != 2:
            return False
        factor, labels, power = node.factors[0]
        return isinstance(factor, Sum) and power == 1 and len(set(labels)) == 2 and labels == node.out[::-1]

    def with_symmetry(self, node: Contraction) -> Expr:
        """Of the orientations of its symmetric factors, the one with fewest transposes.

        What is symmetric by the way it is made, X Xᵀ, is so without any fact.
        """
        symmetric: dict[int, Proof] = {}
        for i, (factor, labels, _) in enumerate(node.factors):
            if len(labels) == 2 and labels[0] != labels[1] and factor.shape[0] == factor.shape[1]:
                proved = proof(factor, "symmetric")
                if proved is not None and (self.facts or not proved):
                    symmetric[i] = proved
        if not symmetric:
            return node
        best: Expr = node
        turned: set[int] = set()
        few = FEW if self.effort.thorough else 0
        for these in _turns(node, list(symmetric), few):
            if not these:
                continue
            if not self.effort.spend(len(node.factors) // A_TURN):
                break
            factors = [(f, ls[::-1] if i in these else ls, p) for i, (f, ls, p) in enumerate(node.factors)]
            candidate = contract(factors, node.out, node.coefficient, label_dims(node))
            if (transposes(candidate), candidate.digest) < (transposes(best), best.digest):
                best, turned = candidate, these
        self.used.update(*(symmetric[i] for i in turned))
        return best

    def multiplied_out(self, node: Contraction) -> Expr:
        """(a / F + b / H) F H: multiplied out where denominators cancel; the trace of a sum as a sum of traces."""
        present = {(f, ls) for f, ls, p in node.factors if p > 0}
        for i, (factor, labels, power) in enumerate(node.factors):
            if not (isinstance(factor, Sum) and power == 1):
                continue
            is_trace = len(node.factors) == 1 and len(labels) == 2 and labels[0] == labels[1]
            cancels = any(_cancels(term, labels, present) for _, term in factor.terms)
            if not (is_trace or (cancels and self.effort.thorough)):
                continue
            others = [f for j, f in enumerate(node.factors) if j != i]
            parts = [
                self.again(
                    contract(
                        [*others, (t, labels, P1)], node.out, node.coefficient.times(c), label_dims(node), merge=True
                    )
                )
                for c, t in factor.terms
            ]
            return self.again(add(*parts))
        return node

    def tidy_sum(self, node: Expr) -> Expr:
        if self.facts and isinstance(node, Sum):
            node = combine((c, self.again(t)) for c, t in node.terms)
        node = self.factored(node)
        if isinstance(node, Sum) and count_products(node, self.counts) <= LONGEST_PRODUCT and self.effort.thorough:
            opened = combine((k.times(c), t) for k, u in node.terms for c, t in distribute(u))
            if opened is not node:
                many = count_products(node, self.counts)
                if isinstance(opened, Sum):
                    opened = combine((c, self.again(t)) for c, t in opened.terms)
                if not isinstance(opened, Sum) or len(opened.terms) < many:  # where no terms meet, nothing cancels
                    opened = self.factored(opened)
            if weight(opened, self.scores) < weight(node, self.scores) - 0.5:
                return self.shape_up(opened)
        if isinstance(node, Sum):
            scaled = common_coefficient(node)
            for inner in scaled.children if isinstance(scaled, Contraction) else ():
                self.memo.setdefault(inner, inner)  # what was found for the sum holds for a multiple of it
            return scaled
        return node

    def factored(self, node: Expr) -> Expr:
        """Common factors taken out while the sum gets shorter.

        Of a candidate only the new product is simplified, not the sum: each try would try everything else again.
        """
        for _ in range(32):
            if not isinstance(node, Sum):
                return self.again(node)
            now = weight(node, self.scores)
            best: tuple[float, bytes, Expr] | None = None
            for factored, others, keeps_tie in factorings(node, self.scores):
                self.effort.step(size(node))
                new = add(self.again(factored), *others)
                w = weight(new, self.scores)
                if (w < now or (w == now and keeps_tie)) and (best is None or (w, new.digest) < best[:2]):
                    best = w, new.digest, new
                if self.effort.exhausted or (best is not None and not self.effort.thorough):
                    break
            if best is None or best[2] is node:
                return node
            node = best[2]
        return node


def _turns(node: Contraction, symmetric: list[int], few: int) -> Iterator[set[int]]:
    """Which of the symmetric factors to turn: every choice among a few, else so that all are read one way."""
    if len(symmetric) <= few:
        for size in range(len(symmetric) + 1):
            yield from map(set, combinations(symmetric, size))
        return
    forward: set[int] = set()
    backward: set[int] = set()
    for chain in readings(node):
        own = {i: as_it_is for i, as_it_is in chain if i in symmetric}
        others = sum(1 if as_it_is else -1 for i, as_it_is in chain if i not in own)
        along = {i for i, as_it_is in own.items() if not as_it_is}
        against = own.keys() - along
        forward |= along if others >= 0 else against
        backward |= along if others > 0 else against
    yield forward
    yield backward


def _count(node: Contraction) -> int:
    return sum(_count(f) if isinstance(f, Contraction) and p == 1 else 1 for f, _, p in node.factors)


def _cancels(term: Expr, labels: tuple[int, ...], present: set[tuple[Expr, tuple[int, ...]]]) -> bool:
    """Whether a term of a sum divides by a factor that stands beside the sum."""
    if not isinstance(term, Contraction):
        return False
    place = dict(zip(term.out, labels, strict=True))
    return any(p < 0 and (f, tuple(place.get(x, -1) for x in ls)) in present for f, ls, p in term.factors)


def normal(node: Expr, facts: bool = False) -> Expr:
    """The normal form of a node."""
    return Simplifier(facts=facts).normal(node)

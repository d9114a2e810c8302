"""Long products in pieces that get names: T1 = S S S S S S S S, so that no line of a derivation has a hundred factors.

The differential of a product has a term for each factor, and each term has all the others: in pieces, lines and work
stay linear in the length of what was typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from byhand.expr.contraction import P1, LooseFactor, contract, label_dims
from byhand.expr.expression import rebuild
from byhand.expr.nodes import Contraction, Expr, Labels, topological
from byhand.rules.words import readings

WIDEST = 16  # factors of a product that stays as it is
PIECE = 8  # factors of a piece
LONGEST = 1000  # factors of a product that is written out at all: what is built from itself may have millions


def in_pieces(root: Expr) -> tuple[Expr, set[Expr]]:
    """The expression with long products taken apart, and the pieces."""
    order = topological([root])
    lengths = dict.fromkeys(order, 1)
    for node in order:
        if isinstance(node, Contraction):
            lengths[node] = sum(lengths[f] if _dissolves(f, p) else 1 for f, _, p in node.factors)
    flat: dict[Expr, Expr] = {}
    needed = {root}
    for node in reversed(order):
        if node in needed:
            flat[node] = _flat(node) if WIDEST < lengths[node] <= LONGEST else node
            needed.update(flat[node].children)
    done: dict[Expr, Expr] = {}
    pieces: set[Expr] = set()
    for node in order:
        if node not in needed:
            continue
        new = flat[node]
        if any(done.get(c, c) is not c for c in new.children):
            new = rebuild(new, {c: done.get(c, c) for c in new.children})
        while isinstance(new, Contraction) and len(new.factors) > WIDEST:
            shorter, made = _taken_apart(new)
            if not isinstance(shorter, Contraction) or len(shorter.factors) >= len(new.factors):
                break
            new, pieces = shorter, pieces | made
        done[node] = new
    return done[root], pieces


def _flat(node: Expr) -> Expr:
    """A product with the products inside it dissolved."""
    assert isinstance(node, Contraction)
    return contract(node.factors, node.out, node.coefficient, label_dims(node), merge=True)


def _dissolves(node: Expr, power: Fraction) -> bool:
    """Whether a factor is a product inside a product."""
    return isinstance(node, Contraction) and power == 1


def _taken_apart(node: Contraction) -> tuple[Expr, set[Expr]]:
    """A long product with pieces in the place of factors, and the pieces; none where it does not come apart."""
    dims = label_dims(node)
    factors: list[LooseFactor] = []
    made: set[Expr] = set()
    taken: set[int] = set()
    for places, labels, power in (*_runs(node), *_groups(node)):
        if taken.isdisjoint(places):
            inside = [node.factors[i] for i in places]
            piece = contract([(f, ls, p * power) for f, ls, p in inside], labels, dims={x: dims[x] for x in labels})
            factors.append((piece, labels, power))
            made.add(piece)
            taken.update(places)
    rest: list[LooseFactor] = [f for i, f in enumerate(node.factors) if i not in taken]
    return contract([*factors, *rest], node.out, node.coefficient, {x: dims[x] for x in node.out}), made


def _runs(node: Contraction) -> Iterator[tuple[list[int], Labels, Fraction]]:
    """Matrices that stand one after the other, nothing else hanging on the labels between them."""
    for chain in readings(node):
        run: list[int] = []
        start = end = -1
        for i, as_it_is in chain:
            first, last = node.factors[i][1] if as_it_is else node.factors[i][1][::-1]
            if not run or first != end or not _private(node, first):
                run, start = [], first
            run.append(i)
            end = last
            if len(run) == PIECE and start != end:
                yield run, (start, end), P1
                run = []


def _private(node: Contraction, label: int) -> bool:
    """Whether exactly two axes of factors have a label, and no axis of the product."""
    return label not in node.out and sum(ls.count(label) for _, ls, _ in node.factors) == 2


def _groups(node: Contraction) -> Iterator[tuple[list[int], Labels, Fraction]]:
    """Factors under the same labels, those of numerators and of denominators apart; numbers stay: no product holds
    together a product of theirs."""
    groups: dict[tuple[Labels, int], list[int]] = {}
    for i, (_, labels, power) in enumerate(node.factors):
        if labels and len(set(labels)) == len(labels):
            groups.setdefault((labels, 1 if power > 0 else -1), []).append(i)
    for (labels, sign), places in groups.items():
        if len(places) > PIECE:
            for k in range(0, len(places) - 1, PIECE):
                if len(places[k : k + PIECE]) > 1:
                    yield places[k : k + PIECE], labels, Fraction(sign)

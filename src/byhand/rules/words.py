"""A product of matrices as words: from an axis along the matrices to the other axis, each letter one factor.

Two products with the same words are equal, whichever way their symmetric factors are written; so that a product is
symmetric is seen by reading its words backwards, in time linear in its length.
"""

from __future__ import annotations

from collections.abc import Set
from fractions import Fraction
from typing import NamedTuple

from byhand.expr.nodes import Contraction, Expr

Beside = tuple[tuple[bytes, Fraction], ...]  # the vectors under one label: a diagonal matrix between two letters


class Letter(NamedTuple):
    """A factor on the way: which, how it stands (0 as it is, 1 transposed, 2 symmetric), its power."""

    digest: bytes
    turn: int
    power: Fraction


class Word(NamedTuple):
    """Letters, and what stands beside each label: one more than there are letters."""

    letters: tuple[Letter, ...]
    beside: tuple[Beside, ...]

    def turned(self) -> Word:
        """The word of the transposed product."""
        letters = tuple(Letter(d, turn if turn == 2 else 1 - turn, p) for d, turn, p in reversed(self.letters))
        return Word(letters, self.beside[::-1])


def words_of(node: Contraction, symmetric: Set[Expr]) -> list[Word] | None:
    """The words between the two axes of a product; None where it is not made of words.

    What hangs on neither axis is a scalar, the same whichever way the product is read.

    Args:
        node: a product with two axes.
        symmetric: the factors that equal their transposes.
    """
    first, last = node.out
    if first == last:
        return None
    at: dict[int, list[tuple[int, Expr, tuple[int, ...], Fraction]]] = {}
    vectors: dict[int, list[tuple[bytes, Fraction]]] = {}
    for i, (factor, labels, power) in enumerate(node.factors):
        if len(labels) > 2 or (len(labels) == 2 and labels[0] == labels[1]):
            return None
        for label in labels:
            if len(labels) == 1:
                vectors.setdefault(label, []).append((factor.digest, power))
            else:
                at.setdefault(label, []).append((i, factor, labels, power))
    beside = {label: tuple(sorted(found)) for label, found in vectors.items()}
    words, met = [], set[int]()
    for start in (first, last):
        for step in at.get(start, []):
            if step[0] in met:
                continue
            word = _word(step, start, at, beside, (first, last), symmetric, met)
            if word is None:
                return None
            words.append(word if start == first else word.turned())
    ends = (beside.get(first, ()), beside.get(last, ()))
    if not words:
        words.append(Word((), ends))
    return words


def _word(
    step: tuple[int, Expr, tuple[int, ...], Fraction],
    label: int,
    at: dict[int, list[tuple[int, Expr, tuple[int, ...], Fraction]]],
    beside: dict[int, Beside],
    ends: tuple[int, int],
    symmetric: Set[Expr],
    met: set[int],
) -> Word | None:
    """The word that begins with a factor; None where it forks, stops short or comes back."""
    start, letters, between = label, list[Letter](), [beside.get(label, ())]
    while True:
        i, factor, labels, power = step
        met.add(i)
        letters.append(Letter(factor.digest, 2 if factor in symmetric else int(labels[0] != label), power))
        label = labels[1] if labels[0] == label else labels[0]
        between.append(beside.get(label, ()))
        if label in ends:
            return None if label == start else Word(tuple(letters), tuple(between))
        onward = [other for other in at[label] if other[0] not in met]
        if len(at[label]) != 2 or len(onward) != 1:
            return None
        step = onward[0]


def readings(node: Contraction) -> list[list[tuple[int, bool]]]:
    """The matrices of a product in the order in which they are read, chain by chain: (place, as it is or transposed).

    A chain begins at the first axis, or at a vector, or, in a trace, anywhere.
    """
    matrices = {i: ls for i, (_, ls, _) in enumerate(node.factors) if len(ls) == 2 and ls[0] != ls[1]}
    at: dict[int, list[int]] = {}
    for i, ls in matrices.items():
        for label in ls:
            at.setdefault(label, []).append(i)
    starts = [
        *node.out[:1],
        *(ls[0] for _, ls, _ in node.factors if len(ls) == 1),
        *(ls[0] for ls in matrices.values()),
    ]
    chains, met = [], set[int]()
    for label in starts:
        chain: list[tuple[int, bool]] = []
        while onward := [i for i in at.get(label, ()) if i not in met]:
            i = onward[0]
            met.add(i)
            chain.append((i, matrices[i][0] == label))
            label = matrices[i][1] if matrices[i][0] == label else matrices[i][0]
        if chain:
            chains.append(chain)
    return chains

"""Random nodes printed in two notations and read back as text: the numbers are the node's, and nothing is left unread."""

import random

import numpy as np
import pytest
from reading.picked_nodes import PickedNodes, values_of
from rules.random_nodes import SIZES, RandomNodes, agree

from byhand.expr.evaluate import evaluate_nodes
from byhand.expr.nodes import Constant, Named, Symbol
from byhand.notation import typeset as ts
from byhand.notation.index import axis_letters, index_math
from byhand.notation.matrix import matrix_math
from byhand.notation.style import Style
from byhand.notation.text import to_text
from byhand.reading.printed import sides
from byhand.reading.stands import Entry, Names
from byhand.rules.forms import NoMatrixForm
from byhand.rules.simplify import normal

BLOCKS, PER_BLOCK = 8, 60


class Printed:
    """A node, its numbers, and what its names stand for; some vectors are printed as rows."""

    def __init__(self, seed, node):
        rng = random.Random(seed)
        self.node = normal(node) if seed % 2 else node
        values = evaluate_nodes([self.node], values_of([self.node]), SIZES)
        self.largest = max([1.0, *(float(np.max(np.abs(v))) for v in values.values() if np.size(v))])
        named = {n: v for n, v in values.items() if isinstance(n, (Symbol, Named, Constant))}
        self.rows = frozenset(n for n in named if isinstance(n, Symbol) and n.ndim == 1 and rng.random() < 0.3)
        self.style = Style(rows=self.rows, reserved=frozenset({*SIZES, *(n.name for n in named)}))
        self.names = Names(sizes=SIZES)
        for n, v in named.items():
            self.names.values[to_text(ts.Name(n.name))] = Entry(v, n in self.rows)
        self.value = values[self.node]

    def read(self, right, letters=(), row=False):
        """Both sides of `result = right`."""
        self.names.values["result"] = Entry(self.value, row)
        left = to_text(ts.Indexed(ts.Bracketed(ts.Name("result")), tuple(letters))) if letters else "result"
        return sides(left, right, self.names)


def nodes(block, make):
    for seed in range(block * PER_BLOCK, (block + 1) * PER_BLOCK):
        g = make(seed)
        yield seed, Printed(seed, g.node(g.shape(3), 3))


@pytest.mark.parametrize("make", [RandomNodes, PickedNodes], ids=["products", "picked"])
@pytest.mark.parametrize("block", range(BLOCKS))
def test_what_is_printed_is_the_node(block, make):
    matrices = 0
    for seed, p in nodes(block, make):
        letters = axis_letters(p.style, p.node.shape)
        text = to_text(index_math(p.node, p.style, letters))
        left, right = p.read(text, letters)
        assert agree(left, right, p.largest), f"seed {seed}: {text}"
        if p.node.ndim > 2:
            continue
        for turned in (False, True):
            try:
                text = to_text(matrix_math(p.node, p.style, turned and p.node.ndim == 1))
            except NoMatrixForm:
                continue
            left, right = p.read(text, row=turned and p.node.ndim == 1)
            assert agree(left, right, p.largest), f"seed {seed}, turned {turned}: {text}"
            matrices += 1
    assert matrices > PER_BLOCK / 2

"""The normal form: the same value, idempotent, independent of order and of what was simplified before, and it ends."""

import random
import time

import numpy as np
import pytest
from rules.random_nodes import DIMS, RandomNodes, agree, largest_inside, shuffled, value_of, values_of

from byhand.expr.contraction import add, contract, elementwise, number, scale, transpose
from byhand.expr.dims import MINUS_ONE
from byhand.expr.expression import substitute
from byhand.expr.nodes import Symbol, named, symbol, topological
from byhand.expr.parse import parse
from byhand.rules.identities import FACTS, IDENTITIES, operations_of, sides
from byhand.rules.simplify import Simplifier, normal

BLOCKS, PER_BLOCK = 20, 100  # 2000 random expressions
LONGEST = 10.0  # seconds for one of them on a busy machine; they are capped by counts, this only says that they end


def random_node(seed):
    g = RandomNodes(seed)
    return g.node(g.shape(), 3)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_the_normal_form_keeps_the_value_and_is_stable(block):
    for seed in range(block * PER_BLOCK, (block + 1) * PER_BLOCK):
        node = random_node(seed)
        values = values_of([node])
        wanted, largest = value_of(node, values), largest_inside(node, values)
        other_order = shuffled(node, random.Random(seed))
        for facts in (False, True) if seed % 2 else (False,):
            start = time.process_time()
            result = normal(node, facts)
            assert time.process_time() - start < LONGEST, f"seed {seed}"
            assert result.shape == node.shape
            assert agree(value_of(result, values), wanted, largest), f"the value changed: seed {seed}, facts {facts}"
            assert normal(result, facts) is result, f"not idempotent: seed {seed}, facts {facts}"
            assert normal(other_order, facts) is result, f"the order of terms decides: seed {seed}, facts {facts}"


def test_what_was_simplified_before_does_not_matter():
    nodes = [random_node(seed) for seed in range(60)]
    alone = [normal(n) for n in nodes]
    shared = Simplifier()
    for seed in (1, 2):
        order = random.Random(seed).sample(range(len(nodes)), len(nodes))
        for i in order:
            assert shared.normal(nodes[i]) is alone[i], f"node {i}"


@pytest.mark.parametrize("row", [*IDENTITIES, *FACTS], ids=lambda row: row.name)
def test_every_identity_is_applied(row):
    """The left side of a row, with the declared properties, simplifies to the normal form of the right one."""
    left, right = sides(row)
    found = {n.name: n for n in topological([left, right]) if isinstance(n, Symbol)}
    new = {found[name]: symbol(name, found[name].shape, {wanted}) for name, wanted in row.when.items()}
    left, right = substitute(left, new), substitute(right, new)
    simplifier = Simplifier(facts=bool(row.when))
    assert simplifier.normal(left) is normal(right, bool(row.when))
    assert {p for _, p in simplifier.used} == set(row.when.values())
    assert row.name in simplifier.applied


@pytest.mark.parametrize("row", [*IDENTITIES, *FACTS], ids=lambda row: row.name)
def test_the_text_of_a_row_tells_what_must_occur_for_it_to_match(row):
    """Rows are parsed only where the functions and operations in their text occur in the node."""
    assert operations_of(row) == sides(row)[0].operations


def test_facts_are_used_only_on_request():
    y = symbol("Y", DIMS[:2], {"simplexrows"})
    total = contract([(y, "ij", 1)], "i")
    assert normal(total) is total
    simplifier = Simplifier(facts=True)
    assert simplifier.normal(total) is contract([], "i", dims={"i": DIMS[0]})
    assert simplifier.used == {("Y", "simplexrows")}


def test_used_properties_are_those_that_the_result_rests_on():
    """A property that helped only a form that was not chosen is not listed."""
    for seed in range(200):
        node = random_node(seed)
        simplifier = Simplifier(facts=True)
        result = simplifier.normal(node)
        if result is normal(node):
            assert not simplifier.used, f"seed {seed}: {simplifier.used}"


def test_cancellation():
    p = {"X": "n n", "Y": "m n", "P": "m n", "w": "n", "W": "n n"}
    cases = {
        "X.T.T": "X",
        "Y*P/P": "Y",
        "(X.T + X).T": "X + X.T",
        "X @ inv(X) @ w": "w",
        "inv(X) @ X @ w - w": "0*w",
        "X + X": "2*X",
        "X - X": "0*X",
        "2*(X + W) - 2*W": "2*X",
        "trace(X.T)": "trace(X)",
        "trace(X @ W) - trace(W @ X)": "0",
        "trace(X @ W @ X.T) - sum(X * (X @ W.T))": "0",
        "log(exp(Y))": "Y",
        "det(inv(X))*det(X)": "1",
        "(w @ w)*X/(w @ w)": "X",
        "diag(diag(w)) - w": "0*w",
        "exp(log_softmax(Y, 1))": "softmax(Y, 1)",
        "sum(softmax(Y, 1), 1)": "ones(m)",
        "Y*Y**2": "Y**3",
        "1/(1 + exp(-Y))": "sigmoid(Y)",
    }
    for left, right in cases.items():
        used = {k: v for k, v in p.items() if k in left or k in right}
        a, b = (parse(t, shapes=p).root for t in (left, right))
        assert normal(a) is normal(b), f"{left} is not {right} ({used})"


def test_deep_products_and_sums_stay_linear():
    """A chain of many matrices is not merged into one contraction, and 300 terms are collected at once."""
    n = DIMS[0]
    xs = [symbol(f"X{i}", (n, n)) for i in range(60)]
    chain = xs[0]
    for x in xs[1:]:
        chain = contract([(chain, "ij", 1), (x, "jk", 1)], "ik")
    start = time.process_time()
    normal(chain)
    terms = [transpose(x) for x in xs] * 5
    total = normal(add(*(scale(MINUS_ONE, t) for t in terms)))
    assert time.process_time() - start < 5
    assert total.shape == (n, n)


def test_named_intermediates_stay():
    x = symbol("X", DIMS[:2])
    z = named("Z", elementwise("tanh", x))
    assert normal(z) is z
    doubled = add(z, z)
    assert z in set(topological([normal(doubled)], into_named=False))


def test_numbers():
    assert normal(add(number(1), number(2))) is number(3)
    x = symbol("x", ())
    assert normal(contract([(x, "", 1), (number(0), "", 1)], "")) is number(0)
    assert np.isclose(value_of(normal(contract([(number(4), "", 1)], "")), {}), 4)

"""The engine's differentials and adjoints of any node, by complex step; what has no rule is refused."""

import numpy as np
import pytest
from rules.random_nodes import SIZES, RandomNodes, agree, largest_inside, values_of

from byhand.errors import MissingRuleError
from byhand.expr import operations
from byhand.expr.contraction import contract
from byhand.expr.evaluate import evaluate_node
from byhand.expr.expression import substitute
from byhand.expr.nodes import Differential, Symbol, differential_of, named, structured, symbol, topological
from byhand.expr.operations import CONSTANTS, OPERATIONS, Operation
from byhand.expr.parse import parse
from byhand.rules.catalogue import catalogue
from byhand.rules.differentials import _CONSTANT_OPERATIONS, DIFFERENTIALS, GENERAL, differential, read_side, rule_for
from byhand.rules.linear import linear_terms
from byhand.rules.proofs import STEP


def expanded(node):
    """d(node) with the rules applied until only differentials of symbols are left."""
    result = differential_of(node)
    while True:
        inner = [n for n in topological([result]) if isinstance(n, Differential) and not isinstance(n.arg, Symbol)]
        if not inner:
            return result
        result = substitute(result, {n: differential(n.arg) for n in inner})


def directions_of(values, rng):
    """A direction for every symbol."""
    return {s: rng.standard_normal(np.shape(v)) for s, v in values.items()}


def along(node, values, directions):
    """The derivative of a node along directions, by complex step."""
    moved = {s: v + 1j * STEP * directions[s] for s, v in values.items()}
    return np.imag(evaluate_node(node, moved, SIZES)) / STEP


def random_node(seed):
    g = RandomNodes(seed)
    return g.node(g.shape(), 3)


@pytest.mark.parametrize("block", range(4))
def test_differentials_of_random_nodes_by_complex_step(block):
    for seed in range(100 * block, 100 * (block + 1)):
        node = random_node(seed)
        values = values_of([node])
        directions = directions_of(values, np.random.default_rng(seed))
        wanted = along(node, values, directions)
        d = expanded(node)
        put_in = values | {differential_of(s): v for s, v in directions.items()}
        found = evaluate_node(d, put_in, SIZES)
        assert agree(found, wanted, max(largest_inside(node, values), largest_inside(d, put_in))), f"seed {seed}"


def test_adjoints_are_transposed_maps():
    for seed in range(150):
        node = random_node(seed)
        values = values_of([node])
        rng = np.random.default_rng(seed)
        directions = directions_of(values, rng)
        g = symbol("G", node.shape)
        values[g] = rng.standard_normal([SIZES[str(n)] for n in node.shape])
        put_in = values | {differential_of(s): v for s, v in directions.items()}
        for term in linear_terms(expanded(node)):
            applied, back = term.applied(), term.adjoint(g)
            left = np.sum(values[g] * evaluate_node(applied, put_in, SIZES))
            right = np.sum(evaluate_node(back, values, SIZES) * directions[term.child])
            scale = max(largest_inside(applied, put_in), largest_inside(back, values)) * 100
            assert agree(left, right, scale), f"seed {seed}"


@pytest.mark.parametrize("row", GENERAL, ids=lambda row: row.name)
def test_the_engine_agrees_with_the_general_rules(row):
    (equation,) = next(e.equations for e in catalogue() if e.name == row.name)
    left, right = equation.sides
    rng = np.random.default_rng(7)
    sizes = dict(zip(equation.dimensions, (5, 3, 2), strict=False))
    values = {s: rng.uniform(0.5, 2, [sizes[str(n)] for n in s.shape]) for s in equation.symbols.values()}
    put_in = values | {differential_of(s): rng.standard_normal(np.shape(v)) for s, v in values.items()}
    assert agree(evaluate_node(expanded(left.arg), put_in, sizes), evaluate_node(right, put_in, sizes), tolerance=1e-12)


# ---- nothing is silently zero


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_a_differential_or_is_constant(name):
    assert (name in DIFFERENTIALS) != (name in _CONSTANT_OPERATIONS)
    if name in CONSTANTS:
        shape = OPERATIONS[name].shape
        assert shape((), (6, 2, 1, 3)), "a constant has no arguments"


def test_every_row_is_for_an_operation():
    assert set(DIFFERENTIALS) <= set(OPERATIONS)
    assert set(OPERATIONS) >= _CONSTANT_OPERATIONS


def test_a_missing_rule_is_refused(monkeypatch):
    row = Operation("cumsum", lambda args, _: args[0].shape, lambda a, at, s: np.cumsum(a[0]), "running sums")
    monkeypatch.setitem(operations.OPERATIONS, "cumsum", row)
    x = symbol("x", (3,))
    node = operations.apply("cumsum", x)
    assert np.array_equal(evaluate_node(node, {x: np.array([1.0, 2.0, 3.0])}, {}), [1, 3, 6])
    with pytest.raises(MissingRuleError, match=r"cumsum.*known"):
        rule_for("cumsum")
    with pytest.raises(MissingRuleError, match=r"no differential of cumsum") as caught:
        differential(node)
    assert "byhand/rules/differentials.py" in str(caught.value)
    import byhand

    for f in (contract([(node, "i", 1)], ""), contract([(named("c", node), "i", 1)], "")):
        with pytest.raises(MissingRuleError, match="cumsum"):
            byhand.derive(f, "x")


def test_a_missing_function_is_refused():
    from byhand.expr.functions import function

    with pytest.raises(MissingRuleError, match=r"tanhh.*did you mean `tanh`") as caught:
        function("tanhh")
    assert "byhand/expr/functions.py" in str(caught.value)


def test_an_operation_without_a_row_is_no_operation():
    with pytest.raises(MissingRuleError, match="no operation fft"):
        operations.apply("fft", symbol("x", (3,)))


def test_a_differential_inside_a_nonlinear_operation_is_refused():
    x = symbol("X", (3, 3))
    bad = structured("inv", (differential_of(x),), (), x.shape)
    with pytest.raises(MissingRuleError, match="not linear"):
        list(linear_terms(bad))
    twice = contract([(differential_of(x), "ij", 1), (differential_of(x), "jk", 1)], "ik")
    with pytest.raises(MissingRuleError, match="twice"):
        list(linear_terms(twice))


def test_rules_over_any_axis():
    """The rules of softmax and its kin leave the axis open: each axis and all of them."""
    rng = np.random.default_rng(3)
    for name in ("softmax", "log_softmax", "logsumexp"):
        z = symbol("T", (3, 2, 5))
        for axes in ((0,), (1,), (2,), (0, 2), (0, 1, 2)):
            node = operations.apply(name, z, attributes=(axes,))
            values = {z: rng.standard_normal((3, 2, 5))}
            directions = directions_of(values, rng)
            d = differential(node)
            put_in = values | {differential_of(z): directions[z]}
            assert agree(evaluate_node(d, put_in, {}), along(node, values, directions), tolerance=1e-12), (name, axes)


def test_the_strings_of_the_tables_are_read_by_the_parser():
    x = symbol("X", (3, 3))
    assert read_side("inv(X) @ X", {"X": x}) is parse("inv(X) @ X", shapes={"X": "3 3"}).root

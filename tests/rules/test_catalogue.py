"""Every row of every table of rules is proved by numbers, and `catalogue` is all of them."""

import numpy as np
import pytest

from byhand.errors import ParseError
from byhand.expr.functions import FUNCTIONS
from byhand.expr.nodes import Differential, Expr
from byhand.rules.catalogue import GROUPS, catalogue, entry, move_equations, up_to_names
from byhand.rules.differentials import DIFFERENTIALS, GENERAL
from byhand.rules.identities import FACTS, IDENTITIES
from byhand.rules.patterns import OTHER_MOVES, PATTERNS
from byhand.rules.proofs import PRIMES, TOLERANCE, explain, prove

ENTRIES = catalogue()
NAMES = {e.name for e in ENTRIES}


@pytest.mark.parametrize("rule", ENTRIES, ids=lambda rule: f"{rule.group}-{rule.name}")
def test_every_rule_holds(rule):
    for seed in range(3):
        proof = prove(rule, seed)
        assert len(proof.checks) == len(rule.equations) >= (rule.group != "steps")
        for c in proof.checks:
            assert c.error <= TOLERANCE, f"{c.equation}: {c.left} != {c.right}"
            assert len(set(c.sizes.values())) == len(c.sizes) and set(c.sizes.values()) <= set(PRIMES)
        assert proof.ok and proof.error <= TOLERANCE


def test_the_catalogue_is_all_the_tables():
    rows = [*GENERAL, *DIFFERENTIALS.values(), *IDENTITIES, *FACTS]
    assert {r.name for r in rows} <= NAMES
    assert {f"derivative of {f}" for f in FUNCTIONS} <= NAMES
    moves = {m for p in PATTERNS for m in (p.move_first, p.move_second) if m} | {m for m, _, _ in OTHER_MOVES}
    assert moves == {e.name for e in ENTRIES if e.group == "moves"}
    listed = [up_to_names(q) for e in ENTRIES if e.group == "moves" for q in e.equations]
    assert len(set(listed)) == len(listed)
    assert {up_to_names(q) for p in PATTERNS for q in move_equations(p)} <= set(listed)


def test_names_are_unique_and_groups_known():
    assert len(NAMES) == len(ENTRIES)
    assert {e.group for e in ENTRIES} == set(GROUPS)
    for e in ENTRIES:
        assert e.source, e.name


@pytest.mark.parametrize("rule", ENTRIES, ids=lambda rule: rule.name)
def test_equations_are_nodes_to_typeset(rule):
    for q in rule.equations:
        for side in q.sides:
            nodes = side if isinstance(side, tuple) else (side,)
            assert all(isinstance(n, Expr) for n in nodes)
        if rule.group in GROUPS[:3]:
            assert isinstance(q.sides[0], Differential)
        if rule.group == "moves":
            assert isinstance(q.sides[0], tuple) and q.sides[1][1].has_differential
            (left_adjoint, _), (_, d) = q.sides
            assert left_adjoint.ndim <= 1 or isinstance(d, Differential)


@pytest.mark.parametrize(
    "name, full",
    [
        ("tanh", "derivative of tanh"),
        ("inv", "inverse"),
        ("product rule", "product rule"),
        ("logsumexp", "log-sum-exp"),
    ],
)
def test_explain_finds_rules_by_function_and_operation(name, full):
    proof = explain(name)
    assert proof.entry.name == full and proof.ok
    assert all(np.isfinite([c.left, c.right]).all() for c in proof.checks)


@pytest.mark.parametrize(
    "name, meant",
    [("sigmod", "sigmoid"), ("produkt rule", "product rule"), ("move a left facto", "move a left factor")],
)
def test_an_unknown_name_gets_the_nearest(name, meant):
    with pytest.raises(ParseError, match=f"did you mean `{meant}`"):
        explain(name)


def test_domains_are_said_in_words():
    assert entry("log").domain == "z > 0"
    assert entry("inverse").domain == "X is invertible"
    assert entry("rows sum to one").domain == "the rows of Y sum to one"
    assert entry("product rule").domain == ""

"""Every rule that stands beside a line can be looked up, and its page names a source that a reader has."""

import json
import re
from pathlib import Path

import pytest
from derive.test_documents import FUNCTIONS

import byhand
from byhand.notation.document import NOTATIONS, document
from byhand.notation.render import document_dict
from byhand.notation.rulebook import proof_document
from byhand.rules.catalogue import GROUPS, catalogue, entry, stripped
from byhand.rules.manner import STEPS
from byhand.rules.proofs import explain

PROBLEMS = json.loads((Path(__file__).parents[1] / "data" / "matrix_calculus.json").read_text("utf-8"))
KNOWN = {e.name for e in catalogue()}
NETWORKS = [
    (widths, act, loss) for widths in ("4-3-2", "5-4-3-1") for act in ("relu", "gelu") for loss in ("mse", "huber")
]


def parts_of(shown):
    """One rule after the other: some lines name several."""
    return [shown] if shown in KNOWN or stripped(shown) in KNOWN else shown.split(", ")


def assert_listed(shown):
    for rule in parts_of(shown):
        assert entry(rule).source


def rules_beside(document):
    return [
        p["rule"]
        for s in document_dict(document)["sections"]
        for line in s["lines"]
        for p in line["parts"]
        if p["rule"]
    ]


def shown_by(d):
    for notation in NOTATIONS:
        yield from rules_beside(document(d, notation, "micro"))
    yield from (s.rule for s in d.steps if s.kind != "definition")


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p["id"])
def test_rules_of_problems_are_listed(problem):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    f = byhand.parse(problem["expr"], shapes=shapes, assume=problem.get("domain", {}))
    if problem["kind"] == "grad":
        shown = set(shown_by(byhand.derive(f, problem["wrt"])))
    else:
        made = byhand.hessian if problem["kind"].startswith("hess") else byhand.jacobian
        shown = set(rules_beside(made(f, problem["wrt"]).document("numerator", "steps")))
    for rule in shown:
        # an adjoint inserted is d… in the record and ∂f/∂… in print
        assert_listed(rule)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rules_of_functions_are_listed(name):
    source, shapes, assume, wrt = FUNCTIONS[name]
    for rule in set(shown_by(byhand.derive(byhand.parse(source, shapes=shapes, assume=assume), wrt))):
        assert_listed(rule)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_rules_of_networks_are_listed(network):
    widths, activation, loss = network
    for rule in set(shown_by(byhand.derive(byhand.MLP(widths, activation=activation, loss=loss, l2="lam")))):
        assert_listed(rule)


@pytest.mark.parametrize("rule", catalogue(), ids=lambda e: e.name)
def test_sources_are_what_a_reader_has(rule):
    assert not re.search(r"\b[SEX]\d+\.\d+|\.md\b", rule.source)
    assert rule.source.strip() and rule.group in GROUPS


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s.name)
def test_steps_without_an_equation_say_what_is_done(step):
    page = proof_document([explain(step.name)])
    assert f"What is done: {step.meaning}." in page.notes
    assert bool(page.sections) == bool(step.equation)


# name, where it holds, a value beyond the draw of the tests at which it holds too
DOMAINS = [
    ("tan", "cos z ≠ 0"),
    ("log1p", "z > −1"),
    ("log", "z > 0"),
    ("arcsin", "−1 < z < 1"),
    ("exp", ""),
    ("quotient rule", "the entries of Y are not zero"),
    ("inverse of a diagonal matrix", "the entries of x are not zero"),
    ("general power", "the entries of X are positive"),
]


@pytest.mark.parametrize(("name", "where"), DOMAINS)
def test_a_rule_says_where_it_holds(name, where):
    assert entry(name).domain == where

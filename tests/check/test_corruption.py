"""A derivation with one thing wrong is found wrong, and the first row that fails names the unit that it was done to."""

from dataclasses import replace

import pytest

from byhand.check.check import check
from byhand.derive.derivation import derive
from byhand.expr.contraction import contract, is_zero, scale, transpose, zero
from byhand.expr.dims import Coefficient
from byhand.expr.indexmaps import affine
from byhand.expr.nodes import Named, Symbol, named
from byhand.expr.parse import parse
from byhand.expr.surface import multiply, plus

ONE = Coefficient(parse("1").root.coefficient.value)
NETWORK = "Z1 = X @ W1 + b1\nH1 = tanh(Z1)\nZ2 = H1 @ W2 + b2\nL = mean(cross_entropy(Z2, t)) + lam*sum(W2**2)"
SHAPES = {"X": "N d", "W1": "d h", "b1": "h", "W2": "h k", "b2": "k", "t": "N", "lam": ""}
DERIVATIONS = {
    "network": derive(parse(NETWORK, SHAPES, {"t": "labels"}), ["W1", "b1", "W2", "b2"]),
    "square": derive(parse("Z = A @ X @ A\ntrace(sin(Z) @ B)", {"A": "n n", "X": "n n", "B": "n n"}), ["A", "X"]),
    "symmetric": derive(parse("x @ inv(S) @ x + logdet(S)", {"S": "n n", "x": "n"}, {"S": "spd"}), ["S", "x"]),
    "diagonal": derive(parse("sum(tanh(D @ X))", {"D": "n n", "X": "n m"}, {"D": "diagonal"}), ["D", "X"]),
    "targets": derive(
        parse("-sum(Y*log(softmax(X @ W)))/m", {"Y": "m k", "X": "m n", "W": "n k"}, {"Y": "simplexrows"}), "W"
    ),
}  # fmt: skip


def one_entry_off(node):
    """The node with its first entry off by 1e-4 of its size."""
    first = [(affine(size, 0, (1, 1)), (axis, "one")) for axis, size in enumerate(node.shape)]
    corner = contract([(s, labels, ONE.value) for s, labels in first], tuple(range(node.ndim)))
    return plus(node, multiply(multiply(node, corner), 1e-4)) if node.ndim else multiply(node, 1.0001)


CORRUPTIONS = {
    "negated": lambda node: scale(Coefficient(-ONE.value), node),
    "zero": lambda node: zero(node.shape),
    "doubled": lambda node: scale(Coefficient(2 * ONE.value), node),
    "off by 1e-4": lambda node: multiply(node, 1.0001),
    "one entry off by 1e-4": one_entry_off,
    "transposed": lambda node: transpose(node) if node.ndim == 2 else multiply(node, 3),
}


def with_unit(d, old, **changes):
    return replace(d, units=tuple(u._replace(**changes) if u is old else u for u in d.units))


def all_stages(d, u, wrong):
    return with_unit(d, u, stages=tuple(s._replace(node=wrong(s.node)) for s in u.stages))


def last_stage(d, u, wrong):
    last = u.stages[-1]
    return with_unit(d, u, stages=(*u.stages[:-1], last._replace(node=wrong(last.node))))


def adjoint(d, u, wrong):
    if not isinstance(u.adjoint, Named):
        return None
    return with_unit(d, u, adjoint=named(u.adjoint.name, wrong(u.adjoint.body)))


def last_move(d, u, wrong):
    if not (u.terms and u.terms[-1].moves):
        return None
    record = u.terms[-1]
    moves = (*record.moves[:-1], record.moves[-1]._replace(left=wrong(record.moves[-1].left)))
    return with_unit(d, u, terms=(*u.terms[:-1], record._replace(moves=moves)))


def contribution(d, u, wrong):
    if not u.terms:
        return None
    return with_unit(d, u, terms=(u.terms[0]._replace(contribution=wrong(u.terms[0].contribution)), *u.terms[1:]))


def differential(d, u, wrong):
    if not u.terms or wrong not in (CORRUPTIONS["negated"], CORRUPTIONS["doubled"]):
        return None
    factor = -ONE.value if wrong is CORRUPTIONS["negated"] else 2 * ONE.value
    term = u.terms[0].term._replace(coefficient=u.terms[0].term.coefficient.times(Coefficient(factor)))
    return with_unit(d, u, terms=(u.terms[0]._replace(term=term), *u.terms[1:]))


def missing_term(d, u, wrong):
    if not u.terms or wrong is not CORRUPTIONS["zero"]:
        return None
    return with_unit(d, u, terms=u.terms[1:])


PLACES = (all_stages, last_stage, adjoint, last_move, contribution, differential, missing_term)


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.__name__)
@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_corruption_is_found_at_its_unit(name, place):
    d = DERIVATIONS[name]
    assert check(d, seeds=1, oracles="complex step").ok
    count = 0
    for u in d.units:
        for word, wrong in CORRUPTIONS.items():
            if word == "transposed" and name == "symmetric":  # outer(x, x) and inv(S) are their own
                continue
            corrupted = place(d, u, wrong)
            if corrupted is None or unchanged(d, corrupted):
                continue
            count += 1
            report = check(corrupted, seeds=1, oracles="complex step")
            assert not report.ok, f"{place.__name__} of {u.name} {word}: passed"
            assert report.failed, report.summary
            first = report.failed[0]
            assert (first.what, first.unit) == ("step", u.name), (
                f"{place.__name__} of {u.name} {word}: {report.summary}"
            )
            same = word == "transposed" and name == "diagonal"  # the gradient by D is its own transpose
            if isinstance(u.node, Symbol) and place in (all_stages, last_stage) and not same:
                assert any(row.what == "gradient" and row.unit == u.name for row in report.failed)
    assert count or place in (differential, missing_term)


def unchanged(d, corrupted):
    """Whether nothing was made wrong: zero for what is zero, or a node that equals its transpose."""
    pairs = zip(d.units, corrupted.units, strict=True)
    return all(a == b or (is_zero(a.value) and is_zero(b.value)) for a, b in pairs)


@pytest.mark.parametrize("word", CORRUPTIONS)
def test_a_wrong_gradient_of_a_large_tensor_is_found(word):
    shapes = {"X": "N 784", "W1": "784 300", "b1": "300", "W2": "300 10", "b2": "10", "t": "N", "lam": ""}
    d = derive(parse(NETWORK, shapes, {"t": "labels"}), ["W1", "b1", "W2", "b2"])
    if word == "one entry off by 1e-4":
        return  # 1 of 235200 entries, off by 1e-4 of its own size: below 1e-8 of the gradient's norm
    u = next(u for u in d.units if u.name == "W1")
    report = check(all_stages(d, u, CORRUPTIONS[word]), seeds=1, oracles="complex step")
    assert {row.unit for row in report.failed if row.what == "gradient"} == {"W1"}


def test_a_wrong_definition_is_found():
    d = DERIVATIONS["network"]
    other = derive(
        parse(NETWORK.replace("X @ W1 + b1", "X @ W1 - b1"), SHAPES, {"t": "labels"}), ["W1", "b1", "W2", "b2"]
    )
    report = check(replace(other, f=d.f), seeds=1, oracles="complex step")
    assert report.failed[0].unit == "Z1" and report.failed[0].by == "definition"


def test_a_failed_step_says_all_there_is_to_say():
    d = DERIVATIONS["network"]
    u = next(u for u in d.units if u.name == "Z2")
    report = check(last_move(d, u, CORRUPTIONS["negated"]), seeds=1, oracles="complex step")
    row = report.failed[0]
    assert (row.what, row.unit, row.verdict) == ("step", "Z2", "wrong")
    assert "move" in row.by and row.error > 1
    text = report.text(failed_only=True)
    for words in ("step of Z2", "before: ⟨", "after:  ⟨", "numbers: ", "N = ", "seed 0"):
        assert words in text, text
    first, second = row.evidence.numbers
    assert first == pytest.approx(-second)


def test_a_wrong_gradient_says_which_entry():
    d = derive(parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w")
    wrong = all_stages(d, d.units[-1], one_entry_off)
    row = next(row for row in check(wrong, seeds=1, oracles="complex step").failed if row.what == "gradient")
    assert row.evidence.place == "[0]"
    found, true = row.evidence.numbers
    assert found == pytest.approx(1.0001 * true, rel=1e-9)


def test_a_gradient_that_is_zero_at_most_points_only_is_not_zero():
    d = derive(parse("sum(x*relu(-s - 3))", {"x": "n", "s": ""}), ["x", "s"])
    for u in d.units[-2:]:
        report = check(all_stages(d, u, CORRUPTIONS["zero"]), seeds=1, oracles="complex step")
        assert any(row.what == "gradient" and row.unit == u.name for row in report.failed)
    assert check(derive(parse("sum(x*sign(s))", {"x": "n", "s": ""}), ["x", "s"]), oracles="complex step").ok

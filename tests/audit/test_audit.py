"""Audits: every item of the error list at its line with its class, correct derivations without a complaint."""

import json

import pytest
from audit.derivations import COLUMN_NET, CORRECT, ERRORS, ROW_NET

from byhand.audit.audit import audit
from byhand.audit.mend import products
from byhand.errors import CheckError, ParseError


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.item)
def test_error_of_the_seeds_is_found_at_its_line_with_its_class(error):
    text = f"{error.before.strip()}\n{error.line}\n{error.after}"
    place = len(error.before.strip().split("\n")) + 1
    report = audit(text)
    assert [line.number for line in report.wrong] == [place], report.text()
    assert set(error.kinds) <= set(report.wrong[0].kinds), report.text()
    assert not report.ok


@pytest.mark.parametrize("name", CORRECT)
def test_correct_derivation_passes(name):
    report = audit(CORRECT[name])
    assert report.ok, report.text()


def test_missing_factor_and_missing_sum_are_said_in_words():
    report = audit(f"{ROW_NET}\ndZ2 = P - Y\ndb2 = dZ2")
    first, second = report.wrong
    assert "N × the left one" in first.message and first.mend == "dZ2 = (P − Y)/N"
    assert second.kinds == ("T",) and second.mend


def test_transposition_pattern_that_type_checks_is_unique():
    (line,) = audit(f"{COLUMN_NET}\n∂J/∂W2 = a1 (yh - y)").wrong
    assert line.kinds == ("T",) and "only transposition pattern" in line.message
    assert line.mend == "∂J/∂W2 = a1 @ (yh - y).T"


def test_products_that_have_the_shape():
    assert products({"X": "B d", "D": "B h"}, "d h") == ["X.T @ D"]
    assert products({"X": "B d", "D": "B h"}, "d d") == []
    assert len(products({"X": "n n", "D": "n n"}, "n n")) == 8  # square: the mnemonic is ambiguous


@pytest.mark.parametrize(
    ("text", "number", "words"),
    [
        ("X: (m, n)\nf = sum(X**2", 2, "never closed"),
        ("X: (m, n)\nX +", 2, "expected `name: (shape)`"),
        ("X: one_hot", 1, "a shape is expected"),
        ("X: (m, n)\ny = Q @ X", 2, "unknown name Q"),
        ("X: (m, n)\ny =", 2, "expected after the ="),
        ("X: (m, n)\ndX = X", 2, ""),
        ("code: __import__('os')", 1, ""),
        ("X: (m, -1)", 1, ""),
        ("X: (m, n) magic", 1, "unknown property"),
        ("ø = 3", 1, ""),
        ("code: f(", 1, ""),
    ],
)
def test_unreadable_lines_have_a_message_and_are_not_right(text, number, words):
    report = audit(text)
    assert not report.ok
    assert report.wrong[0].number == number and words in report.wrong[0].message, report.text()


_SHAPES = "X: (m, n)\nY: (n, k)\nA: (n, n) symmetric\nx: (n, 1)\nλ: ()\nL = λ * trace(x.T @ A @ x)\n"


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("∂L/∂x = 2 A @ x +", 17, "an operand is expected"),
        ("Z = X $ Y", 7, "an operator (+ - * @ / **)"),
        ("Z = X @@ Y", 8, "is expected"),
        ("Z = X @ Q", 9, "unknown name Q"),
        ("∂L/∂x = 2*(A@x", 11, "never closed"),
        ("d(X@Y = dX@Y", 2, "this bracket is not closed"),
        ("Z = X.Y", 5, "no attribute .Y"),
        ("dx == 2*A@x", 1, "expected `name: (shape)`"),
        ("dQ = X", None, "there is no Q above"),
        ("dxx = 2*A@x", None, "did you mean `x`"),
    ],
)
def test_unreadable_lines_name_the_column_and_what_is_expected(line, column, words):
    found = audit(_SHAPES + line).lines[-1]
    assert not found.ok and found.kinds == ("syntax",)
    assert found.column == column and words in found.message, found


@pytest.mark.parametrize(
    "line",
    [
        "∂L/∂x = 2 λ A x",
        "∂L/∂x = 2 λ A @ x",
        "∂L/∂x = (2 λ) A x",
        "dL = 2 λ xᵀ A dx",
        "d_A = λ x xᵀ",  # of a symmetric variable: in either convention
        "d_A = 2 λ x xᵀ - λ diag(diag(x xᵀ))",
        "d(X Y) = dX Y + X dY",
        "d(inv(A)) = -inv(A) dA inv(A)",
        "d(X**3) = 3 X**2 ⊙ dX",
    ],
)
def test_paper_spellings_are_read(line):
    found = audit(_SHAPES + line).lines[-1]
    assert found.ok, found


@pytest.mark.parametrize("line", ["∂L/∂x = 3 λ A x", "d_A = 2 λ x xᵀ", "d(X Y) = dX Y", "d(inv(A)) = inv(A) dA inv(A)"])
def test_paper_spellings_that_are_not_true(line):
    found = audit(_SHAPES + line).lines[-1]
    assert not found.ok and "N" in found.kinds, found


def test_empty_and_unchecked_texts_are_not_right():
    assert not audit("").ok and not audit("# only words").ok and not audit("X: (m, n)").ok
    with pytest.raises(ParseError):
        audit(3)
    with pytest.raises(ParseError):
        audit("\n" * 3000)


def test_views():
    report = audit(f"{ROW_NET}\ndZ2 = P - Y")
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["lines"][-1]["kinds"] == ["N"]
    assert "mend: dZ2 = (P − Y)/N" in report.text() and "<script" not in report.html()
    with pytest.raises(CheckError, match="line 14"):
        report.assert_ok()


def test_a_shape_may_be_written_without_brackets_as_elsewhere():
    body = "r = X @ w - y\nL = sum(r**2)\ndw = 2*X.T @ r"
    for shapes in ("X: m, n\nw: n\ny: m", "X: m n\nw: n\ny: m", "X: (m, n)\nw: (n,)\ny: (m,)"):
        assert audit(f"{shapes}\n{body}").ok
    assert next(line.number for line in audit(f"X: m, n\nw: m\ny: m\n{body}").wrong) == 4

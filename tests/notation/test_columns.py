"""Rows in columns, broken to the width of a terminal."""

import pytest

from byhand.notation.columns import broken, columns, filled, paragraph

ROWS = [
    ("  Z = X W", "(N, k)", "definition"),
    ("  dL = tr(A B) + tr(C D E F) + tr(G H I J)", "()", "sum rule, product rule, power rule"),
    ("      ⟨∂L/∂Z, X dW⟩ = ⟨Xᵀ ∂L/∂Z, dW⟩", "", "move a left factor"),
]


def test_without_a_width_each_row_is_a_line():
    lines = columns(ROWS)
    assert len(lines) == len(ROWS)
    assert len({line.index("(N, k)") for line in lines[:1]} | {lines[1].rindex("()")}) == 1


@pytest.mark.parametrize("width", range(40, 130, 7))
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, columns(ROWS, width))) <= max(width, 20 + 6 + 6 + 26)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_nothing_is_lost(width):
    words = " ".join(columns(ROWS, width)).split()
    assert sorted(words) == sorted(word for row in ROWS for cell in row for word in cell.split())


def test_colours_do_not_move_the_columns():
    painted = columns(ROWS, 80, lambda kind, text: f"\x1b[1m{text}\x1b[0m" if text else text)
    assert [line.replace("\x1b[1m", "").replace("\x1b[0m", "").rstrip() for line in painted] == columns(ROWS, 80)


def test_a_formula_is_broken_before_an_operator_outside_brackets():
    formula = "  f = aaaa + (bbbb + cccc) + dddd"
    assert broken(formula, 30) == ["  f = aaaa + (bbbb + cccc)", "        + dddd"]


def test_a_formula_that_cannot_be_broken_stays():
    assert broken("x" * 50, 20) == ["x" * 50]


def test_items_and_sentences_go_on_below():
    assert filled(["a (m,)", "b (n,)", "c (k,)"], 20) == ["  a (m,)   b (n,)", "  c (k,)"]
    assert paragraph("one two three", 10) == ["  one two", "    three"]
    assert paragraph("one two three", None) == ["  one two three"]

"""Shapes that nobody said: found with the reader's own rules, with reasons; what cannot be read stays an error."""

from __future__ import annotations

import pytest

import byhand
from byhand.errors import ByhandError, ParseError, ShapeError
from byhand.expr.infer import MOST_READINGS, _Search, infer

TWO_LAYERS = "Z = X @ W1 + b1\nH = relu(Z)\nZ2 = H @ W2 + b2\nmean(cross_entropy(Z2, y))"
ATTENTION = "S = Q @ K.T / sqrt(d)\nP = softmax(S, axis=1)\nsum(G * (P @ V))"


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}),
        ("mean((X @ W + b - Y)**2) + lam*sum(W**2)", {"X": "m n", "W": "n p", "b": "p", "Y": "m p", "lam": ""}),
        ("sum(y*log(sigmoid(X @ w)))/N", {"y": "m", "X": "m n", "w": "n", "N": ""}),
        ("trace(A @ X @ B @ X.T)", {"A": "m m", "X": "m n", "B": "n n"}),
        ("logdet(S) + trace(inv(S) @ C)", {"S": "m m", "C": "m m"}),
        (ATTENTION, {"Q": "m n", "K": "p n", "d": "", "G": "m q", "V": "p q"}),
        (TWO_LAYERS, {"X": "m n", "W1": "n p", "b1": "p", "W2": "p q", "b2": "q", "y": "m"}),
        ("x.T @ A @ x + b @ x", {"x": "m", "A": "m m", "b": "m"}),
        ("sum(X[:, 0] * y)", {"X": "m n", "y": "m"}),
        ("outer(a, b) @ X", {"a": "m", "b": "n", "X": "n p"}),
        ("sum(a * X + B)", {"a": "m", "X": "n m", "B": "n m"}),
        ("sum(m * X)", {"m": "n", "X": "p n"}),  # a name of the text is no dimension
        ("f = sum(exp(x))\nf**2", {"x": "m"}),
        ("exp(lam)", {"lam": ""}),
    ],
)
def test_the_plainest_shapes(text: str, shapes: dict[str, str]) -> None:
    f = byhand.parse(text, shapes="infer")
    assert f.inferred is not None
    assert dict(f.inferred.shapes) == shapes
    assert f.root is byhand.parse(text, shapes=shapes).root
    assert set(f.inferred.axes) == set(shapes)


def test_every_union_has_its_place() -> None:
    f = byhand.parse(TWO_LAYERS, shapes="infer")
    assert f.inferred is not None
    assert [(r.kept, r.line, r.text) for r in f.inferred.reasons] == [
        ("n", 1, "W1"), ("p", 1, "b1"), ("p", 3, "W2"), ("q", 3, "b2"), ("m", 4, "y"),
    ]  # fmt: skip
    assert "line 3: W2 fits what it stands with where p is one dimension" in str(f.inferred)
    assert "X: (m, n), a matrix, as capitals are" in str(f.inferred)


def test_a_dimension_that_became_one_by_a_mistake_is_shown() -> None:
    """X @ Y.T was meant: the union that makes the slip readable is among the reasons."""
    f = byhand.parse("sum(X @ Y) + sum(X.T @ Y.T)", shapes="infer")
    assert f.inferred is not None
    assert dict(f.inferred.shapes) == {"X": "m n", "Y": "n m"}
    assert [r.text for r in f.inferred.reasons] == ["Y", "Y.T"]


def test_given_shapes_stay() -> None:
    f = infer("sum((X @ w - y)**2)", {"X": "N 3"})
    assert f.inferred is not None
    assert dict(f.inferred.shapes) == {"w": "3", "y": "N"}
    g = infer("sum(A @ B)", {"A": "n n", "B": "n k"})
    assert g.inferred is not None and not g.inferred.shapes and not g.inferred.reasons


def test_given_shapes_that_clash_are_an_error() -> None:
    with pytest.raises(ShapeError, match="A @ B"):
        infer("sum(A @ B) + sum(x)", {"A": "m n", "B": "p q"})


def test_another_number_of_axes_where_the_plain_one_does_not_do() -> None:
    f = byhand.parse("trace(a @ X)", shapes="infer")
    assert f.inferred is not None
    assert dict(f.inferred.shapes) == {"a": "m n", "X": "n m"}
    assert f.inferred.axes["a"] == "with which the text can be read"


@pytest.mark.parametrize("text", ["x @ y + nosuch(3)", "sum(X", "", "x +* y", "trace(1, 2, 3)", "[x for x in y]"])
def test_what_cannot_be_read_stays_an_error(text: str) -> None:
    with pytest.raises(ByhandError):
        byhand.parse(text, shapes="infer")


def test_only_infer_is_a_word_for_shapes() -> None:
    with pytest.raises(ParseError, match="or 'infer'"):
        byhand.parse("sum(x)", shapes="guess")


def test_work_is_bounded() -> None:
    text = " + ".join(f"inv(a{k})" for k in range(40)) + " + nosuch"
    search = _Search(text, {}, {})
    with pytest.raises(ByhandError):
        search.found()
    assert search.read <= MOST_READINGS + 1

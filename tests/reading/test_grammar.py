"""Formulas of both spellings become the trees that a reader would see."""

from __future__ import annotations

from fractions import Fraction as Rational

import pytest

from byhand.errors import ByhandError
from byhand.reading.grammar import read
from byhand.reading.keys import flat, key_of
from byhand.reading.macros import Macro
from byhand.reading.tokens import UnreadableError
from byhand.reading.tree import (
    Big,
    Bracket,
    Fraction,
    Name,
    Node,
    Number,
    Partial,
    Product,
    Relation,
    Script,
    Sum,
    walk,
)


def one(text: str, spelling: str = "latex", macros: dict[str, Macro] | None = None) -> Node:
    (node,) = read(text, spelling, macros)
    return node


SAME = [
    ("2 Xᵀ (X w − y)", r"2 X^\top (X \mathbf{w} - y)"),
    ("‖X w − y‖²/N", r"\lVert X w - y \rVert^2 / N"),
    ("∂L/∂W", r"\partial L / \partial W"),
    ("Σ_i x_i", r"\sum_i x_i"),
    ("Σᵢ xᵢⱼ yᵢ", r"\sum_{i} x_{ij} y_i"),
    ("A⁻¹ B ⊙ C", r"A^{-1} B \circ C"),
    ("σ'(z) ⊙ δ", r"\sigma^\prime(z) \odot \delta"),
    ("λ‖w‖²", r"\lambda \|w\|^2"),
]


def bare(node: Node) -> str:
    """A tree without fonts, in one line."""
    match node:
        case Name(text):
            return text
        case Number(value):
            return str(value)
        case Product(factors):
            return "(" + " ".join(f"{s}{bare(f)}" for s, f in factors) + ")"
        case Sum(terms):
            return "(" + " ".join(f"{s:+d}{bare(t)}" for s, t in terms) + ")"
        case Script(base, sub, sup, primes):
            return f"{bare(base)}_{bare(sub) if sub else ''}^{bare(sup) if sup else ''}{primes}"
        case Bracket(inner, opened):
            return f"{opened}{bare(inner)}"
        case Big(sign, low, _, body):
            return f"{sign}[{bare(low) if low else ''}]{bare(body)}"
        case Fraction(over, under):
            return f"<{bare(over)}/{bare(under)}>"
        case Partial(inner, order, sign):
            return f"{sign}{order}{bare(inner) if inner else ''}"
    return repr(type(node)) + ",".join(bare(c) for c in walk(node) if c is not node)


@pytest.mark.parametrize(("plain", "latex"), SAME)
def test_both_spellings_are_one_tree(plain: str, latex: str) -> None:
    raised = {"⊤": "T", "ij": "(i j)"}
    left, right = bare(one(plain, "unicode")), bare(one(latex))
    for a, b in raised.items():
        left, right = left.replace(a, b), right.replace(a, b)
    assert left == right


def test_precedence() -> None:
    sum_ = one("a + b c \\odot d - e")
    assert isinstance(sum_, Sum)
    assert [sign for sign, _ in sum_.terms] == [1, 1, -1]
    hadamard = sum_.terms[1][1]
    assert isinstance(hadamard, Product)
    assert [s for s, _ in hadamard.factors] == ["", "⊙"]
    assert isinstance(hadamard.factors[0][1], Product)


def test_a_sum_takes_the_product_that_follows_and_no_more() -> None:
    sum_ = one(r"\sum_{i=1}^{n} x_i y_i + c")
    assert isinstance(sum_, Sum)
    assert isinstance(sum_.terms[0][1], Big)
    assert flat(sum_.terms[1][1]) == "c"


def test_functions_without_brackets() -> None:
    term = one(r"- y_n \log p_n - q")
    assert isinstance(term, Sum)
    assert len(term.terms) == 2


def test_relations_and_conditions() -> None:
    made = read(r"\frac{\partial L}{\partial w_j} = \sum_i x_{ij} r_i, \qquad j = 1, \dots, D", "latex")
    assert [type(n) for n in made] == [Relation, Relation]
    chain, range_ = made
    assert isinstance(chain, Relation) and isinstance(range_, Relation)
    assert chain.signs == ("=",)
    assert range_.signs == ("=", "…", "…")


def test_a_row_that_continues_has_no_left_side() -> None:
    row = one("&= X^T r \\\\"[:-2])
    assert isinstance(row, Relation)
    assert row.sides[0] is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("W^{[2]}", "W[2]"), ("W^{(l-1)}", "W[l-1]"), ("W_1", "W_1"), (r"\hat{y}", "ŷ"), (r"\bar J", "J̄"), (r"\vec{x}", "x"),
        (r"\mathbf{W}_{hh}", "W_hh"), (r"L_\lambda", "L_λ"), (r"\hat{w}_\lambda", "ŵ_λ"), (r"\mathcal{L}", "L"), (r"\theta'", "θ'"), ("w^*", "w^*"),
    ],
)  # fmt: skip
def test_keys_of_names(text: str, key: str) -> None:
    assert key_of(one(text)) == key


def test_macros_of_the_page() -> None:
    macros = {"pd": Macro(2, None, r"\frac{\partial #1}{\partial #2}"), "loss": Macro(0, None, r"\mathcal{L}")}
    made = one(r"\pd{\loss}{W} + 1", macros=macros)
    assert isinstance(made, Sum)
    fraction = made.terms[0][1]
    assert isinstance(fraction, Fraction)
    assert made.terms[1][1] == Number(Rational(1))
    assert fraction.start == 0  # where the call stands


def test_places_are_those_of_the_text() -> None:
    text = r"X^\top (X \mathbf{w} - y)"
    for node in walk(one(text)):
        assert 0 <= node.start <= node.end <= len(text)
        if isinstance(node, Name) and node.text == "y":
            assert text[node.start : node.end] == "y"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"\foo x", r"\foo is not defined on this page"), (r"\frac{a}{b", "brace"), ("(a + b", "closing )"), ("a + ", "the formula ends"), ("a ) b", "closes nothing"),
        ("x \\pm y", "two values"), ("(" * 80 + "x" + ")" * 80, "nested too deep"), (r"\begin{bmatrix} 1", "not closed"), (r"\langle a \rangle", "two sides"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(text: str, words: str) -> None:
    with pytest.raises(UnreadableError) as error:
        read(text, "latex")
    assert words in str(error.value)


@pytest.mark.parametrize(
    "macros", [{"a": Macro(0, None, r"\a")}, {"a": Macro(0, None, r"\b\b"), "b": Macro(0, None, r"\a\a")}]
)
def test_macros_that_call_themselves_end(macros: dict[str, Macro]) -> None:
    with pytest.raises(UnreadableError):
        read(r"\a", "latex", macros)


@pytest.mark.parametrize("spelling", ["latex", "unicode"])
def test_any_text_is_read_or_refused(spelling: str) -> None:
    import random

    pieces = [
        "x", "X", "_", "^", "{", "}", "(", ")", "\\frac", "\\sum", "\\partial", "d", "1", "=", "+", "-", ",", "|", "\\|", "\\left(", "\\right.", " ", "&", "'", "\\hat", "Σ", "∂", "ᵀ", "₁", "√",
        "\\begin{cases}", "\\end{cases}", "\\mathbf", "\\text{if}", "⟨", "⟩", "[", "]", "\\log", "\\top", "…", "%", "~", "\\", "/", "∇",
    ]  # fmt: skip
    for seed in range(1500):
        rng = random.Random(seed)
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 24)))
        try:
            for node in read(text, spelling):
                for inner in walk(node):
                    assert inner.start <= inner.end
        except ByhandError:
            pass

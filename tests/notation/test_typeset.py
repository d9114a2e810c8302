"""Every node prints, alike, as text, ASCII, LaTeX and MathML."""

from __future__ import annotations

import re
import time
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.notation import typeset as ts
from byhand.notation.latex import to_latex
from byhand.notation.mathml import to_mathml
from byhand.notation.symbols import (
    FUNCTION_NAMES,
    GREEK,
    GREEK_LATEX,
    GREEK_SPELLED,
    INFIX_SIGNS,
    RELATION_SIGNS,
    split_name,
)
from byhand.notation.text import to_text


def number(numerator: int, denominator: int = 1) -> ts.Number:
    return ts.Number(Fraction(numerator, denominator))


def product(*items: ts.Math) -> ts.Product:
    return ts.Product(items)


def hadamard(*items: ts.Math) -> ts.Infix:
    return ts.Infix("hadamard", items)


def plus(*terms: ts.Math) -> ts.Sum:
    return ts.Sum(tuple((True, term) for term in terms))


def minus(left: ts.Math, right: ts.Math) -> ts.Sum:
    return ts.Sum(((True, left), (False, right)))


A, B, H, L, N, P, W, X, Y, Z = (ts.Name(letter) for letter in "ABHLNPWXYZ")
n, p, r, w, x, y, z = (ts.Name(letter) for letter in "nprwxyz")
W1, W2, H1, Z1, Z2, delta = (ts.Name(name) for name in ("W1", "W2", "H1", "Z1", "Z2", "delta"))
XT, P_Y, DOT = ts.Transpose(X), minus(P, Y), ts.Infix("dot", (x, y))
SUM_X = ts.BigSum(("i",), ts.Indexed(x, ("i",)))

# node, text, ASCII, LaTeX
TABLE: list[tuple[ts.Math, str, str, str]] = [
    # names
    (W1, "W1", "W1", "W_{1}"),
    (ts.Name("lambda_"), "λ", "lambda_", r"\lambda"),
    (ts.Name("lam"), "λ", "lam", r"\lambda"),
    (ts.Name("σ"), "σ", "sigma", r"\sigma"),
    (ts.Name("Z1'"), "Z1′", "Z1'", "Z_{1}'"),
    (ts.Name("x_hat"), "x_hat", "x_hat", r"\hat{x}"),
    (ts.Name("loss"), "loss", "loss", r"\mathrm{loss}"),
    (ts.Name("W_out"), "W_out", "W_out", r"W_{\mathrm{out}}"),
    (ts.Name("_tmp"), "_tmp", "_tmp", r"\mathrm{\_tmp}"),
    (ts.Name("é"), "é", r"\xe9", r"\text{é}"),
    (ts.Name("X_"), "X_", "X_", r"{X\_}"),
    (ts.Spelled("W_1", split_name("W_1").bracketed()), "W_1", "W_1", "W_{(1)}"),
    (ts.Name("W", "bold"), "W", "W", r"\mathbf{W}"),
    (ts.Name("beta", "bold"), "β", "beta", r"\boldsymbol{\beta}"),
    # numbers
    (number(1, 2), "1/2", "1/2", r"\frac{1}{2}"),
    (number(-2, 3), "−2/3", "-2/3", r"-\frac{2}{3}"),
    (number(1, 20), "0.05", "0.05", "0.05"),
    (number(1, 10_000), "0.0001", "0.0001", "0.0001"),
    (number(1, 30), "1/30", "1/30", r"\frac{1}{30}"),
    (number(1, 1024), "1/1024", "1/1024", r"\frac{1}{1024}"),
    (number(1, 10**12), "10⁻¹²", "1e-12", "10^{-12}"),
    (number(25, 10**8), "2.5×10⁻⁷", "2.5e-7", r"2.5 \times 10^{-7}"),
    (number(10**9), "10⁹", "1e9", "10^{9}"),
    (number(12_345_678), "12345678", "12345678", "12345678"),
    (ts.Digits("3", -5), "3×10⁻⁵", "3e-5", r"3 \times 10^{-5}"),
    # products
    (product(XT, P_Y), "Xᵀ (P − Y)", "X^T (P - Y)", r"X^{\top} (P - Y)"),
    (product(number(2), XT, minus(product(X, w), y)), "2 Xᵀ (X w − y)", "2 X^T (X w - y)", r"2 X^{\top} (X w - y)"),
    (product(ts.Quotient(number(1), N), XT, r), "(1/N) Xᵀ r", "(1/N) X^T r", r"\frac{1}{N} X^{\top} r"),
    (product(number(2, 3), X), "(2/3) X", "(2/3) X", r"\frac{2}{3} X"),
    (product(number(2), number(3)), "2·3", "2*3", r"2 \cdot 3"),
    (product(ts.Name("loss"), X), "loss X", "loss X", r"\mathrm{loss} \, X"),
    (product(), "1", "1", "1"),
    (product(A, product(B, X)), "A B X", "A B X", "A B X"),
    (hadamard(product(W2, delta), H), "(W2 δ) ⊙ H", "(W2 delta) .* H", r"(W_{2} \delta) \odot H"),
    (product(XT, hadamard(A, B)), "Xᵀ (A ⊙ B)", "X^T (A .* B)", r"X^{\top} (A \odot B)"),
    (hadamard(A, hadamard(B, H)), "A ⊙ B ⊙ H", "A .* B .* H", r"A \odot B \odot H"),
    (
        ts.Infix("divide_elementwise", (A, ts.Infix("divide_elementwise", (B, H)))),
        "A ⊘ (B ⊘ H)",
        "A ./ (B ./ H)",
        r"A \oslash (B \oslash H)",
    ),
    (ts.Infix("kronecker", (A, P_Y)), "A ⊗ (P − Y)", "A (x) (P - Y)", r"A \otimes (P - Y)"),
    (DOT, "x·y", "x . y", r"x \cdot y"),
    (ts.Infix("times", (n, p)), "n × p", "n x p", r"n \times p"),
    # signs
    (plus(A, ts.Negative(B)), "A − B", "A - B", "A - B"),
    (minus(A, ts.Negative(B)), "A + B", "A + B", "A + B"),
    (plus(A, product(number(-2), X)), "A − 2 X", "A - 2 X", "A - 2 X"),
    (minus(A, P_Y), "A − (P − Y)", "A - (P - Y)", "A - (P - Y)"),
    (plus(A, P_Y), "A + P − Y", "A + P - Y", "A + P - Y"),
    (ts.Sum(()), "0", "0", "0"),
    (ts.Negative(P_Y), "−(P − Y)", "-(P - Y)", "-(P - Y)"),
    (ts.Negative(ts.Negative(x)), "−(−x)", "-(-x)", "-(-x)"),
    (product(ts.Negative(XT), r), "−Xᵀ r", "-X^T r", r"-X^{\top} r"),
    (product(X, ts.Negative(r)), "X (−r)", "X (-r)", "X (-r)"),
    (hadamard(ts.Negative(A), B), "−A ⊙ B", "-A .* B", r"-A \odot B"),
    # quotients
    (ts.Quotient(P_Y, N), "(P − Y)/N", "(P - Y)/N", r"\frac{P - Y}{N}"),
    (ts.Quotient(product(number(2), XT, r), DOT), "2 Xᵀ r/(x·y)", "2 X^T r/(x . y)", r"\frac{2 X^{\top} r}{x \cdot y}"),
    (ts.Quotient(x, product(number(2), y)), "x/(2 y)", "x/(2 y)", r"\frac{x}{2 y}"),
    (ts.Quotient(x, N, inline=True), "x/N", "x/N", "x/N"),
    (product(XT, ts.Quotient(P_Y, N)), "Xᵀ ((P − Y)/N)", "X^T ((P - Y)/N)", r"X^{\top} \frac{P - Y}{N}"),
    (ts.Quotient(SUM_X, N), "(Σ_i x_i)/N", "(sum_i x_i)/N", r"\frac{\sum_{i} x_{i}}{N}"),
    # powers and transposes
    (ts.Power(x, number(2)), "x²", "x^2", "x^{2}"),
    (ts.Power(x, p), "x^p", "x^p", "x^{p}"),
    (ts.Power(x, plus(n, number(1))), "x^(n+1)", "x^(n+1)", "x^{n + 1}"),
    (ts.Power(x, number(1, 2)), "x^(1/2)", "x^(1/2)", "x^{1/2}"),
    (ts.Power(ts.Power(x, number(2)), number(3)), "(x²)³", "(x^2)^3", "(x^{2})^{3}"),
    (ts.Power(ts.Quotient(x, y), number(2)), "(x/y)²", "(x/y)^2", r"\left( \frac{x}{y} \right)^{2}"),
    (ts.Power(number(-2), number(2)), "(−2)²", "(-2)^2", "(-2)^{2}"),
    (ts.Power(X, number(-1)), "X⁻¹", "X^-1", "X^{-1}"),
    (ts.Transpose(ts.Power(X, number(-1))), "X⁻ᵀ", "X^-T", r"X^{-\top}"),
    (ts.Transpose(ts.Power(X, number(2))), "(X²)ᵀ", "(X^2)^T", r"(X^{2})^{\top}"),
    (ts.Transpose(product(A, B)), "(A B)ᵀ", "(A B)^T", r"(A B)^{\top}"),
    (ts.ElementwisePower(X, Fraction(2)), "X^∘2", "X.^2", r"X^{\odot 2}"),
    (ts.ElementwisePower(XT, Fraction(1, 2)), "(Xᵀ)^∘(1/2)", "(X^T).^(1/2)", r"(X^{\top})^{\odot 1/2}"),
    (ts.Root(plus(ts.Power(x, number(2)), number(1))), "√(x² + 1)", "sqrt(x^2 + 1)", r"\sqrt{x^{2} + 1}"),
    # ones and identity
    (ts.Ones(), "1", "ones", r"\mathbf{1}"),
    (product(number(2), ts.Transpose(ts.Ones(N))), "2·1_Nᵀ", "2*ones_N^T", r"2 \cdot \mathbf{1}_{N}^{\top}"),
    (ts.Identity(n), "I_n", "I_n", "I_{n}"),
    # functions
    (ts.Call("tanh", (Z,)), "tanh(Z)", "tanh(Z)", r"\tanh(Z)"),
    (ts.Call("sigmoid", (Z,)), "σ(Z)", "sigmoid(Z)", r"\sigma(Z)"),
    (ts.Call("leaky_relu", (Z,)), "leaky_relu(Z)", "leaky_relu(Z)", r"\operatorname{leaky\_relu}(Z)"),
    (ts.Call("tr", (product(A, B),)), "tr(A B)", "tr(A B)", r"\operatorname{tr}(A B)"),
    (ts.Call("tanh", (ts.Quotient(x, y),)), "tanh(x/y)", "tanh(x/y)", r"\tanh\left( \frac{x}{y} \right)"),
    (ts.Call("det", (X,)), "det(X)", "det(X)", r"\det(X)"),
    (ts.Power(ts.Call("logdet", (X,)), number(2)), "(log|X|)²", "(logdet(X))^2", r"(\log\lvert X \rvert)^{2}"),
    (ts.Call("relu_prime", (Z,)), "relu′(Z)", "relu'(Z)", r"\operatorname{relu}'(Z)"),
    (ts.Prime("sigmoid", (Z1,)), "σ′(Z1)", "sigmoid'(Z1)", r"\sigma'(Z_{1})"),
    (ts.Function("loss", (W1, x)), "loss(W1, x)", "loss(W1, x)", r"\mathrm{loss}(W_{1}, x)"),
    (ts.Vec(X), "vec(X)", "vec(X)", r"\operatorname{vec}(X)"),
    (ts.Power(ts.Norm(r), number(2)), "‖r‖²", "||r||^2", r"\lVert r \rVert^{2}"),
    (ts.Norm(W, "F"), "‖W‖_F", "||W||_F", r"\lVert W \rVert_{F}"),
    (ts.Inner(A, B), "⟨A, B⟩", "<A, B>", r"\langle A, B \rangle"),
    (ts.Indicator(ts.Relation(">", z, number(0))), "1[z > 0]", "1[z > 0]", r"\mathbf{1}[z > 0]"),
    # indices
    (ts.Indexed(Z, ("i", "j")), "Z_ij", "Z_ij", "Z_{ij}"),
    (ts.Indexed(W1, ("i", plus(ts.Name("j"), number(1)))), "W1_{i,j+1}", "W1_{i,j+1}", "(W_{1})_{i,j + 1}"),
    (ts.Indexed(XT, (ts.Name("alpha"), "j")), "(Xᵀ)_αj", "(X^T)_{alpha,j}", r"(X^{\top})_{\alpha j}"),
    (ts.Indexed(x, ("3",)), "x_3", "x_3", "x_{3}"),
    (product(SUM_X, y), "(Σ_i x_i) y", "(sum_i x_i) y", r"\left( \sum_{i} x_{i} \right) y"),
    (product(number(2), SUM_X), "2 Σ_i x_i", "2 sum_i x_i", r"2 \sum_{i} x_{i}"),
    (ts.BigSum(("i", "j"), plus(x, y)), "Σ_ij (x + y)", "sum_ij (x + y)", r"\sum_{ij} (x + y)"),
    (ts.Delta("i", "j"), "δ_ij", "delta_ij", r"\delta_{ij}"),
    (ts.Transpose(ts.Layered(W, "l+1")), "W[l+1]ᵀ", "W[l+1]^T", r"W^{(l+1)\top}"),
    (ts.Layered(Z, "l−1"), "Z[l−1]", "Z[l-1]", "Z^{(l-1)}"),
    (ts.Slice(X, "[:, 0]"), "X[:, 0]", "X[:, 0]", r"X\text{[:, 0]}"),
    # calculus
    (product(XT, ts.Differential(X), w), "Xᵀ dX w", "X^T dX w", r"X^{\top} \, \mathrm{d}X \, w"),
    (ts.Transpose(ts.Differential(X)), "(dX)ᵀ", "(dX)^T", r"(\mathrm{d}X)^{\top}"),
    (ts.Differential(ts.Name("loss")), "d(loss)", "d(loss)", r"\mathrm{d}(\mathrm{loss})"),
    (ts.Differential(ts.Call("tanh", (Z,))), "d(tanh(Z))", "d(tanh(Z))", r"\mathrm{d}(\tanh(Z))"),
    (ts.Partial(L, W1), "∂L/∂W1", "dL/dW1", r"\frac{\partial L}{\partial W_{1}}"),
    (
        product(ts.Transpose(H1), ts.Partial(L, Z2)),
        "H1ᵀ ∂L/∂Z2",
        "H1^T dL/dZ2",
        r"H_{1}^{\top} \frac{\partial L}{\partial Z_{2}}",
    ),
    (
        ts.Transpose(ts.Partial(L, Z2)),
        "(∂L/∂Z2)ᵀ",
        "(dL/dZ2)^T",
        r"\left( \frac{\partial L}{\partial Z_{2}} \right)^{\top}",
    ),
    # statements and layout
    (ts.Relation("=", A, ts.Relation("≈", B, H)), "A = B ≈ H", "A = B ~= H", r"A = B \approx H"),
    (ts.Text("50% of σ"), "50% of σ", "50% of sigma", r"\text{50\% of $\sigma$}"),
    (ts.Underbrace(P_Y, delta), "(P − Y =: δ)", "(P - Y =: delta)", r"\underbrace{P - Y}_{\delta}"),
    (
        ts.Cases(((number(1), ts.Relation(">", z, number(0))), (number(0), ts.Text("otherwise")))),
        "{1 if z > 0; 0 otherwise}",
        "{1 if z > 0; 0 otherwise}",
        r"\begin{cases} 1 & \text{if } z > 0 \\ 0 & \text{otherwise} \end{cases}",
    ),
    (
        ts.Matrix(((A, B), (number(0), ts.Ellipsis("diagonal")))),
        "[A, B; 0, ⋱]",
        "[A, B; 0, ...]",
        r"\begin{bmatrix} A & B \\ 0 & \ddots \end{bmatrix}",
    ),
    (ts.Ellipsis(), "…", "...", r"\dots"),
    (ts.Bracketed(x), "(x)", "(x)", "(x)"),
]  # fmt: skip
ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row[1])

NODES = {kind for kind in vars(ts).values() if isinstance(kind, type) and issubclass(kind, ts.Math)} - {ts.Math}
CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2}


def parsed_mathml(math: ts.Math) -> ElementTree.Element:
    """Root of the MathML; the elements with a fixed number of children have it."""
    root = ElementTree.fromstring(to_mathml(math))
    for element in root.iter():
        tag = element.tag.rsplit("}", 1)[1]
        assert len(element) == CHILDREN.get(tag, len(element)), tag
    assert len(root) == 1
    return root


@ROWS
def test_row_prints(row: tuple[ts.Math, str, str, str]) -> None:
    node, text, ascii_text, latex = row
    assert (to_text(node), to_text(node, ascii=True), to_latex(node)) == (text, ascii_text, latex)
    parsed_mathml(node)


@ROWS
def test_mathml_shows_the_letters_of_the_text(row: tuple[ts.Math, str, str, str]) -> None:
    """The same letters and digits, though their order differs."""

    def letters(words: str) -> set[str]:
        return set(re.findall(r"[^\W_]", words))

    node, text, _, _ = row
    if isinstance(node, ts.Name):  # hat is an accent, bold letters are letters of their own
        return
    superscripts = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ𝟏Σ", "0123456789⊤1∑")
    shown = "".join(parsed_mathml(node).itertext()).translate(superscripts)
    assert letters(shown) == letters(text.translate(superscripts))


def test_every_node_has_a_row() -> None:
    def kinds(node: object) -> set[type]:
        if isinstance(node, tuple):
            return set().union(*map(kinds, node))
        if not isinstance(node, ts.Math):
            return set()
        return {type(node)}.union(*(kinds(getattr(node, field)) for field in node.__dataclass_fields__))

    assert kinds(tuple(node for node, *_ in TABLE)) == NODES


@pytest.mark.parametrize("op", INFIX_SIGNS)
def test_infix_signs_are_typed(op: str) -> None:
    assert op in ts.InfixOperator.__args__


@pytest.mark.parametrize("op", ts.RelationOperator.__args__)
def test_relations_have_all_signs(op: ts.RelationOperator) -> None:
    assert set(RELATION_SIGNS) == set(ts.RelationOperator.__args__)
    assert to_text(ts.Relation(op, x, y), ascii=True).isascii()
    parsed_mathml(ts.Relation(op, x, y))


def test_greek_letters_are_spelled_back() -> None:
    assert GREEK_SPELLED["Λ"] == "Lambda"
    assert {GREEK[name] for name in GREEK_SPELLED.values()} == set(GREEK_LATEX)


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_function_prints(function: str) -> None:
    assert to_text(ts.Call(function, (x,)), ascii=True).isascii()
    parsed_mathml(ts.Prime(function, (x,)))


SCRIPTED = [
    ts.Transpose(W1), ts.Power(W1, number(2)), ts.Transpose(ts.Power(W1, number(-1))), ts.Transpose(ts.Name("Z1'")),
    ts.Power(ts.Indexed(x, ("i",)), number(2)), ts.Transpose(ts.Ones(n)), ts.Power(ts.Norm(W, "F"), number(2)),
    ts.Power(ts.Identity(n), number(2)), ts.ElementwisePower(W1, Fraction(2)), ts.Power(ts.Delta("i", "j"), number(2)),
    ts.Transpose(ts.Name("W1", tip=("the weights",))),
]  # fmt: skip


@pytest.mark.parametrize("node", SCRIPTED, ids=to_text)
def test_a_base_with_two_scripts_is_one_element(node: ts.Math) -> None:
    """W with 1 below and ⊤ above: a superscript on W₁ would float to its right."""
    shown = to_mathml(node)
    assert shown.count("<msubsup>") == 1 and "<msup>" not in shown
    parsed_mathml(node)


def test_tip_is_escaped() -> None:
    shown = to_mathml(ts.Name("Z1", tip=("Z1 = X @ ", W1, " <(N, m)> \"&\" 'b'")), block=True)
    assert 'class="has-tip" title="Z1 = X @ W1 &lt;(N, m)&gt; &quot;&amp;&quot; ' in shown
    assert ' display="block"' in shown


def test_unknown_node_names_the_file_to_edit() -> None:
    class Unknown(ts.Math):
        """No printer knows it."""

    for show in (to_text, to_latex, to_mathml):
        with pytest.raises(TypeError, match=r"notation/.*\.py: no .* for Unknown"):
            show(Unknown())


def trees() -> st.SearchStrategy[ts.Math]:
    """Random trees of every kind of node, by the types of their fields."""
    words = st.text(max_size=8)
    index = st.sampled_from(["i", "j", "3", "row", ":"])
    names = st.sampled_from(["W1", "lam", "x_hat", "loss", "_t", "Z1'", "W_out", "e"]) | words
    functions = st.sampled_from(["tanh", "det", "logdet", "sigmoid", "relu_prime", "own_name"])
    leaves = st.one_of(
        st.builds(ts.Name, names, st.sampled_from(ts.Style.__args__), st.tuples(words)),
        st.builds(ts.Number, st.fractions()),
        st.builds(ts.Text, words),
        st.builds(ts.Ellipsis, st.sampled_from(ts.Direction.__args__)),
        st.just(ts.Ones()),
    )

    def grow(tree: st.SearchStrategy[ts.Math]) -> st.SearchStrategy[ts.Math]:
        few = st.lists(tree, max_size=3).map(tuple)
        indices = st.lists(tree | index, max_size=3).map(tuple)
        unary = (ts.Ones, ts.Identity, ts.Negative, ts.Transpose, ts.Root, ts.Vec, ts.Indicator, ts.Differential)
        binary = (ts.Quotient, ts.Power, ts.Inner, ts.Partial, ts.Underbrace)
        return st.one_of(
            *(st.builds(kind, tree) for kind in (*unary, ts.Bracketed)),
            *(st.builds(kind, tree, tree) for kind in binary),
            *(st.builds(kind, functions, few) for kind in (ts.Call, ts.Prime)),
            st.builds(ts.Quotient, tree, tree, st.booleans()),
            st.builds(ts.Transpose, st.builds(ts.Power, tree, st.just(number(-1)))),
            st.builds(ts.ElementwisePower, tree, st.fractions()),
            st.builds(ts.Function, names, few),
            st.builds(ts.Norm, tree, st.sampled_from(["", "F", "1"])),
            st.builds(ts.Product, few),
            st.builds(ts.Infix, st.sampled_from(ts.InfixOperator.__args__), few),
            st.builds(ts.Sum, st.lists(st.tuples(st.booleans(), tree), max_size=3).map(tuple)),
            st.builds(ts.Relation, st.sampled_from(ts.RelationOperator.__args__), tree, tree),
            st.builds(ts.Indexed, tree, indices),
            st.builds(ts.BigSum, indices, tree),
            st.builds(ts.Delta, tree | index, tree | index),
            st.builds(ts.Slice, tree, words),
            st.builds(ts.Cases, st.lists(st.tuples(tree, tree), max_size=2).map(tuple)),
            st.builds(ts.Matrix, st.lists(few, max_size=2).map(tuple)),
        )

    return st.recursive(leaves, grow, max_leaves=12)


@given(trees())
def test_random_trees_print(tree: ts.Math) -> None:
    assert to_text(tree, ascii=True).isascii()
    to_text(tree)
    latex = re.sub(r"\\[{}\\]", "", to_latex(tree))
    depth = 0
    for letter in latex:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    assert latex.count(r"\left") - latex.count(r"\leftarrow") >= latex.count(r"\right") - latex.count(r"\rightarrow")
    parsed_mathml(tree)
    assert hash(tree) == hash(tree)


@given(trees())
def test_no_sign_follows_a_sign(tree: ts.Math) -> None:
    quiet = to_latex(ts.Sum(((True, x), (True, ts.Negative(tree)), (False, ts.Negative(tree)))))
    assert not re.match(r"x [+-] [+-]", quiet)


def test_printing_is_fast() -> None:
    formulas = [node for node, *_ in TABLE] * 3
    best = min(_seconds(formulas) for _ in range(5))
    assert best < 0.2  # about 0.02 on a common machine


def _seconds(formulas: list[ts.Math]) -> float:
    start = time.process_time()
    for formula in formulas:
        to_text(formula), to_latex(formula), to_mathml(formula)
    return time.process_time() - start

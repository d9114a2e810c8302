"""What identifiers of a page look like: no two things alike, in any format, and each as people write it where it can be."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byhand
from byhand.notation import typeset as ts
from byhand.notation.latex import to_latex
from byhand.notation.mathml import to_mathml
from byhand.notation.names import Names, unused
from byhand.notation.render import ascii_code
from byhand.notation.text import to_text

HOSTILE = [
    "X",
    "X_",
    "X1",
    "X_1",
    "X1_",
    "X_1_",
    "X_1_2",
    "X1_2",
    "X12",
    "X_12",
    "X_hat",
    "x_hat",
    "x_1",
    "x1",
    "x",
    "x_i",
    "x_ij",
    "x_i_j",
    "i",
    "j",
    "k",
    "b",
    "T",
    "t",
    "x_T",
    "X_T",
    "X_inv",
    "dx",
    "dX",
    "d_x",
    "d",
    "dW",
    "lam",
    "lamb",
    "lambda_",
    "λ",
    "λ_",
    "Lambda",
    "Λ",
    "eps",
    "epsilon",
    "ε",
    "alpha",
    "α",
    "alpha_",
    "alpha1",
    "alpha_1",
    "α1",
    "α_1",
    "α_hat",
    "alpha_hat",
    "sigma",
    "σ",
    "Sigma",
    "Σ_1",
    "Sigma_1",
    "sigma_1",
    "φ",
    "phi",
    "Phi",
    "Φ",
    "psi",
    "ψ",
    "Gamma",
    "Γ",
    "gamma",
    "γ",
    "delta",
    "δ",
    "Delta",
    "delta_ij",
    "δ_ij",
    "I",
    "I_",
    "I_n",
    "i1",
    "Σ",
    "o",
    "ο",
    "omicron",
    "nu",
    "ν",
    "v",
    "mu",
    "μ",
    "f",
    "f_",
    "H",
    "H_",
    "J",
    "G",
    "K",
    "G_X",
    "H_f",
    "vec",
    "tr",
    "onehot",
    "blockdiag",
    "sum_",
    "sum_i",
    "ones_n",
    "max",
    "min",
    "e",
    "E",
    "pi_",
    "π",
    "one",
    "W_out",
    "Wout",
    "W_hat",
    "hat",
    "bar",
    "x_bar",
]


def visible(xml: str) -> str:
    """MathML as a reader sees it: letters, with marks where something is raised or lowered; fonts do not count."""
    for tag, mark in (("msubsup", "⟦"), ("msub", "⟦"), ("msup", "⟦"), ("mover", "⟦")):
        xml = xml.replace(f"<{tag}", f"{mark}<{tag}").replace(f"</{tag}>", f"</{tag}>⟧")
    return re.sub(r"<mrow>|</mrow>|<[^>]*>", "|", xml).replace("|", "")


def prints(names: Names) -> dict[str, dict[str, str]]:
    """Format -> identifier -> how it prints on the page."""
    every = sorted(names.identifiers | names.literal)
    return {
        "text": {n: to_text(ts.Name(n), names=names) for n in every},
        "ascii": {n: to_text(ts.Name(n), ascii=True, names=names) for n in every},
        "latex": {n: re.sub(r"\\(mathrm|text|operatorname)\b", "", to_latex(ts.Name(n), names)) for n in every},
        "mathml": {n: visible(to_mathml(ts.Name(n), names=names)) for n in every},
    }


def signs_of(page: list[ts.Math], names: Names) -> dict[str, set[str]]:
    """Format -> what the signs of the page print as, those that a name could be taken for."""
    found: dict[str, set[str]] = {"text": set(), "ascii": set(), "latex": set(), "mathml": set()}
    for m in page:
        found["text"].add(re.sub(r"\(.*\)$", "", to_text(m, names=names)))
        found["ascii"].add(re.sub(r"\(.*\)$", "", to_text(m, ascii=True, names=names)))
        latex = re.sub(r"\\(mathrm|text|operatorname)\b", "", to_latex(m, names))
        found["latex"].add(re.sub(r"\(.*\)$", "", latex))
        found["mathml"].add(visible(re.sub(r"<mo>\u2061</mo>.*</math>", "</math>", to_mathml(m, names=names))))
    return found


identifiers = st.sampled_from(HOSTILE) | st.from_regex(r"[a-zA-Zα-ω](_?[a-z1-3αλσ]){0,3}_?", fullmatch=True)
functions = st.lists(
    st.sampled_from(["sigmoid", "normal_pdf", "normal_cdf", "digamma", "tr", "onehot", "relu"]), max_size=3
)


@settings(max_examples=150, deadline=None)
@given(st.sets(identifiers, min_size=2, max_size=9), functions, st.data())
def test_no_two_things_print_alike(words: set[str], called: list[str], data: st.DataObject) -> None:
    every = sorted(words)
    some = data.draw(st.lists(st.sampled_from(every), max_size=4))
    signs: list[ts.Math] = [ts.Call(f, (ts.Name(every[0]),)) for f in called]
    signs += [ts.Differential(ts.Name(n)) for n in some]
    signs += [ts.Indexed(ts.Name(n), index) for n in some for index in (("i",), ("i", "j"), ("1",))]
    signs += data.draw(
        st.lists(st.sampled_from([ts.Identity(order=ts.Name("n")), ts.Delta("i", "j"), ts.Vec(ts.Name(every[0]))]))
    )
    if data.draw(st.booleans()):
        signs.append(ts.BigSum((), ts.Name(every[0])))
    names = Names([*map(ts.Name, every), *signs])
    shown = prints(names)
    for form, found in shown.items():
        for (a, print_a), (b, print_b) in combinations(found.items(), 2):
            assert print_a != print_b, (form, a, b, print_a)
        alike = set(found.values()) & signs_of(signs, names)[form]
        letters = {print for n, print in found.items() if n in ("i", "j", "n", "d")}  # d(x) is not d
        assert not alike - letters, (form, alike)


def test_every_pair_of_hostile_names_is_told_apart() -> None:
    for pair in combinations(HOSTILE, 2):
        for form, found in prints(Names(map(ts.Name, pair))).items():
            assert len(set(found.values())) == 2, (form, found)


# names, what they print as in text, what in LaTeX
PAGES = [
    ("X X_", "X X_", r"X {X\_}"),
    ("W1", "W1", "W_{1}"),
    ("W_1", "W_1", "W_{1}"),
    ("W1 W_1", "W1 W_1", "W_{1} W_{(1)}"),
    ("W12 W1_2 W_12", "W12 W1_2 W_12", "W_{12} W_{1,2} W_{(12)}"),
    ("alpha", "α", r"\alpha"),
    ("alpha α", "alpha α", r"\mathrm{alpha} \alpha"),
    ("lam lambda_", "λ lambda_", r"\lambda {\mathrm{lambda}\_}"),
    ("lam lambda_ λ", "lam lambda_ λ", r"\mathrm{lam} {\mathrm{lambda}\_} \lambda"),
    ("lambda_", "λ", r"\lambda"),
    ("beta_", "β_", r"{\beta\_}"),
    ("alpha1 α1", "alpha1 α1", r"\mathrm{alpha}_{1} \alpha_{1}"),
    ("o ο", "o omicron", r"o \mathrm{omicron}"),
]


@pytest.mark.parametrize(("words", "text", "latex"), PAGES, ids=[p[0] for p in PAGES])
def test_the_plainer_spelling_keeps_its_form(words: str, text: str, latex: str) -> None:
    nodes = [ts.Name(n) for n in words.split()]
    names = Names(nodes)
    assert [to_text(n, names=names) for n in nodes] == text.split()
    assert " ".join(to_latex(n, names) for n in nodes) == latex


# source, shapes, wrt, a line of the text that must be there
DOCUMENTS = [
    ("X_ = X @ W\nsum(X_**2)", {"X": "n d", "W": "d k"}, "∂f/∂W = 2 Xᵀ X_"),
    ("lam*sum(abs(w)) + lambda_*sum(w**2)", {"w": "n", "lam": "", "lambda_": ""}, "λ ()   lambda_ ()"),
    ("sum(alpha*α)", {"alpha": "n", "α": "n"}, "alpha (n,)   α (n,)"),
    ("sum(sigmoid(sigma*x))", {"x": "n", "sigma": ""}, "σ(sigma x)"),
    ("sum(sigmoid(σ*x))", {"x": "n", "σ": ""}, "sigmoid(σ x)"),
    ("sum(sigmoid(sigma_x*x))", {"x": "n", "sigma_x": ""}, "σ(σ_x x)"),
    ("sum(normal_pdf(phi*x))", {"x": "n", "phi": ""}, "φ(phi x)"),
    ("sum(normal_cdf(Phi*x))", {"x": "n", "Phi": ""}, "Φ(Phi x)"),
    ("trace(X) + sum(I*X)", {"I": "n n", "X": "n n"}, "∂f/∂X = I + I_n"),
    ("trace(X) + sum(I*X) + sum(I_n)", {"I": "n n", "X": "n n", "I_n": "n"}, "∂f/∂X = I + eye(n)"),
    ("sum(dx*x)**2", {"dx": "n", "x": "n"}, "df = 2 (dxᵀ x) (dxᵀ d(x))"),
    ("mu = mean(X, axis=0)\nR = X - mu\nsum(G*R**3)", {"X": "N D", "G": "N D"}, "insert ∂f/∂μ"),
    ("mu = mean(X, axis=0)\nR = X - mu + μ\nsum(G*R**3)", {"X": "N D", "G": "N D", "μ": "D"}, "insert ∂f/∂mu"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "shapes", "line"), DOCUMENTS, ids=[row[0] for row in DOCUMENTS])
def test_documents_tell_their_names_apart(source: str, shapes: dict[str, str], line: str) -> None:
    text = byhand.derive(byhand.parse(source, shapes=shapes), next(iter(w for w in shapes if w in source))).text()
    text += byhand.derive(byhand.parse(source, shapes=shapes)).text()
    assert line in text


@settings(max_examples=25, deadline=None)
@given(st.sets(identifiers, min_size=2, max_size=6))
def test_the_inputs_of_a_document_are_all_different(words: set[str]) -> None:
    shapes = {}
    for word in sorted(words):
        try:
            byhand.parse(f"sum({word})", shapes={word: "m"})
        except byhand.ByhandError:
            continue
        shapes[word] = "m"
    if len(shapes) < 2:
        return
    f = byhand.parse(" + ".join(f"sum(sigmoid({n})*{n})" for n in shapes), shapes=shapes)
    d = byhand.derive(f)
    for notation in ("differential", "index"):
        given = d.text(notation=notation).splitlines()[2].split()[::2]
        assert len(given) == len(set(given)) == len(shapes)
        given = re.findall(r"\$([^$]+)\$ \(m,?\)", d.latex(notation=notation))[: len(shapes)]
        assert len(set(given)) == len(shapes)


def test_unused() -> None:
    assert [unused("K", names) for names in ((), ("K",), ("K", "K1"))] == ["K", "K1", "K2"]


def test_the_value_has_a_name_of_its_own() -> None:
    """Not that of an input, a dimension or an intermediate."""
    pages = [("sum(f**2)", {"f": "n"}, "g"), ("sum(x)", {"x": "f"}, "g"), ("f = sum(x**2)\n2*f", {"x": "n"}, "g")]
    pages += [("sum(f*g*h*F*L)", dict.fromkeys("fghFL", "n"), "f1"), ("f = sum(x)\nf", {"x": "n"}, "f")]
    for source, shapes, name in pages:
        assert byhand.parse(source, shapes=shapes).name == name
    assert byhand.trace(lambda f: (f**2).sum(), {"f": "n"}).name == "g"


# what is printed, and a line of it in which a matrix of byhand's own gives way to an input
OWN = [
    (lambda: byhand.hessian(byhand.parse("sum(H*x)**2", {"H": "n", "x": "n"}), "x").text(), "H_f = 2 H Hᵀ"),
    (lambda: byhand.hessian(byhand.parse("sum((X @ x)**2)", {"X": "H n", "x": "n"}), "x").text(), "H_f = 2 Xᵀ X"),
    (lambda: byhand.jvp(byhand.parse("J @ x", {"J": "m n", "x": "n"}), "x").text(), "J1 v = J v"),
    (lambda: byhand.jacobian(byhand.parse("K @ X.T", {"K": "m n", "X": "p n"}), "X").text(), "K1 is the commutation"),
    (
        lambda: byhand.derive(
            byhand.parse("trace(G_X @ X @ X)", {"G_X": "n n", "X": "n n"}, {"X": "symmetric"}), "X"
        ).text(),
        "G_X1 =",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "line"), OWN, ids=[line for _, line in OWN])
def test_names_of_our_own_avoid_those_of_the_page(made, line) -> None:  # type: ignore[no-untyped-def]
    assert line in made()


def test_comments_of_code_tell_names_apart() -> None:
    f = byhand.parse(
        "X_ = X @ W\nsum(sigmoid(sigma*X_)) + lam*lambda_",
        {"X": "n d", "W": "d k", "sigma": "", "lam": "", "lambda_": ""},
    )
    for target in ("numpy", "torch", "jax"):
        code = byhand.derive(f, "W").code(target)
        assert "X_ = X W" in code and "σ(σ" not in code and "λ lambda_" in code.replace("lambda_ λ", "λ lambda_")


def test_sentences_use_the_names_that_are_printed() -> None:
    f = byhand.parse(
        "mu = mean(X, axis=0)\nR = X - mu\nsum(G*R**3) + trace(Sigma)",
        {"X": "N D", "G": "N D", "Sigma": "D D"},
        {"Sigma": "spd"},
    )
    d = byhand.derive(f)
    assert "insert ∂f/∂μ" in d.text() and r"$\mu$" in d.latex() and "<mi>μ</mi>" in d.html()
    assert "insert ∂f/∂μ" in str(d.to_dict())
    assert "mu" not in re.sub(r"\\mu", "", d.latex().replace("Cumu", ""))


def test_ascii_code_tells_names_apart() -> None:
    f = byhand.parse(
        "λ*sum(w**2) + lam*sum(abs(w)) + α @ alpha", {"w": "n", "λ": "", "lam": "", "α": "k", "alpha": "k"}
    )
    values = {"w": np.array([1.0, -2.0]), "λ": 3.0, "lam": 5.0, "α": np.array([2.0]), "alpha": np.array([7.0])}
    d = byhand.derive(f)
    code = ascii_code(d.code("numpy"))
    assert code.isascii()
    scope: dict[str, object] = {}
    exec(compile(code, "code", "exec"), scope)  # byhand's own output
    value, gradients = scope["value_and_gradients"](*(values[n] for n in f.symbols))  # type: ignore[operator]
    wanted, right = d.function("numpy")(**values)
    assert value == wanted
    for ours, theirs in zip(gradients.values(), right.values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_advice_is_a_name_that_is_free() -> None:
    shapes = {"X": "N D", "W": "D H", "V": "H K", "H_": "N"}
    for source, name in [
        ("H = X @ W\nsum(H @ V)", "H__"),
        ("V = X @ W\nsum(V)", "V_new"),
        ("V_new = X @ W\nV = V_new\nsum(V)", "V_new_"),
    ]:
        with pytest.raises(byhand.ParseError, match=rf"call (it|this one) {name}\b"):
            byhand.parse(source, shapes=shapes)


def test_data_and_per_sample_formulas_share_one_map() -> None:
    f = byhand.parse(
        "sum((X @ w)**2)*lam + sum((X @ v)**2)*lambda_", {"X": "N D", "w": "D", "v": "D", "lam": "", "lambda_": ""}
    )
    gradients = byhand.derive(f, "w,v").to_dict()["gradients"]
    assert "λ" in gradients["w"] and "lambda_" in gradients["v"] and "λ" not in gradients["v"]

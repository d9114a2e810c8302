"""Pages as people write them: each formula given, right, wrong or not read; prose is no line of the report."""

from __future__ import annotations

import json
import re

import pytest

from byhand.audit.audit import audit
from byhand.audit.report import AuditReport
from byhand.errors import ParseError

LINEAR = r"""# Backpropagation of a linear layer

The data $X \in \mathbb{R}^{N \times D}$ are multiplied by weights $W \in \mathbb{R}^{D \times C}$; the loss compares with $Y \in \mathbb{R}^{N \times C}$.

$$Z = X W$$

$$L = \frac{1}{2N} \| Z - Y \|_F^2$$

It costs $5 or 6$ percent. The gradients are

\begin{align}
\frac{\partial L}{\partial Z} &= \frac{1}{N} (Z - Y), \\
\frac{\partial L}{\partial W} &= X^\top \frac{\partial L}{\partial Z} \\
&= \frac{1}{N} X^\top (X W - Y).
\end{align}

By components,

$$\frac{\partial L}{\partial W_{jk}} = \frac{1}{N} \sum_{i=1}^{N} X_{ij} (Z_{ik} - Y_{ik}).$$

A step is $$W \leftarrow W - \eta \frac{\partial L}{\partial W}.$$
"""
SOFTMAX = r"""\documentclass{article}
\newcommand{\R}{\mathbb{R}}
\newcommand{\pd}[2]{\frac{\partial #1}{\partial #2}}
\begin{document}
Let $z \in \R^C$, let the target $y \in \R^C$ be a distribution, so that it sums to one, and
\begin{align}
p_i &= \frac{e^{z_i}}{\sum_{k=1}^{C} e^{z_k}}, \qquad i = 1, \dots, C \\
\ell &= -\sum_{i=1}^{C} y_i \log p_i
\end{align}
% a comment with $L = 0$
Then
\begin{equation} \pd{p_i}{z_j} = p_i (\delta_{ij} - p_j) \end{equation}
\begin{equation} \pd{\ell}{z_j} = p_j - y_j \end{equation}
\begin{equation} \pd{p}{z} = \operatorname{diag}(p) - p p^\top \end{equation}
\end{document}
"""
DEEP = r"""Layer $l = 1, \dots, L$ has weights $W^{[l]} \in \mathbb{R}^{n_l \times n_{l-1}}$ and biases $b^{[l]} \in \mathbb{R}^{n_l}$; the input is
$x \in \mathbb{R}^{n_0}$, the target $y \in \mathbb{R}^{n_L}$, and $a^{[0]} = x$.

$$z^{[l]} = W^{[l]} a^{[l-1]} + b^{[l]}, \qquad a^{[l]} = g(z^{[l]}), \qquad l = 1, \dots, L$$

$g$ acts on each entry; $g = \tanh$. With

$$J = \frac{1}{2} \| a^{[L]} - y \|^2$$

the deltas are

$$\delta^{[l]} = \frac{\partial J}{\partial z^{[l]}}$$

$$\delta^{[l]} = (W^{[l+1]})^\top \delta^{[l+1]} \odot g'(z^{[l]})$$

$$\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} (a^{[l-1]})^\top$$
"""
NOTES = """RIDGE

X ∈ ℝ^{N×D} are the inputs, y ∈ ℝ^N the targets, w ∈ ℝ^D the weights, λ > 0 a number.

    L(w) = ‖Xw − y‖² + λ‖w‖²
         = (Xw − y)ᵀ(Xw − y) + λ wᵀw

so that

    dL = 2(Xw − y)ᵀX dw + 2λ wᵀdw
    ∇L(w) = 2Xᵀ(Xw − y) + 2λw
    ∇²L(w) = 2(XᵀX + λI)
    ŵ = (XᵀX + λI)⁻¹Xᵀy
    ∂L/∂wⱼ = 2 Σᵢ (xᵢᵀw − yᵢ) xᵢⱼ + 2λ wⱼ
"""
HTML = r"""<!DOCTYPE html><html><head><title>$x$</title><style>a { b: c }</style></head><body>
<p>Ratings \(R \in \mathbb{R}^{n \times m}\), factors \(U \in \mathbb{R}^{n \times k}\), \(V \in \mathbb{R}^{m \times k}\).</p>
\[ L = \frac12 \| R - U V^\top \|_F^2 \]
<pre>U -= rate * G  # \[ not = a formula \]</pre>
<p>\[ \begin{aligned} dL &amp;= -\operatorname{tr}((R - U V^\top)^\top \, dU \, V^\top) - \operatorname{tr}((R - U V^\top)^\top U \, dV^\top) \\
\frac{\partial L}{\partial U} &amp;= (U V^\top - R) V, \qquad \frac{\partial L}{\partial V} = (U V^\top - R)^\top U \end{aligned} \]</p>
</body></html>
"""
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "source": ["$Q \\in \\mathbb{R}^{n \\times d}$, $K \\in \\mathbb{R}^{m \\times d}$, $V \\in \\mathbb{R}^{m \\times e}$\n", "$$S = Q K^\\top$$\n"]},
            {"cell_type": "code", "source": ["S = Q @ K.T  # $$S = 0$$"], "outputs": []},
            {
                "cell_type": "markdown",
                "source": ["$$P = \\mathrm{softmax}(S), \\qquad O = P V$$\n", "for a loss $\\ell$:\n", "$$\\frac{\\partial \\ell}{\\partial V} = P^\\top \\frac{\\partial \\ell}{\\partial O}$$"],
            },
        ]
    }
)  # fmt: skip
PAGES = {"linear": LINEAR, "softmax": SOFTMAX, "deep": DEEP, "notes": NOTES, "html": HTML, "notebook": NOTEBOOK}


def statuses(report: AuditReport) -> list[str]:
    return [line.status for line in report.lines if not line.inline]


@pytest.mark.parametrize("name", PAGES)
def test_right_pages_are_read_and_nothing_is_wrong(name: str) -> None:
    report = audit(PAGES[name])
    assert report.page
    assert not report.wrong, report.text()
    assert report.read == 1.0, report.text()
    assert statuses(report).count("right") >= 1
    for view in (report.text(), report.html(), json.dumps(report.to_dict())):
        assert "Traceback" not in view


MISTAKES = [
    ("linear", r"X^\top \frac{\partial L}{\partial Z}", r"X \frac{\partial L}{\partial Z}", "T"),
    ("linear", r"\frac{1}{N} (Z - Y), \\", r"(Z - Y), \\", "N"),
    ("linear", r"\frac{1}{N} X^\top (X W - Y)", r"\frac{1}{N} X^\top (X W + Y)", "N"),
    ("linear", r"X_{ij} (Z_{ik} - Y_{ik})", r"X_{ij} (Y_{ik} - Z_{ik})", "N"),
    ("softmax", r"p_i (\delta_{ij} - p_j)", r"p_i (1 - p_j)", "N"),
    ("softmax", "p_j - y_j", "y_j - p_j", "N"),
    ("softmax", r"\operatorname{diag}(p) - p p^\top", r"\operatorname{diag}(p)", "N"),
    ("deep", r"(W^{[l+1]})^\top \delta^{[l+1]}", r"W^{[l+1]} \delta^{[l+1]}", "T"),
    ("deep", r"\delta^{[l]} (a^{[l-1]})^\top", r"\delta^{[l]} (a^{[l]})^\top", "T"),
    ("notes", "2(Xw − y)ᵀX dw + 2λ", "2(Xw − y)ᵀX dw + λ", "N"),
    ("notes", "2(XᵀX + λI)", "2(XᵀX − λI)", "N"),
    ("notes", "= 2Xᵀ(Xw − y)", "= 2X(Xw − y)", "T"),
    ("html", r"(U V^\top - R) V", r"(R - U V^\top) V", "N"),
    ("html", r"(U V^\top - R)^\top U", r"(U V^\top - R) U", "T"),
    ("html", r"-\operatorname{tr}((R - U V^\top)^\top \, dU", r"\operatorname{tr}((R - U V^\top)^\top \, dU", "N"),
]


@pytest.mark.parametrize(
    ("name", "right", "wrong", "kind"), MISTAKES, ids=[f"{n}-{k}" for k, (n, *_) in enumerate(MISTAKES)]
)
def test_a_mistake_is_found_where_it_stands_and_nowhere_else(name: str, right: str, wrong: str, kind: str) -> None:
    assert PAGES[name].count(right) == 1
    report = audit(PAGES[name].replace(right, wrong))
    assert [line.kinds for line in report.wrong] == [(kind,)], report.text()
    assert wrong.rstrip(", \\")[:12] in report.wrong[0].source
    assert not report.ok


def test_harmless_rewritings_are_no_mistakes() -> None:
    changed = (
        LINEAR.replace(r"X W - Y", r"-Y + XW")
        .replace("$W ", "$V ")
        .replace("W", "V")
        .replace(r"^\top", r"^{T}")
        .replace(r"\frac{1}{N}", r"N^{-1}")
    )
    assert not audit(changed).wrong
    assert (
        audit(SOFTMAX.replace("p_", "q_").replace("{p}", "{q}").replace("(p)", "(q)").replace("- p p", "- q q")).read
        == 1.0
    )


def test_a_declared_shape_that_fits_no_formula_is_blamed() -> None:
    page = LINEAR.replace("the loss compares", r"the bias is $b \in \mathbb{R}^D$; the loss compares").replace(
        "Z = X W$$", r"Z = X W + \mathbf{1}_N b^\top$$"
    )
    report = audit(page.replace("(X W - Y)", "(Z - Y)"))
    assert [line.kinds for line in report.wrong] == [("D",)], report.text()
    assert "b is declared with another shape" in report.wrong[0].message
    assert "(C,)" in report.wrong[0].message


def test_lines_know_their_place() -> None:
    for line in audit(LINEAR).lines:
        assert line.column is not None
        written = LINEAR.split("\n")[line.number - 1][line.column - 1 :]
        assert written.startswith(line.source.split("\n")[0][:20])
    cells = [line.cell for line in audit(NOTEBOOK).lines if not line.inline]
    assert cells == [1, 3, 3]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (r"$$f = \foo x$$", r"\foo is not defined"), (r"$$\frac{\partial L}{\partial W} = 2 W$$", "not known"), (r"$$a = \frac{1}{$$", "brace"),
        ("$$y = " + "+".join(["x"] * 3000) + "$$", "longer than"),
    ],
)  # fmt: skip
def test_what_is_not_read_says_why(page: str, words: str) -> None:
    (line,) = audit(page).lines
    assert line.status == "not read"
    assert words in line.message


def test_a_choice_between_readings_is_said() -> None:
    page = r"$x \in \mathbb{R}^{d}$, $y \in \mathbb{R}^{h}$, $W \in \mathbb{R}^{d \times h}$ $$L = x^\top W y$$ $$\frac{\partial L}{\partial W} = x \otimes y$$"
    line = audit(page).lines[-1]
    assert line.status == "right"
    assert "outer product" in line.reading


@pytest.mark.parametrize(
    "text", ["x " * 8000 + "= 1", "$" * 999, "$$" + "{" * 2000 + "x" + "}" * 2000 + "=1$$", '{"cells": [{"cell_type": "markdown"}]}', r"\def\a{\a} $$\a = 1$$", "<p>" * 3000]
)  # fmt: skip
def test_hostile_pages_end_with_a_report_or_a_refusal(text: str) -> None:
    try:
        report = audit(text)
    except ParseError:
        return
    assert all(line.status in ("given", "right", "wrong", "not read") for line in report.lines)


def test_damaged_pages_never_end_in_another_exception() -> None:
    import random

    for seed in range(40):
        rng = random.Random(seed)
        text = list(rng.choice([*PAGES.values()]))
        for _ in range(rng.randint(1, 8)):
            k = rng.randrange(len(text))
            if rng.random() < 0.5:
                del text[k]
            else:
                text.insert(k, rng.choice("{}$\\_^=()[]&dTΣ∂x1 \n"))
        try:
            audit("".join(text)).text()
        except ParseError as error:
            assert str(error)


def test_the_format_can_be_said() -> None:
    assert audit("X: (n, n)\nX = X", format="lines").page is False
    with pytest.raises(ParseError, match="not known"):
        audit("x = 1", format="word")
    assert re.search(r"nothing wrong: \d+ formulas", audit(LINEAR).summary)

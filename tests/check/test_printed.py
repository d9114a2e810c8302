"""Printed lines are part of the check: every line is read back and right, and a line that says something else is found."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import byhand
from byhand.check import printed
from byhand.check.check import check
from byhand.check.draw import draw_point
from byhand.check.printed import equations, line_rows
from byhand.check.steps import Claims, Numbers
from byhand.notation import matrix
from byhand.notation import typeset as ts
from byhand.notation.document import document

NOTATIONS = ("differential", "index", "jacobian")
PROBLEMS = [
    p
    for p in json.loads((Path(__file__).parents[1] / "data" / "matrix_calculus.json").read_text("utf-8"))
    if p["kind"] == "grad"
]

# text, shapes, properties
FUNCTIONS = {
    "slices": ("sum(X[:,1:3]**2) + sum(X[:,1:])", {"X": "m 5"}, {}),
    "symbolic slices": ("sum(X[1:]*X[:m-1]) + sum(X[:,:2])", {"X": "m n"}, {}),
    "entries": ("x[2]**2*x[-1] + x[0]", {"x": "5"}, {}),
    "a row": ("sum(X[0]*y) + sum(X[1:, 0])", {"X": "n k", "y": "k"}, {}),
    "slices of slices": ("sum(tanh(x[1:6][2:4])*y)", {"x": "8", "y": "2"}, {}),
    "a convolution": ("z = w[0]*x[0:6] + w[1]*x[1:7] + w[2]*x[2:8]\nsum(z**2)", {"x": "8", "w": "3"}, {}),
    "slices of three axes": ("sum(X[:,1:4]**2)", {"X": "N 5 C"}, {}),
    "labels": ("-mean(log_softmax(Z, 1)[arange(m), t])", {"Z": "m n", "t": "m"}, {"t": "labels"}),
    "one-hot": ("sum((one_hot(t, 4) @ E - Y)**2)", {"E": "4 d", "t": "n", "Y": "n d"}, {"t": "labels"}),
    "Kronecker": ("sum(tanh(kron(X, Y)))", {"X": "m n", "Y": "p q"}, {}),
    "three Kronecker factors": ("sum(kron(kron(X, Y), Z)**2)", {"X": "b c", "Y": "p q", "Z": "c 2"}, {}),
    "kept means": ("M = mean(X, axis=1, keepdims=True)\nsum((X - M)**2*G)", {"X": "m n", "G": "m n"}, {}),
    "dropped means": ("mu = mean(X, axis=0)\nR = X - mu\nsum(G*R**3)", {"X": "N D", "G": "N D"}, {}),
    "one column": ("sum(softmax(X @ a, 1)*Y) + sum(softmax(X @ a, 0)*Y)", {"X": "m n", "a": "n 1", "Y": "m 1"}, {}),
    "one entry": ("tanh(x[0]) + sum(x*x) + sum(X)**2", {"x": "1", "X": "1 1"}, {}),
    "one row": ("sum(tanh(X @ W + b)*G)", {"X": "1 d", "W": "d h", "b": "h", "G": "1 h"}, {}),
    "einsum": ("Z = einsum('bti,io->bto', X, W)\nsum((Z - Y)**2)", {"X": "B T I", "W": "I O", "Y": "B T O"}, {}),
    "einsum with a diagonal": ("einsum('iij,jk->', T, X)**2", {"T": "n n m", "X": "m k"}, {}),
    "log-sum-exp": ("logsumexp(X) + sum(logsumexp(X, axis=1)) + sum(logsumexp(X, axis=0))", {"X": "m n"}, {}),
    "softmax": ("sum(A*softmax(X)) + sum(A*softmax(X, 0)) + sum(A*softmax(X, 1))", {"X": "m n", "A": "m n"}, {}),
    "norms": ("norm(X @ w - y) + norm(X)**2", {"X": "m n", "w": "n", "y": "m"}, {}),
    "extremes": ("sum(maximum(x, y)*minimum(x, z))", {"x": "n", "y": "n", "z": "n"}, {}),
    "masks": ("sum(where(A > 0, X, X**2)) + sum(relu(X))", {"A": "m n", "X": "m n"}, {}),
    "determinants": ("det(S) + logdet(S) + x @ inv(S) @ x", {"S": "n n", "x": "n"}, {"S": "spd"}),
    "absolute values": ("sum(abs(A)*B) + det(A)", {"A": "n n", "B": "n n"}, {}),
    "a diagonal": ("sum(tanh(D @ X)) + sum(diag(S)*x)", {"D": "n n", "X": "n m", "S": "n n", "x": "n"}, {"D": "diagonal"}),
    "powers": ("sum(x**y) + sum(p**0.3) + sum(1/p**2)", {"x": "n", "y": "n", "p": "n"}, {"x": "positive", "p": "positive"}),
    "batch norm": (
        "mu = mean(X, axis=0)\nR = X - mu\nv = mean(R**2, axis=0)\ns = sqrt(v + eps)\nXh = R/s\nY = g*Xh + b\nsum(G*Y)",
        {"X": "N D", "g": "D", "b": "D", "G": "N D", "eps": ""},
        {"eps": "constant,positive"},
    ),
    "attention": (
        "A = softmax(X @ Q @ K.T @ X.T, axis=1)\nsum((A @ X @ V - T)**2)",
        {"X": "m n", "Q": "n p", "K": "n p", "V": "n q", "T": "m q"},
        {},
    ),
    "a stack of products": ("sum(A @ B * C)", {"A": "b m n", "B": "b n p", "C": "b m p"}, {}),
}  # fmt: skip


def derived(name):
    text, shapes, assume = FUNCTIONS[name]
    return byhand.derive(byhand.parse(text, shapes, assume))


def lines_of(d, notation, level="micro"):
    """Each line's row, and what was not read."""
    with np.errstate(all="ignore"):
        return line_rows(d, Numbers(Claims(d), draw_point(d, 0)), notation, level)


def assert_read(d, notations=NOTATIONS):
    for notation in notations:
        rows, unread = lines_of(d, notation)
        assert rows and not unread, f"{notation}: {unread}"
        for row in rows:
            assert row.ok, f"{notation}: {row.evidence.before} = {row.evidence.after}: {row.note}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_line_is_read_back(name):
    assert_read(derived(name))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p["id"])
def test_problems(problem):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    assert_read(byhand.derive(byhand.parse(problem["expr"], shapes, problem.get("domain", {})), problem["wrt"]))


@pytest.mark.parametrize("loss", ["mse", "softmax_cross_entropy"])
@pytest.mark.parametrize("layout", ["rows", "rows-outputs-first", "columns", "columns-inputs-first"])
def test_networks_in_every_layout(loss, layout):
    d = byhand.derive(byhand.MLP("5-4-3", activation="tanh", loss=loss, l2=0.1)).in_layout(layout)
    assert_read(d)


def test_random_expressions():
    from acceptance.random_expressions import generate

    for case in (generate(random.Random(seed)) for seed in range(10, 40)):
        if len(case.text) < 120:
            assert_read(byhand.derive(byhand.parse(case.text, case.shapes, case.assume), case.wrt))


# ---- what is printed falsely is found

MUTATIONS = {
    "a sign": (r" [+−] ", lambda m: " + " if m[0] == " − " else " − "),
    "a transpose": (r"(?<!1_1)ᵀ", lambda m: ""),
    "a factor 2": (r"(?<![\d·.×_^])\b2 ", lambda m: "3 "),
    "a power": (r"(?<!N)²", lambda m: "³"),
    "an index": (r"(?<=[A-Zxz]_)[ij](?=[ij] )", lambda m: {"i": "j", "j": "i"}[m[0]]),
    "a shift": (r"\+1(?=[,}])", lambda m: "+2"),
    "a bound": (r"(?<=\^\{)[1-9](?=\})", lambda m: str(int(m[0]) - 1)),
    "a first value": (r"(?<==)1(?=\})", lambda m: "0"),
    "a delta": (r" δ_\S+", lambda m: ""),
    "a sum": (r"Σ_\w+ (?=\S)", lambda m: ""),
    "a condition": (r"> 0\]", lambda m: "< 0]"),
    "an axis": (r", axis=0", lambda m: ""),
    "a size": (r"1_N", lambda m: "1_D"),
    "an entrywise product": (r" ⊙ ", lambda m: " "),
    "a name": (r"∂f/∂R\b", lambda m: "R"),
}  # fmt: skip
MUTATED = (
    "slices",
    "symbolic slices",
    "a convolution",
    "einsum",
    "dropped means",
    "batch norm",
    "softmax",
    "masks",
    "kept means",
)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_corrupted_line_is_found(mutation, monkeypatch):
    """A line changed in one place is wrong, or no formula any more; it is never right."""
    pattern, change = MUTATIONS[mutation]
    tried = 0
    for name in MUTATED:
        d = derived(name)
        for notation in NOTATIONS[:2]:
            lines = list(equations(document(d, notation, "steps")))
            changed = []
            for title, left, right in lines:
                for found in list(re.finditer(pattern, right))[:2]:
                    new = right[: found.start()] + change(found) + right[found.end() :]
                    changed.append((title, left, new)) if new != right else None
            monkeypatch.setattr(printed, "equations", lambda *_, changed=changed: iter(changed))
            rows, unread = lines_of(d, notation)
            monkeypatch.undo()
            tried += len(changed)
            assert len(rows) + len(unread) == len(changed)
            right = [f"{r.unit} = {c[2]}" for r, c in zip(rows, changed, strict=False) if r.ok]
            assert not right, f"{name}, {notation}: {right}"
    assert tried >= 2


def test_a_printer_that_lies_fails_the_check(monkeypatch):
    d = byhand.derive(byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w")
    assert check(d, oracles="quick").ok
    row = matrix.MATRIX_NOTATION["matvec"]
    turned = {**matrix.MATRIX_NOTATION, "matvec": lambda f, s, t: row(replace(f, args=f.args[::-1]), s, t)}
    monkeypatch.setattr(matrix, "MATRIX_NOTATION", turned)
    report = check(d, oracles="quick")
    assert not report.ok and {r.what for r in report.failed} == {"line"}
    assert report.summary.startswith("WRONG: line of r, Forward")
    assert "after:  w X" in report.text()


def test_what_is_not_read_is_said(monkeypatch):
    monkeypatch.setitem(matrix.MATRIX_NOTATION, "norm_squared", lambda f, s, t: ts.Text("℗"))
    d = byhand.derive(byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w")
    report = check(d, oracles="quick")
    assert report.ok and len(report.unread) == 1
    assert report.summary.endswith("; 1 line not read back")
    assert "not read back: f = ℗: the sign '℗' is not known" in report.text()
    assert report.to_dict()["unread"] == [{"line": "f = ℗", "reason": "the sign '℗' is not known"}]


def test_the_notation_asked_for_is_read():
    d = derived("slices")
    for notation, line in (("index", "∂f/∂X_ij"), ("differential", "∂f/∂X")):
        report = check(d, oracles="quick", notation=notation, level="result")
        assert [r.unit for r in report.rows if r.what == "line"] == [line]
    with pytest.raises(byhand.ByhandError, match="unknown notation"):
        check(d, notation="indices")


@pytest.mark.parametrize("batch", [None, 1, "N"])
def test_the_label_of_one_sample_is_read_back(batch):
    assert byhand.check(byhand.derive(byhand.MLP("4-5-3", batch=batch)), oracles="quick").ok
    one = byhand.parse("cross_entropy(z, y)", {"z": "K", "y": ""}, {"y": "labels"})
    report = byhand.check(byhand.derive(one, "z"))
    assert report.ok, str(report)

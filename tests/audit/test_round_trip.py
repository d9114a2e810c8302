"""What byhand prints is read by the audit and right: every notation, as text, LaTeX, HTML and Markdown."""

import json
from pathlib import Path

import pytest

import byhand

NOTATIONS = ("differential", "index", "jacobian")
PROBLEMS = [
    p
    for p in json.loads((Path(__file__).parents[1] / "data" / "matrix_calculus.json").read_text("utf-8"))
    if p["kind"] == "grad"
]
NETWORKS = {
    "two layers": byhand.MLP("5-4-3", activation="relu", loss="softmax_cross_entropy", l2="lam"),
    "sizes by name, one output": byhand.MLP("D-H-1", activation="tanh", loss="binary_cross_entropy"),
    "three layers": byhand.MLP("4-3-3-2", activation="sigmoid", loss="mse", l2=0.1),
}


def printed(d, notation):
    yield d.text(notation=notation)
    yield d.latex(notation=notation)
    yield d.html(notation=notation)
    yield d.markdown(notation=notation)


def assert_right(d, notations=NOTATIONS):
    for notation in notations:
        for text in printed(d, notation):
            report = byhand.audit(text)
            assert len(report.lines) >= 2 and any(line.status == "right" for line in report.lines)
            for line in report.lines:
                assert line.status in ("given", "right"), f"{notation}: {line.source}: {line.message}"


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p["id"])
def test_problems(problem):
    shapes = {name: " ".join(dims) for name, dims in problem["shapes"].items()}
    d = byhand.derive(byhand.parse(problem["expr"], shapes, problem.get("domain", {})), problem["wrt"])
    assert_right(d)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    assert_right(byhand.derive(NETWORKS[name]))


@pytest.mark.parametrize("layout", ["rows-outputs-first", "columns", "columns-inputs-first"])
def test_layouts(layout):
    d = byhand.derive(byhand.MLP("5-4-3", activation="tanh", loss="softmax_cross_entropy")).in_layout(layout)
    for text in (d.latex(), d.html(notation="index")):
        for line in byhand.audit(text).lines:
            assert line.status in ("given", "right"), f"{line.source}: {line.message}"


@pytest.mark.parametrize(
    ("old", "new"),
    [("Xᵀ ∂f/∂r", "X ∂f/∂r"), ("2 Xᵀ (X w − y)", "Xᵀ (X w − y)"), ("X dw ", "−X dw "), ("‖r‖²", "‖r‖³")],
    ids=["a transpose", "a factor", "a sign", "a power"],
)
def test_what_is_changed_in_a_print_is_found(old, new):
    text = byhand.derive(byhand.parse("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}), "w").text()
    assert old in text
    wrong = [line for line in byhand.audit(text.replace(old, new, 1)).lines if line.status == "wrong"]
    assert wrong and (old == "‖r‖²" or new.strip() in wrong[0].source)

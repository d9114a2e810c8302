"""Formulas that nobody reads are cut, and the page says so; what is cut is never what is computed."""

from itertools import pairwise

import numpy as np
import pytest

import byhand
from byhand.notation.differential import LEFT_OUT
from byhand.notation.room import ALWAYS, LONGEST, Room

NAMES = "ABCDEFGHJKLMNOPQRSTUVWXYZabcdeghjkmopqrstuvwxyz"
KRON = "sum(" + "kron(" * 24 + "X" + ",Y)" * 24 + ")"
LONG = {
    "entries":        ("*".join(f"X[{i % 9},{i % 7}]" for i in range(40)), {"X": "31 37"}),
    "Kronecker":      (KRON, {"X": "n n", "Y": "n n"}),
    "one entry each": ("(" + "+".join(f"x[{i}]*y[{(3 * i) % 31}]" for i in range(20)) + ")**2", {"x": "29", "y": "31"}),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
def test_a_page_stays_short(name, notation):
    d = byhand.derive(byhand.parse(*LONG[name]))
    assert len(d.text(notation=notation)) < 60_000


def test_what_is_left_out_is_said():
    d = byhand.derive(byhand.parse(*LONG["entries"]))
    text = d.text()
    assert LEFT_OUT in text and "..." in d.text(ascii=True)
    assert r"\dots" in d.latex() and LEFT_OUT in d.html()
    rng = np.random.default_rng(3)
    x = rng.uniform(0.9, 1.1, size=(31, 37))
    _, gradients = d.function()(X=x)
    shifted = x.astype(complex)
    shifted[4, 4] += 1e-20j
    slope = np.imag(np.prod([shifted[i % 9, i % 7] for i in range(40)])) / 1e-20
    assert abs(slope) > 0 and np.isclose(gradients["X"][4, 4], slope, rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}),
        ("sum((" + "+".join(NAMES[:20]) + ")**2)", dict.fromkeys(NAMES[:20], "n")),
    ],
)
@pytest.mark.parametrize("notation", ["differential", "index", "jacobian"])
@pytest.mark.parametrize("level", ["result", "steps", "micro"])
def test_what_a_person_writes_is_whole(text, shapes, notation, level):
    page = byhand.derive(byhand.parse(text, shapes)).text(notation=notation, level=level)
    assert LEFT_OUT not in page and "…" not in page


def test_a_deep_network_is_whole():
    layers = 40
    lines = [f"H{k} = tanh(H{k - 1} @ W{k} + b{k})" if k > 1 else "H1 = tanh(X @ W1 + b1)" for k in range(1, layers)]
    shapes = {"X": "N d"} | {f"W{k}": "d d" for k in range(1, layers)} | {f"b{k}": "d" for k in range(1, layers)}
    f = byhand.parse("\n".join([*lines, f"sum(H{layers - 1}**2)"]), shapes)
    assert LEFT_OUT not in byhand.derive(f).text()


def test_room_is_counted_once_for_a_node():
    node = byhand.parse("x*y + y*z", dict.fromkeys("xyz", "n")).root
    room = Room()
    before = room.left
    assert room.of(node) == (node, False) == room.of(node)
    assert before - room.left == room.length(node) < ALWAYS < LONGEST


def test_a_sum_that_is_cut_keeps_its_first_terms():
    f = byhand.parse("+".join(f"x*{a}" for a in NAMES if a != "x"), dict.fromkeys(NAMES, "n"))
    node = byhand.parse("+".join(f"{a}*{b}" for a, b in pairwise(NAMES)), dict.fromkeys(NAMES, "n"))
    assert Room().of(f.root)[1] is False
    room = Room(left=0)
    part, cut = room.of(node.root)
    assert cut and room.cut and part is not None
    assert len(part.terms) > 3 and {t for _, t in part.terms} < {t for _, t in node.root.terms}
    assert room.length(part) <= ALWAYS < room.length(node.root)

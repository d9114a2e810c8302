"""A function stands as it was typed where identities rewrote it; max, min and roots have their own forms."""

import pytest

import byhand


def derived(text, shapes, wrt=None, assume=None):
    return byhand.derive(byhand.parse(text, shapes, assume or {}), wrt)


@pytest.mark.parametrize(
    ("text", "shapes", "typed", "rule"),
    [
        ("-sum(y*log(sigmoid(X@w)))", {"X": "m n", "w": "n", "y": "m"}, "log(σ(", "log of a logistic function"),
        ("sum(log(1 + exp(a*x)))", {"a": "n", "x": "n"}, "log(exp(a ⊙ x) + 1)", "softplus by log"),
        ("h = log(cosh(x - m))\nsum(h*w)", {"x": "n", "m": "n", "w": "n"}, "log(cosh(", "log of cosh"),
    ],
)
def test_as_typed(text, shapes, typed, rule):
    d = derived(text, shapes)
    forward = d.text().split("Forward")[1].split("Differentials")[0]
    assert (typed in forward or "log(" in forward) and rule in forward, forward
    report = byhand.check(d, oracles="quick", seeds=1)
    assert report.ok and not report.unread, report.text()


def test_what_was_not_rewritten_stands_once():
    forward = derived("sum((X @ w - y)**2)", {"X": "m n", "w": "n", "y": "m"}, "w").text().split("Differentials")[0]
    assert forward.count("f = ") == 1 and "\n    = " not in forward


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sum(maximum(x, y)*z)", "max(x, y)"),
        ("sum(minimum(x, y)*z)", "min(x, y)"),
        ("sum(minimum(x, 1)*z*y)", "min(x, 1)"),
        ("sum(maximum(x, -2)*z*y)", "max(x, −2)"),
    ],
)
def test_max_and_min(text, shown):
    d = derived(text, {"x": "n", "y": "n", "z": "n"})
    for notation in ("differential", "index"):
        assert "where(" not in d.text(notation) and shown[:4] in d.text(notation)
        assert byhand.check(d, oracles="quick", seeds=1, notation=notation).ok
    assert shown in d.text()


@pytest.mark.parametrize("text", ["norm(A @ x - b)", "sqrt(x @ M @ x + 1)", "(x @ x + 2)**(1/3)"])
def test_a_root_is_named_in_its_gradients(text):
    shapes = {n: s for n, s in {"A": "m n", "x": "n", "b": "m", "M": "n n"}.items() if n in text}
    d = derived(text, shapes, "x")
    backward = d.text().split("Gradients, last to first")[1] if "Gradients, last" in d.text() else d.text()
    assert "f" in backward.split("∂f/∂x = ")[-1] and "√" not in backward
    assert byhand.check(d, oracles="quick", seeds=1).ok
    assert "f_" not in d.code()

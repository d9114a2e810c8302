"""`check` runs each target's own code, value and gradients, at generic points and at the rim."""

from importlib import import_module

import numpy as np
import pytest

from byhand.check.check import check
from byhand.check.own_code import RIM
from byhand.derive.derivation import derive
from byhand.expr.parse import parse

TABLES = {
    "jax code": ("jax", "FUNCTIONS", "jnp"),
    "torch code": ("torch", "FUNCTIONS", "torch"),
    "numpy": ("numpy", "FUNCTIONS", "np"),
}


@pytest.mark.parametrize("target", TABLES)
@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("tanh", "1.001*{np}.tanh({z})", ""),
        ("abs", "{np}.abs({z}) + 1.0*({z} == 0)", "zeros"),
        ("sin", "{np}.sin({np}.clip({z}, -50.0, 50.0))", "huge values"),
        ("exp", "{np}.exp({np}.abs({z}))", "negative values"),
    ],
)
def test_a_wrong_row_of_a_target_is_found(monkeypatch, target, name, text, place):
    module, table, library = TABLES[target]
    if target == "torch code":
        pytest.importorskip("torch")
    rows = getattr(import_module(f"byhand.code.{module}"), table)
    monkeypatch.setitem(rows, name, text.replace("{np}", library))
    d = derive(parse(f"sum({name}(y)*x)", {"x": "n", "y": "n"}), "x")
    (row,) = [r for r in check(d, seeds=1, oracles=target).rows if not r.ok]
    if place and place != "negative values":
        assert row.evidence is not None and place in row.evidence.place


def test_the_rim_is_where_the_interpreter_is_asked_too():
    """Right code is right there: kinks, ties, overflow, masks."""
    pytest.importorskip("torch")
    for text in (
        "sum(where(x > 0, x**1.5, -x))",
        "sum(maximum(x, y)**2) + sum(abs(x - y))",
        "sum(log(1 + exp(x))*y)",
        "sum(x/(1 + abs(y))) + norm(x)",
        "sum(softmax(100*x)*y) + logsumexp(x)",
        "sum(relu(x)*sign(y)) + sum(exp(x)*y)",
    ):
        used = {n: "n" for n in "xy" if n in text.replace("exp", "").replace("max", "")}
        check(derive(parse(text, used)), seeds=2).assert_ok()
    assert all(np.shape(move(np.ones((2, 3)))) == (2, 3) for move in RIM.values())

"""Results show themselves by their own views: printed as text, in notebooks as all that they have."""

import pytest

import byhand

F = byhand.parse("sum((X @ w - y)**2)", shapes={"X": "m n", "w": "n", "y": "m"})
ALL = {"text/plain", "text/html", "text/latex", "text/markdown"}


@pytest.mark.parametrize(
    "result, kinds",
    [
        (byhand.derive(F, "w"), ALL),
        (byhand.hessian(F, "w"), ALL),
        (byhand.hvp(F, "w"), ALL - {"text/markdown"}),
        (byhand.audit("x: (3, 1)\ny = x + x"), {"text/plain", "text/html"}),
    ],
    ids=["derivation", "Hessian", "product", "audit"],
)
def test_each_view_is_the_method_of_its_name(result, kinds):
    shown = result._repr_mimebundle_()
    assert shown.keys() == kinds
    for kind, text in shown.items():
        assert text == getattr(result, "text" if kind == "text/plain" else kind.removeprefix("text/"))() != ""
    assert str(result) == shown["text/plain"] and result._repr_html_() == shown["text/html"]

"""Where a Jacobian, a Hessian or a product with one holds is said, as it is of a gradient."""

import pytest

import byhand

VECTORS = {"x": "n", "y": "n"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exp(log(x))*y", "Holds for x > 0."),
        ("x*y/y", "Holds for y ≠ 0."),
        ("sqrt(x)**2 + y", "Holds for x ≥ 0."),
    ],
)
@pytest.mark.parametrize("make", [byhand.jacobian, byhand.jvp, byhand.vjp])
def test_conditions_are_said_of_jacobians_and_products(text, said, make):
    assert said in make(byhand.parse(text, VECTORS), "x").text()


@pytest.mark.parametrize("make", [byhand.hessian, byhand.hvp])
def test_conditions_are_said_of_hessians(make):
    f = byhand.parse("sum(exp(log(x))*x*y/y)", VECTORS)
    page = make(f, "x")
    assert "Holds for x > 0." in page.text() and "Holds for y ≠ 0." in page.text()
    assert r"x > 0" in page.latex()


@pytest.mark.parametrize("text", ["x*y", "exp(x)*log(1 + y**2)", "x/(1 + y**2)"])
def test_nothing_is_said_where_nothing_was_dropped(text):
    assert "Holds for" not in byhand.jacobian(byhand.parse(text, VECTORS), "x").text()

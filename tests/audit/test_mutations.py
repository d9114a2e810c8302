"""Right derivations of many kinds are right; one wrong symbol is found at its formula; other ways of writing raise no alarm.

`python tests/audit/mutations.py 300` runs 300 of each; here is a share.
"""

import pytest
from audit.mutations import mutations, rewritings
from audit.right_pages import PAGES

import byhand


@pytest.mark.parametrize("name", PAGES)
def test_right_pages(name):
    report = byhand.audit(PAGES[name])
    for line in report.lines:
        assert line.status in ("right", "given"), f"{line.source}: {line.message}"
    assert report.ok and sum(line.status == "right" for line in report.lines) >= 2


def test_mutations_are_found():
    found = [*mutations(32, seed=5)]
    missed = [f"{page}, {kind}: {variant}" for page, kind, variant, _, ok in found if not ok]
    assert len(found) == 32 and len(missed) <= 1, missed


def test_rewritings_raise_no_alarm():
    for page, kind, wrong in rewritings(20, seed=7):
        assert not wrong, f"{page}, {kind}: {wrong}"


TWO = r"""$X \in \mathbb{R}^{N \times D}$, $W_1 \in \mathbb{R}^{D \times H}$, $W_2 \in \mathbb{R}^{H \times K}$, $Y \in \mathbb{R}^{N \times K}$.

$$ Z_1 = X W_1 $$
$$ A = \tanh(Z_1) $$
$$ Z_2 = A W_2 $$
$$ L = \frac{1}{2} \lVert Z_2 - Y \rVert^2 $$
"""


@pytest.mark.parametrize(
    "formula",
    [r"\frac{\partial L}{\partial W_2} = A^\top (Z_3 - Y)", r"\frac{\partial L}{\partial A} = (Z_2 - Y) W_3^\top"],
)
def test_a_layer_that_does_not_exist_is_wrong(formula):
    line = byhand.audit(f"{TWO}\n$$ {formula} $$\n").lines[-1]
    assert line.status == "wrong" and line.kinds == ("D",) and "there is no" in line.message
    assert byhand.audit(f"{TWO}\n$$ {line.mend} $$\n").lines[-1].status == "right"

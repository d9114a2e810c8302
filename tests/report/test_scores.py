"""Pictures of scores: what they draw is what is there; readable on light and dark pages."""

import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
from byhand.report.drawing import INK, figures_html, png, svg
from byhand.report.figures import residual_figure, weights_figure
from byhand.report.scores import (
    confusion_figure,
    importance_figure,
    reliability_figure,
    residuals_figure,
    roc_figure,
    scatter_figure,
)
from byhand.train.estimators import MLPClassifier
from byhand.train.importance import columns_of, importances

RNG = np.random.default_rng(0)
NAMES = ["dry & hot", "wet", "a name that is much too long for an axis"]
LABELS = RNG.integers(0, 3, 211)
HITS = LABELS[:, None] == np.arange(3)
P = RNG.dirichlet((1, 1, 1), 211) * 0.5 + 0.5 * HITS
ALL = {
    "confusion": lambda: confusion_figure(np.array([[5, 0, 1], [0, 7, 0], [2, 0, 3]]), NAMES),
    "roc": lambda: roc_figure(HITS, P, NAMES),
    "reliability": lambda: reliability_figure(HITS, P, NAMES),
    "scatter": lambda: scatter_figure(P[:, 0], P[:, 1], "price"),
    "residuals": lambda: residuals_figure(P[:, 0], P[:, 1], "price"),
    "importance": lambda: importance_figure(NAMES, RNG.normal(size=(3, 5)), "accuracy"),
    "P - Y": lambda: residual_figure(P - HITS, NAMES),
    "weights": lambda: weights_figure(RNG.normal(size=(3, 7)), NAMES),
}


@pytest.mark.parametrize("name", ALL)
def test_every_picture_has_a_title_labels_and_the_ink_of_the_page(name):
    figure = ALL[name]()
    axes = figure.axes[0]
    titles = [axes.get_title(loc) for loc in ("left", "center", "right")]
    assert any(titles) and (axes.get_xlabel() or len(figure.axes) > 1)
    drawn = svg(figure)
    assert "currentColor" in drawn and INK not in drawn and "prefers-color-scheme:dark" in drawn
    assert png(figure).startswith(b"\x89PNG")


def test_a_confusion_has_its_zeros_and_names():
    drawn = svg(ALL["confusion"]())
    assert len(re.findall(r">0</text>", drawn)) == 4
    assert "dry &amp; hot" in drawn and "a name that is mu…" in drawn


def test_curves_of_classes_say_their_area():
    from sklearn.metrics import roc_auc_score

    legend = [t.get_text() for t in ALL["roc"]().axes[0].get_legend().get_texts()]
    for k, name in enumerate(["dry & hot", "wet"]):
        assert f"{name} (area {roc_auc_score(HITS[:, k], P[:, k]):.3f})" in legend
    two = roc_figure(HITS[:, :2] | HITS[:, [2, 2]] * [True, False], P[:, :2], NAMES[:2])
    assert len(two.axes[0].get_lines()) == 2  # the second class, and chance
    assert "wet" in two.axes[0].get_title()


def test_reliability_is_the_share_in_each_tenth():
    axes = ALL["reliability"]().axes[0]
    said, there = axes.get_lines()[0].get_data()
    inside = (P[:, 0] >= 0.2) & (P[:, 0] < 0.3)
    k = int(np.argmin(np.abs(said - P[inside, 0].mean())))
    assert there[k] == pytest.approx(HITS[inside, 0].mean())
    exact = np.repeat([[0.0, 1.0], [1.0, 0.0]], 7, axis=0)
    line = reliability_figure(exact == 1, exact, NAMES[:2]).axes[0].get_lines()[0]
    np.testing.assert_allclose(line.get_xydata(), [[0, 0], [1, 1]])


def test_a_page_has_its_pictures_inside():
    html = figures_html({"roc": (ALL["roc"](), "a < b")})
    assert 'src="data:image/svg+xml;base64,' in html and 'alt="roc: a &lt; b"' in html


def test_columns_are_shuffled_as_the_user_has_them():
    X = RNG.normal(size=(201, 4))
    y = X[:, 0] + X[:, 1] > 0
    model = MLPClassifier((8,), max_epochs=20, random_state=0).fit(X, y)
    before = X.copy()
    drops = importances(model, X, y, columns_of(model, 4))
    assert drops[:2].mean() > 0.1 > np.abs(drops[2:]).max() and (before == X).all()
    model.table_ = {"columns": [
        {"name": "town", "kind": "category", "values": ["a", "b"]}, {"name": "n", "kind": "number"},
        {"name": "m", "kind": "number"},
    ]}  # fmt: skip
    assert columns_of(model, 4) == [("town", [0, 1]), ("n", [2]), ("m", [3])]
    together = importances(model, X, y, columns_of(model, 4))
    assert together.shape == (3, 5) and together[0].mean() > drops[0].mean()
